"""A kind that keeps the contracts, and ways to get each rule wrong."""

import traceback
import unittest
from typing import NamedTuple
from unittest import mock

import grok
import transaction
from zope import interface, schema
from zope.component import getGlobalSiteManager, provideUtility

from waeup.kofa.conversion import Secret
from waeup.kofa.exporting.kind import KindExporter
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.logger import Logger
from waeup.kofa.testing import KindContract
from waeup.kofa.testing.contract import Contract


class ICreature(interface.Interface):
    """An animal."""

    code = schema.TextLine(title="Code")
    title = schema.TextLine(title="Title")
    weight = schema.Int(title="Weight", min=1, required=False)
    remark = schema.Text(title="Remark", required=False)
    tags = schema.List(title="Tags", value_type=schema.TextLine(), required=False)
    key = Secret(title="Key", required=False, rounds=4)


@interface.implementer(ICreature)
class Creature(grok.Container):
    """See `ICreature`; contains what it carries."""

    code = title = weight = remark = tags = key = None


class CreatureProcessor(ContainerProcessor):
    """Imports creatures."""

    grok.baseclass()

    name = "Creature Processor"
    util_name = "creatureprocessor"
    iface = ICreature
    factory = Creature
    container = "herd"
    key = "code"
    scope = "herd"


class IAnything(interface.Interface):
    """An animal of which all can be said."""

    code = schema.TextLine(title="Code")
    title = schema.TextLine(title="Title")


@interface.implementer(IAnything)
class AnyCreature(grok.Container):
    """See `IAnything`."""

    code = title = None


class Anything(CreatureProcessor):
    """Imports creatures of which all can be said."""

    grok.baseclass()

    iface = IAnything
    factory = AnyCreature


class CreatureExporter(KindExporter):
    """Exports creatures."""

    grok.baseclass()
    grok.name("creatures")

    title = "Creatures"
    processor = "creatureprocessor"
    key_fields = ("code",)

    def objects(self, site):
        return site["herd"].values()

    def find(self, site, key):
        found = site["herd"].get(key)
        return () if found is None else (found,)


class Herd(grok.Container, Logger):
    """Contains creatures, and has a log."""

    logger_filename = "herd.log"


def two(self, portal):
    """Put the creatures A and B into a portal, without an import."""
    for code, title in (("A", "Ant"), ("B", "Bear")):
        portal.site["herd"][code] = creature = Creature()
        creature.code, creature.title = code, title
    transaction.commit()


class CreatureTests(KindContract):
    """The contract of creatures."""

    processor = CreatureProcessor
    exporter = CreatureExporter
    rows = [
        {"code": "A", "title": "Ant", "weight": "5", "remark": "small", "tags": "['x']"},
        {"code": "B", "title": "Bear", "weight": "500", "remark": "large"},
    ]
    changes = {"title": "Aunt", "weight": "6", "tags": "['x', 'y']"}
    wrong = {"weight": "heavy"}
    #: Whether the utilities are registered.
    is_registered = True

    def fill_site(self, site):
        site["herd"] = Herd()

    def add_content(self, obj):
        obj["egg"] = Creature()

    def setUp(self):
        super().setUp()
        if self.is_registered:
            self.register(self.processor(), IBatchProcessor, "creatureprocessor")
            self.register(self.exporter(), ICSVExporter, "creatures")

    def register(self, component, iface, name):
        provideUtility(component, iface, name)
        self.addCleanup(getGlobalSiteManager().unregisterUtility, component, iface, name)


class Wrong(NamedTuple):
    """A wrong implementation: the rule that finds it, and what the message says.

    `declared` are the attributes of the test case that differ.
    """

    rule: str
    found: str
    to_do: str
    declared: dict

    def failure(self):
        """Run the test of the rule; return its message and where it comes from, or None.

        Places are pairs of file and line, of all that is under way when the rule is broken.
        """
        case = type("WrongTests", (CreatureTests, unittest.TestCase), dict(self.declared))
        result, places = unittest.TestResult(), set()
        broken = Contract.broken

        def noting(*args):
            for frame in traceback.extract_stack():
                places.add((frame.filename, frame.lineno))
            broken(*args)

        with mock.patch.object(Contract, "broken", noting):
            case(self.rule).run(result)
        if result.errors:
            raise AssertionError(result.errors[0][1])
        return (result.failures[0][1], places) if result.failures else None


#: All wrong implementations.
WRONG: list[Wrong] = []


def wrong(rule, found, to_do, **declarations):
    """Note that the decorated class is wrong: a processor, an exporter, or declarations.

    `declarations` are more attributes of its test case.
    """

    def note(cls):
        if issubclass(cls, CreatureProcessor):
            declared = {"processor": cls}
        elif issubclass(cls, KindExporter) or hasattr(cls, "mangle_value"):
            declared = {"exporter": cls}
        else:
            declared = {name: value for name, value in vars(cls).items() if name[:2] != "__"}
        WRONG.append(Wrong(f"test_{rule}", found, to_do, {**declarations, **declared}))
        return cls

    return note
