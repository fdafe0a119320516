"""How databases are opened where several processes start at the same time."""

import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from waeup.kofa.deployment.databases import Database, PostgresDatabase
from waeup.kofa.tests import servers
from waeup.kofa.tests.databases import new_place
from waeup.kofa.tests.waiting import PATIENCE

#: Processes that start at once, and how often they do.
PROCESSES, TURNS = 5, 4


class AtOnce(unittest.TestCase):
    def start(self, database: Database) -> None:
        """Open an empty database by several at once, as processes do that start."""
        together = threading.Barrier(PROCESSES, timeout=PATIENCE)

        def start() -> list[str]:
            together.wait()
            with database.open(write=True) as opened, closing(opened.open()) as connection:
                return list(connection.root())

        with ThreadPoolExecutor(PROCESSES) as pool:
            found = [pool.submit(start) for _ in range(PROCESSES)]
        self.assertEqual([each.result() for each in found], [[]] * PROCESSES)

    def test_on_postgresql_the_tables_are_made_once(self) -> None:
        for _ in range(TURNS):
            self.start(PostgresDatabase(servers.postgresql(fsync=False).database()))

    def test_on_zeo(self) -> None:
        for _ in range(TURNS):
            place = new_place("zeo")
            self.addCleanup(place.close)
            self.start(place.there)
