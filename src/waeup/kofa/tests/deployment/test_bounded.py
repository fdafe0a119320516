"""Questions that may hang: nobody waits for long, and they are put once."""

import threading
import unittest

from waeup.kofa.deployment.bounded import Bounded, TooSlow
from waeup.kofa.tests.deployment.monitored import checks_ended
from waeup.kofa.tests.waiting import PATIENCE


class BoundedTests(unittest.TestCase):
    def setUp(self) -> None:
        self.put: list[int] = []
        self.free = threading.Event()
        self.addCleanup(checks_ended)
        self.addCleanup(self.free.set)

    def ask(self) -> int:
        """Answer how often the question was put, when that is allowed."""
        self.put.append(1)
        self.free.wait(PATIENCE)
        return len(self.put)

    def test_an_answer_holds_for_a_while(self) -> None:
        self.free.set()
        question = Bounded(self.ask, timeout=60, shared=60)
        self.assertEqual([question(), question(), question()], [1, 1, 1])
        question = Bounded(self.ask, timeout=60, shared=0)
        self.assertEqual([question(), question()], [2, 3])

    def test_nobody_waits_for_one_that_hangs_and_it_is_put_once(self) -> None:
        question = Bounded(self.ask, timeout=0.01, shared=0)
        for _ in range(3):
            with self.assertRaisesRegex(TooSlow, "no answer for 0 s"):
                question()
        self.assertEqual(len(self.put), 1)
        before, _began = question.put()
        self.free.set()
        self.assertEqual(before.result(60), 1)

    def test_it_is_put_again_after_one_that_came_late(self) -> None:
        question = Bounded(self.ask, timeout=0.0, shared=0)
        self.assertRaises(TooSlow, question)
        late, _began = question.put()
        self.free.set()
        late.result(60)
        again, _began = question.put()
        self.assertEqual(again.result(60), 2)

    def test_what_it_raises_is_raised(self) -> None:
        question = Bounded(lambda: 1 // 0, timeout=60, shared=60)
        self.assertRaises(ZeroDivisionError, question)

    def test_one_that_hangs_does_not_keep_the_process(self) -> None:
        question = Bounded(self.ask, timeout=0, shared=0)
        question.put()
        (thread,) = (each for each in threading.enumerate() if each.name == "kofa check")
        self.assertTrue(thread.daemon)
