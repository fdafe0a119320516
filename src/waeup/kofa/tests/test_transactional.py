"""Changes of files that take part in a transaction."""

import logging
import unittest

import transaction
from transaction.interfaces import ISavepointDataManager
from zope.interface.verify import verifyClass, verifyObject

from waeup.kofa import transactional
from waeup.kofa.transactional import on_abort, on_commit


class Stubborn:
    """A data manager that votes no."""

    transaction_manager = transaction.manager

    def sortKey(self):
        """Come first."""
        return "a"

    def abort(self, txn):
        """Nothing to take back."""

    tpc_begin = commit = tpc_finish = tpc_abort = abort

    def tpc_vote(self, txn):
        """Vote no."""
        raise ValueError("no")


class Transactional(unittest.TestCase):
    """`on_abort` and `on_commit`."""

    def setUp(self):
        transaction.abort()
        self.addCleanup(transaction.abort)
        self.done = []

    def test_contract(self):
        manager = transactional._FileManager(transaction.manager)
        self.assertTrue(verifyClass(ISavepointDataManager, transactional._FileManager))
        self.assertTrue(verifyObject(ISavepointDataManager, manager))

    def test_an_abort_takes_back_the_last_thing_first(self):
        on_abort(lambda: self.done.append(1))
        on_abort(lambda: self.done.append(2))
        on_commit(lambda: self.done.append("never"))
        transaction.abort()
        self.assertEqual(self.done, [2, 1])

    def test_a_commit_does_what_waited_and_keeps_the_rest(self):
        on_abort(lambda: self.done.append("never"))
        on_commit(lambda: self.done.append(1))
        self.assertEqual(self.done, [])
        transaction.commit()
        self.assertEqual(self.done, [1])
        transaction.abort()
        self.assertEqual(self.done, [1])

    def test_a_failed_commit_is_an_abort(self):
        on_abort(lambda: self.done.append("back"))
        on_commit(lambda: self.done.append("never"))
        transaction.get().join(Stubborn())
        with self.assertRaises(ValueError):
            transaction.commit()
        self.assertEqual(self.done, ["back"])

    def test_a_savepoint_takes_back_what_came_after_it(self):
        on_abort(lambda: self.done.append("early"))
        savepoint = transaction.savepoint()
        on_abort(lambda: self.done.append("late"))
        on_commit(lambda: self.done.append("never"))
        savepoint.rollback()
        self.assertEqual(self.done, ["late"])
        transaction.commit()
        self.assertEqual(self.done, ["late"])

    def test_what_comes_after_a_rollback_to_the_beginning_counts(self):
        savepoint = transaction.savepoint()
        on_abort(lambda: self.done.append("back"))
        on_commit(lambda: self.done.append("never"))
        savepoint.rollback()
        self.assertEqual(self.done, ["back"])
        on_commit(lambda: self.done.append("second"))
        transaction.commit()
        self.assertEqual(self.done, ["back", "second"])

    def test_each_transaction_has_its_own(self):
        on_commit(lambda: self.done.append(1))
        transaction.commit()
        on_commit(lambda: self.done.append(2))
        transaction.abort()
        transaction.commit()
        self.assertEqual(self.done, [1])

    def test_an_action_that_fails_does_not_hide_the_commit(self):
        on_commit(lambda: 1 / 0)
        on_commit(lambda: self.done.append("next"))
        with self.assertLogs(transactional.log, logging.ERROR):
            transaction.commit()
        self.assertEqual(self.done, ["next"])
