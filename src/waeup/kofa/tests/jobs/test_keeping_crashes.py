"""A deletion, a restoration and a purge are stopped at every durable operation.

A file is pending or deleted, never both for good, and never gone unless it was purged.
"""

import os
import unittest
from contextlib import closing, suppress

from zope.component import getGlobalSiteManager

from waeup.kofa.errors import Fault
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Town
from waeup.kofa.tests.jobs.test_crashes import Counter, Error, Errors, Killed, Late, Unplugged
from waeup.kofa.tests.spool.faultydisk import Off, killed_at, tree_of

NAME, TEXT = "a.csv", "code,title\r\nA1,Arts\r\n"


class Crashes(unittest.TestCase):
    """One file is deleted; in another turn it comes back, too."""

    layer = FunctionalLayer

    def setUp(self):
        self.town = Town({NAME: TEXT})
        self.addCleanup(self.town.close)

    def delete(self):
        with closing(self.town.open()) as db:
            self.town.operations(lambda o: o.delete([NAME]), db=db)

    def delete_and_restore(self):
        with closing(self.town.open()) as db:
            self.town.operations(lambda o: o.delete([NAME]), db=db)
            (file,) = self.town.operations(lambda o: o.files_in("deleted"), db=db)
            self.town.operations(lambda o: o.restore(file.name), db=db)

    def check(self, where, *, may_be_copied):
        """Recover, and look for the file: its content is in one place, and known there."""
        self.town.recover()
        tree = tree_of(self.town.storage)
        self.assertEqual(
            [found for found in self.town.recover() if found.code != "orphan"], [], where
        )
        self.assertEqual(tree_of(self.town.storage), tree, where)
        self.assertEqual([name for name in tree if name.startswith(".work")], [], where)
        pending = [name for name in os.listdir(self.town.storage) if name.endswith(".csv")]
        deleted = os.listdir(os.path.join(self.town.storage, "deleted"))
        found = len(pending) + len(deleted)
        # Like an upload, a restoration that was not committed leaves a file that is nobody's.
        self.assertIn(found, (1, 2) if may_be_copied else (1,), where)
        known = self.town.change(
            lambda site: {entry.name for entry in site["datacenter"].ledger.entries()}
        )
        self.assertEqual(known, {*pending, *(f"deleted/{name}" for name in deleted)}, where)

    def turns(self):
        """Generate what is stopped, and the number of its durable operations."""
        for action in (self.delete, self.delete_and_restore):
            self.town.set_up()
            with Counter() as counter:
                action()
            self.check("undisturbed", may_be_copied=False)
            yield action, counter.count

    def test_kill(self):
        for action, count in self.turns():
            for number in range(count):
                self.town.set_up()
                with self.subTest(action.__name__, operation=number):
                    self.assertTrue(killed_at(number, action, Killed))
                    self.check(f"killed at {number}", may_be_copied=action != self.delete)

    def test_errors(self):
        for action, count in self.turns():
            for shim in (Error, Errors, Late):
                for number in range(count):
                    self.town.set_up()
                    with self.subTest(action.__name__, shim=shim.__name__, operation=number):
                        with shim(number), suppress(Fault, OSError, ValueError):
                            action()
                        self.check(
                            f"{shim.__name__} at {number}", may_be_copied=action != self.delete
                        )

    def test_power_cut(self):
        for action, count in self.turns():
            for number in range(count):
                self.town.set_up()
                shim = Unplugged(number, [self.town.storage])
                try:
                    with shim, suppress(Off):
                        action()
                    self.town.keep_database()
                    for state in shim.states():
                        self.town.bring_database_back()
                        with self.subTest(action.__name__, state=state):
                            self.check(state, may_be_copied=action != self.delete)
                finally:
                    shim.close()


class ForGood(unittest.TestCase):
    """A deleted file is purged, by a person or since its days are over; others stay."""

    layer = FunctionalLayer

    def setUp(self):
        self.town = Town({NAME: TEXT, "kept.csv": TEXT})
        self.addCleanup(self.town.close)
        self.config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        self.addCleanup(self.config.pop, "deleted_days", None)

    def begin(self):
        """Delete the file, and another one that stays."""
        self.config.pop("deleted_days", None)
        self.town.set_up()
        with closing(self.town.open()) as db:
            self.town.operations(lambda o: o.delete([NAME]), db=db)
            (self.name,) = os.listdir(os.path.join(self.town.storage, "deleted"))

    def purge(self):
        with closing(self.town.open()) as db:
            self.town.operations(lambda o: o.purge([self.name], "deleted"), db=db)

    def retain(self):
        self.config["deleted_days"] = 0
        self.town.recover()

    def check(self, where, *, must_be_gone=False):
        """Recover, and look: the file is whole or gone, and in no other place; and it can go."""
        self.config.pop("deleted_days", None)
        self.town.recover()
        tree = tree_of(self.town.storage)
        self.assertEqual(
            [found for found in self.town.recover() if found.code != "orphan"], [], where
        )
        self.assertEqual(tree_of(self.town.storage), tree, where)
        pending = [name for name in os.listdir(self.town.storage) if name.endswith(".csv")]
        self.assertEqual(pending, ["kept.csv"], where)
        deleted = os.listdir(os.path.join(self.town.storage, "deleted"))
        self.assertIn(deleted, ([],) if must_be_gone else ([], [self.name]), where)
        for name in deleted:
            self.assertEqual(tree[f"deleted/{name}"], TEXT.encode(), where)
        known = self.town.change(
            lambda site: {entry.name for entry in site["datacenter"].ledger.entries()}
        )
        self.assertLessEqual(known, {"kept.csv", *(f"deleted/{name}" for name in deleted)}, where)
        if deleted:
            self.purge()
            self.assertEqual(os.listdir(os.path.join(self.town.storage, "deleted")), [], where)

    def turns(self):
        """Generate what is stopped, and the number of its durable operations."""
        for action in (self.purge, self.retain):
            self.begin()
            with Counter() as counter:
                action()
            self.check("undisturbed", must_be_gone=True)
            self.assertGreater(counter.count, 1)
            yield action, counter.count

    def test_kill(self):
        for action, count in self.turns():
            for number in range(count):
                self.begin()
                with self.subTest(action.__name__, operation=number):
                    self.assertTrue(killed_at(number, action, Killed))
                    self.check(f"killed at {number}")

    def test_errors(self):
        for action, count in self.turns():
            for shim in (Error, Errors, Late):
                for number in range(count):
                    self.begin()
                    with self.subTest(action.__name__, shim=shim.__name__, operation=number):
                        with shim(number), suppress(Fault, OSError, ValueError):
                            action()
                        self.check(f"{shim.__name__} at {number}")

    def test_power_cut(self):
        for action, count in self.turns():
            for number in range(count):
                self.begin()
                shim = Unplugged(number, [self.town.storage])
                try:
                    with shim, suppress(Off):
                        action()
                    self.town.keep_database()
                    for state in shim.states():
                        self.town.bring_database_back()
                        with self.subTest(action.__name__, state=state):
                            self.check(state)
                finally:
                    shim.close()


class Rows(unittest.TestCase):
    """A table of removed objects is purged while rows wait that a kill has kept from it."""

    layer = FunctionalLayer

    def setUp(self):
        self.town = Town()
        self.addCleanup(self.town.close)

    def begin(self):
        self.town.set_up()
        self.remove("S1")

    def remove(self, student):
        with closing(self.town.open()) as db:
            self.town.change(lambda site: site["students"].__delitem__(student), db)

    def remove_another(self):
        self.remove("S2")

    def test_no_row_is_lost(self):
        self.begin()
        with Counter() as counter:
            self.remove_another()
        for number in range(counter.count):
            self.begin()
            with self.subTest(operation=number):
                self.assertTrue(killed_at(number, self.remove_another, Killed))
                was_there = b'"S2"' in tree_of(self.town.storage)["deleted/students.csv"]
                with closing(self.town.open()) as db:
                    self.town.operations(lambda o: o.purge(["students.csv"], "deleted"), db=db)
                self.town.recover()
                self.assertEqual(self.town.recover(), [])
                is_gone = self.town.change(lambda site: "S2" not in site["students"])
                tree = tree_of(self.town.storage)
                rows = (tree.get("deleted/students.csv") or b"").count(b'"S2"')
                # What was in the table already may be purged with it.
                self.assertIn(rows, (0, 1) if was_there else (int(is_gone),))
