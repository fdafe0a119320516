"""Deleted files wait, come back, and go for good."""

import os
from contextlib import suppress

import transaction
from zope.component import getGlobalSiteManager

from waeup.kofa.errors import NotAllowed, WrongState
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs import keeping
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
