"""Drafts know the import that has left their rows, and forget corrections that do not fit."""

from waeup.kofa.conversion import Mapping
from waeup.kofa.tests.jobs.checked import MendingTestCase


class PendingAgain(MendingTestCase):
    """A pending file knows the import that has left it."""

    def test_processor_mode_and_columns_are_known(self):
        self.mend({2: {0: "FAC2"}})
        pending = self.imported().report.pending
        draft = self.ask(lambda o: vars(o.new_draft(pending)))
        self.assertEqual((draft["processor"], draft["mode"]), ("facultyprocessor", "create"))
        self.assertEqual(draft["columns"], ("code", "title", None, None))

    def test_texts_stand_for_others_as_before(self):
        values = (("title_prefix", (("Fac.", "faculty"),)),)
        self.put("more.csv", "code,title,title_prefix", "FAC 1,One,Fac.", "FAC2,Two,Fac.")
        self.mapping = Mapping(("code", "title", "title_prefix"), (), values)
        self.begin("more.csv")
        self.save(values=values)
        pending = self.imported().report.pending
        draft = self.ask(lambda o: vars(o.new_draft(pending)))
        self.assertEqual(draft["columns"], ("code", "title", "title_prefix", None))
        self.assertEqual(draft["values"], values)

    def test_a_damaged_row_of_before_is_mended(self):
        pending = self.imported().report.pending
        self.mapping = Mapping(("code", "title", None, None))
        self.begin(pending)
        row = next(row for row in self.rows() if row.is_damaged)
        self.assertEqual((row.raw, row.number), ("FAC5,Fi,ve", 3))
        self.assertEqual(self.correct(3, {0: "FAC5", 1: "Five"}).is_corrected, True)
        self.assertEqual(self.tried(3, {}).outcome, "created")
        report = self.imported().report
        self.assertEqual((report.created, report.corrected), (1, 1))
        self.assertEqual(self.titles()["FAC5"], "Five")

    def test_other_columns_are_left_open(self):
        pending = self.imported().report.pending
        self.put(pending, "code,title,remark", "FAC9,Nine,x")
        draft = self.ask(lambda o: vars(o.new_draft(pending)))
        self.assertEqual((draft["processor"], draft.get("columns")), ("facultyprocessor", None))

    def test_one_that_nobody_knows(self):
        self.put("data.create.pending.csv", "code,title,--ERRORS--", "FAC 9,Nine,wrong")
        draft = self.ask(lambda o: vars(o.new_draft("data.create.pending.csv")))
        self.assertNotIn("processor", draft)


class Forgotten(MendingTestCase):
    """Corrections that would be of other cells."""

    def test_another_reading_forgets_corrections(self):
        self.mend()
        self.save(reading={"encoding": "latin-1"})
        self.assertEqual(self.ask(lambda o: o.corrections_of(self.draft)), [])
