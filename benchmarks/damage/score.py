"""The score: nothing false without a report, and nothing sound lost."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.damage.clean import Values
from benchmarks.damage.doubt import LINE_END, plain
from benchmarks.damage.readers import Delivery, Outcome, first_lines
from benchmarks.damage.writing import Draft, Piece

__all__ = ["Verdict", "judge"]


MOST = 0.8  # a report whose text holds so much of a row is about it


class Verdict(NamedTuple):
    """`breach` says what is silently corrupt; `lost` which sound row is not delivered.

    `scored` is false where most rows are damaged, or anybody may refuse the file.
    """

    breach: str = ""
    lost: str = ""
    scored: bool = True
    line: int = 0


def judge(draft: Draft, outcome: Outcome) -> Verdict:
    """Compare what was delivered with what is true."""
    sound = _sound(draft)
    scored = bool(sound) and not draft.hopeless
    if outcome.refusal:
        return Verdict(lost=f"refused: {outcome.refusal}" if scored else "", scored=scored)
    rows = list(outcome.rows)
    delivered: set[int] = set()
    breaches = list(_breaches(draft, outcome.header, rows, delivered))
    lost = _lost(draft, sound, delivered) if scored else ""
    reported = [row for row in rows if row.problem]
    if not draft.notes and reported:
        lost = lost or f"a sound file, but {reported[0]}"
    breach, line = breaches[0] if breaches else ("", 0)
    return Verdict(breach, lost, scored, line)


def _sound(draft: Draft) -> set[int]:
    """Return the rows that no damage touched; none where they are the smaller part of the file."""
    every = {row for piece in draft.pieces for row in piece.rows}
    sound = every - {row for piece in draft.pieces if piece.touched for row in piece.rows}
    return sound if 2 * len(sound) > len(every) else set()


def _lost(draft: Draft, sound: set[int], delivered: set[int]) -> str:
    lost = sorted(sound - delivered)
    if not lost:
        return ""
    return f"{len(lost)} of {len(sound)} sound rows, the first {draft.table.rows[lost[0]]}"


def _breaches(
    draft: Draft, header: Values, rows: list[Delivery], delivered: set[int]
) -> Iterator[tuple[str, int]]:
    """Generate what is wrong, and on which line; take note of the true rows on the way."""
    width = len(draft.table.header)
    true = {_plain(row, width): number for number, row in enumerate(draft.table.rows)}
    true |= {_plain(row, width): number for row, number in draft.also.items()}
    last = -1
    for row in rows:
        if row.problem:
            continue
        if last < 0 and _plain(header, width)[:width] != _plain(draft.table.header, width):
            yield f"header {header}", row.line
        number = true.get(_plain(row.values, width))
        if number is None:
            yield f"false row {row.values}", row.line
        elif number >= 0:
            if number <= last:
                yield f"row twice, or in another order: {row.values}", row.line
            delivered.add(number)
            last = number
    yield from _silently_lost(draft, rows, delivered)


def _plain(values: Values, width: int) -> Values:
    """Return the values without empty ones beyond the width of the table."""
    cells = [plain(value) for value in values]
    while len(cells) > width and not cells[-1]:
        cells.pop()
    return tuple(cells)


def _silently_lost(
    draft: Draft, rows: list[Delivery], delivered: set[int]
) -> Iterator[tuple[str, int]]:
    missing = [piece for piece in draft.pieces if piece.rows and piece.rows[0] not in delivered]
    if not missing:
        return
    reports = [row for row in rows if row.problem]
    starts = {
        id(piece): line for piece, line in zip(draft.pieces, first_lines(draft), strict=True)
    }
    for number in sorted({piece.rows[0] for piece in missing}):
        parts = [piece for piece in missing if piece.rows[0] == number]
        if not any(
            _covers(report, part, starts[id(part)]) for part in parts for report in reports
        ):
            row = draft.table.rows[number]
            yield f"lost without a report {row}", starts[id(parts[0])]


def _covers(report: Delivery, piece: Piece, line: int) -> bool:
    """Tell whether a report is about the lines of a piece, or those next to them."""
    end = line + len(LINE_END.findall(piece.text))
    if report.line - 1 <= end and line <= report.line + len(LINE_END.findall(report.raw)) + 1:
        return True
    cells = [cell.strip('" ') for cell in piece.cells if len(cell) > 3]
    return bool(cells) and sum(cell in report.raw for cell in cells) >= MOST * len(cells)
