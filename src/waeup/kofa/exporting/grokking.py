"""Registers an exporter for each processor that needs none, and looks at the names of hooks."""

from typing import Any

import martian
from zope.component import provideUtility, queryUtility

from waeup.kofa.exporting.base import ExporterBase
from waeup.kofa.exporting.kind import ContainerExporter, KindExporter
from waeup.kofa.importing.hooknames import warn_of_misspelt_hooks
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.processor import BatchProcessor
from waeup.kofa.interfaces import ICSVExporter


class ContainerExporterGrokker(martian.ClassGrokker):
    """Gives a kind that has a container an exporter, called like the container.

    An exporter of that name that a site declares itself takes its place, whichever comes first.
    """

    martian.component(ContainerProcessor)

    def execute(self, factory: Any, config: Any, **kw: Any) -> bool:
        """Let the exporter be registered; see `martian.interfaces.IComponentGrokker`."""
        name = factory.container.rpartition("/")[2]
        if not name:
            return False
        config.action(
            discriminator=("exporter of a container", name, factory.util_name),
            callable=_register,
            args=(factory, name),
        )
        return True


class ProcessorNamesGrokker(martian.ClassGrokker):
    """Warns of hooks of a processor whose names are misspelt."""

    martian.component(BatchProcessor)

    def execute(self, factory: Any, config: Any, **kw: Any) -> bool:
        """Look at a class; see `martian.interfaces.IComponentGrokker`."""
        return _look_at(factory, ContainerProcessor, BatchProcessor)


class ExporterNamesGrokker(martian.ClassGrokker):
    """Warns of hooks of an exporter whose names are misspelt."""

    martian.component(ExporterBase)

    def execute(self, factory: Any, config: Any, **kw: Any) -> bool:
        """Look at a class; see `martian.interfaces.IComponentGrokker`."""
        return _look_at(factory, KindExporter, ExporterBase)


def _look_at(factory: type, *bases: type) -> bool:
    """Look at a class by the first of `bases` that it has."""
    base = next(base for base in bases if issubclass(factory, base))
    warn_of_misspelt_hooks(factory, base)
    return True


def _register(factory: type[ContainerProcessor], name: str) -> None:
    if queryUtility(ICSVExporter, name=name) is None:
        provideUtility(ContainerExporter(factory), ICSVExporter, name)
