"""Bytes to rows of text, and back: the only room that knows encodings, delimiters and quotes.

Second stop of a file, after the spool: what was stored is read here, row by
row, before `conversion` makes values of the cells; result files are written
here.  `open_table` is the one way in, `TableWriter` the one way out.

From bytes to rows go: `source` (lines), `encodings`, `detection` and `heading`
(what is found at the top, kept as a `layout`), `quick` and `careful` (records, by
the `grammar`), `context` (neighbours), `reader` (all of it).  What a row looks like
is learned from those at the top: `shapes` (single values), `column`, `profile` (a
row; `pushed` and `recut` rows teach nothing).  By that `gates` find the rows that stand
out, and `sequel` (another table), `shifts` and `fragments` tell what is wrong with them.
"""

from waeup.kofa.tabular.dialect import Dialect
from waeup.kofa.tabular.limits import Limits
from waeup.kofa.tabular.merging import merge_tables, read_header
from waeup.kofa.tabular.problems import EmptyTable, Problem, UnclearTable
from waeup.kofa.tabular.reader import Row, Table, check_header, open_table
from waeup.kofa.tabular.source import check_charset
from waeup.kofa.tabular.writer import TableWriter, header_bytes

__all__ = [
    "Dialect",
    "EmptyTable",
    "Limits",
    "Problem",
    "Row",
    "Table",
    "TableWriter",
    "UnclearTable",
    "check_charset",
    "check_header",
    "header_bytes",
    "merge_tables",
    "open_table",
    "read_header",
]
