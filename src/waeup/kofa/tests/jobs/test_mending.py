"""Rows that a check has found failing are corrected, and the runs that follow read them so."""

import os
from contextlib import closing
from unittest import mock

from ZODB.POSException import ConflictError
from zope.component import createObject, getUtility

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import (
    FatalCSVError,
    MappingError,
    NoSuchItem,
    NotAllowed,
    Refused,
    TooLarge,
    WrongState,
)
from waeup.kofa.importing.preview import HIDDEN
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs import recovery
from waeup.kofa.operations import DateOrder
from waeup.kofa.tests.jobs.lives import failing_at
from waeup.kofa.tests.jobs.portal import OTHER, USER
from waeup.kofa.tests.jobs.test_runs import FACULTIES, RunTestCase, few_rows, processor_of
from waeup.kofa.tests.spool.faultydisk import write

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


class Corrected(MendingTestCase):
    """What is kept of corrections."""

    def kept(self):
        """Return what the draft keeps: number, position, old and new text."""
        found = self.ask(lambda o: o.corrections_of(self.draft))
        return [(cell.number, cell.position, cell.old, cell.new) for cell in found]

    def test_rows_that_were_corrected_since_the_check_are_counted(self):
        def since():
            return self.ask(lambda o: o.corrected_since(self.draft))

        self.assertEqual(since(), 0)
        self.mend({2: {0: "FAC2"}, 4: {0: "FAC4"}})
        self.assertEqual(since(), 2)
        self.check = self.checked()
        self.assertEqual(since(), 0)
        self.ask(lambda o: o.uncorrect(self.draft, 2) and None)
        self.assertEqual(since(), 1)
        self.save(check=None)
        self.assertEqual(since(), 1)

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

    def test_a_cell_is_corrected_and_taken_back(self):
        row = self.correct(2, {0: "FAC2"})
        self.assertEqual((row.cells[0].text, row.cells[0].corrected), ("FAC 2", "FAC2"))
        self.assertEqual(self.kept(), [(2, 0, "FAC 2", "FAC2")])
        self.assertIsNone(self.rows()[0].cells[0].corrected)
        self.assertEqual(self.rows(draft=self.draft)[0].cells[0].corrected, "FAC2")
        self.correct(2, {1: "Zwei"})
        self.assertEqual(self.kept(), [(2, 0, "FAC 2", "FAC2"), (2, 1, "Two", "Zwei")])
        self.correct(2, {0: "FAC 2"})
        self.assertEqual(self.kept(), [(2, 1, "Two", "Zwei")])
        self.assertEqual(self.ask(lambda o: o.uncorrect(self.draft, 2)), 1)
        self.assertEqual(self.ask(lambda o: o.uncorrect(self.draft, 2)), 0)
        self.assertEqual(self.kept(), [])
        self.mend()
        self.assertEqual(self.ask(lambda o: o.uncorrect(self.draft)), 4)
        self.assertEqual(self.kept(), [])

    def test_like_cells_are_corrected_at_once(self):
        (group, *_others) = self.ask(lambda o: o.problem_groups(self.check))

        def like(*args):
            return self.ask(lambda o: o.correct_like(self.draft, self.check, group.id, *args))

        self.assertEqual(like(0, "FAC 2", "FAC2"), 2)
        self.assertEqual(self.kept(), [(2, 0, "FAC 2", "FAC2"), (4, 0, "FAC 2", "FAC2")])
        self.assertEqual(like(0, "FAC 2", "FAC9"), 0)
        # What was corrected can be corrected again.
        self.assertEqual(like(0, "FAC2", "FAC 2"), 2)
        self.assertEqual(self.kept(), [])
        with self.assertRaisesRegex(MappingError, "no column 8"):
            like(7, "a", "b")

    def test_a_damaged_row_needs_all_its_cells(self):
        with self.assertRaisesRegex(Refused, "Row 5 is damaged: .* missing: title"):
            self.correct(5, {0: "FAC5"})
        self.assertEqual(self.kept(), [])
        self.correct(5, MENDED[5])
        self.assertEqual(self.kept(), [(5, 0, "FAC5", "FAC5"), (5, 1, "Fi", "Five")])
        self.correct(5, {1: "Cinque"})
        self.assertEqual(self.kept()[1], (5, 1, "Fi", "Cinque"))

    def test_what_cannot_be_corrected(self):
        for number in (0, -1, 1, 3, 99):
            with self.subTest(number), self.assertRaisesRegex(NoSuchItem, f"row {number} failing"):
                self.correct(number, {0: "x"})
        for position in (-1, 2):
            with self.subTest(position), self.assertRaises(MappingError):
                self.correct(2, {position: "x"})
        with self.assertRaises(TooLarge):
            self.correct(2, {0: "x" * 10**7})
        # One after the other makes a row that no table could hold, too.
        self.correct(2, {0: "x" * 3_000_000})
        with self.assertRaises(TooLarge):
            self.correct(2, {1: "x" * 3_000_000})

    def test_drafts_of_others_are_refused(self):
        for name, args in (
            ("correct", (2, {0: "FAC2"})),
            ("correct_like", (self.check, 1, 0, "FAC 2", "FAC2")),
            ("uncorrect", ()),
            ("check_row", (2, {0: "FAC2"})),
            ("corrections_of", ()),
        ):
            with self.subTest(name), self.assertRaisesRegex(NotAllowed, "Somebody else prepares"):
                self.ask(lambda o, n=name, a=args: getattr(o, n)(self.draft, *a), OTHER)
        with self.assertRaises(NotAllowed):
            self.ask(lambda o: o.failing_rows(self.check, draft=self.draft), OTHER)
        with self.assertRaises(NotAllowed):
            self.ask(
                lambda o: o.start_check(
                    "data.csv", self.processor, self.mode, self.mapping, draft=self.draft
                ),
                OTHER,
            )
        # The check itself may be seen by all who may import such objects.
        self.assertEqual(len(self.ask(lambda o: o.failing_rows(self.check), OTHER)), 5)

    def test_a_check_of_something_else_is_refused(self):
        write(os.path.join(self.portal.storage, "more.csv"), "code,title\r\nFAC 1,One\r\n")
        other = self.check
        self.begin("more.csv")
        with self.assertRaisesRegex(MappingError, "about other content"):
            self.ask(lambda o: o.correct_like(self.draft, other, 1, 0, "FAC 2", "FAC2"))
        self.save(check=None)
        with self.assertRaisesRegex(WrongState, "was not checked"):
            self.correct(1, {0: "FAC1"})

    def test_another_reading_forgets_corrections(self):
        self.mend()
        self.save(reading={"encoding": "latin-1"})
        self.assertEqual(self.kept(), [])

    def test_two_windows_do_not_get_into_each_others_way(self):
        self.mend()
        with closing(self.portal.open()) as db:

            def other():
                self.portal.operations(lambda o: o.correct(self.draft, 4, {0: "IV"}), db=db)

            def both(operations):
                operations.correct(self.draft, 2, {0: "II"})
                other()

            self.portal.operations(both, db=db)
        self.assertEqual({(2, 0, "FAC 2", "II"), (4, 0, "FAC 2", "IV")} - {*self.kept()}, set())

    def test_the_same_row_in_two_windows_is_a_conflict(self):
        with closing(self.portal.open()) as db:

            def both(operations):
                operations.correct(self.draft, 2, {0: "II"})
                self.portal.operations(lambda o: o.correct(self.draft, 2, {0: "B"}), db=db)

            with self.assertRaises(ConflictError):
                self.portal.operations(both, db=db)


class Tried(MendingTestCase):
    """A single row is tried, and nothing of it stays."""

    def test_it_tells_what_is_wrong_with_cells_and_row(self):
        verdict = self.tried(2, {0: "FAC-2 x"})
        self.assertEqual((verdict.outcome, verdict.is_sound), ("failed", False))
        self.assertEqual([position for position, _message in verdict.errors], [0])
        verdict = self.tried(6, {0: "FAC6", 1: "Six"})
        self.assertEqual((verdict.outcome, verdict.errors, verdict.messages), ("created", (), ()))
        self.assertEqual(self.tried(2, {0: "", 1: " "}).outcome, "blank")
        self.assertEqual(self.tried(2, {0: "FAC3"}).same_as, 3)

    def test_hooks_are_asked(self):
        self.portal.change(
            lambda site: site["faculties"].addFaculty(
                createObject("waeup.Faculty", "FAC2", "There before")
            )
        )
        verdict = self.tried(2, {0: "FAC2"})
        self.assertEqual(
            (verdict.errors, verdict.messages), ((), ("This object already exists.",))
        )

    def test_what_was_corrected_before_counts(self):
        self.correct(6, {0: "FAC6"})
        self.assertEqual(self.tried(6, {1: "Six"}).outcome, "created")
        with self.assertRaisesRegex(Refused, "missing: title"):
            self.tried(5, {0: "FAC5"})
        self.assertEqual(self.tried(5, MENDED[5]).outcome, "created")

    def test_no_trace_is_left(self):
        self.mend()
        self.imported()
        self.mode = "remove"
        self.put("gone.csv", "code,title", "FAC 2,Two")
        self.begin("gone.csv")
        tree, titles, log = self.portal.tree(), self.titles(), self.log()
        with mock.patch("waeup.kofa.subscribers.note_removal") as noted:
            self.assertEqual(self.tried(1, {0: "FAC2"}).outcome, "removed")
        self.assertTrue(noted.called)
        self.assertEqual(self.tried(1, {0: "FAC2"}).outcome, "removed")
        self.assertEqual((self.portal.tree(), self.titles(), self.log()), (tree, titles, log))
        self.assertEqual(self.ask(lambda o: o.corrections_of(self.draft)), [])

    def test_an_order_that_cannot_be_carried_out_any_more(self):
        processor = getUtility(IBatchProcessor, name="facultyprocessor")

        class Changed(type(processor)):
            modes = ("update",)

        with processor_of(Changed), self.assertRaisesRegex(FatalCSVError, "has no mode 'create'"):
            self.tried(2, {0: "FAC2"})


class Runs(MendingTestCase):
    """Checks and imports of corrected rows."""

    def test_an_import_reads_what_was_corrected(self):
        self.mend()
        run = self.imported()
        report = run.report
        self.assertEqual((report.total, report.created, report.failed), (7, 6, 1))
        self.assertEqual(report.corrected, 4)
        self.assertEqual(report.as_dict()["corrected"], 4)
        titles = {"FAC1": "One", "FAC2": "Two", "FAC3": "Three", "FAC4": "Four"}
        self.assertEqual(self.titles(), {**titles, "FAC5": "Five", "FAC6": "Six"})
        tree = self.portal.tree()
        finished = tree[report.finished].decode().splitlines()
        self.assertEqual(
            finished[2:], ["FAC2,Two", "FAC3,Three", "FAC4,Four", "FAC5,Five", "FAC6,Six"]
        )
        pending = tree[report.pending].decode()
        self.assertEqual(
            pending, "code,title,--ERRORS--\r\nFAC3,Seven,This object already exists.\r\n"
        )
        # The file stays as it was.
        self.assertEqual(tree["unfinished/data.csv"], TABLE.encode())
        listed = self.ask(lambda o: o.corrections(run.id))
        self.assertEqual(
            [(c.number, c.name, c.old, c.new) for c in listed],
            [
                (2, "code", "FAC 2", "FAC2"),
                (4, "code", "FAC 2", "FAC4"),
                (5, "code", "FAC5", "FAC5"),
                (5, "title", "Fi", "Five"),
                (6, "code", "FAC 6", "FAC6"),
                (6, "title", "XXX", "Six"),
            ],
        )
        self.assertEqual(
            [c.number for c in self.ask(lambda o: o.corrections(run.id, start=1, limit=2))],
            [4, 5, 5],
        )

    def test_the_results_are_those_of_a_file_that_was_edited(self):
        self.mend()
        corrected = self.imported()
        titles = self.titles()
        self.undone(corrected.id)
        rows = ["FAC1,One", "FAC2,Two", "FAC3,Three", "FAC4,Four", "FAC5,Five", "FAC6,Six"]
        self.put("edited.csv", "code,title", *rows, "FAC3,Seven")
        edited = self.done("edited.csv")
        self.assertEqual(self.titles(), titles)
        tree = self.portal.tree()
        for name in ("finished", "pending"):
            one, other = (tree[getattr(run.report, name)] for run in (corrected, edited))
            self.assertEqual(one, other)

    def test_failed_rows_keep_corrections_too(self):
        self.correct(2, {0: "FAC1"})
        self.correct(5, {0: "no code", 1: "Five"})
        run = self.imported()
        pending = self.portal.tree()[run.report.pending].decode()
        self.assertIn("FAC1,Two,This object already exists.\r\n", pending)
        self.assertIn('"no code","Five",', pending)
        self.assertNotIn("--RAW--", pending)
        self.assertEqual(run.report.corrected, 2)

    def test_a_row_that_is_emptied_is_passed_over(self):
        self.correct(7, {0: "", 1: ""})
        self.correct(5, {0: "", 1: ""})
        run = self.imported()
        self.assertEqual((run.report.total, run.report.failed, run.report.corrected), (5, 3, 0))

    def test_a_second_check_counts_and_keeps_what_is_corrected(self):
        self.mend()
        self.check = self.checked()
        report = self.info(self.check).report
        self.assertEqual((report.failed, report.corrected), (1, 4))
        (row,) = self.rows()
        self.assertEqual(row.number, 7)
        # A row that is sound by now can be corrected further.
        row = self.correct(2, {1: "Zwei"})
        self.assertEqual([cell.text for cell in row.cells], ["FAC 2", "Two"])
        self.assertEqual([cell.corrected for cell in row.cells], ["FAC2", "Zwei"])

    def test_the_import_must_be_that_of_the_check(self):
        self.mend()
        with self.assertRaisesRegex(MappingError, "its corrections, or what is to be"):
            self.ordered(check=self.check)
        check = self.checked()
        self.correct(2, {1: "Zwei"})
        with self.assertRaisesRegex(MappingError, "Check it again"):
            self.ordered(check=check)
        self.correct(2, {1: "Two"})
        run = self.imported(check=check)
        self.assertEqual((run.report.created, run.report.failed), (6, 1))

    def test_what_is_corrected_later_is_not_read_by_a_run(self):
        self.correct(2, {0: "FAC2"})
        id = self.ordered()
        self.correct(4, {0: "FAC4"})
        self.correct(2, {0: "OTHER"})
        self.portal.work_off(id)
        self.assertEqual(self.titles(), {"FAC1": "One", "FAC2": "Two", "FAC3": "Three"})
        self.assertEqual(len(self.ask(lambda o: o.corrections(id))), 1)

    def test_corrections_of_other_content_are_refused(self):
        self.mend()
        self.put("data.csv", "code,title", "FAC1,One")
        with self.assertRaisesRegex(MappingError, "not those of data.csv as it is now"):
            self.ask(
                lambda o: o.start_import(
                    "data.csv", self.processor, self.mode, self.mapping, draft=self.draft
                )
            )

    def test_a_run_that_goes_on_reads_the_same(self):
        self.mend()
        id = self.ordered()
        with few_rows(2), failing_at(2, OSError("the disk is full")):
            self.portal.work_off(id)
        self.assertEqual(self.info(id).state, "stopped")
        self.assertEqual(sorted(self.titles()), ["FAC1", "FAC2", "FAC3", "FAC4"])
        self.ask(lambda o: o.uncorrect(self.draft))
        self.ask(lambda o: o.drop_draft(self.draft))
        self.ask(lambda o: o.resume(id))
        with few_rows(2):
            self.portal.work_off(id)
        report = self.info(id).report
        self.assertEqual((report.created, report.failed, report.corrected), (6, 1, 4))
        self.assertEqual(len(self.titles()), 6)

    def test_they_go_with_the_record_of_the_run(self):
        self.mend()
        run = self.imported()
        with mock.patch.multiple(recovery, RUN_DAYS=-1, CHECK_DAYS=-1):
            self.ask(lambda o: o.recover())
        with self.assertRaises(NoSuchItem):
            self.ask(lambda o: o.corrections(run.id))

    def test_runs_without_corrections(self):
        run = self.imported()
        self.assertEqual(self.ask(lambda o: o.corrections(run.id)), [])
        self.assertEqual(run.report.corrected, 0)

    def test_update_upsert_and_remove(self):
        self.mend()
        self.imported()
        for mode, expected in (("update", 2), ("upsert", 2), ("remove", 2)):
            with self.subTest(mode):
                name = f"{mode}.csv"
                write(
                    os.path.join(self.portal.storage, name),
                    f"code,title\r\nFAC1,{mode}\r\nFAC 2,{mode}\r\n",
                )
                self.mode = mode
                self.begin(name)
                self.correct(2, {0: "FAC2"})
                report = self.imported(yes_remove=9, yes_change=9).report
                self.assertEqual((report.failed, report.corrected), (0, 1))
                self.assertEqual(report.updated + report.removed, expected)


class Dates(MendingTestCase):
    """Dates that end with their year, of which a person says once what comes first."""

    files = {
        "data.csv": "student_id,firstname,lastname,sex,date_of_birth\r\n"
        "A1,Ada,Eze,f,3.4.1999\r\nA2,Bo,Eze,m,17.5.1999\r\nA3,Cy,Eze,m,1999-05-17\r\n"
        "A4,Di,Eze,f,soon\r\nA5,Flo,Eze,x,5.17.1999\r\n"
    }
    processor = "studentprocessor"
    mapping = Mapping(("student_id", "firstname", "lastname", "sex", "date_of_birth"))

    def orders(self, field="date_of_birth"):
        """Return how the dates of the group of a field may be meant, and the id of the group."""
        groups = self.ask(lambda o: o.problem_groups(self.check))
        group = next(each.id for each in groups if each.field == field)
        return group, self.ask(lambda o: o.date_orders(self.draft, self.check, group))

    def test_they_are_read_as_was_said(self):
        group, orders = self.orders()
        self.assertEqual(
            orders,
            [
                DateOrder("day", 2, "3.4.1999", "1999-04-03"),
                DateOrder("month", 2, "3.4.1999", "1999-03-04"),
            ],
        )

        def correct(order):
            return self.ask(lambda o: o.correct_dates(self.draft, self.check, group, order))

        self.assertEqual(correct("day"), 2)
        kept = self.ask(lambda o: o.corrections_of(self.draft))
        self.assertEqual(
            [(each.number, each.old, each.new) for each in kept],
            [(1, "3.4.1999", "1999-04-03"), (2, "17.5.1999", "1999-05-17")],
        )
        _group, (left,) = self.orders()
        self.assertEqual((left.order, left.rows, left.meant), ("month", 1, "1999-05-17"))
        with self.assertRaisesRegex(MappingError, "None of these cells is a date with 'day'"):
            correct("day")
        report = self.imported().report
        self.assertEqual((report.created, report.failed, report.corrected), (3, 2, 2))

    def test_other_groups_are_not_about_dates(self):
        group, orders = self.orders("sex")
        self.assertEqual(orders, [])
        with self.assertRaises(MappingError):
            self.ask(lambda o: o.correct_dates(self.draft, self.check, group, "day"))


class Passwords(MendingTestCase):
    """Secrets are shown to nobody, and kept as hashes."""

    files = {
        "data.csv": "name,title,password\r\nann,Ann,sesame\r\nb b,Ben,open-this\r\n"
        f"cia,Cia,{'x' * 80}\r\ndan,Dan,magic,word\r\n"
    }
    processor = "userprocessor"
    mapping = Mapping(("name", "title", "password"))

    def stored(self):
        """Return all bytes of the database and of the work folders."""
        found = []
        for folder, _folders, names in os.walk(self.portal.home):
            for name in names:
                if name != "data.csv":
                    with open(os.path.join(folder, name), "rb") as stream:
                        found.append(stream.read())
        return b"".join(found)

    def test_none_is_shown_or_kept(self):
        second, third, damaged = self.rows()
        self.assertEqual(second.cells[2].text, HIDDEN)
        self.assertTrue(second.cells[2].secret)
        self.assertIn("80 bytes", third.cells[2].message)
        self.assertEqual((damaged.raw, [cell.text for cell in damaged.cells]), (None, [""] * 3))
        row = self.correct(3, {2: "new secret"})
        self.assertEqual(row.cells[2].corrected, HIDDEN)
        self.correct(4, {0: "dan", 1: "Dan", 2: "other secret"})
        found = self.ask(lambda o: o.corrections_of(self.draft))
        self.assertEqual({(c.old, c.new) for c in found if c.position == 2}, {(HIDDEN, HIDDEN)})
        run = self.imported()
        self.assertEqual((run.report.created, run.report.failed), (3, 1))
        self.assertEqual(
            {c.new for c in self.ask(lambda o: o.corrections(run.id)) if c.position == 2}, {HIDDEN}
        )

        def fits(site):
            return [
                site["users"][name].checkPassword(text)
                for name, text in (("cia", "new secret"), ("dan", "other secret"))
            ]

        self.assertEqual(self.portal.change(fits), [True, True])
        stored = self.stored()
        for text in (b"sesame", b"open-this", b"x" * 80, b"new secret", b"other secret", b"magic"):
            self.assertNotIn(text, stored.replace(self.files["data.csv"].encode(), b""))

    def test_none_is_the_same_for_several_rows(self):
        (group, *_others) = self.ask(lambda o: o.problem_groups(self.check))
        with self.assertRaisesRegex(MappingError, "nobody else's business"):
            self.ask(lambda o: o.correct_like(self.draft, self.check, group.id, 2, "", "x"))
        with self.assertRaisesRegex(MappingError, "nobody else's business"):
            self.ask(lambda o: o.like_cells(self.check, group.id, 2))

    def test_one_that_cannot_be_one_is_refused(self):
        with self.assertRaisesRegex(MappingError, "password: .*80 bytes"):
            self.correct(3, {2: "y" * 80})
        self.assertNotIn(b"y" * 80, self.stored())

    def test_a_row_is_tried_with_its_password(self):
        self.assertEqual(self.tried(2, {0: "ben"}).outcome, "created")
        verdict = self.tried(3, {1: "Celia"})
        self.assertEqual((verdict.outcome, verdict.errors[0][0]), ("failed", 2))
        self.assertEqual(self.tried(3, {2: "new secret"}).outcome, "created")

    def test_a_column_that_becomes_one_is_forgotten(self):
        self.correct(2, {0: "ben", 1: "Benjamin"})
        self.save(columns=("name", "password", "title"))
        found = self.ask(lambda o: o.corrections_of(self.draft))
        self.assertEqual([(c.position, c.new) for c in found], [(0, "ben")])

    def test_one_that_became_such_after_the_check_is_not_kept(self):
        self.portal.change(
            lambda site: write(
                os.path.join(site["datacenter"].storage, "other.csv"),
                "name,title,other\r\nb b,Ben,x\r\n",
            )
        )
        self.mapping = Mapping(("name", "title", None))
        self.begin("other.csv")
        (group, *_others) = self.ask(lambda o: o.problem_groups(self.check))
        self.save(columns=("name", "title", "password"))
        for ask in (
            lambda o: o.correct(self.draft, 1, {2: "plain"}),
            lambda o: o.correct_like(self.draft, self.check, group.id, 2, "x", "plain"),
        ):
            with self.assertRaisesRegex(MappingError, "Check the file again"):
                self.ask(ask)
        self.assertEqual(self.ask(lambda o: o.corrections_of(self.draft)), [])

    def test_one_that_a_removal_does_not_need_is_not_kept(self):
        self.mode, self.mapping = "remove", Mapping(("name", "password", None))
        self.begin()
        row = self.rows()[0]
        self.assertEqual((row.cells[1].field, row.cells[1].text), (None, ""))
        self.assertTrue(row.cells[1].secret)

    def test_a_password_that_is_not_imported_cannot_be_corrected(self):
        self.mapping = Mapping(("name", "title", None))
        self.begin()
        with self.assertRaisesRegex(MappingError, "looks like a password"):
            self.correct(2, {2: "x"})
        self.assertEqual(self.rows()[0].cells[2].text, "")


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


class Many(MendingTestCase):
    """Many rows fail."""

    files = {
        "data.csv": "code,title\r\n"
        + "".join(
            f"{'no ' if number % 25 == 0 else ''}F{number},Title {number}\r\n"
            for number in range(50_000)
        )
    }

    def test_many_rows_are_grouped_listed_and_corrected(self):
        groups = self.ask(lambda o: o.problem_groups(self.check))
        self.assertEqual([(group.rows, group.texts) for group in groups], [(2000, 2000)])
        rows = self.ask(
            lambda o: o.failing_rows(self.check, groups[0].id, limit=50, draft=self.draft)
        )
        self.assertEqual(len(rows), 50)
        cells = self.ask(lambda o: o.like_cells(self.check, groups[0].id, 0))
        self.assertEqual(len(cells), 100)
        verdict = self.ask(lambda o: o.check_row(self.draft, 1, {0: "F0"}))
        self.assertEqual(verdict.outcome, "created")
