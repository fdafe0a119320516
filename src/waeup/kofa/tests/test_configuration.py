"""The settings of a portal: what is set counts, else what the process says."""

from zope.component import getGlobalSiteManager, getUtility, queryUtility
from zope.interface.verify import verifyClass, verifyObject

from waeup.kofa.configuration import (
    MEGABYTE,
    Configuration,
    IConfiguration,
    configuration_of,
    ensure_configuration,
)
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tabular import Limits
from waeup.kofa.tests.functional import FunctionalTestCase


class ConfigurationTest(FunctionalTestCase):
    """In a portal."""

    def setUp(self):
        super().setUp()
        self.config = self.site["configuration"]
        self.process = getGlobalSiteManager().getUtility(IDataCenterConfig)

    def said(self, **figures):
        """Let the process say something until the end of the test."""
        for name, value in figures.items():
            self.process[name] = value
            self.addCleanup(self.process.pop, name, None)

    def test_it_keeps_its_interface(self):
        verifyClass(IConfiguration, Configuration)
        verifyObject(IConfiguration, self.config)

    def test_it_is_the_site_s_own(self):
        self.assertIs(getUtility(IDataCenterConfig), self.config)

    def test_the_path_is_that_of_the_process(self):
        self.assertEqual(self.config["path"], self.process["path"])
        with self.assertRaises(KeyError):
            self.config["no such name"]

    def test_without_settings_the_process_decides(self):
        self.said(undo_days=7)
        self.assertEqual(self.config.get("undo_days", 30), 7)
        self.assertEqual(self.config.get("run_days", 365), 365)

    def test_what_is_set_counts(self):
        self.said(undo_days=7)
        self.config.undo_days = 0
        self.assertEqual(self.config.get("undo_days", 30), 0)

    def test_limits_of_the_machine_cannot_be_raised(self):
        self.said(upload_limit=10 * MEGABYTE, limits=Limits(rows=100))
        self.config.upload_megabytes, self.config.rows = 20, 1000
        self.assertEqual(self.config.get("upload_limit"), 10 * MEGABYTE)
        self.assertEqual(self.config.get("limits"), Limits(rows=100))
        self.config.upload_megabytes, self.config.rows = 5, 50
        self.assertEqual(self.config.get("upload_limit"), 5 * MEGABYTE)
        self.assertEqual(self.config.get("limits"), Limits(rows=50))

    def test_a_share_is_set_in_percent(self):
        self.config.remove_percent = 25.0
        self.assertEqual(self.config.get("remove_share", 0.1), 0.25)

    def test_attributes_that_are_no_figures_are_not_told(self):
        self.assertIsNone(self.config.get("maintmode_enabled_by"))
        self.assertIsNone(self.config.get("__dict__"))

    def test_the_portal_has_its_name(self):
        self.config.title, self.config.acronym = "Sokoto State", "SSU"
        self.assertEqual((self.site.title, self.site.acronym), ("Sokoto State", "SSU"))

    def test_a_portal_of_before_gets_one(self):
        self.site.getSiteManager().unregisterUtility(self.config, IDataCenterConfig)
        del self.site["configuration"]
        self.assertEqual(configuration_of(self.site).title, "WAeUP.Kofa")
        self.assertIs(queryUtility(IDataCenterConfig), self.process)
        made = ensure_configuration(self.site)
        self.assertIs(ensure_configuration(self.site), made)
        self.assertIs(getUtility(IDataCenterConfig), made)
        made.undo_days = 3
        self.assertEqual(queryUtility(IDataCenterConfig).get("undo_days"), 3)
