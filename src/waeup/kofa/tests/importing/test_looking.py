"""How long a look may take, and how many long ones there are at a time."""

import unittest
from unittest import mock

from waeup.kofa.importing.looking import Look, Places, places_of


class LookTests(unittest.TestCase):
    def setUp(self) -> None:
        patched = mock.patch("waeup.kofa.importing.looking.time.monotonic", return_value=0.0)
        self.clock = patched.start()
        self.addCleanup(patched.stop)

    def test_a_look_ends_when_its_time_is_over(self) -> None:
        with Look(10, Places(1)) as look:
            for now, is_over in ((0, False), (4, False), (10, False), (11, True)):
                self.clock.return_value = now
                self.assertIs(look.is_over(), is_over, now)
            self.assertFalse(look.is_hurried)

    def test_one_that_takes_long_ends_where_others_have_all_places(self) -> None:
        places = Places(1)
        with Look(10, places) as first, Look(10, places) as second:
            self.clock.return_value = 2
            self.assertFalse(first.is_over() or second.is_over())
            self.clock.return_value = 4
            self.assertFalse(first.is_over())
            self.assertTrue(second.is_over())
            self.assertEqual((first.is_hurried, second.is_hurried), (False, True))
            # It is asked by nobody once more; if it were, it would be the same.
            self.assertTrue(second.is_over())
        with Look(10, places) as third:
            self.clock.return_value = 8
            self.assertFalse(third.is_over())

    def test_a_place_is_given_back_after_an_error_too(self) -> None:
        places = Places(1)
        for _time in range(2):
            self.clock.return_value = 0
            with self.assertRaises(ZeroDivisionError), Look(10, places) as look:
                self.clock.return_value = 4
                self.assertFalse(look.is_over())
                raise ZeroDivisionError

    def test_looks_and_streams_leave_a_thread(self) -> None:
        self.assertEqual(list(map(places_of, (1, 2, 3, 4, 5, 8))), [1, 1, 1, 1, 2, 3])
        for threads in range(3, 40):
            self.assertLess(places_of(threads) + threads // 2, threads)
