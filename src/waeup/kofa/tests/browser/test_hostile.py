"""Names, headers and cells that would do harm are text on every page that shows them."""

import re
from html.parser import HTMLParser
from urllib.parse import quote

from waeup.kofa.tests.browser.hostile import TEXTS, furnish
from waeup.kofa.tests.functional import FunctionalTestCase

CENTER = "http://localhost/app/datacenter"
ROLES = ("waeup.ImportManager", "waeup.ExportManager")


class _Elements(HTMLParser):
    """Gathers what no page of ours has."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        names = {name for name, _value in attrs}
        is_odd = any(name.startswith("on") or name == "style" for name in names)
        if is_odd or tag in ("img", "style") or (tag == "script" and "src" not in names):
            self.foreign.append(f"{tag} {attrs}")


def foreign_in(page: str) -> list[str]:
    """Return the elements of a page that only somebody else can have brought."""
    elements = _Elements()
    elements.feed(page)
    return elements.foreign


class HostileTest(FunctionalTestCase):
    """An officer looks at all pages."""

    def setUp(self) -> None:
        self.browser = self.log_in(*ROLES)
        self.there = furnish("officer")

    def test_no_page_makes_elements_of_it(self) -> None:
        mentioned = 0
        for path in self.there.pages:
            with self.subTest(path):
                self.browser.open(f"{CENTER}{path}")
                page = self.browser.contents
                self.assertEqual(self.browser.headers["Status"][:3], "200")
                self.assertEqual(foreign_in(page), [])
                mentioned += "&lt;img" in page
        self.assertGreaterEqual(mentioned, 8)

    def test_what_looks_like_a_name_in_a_message_is_not_filled_in(self) -> None:
        token = re.compile(r"\$\{view/token\}")
        found = 0
        for path in self.there.pages:
            self.browser.open(f"{CENTER}{path}")
            found += len(token.findall(self.browser.contents))
        self.assertGreater(found, 2)

    def test_questions_and_refusals_show_it_as_text(self) -> None:
        self.browser.open(CENTER)
        boxes = self.browser.getControl(name="val_id", index=0)
        boxes.value = boxes.options
        self.browser.getControl(name="ask", index=0).click()
        self.assertIn("&lt;img", self.browser.contents)
        self.assertNotIn("<img", self.browser.contents)
        self.browser.getControl(name="confirmed", index=0).click()
        self.assertNotIn("<img", self.browser.contents)

    def test_a_form_gives_back_what_was_entered_as_text(self) -> None:
        for text in TEXTS:
            for address in (
                f"{CENTER}/index?q=",
                f"{CENTER}/logs?query=",
                f"{CENTER}/history?q=",
                f"{CENTER}/run?id=",
                "http://localhost/app/login?login=",
            ):
                self.browser.open(f"{address}{quote(text)}")
                self.assertEqual(foreign_in(self.browser.contents), [])

    def test_a_file_of_such_a_name_is_sent_as_a_file(self) -> None:
        self.browser.open(f"{CENTER}/download?filename={quote(self.there.file)}")
        headers = self.browser.headers
        self.assertTrue(headers["Content-Disposition"].startswith("attachment"))
        self.assertNotRegex(headers["Content-Disposition"], r"[\r\n]")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertIn("no-store", headers["Cache-Control"])
