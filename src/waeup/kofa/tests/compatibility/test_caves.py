"""A site component for Kofa 1.9: by itself, in the portal, and by the contracts."""

import unittest

import transaction
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility
from zope.component.hooks import setSite

from waeup.kofa.app import University
from waeup.kofa.conversion import Mapping
from waeup.kofa.exporting import Wish
from waeup.kofa.operations import Operations
from waeup.kofa.testing import FunctionalTestCase, KindContract
from waeup.kofa.tests.compatibility.caves.cave import CavesContainer
from waeup.kofa.tests.compatibility.layers import CavesFunctionalLayer, CavesUnitLayer
from waeup.kofa.tests.functional import FunctionalLayer, import_file
from waeup.kofa.users.account import UserAccount

TABLE = (
    "code,title,depth,explored,animals,guide\n"
    "C1,Big,100,1998-07-01#,\"['bat']\",\n"
    "C2,Small,5,,,\n"
    "C3,Small,7,,,\n"
)
COLUMNS = ("code", "title", "depth", "explored", "animals", "guide")


class CaveContract(KindContract, unittest.TestCase):
    """Whoever looks after an old component can let it inherit the contracts."""

    layer = CavesUnitLayer
    processor = "caveprocessor"
    exporter = "caves"
    rows = [
        {"code": "C1", "title": "Big", "depth": "100", "explored": "1998-07-01#", "wet": "yes"},
        {"code": "C2", "title": "Small", "depth": "5", "guide": "ann"},
    ]
    changes = {"depth": "90", "animals": "['bat']", "guide": "ann"}
    wrong = {"depth": "deep", "explored": "soon", "guide": "nobody"}
    key_columns = ("code", "title")

    def fill_site(self, site):
        site["caves"] = CavesContainer()
        site["users"].addUser(UserAccount("ann", "Ann"))


class CavesInThePortal(FunctionalTestCase):
    """The portal checks, imports, takes back, and exports by the hooks of the component."""

    layer = CavesFunctionalLayer

    def setUp(self):
        super().setUp()
        self.site["caves"] = CavesContainer()
        transaction.commit()
        self.store("caves.csv", TABLE)
        self.mapping = Mapping(COLUMNS)

    def operations(self):
        """Return the operations of somebody who may do everything."""
        FunctionalLayer.add_user("otto", "waeup.PortalManager")
        setSite(self.site)
        return Operations(self.site, getUtility(IAuthentication).getPrincipal("otto"))

    def test_import_and_undo(self):
        operations = self.operations()
        info = import_file(operations, "caves.csv", "caveprocessor", "create", self.mapping)
        self.assertEqual((info.report.created, info.report.failed), (2, 1))
        self.assertEqual(info.report.reasons, (("Title exists already.", 1),))
        self.assertEqual(self.site["caves"]["C1"].animals, ["bat"])
        self.assertIn("C1 - updated: code=C1, title=Big", self.log("caves.log"))
        undo = operations.start_undo(info.id)
        transaction.commit()
        FunctionalLayer.work_off_runs()
        self.assertEqual(operations.run(undo.id).report.removed, 2)
        self.assertEqual(list(self.site["caves"]), [])

    def test_check_leaves_no_trace(self):
        operations = self.operations()
        check = operations.start_check("caves.csv", "caveprocessor", "create", self.mapping)
        transaction.commit()
        FunctionalLayer.work_off_runs()
        report = operations.run(check.id).report
        self.assertEqual((report.created, report.failed), (2, 1))
        self.assertEqual(list(self.site["caves"]), [])
        self.assertFalse((self.storage / "logs" / "caves.log").exists())

    def test_export(self):
        operations = self.operations()
        import_file(operations, "caves.csv", "caveprocessor", "create", self.mapping)
        export = operations.start_export(Wish("caves", keys=("C1",)))
        transaction.commit()
        FunctionalLayer.work_off_runs()
        _name, stream = operations.open_export(export.id)
        with stream:
            text = stream.read().decode("utf-8-sig")
        self.assertEqual(
            text.splitlines(),
            [
                "code,title,depth,explored,wet,animals,guide",
                '"C1","Big","100","1998-07-01#","0","[\'bat\']",""',
            ],
        )

    def test_pages_know_it(self):
        browser = FunctionalLayer.log_in("ann", "waeup.ImportManager")
        browser.open("http://localhost/app/processors")
        self.assertIn("Cave Processor", browser.contents)
        browser.open("http://localhost/app/skeleton?name=caveprocessor")
        self.assertMatches("animals,...,guide,title,wet", browser.contents.strip())

    def log(self, name):
        return (self.storage / "logs" / name).read_text(encoding="utf-8")


class OldTests(FunctionalTestCase):
    """A test case in the words of Kofa 1.9."""

    layer = CavesFunctionalLayer

    def setUp(self):
        super().setUp()
        app = University()
        self.getRootFolder()["app"] = app
        setSite(app)
        app["caves"] = CavesContainer()
        self.app = app

    def test_matches(self):
        self.assertMatches("<...CavesContainer object at 0x...>", repr(self.app["caves"]))
        with self.assertRaises(self.failureException):
            self.assertMatches("nothing", "something")
