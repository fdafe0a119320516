"""The servers of tests start, are cleared up, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
import unittest
from contextlib import closing
from unittest import mock

import psycopg
import ZEO

from waeup.kofa.tests import servers
from waeup.kofa.tests.servers import keeper, postgresserver
from waeup.kofa.tests.waiting import PATIENCE, bounded

#: Starts a server, and says where it is and which process it has.
BEGIN = """
import os
from waeup.kofa.tests import servers
server = servers.{kind}()
pid = (server.directory / server.pid_file).read_text().split()[0]
print(server.directory, pid, flush=True)
"""
#: Forks, as tests of crashes do, and waits.
WAIT = """
import sys
os.fork()
sys.stdin.read()
"""


class TestPostgreSQL(unittest.TestCase):
    """Databases of the server of the tests."""

    def setUp(self):
        self.server = servers.postgresql(fsync=False)
        self.dsn = self.server.database()
        self.addCleanup(self.server.drop, psycopg.conninfo.conninfo_to_dict(self.dsn)["dbname"])

    def write(self):
        with psycopg.connect(self.dsn) as connection:
            connection.execute("CREATE TABLE a (b int)")
            connection.execute("INSERT INTO a VALUES (7)")

    def read(self, dsn=None):
        with psycopg.connect(dsn or self.dsn) as connection:
            return connection.execute("SELECT b FROM a").fetchall()

    def test_each_database_is_new(self):
        self.write()
        other = self.server.database("other")
        with self.assertRaises(psycopg.errors.UndefinedTable):
            self.read(other)
        copy = self.server.database("other", psycopg.conninfo.conninfo_to_dict(self.dsn)["dbname"])
        self.assertEqual(self.read(copy), [(7,)])
        self.server.drop("other")
        with self.assertRaises(psycopg.OperationalError):
            self.read(other)

    def test_what_is_committed_survives_a_crash(self):
        self.write()
        with closing(psycopg.connect(self.dsn)) as before:
            self.server.restart("immediate")
            with self.assertRaises(psycopg.OperationalError):
                before.execute("SELECT 1")
        self.assertEqual(self.read(), [(7,)])
        self.server.kill()
        with self.assertRaises(psycopg.OperationalError):
            self.read()
        self.server.start()
        self.assertEqual(self.read(), [(7,)])

    def test_a_password_is_needed(self):
        wrong = psycopg.conninfo.make_conninfo(self.dsn, password="guessed")
        with self.assertRaises(psycopg.OperationalError):
            self.read(wrong)

    def test_without_an_installed_one(self):
        with (
            mock.patch.object(postgresserver, "programs", return_value=None),
            mock.patch.dict(os.environ),
        ):
            os.environ.pop(servers.REQUIRE_POSTGRESQL, None)
            with self.assertRaisesRegex(unittest.SkipTest, "apt-get install postgresql"):
                servers.PostgreSQL()
            os.environ[servers.REQUIRE_POSTGRESQL] = "1"
            with self.assertRaisesRegex(AssertionError, "asks for it"):
                servers.PostgreSQL()


class TestZeo(unittest.TestCase):
    """Storages of the server of the tests."""

    def test_each_storage_is_new_and_survives_a_restart(self):
        server = servers.Zeo(storages=2)
        self.addCleanup(server.close)
        server.start()
        address, name = server.place()
        for text in ("written", "again"):
            with closing(ZEO.DB(address, storage=name, wait_timeout=20)) as db:
                with db.transaction() as connection:
                    connection.root()[text] = text
                if text == "written":
                    server.restart()
        self.assertEqual(self.names(address, name), {"written", "again"})
        self.assertEqual(self.names(*server.place()), set())
        self.assertTrue(server.is_used_up)

    @staticmethod
    def names(address, storage):
        """Return what is in the root of a storage."""
        with (
            closing(ZEO.DB(address, storage=storage, wait_timeout=20)) as db,
            db.transaction() as connection,
        ):
            return set(connection.root())


class TestEnds(unittest.TestCase):
    """Whatever becomes of the process of the tests, nothing stays behind."""

    def started(self, kind, then=""):
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN.format(kind=kind) + then],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        with bounded(process):
            directory, pid = process.stdout.readline().split()
        return process, directory, int(pid)

    def assert_gone(self, directory, pid):
        """Wait for the keeper, which is nobody's child any more."""
        deadline = time.monotonic() + 60
        while os.path.exists(directory) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(os.path.exists(directory))
        self.assertFalse(keeper.is_alive(pid))

    def test_an_end(self):
        for kind in ("postgresql", "zeo"):
            with self.subTest(kind):
                process, directory, pid = self.started(kind)
                process.wait(PATIENCE)
                self.assertFalse(os.path.exists(directory))
                self.assertFalse(keeper.is_alive(pid))

    def test_a_kill(self):
        """Also with a forked process that lives on."""
        for kind in ("postgresql", "zeo"):
            with self.subTest(kind):
                process, directory, pid = self.started(kind, WAIT)
                self.assertTrue(keeper.is_alive(pid))
                process.send_signal(signal.SIGKILL)
                process.wait(PATIENCE)
                self.assert_gone(directory, pid)
