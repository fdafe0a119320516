"""Removals are stopped at every durable operation: each that was committed has its row, once."""

import os
import unittest
from collections import Counter as Counts
from contextlib import closing

import transaction

from waeup.kofa.tabular import open_table
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Town
from waeup.kofa.tests.jobs.stopping import StoppedEverywhere
from waeup.kofa.tests.jobs.test_crashes import Killed
from waeup.kofa.tests.spool.faultydisk import killed_at, tree_of


class Crashes(StoppedEverywhere, unittest.TestCase):
    """Three transactions remove, one does not come to its end."""

    layer = FunctionalLayer
    power_step = 2

    def setUp(self):
        self.town = Town()
        self.addCleanup(self.town.close)
        self.tickets = self.town.change(tickets_of)

    def act(self):
        """Remove, with a database that is opened for that."""

        def give_up(site):
            del site["students"]["S4"]
            transaction.abort()

        with closing(self.town.open()) as db:
            self.town.change(lambda site: site["students"].__delitem__("S1"), db)
            self.town.change(give_up, db)
            self.town.change(remove_two, db)
            self.town.change(lambda site: site["students"]["S4"].__delitem__("100_COU1"), db)

    def check(self, where):
        """Recover, and compare objects and rows."""
        self.town.recover()
        tree = tree_of(self.town.storage)
        self.assertEqual(self.town.recover(), [], where)
        self.assertEqual(tree_of(self.town.storage), tree, where)
        self.assertEqual([name for name in tree if name.startswith(".work")], [], where)
        left = self.town.change(tickets_of)
        for table, key, gone in (
            ("students", ("student_id",), {(id,) for id in self.tickets if id not in left}),
            (
                "coursetickets",
                ("student_id", "code"),
                {
                    (id, code)
                    for id, codes in self.tickets.items()
                    for code in codes
                    if code not in left.get(id, ())
                },
            ),
        ):
            self.assertEqual(self.rows(table, key), Counts(gone), where)
        self.assertEqual(
            self.town.change(lambda site: site["datacenter"].ledger.expected_rows()), [], where
        )

    def rows(self, table, key):
        """Return how often a table has which rows."""
        path = os.path.join(self.town.storage, "deleted", f"{table}.csv")
        if not os.path.exists(path):
            return Counts()
        with open_table(path, own=True) as found:
            places = [found.header.index(name) for name in key]
            return Counts(tuple(row.values[place] for place in places) for row in found)

    def operations(self):
        """Return their number; the last one has left one student."""
        count = super().operations()
        self.assertEqual(len(self.town.change(tickets_of)), 1)
        return count

    def test_kill_of_a_recovery(self):
        for first in range(0, self.operations(), 8):
            second, stopped = 0, True
            while stopped:
                self.town.set_up()
                with self.subTest(first=first, second=second):
                    self.assertTrue(killed_at(first, self.act, Killed))
                    stopped = killed_at(second, self.town.recover, Killed)
                    self.check(f"killed at {first}, then at {second}")
                second += 1


def tickets_of(site):
    """Return the codes of the tickets of each student."""
    return {
        id: [ticket.code for ticket in student.values()]
        for id, student in site["students"].items()
    }


def remove_two(site):
    """Remove two students."""
    for id in ("S2", "S3"):
        del site["students"][id]
