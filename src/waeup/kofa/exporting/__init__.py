"""Objects to rows of tables: what a processor imports, an exporter gives back.

`base` has the contract of Kofa 1.9; `kind` derives columns, cells and filters from what a kind of
objects declares for its import.  An export is asked for by a `Wish` and carried out by `Export`
(`driver`): objects stream from the database through the exporter (`cells`, `filters`, `keys`)
into a file of one of the `formats`.
"""

from typing import TYPE_CHECKING, Any

from waeup.kofa.exporting.wish import Outcome, Wish

if TYPE_CHECKING:
    from waeup.kofa.exporting.driver import Export, find_exporter

__all__ = ["Export", "Outcome", "Wish", "find_exporter"]


def __getattr__(name: str) -> Any:
    # What carries an export out comes with all that the portal is made of.
    if name not in ("Export", "find_exporter"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from waeup.kofa.exporting import driver

    found = globals()[name] = getattr(driver, name)
    return found
