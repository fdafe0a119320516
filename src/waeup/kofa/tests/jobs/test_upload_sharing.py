"""Uploads in pieces where several processes share the database and the storage."""

import io
import time
from unittest import mock

from waeup.kofa.errors import ItemBusy
from waeup.kofa.jobs import recover
from waeup.kofa.spool.disk import Disk, disk
from waeup.kofa.tests.jobs.portal import SITE
from waeup.kofa.tests.jobs.test_sharing import Other, SharingCase
from waeup.kofa.tests.spool.faultydisk import tree_of
from waeup.kofa.tests.test_operations import TABLE


class Pieces(SharingCase):
    """Another process has a piece, and stands still before it has its name."""

    def setUp(self):
        super().setUp()
        self.id = self.here(
            lambda db: self.ask(db, lambda o: o.begin_upload("data.csv", len(TABLE)).id)
        )

    def send(self, db, data, offset=0):
        """Send a piece; return how much has come then."""
        return self.town.operations(
            lambda o: o.continue_upload(self.id, offset, io.BytesIO(data)).offset, db=db
        )

    def stand_still(self, db, tell, wait):
        """Send half a piece, and wait; tell what has become of it."""

        def link(source, target):
            tell("received")
            wait()
            Disk.link(disk, source, target)

        with mock.patch.object(disk, "link", link):
            try:
                tell(str(self.send(db, TABLE[:5])))
            except ItemBusy:
                tell("lost")

    def patiently(self, work):
        """Do `work` as soon as nobody else has the upload."""
        until = time.monotonic() + 60
        while True:
            try:
                return work()
            except ItemBusy:
                self.assertLess(time.monotonic(), until)
                time.sleep(0.05)

    def finish(self, db):
        """Store what has come, and look at it."""
        name = self.ask(db, lambda o: o.finish_upload(self.id)).name
        self.assertEqual(tree_of(self.town.storage)[name], TABLE)
        found = [each for each in recover(db, SITE) if each.code != "stale"]
        self.assertEqual(found, [])
        self.assertNotIn(".work", tree_of(self.town.storage))

    def test_one_at_a_time(self):
        other = Other(self.town, self.stand_still)
        self.assertEqual(other.said(), "received")

        def work(db):
            with self.assertRaises(ItemBusy):
                self.send(db, TABLE)
            recover(db, SITE)
            other.go()
            self.assertEqual(other.said(), "5")
            self.assertEqual(self.patiently(lambda: self.send(db, TABLE[5:], 5)), len(TABLE))
            self.finish(db)

        self.here(work)
        self.assertEqual(other.end(), 0)

    def test_a_process_that_dies(self):
        other = Other(self.town, self.stand_still)
        self.assertEqual(other.said(), "received")
        other.end(is_killed=True)

        def work(db):
            self.assertEqual(self.patiently(lambda: self.send(db, TABLE)), len(TABLE))
            self.finish(db)

        self.here(work)

    def test_a_process_that_is_taken_for_dead_and_wakes(self):
        other = Other(self.town, self.stand_still)
        self.assertEqual(other.said(), "received")

        def work(db):
            other.stop()
            # Its claim is void when nothing has come from it for a while.
            self.assertEqual(self.patiently(lambda: self.send(db, TABLE[:7])), 7)
            other.wake()
            other.go()
            self.assertEqual(other.said(), "lost")
            self.assertEqual(self.patiently(lambda: self.send(db, TABLE[7:], 7)), len(TABLE))
            self.finish(db)

        with self.assertLogs("waeup.kofa.presence", "WARNING"):
            self.here(work)
        self.assertEqual(other.end(), 0)
