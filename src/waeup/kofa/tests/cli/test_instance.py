"""The instance directory, and who may open its database."""

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import transaction
from persistent.mapping import PersistentMapping
from ZODB.DB import DB
from ZODB.FileStorage import FileStorage
from ZODB.POSException import ReadOnlyError

from waeup.kofa.cli.instance import Instance
from waeup.kofa.deployment import storing
from waeup.kofa.errors import DatabaseHeld, NoSuchItem, Refused
from waeup.kofa.tests.cli.shell import environment
from waeup.kofa.tests.waiting import bounded

# Opens a database for writing, commits, leaves a second transaction voted but not finished (as a
# kill or a slow disk does), tells that, and waits.
HOLDER = """
import sys, time, transaction
from ZODB.DB import DB
from ZODB.FileStorage import FileStorage
db = DB(FileStorage(sys.argv[1]))
connection = db.open()
connection.root()["seen"] = 1
transaction.commit()
connection.root()["seen"] = 2
connection.root()["bulk"] = "x" * 100000
txn = transaction.get()
connection.tpc_begin(txn)
connection.commit(txn)
connection.tpc_vote(txn)
print("holding", flush=True)
time.sleep(300)
"""


class InstanceCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.instance = Instance(self.root / "var")

    def content(self) -> dict[str, bytes]:
        """Return all files of the database folder with their content."""
        folder = self.instance.database_path.parent
        return {path.name: path.read_bytes() for path in folder.iterdir()}


class MakeTests(InstanceCase):
    def test_a_new_directory_is_its_owners_only(self) -> None:
        self.instance.make()
        self.assertEqual(stat.S_IMODE(self.instance.var.stat().st_mode), 0o700)
        self.assertEqual(
            sorted(os.listdir(self.instance.var)), ["datacenter", "filestorage", "log"]
        )

    def test_an_empty_directory_is_closed_to_others(self) -> None:
        self.instance.var.mkdir(mode=0o755)
        self.instance.make()
        self.assertEqual(stat.S_IMODE(self.instance.var.stat().st_mode), 0o700)

    def test_an_instance_that_was_opened_to_others_is_closed_again(self) -> None:
        self.instance.make()
        with self.instance.database(write=True):
            pass
        self.instance.var.chmod(0o755)
        self.instance.make()
        self.assertEqual(stat.S_IMODE(self.instance.var.stat().st_mode), 0o700)

    def test_what_a_kill_left_undone_is_done_the_next_time(self) -> None:
        (self.instance.var / "filestorage").mkdir(parents=True)
        self.instance.make()
        self.assertTrue(self.instance.storage.is_dir())

    def test_a_directory_of_something_else_is_left_alone(self) -> None:
        self.instance.var.mkdir(mode=0o755)
        (self.instance.var / "thesis.odt").touch()
        with self.assertRaisesRegex(Refused, "is not empty .* holds thesis.odt"):
            self.instance.make()
        self.assertEqual(os.listdir(self.instance.var), ["thesis.odt"])
        self.assertEqual(stat.S_IMODE(self.instance.var.stat().st_mode), 0o755)

    def test_a_file_cannot_be_the_directory(self) -> None:
        self.instance.var.touch()
        with self.assertRaisesRegex(Refused, "cannot be made: .*--var"):
            self.instance.make()

    def test_a_missing_instance_is_refused_with_the_way_out(self) -> None:
        with self.assertRaisesRegex(NoSuchItem, "There is no portal .* `kofactl run`"):
            self.instance.require()
        self.assertFalse(self.instance.var.exists())


class DatabaseTests(InstanceCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance.make()

    def hold(self) -> "subprocess.Popen[str]":
        """Let another process hold the database."""
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self.instance.database_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

        def end() -> None:
            holder.kill()
            holder.communicate()

        self.addCleanup(end)
        assert holder.stdout is not None
        with bounded(holder):
            self.assertEqual(holder.stdout.readline(), "holding\n")
        return holder

    def seen(self) -> int:
        """Return what a reader finds."""
        with self.instance.database(write=False) as database:
            connection = database.open()
            try:
                root = connection.root()
                self.assertNotIn("bulk", root)
                return root["seen"]
            finally:
                transaction.abort()
                connection.close()

    def test_writing_beside_a_writer_is_refused_with_its_name(self) -> None:
        holder = self.hold()
        with (
            self.assertRaises(DatabaseHeld) as caught,
            self.instance.database(write=True),
        ):
            self.fail("the database was opened twice")
        message = str(caught.exception)
        self.assertRegex(
            message,
            rf"held by process {holder.pid} \(python[^ )]*\) since \d{{4}}-\d\d-\d\d \d\d:\d\d",
        )
        self.assertIn(f"stop process {holder.pid} and repeat", message)

    def test_a_lock_file_that_says_nonsense_is_not_repeated(self) -> None:
        self.hold()
        Path(f"{self.instance.database_path}.lock").write_text("../../etc\x1b", "ascii")
        with (
            self.assertRaisesRegex(DatabaseHeld, "held by another process, and"),
            self.instance.database(write=True),
        ):
            self.fail("the database was opened twice")

    def test_a_disk_for_reading_only_is_told(self) -> None:
        with self.instance.database(write=True):
            pass
        for code in (errno.EROFS, errno.EACCES):
            refusal = OSError(code, os.strerror(code))
            with (
                mock.patch("ZODB.FileStorage.FileStorage.LockFile", side_effect=refusal),
                self.assertRaisesRegex(Refused, rf"{os.strerror(code)}\. Look whether its disk"),
                self.instance.database(write=True),
            ):
                self.fail("it was opened")

    def test_reading_beside_a_writer_shows_what_is_committed_and_changes_nothing(self) -> None:
        self.hold()
        before = self.content()
        self.assertEqual(self.seen(), 1)
        self.assertEqual(self.content(), before)

    def test_reading_after_a_kill_ignores_the_unfinished_transaction(self) -> None:
        holder = self.hold()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        before = self.content()
        self.assertEqual(self.seen(), 1)
        self.assertEqual(self.content(), before)

    def test_every_cut_of_the_last_transaction_can_be_read(self) -> None:
        """A reader may look while the writer's bytes arrive."""
        storage = FileStorage(str(self.instance.database_path))
        database = DB(storage)
        connection = database.open()
        connection.root()["seen"] = 1
        transaction.commit()
        complete = storage.getSize()
        connection.root()["seen"] = 2
        connection.root()["bulk"] = "x" * 100
        transaction.commit()
        connection.close()
        database.close()
        for name in ("Data.fs.index", "Data.fs.lock", "Data.fs.tmp"):
            (self.instance.database_path.parent / name).unlink()
        content = self.instance.database_path.read_bytes()
        for end in range(complete, len(content)):
            self.instance.database_path.write_bytes(content[:end])
            self.assertEqual(self.seen(), 1, f"cut at byte {end}")

    def test_an_idle_connection_sees_what_it_did_not_keep_in_mind(self) -> None:
        self.instance.make()
        with (
            mock.patch.object(storing, "LIMIT", 5),
            self.instance.database(write=True) as database,
        ):
            managers = [transaction.TransactionManager() for _ in range(2)]
            busy, idle = (database.open(manager) for manager in managers)
            for number in range(20):
                busy.root()[str(number)] = PersistentMapping(value=0)
            managers[0].commit()
            managers[1].begin()
            self.assertEqual(sum(one["value"] for one in idle.root().values()), 0)
            managers[1].abort()
            for number in range(20):
                busy.root()[str(number)]["value"] = 1
                managers[0].commit()
                kept = idle._storage._invalidations
                self.assertEqual(kept is None, number > 4, number)
            managers[1].begin()
            self.assertEqual(sum(one["value"] for one in idle.root().values()), 20)
            busy.root()["7"]["value"] = 2
            managers[0].commit()
            self.assertEqual(idle._storage._invalidations, {busy.root()["7"]._p_oid})
            managers[1].begin()
            self.assertEqual(idle.root()["7"]["value"], 2)
            for connection, manager in zip((busy, idle), managers, strict=True):
                manager.abort()
                connection.close()

    def test_the_past_can_be_looked_at_and_undone(self) -> None:
        self.instance.make()
        with self.instance.database(write=True) as database:
            manager = transaction.TransactionManager()
            connection = database.open(manager)
            connection.root()["value"] = 1
            manager.commit()
            first = connection.root()._p_serial
            connection.root()["value"] = 2
            manager.commit()
            past = database.open(transaction.TransactionManager(), at=first)
            self.assertEqual(past.root()["value"], 1)
            past.close()
            database.undo(database.undoInfo()[0]["id"], manager.get())
            manager.commit()
            self.assertEqual(connection.root()["value"], 1)
            connection.close()

    def test_a_reader_cannot_write(self) -> None:
        with self.instance.database(write=True):
            pass
        with self.instance.database(write=False) as database:
            connection = database.open()
            try:
                connection.root()["seen"] = 3
                with self.assertRaises(ReadOnlyError):
                    transaction.commit()
            finally:
                transaction.abort()
                connection.close()
