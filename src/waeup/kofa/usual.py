"""Figures that count unless the operator or the portal says otherwise, and bounds of both.

They stand here once: the parts that work by them do not know each other, and the command line
needs them before it has loaded any of these.
"""

#: Days for which anything is kept at most: a hundred years.
MOST_DAYS = 36525
#: Rows, columns, requests, and whatever else is counted, at most.
MOST_COUNTED = 1_000_000_000
#: Bytes of a limit at most: a terabyte, more than a portal can mean.
MOST_BYTES = 1 << 40

#: Bytes of an upload.
UPLOAD_LIMIT = 200 << 20
#: Columns and rows of a table.
COLUMNS, ROWS = 1000, 5_000_000
#: Bytes that may come out of a container, and of memory for who unpacks it.
UNPACKED, MEMORY = 2 << 30, 2 << 30
#: Days for which an import can be taken back.
UNDO_DAYS = 30
#: Hours for which the result of an export is kept.
EXPORT_HOURS = 24.0
#: Share of all objects of a kind that a run may remove, or change, without being asked.
REMOVE_SHARE, CHANGE_SHARE = 0.1, 0.5
#: Requests of a token in a minute, and those with wrong tokens from an address; 0: any number.
API_REQUESTS, API_WRONG_TOKENS = 600, 30
