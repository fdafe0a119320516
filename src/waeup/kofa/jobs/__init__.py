"""Runs: what is ordered, worked on in the background, survives crashes, and can be taken back.

`record` is what the database knows of a run.  A worker claims it (`job`), does what its kind
asks for (`imports`, `checks`, `undos`, `exports`, `moves`; `worker` puts it down), and brings its
files to their places (`distributing`).  `doorbells` and `queueing` wake workers, `lanes` says what
comes next, `duties` is what is to be done now and then, `recovery` looks after crashes.

Transactions of runs begin and end here; nothing below begins or commits one.
"""

from waeup.kofa.jobs.doorbells import EmbeddedEngine, work_off
from waeup.kofa.jobs.interfaces import IJobEngine, IRunEndedEvent, IRunOverEvent
from waeup.kofa.jobs.queueing import ProcrastinateEngine
from waeup.kofa.jobs.record import CHECK, EXPORT, IMPORT, MOVE, UNDO, Order, Run
from waeup.kofa.jobs.recovery import Finding, recover
from waeup.kofa.jobs.registry import Runs
from waeup.kofa.jobs.worker import work_on
from waeup.kofa.presence import new_holder

__all__ = [
    "CHECK",
    "EXPORT",
    "IMPORT",
    "MOVE",
    "UNDO",
    "EmbeddedEngine",
    "Finding",
    "IJobEngine",
    "IRunEndedEvent",
    "IRunOverEvent",
    "Order",
    "ProcrastinateEngine",
    "Run",
    "Runs",
    "new_holder",
    "recover",
    "work_off",
    "work_on",
]
