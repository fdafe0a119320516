"""Caves, and what contains them."""

import grok
from zope.interface import implementer

from waeup.kofa.tests.compatibility.caves.interfaces import ICave, ICavesContainer
from waeup.kofa.utils.helpers import FactoryBase, attrs_to_fields
from waeup.kofa.utils.logger import Logger


@implementer(ICavesContainer)
class CavesContainer(grok.Container, Logger):
    """Contains caves, and logs into a file of its own."""

    grok.provides(ICavesContainer)

    logger_name = "waeup.kofa.${sitename}.caves"
    logger_filename = "caves.log"

    def addCave(self, cave):
        if not ICave.providedBy(cave):
            raise TypeError("CavesContainers contain only ICave instances")
        self[cave.code] = cave


@implementer(ICave)
class Cave(grok.Container):
    """A cave."""

    grok.provides(ICave)


attrs_to_fields(Cave)


class CaveFactory(FactoryBase):
    """Makes caves."""

    grok.name("waeup.Cave")
    factory = Cave
    title = "Create a new cave."
