"""Listing, taking in, claiming, and working on files."""

import errno
import hashlib
import io
import os
import shutil
import tempfile
import threading
import unittest
from typing import Any
from unittest import mock

from waeup.kofa.errors import (
    InvalidName,
    ItemBusy,
    NameTaken,
    NoSuchItem,
    Refused,
    StorageFault,
    TooLarge,
)
from waeup.kofa.spool import (
    Upload,
    WorkFolder,
    accept,
    claimed,
    count_lines,
    locks,
    remove_file,
    scan,
    storage_lock,
)
from waeup.kofa.spool.disk import Disk, disk, ensure_folder, remove_tree, retried, walk
from waeup.kofa.spool.intake import Intake
from waeup.kofa.tests.spool.faultydisk import (
    FAST,
    FaultyDisk,
    LastingError,
    NetworkDisk,
    Off,
    PowerCut,
    killed_at,
    tree_of,
    write,
)
from waeup.kofa.tests.waiting import PATIENCE, begun, joined


class StorageTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.home = tempfile.mkdtemp(dir=FAST)
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.storage = os.path.join(self.home, "storage")
        os.mkdir(self.storage)

    def put(self, name: str, text: str = "x") -> str:
        return write(os.path.join(self.storage, name), text)


class ScanTests(StorageTestCase):
    def names(self, **kw) -> list[str]:
        return [item.name for item in scan(self.storage, **kw)]

    def test_regular_files_sorted_by_name(self) -> None:
        for name in ("b.csv", "a.csv", "c.csv.gz"):
            self.put(name)
        os.mkdir(os.path.join(self.storage, "folder.csv"))
        self.assertEqual(self.names(), ["a.csv", "b.csv", "c.csv.gz"])
        self.assertEqual(self.names(suffixes=(".gz", ".txt")), ["c.csv.gz"])

    def test_item(self) -> None:
        path = self.put("a.csv", "hello")
        os.utime(path, (5, 7.5))
        (item,) = scan(self.storage, "finished")
        self.assertEqual(
            (item.name, item.folder, item.path, item.size, item.mtime),
            ("a.csv", "finished", path, 5, 7.5),
        )

    def test_links_count_when_they_lead_to_a_file(self) -> None:
        other = write(os.path.join(self.home, "other"), "x")
        os.symlink(other, os.path.join(self.storage, "link.csv"))
        os.symlink(self.home, os.path.join(self.storage, "folder.csv"))
        os.symlink("nowhere", os.path.join(self.storage, "nowhere.csv"))
        os.mkfifo(os.path.join(self.storage, "pipe.csv"))
        self.assertEqual(self.names(), ["link.csv"])

    def test_names_that_nobody_could_ask_for(self) -> None:
        for name in (".hidden.csv", "a\nb.csv", "a\udcff.csv"):
            self.put(name)
        self.assertEqual(self.names(), [])

    def test_missing_folder(self) -> None:
        self.assertEqual(scan(os.path.join(self.storage, "gone")), [])


class CountLinesTests(StorageTestCase):
    def test_lines(self) -> None:
        for text, number in (
            ("", 0),
            ("a", 1),
            ("a\n", 1),
            ("a\nb", 2),
            ("a\r\nb\r\n", 2),
            ("a\rb", 2),
            ("a\rb\r", 2),
            ("a\rb\n", 1),
            ("\n", 1),
            ("a\r" * 3, 3),
        ):
            with self.subTest(text):
                folder = tempfile.mkdtemp(dir=self.home)
                self.assertEqual(count_lines(write(os.path.join(folder, "a"), text)), number)

    def test_lines_of_several_bytes_for_each_character(self) -> None:
        """Neither half of another letter nor the second byte of a line end is a line."""
        for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
            for text, number in (("a\r\n\u010a\u0a0a\r\n", 2), ("a\nb", 2), ("a\rb\r", 2)):
                with self.subTest(encoding=encoding, text=text):
                    path = os.path.join(tempfile.mkdtemp(dir=self.home), "a")
                    with open(path, "wb") as stream:
                        stream.write(f"\ufeff{text}".encode(encoding))
                    self.assertEqual(count_lines(path), number)

    def test_file_is_read_once_for_each_state(self) -> None:
        path = self.put("a.csv", "a\nb\n")
        self.assertEqual(count_lines(path), 2)
        with mock.patch("builtins.open", side_effect=AssertionError("read again")):
            self.assertEqual(count_lines(path), 2)
        self.put("a.csv", "a\nb\nc\n")
        self.assertEqual(count_lines(path), 3)

    def test_missing_file(self) -> None:
        with self.assertRaises(FileNotFoundError):
            count_lines(os.path.join(self.storage, "gone.csv"))


class ClaimTests(StorageTestCase):
    def elsewhere(self, path: str) -> list[type[BaseException] | None]:
        """Claim `path` in another thread and return what became of it."""
        found: list[type[BaseException] | None] = []

        def claim() -> None:
            try:
                with claimed(path):
                    found.append(None)
            except (ItemBusy, NoSuchItem) as error:
                found.append(type(error))

        joined(begun(claim))
        return found

    def test_one_at_a_time(self) -> None:
        path = self.put("a.csv")
        with claimed(path):
            self.assertEqual(self.elsewhere(path), [ItemBusy])
            with claimed(path):
                pass
            self.assertEqual(self.elsewhere(path), [ItemBusy])
        self.assertEqual(self.elsewhere(path), [None])

    def test_file_that_is_gone(self) -> None:
        path = os.path.join(self.storage, "a.csv")
        message = f"No such source path: {path}"
        with self.assertRaisesRegex(NoSuchItem, message), claimed(path):
            self.fail("claimed a file that is not there")

    def test_file_that_is_replaced_while_it_is_being_locked(self) -> None:
        path, other = self.put("a.csv"), self.put("other.csv")

        def flock(fd: int, how: int) -> None:
            os.replace(other, path)

        patched = mock.patch.object(locks.fcntl, "flock", flock)
        with patched, self.assertRaises(NoSuchItem), claimed(path):
            self.fail("claimed a file that has been replaced")

    def test_storage_lock_waits_and_gives_up(self) -> None:
        impatient = mock.patch.object(locks, "PATIENCE", 0.1)
        busy = self.assertRaisesRegex(ItemBusy, "busy")
        with storage_lock(self.storage), impatient, busy, storage_lock(self.storage):
            self.fail("locked twice")
        with storage_lock(self.storage):
            pass

    def test_storage_lock_without_storage(self) -> None:
        gone = os.path.join(self.storage, "gone")
        with self.assertRaisesRegex(StorageFault, "Create it"), storage_lock(gone):
            self.fail("locked a folder that is not there")


class WorkFolderTests(StorageTestCase):
    def test_last_one_takes_all_along(self) -> None:
        with WorkFolder(self.storage) as one, WorkFolder(self.storage, "two") as two:
            write(os.path.join(one.path, "x"), "x")
            self.assertEqual(two.path, os.path.join(self.storage, ".work", "two"))
            self.assertEqual(WorkFolder.ids(self.storage), sorted([one.id, "two"]))
        self.assertEqual(os.listdir(self.storage), [])

    def test_taken_up_again(self) -> None:
        work = WorkFolder(self.storage, "run")
        write(os.path.join(work.path, "x"), "x")
        with self.assertRaises(ItemBusy):
            WorkFolder(self.storage, "run")
        work.close()
        again = WorkFolder(self.storage, "run")
        self.assertEqual(os.listdir(again.path), ["x"])
        again.remove()

    def test_id_that_is_a_path(self) -> None:
        with self.assertRaises(InvalidName):
            WorkFolder(self.storage, "../x")

    def test_stale_ones(self) -> None:
        for name in ("run-1", "run-2", "upload-1"):
            WorkFolder(self.storage, name).close()
        with WorkFolder(self.storage, "upload-2"):
            self.assertEqual(WorkFolder.stale(self.storage, prefix="upload-"), ["upload-1"])
            self.assertEqual(WorkFolder.stale(self.storage, {"run-1"}), ["run-2"])
        self.assertEqual(WorkFolder.stale(self.storage), ["run-1"])
        self.assertEqual(os.listdir(self.storage), [])

    def test_storage_that_is_gone(self) -> None:
        with self.assertRaisesRegex(StorageFault, "Making the work folder .* failed"):
            WorkFolder(os.path.join(self.storage, "gone"))

    def test_others_come_and_go(self) -> None:
        """Several make, remove and tidy up at once; nobody loses a folder in use."""
        problems: list[BaseException] = []

        def work() -> None:
            try:
                for _round in range(100):
                    with WorkFolder(self.storage) as folder:
                        write(os.path.join(folder.path, "x"), "x")
                        WorkFolder.stale(self.storage)
                        os.stat(os.path.join(folder.path, "x"))
            except BaseException as error:
                problems.append(error)

        joined(*(begun(work) for _number in range(4)))
        self.assertEqual(problems, [])
        self.assertEqual(os.listdir(self.storage), [])


class AcceptTests(StorageTestCase):
    def accept(self, content: bytes = b"k\r\n1\r\n", name: str = "data.csv", **kw) -> Upload:
        return accept(self.storage, io.BytesIO(content), name, "mgr", **kw)

    def test_upload(self) -> None:
        upload = self.accept()
        path = os.path.join(self.storage, "data_mgr.csv")
        digest = hashlib.sha256(b"k\r\n1\r\n").hexdigest()
        self.assertEqual(upload, Upload("data_mgr.csv", path, 6, digest, "data.csv"))
        self.assertEqual(tree_of(self.storage), {"data_mgr.csv": b"k\r\n1\r\n"})
        self.assertEqual(os.stat(upload.path).st_mode & 0o777, 0o600)

    def test_name_in_use_gets_a_counter(self) -> None:
        """Weekly files have the same name, here or among the originals."""
        for folder in ("finished", "unfinished"):
            os.mkdir(os.path.join(self.storage, folder))
        self.put("finished/data_mgr.csv")
        self.put("unfinished/data_mgr-2.csv")
        names = [self.accept().name for _number in range(2)]
        self.assertEqual(names, ["data_mgr-3.csv", "data_mgr-4.csv"])

    def test_too_large(self) -> None:
        self.assertEqual(self.accept(limit=6).size, 6)
        with self.assertRaisesRegex(TooLarge, "data.csv has more than 5 bytes"):
            self.accept(limit=5)
        self.assertEqual(os.listdir(self.storage), ["data_mgr.csv"])

    def test_refused_by_check(self) -> None:
        def check(path: str) -> None:
            with open(path, "rb") as stream:
                raise Refused(stream.read().decode())

        with self.assertRaisesRegex(Refused, "^bad$"):
            self.accept(b"bad", check=check)
        self.assertEqual(os.listdir(self.storage), [])

    def test_stream_that_breaks(self) -> None:
        stream = mock.Mock(read=mock.Mock(side_effect=[b"half", ConnectionError("client gone")]))
        with self.assertRaisesRegex(StorageFault, "client gone"):
            accept(self.storage, stream, "a.csv", "mgr")
        self.assertEqual(os.listdir(self.storage), [])

    def test_pending_file_is_replaced_on_request_only(self) -> None:
        name = "a.create.pending.csv"
        self.assertEqual(self.accept(b"1", name).name, name)
        with self.assertRaisesRegex(NameTaken, "Confirm"):
            self.accept(b"2", name)
        self.assertEqual(tree_of(self.storage), {name: b"1"})
        self.assertEqual(self.accept(b"2", name, replace=True).name, name)
        self.assertEqual(tree_of(self.storage), {name: b"2"})

    def test_what_has_replaced_a_file_stays_when_that_is_taken_back(self) -> None:
        name = "a.create.pending.csv"
        for former in (None, b"1"):
            with self.subTest(former):
                if former is not None:
                    self.accept(former, name)
                first, second = (Intake(self.storage, name, "mgr", replace=True) for _ in "12")
                first.run(io.BytesIO(b"2"))
                second.run(io.BytesIO(b"3"))
                second.finish()
                first.undo()
                self.assertEqual(tree_of(self.storage), {name: b"3"})
                os.unlink(os.path.join(self.storage, name))

    def test_what_somebody_has_put_elsewhere_meanwhile_need_not_be_taken_back(self) -> None:
        intake = Intake(self.storage, "a.csv", "mgr")
        intake.run(io.BytesIO(b"1"))
        os.unlink(os.path.join(self.storage, "a_mgr.csv"))
        intake.undo()
        self.assertEqual(tree_of(self.storage), {})

    def test_pending_file_that_somebody_works_on(self) -> None:
        name = "a.create.pending.csv"
        path = self.put(name)
        fd = locks.lock(path)
        assert fd is not None
        try:
            with self.assertRaises(ItemBusy):
                self.accept(b"2", name, replace=True)
        finally:
            os.close(fd)
        self.assertEqual(tree_of(self.storage), {name: b"x"})

    def test_file_system_without_links(self) -> None:
        with mock.patch.object(Disk, "link", side_effect=OSError(1, "Operation not permitted")):
            self.assertEqual(self.accept().name, "data_mgr.csv")
            self.assertEqual(self.accept().name, "data_mgr-2.csv")
        self.assertEqual(sorted(tree_of(self.storage)), ["data_mgr-2.csv", "data_mgr.csv"])

    def test_storage_that_is_gone(self) -> None:
        os.rmdir(self.storage)
        with self.assertRaises(StorageFault):
            self.accept()

    def tidy(self) -> None:
        WorkFolder.stale(self.storage)

    def test_stopped_at_every_operation(self) -> None:
        """Errors, kills and power cuts leave the whole file or none."""
        whole = {"data_mgr.csv": b"k\r\n1\r\n"}
        with FaultyDisk() as counter:
            self.accept()
        for number in range(counter.count):
            with self.subTest(operation=number):
                remove_all(self.storage)
                with LastingError(number):
                    try:
                        self.accept()
                    except StorageFault:
                        pass
                self.tidy()
                self.assertIn(tree_of(self.storage), ({}, whole))
                remove_all(self.storage)
                self.assertTrue(killed_at(number, self.accept))
                self.tidy()
                self.assertIn(tree_of(self.storage), ({}, whole))
                remove_all(self.storage)
                shim = PowerCut(number, [self.storage])
                self.addCleanup(shim.close)
                with shim, self.assertRaises(Off):
                    self.accept()
                for state in shim.states():
                    self.tidy()
                    self.assertIn(tree_of(self.storage), ({}, whole), state)

    def test_accepted_means_durable(self) -> None:
        """When `accept` returns, a power cut does no harm any more."""
        with FaultyDisk() as counter:
            self.accept()
        remove_all(self.storage)
        shim = PowerCut(counter.count, [self.storage])
        self.addCleanup(shim.close)
        with shim:
            self.accept()
            with self.assertRaises(Off):
                disk.rmdir(self.storage)
        for state in shim.states():
            self.tidy()
            self.assertEqual(tree_of(self.storage), {"data_mgr.csv": b"k\r\n1\r\n"}, state)


class RemoveFileTests(StorageTestCase):
    def test_removed(self) -> None:
        remove_file(self.put("a.csv"))
        self.assertEqual(os.listdir(self.storage), [])
        with self.assertRaises(FileNotFoundError):
            remove_file(os.path.join(self.storage, "a.csv"))


def remove_all(folder: str) -> None:
    """Empty a folder."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


class EnsureFolderTests(StorageTestCase):
    def test_two_threads_that_need_it_at_once_both_have_it(self) -> None:
        path = os.path.join(self.storage, "finished")
        real, both = os.path.isdir, threading.Barrier(2, timeout=PATIENCE)
        looked = threading.local()

        def isdir(place: str) -> bool:
            found = real(place)
            if place == path and not found and not getattr(looked, "once", False):
                looked.once = True
                both.wait()
            return found

        for _number in range(200):
            errors: list[BaseException] = []

            def work(errors: list[BaseException] = errors) -> None:
                try:
                    ensure_folder(path)
                except BaseException as error:
                    errors.append(error)

            with mock.patch.object(os.path, "isdir", isdir):
                joined(*(begun(work) for _ in range(2)))
            self.assertEqual((errors, os.listdir(self.storage)), ([], ["finished"]))
            os.rmdir(path)

    def test_what_is_no_folder_is_no_folder(self) -> None:
        with self.assertRaises(FileExistsError):
            ensure_folder(self.put("finished"))


class NetworkTests(StorageTestCase):
    """Network file systems: lost answers, no links, and files that are open and removed."""

    def accept(self, name: str = "data.csv", **options: Any) -> Upload:
        return accept(self.storage, io.BytesIO(b"k\r\n1\r\n"), name, "mgr", **options)

    def test_uploads_whose_answers_are_lost(self) -> None:
        with NetworkDisk() as counter:
            self.accept("x.pending.csv")
            self.accept("x.pending.csv", replace=True)
        for number in (*range(counter.count), None):
            with self.subTest(operation=number):
                remove_all(self.storage)
                with NetworkDisk(None if number is None else [number], stale=True):
                    self.accept("x.pending.csv")
                    self.accept("x.pending.csv", replace=True)
                    self.assertEqual(self.accept().name, "data_mgr.csv")
                self.assertEqual(sorted(tree_of(self.storage)), ["data_mgr.csv", "x.pending.csv"])

    def test_uploads_without_links(self) -> None:
        with NetworkDisk(links=False, syncs=False):
            for name in ("data_mgr.csv", "data_mgr-2.csv"):
                self.assertEqual(self.accept().name, name)
            self.accept("x.pending.csv")
            with self.assertRaises(NameTaken):
                self.accept("x.pending.csv")
            self.accept("x.pending.csv", replace=True)
        tree = tree_of(self.storage)
        self.assertEqual(sorted(tree), ["data_mgr-2.csv", "data_mgr.csv", "x.pending.csv"])
        self.assertEqual(set(tree.values()), {b"k\r\n1\r\n"})

    def test_what_is_really_wrong_is_said(self) -> None:
        one, other = self.put("a.csv"), self.put("b.csv")
        gone = os.path.join(self.storage, "gone")
        with self.assertRaises(FileExistsError):
            disk.link(one, other)
        with self.assertRaises(FileNotFoundError):
            disk.replace(gone, one)
        with self.assertRaises(FileNotFoundError):
            disk.unlink(gone)
        with self.assertRaises(FileNotFoundError):
            disk.rmdir(gone)
        with self.assertRaises(FileExistsError):
            disk.mkdir(one)

    def test_a_folder_with_a_removed_file_that_is_open_goes_as_far_as_it_can(self) -> None:
        """NFS gives it another name, which cannot be removed."""
        folder = os.path.join(self.storage, "folder")
        os.makedirs(os.path.join(folder, "inner"))
        write(os.path.join(folder, "inner", ".nfs0001"), "open")
        write(os.path.join(folder, "a.csv"), "x")
        real = os.unlink

        def unlink(path: str, **named: Any) -> None:
            if os.path.basename(path).startswith(".nfs"):
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
            real(path, **named)

        with mock.patch.object(os, "unlink", unlink):
            remove_tree(folder)
        self.assertEqual(sorted(tree_of(folder)), ["inner", "inner/.nfs0001"])
        self.assertEqual([files for _folder, _folders, files in walk(folder)], [[], []])
        write(os.path.join(folder, "inner", "b.csv"), "x")
        with (
            mock.patch.object(os, "unlink", side_effect=PermissionError(errno.EACCES, "no")),
            self.assertRaises(PermissionError),
        ):
            remove_tree(folder)
        remove_tree(folder)
        self.assertFalse(os.path.exists(folder))

    def test_such_files_are_not_listed(self) -> None:
        self.put("a.csv")
        write(os.path.join(self.storage, ".nfs0001.csv"), "x")
        self.assertEqual([item.name for item in scan(self.storage)], ["a.csv"])

    def test_what_was_just_replaced_is_looked_at_again(self) -> None:
        path = self.put("a.csv")
        answers: list[Any] = [OSError(errno.ESTALE, "Stale file handle"), os.stat(path)]

        @retried
        def look() -> Any:
            answer = answers.pop(0)
            if isinstance(answer, OSError):
                raise answer
            return answer

        self.assertEqual(look(), os.stat(path))
        answers[:] = [OSError(errno.ESTALE, "Stale file handle")] * 2
        with self.assertRaises(OSError):
            look()
