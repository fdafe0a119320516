"""A process that ends a server when the process of the tests has ended, even by a kill.

``python keeper.py DIRECTORY PIDFILE SIGNAL`` waits for the end of its standard input, a pipe of
which the process of the tests has the only other end. Then it sends the signal to the process
whose number is in the file, and removes the directory.

It is a script of its own and imports nothing of the project, so that it starts at once.
"""

import os
import shutil
import signal
import sys
import time

#: Seconds for which a server may take its leave.
PATIENCE = 10


def number_in(path: str) -> int | None:
    """Return the number in the first line of a file, if there is one."""
    try:
        with open(path, encoding="ascii") as stream:
            return int(stream.readline())
    except (OSError, ValueError):
        return None


def is_alive(pid: int) -> bool:
    """Tell whether there is a process of that number that has not ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def end(pid: int, number: int) -> None:
    """Send the signal to a process, and wait until it is gone; kill it in the end."""
    for each in (number, signal.SIGKILL):
        try:
            os.kill(pid, each)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + PATIENCE
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)


def main(directory: str, pid_file: str, number: str) -> None:
    """Wait, and clear up."""
    # Who interrupts the tests at a terminal interrupts this, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.buffer.read()
    pid = number_in(pid_file)
    if pid is not None:
        end(pid, int(number))
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
