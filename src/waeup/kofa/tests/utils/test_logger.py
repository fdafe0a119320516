"""The import path of Kofa 1.9 for components with a log file."""

import unittest

from waeup.kofa import interfaces, logger
from waeup.kofa.utils.logger import ILogger, Logger


class ImportPathTests(unittest.TestCase):
    def test_names_of_1_9_are_those_of_the_package(self) -> None:
        self.assertIs(Logger, logger.Logger)
        self.assertIs(ILogger, interfaces.ILogger)


if __name__ == "__main__":
    unittest.main()
