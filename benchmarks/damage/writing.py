"""The ways in which programs write a table down, and the pieces that a file is made of."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from benchmarks.damage.clean import Table, Values

__all__ = ["Dialect", "Draft", "Piece", "choose_dialect", "write_table"]

BOMS = {"utf-8": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
ENCODINGS = {
    ("utf-8", False): 50,
    ("utf-8", True): 15,
    ("utf-16-le", True): 7,
    ("utf-16-be", True): 4,
    ("utf-16-le", False): 3,
    ("utf-16-be", False): 3,
    ("cp1252", False): 12,
    ("latin-1", False): 6,
}
ABOVE = ("nothing", "title", "padded title", "title and blank line", "comment", "blank lines")


@dataclass(frozen=True)
class Dialect:
    """How a program writes tables."""

    delimiter: str
    quoting: str
    end: str
    final_end: bool
    encoding: str
    bom: bool
    above: str
    pad: str
    sep_line: bool

    def __str__(self) -> str:
        parts = [repr(self.delimiter), self.quoting, repr(self.end), self.encoding]
        parts += ["BOM"] * self.bom + ["no final line end"] * (not self.final_end)
        parts += [self.above] * (self.above != "nothing") + ["sep="] * self.sep_line
        return " ".join(parts + [f"blanks {self.pad}"] * (self.pad != "nowhere"))


@dataclass
class Piece:
    """A stretch of a file: a line above, the header, a row, or what is no row.

    `cells` are as they are written; `rows` tells which true rows the piece is of.
    """

    role: str
    cells: list[str]
    delimiter: str
    end: str
    rows: tuple[int, ...] = ()
    touched: bool = False
    codec: str | None = None
    data: bytes = b""

    @property
    def text(self) -> str:
        return self.delimiter.join(self.cells) + self.end


@dataclass
class Draft:
    """A file in the making, and what is true about it.

    `also` holds values that are as right as the true ones: of a true row, or of
    none (-1).  `decided` are texts that a person sees to be no rows, or damaged ones.
    `hopeless` says that no reader can be expected to read the file.
    """

    table: Table
    dialect: Dialect
    pieces: list[Piece]
    notes: list[str] = field(default_factory=list)
    also: dict[Values, int] = field(default_factory=dict)
    decided: list[str] = field(default_factory=list)
    hopeless: bool = False
    place: str = "middle"
    target: Piece | None = None

    def body(self) -> list[Piece]:
        """Return the pieces of true rows."""
        return [piece for piece in self.pieces if piece.role == "row"]

    def header(self) -> Piece:
        return next(piece for piece in self.pieces if piece.role == "header")

    def start(self) -> int:
        """Return the index of the first piece below the header."""
        return self.index(self.header()) + 1

    def index(self, piece: Piece) -> int:
        return next(at for at, other in enumerate(self.pieces) if other is piece)

    def neighbours(self, piece: Piece) -> Iterator[Piece]:
        at = self.index(piece)
        for other in (at - 1, at + 1):
            if 0 <= other < len(self.pieces) and self.pieces[other].role == "row":
                yield self.pieces[other]

    def insert(self, at: int, *pieces: Piece) -> None:
        """Put pieces in; the last line of the file gets the line end that it may lack."""
        if at == len(self.pieces) and not self.pieces[-1].end:
            self.pieces[-1].end = self.dialect.end
        self.pieces[at:at] = pieces

    def noise(self, *cells: str, end: str | None = None) -> Piece:
        """Return a line that is no row."""
        end = self.dialect.end if end is None else end
        return Piece("noise", list(cells), self.dialect.delimiter, end, touched=True)

    def encode(self) -> None:
        for piece in self.pieces:
            piece.data = piece.text.encode(piece.codec or self.dialect.encoding)
        if self.dialect.bom:
            self.pieces[0].data = BOMS[self.dialect.encoding] + self.pieces[0].data


def choose_dialect(table: Table, random: Random) -> Dialect:
    """Return a way of writing in which all of the table can be written.

    One or two words beyond ASCII do not show an encoding of single bytes.
    """
    every = "".join(cell for row in (table.header, *table.rows) for cell in row)
    foreign = sum(not "".join(row).isascii() for row in table.rows)
    fitting = {
        (encoding, bom): weight
        for (encoding, bom), weight in ENCODINGS.items()
        if _encodes(every, encoding) and (encoding.startswith("utf") or foreign not in (1, 2))
    }
    encoding, bom = random.choices(list(fitting), list(fitting.values()))[0]
    delimiter = random.choices(",;\t|", (40, 35, 18, 7))[0]
    quoting = random.choices(("minimal", "all", "text"), (60, 25, 15))[0]
    pads = ("nowhere", "behind delimiters", "on both sides")
    pad = random.choices(pads, (90, 6, 4))[0] if quoting == "minimal" else "nowhere"
    if delimiter == "\t" or '"' in every or "\n" in every:
        pad = "nowhere"
    return Dialect(
        delimiter=delimiter,
        quoting=quoting,
        end=random.choices(("\r\n", "\n", "\r"), (50, 43, 7))[0],
        final_end=random.random() < 0.85,
        encoding=encoding,
        bom=bom,
        above=random.choices(ABOVE, (75, 6, 5, 5, 5, 4))[0],
        pad=pad,
        sep_line=random.random() < 0.04,
    )


def write_table(table: Table, dialect: Dialect) -> Draft:
    """Write the table down without any damage."""
    pieces = [
        Piece("above", [line], dialect.delimiter, dialect.end) for line in _above(table, dialect)
    ]
    pieces.append(Piece("header", _cells(table.header, dialect), dialect.delimiter, dialect.end))
    pieces += [
        Piece("row", _cells(row, dialect), dialect.delimiter, dialect.end, (number,))
        for number, row in enumerate(table.rows)
    ]
    if not dialect.final_end:
        pieces[-1].end = ""
    return Draft(table, dialect, pieces)


def _above(table: Table, dialect: Dialect) -> list[str]:
    padded = "List of " + table.name + dialect.delimiter * (len(table.header) - 1)
    lines = {
        "nothing": [],
        "title": [f"List of {table.name}"],
        "padded title": [padded],
        "title and blank line": [f"University of Benin - {table.name}", ""],
        "comment": ["# exported 2017-03-01 08:15", f"# {len(table.rows)} rows"],
        "blank lines": ["", ""],
    }[dialect.above]
    return [f"sep={dialect.delimiter}", *lines] if dialect.sep_line else lines


def _cells(values: Values, dialect: Dialect) -> list[str]:
    cells = [_cell(value, dialect) for value in values]
    if dialect.pad == "behind delimiters":
        return [cells[0], *(f" {cell}" for cell in cells[1:])]
    if dialect.pad == "on both sides" and not any('"' in cell for cell in cells):
        return [f" {cell} " for cell in cells]
    return cells


def _cell(value: str, dialect: Dialect) -> str:
    special = any(mark in value for mark in (dialect.delimiter, '"', "\n"))
    number = value.lstrip("-").replace(".", "", 1).isdigit()
    if dialect.quoting == "all" or special or (dialect.quoting == "text" and not number):
        inner = "\n" if dialect.end == "\r\n" else dialect.end
        return '"' + value.replace('"', '""').replace("\n", inner) + '"'
    return value


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
