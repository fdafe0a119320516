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
    _lines: Callable[[], int]

    @property
    def lines(self) -> int:
        """Number of physical lines; counted when asked for."""
        return self._lines()

    @property
    def date_text(self) -> str:
        """The date as ``YYYY-MM-DD HH:MM:SS``."""
        return self.date.strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True)
class Preview:
    """The beginning of a table: what was found, and its first rows.

    Cells of columns that hold passwords are hidden.
    """

    name: str
    header: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    encoding: str
    delimiter: str
    lines: int
    suggested_mode: str | None


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
