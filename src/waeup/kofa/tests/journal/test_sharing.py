"""Log lines of several machines in one file."""

import errno
import fcntl
import logging
import os
import shutil
import tempfile
import unittest
import warnings
from unittest import mock

from waeup.kofa.journal import append_line, append_lines, lines, shared_lines
from waeup.kofa.tests.spool.faultydisk import FAST
from waeup.kofa.tests.waiting import begun, ended, joined

#: Lines of each process, and processes.
LINES, PROCESSES = 200, 3


class FarDisk:
    """The functions of ``os`` on a network file system: who appends reckons where the end is."""

    def __getattr__(self, name):
        return getattr(os, name)

    def open(self, path, flags, mode=0o777):
        return os.open(path, flags & ~os.O_APPEND, mode)

    def write(self, fd, data):
        end = os.fstat(fd).st_size
        os.sched_yield()
        return os.pwrite(fd, data, end)


class SharedLines(unittest.TestCase):
    """No line is lost, and no process stops."""

    def setUp(self):
        folder = tempfile.mkdtemp(dir=FAST)
        self.addCleanup(shutil.rmtree, folder)
        self.path = os.path.join(folder, "main.log")
        patch = mock.patch.object(lines._Sharing, "was_told", False)
        patch.start()
        self.addCleanup(patch.stop)

    def written(self):
        with open(self.path, encoding="ascii") as stream:
            return stream.read().splitlines()

    def test_processes_do_not_write_over_each_other(self):
        pids = []
        with warnings.catch_warnings(), shared_lines(), mock.patch.object(lines, "os", FarDisk()):
            warnings.simplefilter("ignore")  # threads of other tests do not matter to children
            for process in range(PROCESSES):
                pid = os.fork()
                if pid == 0:
                    status = 1
                    try:
                        for number in range(LINES):
                            append_line(self.path, f"{process} {number}")
                        status = 0
                    finally:
                        os._exit(status)
                pids.append(pid)
            for pid in pids:
                self.assertEqual(ended(pid), 0)
        wanted = {f"{process} {number}" for process in range(PROCESSES) for number in range(LINES)}
        found = self.written()
        self.assertEqual(len(found), len(wanted))
        self.assertEqual(set(found), wanted)

    def test_neither_do_threads(self):
        def write(thread):
            for number in range(LINES):
                append_lines(self.path, [f"{thread} {number}", "more"])
                # Who reads must not release the lock of who writes.
                self.written()

        with shared_lines(), mock.patch.object(lines, "os", FarDisk()):
            joined(*(begun(write, each) for each in range(PROCESSES)))
        self.assertEqual(len(self.written()), 2 * PROCESSES * LINES)

    def test_alone_nothing_is_locked(self):
        with mock.patch.object(lines, "_wait_for_turn", side_effect=AssertionError):
            append_line(self.path, "alone")
        with shared_lines(), mock.patch.object(lines, "_wait_for_turn") as wait:
            append_line(self.path, "not alone")
        self.assertTrue(wait.called)
        self.assertEqual(self.written(), ["alone", "not alone"])

    def test_where_there_are_no_locks_it_is_said_once(self):
        def refuse(*args):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        with (
            shared_lines(),
            mock.patch.object(lines.fcntl, "fcntl", refuse),
            mock.patch.object(lines.fcntl, "lockf", refuse),
            self.assertLogs(lines._console, logging.WARNING) as told,
        ):
            append_line(self.path, "one")
            append_line(self.path, "two")
        self.assertEqual(len(told.records), 1)
        self.assertIn("keeps no locks", told.output[0])
        self.assertEqual(self.written(), ["one", "two"])

    def test_where_only_processes_have_locks_these_do(self):
        taken = []

        def refuse(*args):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

        with (
            shared_lines(),
            mock.patch.object(lines.fcntl, "fcntl", refuse),
            mock.patch.object(lines.fcntl, "lockf", lambda fd, how: taken.append(how)),
        ):
            append_line(self.path, "one")
        self.assertEqual(taken, [fcntl.LOCK_EX | fcntl.LOCK_NB])
        self.assertEqual(self.written(), ["one"])

    def test_who_is_paused_does_not_stop_all_others(self):
        append_line(self.path, "one")
        fd = os.open(self.path, os.O_WRONLY)
        self.addCleanup(os.close, fd)
        lines._WAYS[0](fd)
        with (
            shared_lines(),
            mock.patch.object(lines, "PATIENCE", 0),
            self.assertLogs(lines._console, logging.WARNING) as told,
        ):
            append_line(self.path, "two")
        self.assertIn("paused", told.output[0])
        self.assertEqual(self.written(), ["one", "two"])
