"""A small shell: runs ``kofactl`` for tests and for the manual, here or as a process."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import NamedTuple

import transaction
from click.testing import CliRunner
from zope.testing.cleanup import cleanUp

from waeup.kofa.cli import main
from waeup.kofa.cli.session import load_configuration
from waeup.kofa.tests.waiting import bounded

KOFACTL = (sys.executable, "-W", "error", "-m", "waeup.kofa.cli")


class Answer(NamedTuple):
    """What a command wrote, and the exit code with which it ended."""

    code: int
    out: str
    err: str


def kofactl(*arguments: str, stdin: str = "") -> Answer:
    """Run ``kofactl`` in this process."""
    with CliRunner().isolation(input=stdin) as (out, err, _):
        code = main(arguments)
        sys.stderr.flush()
        return Answer(code, out.getvalue().decode(), err.getvalue().decode())


def shell(line: str, stdin: str = "") -> None:
    """Run a command line that begins with ``kofactl``; print as a terminal shows it.

    An exit code other than 0 is told in brackets.
    """
    program, *arguments = shlex.split(line)
    assert program == "kofactl"
    answer = kofactl(*arguments, stdin=stdin)
    print(answer.out + answer.err, end="")
    if answer.code:
        print(f"[exit code {answer.code}]")


def newest_run() -> str:
    """Return the id of the run that was ordered last."""
    found = json.loads(kofactl("runs", "--limit", "1", "--json").out)
    return str(found[0]["id"])


def environment() -> dict[str, str]:
    """Return the environment of a process that can import what this one can.

    Under buildout the interpreter alone knows no package.
    """
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def process(*arguments: str, stdin: str = "") -> Answer:
    """Run ``kofactl`` as a process of its own."""
    done = subprocess.run(
        [*KOFACTL, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        env=environment(),
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@contextmanager
def running(*arguments: str, program: Sequence[str] = KOFACTL) -> Iterator["Portal"]:
    """Run ``kofactl run`` beside the test until the block ends; gives the portal."""
    command = [*program, "run", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    ) as server:
        try:
            with bounded(server):
                portal = Portal(server)
            yield portal
        finally:
            if server.poll() is None:
                server.kill()


class Portal:
    """A portal in another process.  `said` are the lines that it wrote until it answered."""

    def __init__(self, server: "subprocess.Popen[str]") -> None:
        self.server = server
        self.said: list[str] = []
        assert server.stdout is not None
        for line in server.stdout:
            self.said.append(line.rstrip("\n"))
            if line.startswith("The portal answers on "):
                self.url = line.split()[4]
                return
        raise AssertionError("the portal did not start: " + "\n".join(self.said))

    def stop(self, signal: int) -> tuple[int, str]:
        """Send a signal; return the exit code and what was written since the start."""
        self.server.send_signal(signal)
        rest, _ = self.server.communicate(timeout=30)
        return self.server.returncode, rest


class CommandLayer:
    """The components of a portal as ``kofactl`` loads them; each test has a new directory."""

    _undo: ExitStack

    @classmethod
    def setUp(cls) -> None:
        """Load the components."""
        cleanUp()
        load_configuration()

    @classmethod
    def tearDown(cls) -> None:
        """Forget them."""
        cleanUp()

    @classmethod
    def testSetUp(cls) -> None:
        """Work in a new directory."""
        with ExitStack() as undo:
            undo.callback(transaction.abort)
            work = undo.enter_context(TemporaryDirectory(prefix="kofactl"))
            undo.callback(os.chdir, os.getcwd())
            os.chdir(work)
            cls._undo = undo.pop_all()

    @classmethod
    def testTearDown(cls) -> None:
        """Leave the directory and remove it."""
        cls._undo.close()


class PortalLayer(CommandLayer):
    """Each test has a new portal in ``var`` below its directory, and nobody runs it.

    What a layer does not define, the runner would take from `CommandLayer` a second time.
    """

    @classmethod
    def setUp(cls) -> None:
        """Nothing more."""

    @classmethod
    def tearDown(cls) -> None:
        """Nothing more."""

    @classmethod
    def testSetUp(cls) -> None:
        """Make the portal."""
        answer = kofactl("run", "--setup-only")
        assert answer.code == 0, answer

    @classmethod
    def testTearDown(cls) -> None:
        """Nothing more."""
