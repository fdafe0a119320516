"""How a file is read: what step 2 of an import shows of it, and the form that says otherwise."""

from functools import cached_property
from typing import Any, NamedTuple

import grok
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.imports.parts import PartedStep
from waeup.kofa.errors import TableError, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.options import ReadOptions, name_of

#: What separators are called (`name_of`).
_SEPARATORS = {
    "comma": _("comma"),
    "semicolon": _("semicolon"),
    "tab": _("tab"),
    "pipe": _("pipe"),
    "space": _("space"),
}

#: What is wrong with rows, by the codes of `waeup.kofa.tabular`.
PROBLEM_TITLES = {
    "bare-quote": _("Bare quote"),
    "broken-line": _("Broken line"),
    "broken-value": _("Broken value"),
    "cut-off": _("Cut off"),
    "incomplete-row": _("Incomplete row"),
    "line-too-long": _("Line too long"),
    "mixed-encoding": _("Mixed encoding"),
    "nul-character": _("NUL character"),
    "other-delimiter": _("Other delimiter"),
    "other-quotes": _("Other quotes"),
    "repeated-header": _("Repeated header"),
    "second-table": _("Second table"),
    "shifted-cells": _("Shifted cells"),
    "text-after-quote": _("Text after quote"),
    "too-few-cells": _("Too few cells"),
    "too-many-cells": _("Too many cells"),
    "uncertain-encoding": _("Uncertain encoding"),
    "unclear-escape": _("Unclear escape"),
    "unclosed-quote": _("Unclosed quote"),
    "undecodable": _("Undecodable"),
}


class Choice(NamedTuple):
    """Something that can be chosen: the value of a form, and its title."""

    value: str
    title: Any


class Fact(NamedTuple):
    """Something that was found."""

    title: Any
    text: Any


#: What people meet most, in the order of likelihood.
ENCODINGS = (
    Choice("utf-8", "UTF-8"),
    Choice("cp1252", _("Western European (Windows-1252)")),
    Choice("iso8859-15", _("Western European (ISO 8859-15)")),
    Choice("cp1250", _("Central European (Windows-1250)")),
    Choice("iso8859-2", _("Central European (ISO 8859-2)")),
    Choice("cp1251", _("Cyrillic (Windows-1251)")),
    Choice("cp1253", _("Greek (Windows-1253)")),
    Choice("cp1254", _("Turkish (Windows-1254)")),
    Choice("cp1255", _("Hebrew (Windows-1255)")),
    Choice("cp1256", _("Arabic (Windows-1256)")),
    Choice("mac-roman", _("Old Macintosh (Mac Roman)")),
    Choice("cp850", _("DOS, Western European (850)")),
    Choice("cp437", _("DOS (437)")),
    Choice("utf-16", "UTF-16"),
)
SEPARATORS = (
    Choice("comma", _("Comma ,")),
    Choice("semicolon", _("Semicolon ;")),
    Choice("tab", _("Tab")),
    Choice("pipe", _("Bar |")),
    Choice("colon", _("Colon :")),
    Choice("space", _("Space")),
)
QUOTES = (Choice("double", _('Double quotes "')), Choice("single", _("Single quotes '")))
#: First rows that are shown.
ROWS = 8
#: Fields of the form.
FIELDS = ("encoding", "delimiter", "quote", "header_line", "sheet")


class Reading(PartedStep):
    """A step that shows how the file of the draft is read.

    Where the file cannot be read as it is, `unread` says why, and `seen` is None.
    """

    grok.baseclass()

    unread: str = ""
    #: What is wrong with what was said, by the field of the form.
    wrong: dict[str, str] = {}

    separators = SEPARATORS
    quotes = QUOTES

    #: The form, and what was found, what is wrong, and the first rows.
    show_reading = ViewPageTemplateFile("reading.pt")
    show_found = ViewPageTemplateFile("found.pt")

    def read(self) -> None:
        """Keep what was said about the reading of the file, if it can be read like that."""
        said = {name: self.field(name) for name in FIELDS}
        at = ""
        try:
            for at in FIELDS:
                ReadOptions.of(**{at: said[at]})
            options = ReadOptions.of(**said)
            now, before = options.as_dict(), self.options.as_dict()
            changed = [name for name in FIELDS if now.get(name) != before.get(name)]
            at = changed[0] if len(changed) == 1 else ""
            self.operations.preview(self.draft.filename, options=options)
        except (TableError, TooLarge) as refusal:
            self.wrong = {at: self.words(refusal)}
            raise
        if options != self.options:
            self.save(reading=now, columns=None, constants=(), values=(), left_alone=())
        self.go(2)

    def show_parts(self) -> str:
        """See `PartedStep`."""
        return str(self.show_found())

    @property
    def told(self) -> str:
        """What those hear who do not see that the table was read again."""
        seen = self.seen
        if seen is None:
            return self.unread
        told = _(
            "Read again: ${columns} columns, ${rows} rows, ${damaged} of them with problems.",
            mapping={
                "columns": self.number(len(seen.header)),
                "rows": self.words(self.number_of_rows(seen)),
                "damaged": self.number(seen.damaged),
            },
        )
        return self.words(told)

    @cached_property
    def preview(self) -> Any:
        """See `DraftStep`; here a person wants to see more of it than of single columns."""
        return self.operations.preview(self.draft.filename, ROWS, self.options)

    @cached_property
    def seen(self) -> Any:
        """The preview, or None where the file cannot be read as it is."""
        try:
            return self.preview
        except (TableError, TooLarge) as refusal:
            self.unread = self.words(refusal)
            return None

    @property
    def said(self) -> dict[str, str]:
        """What the form shows as said, by field; what was just sent comes first."""
        if "read" in self.request.form:
            return {name: self.field(name) for name in FIELDS}
        options = self.options
        return {
            "encoding": options.encoding or "",
            "delimiter": name_of(options.delimiter),
            "quote": name_of(options.quote),
            "header_line": str(options.header_line or ""),
            "sheet": options.sheet or "",
        }

    @property
    def encodings(self) -> list[Choice]:
        """The encodings to choose from, the one that was found or said among them."""
        known = {choice.value for choice in ENCODINGS}
        found = "" if self.seen is None else self.seen.encoding
        more = dict.fromkeys(name for name in (found, self.said["encoding"]) if name)
        return [*ENCODINGS, *(Choice(name, name) for name in more if name not in known)]

    @property
    def is_open(self) -> bool:
        """Whether the form is shown at once, not only on demand."""
        seen = self.seen
        is_open = seen is None or seen.is_guess or len(seen.sheets) > 1
        return is_open or any(self.said.values())

    @property
    def is_text(self) -> bool:
        """Whether the file may have an encoding, a separator and quotes; a workbook has none."""
        return self.seen is None or self.seen.sheet is None

    @cached_property
    def first_lines(self) -> tuple[tuple[int, str], ...]:
        """The first lines with their numbers, for the choice of the header."""
        try:
            lines = self.operations.first_lines(self.draft.filename, self.options)
        except (TableError, TooLarge):
            return ()
        return tuple(enumerate(lines, 1))

    @property
    def facts(self) -> list[Fact]:
        """What was found, in words."""
        seen = self.seen
        name = name_of(seen.delimiter)
        facts = [Fact(_("Rows"), self.number_of_rows(seen))]
        if seen.member is not None:
            facts.append(Fact(_("File in the archive"), seen.member))
        if seen.sheet is not None:
            facts.append(Fact(_("Sheet"), seen.sheet))
        else:
            facts += [
                Fact(_("Encoding"), seen.encoding),
                Fact(_("Separator"), _SEPARATORS.get(name, name)),
                Fact(_("Quotes"), seen.quote),
                Fact(_("Line ends"), seen.line_end or "-"),
            ]
            if seen.escape is not None:
                facts.append(Fact(_("Escape"), seen.escape))
        place = _("line ${n}", mapping={"n": self.number(seen.header_line)})
        facts.append(Fact(_("Names of the columns"), place))
        return facts

    def titled(self, code: str) -> str:
        """Return the code of a problem as words."""
        return PROBLEM_TITLES.get(code) or code.replace("-", " ").capitalize()
