"""Rows that a check has found failing are shown, in groups of like problems."""

import os

from zope.component import getUtility

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import (
    MappingError,
    NoSuchItem,
    NotAllowed,
    WrongState,
)
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.tests.jobs.checked import MendingTestCase
from waeup.kofa.tests.jobs.portal import OTHER
from waeup.kofa.tests.jobs.test_runs import processor_of
from waeup.kofa.tests.spool.faultydisk import write


class Seen(MendingTestCase):
    """What a check shows of rows that fail."""

    def test_like_problems_are_one_group_the_most_frequent_first(self):
        rule = "the rule of this field (2 to 11 characters out of letters (a-z), digits, _ and -.)"
        self.assertEqual(
            self.groups(),
            [
                (
                    "code",
                    f"Invalid input: … does not satisfy {rule}.",
                    3,
                    2,
                ),
                ("", "Too many cells", 1, 0),
                ("", "This object already exists.", 1, 0),
            ],
        )

    def test_rows_are_found_by_what_their_reasons_have_in_common(self):
        (reason, number), *others = self.info(self.check).report.reasons
        self.assertEqual(number, 3)
        self.assertIn("…", reason)
        self.assertEqual([number for _reason, number in others], [1, 1])
        for reason, number in self.info(self.check).report.reasons:
            rows = self.ask(lambda o, r=reason: o.check_rows(self.check, reason=r))
            self.assertEqual(len(rows), number, reason)

    def test_rows_are_shown_with_the_message_of_each_cell(self):
        first, second, damaged, sixth, late = self.rows()
        self.assertEqual([first.number, second.number], [2, 4])
        self.assertEqual((damaged.number, sixth.number, late.number), (5, 6, 7))
        self.assertEqual((first.line, [cell.text for cell in first.cells]), (3, ["FAC 2", "Two"]))
        self.assertEqual([cell.name for cell in first.cells], ["code", "title"])
        self.assertIn("FAC 2", first.cells[0].message)
        self.assertEqual((first.cells[1].message, first.messages), ("", ()))
        self.assertEqual([bool(cell.message) for cell in sixth.cells], [True, False])
        self.assertEqual(late.messages, ("This object already exists.",))
        self.assertTrue(damaged.is_damaged)
        self.assertEqual(damaged.raw, "FAC5,Fi,ve")
        self.assertEqual([cell.text for cell in damaged.cells], ["FAC5", "Fi", "ve"])
        self.assertEqual(damaged.cells[2].name, "")

    def test_several_cells_of_a_row(self):
        self.put(
            "more.csv",
            "title_prefix,code,title",
            "faculty,FAC1,One",
            "circus,FAC 2,Two",
            "circus,FAC3,Three",
            "tent,FAC4,Four",
        )
        self.mapping = Mapping(("title_prefix", "code", "title"))
        self.begin("more.csv")
        (prefix, code) = self.ask(lambda o: o.problem_groups(self.check))
        self.assertEqual((prefix.position, prefix.rows, prefix.texts), (0, 3, 2))
        self.assertIn(
            "Invalid value: … is not allowed; allowed: 'none', 'faculty', ", prefix.title
        )
        self.assertEqual((code.position, code.rows), (1, 1))
        (row, *_others) = self.rows()
        self.assertEqual([bool(cell.message) for cell in row.cells], [True, True, False])
        verdict = self.tried(2, {1: "FAC2"})
        self.assertEqual([position for position, _message in verdict.errors], [0])
        self.assertEqual(self.tried(2, {0: "school", 1: "FAC2"}).outcome, "created")

    def test_what_a_new_object_needs_is_a_problem_of_its_cell(self):
        self.put(
            "students.csv", "student_id,firstname,lastname,sex", "S1,Ann,<IGNORE>,f", "S2,Ben,B,m"
        )
        self.processor, self.mode = "studentprocessor", "upsert"
        self.mapping = Mapping(("student_id", "firstname", "lastname", "sex"))
        self.begin("students.csv")
        self.assertEqual(self.groups(), [("lastname", "Required value is missing.", 1, 1)])
        (row,) = self.rows()
        self.assertEqual((row.cells[2].message, row.messages), ("Required value is missing.", ()))
        verdict = self.tried(1, {2: ""})
        self.assertEqual(verdict.errors, ((2, "Required value is missing."),))
        self.assertEqual(self.tried(1, {2: "A"}).outcome, "created")

    def test_rows_of_a_group_page_by_page(self):
        (group, *_rest) = self.ask(lambda o: o.problem_groups(self.check))
        self.assertEqual([row.number for row in self.rows(group.id)], [2, 4, 6])
        self.assertEqual([row.number for row in self.rows(group.id, start=1, limit=1)], [4])
        self.assertEqual([row.number for row in self.rows(start=3)], [6, 7])
        self.assertEqual(self.rows(99), [])

    def test_which_texts_occur_and_how_often(self):
        (group, *others) = self.ask(lambda o: o.problem_groups(self.check))

        def texts(*args, **kw):
            found = self.ask(lambda o: o.like_cells(self.check, *args, **kw))
            return [(cell.text, cell.rows) for cell in found]

        self.assertEqual(texts(group.id), [("FAC 2", 2), ("FAC 6", 1)])
        self.assertEqual(texts(group.id, limit=1), [("FAC 2", 2)])
        self.assertEqual(texts(group.id, 1), [("Two", 1), ("Four", 1), ("XXX", 1)])
        self.correct(4, {0: "FAC4"})
        self.assertEqual(
            texts(group.id, draft=self.draft), [("FAC 2", 1), ("FAC4", 1), ("FAC 6", 1)]
        )
        whole = next(g for g in others if g.position is None)
        with self.assertRaisesRegex(MappingError, "concerns whole rows"):
            texts(whole.id)
        with self.assertRaisesRegex(MappingError, "no column 3"):
            texts(group.id, 2)
        with self.assertRaisesRegex(NoSuchItem, "no group 99"):
            texts(99)

    def test_the_table_of_failing_rows_is_what_the_import_would_leave(self):
        def table(operations):
            name, stream = operations.failing_table(self.check)
            with stream:
                return name, stream.read()

        name, content = self.ask(table)
        self.assertEqual(name, "data.create.failing.csv")
        run = self.imported()
        self.assertEqual(content, self.portal.tree()[run.report.pending])
        self.assertIn(b"--ERRORS--,--RAW--", content)

    def test_a_check_without_failing_rows(self):
        write(os.path.join(self.portal.storage, "sound.csv"), "code,title\r\nFAC1,One\r\n")
        self.begin("sound.csv")
        self.assertEqual((self.groups(), self.rows()), ([], []))
        with self.assertRaisesRegex(NoSuchItem, "no row failed"):
            self.ask(lambda o: o.failing_table(self.check))

    def test_what_is_no_finished_check(self):
        waiting = self.ordered("start_check")
        for ask in ("problem_groups", "failing_rows", "failing_table"):
            with self.subTest(ask), self.assertRaisesRegex(WrongState, "no finished check"):
                self.ask(lambda o, ask=ask: getattr(o, ask)(waiting))

    def test_a_processor_with_its_own_doImport_keeps_no_rows(self):
        processor = getUtility(IBatchProcessor, name="facultyprocessor")

        class Own(type(processor)):
            def doImport(self, *args, **kw):
                return super().doImport(*args, **kw)

        self.correct(2, {0: "FAC2"})
        with processor_of(Own):
            with self.assertRaisesRegex(MappingError, "imports whole tables"):
                self.ordered()
            self.ask(lambda o: o.uncorrect(self.draft))
            self.check = self.checked()
        with self.assertRaisesRegex(NoSuchItem, "kept no rows"):
            self.groups()

    def test_a_single_row_is_shown_as_it_is_corrected(self):
        def row(number):
            return self.ask(lambda o: o.failing_row(self.draft, number))

        self.assertIsNone(row(2).cells[0].corrected)
        self.mend({2: {0: "FAC2"}})
        self.assertEqual(row(2).cells[0].corrected, "FAC2")
        with self.assertRaisesRegex(NoSuchItem, "has not found row 1 failing"):
            row(1)
        with self.assertRaises(NotAllowed):
            self.ask(lambda o: o.failing_row(self.draft, 2), OTHER)
