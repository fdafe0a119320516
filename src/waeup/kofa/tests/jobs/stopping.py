"""Something is stopped at every durable operation: by a kill, by errors, by a loss of power."""

from contextlib import suppress

from waeup.kofa.errors import Fault
from waeup.kofa.tests.jobs.test_crashes import Counter, Error, Errors, Killed, Late, Unplugged
from waeup.kofa.tests.spool.faultydisk import Off, killed_at


class StoppedEverywhere:
    """The tests of what is stopped; whoever has them has a `town`, `act` and `check`."""

    #: At each operation of so many the power fails.
    power_step = 3

    def act(self):
        """Do what is stopped, or go on with it."""
        raise NotImplementedError

    def check(self, where):
        """Recover, go on, and hold what is there to what must be."""
        raise NotImplementedError

    def begin(self):
        """Make all as it was before."""
        self.town.set_up()

    def places(self):
        """Return the folders whose files a loss of power concerns."""
        return [self.town.storage]

    def operations(self):
        """Return the number of durable operations of `act`."""
        self.begin()
        with Counter() as counter:
            self.act()
        self.check("undisturbed")
        return counter.count

    def test_kill(self):
        for number in range(self.operations()):
            self.begin()
            with self.subTest(operation=number):
                self.assertTrue(killed_at(number, self.act, Killed))
                self.check(f"killed at {number}")

    def test_errors(self):
        for shim in (Error, Errors, Late):
            for number in range(self.operations()):
                self.begin()
                with self.subTest(shim.__name__, operation=number):
                    with shim(number), suppress(Fault, OSError):
                        self.act()
                    self.check(f"{shim.__name__} at {number}")

    def test_power_cut(self):
        for number in range(0, self.operations(), self.power_step):
            self.begin()
            shim = Unplugged(number, self.places())
            try:
                with shim, suppress(Off):
                    self.act()
                self.assertTrue(shim.off)
                self.town.keep_database()
                for state in shim.states():
                    self.town.bring_database_back()
                    with self.subTest(state):
                        self.check(state)
            finally:
                shim.close()
