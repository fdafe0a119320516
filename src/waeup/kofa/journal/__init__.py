"""Log files: written so that no cell can forge a line, and searched safely.

``lines`` appends, ``deferral`` waits for the commit of a transaction, ``names`` knows
which files belong to a log.  ``search`` finds the lines that fit an expression (``expressions``,
``explaining``), at speed by what all of its matches contain (``needles``, ``sieve``); ``looking``
goes through several logs page by page.  ``references`` bring the page of an error and its entry in
a log together.  The room knows no site and no principal; `waeup.kofa.logger` adds them.
"""

from waeup.kofa.journal.deferral import (
    deferred_lines,
    dropped_lines,
    lines_are_dropped,
    write_line,
)
from waeup.kofa.journal.expressions import Expression
from waeup.kofa.journal.lines import (
    LINE_FORMAT,
    LINE_HEAD,
    append_line,
    append_lines,
    escape_message,
    format_line,
    shared_lines,
)
from waeup.kofa.journal.looking import LEVELS, TIME_FORMAT, FoundLine, Look, Wanted
from waeup.kofa.journal.names import PACKED, check_log_name, log_names, log_of, logfile_series
from waeup.kofa.journal.references import (
    find_entry,
    marked,
    new_reference,
    read_reference,
    reference_of,
)
from waeup.kofa.journal.search import query

__all__ = [
    "LEVELS",
    "LINE_FORMAT",
    "LINE_HEAD",
    "PACKED",
    "TIME_FORMAT",
    "Expression",
    "FoundLine",
    "Look",
    "Wanted",
    "append_line",
    "append_lines",
    "check_log_name",
    "deferred_lines",
    "dropped_lines",
    "escape_message",
    "find_entry",
    "format_line",
    "lines_are_dropped",
    "log_names",
    "log_of",
    "logfile_series",
    "marked",
    "new_reference",
    "query",
    "read_reference",
    "reference_of",
    "shared_lines",
    "write_line",
]
