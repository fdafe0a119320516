"""Edges of the data center; its story is told in ``datacenter.txt``."""

import os
import shutil
import unittest

from zope.component import getUtility
from zope.interface.verify import verifyClass, verifyObject

from waeup.kofa.datacenter import DataCenter, DataCenterFile, LogFile
from waeup.kofa.errors import InvalidName, InvalidStoragePath
from waeup.kofa.interfaces import (
    IDataCenter,
    IDataCenterConfig,
    IDataCenterFile,
    ILogFile,
)
from waeup.kofa.testing import KofaUnitTestLayer


class DataCenterTestCase(unittest.TestCase):
    """Has a new data center."""

    layer = KofaUnitTestLayer

    def setUp(self):
        self.center = DataCenter()
        self.storage = self.center.storage

    def write(self, name, text=""):
        """Write a file below the storage and return its path."""
        path = os.path.join(self.storage, name)
        with open(path, "w", newline="") as stream:
            stream.write(text)
        return path

    def read(self, name):
        """Return the text of a file below the storage."""
        with open(os.path.join(self.storage, name), newline="") as stream:
            return stream.read()


class Contracts(DataCenterTestCase):
    """Classes and objects keep what their interfaces promise."""

    def test_classes_and_objects(self):
        path = self.write("a.csv", "x\n")
        for iface, cls, obj in (
            (IDataCenter, DataCenter, self.center),
            (IDataCenterFile, DataCenterFile, DataCenterFile(path)),
            (ILogFile, LogFile, LogFile(path)),
        ):
            self.assertTrue(verifyClass(iface, cls))
            self.assertTrue(verifyObject(iface, obj))

    def test_looking_makes_no_folder(self):
        verifyObject(IDataCenter, self.center)
        self.assertEqual(
            sorted(os.listdir(self.storage)), ["deleted", "finished", "logs", "unfinished"]
        )


class Files(DataCenterTestCase):
    """What is listed, and how it is described."""

    def test_sizes_as_in_1_9(self):
        for size, text in (
            (0, "0 bytes"),
            (1, "1 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.00 kb"),
            (1536, "1.50 kb"),
            (1024**2, "1.00 MB"),
            (3 * 1024**3, "3.00 GB"),
        ):
            path = os.path.join(self.storage, "big.csv")
            with open(path, "wb") as stream:
                stream.truncate(size)
            self.assertEqual(DataCenterFile(path).getSize(), text)

    def test_lines_of_tables_are_counted_others_have_one(self):
        for name, text, lines in (
            ("a.csv", "x\ny\n", 2),
            ("b.csv", "x\ny", 2),
            ("c.CSV", "x\n", 1),
            ("d.csv", "", 0),
            ("e.gz", "x\ny\n", 1),
        ):
            self.assertEqual(DataCenterFile(self.write(name, text)).lines, lines, name)

    def test_a_missing_file_is_an_error(self):
        with self.assertRaises(OSError):
            DataCenterFile(os.path.join(self.storage, "gone.csv"))

    def test_pending_files_are_what_can_be_uploaded(self):
        for name in ("b.csv", "a.csv.gz", "c.CSV", "d.txt", "e.pending", "f.xlsx", "g.doc"):
            self.write(name)
        os.mkdir(os.path.join(self.storage, "folder.csv"))
        os.symlink(self.write("deleted/target"), os.path.join(self.storage, "link.csv"))
        names = [file.name for file in self.center.getPendingFiles()]
        self.assertEqual(names, ["a.csv.gz", "b.csv", "d.txt", "f.xlsx", "link.csv"])

    def test_a_missing_storage_has_no_files_and_is_not_made(self):
        shutil.rmtree(self.storage)
        self.assertEqual(self.center.getPendingFiles(), [])
        self.assertEqual(self.center.getFinishedFiles(), [])
        self.assertEqual(self.center.getLogFiles(), [])
        with self.assertRaises(FileNotFoundError):
            self.center.folder("logs")
        self.assertFalse(os.path.exists(self.storage))
        os.mkdir(self.storage)

    def test_only_known_folders_are_made(self):
        with self.assertRaises(InvalidName):
            self.center.folder("../elsewhere")

    def test_markers_of_log_files(self):
        path = self.write("logs/a.log", "User: anna\nMode: create\nmode: update\nSource: /x:y\n")
        log = LogFile(path)
        self.assertEqual((log.userid, log.mode, log.source), ("anna", "update", "/x:y"))
        self.assertEqual(log.stats, "<Info not avail.>")
        bare = LogFile(self.write("logs/b.log", "nothing\n"))
        self.assertEqual((bare.userid, bare.mode, bare.source), ("<UNKNOWN>", "<NOT SET>", None))


class Moves(DataCenterTestCase):
    """Methods that components of 1.9 call."""

    def test_a_file_is_moved_over_another_with_its_time(self):
        source, dest = self.write("a.csv", "new"), self.write("b.csv", "old")
        os.utime(source, (1000, 1000))
        self.center._moveFile(source, dest)
        self.assertEqual(self.read("b.csv"), "new")
        self.assertEqual(os.stat(dest).st_mtime, 1000)
        self.assertFalse(os.path.exists(source))

    def test_what_is_missing_or_the_same_is_left_alone(self):
        path = self.write("a.csv", "x")
        for method in (self.center._moveFile, self.center._appendCSVFile):
            method(path, path)
            method(os.path.join(self.storage, "gone.csv"), path)
            self.assertEqual(self.read("a.csv"), "x")

    def test_without_target_the_bytes_are_moved(self):
        source = self.write("a.csv", "name,age\nManfred,28")
        dest = os.path.join(self.storage, "b.csv")
        self.center._appendCSVFile(source, dest)
        self.assertEqual(self.read("b.csv"), "name,age\nManfred,28")

    def test_rows_are_appended_in_columns_sorted_by_name(self):
        dest = self.write("b.csv", "name,age\r\nElliot,20\r\n")
        source = self.write("a.csv", "name,age\nManfred,28")
        self.center._appendCSVFile(source, dest)
        self.assertEqual(self.read("b.csv"), "age,name\r\n20,Elliot\r\n28,Manfred\r\n")
        self.assertEqual([file.name for file in self.center.getPendingFiles()], ["b.csv"])

    def test_backups_of_logs_are_listed_oldest_first(self):
        for name in ("my.log", "my.log.1", "my.log.2", "my.log.10", "my.log-x", "my.log-x.1"):
            self.write(f"logs/{name}")
        expected = ["my.log.10", "my.log.2", "my.log.1", "my.log"]
        self.assertEqual(self.center._logfiles("my.log"), expected)


class StoragePath(DataCenterTestCase):
    """Where files are kept."""

    def test_places_that_cannot_be_used_change_nothing(self):
        for path in ("", "nowhere", "/proc", __file__):
            with self.subTest(path), self.assertRaises(InvalidStoragePath):
                self.center.setStoragePath(path)
            self.assertEqual(self.center.storage, self.storage)

    def test_a_place_inside_is_refused_for_a_move(self):
        inside = os.path.join(self.storage, "deleted")
        with self.assertRaises(InvalidStoragePath):
            self.center.setStoragePath(inside, move=True)
        self.assertEqual(self.center.storage, self.storage)

    def test_the_first_path_is_absolute(self):
        os.mkdir("relative")
        config = getUtility(IDataCenterConfig)
        former, config["path"] = config["path"], "relative"
        try:
            self.assertEqual(DataCenter().storage, os.path.abspath("relative"))
        finally:
            config["path"] = former

    def test_an_object_survives_the_loss_of_its_storage(self):
        shutil.rmtree(self.storage)
        os.mkdir(self.storage)
        self.assertEqual(self.center.setStoragePath(self.storage), [])
        self.assertEqual(len(os.listdir(self.storage)), 4)
