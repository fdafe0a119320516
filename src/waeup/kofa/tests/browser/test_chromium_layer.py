"""The browser that all tests in Chromium share."""

import os
import signal
import unittest
from typing import Any

from waeup.kofa.tests.browser.chromium import ChromiumLayer


class SharedTest(unittest.TestCase):
    """One test must not spoil it for all others."""

    layer = ChromiumLayer

    def test_one_that_hangs_is_killed_and_started_anew(self) -> None:
        former = ChromiumLayer.window()
        former.get("data:text/html,former")
        driver, connection = former.service.process, former.command_executor
        assert not isinstance(connection, str)
        connection.client_config.timeout = 2
        os.kill(driver.pid, signal.SIGSTOP)
        window: Any = ChromiumLayer.window()
        self.assertEqual(driver.returncode, -signal.SIGKILL)
        window.get("data:text/html,new")
        self.assertEqual(window.find_element("tag name", "body").text, "new")
        self.assertIs(ChromiumLayer.window(), window)
