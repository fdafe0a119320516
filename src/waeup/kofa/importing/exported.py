"""Recognises tables that came out of this portal, or one of its kind, and are unchanged.

An exporter of a kind quotes all cells, and it has columns of its own in an order of its own.  A
spreadsheet that saves such a table does not quote them: what has passed through one is read like
any other.  The text of a workbook has quotes, too, as long as no spreadsheet has saved it.
"""

import csv
from collections.abc import Iterator
from contextlib import suppress

from zope.component import getUtilitiesFor

from waeup.kofa.interfaces import BACK_COLUMN, REMOVED_COLUMN, ICSVExporter
from waeup.kofa.tabular import Dialect

#: Bytes of a header; longer ones are none of an exporter.
MOST_BYTES = 1 << 16
#: What stands between two names in a header.
_DELIMITERS = (",", "\t")


def dialect_of_export(path: str) -> Dialect | None:
    """Return how the table at `path` is written if an exporter has written it, or None."""
    with open(path, "rb") as stream:
        line = stream.readline(MOST_BYTES)
    with suppress(UnicodeDecodeError):
        text = line.decode("utf-8-sig")
        if text[:1] == '"' and text[-3:] == '"\r\n':
            for delimiter in _DELIMITERS:
                names = tuple(text[1:-3].split(f'"{delimiter}"'))
                if names in _headers():
                    return Dialect(delimiter, '"')
    return None


def _headers() -> Iterator[tuple[str, ...]]:
    """Generate the columns that exporters write, with and without secrets."""
    for _, exporter in getUtilitiesFor(ICSVExporter):
        if getattr(exporter, "quoting", None) == csv.QUOTE_ALL:
            yield tuple(exporter.fields)
            columns = tuple(getattr(exporter, "all_fields", exporter.fields))
            yield columns
            # The rows of removed objects.
            yield (*columns, REMOVED_COLUMN, BACK_COLUMN)
