"""Files that the script of the upload page brings in: dropped, chosen, pasted, and tried again."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from zope.app.wsgi import WSGIPublisherApplication

from waeup.kofa.browser import tokens
from waeup.kofa.browser.imports.uploading import UploadPage
from waeup.kofa.importing import looking
from waeup.kofa.tests.browser.test_chromium import TABLE, ChromiumTestCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.importing.test_canonical import workbook

#: How the portal answers.
ANSWER = WSGIPublisherApplication.__call__
#: What the page does with a piece.
TAKE_PIECE = UploadPage._take_piece
CELLS = "code\ttitle\nSCI\tSciences\nART\tArts"

DROP = """
const [files, place] = arguments, data = new DataTransfer();
for (const [name, text] of files) data.items.add(new File([text], name));
for (const kind of ["dragover", "drop"]) {
  const how = { dataTransfer: data, bubbles: true, cancelable: true };
  place.dispatchEvent(new DragEvent(kind, how));
}
"""
PASTE = """
const [text, place] = arguments, data = new DataTransfer();
data.setData("text/plain", text);
const how = { clipboardData: data, bubbles: true, cancelable: true };
const event = new ClipboardEvent("paste", how);
place.dispatchEvent(event);
return event.defaultPrevented;
"""


class UploadTestCase(ChromiumTestCase):
    """An officer before the upload page."""

    def setUp(self) -> None:
        super().setUp()
        self.enter()
        self.follow("Upload data")

    def drop(self, *files: tuple[str, str]) -> None:
        """Drop files, pairs of name and text, onto the page."""
        self.window.execute_script(DROP, files, self.find("main"))

    def paste(self, text: str, selector: str) -> bool:
        """Paste text where `selector` leads; tell whether the script has taken it."""
        return bool(self.window.execute_script(PASTE, text, self.find(selector)))

    def row(self, number: int = 0) -> WebElement:
        """Return what is told of a file."""
        return self.window.find_elements(By.CSS_SELECTOR, "#upload-list > li")[number]

    def part(self, name: str, number: int = 0) -> WebElement:
        """Return a part of what is told of a file."""
        return self.row(number).find_element(By.CSS_SELECTOR, f"[data-part={name}]")

    @property
    def announced(self) -> str:
        """What those hear who cannot see the page."""
        return str(self.find("#upload-said").get_property("textContent"))

    def connection(self, *, offline: bool = False, bytes_a_second: int = -1) -> None:
        """Slow the way to the portal down, or cut it."""
        self.window.execute_cdp_cmd("Network.enable", {})
        figures = {"offline": offline, "latency": 0, "downloadThroughput": -1}
        self.window.execute_cdp_cmd(
            "Network.emulateNetworkConditions", {**figures, "uploadThroughput": bytes_a_second}
        )

    def names(self) -> set[str]:
        """Return the names of the files in the storage."""
        return {path.name for path in self.storage.iterdir() if path.is_file()}


class DropTest(UploadTestCase):
    """Several files at once."""

    def test_two_files_are_dropped_and_one_is_imported(self) -> None:
        for width in (1280, 390):
            with self.subTest(width=width):
                if width == 390:
                    self.be_a_phone()
                    self.window.refresh()
                self.drop((f"first{width}.csv", TABLE), (f"second{width}.csv", "code,title\n"))
                self.wait_for(f"Stored as first{width}_officer.csv.")
                self.wait_for(f"Not stored: second{width}.csv")
                self.assertEqual(
                    self.row().text.splitlines()[:2],
                    [
                        f"first{width}.csv {len(TABLE)} bytes",
                        f"Stored as first{width}_officer.csv.",
                    ],
                )
                self.assertFalse(self.part("import", 1).is_displayed())
                self.assertFalse(self.part("cancel").is_displayed())
                self.assertLessEqual(self.width(), width)
        refused = [entry for entry in self.complaints() if " 400 " not in entry]
        self.assertEqual(refused, [])
        self.leave_by(self.part("select"))
        self.assertIn("/import2?draft=", self.window.current_url)
        self.assertIn("first390_officer.csv", self.text)

    def test_files_are_chosen_and_sent_at_once(self) -> None:
        self.assertFalse(self.find("#upload-button").is_displayed())
        other = self.table.with_name("other.csv")
        other.write_text(TABLE, encoding="utf-8")
        self.find("#uploadfile").send_keys(f"{self.table}\n{other}")
        self.wait_for("Stored as faculties_officer.csv.")
        self.wait_for("Stored as other_officer.csv.")
        self.assertEqual(self.announced.strip(), "other.csv: Stored as other_officer.csv.")
        self.assertEqual(self.names(), {"faculties_officer.csv", "other_officer.csv"})
        self.press("CANCEL")
        self.assertIn("other_officer.csv", self.text)
        self.assertEqual(self.complaints(), [])

    def test_names_are_text(self) -> None:
        name = "<img src=x onerror=document.title='bad'>.csv"
        self.drop((name, TABLE))
        self.wait_for("Stored as <img_src=x")
        self.assertNotEqual(self.window.title, "bad")
        self.assertEqual(self.part("name").text, name)

    def test_a_file_that_is_too_large_is_not_sent(self) -> None:
        with mock.patch.dict(FunctionalLayer._config, upload_limit=len(TABLE)):
            self.window.refresh()
            with mock.patch.object(UploadPage, "_receive", side_effect=AssertionError):
                self.drop(("large.csv", TABLE + "x"))
                self.wait_for(
                    f"Not sent: it has {len(TABLE) + 1} bytes, "
                    f"and the data center takes files of up to {len(TABLE)} bytes"
                )
            self.drop(("small.csv", TABLE))
            self.wait_for("Stored as small_officer.csv.")

    def test_a_pending_file_is_replaced_after_a_question(self) -> None:
        self.store("list.create.pending.csv")
        self.drop(("list.create.pending.csv", TABLE))
        self.wait_for("There is a pending file list.create.pending.csv already")
        self.part("replace").click()
        self.wait_for("Stored as list.create.pending.csv.")
        stored = (self.storage / "list.create.pending.csv").read_text(encoding="utf-8")
        self.assertEqual(stored, TABLE)

    def test_what_becomes_of_files_is_seen_on_a_small_screen(self) -> None:
        self.window.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 360, "height": 640, "deviceScaleFactor": 1, "mobile": True},
        )
        self.drop(*((f"list{number}.csv", TABLE) for number in range(9)))
        self.assertTrue(self.is_seen(self.row()))
        self.wait_for("Stored as list8_officer.csv.")
        self.assertTrue(self.is_seen(self.part("select")))
        # From the end of the page as well.
        self.window.execute_script("window.scrollTo(0, document.body.scrollHeight)")
        self.find("#uploadfile").send_keys(str(self.table))
        self.wait_for("Stored as faculties_officer.csv.")
        self.assertTrue(self.is_seen(self.part("select", 9)))

    def is_seen(self, element: WebElement) -> bool:
        """Tell whether the window shows an element without being scrolled."""
        script = (
            "const place = arguments[0].getBoundingClientRect();"
            "return place.top >= 0 && place.bottom <= window.innerHeight"
        )
        return bool(self.window.execute_script(script, element))

    def test_the_keyboard_will_do(self) -> None:
        self.find("#uploadfile").send_keys(str(self.table))
        self.wait_for("Stored as faculties_officer.csv.")
        focused = self.find("#replace")
        self.window.execute_script("arguments[0].focus()", focused)
        for _ in range(20):
            self.window.switch_to.active_element.send_keys(Keys.TAB)
            if self.window.switch_to.active_element == self.part("select"):
                break
        label = self.window.switch_to.active_element.get_attribute("aria-label")
        self.assertEqual(label, "Import it: faculties.csv")


class BrokenLineTest(UploadTestCase):
    """The portal fails, or does not answer."""

    def setUp(self) -> None:
        super().setUp()
        logging.getLogger("SiteError").setLevel(logging.CRITICAL)
        self.addCleanup(logging.getLogger("SiteError").setLevel, logging.NOTSET)

    def test_progress_is_shown_and_a_file_can_be_cancelled(self) -> None:
        self.connection(bytes_a_second=100_000)
        self.drop(("long.csv", TABLE + "F,Faculty\n" * 60_000), ("next.csv", TABLE))
        self.wait_for("Is being sent: ")
        self.assertIn("Waits until the others are sent.", self.row(1).text)
        bar = self.part("bar")
        self.until(lambda: 0 < float(str(bar.get_property("value"))) < 1)
        self.assertEqual(bar.get_attribute("aria-label"), "long.csv")
        self.assertRegex(self.part("said").text, r"^Is being sent: \d+ %$")
        self.part("cancel").click()
        self.assertIn("Cancelled", self.row().text)
        # The focus stays where the officer was.
        self.assertEqual(self.window.switch_to.active_element, self.row())
        self.connection()
        self.wait_for("Stored as next_officer.csv.")
        self.assertEqual(self.names(), {"next_officer.csv"})
        self.part("again").click()
        self.wait_for("Stored as long_officer.csv.")

    def test_a_portal_that_fails_is_asked_again(self) -> None:
        receive = UploadPage._receive
        with mock.patch.object(UploadPage, "_receive", autospec=True) as patched:
            patched.side_effect = Falling(receive, 1)
            self.drop(("list.csv", TABLE))
            self.wait_for("The portal does not answer. It is tried again in 1 s.")
            self.assertIn("list.csv: The portal does not answer.", self.announced)
            self.wait_for("Stored as list_officer.csv.")
        self.assertEqual(self.announced.strip(), "list.csv: Stored as list_officer.csv.")

    def test_a_workbook_that_has_to_wait_for_others_is_sent_again(self) -> None:
        path = self.table.with_name("list.xlsx")
        path.write_bytes(workbook())
        with (
            mock.patch.object(looking, "SHORT", -1),
            mock.patch.object(looking.PLACES, "most", 0),
        ):
            self.find("#uploadfile").send_keys(str(path))
            self.wait_for(
                "list.xlsx takes long to unpack, and so do others at this moment. Try again in a "
                "minute. It is tried again in"
            )
        self.wait_for("Stored as list_officer.xlsx.")

    def test_a_file_whose_answer_was_lost_is_stored_once(self) -> None:
        with answer_lost() as lost:
            self.drop(("list.csv", TABLE))
            self.wait_for("It is tried again in")
            self.assertEqual(self.names(), {"list_officer.csv"})
            self.wait_for("Stored as list_officer.csv.")
        self.assertEqual(lost, ["/app/datacenter/upload"])
        self.assertEqual(self.names(), {"list_officer.csv"})

    def test_a_file_that_came_too_slowly_is_sent_again(self) -> None:
        with mock.patch.object(WSGIPublisherApplication, "__call__", too_slow(3)):
            self.drop(("list.csv", TABLE))
            # Chromium itself asks again once, on a connection that it had before.
            self.wait_for("The portal does not answer. It is tried again in")
            self.wait_for("Stored as list_officer.csv.")

    def test_where_no_put_passes_the_form_does_it(self) -> None:
        with mock.patch.object(WSGIPublisherApplication, "__call__", no_put):
            self.drop(("list.csv", TABLE))
            self.wait_for("lets no file pass in this way")
            self.find("#uploadfile").send_keys(str(self.table))
            self.press("SUBMIT")
        self.assertIn("Successfully uploaded: faculties_officer.csv", self.text)

    def test_it_goes_on_when_the_line_is_back(self) -> None:
        self.connection(offline=True)
        self.drop(("list.csv", TABLE))
        self.wait_for("It is tried again in")
        self.connection()
        self.wait_for("Stored as list_officer.csv.")

    def test_after_many_attempts_the_officer_is_asked(self) -> None:
        receive = UploadPage._receive
        with mock.patch.object(UploadPage, "_receive", autospec=True) as patched:
            patched.side_effect = Falling(receive, 9)
            # Seconds pass in no time.
            self.window.execute_script(
                "const set = window.setInterval; window.setInterval = (f) => set(f, 5);"
            )
            self.drop(("list.csv", TABLE))
            self.wait_for("Not stored: the portal has failed 9 times.")
            self.part("again").click()
            self.wait_for("Stored as list_officer.csv.")

    def test_who_was_logged_out_logs_in_elsewhere_and_goes_on(self) -> None:
        page = self.window.current_window_handle
        self.window.delete_all_cookies()
        self.drop(("list.csv", TABLE))
        self.wait_for("you are not logged in any more")
        self.assertEqual(self.names(), set())
        self.window.switch_to.new_window("tab")
        self.enter()
        self.window.switch_to.window(page)
        self.part("again").click()
        self.wait_for("Stored as list_officer.csv.")

    def test_a_token_of_another_session_is_renewed(self) -> None:
        page = self.window.current_window_handle
        self.window.delete_all_cookies()
        self.window.switch_to.new_window("tab")
        self.enter()
        self.window.switch_to.window(page)
        self.drop(("list.csv", TABLE))
        self.wait_for("Stored as list_officer.csv.")
        # The button, too, has the token of the new session.
        self.leave_by(self.part("select"))
        self.assertIn("/import2?draft=", self.window.current_url)

    def test_a_file_that_is_cancelled_while_its_token_is_renewed_is_not_sent(self) -> None:
        self.window.execute_script(
            "const ask = window.fetch; window.fetch = async (...all) => {"
            " await new Promise((go) => { window.goOn = go; });"
            " const answer = await ask(...all); window.isBack = true; return answer; };"
        )
        with mock.patch.object(tokens, "is_valid_in_header", return_value=False):
            self.drop(("list.csv", TABLE))
            self.until(lambda: self.window.execute_script("return 'goOn' in window"))
        self.part("cancel").click()
        self.window.execute_script("window.goOn();")
        self.until(lambda: self.window.execute_script("return 'isBack' in window"))
        self.drop(("next.csv", TABLE))
        self.wait_for("Stored as next_officer.csv.")
        self.assertIn("Cancelled", self.row().text)
        self.assertEqual(self.names(), {"next_officer.csv"})

    def until(self, is_so: Any) -> None:
        """Wait until something is so."""
        WebDriverWait(self.window, timeout=30, poll_frequency=0.05).until(lambda window: is_so())


class PiecesTest(UploadTestCase):
    """A large file goes piece by piece."""

    LARGE = TABLE + "F,Faculty\n" * 30

    def setUp(self) -> None:
        super().setUp()
        patched = mock.patch.object(UploadPage, "piece", 100)
        patched.start()
        self.addCleanup(patched.stop)
        self.window.refresh()
        logging.getLogger("SiteError").setLevel(logging.CRITICAL)
        self.addCleanup(logging.getLogger("SiteError").setLevel, logging.NOTSET)

    def content(self) -> str:
        """Return the one file that is stored."""
        (name,) = self.names()
        return (self.storage / name).read_text(encoding="utf-8")

    def test_a_large_file_goes_in_pieces_and_a_small_one_does_not(self) -> None:
        with pieces_counted() as counted:
            self.drop(("small.csv", TABLE), ("large.csv", self.LARGE))
            self.wait_for("Stored as small_officer.csv.")
            self.wait_for("Stored as large_officer.csv.")
        self.assertEqual(len(counted), 1 + -(-len(self.LARGE) // 100))
        stored = (self.storage / "large_officer.csv").read_text(encoding="utf-8")
        self.assertEqual(stored, self.LARGE)
        self.assertEqual(self.window.execute_script("return localStorage.length"), 0)
        self.assertEqual(self.complaints(), [])

    def test_answers_that_are_lost(self) -> None:
        for number in (0, 2, 4):
            with self.subTest(number), answer_lost(number) as lost:
                self.drop((f"large{number}.csv", self.LARGE))
                self.wait_for("It is tried again in")
                self.wait_for(f"Stored as large{number}_officer.csv.")
                self.assertEqual(len(lost), 1)
        self.assertEqual(self.names(), {f"large{number}_officer.csv" for number in (0, 2, 4)})

    def test_a_file_that_is_chosen_again_goes_on(self) -> None:
        self.table.write_text(self.LARGE, encoding="utf-8")
        with mock.patch.object(UploadPage, "_take_piece", autospec=True) as patched:
            patched.side_effect = Rising(TAKE_PIECE, 3)
            self.find("#uploadfile").send_keys(str(self.table))
            self.wait_for("It is tried again in")
        self.assertEqual(self.window.execute_script("return localStorage.length"), 1)
        self.window.refresh()
        with pieces_counted() as counted:
            self.find("#uploadfile").send_keys(str(self.table))
            self.wait_for("Stored as faculties_officer.csv.")
        # It is asked first; two pieces were there.
        self.assertEqual(len(counted), 1 + -(-len(self.LARGE) // 100) - 2)
        self.assertEqual(self.content(), self.LARGE)
        self.assertEqual(self.window.execute_script("return localStorage.length"), 0)

    def test_a_portal_that_has_forgotten_it_gets_it_anew(self) -> None:
        self.table.write_text(self.LARGE, encoding="utf-8")
        with mock.patch.object(UploadPage, "_take_piece", autospec=True) as patched:
            patched.side_effect = Rising(TAKE_PIECE, 3)
            self.find("#uploadfile").send_keys(str(self.table))
            self.wait_for("It is tried again in")
            shutil.rmtree(self.storage / ".work")
            patched.side_effect = TAKE_PIECE
            self.wait_for("Stored as faculties_officer.csv.")
        self.assertEqual(self.content(), self.LARGE)

    def test_what_is_cancelled_is_given_up(self) -> None:
        with mock.patch.object(UploadPage, "_take_piece", autospec=True) as patched:
            patched.side_effect = Rising(TAKE_PIECE, 3)
            self.drop(("large.csv", self.LARGE))
            self.wait_for("It is tried again in")
            patched.side_effect = TAKE_PIECE
            self.part("cancel").click()
            WebDriverWait(self.window, timeout=30, poll_frequency=0.05).until(
                lambda window: not (self.storage / ".work").exists()
            )
        self.part("again").click()
        self.wait_for("Stored as large_officer.csv.")
        self.assertEqual(self.content(), self.LARGE)

    def test_a_refusal_is_shown(self) -> None:
        self.drop(("large.csv", "code,code\n" + "F,Faculty\n" * 30))
        self.wait_for("Not stored: ")
        self.assertIn("Double headers", self.row().text)
        self.assertEqual(self.names(), set())
        self.store("list.create.pending.csv")
        self.drop(("list.create.pending.csv", self.LARGE))
        self.wait_for("There is a pending file list.create.pending.csv already")
        self.part("replace", 1).click()
        self.wait_for("Stored as list.create.pending.csv.")
        self.assertEqual(self.content(), self.LARGE)


class PasteTest(UploadTestCase):
    """A table from the clipboard."""

    def test_cells_are_pasted_anywhere(self) -> None:
        for width in (1280, 390):
            with self.subTest(width=width):
                if width == 390:
                    self.be_a_phone()
                    self.window.refresh()
                self.assertTrue(self.paste(CELLS, "main"))
                self.wait_for("Stored as pasted-")
                self.assertLessEqual(self.width(), width)
        self.assertEqual(len(self.names()), 2)
        for name in self.names():
            self.assertRegex(name, r"^pasted-\d{4}-\d\d-\d\d_officer(-2)?\.tsv$")
            content = (self.storage / name).read_text(encoding="utf-8")
            self.assertEqual(content, CELLS + "\n")

    def test_text_that_is_no_table_is_nobodys(self) -> None:
        for text in ("a word", "one\ttwo", "line\nline"):
            self.assertFalse(self.paste(text, "main"), text)
        self.assertFalse(self.paste(CELLS, "#pastename"))
        self.assertFalse(self.find("#uploads").is_displayed())

    def test_cells_are_pasted_into_the_field_under_a_name(self) -> None:
        self.find("#paste summary").click()
        self.assertFalse(self.paste(CELLS, "#table"))
        cells = self.find("#table")
        self.window.execute_script("arguments[0].value = arguments[1]", cells, CELLS)
        self.find("#pastename").clear()
        self.find("#pastename").send_keys("faculties")
        self.find("button[name=PASTE]").click()
        self.wait_for("Stored as faculties_officer.tsv.")
        self.assertEqual(cells.get_property("value"), "")
        self.leave_by(self.part("select"))
        self.assertIn("Sciences", self.text)
        self.assertEqual(self.complaints(), [])


class Falling:
    """Fails for a number of calls, and then does what `function` does."""

    def __init__(self, function: Any, failures: int) -> None:
        self._function = function
        self._failures = failures

    def __call__(self, *args: Any) -> Any:
        """Fail, or do it."""
        self._failures -= 1
        if self._failures >= 0:
            raise ZeroDivisionError
        return self._function(*args)


class Rising:
    """Does what `function` does for a number of calls, and then fails."""

    def __init__(self, function: Any, successes: int) -> None:
        self._function = function
        self._left = successes

    def __call__(self, *args: Any) -> Any:
        """Do it, or fail."""
        self._left -= 1
        if self._left < 0:
            raise ZeroDivisionError
        return self._function(*args)


@contextmanager
def pieces_counted() -> Iterator[list[Any]]:
    """Give a list that grows with each request of an upload in pieces."""
    counted: list[Any] = []

    def count(page: Any) -> Any:
        counted.append(page)
        return TAKE_PIECE(page)

    with mock.patch.object(UploadPage, "_take_piece", count):
        yield counted


def no_put(application: Any, environment: Any, start_response: Any) -> Any:
    """Answer as a proxy does that knows forms only."""
    if environment["REQUEST_METHOD"] == "PUT":
        start_response("405 Method Not Allowed", [("Content-Length", "0")])
        return []
    return ANSWER(application, environment, start_response)


def too_slow(number: int) -> Any:
    """Return what answers the first PUTs as the server does that has cut them off."""
    cut = iter([True] * number)

    def answer(application: Any, environment: Any, start_response: Any) -> Any:
        if environment["REQUEST_METHOD"] != "PUT" or not next(cut, False):
            return ANSWER(application, environment, start_response)
        start_response("408 Request Timeout", [("Content-Length", "0")])
        return []

    return answer


@contextmanager
def answer_lost(number: int = 0) -> Iterator[list[str]]:
    """Let the answer to a PUT get lost after its work was done; gives its address."""
    lost: list[str] = []
    before = iter(range(number))

    def lose(application: Any, environment: Any, start_response: Any) -> Any:
        is_hit = environment["REQUEST_METHOD"] == "PUT" and next(before, None) is None
        if not is_hit or lost:
            return ANSWER(application, environment, start_response)
        ANSWER(application, environment, lambda *args: None)
        lost.append(environment["PATH_INFO"])
        start_response("502 Bad Gateway", [("Content-Length", "0")])
        return []

    with mock.patch.object(WSGIPublisherApplication, "__call__", lose):
        yield lost
