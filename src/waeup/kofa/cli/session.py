"""Opens a portal for one command: components, database, site, and the person who acts.

This is the edge at which a command's transaction begins and ends.  Where a portal runs, it has
the database, and carries out what the command asks for.
"""

import gc
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from waeup.kofa.cli.instance import Instance
from waeup.kofa.cli.settings import Settings
from waeup.kofa.deployment.figures import Figures
from waeup.kofa.errors import DatabaseHeld, Fault, InvalidStoragePath, NoSuchItem, TooLarge

if TYPE_CHECKING:
    from ZODB.DB import DB

    from waeup.kofa.api.remote import Remote
    from waeup.kofa.operations import Operations

#: Name of the portal in the root folder, and thus first part of its paths.
SITE_NAME = "kofa"
#: Account that the first start makes.
ADMINISTRATOR = "admin"
#: Seconds in which whoever holds the database may end, or begin to take commands.
PATIENCE = 2
#: Seconds in which a portal answers what can be read without it, too.
READING_PATIENCE = 10

#: What ZCML knows of the components that were loaded.
_loaded: list[Any] = []


def load_configuration() -> None:
    """Register the components of the portal, once in a process.

    Local utilities are found from then on: the site that is set counts.
    """
    import zope.component
    import zope.component.hooks
    from zope.configuration import xmlconfig
    from zope.security.interfaces import IPermission

    import waeup.kofa

    if zope.component.queryUtility(IPermission, "waeup.manageDataCenter") is None:
        _loaded.append(xmlconfig.file("configure.zcml", waeup.kofa))
        zope.component.hooks.setHooks()
        collect_less()


def load_site(packages: Iterable[str]) -> None:
    """Register the components of the portal, and then those of packages, once in a process.

    Raises `Refused` for a package that cannot be loaded.
    """
    from waeup.kofa.deployment.packages import load_packages

    load_configuration()
    load_packages(packages, _loaded[-1] if _loaded else None)


def collect_less() -> None:
    """Let Python look less often for rubbish, and never in what is there by now.

    What is there stays.  Looking through it again and again, and after every 700 new objects,
    takes a tenth of the time of an import.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def configure(instance: Instance, figures: Figures | None = None) -> None:
    """Say where a new data center keeps its files, and what is allowed; load packages of the site.

    Behind `load_configuration`.  Without `figures` those of the last start count, if there was one
    of a portal with a database of its own, otherwise those of the configuration.  Raises `Refused`
    when what such a start has written cannot be read, and for a package that cannot be loaded.
    """
    from zope.component import provideUtility

    from waeup.kofa.cli.mail import queue_messages
    from waeup.kofa.interfaces import IDataCenterConfig

    load_site(instance.configuration.packages)
    if figures is None:
        figures = None if instance.is_shared else Figures.kept(instance.figures)
    figures = figures or instance.configuration.figures
    config = {
        "path": str(instance.storage),
        "log_folder": str(instance.log),
        "backup_stamp": str(instance.backup_stamp),
        **figures.config(),
    }
    provideUtility(config, IDataCenterConfig)
    if figures.mail_from:
        queue_messages(instance.mail)


def make_site(database: "DB", instance: Instance) -> str | None:
    """Make the portal and its administrator in one transaction, unless there is a portal.

    Several processes may do it at the same time: one of them makes it.  Returns the
    administrator's password, which is kept nowhere else; None when nothing was made.  Raises
    `InvalidStoragePath` when there is a portal and its storage has gone, or when the place of the
    files of a new one is not there.
    """
    import transaction
    from transaction.interfaces import TransientError

    while True:
        try:
            _bootstrap(database)
            return _make_site(database, instance)
        except TransientError:
            # Whoever was quicker has made what is missing.
            transaction.abort()
            time.sleep(random.uniform(0.05, 0.2))  # noqa: S311  (no secret)


def _bootstrap(database: "DB") -> None:
    """Tell the components that the database is open; they make a missing root folder.

    With it comes a reporter that would log a traceback for each address where nothing is; from
    here on only the pages of `waeup.kofa.browser.errors` decide what is logged.
    """
    import transaction
    from zope.app.publication.zopepublication import ZopePublication
    from zope.error.interfaces import IErrorReportingUtility
    from zope.event import notify
    from zope.processlifetime import DatabaseOpened

    notify(DatabaseOpened(database))
    transaction.begin()
    connection = database.open()
    try:
        site_manager = connection.root()[ZopePublication.root_name].getSiteManager()
        reporter = site_manager.queryUtility(IErrorReportingUtility)
        if reporter is not None and reporter.copy_to_zlog:
            reporter.setProperties(keep_entries=1, copy_to_zlog=False)
            transaction.commit()
    finally:
        transaction.abort()
        connection.close()


def _make_site(database: "DB", instance: Instance) -> str | None:
    """Make the portal; see `make_site`."""
    import transaction
    from grokcore.site.util import create_application
    from zope.component.hooks import site as site_set

    from waeup.kofa.api.acting import require_storage
    from waeup.kofa.app import University
    from waeup.kofa.operations.passwords import new_password
    from waeup.kofa.users.account import UserAccount

    with _root_folder(database) as root:
        if SITE_NAME in root:
            require_storage(root[SITE_NAME])
            return None
        if instance.is_shared:
            _make_storage(instance)
        password = new_password()
        portal = create_application(University, root, SITE_NAME)
        with site_set(portal):
            account = UserAccount(
                name=ADMINISTRATOR, title="Administrator", roles=["waeup.PortalManager"]
            )
            account.setPassword(password)
            portal["users"].addUser(account)
        transaction.get().note("kofactl run: new portal")
        transaction.commit()
    return password


def _make_storage(instance: Instance) -> None:
    """Make the folder of the files of a new portal, in one that is there."""
    try:
        instance.storage.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InvalidStoragePath(
            f"The folder of the files {instance.storage} cannot be made: {error.strerror}. Mount "
            "what it is on, or name another path in <files>."
        )


def is_portal_there(database: "DB") -> bool:
    """Tell whether somebody has made the portal in a database."""
    with _root_folder(database) as root:
        return SITE_NAME in root


@contextmanager
def session(
    settings: Settings,
    *,
    write: bool = False,
    asks: bool = False,
    storage_required: bool = True,
) -> Iterator["Operations"]:
    """Give a command the operations of the portal, with the rights of ``--user``.

    With `write` a portal that runs carries out what is asked for, and each call is committed when
    it returns; the components are there, but no site.  When none runs, the database is opened for
    this process alone, and what the block did is committed at its end.  Without `write` it is
    read beside whoever writes, and changes are dropped.  An error takes everything back that was
    not committed.

    With `asks` a portal that runs is asked also by a command that only reads: it answers at once
    what takes a process of its own half a second to load, but what the block shows must be in the
    answers, and there are no components.  Where it does not answer, the database is read.

    A portal elsewhere (``--url``) is always asked, as its token allows, and has committed each
    call that returns; there are no components.

    Raises `NoSuchItem` for a missing instance, portal or account, `NotAllowed` for a suspended
    account, `InvalidStoragePath` when the storage has gone, and `DatabaseHeld`.
    """
    if settings.is_elsewhere:
        from waeup.kofa.cli.elsewhere import connected

        with connected(settings) as client:
            yield cast("Operations", client)
        return
    from waeup.kofa.api.remote import Remote

    instance = settings.instance()
    instance.require()
    with ExitStack() as stack:
        stack.enter_context(log_to(instance, "kofactl.log"))

        def own(database: "DB") -> "Operations":
            return stack.enter_context(
                _acting(database, instance, settings.user, write, storage_required)
            )

        database = _open(instance, write, write or asks, stack)
        if database is not None:
            yield own(database)
            return
        remote = Remote(
            instance.socket,
            settings.user,
            storage_required=storage_required,
            patience=None if write else READING_PATIENCE,
        )
        if write:
            load_configuration()
            yield cast("Operations", remote)
        else:
            reading = _Reading(
                remote, lambda: own(stack.enter_context(instance.database(write=False)))
            )
            yield cast("Operations", reading)


class _Reading:
    """The operations of a portal that runs, as long as it can answer; then those of `own`.

    A portal that hangs, is of another release, or has a fault, is not needed for reading, nor is
    one whose answers are too large to be sent.
    """

    def __init__(self, remote: "Remote", own: Callable[[], "Operations"]) -> None:
        self._operations: Any = remote
        self._own: Callable[[], Operations] | None = own

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, name)

    def _call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        if self._own is not None:
            try:
                return getattr(self._operations, operation)(*args, **kwargs)
            except (Fault, TooLarge):
                self._operations, self._own = self._own(), None
        return getattr(self._operations, operation)(*args, **kwargs)


@contextmanager
def _acting(
    database: "DB", instance: Instance, user: str, write: bool, storage_required: bool
) -> Iterator["Operations"]:
    """Give the operations of the portal in a database that is open; see `session`."""
    import transaction
    from zope.component.hooks import site as site_set

    from waeup.kofa.api.acting import acting, require_storage
    from waeup.kofa.jobs.recovery import committed_upgrade, upgrade

    load_configuration()
    configure(instance)
    with ExitStack() as stack:
        if write and instance.is_shared:
            from waeup.kofa import claims

            stack.enter_context(claims.install(database, f"/{SITE_NAME}", "command"))
        root = stack.enter_context(_root_folder(database))
        if SITE_NAME not in root:
            raise NoSuchItem(
                f"The portal in {instance.var} was not completed. "
                "Start it once with `kofactl run`."
            )
        site = root[SITE_NAME]
        if storage_required:
            require_storage(site)
        with site_set(site):
            # Nobody may have started the portal of a former release yet.
            (committed_upgrade if write else upgrade)(site)
            with acting(site, user) as operations:
                yield operations
            if write:
                transaction.get().note(f"kofactl, {user}")
                transaction.commit()


def _open(instance: Instance, write: bool, asks: bool, stack: ExitStack) -> "DB | None":
    """Return the database, None when a portal is to be asked that runs and takes commands.

    One that is shared is always opened.
    One that is to be changed, and is held by a portal that is just being started or by another
    command, is waited for a little.  Raises `DatabaseHeld`.
    """
    from waeup.kofa.api.remote import answers

    if instance.is_shared:
        return stack.enter_context(instance.database(write=write, make=False))
    until = time.monotonic() + PATIENCE
    patience = None if write else READING_PATIENCE
    while not (asks and answers(instance.socket, patience)):
        try:
            return stack.enter_context(instance.database(write=write))
        except DatabaseHeld:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    return None


@contextmanager
def _root_folder(database: "DB") -> Iterator[Any]:
    """Give the root folder (in an empty database {}) in a transaction, which ends in an abort."""
    import transaction
    from zope.app.publication.zopepublication import ZopePublication

    transaction.begin()
    connection = database.open()
    try:
        yield connection.root().get(ZopePublication.root_name, {})
    finally:
        transaction.abort()
        connection.close()


class _Log(logging.FileHandler):
    """A log file.  What a full disk has no room for is lost, and ends no command."""

    def handleError(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`, which would tell the terminal with a traceback."""

    def close(self) -> None:
        """See `logging.Handler`."""
        with suppress(OSError):
            super().close()


@contextmanager
def log_to(instance: Instance, name: str) -> Iterator[None]:
    """Write what libraries log to a file in the instance's log folder, not to the terminal."""
    instance.log.mkdir(exist_ok=True)
    handler = _Log(instance.log / name, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
