"""The portal's end of the socket: who gets in, what can be asked for, what is committed."""

import io
import logging
import os
import pwd
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from contextlib import closing, contextmanager
from pathlib import Path
from unittest import mock

import transaction
from transaction.interfaces import TransientError

from waeup.kofa.api import local, sockets, wire
from waeup.kofa.api.acting import acting, require_storage
from waeup.kofa.api.local import OPERATIONS, LocalServer
from waeup.kofa.api.remote import Remote, answers
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import (
    Fault,
    InvalidStoragePath,
    ItemBusy,
    KofaError,
    MappingError,
    NoSuchItem,
    NotAllowed,
    NotUnderstood,
    PortalGone,
    Refused,
    TableError,
    TooLarge,
)
from waeup.kofa.jobs import new_holder, work_off
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.operations import Operations
from waeup.kofa.tests.cli.shell import environment
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase
from waeup.kofa.tests.waiting import PATIENCE, begun, joined

# Becomes another user, and asks.
STRANGER = """
import os, sys
from pathlib import Path
from waeup.kofa.api.remote import Remote
from waeup.kofa.errors import NotAllowed
os.setuid(int(sys.argv[2]))
try:
    Remote(Path(sys.argv[1]), "boss").users()
except NotAllowed as error:
    print(error)
"""
FACULTIES = b"code,title\nSCI,Science\nART,Arts\n"


class LocalCase(FunctionalTestCase):
    """Has a portal that answers at a socket, and `remote`, which a manager holds."""

    def setUp(self):
        FunctionalLayer.add_user("boss", "waeup.PortalManager")
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = self.folder / "portal.sock"
        self.records = []
        handler = logging.Handler()
        handler.emit = self.records.append
        logger = logging.getLogger("waeup.kofa.api.local")
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        self.server = self.enterContext(LocalServer(FunctionalLayer.database(), "/app", self.path))
        self.remote = Remote(self.path, "boss")

    def enterContext(self, manager):
        """See `unittest.TestCase` of Python 3.11."""
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def seen(self, question):
        """Return what `question` says about the site as it is in the database now."""
        transaction.abort()
        return question(self.site)

    def file(self, content=FACULTIES):
        """Return an open file."""
        path = self.folder / "file"
        path.write_bytes(content)
        return path.open("rb")

    def upload(self, name="f.csv", content=FACULTIES, **more):
        """Send a file."""
        with self.file(content) as stream:
            return self.remote.upload(name, stream, **more)

    def work_off(self, run):
        """Bring a run to its end, as a worker of the portal does."""
        database = FunctionalLayer.database()
        in_own_thread(lambda: work_off(database, "/app", run.id, new_holder()))

    def asked(self, message, descriptors=()):
        """Return what is answered to a message, or raise it."""
        with sockets.connect(self.path) as connection:
            sockets.send(connection, message, descriptors)
            return wire.answer_of(sockets.receive(connection)[0])

    def request(self, operation="users", args=(), **more):
        """Return a request as a message."""
        plain = {"user": "boss", "storage_required": True, "kwargs": {}}
        return wire.encode({**plain, "operation": operation, "args": args, **more})


class Calls(LocalCase):
    """What is asked for is done."""

    def test_a_call_returns_what_the_operation_returns(self):
        (user,) = [user for user in self.remote.users() if user.name == "boss"]
        self.assertEqual(user.roles, ("waeup.PortalManager",))
        with acting(self.site, "boss") as operations:
            self.assertEqual(self.remote.processors(), operations.processors())
            there = self.remote.template("facultyprocessor")
            self.assertEqual(there, operations.template("facultyprocessor"))

    def test_a_call_is_committed_when_it_returns(self):
        self.remote.add_user("bola", "Bola", "long enough", roles=("waeup.ImportManager",))
        self.assertEqual(
            self.seen(lambda site: list(site["users"]["bola"].roles)), ["waeup.ImportManager"]
        )

    def test_a_file_comes_as_a_file(self):
        upload = self.upload()
        self.assertEqual((upload.name, upload.size), ("f_boss.csv", len(FACULTIES)))
        self.assertEqual((self.storage / "f_boss.csv").read_bytes(), FACULTIES)
        (item,) = self.remote.pending_files()
        self.assertEqual((item.name, item.owner), ("f_boss.csv", "boss"))

    def test_a_file_that_cannot_be_read_twice_comes_too(self):
        reading, writing = os.pipe()
        with open(reading, "rb") as stream:
            os.write(writing, FACULTIES)
            os.close(writing)
            self.assertEqual(self.remote.upload("f.csv", stream).size, len(FACULTIES))

    def test_an_import_is_ordered_and_watched(self):
        name = self.upload().name
        mapping = self.remote.propose_mapping(name, "facultyprocessor", "create")
        self.assertEqual(mapping, Mapping(("code", "title")))
        run = self.remote.start_import(name, "facultyprocessor", "create", mapping)
        self.assertEqual((run.state, run.owner, run.actions), ("queued", "boss", ("cancel",)))
        self.assertEqual(self.remote.run_of(name), run)
        self.work_off(run)
        run = self.remote.run(run.id)
        self.assertEqual((run.state, run.fault), ("finished", ""))
        self.assertEqual((run.report.created, run.report.failed), (2, 0))
        self.assertEqual(self.seen(lambda site: sorted(site["faculties"])), ["ART", "SCI"])
        self.assertEqual(self.remote.runs(), [run])
        self.assertIsNotNone(run.queued.tzinfo)

    def test_a_check_is_read_and_an_import_taken_back(self):
        name = self.upload().name
        arguments = (name, "facultyprocessor", "create", Mapping(("code", "title")))
        check = self.remote.start_check(*arguments)
        self.work_off(check)
        (row, _) = self.remote.check_rows(check.id)
        self.assertEqual((row.key, row.outcome), ("SCI", "created"))
        self.assertIn(("title", None, "Science"), row.changes)
        run = self.remote.start_import(*arguments, check=check.id)
        self.work_off(run)
        self.work_off(self.remote.start_undo(run.id))
        self.assertEqual(self.remote.run(run.id).state, "undone")
        self.assertEqual(self.seen(lambda site: sorted(site["faculties"])), [])
        self.assertEqual(self.remote.recover(verify=True), [])

    def test_many_ask_at_once(self):
        done = []

        def add(number):
            done.append(self.remote.add_user(f"u{number}", "U", "long enough"))

        joined(*(begun(add, number) for number in range(20)))
        self.assertEqual(len(done), 20)
        self.assertEqual(self.seen(lambda site: len(site["users"])), 21)


class Refusals(LocalCase):
    """What is refused, and that nothing was changed then."""

    def test_errors_are_those_of_the_operation(self):
        for error, words, call in (
            (NoSuchItem, "no user 'nobody'", lambda: self.remote.remove_user("nobody")),
            (TableError, "has a header and no rows", lambda: self.upload(content=b"code\n")),
            (
                MappingError,
                "no column 'nosuch'",
                lambda: self.remote.make_mapping(
                    self.upload().name, "facultyprocessor", "create", assign={"nosuch": "code"}
                ),
            ),
        ):
            with self.subTest(words), self.assertRaisesRegex(error, words):
                call()
        self.assertEqual(self.records, [])

    def test_only_whoever_may_act(self):
        FunctionalLayer.add_user("bola", "waeup.DataCenterManager")
        FunctionalLayer.add_user("gone", "waeup.PortalManager", suspended=True)
        with self.assertRaisesRegex(NotAllowed, "permission waeup.manageUsers"):
            Remote(self.path, "bola").users()
        with self.assertRaisesRegex(NotAllowed, "'gone' is suspended"):
            Remote(self.path, "gone").pending_files()
        with self.assertRaisesRegex(NoSuchItem, "no account 'nobody'"):
            Remote(self.path, "nobody").pending_files()

    def test_an_operation_that_fails_is_taken_back_and_logged(self):
        def fail(operations, name, roles):
            operations.site["users"][name].roles = []
            raise RuntimeError("boom")

        with (
            mock.patch.object(Operations, "set_roles", fail),
            self.assertRaisesRegex(Fault, "^RuntimeError: boom. What was not finished"),
        ):
            self.remote.set_roles("boss", ())
        self.assertEqual(
            self.seen(lambda site: list(site["users"]["boss"].roles)), ["waeup.PortalManager"]
        )
        self.assertEqual([record.exc_info[0] for record in self.records], [RuntimeError])
        self.assertTrue(self.remote.users())

    def test_what_cannot_be_answered_is_taken_back(self):
        def odd(operations, name):
            del operations.site["users"][name]
            return object()

        with mock.patch.object(Operations, "remove_user", odd):
            with self.assertRaisesRegex(Fault, "cannot be sent"):
                self.remote.remove_user("boss")
            with (
                mock.patch.object(sockets, "LIMIT", 500),
                mock.patch.object(wire, "encode_answer", lambda value: b"x" * 501),
                self.assertRaisesRegex(TooLarge, "has 501 bytes"),
            ):
                self.remote.remove_user("boss")
        self.assertIn("boss", self.seen(lambda site: list(site["users"])))

    def test_what_can_be_asked_for_are_the_public_methods(self):
        self.assertLess({"upload", "delete", "start_import", "set_storage_path"}, OPERATIONS)
        for name in ("_require", "__init__", "__class__", "site", "principal", "datacenter", "x"):
            self.assertNotIn(name, OPERATIONS)
            with (
                self.subTest(name),
                self.assertRaisesRegex(NotUnderstood, f"no operation '{name}'"),
            ):
                self.asked(self.request(name))

    def test_an_attribute_that_begins_with_an_underscore_is_no_call(self):
        with self.assertRaises(AttributeError):
            _ = self.remote._require

    def test_what_is_no_request_is_answered_so(self):
        for plain in (None, 1, [], {}, {"user": "boss", "operation": "users"}):
            with self.subTest(plain), self.assertRaisesRegex(NotUnderstood, "no request"):
                self.asked(wire.encode(plain))
        for message in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x80\x04K\x01.", b"[" * 50_000):
            with self.subTest(message[:9]), self.assertRaisesRegex(NotUnderstood, "understand"):
                self.asked(message)
        for more in (
            {"args": 1},
            {"args": ["x", "y"]},
            {"kwargs": []},
            {"kwargs": {1: 2}},
            {"operation": []},
            {"user": ["boss"]},
        ):
            with self.subTest(more), self.assertRaises(KofaError):
                self.asked(self.request(**more))
        self.assertTrue(self.remote.users())

    def test_a_message_that_is_too_long_is_not_read(self):
        with sockets.connect(self.path) as connection:
            connection.sendall(struct.pack(">I", 0xFFFFFFFF))
            with self.assertRaisesRegex(NotUnderstood, "4,294,967,295 bytes was announced"):
                wire.answer_of(sockets.receive(connection)[0])

    def test_what_is_no_file_is_refused(self):
        descriptor = os.open(self.folder, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        before = len(os.listdir("/proc/self/fd"))
        with self.assertRaisesRegex(Fault, "IsADirectoryError"):
            self.asked(self.request(), [descriptor])
        for _ in range(100):
            if len(os.listdir("/proc/self/fd")) == before:
                break
            time.sleep(0.05)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        with self.assertRaises(TypeError):
            self.remote.upload("f.csv", io.BytesIO(FACULTIES))

    def test_who_says_nothing_holds_nobody_up(self):
        with mock.patch.object(local, "PATIENCE", 0.1):
            silent = [sockets.connect(self.path) for _ in range(2 * local.THREADS)]
            try:
                self.assertTrue(self.remote.users())
            finally:
                for connection in silent:
                    connection.close()
        self.assertEqual({record.levelname for record in self.records}, {"WARNING"})

    def test_a_storage_that_has_gone_is_refused_where_it_is_needed(self):
        self.storage.rename(f"{self.storage}-away")
        with self.assertRaisesRegex(InvalidStoragePath, "there is no such folder"):
            self.upload()
        with self.assertRaises(InvalidStoragePath):
            require_storage(self.site)
        careless = Remote(self.path, "boss", storage_required=False)
        self.assertEqual(careless.storage_path(), str(self.storage))
        Path(f"{self.storage}-away").rename(self.storage)


class Peers(LocalCase):
    """Users of the machine."""

    def test_the_system_tells_who_is_at_the_other_end(self):
        here, there = socket.socketpair()
        with here, there:
            self.assertEqual(local._user_of(here), os.geteuid())
            with mock.patch.object(local.socket, "SO_PEERCRED", None):
                self.assertIsNone(local._user_of(here))

    def test_other_users_are_refused(self):
        with (
            mock.patch.object(local, "_user_of", lambda connection: 12345),
            self.assertRaisesRegex(NotAllowed, "you have the number 12345"),
        ):
            self.remote.users()

    def test_root_and_those_whom_the_system_does_not_tell_are_let_in(self):
        for user in (0, None):
            with mock.patch.object(local, "_user_of", lambda connection, user=user: user):
                self.assertTrue(self.remote.users())

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_another_user_is_recognised(self):
        nobody = pwd.getpwnam("nobody").pw_uid
        self.folder.chmod(0o755)
        self.path.chmod(0o666)
        done = subprocess.run(
            [sys.executable, "-c", STRANGER, str(self.path), str(nobody)],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=PATIENCE,
        )
        self.assertIn(f"you have the number {nobody}", done.stdout, done.stderr)


class Conflicts(LocalCase):
    """Others change the same data."""

    @contextmanager
    def conflicts(self, number):
        """Let so many commits fail."""
        left = [TransientError("conflict")] * number
        commit = transaction.commit

        def failing():
            if left:
                raise left.pop()
            commit()

        with mock.patch.object(local.transaction, "commit", failing):
            yield left

    def test_an_operation_is_repeated_with_its_file(self):
        with self.conflicts(2) as left:
            self.assertEqual(self.upload().size, len(FACULTIES))
        self.assertEqual(left, [])
        self.assertEqual([item.name for item in self.remote.pending_files()], ["f_boss.csv"])

    def test_not_for_ever(self):
        with (
            self.conflicts(local.ATTEMPTS),
            self.assertRaisesRegex(ItemBusy, "Repeat the command"),
        ):
            self.upload()
        self.assertEqual(self.remote.pending_files(), [])

    def test_a_file_that_cannot_be_read_twice_is_refused_then(self):
        reading, writing = os.pipe()
        with open(reading, "rb") as stream:
            os.write(writing, FACULTIES)
            os.close(writing)
            with self.conflicts(1), self.assertRaises(ItemBusy):
                self.remote.upload("f.csv", stream)
        self.assertEqual(self.remote.pending_files(), [])


class Ends(LocalCase):
    """Somebody stops: who asks, or the portal."""

    def wait_for(self, condition):
        until = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)

    @contextmanager
    def slow(self, operation):
        """Let an operation wait; gives two events: that it has begun, and that it may go on."""
        begun, let = threading.Event(), threading.Event()
        former = getattr(Operations, operation)

        def waiting(*args, **kwargs):
            value = former(*args, **kwargs)
            begun.set()
            let.wait(20)
            return value

        with mock.patch.object(Operations, operation, waiting):
            yield begun, let

    def test_what_nobody_waits_for_is_not_committed(self):
        with self.slow("remove_user") as (begun, let):
            with sockets.connect(self.path) as connection:
                FunctionalLayer.add_user("bola")
                sockets.send(connection, self.request("remove_user", ["bola"]))
                begun.wait(20)
            let.set()
            self.wait_for(lambda: self.records)
        self.assertRegex(self.records[0].getMessage(), "has gone")
        self.assertIn("bola", self.seen(lambda site: list(site["users"])))

    def test_an_order_that_was_answered_stays_though_nobody_waits(self):
        name = self.upload().name
        args = [name, "facultyprocessor", "create", Mapping(("code", "title"))]
        with sockets.connect(self.path) as connection:
            sockets.send(connection, self.request("start_import", args))
            run = wire.answer_of(sockets.receive(connection)[0])
        self.work_off(run)
        self.assertEqual(self.seen(lambda site: len(site["faculties"])), 2)

    def test_an_order_that_nobody_waits_for_is_none(self):
        name = self.upload().name
        args = [name, "facultyprocessor", "create", Mapping(("code", "title"))]
        with self.slow("start_import") as (begun, let):
            with sockets.connect(self.path) as connection:
                sockets.send(connection, self.request("start_import", args))
                begun.wait(20)
            let.set()
            self.wait_for(lambda: self.records)
        self.assertEqual(self.remote.runs(), [])
        self.assertEqual([item.name for item in self.remote.pending_files()], [name])

    def test_an_interrupted_call_ends_when_the_portal_has_taken_it_back(self):
        receive = sockets.receive
        interruptions = [KeyboardInterrupt]

        def interrupted(connection, files=0):
            if files == 0 and interruptions:
                begun.wait(20)
                # The portal must be told before it comes to the end.
                threading.Timer(0.5, let.set).start()
                raise interruptions.pop()
            return receive(connection, files)

        FunctionalLayer.add_user("bola")
        with (
            self.slow("remove_user") as (begun, let),
            mock.patch.object(sockets, "receive", interrupted),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.remote.remove_user("bola")
        self.assertIn("bola", self.seen(lambda site: list(site["users"])))

    def test_a_stop_lets_finish_what_is_under_way_and_takes_nothing_more(self):
        FunctionalLayer.add_user("bola")
        with self.slow("remove_user") as (under_way, let):
            asking = begun(self.remote.remove_user, "bola")
            under_way.wait(20)
            self.server.close()
            self.assertFalse(answers(self.path))
            self.assertFalse(self.path.exists())
            let.set()
            joined(asking)
        self.server.__exit__(None, None, None)
        self.assertNotIn("bola", self.seen(lambda site: list(site["users"])))
        with self.assertRaisesRegex(PortalGone, "The portal ended before it answered"):
            self.remote.users()

    def test_a_stop_does_not_wait_for_ever(self):
        with (
            self.slow("users") as (begun, let),
            mock.patch.object(local, "LAST_SECONDS", 0.1),
            sockets.connect(self.path) as connection,
        ):
            sockets.send(connection, self.request())
            begun.wait(20)
            self.server.__exit__(None, None, None)
            self.assertTrue(any(thread.is_alive() for thread in self.server._threads))
            let.set()
            joined(*self.server._threads)

    def test_a_connection_that_breaks_means_that_the_portal_has_gone(self):
        path = self.folder / "other.sock"
        for answer in (b"", b"\0\0", b"\0\0\0\5abc"):
            with self.subTest(answer), closing(sockets.listen(path)) as listener:

                def break_off(listener=listener, answer=answer):
                    connection, _ = listener.accept()
                    with connection:
                        sockets.receive(connection)
                        connection.sendall(answer)

                portal = begun(break_off)
                with self.assertRaises(PortalGone):
                    Remote(path, "boss").users()
                joined(portal)

    def test_what_cannot_be_accepted_does_not_end_the_portal(self):
        with mock.patch.object(local.time, "sleep"):
            accept = self.server._listener
            broken = mock.Mock()
            broken.accept.side_effect = OSError(24, "Too many open files")
            self.server._listener = broken
            worker = begun(self.server._work)
            self.wait_for(lambda: self.records)
            self.server._is_closed = True
            joined(worker)
            self.server._is_closed = False
            self.server._listener = accept
        self.assertRegex(self.records[0].getMessage(), "cannot take a command now")

    def test_only_what_is_refused_is_not_logged(self):
        with self.assertRaises(Refused):
            self.remote.remove_user("nobody")
        self.assertEqual(self.records, [])
