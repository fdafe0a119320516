"""What is made once for all who ask."""

import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from waeup.kofa.errors import TableError
from waeup.kofa.importing.sharing import Shared
from waeup.kofa.tests.waiting import PATIENCE


class SharedTests(unittest.TestCase):
    def test_what_was_asked_before_is_not_made_again(self):
        make = mock.Mock(side_effect=str.upper)
        shared = Shared(make, 2, 0)
        self.assertEqual([shared("a"), shared("b"), shared("a")], ["A", "B", "A"])
        self.assertEqual(make.call_count, 2)

    def test_what_was_asked_long_ago_goes(self):
        make = mock.Mock(side_effect=str.upper)
        shared = Shared(make, 2, 0)
        for name in "abac":
            shared(name)
        shared("a")
        self.assertEqual(make.call_count, 3)
        shared("b")
        self.assertEqual(make.call_count, 4)

    def test_a_refusal_is_kept_and_raised_as_another_object_each_time(self):
        make = mock.Mock(side_effect=TableError("no table"))
        shared = Shared(make, 2, 0)
        raised = []
        for _time in range(3):
            with self.assertRaisesRegex(TableError, "no table") as caught:
                shared("a")
            raised.append(caught.exception)
        self.assertEqual(len(set(map(id, raised))), 3)
        self.assertEqual(make.call_count, 1)

    def test_a_refusal_that_cannot_be_copied_is_told_all_the_same(self):
        class Own(TableError):
            def __init__(self, line, words):
                super().__init__(f"{words} in line {line}")

        shared = Shared(mock.Mock(side_effect=Own(2, "no table")), 2, 0)
        for _time in range(2):
            with self.assertRaisesRegex(Own, "no table in line 2"):
                shared("a")

    def test_after_a_fault_it_is_tried_again(self):
        shared = Shared(mock.Mock(side_effect=[OSError("disk"), "A"]), 2, 0)
        with self.assertRaises(OSError):
            shared("a")
        self.assertEqual(shared("a"), "A")

    def test_what_is_not_final_is_made_again(self):
        make = mock.Mock(side_effect=["a part", "more", "all"])
        shared = Shared(make, 2, 0, "all".__eq__)
        self.assertEqual([shared("a") for _time in range(4)], ["a part", "more", "all", "all"])

    def test_who_asks_meanwhile_waits_for_the_same_and_not_for_long(self):
        begun, go_on = threading.Event(), threading.Event()
        make = mock.Mock(side_effect=lambda name: begun.set() or (go_on.wait(PATIENCE) and name))
        shared, hasty = Shared(make, 2, 60), Shared(make, 2, 0)
        hasty._known = shared._known  # the same looks, by somebody without patience
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(shared, "a")
            try:
                self.assertTrue(begun.wait(PATIENCE))
                second = pool.submit(shared, "a")
                with self.assertRaises(TimeoutError):
                    hasty("a")
            finally:
                go_on.set()
            found = first.result(PATIENCE), second.result(PATIENCE)
        self.assertEqual(found, ("a", "a"))
        self.assertEqual(make.call_count, 1)
