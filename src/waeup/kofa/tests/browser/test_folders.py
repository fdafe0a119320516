"""The pages of the folders: files are seen, come back, and are purged."""

import io
import os
import zipfile

import transaction

from waeup.kofa.browser.downloads import ZIPPED
from waeup.kofa.operations.folders import PURGED_AT_ONCE
from waeup.kofa.tests.browser.exhibition import acting_as, done
from waeup.kofa.tests.browser.test_datacenter import INDEX, PagesTestCase
from waeup.kofa.tests.functional import FunctionalLayer

FINISHED = "a.create.finished.csv"


class Folders(PagesTestCase):
    """An officer who may import looks after old files."""

    def setUp(self) -> None:
        self.browser = self.log_in("waeup.PortalManager")

    def delete(self) -> None:
        """Delete a pending file."""
        self.store("list.csv")
        self.browser.open(f"{INDEX}?remove=list.csv")
        self.browser.getControl("Delete these files").click()

    def test_the_address_of_1_9_leads_to_the_finished_files(self) -> None:
        self.store(f"finished/{FINISHED}")
        self.browser.open(f"{INDEX}/processed")
        self.assertIn("folder=finished", self.browser.url)
        self.assertIn("Processed Files", self.page)
        self.assertIn(FINISHED, self.page)
        self.assertIn("kept for good", self.page)
        self.assertIn("Is kept until somebody purges it.", self.page)

    def test_a_deletion_can_be_undone_at_once(self) -> None:
        self.delete()
        self.assertNotIn("list.csv", self.names())
        self.browser.getControl("Undo the deletion").click()
        self.assertIn("Restored: list.csv", self.page)
        self.assertIn("list.csv", self.names())

    def test_a_deleted_file_is_restored_after_a_word_of_what_will_be(self) -> None:
        self.delete()
        self.browser.open(f"{INDEX}/files?folder=deleted")
        self.assertIn(">list.csv</a>", self.page)
        self.browser.getLink("Restore").click()
        self.assertIn("It comes back to the files that wait", self.page)
        self.browser.getControl("Restore").click()
        self.assertIn("list.csv", self.names())

    def test_a_purge_names_number_and_size_before(self) -> None:
        self.store(f"finished/{FINISHED}")
        self.browser.open(f"{INDEX}/files?folder=finished")
        self.browser.getControl(name="val_id").getControl(value=FINISHED).selected = True
        self.browser.getControl("Purge selected").click()
        self.assertIn("gone for good", self.page)
        self.browser.getControl("Purge these files").click()
        self.assertIn(f"Purged for good: {FINISHED}", self.page)
        self.assertEqual(list((self.storage / "finished").iterdir()), [])

    def test_all_old_files_are_asked_about(self) -> None:
        self.store(f"finished/{FINISHED}")
        self.browser.open(f"{INDEX}/files?folder=finished")
        self.browser.getControl(name="days").value = "90"
        self.browser.getControl("Purge old files").click()
        self.assertIn("No file here is older", self.page)
        self.browser.getControl(name="days").value = "0"
        self.browser.getControl("Purge old files").click()
        self.assertIn("Are you sure?", self.page)

    def test_who_may_not_import_is_offered_no_purge(self) -> None:
        self.store(f"finished/{FINISHED}")
        browser = self.log_in("waeup.DataCenterManager", name="clerk")
        browser.open(f"{INDEX}/files?folder=finished")
        self.assertIn(FINISHED, browser.contents)
        self.assertNotIn("Purge", browser.contents)

    def test_folders_without_files_say_so(self) -> None:
        for folder in ("finished", "unfinished", "deleted", "graduated"):
            self.browser.open(f"{INDEX}/files?folder={folder}")
            self.assertIn("There are no files here.", self.page)

    def test_thousands_of_old_files_are_purged_in_turns(self) -> None:
        for number in range(PURGED_AT_ONCE + 2):
            name = f"finished/{number}.create.finished.csv"
            self.store(name)
            os.utime(self.storage / name, (number, number))
        self.store(f"finished/{FINISHED}")
        self.browser.open(f"{INDEX}/files?folder=finished")
        self.browser.getControl(name="days").value = "30"
        self.browser.getControl("Purge old files").click()
        self.assertLess(len(self.browser.url), 200)
        self.assertIn("You will be asked about the rest", self.page)
        self.browser.getControl("Purge these files").click()
        self.assertIn("Are you sure?", self.page)
        self.assertIn(f"<code>{PURGED_AT_ONCE + 1}.create", self.page)
        self.browser.getControl("Purge these files").click()
        self.assertNotIn("Are you sure?", self.page)
        self.assertEqual([p.name for p in (self.storage / "finished").iterdir()], [FINISHED])

    def test_several_files_come_as_one_zip(self) -> None:
        self.store("finished/a.csv", "code\nA\n")
        self.store("finished/b.create.finished.csv", "code\nÄ\n")
        self.store("finished/c.csv")
        self.browser.open(f"{INDEX}/files?folder=finished")
        self.browser.getControl(name="val_id").value = ["a.csv", "b.create.finished.csv"]
        self.browser.getControl("Download selected").click()
        self.assertRegex(self.browser.headers["Content-Disposition"], r'"kofa_[\d-]+\.zip"')
        self.assertEqual(self.browser.headers["Content-Type"], "application/zip")
        with zipfile.ZipFile(io.BytesIO(self.browser._response.body)) as archive:
            self.assertIsNone(archive.testzip())
            found = {name: archive.read(name).decode() for name in archive.namelist()}
        expected = {
            "finished/a.csv": "code\nA\n",
            # As when it is fetched alone: with a mark that Excel needs.
            "finished/b.create.finished.csv": "\ufeffcode\nÄ\n",
        }
        self.assertEqual(found, expected)
        log = (self.storage / "logs" / "datacenter.log").read_text()
        for name in expected:
            self.assertEqual(log.count(f"downloaded: {name}"), 1, log)

    def test_a_single_file_comes_as_it_is_and_none_is_told(self) -> None:
        self.store("finished/a.csv", "code\nA\n")
        self.browser.open(f"{INDEX}/files?folder=finished")
        self.browser.open(f"{INDEX}/files?folder=finished&q=a.&sort=name")
        self.browser.getControl("Download selected").click()
        self.assertIn("No item selected.", self.page)
        self.assertEqual(self.browser.getControl(name="q", index=0).value, "a.")
        self.assertEqual(self.browser.getControl(name="sort", index=0).value, ["name"])
        self.browser.getControl(name="val_id").value = ["a.csv"]
        self.browser.getControl("Download selected").click()
        self.assertEqual(self.page, "code\nA\n")

    def test_a_zip_holds_no_file_that_the_person_may_not_see(self) -> None:
        self.store("finished/a.csv", "code\nA\n")
        self.store("finished/users.csv", "name,password\nann,x\n")
        browser = self.log_in("waeup.DataCenterManager", name="clerk")
        browser.raiseHttpErrors = False
        for name in ("finished/users.csv", "../etc/passwd", "finished/../x.csv", "logs/main.log"):
            with self.subTest(name):
                browser.open(f"{INDEX}/download?filename=finished/a.csv&filename={name}")
                self.assertFalse(browser.contents.startswith("PK"))
                self.assertNotIn("Content-Disposition", browser.headers)

    def test_a_zip_is_bounded(self) -> None:
        names = "&".join(f"filename=finished/{number}.csv" for number in range(ZIPPED + 1))
        self.browser.raiseHttpErrors = False
        self.browser.open(f"{INDEX}/download?{names}")
        self.assertIn("Choose fewer", self.page)

    def test_each_file_of_an_import_leads_to_it_and_to_no_other(self) -> None:
        run = done("list.csv", "code,title\nNEW,New\n", "officer")
        self.browser.open(f"{INDEX}/files?folder=finished")
        self.assertEqual(self.page.count(f"run?id={run}"), 2)
        transaction.begin()
        datacenter = FunctionalLayer.getRootFolder()["app"]["datacenter"]
        datacenter.runs.drop(datacenter.runs.get(run))
        transaction.commit()
        self.browser.open(f"{INDEX}/files?folder=finished")
        self.assertNotIn(f"run?id={run}", self.page)

    def test_the_table_is_sorted_by_its_heads(self) -> None:
        self.store("finished/a.csv", "code\nAAAA\n")
        self.store("finished/b.csv", "code\nA\n")
        self.browser.open(f"{INDEX}/files?folder=finished")
        for head, first in (("name", "a.csv"), ("-name", "b.csv"), ("size", "b.csv")):
            self.browser.getLink(url=f"sort={head}").click()
            row = self.page.split("<tbody>")[1]
            other = {"a.csv": "b.csv", "b.csv": "a.csv"}[first]
            self.assertLess(row.index(f">{first}<"), row.index(f">{other}<"), head)

    def test_what_an_undo_has_done_leads_to_the_import(self) -> None:
        run = done("list.csv", "code,title\nNEW,New\n", "officer")
        with acting_as("officer") as operations:
            operations.start_undo(run)
            transaction.commit()
        FunctionalLayer.work_off_runs()
        self.browser.open(f"{INDEX}/files?folder=finished")
        self.assertIn("What the undo of an import has done", self.page)
        self.assertEqual(self.page.count(f"run?id={run}"), 3)
