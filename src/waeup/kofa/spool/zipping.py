"""Several files as one ZIP, which is made while it is sent: nothing of it is stored."""

import io
import os
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO

#: The format knows no time before.
_EARLIEST = (1980, 1, 1, 0, 0, 0)


class _Paper(io.RawIOBase):
    """Takes what is written, until somebody takes it away."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        written, self._written = b"".join(self._written), []
        return written


def zipped(files: Sequence[tuple[str, BinaryIO, Iterator[bytes]]]) -> Iterator[bytes]:
    """Generate a ZIP of open files block by block, and close them.

    Each has a name, with its folder, that the data center accepts, and its content.
    """
    paper = _Paper()
    with ExitStack() as opened:
        for _name, file, _blocks in files:
            opened.enter_context(file)
        with zipfile.ZipFile(paper, "w") as archive:
            for name, file, blocks in files:
                status = os.fstat(file.fileno())
                moment = max(time.localtime(status.st_mtime)[:6], _EARLIEST)
                entry = zipfile.ZipInfo(name, moment)
                entry.compress_type = zipfile.ZIP_DEFLATED
                # From 2 GiB on the format writes longer numbers.
                entry.file_size = status.st_size
                with archive.open(entry, "w") as target:
                    for block in blocks:
                        target.write(block)
                        yield paper.taken()
                yield paper.taken()
        yield paper.taken()
