"""Deleted files wait, come back, and go for good."""

import os
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from unittest import mock

import transaction
from zope.component import getGlobalSiteManager

from waeup.kofa import spool
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import NotAllowed, Refused, WrongState
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs import keeping
from waeup.kofa.operations import folders
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.test_operations import OperationsTestCase


class Keeping(OperationsTestCase):
    """One file is deleted, restored and purged."""

    def setUp(self):
        super().setUp()
        self.upload()
        transaction.commit()
        self.ledger = self.site["datacenter"].ledger

    def delete(self):
        self.operations.delete(["data_boss.csv"])
        transaction.commit()
        (name,) = self.operations.deletions_of(["data_boss.csv"])
        return name

    def deleted(self):
        return os.listdir(self.site["datacenter"].deleted_path)

    def test_a_deleted_file_is_kept_with_what_is_known_of_it(self):
        name = self.delete()
        self.assertEqual(self.deleted(), [name])
        self.assertNotIn("data_boss.csv", self.names())
        (file,) = self.operations.files_in("deleted")
        self.assertEqual(
            (file.original, file.owner, file.deleted_by), ("data_boss.csv", "boss", "boss")
        )
        self.assertIsNone(file.expires)

    def test_it_comes_back_under_its_name(self):
        name = self.delete()
        self.assertEqual(self.operations.restore(name).name, "data_boss.csv")
        transaction.abort()
        self.assertEqual(self.deleted(), [name])
        self.assertNotIn("data_boss.csv", self.names())
        self.operations.restore(name)
        transaction.commit()
        self.assertEqual(self.deleted(), [])
        self.assertIn("data_boss.csv", self.names())
        self.assertEqual(self.ledger.entry("data_boss.csv").owner, "boss")

    def test_it_gets_a_counter_when_its_name_is_taken(self):
        name = self.delete()
        self.upload()
        transaction.commit()
        self.assertEqual(self.operations.restore(name).name, "data_boss-2.csv")

    def test_results_are_copied(self):
        self.store("finished/a.create.finished.csv")
        upload = self.operations.restore("a.create.finished.csv", "finished")
        transaction.commit()
        self.assertEqual(upload.name, "a.create.finished_boss.csv")
        self.assertEqual(len(self.operations.files_in("finished")), 1)

    def test_an_original_is_copied_under_the_name_that_it_was_sent_by(self):
        entry = self.ledger.entry("data_boss.csv")
        self.store("finished/data_boss.csv")
        self.ledger.enter(replace(entry, name="finished/data_boss.csv"))
        upload = self.operations.restore("data_boss.csv", "finished")
        self.assertEqual(upload.name, "data_boss-2.csv")

    def test_a_purge_is_for_good_and_for_who_may_import(self):
        name = self.delete()
        clerk = self.of("clerk", "waeup.DataCenterManager")
        with suppress(NotAllowed):
            clerk.purge([name], "deleted")
            self.fail("purged without the permission")
        self.operations.purge([name], "deleted")
        transaction.commit()
        self.assertEqual(self.deleted(), [])
        self.assertIsNone(self.ledger.entry(f"deleted/{name}"))

    def test_what_pending_rows_come_from_stays(self):
        self.store("unfinished/a.csv")
        self.store("a.create.pending.csv")
        with self.assertRaises(WrongState):
            self.operations.purge(["a.csv"], "unfinished")

    def test_so_does_it_while_the_rows_are_deleted_and_can_come_back(self):
        self.store("unfinished/a.csv")
        self.store("finished/a.create.finished.csv")
        self.store("a.create.pending.csv")
        self.operations.delete(["a.create.pending.csv"])
        transaction.commit()
        for name, folder in (("a.csv", "unfinished"), ("a.create.finished.csv", "finished")):
            with self.assertRaises(WrongState):
                self.operations.purge([name], folder)
            transaction.abort()

    def test_rows_that_come_while_a_file_is_purged_stay(self):
        self.store("finished/a.create.finished.csv", "code\nA\n")
        path = self.storage / "finished" / "a.create.finished.csv"
        self.operations.purge(["a.create.finished.csv"], "finished")
        with open(path, "a") as stream:
            stream.write("B\n")
        transaction.commit()
        self.assertEqual(path.read_text(), "code\nA\nB\n")

    def test_not_too_many_files_are_purged_at_once(self):
        names = [f"{number}.csv" for number in range(folders.PURGED_AT_ONCE + 1)]
        for name in names:
            self.store(f"finished/{name}")
        with self.assertRaisesRegex(Refused, "in several turns"):
            self.operations.purge(names, "finished")
        self.operations.purge(names[:-1], "finished")
        transaction.commit()
        self.assertEqual(self.operations.folder_sizes()["finished"], 1)

    def test_the_days_of_an_original_count_from_its_import(self):
        self.store("old.csv", "code,title\r\nOLD,Old\r\n")
        os.utime(self.storage / "old.csv", (0, 0))
        mapping = Mapping(("code", "title"))
        run = self.operations.start_import("old.csv", "facultyprocessor", "create", mapping)
        transaction.commit()
        FunctionalLayer.work_off_runs()
        transaction.begin()
        # Nothing can be taken back any more.
        self.site["datacenter"].runs.get(run.id).undo.clear()
        transaction.commit()
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["finished_days"] = 30
        self.addCleanup(config.pop, "finished_days")
        self.assertEqual(list(keeping.purge_old(self.site["datacenter"])), [])
        found = {file.name: file for file in self.operations.files_in("finished")}
        self.assertEqual(set(found), {"old.csv", "old.create.finished.csv"})
        for file in found.values():
            self.assertEqual(file.run, run.id)
            self.assertGreater(file.expires, datetime.now(timezone.utc) + timedelta(days=29))

    def test_few_runs_are_asked_for_what_is_needed(self):
        self.store("old.csv", "code,title\r\nOLD,Old\r\n")
        mapping = Mapping(("code", "title"))
        id = self.operations.start_import("old.csv", "facultyprocessor", "create", mapping).id
        transaction.commit()
        FunctionalLayer.work_off_runs()
        transaction.begin()
        datacenter, runs = self.site["datacenter"], self.site["datacenter"].runs
        run = runs.get(id)
        runs.settle(run)
        self.assertEqual(runs.unsettled(), [run])
        self.assertIn("finished/old.csv", keeping.needed(datacenter))
        # An undo that is given up leaves an import that can be taken back anew.
        run.undone_by = "another"
        runs.settle(run)
        run.undone_by = None
        self.assertIn("finished/old.csv", keeping.needed(datacenter))
        run.undo.clear()
        self.assertNotIn("finished/old.csv", keeping.needed(datacenter))
        runs.settle(run)
        self.assertEqual([each for each in runs._unsettled.values() if each], [])
        del runs._unsettled
        self.assertEqual(runs.unsettled(), [])
        self.assertTrue(runs.upgrade())
        runs.activate(run)
        self.assertIn(id, runs._unsettled)

    def test_a_database_of_before_learns_where_files_come_from(self):
        self.store("old.csv", "code,title\r\nOLD,Old\r\n")
        mapping = Mapping(("code", "title"))
        run = self.operations.start_import("old.csv", "facultyprocessor", "create", mapping)
        transaction.commit()
        FunctionalLayer.work_off_runs()
        transaction.begin()
        del self.ledger._sources
        self.assertTrue(keeping.learn_sources(self.site["datacenter"]))
        self.assertFalse(keeping.learn_sources(self.site["datacenter"]))
        for name in ("finished/old.csv", "finished/old.create.finished.csv"):
            self.assertEqual(self.ledger.source_of(name)[0], run.id)

    def test_what_somebody_works_on_is_known_as_before(self):
        name = self.delete()
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["deleted_days"] = 0
        self.addCleanup(config.pop, "deleted_days")
        path = os.path.join(self.site["datacenter"].deleted_path, name)
        fd = spool.locks.lock(path)
        try:
            self.assertEqual(list(keeping.purge_old(self.site["datacenter"])), [])
        finally:
            os.close(fd)
        self.assertEqual(self.ledger.entry(f"deleted/{name}").origin, "data_boss.csv")

    def test_one_file_that_cannot_be_removed_keeps_no_other(self):
        names = []
        for content in ("a", "b"):
            self.store(f"{content}.csv")
            self.operations.delete([f"{content}.csv"])
            transaction.commit()
            names += self.operations.deletions_of([f"{content}.csv"])
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["deleted_days"] = 0
        self.addCleanup(config.pop, "deleted_days")
        remove = spool.remove_file

        def fail_once(path):
            if path.endswith(names[0]):
                raise PermissionError(path)
            remove(path)

        with mock.patch.object(spool, "remove_file", fail_once), self.assertLogs(keeping.log):
            (text,) = keeping.purge_old(self.site["datacenter"])
        self.assertIn(names[1], text)

    def test_a_move_that_was_cut_short_is_completed(self):
        before = os.path.join(self.site["datacenter"].storage, "data_boss.csv")
        name = self.delete()
        os.rename(os.path.join(self.site["datacenter"].deleted_path, name), before)
        self.assertEqual(
            list(keeping.complete_moves(self.site["datacenter"])), ["deletion of data_boss.csv"]
        )
        self.assertEqual(self.deleted(), [name])
        self.assertEqual(list(keeping.complete_moves(self.site["datacenter"])), [])

    def test_old_files_go_by_themselves(self):
        name = self.delete()
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["deleted_days"] = 30
        self.addCleanup(config.pop, "deleted_days")
        self.assertEqual(list(keeping.purge_old(self.site["datacenter"])), [])
        self.assertIn(name, self.deleted())
        config["deleted_days"] = 0
        (text,) = keeping.purge_old(self.site["datacenter"])
        self.assertIn("gone for good", text)
        self.assertEqual(self.deleted(), [])

    def test_the_settings_say_before_what_goes_next(self):
        """Counted is what goes: neither what was deleted of late, nor what pending rows need."""
        os.utime(self.storage / "data_boss.csv", (1, 1))
        self.delete()
        old = "2020-01-01 00:00:00+00:00"
        self.store("deleted/faculties.csv", f'"code","del_date","back_date"\r\n"A","{old}",""\r\n')
        self.store("a.update.pending.csv")
        for name in ("unfinished/a.csv", "unfinished/b.csv", "finished/b.create.finished.csv"):
            self.store(name)
            os.utime(self.storage / name, (1, 1))
        days = {"finished_days": 30, "unfinished_days": 30, "deleted_days": 30}
        said = {each.name: each.number for each in self.operations.forgotten_next(days)}
        self.assertEqual(said, {"finished_days": 1, "unfinished_days": 1, "deleted_rows": 1})
        self.assertEqual(self.operations.forgotten_next(), [])
        for name, value in days.items():
            setattr(self.site["configuration"], name, value)
        transaction.commit()
        datacenter = self.site["datacenter"]
        gone = [text.partition(" ")[0] for text in keeping.purge_old(datacenter)]
        self.assertEqual(gone, ["finished/b.create.finished.csv", "unfinished/b.csv"])
        self.assertEqual(len(list(keeping.drop_old_rows(datacenter))), 1)

    def test_old_rows_of_removed_objects_go_and_others_stay(self):
        old, new = "2020-01-01 00:00:00+00:00", "2999-01-01 00:00:00+00:00"
        head = '"code","del_date","back_date"\r\n'
        self.store("deleted/faculties.csv", f'{head}"A","{old}",""\r\n"B","{new}",""\r\n')
        self.store("deleted/other.csv", "code\r\nA\r\n")
        datacenter = self.site["datacenter"]
        self.assertEqual(list(keeping.drop_old_rows(datacenter)), [])
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["deleted_days"] = 30
        self.addCleanup(config.pop, "deleted_days")
        (text,) = keeping.drop_old_rows(datacenter)
        self.assertIn("gone for good: 1", text)
        content = (self.storage / "deleted/faculties.csv").read_bytes().decode()
        self.assertEqual(content, f'{head}"B","{new}",""\r\n')
        self.assertEqual(list(keeping.drop_old_rows(datacenter)), [])

    def test_a_storage_that_is_busy_or_full_keeps_no_portal_from_starting(self):
        old = "2020-01-01 00:00:00+00:00"
        content = f'"code","del_date","back_date"\r\n"A","{old}",""\r\n'
        self.store("deleted/faculties.csv", content)
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["deleted_days"] = 30
        self.addCleanup(config.pop, "deleted_days")
        datacenter = self.site["datacenter"]
        with (
            spool.storage_lock(datacenter.storage),
            mock.patch.object(spool, "storage_lock", partial(spool.storage_lock, patience=0)),
        ):
            self.assertEqual(list(keeping.drop_old_rows(datacenter)), [])
        with (
            mock.patch.object(keeping.disk, "replace", side_effect=OSError(28, "full")),
            self.assertLogs(keeping.log),
        ):
            self.assertEqual(list(keeping.drop_old_rows(datacenter)), [])
        self.assertEqual((self.storage / "deleted/faculties.csv").read_bytes(), content.encode())
