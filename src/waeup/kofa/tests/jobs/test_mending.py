"""Rows that a check has found failing are corrected, and tried as corrected."""

import os
from contextlib import closing
from datetime import timedelta
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
from waeup.kofa.jobs.record import utc_now
from waeup.kofa.operations import DateOrder
from waeup.kofa.tests.jobs.checked import MENDED, MendingTestCase
from waeup.kofa.tests.jobs.portal import OTHER, USER
from waeup.kofa.tests.jobs.test_runs import processor_of
from waeup.kofa.tests.spool.faultydisk import write


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


class Left(MendingTestCase):
    """Corrections of rows whose file somebody else has imported, deleted or replaced meanwhile."""

    def left(self, user=USER):
        """Return the number of rows that were corrected, and their table."""

        def read(operations):
            name, stream = operations.corrected_table(self.draft)
            with stream:
                return operations.left_corrections(self.draft), name, stream.read().decode()

        return self.ask(read, user)

    def import_by_another(self):
        """Let somebody else import the file as it is."""
        run = self.ask(
            lambda o: o.start_import("data.csv", self.processor, self.mode, self.mapping).id,
            OTHER,
        )
        self.portal.work_off(run)
        self.assertEqual(self.info(run).state, "finished", self.info(run).fault)

    def test_they_are_fetched_as_a_table_that_can_be_imported(self):
        self.mend({2: {0: "FAC2"}, 5: {0: "FAC5", 1: 'Five, "5"'}})
        self.assertEqual(self.ask(lambda o: o.left_corrections(self.draft)), 0)
        with self.assertRaisesRegex(NoSuchItem, "There are no corrected rows"):
            self.left()
        self.import_by_another()
        table = '"code","title"\r\n"FAC2","Two"\r\n"FAC5","Five, ""5"""\r\n'
        self.assertEqual(self.left(), (2, "data.corrected.csv", table))
        with self.assertRaisesRegex(NoSuchItem, "not prepared any more"):
            self.ask(lambda o: o.draft(self.draft))

    def test_they_are_there_whatever_becomes_of_the_file_and_of_the_choices(self):
        self.mend({2: {0: "FAC2"}})
        self.save(check=None)
        self.ask(lambda o: o.delete(["data.csv"]), OTHER)
        self.assertEqual(self.left()[2].splitlines()[1], '"FAC2","Two"')

    def test_they_are_there_after_a_recovery_and_after_a_week(self):
        self.mend({2: {0: "FAC2"}})
        self.import_by_another()
        self.ask(lambda o: o.recover() and None)
        with mock.patch.object(recovery, "CHECK_DAYS", -1):
            self.ask(lambda o: o.recover() and None)
        self.assertEqual(self.left()[0], 1)
        with mock.patch.object(recovery, "DRAFT_AGE", timedelta(0)):
            self.ask(lambda o: o.recover() and None)
        self.assertEqual(self.ask(lambda o: o.left_corrections(self.draft)), 0)
        with self.assertRaisesRegex(NoSuchItem, "There are no corrected rows"):
            self.left()

    def test_they_are_there_when_the_next_check_finds_no_file(self):
        self.mend({2: {0: "FAC2"}})
        again = self.ordered("start_check")
        self.save(check=again)
        self.ask(lambda o: o.delete(["data.csv"]), OTHER)
        self.portal.work_off(again)
        self.assertNotEqual(self.info(again).state, "finished")
        self.assertEqual(self.left()[0], 1)

    def test_they_are_there_when_the_file_was_taken_off_the_disk(self):
        self.mend({2: {0: "FAC2"}})
        os.remove(os.path.join(self.portal.storage, "data.csv"))
        self.ask(lambda o: o.drop_draft(self.draft))
        self.assertEqual(self.left()[0], 1)

    def test_they_are_there_in_databases_of_before(self):
        def forget(operations):
            ledger = operations.datacenter.ledger
            del ledger._left
            ledger.forget_left(utc_now())

        self.ask(forget)
        self.mend({2: {0: "FAC2"}})
        self.import_by_another()
        self.assertEqual(self.left()[0], 1)

    def test_they_are_nobody_elses(self):
        self.mend({2: {0: "FAC2"}})
        self.import_by_another()
        self.assertEqual(self.ask(lambda o: o.left_corrections(self.draft), OTHER), 0)
        with self.assertRaisesRegex(NoSuchItem, "There are no corrected rows"):
            self.left(OTHER)

    def test_what_was_given_up_or_not_corrected_is_not_left(self):
        self.mend({2: {0: "FAC2"}})
        self.ask(lambda o: o.drop_draft(self.draft))
        given_up = self.draft
        self.begin()
        self.import_by_another()
        for draft in (given_up, self.draft, "", "none"):
            self.assertEqual(self.ask(lambda o, d=draft: o.left_corrections(d)), 0)
