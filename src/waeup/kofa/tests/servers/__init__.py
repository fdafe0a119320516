"""Servers of databases that tests start themselves: PostgreSQL and ZEO, on loopback.

::

    from waeup.kofa.tests import servers

    server = servers.postgresql()        # that of this process, started by the first call
    dsn = server.database()              # of a new, empty database; holds a password
    server.restart("immediate")          # what is open breaks, what is committed stays
    server.kill(); server.start()

    server = servers.zeo()
    storage = ZEO.client(*server.place())      # a new, empty storage: address and name

A test that does more to a server than to restart it, or that needs other settings, makes one of
its own: ``PostgreSQL(fsync=True)``, ``Zeo()``; `start` comes first, and `close` is a cleanup.

A server lives in a temporary directory. A process of its own, the keeper, ends it and removes
that directory when the process of the tests ends, in whatever way (`servers.keeper`).

Where no PostgreSQL 15 or later is installed its tests are skipped; with
``KOFA_REQUIRE_POSTGRESQL=1``, as in continuous integration, they fail.
"""

from waeup.kofa.tests.servers.postgresserver import REQUIRE_POSTGRESQL, PostgreSQL, postgresql
from waeup.kofa.tests.servers.zeoserver import Zeo, zeo

__all__ = ["REQUIRE_POSTGRESQL", "PostgreSQL", "Zeo", "postgresql", "zeo"]
