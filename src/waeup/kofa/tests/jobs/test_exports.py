"""Exports as runs: results, who may have them, how long they stay, and what a crash leaves."""

import io
import os
import tempfile
import unittest
from contextlib import closing
from datetime import timedelta
from unittest import mock

from ZODB.POSException import ConflictError
from zope import interface, schema
from zope.component import createObject, getGlobalSiteManager
from zope.lifecycleevent import modified

from waeup.kofa.errors import (
    NoSuchItem,
    NotAllowed,
    Refused,
    StorageFault,
    TooLarge,
    WrongState,
)
from waeup.kofa.exporting import Wish, driver
from waeup.kofa.i18n import english
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs import exports, recovery, reporter, work_on, worker
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.connection import sight_of
from waeup.kofa.jobs.job import folder_of
from waeup.kofa.jobs.record import utc_now
from waeup.kofa.operations import exports as export_operations
from waeup.kofa.tests.databases import kind_of_tests
from waeup.kofa.tests.exporting.kinds import CONTAINER, kind_registered
from waeup.kofa.tests.jobs.portal import OTHER, SITE, USER
from waeup.kofa.tests.jobs.test_runs import FACULTIES, RunTestCase
from waeup.kofa.tests.spool.faultydisk import write

HEADER = '"code","title","title_prefix","officer_1","officer_2","local_roles"\r\n'
ROWS = '"FAC1","One","faculty","","",""\r\n"FAC3","Three","faculty","","",""\r\n'


class IPainted(interface.Interface):
    """What has a colour."""

    code = schema.TextLine(title="Code")
    colour = schema.Choice(title="Colour", values=["Grün", "two words"])
    is_new = schema.Bool(title="New")
    number = schema.Choice(title="Number", values=[1, 2, 3, 4])


class ExportTestCase(RunTestCase):
    """Has a portal with two faculties."""

    def setUp(self):
        super().setUp()
        run = self.ask(
            lambda ops: ops.start_import("data.csv", "facultyprocessor", "create", FACULTIES)
        )
        self.portal.work_off(run.id)
        self.at_rest = sorted(os.listdir(self.portal.storage))

    def order(self, wish=None, user=USER):
        return self.ask(lambda ops: ops.start_export(wish or Wish("faculties")), user)

    def done(self, wish=None, user=USER):
        run = self.order(wish, user)
        self.portal.work_off(run.id)
        return self.run_of(run.id, user)

    def run_of(self, id, user=USER):
        return self.ask(lambda ops: ops.run(id), user)

    def fetch(self, id, user=USER):
        def fetch(ops):
            name, stream = ops.open_export(id)
            with stream:
                return name, stream.read().decode()

        return self.ask(fetch, user)

    def age(self, id, by):
        """Let a run have ended so long ago."""

        def change(site):
            site["datacenter"].runs.get(id).ended = utc_now() - by

        self.portal.change(change)

    def add_officer(self, name, *roles):
        def add(site):
            account = createObject("waeup.UserAccount", name=name, title=name)
            account.roles = list(roles)
            site["users"].addUser(account)

        self.portal.change(add)


class Results(ExportTestCase):
    """What an export gives, and for how long."""

    def test_a_result_with_the_name_of_1_9(self):
        run = self.done()
        self.assertEqual((run.kind, run.state, run.rows, run.failed), ("export", "finished", 2, 0))
        self.assertEqual(run.report.total, 2)
        self.assertEqual(run.size, len(HEADER + ROWS))
        name, text = self.fetch(run.id)
        self.assertEqual(name, f"WAeUP.Kofa_faculties_{run.id}.csv")
        self.assertEqual(text, HEADER + ROWS)

    def test_nothing_else_of_the_storage_is_touched(self):
        before = self.portal.tree()
        run = self.done()
        after = self.portal.tree()
        new = {name for name in after if name not in before}
        self.assertEqual({name.split("/")[0] for name in new}, {".work"})
        path = os.path.join(folder_of(self.portal.storage, run.id), "1", "faculties.csv")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_filters_and_keys(self):
        run = self.done(Wish("faculties", filters=(("title", "Three"),)))
        self.assertEqual(run.rows, 1)
        run = self.done(Wish("faculties", keys=("FAC3", "FAC9", "FAC3")))
        self.assertEqual((run.rows, run.failed, run.report.done), (1, 1, 1))
        self.assertEqual(run.report.reasons, (("No object has the key 'FAC9'.", 1),))
        run = self.done(Wish("faculties", keys=("FAC8", "FAC9")))
        self.assertEqual([number for _reason, number in run.report.reasons], [1, 1])

    def test_a_list_of_exports_does_not_hold_their_keys(self):
        keys = tuple(f"FAC{number}" for number in range(20_000))
        run = self.order(Wish("faculties", keys=keys))
        self.assertEqual((run.listed, run.wish.keys), (20_000, None))
        self.portal.change(lambda site: self.assert_small(site["datacenter"].runs.get(run.id)))
        self.portal.work_off(run.id)
        self.assertEqual(self.fetch(run.id)[1], HEADER + ROWS)

    def assert_small(self, run):
        state, _serial = sight_of(run).load(run._p_oid)
        self.assertLess(len(state), 5_000)

    @unittest.skipIf(kind_of_tests() == "zeo", "a client of ZEO needs a temporary directory")
    def test_a_workbook_is_made_beside_the_result(self):
        """Elsewhere may be too little room, and what a killed process leaves would stay."""
        run = self.order(Wish("faculties", format="xlsx"))
        with (
            mock.patch.object(tempfile, "tempdir", "/nonexistent"),
            # What the database needs for one is little.
            mock.patch("waeup.kofa.jobs.events.transaction.savepoint"),
        ):
            self.portal.work_off(run.id)
        self.assertEqual((self.run_of(run.id).state, self.run_of(run.id).fault), ("finished", ""))
        id = "run-" + run.id
        found = [path for path in self.portal.tree() if id in path and path.endswith("xlsx")]
        self.assertEqual([os.path.basename(path) for path in found], ["faculties.xlsx"])

    def test_values_that_a_filter_offers(self):
        """Each can be asked for; of very many none is listed."""
        with kind_registered(IPainted), mock.patch.object(export_operations, "MOST_OFFERED", 3):
            (info,) = (i for i in self.ask(lambda ops: ops.exporters()) if i.name == CONTAINER)
            found = {each.name: (each.kind, each.choices) for each in info.filters}
            self.assertEqual(
                found,
                {
                    "code": ("text", ()),
                    "colour": ("choice", (("Grün", "Grün"), ("two words", "two words"))),
                    "is_new": ("choice", (("1", "yes"), ("0", "no"))),
                    "number": ("text", ()),
                },
            )
            for name, (_kind, choices) in found.items():
                for token, _title in choices:
                    with self.subTest(token):
                        self.order(Wish(CONTAINER, filters=((name, token),)))

    def test_what_cannot_be_is_refused_before(self):
        for wish, error, words in (
            (Wish("mammoths"), NoSuchItem, "There is no exporter 'mammoths'"),
            (Wish("faculties", filters=(("tusk", "1"),)), Refused, "no filter 'tusk'"),
            (Wish("faculties", filters=(("title_prefix", "x"),)), Refused, "title_prefix: "),
            (Wish("faculties", format="doc"), Refused, "no format 'doc'"),
            (Wish("faculties", secrets=True), Refused, "has no passwords"),
            (Wish("faculties", keys=()), Refused, "list of keys is empty"),
        ):
            with self.subTest(wish=wish), self.assertRaisesRegex(error, words):
                self.order(wish)
        with (
            mock.patch.object(export_operations, "MOST_KEYS", 1),
            self.assertRaisesRegex(TooLarge, "may list 1 keys, and these are 2"),
        ):
            self.order(Wish("faculties", keys=("a", "b")))
        self.assertEqual(self.ask(lambda ops: ops.exports()), [])

    def test_more_rows_than_a_sheet_holds_are_refused_before_the_work(self):
        with mock.patch.object(driver, "MOST_SHEET_ROWS", 1):
            with self.assertRaisesRegex(TooLarge, "A sheet holds 1 rows"):
                self.order(Wish("faculties", format="xlsx"))
            one = Wish("faculties", format="xlsx", filters=(("code", "FAC1"),))
            self.assertEqual(self.done(one).rows, 1)
            # Which the run finds out where objects must be looked at.
            both = Wish("faculties", format="xlsx", filters=(("title_prefix", "faculty"),))
            with mock.patch.object(driver, "matching", side_effect=AssertionError):
                run = self.order(both)
            self.portal.work_off(run.id)
            run = self.run_of(run.id)
            self.assertEqual((run.state, run.rows), ("cancelled", 0))
            self.assertIn("A sheet holds 1 rows", run.fault)

    def test_a_result_goes_after_its_time(self):
        run = self.done()
        self.portal.change(lambda site: recovery.recover(site._p_jar.db(), "/kofa"))
        self.assertEqual(self.fetch(run.id)[1], HEADER + ROWS)
        self.age(run.id, timedelta(hours=25))
        found = self.portal.change(lambda site: recovery.recover(site._p_jar.db(), "/kofa"))
        self.assertIn("expired", [finding.code for finding in found])
        with self.assertRaises(NoSuchItem):
            self.run_of(run.id)
        self.assertEqual(sorted(os.listdir(self.portal.storage)), self.at_rest)
        self.assertEqual(
            self.portal.change(lambda site: recovery.recover(site._p_jar.db(), "/kofa")), []
        )

    def test_for_how_long_can_be_said(self):
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        with mock.patch.dict(config, {"export_hours": 48.0}):
            run = self.done()
            self.assertEqual(run.kept_until - run.ended, timedelta(hours=48))
            self.age(run.id, timedelta(hours=25))
            self.portal.change(lambda site: recovery.recover(site._p_jar.db(), "/kofa"))
            self.assertEqual(self.fetch(run.id)[1], HEADER + ROWS)

    def test_discard(self):
        run = self.done()
        self.ask(lambda ops: ops.discard_export(run.id))
        with self.assertRaises(NoSuchItem):
            self.fetch(run.id)
        self.assertEqual(self.ask(lambda ops: ops.exports()), [])
        self.assertEqual(sorted(os.listdir(self.portal.storage)), self.at_rest)

    def test_what_waits_is_cancelled_not_discarded(self):
        run = self.order()
        with self.assertRaisesRegex(WrongState, "Cancel it first"):
            self.ask(lambda ops: ops.discard_export(run.id))
        with self.assertRaisesRegex(NoSuchItem, "not there"):
            self.fetch(run.id)
        self.assertEqual(self.ask(lambda ops: ops.cancel(run.id)).state, "cancelled")
        self.ask(lambda ops: ops.discard_export(run.id))
        self.assertEqual(self.ask(lambda ops: ops.exports()), [])

    def test_an_import_is_no_export(self):
        run = next(run for run in self.ask(lambda ops: ops.runs()) if run.kind == "import")
        for use in ("open_export", "discard_export"):
            with self.subTest(use), self.assertRaisesRegex(NoSuchItem, "not an export"):
                self.ask(lambda ops, use=use: getattr(ops, use)(run.id))

    def test_a_lost_result_is_told(self):
        run = self.done()
        os.unlink(os.path.join(folder_of(self.portal.storage, run.id), "1", "faculties.csv"))
        self.assertIsNone(self.run_of(run.id).size)
        with self.assertRaisesRegex(NoSuchItem, "Order the export again"):
            self.fetch(run.id)

    def test_exports_wait_for_each_other_and_not_for_imports(self):
        write(os.path.join(self.portal.storage, "more.csv"), "code,title\r\nFAC4,Four\r\n")
        waiting = self.ask(
            lambda ops: ops.start_import("more.csv", "facultyprocessor", "create", FACULTIES)
        )
        first, second = self.order(), self.order()
        self.assertEqual(self.run_of(first.id).waits_for, "")
        self.assertEqual(english(self.run_of(second.id).waits_for), "export of faculties.csv")
        self.portal.work_off(second.id)
        self.assertEqual(self.run_of(second.id).state, "finished")
        self.assertEqual(self.run_of(waiting.id).state, "queued")

    def test_at_once_into_a_stream(self):
        stream = io.BytesIO()
        outcome = self.ask(lambda ops: ops.export(Wish("faculties"), stream))
        self.assertEqual(outcome.rows, 2)
        self.assertEqual(stream.getvalue().decode(), HEADER + ROWS)
        with open(os.path.join(self.portal.storage, "logs", "datacenter.log")) as log:
            self.assertIn("exported: faculties, 2 rows", log.read())


class Rights(ExportTestCase):
    """An officer sees and fetches what he may export, and his own."""

    def setUp(self):
        super().setUp()
        self.add_officer("emma", "waeup.ExportManager")
        self.add_officer("erik", "waeup.ExportManager")
        self.add_officer("uma", "waeup.ExportManager", "waeup.UsersManager")
        self.add_officer("ina", "waeup.ImportManager")

    def test_kinds_that_may_be_exported(self):
        def names(user):
            return [info.name for info in self.ask(lambda ops: ops.exporters(), user)]

        self.assertNotIn("users", names("emma"))
        self.assertIn("students", names("emma"))
        self.assertIn("users", names("uma"))
        with self.assertRaises(NotAllowed):
            names("ina")
        for user in ("emma", "ina"):
            with self.subTest(user), self.assertRaises(NotAllowed):
                self.order(Wish("users"), user)
            with self.subTest(user), self.assertRaises(NotAllowed):
                self.ask(lambda ops: ops.export(Wish("users"), io.BytesIO()), user)

    def test_passwords_need_who_manages_users(self):
        self.assertEqual(self.info("students", "emma").secrets, ())
        self.assertEqual(self.info("students", "uma").secrets, ("password",))
        with self.assertRaises(NotAllowed):
            self.order(Wish("students", secrets=True), "emma")
        run = self.done(Wish("users", secrets=True), "uma")
        self.assertIn('"password"', self.fetch(run.id, "uma")[1])
        self.assertNotIn('"password"', self.fetch(self.done(Wish("users"), "uma").id, "uma")[1])

    def test_only_the_own_ones(self):
        run = self.done(user="emma")
        for ask in (
            lambda ops: ops.run(run.id),
            lambda ops: ops.open_export(run.id),
            lambda ops: ops.discard_export(run.id),
            lambda ops: ops.cancel(run.id),
            lambda ops: ops.resume(run.id),
        ):
            for user in ("erik", "ina"):
                with self.assertRaises(NotAllowed):
                    self.ask(ask, user)
        for lists in ("runs", "exports"):
            found = self.ask(lambda ops, lists=lists: getattr(ops, lists)(), "erik")
            self.assertNotIn(run.id, [one.id for one in found])
        # Who manages the portal sees all of them.
        self.assertEqual([one.id for one in self.ask(lambda ops: ops.exports(), OTHER)], [run.id])
        self.assertEqual(self.fetch(run.id, OTHER)[1], HEADER + ROWS)

    def test_a_right_that_was_lost_meanwhile(self):
        run = self.order(Wish("users", secrets=True), "uma")

        def take(site):
            site["users"]["uma"].roles = ["waeup.ExportManager"]
            modified(site["users"]["uma"])

        self.portal.change(take)
        self.portal.work_off(run.id)
        run = self.run_of(run.id)
        self.assertEqual(run.state, "stopped")
        self.assertIn("uma lacks the permission waeup.manageUsers", run.fault)
        with self.assertRaises(NotAllowed):
            self.ask(lambda ops: ops.run(run.id), "uma")

    def info(self, name, user):
        found = self.ask(lambda ops: ops.exporters(), user)
        return next(info for info in found if info.name == name)


class Interruptions(ExportTestCase):
    """Cancelled, stopped and killed exports."""

    def interrupted(self, act):
        """Let `act` happen when the first object is looked at."""
        write_of = driver.Export.write

        def write(export, stream, tell, folder):
            def told(rows, fraction):
                act()
                tell(rows, fraction)

            return write_of(export, stream, told, folder)

        return mock.patch.multiple(driver.Export, write=write)

    def test_cancel(self):
        run = self.order()
        with (
            mock.patch.object(reporter, "INTERVAL", -1),
            self.interrupted(lambda: self.cancel(run.id)),
        ):
            self.work_off_here(run.id)
        run = self.run_of(run.id)
        self.assertEqual(run.state, "cancelled")
        self.assertEqual(sorted(os.listdir(self.portal.storage)), self.at_rest)

    def test_a_fault_stops_it_and_it_can_go_on(self):
        run = self.order()

        def fail():
            raise StorageFault("The disk is full.")

        with self.interrupted(fail), self.assertLogs("waeup.kofa.jobs.worker"):
            self.work_off_here(run.id)
        stopped = self.run_of(run.id)
        self.assertEqual(stopped.state, "stopped")
        self.assertIn("The disk is full.", stopped.fault)
        self.assertEqual(stopped.actions, ("cancel", "resume"))
        self.ask(lambda ops: ops.resume(run.id))
        self.portal.work_off(run.id)
        self.assertEqual(self.fetch(run.id)[1], HEADER + ROWS)

    def test_discarded_while_somebody_lets_it_go_on(self):
        """One of both has a conflict: a run that nobody finds must not stand in the way."""
        run = self.order()

        def fail():
            raise StorageFault("The disk is full.")

        with self.interrupted(fail), self.assertLogs("waeup.kofa.jobs.worker"):
            self.work_off_here(run.id)

        def discard(ops):
            ops.discard_export(run.id)
            self.portal.operations(lambda other: other.resume(run.id), USER, db)

        with closing(self.portal.open()) as db, self.assertRaises(ConflictError):
            self.portal.operations(discard, USER, db)
        other = self.done()
        self.assertEqual((other.state, other.waits_for), ("finished", ""))
        self.assertEqual(self.fetch(run.id)[1], HEADER + ROWS)

    def test_a_killed_worker_leaves_nothing_half(self):
        run = self.order()
        folder = folder_of(self.portal.storage, run.id)
        left = os.path.join(folder, "0", "kofa-xlsx-1")
        os.makedirs(left)
        write(os.path.join(left, "workbook.xlsx"), "half")
        self.portal.work_off(run.id)
        self.assertEqual(self.fetch(run.id)[1], HEADER + ROWS)
        self.assertEqual(os.listdir(folder), ["1"])

    def test_who_wakes_up_too_late_leaves_the_result_as_it_is(self):
        run = self.order()

        def late(job):
            if job.claim.token == 1:
                in_own_thread(
                    lambda: work_on(self.db, SITE, run.id, "other", is_dead=lambda holder: True)
                )
            exports.do_export(job)

        with mock.patch.object(worker, "do_export", late), self.assertLogs(worker.log):
            self.work_off_here(run.id)
        self.assertEqual(self.run_of(run.id).state, "finished")
        self.assertEqual(self.fetch(run.id)[1], HEADER + ROWS)

    def test_what_comes_in_meanwhile_is_not_seen(self):
        """All rows are of one moment."""
        run = self.order()

        def add():
            def change(site):
                if "FAC9" not in site["faculties"]:
                    site["faculties"].addFaculty(createObject("waeup.Faculty", "FAC9", "Nine"))

            self.portal.change(change, self.db)

        with self.interrupted(add):
            self.work_off_here(run.id)
        self.assertEqual(self.fetch(run.id)[1], HEADER + ROWS)
        self.assertEqual(self.done().rows, 3)

    def cancel(self, id):
        self.portal.operations(lambda ops: ops.cancel(id), USER, self.db)

    def work_off_here(self, id):
        self.db = self.portal.open()
        try:
            self.portal.work_off(id, self.db)
        finally:
            self.db.close()
