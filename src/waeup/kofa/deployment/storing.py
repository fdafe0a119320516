"""The file of the embedded database, whose idle connections do not hoard what others change.

A connection in the pool of a database is told the id of each object that is stored, and keeps
all of them until it is used again: of an import of a million students that is a hundred
megabytes for each connection of the portal that is idle meanwhile.  Beyond a limit it is enough
to know that nothing in its cache can be trusted any more.
"""

from collections.abc import Iterable
from pathlib import Path

from ZODB import FileStorage as files
from ZODB.interfaces import IMVCCStorage
from ZODB.mvccadapter import MVCCAdapter, MVCCAdapterInstance
from zope.interface import implementer

#: Objects whose changes a connection keeps in mind; about as many as it has in its cache.
LIMIT = 30_000


class _Sight(MVCCAdapterInstance):
    """What a connection sees of the storage."""

    def _invalidate(self, tid: bytes, oids: Iterable[bytes]) -> None:
        super()._invalidate(tid, oids)
        kept = self._invalidations
        if kept is not None and len(kept) > LIMIT:
            # As after a connection to a server that was lost.
            self._invalidateCache()


class _Sights(MVCCAdapter):
    """Gives each connection its own sight of the storage."""

    def new_instance(self) -> MVCCAdapterInstance:
        instance = _Sight(self)
        with self._lock:
            self._instances.add(instance)
        return instance


@implementer(IMVCCStorage)
class FileStorage(files.FileStorage):
    """A storage that makes the sights of connections itself; otherwise the database would."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        try:
            super().__init__(str(path), read_only=read_only)
        except BaseException:
            # One that cannot be read stays open otherwise, and locked.
            for each in (getattr(self, "_file", None), getattr(self, "_lock_file", None)):
                if each is not None:
                    each.close()
            raise
        sights = _Sights(self)
        self.new_instance = sights.new_instance
        self.before_instance = sights.before_instance
        self.undo_instance = sights.undo_instance
