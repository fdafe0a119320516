"""Opens a portal for one command: components, database, site, and the person who acts.

This is the edge at which a command's transaction begins and ends.
"""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from waeup.kofa.cli.instance import Instance
from waeup.kofa.cli.settings import Settings
from waeup.kofa.errors import InvalidStoragePath, NoSuchItem, NotAllowed

if TYPE_CHECKING:
    from ZODB.DB import DB

    from waeup.kofa.operations import Operations
    from waeup.kofa.tabular import Limits

#: Name of the portal in the root folder, and thus first part of its paths.
SITE_NAME = "kofa"
#: Account that the first start makes.
ADMINISTRATOR = "admin"
# Without the characters that are mistaken for each other when a password is read from paper.
_PASSWORD_CHARACTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # noqa: S105  (no password itself)


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


def configure(instance: Instance, upload_limit: int, limits: "Limits") -> None:
    """Say where a new data center keeps its files, and what a file may have.

    `upload_limit` counts bytes of an upload, `limits` are those of a table.
    """
    from zope.component import provideUtility

    from waeup.kofa.interfaces import IDataCenterConfig

    config = {"path": str(instance.storage), "upload_limit": upload_limit, "limits": limits}
    provideUtility(config, IDataCenterConfig)


def new_password() -> str:
    """Return a random password of 16 readable characters in groups (79 bits)."""
    groups = ("".join(secrets.choice(_PASSWORD_CHARACTERS) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def make_site(database: "DB", instance: Instance) -> str | None:
    """Make the portal and its administrator in one transaction, unless there is a portal.

    Returns the administrator's password, which is kept nowhere else; None when nothing was made.
    Raises `InvalidStoragePath` when there is a portal and its storage has gone.
    """
    import transaction
    from grokcore.site.util import create_application
    from zope.component.hooks import site as site_set

    from waeup.kofa.app import University
    from waeup.kofa.users.account import UserAccount

    with _root_folder(database) as root:
        if SITE_NAME in root:
            _require_storage(root[SITE_NAME])
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
    settings: Settings, *, write: bool = False, storage_required: bool = True
) -> Iterator["Operations"]:
    """Give a command the operations of the portal, with the rights of ``--user``.

    With `write` the database is opened for this process alone, and what the block did is
    committed at its end; otherwise it is read beside whoever writes, and changes are dropped.
    An error takes everything back that was not committed by an operation itself.

    Raises `NoSuchItem` for a missing instance, portal or account, `NotAllowed` for a suspended
    account, `InvalidStoragePath` when the storage has gone, and `DatabaseHeld`.
    """
    import transaction
    from zope.component.hooks import site as site_set

    instance = Instance(settings.var)
    instance.require()
    with log_to(instance, "kofactl.log"), instance.database(write=write) as database:
        load_configuration()
        with _root_folder(database) as root:
            if SITE_NAME not in root:
                raise NoSuchItem(
                    f"The portal in {instance.var} was not completed. "
                    "Start it once with `kofactl run`."
                )
            site = root[SITE_NAME]
            if storage_required:
                _require_storage(site)
            with site_set(site), _acting(site, settings.user) as operations:
                yield operations
                if write:
                    transaction.get().note(f"kofactl, {settings.user}")
                    transaction.commit()


def _require_storage(site: Any) -> None:
    """Raise `InvalidStoragePath` when the data center's files cannot be reached.

    A disk that is not mounted must not look like a data center without files.
    """
    path = site["datacenter"].storage
    if not os.path.isdir(path):
        raise InvalidStoragePath(
            f"The data center keeps its files in {path}, and there is no such folder. "
            "Mount or restore it and repeat the command, or name another folder with "
            "`kofactl storage PATH`."
        )
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise InvalidStoragePath(
            f"The data center keeps its files in {path}, which you may not write to. "
            "Correct its rights, or run kofactl as its owner."
        )


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
def _acting(site: Any, user: str) -> Iterator["Operations"]:
    """Give the operations of `site` to the account `user`, in an interaction of its own."""
    from zope.authentication.interfaces import IAuthentication, PrincipalLookupError
    from zope.component import getUtility
    from zope.security.management import endInteraction, newInteraction

    from waeup.kofa.jobs import Participation
    from waeup.kofa.operations import Operations

    try:
        principal = getUtility(IAuthentication, context=site).getPrincipal(user)
    except PrincipalLookupError:
        raise NoSuchItem(
            f"There is no account {user!r} in this portal. Name another one with --user; "
            "`kofactl users` lists them."
        )
    account = site["users"].get(user)
    if account is not None and account.suspended:
        raise NotAllowed(f"The account {user!r} is suspended. Name another one with --user.")
    newInteraction(Participation(principal))
    try:
        yield Operations(site, principal)
    finally:
        endInteraction()


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
