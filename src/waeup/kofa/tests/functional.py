"""The layer and the base class of tests that go through the portal's web door."""

import doctest
import unittest
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import transaction
import zope.testbrowser.wsgi
from grokcore.site.util import create_application
from webtest.forms import Upload
from ZODB.interfaces import IDatabase
from zope.app.publication.zopepublication import ZopePublication
from zope.app.wsgi.testlayer import BrowserLayer
from zope.component import getGlobalSiteManager, provideUtility
from zope.component.hooks import setSite
from zope.component.hooks import site as site_set
from zope.component.testlayer import ZCMLFileLayer
from zope.configuration import xmlconfig
from zope.event import notify
from zope.interface import directlyProvides
from zope.processlifetime import DatabaseOpened
from zope.publisher.browser import TestRequest
from zope.site.folder import Folder
from zope.site.interfaces import IRootFolder
from zope.site.site import LocalSiteManager
from zope.testbrowser.cookies import Cookies
from zope.testbrowser.wsgi import Browser

import waeup.kofa
from waeup.kofa import authentication
from waeup.kofa.app import University
from waeup.kofa.conversion.secret import hash_password
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs import new_holder, work_off
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.doorbells import active_ids
from waeup.kofa.operations import Operations, RunInfo
from waeup.kofa.testing.layers import fresh_directories, passing_registrations
from waeup.kofa.testing.narratives import OPTION_FLAGS
from waeup.kofa.tests.databases import Place, new_place
from waeup.kofa.users.account import UserAccount

#: Groks a package with all that Grok knows.
_GROK = """
<configure xmlns="http://namespaces.zope.org/grok">
  <include xmlns="http://namespaces.zope.org/zope" package="grok" file="meta.zcml" />
  <grok package="{package}" />
</configure>
"""


class _Root(Folder):
    """The root of a test's database.

    A test in the manner of Kofa 1.9 puts a portal of its own into it: that takes the place of the
    layer's.
    """

    def __setitem__(self, name: str, obj: Any) -> None:
        if name in self and isinstance(obj, University):
            # A portal that is nowhere knows no subscribers.
            setSite()
            del self[name]
        super().__setitem__(name, obj)


class _Browser(Browser):
    """Does not parse a form once more to find its controls.

    zope.testbrowser 8.0 does, because WebTest took their names away; WebTest 3.0.7 leaves what it
    has parsed as it was.
    """

    def _indexControls(self, form: Any) -> Any:
        return form.html.find_all(("input", "select", "textarea", "button"))


class _BrowserLayer(BrowserLayer):
    """Serves a database of the kind that is asked for; see `waeup.kofa.tests.databases`."""

    _place: Place

    connection: Any = None
    db: Any = None

    def setUp(self) -> None:
        """Load the configuration, and find a place for databases."""
        # `ZODBLayer` would make a database of its own kind.
        ZCMLFileLayer.setUp(self)
        self._place = new_place()

    def testSetUp(self) -> None:
        """Make an empty database."""
        ZCMLFileLayer.testSetUp(self)
        self._place.clear()
        self.db = self._place.open()
        with self.db.transaction() as connection:
            root = connection.root()[ZopePublication.root_name] = _Root()
            directlyProvides(root, IRootFolder)
            root.setSiteManager(LocalSiteManager(root))
        provideUtility(self.db, IDatabase, self.db_name)
        notify(DatabaseOpened(self.db))

    def testTearDown(self) -> None:
        """Close the database."""
        if self.connection is not None:
            transaction.abort()
            self.connection.close()
            self.connection = None
        getGlobalSiteManager().unregisterUtility(self.db, IDatabase, self.db_name)
        self.db.close()
        self.db = None
        ZCMLFileLayer.testTearDown(self)

    def tearDown(self) -> None:
        """Give the place back."""
        self._place.close()
        super().tearDown()


class FunctionalLayer:
    """A portal called ``app`` with a database, served in the process.

    Each test finds it new, with a data center directory of its own. ``zope.mgr`` (basic
    authentication ``mgr:mgrpw``) may do everything there. ``KOFA_TEST_DATABASE`` says in which
    database (`waeup.kofa.tests.databases`).
    """

    #: Names of further packages that are grokked.
    packages: ClassVar[tuple[str, ...]] = ()

    _config: dict[str, str]
    _layer: Any
    # One for each layer that is set up: this one, and those that are made of it.
    _layer_undos: ClassVar[list[ExitStack]] = []
    _test_undos: ClassVar[list[ExitStack]] = []

    @classmethod
    def setUp(cls) -> None:
        """Load the package's configuration for functional tests."""
        with ExitStack() as undo:
            if not cls._layer_undos:
                cls._load(undo)
            undo.enter_context(passing_registrations())
            for package in cls.packages:
                xmlconfig.string(_GROK.format(package=package))
            cls._layer_undos.append(undo.pop_all())

    @staticmethod
    def _load(undo: ExitStack) -> None:
        FunctionalLayer._config = {}
        FunctionalLayer._layer = _BrowserLayer(waeup.kofa, "ftesting.zcml", allowTearDown=True)
        FunctionalLayer._layer.setUp()
        undo.callback(FunctionalLayer._layer.tearDown)
        provideUtility(FunctionalLayer._config, IDataCenterConfig)

    @classmethod
    def tearDown(cls) -> None:
        """Remove every registration."""
        cls._layer_undos.pop().close()

    @classmethod
    def testSetUp(cls) -> None:
        """Make the portal."""
        with ExitStack() as undo:
            if not cls._test_undos:
                cls._make_portal(undo)
            cls._test_undos.append(undo.pop_all())

    @classmethod
    def _make_portal(cls, undo: ExitStack) -> None:
        undo.enter_context(fresh_directories(cls._config))
        cls._layer.testSetUp()
        undo.callback(cls._layer.testTearDown)
        create_application(University, cls.getRootFolder(), "app")
        transaction.commit()
        setSite(cls.getRootFolder()["app"])
        undo.callback(setSite)
        # Where a `Browser` that is told of no application finds it.
        zope.testbrowser.wsgi._APP_UNDER_TEST = cls._layer.make_wsgi_app()
        undo.callback(setattr, zope.testbrowser.wsgi, "_APP_UNDER_TEST", None)

    @classmethod
    def testTearDown(cls) -> None:
        """Forget the database and the directories of the test."""
        cls._test_undos.pop().close()

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
        browser = _Browser(wsgi_app=cls._layer.make_wsgi_app())
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
        return cls.browser_of(name)

    @classmethod
    def browser_of(cls, name: str) -> Browser:
        """Return a browser in which an account of `add_user` has logged in.

        It shows nothing yet. Pages would take most of the time of many tests.
        """
        browser = cls.browser()
        for cookie, value in cls.new_session(name).items():
            Cookies(browser.testapp, "http://localhost/app")[cookie] = value
        return browser

    @classmethod
    def new_session(cls, name: str) -> dict[str, str]:
        """Log in an account of `add_user` as the log-in page does; return the browser's cookie."""
        request = TestRequest()
        # A request that was answered in this thread has left no site.
        with site_set(cls.getRootFolder()["app"]):
            assert authentication.log_in(request, name, f"pw of {name}")
            transaction.commit()
        cookies = request.response._cookies.items()
        return {cookie: sent["value"] for cookie, sent in cookies}

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

    def getRootFolder(self) -> Any:
        """Return the root of the test's database."""
        return FunctionalLayer.getRootFolder()

    def assertMatches(self, want: str, got: str) -> None:
        """Fail unless `got` is what an example of a narrative wants, with ``...`` and the like."""
        example = doctest.Example("", want)
        checker = doctest.OutputChecker()
        if not checker.check_output(example.want, got + "\n", OPTION_FLAGS):
            self.fail(checker.output_difference(example, got + "\n", OPTION_FLAGS))

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
