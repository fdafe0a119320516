"""The grammar of cells that holds for all fields: markers and safe cells.

A spreadsheet evaluates a cell that begins with ``=``, ``+``, ``-`` or ``@``, in East Asia also
with one of these in full width, a marker has a meaning of its own, and outer blanks get lost.  A
text of such a shape is written with one apostrophe in front, and from exactly such a cell one
apostrophe is removed; every other cell, like ``'t Hooft``, stays as it is.
"""

from collections.abc import Sequence

from waeup.kofa.interfaces import DELETION_MARKER, IGNORE_MARKER

#: What an empty list looks like in files of Kofa 1.9; counts as an empty cell.
EMPTY_LIST = "[]"
#: Texts that mean something else than themselves.
MARKERS = frozenset(("", EMPTY_LIST, DELETION_MARKER, IGNORE_MARKER))

# The second four are the full-width forms of the first.
_ACTIVE = frozenset("=+-@\uff1d\uff0b\uff0d\uff20\t\r\n")


class _Ignored(str):
    """Equal to the marker, so that hooks written for Kofa 1.9 recognise it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "IGNORED"

    def __reduce__(self) -> str:
        return "IGNORED"


#: Stands for a value that must stay untouched; to be compared with ``is``.
IGNORED = _Ignored(IGNORE_MARKER)


class VerbatimText(str):
    """A text that looks like the ignore marker and is none: its cell was guarded.

    Hooks compare values with the marker; this class is how the text is told from it.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # A database keeps the plain text.
        return str, (str(self),)


def is_ignored(value: object) -> bool:
    """Tell whether `value`, of a row as hooks see it, leaves its attribute untouched."""
    return isinstance(value, str) and value == IGNORE_MARKER and type(value) is not VerbatimText


def needs_guard(text: str) -> bool:
    """Tell whether `text` must not stand in a cell as it is.

    Apostrophes in front are not looked at, so that the guarded form of a text needs
    a guard itself: this is what makes `guard` and `unguard` exact opposites.
    """
    core = text.lstrip("'")
    return core[:1] in _ACTIVE or core in MARKERS or core != core.strip()


def is_active(text: str) -> bool:
    """Tell whether a spreadsheet would evaluate a cell that holds `text`."""
    return text[:1] in _ACTIVE


def disarmed(cell: str) -> str:
    """Return a cell as no spreadsheet evaluates it.

    Outer blanks are no part of a value, but would be in a guarded cell.
    """
    if not is_active(cell):
        return cell
    text = cell.strip()
    return guard(text) if is_active(text) else text


def disarmed_column(cells: Sequence[str]) -> Sequence[str]:
    """Return what `disarmed` makes of many cells."""
    # NUL stands in no cell that a file can take.
    joined = "\0".join(("", *cells))
    # A single character is found at once, or found to be nowhere.
    begun = [sign for sign in _ACTIVE if sign in joined and f"\0{sign}" in joined]
    if not begun:
        return cells
    if begun == ["+"] and joined.count("\0+") == joined.count("\0") == len(cells):
        # Phone numbers, and nothing else.
        return [f"'{cell}" for cell in map(str.strip, cells)]
    return [disarmed(cell) if cell[:1] in _ACTIVE else cell for cell in cells]


def guard(text: str) -> str:
    """Return the safe cell for the text value `text`."""
    return "'" + text if needs_guard(text) else text


def unguard(cell: str) -> str | None:
    """Return the text value of a safe cell, or None when `cell` is not of that shape."""
    if cell.startswith("'"):
        text = cell[1:]
        if needs_guard(text):
            return text
    return None
