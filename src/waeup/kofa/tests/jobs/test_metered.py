"""What the work on runs adds to the meters: each row and each end once, whatever was repeated."""

from contextlib import closing
from unittest import mock

import transaction
from ZODB.POSException import ConflictError

from waeup.kofa import meters
from waeup.kofa.exporting import Wish
from waeup.kofa.jobs import work_on, worker
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.job import LeaseLost
from waeup.kofa.tests.jobs.lives import few_rows
from waeup.kofa.tests.jobs.portal import SITE
from waeup.kofa.tests.jobs.test_runs import RunTestCase


def figures():
    """Return the figures of this process that are not 0, by name and values of labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in meters.REGISTRY.collect()
        for sample in family.samples
        if sample.name.startswith("kofa_") and "le" not in sample.labels and sample.value
    }


class Metered(RunTestCase):
    """Tells what an action has added."""

    def setUp(self):
        super().setUp()
        self.before = figures()

    def added(self, name):
        """Return by how much figures of a name have grown since the test began."""
        return {
            key[1:]: value - self.before.get(key, 0)
            for key, value in figures().items()
            if key[0] == name and value != self.before.get(key, 0)
        }

    def rows(self, kind):
        """Return the rows that were counted, by outcome."""
        found = self.added("kofa_rows_total")
        self.assertEqual(
            {key[1] for key in found if key[0] == kind}, {"facultyprocessor"} if found else set()
        )
        return {key[2]: value for key, value in found.items() if key[0] == kind}

    def ends(self):
        """Return how many runs ended, by kind and state."""
        return self.added("kofa_run_seconds_count")

    def test_an_import_batch_by_batch(self):
        with few_rows(1):
            self.done()
        self.assertEqual(self.rows("import"), {"created": 2, "failed": 1})
        self.assertEqual(self.ends(), {("import", "finished"): 1})
        self.assertGreater(self.added("kofa_run_seconds_sum")["import", "finished"], 0)

    def test_a_check_and_an_undo(self):
        self.done(kind="check")
        self.assertEqual(self.rows("check"), {"created": 2, "failed": 1})
        run = self.done()
        self.undone(run.id, check=True)
        self.assertEqual(self.rows("check"), {"created": 2, "failed": 1, "removed": 2})
        self.undone(run.id)
        self.assertEqual(self.rows("undo"), {"removed": 2})
        self.assertEqual(
            self.ends(),
            {
                ("check", "finished"): 2,
                ("import", "finished"): 1,
                ("undo", "finished"): 1,
            },
        )

    def test_an_export(self):
        self.done()
        wish = Wish("faculties", keys=("FAC1", "FAC9"))
        run = self.ask(lambda operations: operations.start_export(wish))
        self.portal.work_off(run.id)
        found = self.added("kofa_rows_total")
        self.assertEqual(found["export", "faculties", "exported"], 1)
        self.assertEqual(found["export", "faculties", "failed"], 1)

    def test_a_batch_that_is_repeated_counts_once(self):
        for is_stored in (False, True):
            with self.subTest(is_stored=is_stored):
                self.portal.set_up()
                self.before = figures()
                real, calls = transaction.commit, []

                def commit(real=real, calls=calls, is_stored=is_stored):
                    calls.append(1)
                    # The first commit is that of the claim.
                    if len(calls) == 2:
                        if is_stored:
                            real()
                        raise ConflictError("others were quicker")
                    real()

                id = self.order()
                with mock.patch.object(transaction, "commit", commit), few_rows(2):
                    self.portal.work_off(id)
                self.assertEqual(self.info(id).state, "finished")
                self.assertEqual(self.rows("import"), {"created": 2, "failed": 1})
                self.assertEqual(self.added("kofa_conflicts_total"), {("run",): 1})

    def test_a_run_that_stops_and_goes_on(self):
        id = self.order()
        with mock.patch.object(worker, "do_import", side_effect=MemoryError):
            self.portal.work_off(id)
        self.assertEqual(self.ends(), {("import", "stopped"): 1})
        self.assertEqual(self.rows("import"), {})
        self.ask(lambda operations: operations.resume(id))
        self.portal.work_off(id)
        self.assertEqual(self.ends(), {("import", "stopped"): 1, ("import", "finished"): 1})

    def test_a_cancel_that_is_not_committed_is_none(self):
        id = self.order()

        def cancel(operations):
            operations.cancel(id)
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, self.ask, cancel)
        self.assertEqual(self.ends(), {})
        self.ask(lambda operations: operations.cancel(id))
        self.assertEqual(self.ends(), {("import", "cancelled"): 1})

    def test_a_lost_lease(self):
        id = self.order()
        with (
            mock.patch.object(worker, "do_import", side_effect=LeaseLost("taken")),
            self.assertLogs("waeup.kofa.jobs.worker", "WARNING"),
            closing(self.portal.open()) as db,
        ):
            in_own_thread(lambda: work_on(db, SITE, id, "somebody"))
        self.assertEqual(self.added("kofa_lease_losses_total"), {(): 1})
