"""What kinds declare, as pages show it: rules of files, computed columns, values looked up."""

from unittest import mock

import grok
from zope import schema
from zope.interface import Interface

from waeup.kofa.importing import sources
from waeup.kofa.importing.declaring import computed
from waeup.kofa.importing.filerules import UniqueTogether
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.sources import KeysOf
from waeup.kofa.tests.browser.test_importing import CENTER
from waeup.kofa.tests.browser.test_mending import MendingTestCase
from waeup.kofa.tests.jobs.test_runs import processor_of
from waeup.kofa.university.processors import FacultyProcessor


class TitledProcessor(FacultyProcessor):
    """Wants each title once, and computes what is missing."""

    grok.baseclass()

    file_rules = (UniqueTogether("title"),)

    @computed("title")
    def usual_title(self, row, site):
        """Return the code."""
        return row["code"]


class IStudy(Interface):
    """What is studied where."""

    code = schema.TextLine(title="Code")
    title = schema.Choice(title="Faculty", source=KeysOf("faculties", "Faculties"))


class StudyProcessor(ContainerProcessor):
    """Names faculties by their keys."""

    grok.baseclass()

    util_name = "facultyprocessor"
    name = "Studies"
    iface = IStudy
    container = "studies"
    key = "code"


class DeclaredTest(MendingTestCase):
    """A kind of the portal that declares more."""

    def have(self, processor: type) -> None:
        """Let a class be the processor of faculties."""
        replaced = processor_of(processor)
        replaced.__enter__()
        self.addCleanup(replaced.__exit__, None, None, None)

    def test_a_check_shows_that_the_file_as_a_whole_would_be_refused(self) -> None:
        self.have(TitledProcessor)
        self.check("code,title\nFAC1,One\nFAC2,One\n")
        shown = self.plain()
        self.assertIn("An import would refuse this file as a whole.", shown)
        self.assertIn("title: 'One' is there more than once. (rows 1, 2)", shown)
        self.browser.open(f"{CENTER}/import4?draft={self.draft}")
        self.press("perform")
        self.assertIn("cannot be imported: title: 'One' is there more than once.", self.plain())
        self.assertEqual(len(self.site["faculties"]), 0)

    def test_a_column_that_is_computed_says_so(self) -> None:
        self.have(TitledProcessor)
        self.browser.open(f"{CENTER}/processors")
        self.assertIn("no: it is computed where it is empty", self.plain())

    def test_a_value_that_is_looked_up_is_proposed_for_what_was_mistyped(self) -> None:
        self.check("code,title\nSCIENCE,Sciences\nARTS,Arts\n")
        self.press("perform")
        self.work_off()
        self.have(StudyProcessor)
        with mock.patch.object(sources, "MOST_LISTED", 1):
            self.store("studies.csv", "code,title\nS1,SCIENCES\nS2,ARTS\n")
            self.browser.open(f"{CENTER}/import1")
            self.press("select", -1)
            self.browser.getControl(name="importer").value = ["facultyprocessor"]
            self.browser.getControl(name="mode").value = ["create"]
            self.press("proceed")
        self.assertIn('value="SCIENCE"', self.page)
        self.assertNotIn('value="ARTS"', self.page)
