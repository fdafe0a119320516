"""The pages of the folders: files are seen, come back, and are purged."""

from waeup.kofa.tests.browser.test_datacenter import INDEX, PagesTestCase

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

    def test_a_deletion_can_be_undone_at_once(self) -> None:
        self.delete()
        self.assertNotIn("list.csv", self.names())
        self.browser.getControl("Undo").click()
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
