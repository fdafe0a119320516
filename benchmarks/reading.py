"""Reading: rows a second of `open_table`, against `csv.reader` over the same file.

The floor gives lists and checks nothing.  Both are timed from the opening of the
file to its last row.  Of a damaged file the floor reads the rows as they were
before: behind a quote that is never closed it would swallow many, and have less to do.
"""

import csv
from pathlib import Path
from time import perf_counter

from benchmarks.frame import Call, Outcome, Run, alternate, median_of, ratio
from benchmarks.people import Shape, write_students
from waeup.kofa.tabular import open_table

__all__ = ["run"]

ROWS = 200_000
#: Rows a second of the plain file, in parts of those of the floor.
TARGET = 0.5

PLAIN = "plain, 12 columns"
SHAPES = {
    PLAIN: Shape(),
    "one quoted cell a row": Shape(joint=", "),
    "all cells quoted": Shape(quoted=True),
    "a cell of two lines a row": Shape(joint="\n"),
    "1 % of the rows damaged": Shape(damaged=0.01),
    "semicolons, Windows-1252": Shape(delimiter=";", encoding="cp1252"),
    "3 columns": Shape(columns=3),
    "100 columns": Shape(columns=100),
}


def run(folder: Path, quick: bool) -> Outcome:
    """Measure all shapes, with files in `folder`."""
    lines, missed = [], 0
    for name, shape in SHAPES.items():
        # Wide rows take longer to write than to read; a fifth of them is enough.
        rows = ROWS // (10 if quick else 1) // (5 if shape.columns > 20 else 1)
        path, sound_path = folder / "students.csv", folder / "sound.csv"
        damaged = write_students(path, rows, shape)
        write_students(sound_path, rows, shape._replace(damaged=0.0))
        floor, ours = alternate(
            f"reading: {name}",
            [
                Call(read_floor, (str(sound_path), shape.encoding, shape.delimiter)),
                Call(read_table, (str(path),)),
            ],
        )
        missing = rows - ours[0]["sound"]
        # A damaged row may put its neighbours in doubt; without one there is none.
        if not damaged <= missing <= 4 * damaged:
            raise ValueError(f"{name}: {damaged:,} damaged rows, and {missing:,.0f} were found.")
        value, target = ratio(floor, ours), ""
        if name == PLAIN:
            met = value >= TARGET
            target = f"{TARGET:.2f}, {'met' if met else 'MISSED'}"
            missed += not met
        lines.append(
            (
                name,
                f"{rows:,}",
                f"{rows / median_of(floor, 'seconds'):,.0f}",
                f"{rows / median_of(ours, 'seconds'):,.0f}",
                f"{value:.2f}",
                target or "-",
                f"{median_of(ours, 'opening') * 1000:.1f} ms",
            )
        )
    heading = ("File", "Rows", "csv.reader", "open_table", "Ratio", "Target", "Opening")
    return Outcome(heading, lines, missed)


def read_floor(path: str, encoding: str, delimiter: str) -> Run:
    """Read the file with the reader of the standard library."""
    began = perf_counter()
    with open(path, newline="", encoding=encoding) as stream:
        for _row in csv.reader(stream, delimiter=delimiter):
            pass
    return {"seconds": perf_counter() - began}


def read_table(path: str) -> Run:
    """Read the file with `open_table`; `opening` is the time until the first row is there."""
    sound = 0
    began = perf_counter()
    with open_table(path) as table:
        rows = iter(table)
        first = next(rows)
        opening = perf_counter() - began
        sound += first.problem is None
        for row in rows:
            if row.problem is None:
                sound += 1
    return {"seconds": perf_counter() - began, "opening": opening, "sound": sound}
