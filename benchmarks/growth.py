"""What a large file costs more than a small one: speed against the floor, and memory."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import runs
from benchmarks.frame import MB, ROUNDS, Outcome, Run, median_of, ratio, rounds_made

__all__ = ["run"]

#: Rows of the small and of the large file.
FEW, MANY = 50_000, 1_000_000
#: The least part of the ratio that is left, and the most times of memory that are taken.
RATIO, MEMORY = 0.9, 1.2


def run(folder: Path, quick: bool, rows: int | None = None, rounds: int | None = None) -> Outcome:
    """Measure both sizes; `rows` are those of the large file."""
    few, many = (FEW // 10, FEW) if quick else (FEW, rows or MANY)
    rounds = rounds or (1 if quick else ROUNDS)
    lines, ratios, peaks = [], [], []
    for number in (few, many):
        own = folder / str(number)
        own.mkdir()
        low, found = runs.measure(own, ["create"], number, rounds)
        ratios.append(ratio(low, found["create"]))
        peaks.append(median_of(found["create"], "peak"))
        lines.append(_line(number, low, found["create"]))
    left, more = ratios[1] / ratios[0], peaks[1] / peaks[0]
    missed = [left < RATIO, more > MEMORY]
    met = ["MISSED" if each else "met" for each in missed]
    lines.append(
        (
            "large to small",
            *("-", "-"),
            f"{left:.2f} (target {RATIO}, {met[0]})",
            f"{more:.2f} (target {MEMORY}, {met[1]})",
            "-",
        )
    )
    heading = ("Rows", "Floor", "Run", "Ratio", "Peak", "Bytes")
    return Outcome(heading, lines, sum(missed), rounds_made(rounds))


def _line(rows: int, low: Sequence[Run], found: Sequence[Run]) -> tuple[str, ...]:
    return (
        f"{rows:,}",
        f"{rows / median_of(low, 'seconds'):,.0f}",
        f"{rows / median_of(found, 'seconds'):,.0f}",
        f"{ratio(low, found):.3f}",
        f"{median_of(found, 'peak') / MB:,.1f} MB",
        f"{median_of(found, 'bytes'):,.0f} ({median_of(low, 'bytes'):,.0f})",
    )
