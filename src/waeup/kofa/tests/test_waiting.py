"""What hangs fails its test."""

import os
import signal
import subprocess
import sys
import threading
import time
import unittest

from waeup.kofa.tests.waiting import begun, beside, bounded, ended, joined

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
SPEAKER = (sys.executable, "-c", "print('said')")


class ThreadTests(unittest.TestCase):
    def test_all_end(self) -> None:
        found: list[int] = []
        joined(*(begun(found.append, number) for number in range(5)))
        self.assertEqual(sorted(found), [0, 1, 2, 3, 4])

    def test_one_that_hangs_is_told_with_its_place(self) -> None:
        free = threading.Event()

        def wait_long() -> None:
            free.wait()

        thread = begun(wait_long)
        with self.assertRaisesRegex(AssertionError, "Not over after 0 s:(.|\n)*in wait_long"):
            joined(begun(int), thread, seconds=0.05)
        self.assertTrue(thread.daemon)
        free.set()
        joined(thread)


class ForkTests(unittest.TestCase):
    def fork(self, seconds: float, code: int) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                time.sleep(seconds)
            finally:
                os._exit(code)
        return pid

    def test_one_that_ends(self) -> None:
        self.assertEqual(os.waitstatus_to_exitcode(ended(self.fork(0.01, 7))), 7)

    def test_one_that_hangs_is_killed(self) -> None:
        pid = self.fork(600, 0)
        with self.assertRaisesRegex(AssertionError, f"The process {pid} is not over after 0 s"):
            ended(pid, 0.05)
        self.assertRaises(ChildProcessError, os.waitpid, pid, 0)

    def test_one_that_hangs_is_killed_while_it_is_listened_to(self) -> None:
        reading, writing = os.pipe()
        pid = self.fork(600, 0)
        os.close(writing)
        with (
            open(reading, "rb") as pipe,
            self.assertRaisesRegex(AssertionError, "killed"),
            bounded(pid, 0.1),
        ):
            self.assertEqual(pipe.read(), b"")
        self.assertEqual(os.waitstatus_to_exitcode(ended(pid)), -signal.SIGKILL)


class ProcessTests(unittest.TestCase):
    def test_one_that_ends(self) -> None:
        with beside(SPEAKER, stdout=subprocess.PIPE) as process:
            self.assertEqual(process.communicate()[0], b"said\n")
        self.assertEqual(process.returncode, 0)

    def test_one_that_hangs_is_killed(self) -> None:
        with (
            self.assertRaisesRegex(AssertionError, "killed: not over after 0 s"),
            beside(SLEEPER, 0.1, stdout=subprocess.PIPE) as process,
        ):
            assert process.stdout is not None
            self.assertEqual(process.stdout.read(), b"")
        self.assertEqual(process.returncode, -signal.SIGKILL)

    def test_nobody_waits_for_one_whose_test_has_failed(self) -> None:
        with self.assertRaises(ZeroDivisionError), beside(SLEEPER) as process:
            raise ZeroDivisionError
        self.assertEqual(process.returncode, -signal.SIGKILL)
