"""The far side of unpacking: a process that looks into one container and ends.

`process` starts it; it works under limits that it puts on itself before it opens the file, and
answers with one line of JSON on its standard output.  Whatever is wrong with the file becomes an
answer; where native code breaks the process, the near side finds words.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
from typing import Any, BinaryIO

from waeup.kofa.errors import Refused, TableError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.limits import Limits
from waeup.kofa.tabular.unpacking import archives, compound, kinds, workbooks
from waeup.kofa.tabular.unpacking.wording import damaged, out_of_memory, shown, too_much

__all__ = ["main"]

_ARCHIVES = ("gzip", "zip")
#: What the machine is to blame for; other errors of the system come from damaged structures.
_FAULTS = frozenset(
    (errno.EACCES, errno.EDQUOT, errno.EIO, errno.ENOENT, errno.ENOSPC, errno.EROFS, errno.ESTALE)
)


def main(request: dict[str, Any]) -> None:
    """Do what `request` says, and print the answer.

    The request has `source` (path), `name` (for messages), `limits`, and, when the table is to be
    unpacked and not only named, `target` (path) and `sheet`.
    """
    limits = Limits(**request["limits"])
    _restrict(limits)
    try:
        with open(request["source"], "rb") as source:
            if "target" in request:
                answer = _unpack(
                    source, request["target"], request["name"], request["sheet"], limits
                )
            else:
                answer = {"kind": _kind(source, request["name"])}
    except BaseException as error:
        # A panic of native code is no Exception; hostile files find every error there is.
        answer = _failure(error, request["name"], limits)
    json.dump(answer, sys.stdout)
    sys.stdout.flush()


def _restrict(limits: Limits) -> None:
    seconds = max(1, int(limits.seconds))
    for kind, amount in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, limits.unpacked),
    ):
        _soft, hard = resource.getrlimit(kind)
        allowed = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (allowed, allowed))
    # For the case that nobody is left to end this process from outside.
    signal.alarm(seconds + 5)


def _failure(error: BaseException, name: str, limits: Limits) -> dict[str, str]:
    if isinstance(error, MemoryError):
        error = out_of_memory(name, limits)
    elif isinstance(error, OSError) and error.errno == errno.EFBIG:
        error = too_much(name, limits)
    elif isinstance(error, OSError) and error.errno in _FAULTS:
        return {"fault": f"{name} cannot be unpacked: {error.strerror}."}
    elif not isinstance(error, Refused):
        error = damaged(name, str(error) or type(error).__name__)
    return {"refused": type(error).__name__, "message": str(error)}


def _kind(source: BinaryIO, name: str) -> str:
    source.seek(0)
    kind = kinds.recognise(source.read(kinds.HEAD), name)
    if kind == kinds.COMPOUND:
        return compound.kind_of_compound(source, name)
    if kind == "zip":
        return archives.kind_of_zip(source, name)
    return kind


def _unpack(
    source: BinaryIO, target: str, name: str, sheet: str | None, limits: Limits
) -> dict[str, Any]:
    kind, member = _kind(source, name), None
    if kind == "text":
        raise TableError(
            _(
                "${name} is plain text, which needs no unpacking. Read it as it is.",
                mapping={"name": name},
            )
        )
    if kind not in _ARCHIVES:
        used, sheets = workbooks.convert(source, kind, target, name, sheet, limits)
        return {"kind": kind, "member": None, "sheet": used, "sheets": sheets}
    with open(target, "wb") as packed:
        if kind == "zip":
            member = archives.extract_zip(source, name, packed)
        else:
            archives.extract_gzip(source, name, packed)
        packed.flush()
        os.fsync(packed.fileno())
    label = f"The content of {name}" if member is None else f"{shown(member)} in {name}"
    with open(target, "rb") as content:
        inner = _kind(content, label)
        if inner in _ARCHIVES:
            raise TableError(
                _(
                    "${label} is packed once more, as ${inner}. Pack the table only once.",
                    mapping={"label": label, "inner": inner},
                )
            )
        if inner != "text":
            os.unlink(target)  # the open file stays; its name is needed for the table
            used, sheets = workbooks.convert(content, inner, target, label, sheet, limits)
            return {"kind": kind, "member": member, "sheet": used, "sheets": sheets}
    if sheet is not None:
        raise TableError(
            _(
                "${label} is plain text and has no sheet ${sheet}. Name no sheet.",
                mapping={"label": label, "sheet": shown(sheet)},
            )
        )
    return {"kind": kind, "member": member, "sheet": None, "sheets": []}
