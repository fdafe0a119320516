"""Operations that correct rows which a check has found failing, and try them as corrected.

Corrections are kept with the draft, whose next check and import read the corrected rows; the
file stays as it was.
"""

import os
from collections.abc import Callable, Mapping
from itertools import islice
from tempfile import TemporaryDirectory
from typing import BinaryIO

from zope.schema import getFields
from zope.traversing.api import getPath

from waeup.kofa.conversion.dates import DAY_FIRST, MONTH_FIRST, date_in_order, takes_iso_dates
from waeup.kofa.errors import MappingError, NoSuchItem, Refused, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.importing.corrections import CorrectedCell, Correction, Corrections
from waeup.kofa.importing.failing import KeptRow, problems_of
from waeup.kofa.importing.plan import ValuePlan
from waeup.kofa.importing.preview import HIDDEN
from waeup.kofa.importing.reading import limits
from waeup.kofa.jobs.job import check_of
from waeup.kofa.jobs.record import Run
from waeup.kofa.jobs.trying import try_row
from waeup.kofa.ledger import Draft
from waeup.kofa.operations.acting import MANAGE
from waeup.kofa.operations.drafts import secrets_of
from waeup.kofa.operations.failing import (
    Columns,
    FailingOperations,
    kept_row,
    require_column,
    require_open,
    shown_row,
    texts_in_force,
    words_of,
)
from waeup.kofa.operations.values import CorrectedText, DateOrder, FailingRow, RowVerdict
from waeup.kofa.rights import IMPORT_DATA
from waeup.kofa.spool import TABLE_EXTENSION
from waeup.kofa.tabular import Row
from waeup.kofa.tabular.writer import TableWriter

#: The outcome of a row that would be passed over.
BLANK = "blank"


class MendingOperations(FailingOperations):
    """See `waeup.kofa.operations.Operations`."""

    # -- corrections --------------------------------------------------------------------

    def correct(self, draft: str, number: int, texts: Mapping[int, str]) -> FailingRow:
        """Let `texts` be read, by position, in place of cells of the row with a number.

        The draft's check has found it failing.  Texts that were given before stay; that of the
        file takes a correction back.  Of a damaged row all mapped cells are given, at once or
        before.  A password is kept as its hash.

        Raises `NoSuchItem` for a row that the check does not know, `MappingError` for a column
        that there is not, or a password that cannot be one, and `Refused` for a damaged row
        without all its cells.
        """
        found = self.draft(draft)
        run = self._check_of(found)
        with self._failing(run) as (reader, columns):
            row = kept_row(reader, number)
        _require_same_secrets(found, columns)
        corrections = found.corrections_to_change()
        hashed = self._hashed(run, columns, texts)
        correction = _merged(row, columns, corrections.get(number), hashed)
        corrections.keep(number, correction, columns.names)
        return shown_row(row, columns, corrections.get(number))

    def correct_like(
        self, draft: str, check: str, group: int, position: int, old: str, new: str
    ) -> int:
        """Let `new` be read wherever rows of a group have the text `old` in a column.

        Returns the number of rows.  Damaged ones are left alone, unless all their cells were
        given before.  Raises `MappingError` for a column that there is not, or of passwords.
        """
        return self._correct_group(
            draft, check, group, position, lambda text: new if text == old else None
        )

    def date_orders(self, draft: str, check: str, group: int) -> list[DateOrder]:
        """Return how dates of a group that end with their year may be meant, the likeliest first.

        None where the group is not about dates, or no order makes one of a text in force.
        """
        found = self.draft(draft)
        run = self._check_of(found, check)
        corrections = found.corrections
        with self._failing(run) as (reader, _columns):
            about = self._group(reader, group)
            field = getFields(self._processor(run.order.processor).iface).get(about.field)
            if about.position is None or not takes_iso_dates(field):
                return []
            texts = [
                text or ""
                for _row, text in texts_in_force(reader, group, about.position, corrections)
            ]
        orders = []
        for order in (DAY_FIRST, MONTH_FIRST):
            dates = [(text, meant) for text in texts if (meant := date_in_order(text, order))]
            if dates:
                orders.append(DateOrder(order, len(dates), *dates[0]))
        return sorted(orders, key=lambda found: -found.rows)

    def correct_dates(self, draft: str, check: str, group: int, order: str) -> int:
        """Let the dates of a group that end with their year be read in an order of `date_orders`.

        Returns the number of rows.  Texts that are no date so, and damaged rows, are left alone.
        Raises `MappingError` for a group that is not about dates, and for other orders.
        """
        offered = {each.order for each in self.date_orders(draft, check, group)}
        if order not in offered:
            raise MappingError(
                _(
                    "None of these cells is a date with ${order} in front. Look at them, then "
                    "correct each, or all that are alike.",
                    mapping={"order": repr(order)},
                )
            )
        return self._correct_group(
            draft, check, group, None, lambda text: date_in_order(text, order)
        )

    def uncorrect(self, draft: str, number: int | None = None) -> int:
        """Forget the corrections of a row, or (None) of all; return the number of rows."""
        corrections = self.draft(draft).corrections_to_change()
        if number is not None:
            return int(corrections.forget(number))
        count = len(corrections)
        corrections.clear()
        return count

    def corrections(self, run: str, start: int = 0, limit: int = 100) -> list[CorrectedText]:
        """List the cells that an import or a check reads otherwise than they stand in the file.

        Those of at most `limit` rows, from the one at position `start`.
        """
        return _listed(self._run(run).corrections, start, limit)

    def corrections_of(self, draft: str, start: int = 0, limit: int = 100) -> list[CorrectedText]:
        """List the cells that were corrected in a draft of the person, as `corrections` does."""
        return _listed(self.draft(draft).corrections, start, limit)

    def left_corrections(self, draft: str) -> int:
        """Return how many rows were corrected in a draft of the person whose file has gone.

        Somebody has imported, deleted or replaced it meanwhile.  0 when there is no such draft.
        """
        left = self._left_draft(draft)
        return 0 if left is None else len(left.corrections)

    def corrected_table(self, draft: str) -> tuple[str, BinaryIO]:
        """Open a table of the rows of `left_corrections` as they were corrected.

        Cells of passwords are empty.  Returns the name of the table, too; the caller closes it.
        Raises `NoSuchItem` when there are no such rows, or their check is not known any more.
        """
        self._require(IMPORT_DATA)
        left = self._left_draft(draft)
        run = None if left is None else check_of(self._runs, left)
        if left is None or run is None:
            raise NoSuchItem(
                _(
                    "There are no corrected rows of this import: none was corrected, or their "
                    "check is not kept any more. Prepare the import again, if its file is there."
                )
            )
        with (
            self._failing(run) as (reader, columns),
            TemporaryDirectory(prefix="kofa-corrected-") as folder,
        ):
            path, width = os.path.join(folder, "rows"), len(columns.names)
            with TableWriter(path, columns.names, quote_all=True) as writer:
                for number, correction in left.corrections:
                    row = reader.row(number)
                    if row is not None:
                        values = correction.applied(_source(row), width).values
                        writer.write(
                            ["" if at in columns.secrets else values[at] for at in range(width)]
                        )
            name = f"{left.filename.removesuffix(TABLE_EXTENSION)}.corrected{TABLE_EXTENSION}"
            self._log("downloaded: %s", name)
            return name, open(path, "rb")

    def corrected_since(self, draft: str) -> int:
        """Return how many rows were corrected otherwise since the draft's check was ordered.

        All that are corrected when there is no check, or it is not known any more.
        """
        found = self.draft(draft)
        run = self._runs.find(found.check or "")
        before = {} if run is None or run.corrections is None else dict(run.corrections)
        now = dict(found.corrections)
        return sum(before.get(row) != now.get(row) for row in before.keys() | now.keys())

    # -- a row, tried -------------------------------------------------------------------

    def check_row(self, draft: str, number: int, texts: Mapping[int, str]) -> RowVerdict:
        """Tell what would become of a row if it was corrected by `texts`, and change nothing.

        Cells that were corrected before are read so, too.  The real hooks are asked; what
        earlier rows of the file would do is not there for them.  Raises as `correct` does.
        """
        found = self.draft(draft)
        run = self._check_of(found)
        reader = self._reader(run)
        with self._failing(run) as (failing, columns):
            row = kept_row(failing, number)
        self._require_columns(columns, texts)
        correction = _merged(row, columns, found.corrections.get(number), dict(texts))
        result = try_row(
            self.site._p_jar.db(),
            getPath(self.site),
            self.principal.id,
            run.order,
            columns.names,
            correction.applied(_source(row), len(columns.names)),
        )
        # What the check has kept of a password cannot tell why that is none.
        untold = [
            problem
            for problem in row.problems
            if problem.position in columns.secrets - correction.texts.keys()
        ]
        if result is None:
            return RowVerdict(BLANK, (), (), None)
        problems = [*untold, *problems_of(result, columns.positions)]
        return RowVerdict(
            outcome="failed" if untold else result.outcome,
            errors=tuple((p.position, p.message) for p in problems if p.position is not None),
            messages=tuple(words_of(p.field, p.message) for p in problems if p.position is None),
            same_as=reader.same_object(result.key, number) if result.key else None,
        )

    # -- helpers ------------------------------------------------------------------------

    def _left_draft(self, id: str) -> Draft | None:
        self._require(MANAGE)
        left = self.datacenter.ledger.left_draft(id)
        return left if left is not None and left.owner == self.principal.id else None

    def _correct_group(
        self,
        draft: str,
        check: str,
        group: int,
        position: int | None,
        corrected: Callable[[str], str | None],
    ) -> int:
        """Correct cells of a group's rows in a column (default: its own); return how many.

        `corrected` says what is to be read in place of a text, None for one that stays.
        """
        found = self.draft(draft)
        run = self._check_of(found, check)
        corrections = found.corrections_to_change()
        count = 0
        with self._failing(run) as (reader, columns):
            about = self._group(reader, group)
            at = about.position if position is None else position
            assert at is not None
            require_open(columns, at)
            _require_same_secrets(found, columns)
            for row, text in list(texts_in_force(reader, group, at, corrections)):
                new = None if text is None else corrected(text)
                if new is None or new == text:
                    continue
                kept = kept_row(reader, row)
                merged = _merged(kept, columns, corrections.get(row), {at: new})
                corrections.keep(row, merged, columns.names)
                count += 1
        return count

    def _hashed(self, run: Run, columns: Columns, texts: Mapping[int, str]) -> dict[int, str]:
        """Return texts as they may be kept: passwords are hashes."""
        self._require_columns(columns, texts)
        kept = dict(texts)
        iface = self._processor(run.order.processor).iface
        for position in columns.secrets & kept.keys():
            field = columns.fields[position]
            assert field is not None
            row = {field: kept[position]}
            plan = ValuePlan(iface, [field], self.site)
            errors = plan.protect(row)
            if errors or field not in plan.secrets:
                reasons = "; ".join(message for _field, message in errors)
                raise MappingError(
                    _(
                        "${field}: ${text}. Nothing was kept.",
                        mapping={
                            "field": field,
                            "text": reasons or _("this looks like a password, and is none"),
                        },
                    )
                )
            kept[position] = row[field]
        return kept

    def _require_columns(self, columns: Columns, texts: Mapping[int, str]) -> None:
        """Raise `MappingError` for texts of columns that cannot be corrected."""
        for position in texts:
            require_column(columns, position)
            if position in columns.secrets and columns.fields[position] is None:
                raise MappingError(
                    _(
                        "${names} looks like a password, and is not imported: it cannot be "
                        "corrected.",
                        mapping={"names": columns.names[position]},
                    )
                )


def _require_same_secrets(draft: Draft, columns: Columns) -> None:
    """Raise `MappingError` when a column became one of passwords after the check.

    Its texts would be kept as they are.
    """
    if not secrets_of(draft, columns.names) <= columns.secrets:
        raise MappingError(
            _(
                "Since ${filename} was checked, another column fills a password. Check "
                "the file again, then correct its rows.",
                mapping={"filename": draft.filename},
            )
        )


def _merged(
    row: KeptRow, columns: Columns, former: Correction | None, texts: Mapping[int, str]
) -> Correction:
    """Return the correction of a row by `texts`, and by what was given before.

    Raises `Refused` for a damaged row without all its cells, and `TooLarge` when no table could
    hold the row.
    """
    given = {**(former.texts if former is not None else {}), **texts}
    if row.is_damaged:
        missing = [
            name
            for at, (name, field) in enumerate(zip(columns.names, columns.fields, strict=True))
            if field is not None and at not in given
        ]
        if missing:
            raise Refused(
                _(
                    "Row ${number} is damaged: its cells may belong to other columns. Give "
                    "the texts of all columns; missing: ${missing}.",
                    mapping={"number": row.number, "missing": ", ".join(missing)},
                )
            )
    cells = []
    for position, new in sorted(given.items()):
        old = row.cells[position] if position < len(row.cells) else ""
        if position in columns.secrets:
            cells.append(CorrectedCell(position, None, new))
        elif row.is_damaged or new != old:
            cells.append(CorrectedCell(position, old, new))
    correction = Correction(tuple(cells), row.is_damaged)
    read = correction.applied(_source(row), len(columns.names))
    if sum(map(len, read.values)) > limits().line:
        raise TooLarge(
            _(
                "Row ${number} may have ${line} characters. Shorten the text.",
                mapping={"number": row.number, "line": Number(limits().line)},
            )
        )
    return correction


def _source(row: KeptRow) -> Row:
    """Return a kept row as the engine takes it."""
    return Row(row.number, row.line, row.cells)


def _listed(corrections: Corrections | None, start: int, limit: int) -> list[CorrectedText]:
    if corrections is None:
        return []
    return [
        CorrectedText(
            number,
            cell.position,
            corrections.header[cell.position],
            HIDDEN if cell.old is None else cell.old,
            HIDDEN if cell.old is None else cell.new,
        )
        for number, correction in islice(corrections, start, start + limit)
        for cell in correction.cells
    ]
