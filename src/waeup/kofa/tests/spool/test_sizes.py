"""Sizes of folders, within bounds."""

import tempfile
import unittest
from pathlib import Path

from waeup.kofa.spool.sizes import FolderSize, measure


class SizeTests(unittest.TestCase):
    """A folder with some files."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "a.csv").write_bytes(b"12345")
        (self.folder / "deep" / "deeper").mkdir(parents=True)
        (self.folder / "deep" / "b").write_bytes(b"123")
        (self.folder / "deep" / "deeper" / "c").write_bytes(b"1")

    def test_the_folder_itself_counts_without_those_in_it(self) -> None:
        self.assertEqual(
            measure(str(self.folder), ("", "deep", "none"), None),
            [
                FolderSize("", 1, 5, True),
                FolderSize("deep", 2, 4, True),
                FolderSize("none", 0, 0, True),
            ],
        )

    def test_links_are_not_followed(self) -> None:
        (self.folder / "deep" / "loop").symlink_to(self.folder)
        (found,) = measure(str(self.folder), ("deep",), None)
        self.assertEqual(found.files, 3)

    def test_when_the_time_is_over_it_says_so(self) -> None:
        for number in range(200):
            (self.folder / "deep" / f"{number}").write_bytes(b"x")
        (found,) = measure(str(self.folder), ("deep",), 0.0)
        self.assertFalse(found.is_complete)
        self.assertLess(found.files, 200)
