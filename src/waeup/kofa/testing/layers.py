"""Layers for tests: the components of the package, and fresh directories for each test."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import transaction
from grok.testing import grok
from zope.component import getGlobalSiteManager, provideAdapter, provideHandler, provideUtility
from zope.component.event import objectEventNotify
from zope.container.contained import ContainerSublocations, dispatchToSublocations
from zope.container.interfaces import IReadContainer
from zope.lifecycleevent.interfaces import IObjectMovedEvent
from zope.location.interfaces import ISublocations
from zope.security.testing import addCheckerPublic
from zope.testing.cleanup import cleanUp

from waeup.kofa.interfaces import IDataCenterConfig


@contextmanager
def fresh_directories(config: dict[str, str]) -> Iterator[None]:
    """Work in a new directory, with another new one as `config`'s data center directory.

    Both are made below ``/tmp``, whatever ``TMPDIR`` says: narratives show that name. Both are
    gone at the end, when the former directories are in force again.
    """
    former_path, former_directory = config.get("path"), os.getcwd()
    with (
        TemporaryDirectory(prefix="tmp", dir="/tmp") as work,
        TemporaryDirectory(prefix="tmp", dir="/tmp") as storage,
    ):
        os.chdir(work)
        config["path"] = storage
        try:
            yield
        finally:
            os.chdir(former_directory)
            if former_path is None:
                del config["path"]
            else:
                config["path"] = former_path


@contextmanager
def passing_registrations() -> Iterator[None]:
    """Within this block what is registered globally stays until its end only."""
    manager = getGlobalSiteManager()
    before = set(_registrations(manager))
    try:
        yield
    finally:
        for mark, unregister in _registrations(manager).items():
            if mark not in before:
                unregister()


def _registrations(manager: Any) -> dict[tuple[Any, ...], Callable[[], object]]:
    """Return what tells each registration from others, and what takes it back."""
    found: dict[tuple[Any, ...], Callable[[], object]] = {}
    for one in manager.registeredUtilities():
        found["Utility", one.provided, one.name, id(one.component)] = partial(
            manager.unregisterUtility, one.component, one.provided, one.name
        )
    for what in ("Adapter", "SubscriptionAdapter", "Handler"):
        unregister = getattr(manager, f"unregister{what}")
        for one in getattr(manager, f"registered{what}s")():
            mark: tuple[Any, ...] = (what, one.required, one.provided, one.name, id(one.factory))
            if what == "Handler":
                found[mark] = partial(unregister, one.factory, one.required, one.name)
            else:
                found[mark] = partial(
                    unregister, one.factory, one.required, one.provided, one.name
                )
    return found


class KofaUnitTestLayer:
    """The package's components, without a database.

    Each test has a working directory and a data center directory of its own. The layer has both
    as well, for runners that know `setUp` and `tearDown` only.

    A package of your own is tested in a layer of your own, which has its components, too::

        class Layer(KofaUnitTestLayer):
            packages = ("mammoths",)
    """

    #: Names of further packages that are grokked.
    packages: ClassVar[tuple[str, ...]] = ()

    _config: ClassVar[dict[str, str]]
    # One for each layer that is set up: this one, and those that are made of it.
    _layer_undos: ClassVar[list[ExitStack]] = []
    _test_undos: ClassVar[list[ExitStack]] = []

    @classmethod
    def setUp(cls) -> None:
        """Register the components of the package and an `IDataCenterConfig`."""
        with ExitStack() as undo:
            if not cls._layer_undos:
                cls._register_all(undo)
            undo.enter_context(passing_registrations())
            for package in cls.packages:
                grok(package)
            cls._layer_undos.append(undo.pop_all())

    @staticmethod
    def _register_all(undo: ExitStack) -> None:
        undo.callback(cleanUp)
        cleanUp()
        addCheckerPublic()
        # What happens to objects, and to what they contain, reaches its subscribers.
        provideHandler(objectEventNotify)
        provideHandler(dispatchToSublocations, (None, IObjectMovedEvent))
        provideAdapter(ContainerSublocations, (IReadContainer,), ISublocations)
        grok("waeup.kofa")
        config: dict[str, str] = {}
        KofaUnitTestLayer._config = config
        provideUtility(config, IDataCenterConfig)
        undo.enter_context(fresh_directories(config))

    @classmethod
    def tearDown(cls) -> None:
        """Remove the directories and every registration."""
        cls._layer_undos.pop().close()

    @classmethod
    def testSetUp(cls) -> None:
        """Give the test empty directories."""
        with ExitStack() as undo:
            undo.callback(transaction.abort)
            undo.enter_context(fresh_directories(cls._config))
            cls._test_undos.append(undo.pop_all())

    @classmethod
    def testTearDown(cls) -> None:
        """Remove the directories of the test and abort what it left in the transaction."""
        cls._test_undos.pop().close()
