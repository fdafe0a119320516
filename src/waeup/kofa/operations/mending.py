"""Operations on rows that a check has found failing: seen in groups, corrected, tried.

Corrections are kept with the draft, whose next check and import read the corrected rows; the
file stays as it was.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, BinaryIO

from zope.component import queryUtility
from zope.schema import getFields
from zope.traversing.api import getPath

from waeup.kofa.conversion import is_ignored_column, propose
from waeup.kofa.conversion.dates import DAY_FIRST, MONTH_FIRST, date_in_order, takes_iso_dates
from waeup.kofa.errors import MappingError, NoSuchItem, Refused, TableError, TooLarge, WrongState
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.importing.checking import CheckReader, failing_path
from waeup.kofa.importing.corrections import (
    CorrectedCell,
    Correction,
    Corrections,
    secret_positions,
)
from waeup.kofa.importing.failing import FailingReader, KeptRow, ProblemGroup, problems_of
from waeup.kofa.importing.plan import ValuePlan
from waeup.kofa.importing.preview import HIDDEN
from waeup.kofa.importing.reading import AS_FOUND, limits
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.job import folder_of
from waeup.kofa.jobs.record import CHECK, FINISHED, IMPORT, Run
from waeup.kofa.jobs.trying import try_row
from waeup.kofa.ledger import Draft
from waeup.kofa.operations.runs import RunOperations
from waeup.kofa.operations.values import (
    CellInfo,
    CorrectedText,
    DateOrder,
    FailingRow,
    LikeCell,
    RowVerdict,
)
from waeup.kofa.spool import PENDING_SUFFIX, TABLE_EXTENSION
from waeup.kofa.tabular import Row

#: The outcome of a row that would be passed over.
BLANK = "blank"


class _Columns:
    """The columns of a checked table: names, fields, and which are secret."""

    def __init__(self, found: list[tuple[str, str | None, bool]]) -> None:
        self.names = tuple(name for name, _field, _secret in found)
        self.fields = tuple(field for _name, field, _secret in found)
        self.secrets = {at for at, (_name, _field, secret) in enumerate(found) if secret}

    @property
    def positions(self) -> dict[str, int]:
        """The position of the column of each field."""
        return {field: at for at, field in enumerate(self.fields) if field is not None}


class MendingOperations(RunOperations):
    """See `waeup.kofa.operations.Operations`."""

    # -- what fails -------------------------------------------------------------------

    def problem_groups(self, check: str, limit: int = 100) -> list[ProblemGroup]:
        """Return groups of like problems that a check has found, the most frequent first."""
        with self._failing(self._finished_check(check)) as (reader, _columns):
            return reader.groups(limit)

    def failing_rows(
        self,
        check: str,
        group: int | None = None,
        start: int = 0,
        limit: int = 50,
        *,
        draft: str | None = None,
    ) -> list[FailingRow]:
        """Return rows that a check has found failing, from the one at position `start`.

        Only those of a `group`, by its id.  They are shown as corrected in a `draft` of the
        person, otherwise as they were when the check was ordered.
        """
        run = self._finished_check(check)
        corrections = self._corrections_in_force(run, draft)
        with self._failing(run) as (reader, columns):
            rows = reader.rows(group, start, limit)
            return [_shown(row, columns, corrections.get(row.number)) for row in rows]

    def failing_row(self, draft: str, number: int) -> FailingRow:
        """Return a row that the check of a draft has found failing, as it is corrected there."""
        found = self.draft(draft)
        with self._failing(self._check_of(found)) as (reader, columns):
            return _shown(_kept(reader, number), columns, found.corrections.get(number))

    def failing_table(self, check: str) -> tuple[str, BinaryIO]:
        """Open a table of the rows that a check has found failing; return its name, too.

        It is like the pending file that the import would leave.  The caller closes it.
        """
        run = self._finished_check(check)
        path = failing_path(folder_of(self.datacenter.storage, run.id))
        if not os.path.exists(path):
            raise NoSuchItem(
                _(
                    "There is no table of failing rows: no row failed, or the rows of this "
                    "check are not kept any more. Check the file again."
                )
            )
        stem = run.order.file.removesuffix(TABLE_EXTENSION)
        name = f"{stem}.{run.order.mode}.failing{TABLE_EXTENSION}"
        self._log("downloaded: %s", name)
        return name, open(path, "rb")

    def like_cells(
        self,
        check: str,
        group: int,
        position: int | None = None,
        limit: int = 100,
        *,
        draft: str | None = None,
    ) -> list[LikeCell]:
        """Return which texts the rows of a group have in a column, the most frequent first.

        Without `position` it is the column that the group is about.  Texts are those in force,
        as in `failing_rows`.  Raises `MappingError` for a column of passwords.
        """
        run = self._finished_check(check)
        corrections = self._corrections_in_force(run, draft)
        with self._failing(run) as (reader, columns):
            if position is None:
                position = self._group(reader, group).position
                if position is None:
                    raise MappingError(
                        _("This problem concerns whole rows. Say which column is to be shown.")
                    )
            _require_open(columns, position)
            texts = Counter(
                text
                for _row, text in _texts(reader, group, position, corrections)
                if text is not None
            )
        return [LikeCell(text, rows) for text, rows in texts.most_common(limit)]

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
            row = _kept(reader, number)
        _require_same_secrets(found, columns)
        corrections = found.corrections_to_change()
        hashed = self._hashed(run, columns, texts)
        correction = _merged(row, columns, corrections.get(number), hashed)
        corrections.keep(number, correction, columns.names)
        return _shown(row, columns, corrections.get(number))

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
                text or "" for _row, text in _texts(reader, group, about.position, corrections)
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

    def corrected_since(self, draft: str) -> int:
        """Return how many rows were corrected otherwise since the draft's check was ordered.

        All that are corrected when there is no check, or it is not known any more.
        """
        found = self.draft(draft)
        run = self._runs.find(found.check or "")
        before = {} if run is None or run.corrections is None else dict(run.corrections)
        now = dict(found.corrections)
        return sum(before.get(row) != now.get(row) for row in before.keys() | now.keys())

    def check_row(self, draft: str, number: int, texts: Mapping[int, str]) -> RowVerdict:
        """Tell what would become of a row if it was corrected by `texts`, and change nothing.

        Cells that were corrected before are read so, too.  The real hooks are asked; what
        earlier rows of the file would do is not there for them.  Raises as `correct` does.
        """
        found = self.draft(draft)
        run = self._check_of(found)
        reader = self._reader(run)
        with self._failing(run) as (failing, columns):
            row = _kept(failing, number)
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
            messages=tuple(_words(p.field, p.message) for p in problems if p.position is None),
            same_as=reader.same_object(result.key, number) if result.key else None,
        )

    # -- drafts -------------------------------------------------------------------------

    def new_draft(self, filename: str) -> Draft:
        """Begin to prepare the import of a pending file as it is now.

        That of a file with rows that an import has left has the processor, the mode and the
        columns of that import.
        """
        draft = super().new_draft(filename)
        maker = self._maker_of(filename) if filename.endswith(PENDING_SUFFIX) else None
        if maker is not None:
            order = maker.order
            draft.processor, draft.mode = order.processor, order.mode
            with suppress(TableError, TooLarge):
                header = self._header(filename, AS_FOUND)
                columns = tuple(propose(header, order.mapping.fields))
                if all(map(_is_settled, header, columns)):
                    draft.columns = columns
                    draft.values = tuple(pair for pair in order.values if pair[0] in columns)
        return draft

    def save_draft(self, id: str, **changes: Any) -> Draft:
        """Change attributes of a draft of the person.

        When the file is to be read otherwise, the corrections of its rows are forgotten; when a
        column becomes one of passwords, or is none any more, those of its cells.  Raises
        `MappingError` for a password among the constants, and for texts that stand for
        passwords: they would be kept as they are.  `check` and `run` are those of a check and of
        an import of the file, as it is looked at: `Refused` is raised for others, and
        `NoSuchItem` or `NotAllowed` for one that the person cannot see.
        """
        draft = self.draft(id)
        for name in ("check", "run"):
            self._require_own_run(draft, name, changes.get(name))
        reading, secrets = draft.reading, _secrets_of(draft, draft.corrections.header)
        draft = super().save_draft(id, **changes)
        changed = secrets ^ _secrets_of(draft, draft.corrections.header)
        if draft.reading != reading:
            draft.corrections_to_change().clear()
        elif changed:
            draft.corrections_to_change().forget_columns(changed)
        return draft

    # -- helpers ------------------------------------------------------------------------

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
            _require_open(columns, at)
            _require_same_secrets(found, columns)
            for row, text in list(_texts(reader, group, at, corrections)):
                new = None if text is None else corrected(text)
                if new is None or new == text:
                    continue
                kept = _kept(reader, row)
                merged = _merged(kept, columns, corrections.get(row), {at: new})
                corrections.keep(row, merged, columns.names)
                count += 1
        return count

    def _require_own_run(self, draft: Draft, name: str, id: str | None) -> None:
        """Raise `Refused` when the ``check``, or ``run``, of a draft would be of another file."""
        if id is None or id == getattr(draft, name):
            return
        order, kind = self._run(id).order, CHECK if name == "check" else IMPORT
        is_it = order.kind == kind and order.undoes is None
        if is_it and (order.file, order.digest) == (draft.filename, draft.digest):
            return
        text = (
            _(
                "The run ${id} is no check of ${filename} as the draft knows it. Name one that "
                "was ordered for this content."
            )
            if kind == CHECK
            else _(
                "The run ${id} is no import of ${filename} as the draft knows it. Name one that "
                "was ordered for this content."
            )
        )
        raise Refused(_(text, mapping={"id": id, "filename": draft.filename}))

    def _finished_check(self, id: str) -> Run:
        """Return the check of an import; raises `WrongState` when it is none, or not finished."""
        run = self._run(id)
        if run.order.kind != CHECK or run.order.undoes is not None or run.state != FINISHED:
            raise WrongState(
                _(
                    "The ${title} is ${state}, and no finished check of an import. Check the "
                    "file first.",
                    mapping={"title": run.words, "state": _(run.state)},
                )
            )
        return run

    def _check_of(self, draft: Draft, id: str | None = None) -> Run:
        """Return a check of what a draft is about (default: its own)."""
        id = id or draft.check
        if id is None:
            raise WrongState(
                _(
                    "${filename} was not checked as it is now. Check it first.",
                    mapping={"filename": draft.filename},
                )
            )
        run = self._finished_check(id)
        if (run.order.digest, run.order.reading) != (draft.digest, draft.reading):
            raise MappingError(
                _(
                    "The ${title} is about other content, or was read otherwise. Check it again.",
                    mapping={"title": run.words},
                )
            )
        return run

    def _corrections_in_force(self, run: Run, draft: str | None) -> Corrections:
        if draft is None:
            return Corrections() if run.corrections is None else run.corrections
        found = self.draft(draft)
        self._check_of(found, run.id)
        return found.corrections

    def _reader(self, run: Run) -> CheckReader:
        return CheckReader(folder_of(self.datacenter.storage, run.id))

    @contextmanager
    def _failing(self, run: Run) -> Iterator[tuple[FailingReader, _Columns]]:
        """Give what a check has kept of the rows that fail; raises `NoSuchItem`."""
        with self._reader(run).failing() as reader:
            found = reader.columns()
            if not found:
                raise NoSuchItem(
                    _(
                        "This check has kept no rows: the processor imports whole tables, or the "
                        "check is of before rows could be corrected. Correct the file."
                    )
                )
            yield reader, _Columns(found)

    def _group(self, reader: FailingReader, id: int) -> ProblemGroup:
        group = reader.group(id)
        if group is None:
            raise NoSuchItem(
                _(
                    "The check knows no group ${id} of problems. List them again.",
                    mapping={"id": id},
                )
            )
        return group

    def _hashed(self, run: Run, columns: _Columns, texts: Mapping[int, str]) -> dict[int, str]:
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

    def _require_columns(self, columns: _Columns, texts: Mapping[int, str]) -> None:
        """Raise `MappingError` for texts of columns that cannot be corrected."""
        for position in texts:
            _require_column(columns, position)
            if position in columns.secrets and columns.fields[position] is None:
                raise MappingError(
                    _(
                        "${names} looks like a password, and is not imported: it cannot be "
                        "corrected.",
                        mapping={"names": columns.names[position]},
                    )
                )

    def _maker_of(self, filename: str) -> Run | None:
        """Return the import that has left a pending file, if the person may do the like.

        Of one that was replaced since, the last one that has left a file of that name.
        """
        entry = self.datacenter.ledger.entry(filename)
        maker = None if entry is None or entry.run is None else self._runs.find(entry.run)
        if maker is None:
            made = (run for run in self._runs.newest() if _has_left(run, filename))
            maker = next(made, None)
        if maker is None:
            return None
        processor = queryUtility(IBatchProcessor, name=maker.order.processor)
        return maker if processor is not None and self.may(processor.permission) else None


def _is_settled(name: str, field: str | None) -> bool:
    """Tell whether nobody needs to say what becomes of a column."""
    return field is not None or is_ignored_column(name)


def _has_left(run: Run, pending: str) -> bool:
    """Tell whether a pending file holds the failed rows of a run."""
    if run.order.kind != IMPORT or run.report is None:
        return False
    return bool(run.report["pending"] == pending)


def _secrets_of(draft: Draft, header: Sequence[str]) -> set[int]:
    """Return the columns of passwords in a table with this header, as a draft maps it."""
    processor = queryUtility(IBatchProcessor, name=draft.processor or "")
    iface = None if processor is None else processor.iface
    return secret_positions(header, draft.columns or (), iface)


def _require_same_secrets(draft: Draft, columns: _Columns) -> None:
    """Raise `MappingError` when a column became one of passwords after the check.

    Its texts would be kept as they are.
    """
    if not _secrets_of(draft, columns.names) <= columns.secrets:
        raise MappingError(
            _(
                "Since ${filename} was checked, another column fills a password. Check "
                "the file again, then correct its rows.",
                mapping={"filename": draft.filename},
            )
        )


def _kept(reader: FailingReader, number: int) -> KeptRow:
    row = reader.row(number)
    if row is None:
        raise NoSuchItem(
            _(
                "The check has not found row ${number} failing, thus its cells are not "
                "known. Only such rows can be corrected.",
                mapping={"number": number},
            )
        )
    return row


def _require_column(columns: _Columns, position: int) -> None:
    if not 0 <= position < len(columns.names):
        raise MappingError(
            _(
                "There is no column ${position}: the table has ${number} columns.",
                mapping={"position": position + 1, "number": len(columns.names)},
            )
        )


def _require_open(columns: _Columns, position: int) -> None:
    """Raise `MappingError` for a column that there is not, or whose texts nobody is shown."""
    _require_column(columns, position)
    if position in columns.secrets:
        raise MappingError(
            _(
                "${names} cannot be the same for several rows: a password is nobody "
                "else's business. Correct each row.",
                mapping={"names": columns.names[position]},
            )
        )


def _merged(
    row: KeptRow, columns: _Columns, former: Correction | None, texts: Mapping[int, str]
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


def _texts(
    reader: FailingReader, group: int, position: int, corrections: Corrections
) -> Iterator[tuple[int, str | None]]:
    """Generate number and text in force of a group's rows; None for a damaged cell."""
    for number, is_damaged, text in reader.texts(group, position):
        correction = corrections.get(number)
        if correction is not None and (correction.whole or position in correction.texts):
            yield number, correction.texts.get(position, "")
        else:
            yield number, None if is_damaged else text


def _shown(row: KeptRow, columns: _Columns, correction: Correction | None) -> FailingRow:
    """Return a row as people see it."""
    width, texts = len(columns.names), {} if correction is None else correction.texts
    messages: dict[int | None, list[str]] = {}
    for problem in row.problems:
        words = problem.message
        if problem.position is None:
            words = _words(problem.field, problem.message)
        messages.setdefault(problem.position, []).append(words)
    cells = []
    for at in range(max(width, len(row.cells))):
        is_secret = at in columns.secrets
        text = row.cells[at] if at < len(row.cells) else ""
        corrected = texts.get(at)
        cells.append(
            CellInfo(
                position=at,
                name=columns.names[at] if at < width else "",
                field=columns.fields[at] if at < width else None,
                text=HIDDEN if is_secret and text else text,
                corrected=HIDDEN if is_secret and corrected else corrected,
                message=" ".join(messages.get(at, ())),
                secret=is_secret,
            )
        )
    return FailingRow(
        number=row.number,
        line=row.line,
        cells=tuple(cells),
        messages=tuple(messages.get(None, ())),
        is_damaged=row.is_damaged,
        raw=row.raw,
        is_corrected=correction is not None,
    )


def _words(field: str, message: str) -> str:
    """Return what is wrong with a field that no column fills, or with a row."""
    return f"{field}: {message}" if field else message


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
