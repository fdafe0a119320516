"""The reader of the data center, and others to compare it with."""

import csv
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.damage.clean import Values
from benchmarks.damage.doubt import LINE_END
from benchmarks.damage.writing import BOMS, Draft
from waeup.kofa.errors import Refused
from waeup.kofa.tabular import check_header, open_table

__all__ = ["READERS", "Delivery", "Outcome", "first_lines"]


class Delivery(NamedTuple):
    """A row as a reader hands it out; sound without a `problem`."""

    line: int
    values: Values
    problem: str = ""
    raw: str = ""


class Outcome(NamedTuple):
    """What a reader makes of a file; `refusal` says why it refuses all of it."""

    header: Values = ()
    rows: Iterable[Delivery] = ()
    refusal: str = ""


def read_kofa(path: Path, _draft: Draft) -> Outcome:
    """Read with `waeup.kofa.tabular`."""
    try:
        with open_table(str(path)) as table:
            check_header(table.header)
            rows = [
                Delivery(row.line, row.values)
                if row.problem is None
                else Delivery(row.line, row.values, row.problem.code, row.raw or "")
                for row in table
            ]
            return Outcome(table.header, rows)
    except Refused as refusal:
        return Outcome(refusal=f"{type(refusal).__name__}: {refusal}")


def read_dicts(path: Path, _draft: Draft) -> Outcome:
    """Read with csv.DictReader, as a simple importer does."""
    text, delimiter = _guess(path)
    reader = csv.DictReader(text, delimiter=delimiter)
    try:
        header = tuple(reader.fieldnames or ())
        rows = [
            Delivery(reader.line_num, tuple(row[name] or "" for name in header)) for row in reader
        ]
    except csv.Error as error:
        return Outcome(refusal=str(error))
    return Outcome(header, rows)


def read_widths(path: Path, _draft: Draft) -> Outcome:
    """Read with csv.reader, and report rows that are not as wide as the header."""
    text, delimiter = _guess(path)
    reader = csv.reader(text, delimiter=delimiter)
    rows = []
    try:
        header = tuple(next(reader, ()))
        before = reader.line_num
        for cells in reader:
            problem = "" if len(cells) == len(header) else "width"
            if cells:
                raw = "\n" * (reader.line_num - before - 1)
                rows.append(Delivery(before + 1, tuple(cells), problem, raw))
            before = reader.line_num
    except csv.Error as error:
        return Outcome(refusal=str(error))
    return Outcome(header, rows)


def read_truth(_path: Path, draft: Draft) -> Outcome:
    """Return what a reader that knows the damages would: the judge must be content with it."""
    rows = []
    for piece, line in zip(draft.pieces, first_lines(draft), strict=True):
        if piece.role == "row" and not piece.touched:
            rows.append(Delivery(line, draft.table.rows[piece.rows[0]]))
        elif piece.rows:
            rows.append(Delivery(line, (), "damaged", piece.text))
    return Outcome(draft.table.header, rows)


def first_lines(draft: Draft) -> list[int]:
    """Return the physical line on which each piece begins."""
    text, lines = "", []
    for piece in draft.pieces:
        lines.append(1 + len(LINE_END.findall(text)))
        text += piece.data.decode(draft.dialect.encoding, "replace")
    return lines


def _guess(path: Path) -> tuple[list[str], str]:
    """Return the lines of a file, and the delimiter that is most frequent in the first of them."""
    data = path.read_bytes()
    boms = [encoding for encoding, bom in BOMS.items() if data.startswith(bom)]
    for encoding in (*boms, "utf-8", "cp1252", "latin-1"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        break
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text.removeprefix("\ufeff"))
    return lines, max(",;\t|", key=lines[0].count if lines else str)


READERS: dict[str, Callable[[Path, Draft], Outcome]] = {
    "kofa": read_kofa,
    "csv": read_dicts,
    "width": read_widths,
    "truth": read_truth,
}
