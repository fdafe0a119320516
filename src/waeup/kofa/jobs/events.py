"""What a run tells the portal."""

from zope.interface import implementer

from waeup.kofa.jobs.interfaces import IRunEndedEvent
from waeup.kofa.jobs.record import Run


@implementer(IRunEndedEvent)
class RunEndedEvent:
    """See `IRunEndedEvent`."""

    def __init__(self, run: Run) -> None:
        self.run = run
