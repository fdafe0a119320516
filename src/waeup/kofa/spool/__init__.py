"""Files on disk that survive crashes.

A *storage* is a folder; its files are *items*.  They come in through `accept`, some in pieces
before (`Partial`), are listed by `scan`, and are claimed by whoever works on them.  What consists
of several changes is written down first: `WorkFolder`, then `write_intent`, then `perform`, and,
should the process die at any instant, `redo` by the next one.  All of it stands on
the few operations of `waeup.kofa.spool.disk`.
"""

from waeup.kofa.spool.disk import move_file, remove_file
from waeup.kofa.spool.intake import Intake, Upload, accept, free_name
from waeup.kofa.spool.intents import Intent, clear_intent, read_intents, redo, write_intent
from waeup.kofa.spool.listing import Item, count_lines, scan, size_text
from waeup.kofa.spool.locks import Exclusion, Held, claimed, storage_lock, use_exclusion
from waeup.kofa.spool.moving import StorageMove, abandon, remove_entries
from waeup.kofa.spool.names import (
    EXTENSIONS,
    FINISHED_SUFFIX,
    FOLDERS,
    PENDING_SUFFIX,
    TABLE_EXTENSION,
    check_name,
    numbered,
    stored_name,
)
from waeup.kofa.spool.partial import (
    Checksum,
    Partial,
    PartialUpload,
    Quota,
    begin_partial,
    drop_partials,
    look_at,
    partial_folders,
    partial_uploads,
)
from waeup.kofa.spool.places import (
    PlaceBelow,
    is_inside,
    make_place,
    resolved_below,
    unusable,
)
from waeup.kofa.spool.steps import (
    Append,
    Place,
    Prune,
    Remove,
    Rename,
    Replace,
    Step,
    perform,
    step_as_dict,
    step_from_dict,
    tail_of,
)
from waeup.kofa.spool.trees import TreeCopy, copy_entries
from waeup.kofa.spool.work import WORK, WorkFolder

__all__ = [
    "EXTENSIONS",
    "FINISHED_SUFFIX",
    "FOLDERS",
    "PENDING_SUFFIX",
    "TABLE_EXTENSION",
    "WORK",
    "Append",
    "Checksum",
    "Exclusion",
    "Held",
    "Intake",
    "Intent",
    "Item",
    "Partial",
    "PartialUpload",
    "Place",
    "PlaceBelow",
    "Prune",
    "Quota",
    "Remove",
    "Rename",
    "Replace",
    "Step",
    "StorageMove",
    "TreeCopy",
    "Upload",
    "WorkFolder",
    "abandon",
    "accept",
    "begin_partial",
    "check_name",
    "claimed",
    "clear_intent",
    "copy_entries",
    "count_lines",
    "drop_partials",
    "free_name",
    "is_inside",
    "look_at",
    "make_place",
    "move_file",
    "numbered",
    "partial_folders",
    "partial_uploads",
    "perform",
    "read_intents",
    "redo",
    "remove_entries",
    "remove_file",
    "resolved_below",
    "scan",
    "size_text",
    "step_as_dict",
    "step_from_dict",
    "storage_lock",
    "stored_name",
    "tail_of",
    "unusable",
    "use_exclusion",
    "write_intent",
]
