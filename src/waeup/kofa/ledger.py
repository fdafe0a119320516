"""What the database knows about files: who sent them, what is to be done with them.

The storage directory holds the files, the ledger the facts about them.  Both
change together: operations join the transaction that changes the ledger.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from BTrees.OOBTree import OOBTree
from persistent import Persistent

from waeup.kofa.errors import NoSuchItem
from waeup.kofa.importing.distribution import Distribution


@dataclass(frozen=True)
class FileEntry:
    """Facts about a stored file.

    `owner` is a user id, `original` the name that the file had at the sender,
    `size` its bytes, `digest` the SHA-256 of its content in hex, `date` the time
    (UTC) at which it came.
    """

    name: str
    owner: str
    original: str
    size: int
    digest: str
    date: datetime


class Draft(Persistent):
    """An import that an officer prepares; lives until it is run or dropped.

    `columns` gives the field of each column (None: ignored), `constants` are
    pairs of field and text.  Both are None until the officer has chosen them.
    """

    processor: str | None = None
    mode: str | None = None
    columns: tuple[str | None, ...] | None = None
    constants: tuple[tuple[str, str], ...] = ()

    def __init__(self, id: str, filename: str, owner: str, date: datetime) -> None:
        self.id = id
        self.filename = filename
        self.owner = owner
        self.date = date


class Ledger(Persistent):
    """Entries of files, drafts of imports, and distributions that are not done."""

    def __init__(self) -> None:
        self._files = OOBTree()
        self._drafts = OOBTree()
        self._distributions = OOBTree()

    # -- files ----------------------------------------------------------------

    def enter(self, entry: FileEntry) -> None:
        """Remember a file; an entry of the same name is replaced."""
        self._files[entry.name] = entry

    def entry(self, name: str) -> FileEntry | None:
        """Return the entry of a file, or None."""
        return self._files.get(name)

    def strike(self, name: str) -> None:
        """Forget a file, and the drafts that were made of it."""
        self._files.pop(name, None)
        for draft in [draft for draft in self._drafts.values() if draft.filename == name]:
            del self._drafts[draft.id]

    # -- drafts ---------------------------------------------------------------

    def new_draft(self, filename: str, owner: str, date: datetime) -> Draft:
        """Begin to prepare an import of a file."""
        draft = Draft(secrets.token_urlsafe(12), filename, owner, date)
        self._drafts[draft.id] = draft
        return draft

    def draft(self, id: str) -> Draft:
        """Return a draft; raises `NoSuchItem`."""
        try:
            return self._drafts[id]
        except KeyError:
            raise NoSuchItem(
                "This import is not prepared any more: it was run or dropped meanwhile. "
                "Choose the file again."
            ) from None

    def drop_draft(self, id: str) -> None:
        """Forget a draft."""
        self._drafts.pop(id, None)

    # -- distributions --------------------------------------------------------

    def intend(self, distribution: Distribution) -> None:
        """Record, with the rows that it belongs to, where files are to go."""
        self._distributions[distribution.id] = distribution.as_dict()

    def intended(self) -> Iterator[Distribution]:
        """Generate the distributions that are recorded and not marked as done."""
        for record in list(self._distributions.values()):
            yield Distribution.from_dict(record)

    def done(self, distribution: Distribution) -> None:
        """Mark a distribution as done: all files are in their places."""
        self._distributions.pop(distribution.id, None)
