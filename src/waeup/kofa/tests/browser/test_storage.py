"""The page that moves the storage."""

import os
import shutil
import tempfile
from unittest import mock

from waeup.kofa.spool import StorageMove
from waeup.kofa.tests.browser.test_administration import ADDRESS, AdministrationTestCase
from waeup.kofa.tests.functional import FunctionalLayer


class StorageTest(AdministrationTestCase):
    """Below a root that the operator has allowed."""

    def setUp(self):
        super().setUp()
        self.root = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.said(storage_roots=(self.root,))
        self.target = os.path.join(self.root, "center")
        self.old = str(self.storage)
        self.store("a.csv")

    def show(self):
        self.open("datacenter/manage")

    def enter(self, path, **boxes):
        self.show()
        self.control("newpath").value = path
        for name, is_checked in boxes.items():
            self.control(name).value = ["yes"] if is_checked else []
        self.press("save")

    def test_without_roots_the_operator_does_it(self):
        self.said(storage_roots=())
        self.show()
        self.assertIn("kofactl storage PATH --move", self.browser.contents)
        self.assertNotIn('name="newpath"', self.browser.contents)

    def test_the_way_there(self):
        self.open("administration")
        self.browser.getLink("Storage").click()
        self.assertIn("Edit data center settings", self.browser.contents)
        self.assertIn('aria-current="page"', self.browser.contents)

    def test_a_move(self):
        self.enter(self.target)
        self.assertIn("The storage is moved", self.browser.contents)
        self.assertIn("Files so far", self.browser.contents)
        self.open("datacenter/runs")
        self.assertIn("Move of the storage", self.browser.contents)
        self.open("datacenter")
        self.assertIn("the storage", self.browser.contents)
        FunctionalLayer.work_off_runs()
        self.show()
        self.assertIn("New storage path successfully set", self.browser.contents)
        self.assertIn(self.target, self.browser.contents)
        self.assertIn("a.csv", os.listdir(self.target))
        self.open("datacenter")
        self.assertIn("a.csv", self.browser.contents)
        self.open("datacenter/runs")
        self.browser.getLink("the storage").click()
        self.assertTrue(self.browser.url.endswith("/manage"))

    def test_the_former_storage_goes_after_a_confirmation(self):
        self.enter(self.target)
        FunctionalLayer.work_off_runs()
        self.show()
        self.press("ask_remove")
        self.assertIn("Are you sure?", self.browser.contents)
        self.assertTrue(os.path.exists(os.path.join(self.old, "a.csv")))
        self.press("remove")
        self.assertIn("was removed.", self.browser.contents)
        self.assertFalse(os.path.exists(os.path.join(self.old, "a.csv")))
        self.assertTrue(os.path.exists(os.path.join(self.target, "a.csv")))
        self.browser.post(self.browser.url, "remove=/etc")
        self.assertTrue(os.path.exists("/etc"))

    def test_what_would_be_replaced_is_asked_for(self):
        os.mkdir(self.target)
        with open(os.path.join(self.target, "a.csv"), "w") as stream:
            stream.write("mine")
        self.enter(self.target, overwrite=True)
        self.assertIn("Nothing was done yet.", self.browser.contents)
        self.press("confirm")
        FunctionalLayer.work_off_runs()
        self.show()
        self.assertIn("New storage path successfully set", self.browser.contents)
        with open(os.path.join(self.target, "a.csv")) as stream:
            self.assertNotEqual(stream.read(), "mine")

    def test_what_was_left_alone_is_told(self):
        os.mkdir(self.target)
        with open(os.path.join(self.target, "a.csv"), "w") as stream:
            stream.write("mine")
        self.enter(self.target)
        self.assertIn("This will be left alone there", self.browser.contents)
        self.press("confirm")
        FunctionalLayer.work_off_runs()
        self.show()
        self.assertIn("were not copied", self.browser.contents)

    def test_another_place_without_a_move(self):
        self.enter(self.target, move=False)
        self.assertIn("New storage path successfully set.", self.browser.contents)
        self.assertNotIn("a.csv", os.listdir(self.target))
        self.assertEqual(str(self.storage), self.target)

    def test_places_that_cannot_be(self):
        for path in ("/", "/etc", f"{self.root}/../x", "center", self.old, self.root):
            self.enter(path)
            self.assertIn("Given storage path cannot be used.", self.browser.contents, path)
            self.assertIn(f'value="{path}"', self.browser.contents)
            self.assertTrue(self.browser.headers["status"].startswith("400"), path)

    def test_a_move_that_stops_goes_on(self):
        self.enter(self.target)
        fault = mock.patch.object(StorageMove, "place", side_effect=OSError(28, "full"))
        with fault, self.assertLogs("waeup.kofa.jobs.worker"):
            FunctionalLayer.work_off_runs()
        self.show()
        self.assertIn("The move has stopped.", self.browser.contents)
        self.press("resume")
        FunctionalLayer.work_off_runs()
        self.show()
        self.assertIn("New storage path successfully set", self.browser.contents)

    def test_a_move_is_cancelled(self):
        self.enter(self.target)
        self.press("cancelrun")
        self.assertIn("The move was cancelled; nothing was changed.", self.browser.contents)

    def test_who_may_not(self):
        browser = self.log_in("waeup.ImportManager", name="carl")
        browser.open(ADDRESS + "datacenter/manage")
        self.assertTrue(browser.headers["status"].startswith("403"))
        self.enter(self.target)
        browser.open(ADDRESS + "datacenter/runs")
        self.assertNotIn("Move of the storage", browser.contents)
