"""``kofactl``: the data center from the command line, a thin door over `waeup.kofa.operations`.

Each command opens the portal (`session`), calls one operation, and shows what it returned
(`screen`).  `program` has the commands, and decides what the end of one means to the caller.
"""

import sys
from collections.abc import Sequence

from waeup.kofa.cli.codes import INTERRUPTED

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``kofactl`` with the arguments `argv` (default: the process's) and return its exit code.

    A person is told in one line what is wrong; a traceback goes to ``log/kofactl.log`` of the
    instance.  Nothing else is loaded before, so that Ctrl-C is quiet from here on.
    """
    try:
        from waeup.kofa.cli.program import run_program

        return run_program(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        return INTERRUPTED
