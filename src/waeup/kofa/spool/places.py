"""Places for a storage: folders below those that the operator has allowed.

A path that somebody has typed may lead anywhere, by ``..`` and by links.  It is resolved first,
opened then, and what was opened is compared with what the path leads to: somebody who changes a
link in between gains nothing.
"""

import os
import stat
from collections.abc import Collection
from types import TracebackType

from waeup.kofa.errors import InvalidStoragePath
from waeup.kofa.i18n import MessageFactory as _


def resolved_below(roots: Collection[str], path: str) -> str:
    """Return what a path leads to, which must be below one of `roots`.

    Raises `InvalidStoragePath`.
    """
    if not path.strip() or "\0" in path:
        raise InvalidStoragePath(_("No path was given. Name an existing folder."))
    if not os.path.isabs(path):
        raise InvalidStoragePath(
            _("${path} is no absolute path. Begin it with a /.", mapping={"path": repr(path)})
        )
    real = os.path.realpath(path)
    if not any(is_inside(real, os.path.realpath(root)) for root in roots):
        raise InvalidStoragePath(
            _(
                "${path} does not lie below a folder that the operator of the server has allowed. "
                "These are: ${roots}.",
                mapping={"path": path, "roots": ", ".join(roots) or "-"},
            )
        )
    return real


def is_inside(path: str, folder: str) -> bool:
    """Tell whether a real path is below a real folder."""
    return path != folder and os.path.commonpath((path, folder)) == folder


def unusable(path: str, reason: str | None) -> InvalidStoragePath:
    """Return what says that a folder cannot be used, and why."""
    return InvalidStoragePath(
        _(
            "The storage path ${path} cannot be used: ${reason}. Name an existing folder "
            "that the portal may write to.",
            mapping={"path": path, "reason": reason},
        )
    )


class PlaceBelow:
    """An existing folder below one of `roots`, which is held open; `path` is its real path.

    Use it in a ``with`` statement.  Raises `InvalidStoragePath`.
    """

    def __init__(self, roots: Collection[str], path: str) -> None:
        self._roots = tuple(roots)
        self.path = resolved_below(roots, path)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = os.open(self.path, flags)
        except OSError as error:
            raise unusable(self.path, error.strerror) from error
        try:
            self.require_same()
            if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
                raise InvalidStoragePath(
                    _(
                        "The portal may not write to ${path}. Let the operator of the server give "
                        "it the right, or name another folder.",
                        mapping={"path": self.path},
                    )
                )
        except BaseException:
            os.close(self._fd)
            raise

    def require_same(self) -> None:
        """Raise `InvalidStoragePath` when the path leads elsewhere by now."""
        try:
            is_same = resolved_below(self._roots, self.path) == self.path
            found = os.stat(self.path, follow_symlinks=False)
            is_same = is_same and stat.S_ISDIR(found.st_mode)
            is_same = is_same and os.path.samestat(found, os.fstat(self._fd))
        except (OSError, InvalidStoragePath):
            is_same = False
        if not is_same:
            raise InvalidStoragePath(
                _(
                    "${path} was replaced by something else meanwhile. Look at the folder, and "
                    "try again.",
                    mapping={"path": self.path},
                )
            )

    def __enter__(self) -> "PlaceBelow":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._fd)


def make_place(roots: Collection[str], path: str) -> None:
    """Make the folder `path` below one of `roots`, if only the last part of it is missing.

    Raises `InvalidStoragePath`.
    """
    real = resolved_below(roots, path)
    parent = os.path.dirname(real)
    try:
        # Relative to what was opened: whoever changes a link meanwhile gains nothing.
        fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not os.path.samestat(os.fstat(fd), os.stat(os.path.realpath(parent))):
                raise FileNotFoundError(2, "it was replaced", parent)
            os.mkdir(os.path.basename(real), 0o700, dir_fd=fd)
            os.fsync(fd)
        finally:
            os.close(fd)
    except FileExistsError:
        return
    except OSError as error:
        raise InvalidStoragePath(
            _(
                "The folder ${path} cannot be made: ${reason}. Name a folder directly below an "
                "existing one.",
                mapping={"path": real, "reason": error.strerror or str(error)},
            )
        ) from error
