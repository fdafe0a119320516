"""What the words of a command line stand for: a thing of a name, a file of the user's own."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from waeup.kofa.errors import NoSuchItem


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Thing = TypeVar("Thing", bound=_Named)


def named(found: Iterable[Thing], name: str, what: str) -> Thing:
    """Return the one of `found` with that name; raises `NoSuchItem`, which calls it `what`."""
    things = {thing.name: thing for thing in found}
    if name not in things:
        names = ", ".join(sorted(things)) or "none"
        raise NoSuchItem(f"There is no {what} {name!r} that you may use. There are: {names}.")
    return things[name]


def open_own(path: Path) -> BinaryIO:
    """Open a file of the user's own for reading; raises `NoSuchItem` when it cannot be read."""
    try:
        stream: Any = path.open("rb")
    except OSError as error:
        raise NoSuchItem(
            f"The file {str(path)!r} cannot be read: {error.strerror}. Name a file that can."
        )
    return stream  # type: ignore[no-any-return]
