"""The four steps of an import: choose a file, say what it is, map its columns, run it."""

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, NamedTuple

import grok
import transaction

from waeup.kofa.browser.reading import Reading
from waeup.kofa.browser.steps import DraftStep, ImportStep
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import MappingError, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IGNORE_COLUMN

#: Pairs of field and text; on its way from the form, the field may be ''.
Constants = tuple[tuple[str, str], ...]


class Mode(NamedTuple):
    """What can be done with the rows of a file."""

    name: str
    title: str
    help: str


MODES = (
    Mode("create", _("Create"), _("Make a new object of each row.")),
    Mode(
        "update",
        _("Update"),
        _("Change the objects that the rows name; empty cells change nothing."),
    ),
    Mode("remove", _("Remove"), _("Remove the objects that the rows name.")),
)


class Total(NamedTuple):
    """One number of the result page."""

    name: str
    title: str
    number: int


class Column(NamedTuple):
    """A column of the file as step 3 shows it: what it holds and the field it fills."""

    header: str
    samples: tuple[str, ...]
    field: str | None


class Constant(NamedTuple):
    """A field that gets the same text in each row."""

    field: str
    text: str


class Import1(ImportStep):
    """Step 1: choose a pending file."""

    grok.name("import1")
    grok.require("waeup.manageDataCenter")

    step = 1
    buttons = {"select": "begin_import", "cancel": "leave"}

    def prepare(self) -> None:
        """List the files, newest first."""
        self.files = self.operations.pending_files(sort="date")


class Import2(Reading):
    """Step 2: see how the file is read; choose what the rows are and what is to be done."""

    grok.name("import2")
    grok.require("waeup.manageDataCenter")

    step = 2
    modes = MODES
    buttons = {"read": "read", "proceed": "proceed", "back1": "back", "cancel": "cancel"}

    def prepare(self) -> None:
        """Show what was chosen, if there is a table to choose for."""
        self.importer = self.field("importer") or self.draft.processor
        self.fixed_mode = None if self.seen is None else self.seen.suggested_mode
        self.mode = self.fixed_mode or self.field("mode") or self.draft.mode or "create"

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
            changes.update(columns=None, constants=())
        self.save(**changes)
        self.go(3)

    def back(self) -> None:
        """Choose another file."""
        self.operations.drop_draft(self.draft.id)
        self.redirect(self.link("import1"))


class Import3(DraftStep):
    """Step 3: say which column fills which field, and what all rows have in common."""

    grok.name("import3")
    grok.require("waeup.manageDataCenter")

    step = 3
    needs = {"processor": 2}
    ignore = IGNORE_COLUMN
    buttons = {
        "proceed": "proceed",
        "update": "check",
        "reset": "reset",
        "back2": "back",
        "cancel": "cancel",
    }

    def prepare(self) -> None:
        """Show columns with their fields, constants for what is missing, and what is wrong."""
        fields, constants = self._chosen()
        self.columns = [
            Column(
                header,
                tuple(row[at] for row in self.preview.samples),
                fields[at] if at < len(fields) else None,
            )
            for at, header in enumerate(self.preview.header)
        ]
        self.constants = [
            *(Constant(field, text) for field, text in constants),
            *(Constant(field, "") for field in self._missing(fields, constants)),
            Constant("", ""),
        ]
        self.complaints = self._complaints(fields, constants)
        # What the kind asks for although all fields with a mark are there: one of several.
        marked = ((field, "") for field in self._required)
        self.demands = self._refusals((None,) * len(self.preview.header), marked)

    def check(self) -> None:
        """Keep the mapping, whether it fits already or not."""
        columns, constants = self._chosen()
        if self._orphans(constants):
            self.response.setStatus(400)
        else:
            self.save(columns=columns, constants=constants)
            self.go(3)

    def reset(self) -> None:
        """Go back to what the portal proposes."""
        self.save(columns=None, constants=())
        self.go(3)

    def proceed(self) -> None:
        """Keep the mapping and go on, if it fits."""
        columns, constants = self._chosen()
        if self._complaints(columns, constants):
            self.response.setStatus(400)
        else:
            self.save(columns=columns, constants=constants)
            self.go(4)

    def back(self) -> None:
        """Choose another processor."""
        self.go(2)

    def named(self, field: str) -> str:
        """Return the name of a field, marked if it must be filled."""
        return f"{field} *" if field in self._required else field

    @property
    def _required(self) -> list[str]:
        return self.processor.required[self.draft.mode]

    def _chosen(self) -> tuple[tuple[str | None, ...], Constants]:
        """Return fields by column, and constants: from the form, the draft, or a proposal."""
        if "headerfield" in self.request.form:
            chosen = self.fields("headerfield")
            columns = tuple(None if field in ("", self.ignore) else field for field in chosen)
            pairs = zip(self.fields("constantfield"), self.fields("constant"), strict=False)
            return columns, tuple((field, text) for field, text in pairs if text)
        draft = self.draft
        if draft.columns is not None:
            return draft.columns, draft.constants
        proposed = self.operations.propose_mapping(
            draft.filename, draft.processor, draft.mode, self.options
        )
        return proposed.columns, proposed.constants

    def _missing(self, columns: tuple[str | None, ...], constants: Constants) -> list[str]:
        """Return the fields that must be filled, and that nothing fills."""
        filled = {*columns, *(field for field, _text in constants)}
        return [field for field in self._required if field not in filled]

    def _orphans(self, constants: Constants) -> list[str]:
        """Return the constant texts that no field was chosen for."""
        return [text for field, text in constants if not field]

    def _complaints(self, columns: tuple[str | None, ...], constants: Constants) -> list[str]:
        """Return all that is wrong with a mapping."""
        missing = self._missing(columns, constants)
        complaints = [
            _(
                "Choose the field that '${text}' is to fill, or empty the line.",
                mapping={"text": text},
            )
            for text in self._orphans(constants)
        ]
        if missing:
            complaints.append(
                _(
                    "Not filled yet: ${fields}. Choose a column for each, or give it one text "
                    "for all rows.",
                    mapping={"fields": ", ".join(missing)},
                )
            )
        # As if they were filled, so that the rest is told at the same time.
        filled = (pair for pair in constants if pair[0])
        return complaints + self._refusals(columns, (*filled, *((name, "") for name in missing)))

    def _refusals(
        self, columns: tuple[str | None, ...], constants: Iterable[tuple[str, str]]
    ) -> list[str]:
        """Return what the processor says against a mapping, if anything."""
        draft = self.draft
        try:
            mapping = Mapping(columns, tuple(constants))
            self.operations.check(
                draft.filename, draft.processor, draft.mode, mapping, self.options
            )
        except Refused as refusal:
            return [str(refusal)]
        return []


class Import4(DraftStep):
    """Step 4: see in words what will happen, let it happen, and see what has happened."""

    grok.name("import4")
    grok.require("waeup.importData")

    step = 4
    needs = {"processor": 2, "columns": 3}
    buttons = {"perform": "perform", "back3": "back", "cancel": "cancel"}
    report: Any = None

    @property
    def label(self) -> str:
        """What is to be done, or what it is that is shown."""
        return super().label if self.report is None else _("Result of the import")

    def perform(self) -> None:
        """Import the file, keep what has become of it, and lead to the page that shows it."""
        draft, began = self.draft, datetime.now(timezone.utc)
        self._keep(started=began)
        try:
            report = self.operations.import_file(
                draft.filename,
                draft.processor,
                draft.mode,
                Mapping(draft.columns, draft.constants),
                digest=draft.digest,
                options=self.options,
            )
        except Refused:
            # See what another click has done meanwhile.
            transaction.abort()
            if not self.is_begun:
                if draft.started == began:
                    self._keep(started=None)
                raise
            # Another click was quicker; this one shows the same page.
        else:
            self._keep(report=report.as_dict())
        self.go(4)

    def _keep(self, **changes: Any) -> None:
        """Save changes of the draft in a small transaction of its own.

        The import has transactions of its own, too.  Nothing else of this request may
        conflict with them: the publisher would send the click again.
        """
        transaction.abort()
        for attempt in transaction.manager.attempts():
            with attempt:
                self.save(**changes)

    def prepare(self) -> None:
        """Say which columns fill which fields, or what has become of the rows."""
        self.report = self.draft.report
        if self.report is not None:
            self._tell(self.report)
        elif not self.is_running:
            pairs = list(zip(self.preview.header, self.draft.columns, strict=False))
            self.mapped = [(header, field) for header, field in pairs if field]
            self.ignored = [header for header, field in pairs if not field]

    def _tell(self, report: dict[str, Any]) -> None:
        """Say in one line what has become of the rows."""
        if report["failed"]:
            self.say(self._counted("Processing of ${n} rows failed.", report["failed"]), "warning")
        if report["done"]:
            self.say(self._counted("Successfully processed ${n} rows.", report["done"]))

    def _counted(self, text: str, number: int) -> str:
        """Return a message with a number in it."""
        return _(text, mapping={"n": self.number(number)})

    @property
    def imported(self) -> str:
        """The title of the processor that was used, if it can be used still."""
        info = self.processors.get(self.report["processor"])
        return self.report["processor"] if info is None else info.title

    @property
    def totals(self) -> list[Total]:
        """The numbers of rows by outcome, without those that are of no interest."""
        report = self.report
        numbers = [
            Total("created", _("Created"), report["created"]),
            Total("updated", _("Updated"), report["updated"]),
            Total("unchanged", _("Unchanged"), report["unchanged"]),
            Total("removed", _("Removed"), report["removed"]),
        ]
        return [
            Total("total", _("Rows"), report["total"]),
            *(total for total in numbers if total.number),
            Total("failed", _("Failed"), report["failed"]),
        ]

    def back(self) -> None:
        """Change the mapping."""
        self.go(3)
