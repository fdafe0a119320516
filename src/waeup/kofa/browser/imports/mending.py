"""Step 4 of an import: what it would do, rows that would fail and their mending, the order.

Rows that a check has found failing are shown problem by problem, with the texts of their cells.
What is entered is kept in the draft at once (`waeup.kofa.operations.mending`): by a button of the
page, or by its script (`mendapart`), which is told what would become of the row now.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, NamedTuple

import grok
import transaction
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.imports.mendforms import (
    changed_texts,
    is_number,
    number_in,
    require_same_check,
    sent_texts,
)
from waeup.kofa.browser.imports.mendrows import (
    LONG,
    Cell,
    MendRow,
    about,
    cell_html,
    messages_by_position,
    own_cells,
    plain,
    short,
    since_words,
    text_in_force,
    verdict_words,
    was_words,
)
from waeup.kofa.browser.imports.steps import DraftStep
from waeup.kofa.browser.page import Message, status_of
from waeup.kofa.browser.paging import Part, paged
from waeup.kofa.browser.runs.advice import AdvisedPart
from waeup.kofa.browser.runs.runparts import ROWS, Corrected, Reason, corrected_part
from waeup.kofa.browser.words import kind_title, state_title
from waeup.kofa.conversion import Mapping as Columns
from waeup.kofa.conversion.dates import DAY_FIRST
from waeup.kofa.errors import ConfirmationNeeded, MappingError, NoSuchItem, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import (
    CellInfo,
    DateOrder,
    FailingRow,
    FieldInfo,
    LikeCell,
    ProblemGroup,
    RowVerdict,
)

#: Groups of problems, and texts of one column, that are listed.
MOST_GROUPS, MOST_TEXTS = 100, 20
#: So many texts are listed without being asked for.
FEW_TEXTS = 5
#: Inputs for cells on one page.
MOST_INPUTS = 3000
#: Texts that are looked through for like cells.
KNOWN_TEXTS = 1000
#: The group of all rows that fail.
ALL_ROWS = "all"
#: Buttons that order the import.
_ORDERS = ("perform", "yes_remove", "yes_change")


class Group(NamedTuple):
    """Like problems: what is wrong with a field or, where that is ``''``, with whole rows."""

    id: int
    field: str
    title: str
    rows: int
    link: str
    is_open: bool


class Import4(DraftStep, AdvisedPart):
    """Step 4: see in words what is to happen, check and mend it, and let it happen.

    ``group`` is the id of a group of problems whose rows are shown, or `ALL_ROWS`; ``page`` says
    which of them, ``column`` which column's texts are listed, ``tried`` which row is tried.
    ``corrected`` is the page of the list of corrected cells.
    """

    grok.name("import4")
    grok.require("waeup.importData")

    step = 4
    view_name = "import4"
    needs = {"processor": 2, "columns": 3}
    buttons = {
        "check": "check",
        "advised": "follow_advice",
        "perform": "perform",
        "yes_remove": "perform",
        "yes_change": "perform",
        "cancelrun": "cancel_run",
        "correct": "correct",
        "also": "correct_others",
        "replace": "replace",
        "order": "correct_dates",
        "uncorrect": "uncorrect",
        "uncorrect_all": "uncorrect_all",
        "back3": "back",
        "cancel": "cancel",
    }

    progress_title = _("The file is checked")
    can_uncorrect = True
    #: What must be confirmed before the import can be ordered.
    question: ConfirmationNeeded | None = None
    #: Why what was entered for the row of the form was not kept.
    row_error = ""
    #: What is said in the part with the rows instead of at the top.
    told: Sequence[Message] = ()

    #: Rows of a group, and what can be done with all of them.
    show_mending = ViewPageTemplateFile("mendrows.pt")
    pages_label = _("Pages of rows")

    @property
    def way(self) -> dict[str, str]:
        """See `RunPart`."""
        return {"draft": self.draft.id}

    @property
    def address(self) -> str:
        """See `RunPart`."""
        return self.here()

    def here(self, **more: str) -> str:
        """Return the address of what is shown: of the rows of a group, if one is open."""
        place = {name: text for name in ("group", "page", "column") if (text := self.field(name))}
        return self.link("import4", **self.way, **place, **more)

    def group_link(self, group: str, page: int = 1) -> str:
        """Return the address of rows of a group."""
        pages = {"page": str(page)} if page > 1 else {}
        return self.link("import4", **self.way, group=group, **pages) + "#mend"

    def prepare(self) -> None:
        """Say which columns fill which fields, or what a check says."""
        self.shown = self.known_run(self.draft.check)
        self.is_checking = self.shown is not None and self.shown.is_active
        self.is_checked = self.shown is not None and self.shown.state == "finished"
        self.holder = self.operations.run_of(self.draft.filename)
        for ended in (self.shown, self.last_run):
            if ended is not None and ended.state in ("stopped", "cancelled"):
                text = self.labelled(kind_title(ended), state_title(ended))
                self.say(f"{text}. {self.recognized(ended.fault)}", "warning")
        self.since = self.operations.corrected_since(self.draft.id)
        if not self.is_checking:
            pairs = list(zip(self.preview.header, self.draft.columns, strict=False))
            self.mapped = [(header, field) for header, field in pairs if field]
            self.ignored = [header for header, field in pairs if not field]
        if self.is_open:
            # Who has just done something with a row is there, not at the top.
            self.told, self.messages_here = self.messages(), []

    # -- the order ------------------------------------------------------------------

    @property
    def since_text(self) -> str:
        """How many rows were corrected since the check, in words."""
        return self.words(since_words(self.since))

    @property
    def can_skip(self) -> bool:
        """Whether objects that have all values already can be left alone."""
        return self.draft.mode in ("update", "upsert")

    @property
    def is_skipping(self) -> bool:
        """Whether they are to be: as the form says, if it was just sent."""
        # An import that follows a check is ordered as that was; only another check may differ.
        asks = ("check",) if self.field("checked") else ("check", *_ORDERS)
        if any(name in self.request.form for name in asks):
            return self.field("skip_unchanged") == "yes"
        return bool(self.draft.skip_unchanged)

    def check(self) -> None:
        """Order a check; one that is under way already is shown instead."""
        running = self.known_run(self.draft.check)
        if running is None or not running.is_active:
            info = self.operations.start_check(*self._order(), **self._details())
            self.save(check=info.id, skip_unchanged=self.is_skipping)
        self.go(4)

    @property
    def can_follow(self) -> bool:
        """See `AdvisedPart`."""
        return True

    def follow_advice(self) -> None:
        """Order a check in the mode that helps the rows which fail."""
        self.shown = self.known_run(self.draft.check)
        if self.advice is not None:
            self.save(mode=self.advice.mode)
            self.check()
        else:
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

    def _order(self) -> tuple[str, str, str, Columns]:
        """Return what is to be done."""
        draft = self.draft
        mapping = Columns(draft.columns, draft.constants, draft.values)
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
        return int(text) if is_number(text) else 0

    # -- why rows came back -----------------------------------------------------------

    @cached_property
    def former_reasons(self) -> Sequence[tuple[str, int]]:
        """Why the rows of a file have failed that an import has left."""
        files = self.operations.pending_files()
        file = next((each for each in files if each.name == self.draft.filename), None)
        maker = None if file is None else self.known_run(file.run)
        return () if maker is None else maker.report.reasons

    # -- groups of problems -----------------------------------------------------------

    @cached_property
    def groups(self) -> list[Group]:
        """The groups of problems that the check has found; none where it has kept no rows."""
        if not self.is_checked or not self.shown.report.failed:
            return []
        try:
            found = self.operations.problem_groups(self.shown.id, MOST_GROUPS)
        except NoSuchItem:
            return []
        return [self._shown_group(group) for group in found]

    def _shown_group(self, group: ProblemGroup) -> Group:
        return Group(
            group.id,
            group.field,
            group.title,
            group.rows,
            self.group_link(str(group.id)),
            self.field("group") == str(group.id),
        )

    @property
    def reasons(self) -> list[Reason]:
        """See `RunPart`; groups say more."""
        return [] if self.groups else super().reasons

    @cached_property
    def group(self) -> Group | None:
        """The group that is open; None for all rows that fail, and when none is."""
        return next((group for group in self.groups if group.is_open), None)

    @cached_property
    def is_open(self) -> bool:
        """Whether rows that fail are shown to be mended."""
        if not self.groups:
            return False
        return self.group is not None or self.field("group") == ALL_ROWS

    @property
    def all_link(self) -> str:
        """The address of all rows that fail."""
        return self.group_link(ALL_ROWS)

    # -- rows of a group --------------------------------------------------------------

    @cached_property
    def part(self) -> Part:
        """Which rows of the group are shown; the items are their places in the group."""
        total = self.shown.report.failed if self.group is None else self.group.rows
        # Rows with very many cells are fewer, so that a page is never too large.
        inputs = sum(field is not None for field in self.draft.columns or ())
        size = min(max(MOST_INPUTS // max(inputs, 1), 1), ROWS)
        return paged(range(total), self.field("page"), size)

    def to_page(self, number: int) -> str:
        """Return the address of another page of rows."""
        return self.group_link(self.field("group"), number)

    @cached_property
    def failing(self) -> list[FailingRow]:
        """The rows of the page."""
        if not self.part.items:
            return []
        return self.operations.failing_rows(
            self.shown.id,
            None if self.group is None else self.group.id,
            self.part.items[0],
            len(self.part.items),
            draft=self.draft.id,
        )

    @cached_property
    def fields_by_name(self) -> dict[str, FieldInfo]:
        """What is known of the fields that columns fill."""
        info = self.operations.processor(self.draft.processor)
        filled = set(self.draft.columns or ())
        return {field.name: field for field in info.fields if field.name in filled}

    @property
    def choices(self) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
        """The values that inputs propose: id of the list, pairs of token and title."""
        return [
            (f"choices-{name}", field.choices)
            for name, field in self.fields_by_name.items()
            if field.choices
        ]

    @cached_property
    def tried(self) -> dict[int, RowVerdict]:
        """What would become of the row that the address names, if that was corrected."""
        asked = self.field("tried")
        found = {}
        for row in self.failing:
            if row.is_corrected and str(row.number) == asked:
                # Who can mend no more sees the rows still.
                with suppress(Refused):
                    found[row.number] = self.operations.check_row(self.draft.id, row.number, {})
        return found

    @cached_property
    def mend_rows(self) -> list[MendRow]:
        """The rows of the page as they are shown."""
        return [self._mend_row(row) for row in self.failing]

    def cells_html(self, cells: Iterable[Cell]) -> str:
        """Return the inputs of cells; a page has many hundreds, too many for a template."""
        return "".join(map(cell_html, cells))

    def _mend_row(self, row: FailingRow) -> MendRow:
        is_sent = self.row_error and self.field("row") == str(row.number)
        entered = sent_texts(self.request.form) if is_sent else {}
        verdict = self.tried.get(row.number)
        said, look = self._words_on(row, verdict)
        wrong: list[Cell] = []
        others: list[Cell] = []
        ignored = []
        found = None if verdict is None else messages_by_position(verdict)
        for info in own_cells(row):
            if info.field is None:
                if info.text:
                    ignored.append((info.name or self.words(_("(no column)")), info.text))
                continue
            message = info.message if found is None else found.get(info.position, "")
            message = self.recognized(message)
            is_of_before = found is None and info.corrected is not None
            if is_of_before and message:
                message = self.words(_("Before: ${message}", mapping={"message": message}))
            cell = self._cell(row, info, message, entered.get(info.position), is_of_before)
            is_wrong = bool(info.message or message)
            (wrong if is_wrong or row.is_damaged else others).append(cell)
        if not wrong:
            wrong, others = others, []
        messages = row.messages if verdict is None else verdict.messages
        return MendRow(
            number=row.number,
            line=row.line,
            about=about(own_cells(row)),
            wrong=wrong,
            others=others,
            ignored=ignored,
            messages=[self.recognized(message) for message in messages],
            raw=row.raw,
            is_damaged=row.is_damaged,
            is_corrected=row.is_corrected,
            verdict=said,
            look=look,
            error=self.row_error if is_sent else "",
        )

    def _words_on(self, row: FailingRow, verdict: RowVerdict | None) -> tuple[Any, str]:
        """Say how a row is, and how that looks."""
        if verdict is not None:
            return verdict_words(verdict)
        if row.is_corrected:
            return _("Corrected since the check."), "info"
        return "", ""

    def _cell(
        self,
        row: FailingRow,
        info: CellInfo,
        message: str,
        entered: str | None,
        is_of_before: bool,
    ) -> Cell:
        field = self.fields_by_name.get(info.field or "")
        text = text_in_force(info)
        shown = "" if info.secret else text
        return Cell(
            id=f"row-{row.number}-{info.position}",
            position=info.position,
            title=info.field or info.name,
            column=info.name if info.name != info.field else "",
            text=shown if entered is None or info.secret else entered,
            was=self.words(was_words(info)),
            message=message,
            help=self._help(field, message),
            choices=f"choices-{info.field}" if field is not None and field.choices else "",
            likes=self._likes.get(text, 0) if info.position == self.like_position else 0,
            is_secret=info.secret,
            is_long=not info.secret and ("\n" in text or "\r" in text or len(text) > LONG),
            is_of_before=is_of_before,
        )

    def _help(self, field: FieldInfo | None, message: str) -> str:
        """Say what is allowed in a field, unless its list of choices or the message does."""
        if field is None or not message or field.choices or (field.example or "") in message:
            return ""
        text = _("${kind}, as ${example}")
        return self.words(_(text, mapping={"kind": field.kind, "example": field.example}))

    # -- like cells ---------------------------------------------------------------------

    @cached_property
    def like_position(self) -> int | None:
        """The column whose texts are listed: that of the group, or the one that is asked for."""
        named = {field: at for at, field in self._open_columns.items()}
        asked = self.field("column")
        if is_number(asked) and int(asked) in self._open_columns:
            return int(asked)
        return None if self.group is None else named.get(self.group.field)

    @property
    def like_columns(self) -> list[tuple[int, str]]:
        """The columns whose texts can be listed: position and field."""
        is_offered = self.group is not None and not self.group.field
        return list(self._open_columns.items()) if is_offered else []

    @cached_property
    def _open_columns(self) -> dict[int, str]:
        """The fields of columns that fill one, and whose texts may be seen, by position."""
        cells = self.failing[0].cells if self.failing else ()
        return {cell.position: cell.field for cell in cells if cell.field and not cell.secret}

    @cached_property
    def like_cells(self) -> list[LikeCell]:
        """The texts that several rows of the group have in the column, the most frequent first."""
        if self.group is None or self.like_position is None:
            return []
        found = self.operations.like_cells(
            self.shown.id, self.group.id, self.like_position, KNOWN_TEXTS, draft=self.draft.id
        )
        return [cell for cell in found if cell.rows > 1]

    @cached_property
    def date_orders(self) -> list[DateOrder]:
        """How the dates of the group may be meant, where they end with their year."""
        if self.group is None or self.like_position is None:
            return []
        return self.operations.date_orders(self.draft.id, self.shown.id, self.group.id)

    def order_title(self, found: DateOrder) -> str:
        """Say how dates would be read."""
        mapping = {"text": found.example, "date": found.meant}
        text = (
            _("The day comes first: “${text}” is ${date}", mapping=mapping)
            if found.order == DAY_FIRST
            else _("The month comes first: “${text}” is ${date}", mapping=mapping)
        )
        return self.words(text)

    @property
    def listed_likes(self) -> list[LikeCell]:
        """Those that are listed."""
        return self.like_cells[:MOST_TEXTS]

    @property
    def is_listed(self) -> bool:
        """Whether the list of texts is open."""
        return bool(self.field("column")) or len(self.like_cells) <= FEW_TEXTS

    @property
    def like_choices(self) -> str | None:
        """The id of the list of values for the column, if there is one."""
        field = self.fields_by_name.get(self._open_columns.get(self.like_position or 0, ""))
        return f"choices-{field.name}" if field is not None and field.choices else None

    @cached_property
    def _likes(self) -> dict[str, int]:
        return {cell.text: cell.rows for cell in self.like_cells}

    # -- corrections --------------------------------------------------------------------

    @cached_property
    def corrected(self) -> Corrected:
        """See `RunPart`; those of the draft."""
        return corrected_part(
            lambda start, limit: self.operations.corrections_of(self.draft.id, start, limit),
            self.field("corrected"),
        )

    def correct(self) -> None:
        """Keep the texts that were entered for a row, and show what would become of it."""
        number = self._number("row")
        with self._told_at_row():
            require_same_check(self.draft, self.field("checked"))
            row = self.operations.failing_row(self.draft.id, number)
            texts = changed_texts(row, sent_texts(self.request.form))
            if not texts and not row.is_corrected:
                raise MappingError(_("Nothing was changed. Enter what is to be read in the row."))
            self.operations.correct(self.draft.id, number, texts)
        self.redirect(f"{self.here(tried=str(number))}#row-{number}")

    def correct_others(self) -> None:
        """Let what was entered in a cell be read in all like cells of the group."""
        position = self._number("also")
        with self._told_at_row():
            new = sent_texts(self.request.form).get(position)
            if new is None:
                raise NoSuchItem(_("The form does not hold the cell. Load the page again."))
            self._replace(position, self.field(f"like-{position}"), new)

    def replace(self) -> None:
        """Let a text be read in place of another in all rows of the group."""
        self._replace(self._number("column"), self.field("old"), plain(self.field("new")))

    def _replace(self, position: int, old: str, new: str) -> None:
        """Replace a text in like cells, and tell how many rows that are."""
        require_same_check(self.draft, self.field("checked"))
        check, group = self.draft.check, self._number("group")
        likes = self.operations.like_cells(
            check, group, position, KNOWN_TEXTS, draft=self.draft.id
        )
        # A form changes the line ends of what it holds.
        known = next((cell.text for cell in likes if plain(cell.text) == plain(old)), old)
        if new == plain(known):
            raise MappingError(
                _(
                    "Nothing was changed: '${new}' is what stands there. Enter another text, "
                    "then let it be the same in the like cells.",
                    mapping={"new": short(new)},
                )
            )
        count = self.operations.correct_like(self.draft.id, check, group, position, known, new)
        text = _("Corrected cells: ${n}. “${new}” is read in place of “${old}”.")
        mapping = {"n": self.number(count), "old": short(known), "new": short(new)}
        self.flash(_(text, mapping=mapping))
        self.redirect(f"{self.here()}#mend")

    def correct_dates(self) -> None:
        """Let dates that end with their year be read as the button says, in all rows."""
        require_same_check(self.draft, self.field("checked"))
        count = self.operations.correct_dates(
            self.draft.id, self.draft.check, self._number("group"), self.field("order")
        )
        text = _("Corrected cells: ${n}. Dates are read as you said.")
        self.flash(_(text, mapping={"n": self.number(count)}))
        self.redirect(f"{self.here()}#mend")

    def uncorrect(self) -> None:
        """Take the correction of a row back."""
        number = self._number("uncorrect")
        self.operations.uncorrect(self.draft.id, number)
        text = _("The correction of row ${n} was taken back.")
        self.flash(_(text, mapping={"n": self.number(number)}))
        is_at_row = self.field("row") == str(number)
        self.redirect(f"{self.here()}#row-{number}" if is_at_row else self.corrected_link(1))

    def uncorrect_all(self) -> None:
        """Take all corrections back."""
        count = self.operations.uncorrect(self.draft.id)
        text = _("Corrections of rows that were taken back: ${n}")
        self.flash(_(text, mapping={"n": self.number(count)}))
        self.redirect(self.here())

    def _number(self, name: str) -> int:
        """Return a number that the form has sent; raises `NoSuchItem` for what is none."""
        return number_in(self.field(name))

    @contextmanager
    def _told_at_row(self) -> Iterator[None]:
        """A refusal is told beside the row that the form is about, too."""
        try:
            yield
        except Refused as refusal:
            self.row_error = self.words(refusal)
            raise
