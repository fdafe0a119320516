"""All texts of all pages go through the catalogs: a language that marks them shows the others.

The language is German with another catalog, whose translations are the texts themselves in
brackets.  What stands outside of brackets on a page is data, or a text that nobody can translate.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any
from unittest import mock

import transaction
from zope.component import getUtilitiesFor
from zope.schema import getFieldNames

from waeup.kofa.browser.page import Page
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.locales.catalogs import domain
from waeup.kofa.tests.browser.exhibition import Exhibits, furnish
from waeup.kofa.tests.browser.views import found_views
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase

PORTAL = "http://localhost/app"
CENTER = f"{PORTAL}/datacenter"
ROLE = "waeup.PortalManager"

#: What people read, or are read to, in attributes.
READ = {"alt", "aria-label", "data-label", "placeholder", "title"}
#: What is no text of the portal: names and addresses in code, and what files and people hold.
QUIET = {"code", "script", "style", "textarea", "pre", "samp", "kbd"}
#: A word of a language, not of data: letters only, not all of them capital.
WORD = re.compile(r"\b[A-Z]?[a-z]{2,}\b")
#: Names, numbers with units, and times as German pages show them.
DATA = re.compile(
    r"WAeUP\.Kofa|[\w./ ()-]+\.(?:csv|tsv|xlsx|gz|zip|pending|log)\b|\b(?:ann|Ann|zope\.mgr)\b"
    r"|[\d.,]+\s*(?:kB|MB|GB|Bytes?|%)|\d{2}\.\d{2}\.\d{4}, [\d:]+"
    r"|English|Deutsch|Français|UTF-8|\b\w+_\w+\b|[\w.-]+@[\w.-]+|[a-z-]+\.[A-Za-z.]+"
    r"|\b[0-9a-f]{8,}\b|#\w+"
    r"|(?:\b\w\w\., )?\d+\. \w+\.?(?: \d{4})?|Python|grok|waitress|ZODB|\w+/\w+"
)


class Pseudo:
    """A catalog whose translations are the texts themselves, in brackets."""

    def __init__(self, real: Any) -> None:
        self.message = real.message

    def text(self, singular: str, plural: str | None = None, number: float | None = None) -> str:
        """Return the text in brackets."""
        return f"⟦{singular if plural is None or number == 1 else plural}⟧"


class Reader(HTMLParser):
    """Reads a page: `texts` are what stands outside of brackets, and how it is reached."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.path: list[str] = []
        self.depth = 0
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Look at the attributes."""
        values = dict(attrs)
        for name in READ & values.keys():
            self._keep(_outside(values[name] or ""), f"{tag} {name}")
        for name, value in values.items():
            if (
                name.startswith("data-")
                and name != "data-modes"
                and " " in (value or "")
                and name not in READ
            ):
                self._keep(_outside(value), f"{tag} {name}")
        if values.get("name") == "time_zone":
            tag = "code"
        if tag not in ("input", "meta", "link", "br", "img", "hr", "wbr", "col"):
            self.path.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        while self.path and self.path.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Look at a text; brackets may be closed in another element."""
        if QUIET & set(self.path):
            return
        outside = ""
        for letter in data:
            if letter == "⟦":
                self.depth += 1
            elif letter == "⟧":
                self.depth -= 1
            elif not self.depth:
                outside += letter
        self._keep(outside, " ".join(self.path[-3:]))

    def _keep(self, outside: str, place: str) -> None:
        rest = DATA.sub(" ", outside)
        if WORD.search(rest):
            self.texts.append((place, " ".join(outside.split())))


def _outside(text: str) -> str:
    """Return what stands outside of brackets."""
    while (fewer := re.sub(r"⟦[^⟦⟧]*⟧", " ", text)) != text:
        text = fewer
    return text


class EveryPage(FunctionalTestCase):
    """Each view that shows a page, with something of everything in the portal."""

    #: What files, objects and people hold in these tests.
    held = re.compile(
        r"\b(?:Sciences?|Arts|Laws?|Medicine|Engineering|Agriculture|Education|Technics|Physics"
        r"|Mathematics|Bad|Waiting|Course|Administrator|Officer|officer|nothing|none|Code|Title|remark|Example|code|title)\b"
        r"|The disk is full. Make room, then let it go on.|utf-8|en, de, fr"
    )

    def setUp(self) -> None:
        super().setUp()
        patch = mock.patch.dict(domain.catalogs, {"de": Pseudo(domain.catalogs["de"])})
        patch.start()
        self.addCleanup(patch.stop)

    def addresses(self, there: Exhibits) -> Iterator[str]:
        """Generate the addresses of all pages."""
        places = {"IUniversity": PORTAL, "IDataCenter": CENTER}
        for found in found_views():
            is_page = isinstance(found.factory, type) and issubclass(found.factory, Page)
            if is_page and found.context in places and found.name != "logout":
                yield f"{places[found.context]}/{found.name}"
        for name in Exhibits._fields:
            if name not in ("mixed", "unclear"):
                for view in ("run", "rows"):
                    yield f"{CENTER}/{view}?id={getattr(there, name)}"
        for name in (there.mixed, there.unclear):
            draft = self.draft(name)
            for view in ("import1", "import2", "import3", "import4"):
                yield f"{CENTER}/{view}?draft={draft}"
        yield f"{CENTER}/exportconfig?exporter=students"
        yield f"{CENTER}/processors?name=studentprocessor"
        yield f"{CENTER}/history?kind=facultyprocessor&key=AGR"
        yield f"{CENTER}?remove={there.mixed}"
        yield f"{CENTER}?q=nothing"

    def draft(self, name: str) -> str:
        """Return the id of a draft that has done all steps."""
        ledger = self.site["datacenter"].ledger
        draft = ledger.new_draft(name, "0" * 64, "ann", datetime.now(timezone.utc))
        draft.processor, draft.mode, draft.columns = "facultyprocessor", "create", None
        transaction.commit()
        return draft.id

    def test_no_text_is_left_out(self) -> None:
        FunctionalLayer.add_user("officer", ROLE)
        there = furnish("officer")
        browser = self.log_in(ROLE, name="ann")
        browser.addHeader("Accept-Language", "de")
        processors = [processor for _name, processor in getUtilitiesFor(IBatchProcessor)]
        names = {name for one in processors for name in getFieldNames(one.iface)}
        fields = re.compile(rf"\b(?:{'|'.join(sorted(names))})\b")
        found: dict[tuple[str, str], str] = {}
        for address in self.addresses(there):
            browser.open(address)
            for place, text in Reader(browser.contents).texts:
                if WORD.search(DATA.sub(" ", fields.sub(" ", self.held.sub(" ", text)))):
                    found.setdefault((place, text), address)
        lines = [f"{address}: <{place}> {text}" for (place, text), address in found.items()]
        self.assertEqual(lines, [], "\n" + "\n".join(lines))

    def test_what_is_not_translated_is_seen(self) -> None:
        page = "<p>⟦Rows: <b>3</b>⟧</p><p title='⟦a⟧ left'>Not ⟦this ⟦one⟧⟧<code>code</code></p>"
        self.assertEqual(Reader(page).texts, [("p title", "left"), ("p", "Not")])
