"""Intents: what a process is about to do, on disk before it begins.

An intent is a file in a work folder.  Once it is there, its steps will be done: by
the process that wrote it, or, should that die, by `redo` of the next one.  When they
are done the intent goes, and with it the work folder.  At rest there is none.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waeup.kofa.errors import StorageFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.spool.disk import disk, faults, remove_file, retried
from waeup.kofa.spool.steps import Step, perform, step_as_dict, step_from_dict
from waeup.kofa.spool.work import INTENT, WORK, WorkFolder

_UNFINISHED = INTENT + ".new"


@dataclass(frozen=True)
class Intent:
    """What the work folder `work` of `storage` is for.

    `title` is for people; `record` is plain data of the caller, `steps` what will be done.
    """

    storage: str
    work: str
    title: str
    steps: tuple[Step, ...]
    record: Mapping[str, Any]


def write_intent(
    work: WorkFolder, title: str, steps: tuple[Step, ...], record: Mapping[str, Any] | None = None
) -> Intent:
    """Write down durably that `steps` will be done, in place of a former intent.

    When an error is raised the intent may be there, or not: leave the work folder to
    `redo`.  Raises OSError.
    """
    data: dict[str, Any] = {
        "title": title,
        "steps": [step_as_dict(step) for step in steps],
        "record": dict(record or {}),
    }
    path = os.path.join(work.path, INTENT)
    unfinished = os.path.join(work.path, _UNFINISHED)
    if os.path.lexists(unfinished):
        disk.unlink(unfinished)
    fd = disk.create(unfinished)
    try:
        disk.write(fd, json.dumps(data, indent=1).encode("ascii"))
        disk.sync(fd)
    finally:
        os.close(fd)
    work.sync()
    disk.replace(unfinished, path)
    disk.sync_folder(work.path)
    return Intent(work.storage, work.id, title, steps, data["record"])


def read_intents(storage: str) -> list[Intent]:
    """Return the intents in the work folders of `storage`, in order of their ids.

    Raises `StorageFault` when a file is no intent.
    """
    return [intent for work in WorkFolder.ids(storage) if (intent := _read(storage, work))]


def clear_intent(work: WorkFolder) -> None:
    """Forget an intent whose steps are done; it does not come back after a power cut."""
    remove_file(os.path.join(work.path, INTENT))


def redo(storage: str, prefix: str = "") -> list[Intent]:
    """Perform what intents say, and remove them with their work folders; return them.

    With `prefix` only those in work folders whose ids begin with it.  The caller holds
    `storage_lock`: then nobody alive is at it.  A second call finds nothing to do.  Raises
    `StorageFault`.
    """
    intents = [intent for intent in read_intents(storage) if intent.work.startswith(prefix)]
    for intent in intents:
        work = WorkFolder(storage, intent.work, shared=True)
        with faults(f"Completing what was begun ({intent.title})"):
            perform(storage, intent.steps)
            clear_intent(work)
        work.remove()
    return intents


@retried
def _read(storage: str, work: str) -> Intent | None:
    path = os.path.join(storage, WORK, work, INTENT)
    try:
        with open(path, "rb") as stream:
            data = json.load(stream)
        steps = tuple(step_from_dict(step) for step in data["steps"])
        return Intent(storage, work, str(data["title"]), steps, data["record"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError):
        raise StorageFault(
            _(
                "${path} is damaged: it should say what a process that was killed had "
                "begun. Keep its folder for inspection outside of the data center, then "
                "start again.",
                mapping={"path": path},
            )
        )
