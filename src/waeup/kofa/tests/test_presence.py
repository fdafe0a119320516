"""Names of processes, and how their end is noticed."""

import os
import subprocess
import sys
import unittest
from unittest import mock

from waeup.kofa import presence
from waeup.kofa.tests.waiting import PATIENCE, bounded


def born():
    """Return a process that waits, and the name that it has given itself."""
    code = "from waeup.kofa.presence import new_holder; print(new_holder(), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with bounded(process):
        return process, process.stdout.readline().strip()


class Names(unittest.TestCase):
    """A name tells a process from all others."""

    def test_two_names_of_one_process_differ(self):
        self.assertNotEqual(presence.new_holder(), presence.new_holder())

    def test_whoever_lives_is_not_dead(self):
        process, name = born()
        self.addCleanup(process.stdout.close)
        with process:
            self.assertFalse(presence.is_surely_dead(name))
            process.stdin.close()
            process.wait(PATIENCE)
        self.assertTrue(presence.is_surely_dead(name))

    def test_whoever_was_killed_and_not_waited_for_is_dead(self):
        process, name = born()
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertTrue(presence.is_surely_dead(name))

    def test_another_process_of_the_same_number_is_not_meant(self):
        host, pid, machine, began, token = presence.new_holder().split(":")
        name = f"{host}:{pid}:{machine}:{int(began) - 1}:{token}"
        self.assertTrue(presence.is_surely_dead(name))

    def test_nothing_is_known_of_other_machines(self):
        host, _pid, _machine, began, token = presence.new_holder().split(":")
        for name in (f"{host}:4194305:elsewhere:{began}:{token}", f"{host}:4194305:{token}", ""):
            self.assertFalse(presence.is_surely_dead(name), name)

    def test_where_machines_cannot_be_told_apart_nobody_is_dead(self):
        with mock.patch.object(presence, "_machine", lambda: ""):
            host, _pid, machine, began, token = presence.new_holder().split(":")
            self.assertFalse(presence.is_surely_dead(f"{host}:4194305:{machine}:{began}:{token}"))

    def test_parts_of_a_name(self):
        self.assertEqual(presence.host_of("web1:12:ab:34:cd"), "web1")
        self.assertEqual(presence.token_of("web1:12:ab:34:cd"), "cd")


class Watching(unittest.TestCase):
    """What does not change for long is dead, by the clock of whoever looks."""

    def setUp(self):
        self.now = 1000.0
        patcher = mock.patch.object(presence.time, "monotonic", lambda: self.now)
        patcher.start()
        self.addCleanup(patcher.stop)
        self.watch = presence.Watch()

    def test_the_first_look_is_the_beginning(self):
        self.assertFalse(self.watch.is_dead("a", 1, 60))
        self.now += 30
        self.assertFalse(self.watch.is_dead("a", 1, 60))
        self.now += 29
        self.assertFalse(self.watch.is_dead("a", 1, 60))
        self.now += 1
        self.assertTrue(self.watch.is_dead("a", 1, 60))

    def test_each_change_is_a_new_beginning(self):
        self.look_for(45)
        self.assertFalse(self.watch.is_dead("a", 2, 60))
        self.look_for(45, state=2)
        self.assertFalse(self.watch.is_dead("a", 2, 60))
        self.look_for(15, state=2)
        self.assertTrue(self.watch.is_dead("a", 2, 60))

    def test_time_without_a_look_does_not_count(self):
        """Whoever is woken, or has the database again, does not take all others for dead."""
        self.look_for(45)
        self.now += 1000
        self.assertFalse(self.watch.is_dead("a", 1, 60))
        self.look_for(45)
        self.assertFalse(self.watch.is_dead("a", 1, 60))
        self.look_for(15)
        self.assertTrue(self.watch.is_dead("a", 1, 60))

    def test_keys_are_apart_and_can_be_forgotten(self):
        self.look_for(60)
        self.assertFalse(self.watch.is_dead("b", 1, 60))
        self.watch.forget("a")
        self.watch.forget("never known")
        self.assertFalse(self.watch.is_dead("a", 1, 60))
        self.look_for(60)
        self.watch.keep(["b"])
        self.assertFalse(self.watch.is_dead("a", 1, 60))

    def look_for(self, seconds, state=1):
        """Look at "a" every 15 seconds."""
        for _ in range(seconds // 15):
            self.watch.is_dead("a", state, 60)
            self.now += 15
