"""Damages of a file as a whole: line ends, joined exports, footers, and lost bytes."""

from collections.abc import Callable
from random import Random

from benchmarks.damage.clean import TABLES, make_table
from benchmarks.damage.rows import UnfitError, other_delimiter
from benchmarks.damage.writing import Draft, Piece, write_table

__all__ = ["BYTE_DAMAGES", "TEXT_DAMAGES"]

FileDamage = Callable[[Draft, Random], None]
TEXT_DAMAGES: dict[str, FileDamage] = {}
BYTE_DAMAGES: dict[str, FileDamage] = {}

HTML = (
    "<!DOCTYPE html>",
    '<html lang="en"><head><title>502 Bad Gateway</title>',
    "<style>body { font: 12px Arial, Helvetica, sans-serif; color: #333; }</style></head>",
    "<body>",
    "<h1>Session expired</h1>",
    '<p class="error">Please log in again, or call the help desk; thank you.</p>',
    "</body></html>",
)


def _named(name: str, into: dict[str, FileDamage]) -> Callable[[FileDamage], FileDamage]:
    def note(damage: FileDamage) -> FileDamage:
        into[name] = damage
        return damage

    return note


def _unless(condition: bool) -> None:
    if condition:
        raise UnfitError


def _place(draft: Draft, random: Random, least: int = 0) -> int:
    """Return an index among the pieces before which something can be put: not the last one."""
    first, last = draft.start() + least, len(draft.pieces) - 1
    _unless(first > last)
    return {"first": first, "last": last}.get(draft.place, random.randint(first, last))


def _touch(*pieces: Piece) -> None:
    for piece in pieces:
        piece.touched = True


@_named("line end lost: two rows joined", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _join(draft, random, "")


@_named("line end lost: a delimiter instead", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _join(draft, random, draft.dialect.delimiter)


@_named("line end lost: a blank instead", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _join(draft, random, " ")


def _join(draft: Draft, random: Random, between: str) -> None:
    at = _place(draft, random, 1)
    above, below = draft.pieces[at - 1 : at + 1]
    _unless("row" not in (above.role, below.role))
    above.end = between
    _touch(above, below)


@_named("blank lines: between rows", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    for _time in range(random.randint(1, 3)):
        at = _place(draft, random)
        draft.insert(at, *[draft.noise("") for _line in range(random.randint(1, 3))])


@_named("blank lines: between all rows", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    for piece in draft.pieces[draft.start() - 1 :]:
        piece.end *= 2


@_named("blank lines: of blanks", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _unless(draft.dialect.delimiter == "\t")
    draft.insert(_place(draft, random), draft.noise("   "))


@_named("line ends: mixed", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    for piece in draft.pieces[draft.start() - 1 :]:
        if piece.end:
            piece.end = random.choice(("\r\n", "\n"))


@_named("line ends: another one here and there", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    other = random.choice([end for end in ("\r\n", "\n", "\r") if end != draft.dialect.end])
    for _time in range(random.randint(1, 3)):
        piece = draft.pieces[_place(draft, random)]
        piece.end = piece.end and other


@_named("line ends: another one from here on", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    other = random.choice([end for end in ("\r\n", "\n") if end != draft.dialect.end])
    for piece in draft.pieces[_place(draft, random) :]:
        piece.end = piece.end and other


@_named("line ends: CR CR LF", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _unless(draft.dialect.end != "\r\n" or any("\n" in "".join(p.cells) for p in draft.pieces))
    for piece in draft.pieces:
        piece.end = piece.end and "\r\r\n"


@_named("another delimiter: from here on", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    at = _place(draft, random, 1)
    rest = draft.pieces[at:]
    for piece in rest:
        piece.delimiter = other_delimiter(draft.dialect.delimiter)
    _touch(*rest)


@_named("another delimiter: from here on, with a header", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    TEXT_DAMAGES["another delimiter: from here on"](draft, random)
    at = next(at for at, piece in enumerate(draft.pieces) if piece.touched)
    header = draft.noise(*draft.header().cells)
    header.delimiter = draft.pieces[at].delimiter
    draft.insert(at, header)


@_named("repeated header: in the middle", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    draft.insert(_place(draft, random), draft.noise(*draft.header().cells))


@_named("repeated header: several times", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    for _time in range(random.randint(2, 4)):
        at = random.randrange(draft.start(), len(draft.pieces))
        draft.insert(at, draft.noise(*draft.header().cells))


@_named("repeated header: behind a blank line", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    blank = draft.noise(*random.choice(([""], [""] * len(draft.table.header))))
    draft.insert(_place(draft, random), blank, draft.noise(*draft.header().cells))


@_named("repeated header: with a BOM", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _unless(not draft.dialect.encoding.startswith("utf"))
    first, *rest = draft.header().cells
    draft.insert(_place(draft, random), draft.noise("\ufeff" + first, *rest))


@_named("repeated header: as the last line", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    draft.insert(len(draft.pieces), draft.noise(*draft.header().cells, end=draft.pieces[-1].end))


@_named("repeated header: glued to the row above", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    at = _place(draft, random, 1)
    above = draft.pieces[at - 1]
    above.end = "\ufeff" if draft.dialect.bom else ""
    _touch(above)
    draft.insert(at, draft.noise(*draft.header().cells))


@_named("row with a BOM", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _unless(not draft.dialect.encoding.startswith("utf"))
    piece = draft.pieces[_place(draft, random)]
    piece.cells[0] = "\ufeff" + piece.cells[0]
    _touch(piece)


@_named("two tables: of the same width, behind a blank line", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _second_table(draft, random, same=True, blank=True)


@_named("two tables: of the same width", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _second_table(draft, random, same=True, blank=False)


@_named("two tables: of another width, behind a blank line", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _second_table(draft, random, same=False, blank=True)


@_named("two tables: of another width", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _second_table(draft, random, same=False, blank=False)


def _second_table(draft: Draft, random: Random, *, same: bool, blank: bool) -> None:
    width = len(draft.table.header)
    tables = [make_table(name, random) for name in TABLES if name != draft.table.name]
    fitting = [
        table
        for table in tables
        if (len(table.header) == width) == same
        and len(table.rows) <= len(draft.table.rows)
        and _encodes(table.rows, draft.dialect.encoding)
    ]
    _unless(not fitting)
    second = write_table(random.choice(fitting), draft.dialect)
    if blank:
        draft.insert(len(draft.pieces), draft.noise(""))
    for piece in second.pieces[second.start() - 1 :]:
        draft.insert(len(draft.pieces), draft.noise(*piece.cells, end=piece.end))


def _encodes(rows: list[tuple[str, ...]], encoding: str) -> bool:
    try:
        "".join(map("".join, rows)).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@_named("footer: total, short", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _unless(len(draft.table.header) == 3)
    _footer(draft, "Total", "", str(random.randint(100, 99999)))


@_named("footer: total, as wide as the table", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    columns = list(zip(*draft.table.rows, strict=True))
    full = [at for at, column in enumerate(columns) if all(column)]
    _unless(len(full) < 4)
    cells = ["" for _column in columns]
    cells[0] = "Total"
    cells[random.randrange(1, len(cells))] = str(random.randint(100, 99999))
    _footer(draft, *cells)


@_named("footer: words", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    draft.pieces[-1].touched = True
    words = ("End of report", f"({len(draft.table.rows)} rows)", "-- ", "Page 1 of 1", "\x1a")
    _footer(draft, random.choice(words))


@_named("footer: words behind a blank line", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    draft.insert(len(draft.pieces), draft.noise(""))
    words = ("End of report", f"{len(draft.table.rows)} rows affected.", "Source: registry, 2017")
    _footer(draft, random.choice(words))


def _footer(draft: Draft, *cells: str) -> None:
    draft.insert(len(draft.pieces), draft.noise(*cells, end=draft.pieces[-1].end))


@_named("empty cells: a row of them", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _empty(draft, _place(draft, random), 1)


@_named("empty cells: many rows of them at the end", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _empty(draft, len(draft.pieces), random.randint(2, 30))


def _empty(draft: Draft, at: int, times: int) -> None:
    width = len(draft.table.header)
    draft.also[("",) * width] = -1
    draft.insert(at, *[draft.noise(*[""] * width) for _time in range(times)])


@_named("trailing delimiters: on all lines", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    for piece in draft.pieces[draft.start() - 1 :]:
        piece.cells.append("")


@_named("trailing delimiters: on all rows, not the header", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    for piece in draft.body():
        piece.cells.append("")
        _touch(piece)


@_named("sound, but for Windows-1252 there is one word", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _unless(draft.dialect.encoding not in ("cp1252", "latin-1"))
    _unless(not all(piece.text.isascii() for piece in draft.pieces))
    piece = _piece(draft, random)
    words = [at for at, cell in enumerate(piece.cells) if cell.isalpha()]
    _unless(not words)
    at = random.choice(words)
    word = random.choice(("Zoë", "José", "Müller", "Françoise"))
    values = list(draft.table.rows[piece.rows[0]])
    piece.cells[at] = values[at] = word
    draft.table.rows[piece.rows[0]] = tuple(values)


@_named("two rows interleaved", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    at = _place(draft, random, 1)
    above, below = draft.pieces[at - 1 : at + 1]
    _unless("row" not in (above.role, below.role) or len(above.cells) < 2)
    half = random.randint(1, len(above.cells) - 1)
    rest = Piece("noise", above.cells[half:], above.delimiter, above.end, above.rows, True)
    del above.cells[half:]
    above.end = random.choice(("", draft.dialect.delimiter))
    below.end = random.choice(("", draft.dialect.end))
    _touch(above, below)
    draft.insert(at + 1, rest)
    for neighbour in (*draft.neighbours(above), *draft.neighbours(rest)):
        _touch(neighbour)


@_named("error page: appended", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _touch(draft.pieces[-1])
    draft.insert(len(draft.pieces), *[draft.noise(line) for line in HTML])


@_named("error page: glued to the last row", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    last = draft.pieces[-1]
    last.cells[-1] += HTML[0]
    last.end = draft.dialect.end
    _touch(last)
    draft.insert(len(draft.pieces), *[draft.noise(line) for line in HTML[1:]])


@_named("header: delimiter lost", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    header = draft.header()
    at = random.randrange(len(header.cells) - 1)
    header.cells[at : at + 2] = [header.cells[at] + header.cells[at + 1]]
    draft.hopeless = True


@_named("header: quote never closed", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    header = draft.header()
    at = random.randrange(len(header.cells))
    header.cells[at] = '"' + header.cells[at].strip(' "')
    draft.hopeless = True


@_named("header: broken into two lines", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    header = draft.header()
    header.cells[random.randrange(len(header.cells) - 1)] += draft.dialect.end
    draft.hopeless = True


@_named("header: joined with the first row", TEXT_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    draft.header().end = ""
    _touch(draft.pieces[draft.start()])
    draft.hopeless = True


def _unit(draft: Draft) -> int:
    return 2 if draft.dialect.encoding.startswith("utf-16") else 1


def _piece(draft: Draft, random: Random) -> Piece:
    return draft.pieces[_place(draft, random)]


def _cut(draft: Draft, piece: Piece, keep: int) -> None:
    at = draft.index(piece)
    piece.data = piece.data[:keep]
    _touch(piece)
    del draft.pieces[at + bool(keep) :]


@_named("cut: anywhere", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    piece = _piece(draft, random)
    _cut(draft, piece, random.randrange(len(piece.data) + 1))


@_named("cut: within quotes", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    piece = _piece(draft, random)
    unit = _unit(draft)
    opening = piece.data.find('"'.encode(draft.dialect.encoding))
    _unless(opening < 0)
    closing = piece.data.find('"'.encode(draft.dialect.encoding), opening + unit)
    _unless(closing < opening + 2 * unit)
    _cut(draft, piece, random.randrange(opening + unit, closing))


@_named("cut: within a character", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    piece = _piece(draft, random)
    if _unit(draft) == 2:
        _cut(draft, piece, 2 * random.randrange(len(piece.data) // 2) + 1)
        return
    _unless(draft.dialect.encoding != "utf-8")
    following = [at for at, byte in enumerate(piece.data) if 0x80 <= byte < 0xC0]
    _unless(not following)
    _cut(draft, piece, random.choice(following))


@_named("cut: within a last value of fixed shape", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    lengths = {len(row[-1]) for row in draft.table.rows}
    _unless(len(lengths) > 1 or min(lengths) < 5 or len(draft.table.rows) < 8)
    _unless(draft.dialect.quoting != "minimal" or not draft.dialect.final_end)
    _unless(any(row[-1].isalpha() for row in draft.table.rows))
    piece = draft.pieces[_place(draft, random, 6)]
    lost = len(piece.end) + random.randint(1, min(lengths) - 2)
    draft.decided.append(piece.text[:-lost])
    _cut(draft, piece, len(piece.data) - lost * _unit(draft))


@_named("hole: from one row into another", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    above, below = _two(draft, random)
    unit = _unit(draft)
    above.data = above.data[: unit * random.randrange(1, max(2, len(above.data) // unit))]
    below.data = below.data[unit * random.randrange(1, max(2, len(below.data) // unit)) :]
    _touch(above, below)
    for neighbour in (*draft.neighbours(above), *draft.neighbours(below)):
        _touch(neighbour)


@_named("zeros: over several rows", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    above, below = _two(draft, random)
    unit = _unit(draft)
    keep = unit * random.randrange(0, len(above.data) // unit)
    drop = unit * random.randrange(1, max(2, len(below.data) // unit))
    zeros = b"\0" * (len(above.data) - keep + drop + unit * random.choice((0, 7, 512)))
    above.data = above.data[:keep] + zeros
    above.rows = above.rows if keep else ()
    below.data = below.data[drop:]
    _touch(above, below)
    for neighbour in draft.neighbours(above):
        _touch(neighbour)


def _two(draft: Draft, random: Random) -> tuple[Piece, Piece]:
    """Return two rows; those between them are gone."""
    at = _place(draft, random, 1)
    rows = draft.pieces[at - 1 : at + random.randint(1, 6)]
    above, below = rows[0], rows[-1]
    _unless(above is below or any(piece.role != "row" for piece in rows))
    del draft.pieces[at : at + len(rows) - 2]
    return above, below


@_named("zeros: to the end", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    piece = _piece(draft, random)
    _unless(piece.role != "row")
    unit = _unit(draft)
    keep = unit * random.randrange(0, len(piece.data) // unit)
    _cut(draft, piece, max(keep, unit))
    piece.data = piece.data[:keep] + b"\0" * random.choice((100, 512, 4096))
    piece.rows = piece.rows if keep else ()


@_named("garbage: put into a row", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    piece = _piece(draft, random)
    where = _unit(draft) * random.randrange(1, len(piece.data) // _unit(draft))
    piece.data = piece.data[:where] + _garbage(draft, random) + piece.data[where:]
    _touch(piece, *draft.neighbours(piece))


@_named("garbage: over a row", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    piece = _piece(draft, random)
    where = _unit(draft) * random.randrange(1, len(piece.data) // _unit(draft))
    piece.data = piece.data[:where] + _garbage(draft, random)
    _touch(piece, *draft.neighbours(piece))


@_named("garbage: between rows", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    piece = _piece(draft, random)
    piece.data = _garbage(draft, random) + piece.data
    _touch(piece, *draft.neighbours(piece))


def _garbage(draft: Draft, random: Random) -> bytes:
    draft.hopeless |= _unit(draft) == 2 and not draft.dialect.bom
    return random.randbytes(2 * random.choice((4, 10, 30, 100)))


@_named("undecodable bytes: one in a row", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _undecodable(draft, random, 1)


@_named("undecodable bytes: several in a row", BYTE_DAMAGES)
def _(draft: Draft, random: Random) -> None:
    _undecodable(draft, random, random.randint(2, 4))


def _undecodable(draft: Draft, random: Random, times: int) -> None:
    """Put bytes in that no character has; the encoding can be seen in other rows."""
    piece = _piece(draft, random)
    encoding = draft.dialect.encoding
    _unless(encoding in ("cp1252", "latin-1"))
    others = [other for other in draft.body() if other is not piece and not other.text.isascii()]
    _unless(encoding == "utf-8" and len(others) < 2 and not draft.dialect.bom)
    bad = {"utf-16-le": b"\x00\xdc", "utf-16-be": b"\xdc\x00"}
    unit = _unit(draft)
    draft.hopeless |= unit == 2 and not draft.dialect.bom
    for _time in range(times):
        where = unit * random.randrange(1, len(piece.data) // unit)
        wrong = bad.get(encoding) or random.choice((b"\xff", b"\xe9", b"\x80", b"\xc3"))
        piece.data = piece.data[:where] + wrong + piece.data[where:]
    _touch(piece)
