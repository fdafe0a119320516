"""Operations that show rows which a check has found failing, in groups of like problems.

The check has kept them in its folder (`waeup.kofa.importing.failing`).  They are shown as they
are corrected in a draft, where one is named; `waeup.kofa.operations.mending` corrects them.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from waeup.kofa.errors import MappingError, NoSuchItem, WrongState
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.checking import CheckReader, failing_path
from waeup.kofa.importing.corrections import Correction, Corrections
from waeup.kofa.importing.failing import FailingReader, KeptRow, ProblemGroup
from waeup.kofa.importing.preview import HIDDEN
from waeup.kofa.jobs.job import folder_of
from waeup.kofa.jobs.record import CHECK, FINISHED, Run
from waeup.kofa.ledger import Draft
from waeup.kofa.operations.runs import RunOperations
from waeup.kofa.operations.values import CellInfo, FailingRow, LikeCell
from waeup.kofa.spool import TABLE_EXTENSION


class Columns:
    """The columns of a checked table: names, fields, and which are secret."""

    def __init__(self, found: list[tuple[str, str | None, bool]]) -> None:
        self.names = tuple(name for name, _field, _secret in found)
        self.fields = tuple(field for _name, field, _secret in found)
        self.secrets = {at for at, (_name, _field, secret) in enumerate(found) if secret}

    @property
    def positions(self) -> dict[str, int]:
        """The position of the column of each field."""
        return {field: at for at, field in enumerate(self.fields) if field is not None}


class FailingOperations(RunOperations):
    """See `waeup.kofa.operations.Operations`."""

    # -- groups, rows and texts -------------------------------------------------------

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
            return [shown_row(row, columns, corrections.get(row.number)) for row in rows]

    def failing_row(self, draft: str, number: int) -> FailingRow:
        """Return a row that the check of a draft has found failing, as it is corrected there."""
        found = self.draft(draft)
        with self._failing(self._check_of(found)) as (reader, columns):
            return shown_row(kept_row(reader, number), columns, found.corrections.get(number))

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
            require_open(columns, position)
            texts = Counter(
                text
                for _row, text in texts_in_force(reader, group, position, corrections)
                if text is not None
            )
        return [LikeCell(text, rows) for text, rows in texts.most_common(limit)]

    # -- helpers ------------------------------------------------------------------------

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
    def _failing(self, run: Run) -> Iterator[tuple[FailingReader, Columns]]:
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
            yield reader, Columns(found)

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


def kept_row(reader: FailingReader, number: int) -> KeptRow:
    """Return a row that fails; raises `NoSuchItem` for one of which the check knows nothing."""
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


def require_column(columns: Columns, position: int) -> None:
    """Raise `MappingError` for a column that there is not."""
    if not 0 <= position < len(columns.names):
        raise MappingError(
            _(
                "There is no column ${position}: the table has ${number} columns.",
                mapping={"position": position + 1, "number": len(columns.names)},
            )
        )


def require_open(columns: Columns, position: int) -> None:
    """Raise `MappingError` for a column that there is not, or whose texts nobody is shown."""
    require_column(columns, position)
    if position in columns.secrets:
        raise MappingError(
            _(
                "${names} cannot be the same for several rows: a password is nobody "
                "else's business. Correct each row.",
                mapping={"names": columns.names[position]},
            )
        )


def texts_in_force(
    reader: FailingReader, group: int, position: int, corrections: Corrections
) -> Iterator[tuple[int, str | None]]:
    """Generate number and text in force of a group's rows; None for a damaged cell."""
    for number, is_damaged, text in reader.texts(group, position):
        correction = corrections.get(number)
        if correction is not None and (correction.whole or position in correction.texts):
            yield number, correction.texts.get(position, "")
        else:
            yield number, None if is_damaged else text


def shown_row(row: KeptRow, columns: Columns, correction: Correction | None) -> FailingRow:
    """Return a row as people see it."""
    width, texts = len(columns.names), {} if correction is None else correction.texts
    messages: dict[int | None, list[str]] = {}
    for problem in row.problems:
        words = problem.message
        if problem.position is None:
            words = words_of(problem.field, problem.message)
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


def words_of(field: str, message: str) -> str:
    """Return what is wrong with a field that no column fills, or with a row."""
    return f"{field}: {message}" if field else message
