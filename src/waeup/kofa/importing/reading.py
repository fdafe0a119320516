"""How the table of an import is read: what the portal allows, and what a person has said.

Who calls a processor hands options over.  Methods with the signatures of Kofa 1.9 have no place
for them; what such a method opens while it is called by the portal is read in the same way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from zope.component import queryUtility

from waeup.kofa.importing.exported import dialect_of_export
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tabular import Limits, Table, open_table
from waeup.kofa.tabular.options import ReadOptions

AS_FOUND = ReadOptions()
#: How the text of a workbook is read when nothing else is said.
OF_WORKBOOK = ReadOptions("utf-8", ",", '"')


class _Reading:
    """Options that are in force, and whether somebody has asked for them."""

    def __init__(self, options: ReadOptions) -> None:
        self.options = options
        self.asked = False


_reading: ContextVar[_Reading | None] = ContextVar("waeup.kofa.reading", default=None)


def limits() -> Limits:
    """Return the limits of tables: those of the configuration, else the usual ones."""
    found: Limits = queryUtility(IDataCenterConfig, default={}).get("limits", Limits())
    return found


def open_source(path: str, options: ReadOptions = AS_FOUND, name: str | None = None) -> Table:
    """Open a table that came from outside, within the limits of the portal.

    `name` is what messages call it (default: the file's name).  A table that an exporter has
    written is recognised by its header; nothing in it is doubted, however odd a value looks.
    Raises as `open_table` does.
    """
    if replace(options, sheet=None) in (AS_FOUND, OF_WORKBOOK):
        dialect = dialect_of_export(path)
        if dialect is not None:
            return open_table(
                path, dialect=dialect, own=True, quoted=True, limits=limits(), name=name
            )
    return options.open(path, limits=limits(), name=name)


@contextmanager
def read_with(options: ReadOptions) -> Iterator[_Reading]:
    """Within this context methods of Kofa 1.9 read tables with `options`.

    Gives an object whose attribute `asked` tells whether they did.
    """
    reading = _Reading(options)
    token = _reading.set(reading)
    try:
        yield reading
    finally:
        _reading.reset(token)


def options_in_force() -> ReadOptions:
    """Return the options of the innermost `read_with`; outside of any nothing is said."""
    reading = _reading.get()
    if reading is None:
        return AS_FOUND
    reading.asked = True
    return reading.options
