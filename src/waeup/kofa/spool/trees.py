"""Copies of whole storages, entry by entry, for a change of the storage path.

Each entry is copied into a work folder of the target, forced out, and then renamed
into its place: there is never half an entry under its own name.
"""

import os
import shutil
import stat

from waeup.kofa.errors import InvalidStoragePath
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.spool.copying import Copy, copied
from waeup.kofa.spool.disk import disk, faults, walk
from waeup.kofa.spool.intents import clear_intent, write_intent
from waeup.kofa.spool.locks import storage_lock
from waeup.kofa.spool.steps import Rename, Step, perform
from waeup.kofa.spool.work import WorkFolder

#: How the ids of the work folders of copies begin.
PREFIX = "copy-"


class TreeCopy:
    """A copy of the top-level entries of the folder `source` to the folder `target`.

    As in Kofa 1.9, names that begin with a dot are skipped, and an entry that the
    target has already is left alone, or replaced as a whole with `overwrite`
    (folders are not merged).  Neither are devices, pipes and sockets copied, also in folders.

    Call `run`, and then either `finish` or `undo`.  Afterwards `copied` and
    `not_copied` hold the names, sorted.  What was replaced is kept until `finish`; a
    copy whose process dies before that is taken as finished.

    Raises `InvalidStoragePath` (a ValueError) when there are no such folders or the
    target lies inside the source.
    """

    def __init__(self, source: str, target: str, overwrite: bool = False) -> None:
        _check_folders(source, target)
        self.source = os.path.abspath(source)
        self.target = os.path.abspath(target)
        self.overwrite = overwrite
        self.copied: list[str] = []
        self.not_copied: list[str] = []
        self._begun: list[str] = []
        self._work: WorkFolder | None = None

    def run(self) -> None:
        """Copy the entries.

        Raises `StorageFault` when one cannot be copied; then what has been copied was
        taken back.
        """
        with faults(f"Copying {self.source} to {self.target}"), storage_lock(self.target):
            self._work = WorkFolder(self.target, prefix=PREFIX)
            try:
                for kind in ("new", "replaced", "undone"):
                    disk.mkdir(os.path.join(self._work.path, kind), 0o700)
                for name in sorted(os.listdir(self.source)):
                    if not name.startswith("."):
                        self._copy(self._work, name)
            except BaseException:
                self._undo()
                raise

    def finish(self) -> None:
        """Give up what was replaced."""
        if self._work is not None:
            self._work.remove()
            self._work = None

    def undo(self) -> None:
        """Take the copies back, and bring back what was replaced.

        Raises `StorageFault`; then `waeup.kofa.spool.redo` goes on with it.
        """
        with faults(f"Taking back the copies in {self.target}"), storage_lock(self.target):
            self._undo()

    def _undo(self) -> None:
        work, self._work = self._work, None
        if work is None:
            return
        try:
            steps: list[Step] = []
            for name in self._begun:
                aside = self._path(work, "replaced", name)
                if not os.path.lexists(self._path(work, "new", name)):
                    steps.append(self._rename(self._place(name), self._path(work, "undone", name)))
                if os.path.lexists(aside):
                    steps.append(self._rename(aside, self._place(name)))
            write_intent(work, f"taking back the copies in {self.target}", tuple(steps))
            perform(self.target, tuple(steps))
            clear_intent(work)
            self.copied = []
            work.remove()
        finally:
            work.close()

    def _copy(self, work: WorkFolder, name: str) -> None:
        source, place = os.path.join(self.source, name), self._place(name)
        exists = os.path.lexists(place)
        if (exists and not self.overwrite) or not _is_file_or_folder(source):
            self.not_copied.append(name)
            return
        staged = self._path(work, "new", name)
        self._stage(name, source, staged)
        disk.sync_folder(os.path.dirname(staged))
        self._begun.append(name)
        move = self._rename(staged, place)
        if exists:
            steps = (self._rename(place, self._path(work, "replaced", name)), move)
            write_intent(work, f"replacing {name} in {self.target}", steps)
            perform(self.target, steps)
            clear_intent(work)
        else:
            perform(self.target, (move,))
        self.copied.append(name)

    def _stage(self, name: str, source: str, staged: str) -> None:
        """Copy an entry, durably."""
        files = []
        is_folder = os.path.isdir(source)
        if not is_folder:
            files.append(Copy(source, staged, os.path.getsize(source)))
        for folder, folders, others in walk(source) if is_folder else ():
            place = staged + folder.removeprefix(source)
            disk.mkdir(place, 0o700)
            for each in (*folders, *others):
                path, copy = os.path.join(folder, each), os.path.join(place, each)
                status = os.lstat(path)
                if stat.S_ISLNK(status.st_mode):
                    os.symlink(os.readlink(path), copy)
                elif stat.S_ISREG(status.st_mode):
                    files.append(Copy(path, copy, status.st_size))
                elif not stat.S_ISDIR(status.st_mode):
                    self.not_copied.append(name + path.removeprefix(source))
        for _done in copied(files):
            continue
        if os.path.isdir(staged):
            for place, _folders, _others in os.walk(staged, topdown=False):
                # Not before: one may be closed to changes.
                shutil.copystat(source + place.removeprefix(staged), place)
                disk.sync_folder(place)

    def _place(self, name: str) -> str:
        return os.path.join(self.target, name)

    def _path(self, work: WorkFolder, kind: str, name: str) -> str:
        return os.path.join(work.path, kind, name)

    def _rename(self, source: str, target: str) -> Rename:
        return Rename(os.path.relpath(source, self.target), os.path.relpath(target, self.target))


def copy_entries(source: str, target: str, overwrite: bool = False) -> tuple[list[str], list[str]]:
    """Copy the entries of a folder as `TreeCopy` does, for good.

    Returns two lists of names: those not copied, those copied.
    """
    copy = TreeCopy(source, target, overwrite)
    copy.run()
    copy.finish()
    return copy.not_copied, copy.copied


def _check_folders(source: str, target: str) -> None:
    for path, missing, no_folder in (
        (
            source,
            _("source path does not exist: ${path}"),
            _("source path is not a directory: ${path}"),
        ),
        (
            target,
            _("destination path does not exist: ${path}"),
            _("destination path is not a directory: ${path}"),
        ),
    ):
        if not os.path.exists(path):
            raise InvalidStoragePath(_(missing, mapping={"path": path}))
        if not os.path.isdir(path):
            raise InvalidStoragePath(_(no_folder, mapping={"path": path}))
    above, below = os.path.realpath(source), os.path.realpath(target)
    if above != below and os.path.commonpath([above, below]) == above:
        raise InvalidStoragePath(
            _(
                "destination path lies inside the source path ${source}: ${target}. "
                "Choose a folder elsewhere.",
                mapping={"source": source, "target": target},
            )
        )


def _is_file_or_folder(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:  # a link that leads nowhere
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
