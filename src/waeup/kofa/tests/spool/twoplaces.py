"""Two folders, one with the files of a storage, the other for what comes out of it."""

import os
import shutil
import tempfile
import unittest
from typing import ClassVar

from waeup.kofa.tests.spool.faultydisk import FAST, write


class TwoPlacesTestCase(unittest.TestCase):
    """Has a `source` with `files`, and an empty `target`; `set_up` makes both anew."""

    #: Path -> text.
    files: ClassVar[dict[str, str]]

    def setUp(self) -> None:
        self.home = tempfile.mkdtemp(dir=FAST)
        self.addCleanup(shutil.rmtree, self.home)
        self.set_up()

    def set_up(self) -> None:
        shutil.rmtree(self.home)
        self.source, self.target = (os.path.join(self.home, name) for name in ("old", "new"))
        for path in (self.source, self.target):
            os.makedirs(path)
        self.fill(self.source, self.files)

    def fill(self, root: str, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write(path, text)
