"""The end of an upload in pieces is stopped at durable operations, and its sender goes on."""

import io
from contextlib import closing, suppress

from waeup.kofa.errors import Fault
from waeup.kofa.tests.jobs.lives import TownTestCase
from waeup.kofa.tests.jobs.portal import USER
from waeup.kofa.tests.jobs.test_crashes import Counter, Errors, Killed, Late, Unplugged
from waeup.kofa.tests.spool.faultydisk import Off, killed_at, tree_of
from waeup.kofa.tests.test_operations import TABLE


class Crashes(TownTestCase):
    """The last step is stopped; what happens to pieces is tested with `waeup.kofa.spool`."""

    #: Of the operations every so many is taken; those before and behind commits are among them.
    STEP = 2

    def setUp(self):
        super().setUp()
        self.id = self.ask(lambda o: o.begin_upload("data.csv", len(TABLE))).id
        self.ask(lambda o: o.continue_upload(self.id, 0, io.BytesIO(TABLE)))
        self.db.close()
        self.town.keep()

    def finish(self):
        with closing(self.town.open()) as db:
            self.town.operations(lambda o: o.finish_upload(self.id), db=db)

    def check(self, where):
        """Recover, ask, and go on; then look: the file is there, once."""
        self.town.recover()
        with closing(self.town.open()) as db:
            state = self.town.operations(lambda o: o.upload_state(self.id), db=db)
            self.assertTrue(state.is_complete, where)
            stored = self.town.operations(lambda o: o.finish_upload(self.id), db=db)
        self.assertEqual(stored.name, f"data_{USER}.csv", where)
        self.assertEqual([each.text for each in self.town.recover()], [], where)
        tree = {
            name: content
            for name, content in tree_of(self.town.storage).items()
            if not name.startswith("logs")
        }
        expected = {"deleted": None, "finished": None, "unfinished": None, stored.name: TABLE}
        self.assertEqual(tree, expected, where)

        def known(site):
            return [entry.name for entry in site["datacenter"].ledger.entries()]

        self.assertEqual(self.town.change(known), [stored.name], where)

    def numbers(self):
        """Generate the numbers of operations, and make everything as it was for each."""
        with Counter() as counter:
            self.finish()
        self.check("undisturbed")
        commits = [at for at, name in enumerate(counter.names) if name == "commit"]
        near = {each + by for each in commits for by in (-1, 0, 1)} - {counter.count}
        for number in sorted({*range(0, counter.count, self.STEP), *near}):
            self.town.set_up()
            yield number

    def test_kill(self):
        for number in self.numbers():
            with self.subTest(operation=number):
                self.assertTrue(killed_at(number, self.finish, Killed))
                self.check(f"killed at {number}")

    def test_errors(self):
        for number in self.numbers():
            for shim in (Errors, Late):
                self.town.set_up()
                with self.subTest(shim=shim.__name__, operation=number):
                    with shim(number), suppress(Fault, OSError, ValueError):
                        self.finish()
                    self.check(f"{shim.__name__} at {number}")

    def test_power_cut(self):
        for number in self.numbers():
            shim = Unplugged(number, [self.town.storage])
            try:
                with shim, suppress(Off):
                    self.finish()
                self.town.keep_database()
                for state in shim.states():
                    self.town.bring_database_back()
                    with self.subTest(state):
                        self.check(state)
            finally:
                shim.close()
