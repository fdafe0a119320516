"""What operations return: frozen values that doors can show.

What they are made of is imported for type checkers only: ``kofactl`` shows values that a running
portal has sent, without what the portal is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from waeup.kofa.exporting import Wish
    from waeup.kofa.importing.report import Report
    from waeup.kofa.journal import FoundLine


@dataclass(frozen=True)
class FormerImport:
    """A finished import of the same content.

    `run` is the id of the run, ``''`` for who may not see it; `file` is what the file was called
    then, `user` who had it imported, `date` (UTC) when that was done.
    """

    run: str
    file: str
    user: str
    date: datetime

    @property
    def date_text(self) -> str:
        """The day in local time, as ``YYYY-MM-DD``."""
        return self.date.astimezone().strftime("%Y-%m-%d")


class StoredFile(NamedTuple):
    """A file as it is shown to people.

    `size` counts bytes, `date` is the time (UTC) of its last change, or when it came to its
    folder, `owner` a user id or ``''``.  `run` is the id of the import whose failed rows these
    are, or that has put the file into its folder then, or None.  `counted` and `sought` are asked
    for `lines` and `former`.

    `original` is what a deleted file was called, `deleted` when (UTC) and `deleted_by` by whom
    that was done.  `expires` is when (UTC) a file goes by itself, if it does; one that is `needed`
    cannot be purged.
    """

    name: str
    folder: str
    size: int
    date: datetime
    owner: str
    counted: Callable[[], int | None]
    sought: Callable[[], FormerImport | None]
    run: str | None = None
    original: str = ""
    deleted: datetime | None = None
    deleted_by: str = ""
    expires: datetime | None = None
    needed: bool = False

    @property
    def size_text(self) -> str:
        """The size in words, as the command line says all sizes."""
        return f"{self.size:,} bytes"

    @property
    def lines(self) -> int | None:
        """Number of physical lines of the text; counted when asked for.

        None for a container of which no text has been made yet.
        """
        return self.counted()

    @property
    def former(self) -> FormerImport | None:
        """The last import of the content of a pending file, if there was one already."""
        return self.sought()

    @property
    def datasets(self) -> str:
        """Number of lines below a header in the first line, as text; ``''`` where not known."""
        lines = self.lines
        return "" if lines is None else f"{max(lines - 1, 0):,}"

    @property
    def date_text(self) -> str:
        """The date in local time, as ``YYYY-MM-DD HH:MM:SS``."""
        return self.date.astimezone().strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True)
class LogInfo:
    """A log: `size` counts the bytes of its files, of which `backups` are backups.

    `date` is that of its last change, in local time.
    """

    name: str
    size: int
    date: datetime
    backups: int


@dataclass(frozen=True)
class LogPage:
    """Lines that were found in logs; `has_more` says that there may be more, from `place` on."""

    lines: tuple[FoundLine, ...]
    place: str
    has_more: bool


@dataclass(frozen=True)
class Mention:
    """What the characters from `start` to `end` of a log line are about.

    `kind` is ``run`` or ``file``; `target` is the id of the run, or folder and name of the file.
    """

    start: int
    end: int
    kind: str
    target: str


@dataclass(frozen=True)
class FieldInfo:
    """A field that a column can fill; `type` is the name of its schema class.

    `secret` says that its text must be seen by nobody.  The rest is there where a single kind of
    objects was asked for: `kind` is the type in plain words, `choices` are tokens and titles of
    the values that are allowed (`more_choices` is the number of those that are not listed; where
    there are no bounds, both are empty), `example` is a cell that an import accepts.
    """

    name: str
    type: str
    title: str
    required: bool
    secret: bool = False
    kind: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    more_choices: int = 0
    description: str = ""
    example: str = ""


@dataclass(frozen=True)
class ProcessorInfo:
    """A kind of objects that can be imported."""

    name: str
    title: str
    modes: tuple[str, ...]
    fields: tuple[FieldInfo, ...]
    required: dict[str, list[str]]
    permission: str


@dataclass(frozen=True)
class ProposedColumn:
    """A column of a table, and the field that is proposed for it (None: none).

    `confidence` goes from 0 to 1; `reason` is one of those of `waeup.kofa.conversion.guessing`,
    or ``''`` where nothing is proposed: ``remembered`` without a field says that the column was
    left out the last time.  `samples` are its first cells, and `kind` is the type of the field
    in plain words.
    """

    column: str
    field: str | None
    confidence: float
    reason: str
    samples: tuple[str, ...]
    kind: str = ""


@dataclass(frozen=True)
class ProposedKind:
    """What the rows of a table may be: the kind of objects, by the name of its processor.

    `mode` is one that the table can be imported in, if it has all that the kind needs, and
    `columns` counts the columns that fill a field.
    """

    name: str
    mode: str
    columns: int


@dataclass(frozen=True)
class ForeignText:
    """A text that occurs `count` times in a column and is no allowed value.

    `token` is what a person has decided that it stands for, None before; `proposed` is what is
    proposed for it, if anything, with a confidence and a reason as in `ProposedColumn`.
    """

    text: str
    count: int
    token: str | None
    proposed: str | None
    confidence: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class ChoiceColumn:
    """A column that fills a choice, or yes or no, with its texts that are no allowed value.

    `rows` of the table were looked at, `is_whole` says that these are all.  `has_more` says that
    there are more different texts than are listed.  `choices` are the allowed values, as in
    `FieldInfo`.
    """

    column: str
    field: str
    texts: tuple[ForeignText, ...]
    choices: tuple[tuple[str, str], ...]
    rows: int
    is_whole: bool
    has_more: bool


@dataclass(frozen=True)
class FilterInfo:
    """A filter of an exporter.

    `kind` is ``text``, ``number``, ``date`` or ``choice``; of a choice, `choices` are pairs of
    token and title.
    """

    name: str
    title: str
    description: str
    kind: str
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ExporterInfo:
    """A kind of objects that can be exported.

    `secrets` are the columns with hashes that the person may ask for, `keys` those by which
    objects can be selected.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    secrets: tuple[str, ...]
    filters: tuple[FilterInfo, ...]
    keys: tuple[str, ...]
    permission: str


@dataclass(frozen=True)
class UserInfo:
    """A user account as it is shown to administrators, and to who has it.

    `has_foreign_password` says that somebody else has set the password, `log_ins` are the last
    two times of a log-in (UTC), the last one first.  `may_change` says whether the person who asks
    may change the account.  `version` is to be sent along with a change: it tells what the change
    was made for.
    """

    name: str
    title: str
    email: str | None
    roles: tuple[str, ...]
    suspended: bool
    public_name: str | None = None
    phone: str | None = None
    description: str | None = None
    language: str | None = None
    has_password: bool = True
    has_foreign_password: bool = False
    log_ins: tuple[datetime, ...] = ()
    may_change: bool = True
    version: str = ""

    @property
    def last_log_in(self) -> datetime | None:
        """When somebody has logged in last; None for never, or before this was kept."""
        return self.log_ins[0] if self.log_ins else None


@dataclass(frozen=True)
class TokenInfo:
    """A token as it is shown to who has it, and to administrators; it holds nothing secret.

    `scopes` are names of `waeup.kofa.scopes.SCOPES`.  `state` is ``valid``, ``expired`` or
    ``revoked``; a valid one is refused all the same while its account is suspended.  `used` is
    the last use to the minute (None: never), `address` where that came from.  Times are in UTC.
    """

    id: str
    user: str
    title: str
    scopes: tuple[str, ...]
    made: datetime
    expires: datetime
    state: str
    used: datetime | None = None
    address: str = ""
    revoked: datetime | None = None
    revoked_by: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether it has neither been revoked nor expired."""
        return self.state == "valid"


@dataclass(frozen=True)
class NewToken:
    """A token that was just made, with its `text`, which is the secret and cannot be had again."""

    info: TokenInfo
    text: str = field(repr=False)


@dataclass(frozen=True)
class RoleInfo:
    """A role of the portal.

    `permissions` are the ids of what it allows, `users` the names of the accounts that have it;
    `may_give` says whether the person who asks may give it.
    """

    name: str
    title: str
    permissions: tuple[str, ...]
    users: tuple[str, ...]
    may_give: bool


@dataclass(frozen=True)
class RunInfo:
    """A run as it is shown to people.

    `kind` is ``import``, ``check``, ``undo``, ``export`` or ``move``; `state` one of those of
    `waeup.kofa.jobs.record.Run`.  `owner` has ordered it; `user` is whom it acts as: the owner, or
    who let it go on last.  `rows` were worked on, `failed` of them failed, `fraction`
    (0 to 1) of the work is done, `rate` are rows a second, `remaining` is an estimate in
    seconds.  `waits_for` names the run that must end before, `fault` says why it stopped.
    `report` holds the totals, so far or in the end.  `undo_bytes` is the size of the undo
    records, which are kept until `undo_until`.  `actions` are those that are possible:
    ``cancel``, ``resume``, ``undo``.  Times are in UTC.  While a run `is_looking`, the rules of
    its kind over the whole file are asked: no row is worked on yet, and `fraction` is how much of
    the file was looked at.

    Of an export, `processor` is the exporter and `wish` what is wanted, without keys, of which
    there are `listed` (None: all objects are wanted); its result has `size` bytes, and is kept
    until `kept_until`, while both are not None.

    A move of the storage goes to the folder `target`; its `rows` are files, and `bytes` of
    `all_bytes` are copied.  `left` are the names that it has left alone.
    """

    id: str
    kind: str
    state: str
    file: str
    processor: str
    mode: str
    owner: str
    user: str
    queued: datetime
    started: datetime | None
    ended: datetime | None
    rows: int
    failed: int
    fraction: float
    rate: float
    remaining: float | None
    waits_for: str
    fault: str
    report: Report
    undo_bytes: int
    undo_until: datetime | None
    check: str | None
    undoes: str | None
    undone_by: str | None
    is_cancelling: bool
    actions: tuple[str, ...]
    wish: Wish | None = None
    listed: int | None = None
    size: int | None = None
    kept_until: datetime | None = None
    target: str = ""
    bytes: int = 0
    all_bytes: int = 0
    left: tuple[str, ...] = ()
    is_looking: bool = False

    @property
    def is_active(self) -> bool:
        """Whether it is worked on, or is going to be."""
        return self.state in ("queued", "running", "distributing")

    @property
    def title(self) -> str:
        """What it does, in words."""
        return f"{self.kind} of {self.file}"


@dataclass(frozen=True)
class CellInfo:
    """A cell of a row that a check has found failing.

    It stands at `position`, in the column `name`, which fills `field` (None: ignored; a cell
    beyond the columns has no name).  `text` is what stands in the file, `corrected` what is read
    in its place, or None, and `message` says what the check has found wrong with it.  Of a
    `secret` neither text is shown.
    """

    position: int
    name: str
    field: str | None
    text: str
    corrected: str | None
    message: str
    secret: bool


@dataclass(frozen=True)
class FailingRow:
    """A row that a check has found failing, or one that was corrected.

    `number` counts source rows, `line` is the physical line.  `messages` say what is wrong with
    the row as a whole.  The cells of one that `is_damaged` cannot be trusted: who corrects it
    gives all of them; `raw` is its text, unless that may show secrets.
    """

    number: int
    line: int
    cells: tuple[CellInfo, ...]
    messages: tuple[str, ...]
    is_damaged: bool
    raw: str | None
    is_corrected: bool


@dataclass(frozen=True)
class LikeCell:
    """A text that `rows` of a group have in a column."""

    text: str
    rows: int


@dataclass(frozen=True)
class DateOrder:
    """How dates that end with their year may be meant: `order` is ``day`` or ``month`` first.

    `rows` of a group can be read so; `example` is the text of one of them, and `meant` the date
    that it would be.
    """

    order: str
    rows: int
    example: str
    meant: str


@dataclass(frozen=True)
class RowVerdict:
    """What would become of a single row.

    `outcome` is one of those of a check, or ``blank`` for a row that would be passed over.
    `errors` are pairs of the position of a cell and what is wrong with it, `messages` what is
    wrong with the row as a whole.  `same_as` is the number of another row of the file that
    means the same object.
    """

    outcome: str
    errors: tuple[tuple[int, str], ...]
    messages: tuple[str, ...]
    same_as: int | None

    @property
    def is_sound(self) -> bool:
        """Whether the row would not fail."""
        return self.outcome != "failed"


@dataclass(frozen=True)
class HistoryKind:
    """A kind of objects whose history can be asked for.

    `name` is that of the processor, `names` are all words for it; `keys` are the fields by which
    an object is found.
    """

    name: str
    title: str
    names: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class ValueChange:
    """What became of a field: texts, None for no value.

    Of a secret neither text is shown.  Without `is_known` the new value is not known any more.
    What is kept beside the object, and is in no field, has the name ``''``.
    """

    field: str
    old: str | None
    new: str | None
    is_known: bool = True


@dataclass(frozen=True)
class HistoryEntry:
    """One thing that was done to an object.

    `operation` is ``created``, ``updated``, ``removed``, what an undo did: ``returned`` or
    ``restored``, or ``otherwise`` for a change that no row of a run has made; `owner` is who made
    that, if known.  `row` of the import, from `file`, did it; of an undo that is the row that was
    taken back.  `run` is the id of the run; where there `is_run` not, it was forgotten, or is not
    for this person.  `owner` ordered the run, `user` is whom it acted as in the end.  `finished`
    is the file with the rows that are done, as long as it is there.  Where `changes` are not
    told, `note` says why: ``expired``, ``undone``, ``left`` (alone by the undo of its import),
    ``restored`` or ``hidden``; ``partly`` says that a new object had others, which are not known
    any more.
    """

    operation: str
    date: datetime
    run: str = ""
    row: int = 0
    kind: str = ""
    file: str = ""
    owner: str = ""
    user: str = ""
    is_run: bool = False
    finished: str | None = None
    changes: tuple[ValueChange, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ObjectHistory:
    """The history of an object, the newest entry first, or a part of it.

    `kind` is the processor, `title` what the object is called.  `total` is the number of all
    entries; with `is_cut` there were others behind the first one which are not known any more.
    `is_there` says that the object exists.  `others` are the titles of all objects that were
    found by a key, this one included.
    """

    kind: str
    title: str
    entries: tuple[HistoryEntry, ...]
    total: int
    is_cut: bool
    is_there: bool
    others: tuple[str, ...]


@dataclass(frozen=True)
class DoneRow:
    """What the row `number` of an import did; see `HistoryEntry`."""

    number: int
    operation: str
    title: str
    changes: tuple[ValueChange, ...]
    note: str


@dataclass(frozen=True)
class DoneRows:
    """Rows of an import, by number, that did something.

    `before` and `behind` say where other rows are: before a number, and from a number on; None
    where there are none.  `is_kept` says whether it is kept at all what single rows did.
    """

    rows: tuple[DoneRow, ...]
    before: int | None
    behind: int | None
    is_kept: bool


@dataclass(frozen=True)
class CorrectedText:
    """A cell that was corrected: of the row `number`, in the column `name` at `position`.

    Of a password, neither text is shown.
    """

    number: int
    position: int
    name: str
    old: str
    new: str
