"""Objects to rows of tables: what a processor imports, an exporter gives back.

`base` has the contract of Kofa 1.9; `kind` derives columns, cells and filters from what a kind of
objects declares for its import.  An export is asked for by a `Wish` and carried out by `Export`
(`driver`): objects stream from the database through the exporter (`cells`, `filters`, `keys`)
into a file of one of the `formats`.
"""

from waeup.kofa.exporting.driver import Export, Outcome, find_exporter
from waeup.kofa.exporting.wish import Wish

__all__ = ["Export", "Outcome", "Wish", "find_exporter"]
