"""Waits that have an end: what hangs fails its test, and says where it does.

A thread is begun by `begun` and waited for by `joined`; a process that was forked is waited for by
`ended`; one that was started has its time in a block of `bounded`.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: Seconds after which what is waited for is not believed to come any more, on a slow machine with
#: much to do.
PATIENCE = 180.0
#: The shortest pause between two looks at a process.
PAUSE = 0.0005


def begun(work: Callable[..., object], *args: Any) -> threading.Thread:
    """Do `work` in a thread, which does not keep the process of the tests; return the thread."""
    thread = threading.Thread(target=work, args=args, daemon=True)
    thread.start()
    return thread


def joined(*threads: threading.Thread, seconds: float = PATIENCE) -> None:
    """Wait for the end of threads; raises `AssertionError`, with what those do that hang."""
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    frames = sys._current_frames()
    found = [(each.name, frames.get(each.ident or 0)) for each in threads if each.is_alive()]
    if found:
        told = [f"{name}:\n{''.join(traceback.format_stack(frame))}" for name, frame in found]
        raise AssertionError(f"Not over after {seconds:.0f} s:\n\n" + "\n".join(told))


def ended(pid: int, seconds: float = PATIENCE) -> int:
    """Wait for the end of a process that was forked; return its status, as `os.waitpid` does.

    Raises `AssertionError` for one that hangs, and kills it.
    """
    began = time.monotonic()
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        passed = time.monotonic() - began
        if passed > seconds:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"The process {pid} is not over after {seconds:.0f} s.")
        time.sleep(min(max(PAUSE, passed / 8), 0.1))


@contextmanager
def bounded(process: "subprocess.Popen[Any] | int", seconds: float = PATIENCE) -> Iterator[None]:
    """Kill a process, or the one of a number, that is still waited for after so many seconds.

    Who reads what it says finds the end of that then.  Raises `AssertionError` in this case.
    """
    is_late = threading.Event()

    def kill() -> None:
        is_late.set()
        if isinstance(process, int):
            os.kill(process, signal.SIGKILL)
        else:
            process.kill()

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if is_late.is_set():
            raise AssertionError(f"The process was killed: not over after {seconds:.0f} s.")


@contextmanager
def beside(
    command: Any, seconds: float = PATIENCE, **options: Any
) -> "Iterator[subprocess.Popen[Any]]":
    """Run a command, which is killed at the end of the block, or after so many seconds.

    `options` are those of `subprocess.Popen`.
    """
    with subprocess.Popen(command, **options) as process:
        try:
            with bounded(process, seconds):
                yield process
        finally:
            if process.poll() is None:
                process.kill()
