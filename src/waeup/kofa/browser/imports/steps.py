"""What the steps of an import have in common: their names, and the draft that they work on.

What the officer has chosen is kept in a draft in the database, whose id goes
from step to step: two tabs do not mix, and a broken session loses nothing.
A draft whose import was ordered leads to the page of that run.
"""

from datetime import datetime
from functools import cached_property
from typing import Any

import grok
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.page import FormPage
from waeup.kofa.browser.words import mode_title
from waeup.kofa.errors import NoSuchItem, NotAllowed, TableError, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.options import ReadOptions


class ImportStep(DataCenterPage, FormPage):
    """A step of an import."""

    grok.baseclass()

    section = _("Import")
    step = 0
    steps = (
        _("Choose a file"),
        _("Choose processor and mode"),
        _("Map the columns"),
        _("Check, mend, import"),
    )

    #: Who else prepares an import of the file, and since when.
    others: dict[str, datetime] = {}
    #: Where the officer is in the four steps.
    show_steps = ViewPageTemplateFile("steps.pt")

    @property
    def label(self) -> str:
        """What is to be done in this step."""
        return self.steps[self.step - 1]


class DraftStep(ImportStep):
    """A step of an import that has a draft.

    `needs` says which attributes of the draft must be there; who comes too early
    is sent to the step that sets them.
    """

    grok.baseclass()

    needs: dict[str, int] = {}

    def update(self) -> None:
        """Do what the button says, unless the import is at another step."""
        try:
            draft = self.draft
        except NoSuchItem as gone:
            self._begin_anew(gone)
            return
        missing = [step for name, step in self.needs.items() if not getattr(draft, name)]
        if missing:
            self.go(min(missing))
        elif self.run is not None:
            # Nothing can be changed any more. A second click leads to what the first one did.
            self.redirect(self.link("run", id=self.run.id))
        else:
            try:
                super().update()
            except NoSuchItem as gone:
                # The file was imported, deleted or moved meanwhile.
                self.operations.drop_draft(draft.id)
                self._begin_anew(gone)
            except (TableError, TooLarge):
                # Step 2 says why, and lets the officer say how the file is to be read.
                if self.step <= 2:
                    raise
                self.go(2)

    def _begin_anew(self, gone: NoSuchItem) -> None:
        """Say why this import ends, on the page where rows that were corrected can be had."""
        id = self.field("draft")
        left = {"left": id} if self.operations.left_corrections(id) else {}
        self.flash(gone, "warning")
        self.redirect(self.link("import1", **left))

    @cached_property
    def draft(self) -> Any:
        """The draft that the address names."""
        return self.operations.draft(self.field("draft"))

    @cached_property
    def others(self) -> dict[str, datetime]:  # type: ignore[override]
        """See `ImportStep`."""
        return self.operations.also_preparing(self.draft.id)

    @cached_property
    def last_run(self) -> Any:
        """The import that was ordered last, or None."""
        return self.known_run(self.draft.run)

    @property
    def run(self) -> Any:
        """The import that was ordered, or None when there is none, or nothing came of it."""
        run = self.last_run
        if run is None or run.state != "cancelled" or "resume" in run.actions or run.undone_by:
            return run
        return None

    @property
    def address(self) -> str:
        """Where the form is sent to; who reloads the answer still has the draft."""
        return self.link(f"import{self.step}", draft=self.draft.id)

    @cached_property
    def preview(self) -> Any:
        """What the draft's file is and holds; raises `TableError` and `TooLarge`."""
        return self.operations.preview(self.draft.filename, options=self.options)

    def number_of_rows(self, seen: Any) -> str:
        """Return how many rows a previewed table has, as far as they were counted."""
        number = self.number(seen.rows)
        return number if seen.is_whole else _("more than ${number}", mapping={"number": number})

    @property
    def options(self) -> ReadOptions:
        """What was said about how the file is read."""
        return ReadOptions(**self.draft.reading)

    @cached_property
    def processors(self) -> dict[str, Any]:
        """The processors that this person may use, by name."""
        return {info.name: info for info in self.operations.processors()}

    @property
    def draft_mode(self) -> Any:
        """What is to be done with the rows, in words."""
        return mode_title(self.draft.mode)

    @property
    def processor(self) -> Any:
        """The processor of the draft, which step 2 has set."""
        info = self.processors.get(self.draft.processor)
        if info is None:
            raise NotAllowed(
                _(
                    "You may not use the processor ${processor} any more. Ask the "
                    "administrator of the portal for a role that may, or begin again.",
                    mapping={"processor": repr(self.draft.processor)},
                )
            )
        return info

    def go(self, step: int) -> None:
        """Go to another step of the same draft."""
        self.redirect(self.link(f"import{step}", draft=self.draft.id))

    def save(self, **changes: Any) -> None:
        """Keep what was chosen; a check of something else is of no use any more."""
        changed = {name for name, value in changes.items() if getattr(self.draft, name) != value}
        if changed - {"check", "run", "skip_unchanged"}:
            changes["check"] = None
        self.operations.save_draft(self.draft.id, **changes)

    def cancel(self) -> None:
        """Give the import up."""
        self.operations.drop_draft(self.draft.id)
        self.flash(_("Import aborted."), "warning")
        self.leave()
