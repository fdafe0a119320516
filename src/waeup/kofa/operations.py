"""What a person can do with the data center: each operation once.

Doors (web, command line) hold item names and a principal; here permissions are
checked, names become paths, and the rooms below do the work.  Transactions
belong to the doors, but for an import, which drives its own
(`waeup.kofa.jobs`).
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any, BinaryIO

import transaction
from zope.component import createObject, getUtilitiesFor, queryUtility
from zope.event import notify
from zope.lifecycleevent import ObjectModifiedEvent
from zope.schema import getFields
from zope.security.management import getSecurityPolicy
from zope.traversing.api import getPath

from waeup.kofa import jobs, spool
from waeup.kofa.conversion import Mapping, propose
from waeup.kofa.datacenter import PENDING_SUFFIXES, DataCenterFile
from waeup.kofa.errors import (
    InvalidName,
    MappingError,
    NameTaken,
    NoSuchItem,
    NotAllowed,
    Refused,
)
from waeup.kofa.importing.engine import Progress
from waeup.kofa.importing.report import Report
from waeup.kofa.interfaces import IBatchProcessor, IDataCenterConfig
from waeup.kofa.ledger import Draft, FileEntry
from waeup.kofa.logger import deferred_lines
from waeup.kofa.permissions import get_role_titles_for, get_waeup_roles
from waeup.kofa.tabular import check_header, open_table, verify_encoding
from waeup.kofa.transactional import on_abort, on_commit

MANAGE = "waeup.manageDataCenter"
IMPORT = "waeup.importData"
SETTINGS = "waeup.managePortal"
USERS = "waeup.manageUsers"

#: Bytes that an upload may have, unless the configuration says otherwise.
UPLOAD_LIMIT = 200 * 1024 * 1024
#: Folders whose files can be fetched; ``''`` is that of the pending files.
OPEN_FOLDERS = ("", "finished", "unfinished")


@dataclass(frozen=True)
class StoredFile:
    """A file as it is shown to people.

    `size` counts bytes, `date` is in local time, `owner` is a user id or ``''``.
    """

    name: str
    folder: str
    size: int
    size_text: str
    date: datetime
    owner: str
    _lines: Callable[[], int]

    @property
    def lines(self) -> int:
        """Number of physical lines; counted when asked for."""
        return self._lines()

    @property
    def date_text(self) -> str:
        """The date as ``YYYY-MM-DD HH:MM:SS``."""
        return self.date.strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True)
class Preview:
    """The beginning of a table: what was found, and its first rows."""

    name: str
    header: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    encoding: str
    delimiter: str
    lines: int
    suggested_mode: str | None


@dataclass(frozen=True)
class FieldInfo:
    """A field that a column can fill; `type` is the name of its schema class."""

    name: str
    type: str
    title: str
    required: bool


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
class UserInfo:
    """A user account as it is shown to administrators."""

    name: str
    title: str
    email: str | None
    roles: tuple[str, ...]
    suspended: bool


class _Participation:
    """Lets a principal be asked for its permissions without a request."""

    interaction = None

    def __init__(self, principal: Any) -> None:
        self.principal = principal


class Operations:
    """The operations of one person in one portal.

    `site` is the portal, `principal` the person.  Each method raises `NotAllowed`
    when the person lacks the permission, and `Refused` in one of its forms when
    the request cannot be carried out; then nothing was changed.
    """

    def __init__(self, site: Any, principal: Any) -> None:
        self.site = site
        self.principal = principal
        self.datacenter = site["datacenter"]

    def may(self, permission: str) -> bool:
        """Tell whether the person has a permission in the portal."""
        # A new interaction each time: one remembers its answers.
        interaction = getSecurityPolicy()(_Participation(self.principal))
        return bool(interaction.checkPermission(permission, self.site))

    def _require(self, permission: str) -> None:
        if not self.may(permission):
            roles = " or ".join(get_role_titles_for(permission)) or "that has it"
            raise NotAllowed(
                f"You ({self.principal.id}) lack the permission {permission}. Ask the "
                f"administrator of the portal for the role {roles}."
            )

    # -- files --------------------------------------------------------------------

    def pending_files(self, sort: str = "name") -> list[StoredFile]:
        """List the files that wait for an import; `sort` is ``name`` or ``date``."""
        self._require(MANAGE)
        return [self._stored(file) for file in self.datacenter.getPendingFiles(sort)]

    def finished_files(self) -> list[StoredFile]:
        """List the result files of finished rows, newest first."""
        self._require(MANAGE)
        return [self._stored(file, "finished") for file in self.datacenter.getFinishedFiles()]

    def files_in(self, folder: str) -> list[StoredFile]:
        """List the tables of a folder: ``''``, ``finished`` or ``unfinished``, by name."""
        self._require(MANAGE)
        items = spool.scan(self._folder(folder), folder, suffixes=PENDING_SUFFIXES)
        return [self._stored(DataCenterFile(item.path, folder), folder) for item in items]

    def upload(
        self,
        filename: str,
        stream: BinaryIO,
        *,
        replace: bool = False,
    ) -> spool.Upload:
        """Store a table that came from outside, and say what was stored.

        `stream` is read to its end, or to the configured limit.  A name that exists
        gets a counter; an existing pending file is replaced only with `replace`.
        When the transaction aborts, the file is taken back, and what it has replaced
        comes back.
        """
        self._require(MANAGE)
        intake = spool.Intake(
            self.datacenter.storage,
            filename,
            self.principal.id,
            limit=_upload_limit(),
            check=_check_table,
            replace=replace,
        )
        upload = intake.run(stream)
        on_abort(intake.undo)
        on_commit(intake.finish)
        self.datacenter.ledger.enter(
            FileEntry(
                name=upload.name,
                owner=self.principal.id,
                original=upload.original,
                size=upload.size,
                digest=upload.digest,
                date=datetime.now(timezone.utc),
            )
        )
        self._log("uploaded: %s", upload.name)
        return upload

    def delete(self, names: Iterable[str]) -> list[str]:
        """Delete pending files when the transaction commits; all or none.

        Returns the names.
        """
        self._require(MANAGE)
        paths = {name: self._existing(name) for name in names}
        if not paths:
            raise Refused("No item selected.")
        for name, path in paths.items():
            with spool.claimed(path):
                self.datacenter.ledger.strike(name)
            on_commit(partial(_remove, path))
        self._log("deleted: %s", ", ".join(paths))
        return list(paths)

    def open_file(self, name: str, folder: str = "") -> BinaryIO:
        """Open a stored file for reading bytes; the caller closes it."""
        self._require(MANAGE)
        path = self._existing(name, folder)
        self._log("downloaded: %s", os.path.join(folder, name))
        return open(path, "rb")

    def preview(self, name: str, rows: int = 3) -> Preview:
        """Show the header and the first rows of a pending file."""
        self._require(MANAGE)
        path = self._existing(name)
        samples: list[tuple[str, ...]] = []
        with open_table(path) as table:
            check_header(table.header)
            for row in table:
                if len(samples) == rows:
                    break
                samples.append(row.values)
            return Preview(
                name=name,
                header=table.header,
                samples=tuple(samples),
                encoding=table.encoding,
                delimiter=table.dialect.delimiter,
                lines=spool.count_lines(path),
                suggested_mode=_mode_in_name(name),
            )

    # -- kinds of objects -----------------------------------------------------------

    def processors(self) -> list[ProcessorInfo]:
        """List the kinds of objects that the person may import, sorted by title."""
        self._require(MANAGE)
        found = [
            _describe(name, processor)
            for name, processor in getUtilitiesFor(IBatchProcessor)
            if self.may(processor.permission)
        ]
        return sorted(found, key=lambda info: info.title)

    def template(self, processor: str) -> tuple[str, bytes]:
        """Return name and content of an empty table for a kind of objects."""
        self._require(MANAGE)
        found = self._processor(processor)
        return found.template_name, found.get_csv_skeleton().encode("utf-8")

    def propose_mapping(self, name: str, processor: str, mode: str) -> Mapping:
        """Propose a field for each column of a pending file."""
        header = self.preview(name).header
        fields = self._processor(processor).getHeaders(mode)
        return Mapping(tuple(propose(header, fields)))

    def make_mapping(
        self,
        name: str,
        processor: str,
        mode: str,
        *,
        assign: dict[str, str] | None = None,
        ignore: Iterable[str] = (),
        constants: dict[str, str] | None = None,
        ignore_rest: bool = False,
    ) -> Mapping:
        """Make a mapping from column names; raises `MappingError`.

        `assign` gives fields to columns, `ignore` names columns to leave out,
        `constants` sets fields for all rows; the other columns are matched by name
        or, with `ignore_rest`, left out when no field fits.
        """
        header = self.preview(name).header
        return Mapping.of(
            header,
            self._processor(processor).getHeaders(mode),
            assign=assign or {},
            ignore=set(ignore),
            constants=constants or {},
            ignore_rest=ignore_rest,
        )

    def check(self, name: str, processor: str, mode: str, mapping: Mapping) -> None:
        """Raise `FatalCSVError` when a mapping does not fit the kind and the mode."""
        header = self.preview(name).header
        found = self._processor(processor)
        self._check_mode(found, mode)
        if len(mapping.columns) != len(header):
            raise MappingError(
                f"The file {name} has {len(header)} columns, but fields are given for "
                f"{len(mapping.columns)}. Map the columns again."
            )
        fields = found.getHeaders(mode)
        unknown = [name for name in mapping.fields if name not in fields]
        if unknown:
            raise MappingError(
                f"{found.name} has no field {', '.join(map(repr, unknown))}. "
                f"It has: {', '.join(fields)}."
            )
        constants = [name for name, _ in mapping.constants]
        found.checkHeaders([*mapping.headerfields, *constants], mode)

    def import_file(
        self,
        name: str,
        processor: str,
        mode: str,
        mapping: Mapping,
        *,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Import a pending file and put all files into their places.

        Has its own transactions: what the caller did must be committed before.
        `progress` is called from another thread.
        """
        self._require(IMPORT)
        path = self._existing(name)
        verify_encoding(path)
        self.check(name, processor, mode, mapping)
        order = jobs.ImportOrder(name, processor, mode, mapping, self.principal.id)
        return jobs.run_import(self.site._p_jar.db(), getPath(self.site), order, progress)

    # -- drafts -----------------------------------------------------------------------

    def new_draft(self, filename: str) -> Draft:
        """Begin to prepare the import of a pending file."""
        self._require(MANAGE)
        self._existing(filename)
        return self.datacenter.ledger.new_draft(
            filename, self.principal.id, datetime.now(timezone.utc)
        )

    def draft(self, id: str) -> Draft:
        """Return a draft of the person; raises `NoSuchItem`."""
        self._require(MANAGE)
        draft = self.datacenter.ledger.draft(id)
        if draft.owner != self.principal.id:
            raise NotAllowed("Somebody else prepares this import. Choose the file yourself.")
        return draft

    def save_draft(self, id: str, **changes: Any) -> Draft:
        """Change attributes of a draft of the person."""
        draft = self.draft(id)
        for name, value in changes.items():
            if not hasattr(type(draft), name):
                raise TypeError(f"a draft has no attribute {name!r} that can be changed")
            setattr(draft, name, value)
        return draft

    def drop_draft(self, id: str) -> None:
        """Forget a draft of the person."""
        self.draft(id)
        self.datacenter.ledger.drop_draft(id)

    # -- logs and settings --------------------------------------------------------------

    def log_files(self, exclude_backups: bool = True) -> list[StoredFile]:
        """List the log files, sorted by name."""
        self._require(MANAGE)
        return [
            self._stored(file, "logs") for file in self.datacenter.getLogFiles(exclude_backups)
        ]

    def query_log(self, name: str, query: str, limit: int = 0, start: int = 0) -> Iterator[str]:
        """Generate the lines of a log that match a regular expression."""
        self._require(MANAGE)
        return self.datacenter.queryLogfiles(spool.check_name(name), query, limit, start)

    def storage_path(self) -> str:
        """Return the absolute path of the folder that files are kept in."""
        self._require(SETTINGS)
        return self.datacenter.storage

    def set_storage_path(
        self, path: str, move: bool = False, overwrite: bool = False
    ) -> list[str]:
        """Keep files below `path` from now on; return the names not copied."""
        self._require(SETTINGS)
        return self.datacenter.setStoragePath(path, move=move, overwrite=overwrite)

    # -- people ---------------------------------------------------------------------------

    def users(self) -> list[UserInfo]:
        """List the user accounts, sorted by name."""
        self._require(USERS)
        return [
            UserInfo(
                name=account.name,
                title=account.title,
                email=account.email,
                roles=tuple(account.roles),
                suspended=bool(account.suspended),
            )
            for _, account in sorted(self.site["users"].items())
        ]

    def roles(self) -> list[tuple[str, str]]:
        """List the portal-wide roles: pairs of id and title."""
        self._require(USERS)
        return [(role.id, str(role.title)) for role in get_waeup_roles()]

    def add_user(
        self,
        name: str,
        title: str,
        password: str,
        roles: Iterable[str] = (),
        email: str | None = None,
    ) -> None:
        """Make a user account."""
        self._require(USERS)
        if name in self.site["users"]:
            raise NameTaken(f"There is a user {name!r} already. Choose another name.")
        account = createObject(
            "waeup.UserAccount",
            name=name,
            title=title,
            email=email,
            roles=self._known_roles(roles),
        )
        account.setPassword(password)
        self.site["users"].addUser(account)

    def set_password(self, name: str, password: str) -> None:
        """Give a user a new password."""
        self._require(USERS)
        self._account(name).setPassword(password)

    def set_roles(self, name: str, roles: Iterable[str]) -> None:
        """Give a user these roles and no others."""
        self._require(USERS)
        account = self._account(name)
        account.roles = self._known_roles(roles)
        notify(ObjectModifiedEvent(account))

    def remove_user(self, name: str) -> None:
        """Remove a user account."""
        self._require(USERS)
        self._account(name)
        if name == self.principal.id:
            raise Refused("You cannot remove your own account. Let another administrator do it.")
        del self.site["users"][name]

    # -- helpers ------------------------------------------------------------------------

    def _log(self, message: str, *args: Any) -> None:
        """Log what the person does, once the transaction has made it true."""
        with deferred_lines(transaction.manager):
            self.datacenter.logger.info(message, *args)

    def _folder(self, folder: str) -> str:
        if folder not in OPEN_FOLDERS:
            raise InvalidName(
                f"{folder!r} is no folder whose files can be shown. There are: the pending files, "
                "finished, unfinished."
            )
        return os.path.join(self.datacenter.storage, folder)

    def _existing(self, name: str, folder: str = "") -> str:
        """Return the path of an item; raises `InvalidName` and `NoSuchItem`."""
        path = os.path.join(self._folder(folder), spool.check_name(name))
        if not name.endswith(PENDING_SUFFIXES) or not os.path.isfile(path):
            raise NoSuchItem(
                f"There is no file {name!r} (any more). Look at the list of files: it may have "
                "been imported or deleted meanwhile."
            )
        return path

    def _stored(self, file: DataCenterFile, folder: str = "") -> StoredFile:
        entry = self.datacenter.ledger.entry(file.name) if folder == "" else None
        return StoredFile(
            name=file.name,
            folder=folder,
            size=file.bytes,
            size_text=file.getSize(),
            date=datetime.fromtimestamp(file.getTimeStamp()).astimezone(),
            owner=entry.owner if entry is not None else "",
            _lines=file.getLinesNumber,
        )

    def _processor(self, name: str) -> Any:
        processor = queryUtility(IBatchProcessor, name=name)
        if processor is None:
            names = ", ".join(sorted(name for name, _ in getUtilitiesFor(IBatchProcessor)))
            raise NoSuchItem(f"There is no processor {name!r}. There are: {names}.")
        self._require(processor.permission)
        return processor

    def _check_mode(self, processor: Any, mode: str) -> None:
        if mode not in processor.modes:
            raise MappingError(
                f"{processor.name} has no mode {mode!r}. It has: {', '.join(processor.modes)}."
            )

    def _account(self, name: str) -> Any:
        account = self.site["users"].get(name)
        if account is None:
            names = ", ".join(sorted(self.site["users"]))
            raise NoSuchItem(f"There is no user {name!r}. There are: {names}.")
        return account

    def _known_roles(self, roles: Iterable[str]) -> list[str]:
        known = dict(self.roles())
        wanted = list(roles)
        unknown = [role for role in wanted if role not in known]
        if unknown:
            raise NoSuchItem(
                f"There is no role {', '.join(map(repr, unknown))}. There are: {', '.join(known)}."
            )
        return wanted


def _upload_limit() -> int:
    """Return the highest number of bytes of an upload."""
    config = queryUtility(IDataCenterConfig, default={})
    return config.get("upload_limit", UPLOAD_LIMIT)


def _check_table(path: str) -> None:
    """Refuse a file that cannot be imported; raises `TableError`."""
    verify_encoding(path)
    with open_table(path) as table:
        check_header(table.header)
        for _ in table:
            return


def _remove(path: str) -> None:
    """Remove a file, unless somebody began to import it meanwhile."""
    with spool.claimed(path):
        spool.remove_file(path)


def _mode_in_name(name: str) -> str | None:
    """Return the mode of a pending file of an earlier import, by its name."""
    parts = name.split(".")
    if len(parts) > 3 and parts[-2] == "pending" and parts[-3] in ("create", "update", "remove"):
        return parts[-3]
    return None


def _describe(name: str, processor: Any) -> ProcessorInfo:
    fields = getFields(processor.iface)
    required = set(processor.req["create"])
    return ProcessorInfo(
        name=name,
        title=processor.name,
        modes=processor.modes,
        fields=tuple(
            FieldInfo(
                name=field,
                type=type(fields[field]).__name__ if field in fields else "TextLine",
                title=str(fields[field].title) if field in fields else "",
                required=field in required,
            )
            for field in processor.available_fields
        ),
        required={mode: list(processor.req[mode]) for mode in processor.modes},
        permission=processor.permission,
    )
