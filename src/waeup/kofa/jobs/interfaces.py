"""What this room and the portal agree on."""

from zope.interface import Attribute, Interface


class IJobEngine(Interface):
    """Works on runs; a global utility where there is one.

    `ring` may be called from any thread, after the commit that made the run, and more than
    once.  That it is never called delays a run, and loses nothing.
    """

    holder = Attribute("Names this engine in leases.")

    def ring(id):
        """There is work, perhaps the run `id`."""

    def stop():
        """End at the next batch of each run; returns when nobody works any more."""


class IRunEndedEvent(Interface):
    """A run is finished; notified in the transaction that says so.

    What a subscriber does outside the database must join the transaction.
    """

    run = Attribute("The `waeup.kofa.jobs.record.Run`.")
