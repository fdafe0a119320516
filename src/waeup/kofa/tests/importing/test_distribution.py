"""The places of files, and what is refused."""

import os
import shutil
import tempfile
import unittest
from unittest import mock

from waeup.kofa.errors import InvalidName, ItemBusy, NoSuchItem, Refused, StorageFault
from waeup.kofa.importing.distribution import (
    Distribution,
    distribute,
    perform,
    plan_distribution,
    recover,
    result_names,
)
from waeup.kofa.spool import WorkFolder, claimed, storage_lock
from waeup.kofa.tests.spool.faultydisk import FAST, tree_of, write
from waeup.kofa.tests.waiting import ended

FOLDERS = ("deleted", "finished", "logs", "unfinished")


class ResultNamesTests(unittest.TestCase):
    def names(self, source: str, mode: str = "create", unfinished: tuple[str, ...] = ()):
        names = result_names(source, mode, unfinished)
        return names.stem, names.original, names.finished, names.pending, names.again

    def test_source(self) -> None:
        self.assertEqual(
            self.names("a.b.csv", "update"),
            ("a.b", "a.b.csv", "a.b.update.finished.csv", "a.b.update.pending.csv", False),
        )

    def test_pending_file_whose_original_is_there(self) -> None:
        """It keeps its name, through any number of rounds and modes."""
        pending = "a.b.create.pending.csv"
        self.assertEqual(
            self.names(pending, "update", ("a.b.csv",)),
            ("a.b", "a.b.csv", "a.b.update.finished.csv", pending, True),
        )

    def test_pending_file_without_mode(self) -> None:
        """``foo.pending.csv`` belongs to ``foo.csv``."""
        self.assertEqual(self.names("foo.pending.csv", "create", ("foo.csv",))[0], "foo")

    def test_pending_file_whose_original_is_not_there(self) -> None:
        """It is a source like any other, and suffixes pile up."""
        self.assertEqual(
            self.names("x.create.pending.csv")[2:],
            ("x.create.pending.create.finished.csv", "x.create.pending.create.pending.csv", False),
        )

    def test_workbook_and_table_of_one_name_stay_apart(self) -> None:
        table, workbook = result_names("a.csv", "create", ()), result_names("a.xlsx", "create", ())
        self.assertNotEqual(table.finished, workbook.finished)
        self.assertNotEqual(table.pending, workbook.pending)
        again = result_names(workbook.pending, "create", ("a.csv", "a.xlsx"))
        self.assertEqual((again.original, again.again), ("a.xlsx", True))
        again = result_names(table.pending, "create", ("a.csv", "a.xlsx"))
        self.assertEqual((again.original, again.again), ("a.csv", True))

    def test_mode_that_leads_elsewhere(self) -> None:
        for mode in ("", "../../x", "a/b", "a.b", "a\0b"):
            with self.subTest(mode), self.assertRaises(InvalidName):
                result_names("a.csv", mode, ())


class DistributionTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.home = tempfile.mkdtemp(dir=FAST)
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.storage = os.path.join(self.home, "storage")
        os.mkdir(self.storage)
        for folder in FOLDERS:
            os.mkdir(os.path.join(self.storage, folder))

    def put(self, name: str, text: str) -> str:
        return write(os.path.join(self.storage, name), text)

    def text(self, name: str) -> str:
        with open(os.path.join(self.storage, name), newline="", encoding="utf-8") as stream:
            return stream.read()

    def result(self, name: str, text: str) -> str:
        folder = os.path.join(self.home, "results")
        os.makedirs(folder, exist_ok=True)
        return write(os.path.join(folder, name), text)

    def distribute(
        self, source: str, finished: str | None, pending: str | None = None, mode: str = "create"
    ) -> None:
        """Distribute result files with these texts."""
        distribute(
            self.storage,
            pending is None,
            os.path.join(self.storage, source),
            None if finished is None else self.result("f.csv", finished),
            None if pending is None else self.result("p.csv", pending),
            mode,
        )

    def names(self) -> dict[str, list[str]]:
        return {
            folder: sorted(os.listdir(os.path.join(self.storage, folder)))
            for folder in ("", "finished", "unfinished")
        }


class JoiningTests(DistributionTestCase):
    """What becomes of finished rows when there are some of an earlier round."""

    target = "finished/a.create.finished.csv"

    def setUp(self) -> None:
        super().setUp()
        self.put("a.csv", "x")

    def join(self, old: str, new: str) -> str:
        self.put(self.target, old)
        self.inode = os.stat(os.path.join(self.storage, self.target)).st_ino
        self.distribute("a.csv", new)
        return self.text(self.target)

    def in_place(self) -> bool:
        return os.stat(os.path.join(self.storage, self.target)).st_ino == self.inode

    def test_first_round_keeps_bytes(self) -> None:
        self.distribute("a.csv", "k\n1\n2")
        self.assertEqual(self.text(self.target), "k\n1\n2")

    def test_same_columns_are_appended_in_place(self) -> None:
        self.assertEqual(self.join("k,n\r\n1,a\r\n", "k,n\r\n2,b\r\n"), "k,n\r\n1,a\r\n2,b\r\n")
        self.assertTrue(self.in_place())

    def test_quoted_line_end_in_a_column_name(self) -> None:
        old, new = '"k\n",n\r\n1,a\r\n', '"k\n",n\r\n2,b\r\n'
        self.assertEqual(self.join(old, new), '"k\n",n\r\n1,a\r\n2,b\r\n')
        self.assertTrue(self.in_place())

    def test_unterminated_last_line(self) -> None:
        self.assertEqual(self.join("k,n\r\n1,a", "k,n\r\n2,b\r\n"), "k,n\r\n1,a\r\n2,b\r\n")
        self.assertTrue(self.in_place())

    def test_no_new_rows(self) -> None:
        self.assertEqual(self.join("k,n\r\n1,a\r\n", "k,n\r\n"), "k,n\r\n1,a\r\n")

    def test_no_old_rows(self) -> None:
        self.assertEqual(self.join("k,n\r\n", "k,n\r\n2,b\r\n"), "k,n\r\n2,b\r\n")

    def test_other_order(self) -> None:
        self.assertEqual(self.join("k,n\r\n1,a\r\n", "n,k\r\nb,2\r\n"), "k,n\r\n1,a\r\n2,b\r\n")
        self.assertTrue(self.in_place())

    def test_fewer_columns(self) -> None:
        self.assertEqual(self.join("k,n\r\n1,a", "n\r\nb\r\n"), "k,n\r\n1,a\r\n,b\r\n")
        self.assertTrue(self.in_place())

    def test_other_order_of_rows_that_are_no_table(self) -> None:
        """They get a file of their own, and what is there stays."""
        self.assertEqual(self.join("k,n\r\n1,a\r\n", "n,k\r\nb,2,c\r\n"), "k,n\r\n1,a\r\n")
        self.assertEqual(self.text("finished/a-2.create.finished.csv"), "n,k\r\nb,2,c\r\n")

    def test_other_columns(self) -> None:
        self.assertEqual(
            self.join("k,n\r\n1,a\r\n", "m,k\r\nc,2\r\n"), "k,n,m\r\n1,a,\r\n2,,c\r\n"
        )

    def test_column_name_that_begins_another(self) -> None:
        """``k,n`` is the beginning of ``k,name``, and yet another header."""
        self.assertEqual(
            self.join("k,name\r\n1,a\r\n", "k,n\r\n2,b\r\n"), "k,name,n\r\n1,a,\r\n2,,b\r\n"
        )

    def test_other_line_ends(self) -> None:
        self.assertEqual(self.join("k,n\n1,a\n", "k,n\r\n2,b\r\n"), "k,n\r\n1,a\r\n2,b\r\n")

    def test_header_that_cannot_be_trusted(self) -> None:
        """The customer's document: only lines without end leave a lone CRLF."""
        self.assertEqual(self.join("blah", "blah"), "\r\n")
        self.put("a.create.pending.csv", "x")
        self.distribute("a.create.pending.csv", "blah")
        self.assertEqual(self.text(self.target), "\r\n")

    def test_trusted_header_behind_an_untrusted_one(self) -> None:
        self.assertEqual(self.join("blah", "k\r\n1\r\n"), "k\r\n1\r\n")

    def test_former_rows_that_are_no_table(self) -> None:
        """Files of Kofa 1.9 may hold any bytes; they stay, and the new rows get a file."""
        path = os.path.join(self.storage, self.target)
        with open(path, "wb") as stream:
            stream.write(b"k,n\r\n1,\xff\xfe\r\n")
        self.distribute("a.csv", "k,m\r\n2,b\r\n")
        with open(path, "rb") as stream:
            self.assertEqual(stream.read(), b"k,n\r\n1,\xff\xfe\r\n")
        self.assertEqual(self.text("finished/a-2.create.finished.csv"), "k,m\r\n2,b\r\n")

    def test_append_does_not_read_what_is_there(self) -> None:
        """Only the last 64 KiB of the former file are looked at."""
        rows = "1,abcdefghijklmnopqrstuvwxyz\r\n" * 100_000
        self.put(self.target, "k,n\r\n" + rows)
        read = []

        def counting(path, start=0, length=None):
            read.append((path, length))
            return original(path, start, length)

        from waeup.kofa.spool import steps

        original = steps.digest_of
        with mock.patch.object(steps, "digest_of", counting):
            self.distribute("a.csv", "k,n\r\n2,b\r\n")
        lengths = [length for path, length in read if path.endswith(self.target)]
        self.assertTrue(lengths)
        self.assertLessEqual(max(lengths), 64 * 1024)


class PlacesTests(DistributionTestCase):
    def test_folders_that_are_missing_are_made(self) -> None:
        for folder in FOLDERS:
            os.rmdir(os.path.join(self.storage, folder))
        self.put("a.csv", "x")
        self.distribute("a.csv", "k\r\n")
        self.assertEqual(self.names()["finished"], ["a.create.finished.csv", "a.csv"])

    def test_former_files_are_never_overwritten(self) -> None:
        """A second ``a.csv`` beside rows that still wait gets names of its own."""
        for number in "12":
            self.put("a.csv", number)
            self.distribute("a.csv", "k\r\n", f"k\r\n{number}\r\n")
        self.assertEqual(
            self.names(),
            {
                "": ["a-2.create.pending.csv", "a.create.pending.csv", *FOLDERS],
                "finished": ["a-2.create.finished.csv", "a.create.finished.csv"],
                "unfinished": ["a-2.csv", "a.csv"],
            },
        )
        self.assertEqual(self.text("unfinished/a-2.csv"), "2")
        self.distribute("a-2.create.pending.csv", "k\r\n2\r\n")
        self.assertEqual(self.text("finished/a-2.csv"), "2")
        self.assertEqual(self.text("a.create.pending.csv"), "k\r\n1\r\n")

    def test_original_whose_place_was_taken_meanwhile(self) -> None:
        self.put("a.create.pending.csv", "k\r\n1\r\n")
        self.put("unfinished/a.csv", "mine")
        self.put("finished/a.csv", "another")
        self.distribute("a.create.pending.csv", "k\r\n1\r\n")
        self.assertEqual(self.text("finished/a.csv"), "another")
        self.assertEqual(self.text("finished/a-2.csv"), "mine")
        self.assertEqual(self.names()["unfinished"], [])

    def test_time_of_the_original_is_kept(self) -> None:
        os.utime(self.put("a.csv", "x"), (1_000_000, 1_000_000))
        self.distribute("a.csv", "k\r\n")
        self.assertEqual(os.path.getmtime(os.path.join(self.storage, "finished/a.csv")), 1_000_000)

    def test_finished_rows_that_are_in_their_place_stay(self) -> None:
        source = self.put("a.csv", "x")
        finished = self.put("finished/a.create.finished.csv", "k\r\n1\r\n")
        distribute(self.storage, True, source, finished, None, "create")
        self.assertEqual(self.text("finished/a.create.finished.csv"), "k\r\n1\r\n")

    def test_link_to_a_source(self) -> None:
        """A link among the pending files is processed as the file that it leads to."""
        other = write(os.path.join(self.home, "other.csv"), "x")
        os.symlink(other, os.path.join(self.storage, "a.csv"))
        self.distribute("a.csv", "k\r\n")
        self.assertEqual(self.text("finished/a.csv"), "x")
        self.assertTrue(os.path.exists(other))
        self.assertEqual(self.names()[""], list(FOLDERS))

    def test_results_on_another_file_system(self) -> None:
        if FAST is None:
            self.skipTest("there is one file system only")
        folder = tempfile.mkdtemp(dir="/var/tmp")
        finished = write(os.path.join(folder, "f.csv"), "k\r\n1\r\n")
        source = self.put("a.csv", "x")
        distribute(self.storage, True, source, finished, None, "create")
        self.assertEqual(self.text("finished/a.create.finished.csv"), "k\r\n1\r\n")
        self.assertFalse(os.path.exists(folder))

    def test_file_system_without_links(self) -> None:
        """The source is renamed instead, behind a name that was claimed before."""
        self.put("a.csv", "x")
        with mock.patch("os.link", side_effect=OSError(95, "Operation not supported")):
            self.distribute("a.csv", "k\r\n1\r\n", "k\r\n2\r\n")
            self.distribute("a.create.pending.csv", "k\r\n2\r\n")
        self.assertEqual(self.names()[""], list(FOLDERS))
        self.assertEqual(self.text("finished/a.create.finished.csv"), "k\r\n1\r\n2\r\n")
        self.assertEqual(self.text("finished/a.csv"), "x")

    def test_plan_is_plain_data_and_can_be_performed_twice(self) -> None:
        """The database keeps it; whoever finds it may perform it again."""
        source = self.put("a.csv", "x")
        finished, pending = self.result("f.csv", "k\r\n1\r\n"), self.result("p.csv", "k\r\n2\r\n")
        work = WorkFolder(self.storage, "run-1")
        with storage_lock(self.storage):
            plan = plan_distribution(
                self.storage, False, source, finished, pending, "create", work
            )
            self.assertEqual(self.names()[""], sorted([".work", "a.csv", *FOLDERS]))
            self.assertEqual(Distribution.from_dict(plan.as_dict()), plan)
            for _time in range(2):
                perform(Distribution.from_dict(plan.as_dict()))
                self.assertEqual(self.names()[plan.original.split("/")[0]], ["a.csv"])
        self.assertEqual(self.text(plan.finished or ""), "k\r\n1\r\n")
        self.assertEqual(self.text(plan.pending or ""), "k\r\n2\r\n")
        work.remove()
        self.assertEqual(self.names()[""], ["a.create.pending.csv", *FOLDERS])

    def test_description_of_something_else(self) -> None:
        descriptions: tuple[dict[str, list], ...] = (
            {},
            {"steps": [], "results": []},
            {"steps": [{"kind": "x"}], "results": []},
        )
        for data in descriptions:
            with self.subTest(data), self.assertRaises(ValueError):
                Distribution.from_dict(data)


class ResultFolderTests(DistributionTestCase):
    """The folder of the result files goes only when nothing else is in it."""

    def test_it_goes(self) -> None:
        self.put("a.csv", "x")
        self.distribute("a.csv", "k\r\n", "k\r\n1\r\n")
        self.assertFalse(os.path.exists(os.path.join(self.home, "results")))

    def test_something_else_in_it(self) -> None:
        self.put("a.csv", "x")
        other = self.result("other.txt", "precious")
        self.distribute("a.csv", "k\r\n")
        self.assertEqual(os.listdir(os.path.dirname(other)), ["other.txt"])

    def test_the_temporary_folder_of_the_system_stays(self) -> None:
        root = os.path.join(self.home, "systemtmp")
        os.mkdir(root)
        source = self.put("a.csv", "x")
        finished = write(os.path.join(root, "f.csv"), "k\r\n")
        with mock.patch.object(tempfile, "tempdir", root):
            distribute(self.storage, True, source, finished, None, "create")
        self.assertEqual(os.listdir(root), [])

    def test_the_home_folder_stays(self) -> None:
        root = os.path.join(self.home, "me")
        os.mkdir(root)
        source = self.put("a.csv", "x")
        finished = write(os.path.join(root, "f.csv"), "k\r\n")
        with mock.patch.dict(os.environ, HOME=root):
            distribute(self.storage, True, source, finished, None, "create")
        self.assertEqual(os.listdir(root), [])

    def test_folders_of_the_storage_stay(self) -> None:
        source = self.put("a.csv", "x")
        finished = self.put("deleted/f.csv", "k\r\n")
        distribute(self.storage, True, source, finished, None, "create")
        self.assertEqual(self.names()[""], list(FOLDERS))


class RefusalTests(DistributionTestCase):
    """What cannot be done is refused, and nothing is changed."""

    def refused(self, kind: type[Exception], text: str, *args) -> None:
        before = tree_of(self.home)
        with self.assertRaisesRegex(kind, text):
            distribute(self.storage, *args)
        self.assertEqual(tree_of(self.home), before)

    def setUp(self) -> None:
        super().setUp()
        self.source = self.put("a.csv", "x")
        self.finished = self.result("f.csv", "k\r\n")
        self.pending = self.result("p.csv", "k\r\n1\r\n")

    def test_missing_files(self) -> None:
        gone = os.path.join(self.storage, "gone.csv")
        text = f"No such source path: {gone}"
        self.refused(NoSuchItem, text, True, gone, self.finished, None, "create")
        self.refused(NoSuchItem, text, True, self.source, gone, None, "create")
        self.refused(NoSuchItem, text, False, self.source, self.finished, gone, "create")

    def test_source_outside_of_the_storage(self) -> None:
        path = os.path.join(self.storage, "..", "results", "p.csv")
        self.refused(InvalidName, "no file of the data center", True, path, None, None, "create")

    def test_mode_that_is_a_path(self) -> None:
        self.refused(InvalidName, "separator", True, self.source, self.finished, None, "a/b")

    def test_contradictions(self) -> None:
        args = (self.source, self.finished)
        self.refused(Refused, "said to be successful", True, *args, self.pending, "create")
        self.refused(Refused, "said to have failed rows", False, *args, None, "create")

    def test_source_that_somebody_works_on(self) -> None:
        go = os.pipe()
        ready = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with claimed(self.source):
                    os.write(ready[1], b"1")
                    os.read(go[0], 1)
            finally:
                os._exit(0)
        os.read(ready[0], 1)
        self.refused(
            ItemBusy, "working on a.csv", True, self.source, self.finished, None, "create"
        )
        os.write(go[1], b"1")
        ended(child)
        for end in (*go, *ready):
            os.close(end)

    def test_source_that_the_caller_has_claimed(self) -> None:
        """An import claims its source, and distributes it under that claim."""
        with claimed(self.source):
            distribute(self.storage, True, self.source, self.finished, None, "create")
        self.assertEqual(self.names()["finished"], ["a.create.finished.csv", "a.csv"])

    def test_storage_that_is_gone(self) -> None:
        shutil.rmtree(self.storage)
        with self.assertRaisesRegex(StorageFault, "storage folder"):
            recover(self.storage)

    def test_recovery_of_a_storage_at_rest(self) -> None:
        before = tree_of(self.home)
        self.assertEqual(recover(self.storage), [])
        self.assertEqual(tree_of(self.home), before)
