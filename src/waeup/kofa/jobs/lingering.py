"""Says what keeps a stop waiting: code of a site, such as a hook, that does not come back.

Rows pay nothing for it: nobody looks unless a stop waits, and then at the stacks of the threads.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from types import FrameType

from waeup.kofa.importing.atfault import module_of, site_code_in
from waeup.kofa.importing.engine import row_at

log = logging.getLogger(__name__)

#: Seconds that a stop waits without a word.
PATIENCE = 10.0


@contextmanager
def watched(
    at_work: Mapping[int, str], tell: Callable[[str], object] | None = None
) -> Iterator[None]:
    """Say within this block, in the log and by `tell`, what does not come back.

    `at_work` has the ids of runs by the numbers of the threads that work on them.
    """
    over = threading.Event()

    def watch() -> None:
        told = set()
        while not over.wait(PATIENCE):
            for text in (_words(*each) for each in dict(at_work).items()):
                if text not in told:
                    told.add(text)
                    log.warning(text)
                    if tell is not None:
                        tell(text)

    thread = threading.Thread(target=watch, name="kofa watch of a stop")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _words(thread: int, id: str) -> str:
    """Return what a thread that works on a run does."""
    # What has called the row engine, or code of a site, is not looked at.
    frames = list(takewhile(lambda frame: not _is_of_jobs(frame), _frames(thread)))
    row, code = row_at(frames), site_code_in(frames)
    place = "" if row is None else f" at row {row}"
    doer = "" if code is None else f", in the code {code}"
    return (
        f"The run {id} keeps the stop waiting{place}{doer}. A second signal kills the process: "
        "the rows that were not stored are taken back, and imported when the run goes on."
    )


def _is_of_jobs(frame: FrameType) -> bool:
    return module_of(frame).startswith("waeup.kofa.jobs.")


def _frames(thread: int) -> Iterator[FrameType]:
    """Generate the calls of a thread, the last one first."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        yield frame
        frame = frame.f_back
