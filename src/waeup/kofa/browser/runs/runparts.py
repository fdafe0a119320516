"""What pages show of a run: how far it is, what came of it, and what a check says of its rows."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

import grok
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.page import FormPage
from waeup.kofa.browser.words import (
    duration,
    is_preview,
    kind_title,
    mode_title,
    percent,
    state_title,
)
from waeup.kofa.errors import NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.importing.checking import CheckedRow
from waeup.kofa.importing.report import CREATED, FAILED, OUTCOMES, REMOVED, UNCHANGED, UPDATED
from waeup.kofa.operations import CorrectedText, RunInfo

#: Rows of a check on one page, and how many pages there can be.
ROWS, MOST_PAGES = 50, 10**9
#: Stands for a number that nobody knows yet.
UNKNOWN = "-"
#: What is shown of a check unless an outcome is asked for.
NOTABLE, ALL = "", "all"

#: Outcomes as they are called after an import, before one, after an undo, and before one.
_DONE = {
    CREATED: _("Created"),
    UPDATED: _("Updated"),
    UNCHANGED: _("Unchanged"),
    REMOVED: _("Removed"),
    FAILED: _("Failed"),
}
_TO_DO = {
    CREATED: _("Would be created"),
    UPDATED: _("Would be updated"),
    UNCHANGED: _("Would stay as they are"),
    REMOVED: _("Would be removed"),
    FAILED: _("Would fail"),
}
_TAKEN_BACK = {
    REMOVED: _("Removed again"),
    UPDATED: _("Changed back"),
    CREATED: _("Brought back"),
    UNCHANGED: _("Unchanged"),
    FAILED: _("Left alone"),
}
_TO_TAKE_BACK = {
    REMOVED: _("Would be removed"),
    UPDATED: _("Would be changed back"),
    CREATED: _("Would be brought back"),
    UNCHANGED: _("Would stay as they are"),
    FAILED: _("Would be left alone"),
}
#: The same of an export.
_EXPORTED = {UNCHANGED: _("Exported"), FAILED: _("Keys that no object has")}
#: Verbs for buttons, in the same order.
_IMPORT_VERBS = {
    CREATED: _("create ${n}"),
    UPDATED: _("change ${n}"),
    REMOVED: _("remove ${n}"),
}
_UNDO_VERBS = {
    REMOVED: _("remove ${n}"),
    UPDATED: _("change back ${n}"),
    CREATED: _("bring back ${n}"),
}


class Total(NamedTuple):
    """A number of rows; where rows are kept, `link` leads to them."""

    name: str
    title: Any
    number: int
    link: str | None


class Reason(NamedTuple):
    """Why rows failed, or would fail."""

    text: str
    number: int
    link: str | None


class Filter(NamedTuple):
    """A choice of rows."""

    title: Any
    link: str
    is_current: bool


class Corrected(NamedTuple):
    """A part of the cells that were corrected: page `number`, from 1."""

    items: list[CorrectedText]
    number: int
    has_more: bool


def corrected_part(look: Callable[[int, int], list[CorrectedText]], asked: str) -> Corrected:
    """Return the page `asked` for; `look` lists the cells of rows, by start and number."""
    is_number = asked.isdecimal() and len(asked) < 10
    number = max(int(asked) if is_number else 1, 1)
    found = look((number - 1) * ROWS, ROWS + 1)
    rows = sorted({cell.number for cell in found})[:ROWS]
    items = [cell for cell in found if cell.number in set(rows)]
    return Corrected(items, number, len(items) < len(found))


def live_texts(run: RunInfo) -> dict[str, Any]:
    """Return what changes while a run is worked on, in words.

    `said` and `step` are told to those who listen, who need not hear each number.
    """
    texts: dict[str, Any] = {
        "rows": Number(run.rows),
        "failed": Number(run.failed),
        "rate": _("${n} rows a second", mapping={"n": Number(run.rate)}) if run.rate else UNKNOWN,
        "remaining": UNKNOWN if run.remaining is None else duration(run.remaining),
        "percent": f"{percent(run)} %" if run.fraction else "",
        "step": f"{percent(run) // 10 * 10} %" if run.fraction else "",
    }
    if run.kind == "move":
        texts |= _texts_of_move(run)
    if run.is_cancelling and run.kind == "move":
        texts["said"] = _("Is being cancelled: the new place will be as it was before.")
    elif run.is_cancelling:
        texts["said"] = _("Is being cancelled: it ends at the next batch of rows.")
    elif run.state == "queued" and run.waits_for:
        texts["said"] = _("Waits for the ${run} to end.", mapping={"run": run.waits_for})
    elif run.state == "queued":
        texts["said"] = _("Waits to begin.")
    elif run.state == "distributing":
        texts["said"] = _("All rows are done. The files are put into their places.")
    elif run.is_active and run.kind == "move" and run.fraction == 1:
        texts["said"] = _(
            "All files are copied. The portal changes over when nothing else is under way."
        )
    elif run.is_looking:
        texts["said"] = _("The file is looked at as a whole.")
    elif run.is_active:
        texts["said"] = _("Running.")
    else:
        texts["said"] = state_title(run)
    return texts


def _texts_of_move(run: RunInfo) -> dict[str, Any]:
    """Return what changes while the storage is moved."""
    mapping = {"done": Number(run.bytes / 1e6, 1), "all": Number(run.all_bytes / 1e6, 1)}
    return {
        "rate": _("${n} files a second", mapping={"n": Number(run.rate)}) if run.rate else UNKNOWN,
        "bytes": _("${done} of ${all} MB", mapping=mapping) if run.all_bytes else UNKNOWN,
    }


def outcomes_of(run: RunInfo) -> dict[str, Any]:
    """Return what rows of a run have become, or would become, in words."""
    if run.kind == "export":
        return _EXPORTED
    is_to_do = run.kind == "check"
    if run.undoes is not None:
        return _TO_TAKE_BACK if is_to_do else _TAKEN_BACK
    return _TO_DO if is_to_do else _DONE


class RunPart(DataCenterPage, FormPage):
    """A page that shows a run, `shown`; `way` is what its address says besides the view."""

    grok.baseclass()

    shown: Any = None
    view_name = ""
    progress_title = _("Progress")
    rows_on_page = ROWS

    #: How far the run is; kept up to date by the script.
    show_progress = ViewPageTemplateFile("progress.pt")
    #: Numbers of rows by outcome, and why rows failed.
    show_totals = ViewPageTemplateFile("totals.pt")
    #: What a check has noticed besides.
    show_notes = ViewPageTemplateFile("notes.pt")
    #: What a check says of rows.
    show_rows = ViewPageTemplateFile("rows.pt")

    #: Cells that were corrected.
    show_corrected = ViewPageTemplateFile("corrected.pt")

    kind_title = staticmethod(kind_title)
    state_title = staticmethod(state_title)
    mode_title = staticmethod(mode_title)

    @property
    def way(self) -> dict[str, str]:
        """What the address says, besides the view, about what is shown."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        """The address of the page; who reloads it sees the same."""
        return self.link(self.view_name, **self.way)

    def cancel_run(self) -> None:
        """Let the run end that is shown."""
        self.operations.cancel(self.field("run") or self.field("id"))
        self.redirect(self.address)

    # -- progress ---------------------------------------------------------------

    @property
    def texts(self) -> dict[str, Any]:
        """What the progress says; see `live_texts`."""
        return {name: self.words(text) for name, text in live_texts(self.shown).items()}

    @property
    def done_share(self) -> str | None:
        """How much is done, for the bar; None where nobody knows yet."""
        is_known = self.shown.fraction or self.shown.state == "queued"
        return f"{self.shown.fraction:.3f}" if is_known else None

    # -- totals -----------------------------------------------------------------

    @property
    def is_to_do(self) -> bool:
        """Whether what is shown has not been done."""
        return self.shown.kind == "check"

    @property
    def outcomes(self) -> dict[str, Any]:
        """What rows have become, or would become, in words."""
        return outcomes_of(self.shown)

    @property
    def totals(self) -> list[Total]:
        """The numbers of rows by outcome, without those that are of no interest."""
        report = self.shown.report
        is_export = self.shown.kind == "export"
        totals = [Total("total", _("Rows"), report.total, self.rows_link(ALL))]
        if is_export:
            # Keys that no object has are no rows.
            totals = []
        for name, title in self.outcomes.items():
            number = getattr(report, name)
            if number or name == (UNCHANGED if is_export else FAILED):
                totals.append(Total(name, title, number, self.rows_link(name) if number else None))
        return totals

    @property
    def reasons_title(self) -> Any:
        """What the list of reasons is about."""
        if self.shown.kind == "export":
            return _("Keys that no object has")
        if self.shown.undoes is not None:
            return (
                _("Why rows would be left alone")
                if self.is_to_do
                else _("Why rows were left alone")
            )
        return _("Why rows would fail") if self.is_to_do else _("Why rows failed")

    @property
    def reasons(self) -> list[Reason]:
        """Why rows failed or would fail, the most frequent reason first."""
        return [
            Reason(text, number, self.rows_link(FAILED, text))
            for text, number in self.shown.report.reasons
        ]

    def to_do_text(self) -> str:
        """Say in numbers what is to be done after the check that is shown."""
        report, is_undo = self.shown.report, is_preview(self.shown)
        parts = [
            self.words(_(verb, mapping={"n": self.number(count)}))
            for verb, count in self._to_do.items()
        ]
        done = ", ".join(parts) or self.words(_("nothing"))
        if not report.failed:
            text = _("Take back: ${what}") if is_undo else _("Import: ${what}")
        elif is_undo:
            text = _("Take back: ${what}; rows left alone: ${failed}")
        else:
            text = _("Import: ${what}; rows that will fail: ${failed}")
        return self.words(_(text, mapping={"what": done, "failed": self.number(report.failed)}))

    @property
    def has_to_do(self) -> bool:
        """Whether anything is to be done then."""
        return bool(self._to_do)

    @property
    def _to_do(self) -> dict[str, int]:
        """How many rows there are for each verb that has some."""
        verbs = _UNDO_VERBS if is_preview(self.shown) else _IMPORT_VERBS
        counts = {verb: getattr(self.shown.report, name) for name, verb in verbs.items()}
        return {verb: count for verb, count in counts.items() if count}

    # -- corrected rows -----------------------------------------------------------

    #: Whether corrections can be taken back here.
    can_uncorrect = False

    @cached_property
    def corrected(self) -> Corrected:
        """The cells that the run reads otherwise than they stand in the file."""
        return corrected_part(
            lambda start, limit: self.operations.corrections(self.shown.id, start, limit),
            self.field("corrected"),
        )

    def corrected_link(self, page: int) -> str:
        """Return the address of a page of corrected cells."""
        data = urlencode({**self.way, "corrected": str(page)})
        return f"{self.link(self.view_name)}?{data}#corrected"

    # -- rows of a check ----------------------------------------------------------

    @cached_property
    def rows(self) -> list[CheckedRow] | None:
        """The rows of the page that is asked for, and one more; None when no rows are kept."""
        if self.shown.kind != "check" or self.shown.state != "finished":
            return None
        try:
            return self.operations.check_rows(
                self.shown.id,
                outcome=self.outcome if self.outcome in OUTCOMES else None,
                reason=self.field("reason") or None,
                notable=self.outcome == NOTABLE,
                start=(self.page_number - 1) * ROWS,
                limit=ROWS + 1,
            )
        except NoSuchItem:
            return None

    @property
    def outcome(self) -> str:
        """The outcome that is asked for, `ALL`, or `NOTABLE`."""
        asked = self.field("show")
        return asked if asked in (*OUTCOMES, ALL) else NOTABLE

    @property
    def page_number(self) -> int:
        """Which page of rows is asked for, from 1."""
        try:
            return min(max(int(self.field("page")), 1), MOST_PAGES)
        except ValueError:
            return 1

    @property
    def filters(self) -> list[Filter]:
        """The choices of rows."""
        reason = self.field("reason")
        choices = [(NOTABLE, _("Notable rows")), (ALL, _("All rows"))]
        choices += [
            (name, title)
            for name, title in self.outcomes.items()
            if getattr(self.shown.report, name)
        ]
        found = [
            Filter(title, self._rows_link(name), not reason and name == self.outcome)
            for name, title in choices
        ]
        if reason:
            title = _(
                "Rows with the reason: ${reason}", mapping={"reason": self.recognized(reason)}
            )
            found.append(Filter(title, self._rows_link(self.outcome, reason), True))
        return found

    def turned(self, pages: int) -> str | None:
        """Return the address of a page before or behind this one, or None."""
        number = self.page_number + pages
        is_there = number > 0 if pages < 0 else len(self.rows or ()) > ROWS
        if not is_there:
            return None
        return self._rows_link(self.outcome, self.field("reason"), number)

    def place_text(self) -> str:
        """Say which of the chosen rows these are."""
        first = (self.page_number - 1) * ROWS + 1
        last = first + min(len(self.rows or ()), ROWS) - 1
        return self.words(
            _(
                "${first} to ${last} of the chosen rows",
                mapping={"first": self.number(first), "last": self.number(last)},
            )
        )

    def outcome_text(self, row: CheckedRow) -> Any:
        """Say what would become of a row."""
        return self.outcomes.get(row.outcome, row.outcome)

    def is_first_of_several(self, row: CheckedRow) -> bool:
        """Tell whether a row can be notable only because a later one means the same object."""
        is_plain = row.outcome in (CREATED, UNCHANGED) and row.same_as is None
        return is_plain and self.outcome == NOTABLE and not self.field("reason")

    def rows_link(self, outcome: str, reason: str = "") -> str | None:
        """Return where rows of an outcome are shown, if they are kept."""
        return None if self.rows is None else self._rows_link(outcome, reason)

    def _rows_link(self, outcome: str, reason: str = "", page: int = 1) -> str:
        data = {**self.way, "show": outcome, "reason": reason, "page": str(page)}
        chosen = {name: text for name, text in data.items() if text not in ("", "1")}
        return f"{self.link(self.view_name)}?{urlencode(chosen)}#rows"
