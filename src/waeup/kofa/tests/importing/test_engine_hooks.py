"""Hooks of Kofa 1.9 that a site may override, and what the engine makes of them."""

import logging
import os
import re
import shutil
import tempfile
import unittest
import unittest.mock

import grok
from zope import interface, schema
from zope.component import getUtilitiesFor
from zope.interface.verify import verifyClass, verifyObject

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import DuplicationError, FatalCSVError, NotAllowed, StorageFault
from waeup.kofa.importing.hooks import HookRow, once
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.processor import BatchProcessor
from waeup.kofa.interfaces import ERRORS_COLUMN, IGNORE_MARKER, IBatchProcessor
from waeup.kofa.testing import KofaUnitTestLayer
from waeup.kofa.tests.importing.test_engine import EngineTestCase


def positive(text):
    """A constraint that does not expect words."""
    return int(text) > 0


class IBear(interface.Interface):
    """A bear with rules that can fail."""

    code = schema.TextLine(title="Code")
    title = schema.TextLine(title="Title", required=False)
    weight = schema.TextLine(title="Weight", required=False, constraint=positive)
    born = schema.Int(title="Born", required=False)
    died = schema.Int(title="Died", required=False)

    @interface.invariant
    def lives(bear):
        if bear.born > bear.died:
            raise interface.Invalid("dies before it is born")


class BearProcessor(ContainerProcessor):
    """Imports bears."""

    grok.baseclass()

    iface = IBear
    container = "caves"


class HooksTests(EngineTestCase):
    """Each hook is called, and its exceptions concern its row only."""

    processor = BearProcessor()

    def test_an_own_emptyRow_decides_which_rows_are_blank(self):
        class Own(BearProcessor):
            grok.baseclass()

            def emptyRow(self, row):
                return row["Name"] == "none"

        counts, finished, _ = self.do(
            "Code,Name", "a,none", "b,x", fields=["code", "title"], processor=Own()
        )
        self.assertEqual((counts, finished), ((1, 0), ["code,title", "b,x"]))

    def test_an_own_applyMapping_gets_columns_and_gives_fields(self):
        class Own(BearProcessor):
            grok.baseclass()

            def applyMapping(self, row, mapping):
                texts = super().applyMapping(row, mapping)
                texts["title"] = f"{row['First']} {row['Last']}"
                texts["born"] = "7"
                return texts

        counts, finished, _ = self.do(
            "Code,First,Last",
            "a,Old,Bear",
            fields=["code", "title", "--IGNORE--"],
            processor=Own(),
        )
        self.assertEqual((counts, finished), ((1, 0), ["code,title", "a,Old Bear"]))
        bear = self.site["caves"]["a"]
        self.assertEqual((bear.title, bear.born), ("Old Bear", 7))

    def test_what_an_own_applyMapping_gives_is_replaced_too(self):
        class Own(BearProcessor):
            grok.baseclass()

            def applyMapping(self, row, mapping):
                return {"code": row["code"].lower()}

        values = (("code", (("a", "pooh"),)),)
        _, finished, _ = self.do("code,title", "A,x", processor=Own(), values=values)
        self.assertEqual(finished, ["code,title", f"pooh,{IGNORE_MARKER}"])

    def test_an_own_getMapping_decides_what_is_filled(self):
        class Own(BearProcessor):
            grok.baseclass()

            def getMapping(self, path, headerfields, mode):
                mapping = super().getMapping(path, headerfields, mode)
                return {**mapping, "Note": "title"}

        _, finished, _ = self.do(
            "Code,Note", "a,x", fields=["code", "--IGNORE--"], processor=Own()
        )
        self.assertEqual(finished, ["code,title", "a,x"])

    def test_fields_of_an_own_getHeaders_can_be_filled(self):
        class Own(BearProcessor):
            grok.baseclass()

            def getHeaders(self, mode="create"):
                return [*super().getHeaders(mode), "remark"]

        counts, finished, _ = self.do("code,remark", "a,x", processor=Own())
        self.assertEqual((counts, finished[1]), ((1, 0), "a,x"))

    def test_an_own_writeFailedRow_writes_the_pending_file(self):
        class Own(BearProcessor):
            grok.baseclass()

            def writeFailedRow(self, writer, row, warnings):
                super().writeFailedRow(writer, {**row, "title": "seen"}, [warnings, "ask Bob"])

        _, _, pending = self.do("code,title,born", "a,t,x", processor=Own())
        self.assertTrue(pending[1].startswith("a,seen,x,born: Invalid"), pending[1])
        self.assertTrue(pending[1].endswith(" / ask Bob"), pending[1])

    def test_a_row_is_in_the_pending_file_whatever_writeFailedRow_does(self):
        class Silent(BearProcessor):
            grok.baseclass()

            def writeFailedRow(self, writer, row, warnings):
                """Writes nothing."""

        class Failing(BearProcessor):
            grok.baseclass()

            def writeFailedRow(self, writer, row, warnings):
                raise ValueError("no")

        for kind in (Silent, Failing):
            with self.subTest(kind.__name__):
                _, _, pending = self.do("code,born", "a,x", processor=kind())
                self.assertTrue(pending[1].startswith("a,x,born: "), pending)

    def test_exceptions_before_the_first_write_are_reasons(self):
        class Own(BearProcessor):
            grok.baseclass()

            def checkConversion(self, row, mode="ignore", ignore_empty=True):
                if row["title"] == "boom":
                    raise ValueError("not with boom")
                return super().checkConversion(row, mode, ignore_empty)

        counts, _, pending = self.do(
            "code,title,weight,born,died",
            "a,boom,1,1,2",
            "b,x,heavy,1,2",
            "c,x,1,3,XXX",
            "d,x,1,3,2",
            "e,x,1,1,2",
            processor=Own(),
        )
        self.assertEqual(counts, (5, 4))
        reasons = [line.split(",", 5)[5] for line in pending[1:]]
        self.assertEqual(reasons[0], "not with boom")
        self.assertEqual(reasons[1], "weight: invalid literal for int() with base 10: 'heavy'")
        self.assertIn("invariant: TypeError:", reasons[2])
        self.assertEqual(reasons[3], "invariant: dies before it is born")
        self.assertEqual(list(self.site["caves"]), ["e"])

    def test_faults_in_a_conversion_stop_the_import(self):
        class Own(BearProcessor):
            grok.baseclass()

            def checkConversion(self, row, mode="ignore", ignore_empty=True):
                raise StorageFault("gone")

        with self.assertRaises(StorageFault):
            self.do("code", "a", processor=Own())

    def test_a_refusal_is_the_reason_of_its_row_though_it_is_an_OSError(self):
        class Own(BearProcessor):
            grok.baseclass()

            def addEntry(self, obj, row, site):
                raise NotAllowed("not yours")

        counts, _, pending = self.do("code", "a", processor=Own())
        self.assertEqual((counts, pending[1]), ((1, 1), "a,NotAllowed: not yours"))

    def test_errors_of_addEntry_say_what_they_said_in_Kofa_1_9(self):
        class Own(BearProcessor):
            grok.baseclass()
            errors = (KeyError, DuplicationError, FatalCSVError)

            def addEntry(self, obj, row, site):
                raise self.errors[obj.born]("There is one.")

        _, _, pending = self.do("code,born", "a,0", "b,1", "c,2", processor=Own())
        self.assertEqual([line.split(",")[2] for line in pending[1:]], 3 * ["There is one."])

    def test_a_mistake_of_a_hook_says_what_it_was_and_in_which_code(self):
        class Own(BearProcessor):
            grok.baseclass()
            errors = (
                lambda: {}["den"],
                lambda: None.den,
                lambda: 1 / 0,
                lambda: self.fail(),
            )

            def updateEntry(self, obj, row, site, filename):
                self.errors[obj.born or row["born"]]()

        counts, _, pending = self.do("code,born", "a,0", "b,1", "c,2", "d,3", processor=Own())
        self.assertEqual(counts, (4, 4))
        reasons = [
            re.fullmatch(
                r".,.,(.*) \(the code (\S+)\.Own\.updateEntry failed: tell its developer\)",
                line.replace('"', ""),
            )
            for line in pending[1:]
        ]
        self.assertEqual(
            [found[1] for found in reasons],
            [
                "KeyError: 'den'",
                "AttributeError: 'NoneType' object has no attribute 'den'",
                "ZeroDivisionError: division by zero",
                "AssertionError: None",
            ],
        )
        self.assertTrue(reasons[0][2].startswith(__name__))

    def test_without_a_logger_there_is_no_line_of_the_whole_import(self):
        BearProcessor().createLogfile("a.csv", None, 2, 1, "create", "bob", 0.5, None)
        with self.assertLogs("bears") as logged:
            logger = logging.getLogger("bears")
            BearProcessor().createLogfile("a.csv", None, 2, 1, "create", "bob", 0.5, logger)
        self.assertRegex(logged.output[0], r"processed: a\.csv, create mode, 2 lines \(1 succ")

    def test_checkConversion_may_take_names_out_and_put_others_in(self):
        class Own(BearProcessor):
            grok.baseclass()

            def checkConversion(self, row, mode="ignore", ignore_empty=True):
                row = {name: text for name, text in row.items() if name != "weight"}
                return super().checkConversion({**row, "born": "12"}, mode, ignore_empty)

        counts, _, _ = self.do("code,weight", "a,heavy", processor=Own())
        self.assertEqual(counts, (1, 0))
        self.assertEqual(self.site["caves"]["a"].born, 12)

    def test_checkConversion_may_lack_the_argument_ignore_empty(self):
        class Own(BearProcessor):
            grok.baseclass()

            def checkConversion(self, row, mode="ignore"):
                return super().checkConversion(row, mode=mode)

        self.assertEqual(self.do("code", "a", processor=Own())[0], (1, 0))

    def test_the_marker_of_a_hook_is_understood(self):
        class Own(BearProcessor):
            grok.baseclass()

            def checkConversion(self, row, mode="ignore", ignore_empty=True):
                result = super().checkConversion(row, mode, ignore_empty)
                result[2]["title"] = "".join(["<IG", "NORE>"])
                return result

        self.do("code,title", "a,x", processor=Own())
        self.assertIsNone(self.site["caves"]["a"].title)

    def test_what_checkConversion_gives_keeps_the_rules_of_its_field(self):
        class Own(BearProcessor):
            grok.baseclass()
            given = {"a": ("born", "heavy"), "b": ("born", 7), "c": ("title", "two\nlines")}

            def checkConversion(self, row, mode="ignore", ignore_empty=True):
                found = super().checkConversion(row, mode, ignore_empty)
                if row["code"] in self.given:
                    name, value = self.given[row["code"]]
                    found[2][name] = value
                return found

        slow = type("Slow", (Own,), {"emptyRow": lambda self, row: False})
        for kind in (Own, slow):
            counts, _, pending = self.do("code,title", "a,x", "b,x", "c,x", processor=kind())
            self.assertEqual(counts, (3, 2))
            self.assertIn(
                "born: Invalid input: 'heavy' is of the type str; this field takes int. (given by "
                f"the code {__name__}.",
                pending[1],
            )
            self.assertIn(
                f"{kind.__name__}.checkConversion: if the row is right, tell its developer)",
                pending[1],
            )
            self.assertIn("title: Invalid input: 'two\\nlines' does not satisfy", pending[2])
            self.assertEqual(self.site["caves"]["b"].born, 7)
            del self.site["caves"]["b"]

    def test_what_checkConversion_gives_can_be_stored(self):
        class IDen(interface.Interface):
            code = schema.TextLine(title="Code")
            tools = schema.List(title="Tools", required=False)

        class Own(ContainerProcessor):
            grok.baseclass()
            iface = IDen
            container = "caves"
            location_fields = ["code"]

            def checkConversion(self, row, mode="ignore", ignore_empty=True):
                errors, broken, values = super().checkConversion(row, mode, ignore_empty)
                return errors, broken, {**values, "tools": [print, lambda: 1][: int(row["code"])]}

        counts, _, pending = self.do("code", "1", "2", processor=Own())
        self.assertEqual(counts, (2, 1))
        self.assertIn("tools: The database cannot store", pending[1])

    def test_what_the_base_gives_is_looked_at_once(self):
        asked = []

        class IDen(interface.Interface):
            code = schema.TextLine(title="Code")
            size = schema.TextLine(
                title="Size", required=False, constraint=lambda size: not asked.append(size)
            )

        class Own(ContainerProcessor):
            grok.baseclass()
            iface = IDen
            container = "caves"

            def checkConversion(self, row, mode="ignore", ignore_empty=True):
                errors, broken, values = super().checkConversion(row, mode, ignore_empty)
                return errors, broken, dict(values)

        self.do("code,size", "a,1", processor=Own())
        self.assertEqual(asked, ["1"])

    def test_a_guarded_cell_may_hold_the_text_of_the_marker(self):
        self.do("code,title", "a,'<IGNORE>")
        title = self.site["caves"]["a"].title
        self.assertEqual((title, type(title)), (IGNORE_MARKER, str))

    def test_names_with_an_underscore_are_never_set(self):
        class Own(BearProcessor):
            grok.baseclass()

            def updateEntry(self, obj, row, site, filename):
                return super().updateEntry(obj, {**row, "__name__": "x"}, site, filename)

        self.do("code", "a", processor=Own())
        self.do("code,title", "a,b", mode="update", processor=Own())
        self.assertEqual(self.site["caves"]["a"].__name__, "a")

    def test_the_parent_is_looked_up_once_a_row(self):
        class Own(BearProcessor):
            grok.baseclass()

            calls = 0

            def getParent(self, row, site):
                type(self).calls += 1
                return super().getParent(row, site)

        self.do("code", "a", "b", processor=Own())
        self.assertEqual(Own.calls, 2)

    def test_an_own_parentsExist_is_asked(self):
        class Own(BearProcessor):
            grok.baseclass()

            def parentsExist(self, row, site):
                return False

        _, _, pending = self.do("code", "a", processor=Own())
        self.assertEqual(pending[1], "a,Not all parents do exist yet.")

    def test_only_rows_that_are_applied_remember(self):
        row = HookRow({"code": "a"})
        found = iter(range(9))
        self.assertEqual(once(row, "x", lambda: next(found)), 0)
        self.assertEqual(once(row, "x", lambda: next(found)), 1)
        row.found = {}
        self.assertEqual([once(row, "x", lambda: next(found)) for _ in "ab"], [2, 2])
        self.assertEqual(once({}, "x", lambda: next(found)), 3)


class OwnImport(BearProcessor):
    """A processor of a site that counts its imports, with the arguments of 1.9."""

    grok.baseclass()

    imports = 0

    def doImport(
        self, path, headerfields, mode="create", user="Unknown", logger=None, ignore_empty=True
    ):
        """Count, and import."""
        type(self).imports += 1
        return super().doImport(path, headerfields, mode, user, logger, ignore_empty)


class OwnImportTests(EngineTestCase):
    """`importTable` does not pass over an overridden `doImport`."""

    def setUp(self):
        super().setUp()
        self.results = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.results)
        OwnImport.imports = 0

    def import_table(self, mapping, *lines):
        path = self.table(*lines)
        with unittest.mock.patch("grok.getSite", return_value=self.site):
            return OwnImport().importTable(path, mapping, "create", folder=self.results)

    def test_report_is_made_from_what_doImport_returns(self):
        report = self.import_table(Mapping(("code", "born")), "code,born", "a,1", "b,x", "c,x")
        self.assertEqual(OwnImport.imports, 1)
        self.assertEqual((report.total, report.created, report.failed), (3, 1, 2))
        self.assertEqual([count for _, count in report.reasons], [2])
        self.assertEqual(
            sorted(os.listdir(self.results)), ["caves.finished.csv", "caves.pending.csv"]
        )
        self.assertEqual(os.path.dirname(report.finished), self.results)
        with open(report.pending) as stream:
            self.assertIn(ERRORS_COLUMN, stream.readline())

    def test_constants_that_it_cannot_take_are_refused(self):
        with self.assertRaisesRegex(FatalCSVError, "same text for all rows"):
            self.import_table(Mapping(("code",), (("title", "x"),)), "code", "a")

    def test_replacements_that_it_cannot_take_are_refused(self):
        mapping = Mapping(("code",), (), (("code", (("a", "b"),)),))
        with self.assertRaisesRegex(FatalCSVError, "cannot be told that texts stand for others"):
            self.import_table(mapping, "code", "a")

    def test_doImport_itself_imports_once(self):
        with unittest.mock.patch("grok.getSite", return_value=self.site):
            result = OwnImport().doImport(self.table("code", "a"), ["code"])
        shutil.rmtree(os.path.dirname(result[2]))
        self.assertEqual((OwnImport.imports, result[:2]), (1, (1, 0)))


class NameTests(unittest.TestCase):
    """What processors are called."""

    def test_names_are_derived_inherited_or_said(self):
        class DenProcessor(ContainerProcessor):
            """Says nothing."""

        class Other(DenProcessor):
            util_name = "other"

        class Child(Other):
            """Has the names of its base."""

        class Directed(ContainerProcessor):
            grok.name("directed.processor")

        for kind, util_name, name in (
            (DenProcessor, "denprocessor", "Den Processor"),
            (Other, "other", "Den Processor"),
            (Child, "other", "Den Processor"),
            (Directed, "directed.processor", "Directed"),
        ):
            with self.subTest(kind.__name__):
                self.assertEqual((kind.util_name, kind.name), (util_name, name))
                self.assertEqual(grok.name.bind().get(kind), util_name)

    def test_a_base_class_has_no_names_that_its_kinds_could_inherit(self):
        class Base(ContainerProcessor):
            grok.baseclass()

        class Kind(Base):
            """Says nothing."""

        self.assertEqual((Base.util_name, Kind.util_name), ("batchprocessor", "kind"))

    def test_location_fields_follow_the_key(self):
        class Keyed(ContainerProcessor):
            key = "name"

        class Placed(Keyed):
            location_fields = ["name", "place"]

        self.assertEqual(ContainerProcessor.location_fields, ["code"])
        self.assertEqual(Keyed.location_fields, ["name"])
        self.assertEqual(Placed.location_fields, ["name", "place"])


class ContractTests(unittest.TestCase):
    """All processors keep the contract."""

    layer = KofaUnitTestLayer

    def test_bases(self):
        for base in (BatchProcessor, ContainerProcessor):
            self.assertTrue(verifyClass(IBatchProcessor, base))

    def test_registered_processors(self):
        found = list(getUtilitiesFor(IBatchProcessor))
        self.assertGreaterEqual(len(found), 6)
        for name, processor in found:
            with self.subTest(name):
                self.assertTrue(verifyClass(IBatchProcessor, type(processor)))
                self.assertTrue(verifyObject(IBatchProcessor, processor))
                self.assertEqual(processor.util_name, name)
                self.assertIsInstance(type(processor).location_fields, list)
