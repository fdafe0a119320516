"""A portal in a database file of its own, made once and copied for each test."""

import os
import shutil
import tempfile

import transaction
import ZODB
from grokcore.site.util import create_application
from ZODB.FileStorage import FileStorage
from zope.app.publication.zopepublication import ZopePublication
from zope.component import createObject, getUtility
from zope.site.folder import rootFolder

from waeup.kofa.app import University
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tests.spool.faultydisk import FAST, tree_of, write

USER = "anna"


class Portal:
    """A home folder with the database ``Data.fs`` and the data center ``storage``.

    `set_up` brings it back to the beginning; `open` gives a `ZODB.DB` that the caller
    closes.
    """

    def __init__(self, files: dict[str, str]) -> None:
        self.home = tempfile.mkdtemp(dir=FAST)
        self.files = files
        self.storage = os.path.join(self.home, "storage")
        os.mkdir(self.storage)
        getUtility(IDataCenterConfig)["path"] = self.storage
        db = self.open()
        connection = db.open()
        root = connection.root()[ZopePublication.root_name] = rootFolder()
        site = create_application(University, root, "kofa")
        # Rights are checked by operations; the driver only needs somebody who acts.
        site["users"].addUser(createObject("waeup.UserAccount", name=USER, title="Anna"))
        transaction.commit()
        connection.close()
        db.close()
        shutil.copytree(self.home, self.home + ".template")

    def open(self) -> ZODB.DB:
        """Open the database."""
        return ZODB.DB(FileStorage(os.path.join(self.home, "Data.fs")))

    def set_up(self) -> None:
        """Make everything as it was."""
        shutil.rmtree(self.home)
        shutil.copytree(self.home + ".template", self.home)
        for name, text in self.files.items():
            write(os.path.join(self.storage, name), text)

    def tree(self) -> dict[str, bytes | None]:
        """Return the content of the storage without its logs."""
        return {
            name: content
            for name, content in tree_of(self.storage).items()
            if not name.startswith("logs")
        }

    def close(self) -> None:
        """Remove it all."""
        shutil.rmtree(self.home)
        shutil.rmtree(self.home + ".template")
