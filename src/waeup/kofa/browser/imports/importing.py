"""The first steps of an import: choose a file, say what it is.

`mapping` has the third step, `mending` the fourth.
"""

from typing import Any

import grok

from waeup.kofa.browser.imports.reading import Reading
from waeup.kofa.browser.imports.steps import ImportStep
from waeup.kofa.browser.paging import paged
from waeup.kofa.browser.words import MODES
from waeup.kofa.errors import MappingError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.operations import ProposedKind

#: Files on one page.
FILES = 50


class Import1(ImportStep):
    """Step 1: choose a pending file."""

    grok.name("import1")
    grok.require("waeup.manageDataCenter")

    step = 1
    buttons = {"select": "begin_import", "cancel": "leave"}
    pages_label = _("Pages of files that wait")

    def prepare(self) -> None:
        """List the files, newest first; ``page`` says which of them.

        ``left`` is a draft whose file has gone while its rows were corrected.
        """
        self.left = self.operations.left_corrections(self.field("left"))
        files = self.operations.pending_files(sort="date")
        self.files = paged(files, self.field("page"), FILES)
        self.holders = self.holders_of(self.files.items)

    def to_page(self, number: int) -> str:
        """Return the address of a page of files."""
        return self.link("import1", page=str(number))


class Import2(Reading):
    """Step 2: see how the file is read; choose what the rows are and what is to be done."""

    grok.name("import2")
    grok.require("waeup.manageDataCenter")

    step = 2
    #: What the rows of the file may be, where nobody has said it.
    proposed: ProposedKind | None = None

    buttons = {"read": "read", "proceed": "proceed", "back1": "back", "cancel": "cancel"}

    def prepare(self) -> None:
        """Show what was chosen, or what may be meant, if there is a table to choose for."""
        self.importer = self.field("importer") or self.draft.processor
        self.fixed_mode = None if self.seen is None else self.seen.suggested_mode
        self.mode = self._sound_mode(self.field("mode") or self.draft.mode or "create")
        if self.seen is not None and "importer" not in self.request.form and not self.importer:
            self.proposed = self.operations.propose_kind(self.seen)
        if self.proposed is not None:
            self.importer = self.proposed.name
            self.mode = self._sound_mode(self.proposed.mode)
        possible = {mode for info in self.processors.values() for mode in info.modes}
        self.modes = [mode for mode in MODES if mode.name in possible]

    @property
    def proposed_text(self) -> str:
        """Why a processor is chosen already, in words; ``''`` where none is."""
        if self.proposed is None:
            return ""
        text = _(
            "Proposed: ${columns} of ${number} columns fit. If it is wrong, choose another one.",
            mapping={
                "columns": Number(self.proposed.columns),
                "number": Number(len(self.seen.header)),
            },
        )
        return self.words(text)

    def is_possible(self, mode: str) -> bool:
        """Tell whether the rows may be imported in a mode.

        Those that came back have the mode of their first import, which the name of their file
        says, or the one that an advice has put in its place.
        """
        fixed = None if self.seen is None else self.seen.suggested_mode
        return fixed is None or mode in (fixed, self.draft.mode)

    def _sound_mode(self, mode: str) -> str:
        """Return a mode, or the one of the rows' first import where it is not possible."""
        return mode if self.seen is None or self.is_possible(mode) else self.seen.suggested_mode

    def proceed(self) -> None:
        """Keep the choice; another processor or mode than before needs a new mapping."""
        processor, mode = self.field("importer"), self.field("mode")
        mode = self._sound_mode(mode)
        info = self.processors.get(processor)
        if info is None:
            raise MappingError(_("Choose a processor: it says what the rows of the file are."))
        if mode not in info.modes:
            raise MappingError(
                _(
                    "${title} cannot do ${mode}. Choose one of: ${modes}.",
                    mapping={
                        "title": info.title,
                        "mode": repr(mode),
                        "modes": ", ".join(info.modes),
                    },
                )
            )
        changes: dict[str, Any] = {"processor": processor, "mode": mode}
        if (processor, mode) != (self.draft.processor, self.draft.mode):
            changes.update(columns=None, constants=(), values=(), left_alone=())
        self.save(**changes)
        self.go(3)

    def back(self) -> None:
        """Choose another file."""
        self.operations.drop_draft(self.draft.id)
        self.redirect(self.link("import1"))
