"""A portal on a free port and a headless Chromium that looks at it."""

import os
import shutil
import signal
import unittest
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from urllib3 import Retry
from urllib3.exceptions import HTTPError
from zope.app.wsgi import WSGIPublisherApplication

from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.serving import answering

#: Width and height of a window that is as new.
SIZE = (780, 580)

#: Seconds for a page and for a script, and those after which a browser hangs that does not answer.
SLOW, PATIENCE = 100, 120

#: Set to 1 where a missing browser is a failure, as in continuous integration.
REQUIRE_BROWSER = "KOFA_REQUIRE_BROWSER"

FLAGS = (
    "--headless=new",
    f"--window-size={SIZE[0]},{SIZE[1]}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def served(db: Any) -> Iterator[str]:
    """Serve the portals of the database `db` by waitress; gives the address of the server."""
    with answering(WSGIPublisherApplication(db)) as port:
        yield f"http://127.0.0.1:{port}"


def _require_chromium() -> tuple[str, str]:
    """Return where Chromium and its driver are; skip the test where there are none."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        reason = "chromium or chromedriver is not installed (apt-get install chromium-driver)"
        if os.environ.get(REQUIRE_BROWSER) == "1":
            raise AssertionError(f"{reason}, but {REQUIRE_BROWSER}=1 asks for it")
        raise unittest.SkipTest(reason)
    return browser, driver


@contextmanager
def _started() -> Iterator[Chrome]:
    """Start a fresh, headless Chromium; gives the driver."""
    browser, driver = _require_chromium()
    with TemporaryDirectory(prefix="kofa-chromium-", ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = browser
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        window = Chrome(options, ChromeService(driver))
        connection: Any = window.command_executor
        connection.client_config.timeout = PATIENCE
        # Some commands would be sent four times.
        connection._conn.connection_pool_kw["retries"] = Retry(0)
        window.set_page_load_timeout(SLOW)
        window.set_script_timeout(SLOW)
        try:
            yield window
        finally:
            window.quit()


def _kill(window: Chrome) -> None:
    """Kill a browser that hangs, and its driver."""
    profile = os.fsencode(window.capabilities["chrome"]["userDataDir"])
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # Others of its processes end with the one that has the profile.
        with suppress(OSError):
            if profile in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)
    window.service.process.kill()
    window.service.process.wait()


def _renew(window: Chrome) -> None:
    """Let a Chromium that was used be as a fresh one: a new window, and nothing remembered."""
    former = window.window_handles
    # What is emulated ends with its window.
    window.switch_to.new_window("window")
    new = window.current_window_handle
    for handle in former:
        window.switch_to.window(handle)
        window.close()
    window.switch_to.window(new)
    window.set_window_size(*SIZE)
    window.execute_cdp_cmd("Network.clearBrowserCookies", {})
    window.execute_cdp_cmd("Network.clearBrowserCache", {})
    window.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    window.get_log("browser")


class ChromiumLayer(FunctionalLayer):
    """A new portal for each test, and one Chromium for all of them."""

    _window: ClassVar[Chrome | None] = None
    _undo: ClassVar[ExitStack] = ExitStack()

    @classmethod
    def tearDown(cls) -> None:
        """Stop the browser, too."""
        cls._stop()
        super().tearDown()

    @classmethod
    def window(cls) -> Chrome:
        """Return a window of a browser that remembers nothing; skip the test where there is none.

        One that does not answer any more is started anew.
        """
        if cls._window is not None:
            try:
                _renew(cls._window)
            except (WebDriverException, HTTPError):
                # All tests behind would wait for what hangs, each for minutes.
                _kill(cls._window)
                cls._stop()
        if cls._window is None:
            cls._window = cls._undo.enter_context(_started())
        return cls._window

    @classmethod
    def _stop(cls) -> None:
        cls._window = None
        cls._undo.close()
