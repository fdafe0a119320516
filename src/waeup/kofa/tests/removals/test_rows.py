"""Rows of removed objects: what is kept, where, and that it all belongs to the transaction."""

import os
import re
import unittest
from contextlib import ExitStack, contextmanager
from unittest import mock

import grok
import transaction
from transaction.interfaces import IDataManagerSavepoint, ISavepointDataManager
from ZODB.POSException import ConflictError
from zope.component import createObject, getGlobalSiteManager
from zope.component.hooks import setSite
from zope.event import notify
from zope.interface import Interface, implementer
from zope.interface.verify import verifyClass
from zope.lifecycleevent import ObjectRemovedEvent

from waeup.kofa import removals
from waeup.kofa.conversion import Mapping
from waeup.kofa.conversion.secret import hash_password
from waeup.kofa.datacenter import DataCenter
from waeup.kofa.errors import ItemBusy, NotAllowed, StorageFault
from waeup.kofa.interfaces import ICSVExporter, IUniversity
from waeup.kofa.jobs import recovery
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.ledger import Ledger
from waeup.kofa.spool.disk import disk
from waeup.kofa.students.exporters import StudentExporter
from waeup.kofa.students.interfaces import IStudent
from waeup.kofa.tabular import TableWriter, open_table
from waeup.kofa.testing import KofaUnitTestLayer
from waeup.kofa.tests.jobs.lives import TownTestCase
from waeup.kofa.tests.jobs.portal import SITE
from waeup.kofa.tests.spool.faultydisk import LastingError, tree_of
from waeup.kofa.tests.waiting import begun, ended, joined
from waeup.kofa.transactional import give_way

DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00")


class Plain:
    """A stand-in for an exporter of a kind, with a few columns."""

    all_fields: tuple[str, ...] = ("student_id", "firstname")
    folder: str | None = "deleted"
    iface: type = IStudent
    rendered = 0

    def backup_folder(self, obj):
        """Return the one folder."""
        return self.folder

    def row_maker(self, columns, safe=True):
        """Count who asks."""
        self.rendered += 1
        return lambda obj: [str(getattr(obj, name)) for name in columns]


@contextmanager
def exporter(name, found):
    """Register an exporter."""
    registry = getGlobalSiteManager()
    registry.registerUtility(found, ICSVExporter, name)
    try:
        yield found
    finally:
        registry.unregisterUtility(found, ICSVExporter, name)


def remove(*ids):
    """Return what removes students."""

    def work(site):
        for id in ids:
            del site["students"][id]

    return work


class RemovalsTestCase(TownTestCase):
    """Has short words for what there is afterwards."""

    def read(self, place):
        """Return the rows of a table as dicts; None when there is no table."""
        path = os.path.join(self.town.storage, place)
        if not os.path.exists(path):
            return None
        with open_table(path, own=True) as table:
            return [dict(zip(table.header, row.values, strict=True)) for row in table]

    def ids(self, place="deleted/students.csv"):
        """Return the ids of the students in a table."""
        return [row["student_id"] for row in self.read(place) or ()]

    def hidden(self):
        """Return what lies in work folders."""
        return [name for name in tree_of(self.town.storage) if name.startswith(".work")]

    def expected(self):
        """Return the ids of work folders that the database knows."""
        return self.change(lambda site: site["datacenter"].ledger.expected_rows())


class Kept(RemovalsTestCase):
    """A removal that is committed."""

    def test_a_student_and_the_tickets(self):
        self.change(remove("S2"))
        (student,) = self.read("deleted/students.csv")
        self.assertEqual(list(student)[-2:], ["del_date", "back_date"])
        self.assertEqual((student["student_id"], student["firstname"]), ("S2", "First2"))
        self.assertRegex(student["del_date"], DATE)
        self.assertEqual(student["back_date"], "")
        tickets = self.read("deleted/coursetickets.csv")
        self.assertEqual(
            [(row["student_id"], row["code"], row["level"]) for row in tickets],
            [("S2", "COU1", "100"), ("S2", "COU2", "100")],
        )
        self.assertEqual({row["del_date"] for row in tickets}, {student["del_date"]})
        self.assertEqual(self.hidden(), [])

    def test_a_ticket_alone(self):
        self.change(lambda site: site["students"]["S2"].__delitem__("100_COU1"))
        self.assertIsNone(self.read("deleted/students.csv"))
        self.assertEqual([row["code"] for row in self.read("deleted/coursetickets.csv")], ["COU1"])

    def test_later_rows_go_behind(self):
        self.change(remove("S1"))
        self.change(remove("S3", "S2"))
        self.assertEqual(self.ids(), ["S1", "S3", "S2"])
        self.assertEqual(self.hidden(), [])

    def test_the_log(self):
        self.change(remove("S1"))
        path = os.path.join(self.town.storage, "logs", "students.log")
        with open(path, encoding="utf-8") as stream:
            self.assertIn(" - S1 - Student record removed\n", stream.read())

    def test_the_files_are_like_other_results(self):
        self.change(remove("S1"))
        path = os.path.join(self.town.storage, "deleted", "students.csv")
        self.assertEqual(os.stat(path).st_mode & 0o117, 0)

    def test_graduated_is_made_when_it_is_used(self):
        with exporter("plain", Plain()) as plain:
            plain.folder = "graduated"
            self.change(remove("S1"))
            self.assertEqual(self.ids("graduated/plain.csv"), ["S1"])
            self.assertEqual(self.ids(), ["S1"])
            plain.folder = None
            self.change(remove("S2"))
        self.assertEqual(self.ids("graduated/plain.csv"), ["S1"])
        self.assertEqual(self.town.recover(self.db), [])

    def test_another_folder_is_refused(self):
        with exporter("plain", Plain()) as plain:
            plain.folder = "finished"
            with self.assertRaisesRegex(ValueError, "one of deleted, graduated, or None"):
                self.change(remove("S1"))
        self.assertIsNone(self.read("deleted/students.csv"))
        self.assertEqual(self.hidden(), [])

    def test_exporters_are_asked_once_a_transaction(self):
        with exporter("plain", Plain()) as plain:
            self.change(remove("S1", "S2", "S3"))
            self.assertEqual(plain.rendered, 1)
            self.change(remove("S4"))
            self.assertEqual(plain.rendered, 2)

    def test_other_columns_go_to_another_table(self):
        with exporter("plain", Plain()) as plain:
            self.change(remove("S1"))
            first = self.read("deleted/plain.csv")
            plain.all_fields = ("student_id", "lastname")
            self.change(remove("S2"))
            self.change(remove("S3"))
            self.assertEqual(self.ids("deleted/plain-2.csv"), ["S2", "S3"])
            self.assertEqual(self.read("deleted/plain.csv"), first)
            plain.all_fields = ("student_id", "firstname")
            self.change(remove("S4"))
        self.assertEqual(self.ids("deleted/plain.csv"), ["S1", "S4"])

    def test_a_table_that_was_cut_off_or_is_none(self):
        path = os.path.join(self.town.storage, "deleted", "plain.csv")
        with exporter("plain", Plain()):
            self.change(remove("S1"))
            with open(path, "rb+") as stream:
                stream.truncate(os.path.getsize(path) - 2)
            self.change(remove("S2"))
            self.assertEqual(self.ids("deleted/plain.csv"), ["S1", "S2"])
            os.unlink(path)
            os.mkdir(path)
            self.change(remove("S3"))
            self.assertEqual(self.ids("deleted/plain-2.csv"), ["S3"])

    def test_many(self):
        def populate(site):
            for number in range(2000):
                student = createObject("waeup.Student")
                student.student_id = f"M{number}"
                student.firstname, student.lastname, student.sex = "'=1", "Many\nlines", "f"
                site["students"].addStudent(student)

        self.change(populate)
        ids = [f"M{number}" for number in range(2000)]
        self.change(remove(*ids))
        self.assertEqual(self.ids(), ids)

    def test_nothing_of_a_whole_portal(self):
        def work(site):
            del site.__parent__["kofa"]

        self.change(work)
        self.assertIsNone(self.read("deleted/students.csv"))
        self.assertEqual(self.hidden(), [])

    def test_nothing_without_a_site(self):
        def work(site):
            setSite(None)
            del site["students"]["S1"]

        self.change(work)
        self.assertIsNone(self.read("deleted/students.csv"))


class Transactions(RemovalsTestCase):
    """What does not come to its end leaves nothing."""

    def test_contract(self):
        self.assertTrue(verifyClass(ISavepointDataManager, removals._RemovedRows))
        self.assertTrue(verifyClass(IDataManagerSavepoint, removals._Savepoint))

    def test_abort(self):
        def work(site):
            remove("S1", "S2")(site)
            self.assertNotEqual(self.hidden(), [])
            transaction.abort()
            self.assertEqual(self.hidden(), [])
            remove("S3")(site)

        self.change(work)
        self.assertEqual(self.ids(), ["S3"])
        self.assertEqual(self.hidden(), [])

    def test_savepoints(self):
        def work(site):
            empty = transaction.savepoint()
            remove("S1")(site)
            empty.rollback()
            self.assertEqual(self.hidden(), [])
            remove("S2")(site)
            one = transaction.savepoint()
            remove("S3")(site)
            one.rollback()
            remove("S4")(site)

        self.change(work)
        self.assertEqual(self.ids(), ["S2", "S4"])
        self.assertEqual(self.hidden(), [])

    def test_a_savepoint_before_a_table(self):
        """A table whose rows are all taken back is not there."""

        def work(site):
            del site["students"]["S2"]["100_COU1"]
            savepoint = transaction.savepoint()
            remove("S1")(site)
            savepoint.rollback()

        self.change(work)
        self.assertEqual(self.ids(), [])
        self.assertIsNone(self.read("deleted/students.csv"))
        self.assertEqual(len(self.read("deleted/coursetickets.csv")), 1)

    def test_all_taken_back(self):
        def work(site):
            savepoint = transaction.savepoint()
            remove("S1")(site)
            savepoint.rollback()

        self.change(work)
        self.assertEqual(self.expected(), [])
        self.assertEqual(self.hidden(), [])

    def test_removed_by_a_late_hook(self):
        def work(site):
            remove("S1")(site)
            transaction.get().addBeforeCommitHook(remove("S2"), (site,))

        self.change(work)
        self.assertEqual(self.ids(), ["S1", "S2"])

    def test_a_conflict_and_a_second_attempt(self):
        def work(site):
            remove("S1")(site)
            self.change(lambda other: setattr(other["students"]["S1"], "firstname", "New"))

        with self.assertRaises(ConflictError):
            self.change(work)
        self.assertEqual(self.hidden(), [])
        self.assertEqual(self.expected(), [])
        self.change(remove("S1"))
        self.assertEqual([row["firstname"] for row in self.read("deleted/students.csv")], ["New"])

    def test_a_storage_that_moves_meanwhile(self):
        other = os.path.join(self.town.home, "other")
        os.mkdir(other)

        def work(site):
            self.assertEqual(site["datacenter"].storage, self.town.storage)
            self.change(lambda site: site["datacenter"].setStoragePath(other))
            remove("S1")(site)

        with self.assertRaises(ConflictError):
            self.change(work)
        self.assertEqual(self.hidden(), [])
        self.change(remove("S1"))
        self.assertTrue(os.path.exists(os.path.join(other, "deleted", "students.csv")))

    def test_a_storage_with_rows_on_their_way_is_not_left(self):
        def work(site):
            remove("S1")(site)
            with self.assertRaisesRegex(ItemBusy, "on their way"):
                self.change(lambda site: site["datacenter"].setStoragePath(self.town.home))

        self.change(work)
        self.assertEqual(self.ids(), ["S1"])

    def test_what_cannot_be_written_stops_the_commit(self):
        for place in (
            mock.patch.object(TableWriter, "sync", side_effect=OSError(28, "No space")),
            mock.patch.object(TableWriter, "write", side_effect=OSError(28, "No space")),
            mock.patch.object(disk, "mkdir", side_effect=OSError(28, "No space")),
        ):
            with place, self.assertRaisesRegex(StorageFault, "No space"):
                self.change(remove("S1"))
            self.assertIn("S1", self.change(lambda site: list(site["students"])))
            self.assertEqual(self.hidden(), [])
            self.assertIsNone(self.read("deleted/students.csv"))

    def disturbed(self, at, *ids):
        """Remove; let everything fail from an operation after the commit on."""

        def work(site):
            remove(*ids)(site)
            transaction.get().addAfterCommitHook(lambda _: shim.__exit__())
            transaction.get().join(Late(shim))

        shim = LastingError(at)
        with self.assertLogs(removals.log, "ERROR") as logged:
            self.change(work)
        self.assertIn("call `kofactl recover`", logged.output[0])

    def test_what_cannot_be_appended_is_left_to_recovery(self):
        self.disturbed(0, "S1")
        self.assertNotEqual(self.hidden(), [])
        # The next one writes its own rows, and what was begun by others.
        self.disturbed(8, "S2")
        self.change(remove("S3"))
        self.assertEqual(self.ids(), ["S2", "S3"])
        found = self.town.recover(self.db)
        self.assertEqual([(each.code, each.repaired) for each in found], [("completed", True)])
        self.assertEqual(self.ids(), ["S2", "S3", "S1"])
        self.assertEqual(self.hidden(), [])
        self.assertEqual(self.town.recover(self.db), [])
        self.assertEqual(self.expected(), [])

    def test_rows_wait_for_a_storage_that_is_away_for_a_while(self):
        self.disturbed(0, "S1")
        storage, away = self.town.storage, self.town.storage + ".away"
        for is_mount_point in (False, True):
            os.rename(storage, away)
            if is_mount_point:
                os.mkdir(storage)
            in_own_thread(lambda: recovery.forget(self.db, SITE))
            if is_mount_point:
                os.rmdir(storage)
            os.rename(away, storage)
        self.town.recover(self.db)
        self.assertEqual(self.ids(), ["S1"])
        self.assertEqual(self.town.recover(self.db), [])
        self.assertEqual(self.expected(), [])

    def test_cells_of_a_site_are_texts_and_guarded(self):
        class Own(StudentExporter):
            grok.baseclass()

            def mangle_value(self, value, name, context=None):
                return {"firstname": "=1+1", "level": 100, "lastname": None}.get(name, "")

        with exporter("plain", Own()):
            self.change(remove("S1"))
        (row,) = self.read("deleted/plain.csv")
        self.assertEqual([row["firstname"], row["lastname"]], ["'=1+1", ""])

    def test_recovery_leaves_alone_what_is_under_way(self):
        def work(site):
            remove("S1")(site)
            self.assertEqual(self.town.recover(self.db), [])

        self.change(work)
        self.assertEqual(self.ids(), ["S1"])

    def test_a_dead_process_that_has_not_committed(self):
        work = removals.WorkFolder(self.town.storage, prefix=removals.PREFIX)
        with TableWriter(os.path.join(work.path, "deleted-students.csv"), ["a"]) as writer:
            writer.write(["1"])
        work.close()
        self.assertEqual(self.town.recover(self.db), [])
        self.assertEqual(self.hidden(), [])
        self.assertIsNone(self.read("deleted/students.csv"))

    def test_a_database_of_before(self):
        def make_old(site):
            ledger = site["datacenter"].ledger
            del ledger._rows
            self.assertIsNone(ledger._rows)

        self.change(make_old)
        self.assertEqual(self.expected(), [])
        self.assertEqual(self.town.recover(self.db), [])
        self.change(remove("S1"))
        self.assertEqual(self.ids(), ["S1"])
        self.assertEqual(len(self.expected()), 1)

    def test_tokens_are_forgotten(self):
        self.change(remove("S1"))
        self.change(remove("S2"))
        self.assertEqual(len(self.expected()), 2)
        self.assertEqual(self.town.recover(self.db), [])
        self.assertEqual(self.expected(), [])
        ledger = Ledger()
        ledger.forget_rows("nothing")
        self.assertFalse(ledger.expects_rows(""))

    def test_threads(self):
        """No row is lost, and none is torn, when several remove at once."""

        def populate(site):
            for number in range(60):
                student = createObject("waeup.Student")
                student.student_id = f"M{number}"
                student.firstname, student.lastname, student.sex = "A" * 5000, "Many", "f"
                site["students"].addStudent(student)

        def work(first):
            for number in range(first, 60, 3):
                for attempt in range(100):
                    try:
                        self.change(remove(f"M{number}"))
                        break
                    except transaction.interfaces.TransientError:
                        give_way(min(attempt, 6), 0.001)
                else:
                    failed.append(number)

        self.change(populate)
        failed = []
        joined(*(begun(work, first) for first in range(3)))
        self.assertEqual(failed, [])
        self.assertEqual(sorted(self.ids()), sorted(f"M{number}" for number in range(60)))
        self.assertEqual(self.town.recover(self.db), [])


class Late:
    """Puts a shim in place when the database has committed."""

    transaction_manager = None

    def __init__(self, shim):
        self.shim = shim

    def sortKey(self):
        """Come behind the database, and before the rows."""
        return "~a"

    def abort(self, txn):
        """Do nothing."""

    tpc_begin = commit = tpc_vote = tpc_abort = abort

    def tpc_finish(self, txn):
        """Begin."""
        self.shim.__enter__()


class Runs(RemovalsTestCase):
    """Imports, checks and undos."""

    def setUp(self):
        super().setUp()

        def mark(site):
            student = site["students"]["S2"]
            student.password = hash_password("secret 1", rounds=4)
            student.firstname, student.lastname = "=1+1", "'t Hooft"
            student.perm_address, student.officer_comment = '1 Road\nTown, "X"', "-5"
            student["100_COU1"].score, student["100_COU1"].title = 55, None
            student["100_COU2"].mandatory = True

        self.change(mark)
        self.before = self.objects()

    def import_removed(self, *tables):
        for processor, table in tables:
            content = tree_of(self.town.storage)[f"deleted/{table}"].decode()
            self.town.put(table, *content.split("\r\n")[:-1])
            mapping = self.ask(lambda o, p=processor, t=table: o.make_mapping(t, p, "create"))
            self.assertEqual(mapping.columns[-2:], (None, None))
            id = self.ask(
                lambda o, p=processor, t=table, m=mapping: o.start_import(t, p, "create", m)
            ).id
            yield self.work(id)

    def test_a_check_leaves_nothing(self):
        mapping = Mapping(("student_id",))
        self.town.put("data.csv", "student_id", "S1", "S2")
        check = self.ask(
            lambda o: o.start_check("data.csv", "studentprocessor", "remove", mapping)
        ).id
        self.assertEqual(self.work(check).report.done, 2)
        self.assertIsNone(self.read("deleted/students.csv"))
        self.assertFalse([name for name in self.hidden() if "removed" in name])

    def test_brought_back_by_imports(self):
        run = self.work(self.order("studentprocessor", "remove", "student_id", "S2", "S9", "S1"))
        self.assertEqual((run.report.removed, run.report.failed), (2, 1))
        self.assertEqual(self.ids(), ["S2", "S1"])
        tables = [
            ("studentprocessor", "students.csv"),
            ("courseticketprocessor", "coursetickets.csv"),
        ]
        for run in self.import_removed(*tables):
            self.assertEqual((run.report.failed, run.report.reasons), (0, ()))
        self.assertEqual(self.objects(), self.before)

    def test_an_undo_marks_what_returns(self):
        id = self.order("studentprocessor", "remove", "student_id", "S2", "S1")
        self.work(id)
        self.undo(id, check=True)
        self.assertEqual(len(self.ids()), 2)
        self.undo(id)
        self.assertEqual(self.objects(), self.before)
        rows = self.read("deleted/students.csv")
        self.assertEqual([row["student_id"] for row in rows], ["S2", "S1", "S1", "S2"])
        for row in rows[:2]:
            self.assertRegex(row["del_date"], DATE)
            self.assertEqual(row["back_date"], "")
        for row in rows[2:]:
            self.assertEqual(row["del_date"], "")
            self.assertRegex(row["back_date"], DATE)
        tickets = self.read("deleted/coursetickets.csv")
        self.assertEqual(sum(row["back_date"] != "" for row in tickets), 3)
        self.assertEqual(self.hidden(), [])

    def test_an_undo_removes(self):
        id = self.order(
            "studentprocessor", "create", "student_id,firstname,lastname,sex", "N1,Ann,Abe,f"
        )
        self.work(id)
        self.undo(id)
        self.assertEqual(self.ids(), ["N1"])

    def test_who_may_fetch_the_tables(self):
        self.change(remove("S2"))

        def fetch(operations):
            with operations.open_file("students.csv", "deleted") as stream:
                return stream.read()

        self.assertIn(b"S2", self.ask(fetch))

        def add_user(site):
            account = createObject("waeup.UserAccount", name="otto", title="Otto")
            account.roles = ["waeup.DataCenterManager"]
            site["users"].addUser(account)

        self.change(add_user)
        with self.assertRaises(NotAllowed):
            self.ask(fetch, user="otto")
        name = self.ask(lambda o: [file.name for file in o.files_in("deleted")], user="otto")
        self.assertIn("students.csv", name)


class IThing(Interface):
    """Marks things."""


@implementer(IThing)
class Thing(grok.Model):
    """A thing with a name."""

    def __init__(self, name):
        self.student_id = self.firstname = name


class Site(dict):
    """As much of a portal as is needed."""

    __name__ = "site"

    def getSiteManager(self):
        """Return the global registrations."""
        return getGlobalSiteManager()


class WithoutDatabase(unittest.TestCase):
    """Unit tests of sites have no database."""

    layer = KofaUnitTestLayer

    def setUp(self):
        self.center = DataCenter()
        self.addCleanup(setSite, None)
        setSite(Site(datacenter=self.center))
        registered = ExitStack()
        self.addCleanup(registered.close)
        self.plain = registered.enter_context(exporter("things", Plain()))
        self.plain.iface = IThing

    def lines(self):
        with open(os.path.join(self.center.storage, "deleted", "things.csv")) as stream:
            return stream.read().splitlines()[1:]

    def test_commit_and_abort(self):
        notify(ObjectRemovedEvent(Thing("A"), {}, "a"))
        transaction.commit()
        notify(ObjectRemovedEvent(Thing("B"), {}, "b"))
        transaction.abort()
        (line,) = self.lines()
        self.assertRegex(line, rf'^"A","A","{DATE.pattern}",""$')
        self.assertEqual(
            sorted(os.listdir(self.center.storage)), ["deleted", "finished", "logs", "unfinished"]
        )

    def test_failed_commit(self):
        notify(ObjectRemovedEvent(Thing("A"), {}, "a"))
        transaction.get().join(Stubborn())
        with self.assertRaises(ValueError):
            transaction.commit()
        transaction.abort()
        self.assertEqual(os.listdir(os.path.join(self.center.storage, "deleted")), [])
        self.assertFalse(os.path.exists(os.path.join(self.center.storage, ".work")))

    def test_without_data_center_or_with_the_portal(self):
        thing = Thing("A")
        notify(ObjectRemovedEvent(implementer(IUniversity)(type("U", (Thing,), {}))("U"), {}, "a"))
        setSite(None)
        notify(ObjectRemovedEvent(thing, {}, "a"))
        setSite(Site())
        notify(ObjectRemovedEvent(thing, {}, "a"))
        transaction.commit()
        self.assertEqual(os.listdir(os.path.join(self.center.storage, "deleted")), [])

    def test_processes(self):
        """Several processes append to one table."""
        children = []
        for number in range(3):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    for count in range(15):
                        notify(ObjectRemovedEvent(Thing(f"P{number}-{count}"), {}, "a"))
                        transaction.commit()
                    status = 0
                finally:
                    os._exit(status)
            children.append(pid)
        for pid in children:
            self.assertEqual(ended(pid), 0)
        names = [line.split('"')[1] for line in self.lines()]
        expected = [f"P{number}-{count}" for number in range(3) for count in range(15)]
        self.assertEqual(sorted(names), sorted(expected))
        for number in range(3):
            own = [name for name in names if name.startswith(f"P{number}-")]
            self.assertEqual(own, [f"P{number}-{count}" for count in range(15)])
        self.assertFalse(os.path.exists(os.path.join(self.center.storage, ".work")))


class Stubborn(Late):
    """Votes no."""

    def __init__(self):
        super().__init__(None)

    def tpc_vote(self, txn):
        """Vote no."""
        raise ValueError("no")
