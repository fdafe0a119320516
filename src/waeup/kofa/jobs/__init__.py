"""Runs: an import from the click to files in their places, and its recovery.

`driver` owns the transactions of a run; nothing below it begins or commits one.
"""

from waeup.kofa.jobs.connection import Participation
from waeup.kofa.jobs.driver import ImportOrder, recover, run_import, running

__all__ = ["ImportOrder", "Participation", "recover", "run_import", "running"]
