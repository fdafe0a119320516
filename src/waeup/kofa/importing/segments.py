"""Result files in the making: each worker of a run has segments of its own.

A worker appends to ``<token>.finished.csv`` and ``<token>.pending.csv`` in the work folder
of the run, and forces them out before it commits their lengths.  What is behind a length that
was committed belongs to rows that were not: nobody reads it.  When all rows are done, the
segments are joined, and `waeup.kofa.importing.distribution` puts the files into their places.
"""

import os
from collections.abc import Sequence

from waeup.kofa.importing.results import without_raw
from waeup.kofa.spool.disk import disk, sync_file
from waeup.kofa.tabular import header_bytes, read_header

#: Token, length of the finished and of the pending rows, in bytes.
Segment = tuple[int, int, int]


def segment_paths(folder: str, token: int) -> tuple[str, str]:
    """Return the paths of the finished and the pending rows of one worker."""
    return (
        os.path.join(folder, f"{token}.finished.csv"),
        os.path.join(folder, f"{token}.pending.csv"),
    )


def extended(
    segments: Sequence[Segment], token: int, finished: int, pending: int
) -> tuple[Segment, ...]:
    """Return `segments` with new lengths for those of the worker `token`."""
    others = tuple(segment for segment in segments if segment[0] != token)
    return (*others, (token, finished, pending))


def lengths_of(segments: Sequence[Segment], token: int) -> tuple[int, int] | None:
    """Return the lengths of the segments of a worker, or None when it has committed no rows."""
    for own, finished, pending in segments:
        if own == token:
            return finished, pending
    return None


def join(folder: str, segments: Sequence[Segment], has_raw: bool) -> tuple[str, str | None]:
    """Make one file of all finished rows and one of all pending rows; return their paths.

    The latter is None when there are none.  The segments stay as they are, so that this can be
    done again after a kill: a woken predecessor might still write to them.
    """
    finished = [(token, length) for token, length, _ in segments]
    pending = [(token, length) for token, _, length in segments if length]
    paths = []
    for kind, parts in enumerate((finished, pending)):
        path = os.path.join(folder, ("finished.csv", "pending.csv")[kind])
        sources = [(segment_paths(folder, token)[kind], length) for token, length in parts]
        if sources:
            _join(sources, path)
        paths.append(path if sources else None)
    if paths[1] is not None and not has_raw:
        without_raw(paths[1])
    for made in filter(None, paths):
        sync_file(made)
    assert paths[0] is not None
    return paths[0], paths[1]


def _join(sources: Sequence[tuple[str, int]], target: str) -> None:
    if os.path.exists(target):
        disk.unlink(target)
    header = 0
    fd = disk.create(target, 0o660)
    try:
        for path, length in sources:
            _copy(path, fd, header, length)
            # The first one brings the header for all.
            header = header or len(header_bytes(read_header(path) or ()))
    finally:
        os.close(fd)


def _copy(path: str, fd: int, start: int, end: int) -> None:
    """Write the bytes of a file from `start` to `end` to `fd`."""
    with open(path, "rb", buffering=0) as stream:
        stream.seek(start)
        left = end - start
        while left > 0:
            written = disk.copy(stream.fileno(), fd, left)
            if not written:
                raise OSError(f"{path} is shorter than the {end:,} bytes that were made durable")
            left -= written
