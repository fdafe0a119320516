"""A portal without a database, and a way to import a few rows into it."""

import csv
import io
import os
import shutil
import tempfile
import unittest
from typing import Any

import grok
from zope.component import getGlobalSiteManager, getUtility
from zope.component.hooks import setSite

from waeup.kofa.interfaces import ERRORS_COLUMN, IBatchProcessor
from waeup.kofa.students.container import StudentsContainer
from waeup.kofa.testing import KofaUnitTestLayer
from waeup.kofa.university.facultiescontainer import FacultiesContainer
from waeup.kofa.users.container import UsersContainer


class Portal(grok.Container):
    """A site with the containers that processors look for."""

    def __init__(self) -> None:
        super().__init__()
        self["users"] = UsersContainer()
        self["faculties"] = FacultiesContainer()
        self["students"] = StudentsContainer()

    def getSiteManager(self) -> Any:
        return getGlobalSiteManager()


class Storage(grok.Model):
    """Stands for a data center: where log files lie."""

    webhooks = None

    def __init__(self, storage: str) -> None:
        super().__init__()
        self.storage = storage


class PortalTestCase(unittest.TestCase):
    """Gives each test a new `self.site`."""

    layer = KofaUnitTestLayer

    def setUp(self) -> None:
        self.site = Portal()
        setSite(self.site)
        self.addCleanup(setSite, None)

    def import_rows(
        self, processor: str, table: str, mode: str = "create"
    ) -> tuple[list[dict[str, str]], list[str]]:
        """Import the CSV text `table`, whose header names fields.

        Returns the finished rows, and the reasons of the pending ones.
        """
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "rows.csv")
        with open(path, "w", encoding="utf-8") as source:
            source.write(table)
        header = next(csv.reader(io.StringIO(table)))
        utility = getUtility(IBatchProcessor, name=processor)
        total, failed, finished, pending = utility.doImport(path, header, mode)
        self.addCleanup(shutil.rmtree, os.path.dirname(finished))
        done, reasons = self._rows(finished), []
        if pending is not None:
            reasons = [row[ERRORS_COLUMN] for row in self._rows(pending)]
        self.assertEqual((total, failed), (len(done) + len(reasons), len(reasons)))
        return done, reasons

    def read_log(self, name: str) -> list[str]:
        """Return what was logged into the file `name`: the messages of its lines."""
        with open(os.path.join(self.site["datacenter"].storage, "logs", name)) as log:
            return [line.rstrip("\n").split(" - ", 3)[3] for line in log]

    def keep_logs(self) -> None:
        """Give the site a name and a storage, so that log lines are written."""
        storage = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, storage)
        os.mkdir(os.path.join(storage, "logs"))
        self.site.__name__ = "portal"
        self.site["datacenter"] = Storage(storage)
        for component in ("users", "students"):
            self.addCleanup(self.site[component].logger_shutdown)

    def _rows(self, path: str) -> list[dict[str, str]]:
        with open(path, encoding="utf-8", newline="") as source:
            return list(csv.DictReader(source))
