"""Steps of an import: choose a file, say what it is, order it; `mapping` has the one between."""

from typing import Any

import grok
import transaction

from waeup.kofa.browser.page import status_of
from waeup.kofa.browser.reading import Reading
from waeup.kofa.browser.runparts import RunPart
from waeup.kofa.browser.steps import DraftStep, ImportStep
from waeup.kofa.browser.words import MODES, kind_title, state_title
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import ConfirmationNeeded, MappingError
from waeup.kofa.i18n import MessageFactory as _


class Import1(ImportStep):
    """Step 1: choose a pending file."""

    grok.name("import1")
    grok.require("waeup.manageDataCenter")

    step = 1
    buttons = {"select": "begin_import", "cancel": "leave"}

    def prepare(self) -> None:
        """List the files, newest first."""
        self.files = self.operations.pending_files(sort="date")
        self.holders = self.holders_of(self.files)


class Import2(Reading):
    """Step 2: see how the file is read; choose what the rows are and what is to be done."""

    grok.name("import2")
    grok.require("waeup.manageDataCenter")

    step = 2
    buttons = {"read": "read", "proceed": "proceed", "back1": "back", "cancel": "cancel"}

    def prepare(self) -> None:
        """Show what was chosen, if there is a table to choose for."""
        self.importer = self.field("importer") or self.draft.processor
        self.fixed_mode = None if self.seen is None else self.seen.suggested_mode
        self.mode = self.fixed_mode or self.field("mode") or self.draft.mode or "create"
        possible = {mode for info in self.processors.values() for mode in info.modes}
        self.modes = [mode for mode in MODES if mode.name in possible]

    def proceed(self) -> None:
        """Keep the choice; another processor or mode than before needs a new mapping."""
        processor, mode = self.field("importer"), self.field("mode")
        mode = self.preview.suggested_mode or mode
        info = self.processors.get(processor)
        if info is None:
            raise MappingError(_("Choose a processor: it says what the rows of the file are."))
        if mode not in info.modes:
            raise MappingError(
                f"{info.title} cannot do {mode!r}. Choose one of: {', '.join(info.modes)}."
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


class Import4(DraftStep, RunPart):
    """Step 4: see in words what is to happen, check what would happen, and let it happen."""

    grok.name("import4")
    grok.require("waeup.importData")

    step = 4
    view_name = "import4"
    needs = {"processor": 2, "columns": 3}
    buttons = {
        "check": "check",
        "perform": "perform",
        "yes_remove": "perform",
        "yes_change": "perform",
        "cancelrun": "cancel_run",
        "back3": "back",
        "cancel": "cancel",
    }

    progress_title = _("The file is checked")
    #: What must be confirmed before the import can be ordered.
    question: ConfirmationNeeded | None = None

    @property
    def way(self) -> dict[str, str]:
        """See `RunPart`."""
        return {"draft": self.draft.id}

    def prepare(self) -> None:
        """Say which columns fill which fields, or what a check says."""
        self.shown = self.known_run(self.draft.check)
        self.is_checking = self.shown is not None and self.shown.is_active
        self.is_checked = self.shown is not None and self.shown.state == "finished"
        self.holder = self.operations.run_of(self.draft.filename)
        for ended in (self.shown, self.last_run):
            if ended is not None and ended.state in ("stopped", "cancelled"):
                text = f"{self.words(kind_title(ended))}: {self.words(state_title(ended))}. "
                self.say(text + ended.fault, "warning")
        if not self.is_checking:
            pairs = list(zip(self.preview.header, self.draft.columns, strict=False))
            self.mapped = [(header, field) for header, field in pairs if field]
            self.ignored = [header for header, field in pairs if not field]

    @property
    def can_skip(self) -> bool:
        """Whether objects that have all values already can be left alone."""
        return self.draft.mode in ("update", "upsert")

    @property
    def is_skipping(self) -> bool:
        """Whether they are to be: as the form says, if it was just sent."""
        # An import that follows a check is ordered as that was; only another check may differ.
        is_said = "check" in self.request.form or not self.field("checked")
        if "form_token" in self.request.form and is_said:
            return self.field("skip_unchanged") == "yes"
        return bool(self.draft.skip_unchanged)

    def check(self) -> None:
        """Order a check; one that is under way already is shown instead."""
        running = self.known_run(self.draft.check)
        if running is None or not running.is_active:
            info = self.operations.start_check(*self._order(), **self._details())
            self.save(check=info.id, skip_unchanged=self.is_skipping)
        self.go(4)

    def perform(self) -> None:
        """Order the import, and lead to its page; rows must not differ from the check, if any."""
        try:
            info = self.operations.start_import(
                *self._order(),
                **self._details(),
                check=self.field("checked") or None,
                yes_remove=self._amount("yes_remove"),
                yes_change=self._amount("yes_change"),
            )
        except ConfirmationNeeded as question:
            # A refusal promises that nothing was changed; this keeps the promise.
            transaction.abort()
            self.question = question
            self.response.setStatus(status_of(question))
        else:
            self.save(run=info.id, skip_unchanged=self.is_skipping)
            self.redirect(self.link("run", id=info.id))

    def back(self) -> None:
        """Change the mapping."""
        self.go(3)

    def _order(self) -> tuple[str, str, str, Mapping]:
        """Return what is to be done."""
        draft = self.draft
        mapping = Mapping(draft.columns, draft.constants, draft.values)
        return draft.filename, draft.processor, draft.mode, mapping

    def _details(self) -> dict[str, Any]:
        """Return how it is to be done."""
        return {
            "digest": self.draft.digest,
            "options": self.options,
            "skip_unchanged": self.is_skipping,
            "draft": self.draft.id,
        }

    def _amount(self, name: str) -> int:
        """Return the number that was confirmed; 0 for none, and for what is no number."""
        text = self.field(name)
        return int(text) if text.isdecimal() and len(text) < 10 else 0
