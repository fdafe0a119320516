"""What undo takes back, what it leaves alone, and what it says about it."""

import os
import shutil
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from persistent import Persistent
from zope.annotation.interfaces import IAttributeAnnotatable
from zope.component import createObject, getGlobalSiteManager
from zope.event import notify
from zope.lifecycleevent import ObjectModifiedEvent
from zope.lifecycleevent.interfaces import (
    IObjectAddedEvent,
    IObjectModifiedEvent,
    IObjectRemovedEvent,
)
from zope.securitypolicy.interfaces import Allow, IPrincipalRoleManager

from waeup.kofa.errors import NotAllowed, WrongState
from waeup.kofa.importing import distribution
from waeup.kofa.importing.checking import CheckWriter
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.record import utc_now
from waeup.kofa.tests.jobs.lives import TownTestCase, few_rows
from waeup.kofa.tests.jobs.portal import OTHER, USER
from waeup.kofa.university.interfaces import IFaculty
from waeup.kofa.university.localroles import local_roles, replace_local_roles

OLD1 = "Old faculty 1"
CLERKS = ["waeup.ImportManager", "waeup.UsersManager"]


def roles(*users):
    """Return a cell of local roles."""
    parts = (f"{{'user_name':'{u}','local_role':'waeup.local.Clerk'}}" for u in users)
    return f'"[{",".join(parts)}]"'


#: Processor, mode, lines; all rows but those that say ``bad`` succeed.
TABLES = [
    ("facultyprocessor", "create", "code,title", "F1,One", "bad code,Two", "F3,Three"),
    ("facultyprocessor", "create", "code,local_roles", f"F1,{roles('carl')}", "F2,"),
    ("facultyprocessor", "update", "code,title,officer_1", "OLD1,One,x", "OLD2,Two,y"),
    ("facultyprocessor", "update", "code,local_roles", f"OLD1,{roles('carl')}", "OLD2,XXX"),
    ("facultyprocessor", "update", "code,title,local_roles", f"OLD2,Two,{roles('carl', 'dora')}"),
    ("facultyprocessor", "remove", "code", "OLD1", "OLD2", "BADONE"),
    ("facultyprocessor", "upsert", "code,title", "OLD1,One", "F1,Two", "F1,Three", "OLD1,Four"),
    ("departmentprocessor", "create", "code,faculty_code,title", "D1,OLD1,One", "D2,OLD2,Two"),
    ("departmentprocessor", "update", "code,faculty_code,title", "DEP1,OLD1,One"),
    ("departmentprocessor", "remove", "code,faculty_code", "DEP1,OLD1", "DEP2,OLD1"),
    ("departmentprocessor", "upsert", "code,faculty_code,title", "DEP1,OLD1,One", "D1,OLD3,Two"),
    (
        "courseprocessor",
        "create",
        "code,title,faculty_code,department_code,credits",
        "C1,One,OLD1,DEP1,3",
        "C2,Two,OLD1,DEP2,4",
        "COU1,bad,OLD1,DEP2,4",
    ),
    ("courseprocessor", "update", "code,title,credits", "COU1,One,5", "COU2,Two,7", "COU1,Uno,9"),
    ("courseprocessor", "remove", "code", "COU3", "COU1"),
    (
        "courseprocessor",
        "upsert",
        "code,title,faculty_code,department_code",
        "COU1,One,OLD1,DEP1",
        "C1,One,OLD1,DEP3",
    ),
    (
        "studentprocessor",
        "create",
        "student_id,reg_number,matric_number,firstname,lastname,sex,password",
        "N1,X1,Y1,Ann,A,f,Geheim123",
        ",X2,,Ben,B,m,",
        "N3,,Y3,Cia,C,f,",
    ),
    (
        "studentprocessor",
        "update",
        "student_id,reg_number,matric_number,email",
        "S1,X1,Y1,a@b.de",
        "S2,XXX,M2,XXX",
        "S3,R1,,",
    ),
    ("studentprocessor", "remove", "student_id", "S1", "S2", "S3"),
    (
        "studentprocessor",
        "upsert",
        "student_id,reg_number,firstname,lastname,sex",
        "S1,X1,Ann,A,f",
        "N1,R1,Ben,B,m",
        "N1,X3,Ben,B,m",
        "S2,R1,Cia,C,f",
    ),
    ("courseticketprocessor", "create", "student_id,level,code", "S1,100,COU2", "S4,200,COU3"),
    ("courseticketprocessor", "update", "student_id,level,code,score", "S1,100,COU1,50"),
    ("courseticketprocessor", "remove", "student_id,level,code", "S1,100,COU1", "S2,100,COU2"),
    (
        "courseticketprocessor",
        "upsert",
        "student_id,level,code,score",
        "S1,100,COU1,50",
        "S1,300,COU1,60",
    ),
    (
        "userprocessor",
        "create",
        "name,title,roles,password",
        "fred,Fred,\"['waeup.ImportManager']\",Geheim123",
        "gina,Gina,,Geheim123",
    ),
    (
        "userprocessor",
        "update",
        "name,title,roles,password",
        "carl,Carlo,\"['waeup.ImportManager','waeup.ExportManager']\",Geheim123",
        "dora,Dora,XXX,Geheim123",
    ),
    ("userprocessor", "remove", "name", "carl", "dora"),
    (
        "userprocessor",
        "upsert",
        "name,title,roles",
        "emma,Emmy,\"['waeup.ExportManager']\"",
        "fred,Fred,\"['waeup.ImportManager']\"",
    ),
]


class Kinds(TownTestCase):
    """All kinds of objects, in all modes."""

    def test_everything_is_as_it_was(self):
        before = self.objects()
        for rows in (1, 50):
            for processor, mode, *lines in TABLES:
                with self.subTest(f"{processor} {mode} {lines[0]}", rows=rows), few_rows(rows):
                    self.db.close()
                    self.town.set_up()
                    self.db = self.town.open()
                    id = self.order(processor, mode, *lines)
                    run = self.work(id)
                    bad = sum("bad" in line.lower() for line in lines)
                    self.assertEqual(
                        (run.state, run.report.failed, run.report.total),
                        ("finished", bad, len(lines) - 1),
                        (run.fault, run.report.reasons),
                    )
                    self.assertNotEqual(self.objects(), before)
                    preview = self.undo(id, check=True)
                    undo = self.undo(id)
                    self.assertEqual((undo.state, undo.fault), ("finished", ""))
                    self.assertEqual(self.objects(), before)
                    self.assertEqual(undo.report.failed, 0, self.rows(undo.report.finished))
                    self.assertEqual(undo.report.total, run.report.done)
                    self.assertEqual(_counts(preview), _counts(undo))
                    self.assertEqual(self.info(id).state, "undone")

    def test_roles_of_accounts_are_gone_from_the_portal_as_well(self):
        def granted(site):
            settings = IPrincipalRoleManager(site).getRolesForPrincipal("carl")
            return {role for role, setting in settings if setting is Allow}

        self.assertEqual(self.change(granted), {"waeup.ImportManager"})
        roles = "\"['waeup.ImportManager','waeup.PortalManager']\""
        id = self.order("userprocessor", "update", "name,roles", f"carl,{roles}")
        self.work(id)
        self.assertIn("waeup.PortalManager", self.change(granted))
        self.undo(id)
        self.assertEqual(self.change(granted), {"waeup.ImportManager"})

    def test_what_was_removed_returns_with_all_it_contained(self):
        id = self.order("facultyprocessor", "remove", "code", "OLD1")
        self.work(id)
        self.assertIsNone(self.change(lambda site: site["faculties"].find_course("COU1")))
        self.undo(id)
        where = self.change(
            lambda site: site["faculties"].find_course("COU1").__parent__.__parent__.title
        )
        self.assertEqual(where, "Old department 1")

    def test_one_object_in_many_rows_and_batches(self):
        before = self.objects()
        titles = [f"OLD1,Title {number % 4}" for number in range(12)]
        for rows in (1, 3, 5, 20):
            with self.subTest(rows=rows), few_rows(rows):
                id = self.order("facultyprocessor", "upsert", "code,title", *titles, "F,a", "F,b")
                self.work(id)
                undo = self.undo(id)
                self.assertEqual((undo.report.failed, self.objects()), (0, before))

    def test_what_subscribers_set_goes_with_it(self):
        def touch(faculty, event):
            faculty.touched = getattr(faculty, "touched", 0) + 1
            faculty.officer_2 = f"touched {faculty.touched}"

        before = self.objects()
        with subscribed(touch, IFaculty, IObjectModifiedEvent), few_rows(2):
            lines = ("OLD1,One", "OLD2,Two", "OLD1,Uno", "OLD1,Ein")
            id = self.order("facultyprocessor", "update", "code,title", *lines)
            self.work(id)
            self.assertEqual(self.change(lambda site: site["faculties"]["OLD1"].touched), 3)
            undo = self.undo(id)
        self.assertEqual((undo.report.failed, self.objects()), (0, before))


class Annotations(TownTestCase):
    """What is kept beside objects, as local roles are."""

    def test_roles_on_one_object_are_those_of_no_other_and_are_kept(self):
        id = self.order("facultyprocessor", "update", "code,local_roles", f"OLD1,{roles('carl')}")
        self.work(id)
        self.reopen()
        found = self.change(
            lambda site: {code: local_roles(site["faculties"][code]) for code in site["faculties"]}
        )
        clerk = "waeup.local.Clerk"
        self.assertEqual(
            found, {"OLD1": [("carl", clerk)], "OLD2": [("anna", clerk)], "OLD3": [], "OLD4": []}
        )

    def test_no_class_has_what_would_be_taken_for_annotations_of_objects(self):
        found, todo = [], [Persistent]
        while todo:
            cls = todo.pop()
            todo += cls.__subclasses__()
            names = [base.__name__ for base in cls.__mro__ if vars(base).get("__annotations__")]
            if names and IAttributeAnnotatable.implementedBy(cls):
                found.append((cls, names))
        self.assertEqual(found, [])


class Conflicts(TownTestCase):
    """Rows that are left alone, since somebody has worked on the object, and the others."""

    def conflicts(self, processor, mode, *lines, meanwhile, reason, others=1, rows=50):
        """Import, let `meanwhile` happen, take it back: the row of the first line is left alone.

        Nothing that it is about changes; the `others` are taken back.
        """
        with few_rows(rows):
            id = self.order(processor, mode, *lines)
            run = self.work(id)
            self.assertEqual(run.report.failed, 0, run.report.reasons)
            self.change(meanwhile)
            before = self.objects()
            preview = self.undo(id, check=True)
            self.assertEqual(self.objects(), before)
            undo = self.undo(id)
        self.assertEqual((undo.state, undo.fault), ("finished", ""))
        found = {row: (outcome, why) for row, _, outcome, why in self.rows(undo.report.finished)}
        self.assertEqual(found["1"][0], "left alone", found)
        self.assertRegex(found["1"][1], reason)
        self.assertEqual((undo.report.failed, undo.report.done), (1, others), found)
        self.assertEqual(_counts(preview), _counts(undo))
        return before

    def faculty(self, mode="update", **kw):
        lines = {
            "create": ("code,title", "F1,One", "F2,Two"),
            "update": ("code,title", "OLD1,One", "OLD2,Two"),
            "remove": ("code", "OLD1", "OLD2"),
        }[mode]
        return self.conflicts("facultyprocessor", mode, *lines, **kw)

    def title(self, code="OLD1"):
        return self.change(lambda site: site["faculties"][code].title)

    def test_changed_since(self):
        def meanwhile(site):
            site["faculties"]["OLD1"].officer_1 = "Bola"

        self.faculty(meanwhile=meanwhile, reason="changed since")
        self.assertEqual((self.title(), self.title("OLD2")), ("One", "Old faculty 2"))

    def test_a_new_object_that_was_changed_stays(self):
        def meanwhile(site):
            site["faculties"]["F1"].officer_1 = "Bola"

        self.faculty("create", meanwhile=meanwhile, reason="changed since")
        self.assertEqual(self.title("F1"), "One")

    def test_a_new_object_that_has_children_stays(self):
        def meanwhile(site):
            site["faculties"]["F1"].addDepartment(createObject("waeup.Department", "D"))

        self.faculty("create", meanwhile=meanwhile, reason="added to it, or changed in it")

    def test_a_new_object_whose_roles_were_changed_stays(self):
        def meanwhile(site):
            replace_local_roles(site["faculties"]["F1"], [("dora", "waeup.local.Clerk")])

        for cell in ("", roles("carl")):
            with self.subTest(cell):
                self.conflicts(
                    "facultyprocessor",
                    "create",
                    "code,local_roles",
                    f"F1,{cell}",
                    f"F2,{cell}",
                    meanwhile=meanwhile,
                    reason="since",
                )
                self.change(lambda site: site["faculties"].__delitem__("F1"))

    def test_roles_that_were_changed_since_stay(self):
        wanted = [("dora", "waeup.local.Clerk")]

        def meanwhile(site):
            replace_local_roles(site["faculties"]["OLD2"], wanted)

        self.conflicts(
            "facultyprocessor",
            "update",
            "code,local_roles",
            f"OLD2,{roles('carl')}",
            f"OLD1,{roles('carl')}",
            meanwhile=meanwhile,
            reason="changed since",
        )
        self.assertEqual(self.change(lambda site: local_roles(site["faculties"]["OLD2"])), wanted)

    def test_a_new_student_with_tickets_stays(self):
        def meanwhile(site):
            ticket = createObject("waeup.CourseTicket")
            ticket.code, ticket.level = "COU1", 100
            site["students"]["N1"]["100_COU1"] = ticket

        self.conflicts(
            "studentprocessor",
            "create",
            "student_id,firstname,lastname,sex",
            "N1,Ann,A,f",
            "N2,Ben,B,m",
            meanwhile=meanwhile,
            reason="added to it, or changed in it",
        )

    def test_an_object_that_was_removed_since(self):
        def remove(code):
            return lambda site: site["faculties"].__delitem__(code)

        self.faculty("create", meanwhile=remove("F1"), reason="not in its place")
        self.faculty(meanwhile=remove("OLD1"), reason="was removed since")

    def test_an_object_that_was_replaced_since(self):
        def replace(site):
            faculties = site["faculties"]
            del faculties["F1"]
            faculties.addFaculty(createObject("waeup.Faculty", "F1", "Another"))

        self.faculty("create", meanwhile=replace, reason="not in its place")
        self.assertEqual(self.title("F1"), "Another")

    def test_a_place_that_was_taken(self):
        def take(site):
            site["faculties"].addFaculty(createObject("waeup.Faculty", "OLD1", "Another"))

        self.faculty("remove", meanwhile=take, reason="Another object has its place")
        self.assertEqual(self.title(), "Another")

    def test_a_parent_that_is_gone(self):
        def remove(site):
            del site["faculties"]["OLD1"]

        lines = ("code,faculty_code", "DEP1,OLD1", "DD,OLD2")
        self.change(
            lambda site: site["faculties"]["OLD2"].addDepartment(
                createObject("waeup.Department", "DD")
            )
        )
        self.conflicts(
            "departmentprocessor",
            "remove",
            *lines,
            meanwhile=remove,
            reason="What it was in is not there",
        )

    def test_a_new_object_whose_parent_is_gone(self):
        def remove(site):
            del site["faculties"]["OLD1"]

        self.conflicts(
            "departmentprocessor",
            "create",
            "code,faculty_code",
            "D1,OLD1",
            "D2,OLD2",
            meanwhile=remove,
            reason="removed together with what it was in",
        )

    def test_a_parent_that_another_one_has_replaced(self):
        def replace(site):
            del site["faculties"]["OLD1"]
            site["faculties"].addFaculty(createObject("waeup.Faculty", "OLD1", "Another"))

        self.conflicts(
            "departmentprocessor",
            "remove",
            "code,faculty_code",
            "DEP1,OLD1",
            meanwhile=replace,
            reason="What it was in is not there",
            others=0,
        )

    def test_a_course_that_is_elsewhere_now(self):
        def elsewhere(site):
            courses = site["faculties"]["OLD1"]["DEP2"].courses
            courses.addCourse(createObject("waeup.Course", "COU1"))

        self.conflicts(
            "courseprocessor",
            "remove",
            "code",
            "COU1",
            "COU2",
            meanwhile=elsewhere,
            reason="exists already elsewhere",
        )

    def test_a_number_that_another_student_has_now(self):
        def take(site):
            site["students"]["S4"].reg_number = "R1"
            site["students"].index(site["students"]["S4"])

        numbers = ("student_id,reg_number", "S1,X1", "S2,X2")
        reason = "'R1' belongs to student"
        self.conflicts("studentprocessor", "update", *numbers, meanwhile=take, reason=reason)

    def test_a_number_that_another_student_has_when_the_first_returns(self):
        def take(site):
            site["students"]["S4"].reg_number = "R1"
            site["students"].index(site["students"]["S4"])

        self.conflicts(
            "studentprocessor",
            "remove",
            "student_id",
            "S1",
            "S2",
            meanwhile=take,
            reason="'R1' belongs to student",
        )

    def test_what_somebody_did_between_two_batches_is_not_lost(self):
        lines = ("code,title", "F1,a", "F2,x", "F1,b", "F2,y")
        id = self.order("facultyprocessor", "upsert", *lines)
        with few_rows(2):
            self.stopped_at(1, id)

            def change(site):
                site["faculties"]["F1"].officer_1 = "Bola"

            self.change(change)
            self.assertEqual(self.resume(id).state, "finished")
            undo = self.undo(id)
        found = {row: (outcome, why) for row, _, outcome, why in self.rows(undo.report.finished)}
        self.assertEqual(found["3"][0], "updated")
        self.assertEqual(found["1"][0], "left alone", found)
        self.assertEqual(
            self.change(lambda site: (site["faculties"]["F1"].officer_1, self.keys(site))),
            ("Bola", ["F1", "OLD1", "OLD2", "OLD3", "OLD4"]),
        )

    def test_what_an_import_changes_by_the_way_is_not_its_own(self):
        def count(faculty, event):
            faculties = event.newParent
            if "OLD1" in faculties:
                faculties["OLD1"].siblings = len(faculties)

        def count_late(faculty, event):
            transaction.get().addBeforeCommitHook(count, (faculty, event))

        def officer(site):
            site["faculties"]["OLD1"].title = "Officer"

        for touch in (count, count_late):
            with (
                self.subTest(touch.__name__),
                subscribed(touch, IFaculty, IObjectAddedEvent),
                few_rows(1),
            ):
                code = touch.__name__.upper()[:8]
                lines = ("code,title", "OLD1,Imported", f"{code},New")
                id = self.order("facultyprocessor", "upsert", *lines)
                self.stopped_at(1, id)
                self.change(officer)
                self.assertEqual(self.resume(id).state, "finished")
                preview = self.undo(id, check=True)
                undo = self.undo(id)
                self.assertEqual((preview.report.failed, undo.report.failed), (1, 1))
                self.assertEqual((preview.report.removed, undo.report.removed), (1, 1))
                self.assertEqual(self.title(), "Officer")

    def test_what_an_undo_changes_by_the_way_is_not_its_own(self):
        def officer(site):
            site["faculties"]["OLD1"].title = "Officer"

        def count(faculty, event):
            faculties = event.oldParent
            faculties["OLD1"].siblings = len(faculties)

        def count_late(faculty, event):
            transaction.get().addBeforeCommitHook(count, (faculty, event))

        for touch in (count, count_late):
            lines = ("code,title", "OLD1,One", "N1,a", "N2,b")
            with (
                self.subTest(touch.__name__),
                subscribed(touch, IFaculty, IObjectRemovedEvent),
            ):
                self.conflicts(
                    "facultyprocessor",
                    "upsert",
                    *lines,
                    meanwhile=officer,
                    reason="changed since",
                    others=2,
                    rows=1,
                )
                self.assertEqual(self.title(), "Officer")

    def test_what_an_undo_changes_by_the_way_beside_a_row_that_fails(self):
        def officer(site):
            site["faculties"]["OLD1"].title = "Officer"

        def count(faculty, event):
            if faculty.code == "N2":
                raise ValueError("N2 is of use")
            event.oldParent["OLD1"].siblings = len(event.oldParent)

        with few_rows(2), subscribed(count, IFaculty, IObjectRemovedEvent):
            lines = ("code,title", "OLD1,One", "N1,a", "N2,b", "N3,c")
            id = self.order("facultyprocessor", "upsert", *lines)
            self.work(id)
            self.change(officer)
            preview, undo = self.undo(id, check=True), self.undo(id)
        self.assertEqual(_counts(preview), _counts(undo))
        found = {row: (outcome, why) for row, _, outcome, why in self.rows(undo.report.finished)}
        self.assertEqual(found["3"], ("left alone", "N2 is of use"))
        self.assertEqual(found["1"], ("left alone", "It was changed since."))
        self.assertEqual((undo.report.failed, self.title()), (2, "Officer"))

    def test_what_an_undo_alone_changes_by_the_way_is_taken_back(self):
        def touch(faculty, event):
            faculties = event.oldParent
            if faculty.code == "N2":
                faculties["OLD1"].siblings = len(faculties)
                faculties["N1"].addDepartment(createObject("waeup.Department", "D"))

        for reopened in (False, True):
            with self.subTest(reopened=reopened), few_rows(1):
                lines = ("code,title", "OLD1,One", "N1,a", "N2,b", "N3,c")
                id = self.order("facultyprocessor", "upsert", *lines)
                self.work(id)
                with subscribed(touch, IFaculty, IObjectRemovedEvent):
                    preview = self.undo(id, check=True)
                    undo = self.ask(lambda o, id=id: o.start_undo(id)).id
                    if reopened:
                        self.stopped_at(2, undo)
                        self.reopen()
                        self.ask(lambda o, undo=undo: o.resume(undo))
                    info = self.work(undo)
                self.assertEqual((info.report.failed, info.report.done), (0, 4))
                self.assertEqual(_counts(preview), _counts(info))
                self.assertEqual((self.title(), self.change(self.keys)[0]), (OLD1, "OLD1"))

    def test_what_another_undo_changes_by_the_way(self):
        def touch(faculty, event):
            event.oldParent["OLD1"].siblings = len(event.oldParent)

        for officers in (False, True):
            with self.subTest(officers=officers):
                first = self.order("facultyprocessor", "update", "code,title", "OLD1,One")
                self.work(first)
                if officers:
                    self.change(lambda site: setattr(site["faculties"]["OLD1"], "title", "Two"))
                lines = ("code,title", "N1,a")
                second = self.order("facultyprocessor", "create", *lines, name="more.csv")
                self.work(second)
                with subscribed(touch, IFaculty, IObjectRemovedEvent):
                    self.assertEqual(self.undo(second).report.failed, 0)
                preview, undo = self.undo(first, check=True), self.undo(first)
                self.assertEqual(undo.report.failed, int(officers))
                self.assertEqual(_counts(preview), _counts(undo))
                self.assertEqual(self.title(), "Two" if officers else OLD1)

    @staticmethod
    def keys(site):
        return sorted(site["faculties"])

    def test_rights_that_the_person_lacks_are_not_given_back(self):
        def two_roles(site):
            for account, allowed in (("carl", ["waeup.PortalManager"]), (OTHER, CLERKS)):
                site["users"][account].roles = allowed
                notify(ObjectModifiedEvent(site["users"][account]))

        self.change(two_roles)
        before = self.objects()
        for mode, lines in (("update", ("name,roles", "carl,XXX")), ("remove", ("name", "carl"))):
            with self.subTest(mode):
                id = self.order("userprocessor", mode, *lines)
                self.work(id)
                after = self.objects()
                self.assertNotEqual(after, before)
                undo = self.work(self.ask(lambda o, id=id: o.start_undo(id), OTHER).id)
                self.assertEqual((undo.report.failed, undo.report.done), (1, 0))
                ((*_, why),) = self.rows(undo.report.finished)
                self.assertRegex(why, "You lack rights of waeup.PortalManager")
                self.assertEqual(self.objects(), after)
                self.db.close()
                self.town.set_up()
                self.db = self.town.open()
                self.change(two_roles)

    def test_a_subscriber_that_fails_concerns_its_row(self):
        before = self.objects()
        id = self.order("facultyprocessor", "create", "code,title", "F1,a", "F2,b", "F3,c")
        self.work(id)

        def refuse(faculty, event):
            faculty.officer_1 = "half done"
            if faculty.code == "F2":
                raise ValueError("F2 is of use")

        with subscribed(refuse, IFaculty, IObjectRemovedEvent):
            preview = self.undo(id, check=True)
            undo = self.undo(id)
        self.assertEqual(_counts(preview), _counts(undo))
        self.assertEqual((undo.report.failed, undo.report.done), (1, 2))
        reasons = [why for *_, why in self.rows(undo.report.finished) if why]
        self.assertEqual(reasons, ["F2 is of use"])
        after = self.objects()
        self.assertEqual(after.pop("faculties/F2")["title"], "b")
        self.assertEqual(after, before)


class AtOnce(TownTestCase):
    """Several processes that bring results to their places at the same time."""

    def test_a_folder_that_somebody_else_makes_meanwhile(self):
        id = self.order("facultyprocessor", "create", "code,title", "F1,One")
        self.work(id)
        real, made = os.path.isdir, []

        def isdir(path):
            found = real(path)
            if not found and os.path.basename(path) in ("finished", "unfinished"):
                made.append(os.path.basename(path))
                os.mkdir(path)
            return found

        shutil.rmtree(os.path.join(self.town.storage, "finished"))
        with mock.patch.object(os.path, "isdir", isdir):
            undo = self.undo(id)
        self.assertEqual((undo.state, undo.fault), ("finished", ""))
        self.assertIn("finished", made)
        self.assertEqual(len(self.rows(undo.report.finished)), 1)
        for name in ("finished", "unfinished"):
            shutil.rmtree(os.path.join(self.town.storage, name))
        made.clear()
        again = self.order("facultyprocessor", "create", "code,title", "F2,Two", name="more.csv")
        with mock.patch.object(os.path, "isdir", isdir):
            self.assertEqual(self.work(again).state, "finished")
        self.assertEqual(made, ["finished", "unfinished"])


class LaterRuns(TownTestCase):
    """Several runs on the same objects."""

    def two(self, meanwhile=None):
        first = self.order("facultyprocessor", "upsert", "code,title", "OLD1,One", "F1,a")
        self.work(first)
        if meanwhile is not None:
            self.change(meanwhile)
        lines = ("code,title", "OLD1,Two", "F1,b", "F2,c")
        second = self.order("facultyprocessor", "upsert", *lines, name="more.csv")
        self.work(second)
        return first, second

    def test_the_first_is_reported_as_long_as_the_second_is_there(self):
        first, _second = self.two()
        undo = self.undo(first)
        self.assertEqual((undo.report.failed, undo.report.done), (2, 0))
        reasons = {why for *_, why in self.rows(undo.report.finished)}
        self.assertEqual(reasons, {"It was changed since."})

    def test_the_last_one_first(self):
        before = self.objects()
        first, second = self.two()
        self.assertEqual(self.undo(second).report.failed, 0)
        preview, undo = self.undo(first, check=True), self.undo(first)
        self.assertEqual((undo.report.failed, undo.report.done), (0, 2))
        self.assertEqual(_counts(preview), _counts(undo))
        self.assertEqual(self.objects(), before)

    def test_the_last_one_first_in_single_batches(self):
        before = self.objects()
        with few_rows(1):
            first, second = self.two()
            self.assertEqual(self.undo(second).report.failed, 0)
            self.reopen()
            self.assertEqual(self.undo(first).report.failed, 0)
        self.assertEqual(self.objects(), before)

    def test_roles_alone_the_last_one_first(self):
        before = self.objects()
        first = self.order("facultyprocessor", "update", "code,officer_1", "OLD2,x")
        self.work(first)
        lines = ("code,local_roles", "OLD2,XXX")
        second = self.order("facultyprocessor", "update", *lines, name="more.csv")
        self.work(second)
        self.assertEqual(self.undo(second).report.failed, 0)
        self.assertEqual(self.undo(first).report.failed, 0)
        self.assertEqual(self.objects(), before)

    def test_three_runs_and_an_order_once_more(self):
        before = self.objects()
        first, second = self.two()
        self.undo(second)
        lines = ("code,title", "OLD1,Three", "F1,d")
        third = self.order("facultyprocessor", "update", *lines, name="third.csv")
        self.work(third)
        self.undo(third)
        self.assertEqual(self.undo(first).report.failed, 0)
        self.assertEqual(self.objects(), before)

    def test_what_somebody_did_between_two_runs_is_not_lost(self):
        def meanwhile(site):
            site["faculties"]["F1"].officer_1 = "Bola"

        first, second = self.two(meanwhile)
        self.assertEqual(self.undo(second).report.failed, 0)
        undo = self.undo(first)
        self.assertEqual((undo.report.failed, undo.report.done), (1, 1))
        self.assertEqual(self.change(lambda site: site["faculties"]["F1"].officer_1), "Bola")

    def test_what_was_removed_and_returned_can_go_again(self):
        before = self.objects()
        first = self.order("facultyprocessor", "create", "code,title", "F1,a")
        self.work(first)
        second = self.order("facultyprocessor", "remove", "code", "F1", name="more.csv")
        self.work(second)
        self.assertEqual(self.undo(second).report.failed, 0)
        self.assertEqual(self.undo(first).report.failed, 0)
        self.assertEqual(self.objects(), before)


class Orders(TownTestCase):
    """When an undo can be ordered, and what becomes of the file."""

    def setUp(self):
        super().setUp()
        self.rows_of_file = [f"F{number},Title {number}" for number in range(8)]
        self.before = self.objects()
        few = few_rows(2)
        few.start()
        self.addCleanup(few.stop)
        self.town.put("data.csv", "code,title", *self.rows_of_file)
        self.town.recover(self.db)
        self.id = self.order("facultyprocessor", "create")

    def refused(self, pattern, id=None):
        with self.assertRaisesRegex(WrongState, pattern):
            self.ask(lambda o: o.start_undo(id or self.id))

    def held(self):
        return self.change(lambda site: site["datacenter"].runs.holder_of("data.csv") is not None)

    def assertUndone(self, file="data.csv"):
        """All is as before, and the file can be imported anew."""
        self.assertEqual(self.objects(), self.before)
        self.assertEqual(self.info(self.id).state, "undone")
        self.assertNotIn(".work", self.stored())
        self.assertEqual(self.town.recover(self.db), [])
        again = self.work(self.order("facultyprocessor", "create", name=file))
        self.assertEqual((again.state, again.report.created), ("finished", 8))

    def test_refusals(self):
        self.refused("is queued. Cancel it first")
        self.work(self.id)
        check = self.undo(self.id, check=True)
        self.refused("changed nothing that could be taken back", check.id)
        undo = self.ask(lambda o: o.start_undo(self.id)).id
        self.refused("is taken back by another run already")
        self.work(undo)
        self.refused("is taken back by another run already")
        self.refused("changed nothing that could be taken back", undo)

    def test_two_officers_at_the_same_time(self):
        self.work(self.id)
        first = self.ask(lambda o: o.start_undo(self.id)).id
        self.refused("is taken back by another run already")
        self.ask(lambda o: o.cancel(first))
        self.assertEqual(self.undo(self.id).state, "finished")
        with self.assertRaises(WrongState):
            self.ask(lambda o: o.resume(first))
        self.assertEqual(self.objects(), self.before)

    def test_a_stopped_run(self):
        self.assertEqual(self.stopped_at(2, self.id).state, "stopped")
        self.assertEqual(len(self.objects()) - len(self.before), 4)
        undo = self.undo(self.id)
        self.assertEqual((undo.state, undo.report.done), ("finished", 4))
        self.assertUndone()

    def test_a_cancelled_run(self):
        self.stopped_at(3, self.id)
        self.ask(lambda o: o.cancel(self.id))
        self.assertEqual(self.info(self.id).state, "cancelled")
        self.assertTrue(self.held())
        self.assertEqual(self.undo(self.id).report.done, 6)
        self.assertUndone()

    def test_a_run_that_stopped_before_its_first_row_has_nothing_to_take_back(self):
        self.assertEqual(self.stopped_at(0, self.id).state, "stopped")
        self.refused("it changed nothing")
        self.ask(lambda o: o.cancel(self.id))
        self.assertFalse(self.held())
        self.town.recover(self.db)
        self.assertNotIn(".work", self.stored())

    def test_an_undo_that_is_given_up_before_it_began_leaves_the_file_to_the_import(self):
        self.stopped_at(2, self.id)
        undo = self.ask(lambda o: o.start_undo(self.id)).id
        self.ask(lambda o: o.cancel(undo))
        self.assertTrue(self.held())
        with self.assertRaisesRegex(WrongState, "belongs to the import"):
            self.order("facultyprocessor", "create")
        self.assertEqual(self.town.recover(self.db)[0].code, "unresolved")
        self.assertEqual(self.resume(self.id).report.created, 8)
        self.assertEqual(self.undo(self.id).report.failed, 0)
        self.assertEqual(self.objects(), self.before)

    def test_an_import_does_not_go_on_while_it_is_taken_back(self):
        self.stopped_at(2, self.id)
        undo = self.ask(lambda o: o.start_undo(self.id)).id
        with self.assertRaises(WrongState):
            self.ask(lambda o: o.resume(self.id))
        with self.assertRaises(WrongState):
            self.order("facultyprocessor", "create")
        with self.assertRaises(WrongState):
            self.ask(lambda o: o.delete(["data.csv"]))
        self.work(undo)
        self.assertUndone()

    def interrupted(self, batch):
        """Stop an undo after so many batches; return it."""
        undo = self.ask(lambda o: o.start_undo(self.id)).id
        info = self.stopped_at(batch, undo)
        self.assertEqual((info.state, info.rows), ("stopped", 2 * batch))
        return undo

    def test_an_undo_that_stops_and_goes_on(self):
        for batch in range(4):
            with self.subTest(batch=batch):
                if batch:
                    self.id = self.order(
                        "facultyprocessor", "create", "code,title", *self.rows_of_file
                    )
                self.work(self.id)
                undo = self.interrupted(batch)
                self.refused("is taken back by another run already")
                # The work folder must not be taken for a stale one.
                found = self.town.recover(self.db)
                self.assertEqual([each.code for each in found], ["unresolved"])
                info = self.resume(undo)
                self.assertEqual((info.state, info.fault), ("finished", ""))
                self.assertEqual((info.report.done, info.report.failed), (8, 0))
                rows = self.rows(info.report.finished)
                self.assertEqual([row[0] for row in rows], [str(n) for n in range(8, 0, -1)])
                self.assertEqual(self.objects(), self.before)
                self.assertNotIn(".work", self.stored())

    def test_an_undo_of_a_stopped_run_that_stops_and_goes_on(self):
        self.stopped_at(3, self.id)
        undo = self.interrupted(1)
        self.assertTrue(self.held())
        self.town.recover(self.db)
        self.reopen()
        info = self.resume(undo)
        self.assertEqual((info.state, info.report.done), ("finished", 6))
        self.assertUndone()

    def test_an_undo_that_is_cancelled_in_the_middle_goes_on(self):
        self.work(self.id)
        undo = self.interrupted(2)
        self.ask(lambda o: o.cancel(undo))
        self.assertEqual(self.info(undo).state, "cancelled")
        self.refused("is taken back by another run already")
        self.town.recover(self.db)
        info = self.resume(undo)
        self.assertEqual((info.state, info.report.done), ("finished", 8))
        self.assertEqual(self.objects(), self.before)

    def leave(self):
        """Let the officer lose the account."""
        self.change(lambda site: site["users"].__delitem__(USER))

    def as_other(self, question):
        return self.ask(question, OTHER)

    def led_on(self, id):
        """Let the other officer let a run go on; return it."""
        self.as_other(lambda o: o.resume(id))
        self.town.work_off(id, self.db)
        info = self.as_other(lambda o: o.run(id))
        self.assertEqual((info.state, info.fault), ("finished", ""))
        self.assertEqual((info.owner, info.user), (USER, OTHER))
        return info

    def test_an_undo_goes_on_as_the_one_who_lets_it(self):
        self.work(self.id)
        undo = self.interrupted(2)
        self.leave()
        info = self.led_on(undo)
        self.assertEqual((info.report.done, info.report.failed), (8, 0))
        self.assertEqual(self.as_other(lambda o: o.run(self.id)).state, "undone")

    def test_an_import_goes_on_as_the_one_who_lets_it(self):
        with open(os.path.join(self.town.storage, "data.csv"), "a") as stream:
            stream.write("bad code,Bad\r\n")
        self.ask(lambda o: o.cancel(self.id))
        self.id = self.order("facultyprocessor", "create")
        self.stopped_at(2, self.id)
        self.leave()
        info = self.led_on(self.id)
        self.assertEqual((info.report.created, info.report.failed), (8, 1))
        entry = self.change(lambda site: site["datacenter"].ledger.entry(info.report.pending))
        self.assertEqual(entry.owner, OTHER)

    def test_a_check_goes_on_as_the_one_who_lets_it(self):
        self.work(self.id)
        preview = self.ask(lambda o: o.start_undo(self.id, check=True)).id
        self.change(lambda site: setattr(site["users"][USER], "suspended", True))
        self.town.work_off(preview, self.db)
        info = self.as_other(lambda o: o.run(preview))
        self.assertEqual(info.state, "stopped")
        self.assertIn("was suspended", info.fault)
        self.assertEqual(self.led_on(preview).report.removed, 8)

    def test_who_may_not_import_lets_nothing_go_on(self):
        self.work(self.id)
        undo = self.interrupted(1)

        def lesser(site):
            site["users"][OTHER].roles = ["waeup.DataCenterManager"]
            notify(ObjectModifiedEvent(site["users"][OTHER]))

        self.change(lesser)
        for order in ("resume", "give_up", "cancel"):
            with self.assertRaises(NotAllowed):
                self.as_other(lambda o, order=order: getattr(o, order)(undo))
        self.assertEqual(self.info(undo).user, USER)

    def test_an_undo_that_is_given_up_is_followed_by_another_one(self):
        for way in ("stopped", "cancelled"):
            with self.subTest(way):
                if way == "cancelled":
                    self.id = self.order(
                        "facultyprocessor", "create", "code,title", *self.rows_of_file
                    )
                self.work(self.id)
                undo = self.interrupted(1)
                if way == "cancelled":
                    self.ask(lambda o, undo=undo: o.cancel(undo))
                info = self.ask(lambda o, undo=undo: o.give_up(undo))
                self.assertEqual((info.state, info.actions), ("cancelled", ()))
                self.refused("changed nothing that could be taken back", undo)
                with self.assertRaises(WrongState):
                    self.ask(lambda o, undo=undo: o.give_up(undo))
                info = self.info(self.id)
                self.assertEqual((info.undone_by, info.actions), (None, ("undo",)))
                self.assertEqual(len(self.objects()) - len(self.before), 6)
                preview = self.undo(self.id, check=True)
                second = self.interrupted(1)
                self.ask(lambda o, second=second: o.give_up(second))
                last = self.undo(self.id)
                self.assertEqual((preview.report.removed, preview.report.failed), (6, 0))
                self.assertEqual((last.state, last.report.done), ("finished", 4))
                self.assertEqual((last.report.failed, last.fraction), (0, 1))
                self.assertEqual(self.objects(), self.before)
                self.assertNotIn(".work", self.stored())
                self.assertEqual(self.town.recover(self.db), [])

    def test_an_undo_of_a_stopped_import_that_is_given_up_frees_the_file(self):
        self.stopped_at(3, self.id)
        undo = self.interrupted(1)
        self.ask(lambda o: o.give_up(undo))
        info = self.info(self.id)
        self.assertEqual((info.state, info.actions), ("cancelled", ("undo",)))
        self.assertIn("taken back in part", info.fault)
        with self.assertRaises(WrongState):
            self.ask(lambda o: o.resume(self.id))
        self.assertFalse(self.held())
        self.assertNotIn(".work", self.stored())
        self.assertEqual(self.undo(self.id).report.done, 4)
        self.assertUndone()

    def test_an_undo_that_is_given_up_when_its_rows_are_done(self):
        self.work(self.id)
        undo = self.ask(lambda o: o.start_undo(self.id)).id
        with mock.patch.object(distribution, "perform", side_effect=OSError("disk")):
            self.assertEqual(self.work(undo).state, "stopped")
        self.change(lambda site: [site["datacenter"].ledger.done(i) for i in [*_intents(site)]])
        self.ask(lambda o: o.give_up(undo))
        info = self.info(self.id)
        self.assertEqual((info.state, info.undone_by), ("undone", undo))

    def test_a_preview_that_is_under_way_when_the_import_is_taken_back(self):
        self.work(self.id)
        preview = self.ask(lambda o: o.start_undo(self.id, check=True)).id
        real, done = CheckWriter.finish, []

        def finish(writer):
            if not done:
                done.append(in_own_thread(lambda: self.undo(self.id)))
            return real(writer)

        with mock.patch.object(CheckWriter, "finish", finish):
            info = self.work(preview)
        self.assertEqual((done[0].state, info.state, info.fault), ("finished", "finished", ""))
        self.assertEqual(info.report.removed, 8)
        self.assertEqual(len(self.ask(lambda o: o.check_rows(preview))), 8)
        self.town.recover(self.db)
        self.assertNotIn(".work", self.stored())

    def test_a_preview_of_what_is_taken_back_already(self):
        self.work(self.id)
        preview = self.ask(lambda o: o.start_undo(self.id, check=True)).id
        self.undo(self.id)
        info = self.work(preview)
        self.assertEqual(info.state, "cancelled")
        self.assertRegex(info.fault, "^The import of data.csv was taken back meanwhile")
        self.assertNotIn(".work", self.stored())

    def test_a_preview_asks_for_rights(self):
        self.work(self.id)
        preview = self.ask(lambda o: o.start_undo(self.id, check=True)).id

        def lesser(site):
            site["users"][USER].roles = ["waeup.DataCenterManager"]
            notify(ObjectModifiedEvent(site["users"][USER]))

        self.change(lesser)
        self.town.work_off(preview, self.db)
        info = self.as_other(lambda o: o.run(preview))
        self.assertEqual((info.state, info.report.total), ("stopped", 0))
        self.assertIn("lacks the permission waeup.importData", info.fault)

    def test_what_an_undo_knows_is_kept_as_long_as_an_import_needs_it(self):
        for days in (30, 360):
            getGlobalSiteManager().getUtility(IDataCenterConfig)["undo_days"] = days
            self.addCleanup(
                getGlobalSiteManager().getUtility(IDataCenterConfig).pop, "undo_days", None
            )
            with self.subTest(days=days):
                lines = ("code,title", f"OLD1,One {days}")
                first = self.order("facultyprocessor", "update", *lines, name="first.csv")
                self.work(first)
                lines = ("code,title", f"OLD1,Two {days}")
                second = self.order("facultyprocessor", "update", *lines, name="second.csv")
                self.work(second)
                undo = self.undo(second).id

                def age(site, ids=(first, second, undo)):
                    for id in ids:
                        run = site["datacenter"].runs.get(id)
                        for name in ("queued", "started", "ended"):
                            setattr(run, name, getattr(run, name) - timedelta(days=300))

                self.change(age)
                texts = [found.text for found in self.town.recover(self.db)]
                self.assertEqual([text for text in texts if "undo of" in text], [])
                kept = self.change(lambda site, id=undo: len(site["datacenter"].runs.get(id).undo))
                self.assertEqual(kept, int(days == 360))
                self.assertEqual(self.town.recover(self.db), [])
        self.assertEqual(self.undo(first).report.failed, 0)
        self.assertEqual(self.objects()["faculties/OLD1"]["title"], "One 30")

    def test_what_somebody_does_between_two_batches_of_an_undo(self):
        self.work(self.id)
        undo = self.interrupted(2)

        def change(site):
            site["faculties"]["F0"].officer_1 = "Bola"

        self.change(change)
        info = self.resume(undo)
        self.assertEqual((info.report.done, info.report.failed), (7, 1))
        self.assertEqual(self.rows(info.report.finished)[-1][2], "left alone")

    def test_undo_records_are_forgotten_after_some_days(self):
        self.work(self.id)
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["undo_days"] = 3
        self.addCleanup(config.pop, "undo_days")

        def age(days):
            def change(site):
                site["datacenter"].runs.get(self.id).ended = utc_now() - timedelta(days=days)

            self.change(change)

        age(2.9)
        self.assertEqual(self.town.recover(self.db), [])
        self.assertIn("undo", self.info(self.id).actions)
        age(3.1)
        (found,) = self.town.recover(self.db)
        self.assertEqual((found.code, found.repaired), ("expired", True))
        self.refused("its undo records are not kept")
        self.assertEqual(self.info(self.id).undo_bytes, 0)
        self.assertEqual(self.town.recover(self.db), [])

    def test_undo_records_that_are_being_used_are_not_forgotten(self):
        self.work(self.id)
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["undo_days"] = -1
        self.addCleanup(config.pop, "undo_days")
        undo = self.ask(lambda o: o.start_undo(self.id)).id
        self.town.recover(self.db)
        self.assertEqual(self.work(undo).report.done, 8)
        self.assertEqual(self.objects(), self.before)

    def test_files_stay_where_they_are(self):
        run = self.work(self.id)
        before = self.town.tree()
        undo = self.undo(self.id)
        after = self.town.tree()
        result = after.pop(undo.report.finished)
        removed = after.pop("deleted/faculties.csv")
        self.assertEqual(removed.count(b"(date)"), 8)
        self.assertEqual(after, before)
        self.assertEqual(undo.report.finished, "finished/data.create.undone.csv")
        self.assertEqual(result.count(b"removed"), 8)
        self.assertEqual(self.rows(run.report.finished)[0], ("F0", "Title 0"))

    def test_a_preview_needs_no_file_and_leaves_only_its_rows(self):
        self.stopped_at(2, self.id)
        before, stored = self.objects(), self.stored()
        preview = self.undo(self.id, check=True)
        self.assertEqual((preview.state, preview.report.removed), ("finished", 4))
        left = [name for name in self.stored() if preview.id not in name]
        self.assertEqual((self.objects(), left), (before, stored))
        rows = self.ask(lambda operations: operations.check_rows(preview.id))
        self.assertEqual((rows[0].number, rows[0].outcome, rows[0].key), (1, "removed", "F0"))
        self.assertTrue(self.held())
        self.assertEqual(self.info(self.id).actions, ("cancel", "resume", "undo"))


CODES = st.sampled_from(["OLD1", "OLD2", "F1", "F2"])
FACULTIES = st.tuples(
    st.just("facultyprocessor"),
    st.sampled_from(["create", "update", "remove", "upsert"]),
    st.just(("code", "title", "officer_1", "local_roles")),
    st.lists(
        st.tuples(
            CODES,
            st.sampled_from(["", "One", "Two", "Old faculty 1"]),
            st.sampled_from(["", "x", "XXX"]),
            st.sampled_from(["", "XXX", roles("carl"), roles("carl", "dora"), "wrong"]),
        ),
        max_size=8,
    ),
)
STUDENTS = st.tuples(
    st.just("studentprocessor"),
    st.sampled_from(["create", "update", "remove", "upsert"]),
    st.just(("student_id", "reg_number", "matric_number", "firstname", "lastname", "sex")),
    st.lists(
        st.tuples(
            st.sampled_from(["", "S1", "S2", "N1"]),
            st.sampled_from(["", "R1", "R2", "X1", "XXX"]),
            st.sampled_from(["", "M1", "M3", "Y1", "XXX"]),
            st.sampled_from(["Ann", "Ben"]),
            st.just("Obi"),
            st.sampled_from(["f", "m"]),
        ),
        max_size=8,
    ),
)
USERS = st.tuples(
    st.just("userprocessor"),
    st.sampled_from(["create", "update", "remove", "upsert"]),
    st.just(("name", "title", "roles", "suspended")),
    st.lists(
        st.tuples(
            st.sampled_from(["carl", "dora", "fred"]),
            st.sampled_from(["", "One", "Two"]),
            st.sampled_from(["", "[]", "\"['waeup.ImportManager','waeup.ExportManager']\""]),
            st.sampled_from(["", "1", "0"]),
        ),
        max_size=6,
    ),
)
TICKETS = st.tuples(
    st.just("courseticketprocessor"),
    st.sampled_from(["create", "update", "remove", "upsert"]),
    st.just(("student_id", "level", "code", "score", "unlock_score")),
    st.lists(
        st.tuples(
            st.sampled_from(["S1", "S2"]),
            st.sampled_from(["100", "200"]),
            st.sampled_from(["COU1", "COU2", "NONE"]),
            st.sampled_from(["", "40", "50", "XXX"]),
            st.sampled_from(["", "1"]),
        ),
        max_size=6,
    ),
)
IMPORTS = st.one_of(FACULTIES, STUDENTS, USERS, TICKETS)


class AnyImport(TownTestCase):
    """Random imports over a few objects, and their undo."""

    @settings(
        max_examples=int(os.environ.get("KOFA_EXAMPLES", "40")),
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    )
    @given(st.lists(IMPORTS, min_size=1, max_size=3), st.integers(1, 5))
    def test_undo_gives_the_former_state(self, imports, size):
        self.db.close()
        self.town.set_up()
        self.db = self.town.open()
        states, done = [], []
        with few_rows(size):
            for number, (processor, mode, fields, rows) in enumerate(imports):
                states.append(self.objects())
                lines = [",".join(row) for row in (fields, *rows, *[("",) * len(fields)])]
                id = self.order(processor, mode, *lines, name=f"data{number}.csv")
                run = self.work(id)
                if run.state == "cancelled":
                    self.assertFalse(rows)
                    states.pop()
                    continue
                self.assertEqual((run.state, run.fault), ("finished", ""))
                self.assertEqual(run.report.total, len(rows))
                done.append(id)
            for id, state in zip(reversed(done), reversed(states), strict=True):
                if "undo" not in self.info(id).actions:
                    self.assertEqual(self.objects(), state)
                    continue
                preview, undo = self.undo(id, check=True), self.undo(id)
                self.assertEqual((undo.state, undo.fault), ("finished", ""))
                self.assertEqual(undo.report.failed, 0, self.rows(undo.report.finished))
                self.assertEqual(_counts(preview), _counts(undo))
                self.assertEqual(self.objects(), state)


def _intents(site):
    return site["datacenter"].ledger.intended()


@contextmanager
def subscribed(handler, *required):
    """Let `handler` hear of events."""
    registry = getGlobalSiteManager()
    registry.registerHandler(handler, required)
    try:
        yield
    finally:
        registry.unregisterHandler(handler, required)


def _counts(run):
    """Return what a report of an undo counts."""
    report = run.report
    names = ("total", "created", "updated", "removed", "failed", "reasons")
    return {name: getattr(report, name) for name in names}
