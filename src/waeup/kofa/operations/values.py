"""What operations return: frozen values that doors can show."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StoredFile:
    """A file as it is shown to people.

    `size` counts bytes, `date` is in local time, `owner` is a user id or ``''``.
    """

    name: str
    folder: str
    size: int
    size_text: str
    date: datetime
    owner: str
    _lines: Callable[[], int | None]

    @property
    def lines(self) -> int | None:
        """Number of physical lines of the text; counted when asked for.

        None for a container of which no text has been made yet.
        """
        return self._lines()

    @property
    def datasets(self) -> str:
        """Number of lines below a header in the first line, as text; ``''`` where not known."""
        lines = self.lines
        return "" if lines is None else f"{max(lines - 1, 0):,}"

    @property
    def date_text(self) -> str:
        """The date as ``YYYY-MM-DD HH:MM:SS``."""
        return self.date.strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True)
class FieldInfo:
    """A field that a column can fill; `type` is the name of its schema class.

    `secret` says that its text must be seen by nobody.
    """

    name: str
    type: str
    title: str
    required: bool
    secret: bool = False


@dataclass(frozen=True)
class ProcessorInfo:
    """A kind of objects that can be imported."""

    name: str
    title: str
    modes: tuple[str, ...]
    fields: tuple[FieldInfo, ...]
    required: dict[str, list[str]]
    permission: str


@dataclass(frozen=True)
class UserInfo:
    """A user account as it is shown to administrators."""

    name: str
    title: str
    email: str | None
    roles: tuple[str, ...]
    suspended: bool
