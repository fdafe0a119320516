"""The history of objects in the browser: search, time line, and the way back."""

from unittest import mock
from urllib.parse import urlencode

import transaction
from zope.component import createObject

from waeup.kofa.browser.runs.history import ENTRIES, ROWS
from waeup.kofa.importing import confirming
from waeup.kofa.tests.browser.test_importing import CENTER
from waeup.kofa.tests.browser.test_runs import RunsTestCase
from waeup.kofa.tests.functional import FunctionalLayer

EVIL = "<img src=x onerror=alert(1)>"


class HistoryTest(RunsTestCase):
    """An import manager who asks where objects come from."""

    def imported(self, content: str, name: str, mode: str = "update") -> None:
        """Import faculties."""
        self.store(name, content)
        self.go_to_step(4, mode=mode)
        self.press("perform")
        self.work_off()

    def ask(self, **data: str) -> None:
        """Ask for the history of an object."""
        self.browser.open(f"{CENTER}/history?{urlencode(data)}")

    def test_nothing_is_asked_for(self) -> None:
        self.browser.open(f"{CENTER}/history")
        self.assertIn("Which import has created an object", self.plain())
        self.assertIn("Faculty Processor (by code)", self.plain())
        self.assertIn('aria-current="page">History', self.page)

    def test_from_a_key_to_the_rows_and_back(self) -> None:
        self.create("code,title\nSCI,Sciences\nART,Arts\n")
        self.imported("code,title\nLAW,Law\nSCI,Science\n", "b.csv", "upsert")
        self.browser.open(f"{CENTER}/history")
        self.browser.getControl(name="kind").value = ["facultyprocessor"]
        self.browser.getControl(name="key").value = " SCI "
        self.browser.getControl("Show the history").click()
        text = self.plain()
        self.assertRegex(
            text,
            r"SCI Faculty Processor Changed \S+ \S+.* File b\.csv Row 2 Officer \w+ Finished rows "
            r"finished/b\.upsert\.finished\.csv Fields that were changed Field Before After title "
            r"Sciences Science Created ",
        )
        self.assertIn("code no value SCI title no value Sciences", text)
        self.browser.getLink("2", index=0).click()
        self.assertIn("/rows?id=", self.browser.url)
        self.assertTrue(self.browser.url.endswith("#row-2"))
        self.assertIn("2 SCI Changed title: Sciences → Science", self.plain())
        self.assertNotIn("LAW", self.plain())
        self.browser.getLink("Earlier rows").click()
        self.assertIn("1 LAW Created", self.plain())
        self.browser.getLink("LAW").click()
        self.assertRegex(self.plain(), "LAW Faculty Processor Created")
        self.browser.getLink("b.csv").click()
        self.assertIn("/run?id=", self.browser.url)
        self.browser.getLink("What each row did").click()
        self.assertIn("1 LAW Created", self.plain())
        self.browser.getLink("Back to the run").click()
        self.assertIn("/run?id=", self.browser.url)

    def test_texts_of_objects_are_shown_as_text(self) -> None:
        self.create(f'code,title\nSCI,"{EVIL}"\n')
        self.ask(kind="facultyprocessor", key="SCI")
        self.assertNotIn(EVIL, self.page)
        self.assertIn("&lt;img src=x", self.page)
        self.ask(kind="facultyprocessor", key=EVIL)
        self.assertNotIn(EVIL, self.page)
        self.assertEqual(self.browser.headers["Status"][:3], "404")

    def test_what_is_not_there(self) -> None:
        self.browser.handleErrors = True
        self.browser.raiseHttpErrors = False
        for data in (
            {"kind": "facultyprocessor", "key": "NO"},
            {"kind": "nothing", "key": "NO"},
            {"run": "nothing", "row": "1"},
            {"kind": "", "key": "x"},
        ):
            with self.subTest(data):
                self.ask(**data)
                self.assertEqual(self.browser.headers["Status"][:3], "404")
                self.assertIn("Show the history", self.page)
        self.browser.open(f"{CENTER}/rows?id=nothing")
        self.assertEqual(self.browser.headers["Status"][:3], "404")

    def test_a_kind_that_is_not_for_the_person(self) -> None:
        self.browser.raiseHttpErrors = False
        self.ask(kind="userprocessor", key="anna")
        self.assertEqual(self.browser.headers["Status"][:3], "403")
        self.browser.open(f"{CENTER}/history")
        self.assertNotIn("User Processor", self.page)

    def test_somebody_who_may_only_bring_files(self) -> None:
        self.browser = self.log_in("waeup.DataCenterManager", name="bringer")
        self.browser.open(f"{CENTER}/history")
        self.assertIn("there is no history for you to see", self.plain())
        self.assertNotIn("Show the history", self.page)
        self.browser.raiseHttpErrors = False
        self.ask(kind="faculties", key="SCI")
        self.assertEqual(self.browser.headers["Status"][:3], "403")

    def test_a_change_by_hand_an_undo_and_a_removal(self) -> None:
        self.create("code,title\nSCI,Sciences\nART,Arts\n")
        self.site["faculties"]["SCI"].title = "By hand"
        transaction.commit()
        self.ask(kind="faculties", key="SCI")
        self.assertIn("Changed by other means", self.plain())
        self.assertIn("Other values that it had then are not known any more", self.plain())
        self.imported("code,title\nART,New\n", "b.csv")
        self.press("preview_undo")
        self.work_off()
        self.press("undo")
        self.work_off()
        self.ask(kind="faculties", key="ART")
        text = self.plain()
        self.assertRegex(text, "Changed back .*what that row had changed is as it was before")
        self.assertIn("This was taken back later, thus its values are not kept.", text)
        self.imported("code\nART\n", "c.csv", "remove")
        self.ask(kind="faculties", key="ART")
        self.assertRegex(self.plain(), "ART Removed Faculty Processor Removed ")
        self.assertNotIn("It was there before that", self.plain())
        self.site["faculties"].addFaculty(createObject("waeup.Faculty", "OLD", "Old"))
        transaction.commit()
        self.ask(kind="faculties", key="OLD")
        self.assertIn("No import is known to have changed this object", self.plain())
        self.imported("code,title\nOLD,New\n", "d.csv")
        self.ask(kind="faculties", key="OLD")
        self.assertIn("It was there before that. How it came to be is not known.", self.plain())

    def test_pages_of_entries_and_of_rows(self) -> None:
        number = 2 * ROWS + 5
        rows = "".join(f"SCI,Title {n}\n" for n in range(1, number))
        self.create("code,title\nSCI,Sciences\n")
        with mock.patch.object(confirming, "FEW", number):
            self.imported("code,title\n" + rows, "b.csv", "upsert")
        self.ask(kind="faculties", key="SCI")
        self.assertIn("Page 1 of 5: 1 to 20 of 100", self.plain())
        self.assertIn("there were others, which are not kept any more", self.plain())
        self.browser.getLink("Next page").click()
        self.assertEqual(self.page.count('<li class="card">'), ENTRIES)
        self.assertIn("Page 2 of 5", self.plain())
        self.ask(kind="faculties", key="SCI", page="99")
        self.assertIn("Page 5 of 5", self.plain())
        self.assertEqual(self.page.count('<li class="card">'), ENTRIES)
        self.browser.getLink("b.csv").click()
        self.browser.getLink("What each row did").click()
        self.assertEqual(self.page.count('id="row-'), ROWS)
        self.browser.getLink("Further rows").click()
        self.assertIn('id="row-51"', self.page)
        self.browser.getControl(name="row").value = "99"
        self.browser.getControl("Show").click()
        self.assertIn('id="row-104"', self.page)
        self.assertEqual(self.page.count('id="row-'), 6)

    def test_several_objects_of_one_key(self) -> None:
        FunctionalLayer.add_user("boss", "waeup.PortalManager")
        self.create("code,title\nSCI,Sciences\nART,Arts\n")
        for code in ("SCI", "ART"):
            self.store(f"{code}.csv", f"faculty_code,code,title\n{code},DEP,Department\n")
            self.go_to_step(4, "departmentprocessor")
            self.press("perform")
            self.work_off()
        self.ask(kind="departments", key="DEP")
        self.assertIn("ART / DEP SCI / DEP", self.plain())
        self.browser.getLink("SCI / DEP").click()
        self.assertIn("File SCI.csv", self.plain())
