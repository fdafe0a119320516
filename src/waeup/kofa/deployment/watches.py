"""What the operator says of a folder whose files are imported by themselves.

Apart from `waeup.kofa.deployment.watching`, which does it: every command reads the configuration,
and few need the operations of the portal.
"""

import os
import re
from dataclasses import dataclass
from typing import Any

MODES = ("create", "update", "remove", "upsert")
#: Seconds for which a file must not change, unless the watch says otherwise; at least one.
SETTLE = 30.0

_NAME = re.compile(r"[a-z0-9_-]{1,40}")


@dataclass(frozen=True)
class Watch:
    """What becomes of the files of one folder.

    `name` is for logs and ids; `folder` is absolute, `pattern` is one of names, such as
    ``*.csv``, in which case does not count.  The rows are those of `processor`, imported in `mode`
    as the account `user`.  A file that did not change for `settle` seconds is complete.  `mapping`
    is the name of a saved mapping; without one the columns have the names of fields.  With
    `ignore_rest` columns that fit no field are left out, otherwise the file is refused.
    `skip_unchanged` leaves objects alone that have all values already.

    Raises ValueError, which says what is wrong.
    """

    name: str
    folder: str
    processor: str
    mode: str
    user: str
    pattern: str = "*.csv"
    settle: float = SETTLE
    mapping: str = ""
    ignore_rest: bool = False
    skip_unchanged: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} cannot be the name of a watch: it has 1 to 40 letters, digits, "
                "hyphens or underscores."
            )
        if not os.path.isabs(self.folder):
            raise ValueError(
                f"The folder of the watch {self.name} is {self.folder!r}. Name its whole path, "
                "such as /srv/incoming."
            )
        if self.mode not in MODES:
            raise ValueError(
                f"The watch {self.name} has no mode {self.mode!r}. It can be one of: "
                f"{', '.join(MODES)}."
            )
        if not self.settle >= 1:
            raise ValueError(
                f"In the watch {self.name} settle is {self.settle:g} seconds. It has to be 1 or "
                "more: nobody can tell otherwise whether a file is complete."
            )
        if not (self.pattern and "/" not in self.pattern):
            raise ValueError(
                f"The pattern of the watch {self.name} is {self.pattern!r}. It is one of names, "
                "such as *.csv."
            )


def watch(section: Any) -> Watch:
    """Return the watch that a section ``<watch NAME>`` of kofa.conf describes.

    The datatype of that section: ZConfig tells of a ValueError in which line it is.
    """
    return Watch(
        name=section.getSectionName() or "",
        folder=section.folder,
        processor=section.processor,
        mode=section.mode,
        user=section.user,
        pattern=section.pattern,
        settle=float(section.settle),
        mapping=section.mapping or "",
        ignore_rest=section.ignore_rest,
        skip_unchanged=section.skip_unchanged,
    )
