"""Two officers do something with the same file at the same moment: one of them comes too late."""

import os
import unittest
from contextlib import closing

from transaction.interfaces import TransientError

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import Refused
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Town
from waeup.kofa.tests.jobs.portal import OTHER, USER

NAME, TEXT = "a.csv", "code,title\r\nNEW1,Arts\r\n"


class Together(unittest.TestCase):
    """The first one has not committed yet when the other one begins, and ends."""

    layer = FunctionalLayer

    def setUp(self):
        self.town = Town({NAME: TEXT})
        self.addCleanup(self.town.close)

    def delete(self, operations):
        operations.delete([NAME])

    def order(self, operations):
        operations.start_import(NAME, "facultyprocessor", "create", Mapping(("code", "title")))

    def restore(self, operations):
        operations.restore(self.deleted()[0])

    def purge(self, operations):
        operations.purge(self.deleted()[:1], "deleted")

    def deleted(self):
        return os.listdir(os.path.join(self.town.storage, "deleted"))

    def pending(self):
        return [name for name in os.listdir(self.town.storage) if name.endswith(".csv")]

    def both(self, one, other):
        """Return who was successful."""
        done = []

        def act(what, user, db, then=None):
            def ask(operations):
                what(operations)
                if then is not None:
                    then()

            try:
                self.town.operations(ask, user=user, db=db)
            except (Refused, TransientError):
                return
            done.append((user, what.__name__))

        with closing(self.town.open()) as db:
            act(one, USER, db, lambda: act(other, OTHER, db))
        return done

    def check(self, done, where):
        """Exactly one has done it, and the file is where that one has brought it."""
        self.assertEqual(len(done), 1, where)
        ((_user, what),) = done
        self.town.recover()
        self.assertEqual(
            [found for found in self.town.recover() if found.code != "orphan"], [], where
        )
        places = {
            "delete": (0, 1),
            "purge": (0, 0),
            "restore": (1, 0),
            "order": (1, 0),
        }
        self.assertEqual((len(self.pending()), len(self.deleted())), places[what], where)
        for name in [*self.pending(), *(f"deleted/{name}" for name in self.deleted())]:
            with open(os.path.join(self.town.storage, name), newline="") as stream:
                self.assertEqual(stream.read(), TEXT, where)
        runs = self.town.change(lambda site: len(list(site["datacenter"].runs)))
        self.assertEqual(runs, int(what == "order"), where)

    def test_a_file_that_waits(self):
        for one in (self.delete, self.order):
            for other in (self.delete, self.order):
                where = f"{one.__name__}, {other.__name__}"
                self.town.set_up()
                with self.subTest(where):
                    self.check(self.both(one, other), where)

    def test_a_deleted_file(self):
        for one in (self.restore, self.purge):
            for other in (self.restore, self.purge):
                where = f"{one.__name__}, {other.__name__}"
                self.town.set_up()
                self.town.operations(self.delete)
                with self.subTest(where):
                    self.check(self.both(one, other), where)
