"""Work folders: the place for what is not finished yet.

``<storage>/.work/<id>/`` is made by whoever begins something and goes with it; the
last one takes ``.work`` along.  As long as a work folder is in use it is locked, or its
name says whose it is (`waeup.kofa.claims`), so that one whose process died can be told from the
others.
"""

import os
import shutil
import time
from collections.abc import Collection
from types import TracebackType

from waeup.kofa.errors import ItemBusy, StorageFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.spool.disk import disk, faults
from waeup.kofa.spool.locks import Held, exclusion
from waeup.kofa.spool.names import check_name

#: The folder below the storage that holds all work folders.
WORK = ".work"
#: Name of the file that says what a work folder is needed for, see `intents`.
INTENT = "intent.json"
#: Attempts to make a folder while others remove theirs.
ATTEMPTS = 100


class WorkFolder:
    """A folder of one's own below `storage`, on the same file system.

    `id` names a folder that exists or is to be made; without it a new one gets a
    random id behind `prefix`.  As a context manager the folder is removed at the
    end, also after an error.  With `shared` it is not locked: something else says who works
    in it.  Attributes: `storage`, `id`, `path`.

    Raises `ItemBusy` when somebody else uses the folder, `StorageFault` when it
    cannot be made.
    """

    def __init__(
        self, storage: str, id: str | None = None, prefix: str = "", *, shared: bool = False
    ) -> None:
        self.storage = storage
        self._is_new = id is None
        self.id = prefix + exclusion().new_id() if id is None else check_name(id)
        self.path = os.path.join(storage, WORK, self.id)
        with faults(_("Making the work folder ${path}", mapping={"path": self.path})):
            self._held: Held | None = self._make(shared)

    def _make(self, shared: bool) -> Held | None:
        # Others remove `.work` with their last folder, and may take this one for an
        # abandoned one before it is locked: then it is made again.
        parent = os.path.dirname(self.path)
        is_own = False
        for attempt in range(ATTEMPTS):
            try:
                _make_folder(parent)
                is_own = _make_folder(self.path) or is_own
                if shared:
                    return None
                held = self._take()
            except FileNotFoundError:
                if not os.path.isdir(self.storage):
                    raise
                continue
            if held is not None:
                return held
            if not is_own:
                break
            time.sleep(attempt / 1000)
        if not self._is_new:
            raise ItemBusy(
                _(
                    "Somebody else is using the work folder ${path}.",
                    mapping={"path": self.path},
                )
            )
        raise StorageFault(
            _(
                "The work folder ${path} cannot be made: others remove it.",
                mapping={"path": self.path},
            )
        )

    def _take(self) -> Held | None:
        if self._is_new:
            return exclusion().take_new_folder(self.path)
        return exclusion().take_left_folder(self.path)

    def sync(self) -> None:
        """Force out the names in the folder, and the folder itself."""
        disk.sync_folder(self.path)
        disk.sync_folder(os.path.dirname(self.path))
        disk.sync_folder(self.storage)

    def close(self) -> None:
        """Leave the folder as it is, for somebody who takes it up again."""
        held, self._held = self._held, None
        if held is not None:
            held.release()

    def remove(self) -> None:
        """Remove the folder with all it contains, and `.work` when it was the last one."""
        try:
            _remove(self.path)
        finally:
            self.close()

    def __enter__(self) -> "WorkFolder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    @staticmethod
    def ids(storage: str) -> list[str]:
        """Return the ids of all work folders of `storage`, sorted."""
        try:
            return sorted(os.listdir(os.path.join(storage, WORK)))
        except FileNotFoundError:
            return []

    @classmethod
    def stale(
        cls,
        storage: str,
        keep: Collection[str] = (),
        prefix: str = "",
        among: Collection[str] | None = None,
    ) -> list[str]:
        """Remove the work folders that nobody uses any more; return their ids.

        Folders whose id is in `keep`, not in `among` (default: all), or does not begin with
        `prefix` stay, and so do those with an intent, which is to be redone.
        """
        removed = []
        for name in cls.ids(storage) if among is None else sorted(among):
            path = os.path.join(storage, WORK, name)
            if name in keep or not name.startswith(prefix):
                continue
            try:
                held = exclusion().take_left_folder(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if held is None:
                continue
            try:
                if not os.path.exists(os.path.join(path, INTENT)):
                    _remove(path)
                    removed.append(name)
            finally:
                held.release()
        _remove_if_empty(os.path.join(storage, WORK))
        return removed


def _make_folder(path: str) -> bool:
    """Make a folder unless it is there; tell whether it was made."""
    try:
        disk.mkdir(path, 0o700)
        return True
    except FileExistsError:
        return False


def _remove(path: str) -> None:
    shutil.rmtree(path, ignore_errors=True)
    _remove_if_empty(os.path.dirname(path))


def _remove_if_empty(path: str) -> None:
    try:
        disk.rmdir(path)
    except OSError:
        # Somebody else has a folder in it, or was quicker.  Nothing is lost by
        # leaving it: the next one tries again.
        pass
