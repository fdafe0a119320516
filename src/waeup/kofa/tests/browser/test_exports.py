"""Exports in the browser: orders, progress, downloads and their parts, and who may what."""

import io
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import transaction
from webtest.forms import Upload
from zope.component import createObject

from waeup.kofa.browser.files import exports as exports_views
from waeup.kofa.browser.page import FORM_LIMIT
from waeup.kofa.browser.ranges import FilePart, Part, Unsatisfiable, part_of
from waeup.kofa.cli.gate import TOO_LARGE
from waeup.kofa.errors import StorageFault
from waeup.kofa.exporting import driver
from waeup.kofa.jobs.job import folder_of
from waeup.kofa.jobs.record import RUNNING, utc_now
from waeup.kofa.operations.exports import ExportOperations
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, fill_in_login

CENTER = "http://localhost/app/datacenter"
EXPORT = f"{CENTER}/export"
CONFIG = f"{CENTER}/exportconfig?exporter="
HEADER = '"code","title","title_prefix","officer_1","officer_2","local_roles"\r\n'
ROWS = '"ART","Arts","faculty","","",""\r\n"SCI","Sciences","faculty","","",""\r\n'
EVIL = "<img src=x onerror=alert(1)>"


class ExportsTestCase(FunctionalTestCase):
    """An export manager, and two faculties."""

    def setUp(self) -> None:
        self.browser = self.log_in("waeup.ExportManager")
        for code, title in (("ART", "Arts"), ("SCI", "Sciences")):
            self.site["faculties"].addFaculty(createObject("waeup.Faculty", code, title))
        transaction.commit()

    @property
    def page(self) -> str:
        """What the browser shows."""
        return str(self.browser.contents)

    @property
    def status(self) -> int:
        """Status of the last answer."""
        return int(self.browser.headers["Status"][:3])

    def plain(self) -> str:
        """Return the page without tags and needless white space."""
        return " ".join(re.sub(r"<[^>]*>", " ", self.page).split())

    def press(self, button: str) -> None:
        """Press a button by its name."""
        self.browser.getControl(name=button).click()

    def work_off(self) -> None:
        """Let all runs be worked on, and look at the page again."""
        FunctionalLayer.work_off_runs()
        self.browser.open(self.browser.url)

    def order(self, exporter: str = "faculties", **fields: str) -> str:
        """Order an export by the form; return its id."""
        self.browser.open(CONFIG + exporter)
        for name, value in fields.items():
            control = self.browser.getControl(name=name)
            control.value = [value] if isinstance(control.value, list) else value
        self.press("start")
        self.assertEqual(self.browser.url, EXPORT)
        return self.newest().id  # type: ignore[no-any-return]

    def done(self, exporter: str = "faculties", **fields: str) -> str:
        """Order an export, and look at the list when it is over; return its id."""
        id = self.order(exporter, **fields)
        self.work_off()
        return id

    def newest(self) -> Any:
        """Return the run that was ordered last."""
        transaction.begin()
        return max(self.site["datacenter"].runs, key=lambda run: run.queued)

    def number_of_runs(self) -> int:
        """Return how many runs there are."""
        transaction.begin()
        return len(list(self.site["datacenter"].runs))

    def fetched(self, id: str) -> bytes:
        """Return the result of an export."""
        self.browser.open(f"{CENTER}/download_export?id={id}")
        self.assertEqual(self.status, 200)
        return self.body()

    def body(self) -> bytes:
        """Return the bytes of the last answer."""
        return self.browser._response.body  # type: ignore[no-any-return]

    def sent(self, **fields: str) -> str:
        """Return a form with the token of the session."""
        self.browser.open(EXPORT)
        token = self.browser.getControl(name="form_token", index=0).value
        return urlencode({"form_token": token, **fields})

    def another(self, name: str, *roles: str) -> None:
        """Go on as somebody else."""
        self.browser = self.log_in(*roles, name=name)


class OrderTest(ExportsTestCase):
    """From the choice to the file."""

    def test_the_way_from_the_data_center_to_the_file(self) -> None:
        self.browser.open(CENTER)
        self.browser.getLink("Exports").click()
        self.assertEqual(self.browser.url, EXPORT)
        self.assertIn("No export has been ordered yet.", self.page)
        self.assertIn("Faculties Columns: 6 code, title, title_prefix", self.plain())
        self.browser.getLink(url="exporter=faculties").click()
        self.assertIn("<h1>Export: Faculties</h1>", self.page)
        self.press("start")
        self.assertRegex(self.plain(), r"Export [0-9a-f]{16} is ordered\.")
        self.assertIn("Waits to begin.", self.page)
        self.work_off()
        text = self.plain()
        self.assertRegex(
            text,
            r"Faculties CSV \(text, commas\) all officer [^F]+ Finished Rows: 2 Size: 1\d\d",
        )
        self.assertRegex(text, r"Kept until \d+ \w+ 20\d\d")
        self.browser.getLink("Download").click()
        self.assertEqual(self.body().decode("utf-8-sig"), HEADER + ROWS)
        id = self.newest().id
        self.assertEqual(
            self.browser.headers["Content-Disposition"],
            f'attachment; filename="WAeUP.Kofa_faculties_{id}.csv"; '
            f"filename*=UTF-8''WAeUP.Kofa_faculties_{id}.csv",
        )

    def test_filters_choose(self) -> None:
        id = self.done(filter_code="SCI", filter_title_prefix="faculty")
        self.assertIn(HEADER.encode() + ROWS[ROWS.index('"SCI') :].encode(), self.fetched(id))
        self.browser.open(EXPORT)
        self.assertIn("code: SCI", self.plain().replace("Code", "code"))

    def test_no_value_is_a_choice(self) -> None:
        self.browser.open(CONFIG + "faculties")
        choice = self.browser.getControl(name="filter_title_prefix")
        self.assertEqual(choice.displayOptions[0], "any")
        self.assertEqual(choice.displayOptions[-1], "no value")
        id = self.done(filter_title_prefix="XXX")
        self.assertEqual(self.fetched(id).decode("utf-8-sig"), HEADER)
        self.browser.open(EXPORT)
        self.assertIn("no value", self.plain())

    def test_what_is_no_day_stays_to_be_seen(self) -> None:
        for text in ("2000-02-31", "2000-W01-1", "20000101", "soon"):
            self.browser.open(CONFIG + "students")
            self.browser.getControl(name="filter_date_of_birth_from").value = text
            self.browser.getControl(name="none_date_of_birth").value = ["XXX"]
            self.browser.getControl(name="filter_date_of_birth").value = "soon"
            self.press("start")
            self.assertEqual(self.status, 400)
            shown = re.search(r'<input id="filter_date_of_birth_from"[^>]*>', self.page)
            assert shown is not None
            self.assertIn('type="text"', shown[0])
            self.assertIn(f'value="{text}"', shown[0])

    def test_a_day_or_none(self) -> None:
        self.browser.open(CONFIG + "students")
        self.assertEqual(self.browser.getControl(name="filter_date_of_birth").value, "")
        self.assertRegex(self.page, r'<input id="filter_date_of_birth_from"[^>]*type="date"')
        self.assertNotIn("none_date_of_birth_from", self.page)
        self.order("students", filter_date_of_birth_from="2000-01-01")
        self.assertEqual(self.wish().filters, (("date_of_birth_from", "2000-01-01"),))
        self.browser.open(CONFIG + "students")
        self.browser.getControl(name="none_date_of_birth").value = ["XXX"]
        self.press("start")
        self.assertEqual(self.wish().filters, (("date_of_birth", "XXX"),))
        self.browser.open(CONFIG + "students")
        self.browser.getControl(name="none_date_of_birth").value = ["XXX"]
        self.browser.getControl(name="filter_date_of_birth").value = "2000-01-01"
        self.press("start")
        self.assertEqual(self.status, 400)
        self.assertIn("a day is chosen, and also that there is none", self.page)

    def test_keys_as_they_are_typed(self) -> None:
        id = self.done(keys="SCI, LAW\r\nSCI\tMED")
        self.assertIn(ROWS[ROWS.index('"SCI') :].encode(), self.fetched(id))
        self.browser.open(EXPORT)
        self.assertIn("Listed keys: 3", self.plain())
        self.browser.getLink("Keys that no object has: 2").click()
        text = self.plain()
        self.assertIn("Exported 1 Keys that no object has 2", text)
        self.assertIn("No object has the key &#x27;LAW&#x27;", text.replace("'", "&#x27;"))

    def test_keys_in_a_file(self) -> None:
        self.send_keys("list.csv", b"code;title\r\nSCI;x\r\n", keys="ART")
        self.assertEqual(self.wish().keys, ("ART", "SCI"))

    def test_a_file_without_keys_is_not_taken_for_all_objects(self) -> None:
        for content in (b"", b"code\r\n", b"name,title\r\na,b\r\n"):
            self.send_keys("list.csv", content)
            self.assertEqual(self.status, 400, content)
            # Why comes first.
            self.assertRegex(
                self.page, r'(?s)class="alert alert-danger".*Choose the file with keys again'
            )
        self.browser.open(CONFIG + "faculties")
        self.browser.getControl(name="keys").value = " , ;"
        self.press("start")
        self.assertIn("The list of keys is empty.", self.page)
        self.assertEqual(self.number_of_runs(), 0)

    def test_any_name_of_a_file_with_keys_will_do(self) -> None:
        for name in ("a.\0csv", "a." + "x" * 300, "list", "../list.exe", "..", "C:\\list.csv"):
            self.send_keys(name, b"code\r\nSCI\r\n")
            self.assertEqual(self.browser.url, EXPORT, name)
            self.assertEqual(self.wish().keys, ("SCI",))

    def test_blanks_are_no_keys(self) -> None:
        self.order(keys=" \r\n ")
        self.assertIsNone(self.wish().keys)

    def test_a_list_that_is_too_large_is_told_before_and_by_the_gate(self) -> None:
        self.browser.open(CONFIG + "faculties")
        self.assertIn(f'data-keys-limit="{exports_views.KEYS_LIMIT}"', self.page)
        self.assertLess(exports_views.KEYS_LIMIT, FORM_LIMIT)
        for text in (self.page, TOO_LARGE.text):
            self.assertIn("kofactl export --keys", text)
        with mock.patch.dict(FunctionalLayer._config, upload_limit=20):
            self.send_keys("list.csv", b"code\r\n" + b"SCI\r\n" * 5)
        self.assertEqual(self.status, 413)

    def test_formats_and_packings(self) -> None:
        for form, packing, kind, start in (
            ("csv", "", "text/csv; charset=utf-8", b"\xef\xbb\xbf"),
            ("tsv", "gzip", "application/gzip", b"\x1f\x8b"),
            ("csv", "zip", "application/zip", b"PK"),
            ("xlsx", "zip", "application/zip", b"PK"),
            (
                "xlsx",
                "",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                b"PK",
            ),
        ):
            with self.subTest(form=form, packing=packing):
                content = self.fetched(self.done(format=form, packing=packing))
                self.assertEqual(content[: len(start)], start)
                self.assertEqual(self.browser.headers["Content-Type"], kind)
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            self.assertIn("xl/workbook.xml", book.namelist())

    def test_marks_and_safe_cells_are_on_unless_they_are_taken_away(self) -> None:
        with transaction.manager:
            self.site["faculties"]["ART"].title = "=1+1"
        self.assertIn(b'"\'=1+1"', self.fetched(self.done()))
        self.browser.open(CONFIG + "faculties")
        self.assertIn("a spreadsheet may execute what somebody has typed", self.plain())
        self.browser.getControl(name="mark").value = []
        self.browser.getControl(name="safe").value = []
        self.press("start")
        self.work_off()
        self.assertIn("cells not safe", self.page)
        content = self.fetched(self.newest().id)
        self.assertTrue(content.startswith(b'"code"'))
        self.assertIn(b'"=1+1"', content)

    def test_what_was_entered_stays_after_a_refusal(self) -> None:
        self.browser.open(CONFIG + "students")
        entered = {
            "filter_firstname": "Adé",
            "filter_date_of_birth": "2000-02-31",
            "filter_date_of_birth_to": "2000-02-01",
            "keys": "A1\r\nA2",
        }
        for name, text in entered.items():
            self.browser.getControl(name=name).value = text
        self.browser.getControl(name="filter_sex").value = ["f"]
        self.browser.getControl(name="format").value = ["tsv"]
        self.browser.getControl(name="mark").value = []
        self.press("start")
        self.assertEqual(self.status, 400)
        self.assertIn("date_of_birth: ", self.page)
        self.assertIn("Correct the filter, or leave it empty.", self.page)
        for name, text in entered.items():
            self.assertEqual(self.browser.getControl(name=name).value, text)
        self.assertEqual(self.browser.getControl(name="filter_sex").value, ["f"])
        self.assertEqual(self.browser.getControl(name="format").value, ["tsv"])
        self.assertFalse(self.browser.getControl(name="mark").value)
        self.assertTrue(self.browser.getControl(name="safe").value)
        self.assertEqual(self.number_of_runs(), 0)

    def test_many_filters_are_folded_away_unless_one_is_filled(self) -> None:
        with mock.patch.object(exports_views, "MANY", 3):
            self.browser.open(CONFIG + "faculties")
            self.assertNotIn("<details open", self.details())
            self.browser.getControl(name="filter_code").value = EVIL
            self.press("start")
            self.assertEqual(self.status, 400)
            self.assertIn("open", self.details())
        self.browser.open(CONFIG + "faculties")
        self.assertIn("open", self.details())

    def test_an_exporter_that_is_not_there_is_told(self) -> None:
        self.browser.open(CONFIG + "mammoths")
        self.assertEqual(self.status, 404)
        self.assertIn("mammoths", self.page)
        self.browser.open(f"{CENTER}/exportconfig")
        self.assertEqual(self.browser.url, EXPORT)

    def details(self) -> str:
        """Return the tag of the part with the filters."""
        (found,) = re.findall(r"<details[^>]*>(?=\s*<summary>Filters)", self.page)
        return str(found)

    def wish(self) -> Any:
        """Return what was ordered last."""
        return self.newest().wish

    def send_keys(self, name: str, content: bytes, **fields: str) -> None:
        """Order faculties by a file with keys."""
        self.browser.open(CONFIG + "faculties")
        for field, text in fields.items():
            self.browser.getControl(name=field).value = text
        control = self.browser.getControl(name="keysfile")
        control._form[control.name] = Upload(name, content, "text/csv")
        self.press("start")


class OrderAgainTest(ExportsTestCase):
    """The form filled with what an export was ordered with."""

    def test_the_same_is_ordered_by_one_link_and_one_button(self) -> None:
        first = self.order("students", filter_firstname="Adé", filter_sex="f", keys="A1, A2")
        wish = self.newest().wish
        for place in (EXPORT, f"{CENTER}/run?id={first}"):
            self.work_off()
            self.browser.open(place)
            self.browser.getLink("Order again").click()
            self.assertEqual(self.browser.url, CONFIG.replace("exporter=", f"again={first}"))
            self.assertIn("<h1>Export: Students (Data Backup)</h1>", self.page)
            self.assertIn(f"The choices are those of the export {first}.", self.page)
            self.assertNotIn("Not filled in", self.page)
            self.press("start")
            self.assertEqual((self.newest().id != first, self.newest().wish), (True, wish))
            self.press("cancelrun")

    def test_each_choice_is_filled_in(self) -> None:
        self.browser.open(CONFIG + "students")
        for name in ("none_date_of_birth", "format", "packing", "mark", "safe"):
            value = {"format": ["tsv"], "packing": ["gzip"], "none_date_of_birth": ["XXX"]}
            self.browser.getControl(name=name).value = value.get(name, [])
        self.browser.getControl(name="filter_date_of_birth_to").value = "2000-02-01"
        self.browser.getControl(name="filter_sex").value = ["XXX"]
        self.press("start")
        wish = self.newest().wish
        self.assertEqual(dict(wish.filters)["date_of_birth"], "XXX")
        self.again()
        self.assertEqual(self.browser.getControl(name="none_date_of_birth").value, ["XXX"])
        self.assertEqual(self.browser.getControl(name="filter_date_of_birth").value, "")
        self.assertNotIn("Not filled in", self.page)
        self.press("start")
        self.assertEqual(self.newest().wish, wish)

    def test_what_the_form_cannot_have_is_told(self) -> None:
        self.order(filter_title_prefix="faculty", keys="SCI")
        with transaction.manager:
            run = self.newest()
            wish = {"filters": (("title_prefix", EVIL), ("colour", "red")), "secrets": True}
            run.order = replace(run.order, wish={**run.order.wish, **wish})
            run.list_keys(("A 1", "B"))
        self.again()
        self.assertHarmless()
        for words in (
            "Not filled in: Name prefix: &lt;img src=x onerror=alert(1)&gt;. There is no such",
            "Not filled in: colour: red. There is no such filter or value (any more), and",
            "Not filled in: the keys, 2 of them. Choose the table that lists them;",
            "Not filled in: with passwords. Your account may not export them.",
        ):
            self.assertIn(words, self.page)
        self.assertEqual(self.browser.getControl(name="filter_title_prefix").value, [""])
        self.press("start")
        self.assertEqual((self.newest().wish.filters, self.newest().wish.keys), ((), None))

    def test_only_exports_of_ones_own_of_what_one_may_export(self) -> None:
        self.order()
        id = self.newest().id
        self.browser.open(f"{CENTER}/exportconfig?again=0123456789abcdef")
        self.assertEqual(self.status, 404)
        with mock.patch.object(ExportOperations, "exporters", lambda self: []):
            self.browser.open(EXPORT)
            self.assertNotIn("Order again", self.page)
            self.browser.open(f"{CENTER}/exportconfig?again={id}")
        self.assertEqual(self.status, 404)
        self.assertIn("There is no exporter", self.page)
        self.another("emma", "waeup.ExportManager")
        self.browser.open(f"{CENTER}/exportconfig?again={id}")
        self.assertEqual(self.status, 403)

    def again(self) -> None:
        """Open the form filled with what was ordered last."""
        self.browser.open(f"{CENTER}/exportconfig?again={self.newest().id}")

    def assertHarmless(self) -> None:
        """Fail if the evil text is an element on the page."""
        self.assertNotIn("<img", self.page)


class StatesTest(ExportsTestCase):
    """An export in each of its states, on the list and on its own page."""

    def test_progress_is_shown_and_told(self) -> None:
        id = self.running(rows=1234, fraction=0.437)
        text = self.plain()
        for words in ("Running.", "43 %", "Rows so far: 1,234"):
            self.assertIn(words, text)
        row = re.search(rf'<tr[^>]* id="export-{id}"[^>]*>', self.page)
        assert row is not None
        self.assertIn(f'data-status="{CENTER}/runstatus?id={id}"', row[0])
        self.assertIn(f'data-part="{EXPORT}"', row[0])
        self.assertNotIn(
            "Download", text.partition("What you may export")[0].partition("Status")[2]
        )
        self.browser.open(f"{CENTER}/runstatus?id={id}")
        told = json.loads(self.browser.contents)
        self.assertEqual((told["kind"], told["is_active"], told["rows"]), ("export", True, 1234))
        self.browser.open(f"{CENTER}/run?id={id}")
        self.assertIn("<h1>Export as faculties.csv</h1>", self.page)
        self.assertIn("Rows so far 1,234", self.plain())
        self.assertNotIn("Failed", self.plain())
        self.browser.getControl("Cancel the export").click()
        self.assertIn("Is being cancelled", self.page)

    def test_several_are_shown_each_with_its_own_status(self) -> None:
        first, second = self.order(), self.order()
        self.assertEqual(self.page.count("data-status="), 2)
        self.assertIn("Waits for the export of faculties.csv to end.", self.page)
        self.assertLess(self.page.index(f"export-{second}"), self.page.index(f"export-{first}"))

    def test_cancel_and_discard(self) -> None:
        id = self.order()
        self.browser.getControl(name="cancelrun").click()
        self.assertEqual(self.browser.url, EXPORT)
        self.assertIn("Cancelled", self.plain())
        self.assertNotIn('name="resume"', self.page)
        self.press("discard")
        self.assertIn(f"Discarded export {id}", self.page)
        self.assertIn("No export has been ordered yet.", self.page)

    def test_a_result_is_discarded(self) -> None:
        id = self.done()
        folder = Path(folder_of(str(self.storage), id))
        self.assertTrue(folder.exists())
        self.press("discard")
        self.assertFalse(folder.exists())
        self.browser.post(EXPORT, self.sent(discard=id))
        self.assertEqual(self.status, 404)
        self.assertIn("There is no run", self.page)

    def test_a_result_is_discarded_on_its_own_page(self) -> None:
        id = self.done()
        self.browser.open(f"{CENTER}/run?id={id}")
        self.assertIn("The file can be downloaded.", self.page)
        self.press("discard")
        self.assertEqual(self.browser.url, EXPORT)
        self.assertIn(f"Discarded export {id}", self.page)

    def test_what_has_stopped_says_why_and_goes_on(self) -> None:
        fails = mock.patch.object(
            driver.Export, "write", side_effect=StorageFault("The disk is full.")
        )
        with fails, self.assertLogs("waeup.kofa.jobs", "ERROR"):
            id = self.done()
        self.assertIn("Stopped The disk is full.", self.plain())
        self.browser.open(f"{CENTER}/run?id={id}")
        self.assertIn("It has stopped. The disk is full.", self.plain())
        self.browser.open(EXPORT)
        second = FunctionalLayer.browser("http://localhost/app/login")
        fill_in_login(second, "officer", "pw of officer")
        second.open(EXPORT)
        self.browser.getControl("Go on").click()
        self.assertIn("Waits to begin.", self.page)
        second.getControl("Go on").click()
        self.assertEqual(second.headers["Status"][:3], "200")
        self.work_off()
        self.assertIn("Finished Rows: 2", self.plain())

    def test_a_stopped_export_can_be_discarded(self) -> None:
        fails = mock.patch.object(driver.Export, "write", side_effect=MemoryError)
        with fails, self.assertLogs("waeup.kofa.jobs", "ERROR"):
            self.done()
        self.press("discard")
        self.assertIn("No export has been ordered yet.", self.page)

    def test_a_result_that_is_lost_is_told(self) -> None:
        id = self.done()
        next(Path(folder_of(str(self.storage), id)).glob("*/*")).unlink()
        self.browser.open(EXPORT)
        self.assertIn("The file is not there any more. Order the export again.", self.page)
        self.assertNotIn("download_export", self.page)
        self.browser.open(f"{CENTER}/run?id={id}")
        self.assertIn("The file is not there any more.", self.page)
        self.browser.open(f"{CENTER}/download_export?id={id}")
        self.assertEqual(self.status, 404)
        self.assertIn("Order the export again.", self.page)

    def test_the_page_of_an_export_is_no_page_of_an_import(self) -> None:
        id = self.done(filter_code="SCI")
        self.browser.getLink(id).click()
        self.assertEqual(self.browser.url, f"{CENTER}/run?id={id}")
        text = self.plain()
        for words in (
            "Home Data Center Exports Result of the export",
            "Exporter Faculties Format CSV (text, commas)",
            ": SCI",
            "Exported 1",
            "The file is kept until",
        ):
            self.assertIn(words, text)
        for words in ("Processing mode", "Failed", "Take back", "Process next", "Rows 1"):
            self.assertNotIn(words, text)
        self.browser.getLink("Download").click()
        self.assertIn(b'"SCI"', self.body())

    def test_the_list_of_runs_shows_exports(self) -> None:
        id = self.done(keys="SCI LAW")
        self.browser.open(f"{CENTER}/runs")
        self.assertRegex(
            self.plain(), r"faculties\.csv Export . Faculties officer [^F]+ Finished 1 "
        )
        self.browser.getLink("faculties.csv").click()
        self.assertEqual(self.browser.url, f"{CENTER}/run?id={id}")

    def running(self, **progress: Any) -> str:
        """Return the id of an export that is worked on, and show the list."""
        id = self.order()
        with transaction.manager:
            run = self.newest()
            run.move(RUNNING)
            run.progress.tell(progress["rows"], 0, progress["fraction"], 2.0)
        self.browser.open(EXPORT)
        return id


class DownloadTest(ExportsTestCase):
    """The result, whole and in parts."""

    def setUp(self) -> None:
        super().setUp()
        self.number = self.done()
        self.address = f"{CENTER}/download_export?id={self.number}"
        self.whole = self.fetched(self.number)

    def get(self, wanted: str | None = None, **headers: str) -> Any:
        """Fetch the result, or a part; return the answer."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if wanted is not None:
            sent["Range"] = wanted
        app = self.browser.testapp
        return app.get(self.address, headers=sent, expect_errors=True)

    def test_the_whole_says_what_it_is(self) -> None:
        answer = self.get()
        size = len(self.whole)
        self.assertEqual(answer.status_int, 200)
        for name, value in (
            ("Content-Length", str(size)),
            ("Content-Type", "text/csv; charset=utf-8"),
            ("Accept-Ranges", "bytes"),
            ("ETag", f'"{self.number}-{size}"'),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.assertEqual(answer.headers[name], value)
        self.assertNotIn("Content-Range", answer.headers)

    def test_a_broken_download_goes_on_where_it_was(self) -> None:
        etag = self.get().headers["ETag"]
        for got in (0, 1, 100, len(self.whole) - 1):
            rest = self.get(f"bytes={got}-", If_Range=etag)
            self.assertEqual(rest.status_int, 206)
            self.assertEqual(self.whole[:got] + rest.body, self.whole)
            self.assertEqual(rest.headers["Content-Length"], str(len(self.whole) - got))
            self.assertEqual(
                rest.headers["Content-Range"],
                f"bytes {got}-{len(self.whole) - 1}/{len(self.whole)}",
            )

    def test_of_another_file_all_is_sent(self) -> None:
        for other in (
            '"x"',
            f'W/"{self.number}-{len(self.whole)}"',
            "Sat, 28 Nov 2026 10:00:00 GMT",
        ):
            answer = self.get("bytes=5-", If_Range=other)
            self.assertEqual((answer.status_int, answer.body), (200, self.whole), other)

    def test_behind_the_end_there_is_nothing(self) -> None:
        size = len(self.whole)
        for wanted in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
            answer = self.get(wanted)
            self.assertEqual(answer.status_int, 416, wanted)
            self.assertEqual(answer.headers["Content-Range"], f"bytes */{size}")
            self.assertNotIn(b"SCI", answer.body)

    def test_what_is_no_range_gives_the_whole(self) -> None:
        for wanted in (
            "bytes=0-1,5-6",
            "bytes=9-3",
            "bytes=-",
            "bytes=a-b",
            "lines=1-2",
            "bytes=" + "9" * 5000 + "-",
            "bytes=٣-",
        ):
            answer = self.get(wanted.encode("utf-8").decode("latin-1"))
            self.assertEqual((answer.status_int, answer.body), (200, self.whole), wanted)

    def test_the_end_and_the_middle(self) -> None:
        self.assertEqual(self.get("bytes=-5").body, self.whole[-5:])
        self.assertEqual(self.get("bytes=-99999").body, self.whole)
        self.assertEqual(self.get("Bytes= 2-4 ").body, self.whole[2:5])
        self.assertEqual(self.get("bytes=2-99999").body, self.whole[2:])

    def test_fields_of_a_form_are_no_headers(self) -> None:
        self.browser.open(f"{self.address}&HTTP_RANGE=bytes%3D5-&Range=bytes%3D5-")
        self.assertEqual((self.status, self.body()), (200, self.whole))

    def test_ids_are_no_headers_and_no_paths(self) -> None:
        for id in (
            "x\r\nSet-Cookie: a=b",
            "../../etc/passwd",
            f"{self.number}\r\nX-Evil: 1",
            EVIL,
            "",
            "nothing",
        ):
            self.browser.open(f"{CENTER}/download_export?{urlencode({'id': id})}")
            self.assertEqual(self.status, 404, id)
            self.assertNotIn("X-Evil", self.browser.headers)
            self.assertNotIn("Set-Cookie", self.browser.headers)
            self.assertNotIn("<img", self.page)

    def test_looking_and_fetching_change_nothing(self) -> None:
        last = FunctionalLayer.database().lastTransaction()
        for address in (
            EXPORT,
            CONFIG + "faculties",
            self.address,
            f"{CENTER}/run?id={self.number}",
        ):
            self.browser.open(address)
            self.assertEqual(self.status, 200)
        self.assertEqual(FunctionalLayer.database().lastTransaction(), last)


class RangesTest(FunctionalTestCase):
    """Parts of a file, without a portal."""

    def test_parts(self) -> None:
        for size, wanted, expected in (
            (10, None, None),
            (10, "bytes=0-", Part(0, 10)),
            (10, "bytes=0-0", Part(0, 1)),
            (10, "bytes=9-", Part(9, 1)),
            (10, "bytes=-3", Part(7, 3)),
            (10, "bytes=3-2", None),
            (0, "bytes=-3", None),
        ):
            self.assertEqual(part_of(size, wanted, None, '"a"'), expected, (size, wanted))
        for size, wanted in ((10, "bytes=10-"), (0, "bytes=0-"), (10, "bytes=-0")):
            with self.assertRaises(Unsatisfiable):
                part_of(size, wanted, None, '"a"')

    def test_a_file_is_closed_although_nobody_reads_it(self) -> None:
        file = io.BytesIO(b"0123456789")
        part = FilePart(file, Part(2, 5))
        self.assertEqual(b"".join(part), b"23456")
        part.close()
        self.assertTrue(file.closed)


class RightsTest(ExportsTestCase):
    """Who may what."""

    def test_who_may_not_export_finds_no_link_and_no_page(self) -> None:
        for role in ("waeup.DataCenterManager", "waeup.ImportManager"):
            self.another(role[6:].lower(), role)
            self.browser.open(CENTER)
            self.assertNotIn("/export", self.page)
            for view in ("export", "exportconfig?exporter=faculties", "download_export?id=x"):
                self.browser.open(f"{CENTER}/{view}")
                self.assertEqual(self.status, 403, view)
                self.assertIn("Export Manager", self.page)

    def test_exporters_with_a_permission_of_their_own(self) -> None:
        self.browser.open(EXPORT)
        self.assertNotIn("exporter=users", self.page)
        self.browser.open(CONFIG + "users")
        self.assertEqual(self.status, 404)
        self.browser.post(f"{CENTER}/exportconfig", self.sent(exporter="users", start="1"))
        self.assertEqual(self.status, 404)
        self.assertEqual(self.number_of_runs(), 0)

    def test_passwords_are_offered_and_given_only_to_who_manages_users(self) -> None:
        self.browser.open(CONFIG + "students")
        self.assertNotIn('name="secrets"', self.page)
        form = self.sent(exporter="students", start="1", secrets="yes")
        self.browser.post(f"{CENTER}/exportconfig", form)
        self.assertEqual(self.status, 403)
        self.assertEqual(self.number_of_runs(), 0)
        self.another("uma", "waeup.ExportManager", "waeup.UsersManager")
        self.browser.open(CONFIG + "users")
        self.assertFalse(self.browser.getControl(name="secrets").value)
        self.assertIn("try to guess the passwords", self.page)
        self.browser.getControl(name="secrets").value = ["yes"]
        self.press("start")
        self.work_off()
        self.assertIn("with passwords", self.page)
        self.assertIn(b'"password"', self.fetched(self.newest().id))

    def test_an_export_of_another_officer(self) -> None:
        id = self.done()
        self.another("erik", "waeup.ExportManager")
        self.browser.open(EXPORT)
        self.assertNotIn(id, self.page)
        for view in ("run", "runstatus", "download_export"):
            self.browser.open(f"{CENTER}/{view}?id={id}")
            self.assertEqual(self.status, 403, view)
            self.assertNotIn("SCI", self.page)
        for button in ("cancelrun", "resume", "discard"):
            self.browser.post(EXPORT, self.sent(**{button: id}))
            self.assertEqual(self.status, 403, button)
        self.browser.post(f"{CENTER}/run", self.sent(id=id, discard="1"))
        self.assertEqual(self.status, 403)
        self.assertEqual(self.newest().id, id)

    def test_who_manages_the_portal_sees_all(self) -> None:
        id = self.done()
        self.another("boss", "waeup.PortalManager")
        self.browser.open(EXPORT)
        self.assertIn(id, self.page)
        self.assertIn("officer", self.plain().partition("Creation Date")[2])
        self.assertIn(b"SCI", self.fetched(id))

    def test_an_import_is_no_export(self) -> None:
        self.another("boss", "waeup.PortalManager")
        self.store("list.csv", "code,title\nLAW,Law\n")
        self.browser.open(CENTER)
        self.press("select")
        self.browser.getControl(name="importer").value = ["facultyprocessor"]
        self.press("proceed")
        self.press("proceed")
        self.press("perform")
        id = self.newest().id
        self.browser.open(f"{CENTER}/download_export?id={id}")
        self.assertEqual(self.status, 404)
        self.browser.post(EXPORT, self.sent(discard=id))
        self.assertEqual(self.status, 404)
        self.assertIn("not an export", self.page)

    def test_a_result_is_gone_after_its_time(self) -> None:
        id = self.done()
        with mock.patch.dict(FunctionalLayer._config, export_hours=0.0):
            with transaction.manager:
                self.newest().ended = utc_now()
            self.browser.open(EXPORT)
        self.assertIn(id, self.page)


class SafetyTest(ExportsTestCase):
    """Tokens, methods, and texts that look like tags."""

    def test_nothing_is_ordered_by_a_link_or_without_a_token(self) -> None:
        fields = {"exporter": "faculties", "start": "1", "filter_code": "SCI", "keys": "A B"}
        self.browser.open(f"{CENTER}/exportconfig?{urlencode(fields)}")
        self.assertEqual(self.status, 405)
        self.assertEqual(self.browser.headers["Allow"], "POST")
        self.browser.post(f"{CENTER}/exportconfig", urlencode(fields))
        self.assertEqual(self.status, 403)
        self.assertIn("This form was out of date", self.page)
        self.assertEqual(self.browser.getControl(name="filter_code").value, "SCI")
        self.assertEqual(self.browser.getControl(name="keys").value, "A B")
        self.assertTrue(self.browser.getControl(name="safe").value)
        self.assertEqual(self.number_of_runs(), 0)

    def test_what_was_typed_is_text(self) -> None:
        self.browser.open(CONFIG + "students")
        self.browser.getControl(name="filter_firstname").value = EVIL
        self.browser.getControl(name="filter_date_of_birth").value = EVIL
        self.browser.getControl(name="keys").value = "</textarea>" + EVIL
        self.press("start")
        self.assertEqual(self.status, 400)
        self.assertHarmless()
        self.browser.getControl(name="filter_date_of_birth").value = ""
        self.press("start")
        self.assertHarmless()
        self.work_off()
        self.assertHarmless()
        self.browser.getLink(self.newest().id).click()
        self.assertHarmless()

    def test_what_no_form_of_ours_sends(self) -> None:
        for fields in (
            {"format": EVIL},
            {"packing": EVIL},
            {"filter_title_prefix": EVIL},
            {"exporter": EVIL},
            {"keysfile": "no file"},
        ):
            sent = {"exporter": "faculties", "start": "1", **fields}
            self.browser.post(f"{CENTER}/exportconfig", self.sent(**sent))
            self.assertIn(self.status, (400, 404), fields)
            self.assertNotIn("<img", self.page)
        self.assertEqual(self.number_of_runs(), 0)

    def assertHarmless(self) -> None:
        """Fail if the evil text is an element on the page, or is not on it at all."""
        self.assertNotIn("<img", self.page)
        self.assertIn("&lt;img", self.page)
