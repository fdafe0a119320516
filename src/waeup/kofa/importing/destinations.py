"""Which file of an import goes where, and by which steps.

The places are those of Kofa 1.9: finished rows below ``finished``, failed rows among
the pending files, the original below ``finished`` or, as long as rows are pending,
below ``unfinished``.  Here this is planned, and `distribution` does it.
"""

import os
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from waeup.kofa.errors import InvalidName, NoSuchItem, Refused, StorageFault, TableError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.spool import (
    FINISHED_SUFFIX,
    PENDING_SUFFIX,
    TABLE_EXTENSION,
    Append,
    Place,
    Prune,
    Remove,
    Replace,
    Step,
    WorkFolder,
    check_name,
    numbered,
    step_as_dict,
    step_from_dict,
    tail_of,
)
from waeup.kofa.spool.disk import digest_of, ensure_folder, faults, stage, sync_file
from waeup.kofa.tabular import header_bytes, merge_tables, read_header


@dataclass(frozen=True)
class ResultNames:
    """What the files of an import are called.

    `stem` is common to all; `original` is the name of the first source;
    `finished` is a name below ``finished``, `pending` one in the storage itself.
    `again` says that the source was a pending file of that original.
    """

    stem: str
    original: str
    finished: str
    pending: str
    again: bool


@dataclass(frozen=True)
class Distribution:
    """What is to be done, as plain data; `perform` does it.

    `id` is that of the work folder in which the result files are staged, `source`
    the name of the source, `results` the absolute paths of the result files.
    `finished`, `pending` and `original` say, relative to the storage, where finished
    rows, pending rows (None: nowhere) and the first source will be.
    """

    id: str
    storage: str
    successful: bool
    source: str
    mode: str
    results: tuple[str, ...]
    finished: str | None
    pending: str | None
    original: str
    steps: tuple[Step, ...]

    @property
    def title(self) -> str:
        """What it does, in words."""
        return f"distributing the results of {self.source} ({self.mode})"

    def as_dict(self) -> dict[str, Any]:
        """Return a dict of plain values, for a database or a file."""
        return {
            **asdict(self),
            "results": list(self.results),
            "steps": [step_as_dict(step) for step in self.steps],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Distribution":
        """Return the distribution that `as_dict` has described; ValueError for anything else."""
        try:
            values = dict(data)
            values["results"] = tuple(data["results"])
            values["steps"] = tuple(step_from_dict(step) for step in data["steps"])
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise ValueError(f"This describes no distribution: {error}")


def result_names(source: str, mode: str, unfinished: Collection[str]) -> ResultNames:
    """Return what the files of an import of `source` in `mode` are called.

    `unfinished` holds the names below ``unfinished``: ``a.create.pending.csv`` is a
    pending file of ``a.csv`` only when that is there, otherwise a source like any
    other.  The rules are Kofa 1.9's, where all sources end in ``.csv``.  The stem of
    any other is its whole name, so that ``a.csv`` and ``a.xlsx`` do not meet.

    Raises `InvalidName` for a `mode` that cannot be part of a name.
    """
    if not mode or "." in mode:
        raise InvalidName(
            _(
                "${mode} is no import mode. A mode is a word like 'create'.",
                mapping={"mode": repr(mode)},
            )
        )
    if source.endswith(PENDING_SUFFIX):
        stem = source.rsplit(".", 3)[0]
        for original in (stem + TABLE_EXTENSION, stem):
            if original in unfinished:
                finished = check_name(f"{stem}.{mode}{FINISHED_SUFFIX}")
                return ResultNames(stem, original, finished, source, True)
    stem = source.removesuffix(TABLE_EXTENSION)
    return ResultNames(
        stem,
        source,
        check_name(f"{stem}.{mode}{FINISHED_SUFFIX}"),
        check_name(f"{stem}.{mode}{PENDING_SUFFIX}"),
        False,
    )


def plan_distribution(
    storage: str,
    successful: bool,
    source_path: str,
    finished_file: str | None,
    pending_file: str | None,
    mode: str,
    work: WorkFolder,
) -> Distribution:
    """Stage the result files durably in `work`, and return what is to be done.

    Nothing becomes visible.  An original or pending file of the same name that is
    there already is not touched: the new files get a counter behind the stem.  The
    caller holds `storage_lock` until the distribution has been performed.

    Raises `NoSuchItem` when a file is gone, `InvalidName` for a source outside of
    the storage, `Refused` when `successful` and `pending_file` contradict each
    other, `StorageFault` when the disk fails.
    """
    name = check_name(os.path.basename(source_path))
    with faults(f"Preparing the distribution of the results of {name}"):
        _check_arguments(storage, successful, source_path, finished_file, pending_file)
        names = _free_names(storage, name, mode)
        steps: list[Step] = []
        finished = pending = None
        if finished_file is not None:
            finished, joining = _plan_finished(storage, work, finished_file, names)
            steps += joining
        if pending_file is not None:
            pending = names.pending
            steps += _plan_pending(storage, work, pending_file, names)
        original, moves = _plan_original(storage, work, name, names, successful)
        steps += moves
        results = tuple(os.path.abspath(path) for path in (finished_file, pending_file) if path)
        kept = {os.path.join(storage, path) for path in (finished, pending) if path}
        steps += _plan_removal(storage, [path for path in results if path not in kept])
        work.sync()
    return Distribution(
        id=work.id,
        storage=storage,
        successful=bool(successful),
        source=name,
        mode=mode,
        results=results,
        finished=finished,
        pending=pending,
        original=original,
        steps=tuple(steps),
    )


def _check_arguments(
    storage: str,
    successful: bool,
    source_path: str,
    finished_file: str | None,
    pending_file: str | None,
) -> None:
    for path in (source_path, finished_file, pending_file):
        if path is not None and not os.path.isfile(path):
            raise NoSuchItem(
                _(
                    "No such source path: ${path}. Somebody else has processed or removed "
                    "it; list the files again.",
                    mapping={"path": path},
                )
            )
    folder = os.path.dirname(os.path.abspath(source_path))
    if not os.path.samefile(folder, storage):
        raise InvalidName(
            _(
                "${source_path} is no file of the data center ${storage}. Upload it first.",
                mapping={"source_path": source_path, "storage": storage},
            )
        )
    if successful and pending_file is not None:
        raise Refused(
            _(
                "The import of ${source_path} is said to be successful, but "
                "${pending_file} holds failed rows. Nothing was changed.",
                mapping={"source_path": source_path, "pending_file": pending_file},
            )
        )
    if not successful and pending_file is None:
        raise Refused(
            _(
                "The import of ${source_path} is said to have failed rows, but there is "
                "no file that holds them. Nothing was changed.",
                mapping={"source_path": source_path},
            )
        )


def _free_names(storage: str, source: str, mode: str) -> ResultNames:
    for folder in ("finished", "unfinished"):
        ensure_folder(os.path.join(storage, folder))
    finished = set(os.listdir(os.path.join(storage, "finished")))
    unfinished = set(os.listdir(os.path.join(storage, "unfinished")))
    for name in numbered(source):
        names = result_names(name, mode, unfinished if name == source else ())
        if names.again:
            return names
        taken = names.original in finished or names.original in unfinished
        if not taken and not os.path.lexists(os.path.join(storage, names.pending)):
            return names
    raise AssertionError("the numbers have no end")


def _plan_finished(
    storage: str, work: WorkFolder, result: str, names: ResultNames
) -> tuple[str, list[Step]]:
    place = os.path.join("finished", names.finished)
    target = os.path.join(storage, place)
    if os.path.realpath(result) == os.path.realpath(target):
        return place, []
    staged = os.path.join(work.path, "staged-finished" + TABLE_EXTENSION)
    stage(result, staged)
    source = os.path.relpath(staged, storage)
    if not os.path.exists(target):
        return place, [Place(source, place, digest_of(staged))]
    try:
        return place, [_plan_joining(storage, work, staged, place)]
    except TableError:
        # What is there cannot be read as a table; it is left alone.
        for name in numbered(names.finished.removesuffix(FINISHED_SUFFIX)):
            place = os.path.join("finished", name + FINISHED_SUFFIX)
            if not os.path.lexists(os.path.join(storage, place)):
                break
        return place, [Place(source, place, digest_of(staged))]


def _plan_joining(storage: str, work: WorkFolder, staged: str, place: str) -> Step:
    target = os.path.join(storage, place)
    length = os.path.getsize(target)
    tail = tail_of(target, length)
    columns, former = read_header(staged), read_header(target)
    if columns is not None and former is not None and _starts_with(target, header_bytes(former)):
        header = header_bytes(former)
        if columns != former and set(columns) <= set(former):
            # The few new rows are written anew, rather than the many old ones.
            ordered = os.path.join(work.path, "ordered" + TABLE_EXTENSION)
            merge_tables([staged], ordered, former)
            sync_file(ordered)
            staged = ordered
        if _starts_with(staged, header):
            source = os.path.relpath(staged, storage)
            lead = "" if _is_terminated(target, length) else "\r\n"
            digest = digest_of(staged, len(header))
            return Append(source, len(header), place, length, tail, lead, digest)
    if os.stat(os.path.dirname(target)).st_dev != os.stat(work.path).st_dev:
        raise StorageFault(
            _(
                "${target} must be rewritten, which is not possible because its folder "
                "lies on another file system than ${storage}. Move the folder there.",
                mapping={"target": target, "storage": storage},
            )
        )
    merged = os.path.join(work.path, "merged" + TABLE_EXTENSION)
    union = dict.fromkeys((*(former or ()), *(columns or ())))
    merge_tables([target, staged], merged, list(union))
    sync_file(merged)
    source = os.path.relpath(merged, storage)
    return Replace(source, place, length, tail, digest_of(merged))


def _starts_with(path: str, beginning: bytes) -> bool:
    with open(path, "rb") as stream:
        return stream.read(len(beginning)) == beginning


def _is_terminated(path: str, length: int) -> bool:
    with open(path, "rb") as stream:
        stream.seek(max(0, length - 1))
        return stream.read() in (b"\n", b"\r")


def _plan_pending(storage: str, work: WorkFolder, result: str, names: ResultNames) -> list[Step]:
    target = os.path.join(storage, names.pending)
    if os.path.realpath(result) == os.path.realpath(target):
        return []
    staged = os.path.join(work.path, "staged-pending" + TABLE_EXTENSION)
    stage(result, staged)
    relative, digest = os.path.relpath(staged, storage), digest_of(staged)
    if not names.again:
        return [Place(relative, names.pending, digest)]
    length = os.path.getsize(target)
    return [Replace(relative, names.pending, length, tail_of(target, length), digest)]


def _plan_original(
    storage: str, work: WorkFolder, source: str, names: ResultNames, successful: bool
) -> tuple[str, list[Step]]:
    """Return where the original will be, and the steps that bring it there."""
    if names.again and not successful:
        return os.path.join("unfinished", names.original), []
    folder = "finished" if successful else "unfinished"
    steps: list[Step] = []
    if names.again:
        former = os.path.join("unfinished", names.original)
        taken = set(os.listdir(os.path.join(storage, folder)))
        free = next(name for name in numbered(names.original) if name not in taken)
        place = os.path.join(folder, free)
        steps = _plan_move(storage, work, former, place)
        steps.append(_plan_remove(storage, source))
    else:
        place = os.path.join(folder, names.original)
        steps = _plan_move(storage, work, source, place)
    return place, steps


def _plan_move(storage: str, work: WorkFolder, source: str, target: str) -> list[Step]:
    # Staged, so that nobody who removes the source meanwhile takes the content along.
    staged = os.path.join(work.path, "staged-original" + TABLE_EXTENSION)
    stage(os.path.join(storage, source), staged)
    length = os.path.getsize(staged)
    tail = tail_of(staged, length)
    place = Place(os.path.relpath(staged, storage), target, length=length, tail=tail)
    return [place, _plan_remove(storage, source)]


def _plan_remove(storage: str, path: str) -> Remove:
    status = os.stat(os.path.join(storage, path))
    return Remove(path, status.st_ino, status.st_size)


def _plan_removal(storage: str, results: list[str]) -> list[Step]:
    steps: list[Step] = [_plan_remove(storage, path) for path in results]
    folders = sorted({os.path.dirname(path) for path in results})
    steps += [Prune(folder) for folder in folders if _may_go(folder, storage)]
    return steps


def _may_go(folder: str, storage: str) -> bool:
    """Tell whether a folder of result files may be removed once it is empty.

    Not so the storage, what is in it or above it, and the roots that a system has.
    """
    real, root = os.path.realpath(folder), os.path.realpath(storage)
    roots = ("/", "/tmp", "/var/tmp", tempfile.gettempdir(), os.path.expanduser("~"))  # noqa: S108  they are spared, not used
    if real in {os.path.realpath(path) for path in roots}:
        return False
    return os.path.commonpath([real, root]) not in (real, root)
