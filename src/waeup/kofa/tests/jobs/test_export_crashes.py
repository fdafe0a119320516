"""Exports are stopped at every durable operation: what is fetched in the end is whole."""

import os
import unittest
from contextlib import closing, suppress

from waeup.kofa.errors import Fault
from waeup.kofa.exporting import Wish
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Town
from waeup.kofa.tests.jobs.test_crashes import Counter, Error, Errors, Killed, Late, Unplugged
from waeup.kofa.tests.spool.faultydisk import Off, killed_at

WISHES = (Wish("students"), Wish("coursetickets", format="xlsx", keys=("S1", "S2", "S9")))


class Crashes(unittest.TestCase):
    """Two exports are ordered and worked off."""

    layer = FunctionalLayer

    def setUp(self):
        self.town = Town()
        self.addCleanup(self.town.close)
        self.at_rest = sorted(os.listdir(self.town.storage))
        self.export()
        self.truth = self.results()
        self.assertEqual([name for name, _ in self.truth], ["coursetickets.xlsx", "students.csv"])

    def export(self):
        """Order what is not ordered, let go on what has stopped, and work it off."""
        with closing(self.town.open()) as db:
            for wish in WISHES:
                found = {
                    run.processor: run
                    for run in self.town.operations(lambda o: o.exports(), db=db)
                }
                run = found.get(wish.exporter)
                if run is None:
                    run = self.town.operations(lambda o, w=wish: o.start_export(w), db=db)
                elif "resume" in run.actions:
                    self.town.operations(lambda o, id=run.id: o.resume(id), db=db)
                self.town.work_off(run.id, db)

    def results(self):
        """Return names and contents of all results, and discard them."""

        def fetch(operations):
            found = []
            for run in operations.exports():
                with operations.open_export(run.id)[1] as stream:
                    found.append((run.file, stream.read()))
                operations.discard_export(run.id)
            return sorted(found)

        return self.town.operations(fetch)

    def check(self, where):
        """Recover and go on; compare what is fetched."""
        self.town.recover()
        again = self.town.recover()
        self.assertEqual([each for each in again if "has stopped" not in each.text], [], where)
        self.export()
        found = self.results()
        self.assertEqual([name for name, _ in found], [name for name, _ in self.truth], where)
        # A workbook says when it was made.
        self.assertEqual(found[1], self.truth[1], where)
        self.assertEqual(self.town.recover(), [], where)
        self.assertEqual(sorted(os.listdir(self.town.storage)), self.at_rest, where)

    def operations(self):
        """Return the number of durable operations of `export`."""
        self.town.set_up()
        with Counter() as counter:
            self.export()
        self.check("undisturbed")
        return counter.count

    def test_kill(self):
        for number in range(self.operations()):
            self.town.set_up()
            with self.subTest(operation=number):
                self.assertTrue(killed_at(number, self.export, Killed))
                self.check(f"killed at {number}")

    def test_errors(self):
        for shim in (Error, Errors, Late):
            for number in range(self.operations()):
                self.town.set_up()
                with self.subTest(shim.__name__, operation=number):
                    with shim(number), suppress(Fault, OSError):
                        self.export()
                    self.check(f"{shim.__name__} at {number}")

    def test_power_cut(self):
        for number in range(0, self.operations(), 3):
            self.town.set_up()
            shim = Unplugged(number, [self.town.storage])
            try:
                with shim, suppress(Off):
                    self.export()
                self.assertTrue(shim.off)
                self.town.keep_database()
                for state in shim.states():
                    self.town.bring_database_back()
                    with self.subTest(state):
                        self.check(state)
            finally:
                shim.close()
