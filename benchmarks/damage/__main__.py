"""The command `python -m benchmarks.damage`; exit code 1 says that a reader is not good enough."""

import argparse
import re
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.damage.corpus import make_drafts
from benchmarks.damage.readers import READERS, Outcome, first_lines
from benchmarks.damage.score import Verdict, judge
from benchmarks.damage.writing import Draft, Piece

KEPT_AT_LEAST = 0.98
SHOWN = 10


def main() -> int:
    options = _options()
    counts = {part: Counter[str]() for part in ("files", "corrupt", "scored", "kept")}
    failures = []
    began = time.perf_counter()
    with TemporaryDirectory(prefix="kofa-damage-") as temporary:
        folder = Path(options.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        drafts = make_drafts(options.seed, options.files, re.compile(options.only).search)
        for number, (family, draft) in enumerate(drafts):
            path = folder / f"{number:05}.csv"
            path.write_bytes(b"".join(piece.data for piece in draft.pieces))
            outcome = READERS[options.reader](path, draft)
            verdict = judge(draft, outcome)
            counts["files"][family] += 1
            counts["corrupt"][family] += bool(verdict.breach)
            counts["scored"][family] += verdict.scored
            counts["kept"][family] += verdict.scored and not verdict.lost
            if verdict.breach or verdict.lost:
                failures.append(_describe(path.name, family, draft, outcome, verdict))
            if not options.keep:
                path.unlink()
    return _print(options, counts, failures, time.perf_counter() - began)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.damage",
        description="Damage tables in many ways, and judge what a reader makes of them.",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--only", default="", metavar="REGEX", help="families of damage")
    parser.add_argument("--reader", default="kofa", choices=READERS)
    parser.add_argument("--report", metavar="FILE", help="write down all that went wrong")
    parser.add_argument("--keep", metavar="FOLDER", help="leave the files there")
    return parser.parse_args()


def _print(
    options: argparse.Namespace,
    counts: dict[str, Counter[str]],
    failures: list[str],
    seconds: float,
) -> int:
    print(f"{'damage':58} files corrupt  kept")
    for family in sorted(counts["files"]):
        _print_line(family, *(counts[part][family] for part in counts))
    sums = [counter.total() for counter in counts.values()]
    _print_line("all", *sums)
    files, corrupt, scored, kept = sums
    share = kept / scored if scored else 1.0
    print(
        f"\nseed {options.seed}, reader {options.reader}: {files} files, {corrupt} silently"
        f" corrupt, {kept} of {scored} kept ({share:.2%}), {seconds:.0f} s"
    )
    if options.report:
        Path(options.report).write_text("\n".join(failures), encoding="utf-8")
    elif failures:
        print("\nFor example (--report FILE for all):\n")
        print("\n".join(failures[:: max(1, len(failures) // SHOWN)][:SHOWN]))
    return int(corrupt > 0 or share < KEPT_AT_LEAST)


def _print_line(family: str, files: int, corrupt: int, scored: int, kept: int) -> None:
    print(f"{family:58} {files:5} {corrupt or '-':>7} {kept:5}/{scored}")


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


if __name__ == "__main__":
    sys.exit(main())
