"""Files come in: from the clipboard, one by one from the script, and told when they are known."""

import hashlib
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import grok
import transaction
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility
from zope.component.hooks import site as site_set

from waeup.kofa.browser.imports.uploading import UploadPage
from waeup.kofa.browser.request import Request
from waeup.kofa.cli.gate import Gate
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import Refused
from waeup.kofa.interfaces import IFileArrivedEvent
from waeup.kofa.jobs import recover
from waeup.kofa.ledger import TOKEN_AGE
from waeup.kofa.locales.catalogs import domain
from waeup.kofa.operations import Operations
from waeup.kofa.spool import Partial
from waeup.kofa.tests.browser.test_datacenter import INDEX, TABLE, PagesTestCase
from waeup.kofa.tests.functional import FunctionalLayer, import_file, upload
from waeup.kofa.tests.jobs.test_declared import heard
from waeup.kofa.tests.locales.test_pages import Pseudo
from waeup.kofa.tests.waiting import PATIENCE, begun, joined

UPLOAD = f"{INDEX}/upload"
TOKEN = "a-token-of-a-test"
CELLS = "code\ttitle\nA1\tArts\nB1\t\u00c4pfel\n"


def import_all(site: Any, name: str, user: str) -> str:
    """Import a pending file of faculties as a user; return the id of the run."""
    mapping = Mapping(("code", "title"), ())
    # The last request has left the site.
    with site_set(site):
        operations = Operations(site, getUtility(IAuthentication).getPrincipal(user))
        run = import_file(operations, name, "facultyprocessor", "create", mapping)
    assert run.state == "finished", run
    return run.id


class LanguageTest(PagesTestCase):
    """What is said of a file that comes in is said in the language of the person."""

    def setUp(self) -> None:
        super().setUp()
        self.browser.addHeader("Accept-Language", "de")
        marked = mock.patch.dict(domain.catalogs, de=Pseudo(domain.catalogs["de"]))
        marked.start()
        self.addCleanup(marked.stop)

    def test_why_a_file_is_refused(self) -> None:
        upload(self.browser, ("list.csv", b""))
        self.assertRegex(self.page, "list.csv: \u27e6[^\u27e7]*is empty")

    def test_what_is_not_clear(self) -> None:
        upload(self.browser, ("list.csv", b'"code,title"\n"A1,Arts"\n"B1,Law"\n'))
        self.assertRegex(self.page, "list[^:]*.csv: \u27e6[^\u27e7]*has quotes around")

    def test_what_another_process_says_of_a_file(self) -> None:
        upload(self.browser, ("list.csv", b"%PDF-1.7\n"))
        self.assertRegex(self.page, "\u27e6list.csv is \u27e6a PDF document\u27e7, not a table")


class PasteTest(PagesTestCase):
    """A table is pasted into the form."""

    def paste(self, text: str, name: str | None = None) -> None:
        """Fill in and send the form."""
        self.browser.open(UPLOAD)
        self.browser.getControl(name="table").value = text
        if name is not None:
            self.browser.getControl(name="pastename").value = name
        self.browser.getControl(name="PASTE").click()

    def test_pasted_cells_become_a_file(self) -> None:
        self.paste(CELLS)
        self.assertEqual(self.browser.url, INDEX)
        (name,) = self.names()
        self.assertRegex(name, r"^pasted-\d{4}-\d\d-\d\d_officer\.tsv$")
        self.assertIn(f"Successfully uploaded: {name}", self.page)
        content = (self.storage / name).read_bytes()
        self.assertEqual(content.decode().split(), CELLS.split())
        self.browser.getControl(name="select").click()
        self.assertIn("\u00c4pfel", self.page)

    def test_another_table_of_the_day_gets_a_number(self) -> None:
        self.paste(CELLS)
        self.paste(CELLS)
        self.assertEqual(len(self.names()), 2)

    def test_the_name_can_be_chosen(self) -> None:
        self.paste(CELLS, "faculties")
        self.paste("code,title\nA1,Arts", "list.csv")
        self.assertEqual(self.names(), {"faculties_officer.tsv", "list_officer.csv"})
        content = (self.storage / "list_officer.csv").read_bytes()
        self.assertTrue(content.endswith(b"A1,Arts\r\n"), content)

    def test_a_long_table_comes_as_a_whole(self) -> None:
        rows = "".join(f"F{number}\t{'x' * 100}\n" for number in range(20_000))
        self.paste(f"code\ttitle\n{rows}", "long.tsv")
        lines = (self.storage / "long_officer.tsv").read_bytes().splitlines()
        self.assertEqual(len(lines), 20_001)

    def test_nothing_is_told(self) -> None:
        self.paste(" \n")
        self.assertIn("Nothing was pasted.", self.page)
        self.assertEqual(self.names(), set())

    def test_what_is_refused_stays_in_the_form(self) -> None:
        self.paste("code\tcode\nA<b>\tB\n", "bad")
        self.assertEqual(self.status, 400)
        self.assertIn("bad.tsv: ", self.page)
        self.assertIn("A&lt;b&gt;", self.page)
        self.assertRegex(self.page, r'id="paste"[^>]* open="open"')
        self.paste(CELLS, "../x")
        self.assertEqual(self.status, 400)
        self.assertEqual(self.names(), set())


class RefusedBySubscriberTest(PagesTestCase):
    """The portal of a site takes some files only."""

    def test_of_two_files_the_other_one_is_taken(self) -> None:
        def choose(event: Any) -> None:
            site = grok.getSite()
            site.seen = (*getattr(site, "seen", ()), event.file.original)
            if event.file.original.startswith("bad"):
                raise Refused("No files of that name.")

        with heard(IFileArrivedEvent, choose):
            upload(self.browser, ("bad.csv", TABLE), ("good.csv", TABLE))
        self.assertIn("bad.csv: No files of that name.", self.page)
        self.assertEqual(self.names(), {"good_officer.csv"})
        site = self.site
        known = [entry.original for entry in site["datacenter"].ledger.entries()]
        self.assertEqual((known, site.seen), (["good.csv"], ("good.csv",)))


class PutTestCase(PagesTestCase):
    """An officer whose browser runs the script."""

    def setUp(self) -> None:
        super().setUp()
        self.browser.open(UPLOAD)
        self.form_token: str | None = self.browser.getControl(name="form_token", index=0).value

    def put(self, content: bytes, name: str = "list.csv", token: str = TOKEN, **more: str) -> Any:
        """Send a file as the script does; return the answer."""
        headers = {"Content-Type": "application/octet-stream", "X-Zope-Handle-Errors": "True"}
        if self.form_token is not None:
            headers["X-Form-Token"] = self.form_token
        fields = {"name": name, "token": token, **more}
        address = f"{UPLOAD}?{urlencode(fields)}"
        return self.browser.testapp.put(address, content, headers, expect_errors=True)

    def assert_refused(self, answer: Any, status: int, words: str) -> None:
        """Fail unless the answer is JSON with this status and words, and nothing is stored."""
        self.assertEqual(answer.status_int, status, answer.text)
        self.assertEqual(answer.content_type, "application/json")
        self.assertIn(words, answer.json["error"])
        self.assertEqual(self.names(), set())


class PutTest(PutTestCase):
    """A file is the body of a request."""

    def test_it_is_stored_and_told_as_json(self) -> None:
        answer = self.put(TABLE, "my list.csv")
        self.assertEqual(answer.status_int, 200, answer.text)
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertEqual(
            answer.json,
            {
                "name": "my_list_officer.csv",
                "size": len(TABLE),
                "digest": hashlib.sha256(TABLE).hexdigest(),
                "notice": "",
                "former": "",
                "former_link": None,
                "link": f"{INDEX}/import1",
            },
        )
        self.assertEqual((self.storage / "my_list_officer.csv").read_bytes(), TABLE)

    def test_a_file_that_is_not_clear_is_kept_and_that_is_told(self) -> None:
        answer = self.put(b"code,title,x\r\nA,B\r\nC,D\r\nE,F\r\n")
        self.assertIn("does not fit its rows", answer.json["notice"])
        self.assertEqual(self.names(), {"list_officer.csv"})

    def test_without_the_token_of_the_session_nothing_is_stored(self) -> None:
        good = self.form_token or ""
        for token in (None, "", "wrong", good[:-1] + "\u00fc", good + "0"):
            self.form_token = token
            if token is not None:
                self.form_token = token.encode().decode("latin-1")
            answer = self.put(TABLE)
            self.assert_refused(answer, 403, "out of date")
            self.assertEqual(answer.json["code"], "form_token")

    def test_a_token_in_the_address_is_none(self) -> None:
        form_token, self.form_token = self.form_token or "", None
        self.assert_refused(self.put(TABLE, form_token=form_token), 403, "out of date")

    def test_who_has_not_logged_in_is_not_led_elsewhere(self) -> None:
        self.browser = FunctionalLayer.browser(f"{INDEX}/upload")
        answer = self.put(TABLE)
        self.assertEqual(answer.status_int, 403)
        self.assertNotIn("Location", answer.headers)
        self.assertEqual(self.names(), set())

    def test_who_may_not_is_refused(self) -> None:
        self.browser = self.log_in(name="nobody")
        self.browser.open("http://localhost/app/account")
        self.form_token = self.browser.getControl(name="form_token", index=0).value
        self.assertEqual(self.put(TABLE).status_int, 403)
        self.assertEqual(self.names(), set())

    def test_other_types_are_no_files(self) -> None:
        for kind in ("text/csv", "multipart/form-data", "application/x-www-form-urlencoded"):
            headers = {"Content-Type": kind, "X-Form-Token": self.form_token or ""}
            address = f"{UPLOAD}?name=a.csv&token={TOKEN}"
            answer = self.browser.testapp.put(address, TABLE, headers, expect_errors=True)
            self.assertGreaterEqual(answer.status_int, 400)
            self.assertEqual(self.names(), set())

    def test_other_pages_take_no_files(self) -> None:
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Form-Token": self.form_token or "",
        }
        self.browser.testapp.put(f"{INDEX}?select=a.csv", TABLE, headers, expect_errors=True)
        self.assertEqual(self.names(), set())

    def test_hostile_names_are_refused_as_text(self) -> None:
        for name, words in (
            ("", "The file name is empty"),
            ("../x.csv", "it contains a path separator"),
            ("/etc/passwd.csv", "it contains a path separator"),
            (".hidden.csv", "it begins with a dot"),
            ("a\0b.csv", "it contains control characters"),
            ("a\r\nSet-Cookie: x.csv", "it contains control characters"),
            ("x" * 300 + ".csv", "longer than 255 bytes"),
            ("x" * 100 + ".csv", "Maximum file name length is 65"),
            ("<b>.odt", "and '<b>.odt' does not."),
            ("finished", "is the name of a folder"),
        ):
            with self.subTest(name=name):
                self.assert_refused(self.put(TABLE, name), 400, words)

    def test_html_in_a_name_is_text_wherever_it_is_shown(self) -> None:
        name = "<img src=x onerror=alert(1)>.csv"
        answer = self.put(TABLE, name)
        self.assertEqual(answer.status_int, 200, answer.text)
        self.browser.open(INDEX)
        self.assertNotIn("<img", self.page)
        self.browser.open(f"{INDEX}/import1")
        self.assertNotIn("<img", self.page)

    def test_a_query_that_is_no_query_is_a_bad_request(self) -> None:
        for query in ("name=%ff", "name=a.csv&name=b.csv"):
            headers = {
                "Content-Type": "application/octet-stream",
                "X-Form-Token": self.form_token or "",
                "X-Zope-Handle-Errors": "True",
            }
            answer = self.browser.testapp.put(
                f"{UPLOAD}?token={TOKEN}&{query}", TABLE, headers, expect_errors=True
            )
            self.assertEqual(answer.status_int, 400)
            self.assertEqual(self.names(), set())

    def test_fields_of_the_address_are_not_converted(self) -> None:
        self.assert_refused(self.put(TABLE, **{"name:list": "x.csv", "name": ""}), 400, "empty")

    def test_a_file_that_is_too_large_by_its_length_is_not_read(self) -> None:
        with (
            mock.patch.dict(FunctionalLayer._config, upload_limit=len(TABLE) - 1),
            mock.patch.object(Operations, "upload", side_effect=AssertionError("read")),
        ):
            answer = self.put(TABLE)
        self.assert_refused(answer, 413, "has 21 bytes, and the limit of this data center is 20")

    def test_a_file_without_a_length_is_read_as_far_as_the_limit(self) -> None:
        small = mock.patch.dict(FunctionalLayer._config, upload_limit=len(TABLE) - 1)
        with small, unannounced():
            answer = self.put(TABLE)
        self.assert_refused(answer, 413, "list.csv has more than 20 bytes")
        with unannounced():
            self.assertEqual(self.put(TABLE).json["name"], "list_officer.csv")

    def test_a_body_that_ends_early_is_not_stored(self) -> None:
        def early(page: Any, name: str, default: Any = None) -> Any:
            return str(len(TABLE) + 1) if name == "Content-Length" else original(page, name)

        with self.header_patched(early) as original:
            answer = self.put(TABLE)
        self.assert_refused(answer, 400, "Only a part of the file has arrived.")

    def test_bad_tables_are_refused_with_a_reason(self) -> None:
        for content in (b"", b"code,title\r\n", b"code,code\r\nA1,A1\r\n"):
            self.assert_refused(self.put(content), 400, "list.csv")

    def test_a_pending_file_is_replaced_only_on_demand(self) -> None:
        name = "list.create.pending.csv"
        self.store(name)
        answer = self.put(TABLE, name)
        self.assertEqual((answer.status_int, answer.json["code"]), (409, "taken"))
        self.assertNotEqual((self.storage / name).read_bytes(), TABLE)
        self.assertEqual(self.put(TABLE, name, replace="yes").status_int, 200)
        self.assertEqual((self.storage / name).read_bytes(), TABLE)

    @contextmanager
    def header_patched(self, get_header: Any) -> Iterator[Any]:
        """Let requests tell their headers by another function; gives the former one."""
        original = Request.getHeader
        with mock.patch.object(Request, "getHeader", get_header):
            yield original


@contextmanager
def unannounced() -> Iterator[None]:
    """Let requests come without a length, as from a server that passes chunks on."""
    original = Request.getHeader

    def get_header(request: Any, name: str, default: Any = None, literal: bool = False) -> Any:
        return default if name == "Content-Length" else original(request, name, default, literal)

    with mock.patch.object(Request, "getHeader", get_header):
        yield


class RepeatedTest(PutTestCase):
    """A request is repeated, since its answer was lost."""

    def test_it_meets_its_own_file(self) -> None:
        first = self.put(TABLE)
        again = self.put(TABLE)
        self.assertEqual((again.status_int, again.json), (200, first.json))
        self.assertEqual(self.names(), {"list_officer.csv"})

    def test_what_is_not_clear_is_told_again(self) -> None:
        table = b"code,title,x\r\nA,B\r\nC,D\r\nE,F\r\n"
        for _ in range(2):
            self.assertIn("does not fit its rows", self.put(table).json["notice"])

    def test_nothing_is_told_of_what_has_replaced_it(self) -> None:
        name = "list.create.pending.csv"
        self.put(TABLE, name)
        table = b"code,title,x\r\nA,B\r\nC,D\r\nE,F\r\n"
        other = self.put(table, name, token=TOKEN + "2", replace="yes").json
        self.assertIn("does not fit its rows", other["notice"])
        self.assertEqual(self.put(TABLE, name).json["notice"], "")

    def test_another_token_is_another_file(self) -> None:
        self.put(TABLE)
        self.put(TABLE, token=TOKEN + "2")
        self.assertEqual(self.names(), {"list_officer.csv", "list_officer-2.csv"})

    def test_a_file_that_was_imported_or_deleted_meanwhile_is_not_stored_again(self) -> None:
        def delete() -> None:
            with site_set(self.site):
                principal = getUtility(IAuthentication).getPrincipal("officer")
                Operations(self.site, principal).delete(["other_officer.csv"])
                transaction.commit()

        FunctionalLayer.add_user("importer", "waeup.ImportManager")
        for name, end in (
            ("list", lambda: import_all(self.site, "list_officer.csv", "importer")),
            ("other", delete),
        ):
            first = self.put(TABLE, f"{name}.csv", TOKEN + name).json
            transaction.begin()
            end()
            again = self.put(TABLE, f"{name}.csv", TOKEN + name)
            self.assertEqual((again.status_int, again.json["name"]), (200, first["name"]))
            self.assertEqual(self.names(), set())

    def test_a_file_that_was_taken_back_although_it_was_committed_is_stored(self) -> None:
        """The database had said that it failed."""
        self.put(TABLE)
        (self.storage / "list_officer.csv").unlink()
        self.assertEqual(self.put(TABLE).json["name"], "list_officer.csv")
        self.assertEqual(self.names(), {"list_officer.csv"})
        (self.storage / "list_officer.csv").unlink()
        self.recover()
        self.assertEqual(self.put(TABLE).json["name"], "list_officer.csv")
        self.assertEqual(self.names(), {"list_officer.csv"})

    def test_another_content_or_name_under_the_token_is_refused(self) -> None:
        self.put(TABLE)
        for content, name in (
            (TABLE + b"B1,Bio\r\n", "list.csv"),
            (TABLE[:-3], "list.csv"),
            (TABLE.replace(b"Arts", b"Farm"), "list.csv"),
            (TABLE, "other.csv"),
        ):
            answer = self.put(content, name)
            self.assertEqual(answer.status_int, 409)
            self.assertIn("What was sent is not what is stored as", answer.json["error"])
        self.assertEqual(self.names(), {"list_officer.csv"})

    def test_tokens_of_others_are_theirs(self) -> None:
        self.put(TABLE)
        self.browser = self.log_in("waeup.DataCenterManager", name="other")
        self.browser.open("http://localhost/app/account")
        self.form_token = self.browser.getControl(name="form_token", index=0).value
        self.assertEqual(self.put(TABLE).json["name"], "list_other.csv")

    def test_a_token_is_long_and_plain(self) -> None:
        for token in ("", "short", "x" * 65, "../../../../../x", "<b>aaaaaaaaaaaaa"):
            answer = self.put(TABLE, token=token)
            self.assert_refused(answer, 400, "token")

    def test_two_at_the_same_time_store_one_file(self) -> None:
        # Long enough to be kept in a file for a second attempt.
        table = TABLE + b"F,Faculty\r\n" * 10_000
        both = threading.Barrier(2, timeout=PATIENCE)
        receive, calls = UploadPage._receive, []

        def receive_together(page: Any) -> Any:
            calls.append(page)
            stored = receive(page)
            if len(calls) <= 2:
                # Neither has committed; one of them will have a conflict, and is repeated.
                both.wait()
            return stored

        answers: list[Any] = []
        with mock.patch.object(UploadPage, "_receive", receive_together):
            joined(*(begun(lambda: answers.append(self.put(table))) for _ in range(2)))
        self.assertEqual([answer.status_int for answer in answers], [200, 200])
        self.assertEqual(len(calls), 3)
        self.assertEqual(len(self.names()), 1)
        self.assertEqual({answer.json["name"] for answer in answers}, self.names())
        self.assertEqual({answer.json["size"] for answer in answers}, {len(table)})

    def test_what_a_killed_portal_has_left_is_met_after_its_start(self) -> None:
        # The file had its name, and the transaction did not come to its end.
        (self.storage / "list_officer.csv").write_bytes(TABLE)
        self.recover()
        self.assertEqual(self.put(TABLE).json["name"], "list_officer.csv")
        transaction.begin()
        entry = self.site["datacenter"].ledger.entry("list_officer.csv")
        self.assertEqual((entry.owner, entry.original), ("officer", "list.csv"))
        self.put(TABLE, token=TOKEN + "2")
        self.assertEqual(self.names(), {"list_officer.csv", "list_officer-2.csv"})

    def test_what_is_there_and_something_else_is_left_alone(self) -> None:
        (self.storage / "list_officer.csv").write_bytes(TABLE)
        self.put(TABLE)
        self.assertEqual(self.names(), {"list_officer.csv", "list_officer-2.csv"})
        (self.storage / "other_officer.csv").write_bytes(TABLE.upper())
        self.recover()
        answer = self.put(TABLE, "other.csv", token=TOKEN + "2")
        self.assertEqual(answer.json["name"], "other_officer-2.csv")

    def test_what_was_there_before_stays_after_an_abort(self) -> None:
        (self.storage / "list_officer.csv").write_bytes(TABLE)
        self.recover()
        with site_set(self.site):
            operations = Operations(self.site, getUtility(IAuthentication).getPrincipal("officer"))
            self.assertEqual(
                operations.upload("list.csv", io.BytesIO(TABLE)).name, "list_officer.csv"
            )
            transaction.abort()
        self.assertEqual((self.storage / "list_officer.csv").read_bytes(), TABLE)

    def recover(self) -> None:
        """Do what the start of a portal does."""
        recover(FunctionalLayer.database(), "/app")
        transaction.begin()

    def test_old_tokens_are_forgotten(self) -> None:
        self.put(TABLE)
        ledger = self.site["datacenter"].ledger
        with mock.patch("waeup.kofa.ledger.TOKEN_AGE", -TOKEN_AGE):
            self.put(TABLE, "b.csv", token=TOKEN + "2")
        transaction.begin()
        self.assertIsNone(ledger.received("officer", TOKEN))
        self.assertEqual(ledger.received("officer", TOKEN + "2").name, "b_officer.csv")

    def test_a_database_of_before_takes_tokens(self) -> None:
        ledger = self.site["datacenter"].ledger
        ledger._received = None
        transaction.commit()
        self.put(TABLE)
        self.put(TABLE)
        self.assertEqual(self.names(), {"list_officer.csv"})


class PiecesTest(PutTestCase):
    """A large file comes piece by piece."""

    def ask(self, content: bytes = b"", **fields: object) -> Any:
        """Send a request of an upload in pieces; return the answer."""
        headers = {"Content-Type": "application/octet-stream", "X-Zope-Handle-Errors": "True"}
        headers["X-Form-Token"] = str(self.form_token)
        address = f"{UPLOAD}?{urlencode(fields)}"
        return self.browser.testapp.put(address, content, headers, expect_errors=True)

    def begin(self, name: str = "list.csv", **more: str) -> str:
        """Begin to send `TABLE`; return the id of the upload."""
        answer = self.ask(b"", name=name, size=len(TABLE), **more)
        self.assertEqual((answer.status_int, answer.json["offset"]), (200, 0), answer.text)
        return str(answer.json["upload"])

    def test_piece_by_piece(self) -> None:
        id = self.begin()
        self.assertEqual(self.ask(TABLE[:4], upload=id, offset=0).json["offset"], 4)
        self.assertEqual(self.ask(upload=id).json, {"upload": id, "offset": 4})
        told = self.ask(TABLE[4:], upload=id, offset=4).json
        self.assertEqual((told["name"], told["size"]), ("list_officer.csv", len(TABLE)))
        # The answer was lost.
        self.assertEqual(self.ask(upload=id).json, told)
        self.assertEqual((self.storage / "list_officer.csv").read_bytes(), TABLE)
        self.assertFalse((self.storage / ".work").exists())

    def test_what_is_wrong_has_a_code_for_the_script(self) -> None:
        id = self.begin()
        for fields, status, code in (
            ({"upload": id, "offset": 3}, 409, "offset"),
            ({"upload": "0" * 32}, 404, "gone"),
            ({"upload": id, "offset": "x"}, 400, ""),
            ({"name": "a.csv", "size": "x"}, 400, ""),
            ({"name": "a.exe", "size": 5}, 400, ""),
            ({"name": "a.csv", "size": 10**12}, 413, ""),
        ):
            answer = self.ask(b"", **fields)
            self.assertEqual((answer.status_int, answer.json["code"]), (status, code), fields)
        with Partial(str(self.storage), id):
            answer = self.ask(b"x", upload=id, offset=0)
            self.assertEqual((answer.status_int, answer.json["code"]), (409, "busy"))
        (self.storage / "a.create.pending.csv").write_bytes(TABLE)
        answer = self.ask(name="a.create.pending.csv", size=5)
        self.assertEqual((answer.status_int, answer.json["code"]), (409, "taken"))
        self.assertTrue(self.begin("a.create.pending.csv", replace="yes"))

    def test_a_file_that_is_refused_is_gone(self) -> None:
        id = self.ask(name="list.csv", size=3).json["upload"]
        self.assert_refused(self.ask(b"\0\0\0", upload=id, offset=0), 400, "no readable header")
        self.assertEqual(self.ask(upload=id).json["code"], "gone")

    def test_it_is_given_up(self) -> None:
        id = self.begin()
        self.assertEqual(self.ask(upload=id, drop="yes").json, {"upload": "", "offset": 0})
        self.assertEqual(self.ask(upload=id).json["code"], "gone")

    def test_a_piece_that_ends_early_is_not_kept(self) -> None:
        id = self.begin()
        with mock.patch.object(UploadPage, "_length", 5):
            self.assert_refused(self.ask(b"cod", upload=id, offset=0), 400, "Only a part")
        self.assertEqual(self.ask(upload=id).json["offset"], 0)

    def test_without_the_token_of_the_session_nothing_begins(self) -> None:
        self.form_token = "x"
        self.assert_refused(self.ask(name="list.csv", size=3), 403, "out of date")


class FormerTest(PutTestCase):
    """The content was imported before."""

    words = "This is the file that was imported on"

    def setUp(self) -> None:
        super().setUp()
        FunctionalLayer.add_user("importer", "waeup.ImportManager")
        self.put(TABLE, "first.csv", token=TOKEN + "-of-first")
        transaction.begin()
        self.run_id = import_all(self.site, "first_officer.csv", "importer")

    def test_the_script_is_told(self) -> None:
        answer = self.put(TABLE).json
        self.assertRegex(answer["former"], self.words + r" \d+ \w+ \d{4}, [0-9:]+ by importer\.")
        # The officer may not see imports of faculties.
        self.assertIsNone(answer["former_link"])

    def test_who_may_see_the_run_gets_a_link(self) -> None:
        self.browser = FunctionalLayer.log_in("second", "waeup.ImportManager")
        self.browser.open("http://localhost/app/account")
        self.form_token = self.browser.getControl(name="form_token", index=0).value
        answer = self.put(TABLE).json
        self.assertEqual(answer["former_link"], f"{INDEX}/run?id={self.run_id}")
        for page in (INDEX, f"{INDEX}/import1"):
            self.browser.open(page)
            self.browser.getLink(self.words).click()
            self.assertIn("Successfully processed 1 rows.", self.page)

    def test_the_form_tells_it_and_so_do_the_lists(self) -> None:
        upload(self.browser, ("again.csv", TABLE))
        self.assertRegex(self.page, rf"again_officer\.csv: {self.words}")
        self.browser.open(f"{INDEX}/import1")
        self.assertIn(self.words, self.page)

    def test_lists_read_no_contents(self) -> None:
        upload(self.browser, ("again.csv", TABLE))
        (self.storage / "again_officer.csv").write_bytes(TABLE.upper())
        self.browser.open(f"{INDEX}/import1")
        self.assertIn(self.words, self.page)

    def test_another_content_is_new(self) -> None:
        self.assertEqual(self.put(TABLE + b"B1,Bio\r\n").json["former"], "")
        (self.storage / "list_officer.csv").write_bytes(TABLE * 2)
        self.browser.open(f"{INDEX}/import1")
        self.assertNotIn(self.words, self.page)

    def test_an_import_that_was_taken_back_does_not_count(self) -> None:
        runs = self.site["datacenter"].runs
        runs.get(self.run_id).move("undone")
        transaction.commit()
        self.assertEqual(self.put(TABLE).json["former"], "")

    def test_a_run_that_is_forgotten_does_not_count(self) -> None:
        runs = self.site["datacenter"].runs
        runs.drop(runs.get(self.run_id))
        transaction.commit()
        self.assertEqual(self.put(TABLE).json["former"], "")

    def test_imports_in_a_database_of_before_are_found(self) -> None:
        runs = self.site["datacenter"].runs
        digest = hashlib.sha256(TABLE).hexdigest()
        runs._contents = None
        self.assertEqual([run.id for run in runs.imports_of(digest)], [self.run_id])
        self.assertTrue(runs.upgrade())
        self.assertEqual([run.id for run in runs.imports_of(digest)], [self.run_id])
        self.assertFalse(runs.upgrade())


class GateTest(PutTestCase):
    """The same with the gate in front, as in a portal that runs."""

    def test_a_file_passes(self) -> None:
        app = self.browser.testapp.app
        seen = []

        def is_logged_in(environment: Any) -> bool:
            seen.append(environment["REQUEST_METHOD"])
            return True

        with mock.patch.object(self.browser.testapp, "app", Gate(app, is_logged_in)):
            answer = self.put(TABLE)
        self.assertEqual(json.loads(answer.text)["name"], "list_officer.csv")
        self.assertEqual(seen, ["PUT"])
