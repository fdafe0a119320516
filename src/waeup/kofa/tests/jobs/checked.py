"""A file with rows that fail, the draft of its import, and a check of it."""

from waeup.kofa.tests.jobs.portal import USER
from waeup.kofa.tests.jobs.test_runs import FACULTIES, RunTestCase

TABLE = (
    "code,title\r\nFAC1,One\r\nFAC 2,Two\r\nFAC3,Three\r\nFAC 2,Four\r\nFAC5,Fi,ve\r\n"
    "FAC 6,XXX\r\nFAC3,Seven\r\n"
)
#: What is read in place of cells, by number of the row and position.
MENDED = {2: {0: "FAC2"}, 4: {0: "FAC4"}, 5: {0: "FAC5", 1: "Five"}, 6: {0: "FAC6", 1: "Six"}}


class MendingTestCase(RunTestCase):
    """Has a file with rows that fail, a draft, and a check of it."""

    files = {"data.csv": TABLE}
    processor, mode, mapping = "facultyprocessor", "create", FACULTIES

    def setUp(self):
        super().setUp()
        self.begin()

    def begin(self, name="data.csv", user=USER):
        """Prepare the import of a file, and check it."""
        self.draft = self.ask(lambda o: o.new_draft(name).id, user)
        self.save(processor=self.processor, mode=self.mode, columns=self.mapping.columns)
        self.check = self.checked()

    def save(self, **changes):
        """Change the draft."""
        self.ask(lambda o: o.save_draft(self.draft, **changes) and None)

    def checked(self):
        """Check the file as it is corrected in the draft; return the id."""
        id = self.ordered("start_check")
        self.portal.work_off(id)
        self.assertEqual(self.info(id).state, "finished", self.info(id).fault)
        self.save(check=id)
        return id

    def ordered(self, start="start_import", **kw):
        """Order a run of the draft; return its id."""

        def order(operations):
            draft = operations.draft(self.draft)
            begin = getattr(operations, start)
            return begin(
                draft.filename,
                self.processor,
                self.mode,
                self.mapping,
                digest=draft.digest,
                draft=draft.id,
                **kw,
            ).id

        return self.ask(order)

    def imported(self, **kw):
        """Import the file as it is corrected in the draft; return the run."""
        id = self.ordered(**kw)
        self.portal.work_off(id)
        return self.info(id)

    def groups(self):
        """Return the groups of problems: field, title, rows, texts."""
        found = self.ask(lambda o: o.problem_groups(self.check))
        return [(g.field, g.title, g.rows, g.texts) for g in found]

    def rows(self, group=None, draft=None, **kw):
        """Return rows that fail."""
        return self.ask(lambda o: o.failing_rows(self.check, group, draft=draft, **kw))

    def correct(self, number, texts, user=USER):
        """Correct a row."""
        return self.ask(lambda o: o.correct(self.draft, number, texts), user)

    def mend(self, mended=None):
        """Correct rows."""
        for number, texts in (mended or MENDED).items():
            self.correct(number, texts)

    def tried(self, number, texts):
        """Try a row."""
        return self.ask(lambda o: o.check_row(self.draft, number, texts))
