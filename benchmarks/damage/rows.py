"""Damages of a single row, as editors, exports and bad transfers make them."""

from collections.abc import Callable
from random import Random

from benchmarks.damage.writing import Draft, Piece

__all__ = ["ROW_DAMAGES", "UnfitError", "other_delimiter"]

RowDamage = Callable[[Draft, Random, Piece], None]
ROW_DAMAGES: dict[str, RowDamage] = {}

PARTNERS = {",": ";", ";": ",", "\t": ";", "|": ","}


class UnfitError(Exception):
    """This damage cannot be done here, or nobody could decide what is true then."""


def _named(name: str) -> Callable[[RowDamage], RowDamage]:
    def note(damage: RowDamage) -> RowDamage:
        ROW_DAMAGES[name] = damage
        return damage

    return note


def other_delimiter(delimiter: str) -> str:
    return PARTNERS[delimiter]


def _unless(condition: bool) -> None:
    if condition:
        raise UnfitError


def _bare_value(draft: Draft, random: Random, piece: Piece) -> tuple[int, str]:
    """Return the position of a cell without quotes, and the true value in it."""
    at = _bare(piece, random, 4)
    value = draft.table.rows[piece.rows[0]][at] if at < len(draft.table.header) else ""
    _unless(value != piece.cells[at])
    return at, value


def _bare(piece: Piece, random: Random, least: int = 1) -> int:
    """Return the index of a cell without quotes that has at least so many characters."""
    fitting = [
        at
        for at, cell in enumerate(piece.cells)
        if len(cell.strip()) >= least and '"' not in cell and "\n" not in cell
    ]
    _unless(not fitting)
    return random.choice(fitting)


def _quoted(piece: Piece, random: Random, *inner: str) -> int:
    """Return the index of a cell in quotes that holds one of the texts, if any are given."""
    fitting = [
        at
        for at, cell in enumerate(piece.cells)
        if len(cell) > 3
        and cell[0] == cell[-1] == '"'
        and (not inner or any(text in cell[1:-1] for text in inner))
    ]
    _unless(not fitting)
    return random.choice(fitting)


def _also(draft: Draft, piece: Piece, column: int, value: str) -> None:
    """Take note that this value of the column would be as right."""
    _unless(len(piece.rows) != 1 or len(piece.cells) != len(draft.table.header))
    values = list(draft.table.rows[piece.rows[0]])
    values[column] = value
    draft.also[tuple(values)] = piece.rows[0]


def _split(piece: Piece, at: int, where: int, between: str) -> None:
    cell = piece.cells[at]
    piece.cells[at] = cell[:where] + between + cell[where:]


@_named("too few cells: delimiter lost")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(len(piece.cells) < 2)
    at = random.randrange(len(piece.cells) - 1)
    piece.cells[at : at + 2] = [piece.cells[at] + piece.cells[at + 1]]


@_named("too few cells: cell lost")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(len(piece.cells) < 2)
    del piece.cells[random.randrange(len(piece.cells))]


@_named("too few cells: row ends early")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(len(piece.cells) < 2)
    del piece.cells[random.randint(1, len(piece.cells) - 1) :]


@_named("too many cells: delimiter in a value")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _bare(piece, random, 3)
    _split(piece, at, random.randint(1, len(piece.cells[at]) - 1), draft.dialect.delimiter)


@_named("too many cells: quotes of a value with delimiters lost")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _quoted(piece, random, draft.dialect.delimiter)
    piece.cells[at] = piece.cells[at][1:-1].replace('""', '"')


@_named("too many cells: one more")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    piece.cells.insert(random.randint(0, len(piece.cells)), random.choice(("x", "0", "n/a", "")))


@_named("bare quote: inside a cell")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _bare(piece, random, 3)
    where = random.randint(1, len(piece.cells[at].strip()) - 1)
    value = draft.table.rows[piece.rows[0]][at] if at < len(draft.table.header) else ""
    _unless(value != piece.cells[at])
    _also(draft, piece, at, value[:where] + '"' + value[where:])
    _split(piece, at, where, '"')


@_named("bare quote: a pair inside a cell")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at, value = _bare_value(draft, random, piece)
    changed = f'{value[:1]}"{value[1:3]}"{value[3:]}'
    _also(draft, piece, at, changed)
    piece.cells[at] = changed


@_named("text behind a closing quote: words")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _quoted(piece, random)
    piece.cells[at] += random.choice((" jr.", "x", " (see file)", "-2"))


@_named("text behind a closing quote: first word in quotes")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at, value = _bare_value(draft, random, piece)
    where = value.find(" ") if " " in value else 2
    changed = f'"{value[:where]}"{value[where:]}'
    _also(draft, piece, at, changed)
    piece.cells[at] = changed


@_named("quote never closed: opened before a cell")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _bare(piece, random)
    piece.cells[at] = '"' + piece.cells[at].lstrip()


@_named("quote never closed: closing quote lost")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _quoted(piece, random)
    piece.cells[at] = piece.cells[at][:-1]


@_named("quote never opened: opening quote lost")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _quoted(piece, random)
    cell = piece.cells[at][1:]
    if draft.dialect.quoting == "minimal" and at < len(draft.table.header):
        _also(draft, piece, at, cell)
    piece.cells[at] = cell


@_named("quote never opened: closed behind a cell")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _bare(piece, random)
    _also(draft, piece, at, piece.cells[at].strip() + '"')
    piece.cells[at] = piece.cells[at].rstrip() + '"'


@_named("undoubled quotes: those of the value")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _quoted(piece, random, '""')
    piece.cells[at] = '"' + piece.cells[at][1:-1].replace('""', '"') + '"'


@_named("undoubled quotes: around a word")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _quoted(piece, random)
    value = piece.cells[at][1:-1]
    _unless('"' in value or "\n" in value or "\r" in value)
    changed = f'{value[:1]}"{value[1:-1]}"{value[-1:]}'
    _also(draft, piece, at, changed)
    piece.cells[at] = f'"{changed}"'


@_named("shifted row: to the right")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    piece.cells[:] = ["", *piece.cells[:-1]]


@_named("shifted row: to the left")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    piece.cells[:] = [*piece.cells[1:], ""]


@_named("shifted row: right part")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(len(piece.cells) < 4)
    at = random.randint(1, len(piece.cells) - 3)
    piece.cells[at:] = ["", *piece.cells[at:-1]]


@_named("shifted row: delimiter moved")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _bare(piece, random, 3)
    _unless(at == 0 or '"' in "".join(piece.cells[at - 1 : at + 1]))
    before, cell = piece.cells[at - 1 : at + 1]
    half = len(cell) // 2
    piece.cells[at - 1 : at + 1] = [before + cell[:half], cell[half:]]


@_named("trailing delimiters: one on some rows")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    piece.cells.append("")


@_named("trailing delimiters: several on some rows")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    piece.cells += [""] * random.randint(2, 6)


@_named("delimiters doubled: on a row")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(len(piece.cells) < 2)
    piece.cells[:] = [cell for pair in piece.cells for cell in (pair, "")][:-1]


@_named("part of a row twice: some cells")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = random.randrange(len(piece.cells))
    piece.cells[at:at] = piece.cells[at : at + random.randint(1, 3)]


@_named("part of a row twice: its beginning, cut within a cell")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _bare(piece, random, 2)
    _unless(at == 0)
    piece.cells[:] = [*piece.cells[:at], piece.cells[at][:1] + piece.cells[0], *piece.cells[1:]]


@_named("part of a row twice: its end, on a line of its own")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(len(piece.cells) < 2 or not piece.end)
    again = piece.cells[random.randint(1, len(piece.cells) - 1) :]
    draft.insert(draft.index(piece) + 1, draft.noise(*again))
    _doubt_around(draft, piece)


@_named("row broken: within a cell without quotes")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _break(draft, random, piece, _bare(piece, random, 2))


@_named("row broken: within the first cell")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless('"' in piece.cells[0] or len(piece.cells[0].strip()) < 2)
    _break(draft, random, piece, 0)


@_named("row broken: within the last cell")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless('"' in piece.cells[-1] or len(piece.cells[-1].strip()) < 2)
    _break(draft, random, piece, len(piece.cells) - 1)


@_named("row broken: before a delimiter")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(len(piece.cells) < 2)
    piece.cells[random.randrange(len(piece.cells) - 1)] += draft.dialect.end
    _doubt_around(draft, piece)


@_named("row broken: behind a delimiter")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(len(piece.cells) < 2)
    at = random.randint(1, len(piece.cells) - 1)
    piece.cells[at] = draft.dialect.end + piece.cells[at]
    _doubt_around(draft, piece)


@_named("row broken: with a blank line between")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _bare(piece, random, 2)
    _split(piece, at, len(piece.cells[at]) // 2, draft.dialect.end * 2)
    _doubt_around(draft, piece)


def _break(draft: Draft, random: Random, piece: Piece, at: int) -> None:
    cell = piece.cells[at]
    _split(piece, at, random.randint(1, len(cell.rstrip()) - 1), draft.dialect.end)
    _doubt_around(draft, piece)


def _doubt_around(draft: Draft, piece: Piece) -> None:
    """An orphan may belong to the row above or below: both may be counted as touched."""
    for neighbour in draft.neighbours(piece):
        neighbour.touched = True


@_named("smart quotes: around a cell")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _bare(piece, random, 2)
    _smart(draft, piece, at, piece.cells[at].strip())


@_named("smart quotes: instead of the straight ones")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _quoted(piece, random)
    _unless("\n" in piece.cells[at] or "\r" in piece.cells[at] or '""' in piece.cells[at])
    _smart(draft, piece, at, piece.cells[at][1:-1])


def _smart(draft: Draft, piece: Piece, at: int, value: str) -> None:
    _unless(draft.dialect.encoding == "latin-1")
    changed = f"“{value}”"
    _also(draft, piece, at, changed)
    piece.cells[at] = changed


@_named("NUL: one put into a cell")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = random.randrange(len(piece.cells))
    _split(piece, at, random.randint(0, len(piece.cells[at])), "\0")


@_named("NUL: a character replaced")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    at = _bare(piece, random, 2)
    where = random.randrange(len(piece.cells[at].strip()))
    piece.cells[at] = piece.cells[at][:where] + "\0" + piece.cells[at][where + 1 :]


@_named("NUL: many behind a row")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    piece.cells[-1] += "\0" * random.randint(2, 40)


@_named("another delimiter: in one row")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    piece.delimiter = other_delimiter(draft.dialect.delimiter)


@_named("another delimiter: in a part of a row")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(len(piece.cells) < 3)
    at = random.randint(1, len(piece.cells) - 1)
    piece.cells[at - 1 : at + 1] = [
        other_delimiter(draft.dialect.delimiter).join(piece.cells[at - 1 : at + 1])
    ]


@_named("another encoding: a row in Windows-1252")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(
        draft.dialect.encoding != "utf-8" or piece.text.isascii() or not _foreign(draft, piece)
    )
    try:
        piece.text.encode("cp1252")
    except UnicodeEncodeError:
        raise UnfitError
    piece.codec = "cp1252"


@_named("another encoding: a row in UTF-8")
def _(draft: Draft, random: Random, piece: Piece) -> None:
    _unless(draft.dialect.encoding not in ("cp1252", "latin-1") or piece.text.isascii())
    _unless(not _foreign(draft, piece))
    piece.codec = "utf-8"
    draft.decided.append(piece.text.encode().decode(draft.dialect.encoding, "replace"))


def _foreign(draft: Draft, piece: Piece) -> bool:
    """Tell whether the encoding of the file can be seen in at least two other rows."""
    others = (not other.text.isascii() for other in draft.body() if other is not piece)
    return sum(others) >= 2
