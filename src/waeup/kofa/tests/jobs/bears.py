"""Kinds of bears, with parts wherever parts can be."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import grok
from persistent.list import PersistentList
from zope import interface, schema
from zope.component import getGlobalSiteManager

from waeup.kofa.exporting.kind import ContainerExporter
from waeup.kofa.importing.filerules import UniqueTogether
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.parts import Part
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter


class IBear(interface.Interface):
    """A bear."""

    code = schema.TextLine(title="Code")
    weight = schema.Int(title="Weight", required=False)


class ICave(interface.Interface):
    """The cave of a bear."""

    depth = schema.Int(title="Depth", required=True)
    door = schema.TextLine(title="Door", required=False, default="open")
    code = schema.Password(title="Code", required=False)

    @interface.invariant
    def has_a_door(cave):
        if cave.depth > 9 and not cave.door:
            raise interface.Invalid("A deep cave needs a door.")


class INest(interface.Interface):
    """What a bear sleeps in; lies in the bear."""

    warm = schema.Bool(title="Warm", required=False)


class Bear(grok.Container):
    """A bear, in which a nest may be."""

    code = weight = None


class Cave(Part):
    """The cave, in a container of its own."""

    iface = ICave
    prefix = "cave_"
    container = "caves"


class Nest(Part):
    """The nest, in the bear."""

    iface = INest
    prefix = "nest_"
    name = "nest"


class BearProcessor(ContainerProcessor):
    """Imports bears with their caves."""

    grok.baseclass()

    name = "Bears"
    util_name = "bears"
    iface = IBear
    container = "bears"
    key = "code"
    factory = interface.implementer(IBear)(Bear)
    parts = (Cave(), Nest())


@interface.implementer(INest)
class Leaves:
    """A nest that no database knows by itself."""

    warm = None

    def __eq__(self, other):
        """Tell whether both are alike."""
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]  # as of lists


@interface.implementer(IBear)
class Nester(grok.Model):
    """A bear that has a nest from the beginning."""

    code = weight = None

    def __init__(self):
        super().__init__()
        self.nest = Leaves()


class NesterProcessor(ContainerProcessor):
    """Imports such bears."""

    grok.baseclass()

    util_name = "bears"
    iface = IBear
    container = "bears"
    key = "code"
    factory = Nester
    parts: ClassVar[Any] = (Nest(),)


class Litter(Part):
    """A cub, which is one of a list in the bear."""

    iface = INest
    prefix = "cub_"
    factory = Leaves

    def find(self, obj, site):
        """See `Part`."""
        return obj.cubs[0] if obj.cubs else None

    def add(self, part, obj, site):
        """See `Part`."""
        obj.cubs.append(part)


@interface.implementer(IBear)
class Mother(Nester):
    """A bear with a list of cubs, and one in a record of its own."""

    def __init__(self):
        super().__init__()
        self.cubs = []
        self.far = PersistentList([Leaves()])


class Far(Part):
    """A cub in a list that is a database object."""

    iface = INest
    prefix = "far_"

    def find(self, obj, site):
        """See `Part`."""
        return obj.far[0]


class MotherProcessor(NesterProcessor):
    """Imports bears with cubs."""

    grok.baseclass()
    factory = Mother
    parts = (Nest(), Litter(), Far())


@interface.implementer(IBear)
class Keeper(Nester):
    """A bear that keeps what is put into it in a dict of its own."""

    def __init__(self):
        super().__init__()
        self.kept = {}

    def get(self, name, default=None):
        """Return what is kept under a name."""
        return self.kept.get(name, default)

    def __setitem__(self, name, value):
        """Keep something under a name."""
        self.kept[name] = value


class KeeperProcessor(NesterProcessor):
    """Imports such bears, into which a nest is put that has no record of its own."""

    grok.baseclass()
    factory = Keeper
    parts = (type("Kept", (Nest,), {"factory": Leaves})(),)


class Family(Bear):
    """A bear, in which a nest may be, with a list of cubs."""

    def __init__(self):
        super().__init__()
        self.cubs = []


class FamilyProcessor(BearProcessor):
    """Imports bears with parts in a container, in the bear, and in one of its attributes."""

    grok.baseclass()
    factory: ClassVar[Any] = interface.implementer(IBear)(Family)
    parts: ClassVar[Any] = (Cave(), Nest(), Litter())
    file_rules = (UniqueTogether("code", "weight"),)


@contextmanager
def bears(processor: Any) -> Iterator[None]:
    """Let `processor` be that of bears, and register their exporter."""
    registry = getGlobalSiteManager()
    components: tuple[Any, ...] = (
        (processor, IBatchProcessor, "bears"),
        (ContainerExporter(type(processor)), ICSVExporter, "bears"),
    )
    for each in components:
        registry.registerUtility(*each)
    try:
        yield
    finally:
        for each in components:
            registry.unregisterUtility(*each)
