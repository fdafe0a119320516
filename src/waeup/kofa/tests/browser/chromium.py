"""A portal on a free port and a headless Chromium that looks at it."""

import os
import shutil
import unittest
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from zope.app.wsgi import WSGIPublisherApplication

from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.serving import answering

#: Width and height of a window that is as new.
SIZE = (780, 580)

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
        try:
            yield window
        finally:
            window.quit()


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
            except WebDriverException:
                cls._stop()
        if cls._window is None:
            cls._window = cls._undo.enter_context(_started())
        return cls._window

    @classmethod
    def _stop(cls) -> None:
        cls._window = None
        cls._undo.close()
