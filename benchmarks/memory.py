"""Memory of reading: the peak with a large plain file, against that with a small one."""

import os
from pathlib import Path

from benchmarks.frame import MB, Call, Outcome, alternate, median_of
from benchmarks.people import Shape, write_students
from benchmarks.reading import read_table

__all__ = ["run"]

#: What two runs over the same file may differ by is much less than this.
NOISE = 4 * MB
#: Wide enough for a GB to have fewer rows than a table may have.
SHAPE = Shape(columns=40)
SMALL_ROWS = 3_800


def run(folder: Path, quick: bool) -> Outcome:
    """Measure both files, in `folder`."""
    small, large = folder / "small.csv", folder / "large.csv"
    write_students(small, SMALL_ROWS, SHAPE)
    repeat(small, large, (64 if quick else 1024) * MB)
    sizes = [os.path.getsize(path) for path in (small, large)]
    runs = alternate(
        "memory: reading", [Call(read_table, (str(path),)) for path in (small, large)]
    )
    large.unlink()
    peaks = [median_of(found, "peak") for found in runs]
    more = peaks[1] - peaks[0]
    met = more <= NOISE
    target = f"{NOISE / MB:.0f} MB, {'met' if met else 'MISSED'}"
    lines = [
        (
            f"plain, {SHAPE.columns} columns, {size / MB:,.0f} MB",
            f"{found[0]['sound']:,.0f}",
            f"{peak / MB:.1f} MB",
            more_text,
            target_text,
        )
        for size, found, peak, more_text, target_text in zip(
            sizes, runs, peaks, ("-", f"{more / MB:.1f} MB"), ("-", target), strict=True
        )
    ]
    return Outcome(("File", "Rows", "Peak", "More", "Target"), lines, int(not met))


def repeat(source: Path, path: Path, size: int) -> None:
    """Write the header of `source` to `path`, and then its rows again and again, up to `size`."""
    header, rows = source.read_bytes().split(b"\r\n", 1)
    with open(path, "wb") as stream:
        stream.write(header + b"\r\n")
        while stream.tell() + len(rows) <= size:
            stream.write(rows)
