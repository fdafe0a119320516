"""Exports are stopped at every durable operation: what is fetched in the end is whole."""

import os
import unittest
from contextlib import closing

from waeup.kofa.exporting import Wish
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Town
from waeup.kofa.tests.jobs.stopping import StoppedEverywhere

WISHES = (Wish("students"), Wish("coursetickets", format="xlsx", keys=("S1", "S2", "S9")))


class Crashes(StoppedEverywhere, unittest.TestCase):
    """Two exports are ordered and worked off."""

    layer = FunctionalLayer

    def setUp(self):
        self.town = Town()
        self.addCleanup(self.town.close)
        self.at_rest = sorted(os.listdir(self.town.storage))
        self.act()
        self.truth = self.results()
        self.assertEqual([name for name, _ in self.truth], ["coursetickets.xlsx", "students.csv"])

    def act(self):
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
        self.act()
        found = self.results()
        self.assertEqual([name for name, _ in found], [name for name, _ in self.truth], where)
        # A workbook says when it was made.
        self.assertEqual(found[1], self.truth[1], where)
        self.assertEqual(self.town.recover(), [], where)
        self.assertEqual(sorted(os.listdir(self.town.storage)), self.at_rest, where)
