"""The history of objects: from an object to the rows that changed it, and back."""

import os
from datetime import timedelta
from unittest import mock

import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ZODB.POSException import POSKeyError
from zope.event import notify
from zope.lifecycleevent import ObjectModifiedEvent

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import NoSuchItem, NotAllowed
from waeup.kofa.importing import history
from waeup.kofa.importing.history import MOST, Mark, marker, marks_of
from waeup.kofa.jobs import history as jobs_history
from waeup.kofa.jobs import recovery
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.connection import sight_of
from waeup.kofa.jobs.record import utc_now
from waeup.kofa.tests.databases import kind_of_tests
from waeup.kofa.tests.jobs.lives import TownTestCase, failing_at, few_rows, one_at_once
from waeup.kofa.tests.jobs.portal import OTHER, SITE, USER
from waeup.kofa.university.faculty import Faculty

RUN = "0123456789abcdef"


class HistoryTestCase(TownTestCase):
    """Has short words for what a history says."""

    def imported(self, processor, mode, *lines, **kw):
        """Import a table of these lines; return the id of the run."""
        id = self.order(processor, mode, *lines, **kw)
        self.assertEqual(self.work(id).state, "finished")
        return id

    def faculties(self, *rows, mode="update", name="data.csv", user=USER):
        """Import rows of code and title; return the id of the run."""
        lines = ("code,title", *rows)
        return self.imported("facultyprocessor", mode, *lines, name=name, user=user)

    def title(self, text, code="OLD1"):
        """Change the title of a faculty by hand."""
        self.change(lambda site: setattr(site["faculties"][code], "title", text))

    def history(self, key="OLD1", kind="faculties", user=USER, **kw):
        """Return the history of an object."""
        return self.ask(lambda o: o.history(kind, key, **kw), user)

    def told(self, key="OLD1", kind="faculties", **kw):
        """Return operation, row and changes of the entries of a history."""
        return [entry_told(entry) for entry in self.history(key, kind, **kw).entries]


def entry_told(entry):
    """Return what an entry says: operation, row, and changes, or why there are none."""
    if entry.note:
        return entry.operation, entry.row, entry.note
    return entry.operation, entry.row, changes_told(entry.changes)


def changes_told(changes):
    """Return changes as texts."""
    return [
        f"{each.field}: {each.old} -> {each.new if each.is_known else '?'}" for each in changes
    ]


class Marks(HistoryTestCase):
    """What is written on an object."""

    def test_what_is_written_is_read(self):
        faculty = Faculty("F1", "One")
        with mock.patch.object(history.time, "time", lambda: 1_800_000_000.9):
            marker(RUN)(faculty, "created", 7)
            marker(RUN)(faculty, "restored", 2**40)
        self.assertEqual(
            marks_of(faculty),
            [
                Mark("created", RUN, 7, 1_800_000_000),
                Mark("restored", RUN, 2**32 - 1, 1_800_000_000),
            ],
        )

    def test_the_first_one_and_the_newest_are_kept(self):
        faculty, mark = Faculty("F1", "One"), marker(RUN)
        mark(faculty, "created", 1)
        for row in range(2, MOST + 1):
            mark(faculty, "updated", row)
        self.assertFalse(history.is_cut(faculty))
        for row in range(MOST + 1, MOST + 51):
            mark(faculty, "updated", row)
        self.assertTrue(history.is_cut(faculty))
        self.assertEqual(marks_of(faculty)[0].operation, "created")
        rows = [each.row for each in marks_of(faculty)]
        self.assertEqual(rows, [1, *range(52, MOST + 51)])

    def test_what_is_no_database_object_is_passed_over(self):
        class Slotted:
            __slots__ = ()

        for obj in (Slotted(), object(), mock.Mock()):
            marker(RUN)(obj, "updated", 1)
            self.assertEqual(marks_of(obj), [])

    def test_an_object_without_marks(self):
        self.assertEqual(marks_of(Faculty("F1", "One")), [])

    def test_a_mark_takes_few_bytes(self):
        self.faculties("F1,One", mode="create")

        def size(site):
            faculty = site["faculties"]["F1"]
            marked = len(sight_of(faculty).load(faculty._p_oid)[0])
            del faculty.__dict__["_kofa_history"]
            faculty._p_changed = True
            transaction.savepoint()
            storage = site._p_jar._savepoint_storage
            return marked - len(storage.load(faculty._p_oid)[0])

        self.assertLess(self.change(size), 50)

    def test_a_check_leaves_none(self):
        self.town.put("data.csv", "code,title", "OLD1,One")
        mapping = Mapping(("code", "title"))
        check = self.ask(
            lambda o: o.start_check("data.csv", "facultyprocessor", "update", mapping)
        )
        self.assertEqual(self.work(check.id).state, "finished")
        marks = self.change(lambda site: marks_of(site["faculties"]["OLD1"]))
        self.assertEqual(marks, [])

    def test_rows_that_fail_leave_none(self):
        lines = [f"OLD{n},{'x' if n % 2 else ''}" for n in (1, 2, 3, 4)]
        with few_rows(2):
            self.faculties(*lines, "OLD9,x")
        self.assertEqual(self.told("OLD1"), [("updated", 1, ["title: Old faculty 1 -> x"])])


class OneObject(HistoryTestCase):
    """Rows that change an object, others in between, and undos."""

    def test_a_new_object(self):
        id = self.faculties("F1,One", "F2,Two", mode="create")
        found = self.history("F2")
        self.assertEqual(found.title, "F2")
        self.assertTrue(found.is_there)
        (entry,) = found.entries
        self.assertEqual(
            entry_told(entry), ("created", 2, ["code: None -> F2", "title: None -> Two"])
        )
        self.assertEqual((entry.run, entry.file, entry.owner), (id, "data.csv", USER))
        self.assertTrue(entry.is_run)
        self.assertLess(utc_now() - entry.date, timedelta(minutes=1))
        self.assertEqual(entry.finished, self.info(id).report.finished)
        os.remove(os.path.join(self.town.storage, entry.finished))
        self.assertIsNone(self.history("F1").entries[0].finished)

    def test_a_new_object_that_was_changed_by_hand(self):
        self.faculties("F1,One", mode="create")
        self.title("By hand", "F1")
        first = self.history("F1").entries[-1]
        self.assertEqual((first.operation, first.note, first.changes), ("created", "partly", ()))
        self.faculties("F1,Two", name="b.csv")
        self.title("By hand", "F1")
        self.faculties("F1,Three", name="c.csv")
        self.assertEqual(self.history("F1").entries[-1].note, "partly")

    def test_several_imports(self):
        self.faculties("F1,One", mode="create")
        self.faculties("OLD2,x", "F1,Two", name="b.csv", user=OTHER)
        self.faculties("F1,Three", name="c.csv")
        self.assertEqual(
            self.told("F1"),
            [
                ("updated", 1, ["title: Two -> Three"]),
                ("updated", 2, ["title: One -> Two"]),
                ("created", 1, ["code: None -> F1", "title: None -> One"]),
            ],
        )
        entries = self.history("F1").entries
        self.assertEqual([entry.owner for entry in entries], [USER, OTHER, USER])
        self.assertEqual([entry.file for entry in entries], ["c.csv", "b.csv", "data.csv"])

    def test_several_rows_on_one_object(self):
        expected = [
            ("updated", 3, ["title: Two -> Three"]),
            ("updated", 2, ["title: One -> Two"]),
            ("updated", 1, ["title: Old faculty 1 -> One"]),
        ]
        self.faculties("OLD1,One", "OLD1,Two", "OLD1,Three")
        self.assertEqual(self.told(), expected)
        with few_rows(2):
            self.faculties("OLD2,One", "OLD2,Two", "OLD2,Three", name="b.csv")
        expected[-1] = ("updated", 1, ["title: Old faculty 2 -> One"])
        self.assertEqual(self.told("OLD2"), expected)

    def test_a_change_by_hand_between_two_imports(self):
        self.faculties("OLD1,One")
        self.title("By hand")
        self.faculties("OLD1,Two", name="b.csv")
        self.assertEqual(
            self.told(),
            [
                ("updated", 1, ["title: By hand -> Two"]),
                ("otherwise", 0, []),
                ("updated", 1, ["title: Old faculty 1 -> ?"]),
            ],
        )

    def test_a_change_by_hand_after_an_import(self):
        self.faculties("OLD1,One")
        before = utc_now()
        self.title("By hand")
        self.assertEqual(
            self.told(), [("otherwise", 0, []), ("updated", 1, ["title: Old faculty 1 -> ?"])]
        )
        date = self.history().entries[0].date
        self.assertLessEqual(before - timedelta(seconds=1), date)
        self.assertLessEqual(date, utc_now() + timedelta(seconds=1))

    def test_who_has_changed_it_by_hand(self):
        def change(site):
            transaction.get().setUser(OTHER, "/somewhere")
            site["faculties"]["OLD1"].title = "By hand"

        self.faculties("OLD1,One")
        self.change(change)
        self.faculties("OLD1,Two", name="b.csv")
        # RelStorage without history keeps nothing of a transaction but its objects.
        owner = "" if kind_of_tests() == "postgresql" else OTHER
        self.assertEqual(self.history().entries[1].owner, owner)
        self.title("By hand")
        self.assertEqual(self.history().entries[0].owner, "")
        self.change(change)
        nothing = mock.Mock(**{"history.side_effect": POSKeyError(b"")})
        with mock.patch.object(jobs_history, "sight_of", return_value=nothing):
            self.assertEqual(self.history().entries[0].owner, "")

    def test_an_import_that_is_taken_back(self):
        self.faculties("OLD1,One")
        second = self.faculties("OLD1,Two", name="b.csv")
        undo = self.undo(second)
        self.assertEqual(
            self.told(),
            [
                ("restored", 1, "restored"),
                ("updated", 1, "undone"),
                ("updated", 1, ["title: Old faculty 1 -> One"]),
            ],
        )
        entry = self.history().entries[0]
        self.assertEqual((entry.run, entry.kind), (undo.id, "undo"))
        self.faculties("OLD1,Three", name="c.csv")
        self.assertEqual(
            self.told(),
            [
                ("updated", 1, ["title: One -> Three"]),
                ("restored", 1, "restored"),
                ("updated", 1, "undone"),
                ("updated", 1, ["title: Old faculty 1 -> One"]),
            ],
        )

    def test_a_change_by_hand_after_an_undo(self):
        self.faculties("OLD1,One")
        self.undo(self.faculties("OLD1,Two", name="b.csv"))
        self.title("By hand")
        self.assertEqual(
            self.told(),
            [
                ("otherwise", 0, []),
                ("restored", 1, "restored"),
                ("updated", 1, "undone"),
                ("updated", 1, ["title: Old faculty 1 -> ?"]),
            ],
        )

    def test_a_row_that_an_undo_leaves_alone(self):
        id = self.faculties("OLD1,One", "OLD2,x")
        self.title("By hand")
        self.undo(id)
        self.assertEqual(self.told(), [("updated", 1, "left")])
        self.assertEqual(
            self.told("OLD2"), [("restored", 2, "restored"), ("updated", 2, "undone")]
        )

    def test_a_run_that_goes_on_after_a_fault(self):
        with few_rows(2):
            rows = ("OLD1,One", "OLD2,x", "OLD1,Two", "OLD2,y", "OLD1,Three")
            id = self.order("facultyprocessor", "update", "code,title", *rows)
            with failing_at(1, OSError("the disk is full")):
                self.work(id)
            self.reopen()
            self.assertEqual(self.told(), [("updated", 1, ["title: Old faculty 1 -> One"])])
            self.resume(id)
        self.assertEqual(
            self.told(),
            [
                ("updated", 5, ["title: Two -> Three"]),
                ("updated", 3, ["title: One -> Two"]),
                ("updated", 1, ["title: Old faculty 1 -> One"]),
            ],
        )

    def test_one_who_goes_on_in_place_of_another(self):
        with few_rows(1):
            id = self.order("facultyprocessor", "update", "code,title", "OLD1,One", "OLD2,x")
            with failing_at(1, OSError("the disk is full")):
                self.work(id)
            self.ask(lambda o: o.resume(id), OTHER)
            self.work(id)
        entry = self.history("OLD2").entries[0]
        self.assertEqual((entry.owner, entry.user), (USER, OTHER))

    def test_a_value_that_the_class_has_by_default(self):
        lines = ("code,title_prefix", "OLD1,school", "OLD1,centre")
        self.imported("facultyprocessor", "update", *lines)
        self.assertEqual(
            self.told(),
            [
                ("updated", 2, ["title_prefix: school -> centre"]),
                ("updated", 1, ["title_prefix: faculty -> school"]),
            ],
        )

    def test_what_is_kept_beside_an_object(self):
        cell = "\"[{'user_name':'carl','local_role':'waeup.local.Clerk'}]\""
        self.imported("facultyprocessor", "update", "code,local_roles", f"OLD1,{cell}")
        (entry,) = self.history().entries
        (change,) = entry.changes
        self.assertEqual((change.field, change.old), ("local_roles", "[]"))
        self.assertIn("carl", change.new)
        # An object that had no annotations before.
        self.assertNotIn("__annotations__", vars(Faculty))

    def test_a_password_is_not_shown(self):
        self.imported("userprocessor", "update", "name,password", "carl,Geheim-1")
        (entry,) = self.history("carl", "users").entries
        self.assertEqual(changes_told(entry.changes), ["password: None -> ***"])
        self.imported("userprocessor", "create", "name,title,roles,password", "new,N,[],Geheim-2")
        (entry,) = self.history("new", "users").entries
        self.assertIn("password: None -> ***", changes_told(entry.changes))

    def test_pages(self):
        self.faculties(*(f"OLD1,Title {number}" for number in range(1, 31)))
        found = self.history(start=10, limit=10)
        self.assertEqual([entry.row for entry in found.entries], list(range(20, 10, -1)))
        self.assertEqual(found.total, 30)
        self.assertFalse(found.is_cut)

    def test_more_than_an_object_keeps(self):
        for part in (0, 70):
            rows = [f"OLD1,Title {part + number}" for number in range(1, 71)]
            with few_rows(200):
                self.faculties(*rows, name=f"t{part}.csv")
        found = self.history(limit=1000)
        self.assertTrue(found.is_cut)
        first, second = found.entries[-1], found.entries[-2]
        self.assertEqual((first.row, second.row), (1, 140 - MOST + 2))
        self.assertEqual(changes_told(first.changes), ["title: Old faculty 1 -> ?"])
        self.assertEqual(changes_told(second.changes), ["title: Title 41 -> Title 42"])


class Found(HistoryTestCase):
    """How an object is found."""

    def test_words_for_a_kind(self):
        self.faculties("OLD1,One")
        for kind in ("faculties", "facultyprocessor"):
            self.assertEqual(self.history(kind=kind).kind, "facultyprocessor")
        kinds = {kind.name: kind for kind in self.ask(lambda o: o.history_kinds())}
        self.assertEqual(kinds["facultyprocessor"].names, ("facultyprocessor", "faculties"))
        self.assertEqual(kinds["facultyprocessor"].keys, ("code",))
        with self.assertRaisesRegex(NoSuchItem, "no kind of objects 'faculty'"):
            self.history(kind="faculty")

    def test_a_key_that_nothing_has(self):
        with self.assertRaisesRegex(NoSuchItem, "no object with the key 'F9'.*'code'"):
            self.history("F9")

    def test_a_kind_without_an_exporter(self):
        self.faculties("OLD1,One")
        with one_at_once():
            self.assertEqual(self.history("OLD1", "oneatonce").total, 1)
            with self.assertRaisesRegex(NoSuchItem, "no object"):
                self.history("NO", "oneatonce")

    def test_other_keys(self):
        self.imported("studentprocessor", "update", "student_id,firstname", "S1,Ann")
        for key in ("S1", "R1", "M1"):
            found = self.history(key, "students")
            self.assertEqual((found.title, len(found.entries)), ("S1", 1))

    def test_several_objects_of_one_key(self):
        lines = ("student_id,level,code,score", "S2,100,COU2,50")
        self.imported("courseticketprocessor", "update", *lines)
        found = self.history("S2", "coursetickets")
        self.assertEqual(found.others, ("S2 / 100_COU1", "S2 / 100_COU2"))
        self.assertEqual(found.total, 0)
        found = self.history("S2", "coursetickets", which=2)
        self.assertEqual(found.title, "S2 / 100_COU2")
        self.assertEqual(changes_told(found.entries[0].changes), ["score: None -> 50"])
        with self.assertRaisesRegex(NoSuchItem, "from 1 to 2"):
            self.history("S2", "coursetickets", which=3)

    def test_an_object_that_was_removed(self):
        self.faculties("OLD1,One")
        id = self.imported("facultyprocessor", "remove", "code", "OLD2", "OLD1", name="b.csv")
        found = self.history()
        self.assertFalse(found.is_there)
        self.assertEqual(
            self.told(),
            [("removed", 2, []), ("updated", 1, ["title: Old faculty 1 -> One"])],
        )
        self.undo(id)
        self.assertTrue(self.history().is_there)
        self.assertEqual(
            self.told(),
            [
                ("returned", 2, "restored"),
                ("removed", 2, "undone"),
                ("updated", 1, ["title: Old faculty 1 -> One"]),
            ],
        )

    def test_a_removed_object_by_another_key(self):
        self.imported("studentprocessor", "remove", "student_id", "S1")
        found = self.history("R1", "students")
        self.assertEqual([entry.operation for entry in found.entries], ["removed"])
        self.assertFalse(found.is_there)

    def test_a_removed_object_is_called_as_before(self):
        id = self.imported("studentprocessor", "remove", "student_id", "S1")
        for key in ("S1", "R1"):
            found = self.history(key, "students")
            self.assertEqual((found.title, found.others), ("S1", ("S1",)))
        self.assertEqual(self.ask(lambda o: o.history_of_row(id, 1)).title, "S1")
        lines = ("student_id,level,code", "S2,100,COU2")
        id = self.imported("courseticketprocessor", "remove", *lines, name="b.csv")
        self.assertEqual(self.ask(lambda o: o.history_of_row(id, 1)).title, "S2 / 100_COU2")
        self.assertEqual(self.ask(lambda o: o.done_rows(id)).rows[0].title, "S2 / 100_COU2")
        self.assertEqual(self.history("100_COU2", "coursetickets").title, "S2 / 100_COU2")

    def test_an_object_that_was_made_again(self):
        self.imported("facultyprocessor", "remove", "code", "OLD1")
        self.faculties("OLD1,New", mode="create", name="b.csv")
        self.assertEqual([operation for operation, *_ in self.told()], ["created"])

    def test_who_may_see_it(self):
        self.faculties("OLD1,One")
        with self.assertRaises(NotAllowed):
            self.history(user="carl", kind="users", key="anna")
        self.assertEqual(self.history(user="carl").total, 1)
        kinds = self.ask(lambda o: o.history_kinds(), "carl")
        self.assertNotIn("userprocessor", [kind.name for kind in kinds])

    def test_who_may_only_export(self):
        id = self.faculties("OLD1,One")

        def exporter(site):
            site["users"]["dora"].roles = ["waeup.ExportManager"]
            notify(ObjectModifiedEvent(site["users"]["dora"]))

        self.change(exporter)
        kinds = [kind.name for kind in self.ask(lambda o: o.history_kinds(), "dora")]
        self.assertIn("facultyprocessor", kinds)
        self.assertNotIn("userprocessor", kinds)
        (entry,) = self.history(user="dora").entries
        self.assertEqual(entry.is_run, False)
        self.assertEqual(changes_told(entry.changes), ["title: Old faculty 1 -> One"])
        with self.assertRaises(NotAllowed):
            self.ask(lambda o: o.done_rows(id), "dora")

    def test_who_may_see_the_run(self):
        id = self.faculties("OLD1,One")
        self.change(
            lambda site: setattr(site["datacenter"].runs.get(id), "needs", ("waeup.manageUsers",))
        )
        (entry,) = self.history(user="carl").entries
        self.assertEqual((entry.run, entry.is_run, entry.note), ("", False, "hidden"))
        self.assertEqual(entry.changes, ())
        with self.assertRaises(NotAllowed):
            self.ask(lambda o: o.done_rows(id), "carl")
        with self.assertRaises(NotAllowed):
            self.ask(lambda o: o.history_of_row(id, 1), "carl")


class NotKept(HistoryTestCase):
    """What is told when undo records, or runs, are not kept any more."""

    def later(self, days):
        """Forget what is forgotten after so many days."""
        with mock.patch.object(recovery, "utc_now", lambda: utc_now() + timedelta(days=days)):
            in_own_thread(lambda: recovery.forget(self.db, SITE))

    def test_undo_records_that_have_gone(self):
        self.faculties("F1,One", mode="create")
        self.later(31)
        second = self.faculties("F1,Two", name="b.csv")
        self.assertEqual(
            self.told("F1"),
            [("updated", 1, ["title: One -> Two"]), ("created", 1, "expired")],
        )
        entries = self.history("F1").entries
        self.assertTrue(entries[1].is_run)
        self.later(31)
        self.assertEqual(self.told("F1"), [("updated", 1, "expired"), ("created", 1, "expired")])
        rows = self.ask(lambda o: o.done_rows(second))
        self.assertEqual((rows.rows, rows.is_kept), ((), False))
        with self.assertRaisesRegex(NoSuchItem, "not kept any more"):
            self.ask(lambda o: o.history_of_row(second, 1))

    def test_runs_that_were_forgotten(self):
        first = self.faculties("OLD1,One", user=OTHER)
        undo = self.undo(first)
        self.later(400)
        self.later(400)
        with self.assertRaises(NoSuchItem):
            self.info(first)
        entries = self.history().entries
        self.assertEqual(
            [entry_told(entry) for entry in entries],
            [("restored", 1, "restored"), ("updated", 1, "expired")],
        )
        self.assertEqual([entry.run for entry in entries], [undo.id, first])
        self.assertEqual([entry.is_run for entry in entries], [False, False])
        self.assertEqual([entry.file for entry in entries], ["data.csv", "data.csv"])
        self.assertEqual([entry.owner for entry in entries], [USER, OTHER])


class Back(HistoryTestCase):
    """From a run to what its rows did, and to the objects."""

    def test_what_rows_did(self):
        lines = ("F1,One", "OLD1,New", "bad code,x", "OLD1,Newer", "OLD2,Old faculty 2")
        id = self.faculties(*lines, mode="upsert")
        found = self.ask(lambda o: o.done_rows(id))
        self.assertEqual(
            [
                (row.number, row.operation, row.title, changes_told(row.changes))
                for row in found.rows
            ],
            [
                (1, "created", "F1", ["code: None -> F1", "title: None -> One"]),
                (2, "updated", "OLD1", ["title: Old faculty 1 -> New"]),
                (4, "updated", "OLD1", ["title: New -> Newer"]),
            ],
        )
        self.assertEqual((found.before, found.behind), (None, None))
        history = self.ask(lambda o: o.history_of_row(id, 4))
        self.assertEqual(history.title, "OLD1")
        self.assertEqual([entry.row for entry in history.entries], [4, 2])
        with self.assertRaisesRegex(NoSuchItem, "Row 3 of data.csv has done nothing"):
            self.ask(lambda o: o.history_of_row(id, 3))

    def test_pages(self):
        with few_rows(7):
            id = self.faculties(*(f"F{n},Title" for n in range(1, 41)), mode="create")

        def numbers(**kw):
            found = self.ask(lambda o: o.done_rows(id, limit=15, **kw))
            return [row.number for row in found.rows], found.before, found.behind

        self.assertEqual(numbers(), (list(range(1, 16)), None, 16))
        self.assertEqual(numbers(start=16), (list(range(16, 31)), 16, 31))
        self.assertEqual(numbers(start=31), (list(range(31, 41)), 31, None))
        self.assertEqual(numbers(before=31), (list(range(16, 31)), 16, 31))
        self.assertEqual(numbers(start=99), ([], 99, None))
        self.assertEqual(numbers(before=1), ([], None, 1))

    def test_a_run_that_is_no_import(self):
        undo = self.undo(self.faculties("OLD1,One"))
        with self.assertRaisesRegex(NoSuchItem, "no import"):
            self.ask(lambda o: o.done_rows(undo.id))

    def test_an_import_of_a_release_without_marks(self):
        with mock.patch("waeup.kofa.jobs.imports.marker", lambda id: None):
            id = self.faculties("OLD1,One", "F1,x", mode="upsert")
        found = self.ask(lambda o: o.done_rows(id))
        self.assertEqual(changes_told(found.rows[0].changes), ["title: Old faculty 1 -> ?"])
        history = self.ask(lambda o: o.history_of_row(id, 1))
        self.assertEqual((history.title, history.entries), ("OLD1", ()))


#: What happens to the four old faculties: an import of titles, an undo of one of the last
#: imports, a title by hand.
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("import"),
            st.lists(
                st.tuples(st.integers(1, 3), st.sampled_from("abcd")), min_size=1, max_size=5
            ),
        ),
        st.tuples(st.just("undo"), st.integers(1, 2)),
        st.tuples(st.just("hand"), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=7,
)


class AnyStory(HistoryTestCase):
    """Whatever happens, a history says nothing that was not so."""

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(STEPS)
    def test_nothing_is_told_that_was_not_so(self, steps):
        self.db.close()
        self.town.set_up()
        self.db = self.town.open()
        titles = {n: f"Old faculty {n}" for n in (1, 2, 3)}
        # By faculty: what was done, by which run and row, and both titles.
        story = {n: [] for n in titles}
        imports, is_any_undone = [], False
        for number, (what, how) in enumerate(steps):
            if what == "import":
                rows = [f"OLD{n},{text}" for n, text in how]
                with few_rows(2):
                    run = self.faculties(*rows, name=f"t{number}.csv")
                for row, (n, text) in enumerate(how, start=1):
                    if titles[n] != text:
                        story[n].append(("updated", run, row, titles[n], text))
                    titles[n] = text
                if any(one[1] == run for done in story.values() for one in done):
                    imports.append(run)
            elif what == "undo" and len(imports) >= how:
                is_any_undone = True
                undo = self.undo(imports.pop(-how))
                texts = self.change(
                    lambda site: {n: site["faculties"][f"OLD{n}"].title for n in (1, 2, 3)}
                )
                rows = self.rows(undo.report.finished)
                for row, title, outcome, _reason in rows:
                    if outcome == "updated":
                        story[int(title[-1])].append(("restored", undo.id, int(row), None, None))
                titles = texts
            elif what == "hand":
                titles[how] = f"hand {number}"
                self.title(titles[how], f"OLD{how}")
                story[how].append(("otherwise", "", 0, None, None))
        for n, done in story.items():
            found = self.history(f"OLD{n}", limit=1000).entries[::-1]
            self._compare(done, found, is_any_undone=is_any_undone)

    def _compare(self, done, found, *, is_any_undone):
        by_rows = [one for one in done if one[0] != "otherwise"]
        told = [entry for entry in found if entry.operation != "otherwise"]
        self.assertEqual([one[:3] for one in by_rows], [(e.operation, e.run, e.row) for e in told])
        for (operation, _run, _row, old, new), entry in zip(by_rows, told, strict=True):
            if operation == "restored" or entry.note:
                continue
            (change,) = entry.changes
            self.assertEqual((change.field, change.old), ("title", old))
            if change.is_known:
                self.assertEqual(change.new, new)
        if not is_any_undone:
            # Without undos, all that can be known is told: each change by hand between or
            # behind imports, several in a row as one.
            shape = [one[0] for one in done]
            shape = [
                word
                for at, word in enumerate(shape)
                if word != "otherwise" or (at and shape[at - 1] != word)
            ]
            self.assertEqual([entry.operation for entry in found], shape)
