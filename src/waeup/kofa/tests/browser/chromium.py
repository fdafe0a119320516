"""A portal on a free port and a headless Chromium that looks at it."""

import os
import shutil
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from zope.app.wsgi import WSGIPublisherApplication

from waeup.kofa.tests.serving import answering

#: Set to 1 where a missing browser is a failure, as in continuous integration.
REQUIRE_BROWSER = "KOFA_REQUIRE_BROWSER"

FLAGS = (
    "--headless=new",
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


@contextmanager
def chromium() -> Iterator[Any]:
    """Give a selenium driver of a fresh, headless Chromium; skip the test where there is none."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        reason = "chromium or chromedriver is not installed (apt-get install chromium-driver)"
        if os.environ.get(REQUIRE_BROWSER) == "1":
            raise AssertionError(f"{reason}, but {REQUIRE_BROWSER}=1 asks for it")
        raise unittest.SkipTest(reason)
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

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
