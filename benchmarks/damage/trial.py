"""A trial: a reader reads the damaged files of a seed, and the judge says what is wrong."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.damage.readers import READERS, Outcome, first_lines
from benchmarks.damage.score import Verdict, judge
from benchmarks.damage.writing import Draft, Piece

__all__ = ["KEPT_AT_LEAST", "Trial", "try_reader"]

#: Part of the files of which all sound rows have to be delivered.
KEPT_AT_LEAST = 0.98


class Trial(NamedTuple):
    """Numbers of files by the name of their damage, and what went wrong.

    Of all `files`, `corrupt` hand out something false or lose something without a word.
    Of those that are `scored`, all sound rows of `kept` ones are delivered.
    """

    files: Counter[str]
    corrupt: Counter[str]
    scored: Counter[str]
    kept: Counter[str]
    failures: list[str]

    @property
    def share(self) -> float:
        """The part of the scored files that is kept."""
        return self.kept.total() / self.scored.total() if self.scored else 1.0

    @property
    def is_good(self) -> bool:
        """Whether no file is corrupt, and enough are kept."""
        return not self.corrupt.total() and self.share >= KEPT_AT_LEAST


def try_reader(
    name: str, drafts: Iterable[tuple[str, Draft]], folder: Path, keep: bool = False
) -> Trial:
    """Let the reader called `name` read all `drafts`; `keep` leaves the files in `folder`."""
    trial = Trial(Counter(), Counter(), Counter(), Counter(), [])
    for number, (family, draft) in enumerate(drafts):
        path = folder / f"{number:05}.csv"
        path.write_bytes(b"".join(piece.data for piece in draft.pieces))
        outcome = READERS[name](path, draft)
        verdict = judge(draft, outcome)
        trial.files[family] += 1
        trial.corrupt[family] += bool(verdict.breach)
        trial.scored[family] += verdict.scored
        trial.kept[family] += verdict.scored and not verdict.lost
        if verdict.breach or verdict.lost:
            trial.failures.append(_describe(path.name, family, draft, outcome, verdict))
        if not keep:
            path.unlink()
    return trial


def _describe(name: str, family: str, draft: Draft, outcome: Outcome, verdict: Verdict) -> str:
    """Return what went wrong with a file, and the bytes around the damage."""
    word = "CORRUPT" if verdict.breach else "NOT KEPT"
    rows = len(draft.table.rows)
    lines = [
        f"{word} {name} [{family}] {draft.table.name}, {rows} rows, {draft.dialect}",
        f"    damage: {' + '.join(draft.notes) or 'none'}",
    ]
    lines += [f"    breach, line {verdict.line}: {verdict.breach}"] * bool(verdict.breach)
    lines += [f"    lost: {verdict.lost}"] * bool(verdict.lost)
    reports = [row for row in outcome.rows if row.problem]
    lines += [
        f"    reported, line {row.line}: {row.problem} {row.raw[:120]!r}" for row in reports[:4]
    ]
    near = _near(draft, verdict.line)
    for at, line in enumerate(first_lines(draft)):
        piece = draft.pieces[at]
        if at in near:
            mark = "*" if piece.touched else " "
            true = [draft.table.rows[row] for row in piece.rows] if piece.touched else ""
            lines.append(f"   {mark}{line}: {_shown(piece, draft)} {true}")
    return "\n".join(lines) + "\n"


def _shown(piece: Piece, draft: Draft) -> str:
    if draft.dialect.encoding.startswith("utf-16"):
        return repr(piece.data.decode(draft.dialect.encoding, "replace")[:200])
    return repr(piece.data[:200])


def _near(draft: Draft, line: int) -> set[int]:
    """Return the indexes of the pieces to show: the header, those of the line, and the damaged."""
    starts = first_lines(draft)
    touched = [at for at, piece in enumerate(draft.pieces) if piece.touched]
    around = {at + step for at in touched[:4] for step in (-1, 0, 1)}
    around |= {at for at, start in enumerate(starts) if line and abs(start - line) <= 1}
    return around | {draft.start() - 1}
