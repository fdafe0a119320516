"""The settings of a portal: what is set counts, else what the process says."""

import io

from zope.authentication.interfaces import IAuthentication
from zope.component import getGlobalSiteManager, getUtility, queryUtility
from zope.interface.verify import verifyClass, verifyObject
from zope.schema.interfaces import IVocabularyTokenized

from waeup.kofa.configuration import (
    MEGABYTE,
    Configuration,
    IConfiguration,
    IPortalSettings,
    configuration_of,
    ensure_configuration,
)
from waeup.kofa.errors import InvalidSettings, TooLarge
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.operations import Operations
from waeup.kofa.tabular import Limits
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase
from waeup.kofa.usual import UPLOAD_LIMIT


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

    def test_time_zones_are_those_of_the_iana_data_base(self):
        zones = IPortalSettings["time_zone"].vocabulary
        verifyObject(IVocabularyTokenized, zones)
        self.assertIn("Africa/Lagos", zones)
        self.assertNotIn("Africa/Nowhere", zones)
        self.assertEqual(len(list(zones)), len(zones))
        self.assertEqual(zones.getTermByToken("Africa/Lagos").value, "Africa/Lagos")

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

    def test_limits_act(self):
        boss = self.boss()
        self.store("a.csv", "code,title\nA,Arts\nB,Law\n")
        for name, value, wrong in (
            ("rows", 1, "more than 1 rows"),
            ("columns", 1, "has 2 columns, and 1 are allowed"),
            ("upload_megabytes", 1, "more than 1048576 bytes"),
        ):
            content = b"code,title\n" + b"A,Arts\n" * 200_000
            with self.subTest(name):
                setattr(self.config, name, value)
                with self.assertRaisesRegex(TooLarge, wrong):
                    boss.upload("b.csv", io.BytesIO(content))
                setattr(self.config, name, None)

    def test_a_name_is_more_than_blanks(self):
        boss = self.boss()
        for name in ("title", "acronym"):
            for text in ("", " \t", "\u2003", None):
                with self.subTest(name, text=text), self.assertRaises(InvalidSettings) as caught:
                    boss.change_settings("portal", {name: text})
                self.assertEqual(caught.exception.wrong[name], "Please fill in this field.")

    def test_an_acronym_is_no_path(self):
        boss = self.boss()
        for acronym, name in (("../../x y", "xy"), ("É-1", "É-1"), ("//", "Kofa")):
            self.config.acronym = acronym
            self.assertEqual(boss._acronym, name)

    def test_without_a_limit_of_the_process_the_usual_one_counts(self):
        boss, most = self.boss(), UPLOAD_LIMIT // MEGABYTE
        with self.assertRaisesRegex(InvalidSettings, f"{most} at most"):
            boss.change_settings("limits", {"upload_megabytes": most + 1})
        self.assertEqual(boss.upload_limit(), UPLOAD_LIMIT)

    def boss(self):
        """Return the operations of an administrator."""
        FunctionalLayer.add_user("boss", "waeup.PortalManager")
        return Operations(self.site, getUtility(IAuthentication).getPrincipal("boss"))

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
