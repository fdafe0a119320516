"""Contracts for who has one of both: an exporter, or a processor that makes no objects."""

import unittest

from zope import interface, schema

from waeup.kofa.exporting.base import ExporterBase
from waeup.kofa.importing.declaring import computed
from waeup.kofa.importing.filerules import (
    Broken,
    Complete,
    FileRule,
    Total,
    UniqueTogether,
)
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.testing import ExporterContract, ProcessorContract
from waeup.kofa.tests.contracts.creatures import (
    CreatureExporter,
    CreatureProcessor,
    CreatureTests,
    Herd,
    ICreature,
    two,
)
from waeup.kofa.tests.contracts.declarations import DeclaringProcessor


class Caretaker(CreatureProcessor):
    """Changes creatures, and makes none."""

    util_name = "creatureupdater"


class Two:
    """Has two creatures, which nobody imports."""

    register = CreatureTests.register
    add_objects = two

    def fill_site(self, site):
        site["herd"] = Herd()


class ExporterAlone(Two, ExporterContract, unittest.TestCase):
    """An exporter is tested without a processor of one's own."""

    exporter = CreatureExporter

    def setUp(self):
        super().setUp()
        self.register(CreatureProcessor(), IBatchProcessor, "creatureprocessor")
        self.register(CreatureExporter(), ICSVExporter, "creatures")


class UpdaterAlone(Two, ProcessorContract, unittest.TestCase):
    """A processor that only updates is tested with objects that are there."""

    processor = Caretaker
    rows = [{"code": "A"}, {"code": "B"}]
    changes = {"title": "Aunt", "weight": "6"}

    def setUp(self):
        super().setUp()
        self.register(self.processor(), IBatchProcessor, "creatureupdater")


class IChosen(interface.Interface):
    """What people can ask the old exporter for."""

    title = schema.TextLine(title="Title", required=False)
    letter = schema.Choice(title="Letter", values=("A", "B", "C"), required=False)
    long = schema.Bool(title="Has a long title", required=False)


class OldExporter(ExporterBase):
    """Exports creatures as Kofa 1.9 did, and takes keywords."""

    title = "Old creatures"
    fields = ("code", "title")
    iface = ICreature
    filters = IChosen

    def get_filtered(self, site, **kw):
        long = kw.get("long")
        return (
            one
            for one in site["herd"].values()
            if kw.get("title") in (None, one.title)
            and one.code.startswith(kw.get("letter") or "")
            and long in (None, len(one.title) > 3)
        )


class OldExporterAlone(Two, ExporterContract, unittest.TestCase):
    """Filters of 1.9 are keywords of a method."""

    exporter = OldExporter

    def setUp(self):
        super().setUp()
        self.register(OldExporter(), ICSVExporter, "oldcreatures")


class WholeExporter(ExporterBase):
    """Writes its table as a whole, as many of Kofa 1.9 do."""

    title = "All creatures"
    fields = ("code", "title")

    def export_all(self, site, filepath=None):
        return self.export(site["herd"].values(), filepath)


class WholeExporterAlone(Two, ExporterContract, unittest.TestCase):
    """An exporter need not tell which objects it has."""

    exporter = WholeExporter

    def setUp(self):
        super().setUp()
        self.register(WholeExporter(), ICSVExporter, "wholecreatures")


class BusyCaretaker(DeclaringProcessor):
    """Changes creatures by what is declared, and makes none."""

    util_name = "creatureupdater"

    @computed("remark", on_update=True)
    def usual_remark(self, row, site):
        return "changed"


class DeclaringUpdaterAlone(UpdaterAlone):
    """What is declared is seen at work, too, where no objects are made."""

    processor = BusyCaretaker
    rows = [{"code": "A", "weight": "4", "tags": "['x']"}, {"code": "B", "weight": "7"}]
    wrong_rows = [{"weight": "4000"}]
    wrong_files = [[{"code": "B"}, {"code": "A"}]]


class StrictProcessor(CreatureProcessor):
    """Has all rules over a whole file that the portal offers."""

    file_rules = (
        Total("weight", lambda site: 505),
        UniqueTogether("title", "remark"),
        Complete("code", lambda site: ["A", "B"]),
    )


class StrictTests(CreatureTests, unittest.TestCase):
    """These rules keep the contract."""

    processor = StrictProcessor


class Remarks(FileRule):
    """No remark says anything; rows need none."""

    fields = ("remark",)

    def begin(self, site, mode):
        self.first = ()

    def see(self, number, row):
        if row.get("remark") and not self.first:
            self.first = (number,)

    def end(self):
        return [Broken("remark: Say nothing.", self.first)] if self.first else []


class QuietProcessor(CreatureProcessor):
    """Has a rule over files with a column that few have."""

    file_rules = (Remarks(),)


class QuietTests(CreatureTests, unittest.TestCase):
    """A rule is tested by the files about which it is asked."""

    processor = QuietProcessor
    rows = [{"code": "A", "title": "Ant", "weight": "5"}, {"code": "B", "title": "Bear"}]
    wrong_files = [[{"code": "A", "title": "Ant", "remark": "small"}]]
