"""Databases that outlive an absence of their server, and show what others have committed.

ZODB takes a connection that cannot begin, since the server is away, for an open one, and trips
over it when the database is closed.  One that is opened within a transaction, as each request
does, would not ask a ZEO server what has happened.
"""

from typing import Any

from ZODB import DB
from ZODB.Connection import Connection


class _Connection(Connection):
    """A connection that is closed when it could not be opened, and up to date when it is open."""

    def open(self, transaction_manager: Any = None, delegate: bool = True) -> None:
        """See `ZODB.Connection.Connection.open`."""
        try:
            self._storage.sync()
            super().open(transaction_manager, delegate)
        except BaseException:
            self.opened = self.transaction_manager = None
            raise


class PortalDB(DB):
    """A database with such connections."""

    klass = _Connection
