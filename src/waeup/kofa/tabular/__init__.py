"""Bytes to rows of text, and back: the only room that knows encodings, delimiters and quotes.

Second stop of a file, after the spool: what was stored is read here, row by
row, before `conversion` makes values of the cells; result files are written
here.  `open_table` is the one way in, `TableWriter` the one way out.
"""

from waeup.kofa.tabular.dialect import Dialect
from waeup.kofa.tabular.merging import merge_tables, read_header
from waeup.kofa.tabular.problems import EmptyTable, Problem
from waeup.kofa.tabular.reader import MAX_COLUMNS, Row, Table, check_header, open_table
from waeup.kofa.tabular.source import check_charset, verify_encoding
from waeup.kofa.tabular.writer import TableWriter

__all__ = [
    "MAX_COLUMNS",
    "Dialect",
    "EmptyTable",
    "Problem",
    "Row",
    "Table",
    "TableWriter",
    "check_charset",
    "check_header",
    "merge_tables",
    "open_table",
    "read_header",
    "verify_encoding",
]
