"""The layer and the base class of tests that go through the portal's web door."""

import unittest
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import transaction
from grokcore.site.util import create_application
from webtest.forms import Upload
from zope.app.wsgi.testlayer import BrowserLayer
from zope.component import provideUtility
from zope.component.hooks import setSite
from zope.testbrowser.wsgi import Browser

import waeup.kofa
from waeup.kofa.app import University
from waeup.kofa.conversion.secret import hash_password
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs import new_holder, work_off
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.doorbells import active_ids
from waeup.kofa.operations import Operations, RunInfo
from waeup.kofa.testing import fresh_directories
from waeup.kofa.users.account import UserAccount


class FunctionalLayer:
    """A portal called ``app`` with a database, served in the process.

    Each test finds it new, with a data center directory of its own. ``zope.mgr`` (basic
    authentication ``mgr:mgrpw``) may do everything there.
    """

    _config: dict[str, str]
    _layer: Any
    _test_undo: ExitStack

    @classmethod
    def setUp(cls) -> None:
        """Load the package's configuration for functional tests."""
        cls._config = {}
        cls._layer = BrowserLayer(waeup.kofa, "ftesting.zcml", allowTearDown=True)
        cls._layer.setUp()
        provideUtility(cls._config, IDataCenterConfig)

    @classmethod
    def tearDown(cls) -> None:
        """Remove every registration."""
        cls._layer.tearDown()

    @classmethod
    def testSetUp(cls) -> None:
        """Make the portal."""
        with ExitStack() as undo:
            undo.enter_context(fresh_directories(cls._config))
            cls._layer.testSetUp()
            undo.callback(cls._layer.testTearDown)
            create_application(University, cls.getRootFolder(), "app")
            transaction.commit()
            setSite(cls.getRootFolder()["app"])
            undo.callback(setSite)
            cls._test_undo = undo.pop_all()

    @classmethod
    def testTearDown(cls) -> None:
        """Forget the database and the directories of the test."""
        cls._test_undo.close()

    @classmethod
    def getRootFolder(cls) -> Any:
        """Return the root of the test's database."""
        return cls._layer.getRootFolder()

    @classmethod
    def database(cls) -> Any:
        """Return the database of the test."""
        return cls._layer.db

    @classmethod
    def browser(cls, url: str | None = None) -> Browser:
        """Return a browser that shows pages of refusal instead of raising an exception."""
        browser = Browser(wsgi_app=cls._layer.make_wsgi_app())
        browser.raiseHttpErrors = False
        if url is not None:
            browser.open(url)
        return browser

    @classmethod
    def add_user(cls, name: str, *roles: str, suspended: bool = False) -> Any:
        """Make an account whose password is ``pw of <name>``, and return it."""
        account = UserAccount(name, title=name.title(), roles=roles)
        # The cheapest hash: tests are not attacked.
        account.password = hash_password(f"pw of {name}", rounds=4)
        account.suspended = suspended
        cls.getRootFolder()["app"]["users"].addUser(account)
        transaction.commit()
        return account

    @classmethod
    def log_in(cls, name: str, *roles: str) -> Browser:
        """Make an account with `roles`, and return a browser in which it has logged in."""
        cls.add_user(name, *roles)
        browser = cls.browser("http://localhost/app/login")
        fill_in_login(browser, name, f"pw of {name}")
        return browser

    @classmethod
    def work_off_runs(cls) -> None:
        """Work on all runs that were ordered, as the portal's workers do, until they are over."""
        database = cls.database()

        def work() -> None:
            for id in active_ids(database, "/app"):
                work_off(database, "/app", id, new_holder())

        in_own_thread(work)
        transaction.begin()


def fill_in_login(browser: Browser, name: str, password: str) -> None:
    """Fill in and send the log-in form that `browser` shows."""
    browser.getControl("User name").value = name
    browser.getControl("Password").value = password
    browser.getControl("Log in").click()


def upload(browser: Browser, *files: tuple[str, bytes], replace: bool = False) -> None:
    """Send `files`, pairs of name and content, by the upload page."""
    browser.open("http://localhost/app/datacenter/upload")
    control = browser.getControl(name="uploadfile")
    # `add_file` of zope.testbrowser 8.1 knows no field for several files.
    control._form[control.name] = [Upload(name, content, "text/csv") for name, content in files]
    browser.getControl("Replace pending files").selected = replace
    browser.getControl(name="SUBMIT").click()


def import_file(operations: Operations, *args: Any, **kw: Any) -> RunInfo:
    """Order an import, and work on it until it is over; return the run."""
    id = operations.start_import(*args, **kw).id
    transaction.commit()
    database = FunctionalLayer.database()
    in_own_thread(lambda: work_off(database, "/app", id, new_holder()))
    transaction.begin()
    return operations.run(id)


class FunctionalTestCase(unittest.TestCase):
    """A test in the portal of `FunctionalLayer`."""

    layer = FunctionalLayer

    @property
    def site(self) -> Any:
        """The portal."""
        return FunctionalLayer.getRootFolder()["app"]

    @property
    def storage(self) -> Path:
        """The folder of the data center."""
        return Path(self.site["datacenter"].storage)

    def store(self, name: str, content: str = "code,title\nA1,Arts\n") -> None:
        """Put a pending file into the data center."""
        (self.storage / name).write_text(content, encoding="utf-8")

    def log_in(self, *roles: str, name: str = "officer") -> Browser:
        """Return a browser in which a new account with `roles` has logged in."""
        return FunctionalLayer.log_in(name, *roles)
