"""For pages about the HTTP API: a portal that serves, and a shell that knows ``curl``."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from email.message import Message
from functools import cache
from pathlib import Path

from waeup.kofa.tests.cli import shell as kofactl_shell
from waeup.kofa.tests.cli.shell import CommandLayer, Portal, running

#: What a line of the shell calls by ``$NAME``.
VARIABLES: dict[str, str] = {}


class ServedLayer(CommandLayer):
    """Each test has a new portal in ``var`` below its directory, which serves until its end.

    `VARIABLES` has its address as ``PORTAL``, and that of its API as ``API``.
    """

    portal: Portal
    _ends: ExitStack

    @classmethod
    def setUp(cls) -> None:
        """Nothing more."""

    @classmethod
    def tearDown(cls) -> None:
        """Nothing more."""

    @classmethod
    def testSetUp(cls) -> None:
        """Start the portal."""
        with ExitStack() as undo:
            cls.portal = undo.enter_context(running())
            VARIABLES.clear()
            VARIABLES["PORTAL"] = cls.portal.url.rstrip("/")
            VARIABLES["API"] = f"{VARIABLES['PORTAL']}/api/v1"
            cls._ends = undo.pop_all()

    @classmethod
    def testTearDown(cls) -> None:
        """Stop it."""
        with cls._ends:
            cls.portal.stop(signal.SIGTERM)


def shell(line: str) -> None:
    """Run a line that begins with ``kofactl`` or ``curl``; print as a terminal shows it.

    ``$NAME`` stands for what `VARIABLES` has.
    """
    line = re.sub(r"\$([A-Z]+)", lambda found: VARIABLES[found[1]], line)
    if not line.startswith("curl "):
        kofactl_shell.shell(line)
        return
    arguments = shlex.split(line)[1:]
    if has_curl():
        done = subprocess.run(
            ["curl", "-sS", *arguments], capture_output=True, timeout=60, env=dict(os.environ)
        )
        said = done.stdout + done.stderr
    else:
        said = played(arguments)
    print(said.decode().replace("\r\n", "\n"))


@cache
def has_curl() -> bool:
    """Tell whether there is a curl that knows ``--json`` (7.82 and later)."""
    if shutil.which("curl") is None:
        return False
    told = subprocess.run(["curl", "--help", "all"], capture_output=True, timeout=60)
    return b"--json" in told.stdout


def played(arguments: Sequence[str]) -> bytes:
    """Return what ``curl`` would write: of its options those are known that the manual uses."""
    method, data, headers, shows_head = "", None, Message(), False
    output, address = "", ""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "-i":
            shows_head = True
        elif word == "-I":
            method, shows_head = "HEAD", True
        elif word == "-X":
            method = rest.pop(0)
        elif word == "-H":
            name, _, value = rest.pop(0).partition(":")
            headers[name] = value.strip()
        elif word == "-o":
            output = rest.pop(0)
        elif word in ("--json", "--data-binary"):
            text = rest.pop(0)
            data = Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()
            if word == "--json":
                headers["Content-Type"] = "application/json"
        elif word.startswith("-"):
            raise AssertionError(f"the manual plays no curl {word}")
        else:
            address = word
    request = urllib.request.Request(address, data, dict(headers.items()), method=method or None)
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        body = answer.read()
        head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in answer.headers.items()
        )
    if output:
        Path(output).write_bytes(body)
        body = b""
    return f"{head}\r\n".encode() + body if shows_head else body
