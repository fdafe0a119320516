"""The data center's pages: pending and processed files, upload, download, deletion."""

import codecs
import io
from unittest import mock

import transaction

from waeup.kofa.browser.downloads import BLOCK, blocks_of, disposition
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, upload

INDEX = "http://localhost/app/datacenter"
TABLE = b"code,title\r\nA1,Arts\r\n"


class PagesTestCase(FunctionalTestCase):
    """An officer who may bring files, and has logged in."""

    def setUp(self) -> None:
        self.browser = self.log_in("waeup.DataCenterManager")

    @property
    def page(self) -> str:
        """What the browser shows."""
        return self.browser.contents

    @property
    def status(self) -> int:
        """Status of the last answer."""
        return int(self.browser.headers["Status"][:3])

    def names(self) -> set[str]:
        """Return the names of the files in the storage."""
        return {path.name for path in self.storage.iterdir() if path.is_file()}


class IndexTest(PagesTestCase):
    """The list of pending files."""

    def test_without_files_it_says_what_to_do(self) -> None:
        self.browser.open(INDEX)
        self.assertIn("No files are waiting. Upload a table", self.page)
        self.assertIn(f"<code>{self.storage}</code>", self.page)

    def test_a_file_is_shown_with_rows_size_and_next_step(self) -> None:
        self.store("list.csv", "code,title\nA1,Arts\nB1,Biology\n")
        self.browser.open(INDEX)
        row = self.page.split("<tbody>")[1]
        self.assertIn(">list.csv</a>", row)
        self.assertRegex(row, r'data-label="Datasets">\s*2<')
        self.assertIn(">30 bytes<", row)
        self.assertRegex(row, r'<time datetime="\d{4}-\d\d-\d\dT[^"]+[+-]\d\d:\d\d">')
        self.browser.getControl(name="select").click()
        self.assertIn("import2?draft=", self.browser.url)

    def test_the_owner_of_an_uploaded_file_is_shown(self) -> None:
        upload(self.browser, ("list.csv", TABLE))
        self.assertRegex(self.page, r'data-label="Owner">\s*officer<')

    def test_deletion_asks_first(self) -> None:
        self.store("a.csv")
        self.store("b.csv")
        self.browser.open(INDEX)
        self.browser.getControl(name="val_id").getControl(value="a.csv").selected = True
        self.browser.getControl("Remove selected").click()
        self.assertIn("Are you sure?", self.page)
        self.assertEqual(self.names(), {"a.csv", "b.csv"})
        self.assertEqual(self.browser.url, f"{INDEX}?remove=a.csv")
        self.browser.open(self.browser.url)
        self.assertIn("Are you sure?", self.page)
        self.browser.getControl("Delete these files").click()
        self.assertIn("Successfully deleted: a.csv", self.page)
        self.assertEqual(self.names(), {"b.csv"})

    def test_deletion_can_be_given_up(self) -> None:
        self.store("a.csv")
        self.browser.open(INDEX)
        self.browser.getControl(name="val_id").getControl(value="a.csv").selected = True
        self.browser.getControl("Remove selected").click()
        self.browser.getControl("Keep them").click()
        self.assertEqual(self.browser.url, INDEX)
        self.assertEqual(self.names(), {"a.csv"})

    def test_the_question_is_about_files_that_there_are(self) -> None:
        self.store("a.csv")
        self.browser.open(f"{INDEX}?remove=a.csv&remove=gone.csv&remove=../x.csv")
        self.assertIn("<code>a.csv</code>", self.page)
        self.assertNotIn("gone.csv", self.page)
        self.assertNotIn("../x.csv", self.page)
        self.browser.open(f"{INDEX}?remove=gone.csv")
        self.assertNotIn("Are you sure?", self.page)

    def test_deletion_of_nothing_is_told(self) -> None:
        self.store("a.csv")
        self.browser.open(INDEX)
        self.browser.getControl("Remove selected").click()
        self.assertIn("No item selected.", self.page)

    def test_deletion_of_a_file_that_is_gone_changes_nothing(self) -> None:
        self.store("a.csv")
        self.store("b.csv")
        self.browser.open(INDEX)
        self.browser.getControl(name="val_id").value = ["a.csv", "b.csv"]
        self.browser.getControl("Remove selected").click()
        (self.storage / "b.csv").unlink()
        self.browser.getControl("Delete these files").click()
        self.assertEqual(self.status, 404)
        self.assertIn("There is no file &#x27;b.csv&#x27;", self.page.replace("'", "&#x27;"))
        self.assertEqual(self.names(), {"a.csv"})


class UploadTest(PagesTestCase):
    """Files come in."""

    def test_a_file_gets_the_officers_name(self) -> None:
        upload(self.browser, ("my list.csv", TABLE))
        self.assertEqual(self.browser.url, INDEX)
        self.assertIn("Successfully uploaded: my_list_officer.csv", self.page)
        self.assertEqual((self.storage / "my_list_officer.csv").read_bytes(), TABLE)

    def test_several_files_come_at_once(self) -> None:
        upload(self.browser, ("a.csv", TABLE), ("b.csv", TABLE))
        self.assertEqual(self.names(), {"a_officer.csv", "b_officer.csv"})

    def test_a_refused_file_does_not_keep_the_others_out(self) -> None:
        upload(self.browser, ("a.csv", TABLE), ("b.odt", TABLE), ("c.csv", b""))
        self.assertEqual(self.status, 400)
        self.assertEqual(self.names(), {"a_officer.csv"})
        self.assertIn("Successfully uploaded: a_officer.csv", self.page)
        self.assertIn("b.odt: Only csv files are allowed.", self.page)
        self.assertIn("c.csv: ", self.page)

    def test_a_file_that_is_too_large_is_told_before_and_after_it_is_sent(self) -> None:
        with mock.patch.dict(FunctionalLayer._config, upload_limit=len(TABLE) - 1):
            upload(self.browser, ("list.csv", TABLE))
            self.assertEqual(self.status, 413)
            self.assertIn("list.csv: list.csv has more than 20 bytes", self.page)
            self.assertIn('data-limit="20"', self.page)
        self.assertEqual(self.names(), set())

    def test_the_page_says_what_files_may_be(self) -> None:
        self.browser.open(f"{INDEX}/upload")
        self.assertIn("as workbooks (.xlsx, .xls, .ods)", self.page)
        self.assertIn('accept=".csv,.tsv,.txt,.xlsx,.xls,.ods,.gz,.zip"', self.page)

    def test_a_file_that_is_not_clear_is_kept_and_that_is_told(self) -> None:
        upload(self.browser, ("two.csv", b"code,title,x\r\nA,B\r\nC,D\r\nE,F\r\n"))
        self.assertEqual(self.names(), {"two_officer.csv"})
        self.assertIn("does not fit its rows", self.page)

    def test_no_file_is_told(self) -> None:
        self.browser.open(f"{INDEX}/upload")
        self.browser.getControl(name="SUBMIT").click()
        self.assertIn("No file selected.", self.page)

    def test_bad_tables_are_refused_with_a_reason(self) -> None:
        for content in (
            b"",
            b"code,title\r\n",
            b"code,code\r\nA1,A1\r\n",
        ):
            upload(self.browser, ("bad.csv", content))
            self.assertEqual(self.status, 400, content)
            self.assertIn('class="alert alert-danger"', self.page)
            self.assertEqual(self.names(), set(), content)

    def test_names_that_lead_elsewhere_are_refused(self) -> None:
        for name in ("../x.pending.csv", "/etc/passwd.pending.csv", ".hidden.pending.csv"):
            upload(self.browser, (name, TABLE))
            self.assertEqual(self.status, 400, name)
            self.assertIn("is no file name", self.page)
            self.assertEqual(self.names(), set(), name)

    def test_a_pending_file_is_replaced_only_on_demand(self) -> None:
        self.store("list.create.pending.csv")
        upload(self.browser, ("list.create.pending.csv", TABLE))
        self.assertEqual(self.status, 409)
        self.assertNotEqual((self.storage / "list.create.pending.csv").read_bytes(), TABLE)
        upload(self.browser, ("list.create.pending.csv", TABLE), replace=True)
        self.assertEqual((self.storage / "list.create.pending.csv").read_bytes(), TABLE)

    def test_templates_are_offered_and_fetched(self) -> None:
        browser = self.log_in("waeup.ImportManager", name="importer")
        browser.open(f"{INDEX}/upload")
        browser.getLink("Faculty Processor").click()
        self.assertIn('filename="facultyimport_000.csv"', browser.headers["Content-Disposition"])
        self.assertIn("code", browser.contents.splitlines()[0].split(","))

    def test_templates_are_workbooks_on_demand(self) -> None:
        browser = self.log_in("waeup.ImportManager", name="importer")
        browser.open(f"{INDEX}/upload")
        browser.getLink(url="skeleton?name=facultyprocessor&format=xlsx").click()
        self.assertIn('filename="facultyimport_000.xlsx"', browser.headers["Content-Disposition"])
        self.assertIn("spreadsheetml", browser.headers["Content-Type"])

    def test_an_unknown_template_is_refused(self) -> None:
        self.browser.open("http://localhost/app/skeleton?name=<b>")
        self.assertEqual(self.status, 404)
        self.assertNotIn("<b>", self.page)

    def test_an_unknown_format_is_refused(self) -> None:
        self.browser = self.log_in("waeup.ImportManager", name="importer")
        self.browser.handleErrors = True
        self.browser.raiseHttpErrors = False
        self.browser.open("http://localhost/app/skeleton?name=facultyprocessor&format=<b>")
        self.assertEqual(self.status, 400)
        self.assertIn("There are: csv, tsv, xlsx", self.page)
        self.assertNotIn("<b>", self.page)

    def test_the_way_back(self) -> None:
        self.browser.open(f"{INDEX}/upload")
        self.browser.getControl(name="CANCEL").click()
        self.assertEqual(self.browser.url, INDEX)


class ProcessedTest(PagesTestCase):
    """The list of processed files."""

    def test_without_files_it_says_so(self) -> None:
        self.browser.open(f"{INDEX}/processed")
        self.assertIn("There are no files here.", self.page)

    def test_a_processed_file_can_be_fetched(self) -> None:
        self.store("finished/list.create.finished.csv")
        self.browser.open(f"{INDEX}/processed")
        self.browser.getLink("list.create.finished.csv").click()
        self.assertIn("A1,Arts", self.page)


class DownloadTest(PagesTestCase):
    """Files go out."""

    def fetch(self, filename: str) -> bytes:
        """Ask for a file."""
        self.browser.open(f"{INDEX}/download?filename={filename}")
        return self.browser._response.body

    def test_a_result_begins_with_a_mark_that_excel_needs(self) -> None:
        self.store("finished/list.create.finished.csv", "code,title\r\nA1,Ärzte\r\n")
        content = self.fetch("finished/list.create.finished.csv")
        self.assertEqual(content, codecs.BOM_UTF8 + "code,title\r\nA1,Ärzte\r\n".encode())
        self.assertEqual(self.browser.headers["Content-Type"], "text/csv; charset=utf-8")
        self.assertEqual(self.browser.headers["X-Content-Type-Options"], "nosniff")
        self.assertIn("attachment", self.browser.headers["Content-Disposition"])

    def test_an_original_comes_as_it_was_sent(self) -> None:
        (self.storage / "list.csv").write_bytes("code,title\nA1,Ärzte\n".encode("cp1252"))
        self.assertEqual(self.fetch("list.csv"), (self.storage / "list.csv").read_bytes())

    def test_names_that_lead_elsewhere_are_refused(self) -> None:
        self.store("logs/main.csv")
        for name in (
            "../x.csv",
            "/etc/passwd",
            "/etc/x.csv",
            ".hidden.csv",
            "finished/../../x.csv",
            "finished/../logs/main.csv",
            "logs/main.csv",
            "deleted/a.csv",
            "a.csv%00",
            "",
        ):
            self.fetch(name)
            self.assertIn(self.status, (400, 404), name)
            self.assertIn("<h1>", self.page)

    def test_a_file_that_is_gone_is_told(self) -> None:
        self.fetch("gone.csv")
        self.assertEqual(self.status, 404)
        self.assertIn("There is no file", self.page)

    def test_blocks_begin_with_one_mark_at_most(self) -> None:
        for content, marked in (
            (b"a,b\n", True),
            (("Ä" * BLOCK).encode(), True),
            (("xÄ" + "Ä" * BLOCK).encode(), True),
            (codecs.BOM_UTF8 + b"a\n", False),
            ("a\n".encode("utf-16"), False),
            ("Ä\n".encode("cp1252"), False),
        ):
            sent = b"".join(blocks_of(io.BytesIO(content), mark=True))
            self.assertEqual(sent, codecs.BOM_UTF8 * marked + content)

    def test_blocks_close_the_file_even_if_the_browser_leaves(self) -> None:
        file = io.BytesIO(b"x" * 3 * BLOCK)
        blocks = blocks_of(file, mark=False)
        self.assertEqual(len(next(blocks)), BLOCK)
        blocks.close()  # type: ignore[attr-defined]
        self.assertTrue(file.closed)

    def test_the_name_cannot_break_out_of_its_header(self) -> None:
        value = disposition('a"; x=\r\nÄ%41.csv')
        self.assertEqual(
            value,
            'attachment; filename="a_; x=____41.csv"; '
            "filename*=UTF-8''a%22%3B%20x%3D%0D%0A%C3%84%2541.csv",
        )

    def test_a_download_is_logged(self) -> None:
        self.store("list.csv")
        transaction.commit()
        self.fetch("list.csv")
        log = (self.storage / "logs" / "datacenter.log").read_text()
        self.assertIn("officer - downloaded: list.csv", log)
