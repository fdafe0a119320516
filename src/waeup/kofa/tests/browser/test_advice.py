"""Rows that failed for the mode of their import: another mode is proposed, and one click away."""

from unittest import mock

from waeup.kofa.tests.browser.test_runs import RunsTestCase
from waeup.kofa.university.processors import FacultyProcessor

TABLE = "code,title\nSCI,Sciences\nLAW,Laws\nF 1,One\n"
THERE = "Objects of some rows are there already."
MISSING = "Objects of some rows are not there."


class AdviceTest(RunsTestCase):
    """The proposal after a check, and after an import."""

    def setUp(self) -> None:
        super().setUp()
        self.create("code,title\nLAW,Law\n")
        self.assertNotIn("Objects of some rows", self.page)

    def titles(self) -> dict[str, str]:
        """Return the titles of all faculties."""
        self.site._p_jar.sync()
        return {code: faculty.title for code, faculty in self.site["faculties"].items()}

    def test_a_check_goes_on_in_the_other_mode(self) -> None:
        self.check(TABLE)
        self.assertIn("Would be created 1 Would fail 2", self.plain())
        self.assertIn(f"{THERE} The mode “Create or update” changes these", self.plain())
        self.browser.getControl("Check in the mode “Create or update”").click()
        self.work_off()
        self.assertIn("Would be created 1 Would be updated 1 Would fail 1", self.plain())
        self.assertNotIn(THERE, self.page)
        self.browser.getControl("Import: create 1, change 1; rows that will fail: 1").click()
        self.work_off()
        self.assertEqual(self.titles(), {"SCI": "Sciences", "LAW": "Laws"})

    def test_rows_that_came_back_are_checked_in_the_other_mode(self) -> None:
        self.order(TABLE, "list2.csv")
        self.work_off()
        self.assertIn("Processing of 2 rows failed.", self.page)
        self.browser.getControl("Check in the mode “Create or update”").click()
        self.assertIn("/import4?draft=", self.browser.url)
        self.work_off()
        self.assertIn("Would be updated 1 Would fail 1", self.plain())
        self.browser.getControl("Import: change 1; rows that will fail: 1").click()
        self.work_off()
        self.assertEqual(self.titles(), {"SCI": "Sciences", "LAW": "Laws"})

    def test_who_goes_back_to_step_2_still_has_the_other_mode(self) -> None:
        self.order(TABLE, "list2.csv")
        self.work_off()
        self.browser.getControl("Check in the mode “Create or update”").click()
        self.work_off()
        for button in ("back3", "back2"):
            self.press(button)
        self.assertIn("/import2?draft=", self.browser.url)
        mode = self.browser.getControl(name="mode")
        self.assertEqual(mode.value, ["upsert"])
        self.assertEqual([radio.disabled for radio in mode.controls], [False, True, False, True])
        self.press("proceed")
        self.assertIn("Create or update", self.page)
        self.press("back2")
        self.assertEqual(self.browser.getControl(name="mode").value, ["upsert"])

    def test_objects_that_are_missing_are_made(self) -> None:
        self.check("code,title\nSCI,Sciences\n", mode="update")
        self.assertIn("Cannot update: no such entry", self.page)
        self.assertIn(f"{MISSING} The mode “Create or update” makes these", self.plain())
        self.browser.getControl("Check in the mode “Create or update”").click()
        self.work_off()
        self.assertIn("Would be created 1", self.plain())

    def test_only_modes_of_the_kind_are_proposed(self) -> None:
        for known, proposed in (
            (("create", "update", "remove"), "The mode “Update” changes these."),
            (("create", "remove"), None),
        ):
            with mock.patch.object(FacultyProcessor, "modes", known):
                self.check(TABLE)
                self.assertEqual(THERE in self.page, proposed is not None)
                self.assertIn(proposed or "Would fail 2", self.plain())
            (self.storage / "list.csv").unlink()

    def test_who_comes_too_late_is_told(self) -> None:
        self.order(TABLE, "list2.csv")
        self.work_off()
        (pending,) = self.storage.glob("*.pending.csv")
        pending.unlink()
        self.browser.getControl("Check in the mode “Create or update”").click()
        self.assertIn("The file is not there any more", self.page)
        self.assertIn(f"{THERE} The mode", self.plain())
        self.assertNotIn("Check in the mode", self.page)
