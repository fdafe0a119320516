"""Copies of many files."""

import errno
import os
import shutil
import tempfile
import threading
import time
import unittest
from unittest import mock

from waeup.kofa.errors import StorageFault
from waeup.kofa.spool import copying
from waeup.kofa.spool.copying import Copy, copied
from waeup.kofa.spool.disk import copy_into, disk
from waeup.kofa.tests.spool.faultydisk import FAST, FaultyDisk, OneError, tree_of, write


class CopyingTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.home = tempfile.mkdtemp(dir=FAST)
        self.addCleanup(shutil.rmtree, self.home)
        self.source, self.target = (os.path.join(self.home, name) for name in ("old", "new"))
        for path in (self.source, self.target):
            os.mkdir(path)

    def patch(self, name: str, value: object) -> None:
        patch = mock.patch.object(copying, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def fill(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            write(os.path.join(self.source, name), text)

    def copies(self) -> list[Copy]:
        return [
            Copy(
                os.path.join(self.source, name),
                os.path.join(self.target, name),
                os.path.getsize(os.path.join(self.source, name)),
            )
            for name in sorted(os.listdir(self.source))
        ]

    def assert_copied(self) -> None:
        self.assertEqual(tree_of(self.target), tree_of(self.source))


class CopyingTests(CopyingTestCase):
    def test_files_of_all_sizes(self) -> None:
        self.patch("PIECE", 512)
        self.patch("FLUSHED", 2048)
        self.patch("BYTES", 4096)
        self.fill({f"f{size}": "äx" * size for size in (0, 1, 170, 171, 512, 5000, 20000)})
        self.fill({f"g{number}": str(number) for number in range(80)})
        told = []
        copies = self.copies()
        done = list(copied(copies, lambda written, files: told.append((written, files))))
        self.assertEqual(sorted(each.copy for each in done), copies)
        self.assert_copied()
        self.assertEqual(sum(files for _written, files in told), len(copies))
        size = sum(each.status.st_size for each in done)
        self.assertEqual(sum(written for written, _files in told), size)

    def test_bits_and_times_and_attributes_come_along(self) -> None:
        self.fill({"a": "a"})
        path, copy = (os.path.join(folder, "a") for folder in (self.source, self.target))
        os.chmod(path, 0o640)
        os.utime(path, ns=(1_000_000_001, 2_000_000_002))
        try:
            os.setxattr(path, "user.kofa", b"x")
            attributes = ["user.kofa"]
        except OSError:  # not on every file system
            attributes = []
        list(copied(self.copies()))
        status = os.stat(copy)
        self.assertEqual((status.st_mode & 0o777, status.st_mtime_ns), (0o640, 2_000_000_002))
        self.assertEqual(status.st_nlink, 1)
        self.assertEqual(os.listxattr(copy), attributes)

    def test_what_was_there_is_replaced(self) -> None:
        self.fill({"a": "new"})
        write(os.path.join(self.target, "a"), "old and longer")
        other = os.path.join(self.home, "other name")
        os.link(os.path.join(self.target, "a"), other)
        list(copied(self.copies()))
        self.assert_copied()
        with open(other) as stream:
            self.assertEqual(stream.read(), "old and longer")

    def test_what_has_gone_is_passed_over_and_nothing_of_it_is_left(self) -> None:
        self.fill({"a": "a", "b": "b"})
        write(os.path.join(self.target, "b"), "half")
        copies = self.copies()
        os.unlink(os.path.join(self.source, "b"))
        done = list(copied(copies))
        self.assertEqual([each.copy for each in done], copies[:1])
        self.assert_copied()

    def test_a_system_that_takes_no_advice(self) -> None:
        self.fill({"a": "a" * 5000})
        with mock.patch.object(os, "posix_fadvise", side_effect=OSError(22, "no advice")):
            list(copied(self.copies()))
        self.assert_copied()

    def test_a_system_that_reads_little_at_once(self) -> None:
        self.fill({"a": "0123456789" * 100})
        real = os.preadv

        def preadv(fd: int, buffers: list, at: int) -> int:
            return real(fd, [buffers[0][:7]], at)

        with mock.patch.object(os, "preadv", preadv):
            list(copied(self.copies()))
        self.assert_copied()

    def test_a_copy_that_is_not_what_was_written(self) -> None:
        self.fill({"a": "0123456789" * 100})

        class Lying(FaultyDisk):
            def after(self, name: str, args: tuple) -> None:
                if name == "write":
                    os.pwrite(args[0], b"x", 500)

        with Lying(), self.assertRaisesRegex(StorageFault, "old/a in .* is not what was written"):
            list(copied(self.copies()))


class JoinedTests(CopyingTestCase):
    """A file that is copied by the system into another one."""

    def copy(self) -> None:
        (copy,) = self.copies()
        fd = disk.create(copy.target)
        try:
            copy_into(copy.source, fd)
        finally:
            os.close(fd)

    def test_without_help_of_the_system(self) -> None:
        """A file system that cannot copy by itself, or a system that has never heard of it."""
        self.fill({"a": "a" * 5000})
        for error in (OSError(errno.EXDEV, "other"), AttributeError("copy_file_range")):
            with (
                self.subTest(error),
                mock.patch.object(os, "copy_file_range", side_effect=error, create=True),
            ):
                self.copy()
                self.assert_copied()
                os.unlink(os.path.join(self.target, "a"))

    def test_a_system_that_copies_little_at_once(self) -> None:
        self.fill({"a": "0123456789" * 100})
        real = os.copy_file_range
        with mock.patch.object(
            os, "copy_file_range", lambda source, fd, length: real(source, fd, min(length, 7))
        ):
            self.copy()
        self.assert_copied()


class CloneTests(CopyingTestCase):
    """A file system that lets files share blocks."""

    def clone(self, source: int, fd: int) -> bool:
        os.sendfile(fd, source, 0, 1 << 20)
        self.cloned += 1
        return True

    def test_a_clone_is_taken_as_it_is(self) -> None:
        self.cloned = 0
        self.fill({"a": "a", "b": "", "c": "c" * 5000})
        with (
            mock.patch.object(disk, "clone", self.clone),
            mock.patch.object(disk, "write", side_effect=AssertionError("it is copied")),
        ):
            told = []
            done = list(copied(self.copies(), lambda written, files: told.append(written)))
        self.assert_copied()
        self.assertEqual((len(done), self.cloned, sum(told)), (3, 2, 5001))

    def test_what_was_appended_meanwhile_is_cut_off(self) -> None:
        self.fill({"a": "line\n"})
        path = os.path.join(self.source, "a")

        def clone(source: int, fd: int) -> bool:
            with open(path, "a") as stream:
                stream.write("more\n")
            return self.clone(source, fd)

        self.cloned = 0
        with mock.patch.object(disk, "clone", clone):
            (done,) = copied(self.copies())
        self.assertEqual(done.status.st_size, len("line\n"))
        self.assertEqual(tree_of(self.target)["a"], b"line\n")


class ChangedTests(CopyingTestCase):
    """Files that somebody works on while they are copied."""

    class Meanwhile(FaultyDisk):
        """Changes the file before the copy is forced out, so many times."""

        def __init__(self, change, times: int) -> None:
            super().__init__()
            self.change = change
            self.times = times

        def before(self, name: str, args: tuple) -> None:
            if name == "sync" and self.times:
                self.times -= 1
                self.change()

    def setUp(self) -> None:
        super().setUp()
        self.fill({"a": "line\n"})
        self.path = os.path.join(self.source, "a")

    def append(self) -> None:
        with open(self.path, "a") as stream:
            stream.write("more\n")

    def test_appended_to(self) -> None:
        with self.Meanwhile(self.append, 99) as shim:
            (done,) = copied(self.copies())
        self.assertEqual((shim.times, done.status.st_size), (98, len("line\n")))
        self.assertEqual(tree_of(self.target)["a"], b"line\n")

    def test_changed_in_place(self) -> None:
        with self.Meanwhile(lambda: write(self.path, "LINE\n"), 1):
            (done,) = copied(self.copies())
        self.assert_copied()
        self.assertEqual(done.status.st_mtime_ns, os.stat(self.path).st_mtime_ns)

    def test_cut_off(self) -> None:
        with self.Meanwhile(lambda: os.truncate(self.path, 2), 1):
            (done,) = copied(self.copies())
        self.assert_copied()
        self.assertEqual(done.status.st_size, 2)

    def test_again_and_again(self) -> None:
        texts = iter(f"{number}ine\n" for number in range(9))
        with (
            self.Meanwhile(lambda: write(self.path, next(texts)), 9),
            self.assertRaisesRegex(StorageFault, "old/a in .* is not what was written"),
        ):
            list(copied(self.copies()))


class EndedTests(CopyingTestCase):
    """What ends the copying leaves no thread behind."""

    def setUp(self) -> None:
        super().setUp()
        self.fill({f"f{number}": "x" * 1000 for number in range(200)})

    def tearDown(self) -> None:
        names = [thread.name for thread in threading.enumerate()]
        self.assertFalse([name for name in names if name.startswith("copy")])

    def test_an_error(self) -> None:
        with OneError(9), self.assertRaises(OSError):
            list(copied(self.copies()))

    def test_whoever_is_told_has_enough(self) -> None:
        def tell(written: int, files: int) -> None:
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            list(copied(self.copies(), tell))
        self.assertLess(len(os.listdir(self.target)), 200)

    def test_a_large_file_is_left_at_once(self) -> None:
        """Not at its end."""
        self.patch("PIECE", 1000)
        self.patch("INTERVAL", 0.001)
        self.fill({"a large one": "x" * 1_000_000})
        gate = threading.Event()

        class Slow(FaultyDisk):
            def before(self, name: str, args: tuple) -> None:
                if name == "write" and self.names.count("write") > 10:
                    gate.wait(10)

        def tell(written: int, files: int) -> None:
            if written:
                gate.set()
                raise KeyboardInterrupt

        copies = self.copies()[:1]
        with Slow() as shim, self.assertRaises(KeyboardInterrupt):
            list(copied(copies, tell))
        self.assertLess(shim.count, 1000)
        self.assertLess(os.path.getsize(copies[0].target), 1_000_000)

    def test_a_large_file_is_left_while_it_is_compared(self) -> None:
        """One that somebody has appended to."""
        self.patch("PIECE", 1000)
        self.patch("INTERVAL", 0.001)
        self.fill({"a large one": "x" * 1_000_000})
        real, compared = os.preadv, []
        copies = self.copies()[:1]

        class Appended(FaultyDisk):
            def after(self, name: str, args: tuple) -> None:
                if name == "sync":
                    with open(copies[0].source, "a") as stream:
                        stream.write("more")
                    patch.start()

        def preadv(*args) -> int:
            compared.append(args)
            time.sleep(0.01)
            return real(*args)

        def tell(written: int, files: int) -> None:
            if compared:
                raise KeyboardInterrupt

        patch = mock.patch.object(os, "preadv", preadv)
        self.addCleanup(patch.stop)
        with Appended(), self.assertRaises(KeyboardInterrupt):
            list(copied(copies, tell))
        self.assertLess(len(compared), 1000)
