"""Moves of whole storages, beside work that goes on."""

import os
import shutil
from contextlib import suppress
from typing import ClassVar
from unittest import mock

from waeup.kofa.errors import InvalidStoragePath, ItemBusy, StorageFault
from waeup.kofa.spool import PlaceBelow, StorageMove, make_place, resolved_below
from waeup.kofa.spool.moving import abandon, remove_entries
from waeup.kofa.tests.spool.faultydisk import (
    FaultyDisk,
    OneError,
    closed,
    killed_at,
    tree_of,
    write,
)
from waeup.kofa.tests.spool.twoplaces import TwoPlacesTestCase


class MoveTestCase(TwoPlacesTestCase):
    files: ClassVar[dict[str, str]] = {
        "a.csv": "a",
        "logs/main.log": "log\n",
        "finished/x/y": "deep",
        ".work/z": "z",
    }

    def moving(self, **more) -> StorageMove:
        return StorageMove(self.source, self.target, "1", **more)

    def moved(self, **more) -> list[str]:
        with self.moving(**more) as move:
            move.copy()
            names = move.place()
            move.finish()
            self.assertEqual(sorted({*names, *move.not_copied}), ["a.csv", "finished", "logs"])
        return names

    def expected(self) -> dict:
        tree = tree_of(self.source)
        return {name: text for name, text in tree.items() if not name.startswith(".work")}


class MoveTests(MoveTestCase):
    def test_all_but_hidden_names_come_along(self) -> None:
        os.utime(os.path.join(self.source, "a.csv"), (1, 2))
        os.chmod(os.path.join(self.source, "a.csv"), 0o600)
        self.moved()
        self.assertEqual(tree_of(self.target), self.expected())
        status = os.stat(os.path.join(self.target, "a.csv"))
        self.assertEqual((status.st_mtime, status.st_mode & 0o777, status.st_nlink), (2, 0o600, 1))

    def test_what_is_there_is_left_alone_or_replaced_as_a_whole(self) -> None:
        self.fill(self.target, {"logs/other.log": "other", "b.csv": "b"})
        self.assertEqual(self.moved(), ["a.csv", "finished"])
        self.assertEqual(tree_of(self.target)["logs/other.log"], b"other")
        self.set_up()
        self.fill(self.target, {"logs/other.log": "other", "b.csv": "b"})
        self.assertEqual(self.moved(overwrite=True), ["a.csv", "finished", "logs"])
        self.assertEqual(tree_of(self.target), {**self.expected(), "b.csv": b"b"})

    def test_a_later_round_copies_what_has_changed_and_forgets_what_has_gone(self) -> None:
        with self.moving() as move:
            self.assertEqual(move.copy(), len("a" + "log\n" + "deep"))
            self.assertEqual(move.copy(), 0)
            self.fill(self.source, {"b.csv": "bb", "logs/main.log": "log\nmore\n"})
            os.unlink(os.path.join(self.source, "a.csv"))
            shutil.rmtree(os.path.join(self.source, "finished", "x"))
            self.assertEqual(move.missing(), len("bb" + "log\nmore\n"))
            self.assertEqual(move.copy(), len("bb" + "log\nmore\n"))
            move.place()
            move.finish()
        self.assertEqual(tree_of(self.target), self.expected())

    def test_a_change_of_the_same_size_is_seen(self) -> None:
        path = os.path.join(self.source, "a.csv")
        with self.moving() as move:
            move.copy()
            status = os.stat(path)
            write(path, "b")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            move.copy()
            move.place()
            move.finish()
        self.assertEqual(tree_of(self.target)["a.csv"], b"b")

    def test_another_process_goes_on_where_one_was(self) -> None:
        with self.moving() as move:
            move.copy()
        with self.moving() as move:
            self.assertEqual(move.copy(), 0)

    def test_a_move_of_a_former_release_goes_on(self) -> None:
        """Behind each file it has noted a digest."""
        with self.moving() as move:
            move.copy()
        path = os.path.join(self.target, ".work", "move-1", "copied.jsonl")
        with open(path) as stream:
            lines = stream.read().splitlines()
        write(path, "".join(f'{line[:-1]}, "{"0" * 64}"]\n' for line in lines) + '["torn", 1')
        with self.moving() as move:
            self.assertEqual(move.copy(), 0)
            move.place()
            move.finish()
        self.assertEqual(tree_of(self.target), self.expected())

    def test_two_at_once(self) -> None:
        with self.moving(), self.assertRaises(ItemBusy):
            self.moving()

    def test_links_and_pipes(self) -> None:
        os.mkfifo(os.path.join(self.source, "finished", "pipe"))
        os.symlink("x", os.path.join(self.source, "finished", "link"))
        os.symlink("nowhere", os.path.join(self.source, "lost"))
        with self.moving() as move:
            move.copy()
            self.assertEqual(sorted(move.not_copied), ["finished/pipe", "lost"])
            move.place()
            move.finish()
        self.assertEqual(os.readlink(os.path.join(self.target, "finished", "link")), "x")

    def test_a_copy_that_is_not_what_was_written(self) -> None:
        class Lying(FaultyDisk):
            def after(self, name: str, args: tuple) -> None:
                if name == "write" and bytes(args[1]) == b"deep":
                    os.pwrite(args[0], b"d33p", 0)

        with Lying(), self.moving() as move, self.assertRaisesRegex(StorageFault, "finished/x/y"):
            move.copy()

    def test_last_lines_of_logs_come_after(self) -> None:
        with self.moving() as move:
            move.copy()
            move.place()
            self.fill(self.target, {"logs/main.log": "log\nnew\n"})
            with open(os.path.join(self.source, "logs", "main.log"), "a") as stream:
                stream.write("last\n")
            move.top_up("logs")
            move.finish()
        self.assertEqual(tree_of(self.target)["logs/main.log"], b"log\nnew\nlast\n")

    def test_take_back(self) -> None:
        self.fill(self.target, {"logs/other.log": "other", "b.csv": "b"})
        before = tree_of(self.target)
        with self.moving(overwrite=True) as move:
            move.copy()
            move.place()
            move.discard()
        self.assertEqual(tree_of(self.target), before)
        abandon(self.source, self.target, "1")

    def test_what_has_gone_and_comes_again_is_late(self) -> None:
        """Also when it went while it was copied again, or with a process in between."""
        path = os.path.join(self.source, "a.csv")

        class Gone(FaultyDisk):
            def before(self, name: str, args: tuple) -> None:
                if name == "unlink" and args[0].endswith("new/a.csv"):
                    os.unlink(path)

        for is_copied_again in (False, True):
            self.set_up()
            with self.subTest(is_copied_again=is_copied_again):
                with self.moving() as move:
                    move.copy()
                    if is_copied_again:
                        write(path, "changed")
                        with Gone():
                            move.copy()
                    else:
                        os.unlink(path)
                        move.copy()
                with self.moving() as move:
                    move.copy()
                    move.place()
                    self.assertEqual(move.late(), [])
                    write(path, "anew")
                    self.assertEqual(move.late(), ["a.csv"])
                    move.bring("a.csv")
                self.assertEqual(tree_of(self.target)["a.csv"], b"anew")

    def test_a_folder_that_cannot_be_read_is_not_passed_over(self) -> None:
        with (
            self.moving() as move,
            closed("finished/x"),
            self.assertRaisesRegex(OSError, "denied"),
        ):
            move.copy()

    def test_files_of_a_storage_that_is_lost_have_not_vanished(self) -> None:
        """A disk that fails, or is not mounted any more, deletes nothing in the new place."""
        for is_empty in (False, True):
            self.set_up()
            with self.subTest(is_empty=is_empty), self.moving() as move:
                move.copy()
                move.place()
                os.rename(self.source, self.source + ".off")
                if is_empty:
                    os.mkdir(self.source)
                self.assertEqual((move.vanished(), move.late()), ([], []))

    def test_a_file_that_cannot_be_looked_at_has_not_vanished(self) -> None:
        real = os.lstat

        def lstat(path: str, **more):
            if str(path) == os.path.join(self.source, "a.csv"):
                raise OSError(5, "Input/output error", path)
            return real(path, **more)

        with self.moving() as move:
            move.copy()
            move.place()
            with mock.patch.object(os, "lstat", lstat):
                self.assertEqual(move.vanished(), [])
            os.unlink(os.path.join(self.source, "a.csv"))
            self.assertEqual(move.vanished(), ["a.csv"])

    def test_a_former_storage_is_removed(self) -> None:
        self.fill(self.source, {"foreign": "x"})
        remove_entries(self.source, ["a.csv", "finished", "logs", "gone"])
        self.assertEqual(sorted(os.listdir(self.source)), [".work", "foreign"])


class StoppedTests(MoveTestCase):
    """Stopped at any operation, the next process goes on, or leaves all as it was."""

    def each(self, stop, action, check) -> None:
        number, stopped = 0, True
        while stopped:
            with self.subTest(operation=number):
                self.set_up()
                self.fill(self.target, {"logs/other.log": "other", "b.csv": "b"})
                stopped = stop(number, action)
                check()
            number += 1
        self.assertGreater(number, 20)

    def copy_and_place(self) -> None:
        with self.moving(overwrite=True) as move:
            move.take_back()
            move.copy()
            move.place()

    def goes_on(self) -> None:
        self.copy_and_place()
        with self.moving(overwrite=True) as move:
            move.finish()
        self.assertEqual(tree_of(self.target), {**self.expected(), "b.csv": b"b"})

    def is_as_before(self) -> None:
        abandon(self.source, self.target, "1")
        found = tree_of(self.target)
        self.assertEqual(found, {"logs": None, "logs/other.log": b"other", "b.csv": b"b"})

    def test_killed(self) -> None:
        self.each(killed_at, self.copy_and_place, self.goes_on)
        self.each(killed_at, self.copy_and_place, self.is_as_before)

    def test_killed_while_it_is_taken_back(self) -> None:
        def action() -> None:
            self.copy_and_place()
            with self.moving(overwrite=True) as move:
                move.discard()

        self.each(killed_at, action, self.is_as_before)

    def test_errors(self) -> None:
        def stop(number, action) -> bool:
            with OneError(number) as shim, suppress(OSError):
                action()
            return shim.count > number

        self.each(stop, self.copy_and_place, self.goes_on)
        self.each(stop, self.copy_and_place, self.is_as_before)


class PlaceTests(MoveTestCase):
    """A path leads below a root, whatever is written in it."""

    def setUp(self) -> None:
        super().setUp()
        self.root, self.outside = (os.path.join(self.home, name) for name in ("root", "outside"))
        for path in (os.path.join(self.root, "in"), os.path.join(self.outside, "in")):
            os.makedirs(path)

    def test_what_is_outside(self) -> None:
        os.symlink(self.outside, os.path.join(self.root, "link"))
        for path in (
            self.root,
            self.outside,
            "/",
            "",
            "in",
            f"{self.root}/../outside",
            f"{self.root}/link",
            f"{self.root}/link/in",
            f"{self.root}-other",
            f"{self.root}/in\0",
        ):
            with self.subTest(path), self.assertRaises(InvalidStoragePath):
                resolved_below((self.root,), path)
        with self.assertRaises(InvalidStoragePath):
            resolved_below((), f"{self.root}/in")

    def test_links_inside_are_followed(self) -> None:
        os.symlink(os.path.join(self.root, "in"), os.path.join(self.root, "link"))
        self.assertEqual(
            resolved_below((self.root,), f"{self.root}/x/../link"), os.path.join(self.root, "in")
        )

    def test_a_root_that_is_a_link(self) -> None:
        link = os.path.join(self.home, "root-link")
        os.symlink(self.root, link)
        self.assertEqual(resolved_below((link,), f"{link}/in"), os.path.join(self.root, "in"))

    def test_a_folder_that_is_exchanged_while_it_is_used(self) -> None:
        path = os.path.join(self.root, "in")
        with PlaceBelow((self.root,), path) as place:
            place.require_same()
            os.rename(path, path + ".old")
            os.symlink(os.path.join(self.outside, "in"), path)
            with self.assertRaisesRegex(InvalidStoragePath, "replaced"):
                place.require_same()
            os.unlink(path)
            os.mkdir(path)
            with self.assertRaisesRegex(InvalidStoragePath, "replaced"):
                place.require_same()

    def test_one_that_is_no_folder(self) -> None:
        write(os.path.join(self.root, "file"), "x")
        for name in ("file", "gone"):
            with self.assertRaises(InvalidStoragePath):
                PlaceBelow((self.root,), os.path.join(self.root, name))

    def test_a_new_folder(self) -> None:
        make_place((self.root,), f"{self.root}/new")
        make_place((self.root,), f"{self.root}/new")
        self.assertEqual(os.stat(f"{self.root}/new").st_mode & 0o777, 0o700)
        for path in (f"{self.root}/a/b", f"{self.root}/../fresh"):
            with self.assertRaises(InvalidStoragePath):
                make_place((self.root,), path)
        self.assertFalse(os.path.exists(os.path.join(self.home, "fresh")))
