"""What the database knows about files: who sent them, what is to be done with them.

The storage directory holds the files, the ledger the facts about them.  Both
change together: operations join the transaction that changes the ledger.
"""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from BTrees.OOBTree import OOBTree
from persistent import Persistent

from waeup.kofa.conversion import Values
from waeup.kofa.errors import NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.corrections import Corrections
from waeup.kofa.importing.distribution import Distribution
from waeup.kofa.mappings import Mappings

#: How long a draft is kept.
DRAFT_AGE = timedelta(days=30)
#: How long it is known under which token a file was sent.
TOKEN_AGE = timedelta(days=1)


@dataclass(frozen=True)
class FileEntry:
    """Facts about a stored file.

    `name` is relative to the storage (``unfinished/a.csv``), `owner` a user id,
    `original` the name that the file had at the sender, `size` its bytes, `digest`
    the SHA-256 of its content in hex, `date` the time (UTC) at which it came.  `run`
    is the id of the import whose failed rows these are, if they are such.

    Of a deleted file, `origin` is the name that it had and `deleted_by` who has deleted
    it; when is in its name.  Of one that was restored, `origin`
    is the name that it had in ``deleted``.
    """

    name: str
    owner: str
    original: str
    size: int
    digest: str
    date: datetime
    run: str | None = None
    origin: str = ""
    deleted_by: str | None = None


@dataclass(frozen=True)
class Arrival:
    """What was decided at `date` (UTC) of a file that came by itself, from a watched folder.

    `file` is the stored file that it has become, `digest` the SHA-256 of its content, `check` the
    id of a check that was ordered of it, `run` that of its import; `refused` says why there is
    none, and never will be.
    """

    date: datetime
    file: str = ""
    digest: str = ""
    check: str = ""
    run: str = ""
    refused: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be decided."""
        return bool(self.run or self.refused)


class Draft(Persistent):
    """An import that an officer prepares, and the runs that came of it.

    `digest` is the SHA-256 of the file that was looked at, `reading` what was said about
    how to read it, as `ReadOptions.as_dict` gives it.  `columns` gives the
    field of each column (None: ignored), `constants` are pairs of field and text, `values`
    which texts stand for others (as in `waeup.kofa.conversion.Mapping`).  `left_alone` are pairs
    of a field and a text that stands for nothing else, whatever is proposed for it.
    `skip_unchanged` leaves objects alone that have all values already.
    `check` and `run` are the ids of its check and of its import, if they were ordered.  A draft
    that was run outlives its file.  `corrections` are those of its rows.
    """

    # Drafts of before have none.
    _corrections: Corrections | None = None
    reading: dict[str, Any] = {}
    processor: str | None = None
    mode: str | None = None
    columns: tuple[str | None, ...] | None = None
    constants: tuple[tuple[str, str], ...] = ()
    values: Values = ()
    left_alone: tuple[tuple[str, str], ...] = ()
    skip_unchanged: bool = False
    check: str | None = None
    run: str | None = None

    def __init__(self, id: str, filename: str, digest: str, owner: str, date: datetime) -> None:
        self.id = id
        self.filename = filename
        self.digest = digest
        self.owner = owner
        self.date = date
        self._corrections = Corrections()

    @property
    def corrections(self) -> Corrections:
        """What is read in place of cells of the file; see `corrections_to_change`."""
        return Corrections() if self._corrections is None else self._corrections

    def corrections_to_change(self) -> Corrections:
        """Return what is read in place of cells of the file, made if need be."""
        if self._corrections is None:
            self._corrections = Corrections()
        return self._corrections


def _new_tree() -> OOBTree:
    # A BTree that is empty before or after a change cannot be merged with the change
    # of somebody else: one key that is no name stays in it.
    return OOBTree({_KEEPER: None})


_KEEPER = ""


def _token_key(owner: str, token: str) -> str:
    return f"{token} {owner}"


class Ledger(Persistent):
    """Entries of files, drafts of imports, and distributions that are not done.

    Likewise the work folders with rows of removed objects that go to their tables, and what was
    decided of files that came by themselves.
    """

    # Databases of before have none.
    _rows: OOBTree | None = None
    _received: OOBTree | None = None
    _mappings: Mappings | None = None
    #: Name of a file -> id of the import that has put it there, and when (UTC).
    _sources: OOBTree | None = None
    #: Id of a draft whose file has gone -> the draft, for the corrections in it.
    _left: OOBTree | None = None
    #: Id of a file in a watched folder -> what was decided of it.
    _arrivals: OOBTree | None = None

    def __init__(self) -> None:
        self._files = _new_tree()
        self._needs = _new_tree()
        self._drafts = _new_tree()
        self._distributions = _new_tree()
        self._rows = _new_tree()
        self._mappings = Mappings()
        self._received = _new_tree()
        self._sources = _new_tree()
        self._left = _new_tree()
        self._arrivals = _new_tree()

    # -- files ----------------------------------------------------------------

    def enter(self, entry: FileEntry) -> None:
        """Remember a file in place of what had its name, drafts included."""
        self.strike(entry.name)
        self._files[entry.name] = entry

    def entry(self, name: str) -> FileEntry | None:
        """Return the entry of a file, or None."""
        return self._files.get(name)

    def entries(self) -> Iterator[FileEntry]:
        """Generate the entries of all files."""
        return (entry for entry in list(self._files.values()) if entry is not None)

    def strike(self, name: str) -> None:
        """Forget a file, and the drafts that were made of it and not started.

        Corrections in them are left; see `leave_draft`.
        """
        self._files.pop(name, None)
        self._needs.pop(name, None)
        if self._sources is not None:
            self._sources.pop(name, None)
        for draft in self.drafts():
            if draft.filename == name and draft.run is None:
                self.leave_draft(draft)

    def restrict(self, name: str, needs: Iterable[str]) -> None:
        """Show the content of a file only to who has the permissions `needs`, too."""
        needs = tuple(sorted({*self.needs(name), *needs}))
        if needs:
            self._needs[name] = needs

    def needs(self, name: str) -> tuple[str, ...]:
        """Return the permissions that a file needs, besides that of the data center."""
        return self._needs.get(name) or ()

    @property
    def knows_sources(self) -> bool:
        """Whether it is kept from which imports files have come; see `tell_source`."""
        return self._sources is not None

    def tell_source(self, name: str, run: str, date: datetime) -> None:
        """Remember which import has put a file of ``finished`` or ``unfinished`` there, and when.

        Apart from its entry, which says whose the file is: of a result it is nobody's.
        """
        if self._sources is None:
            self._sources = _new_tree()
        self._sources[name] = (run, date)

    def source_of(self, name: str) -> tuple[str, datetime] | None:
        """Return the id of the import that a file has come from last, and when, or None."""
        return None if self._sources is None else self._sources.get(name)

    def receive(self, token: str, entry: FileEntry) -> None:
        """Remember what was stored for `token`, by which its sender will know it.

        Of two requests with the same token at the same time one has a conflict.
        """
        if self._received is None:
            self._received = _new_tree()
        for key, old in list(self._received.items()):
            if old is not None and old.owner == entry.owner and old.date < entry.date - TOKEN_AGE:
                del self._received[key]
        self._received[_token_key(entry.owner, token)] = entry

    def received(self, owner: str, token: str) -> FileEntry | None:
        """Return the entry that a file of `owner` got which was sent under `token`, or None.

        The file may be gone by now.
        """
        return None if self._received is None else self._received.get(_token_key(owner, token))

    def forget_received(self, entry: FileEntry) -> None:
        """Forget under which token a file was sent that is lost: its sender may send it again."""
        if self._received is not None:
            for key, known in list(self._received.items()):
                if known == entry:
                    del self._received[key]

    # -- files that come by themselves ----------------------------------------

    def arrive(self, id: str, arrival: Arrival) -> None:
        """Remember what was decided of the file that has this id in its watched folder.

        Of two processes that decide at the same time one has a conflict.
        """
        if self._arrivals is None:
            self._arrivals = _new_tree()
        self._arrivals[id] = arrival

    def arrival(self, id: str) -> Arrival | None:
        """Return what was decided of a file that came by itself, or None."""
        return None if self._arrivals is None else self._arrivals.get(id)

    def arrivals(self) -> dict[str, Arrival]:
        """Return what was decided, by the ids of files."""
        found = {} if self._arrivals is None else dict(self._arrivals.items())
        return {id: arrival for id, arrival in found.items() if arrival is not None}

    def forget_arrival(self, id: str) -> None:
        """Forget what was decided of a file that has left its watched folder long since."""
        if self._arrivals is not None:
            self._arrivals.pop(id, None)

    # -- drafts ---------------------------------------------------------------

    def new_draft(self, filename: str, digest: str, owner: str, date: datetime) -> Draft:
        """Begin to prepare an import of a file; old ones of the owner are forgotten."""
        for old in self.drafts():
            if old.owner == owner and old.date < date - DRAFT_AGE:
                del self._drafts[old.id]
        draft = Draft(secrets.token_urlsafe(12), filename, digest, owner, date)
        self._drafts[draft.id] = draft
        return draft

    def draft(self, id: str) -> Draft:
        """Return a draft; raises `NoSuchItem`."""
        draft = self._drafts.get(id)
        if draft is None:
            raise NoSuchItem(
                _(
                    "This import is not prepared any more: you or somebody else has run or "
                    "dropped it, or replaced the file. See the list of runs, or choose the file "
                    "again."
                )
            )
        return draft

    def left_draft(self, id: str) -> Draft | None:
        """Return a draft with corrections whose file has gone, or None; see `leave_draft`."""
        return None if self._left is None else self._left.get(id)

    def left_drafts(self) -> list[Draft]:
        """Return all drafts with corrections whose files have gone."""
        left = () if self._left is None else self._left.values()
        return [draft for draft in left if draft is not None]

    def leave_draft(self, draft: Draft) -> None:
        """Forget a draft whose file has gone, but for corrections that no run was given."""
        del self._drafts[draft.id]
        if draft.run is None and len(draft.corrections):
            if self._left is None:
                self._left = _new_tree()
            self._left[draft.id] = draft

    def forget_left(self, before: datetime) -> None:
        """Forget the corrections of drafts that were begun `before` and whose files have gone."""
        for draft in self.left_drafts():
            if draft.date < before:
                assert self._left is not None
                del self._left[draft.id]

    def corrected_drafts(self, filename: str) -> list[Draft]:
        """Return the drafts of a file that were not started and have corrections, left or not."""
        return [
            draft
            for draft in (*self.drafts(), *self.left_drafts())
            if draft.filename == filename and draft.run is None and len(draft.corrections)
        ]

    def drafts(self) -> list[Draft]:
        """Return all drafts."""
        return [draft for draft in self._drafts.values() if draft is not None]

    def drop_draft(self, id: str) -> None:
        """Forget a draft."""
        if id != _KEEPER:
            self._drafts.pop(id, None)

    # -- mappings -------------------------------------------------------------

    @property
    def mappings(self) -> Mappings:
        """What is known of mappings; to be changed by way of `mappings_to_change`."""
        return Mappings() if self._mappings is None else self._mappings

    def mappings_to_change(self) -> Mappings:
        """Return what is known of mappings, made if need be."""
        if self._mappings is None:
            self._mappings = Mappings()
        return self._mappings

    # -- distributions --------------------------------------------------------

    def intend(self, distribution: Distribution) -> None:
        """Record, with the rows that it belongs to, where files are to go."""
        self._distributions[distribution.id] = distribution.as_dict()

    def intended(self) -> Iterator[Distribution]:
        """Generate the distributions that are recorded and not marked as done."""
        for record in list(self._distributions.values()):
            if record is not None:
                yield Distribution.from_dict(record)

    def done(self, distribution: Distribution) -> None:
        """Mark a distribution as done: all files are in their places."""
        self._distributions.pop(distribution.id, None)

    # -- rows of removed objects ----------------------------------------------

    def expect_rows(self, id: str, date: str) -> None:
        """Record, with the removals, that the rows in the work folder `id` are to be kept."""
        if self._rows is None:
            self._rows = _new_tree()
        self._rows[id] = date

    def expects_rows(self, id: str) -> bool:
        """Tell whether the rows in the work folder `id` belong to removals that are done."""
        return self._rows is not None and self._rows.get(id) is not None

    def expected_rows(self) -> list[str]:
        """Return the ids of all work folders of `expect_rows` that are not forgotten."""
        return [] if self._rows is None else [id for id in self._rows if id != _KEEPER]

    def forget_rows(self, id: str) -> None:
        """Forget a work folder that is gone, for its rows are where they belong."""
        if self._rows is not None:
            self._rows.pop(id, None)
