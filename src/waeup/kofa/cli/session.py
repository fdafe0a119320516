"""Opens a portal for one command: components, database, site, and the person who acts.

This is the edge at which a command's transaction begins and ends.  Where a portal runs, it has
the database, and carries out what the command asks for.
"""

import gc
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from waeup.kofa.cli.instance import Instance
from waeup.kofa.cli.settings import Settings
from waeup.kofa.errors import DatabaseHeld, Fault, NoSuchItem, Refused, TooLarge

if TYPE_CHECKING:
    from ZODB.DB import DB

    from waeup.kofa.api.remote import Remote
    from waeup.kofa.operations import Operations
    from waeup.kofa.tabular import Limits

#: Name of the portal in the root folder, and thus first part of its paths.
SITE_NAME = "kofa"
#: Account that the first start makes.
ADMINISTRATOR = "admin"
#: Seconds in which whoever holds the database may end, or begin to take commands.
PATIENCE = 2
#: Seconds in which a portal answers what can be read without it, too.
READING_PATIENCE = 10


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
        xmlconfig.file("configure.zcml", waeup.kofa)
        zope.component.hooks.setHooks()
        collect_less()


def collect_less() -> None:
    """Let Python look less often for rubbish, and never in what is there by now.

    What is there stays.  Looking through it again and again, and after every 700 new objects,
    takes a tenth of the time of an import.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


class Figures(NamedTuple):
    """What the operator allows, as the start of the portal says it.

    `upload_limit` counts bytes of an upload, `limits` are those of a table.  The others are those
    of `IDataCenterConfig`.
    """

    upload_limit: int
    limits: "Limits"
    undo_days: int
    remove_share: float
    change_share: float
    mail_from: str | None = None
    export_hours: float = 24.0
    storage_roots: tuple[str, ...] = ()

    def keep(self, path: Path) -> None:
        """Write them to a file, for the commands that work without a portal."""
        new = path.with_name(f"{path.name}.new")
        with new.open("w", encoding="ascii") as stream:
            json.dump({**self._asdict(), "limits": self.limits._asdict()}, stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)


def configure(instance: Instance, figures: Figures | None = None) -> None:
    """Say where a new data center keeps its files, and what is allowed.

    Without `figures` those of the last start count, if there was one.  Raises `Refused` when what
    that has written cannot be read.
    """
    from zope.component import provideUtility

    from waeup.kofa.cli.mail import queue_messages
    from waeup.kofa.interfaces import IDataCenterConfig

    config = {
        "path": str(instance.storage),
        "log_folder": str(instance.log),
        "backup_stamp": str(instance.backup_stamp),
    }
    try:
        more = _kept(instance.figures) if figures is None else figures._asdict()
    except FileNotFoundError:
        more = {}
    provideUtility({**config, **more}, IDataCenterConfig)
    if more.get("mail_from"):
        queue_messages(instance.mail)


def _kept(path: Path) -> dict[str, Any]:
    """Return the figures that a start of the portal has written."""
    from waeup.kofa.tabular import Limits

    try:
        kept = json.loads(path.read_text())
        return Figures(**{**kept, "limits": Limits(**kept["limits"])})._asdict()
    except (ValueError, TypeError, LookupError) as error:
        raise Refused(
            f"{path} cannot be understood: {error}. Remove it; the next `kofactl run` makes it."
        )


def make_site(database: "DB", instance: Instance) -> str | None:
    """Make the portal and its administrator in one transaction, unless there is a portal.

    Returns the administrator's password, which is kept nowhere else; None when nothing was made.
    Raises `InvalidStoragePath` when there is a portal and its storage has gone.
    """
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

    Raises `NoSuchItem` for a missing instance, portal or account, `NotAllowed` for a suspended
    account, `InvalidStoragePath` when the storage has gone, and `DatabaseHeld`.
    """
    from waeup.kofa.api.remote import Remote

    instance = Instance(settings.var)
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

    load_configuration()
    configure(instance)
    with _root_folder(database) as root:
        if SITE_NAME not in root:
            raise NoSuchItem(
                f"The portal in {instance.var} was not completed. "
                "Start it once with `kofactl run`."
            )
        site = root[SITE_NAME]
        if storage_required:
            require_storage(site)
        with site_set(site), acting(site, user) as operations:
            yield operations
            if write:
                transaction.get().note(f"kofactl, {user}")
                transaction.commit()


def _open(instance: Instance, write: bool, asks: bool, stack: ExitStack) -> "DB | None":
    """Return the database, None when a portal is to be asked that runs and takes commands.

    One that is to be changed, and is held by a portal that is just being started or by another
    command, is waited for a little.  Raises `DatabaseHeld`.
    """
    from waeup.kofa.api.remote import answers

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


@contextmanager
def log_to(instance: Instance, name: str) -> Iterator[None]:
    """Write what libraries log to a file in the instance's log folder, not to the terminal."""
    instance.log.mkdir(exist_ok=True)
    handler = logging.FileHandler(instance.log / name, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
