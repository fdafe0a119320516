"""Which files belong to a log."""

import tempfile
import unittest
from pathlib import Path

from waeup.kofa.errors import InvalidName, NoSuchItem
from waeup.kofa.journal import check_log_name, log_names, logfile_series


class NamesTests(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = directory.name

    def make(self, *names: str) -> None:
        for name in names:
            Path(self.folder, name).touch()

    def test_names_are_sorted_and_without_backups(self) -> None:
        self.make("students.log", "main.log", "main.log.1", "main.log.22", "plain")
        self.assertEqual(log_names(self.folder), ["main.log", "plain", "students.log"])

    def test_backups_are_listed_on_demand(self) -> None:
        self.make("main.log", "main.log.1")
        self.assertEqual(log_names(self.folder, exclude_backups=False), ["main.log", "main.log.1"])

    def test_payments_are_never_listed(self) -> None:
        self.make("payments.log", "payments.log.1", "payments.log-20260131", "main.log")
        self.assertEqual(log_names(self.folder, exclude_backups=False), ["main.log"])

    def test_what_nobody_could_ask_for_is_not_listed(self) -> None:
        self.make(
            ".main.log.swp", ".nfs0000001", "a\\b.log", "a\x1b.log", "a\udcff.log", "main.log"
        )
        self.assertEqual(log_names(self.folder, exclude_backups=False), ["main.log"])

    def test_folders_are_not_listed(self) -> None:
        Path(self.folder, "old.log").mkdir()
        self.assertEqual(log_names(self.folder), [])

    def test_missing_folder_has_no_logs(self) -> None:
        self.assertEqual(log_names(self.folder + "/none"), [])
        self.assertEqual(logfile_series(self.folder + "/none", "main.log"), [])

    def test_series_begins_with_the_highest_number(self) -> None:
        self.make("my.log", "my.log.1", "my.log.2", "my.log.10")
        self.assertEqual(
            logfile_series(self.folder, "my.log"), ["my.log.10", "my.log.2", "my.log.1", "my.log"]
        )

    def test_current_file_may_be_missing(self) -> None:
        self.make("my.log.1")
        self.assertEqual(logfile_series(self.folder, "my.log"), ["my.log.1"])

    def test_similar_names_are_other_logs(self) -> None:
        self.make("my.log", "my.log-x", "my.log-x.1", "my.log.x", "my.log.1.gz", "myxlog")
        self.make("my.log.\N{ARABIC-INDIC DIGIT ONE}")
        self.assertEqual(logfile_series(self.folder, "my.log"), ["my.log"])

    def test_backup_is_a_log_itself(self) -> None:
        self.make("my.log", "my.log.1", "my.log.2")
        self.assertEqual(logfile_series(self.folder, "my.log.1"), ["my.log.1"])

    def test_names_with_a_way_out_of_the_folder_are_refused(self) -> None:
        for name in ("", ".", "..", ".hidden", "../main.log", "/etc/passwd", "a/b", "a\\b"):
            with self.subTest(name), self.assertRaisesRegex(InvalidName, "name of a log file"):
                check_log_name(name)

    def test_names_that_no_log_has_are_refused(self) -> None:
        for name in ("a\0b", "a\nb", "\x1b[2K", "a\udc80", "x" * 256, "ọ" * 100):
            with self.subTest(name), self.assertRaises(InvalidName) as caught:
                check_log_name(name)
            self.assertNotRegex(str(caught.exception), "[\0\n\x1b]")

    def test_payments_are_not_there(self) -> None:
        for name in ("payments.log", "payments.log.1"):
            self.make(name)
            with self.subTest(name), self.assertRaises(NoSuchItem):
                logfile_series(self.folder, name)


if __name__ == "__main__":
    unittest.main()
