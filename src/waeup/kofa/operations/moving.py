"""Operations on the place of the data center: it moves, in the background, where it may.

Paths that a person types count only below the folders that the operator has allowed.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from waeup.kofa import spool
from waeup.kofa.datacenter import FOLDERS, usable_folder
from waeup.kofa.errors import InvalidStoragePath, NoSuchItem, WrongState
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IUniversity
from waeup.kofa.jobs.job import MOVE_PERMISSION
from waeup.kofa.jobs.moves import FILE, SCOPE, require_apart, storage_roots
from waeup.kofa.jobs.record import MOVE, Order, Run
from waeup.kofa.operations.runs import RunOperations
from waeup.kofa.operations.values import RunInfo
from waeup.kofa.transactional import on_commit


@dataclass(frozen=True)
class StoragePlace:
    """A folder that could hold the storage.

    `path` is the real one; `is_there` says whether it exists.  `taken` are the names in it that
    the storage has, too, `others` the number of its other entries.  `free` counts bytes.
    """

    path: str
    is_there: bool
    taken: tuple[str, ...]
    others: int
    free: int


@dataclass(frozen=True)
class FormerStorage:
    """A storage of before, from which all was moved at `date` (UTC, ISO 8601)."""

    path: str
    date: str


class MovingOperations(RunOperations):
    """See `waeup.kofa.operations.Operations`."""

    def storage_roots(self) -> tuple[str, ...]:
        """Return the folders below which the storage may be put from a page."""
        self._require(MOVE_PERMISSION)
        return storage_roots()

    def look_at_place(self, path: str) -> StoragePlace:
        """Return what is at a path; raises `InvalidStoragePath` where the storage cannot be."""
        self._require(MOVE_PERMISSION)
        real = spool.resolved_below(storage_roots(), path)
        require_apart(self.datacenter.storage, real)
        self._require_own(real)
        above = real if os.path.isdir(real) else os.path.dirname(real)
        if not os.path.isdir(above):
            raise InvalidStoragePath(
                _(
                    "The folder ${path} does not exist, nor the one above it. Name a folder "
                    "directly below an existing one.",
                    mapping={"path": real},
                )
            )
        try:
            status = os.statvfs(above)
            names = set(os.listdir(real)) if real == above else set()
        except OSError as error:
            raise spool.unusable(real, error.strerror) from error
        own = {name for name in self._own_entries() if not name.startswith(".")}
        taken = tuple(sorted(names & own))
        return StoragePlace(
            real, real == above, taken, len(names - own), status.f_bavail * status.f_frsize
        )

    def start_move(self, path: str, *, overwrite: bool = False) -> RunInfo:
        """Order that the storage is moved to a folder, which is made if need be.

        Entries that the folder holds already are left alone, or replaced with `overwrite`.
        Raises `InvalidStoragePath`, and `WrongState` while another move is not over.
        """
        place = self.look_at_place(path)
        self._prepare_move()
        if not place.is_there:
            spool.make_place(storage_roots(), place.path)
        with spool.PlaceBelow(storage_roots(), place.path):
            pass  # it can be opened and written to
        return self._order_move(place.path, overwrite)

    def start_move_anywhere(self, path: str, *, overwrite: bool = False) -> RunInfo:
        """Order that the storage is moved to any existing folder, as the operator of the server.

        No page leads here.  Raises what `start_move` does.
        """
        self._require(MOVE_PERMISSION)
        path = usable_folder(path)
        real = os.path.realpath(path)
        require_apart(self.datacenter.storage, real)
        self._require_free_of_database(real)
        self._prepare_move()
        return self._order_move(path, overwrite, anywhere=True)

    def use_storage(self, path: str) -> None:
        """Keep files below a path from now on, without any that are there now.

        Raises what `start_move` does.
        """
        place = self.look_at_place(path)
        self._require_no_move()
        if not place.is_there:
            spool.make_place(storage_roots(), place.path)
        with spool.PlaceBelow(storage_roots(), place.path) as opened:
            self.datacenter.setStoragePath(place.path)
            opened.require_same()

    def last_move(self) -> RunInfo | None:
        """Return the last move of the storage, if it is known still."""
        self._require(MOVE_PERMISSION)
        return next((self._info(run) for run in self._moves()), None)

    def former_storages(self) -> list[FormerStorage]:
        """List the storages of before that are there still, and hold what was moved."""
        self._require(MOVE_PERMISSION)
        return [
            FormerStorage(path, date)
            for path, names, date in self.datacenter.former
            if any(os.path.lexists(os.path.join(path, name)) for name in names)
        ]

    def remove_former_storage(self, path: str) -> None:
        """Remove what was moved from a former storage, for good, when the transaction commits.

        Only what the move has copied goes, and the folder when nothing else is in it.
        """
        self._require(MOVE_PERMISSION)
        known = {former: names for former, names, _date in self.datacenter.former}
        if path not in known:
            raise NoSuchItem(
                _(
                    "${path} is no former storage (any more). Look at the page again.",
                    mapping={"path": path},
                )
            )
        for portal in (self.site, *self._other_portals()):
            require_apart(portal["datacenter"].storage, os.path.realpath(path))
        self.datacenter.forget_former(path)
        # Work folders that have stayed behind are of no use to anybody.
        on_commit(partial(spool.remove_entries, path, [*known[path], spool.WORK]))
        self._log("former storage removed: %s", path)

    # -- helpers --------------------------------------------------------------------

    def _prepare_move(self) -> None:
        """Raise what stands in the way of a move."""
        self._require_no_move()
        # Of two who order a move at the same time one has a conflict: they would wait for each
        # other.
        self.datacenter._p_changed = True
        for run in self._runs:
            # Who is under way ends by itself; what has stopped would be in the way for ever.
            if run.holds_file and not run.is_active:
                self.datacenter.require_quiet()

    def _order_move(self, path: str, overwrite: bool, anywhere: bool = False) -> RunInfo:
        order = Order(
            kind=MOVE,
            file=FILE,
            digest="",
            processor="",
            mode="",
            user=self.principal.id,
            takes_file=False,
            target=path,
            overwrite=overwrite,
            anywhere=anywhere,
        )
        run = self._runs.add(Run(order, SCOPE, {MOVE_PERMISSION}))
        self._ring(run)
        self._log("storage move ordered: %s, job_id=%s", path, run.id)
        return self._info(run)

    def _require_no_move(self) -> None:
        for run in self._moves():
            if run.is_active or run.can_resume:
                raise WrongState(
                    _(
                        "Another move of the storage is not over: it is ${state}. Let it go on, "
                        "or cancel it.",
                        mapping={"state": _(run.state)},
                    )
                )

    def _moves(self) -> Iterable[Run]:
        return (run for run in self._runs.newest() if run.order.kind == MOVE)

    def _own_entries(self) -> list[str]:
        try:
            return os.listdir(self.datacenter.storage)
        except OSError:
            return []

    def _other_portals(self) -> list[Any]:
        """Return the other portals of the database."""
        beside = (self.site.__parent__ or {}).values()
        return [each for each in beside if IUniversity.providedBy(each) and each is not self.site]

    def _require_free_of_database(self, path: str) -> None:
        """Raise `InvalidStoragePath` for a folder of the database, or of another portal of it."""
        database = self.site._p_jar.db().getName() if self.site._p_jar is not None else ""
        if os.path.isabs(database):
            folder = os.path.realpath(os.path.dirname(database))
            if path == folder or spool.is_inside(path, folder) or spool.is_inside(folder, path):
                raise InvalidStoragePath(
                    _(
                        "${path} belongs to the database, or holds it. Name a folder for files "
                        "alone.",
                        mapping={"path": path},
                    )
                )
        for other in self._other_portals():
            require_apart(other["datacenter"].storage, path)

    def _require_own(self, path: str) -> None:
        """Raise `InvalidStoragePath` for a folder of the database, or of another portal."""
        self._require_free_of_database(path)
        if any(former == path for former, _names, _date in self.datacenter.former):
            return
        is_storage = os.path.exists(os.path.join(path, "logs", "datacenter.log"))
        if is_storage or all(os.path.isdir(os.path.join(path, name)) for name in FOLDERS):
            raise InvalidStoragePath(
                _(
                    "${path} is the storage of another portal, or was. Name a folder of its own.",
                    mapping={"path": path},
                )
            )
