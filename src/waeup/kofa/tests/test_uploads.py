"""Uploads that come in pieces, as officers have them: rights, ends, expiry, moves, sharing."""

import base64
import hashlib
import io
import os
import shutil
from datetime import timedelta
from unittest import mock

import transaction
from transaction.interfaces import TransientError

from waeup.kofa.errors import (
    InvalidName,
    ItemBusy,
    NameTaken,
    NoSuchItem,
    NotAllowed,
    Refused,
    TableError,
    TooLarge,
    WrongChecksum,
    WrongOffset,
    WrongState,
)
from waeup.kofa.jobs import moves, recovery
from waeup.kofa.jobs.record import utc_now
from waeup.kofa.operations import uploads
from waeup.kofa.spool import Partial
from waeup.kofa.tabular import EmptyTable
from waeup.kofa.tests.jobs.lives import TownTestCase
from waeup.kofa.tests.jobs.portal import USER
from waeup.kofa.tests.spool.faultydisk import tree_of
from waeup.kofa.tests.test_operations import FOLDERS, TABLE, OperationsTestCase

DIGEST = hashlib.sha256(TABLE).hexdigest()


def checksum(data, name="sha1"):
    """Return the checksum of a piece as senders write it."""
    return f"{name} {base64.b64encode(hashlib.new(name, data).digest()).decode()}"


class UploadsTestCase(OperationsTestCase):
    """Has a second officer, who is no administrator."""

    def setUp(self):
        super().setUp()
        self.clerk = self.of("clerk", "waeup.DataCenterManager")

    def send(self, id, data, offset=0, operations=None):
        """Send a piece."""
        operations = operations or self.operations
        return operations.continue_upload(id, offset, io.BytesIO(data), checksum=checksum(data))

    def begin(self, content=TABLE, name="data.csv", operations=None, **options):
        """Begin an upload, and let all of it come; return its id."""
        operations = operations or self.operations
        id = operations.begin_upload(name, len(content), **options).id
        self.send(id, content, operations=operations)
        transaction.commit()
        return id


class Life(UploadsTestCase):
    """From the beginning to the file."""

    def test_pieces_become_a_file(self):
        begun = self.operations.begin_upload("data.csv", len(TABLE), digest=DIGEST.upper())
        transaction.commit()
        self.assertEqual(
            (begun.filename, begun.size, begun.offset, begun.owner, begun.replace, begun.stored),
            ("data.csv", len(TABLE), 0, "boss", False, ""),
        )
        self.assertAlmostEqual(
            begun.expires - begun.began, timedelta(hours=24), delta=timedelta(seconds=10)
        )
        self.assertEqual(self.send(begun.id, TABLE[:7]).offset, 7)
        with self.assertRaisesRegex(WrongState, "7 of the 21 bytes"):
            self.operations.finish_upload(begun.id)
        self.assertEqual(self.operations.upload_state(begun.id).offset, 7)
        # What has come stays, whatever becomes of the transaction.
        transaction.abort()
        self.assertTrue(self.send(begun.id, TABLE[7:], 7).is_complete)
        transaction.abort()
        stored = self.operations.finish_upload(begun.id)
        self.assertEqual(
            (stored.name, stored.size, stored.digest, stored.original),
            ("data_boss.csv", len(TABLE), DIGEST, "data.csv"),
        )
        transaction.commit()
        self.assertEqual(self.names(), sorted([*FOLDERS, "data_boss.csv"]))
        self.assertEqual((self.storage / "data_boss.csv").read_bytes(), TABLE)

    def test_the_end_is_told_again(self):
        id = self.begin()
        stored = self.operations.finish_upload(id)
        transaction.commit()
        self.assertEqual(self.operations.finish_upload(id), stored)
        state = self.operations.upload_state(id)
        self.assertEqual((state.stored, state.offset, state.is_complete), (stored.name, 21, True))
        transaction.commit()
        self.assertEqual(self.names(), sorted([*FOLDERS, "data_boss.csv"]))
        with self.assertRaises(NoSuchItem):
            self.operations.drop_upload(id)
        with self.assertRaises(NoSuchItem):
            self.clerk.upload_state(id)

    def test_an_abort_leaves_what_has_come(self):
        id = self.begin()
        self.operations.finish_upload(id)
        with self.assertRaises(ItemBusy):
            self.operations.drop_upload(id)
        transaction.abort()
        self.assertEqual(self.names(), sorted([".work", *FOLDERS]))
        self.operations.finish_upload(id)
        transaction.commit()
        self.assertEqual(self.names(), sorted([*FOLDERS, "data_boss.csv"]))

    def test_a_beginning_that_is_aborted_leaves_nothing(self):
        self.operations.begin_upload("data.csv", 10)
        transaction.abort()
        self.assertEqual(self.names(), FOLDERS)

    def test_what_can_never_be_stored_goes(self):
        for content, error in ((b"", EmptyTable), (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, TableError)):
            id = self.begin(content)
            with self.assertRaises(error):
                self.operations.finish_upload(id)
            transaction.abort()
            self.assertEqual(self.names(), FOLDERS)
            with self.assertRaises(NoSuchItem):
                self.operations.finish_upload(id)
        id = self.begin(digest="0" * 64)
        with self.assertRaisesRegex(Refused, "announced"):
            self.operations.finish_upload(id)
        self.assertEqual(self.names(), FOLDERS)

    def test_what_can_be_stored_another_time_stays(self):
        id = self.begin(name="data.create.pending.csv", replace=True)
        with (
            mock.patch.object(
                type(self.operations), "_require_replaceable", side_effect=WrongState("busy")
            ),
            self.assertRaises(WrongState),
        ):
            self.operations.finish_upload(id)
        transaction.abort()
        self.assertEqual(self.operations.finish_upload(id).name, "data.create.pending.csv")
        transaction.commit()

    def test_what_was_begun_is_held_to_the_rules_of_any_upload(self):
        begin = self.operations.begin_upload
        for name in ("../x.csv", ".x.csv", "", "x.exe", "x\0.csv", f"{'x' * 80}.csv"):
            with self.subTest(name), self.assertRaises(InvalidName):
                begin(name, 10)
        for size, error in ((-1, Refused), (self.operations.upload_limit() + 1, TooLarge)):
            with self.assertRaises(error):
                begin("x.csv", size)
        with self.assertRaisesRegex(Refused, "SHA-256"):
            begin("x.csv", 10, digest="abc")
        self.store("data.create.pending.csv", "code,title\nOLD,Old\n")
        with self.assertRaises(NameTaken):
            begin("data.create.pending.csv", 10)
        self.assertEqual(
            self.names(), sorted([*FOLDERS, "data.create.pending.csv"]), "nothing was begun"
        )

    def test_a_pending_file_is_replaced(self):
        self.store("data.create.pending.csv", "code,title\nOLD,Old\n")
        id = self.begin(name="data.create.pending.csv", replace=True)
        self.operations.finish_upload(id)
        transaction.commit()
        self.assertEqual((self.storage / "data.create.pending.csv").read_bytes(), TABLE)

    def test_checksums_and_offsets(self):
        id = self.operations.begin_upload("data.csv", len(TABLE)).id
        for text in (
            "md5 AAAA",
            "sha1",
            "sha1 ",
            "sha1 AAAA",
            "sha256 %",
            "SHA1 " + "A" * 28,
            "x",
        ):
            with self.subTest(text), self.assertRaisesRegex(Refused, "sha1, sha256"):
                self.operations.continue_upload(id, 0, io.BytesIO(b"x"), checksum=text)
        with self.assertRaises(WrongChecksum):
            self.operations.continue_upload(id, 0, io.BytesIO(b"x"), checksum=checksum(b"y"))
        for name in ("sha1", "sha256"):
            offset = self.operations.upload_state(id).offset
            self.operations.continue_upload(
                id, offset, io.BytesIO(b"x"), checksum=checksum(b"x", name)
            )
        with self.assertRaises(WrongOffset):
            self.send(id, b"x", 1)
        with self.assertRaises(TooLarge):
            self.send(id, b"x" * 30, 2)

    def test_limits(self):
        with mock.patch.multiple(uploads, MOST_UPLOADS=2, LARGEST_UPLOADS=1):
            limit = self.operations.upload_limit()
            for _number in range(2):
                self.operations.begin_upload("data.csv", 10)
            with self.assertRaisesRegex(Refused, "2 uploads"):
                self.operations.begin_upload("data.csv", 10)
            with self.assertRaises(ItemBusy):
                self.clerk.begin_upload("data.csv", limit)
            self.clerk.begin_upload("data.csv", limit - 20)


class Rights(UploadsTestCase):
    """Whose upload it is."""

    def test_an_upload_is_for_who_has_begun_it(self):
        id = self.begin(operations=self.clerk)
        for call in (
            lambda: self.operations.upload_state(id),
            lambda: self.send(id, b"", len(TABLE)),
            lambda: self.operations.finish_upload(id),
        ):
            with self.assertRaises(NoSuchItem):
                call()
        other = self.begin()
        with self.assertRaises(NoSuchItem):
            self.clerk.drop_upload(other)
        self.assertEqual([each.id for each in self.clerk.uploads()], [id])
        self.assertEqual([each.id for each in self.operations.uploads()], [id, other])
        self.clerk.finish_upload(id)
        transaction.commit()
        self.assertEqual(self.operations.uploads()[0].id, other)

    def test_an_administrator_drops_those_of_others(self):
        id = self.begin(operations=self.clerk)
        self.operations.drop_upload(id)
        transaction.abort()
        self.assertEqual(len(self.clerk.uploads()), 1)
        self.operations.drop_upload(id)
        transaction.commit()
        self.assertEqual(self.names(), FOLDERS)
        log = (self.storage / "logs" / "datacenter.log").read_text()
        self.assertIn(f"upload dropped: data.csv, upload={id}", log)
        self.assertIn(f"upload begun: data.csv, upload={id}", log)

    def test_who_has_no_role_may_do_nothing(self):
        nobody, id = self.of("nobody"), self.begin()
        for call in (
            lambda: nobody.begin_upload("a.csv", 1),
            lambda: self.send(id, b"x", operations=nobody),
            lambda: nobody.upload_state(id),
            nobody.uploads,
            lambda: nobody.finish_upload(id),
            lambda: nobody.drop_upload(id),
        ):
            with self.assertRaises(NotAllowed):
                call()

    def test_two_requests_at_once(self):
        id = self.begin()
        with Partial(str(self.storage), id):
            for call in (
                lambda: self.send(id, b"", len(TABLE)),
                lambda: self.operations.finish_upload(id),
                lambda: self.operations.drop_upload(id),
            ):
                with self.assertRaises(ItemBusy):
                    call()
        self.operations.finish_upload(id)
        transaction.commit()


class TownUploads(TownTestCase):
    """Has words for what an officer does in transactions of their own."""

    def begin(self, content=TABLE, user=USER):
        """Begin an upload, and let all of it come; return its id."""
        id = self.ask(lambda o: o.begin_upload("data.csv", len(content)), user).id
        self.ask(lambda o: o.continue_upload(id, 0, io.BytesIO(content)), user)
        return id

    def under_way(self):
        return [upload.id for upload in self.ask(lambda o: o.uploads())]


class Time(TownUploads):
    """What gets no further goes."""

    def at(self, **later):
        """Let the clock of recoveries go wrong."""
        return mock.patch.object(recovery, "utc_now", lambda: utc_now() + timedelta(**later))

    def test_a_day_without_progress(self):
        id = self.begin()
        for later in ({"hours": 23}, {"hours": 25}):
            with self.at(**later):
                found = self.town.recover(self.db)
        (finding,) = (each for each in found if each.code == "expired")
        self.assertEqual(finding.text, "The upload of data.csv by anna got no further, and went.")
        with self.assertRaises(NoSuchItem):
            self.ask(lambda o: o.upload_state(id))
        self.assertNotIn(".work", os.listdir(self.town.storage))

    def test_it_is_the_business_of_a_duty_too(self):
        self.begin()
        with self.at(hours=23):
            self.assertEqual(recovery.forget(self.db, "/kofa"), [])
        with self.at(hours=25):
            (finding,) = recovery.forget(self.db, "/kofa")
        self.assertEqual(finding.code, "expired")
        self.assertEqual(self.under_way(), [])

    def test_a_recovery_leaves_alone_what_goes_on(self):
        id = self.begin()
        before = tree_of(self.town.storage)
        self.assertEqual(self.town.recover(self.db), [])
        self.assertEqual(tree_of(self.town.storage), before)
        self.assertEqual(self.under_way(), [id])


class Moves(TownUploads):
    """The storage does not move away from what is coming to it."""

    def setUp(self):
        super().setUp()
        self.target = self.town.home + ".target"
        os.mkdir(self.target)
        self.addCleanup(shutil.rmtree, self.target, True)

    def test_a_change_of_the_path_is_refused(self):
        id = self.begin()
        with self.assertRaisesRegex(ItemBusy, "upload of data.csv by anna .* 21 of 21 bytes"):
            self.change(lambda site: site["datacenter"].setStoragePath(self.target, move=True))
        self.ask(lambda o: o.finish_upload(id))
        self.change(lambda site: site["datacenter"].setStoragePath(self.target, move=True))

    def test_a_move_waits_for_it(self):
        id = self.begin()
        run = self.ask(lambda o: o.start_move_anywhere(self.target)).id
        with mock.patch.object(moves, "PATIENCE", 0.1), self.assertLogs("waeup.kofa.jobs.worker"):
            found = self.work(run)
        self.assertEqual(found.state, "stopped")
        self.assertIn("An upload of data.csv by anna is under way", found.fault)
        self.assertEqual(self.under_way(), [id])
        self.ask(lambda o: o.drop_upload(id))
        self.assertEqual(self.resume(run).state, "finished")

    def test_of_a_beginning_and_a_move_at_the_same_time_one_has_a_conflict(self):
        def move_meanwhile(operations):
            operations.begin_upload("data.csv", 10)
            # The folder is not there any more for who looks for what is under way.
            with mock.patch("waeup.kofa.spool.partial_uploads", lambda storage: []):
                self.elsewhere(lambda site: site["datacenter"].setStoragePath(self.target))

        with self.assertRaises(TransientError):
            self.ask(move_meanwhile)
        self.assertNotIn(".work", os.listdir(self.town.storage))

        def begin_meanwhile(site):
            site["datacenter"].setStoragePath(self.town.storage)
            in_own = self.town.operations
            in_own(lambda o: o.begin_upload("data.csv", 10), db=self.db)

        with self.assertRaises(TransientError):
            self.change(begin_meanwhile)

    def elsewhere(self, question):
        """Let somebody else do something meanwhile."""
        self.town.change(question, self.db)
