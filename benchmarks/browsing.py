"""A portal in another process, and the pages that it answers, in the browser's place."""

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

__all__ = ["KOFACTL", "logged_in", "served", "session", "set_up"]

#: The command, as another process runs it.
KOFACTL = (sys.executable, "-m", "waeup.kofa.cli")


def set_up(var: Path) -> str:
    """Make a portal; return the password of its administrator."""
    made = subprocess.run(
        [*KOFACTL, "run", "--setup-only", "--var", str(var)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"with the password (\S+)", made.stdout)
    assert found is not None, made.stdout
    return found[1]


@contextmanager
def served(var: Path) -> Iterator[str]:
    """Let a portal run in a process of its own; give its address."""
    server = subprocess.Popen(
        [*KOFACTL, "run", "--port", "0", "--var", str(var)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        lines = (line for line in server.stdout if line.startswith("The portal answers on "))
        yield next(lines).split()[4]
    finally:
        server.terminate()
        server.wait()


def logged_in(url: str, password: str) -> Callable[..., float]:
    """Log in, and return the function that fetches the home page and tells the milliseconds.

    It takes what is asked for in the address, from its question mark on.
    """
    opener = session(url, password)

    def fetch(query: str = "") -> float:
        began = time.perf_counter()
        with opener.open(f"{url}kofa/datacenter{query}") as answer:
            content = answer.read()
            assert b"Log out" in content
        return 1000 * (time.perf_counter() - began)

    return fetch


def session(url: str, password: str) -> urllib.request.OpenerDirector:
    """Log in, and return what opens addresses from then on."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = opener.open(f"{url}kofa/login").read().decode()
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    fields = {"form_token": token[1], "login": "admin", "password": password, "SUBMIT": "1"}
    opener.open(f"{url}kofa/login", urlencode(fields).encode()).read()
    return opener
