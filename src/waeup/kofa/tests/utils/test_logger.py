"""The import path of Kofa 1.9 for components with a log file."""

import unittest
from types import SimpleNamespace

from zope.component import getUtility
from zope.interface.verify import verifyObject

from waeup.kofa import interfaces, logger
from waeup.kofa.testing import KofaUnitTestLayer
from waeup.kofa.utils.logger import ILogger, ILoggerCollector, Logger


class ImportPathTests(unittest.TestCase):
    def test_names_of_1_9_are_those_of_the_package(self):
        self.assertIs(Logger, logger.Logger)
        self.assertIs(ILogger, interfaces.ILogger)


class LoggerCollectorTests(unittest.TestCase):
    layer = KofaUnitTestLayer

    def test_components_are_known_by_the_names_of_their_sites(self):
        collector = getUtility(ILoggerCollector)
        self.assertTrue(verifyObject(ILoggerCollector, collector))
        site, component = SimpleNamespace(__name__="app"), Logger()
        for _ in range(2):
            collector.registerLogger(site, component)
        self.assertEqual(collector.getLoggers(site), [component])
        for _ in range(2):
            collector.unregisterLogger(site, component)
        self.assertEqual(collector.getLoggers(site), [])

    def test_a_site_without_a_name_has_none(self):
        collector = getUtility(ILoggerCollector)
        collector.registerLogger(SimpleNamespace(__name__=None), Logger())
        self.assertEqual(collector.getLoggers(SimpleNamespace(__name__=None)), [])
        collector.unregisterLogger(SimpleNamespace(__name__=None), Logger())
