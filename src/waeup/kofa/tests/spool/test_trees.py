"""Copies of a storage's entries."""

import os
from typing import ClassVar

from waeup.kofa.errors import StorageFault
from waeup.kofa.spool import TreeCopy, WorkFolder, copy_entries, redo
from waeup.kofa.tests.spool.faultydisk import (
    FaultyDisk,
    LastingError,
    OneError,
    closed,
    killed_at,
    tree_of,
)
from waeup.kofa.tests.spool.twoplaces import TwoPlacesTestCase


class TreeTestCase(TwoPlacesTestCase):
    files: ClassVar[dict[str, str]] = {"a.csv": "a", "logs/main.log": "log", "logs/x/y": "deep"}


class CopyTests(TreeTestCase):
    def test_copy(self) -> None:
        os.utime(os.path.join(self.source, "a.csv"), (1, 2))
        self.assertEqual(copy_entries(self.source, self.target), ([], ["a.csv", "logs"]))
        self.assertEqual(tree_of(self.target), tree_of(self.source))
        self.assertEqual(os.path.getmtime(os.path.join(self.target, "a.csv")), 2)

    def test_entries_that_exist_are_left_alone_as_a_whole(self) -> None:
        self.fill(self.target, {"logs/other.log": "other"})
        self.assertEqual(copy_entries(self.source, self.target), (["logs"], ["a.csv"]))
        self.assertEqual(
            tree_of(self.target), {"a.csv": b"a", "logs": None, "logs/other.log": b"other"}
        )

    def test_overwrite_replaces_as_a_whole(self) -> None:
        self.fill(self.target, {"logs/other.log": "other", "a.csv": "b", "b.csv": "b"})
        self.assertEqual(copy_entries(self.source, self.target, True), ([], ["a.csv", "logs"]))
        self.assertEqual(tree_of(self.target), tree_of(self.source) | {"b.csv": b"b"})

    def test_hidden_names_are_skipped(self) -> None:
        self.fill(self.source, {".work/x/intent.json": "x", ".hidden": "x"})
        self.assertEqual(copy_entries(self.source, self.target), ([], ["a.csv", "logs"]))

    def test_what_is_neither_file_nor_folder(self) -> None:
        os.mkfifo(os.path.join(self.source, "pipe"))
        os.symlink("nowhere", os.path.join(self.source, "link"))
        os.mkfifo(os.path.join(self.source, "logs", "x", "pipe"))
        os.symlink("y", os.path.join(self.source, "logs", "x", "link"))
        left = copy_entries(self.source, self.target)[0]
        self.assertEqual(left, ["link", "logs/x/pipe", "pipe"])
        self.assertEqual(os.readlink(os.path.join(self.target, "logs", "x", "link")), "y")

    def test_a_folder_that_cannot_be_read_is_not_passed_over(self) -> None:
        before = tree_of(self.target)
        with closed("old/logs/x"), self.assertRaisesRegex(StorageFault, "denied"):
            copy_entries(self.source, self.target)
        self.assertEqual(tree_of(self.target), before)

    def test_folders_that_are_none(self) -> None:
        gone, file = os.path.join(self.home, "gone"), os.path.join(self.source, "a.csv")
        for args, text in (
            ((gone, self.target), f"source path does not exist: {gone}"),
            ((self.source, gone), f"destination path does not exist: {gone}"),
            ((file, self.target), f"source path is not a directory: {file}"),
            ((self.source, file), f"destination path is not a directory: {file}"),
        ):
            with self.subTest(text), self.assertRaisesRegex(ValueError, text):
                copy_entries(*args)

    def test_target_inside_the_source(self) -> None:
        with self.assertRaisesRegex(ValueError, "lies inside"):
            copy_entries(self.source, os.path.join(self.source, "logs"))

    def test_the_same_folder(self) -> None:
        before = tree_of(self.source)
        self.assertEqual(copy_entries(self.source, self.source), (["a.csv", "logs"], []))
        self.assertEqual(copy_entries(self.source, self.source, True), ([], ["a.csv", "logs"]))
        self.assertEqual(tree_of(self.source), before)


class UndoTests(TreeTestCase):
    """A transaction that aborts takes the copies back."""

    def test_undo(self) -> None:
        self.fill(self.target, {"logs/other.log": "other", "b.csv": "b"})
        before = tree_of(self.target)
        copy = TreeCopy(self.source, self.target, overwrite=True)
        copy.run()
        self.assertEqual(copy.copied, ["a.csv", "logs"])
        self.assertNotEqual(tree_of(self.target), before)
        copy.undo()
        self.assertEqual(tree_of(self.target), before)
        copy.undo()
        copy.finish()
        self.assertEqual(tree_of(self.target), before)

    def test_error_takes_back_what_was_copied(self) -> None:
        self.fill(self.target, {"logs/other.log": "other", "a.csv": "b"})
        before = tree_of(self.target)
        copy = TreeCopy(self.source, self.target, overwrite=True)
        with FaultyDisk() as counter:
            copy.run()
        copy.undo()
        for number in range(counter.count):
            with self.subTest(operation=number):
                with OneError(number), self.assertRaises(StorageFault):
                    TreeCopy(self.source, self.target, overwrite=True).run()
                redo(self.target)
                WorkFolder.stale(self.target)
                self.assertEqual(tree_of(self.target), before)


class StoppedTests(TreeTestCase):
    """Stopped at any operation, each entry is the old or the new one as a whole."""

    def check(self, stop, action) -> None:
        number, stopped = 0, True
        while stopped:
            with self.subTest(operation=number):
                self.set_up()
                self.fill(self.target, {"logs/other.log": "other", "b.csv": "b"})
                old, new = tree_of(self.target), tree_of(self.source)
                stopped = stop(number, action)
                redo(self.target)
                WorkFolder.stale(self.target)
                tree = tree_of(self.target)
                self.assertEqual(tree.pop("b.csv"), b"b")
                self.assertIn(tree.pop("a.csv", b"a"), (b"a",))
                expected = [
                    {name: text for name, text in whole.items() if name.startswith("logs")}
                    for whole in (old, new)
                ]
                self.assertIn(tree, expected)
            number += 1

    def copy(self) -> None:
        copy_entries(self.source, self.target, overwrite=True)

    def copy_and_undo(self) -> None:
        copy = TreeCopy(self.source, self.target, overwrite=True)
        copy.run()
        copy.undo()

    def test_killed(self) -> None:
        self.check(killed_at, self.copy)

    def test_killed_while_it_is_undone(self) -> None:
        self.check(killed_at, self.copy_and_undo)

    def test_disk_that_stays_broken(self) -> None:
        def stop(number, action) -> bool:
            with LastingError(number) as shim:
                try:
                    action()
                except StorageFault:
                    pass
            return shim.count > number

        self.check(stop, self.copy)
        self.check(stop, self.copy_and_undo)
