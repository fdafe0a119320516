"""Operations on files that wait for an import: they come in, are looked at, and are deleted."""

import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace as replaced
from datetime import datetime, timezone
from functools import partial
from typing import BinaryIO

from zope.component import queryUtility
from zope.event import notify

from waeup.kofa import claims, notices, removals, spool
from waeup.kofa.datacenter import PENDING_SUFFIXES
from waeup.kofa.errors import InvalidName, NoSuchItem, Refused, TableError, TooLarge, WrongState
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.canonical import PlainTable, made, sweep
from waeup.kofa.importing.corrections import secret_columns
from waeup.kofa.importing.preview import Preview, first_lines, look_at, read_names
from waeup.kofa.importing.reading import AS_FOUND, limits
from waeup.kofa.interfaces import (
    FileArrivedEvent,
    FileDeletedEvent,
    IDataCenterConfig,
)
from waeup.kofa.jobs import keeping
from waeup.kofa.jobs.job import checks_of, remove_folders
from waeup.kofa.jobs.record import FINISHED
from waeup.kofa.jobs.registry import busy_text
from waeup.kofa.jobs.sight import sight_of_person
from waeup.kofa.ledger import FileEntry
from waeup.kofa.operations.acting import MANAGE, SECRETS, Acting
from waeup.kofa.operations.contents import check_table, container_digest, needs_of, table_of
from waeup.kofa.operations.values import FormerImport, StoredFile
from waeup.kofa.spool.disk import CHUNK, digest_of
from waeup.kofa.spool.names import TEXT_EXTENSIONS
from waeup.kofa.tabular import EmptyTable
from waeup.kofa.tabular.options import ReadOptions
from waeup.kofa.transactional import on_abort, on_commit
from waeup.kofa.usual import UPLOAD_LIMIT

#: Folders whose files can be fetched; ``''`` is that of the pending files.
OPEN_FOLDERS = ("", "finished", "unfinished", *removals.FOLDERS)

#: Bytes of an upload of whose rows a message tells.
SAMPLED = 4 * 1024 * 1024

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")


def largest_upload() -> int:
    """Return the highest number of bytes of an upload in the portal that is set."""
    config = queryUtility(IDataCenterConfig, default={})
    limit: int = config.get("upload_limit", UPLOAD_LIMIT)
    return limit


class _Checked:
    """What the check of an upload has found."""

    digest: str | None = None
    notice: str = ""


class FileOperations(Acting):
    """See `waeup.kofa.operations.Operations`."""

    def pending_files(self, sort: str = "name") -> list[StoredFile]:
        """List the files that wait for an import; `sort` is ``name`` or ``date``."""
        self._require(MANAGE)
        return [self._stored(item) for item in self.datacenter.pending_items(sort)]

    def is_there(self, file: str) -> bool:
        """Tell whether a file, named relative to the storage, is still there."""
        self._require(MANAGE)
        folder, name = os.path.split(file)
        return os.path.isfile(os.path.join(self._folder(folder), spool.check_name(name)))

    def upload_limit(self) -> int:
        """Return the highest number of bytes of an upload."""
        return largest_upload()

    def upload(
        self, filename: str, stream: BinaryIO, *, replace: bool = False, token: str = ""
    ) -> spool.Upload:
        """Store a table that came from outside, and say what was stored.

        `stream` is read to its end, or to the configured limit.  A name that exists
        gets a counter; an existing pending file is replaced only with `replace`.
        When the transaction aborts, the file is taken back, and what it has replaced
        comes back.  A file that only a person can say how to read is stored; its
        `notice` tells what is not clear.

        A request that is repeated, since its answer was lost, has the `token` of the first time:
        then what was stored is told, and nothing is stored again.  Raises `WrongState` when
        another file was sent under this token.
        """
        self._require(MANAGE)
        storage, checked = self.datacenter.storage, _Checked()
        if token:
            known = self._received(token)
            if known is not None:
                return self._told_again(known, filename, stream)

        def check(path: str) -> None:
            checked.digest = container_digest(path)
            checked.notice = check_table(storage, path, checked.digest)

        intake = spool.Intake(
            self.datacenter.storage,
            filename,
            self.principal.id,
            limit=self.upload_limit(),
            check=check,
            replace=replace,
            is_nobodys=self._is_nobodys,
        )
        checks: list[str] = []
        if replace:
            self._require_replaceable(intake.name)
            checks = checks_of(self.datacenter, intake.name)
        try:
            upload = replaced(intake.run(stream), notice=checked.notice)
        except BaseException:
            self._sweep(checked.digest)
            raise
        on_abort(lambda: self._sweep(checked.digest))  # the last of all: the file must be gone
        on_abort(intake.undo)
        on_commit(intake.finish)
        on_commit(partial(remove_folders, storage, checks))
        ledger = self.datacenter.ledger
        entry = FileEntry(
            name=upload.name,
            owner=self.principal.id,
            original=upload.original,
            size=upload.size,
            digest=upload.digest,
            date=datetime.now(timezone.utc),
        )
        ledger.enter(entry)
        self._hold_storage()
        if token:
            ledger.receive(token, entry)
        ledger.restrict(upload.name, needs_of(storage, upload.path))
        self._log("uploaded: %s", upload.name)
        self._tell_upload(upload)
        notify(FileArrivedEvent(self.datacenter, entry))
        return upload

    def _tell_upload(self, upload: spool.Upload) -> None:
        """Tell the import managers of a file, if that is wanted."""
        if not notices.wants_uploads():
            return
        rows: int | None = None
        columns: list[tuple[str, list[str]]] = []
        # What cannot be read is told without its columns; what is large is not read twice.
        with suppress(Refused):
            if upload.size > SAMPLED:
                columns = [(name, []) for name in self._header(upload.name, AS_FOUND)]
            else:
                seen = self.preview(upload.name)
                hidden = secret_columns(seen.header)
                rows = seen.rows
                columns = [
                    (name, [] if at in hidden else [sample[at] for sample in seen.samples])
                    for at, name in enumerate(seen.header)
                ]
        needs = self.datacenter.ledger.needs(upload.name)
        notices.tell_upload(
            self.site, self.principal.id, upload.original, upload.name, rows, columns, needs
        )

    def imported_before(self, digest: str) -> FormerImport | None:
        """Return the last finished import of the content with this SHA-256, or None.

        An import that was taken back, or whose run is forgotten, does not count.
        """
        self._require(MANAGE)
        may_see = sight_of_person(self.principal.id, self.may)
        for run in self.datacenter.runs.imports_of(digest):
            if run.state == FINISHED:
                id = run.id if may_see(run) else ""
                date = run.ended or run.queued
                return FormerImport(id, run.order.file, run.order.user, date)
        return None

    def delete(self, names: Iterable[str]) -> list[str]:
        """Move pending files to ``deleted`` when the transaction commits; all or none.

        Until then nobody can import them.  Returns the names; see `restore` and `deletions_of`.
        """
        self._require(MANAGE)
        paths = {name: self._existing(name) for name in names}
        if not paths:
            raise Refused(_("No item selected."))
        self._require_free(paths)
        self._hold_storage()
        bins: dict[str, str] = {}
        with ExitStack() as stack:
            stack.enter_context(spool.claimed(*paths.values()))
            for name, path in paths.items():
                bins[name] = self._enter_deletion(name, path)
                self.datacenter.runs.free_file(name)
                deleted = self.datacenter.ledger.entry(bins[name])
                notify(FileDeletedEvent(self.datacenter, deleted))
            held = stack.pop_all()
        on_abort(held.close)

        checks = [id for name in paths for id in checks_of(self.datacenter, name)]
        storage = self.datacenter.storage

        def remove() -> None:
            remove_folders(storage, checks)
            with held:
                for name, path in paths.items():
                    digest = container_digest(path)
                    keeping.bring(path, os.path.join(storage, bins[name]))
                    self._sweep(digest)

        on_commit(remove)
        self._log("deleted: %s", ", ".join(paths))
        return list(paths)

    def _enter_deletion(self, name: str, path: str) -> str:
        """Let the ledger know a pending file as a deleted one; return where it goes."""
        ledger, now = self.datacenter.ledger, datetime.now(timezone.utc)
        home = self.datacenter.folder("deleted")
        place = next(
            place
            for place in (
                os.path.join("deleted", each)
                for each in spool.numbered(keeping.deleted_name(name, now))
            )
            if ledger.entry(place) is None
            and not os.path.lexists(os.path.join(home, os.path.basename(place)))
        )
        known, status = ledger.entry(name), os.stat(path)
        if known is None or known.size != status.st_size:
            # Put there, or changed, by other means.
            known = FileEntry(name, "", name, status.st_size, digest_of(path), now)
        needs = {*ledger.needs(name), *needs_of(self.datacenter.storage, path)}
        ledger.strike(name)
        ledger.enter(
            replaced(
                known,
                name=place,
                origin=name,
                deleted_by=self.principal.id,
            )
        )
        ledger.restrict(place, needs)
        return place

    def open_file(self, name: str, folder: str = "") -> BinaryIO:
        """Open a stored file for reading bytes; the caller closes it.

        One with passwords is open to a token only that manages accounts, were it the person's own:
        to see all that the person may see is not enough.
        """
        self._require(MANAGE)
        path = self._existing(name, folder)
        relative = os.path.join(folder, name)
        if self.grant is not None and self._needs_of_file(path, relative):
            self._require_token_for_secrets()
        self._log("downloaded: %s", relative)
        return open(path, "rb")

    def preview(self, name: str, rows: int = 3, options: ReadOptions = AS_FOUND) -> Preview:
        """Show what a pending file is, its first rows, and what is wrong with any.

        `options` are what a person says in place of what would be found.  Raises
        `TableError`: in the form of `UnclearTable` when other options can help.
        """
        self._require(MANAGE)
        source = self._source(self._existing(name), options)
        return look_at(source, name, rows, options, limits(), secret_columns)

    def require_content(self, name: str) -> None:
        """Raise `EmptyTable` for a pending file that holds nothing, however it is read."""
        self._require(MANAGE)
        try:
            self._header(name, AS_FOUND)
        except EmptyTable:
            raise
        except (TableError, TooLarge):
            # What is wrong may depend on how the file is read.
            return

    def first_lines(self, name: str, options: ReadOptions = AS_FOUND) -> tuple[str, ...]:
        """Return the first lines of a pending file whose header is not clear, if they may be seen.

        Raises `TableError` for a file that is no text, nor holds any.
        """
        self._require(MANAGE)
        return first_lines(self._source(self._existing(name), options), options, secret_columns)

    def _hold_storage(self) -> None:
        """Let this transaction be a conflict when the storage moves meanwhile.

        Likewise when others take this process for dead, and what it has claimed.
        """
        jar = self.datacenter._p_jar
        if jar is not None:
            # Without its state it would not be watched.
            self.datacenter._p_activate()
            jar.readCurrent(self.datacenter)
            claims.fence(jar)

    def _received(self, token: str) -> FileEntry | None:
        """Return what was stored under a token of the person, or None."""
        if not _TOKEN.fullmatch(token):
            raise Refused(
                _(
                    "${token} is no token of an upload: it has 16 to 64 letters, digits, "
                    "hyphens or underscores. Choose such a one at random for each file.",
                    mapping={"token": repr(token[:80])},
                )
            )
        entry: FileEntry | None = self.datacenter.received(self.principal.id, token)
        return entry

    def _told_again(self, known: FileEntry, filename: str, stream: BinaryIO) -> spool.Upload:
        """Say what has become of an upload that is sent once more."""
        size, sha = 0, hashlib.sha256()
        while size <= known.size and (data := stream.read(CHUNK)):
            size += len(data)
            sha.update(data)
        if (filename, size, sha.hexdigest()) != (known.original, known.size, known.digest):
            raise WrongState(
                _(
                    "What was sent is not what is stored as ${name} already. Send "
                    "${filename} as a new upload.",
                    mapping={"name": known.name, "filename": filename},
                )
            )
        return self._what_became_of(known)

    def _what_became_of(self, known: FileEntry) -> spool.Upload:
        """Say what was stored for a token."""
        path, notice = os.path.join(self.datacenter.storage, known.name), ""
        # It may have been imported meanwhile, and another file may have its name.
        if self.datacenter.ledger.entry(known.name) == known:
            with suppress(Refused, FileNotFoundError):
                notice = check_table(self.datacenter.storage, path, container_digest(path))
        return spool.Upload(known.name, path, known.size, known.digest, known.original, notice)

    def _is_nobodys(self, name: str) -> bool:
        """Tell whether a pending file was found by a recovery, and belongs to no run."""
        entry = self.datacenter.ledger.entry(name)
        # What has no entry may be on its way at this moment.
        is_found = entry is not None and not entry.owner
        return is_found and self.datacenter.runs.holder_of(name) is None

    def _header(self, name: str, options: ReadOptions) -> tuple[str, ...]:
        """Return the names of the columns of a pending file."""
        self._require(MANAGE)
        source = self._source(self._existing(name), options)
        return read_names(source, name, options, secret_columns)

    def _source(self, path: str, options: ReadOptions = AS_FOUND) -> PlainTable:
        """Return the text of a file, to which a workbook or a packed file is converted."""
        return table_of(self.datacenter.storage, path, sheet=options.sheet)

    def _sweep(self, digest: str | None) -> None:
        """Remove the tables of a content that no pending file needs any more."""
        if digest is not None:
            sweep(self.datacenter.storage, digest)

    def _folder(self, folder: str) -> str:
        if folder not in OPEN_FOLDERS:
            raise InvalidName(
                _(
                    "${folder} is no folder whose files can be shown. There are: the pending "
                    "files, ${open_folders}.",
                    mapping={"folder": repr(folder), "open_folders": ", ".join(OPEN_FOLDERS[1:])},
                )
            )
        return os.path.join(self.datacenter.storage, folder)

    def _existing(self, name: str, folder: str = "") -> str:
        """Return the path of an item whose content the person may see.

        Raises `InvalidName`, `NoSuchItem` and `NotAllowed`.
        """
        path = os.path.join(self._folder(folder), spool.check_name(name))
        if not name.endswith(PENDING_SUFFIXES) or not os.path.isfile(path):
            raise NoSuchItem(
                _(
                    "There is no file ${name} (any more). Look at the list of files: it may "
                    "have been imported or deleted meanwhile.",
                    mapping={"name": repr(name)},
                )
            )
        self._check_needs(path, os.path.join(folder, name))
        return path

    def _check_needs(self, path: str, relative: str) -> None:
        """Raise `NotAllowed` unless the person may see the file; see `needs_of`."""
        entry = self._entry_of(path, relative)
        if entry is not None and entry.owner == self.principal.id:
            return
        needs = self._needs_of_file(path, relative)
        folder, name = os.path.split(relative)
        if needs and folder in removals.FOLDERS and keeping.deleted_at(name) is None:
            # Like an export: who has removed an object need not know its password.
            needs.add(SECRETS)
        for permission in sorted(needs):
            if permission == SECRETS:
                self._require_secrets()
            else:
                self._require(permission)

    def _needs_of_file(self, path: str, relative: str) -> set[str]:
        """Return the permissions of those who may see a file that is not theirs."""
        needs = {*self.datacenter.ledger.needs(relative)}
        if self._entry_of(path, relative) is None:
            # Its header tells.
            needs |= needs_of(self.datacenter.storage, path)
        return needs

    def _entry_of(self, path: str, relative: str) -> FileEntry | None:
        """Return what is known of a file; None of one put there by other means, or changed so."""
        entry: FileEntry | None = self.datacenter.ledger.entry(relative)
        if entry is None or not entry.owner or entry.size != os.path.getsize(path):
            return None
        return entry

    def _require_replaceable(self, name: str) -> None:
        """Raise `Refused` unless a pending file, if it is there, may be replaced by the person."""
        self._require_free([name])
        if os.path.lexists(os.path.join(self.datacenter.storage, name)):
            self._existing(name)

    def _require_free(self, names: Iterable[str]) -> None:
        """Raise `WrongState` when one of these files belongs to a run."""
        for name in names:
            run = self.datacenter.runs.holder_of(name)
            if run is not None:
                raise WrongState(busy_text(run))

    def _stored(self, item: spool.Item) -> StoredFile:
        name, folder, path, size, mtime = item
        entry = self.datacenter.ledger.entry(f"{folder}/{name}" if folder else name)
        return StoredFile(
            name,
            folder,
            size,
            datetime.fromtimestamp(mtime, timezone.utc),
            "" if entry is None else entry.owner,
            partial(self._lines_of, path, entry),
            partial(self._former_of, size, None if folder else entry),
            None if entry is None else entry.run,
        )

    def _former_of(self, size: int, entry: FileEntry | None) -> FormerImport | None:
        """Return the former import of a pending file, unless it was changed on the disk."""
        if entry is None or entry.size != size:
            return None
        return self.imported_before(entry.digest)

    def _lines_of(self, path: str, entry: FileEntry | None) -> int | None:
        """Return the lines of a file; None where not known, also since it has just gone."""
        if not path.endswith(TEXT_EXTENSIONS) and path.endswith(spool.EXTENSIONS):
            table = None if entry is None else made(self.datacenter.storage, entry.digest)
            if table is None:
                return None
            path = table.path
        with suppress(FileNotFoundError):
            return spool.count_lines(path)
        return None
