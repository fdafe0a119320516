"""What only a real browser shows of histories: the walk from an object to the row and back."""

import transaction
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from waeup.kofa.conversion import Mapping
from waeup.kofa.tests.browser.exhibition import PROCESSOR, acting_as, done, put
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase
from waeup.kofa.tests.functional import FunctionalLayer

LONG = "Sciences of Everything between Heaven and Earth, and of Everything-else-that-there-may-be"


def update(name: str, text: str) -> str:
    """Import titles of faculties that are there; return the id of the run."""
    stored = put(name, text)
    with acting_as("officer") as operations:
        columns = Mapping(("code", "title", "officer_1"))
        id = operations.start_import(stored, PROCESSOR, "update", columns).id
        transaction.commit()
    FunctionalLayer.work_off_runs()
    return id


class HistoryTest(ChromiumTestCase):
    """A faculty that was made, changed by rows and by hand, changed back, and removed."""

    def setUp(self) -> None:
        super().setUp()
        done("faculties.csv", "code,title\nART,Arts\nSCI,Sciences\nLAW,Law\n")
        undone = update("again.csv", "code,title,officer_1\nART,Fine arts,bob\nSCI,Natural,bob\n")
        with acting_as("officer") as operations:
            operations.start_undo(undone)
            transaction.commit()
        FunctionalLayer.work_off_runs()
        update("new titles of all faculties.csv", f'code,title,officer_1\nSCI,"{LONG}",ann\n')
        self.site["faculties"]["SCI"].title = "Science"
        transaction.commit()
        update("last.csv", "code,title,officer_1\nSCI,Natural sciences,XXX\n")
        self.enter()

    def test_from_an_object_to_the_row_and_back(self) -> None:
        self.leave_by(self.find("nav.tabs a[href$=history]"))
        self.look("history, nothing asked for")
        Select(self.find("#kind")).select_by_value(PROCESSOR)
        self.find("#key").send_keys("SCI")
        self.leave_by(self.find("main form button"))
        shown = [item.text for item in self.window.find_elements(By.CSS_SELECTOR, ".badge")]
        self.assertEqual(
            shown,
            ["Changed", "Changed by other means", "Changed", "Changed back", "Changed", "Created"],
        )
        self.assertIn("Natural sciences", self.text)
        self.look("history")
        self.leave_by(self.find(".timeline a[href*='rows']"))
        self.assertIn("What the rows did", self.text)
        self.assertIn("Science → Natural sciences", " ".join(self.text.split()))
        self.look("rows")
        self.follow("SCI")
        self.assertIn("History of an object", self.text)
        self.find("#key").clear()
        self.find("#key").send_keys("NO")
        self.leave_by(self.find("main form button"))
        self.assertIn("There is no object with the key", self.text)
        self.look("history, nothing found")
        self.assertEqual(self.find("#key").get_property("value"), "NO")
