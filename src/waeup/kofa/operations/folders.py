"""Operations on files that wait for nothing: they are listed, come back, or go for good."""

import os
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone

from zope.event import notify

from waeup.kofa import removals, spool
from waeup.kofa.datacenter import PENDING_SUFFIXES
from waeup.kofa.errors import Refused, WrongState
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import FilePurgedEvent, FileRestoredEvent
from waeup.kofa.jobs import keeping
from waeup.kofa.ledger import FileEntry
from waeup.kofa.operations.acting import MANAGE
from waeup.kofa.operations.contents import needs_of
from waeup.kofa.operations.files import OPEN_FOLDERS, FileOperations
from waeup.kofa.operations.values import StoredFile
from waeup.kofa.rights import IMPORT_DATA, MANAGE_PORTAL
from waeup.kofa.transactional import on_abort, on_commit

#: Files that are purged at once: each of them is open meanwhile.
PURGED_AT_ONCE = 200


class FolderOperations(FileOperations):
    """See `waeup.kofa.operations.Operations`."""

    def files_in(self, folder: str) -> list[StoredFile]:
        """List the tables of a folder, one of `OPEN_FOLDERS`, by name."""
        self._require(MANAGE)
        items = spool.scan(self._folder(folder), folder, suffixes=PENDING_SUFFIXES)
        kept = keeping.needed(self.datacenter) if folder in keeping.SETTINGS else set()
        days = keeping.days_of(folder)
        return [self._kept(self._stored(item), kept, days) for item in items]

    def folder_sizes(self) -> dict[str, int]:
        """Return how many tables there are in each folder of `OPEN_FOLDERS` but the first."""
        self._require(MANAGE)
        return {
            folder: len(spool.scan(self._folder(folder), folder, suffixes=PENDING_SUFFIXES))
            for folder in OPEN_FOLDERS
            if folder
        }

    def kept_days(self) -> dict[str, int | None]:
        """Return for how many days the files of each folder are kept; None: for good."""
        self._require(MANAGE)
        return {folder: keeping.days_of(folder) for folder in OPEN_FOLDERS if folder}

    def deletions_of(self, names: Iterable[str]) -> list[str]:
        """Return what the person's latest deletions of these files are called in ``deleted``."""
        self._require(MANAGE)
        wanted, found = set(names), {}
        for entry in sorted(self.datacenter.ledger.entries(), key=lambda entry: entry.name):
            if entry.deleted_by == self.principal.id and entry.origin in wanted:
                found[entry.origin] = os.path.basename(entry.name)
        return list(found.values())

    def restore(self, name: str, folder: str = "deleted") -> spool.Upload:
        """Bring a file back to the pending files, and say what it became.

        A deleted file comes back under its name, with a counter when that is taken, and leaves
        ``deleted``.  Everything else stays, and a copy of it becomes an upload, under the name
        that the file had at its sender, if that is known.
        """
        self._require(MANAGE)
        path, relative = self._existing(name, folder), os.path.join(folder, name)
        ledger = self.datacenter.ledger
        if not folder:
            raise WrongState(
                _("${name} waits for an import: it need not be restored.", mapping={"name": name})
            )
        needs = {*ledger.needs(relative), *needs_of(self.datacenter.storage, path)}
        former = ledger.entry(relative)
        if folder != "deleted" or keeping.deleted_at(name) is None:
            sent = "" if former is None else former.original
            # Rows that came back would take the place of others.
            is_known = sent and not sent.endswith(spool.PENDING_SUFFIX)
            with open(path, "rb") as stream:
                upload = self.upload(sent if is_known else name, stream)
            ledger.restrict(upload.name, needs)
            return upload
        self._hold_storage()
        with ExitStack() as stack:
            stack.enter_context(spool.claimed(path))
            intake = spool.Intake(
                self.datacenter.storage,
                keeping.former_name(name),
                self.principal.id,
                name=(former.origin if former is not None else "") or keeping.former_name(name),
            )
            with open(path, "rb") as stream:
                upload = intake.run(stream)
            held = stack.pop_all()
        on_abort(held.close)
        on_abort(intake.undo)
        on_commit(intake.finish)
        ledger.strike(relative)
        entry = FileEntry(
            name=upload.name,
            owner="" if former is None else former.owner,
            original=upload.original if former is None else former.original,
            size=upload.size,
            digest=upload.digest,
            date=datetime.now(timezone.utc) if former is None else former.date,
            run=None if former is None else former.run,
            origin=relative,
        )
        ledger.enter(entry)
        ledger.restrict(upload.name, needs)

        def remove() -> None:
            with held:
                spool.remove_file(path)

        on_commit(remove)
        self._log("restored: %s as %s", relative, upload.name)
        notify(FileRestoredEvent(self.datacenter, entry))
        return upload

    def purge(self, names: Iterable[str], folder: str) -> list[str]:
        """Remove files of a folder for good when the transaction commits; all or none.

        Raises `WrongState` for a file that an import may come back to, and `Refused` for more
        than `PURGED_AT_ONCE` files.
        """
        if not self.may(MANAGE_PORTAL):
            self._require(IMPORT_DATA)
        if not folder:
            raise WrongState(
                _("Files that wait for an import are deleted before they are purged.")
            )
        paths = {name: self._existing(name, folder) for name in names}
        if not paths:
            raise Refused(_("No item selected."))
        if len(paths) > PURGED_AT_ONCE:
            raise Refused(
                _(
                    "These are ${n} files, and at most ${most} are purged at once. Purge them in "
                    "several turns.",
                    mapping={"n": str(len(paths)), "most": str(PURGED_AT_ONCE)},
                )
            )
        storage = self.datacenter.storage
        scanned = spool.scan(self._folder(folder), folder)
        items = [item for item in scanned if item.name in paths]
        kept = keeping.needed(self.datacenter)
        for name in paths:
            if os.path.join(folder, name) in kept:
                raise WrongState(
                    _(
                        "${name} belongs to an import that can be taken back or has rows pending "
                        "still. Bring that to its end first.",
                        mapping={"name": name},
                    )
                )
        self._hold_storage()
        with ExitStack() as stack:
            stack.enter_context(spool.claimed(*paths.values()))
            for name in paths:
                relative = os.path.join(folder, name)
                self.datacenter.ledger.strike(relative)
                notify(FilePurgedEvent(self.datacenter, relative, self.principal.id))
            held = stack.pop_all()
        on_abort(held.close)

        def remove() -> None:
            with held, spool.storage_lock(storage):
                # Rows that a kill has kept from their tables come there before these go.
                spool.redo(storage, removals.PREFIX)
                for item in items:
                    # What has grown has rows by now that nobody has meant.
                    if keeping.is_unchanged(item):
                        spool.remove_file(item.path)

        on_commit(remove)
        self._log("purged: %s", ", ".join(os.path.join(folder, name) for name in paths))
        return list(paths)

    def _kept(self, file: StoredFile, kept: set[str], days: int | None) -> StoredFile:
        """Say of a file of a folder that keeps its files for `days` what it was, and is."""
        ledger, relative = self.datacenter.ledger, os.path.join(file.folder, file.name)
        entry, source = ledger.entry(relative), ledger.source_of(relative)
        is_needed = relative in kept
        since = keeping.age_from(ledger, file.name, file.folder, file.date.timestamp())
        deleted = keeping.deleted_at(file.name) if file.folder == "deleted" else None
        goes = None if days is None or since is None else since + timedelta(days=days)
        return file._replace(
            date=file.date if since is None else since,
            run=file.run if source is None else source[0],
            original="" if deleted is None else keeping.former_name(file.name),
            deleted=deleted,
            deleted_by="" if entry is None else entry.deleted_by or "",
            expires=None if is_needed else goes,
            needed=is_needed,
        )
