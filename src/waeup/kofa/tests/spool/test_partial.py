"""Uploads that come in pieces: what was acknowledged stays, whatever happens."""

import hashlib
import io
import os
import random
from collections.abc import Callable
from datetime import timedelta
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from waeup.kofa.errors import (
    ItemBusy,
    NoSuchItem,
    Refused,
    StorageFault,
    TooLarge,
    WrongChecksum,
    WrongOffset,
)
from waeup.kofa.spool import WorkFolder, partial
from waeup.kofa.spool.disk import Disk, disk
from waeup.kofa.spool.partial import (
    ABOUT,
    LIFETIME,
    PREFIX,
    Checksum,
    Partial,
    PartialUpload,
    Quota,
    begin_partial,
    drop_partials,
    look_at,
    partial_folders,
    partial_uploads,
)
from waeup.kofa.tests.spool.faultydisk import (
    FaultyDisk,
    LastingError,
    NetworkDisk,
    Off,
    OneError,
    PowerCut,
    killed_at,
    tree_of,
    write,
)
from waeup.kofa.tests.spool.test_files import StorageTestCase, remove_all
from waeup.kofa.tests.waiting import begun, joined

QUOTA = Quota(20, 1 << 20)


class PartialTestCase(StorageTestCase):
    """Has a storage, and short words for what senders do."""

    def begin(self, size: int = 10, owner: str = "anna", **options: object) -> str:
        """Begin an upload; return its id."""
        return begin_partial(
            self.storage,
            owner,
            "data.csv",
            size,
            quota=QUOTA,
            **options,  # type: ignore[arg-type]
        ).id

    def append(
        self, id: str, offset: int, data: bytes, checksum: Checksum | None = None
    ) -> PartialUpload:
        """Send a piece."""
        with Partial(self.storage, id) as upload:
            return upload.append(offset, io.BytesIO(data), checksum)

    def content(self, id: str) -> bytes:
        """Return all that has come."""
        with Partial(self.storage, id) as upload, upload.open() as stream:
            return stream.read()

    def folder(self, id: str) -> str:
        """Return the path of a work folder."""
        return os.path.join(self.storage, ".work", PREFIX + id)

    def elsewhere(self, action: Callable[[], object]) -> BaseException | None:
        """Do something in another thread; return what it has raised."""
        caught: list[BaseException] = []

        def work() -> None:
            try:
                action()
            except BaseException as error:
                caught.append(error)

        joined(begun(work))
        return caught[0] if caught else None


class Uploads(PartialTestCase):
    """One sender after the other."""

    def test_it_comes_in_pieces_and_is_read_as_a_whole(self) -> None:
        id = self.begin(10, replace=True, digest="ab")
        self.assertEqual(look_at(self.storage, id).offset, 0)
        self.assertEqual(self.append(id, 0, b"code").offset, 4)
        self.assertEqual(self.append(id, 4, b"").offset, 4)
        found = self.append(id, 4, b",title")
        self.assertTrue(found.is_complete)
        self.assertEqual(
            (found.owner, found.filename, found.size, found.replace, found.digest),
            ("anna", "data.csv", 10, True, "ab"),
        )
        self.assertEqual(self.content(id), b"code,title")
        self.assertEqual(partial_uploads(self.storage), [look_at(self.storage, id)])

    def test_the_last_one_takes_all_along(self) -> None:
        first, second = self.begin(), self.begin()
        self.append(first, 0, b"x")
        for id in (first, second):
            self.assertTrue(os.path.isdir(self.folder(id)))
            with Partial(self.storage, id) as upload:
                upload.remove()
        self.assertEqual(tree_of(self.storage), {})
        for action in (look_at, Partial):
            with self.assertRaisesRegex(NoSuchItem, "no upload"):
                action(self.storage, first)

    def test_ids_are_no_paths(self) -> None:
        id = self.begin()
        for wrong in ("", ".", "..", f"../{PREFIX}{id}", id.upper(), id[:-1], f"{id}\n", "x" * 32):
            with self.assertRaises(NoSuchItem):
                look_at(self.storage, wrong)
            with self.assertRaises(NoSuchItem):
                Partial(self.storage, wrong)

    def test_wrong_offsets_tell_the_right_one(self) -> None:
        id = self.begin()
        self.append(id, 0, b"abcd")
        for offset in (0, 3, 5, -1):
            with self.assertRaises(WrongOffset) as caught:
                self.append(id, offset, b"x")
            self.assertEqual(caught.exception.offset, 4)
        self.assertEqual(self.content(id), b"abcd")

    def test_checksums(self) -> None:
        id = self.begin()
        for name in ("sha1", "sha256"):
            right = Checksum(name, hashlib.new(name, b"ab").digest())
            before = look_at(self.storage, id).offset
            with self.assertRaisesRegex(WrongChecksum, "Send it again"):
                self.append(id, before, b"ac", right)
            self.assertEqual(look_at(self.storage, id).offset, before)
            self.assertEqual(self.append(id, before, b"ab", right).offset, before + 2)
        self.assertEqual(sorted(os.listdir(self.folder(id)))[-1], ABOUT)

    def test_more_than_was_announced(self) -> None:
        id = self.begin(3)
        self.append(id, 0, b"ab")
        with self.assertRaisesRegex(TooLarge, "3 bytes"):
            self.append(id, 2, b"cd")
        self.assertEqual(self.append(id, 2, b"c").offset, 3)
        with self.assertRaises(TooLarge):
            self.append(id, 3, b"d")

    def test_a_stream_that_breaks_leaves_nothing(self) -> None:
        class Broken(io.RawIOBase):
            def read(self, size: int = -1) -> bytes:
                raise ConnectionResetError

        id = self.begin()
        before = tree_of(self.storage)
        with self.assertRaises(StorageFault), Partial(self.storage, id) as upload:
            upload.append(0, Broken())  # type: ignore[arg-type]
        self.assertEqual(tree_of(self.storage), before)

    def test_too_many_pieces(self) -> None:
        id = self.begin()
        with mock.patch.object(partial, "PIECES", 2):
            self.append(id, 0, b"a")
            self.append(id, 1, b"b")
            with self.assertRaisesRegex(Refused, "larger ones"):
                self.append(id, 2, b"c")

    def test_quotas(self) -> None:
        for _number in range(2):
            begin_partial(self.storage, "anna", "a.csv", 20, quota=Quota(2, 100))
        with self.assertRaisesRegex(Refused, "2 uploads"):
            begin_partial(self.storage, "anna", "a.csv", 1, quota=Quota(2, 100))
        with self.assertRaisesRegex(ItemBusy, "100 bytes"):
            begin_partial(self.storage, "bola", "a.csv", 61, quota=Quota(2, 100))
        begin_partial(self.storage, "bola", "a.csv", 60, quota=Quota(2, 100))
        self.assertEqual(len(partial_uploads(self.storage)), 3)

    def test_nobody_takes_the_room_of_all(self) -> None:
        begin_partial(self.storage, "anna", "a.csv", 30, quota=Quota(9, 100))
        with self.assertRaisesRegex(Refused, "drop some"):
            begin_partial(self.storage, "anna", "a.csv", 21, quota=Quota(9, 100))
        begin_partial(self.storage, "anna", "a.csv", 20, quota=Quota(9, 100))
        begin_partial(self.storage, "bola", "a.csv", 50, quota=Quota(9, 100))

    def test_a_damaged_one_is_none(self) -> None:
        id, whole = self.begin(), self.begin()
        for text in ("", "{}", "[]", '{"owner": "anna"}'):
            write(os.path.join(self.folder(id), ABOUT), text)
            with self.assertRaises(NoSuchItem):
                look_at(self.storage, id)
            with self.assertRaises(NoSuchItem):
                Partial(self.storage, id)
        self.assertEqual(partial_folders(self.storage), {PREFIX + whole})
        self.assertEqual(
            WorkFolder.stale(self.storage, keep=partial_folders(self.storage)), [PREFIX + id]
        )

    def test_a_piece_that_was_cut_by_others(self) -> None:
        id = self.begin()
        self.append(id, 0, b"abc")
        self.append(id, 3, b"d")
        with Partial(self.storage, id) as upload, upload.open() as stream:
            write(os.path.join(self.folder(id), f"{3:015}"), "")
            with self.assertRaisesRegex(StorageFault, "send the file anew"):
                stream.read()

    def test_without_a_storage(self) -> None:
        os.rmdir(self.storage)
        with self.assertRaises(StorageFault):
            self.begin()
        self.assertEqual(partial_uploads(self.storage), [])


class Together(PartialTestCase):
    """Several at once."""

    def test_who_comes_second_is_told(self) -> None:
        id = self.begin()
        with Partial(self.storage, id) as upload:
            error = self.elsewhere(lambda: self.append(id, 0, b"x"))
            self.assertIsInstance(error, ItemBusy)
            # To look is no matter.
            self.assertIsNone(self.elsewhere(lambda: look_at(self.storage, id)))
            upload.append(0, io.BytesIO(b"abc"))
        self.assertEqual(self.content(id), b"abc")

    def test_who_was_taken_for_dead_changes_nothing(self) -> None:
        """Its file is gone, or its place taken, whenever it wakes."""
        for name in ("link", "sync"):
            with self.subTest(name):
                id = self.begin()
                self.append(id, 0, b"ab")
                with (
                    Partial(self.storage, id) as sleeper,
                    mock.patch.object(disk, name, self.paused(name, sleeper)),
                    self.assertRaises(ItemBusy),
                ):
                    sleeper.append(2, io.BytesIO(b"xy"))
                self.assertEqual(self.content(id), b"abcde")
                self.assertEqual(len(os.listdir(self.folder(id))), 3)

    def paused(self, name: str, sleeper: Partial) -> Callable[..., object]:
        """Return an operation before which others come, once, as if nobody had the folder."""
        others = Partial.__new__(Partial)
        others.__dict__.update(sleeper.__dict__)
        calls: list[object] = []

        def operation(*args: object) -> object:
            calls.append(args)
            if len(calls) == 1:
                others.append(2, io.BytesIO(b"cde"))
            return getattr(Disk, name)(disk, *args)

        return operation

    def test_one_that_is_lost_is_not_written_to(self) -> None:
        id = self.begin()
        with Partial(self.storage, id) as upload:
            with (
                mock.patch.object(upload._held, "require", side_effect=ItemBusy("lost")),
                self.assertRaises(ItemBusy),
            ):
                upload.append(0, io.BytesIO(b"x"))
            self.assertEqual(look_at(self.storage, id).offset, 0)

    def test_expiry(self) -> None:
        old, used, young = (self.begin() for _number in range(3))
        self.append(young, 0, b"x")
        began = look_at(self.storage, old).changed
        later = (began + timedelta(hours=23)).timestamp()
        os.utime(os.path.join(self.folder(young), f"{0:015}"), (later, later))
        now = began + LIFETIME + timedelta(minutes=1)

        def drop() -> list[str]:
            return sorted(
                each.id for each in drop_partials(self.storage, lambda each: each.expires < now)
            )

        with Partial(self.storage, used):
            found: list[str] = []
            self.assertIsNone(self.elsewhere(lambda: found.extend(drop())))
            self.assertEqual(found, [old])
        self.assertEqual(drop(), [used])
        self.assertEqual(partial_folders(self.storage), {PREFIX + young})
        now += timedelta(hours=24)
        self.assertEqual(drop(), [young])
        self.assertEqual(tree_of(self.storage), {})


class Network(PartialTestCase):
    """Network file systems."""

    def send(self) -> None:
        remove_all(self.storage)
        id = self.begin(6)
        self.append(id, 0, b"abc")
        self.append(id, 3, b"def")
        self.assertEqual(self.content(id), b"abcdef")
        with Partial(self.storage, id) as upload:
            upload.remove()

    def test_lost_answers(self) -> None:
        with NetworkDisk() as counter:
            self.send()
        for number in (None, *range(counter.count)):
            with self.subTest(number), NetworkDisk(None if number is None else [number]):
                self.send()

    def test_what_a_file_system_does_not_have(self) -> None:
        with NetworkDisk(links=False, syncs=False):
            self.send()
        with NetworkDisk(stale=True):
            self.send()

    def test_a_kill_where_there_are_no_links(self) -> None:
        """The name is taken by an empty file first."""
        id = self.begin(6)
        self.append(id, 0, b"abc")
        write(os.path.join(self.folder(id), f"{3:015}"), "")
        with NetworkDisk(links=False):
            self.assertEqual(self.append(id, 3, b"def").offset, 6)
        self.assertEqual(self.content(id), b"abcdef")


class Crashes(PartialTestCase):
    """An upload of three pieces is stopped at every operation, and goes on."""

    DATA = b"code,title\r\nA,Arts\r\n"
    CUTS = (0, 7, 8, len(DATA))

    def setUp(self) -> None:
        super().setUp()
        self.said = os.path.join(self.home, "said")

    def tell(self, id: str, offset: int) -> None:
        """Acknowledge: a sender knows this, whatever happens to the storage."""
        with open(self.said, "a", encoding="ascii") as stream:
            stream.write(f"{id} {offset}\n")

    def heard(self) -> tuple[str, int] | None:
        """Return what was acknowledged last."""
        if not os.path.exists(self.said):
            return None
        with open(self.said, encoding="ascii") as stream:
            id, offset = stream.read().splitlines()[-1].split()
        return id, int(offset)

    def send(self) -> None:
        id = self.begin(len(self.DATA))
        self.tell(id, 0)
        for start, end in zip(self.CUTS, self.CUTS[1:], strict=False):
            self.append(id, start, self.DATA[start:end])
            self.tell(id, end)

    def check(self, where: str) -> None:
        """Recover, and send the rest."""
        known = self.heard()
        WorkFolder.stale(self.storage, keep=partial_folders(self.storage))
        if known is None:
            # Of one that its sender does not know nobody hears again; it expires.
            for each in drop_partials(self.storage, lambda each: True):
                self.assertEqual(each.offset, 0, where)
        else:
            id, offset = known
            found = look_at(self.storage, id)
            self.assertGreaterEqual(found.offset, offset, where)
            self.assertIn(found.offset, self.CUTS, where)
            self.assertEqual(self.content(id), self.DATA[: found.offset], where)
            # The rest comes in other pieces.
            for start in range(found.offset, len(self.DATA), 5):
                self.append(id, start, self.DATA[start : start + 5])
            self.assertEqual(self.content(id), self.DATA, where)
            with Partial(self.storage, id) as upload:
                upload.remove()
        self.assertEqual(tree_of(self.storage), {}, where)

    def operations(self) -> range:
        """Begin anew; return the numbers of the operations of an undisturbed upload."""
        with FaultyDisk() as counter:
            self.send()
        self.check("undisturbed")
        return range(counter.count)

    def begin_anew(self) -> None:
        remove_all(self.storage)
        if os.path.exists(self.said):
            os.unlink(self.said)

    def test_kill(self) -> None:
        for number in self.operations():
            self.begin_anew()
            with self.subTest(operation=number):
                self.assertTrue(killed_at(number, self.send))
                self.check(f"killed at {number}")

    def test_errors(self) -> None:
        for number in self.operations():
            for shim in (OneError, LastingError):
                self.begin_anew()
                with self.subTest(shim=shim.__name__, operation=number):
                    with shim(number):
                        try:
                            self.send()
                        except StorageFault:
                            pass
                    self.check(f"{shim.__name__} at {number}")

    def test_power_cut(self) -> None:
        for number in self.operations():
            self.begin_anew()
            shim = PowerCut(number, [self.storage])
            try:
                with shim, self.assertRaises(Off):
                    self.send()
                for state in shim.states():
                    with self.subTest(state):
                        self.check(state)
            finally:
                shim.close()

    def test_what_was_acknowledged_is_there_after_a_power_cut(self) -> None:
        """Also what a look has told of, after a kill that came before the answer."""
        with FaultyDisk() as counter:
            self.send()
        for number in range(counter.count):
            self.begin_anew()
            self.assertTrue(killed_at(number, self.send))
            known = self.heard()
            if known is None:
                continue
            shim = PowerCut(0, [self.storage])
            shim.at = len(OPERATIONS_OF_A_LOOK)
            # Names of pieces (numbers) are there, and nobody has forced them out.
            shim.names_forced = {
                folder: {name: inode for name, inode in names.items() if not name.isdigit()}
                for folder, names in shim.names_forced.items()
            }
            try:
                with shim, self.assertRaises(Off):
                    found = look_at(self.storage, known[0])
                    disk.rmdir(self.storage)
                for state in shim.states():
                    self.assertEqual(look_at(self.storage, known[0]).offset, found.offset, state)
            finally:
                shim.close()


OPERATIONS_OF_A_LOOK = ("sync_folder",)


class Senders(PartialTestCase):
    """A sender that tries again, at wrong places and with damage, brings all there is."""

    @settings(max_examples=60, deadline=None)
    @given(data=st.binary(max_size=300), seed=st.integers(0, 2**32))
    def test_it_comes_whole(self, data: bytes, seed: int) -> None:
        chance = random.Random(seed)
        id = self.begin(len(data))
        try:
            while not (known := look_at(self.storage, id)).is_complete:
                offset = chance.choice((known.offset, known.offset, chance.randint(0, 300)))
                piece = data[offset : offset + chance.randint(0, 60)]
                algorithm = chance.choice(("sha1", "sha256"))
                checksum = Checksum(algorithm, hashlib.new(algorithm, piece).digest())
                is_damaged = bool(piece) and chance.random() < 0.2
                sent = bytes([piece[0] ^ 1]) + piece[1:] if is_damaged else piece
                try:
                    told = self.append(id, offset, sent, chance.choice((checksum, checksum, None)))
                except WrongOffset as error:
                    self.assertNotEqual(offset, known.offset)
                    self.assertEqual(error.offset, known.offset)
                except WrongChecksum:
                    self.assertTrue(is_damaged)
                else:
                    self.assertEqual(told.offset, offset + len(piece))
                    if is_damaged:
                        # Nothing was said of a checksum.
                        data = data[:offset] + sent + data[offset + len(sent) :]
            self.assertEqual(self.content(id), data)
        finally:
            with Partial(self.storage, id) as upload:
                upload.remove()
        self.assertEqual(tree_of(self.storage), {})
