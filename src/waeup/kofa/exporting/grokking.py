"""Registers an exporter for each processor that needs none of its own."""

from typing import Any

import martian
from zope.component import provideUtility, queryUtility

from waeup.kofa.exporting.kind import ContainerExporter
from waeup.kofa.importing.kind import ContainerProcessor
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


def _register(factory: type[ContainerProcessor], name: str) -> None:
    if queryUtility(ICSVExporter, name=name) is None:
        provideUtility(ContainerExporter(factory), ICSVExporter, name)
