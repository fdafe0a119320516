"""The near side of unpacking: starts the worker, holds it to its time, and trusts it little.

The worker gets a path to read, a path beside the target to write, and an environment with
nothing in it; it puts limits on itself (`worker`), because setting them between fork and exec is
unsafe in a process with threads.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from waeup.kofa.errors import Fault, ItemBusy, StorageFault, TableError, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.limits import Limits
from waeup.kofa.tabular.unpacking import kinds
from waeup.kofa.tabular.unpacking.wording import out_of_memory, shown, too_long

__all__ = ["Unpacked", "kind_of", "unpack"]

#: Isolated mode knows nothing of the paths that buildout's commands put into sys.path.
_START = (
    "import json, sys; request = json.loads(sys.argv[1]); sys.path[:] = request['import_path'];"
    "from waeup.kofa.tabular.unpacking.worker import main; main(request)"
)
#: Bytes that are kept of what a worker says: its answer, and complaints of native code before it.
_MAX_ANSWER = 1 << 20
#: What native code, or Python before it is under way, says when it gets no memory.
_NO_MEMORY = (b"memory allocation of", b"MemoryError", b"Cannot allocate memory")
_LIMITS = Limits()
#: Seconds between two questions whether the work is to end.
_PAUSE = 0.1


class Unpacked(NamedTuple):
    """What `unpack` found.

    `kind` is that of the container (`kind_of`), `member` the name of the file in a ZIP archive.
    For a workbook, packed or not, `sheet` is the name of the sheet that was taken, and `sheets`
    are the names of all, hidden ones included.  Names are text from outside: show, never trust.
    """

    kind: str
    member: str | None
    sheet: str | None
    sheets: tuple[str, ...]


def kind_of(path: str) -> str:
    """Return what the file at `path` is: text, gzip, zip, xlsx, xls or ods.

    Decided by content, never by name.  Raises `TableError` that names what it is, for everything
    else, and for a damaged container.
    """
    name = os.path.basename(path)
    with open(path, "rb") as stream:
        kind = kinds.recognise(stream.read(kinds.HEAD), name)
    if kind in ("text", "gzip"):
        return kind
    answer = _ask({"source": os.path.abspath(path), "name": name}, _LIMITS)
    return str(answer["kind"])


def unpack(
    path: str,
    target: str,
    *,
    sheet: str | None = None,
    limits: Limits = _LIMITS,
    is_over: Callable[[], bool] | None = None,
) -> Unpacked:
    """Write the one table in the container at `path` to the file `target`.

    A packed file comes out as it was packed.  The sheet named `sheet` of a workbook (default: the
    first visible one with a table) comes out as UTF-8 CSV with commas and CRLF, its line n being
    row n of the sheet as long as no cell holds a line end.  `target` is written beside, made
    durable, and put into place as a whole (mode 0600), replacing what is there; after an error
    it is as before.  Its folder is left to the caller.  `is_over` is asked now and then whether
    the work is to be given up.

    Raises `TableError` when there is not exactly one table to be had, `TooLarge` beyond `limits`,
    `ItemBusy` when it was given up, `StorageFault` when the disk refuses, and `Fault` when the
    worker cannot be started.
    """
    target = os.path.abspath(target)
    with open(path, "rb"):
        pass  # what cannot be opened is the caller's error, and no damage
    handle, part = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".unpacking-")
    os.close(handle)
    try:
        answer = _ask(
            {
                "source": os.path.abspath(path),
                "name": os.path.basename(path),
                "target": part,
                "sheet": sheet,
            },
            limits,
            is_over,
        )
        os.replace(part, target)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise
    return Unpacked(answer["kind"], answer["member"], answer["sheet"], tuple(answer["sheets"]))


def _ask(
    request: dict[str, Any], limits: Limits, is_over: Callable[[], bool] | None = None
) -> dict[str, Any]:
    """Return the worker's answer to `request`, or raise what it says or what became of it."""
    deadline = time.monotonic() + limits.seconds
    request = {
        **request,
        "limits": limits._asdict(),
        "import_path": [_absolute(entry) for entry in sys.path],
    }
    worker = subprocess.Popen(  # noqa: S603 - our own Python; what varies is one word of JSON
        [sys.executable, "-I", "-B", "-c", _START, json.dumps(request)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    )
    try:
        said = _listen(worker, deadline, is_over, request["name"])
        if said is not None:
            worker.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        said = None
    finally:
        # As long as nobody has asked how it ended, its id, and that of its group, are its own.
        if worker.returncode is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        assert worker.stdout is not None
        worker.stdout.close()
    return _understand(said, worker.returncode, request["name"], limits)


def _absolute(entry: str) -> str:
    # What is no folder is a sign for an import hook, such as that of an editable installation.
    return os.path.abspath(entry) if os.path.isdir(entry or os.curdir) else entry


def _environment() -> dict[str, str]:
    # Some Pythons find their own libraries by this variable.
    kept = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _listen(
    worker: subprocess.Popen[bytes],
    deadline: float,
    is_over: Callable[[], bool] | None,
    name: str,
) -> bytes | None:
    """Return the end of what `worker` says until it stops, or None when its time is over.

    Raises `ItemBusy`, which tells of the file `name`, when `is_over` ends the work before.
    """
    assert worker.stdout is not None
    pipe = worker.stdout.fileno()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    said = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        if is_over is not None:
            if is_over():
                raise ItemBusy(
                    _(
                        "${name} takes long to unpack, and so do others at this moment. Try "
                        "again in a minute.",
                        mapping={"name": name},
                    )
                )
            left = min(left, _PAUSE)
        if not poll.poll(left * 1000):
            continue
        data = os.read(pipe, 1 << 16)
        if not data:
            return said
        said = (said + data)[-_MAX_ANSWER:]


def _understand(said: bytes | None, code: int, name: str, limits: Limits) -> dict[str, Any]:
    if said is None or code in (-signal.SIGXCPU, -signal.SIGALRM):
        raise too_long(name, limits)
    if code and (code == -signal.SIGKILL or any(words in said for words in _NO_MEMORY)):
        raise out_of_memory(name, limits)
    if code < 0:
        raise TableError(
            _(
                "${name} broke the program that reads it (${name2}); it is most likely "
                'damaged. Save the table as "CSV UTF-8" and upload that.',
                mapping={"name": name, "name2": signal.Signals(-code).name},
            )
        )
    last = said.rstrip().rpartition(b"\n")[2]
    try:
        answer = json.loads(last)
    except ValueError:
        answer = None
    if code or not isinstance(answer, dict):
        raise Fault(
            _(
                "${name} could not be unpacked: the worker ended with exit code ${code} "
                "and said ${decode}. Check the installation of waeup.kofa.",
                mapping={
                    "name": name,
                    "code": code,
                    "decode": shown(last.decode(errors="replace")),
                },
            )
        )
    if "fault" in answer:
        raise StorageFault(answer["fault"])
    if "refused" in answer:
        raise (TooLarge if answer["refused"] == "TooLarge" else TableError)(answer["message"])
    return answer
