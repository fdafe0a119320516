"""Exports against a bare loop over the same objects, and the memory that they take.

The floor writes the same attributes of the same objects, from the same file and with a cache of
the same size, by ``csv.writer`` and nothing else.
"""

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Any

import transaction
from ZODB import DB
from ZODB.FileStorage import FileStorage
from zope import schema
from zope.interface.interface import InterfaceClass

from benchmarks.frame import MB, Call, Outcome, Run, alternate, median_of, peak_memory, ratio
from benchmarks.people import COLUMNS, students

__all__ = ["run"]

ROWS = 50_000
FEW, MANY = 1_000, 1_000_000
#: Objects that a connection keeps.
CACHE = 1_000
#: By how much the peak of many objects may be higher than that of a few: the storage itself keeps
#: where each object is, some ten bytes for one.
NOISE = 16 * MB
TARGET = 0.5
#: Columns of the wider table: besides the twelve of a person as many marks as a student may have.
WIDE = 29
EXPORTER = "people"


def run(folder: Path, quick: bool) -> Outcome:
    """Measure speed at two widths, and memory at two numbers of objects."""
    rows = ROWS // 10 if quick else ROWS
    many = MANY // 20 if quick else MANY
    lines, missed = [], 0
    for columns in (len(COLUMNS), WIDE):
        path = folder / f"speed-{columns}.fs"
        fill(path, rows, columns)
        calls = [Call(function, (str(path), columns)) for function in (bare, ours)]
        low, found = alternate(f"exporting: {columns} columns", calls)
        reached = ratio(low, found)
        missed += reached < TARGET
        lines.append(
            (
                f"{columns} columns",
                f"{rows:,}",
                f"{rows / median_of(low, 'seconds'):,.0f}",
                f"{rows / median_of(found, 'seconds'):,.0f}",
                f"{reached:.2f}",
                f"{median_of(found, 'peak') / MB:.1f} MB",
                f"{TARGET:.2f}, {'MISSED' if reached < TARGET else 'met'}",
            )
        )
        path.unlink()
    peaks = []
    for number in (FEW, many):
        path = folder / f"memory-{number}.fs"
        fill(path, number, len(COLUMNS))
        call = Call(ours, (str(path), len(COLUMNS)))
        (found,) = alternate(f"exporting: memory of {number:,} objects", [call], 3)
        path.unlink()
        peaks.append(median_of(found, "peak"))
        more = peaks[-1] - peaks[0]
        missed += more > NOISE
        verdict = f"{more / MB:+.1f} MB, {'MISSED' if more > NOISE else 'met'}"
        lines.append(
            (
                f"memory, {len(COLUMNS)} columns",
                f"{number:,}",
                "-",
                f"{number / median_of(found, 'seconds'):,.0f}",
                "-",
                f"{peaks[-1] / MB:.1f} MB",
                verdict if number != FEW else "-",
            )
        )
    heading = ("Case", "Objects", "Bare loop", "Export", "Ratio", "Peak", "Target")
    return Outcome(heading, lines, missed)


# -- the objects ---------------------------------------------------------------------


def schema_of(columns: int) -> Any:
    """Return the schema of people with that many columns, of the kinds that a student has."""
    fields: dict[str, Any] = {
        name: schema.TextLine(title=name, required=False) for name in COLUMNS
    }
    fields["sex"] = schema.Choice(title="sex", values=["m", "f"], required=False)
    fields["date_of_birth"] = schema.Date(title="date_of_birth", required=False)
    fields["email"] = schema.ASCIILine(title="email", required=False)
    fields["perm_address"] = schema.Text(title="perm_address", required=False)
    for name in course_names(columns):
        fields[name] = schema.Int(title=name, required=False)
    for order, field in enumerate(fields.values()):
        field.order = order
    return InterfaceClass("IPerson", attrs=fields, __module__=__name__)


def course_names(columns: int) -> list[str]:
    """Return the names of the columns above the twelve of a person."""
    return [f"course_{number}" for number in range(columns - len(COLUMNS))]


def fill(path: Path, rows: int, columns: int) -> None:
    """Store that many people, in a file of a database."""
    import grok
    from persistent.mapping import PersistentMapping

    from waeup.kofa.importing.kind import Record

    courses = course_names(columns)
    iface = schema_of(columns)
    database = DB(FileStorage(str(path)), cache_size=CACHE)
    connection = database.open()
    site = connection.root()["site"] = PersistentMapping()
    people = site["people"] = grok.Container()
    for number, cells in enumerate(students(rows)):
        one = Record(iface)
        # A schema that no module has cannot be stored; nobody asks the objects for it.
        del one.__provides__
        one.__dict__.update(zip(COLUMNS, cells, strict=True))
        one.date_of_birth = date.fromisoformat(one.date_of_birth)
        for at, name in enumerate(courses):
            setattr(one, name, (number + at) % 101)
        people[cells[0]] = one
        if number % CACHE == 0:
            transaction.commit()
    transaction.commit()
    database.close()


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """Give the root of a database, of which nothing is loaded but the code."""
    import waeup.kofa.importing.kind  # noqa: F401 - classes of objects are imported with the first

    database = DB(FileStorage(path, read_only=True), cache_size=CACHE)
    connection = database.open()
    try:
        yield connection.root()["site"]
    finally:
        transaction.abort()
        connection.close()
        database.close()


# -- what is compared --------------------------------------------------------------------


def bare(path: str, columns: int) -> Run:
    """Write the attributes of all objects, and let go of them now and then."""
    names = [*COLUMNS, *course_names(columns)]
    get_all = attrgetter(*names)
    with opened(path) as site, open(f"{path}.csv", "w", encoding="utf-8", newline="") as stream:
        connection = site._p_jar
        began = time.perf_counter()
        write = csv.writer(stream).writerow
        write(names)
        for number, one in enumerate(site["people"].values()):
            if number % 200 == 0:
                connection.cacheGC()
            write(get_all(one))
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "peak": peak_memory()}


def ours(path: str, columns: int) -> Run:
    """Export all objects by the exporter of their kind."""
    from zope.component import provideUtility

    from waeup.kofa.exporting import Export, Wish
    from waeup.kofa.exporting.kind import ContainerExporter
    from waeup.kofa.importing.kind import ContainerProcessor
    from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter

    class PersonProcessor(ContainerProcessor):
        """Imports people."""

        iface = schema_of(columns)
        container = EXPORTER
        key = "student_id"

    provideUtility(PersonProcessor(), IBatchProcessor, PersonProcessor.util_name)
    provideUtility(ContainerExporter(PersonProcessor), ICSVExporter, EXPORTER)
    with opened(path) as site, open(f"{path}.csv", "wb") as stream:
        began = time.perf_counter()
        export = Export(Wish(EXPORTER), site)
        outcome = export.write(stream)
        seconds = time.perf_counter() - began
        if outcome.rows != len(site["people"]) or len(export.columns) != columns:
            raise AssertionError(f"{outcome.rows} rows, {len(export.columns)} columns")
    return {"seconds": seconds, "peak": peak_memory()}
