"""What this room and the portal agree on."""

from zope.interface import Attribute, Interface

from waeup.kofa.interfaces import IRunEndedEvent, IRunOverEvent

__all__ = ["IJobEngine", "IRunEndedEvent", "IRunOverEvent"]


class IJobEngine(Interface):
    """Works on runs; a global utility where there is one.

    The order of calls: a run is added to the database, its transaction commits, then `ring`.  The
    record is the truth, the bell only saves time:

    * An aborted order leaves no run, and nothing is worked on whatever bell rings.
    * A bell that rings before the commit, twice, or for a run that is over, does no harm.
    * A bell that never rings delays a run: a sweep finds it within seconds.
    * Who works on a run has claimed it in the database, with a token.  Of two who claim it one has
      a conflict; one that is paused until another has claimed it commits nothing any more.
    * A run whose worker dies is found by the sweep, and goes on where it was.
    * Which run comes next is said by `waeup.kofa.jobs.lanes`.
    * That the database, or what carries the bells, is away stops no engine and no run; work goes
      on when it is back.

    Tasks (`waeup.kofa.jobs.duties`) are done by one of all processes that have an engine.
    """

    holder = Attribute("Names this engine in leases.")
    is_shared = Attribute("Whether other processes have the database, too.")

    def start():
        """Begin to work; called once.

        Raises nothing for what is away: it is waited for.
        """

    def ring(id, is_small=False):
        """There is work, perhaps the run `id`, which `is_small` or not.

        May be called from any thread, at any time after `start`, and from a hook after a commit:
        it returns at once, raises nothing, and touches no database.
        """

    def stop(tell=None):
        """End at the next batch of each run; returns when nobody works any more.

        What keeps it waiting, such as a hook that does not come back, is logged; `tell` is called
        with it, too.

        Called once, by the thread that called `start`.  What was under way is put down, and goes
        on with whoever comes next.
        """

    def workers():
        """Tell how many threads there should be and how many live, and two times.

        They are those at which the engine was made, and at which what is too old was looked for
        last (None: not that this process knew).
        """

    def at_work():
        """Return the ids of the runs that threads of this process work on."""
