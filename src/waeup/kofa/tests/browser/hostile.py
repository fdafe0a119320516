"""A portal into which somebody has brought what would do harm if it were more than text."""

from typing import NamedTuple

import transaction

from waeup.kofa.conversion import Mapping
from waeup.kofa.tests.browser.exhibition import PROCESSOR, acting_as, put
from waeup.kofa.tests.functional import FunctionalLayer

#: What a name of a file can hold; a path cannot.
IN_NAMES = "<img src=x onerror=alert(1)>\"'&${view} structure \u202ecsv"
#: What a cell can hold besides.
TEXTS = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)><b a='",
    "</textarea></title></style><script>alert(2)</script>",
    "${view/token} ${file} ${n} ${structure context}",
    "\u202e\u2066right to left\u200f\u2029",
    "=cmd|'/c calc'!A1",
    "x" * 3000,
)
HEADER = '"<img src=x onerror=alert(3)>${n}"'


class Hostile(NamedTuple):
    """The names of files and the ids of runs and of a draft."""

    file: str
    again: str
    check: str
    run: str
    draft: str

    @property
    def pages(self) -> list[str]:
        """The addresses, below the data center, at which all of it is mentioned."""
        return [
            "",
            "/import1",
            f"/import2?draft={self.draft}",
            f"/import3?draft={self.draft}",
            f"/import4?draft={self.draft}",
            f"/import4?draft={self.draft}&group=all",
            "/files?folder=finished",
            "/files?folder=unfinished",
            "/files?folder=deleted",
            "/runs",
            f"/run?id={self.run}",
            f"/run?id={self.check}",
            f"/rows?id={self.run}",
            "/history",
            "/logs",
            "/figures",
            "/export",
        ]


def table() -> str:
    """Return a table of faculties, half of which fail."""
    rows = [f"code,title,{HEADER}"]
    for number, text in enumerate(TEXTS):
        quoted = '"' + text.replace('"', '""') + '"'
        rows += [f"{quoted},{quoted},{quoted}", f"H{number},{quoted},{quoted}"]
    return "\n".join(rows) + "\n"


def furnish(user: str) -> Hostile:
    """Let `user` bring such a file twice, import one, and check the other."""
    file, again = (put(f"{n}{IN_NAMES}.csv", table(), user) for n in (1, 2))
    mapping = Mapping(("code", "title", None))
    with acting_as(user) as operations:
        run = operations.start_import(again, PROCESSOR, "create", mapping).id
        transaction.commit()
    FunctionalLayer.work_off_runs()
    with acting_as(user) as operations:
        draft = operations.new_draft(file)
        operations.save_draft(
            draft.id, processor=PROCESSOR, mode="create", columns=("code", "title", None)
        )
        check = operations.start_check(
            file, PROCESSOR, "create", mapping, digest=draft.digest, draft=draft.id
        ).id
        operations.save_draft(draft.id, check=check)
        transaction.commit()
    FunctionalLayer.work_off_runs()
    return Hostile(file, again, check, run, draft.id)
