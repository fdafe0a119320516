"""What the code relies on is true of each kind of database: a file, ZEO, PostgreSQL.

Here each run of the tests goes through all of them; ``KOFA_TEST_DATABASE`` lets all functional
tests have another one.
"""

from contextlib import closing, nullcontext
from unittest import mock

import transaction
from ZODB.POSException import ConflictError

from waeup.kofa.importing.batches import SourceRows
from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.importing.results import ResultFiles
from waeup.kofa.jobs import distributing, new_holder, work_on
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.connection import connected, sight_of
from waeup.kofa.jobs.outages import is_away
from waeup.kofa.tests.jobs.lives import TownTestCase, few_rows
from waeup.kofa.tests.jobs.portal import OTHER, SITE
from waeup.kofa.tests.waiting import begun, joined
from waeup.kofa.university.processors import FacultyProcessor

LINES = ("code,title", *(f"bad code,{n}" if n % 5 == 4 else f"F{n},Title {n}" for n in range(12)))
#: Rows of the table, and those of them that fail.
ROWS, FAILED = 12, 2


class Contract:
    """What holds for each kind."""

    def beside(self):
        """Open the database once more, as another process does, where that can be."""
        return closing(self.town.open()) if self.kind != "filestorage" else nullcontext(self.db)

    def test_an_import_and_its_undo(self):
        before = self.objects()
        with few_rows(3):
            id = self.order("facultyprocessor", "create", *LINES)
            info = self.work(id)
            self.assertEqual((info.state, info.report.total), ("finished", ROWS), info.fault)
            self.assertEqual(info.report.failed, FAILED)
            self.assertEqual(len(self.rows("finished/data.create.finished.csv")), ROWS - FAILED)
            self.assertGreater(info.undo_bytes, 200)
            undo = self.undo(id)
        self.assertEqual((undo.state, undo.report.failed), ("finished", 0), undo.fault)
        self.assertEqual(self.objects(), before)
        self.assertEqual(self.town.recover(self.db), [])

    def test_an_object_that_somebody_has_changed_is_not_taken_back(self):
        id = self.order("facultyprocessor", "update", "code,title", "OLD1,New", "OLD2,New")
        self.work(id)

        def change(site):
            site["faculties"]["OLD1"].title = "By hand"

        self.change(change)
        self.assertEqual(self.undo(id).report.failed, 1)
        titles = self.change(lambda site: [site["faculties"][n].title for n in ("OLD1", "OLD2")])
        self.assertEqual(titles, ["By hand", "Old faculty 2"])

    def test_what_was_read_and_must_stay_conflicts(self):
        """`readCurrent`: the object is not changed, but what is done depends on it."""

        def read(site):
            site._p_jar.readCurrent(site["faculties"]["OLD1"])
            site["faculties"]["OLD1"]._p_activate()
            site._p_jar.readCurrent(site["faculties"]["OLD1"])
            site["faculties"]["OLD2"].title = "It depends"
            in_own_thread(lambda: self.change(write))

        def write(site):
            site["faculties"]["OLD1"].title = "Changed"

        with self.assertRaises(ConflictError):
            self.change(read)
        title = self.change(lambda site: site["faculties"]["OLD2"].title)
        self.assertEqual(title, "Old faculty 2")

    def test_of_two_that_change_an_object_one_conflicts(self):
        def first(site):
            site["faculties"]["OLD1"].title = "First"
            in_own_thread(lambda: self.change(second))

        def second(site):
            site["faculties"]["OLD1"].title = "Second"

        with self.assertRaises(ConflictError):
            self.change(first)
        self.assertEqual(self.change(lambda site: site["faculties"]["OLD1"].title), "Second")

    def test_what_others_have_committed_is_seen_by_the_next_transaction(self):
        with self.beside() as other:
            for number in range(20):

                def write(site, number=number):
                    site["faculties"]["OLD1"].title = f"Title {number}"

                self.change(write)
                title = self.town.change(lambda site: site["faculties"]["OLD1"].title, other)
                self.assertEqual(title, f"Title {number}")

    def test_a_transaction_sees_one_moment(self):
        def look(site):
            first = site["faculties"]["OLD1"].title
            in_own_thread(lambda: self.change(write))
            return first, site["faculties"]["OLD2"].title

        def write(site):
            for code in ("OLD1", "OLD2"):
                site["faculties"][code].title = "Later"

        found = self.change(look)
        self.assertEqual(found, ("Old faculty 1", "Old faculty 2"))

    def test_who_has_written_an_object(self):
        """RelStorage without history does not know; nobody fails for it."""

        def write(site):
            transaction.get().setUser(OTHER, "/somewhere")
            site["faculties"]["OLD1"].title = "By hand"

        self.change(write)

        def ask(site):
            faculty = site["faculties"]["OLD1"]
            faculty._p_activate()
            (found,) = sight_of(faculty).history(faculty._p_oid, size=1)
            self.assertEqual(found["tid"], faculty._p_serial)
            return found["user_name"]

        user = self.change(ask)
        self.assertEqual(
            user, b"" if self.kind == "postgresql" else f"/somewhere {OTHER}".encode()
        )

    def test_workers_of_two_databases_share_the_work(self):
        ids = [
            self.order("facultyprocessor", "create", "code,title", f"G{n},New", name=f"g{n}.csv")
            for n in range(4)
        ]
        with self.beside() as other:
            done = {id: [] for id in ids}

            def work(db, name):
                for id in ids:
                    if in_own_thread(lambda id=id: work_on(db, SITE, id, new_holder())):
                        done[id].append(name)

            joined(*(begun(work, *each) for each in ((self.db, 1), (other, 2))))
        for id in ids:
            self.town.work_off(id, self.db)
            self.assertLessEqual(len(done[id]), 1)
            self.assertEqual(self.info(id).state, "finished")
        codes = self.change(lambda site: [code for code in site["faculties"] if code[0] == "G"])
        self.assertEqual(codes, ["G0", "G1", "G2", "G3"])

    def test_an_object_that_is_missing(self):
        """The officer is told its number, and nothing of connections."""

        def lost(_processor, obj, *args):
            obj._p_jar.get(b"\0\0\0\0\7\7\7\7")

        id = self.order("facultyprocessor", "update", "code,title", "OLD1,New")
        with mock.patch.object(FacultyProcessor, "updateEntry", lost):
            info = self.work(id)
        self.assertEqual(info.state, "stopped")
        self.assertIn("0x07070707)", info.fault)

    def test_what_is_told_of_it(self):
        state = self.ask(lambda operations: operations.system(fresh=True))
        self.assertEqual(state.database_kind, self.told_kind)
        self.assertGreater(state.database_size, 10_000)
        self.assertEqual(state.database_free is None, self.kind != "filestorage")
        self.assertNotIn("password", state.database_path)
        self.assertIn(self.place, state.database_path)

    def test_a_connection_that_is_not_closed_in_order(self):
        """A conflict in one transaction leaves nothing behind for the next one."""
        with connected(self.db, SITE) as site:
            site["faculties"]["OLD1"].title = "Never"
        self.assertEqual(
            self.change(lambda site: site["faculties"]["OLD1"].title), "Old faculty 1"
        )


class OnFileStorage(Contract, TownTestCase):
    """A file, which one process at a time has."""

    kind, told_kind, place = "filestorage", "FileStorage", "Data.fs"


def before(owner, name, call):
    """Return what lets something happen before a function is called for the `call`-th time."""

    def happening(act):
        real, calls = getattr(owner, name), []

        def called(*args, **kw):
            calls.append(1)
            if len(calls) == call:
                act()
            return real(*args, **kw)

        return mock.patch.object(owner, name, called)

    return happening


def after(owner, name, call):
    """The same after it."""

    def happening(act):
        real, calls = getattr(owner, name), []

        def called(*args, **kw):
            calls.append(1)
            answer = real(*args, **kw)
            if len(calls) == call:
                act()
            return answer

        return mock.patch.object(owner, name, called)

    return happening


#: Where the server crashes while a run is worked on.
PLACES = {
    "when it is claimed": before(transaction, "commit", 1),
    "when it was claimed": after(transaction, "commit", 1),
    "before a batch is read": before(SourceRows, "take", 2),
    "with a batch applied": after(RowEngine, "apply", 2),
    "before rows are forced out": before(ResultFiles, "sync", 2),
    "before a batch is committed": before(transaction, "commit", 3),
    "when a batch is committed": after(transaction, "commit", 3),
    "before the intent": before(distributing, "end_rows", 1),
    "before files are placed": before(distributing.results, "perform", 1),
    "when files are placed": after(distributing.results, "perform", 1),
    "before its end": before(transaction, "commit", 6),
    "at its end": after(transaction, "commit", 6),
}


def forget_caches(jar):
    """Let a connection load what it needs from the server."""
    jar.cacheMinimize()
    cache = getattr(sight_of(jar.root()), "_cache", None)
    if cache is not None:
        cache.clear(load_persistent=False)


class Restarts:
    """The server of the database ends at once, and comes back."""

    def test_between_transactions(self):
        def write(site):
            site["faculties"]["OLD1"].title = "After it"

        self.town.place.crash()
        self.change(write)
        self.town.place.crash()
        self.assertEqual(self.change(lambda site: site["faculties"]["OLD1"].title), "After it")

    def work_once(self, id):
        """Work on a run, as a worker does that hears a bell."""
        try:
            self.town.work_off(id, self.db)
        except Exception as error:
            # At the claim there is nothing to put down.
            self.assertTrue(is_away(error), error)

    def test_amid_a_run(self):
        """Each row is done once, and nobody has to let the run go on."""
        for title, happening in PLACES.items():
            with self.subTest(title), few_rows(3):
                self.db.close()
                self.town.set_up()
                self.db = self.town.open()
                id = self.order("facultyprocessor", "create", *LINES)
                crashes = []

                def crash(crashes=crashes):
                    crashes.append(1)
                    self.town.place.crash()

                with happening(crash):
                    self.work_once(id)
                self.assertEqual(len(crashes), 1)
                info = self.work(id)
                self.assertEqual((info.state, info.fault), ("finished", ""))
                self.assertEqual((info.report.total, info.report.failed), (ROWS, FAILED))
                self.assertEqual(
                    len(self.rows("finished/data.create.finished.csv")), ROWS - FAILED
                )
                self.assertEqual(len(self.rows("data.create.pending.csv")), FAILED)
                self.town.recover(self.db)
                self.assertEqual(self.town.recover(self.db), [])

    def test_amid_a_row(self):
        """What a hook gets of a client of the database is no error of the row."""
        id = self.order("facultyprocessor", "update", "code,title", "OLD1,New", "OLD2,New")
        real, calls = FacultyProcessor.updateEntry, []

        def update(processor, obj, row, site, filename):
            calls.append(1)
            if len(calls) == 2:
                self.town.place.crash()
                forget_caches(site._p_jar)
                site["students"]["S3"].firstname  # noqa: B018  (loads it)
            return real(processor, obj, row, site, filename)

        with mock.patch.object(FacultyProcessor, "updateEntry", update):
            self.work_once(id)
        self.assertGreater(len(calls), 1)
        info = self.work(id)
        self.assertEqual((info.state, info.report.failed), ("finished", 0), info.fault)


class OnZeo(Contract, Restarts, TownTestCase):
    """A storage of a ZEO server."""

    kind, told_kind, place = "zeo", "ZEO", "ZEO at 127.0.0.1:"


class OnPostgreSQL(Contract, Restarts, TownTestCase):
    """Tables of PostgreSQL, by RelStorage."""

    kind, told_kind, place = "postgresql", "PostgreSQL", "host=127.0.0.1 port="
