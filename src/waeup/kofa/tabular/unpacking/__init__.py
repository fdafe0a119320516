"""Containers to plain files: what is compressed or a workbook becomes one table of text.

Stands before the reader: `kind_of` tells by content what a file is, and `unpack` writes the one
table in an archive or a workbook to a file that `open_table` reads.  Archives and workbooks are
looked into by a process of their own that has little memory, little time and no rights to lose
(`process` on this side, `worker` on the other); no hostile file meets the portal itself.
"""

from waeup.kofa.tabular.limits import Limits
from waeup.kofa.tabular.unpacking.process import Unpacked, kind_of, unpack

__all__ = ["Limits", "Unpacked", "kind_of", "unpack"]
