"""Operations on files: they come in, are listed and looked at, and go."""

import os
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import Any, BinaryIO

from zope.component import getUtilitiesFor, queryUtility
from zope.schema import getFields
from zope.schema.interfaces import IPassword
from zope.traversing.api import getPath

from waeup.kofa import jobs, spool
from waeup.kofa.conversion import propose
from waeup.kofa.datacenter import PENDING_SUFFIXES, DataCenterFile
from waeup.kofa.errors import InvalidName, ItemBusy, NoSuchItem, Refused, TableError
from waeup.kofa.interfaces import IBatchProcessor, IDataCenterConfig
from waeup.kofa.ledger import FileEntry
from waeup.kofa.operations.acting import MANAGE, Acting
from waeup.kofa.operations.values import Preview, StoredFile
from waeup.kofa.tabular import check_header, open_table, verify_encoding
from waeup.kofa.transactional import on_abort, on_commit

#: Bytes that an upload may have, unless the configuration says otherwise.
UPLOAD_LIMIT = 200 * 1024 * 1024
#: Folders whose files can be fetched; ``''`` is that of the pending files.
OPEN_FOLDERS = ("", "finished", "unfinished")
#: What is shown instead of a password.
HIDDEN = "***"


class FileOperations(Acting):
    """See `waeup.kofa.operations.Operations`."""

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

    def upload_limit(self) -> int:
        """Return the highest number of bytes of an upload."""
        config = queryUtility(IDataCenterConfig, default={})
        return config.get("upload_limit", UPLOAD_LIMIT)

    def upload(self, filename: str, stream: BinaryIO, *, replace: bool = False) -> spool.Upload:
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
            limit=self.upload_limit(),
            check=_check_table,
            replace=replace,
        )
        if replace:
            self._settle([intake.name])
            if os.path.lexists(os.path.join(self.datacenter.storage, intake.name)):
                self._existing(intake.name)
        upload = intake.run(stream)
        on_abort(intake.undo)
        on_commit(intake.finish)
        ledger = self.datacenter.ledger
        ledger.enter(
            FileEntry(
                name=upload.name,
                owner=self.principal.id,
                original=upload.original,
                size=upload.size,
                digest=upload.digest,
                date=datetime.now(timezone.utc),
            )
        )
        ledger.restrict(upload.name, needs_of(upload.path))
        self._log("uploaded: %s", upload.name)
        return upload

    def delete(self, names: Iterable[str]) -> list[str]:
        """Delete pending files when the transaction commits; all or none.

        Until then nobody can import them.  Returns the names.
        """
        self._require(MANAGE)
        paths = {name: self._existing(name) for name in names}
        if not paths:
            raise Refused("No item selected.")
        self._settle(paths)
        with ExitStack() as claims:
            for name, path in paths.items():
                claims.enter_context(spool.claimed(path))
                self.datacenter.ledger.strike(name)
            held = claims.pop_all()
        on_abort(held.close)

        def remove() -> None:
            with held:
                for path in paths.values():
                    spool.remove_file(path)

        on_commit(remove)
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
            check_header(table.header, name)
            hidden = _secret_columns(table.header)
            for row in table:
                if len(samples) == rows:
                    break
                samples.append(
                    tuple(HIDDEN if i in hidden else cell for i, cell in enumerate(row.values))
                )
            return Preview(
                name=name,
                header=table.header,
                samples=tuple(samples),
                encoding=table.encoding,
                delimiter=table.dialect.delimiter,
                lines=spool.count_lines(path),
                suggested_mode=_mode_in_name(name),
            )

    def _folder(self, folder: str) -> str:
        if folder not in OPEN_FOLDERS:
            raise InvalidName(
                f"{folder!r} is no folder whose files can be shown. There are: the pending files, "
                "finished, unfinished."
            )
        return os.path.join(self.datacenter.storage, folder)

    def _existing(self, name: str, folder: str = "") -> str:
        """Return the path of an item whose content the person may see.

        Raises `InvalidName`, `NoSuchItem` and `NotAllowed`.
        """
        path = os.path.join(self._folder(folder), spool.check_name(name))
        if not name.endswith(PENDING_SUFFIXES) or not os.path.isfile(path):
            raise NoSuchItem(
                f"There is no file {name!r} (any more). Look at the list of files: it may have "
                "been imported or deleted meanwhile."
            )
        self._check_needs(path, os.path.join(folder, name))
        return path

    def _check_needs(self, path: str, relative: str) -> None:
        """Raise `NotAllowed` unless the person may see the file; see `needs_of`."""
        entry = self.datacenter.ledger.entry(relative)
        needs = {*self.datacenter.ledger.needs(relative)}
        if entry is None or entry.size != os.path.getsize(path):
            # Put there by other means, or another file of that name: its header tells.
            needs |= needs_of(path)
        elif entry.owner == self.principal.id:
            return
        for permission in sorted(needs):
            self._require(permission)

    def _settle(self, names: Iterable[str]) -> None:
        """Complete an import of one of these files that was not completed."""
        ledger = self.datacenter.ledger
        for name in names:
            if ledger.open_work(name):
                if jobs.recover(self.site._p_jar.db(), getPath(self.site)):
                    raise ItemBusy(
                        f"An import of {name} was completed just now. Look at the list of files "
                        "again."
                    )
                raise Refused(
                    f"An import of {name} was stored, but its files cannot be put into their "
                    "places. The portal's log says why; mend the files that it names."
                )

    def _stored(self, file: DataCenterFile, folder: str = "") -> StoredFile:
        entry = self.datacenter.ledger.entry(os.path.join(folder, file.name))
        return StoredFile(
            name=file.name,
            folder=folder,
            size=file.bytes,
            size_text=file.getSize(),
            date=datetime.fromtimestamp(file.getTimeStamp()).astimezone(),
            owner=entry.owner if entry is not None else "",
            _lines=file.getLinesNumber,
        )


def _check_table(path: str) -> None:
    """Refuse a file that cannot be imported; raises `TableError`."""
    verify_encoding(path)
    with open_table(path) as table:
        check_header(table.header, table.name)
        for _ in table:
            return


def needs_of(path: str) -> set[str]:
    """Return the permissions of those who may see the table at `path`; see `_needs_of`."""
    try:
        with open_table(path) as table:
            return _needs_of(table.header)
    except TableError:
        return set()


def _secret_fields(processor: Any) -> list[str]:
    """Return the names of the passwords of a kind of objects."""
    fields = getFields(processor.iface) if processor.iface is not None else {}
    return [name for name, field in fields.items() if IPassword.providedBy(field)]


def _secret_columns(header: tuple[str, ...]) -> set[int]:
    """Return the positions of columns that look like passwords of some kind."""
    return {
        position
        for _, processor in getUtilitiesFor(IBatchProcessor)
        for position, field in enumerate(propose(header, _secret_fields(processor)))
        if field is not None
    }


def _needs_of(header: tuple[str, ...]) -> set[str]:
    """Return the permissions of those who may see a table with this header.

    A table with passwords is for those who may import what it seems to hold: the
    kinds whose required columns are all there, or, if there is none, any kind that
    has passwords.
    """
    likely, possible = set(), set()
    for _, processor in getUtilitiesFor(IBatchProcessor):
        if any(propose(header, _secret_fields(processor))):
            possible.add(processor.permission)
            if set(processor.req["create"]) <= set(propose(header, processor.getHeaders())):
                likely.add(processor.permission)
    return likely or possible


def _mode_in_name(name: str) -> str | None:
    """Return the mode of a pending file of an earlier import, by its name."""
    parts = name.split(".")
    if len(parts) > 3 and parts[-2] == "pending" and parts[-3] in ("create", "update", "remove"):
        return parts[-3]
    return None
