"""A portal in a database of its own, made once and brought back for each test."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing, nullcontext
from typing import Any

import transaction
import ZODB
from grokcore.site.util import create_application
from zope.app.publication.zopepublication import ZopePublication
from zope.authentication.interfaces import IAuthentication
from zope.component import createObject, getGlobalSiteManager, getUtility
from zope.component.hooks import site as site_set
from zope.security.management import endInteraction, newInteraction
from zope.site.folder import rootFolder

from waeup.kofa.app import University
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs import new_holder, work_off
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.operations import Operations
from waeup.kofa.permissions import Participation
from waeup.kofa.tests.databases import new_place
from waeup.kofa.tests.spool.faultydisk import FAST, tree_of, write

#: Two officers who may do everything.
USER, OTHER = "anna", "bola"
#: The path of the portal.
SITE = "/kofa"
#: When an object was removed, or came back.
_DATE = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00")


class Portal:
    """A home folder with the data center ``storage``, and a database, in a file there or not.

    `set_up` brings it back to the beginning; `open` gives a `ZODB.DB` that the caller
    closes.  `kind` is that of the database; see `waeup.kofa.tests.databases`.
    """

    def __init__(self, files: dict[str, str], kind: str | None = None) -> None:
        self.home = tempfile.mkdtemp(dir=FAST)
        self.place = new_place(kind, self.home)
        self.files = files
        self.storage = os.path.join(self.home, "storage")
        os.mkdir(self.storage)
        getGlobalSiteManager().getUtility(IDataCenterConfig)["path"] = self.storage
        db = self.open()
        connection = db.open()
        root = connection.root()[ZopePublication.root_name] = rootFolder()
        site = create_application(University, root, "kofa")
        for user in (USER, OTHER):
            account = createObject("waeup.UserAccount", name=user, title=user.title())
            account.roles = ["waeup.PortalManager"]
            site["users"].addUser(account)
        transaction.commit()
        connection.close()
        db.close()
        self.keep()

    def keep(self) -> None:
        """Let this be the beginning."""
        template = self.home + ".template"
        shutil.rmtree(template, ignore_errors=True)
        os.mkdir(template)
        shutil.copytree(self.storage, os.path.join(template, "storage"))
        self.place.keep(os.path.join(template, "Data.fs"))

    def open(self) -> ZODB.DB:
        """Open the database."""
        return self.place.open()

    def set_up(self) -> None:
        """Make everything as it was."""
        shutil.rmtree(self.home)
        os.mkdir(self.home)
        template = self.home + ".template"
        shutil.copytree(os.path.join(template, "storage"), self.storage)
        self.place.bring_back(os.path.join(template, "Data.fs"))
        for name, text in self.files.items():
            write(os.path.join(self.storage, name), text)

    def change(self, question: Callable[[Any], Any], db: ZODB.DB | None = None) -> Any:
        """Return what `question` says about the site; what it changes is committed."""
        with closing(self.open()) if db is None else nullcontext(db) as used:

            def work() -> Any:
                with closing(used.open()) as connection:
                    site = connection.root()["Application"]["kofa"]
                    with site_set(site):
                        try:
                            answer = question(site)
                            transaction.commit()
                        finally:
                            transaction.abort()
                    return answer

            return in_own_thread(work)

    def operations(
        self, ask: Callable[[Operations], Any], user: str = USER, db: Any = None
    ) -> Any:
        """Return what `ask` says about the operations of a person; changes are committed."""

        def question(site: Any) -> Any:
            principal = getUtility(IAuthentication).getPrincipal(user)
            newInteraction(Participation(principal))
            try:
                return ask(Operations(site, principal))
            finally:
                endInteraction()

        return self.change(question, db)

    def work_off(self, id: str, db: Any = None) -> None:
        """Work on a run until it is over, as a new process does."""
        with closing(self.open()) if db is None else nullcontext(db) as used:
            in_own_thread(lambda: work_off(used, SITE, id, new_holder()))

    def tree(self) -> dict[str, bytes | None]:
        """Return the content of the storage without its logs; see `undated`."""
        return {
            name: undated(content) if content and name.startswith("deleted/") else content
            for name, content in tree_of(self.storage).items()
            if not name.startswith("logs")
        }

    def close(self) -> None:
        """Remove it all."""
        self.place.close()
        shutil.rmtree(self.home)
        shutil.rmtree(self.home + ".template")


def undated(table: bytes) -> bytes:
    """Return the rows of removed objects without their dates, and in one order.

    What a failure has kept from its table comes there later.
    """
    header, *rows = _DATE.sub(b"(date)", table).splitlines(keepends=True)
    return b"".join((header, *sorted(rows)))
