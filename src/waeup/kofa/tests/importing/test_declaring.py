"""What a kind declares of its rows: computed fields and rules, on all ways of an import."""

import unittest

import grok
from zope import interface, schema

from waeup.kofa.errors import StorageFault
from waeup.kofa.importing.declaring import NOTHING, column, computed, filter_by, rule
from waeup.kofa.importing.kind import ContainerProcessor, Record
from waeup.kofa.importing.parts import Part
from waeup.kofa.importing.processor import BatchProcessor
from waeup.kofa.tests.importing.test_engine import EngineTestCase


class IBear(interface.Interface):
    """A bear that is known by more than it was told."""

    code = schema.TextLine(title="Code")
    first = schema.TextLine(title="First", required=False)
    last = schema.TextLine(title="Last", required=False)
    full = schema.TextLine(title="Full", required=True, max_length=12)
    born = schema.Int(title="Born", required=False)
    died = schema.Int(title="Died", required=False)
    key = schema.Password(title="Key", required=False)

    @interface.invariant
    def differs(bear):
        if bear.full == bear.code:
            raise interface.Invalid("It is called like its code.")


class BearProcessor(ContainerProcessor):
    """Imports such bears."""

    grok.baseclass()

    iface = IBear
    container = "caves"
    key = "code"

    @computed("full")
    def both_names(self, row, site):
        """Return the first name with the last one."""
        if row.get("last") == "fault":
            raise StorageFault("gone")
        return " ".join(filter(None, (row.get("first"), row.get("last")))) or None

    @rule("born", "died")
    def lives(self, row, site):
        """Refuse who dies before the birth."""
        if row["died"] < row["born"]:
            return "It dies before it is born."
        return None


class CarefulProcessor(BearProcessor):
    """The same by the way on which a hook sees each row."""

    grok.baseclass()

    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        """Do nothing else."""
        return super().checkConversion(row, mode, ignore_empty)


class SlowProcessor(BearProcessor):
    """The same row by row."""

    grok.baseclass()

    def emptyRow(self, row):
        """Do nothing else."""
        return super().emptyRow(row) or False


WAYS = (BearProcessor, CarefulProcessor, SlowProcessor)
SHORT = "full: Invalid input: 'Old Old Old Bear' is too long; the greatest length is 12."


@interface.implementer(IBear)
class OldBear(grok.Model):
    """Was written for an older schema: it has no attributes for what came later."""

    code = full = None

    @property
    def died(self):
        raise AttributeError("died")


class OldObjectTests(EngineTestCase):
    """Objects of a class that is older than the schema take what the schema has by now."""

    def test_what_the_schema_declares_is_kept(self):
        bears = self.site["caves"]

        class Old(BearProcessor):
            grok.baseclass()
            factory = OldBear

        table = ("code,full,born,died,first", "a,Pooh,7,9,Old")
        self.do(*table, processor=Old())
        self.assertEqual((bears["a"].born, bears["a"].first), (7, "Old"))
        del bears["a"].born
        self.do(*table, processor=Old(), mode="update")
        self.assertEqual(bears["a"].born, 7)
        # A class that does not say that it has the schema keeps what it has, as in Kofa 1.9.
        bears["b"] = Plain()
        self.do("code,born,full", "b,7,Ed", processor=Old(), mode="update")
        self.assertEqual((bears["b"].full, hasattr(bears["b"], "born")), ("Ed", False))


class Plain(grok.Model):
    """Declares nothing."""

    code = full = None


class DeclaredTests(EngineTestCase):
    """Each way of the engine asks what is declared."""

    def setUp(self):
        super().setUp()
        self.bears = self.site["caves"]

    def each(self):
        """Generate processors of all ways; the cave is empty for each."""
        for way in WAYS:
            for name in list(self.bears):
                del self.bears[name]
            yield way()

    def test_a_missing_column_and_an_empty_cell_are_computed(self):
        for processor in self.each():
            counts, finished, _ = self.do(
                "code,first,last,full", "a,Old,Bear,", "b,,,Pooh", processor=processor
            )
            self.assertEqual(counts, (2, 0))
            self.assertEqual(finished[1:], ["a,Old,Bear,<IGNORE>", "b,<IGNORE>,<IGNORE>,Pooh"])
            self.assertEqual([self.bears[n].full for n in "ab"], ["Old Bear", "Pooh"])
            self.do("code,first", "c,Lucy", processor=processor)
            self.assertEqual(self.bears["c"].full, "Lucy")

    def test_what_was_computed_keeps_the_rules_of_the_field(self):
        for processor in self.each():
            counts, _, pending = self.do(
                "code,first,last", "a,Old Old Old,Bear", processor=processor
            )
            self.assertEqual(counts, (1, 1))
            self.assertEqual(pending[1], f"a,Old Old Old,Bear,{SHORT}")

    def test_what_was_computed_keeps_the_invariants_of_the_schema(self):
        for processor in self.each():
            for mode in ("create", "upsert"):
                with self.subTest(processor, mode=mode):
                    counts, _, pending = self.do(
                        "code,first", "Lucy,Lucy", processor=processor, mode=mode
                    )
                    self.assertEqual(counts, (1, 1))
                    self.assertEqual(
                        pending[1], "Lucy,Lucy,invariant: It is called like its code."
                    )

    def test_a_required_field_that_is_not_computed_is_missing(self):
        for processor in self.each():
            counts, _, pending = self.do("code,full", "a,", processor=processor)
            self.assertEqual(counts, (1, 1))
            self.assertEqual(pending[1], "a,<IGNORE>,full: Required value is missing.")

    def test_an_upsert_computes_for_new_objects_only(self):
        for processor in self.each():
            self.do("code,full", "a,Pooh", processor=processor)
            counts, *_ = self.do(
                "code,first", "a,Old", "b,Lucy", processor=processor, mode="upsert"
            )
            self.assertEqual(counts, (2, 0))
            self.assertEqual([self.bears[n].full for n in "ab"], ["Pooh", "Lucy"])

    def test_an_update_computes_where_it_is_declared(self):
        class Kept(BearProcessor):
            grok.baseclass()

            @computed("full", on_update=True)
            def both_names(self, row, site):
                return f"{row['first']}!"

        self.do("code,full", "a,Pooh")
        self.do("code,first", "a,Old", mode="update", processor=Kept())
        self.assertEqual(self.bears["a"].full, "Old!")

    def do(self, *lines, **kw):
        """Import with the usual bears."""
        kw.setdefault("processor", BearProcessor())
        return super().do(*lines, **kw)

    def test_an_exception_without_words_is_the_error_of_its_row(self):
        class SpeechlessError(Exception):
            def __str__(self):
                raise AttributeError("code")

        class Failing(BearProcessor):
            grok.baseclass()

            @rule("first")
            def fails(self, row, site):
                raise SpeechlessError

        counts, _, pending = self.do("code,first", "a,Old", "b,", "c,x", processor=Failing())
        self.assertEqual(counts[1], 3)
        self.assertEqual(pending[1], "a,Old,first: SpeechlessError")

    def test_a_broken_rule_is_told_for_each_of_its_fields(self):
        for processor in self.each():
            counts, _, pending = self.do(
                "code,full,born,died", "a,Pooh,7,5", "b,Lucy,7,", "c,Ed,5,7", processor=processor
            )
            self.assertEqual(counts, (3, 1))
            reason = "It dies before it is born."
            self.assertEqual(pending[1:], [f"a,Pooh,7,5,born: {reason}; died: {reason}"])

    def test_a_hook_that_returns_what_it_must_not_is_named(self):
        """1.9 let such a row stop the import, or take a text for a list of messages."""
        returned = "checkConversion returns something else than"
        good = {"code": "a", "full": "Pooh"}
        for hook, result, told in (
            ("checkConversion", None, returned),
            ("checkConversion", ([], good), returned),
            ("checkConversion", (["bad"], [], good), returned),
            ("checkConversion", ({"born": "bad"}, [], good), returned),
            ("checkConversion", ([], "bad", good), returned),
            ("checkConversion", ([], [], [*good.items()]), returned),
            ("checkConversion", ([("born", "bad")], (), {}), "born: bad"),
            ("checkCreateRequirements", True, "refuses the row by True. A hook"),
            ("checkCreateRequirements", "bad", "bad"),
        ):
            members = {hook: lambda *args, result=result, **kw: result, "__module__": __name__}
            cls = type("Own", (BearProcessor,), {**members, grok.baseclass.dotted_name(): True})
            with self.subTest(hook, result=result):
                pending = self.do("code,full", "a,Pooh", processor=cls())[2]
                self.assertIn(told, pending[1])
        cls = type("Own", (BearProcessor,), {"stringFromErrs": lambda *args: None})
        pending = self.do("code,full,born", "a,Pooh,x", processor=cls())[2]
        self.assertIn("Own.stringFromErrs has returned None", pending[1])

    def test_what_is_no_message_is_told(self):
        class Yes(BearProcessor):
            grok.baseclass()

            @rule("born")
            def is_known(self, row, site):
                return True

        pending = self.do("code,full,born", "a,Pooh,7", processor=Yes())[2]
        self.assertIn("Yes.is_known has returned True; a rule returns None, or a m", pending[1])

    def test_what_raises_concerns_its_row(self):
        class Broken(BearProcessor):
            grok.baseclass()

            @rule("born")
            def is_known(self, row, site):
                raise KeyError(f"no year {row['born']}")

        counts, _, pending = self.do("code,full,born", "a,Pooh,7", processor=Broken())
        self.assertEqual((counts, pending[1]), ((1, 1), "a,Pooh,7,born: no year 7"))

    def test_a_fault_stops_the_import(self):
        for processor in self.each():
            with self.assertRaises(StorageFault):
                self.do("code,first,last", "a,Old,fault", processor=processor)

    def test_rows_that_remove_are_asked_nothing(self):
        self.do("code,full", "a,Pooh")
        counts, *_ = self.do("code,born,died", "a,7,5", mode="remove")
        self.assertEqual((counts, list(self.bears)), ((1, 0), []))

    def test_no_method_is_shown_a_hash_unless_it_says_so(self):
        seen = {}

        class Seeing(BearProcessor):
            grok.baseclass()

            @computed("first")
            def blind(self, row, site):
                seen["computed"] = row["key"]

            @computed("last", sees_secrets=True)
            def seeing(self, row, site):
                seen["computed by"] = row["key"]

            @rule("key")
            def careless(self, row, site):
                seen["rule"] = row["key"]

            @rule("key", sees_secrets=True)
            def careful(self, row, site):
                seen["rule by"] = row["key"]

            @rule("code")
            def whole(self, row, site):
                seen["whole"] = row.get("key", "")

        self.do("code,full,key", "a,Pooh,secret", processor=Seeing())
        hashed = self.bears["a"].key
        self.assertTrue(hashed.startswith("$2b$"), hashed)
        self.assertEqual(
            seen,
            {
                "computed": "***",
                "computed by": hashed,
                "rule": "***",
                "rule by": hashed,
                "whole": "***",
            },
        )
        seen.clear()
        self.do("code,key", "a,XXX", mode="update", processor=Seeing())
        self.assertEqual((self.bears["a"].key, seen), (None, {"whole": None}))

    def test_passwords_and_rules_go_together(self):
        counts, _, pending = self.do("code,full,key,born,died", "a,Pooh,secret,7,5")
        self.assertEqual(counts, (1, 1))
        self.assertNotIn("secret", pending[1])


class CollectingTests(unittest.TestCase):
    """What classes declare is gathered when they are made."""

    def test_a_kind_without_any_has_nothing(self):
        class Plain(ContainerProcessor):
            grok.baseclass()
            iface = IBear

        self.assertIs(Plain.declarations, NOTHING)
        self.assertIs(BatchProcessor.declarations, NOTHING)

    def test_a_subclass_replaces_and_takes_out(self):
        class Own(BearProcessor):
            grok.baseclass()
            lives = None

            def both_names(self, row, site):
                return "Nobody"

        self.assertEqual(Own.declarations.rules, ())
        self.assertEqual([each.field for each in Own.declarations.computed], ["full"])

    def test_what_cannot_be_is_refused_at_once(self):
        def method(self, *args):
            """Do nothing."""

        for declare, words in (
            (computed("code"), "says where an object is"),
            (computed("nothing"), "there is no field nothing"),
            (computed("key"), "a password cannot be computed"),
            (column("full"), "full is a field"),
        ):
            with self.subTest(words), self.assertRaisesRegex(TypeError, words):
                type("Own", (ContainerProcessor,), {"iface": IBear, "own": declare(method)})
        with self.assertRaisesRegex(TypeError, "full says where an object is"):
            members = {"iface": IBear, "key": "full", "own": computed("full")(method)}
            type("Own", (ContainerProcessor,), members)
        with self.assertRaisesRegex(TypeError, "age is declared twice, by a and b. A method"):
            members = {
                "a": column("age")(lambda self, obj: 1),
                "b": column("age")(lambda self, obj: 2),
            }
            type("Own", (ContainerProcessor,), {"iface": IBear, **members})
        with self.assertRaisesRegex(TypeError, "names the fields"):
            rule()
        # As a decorator without parentheses, or without what goes into them.
        for declare, given, found in (
            (rule, method, "names the fields"),
            (computed, method, "What is computed is named"),
            (column, method, "with parentheses"),
            (filter_by, schema.Int, "has a field"),
        ):
            with self.assertRaisesRegex(TypeError, found):
                declare(given)
        self.assertEqual(filter_by(schema.Int())(method), method)

    def test_what_a_kind_cannot_do_without_is_asked_for(self):
        """A base need not have it; who makes a processor of a class hears what is missing."""

        class Base(ContainerProcessor):
            grok.baseclass()

        class Placed(Base):
            grok.baseclass()
            iface = IBear
            contaner = "caves"

        class Within(Placed):
            grok.baseclass()

            def getParent(self, row, site):
                return site

        for cls, found in (
            (Base, "Base.iface is missing"),
            (Placed, "Placed.container is missing"),
        ):
            with self.assertRaisesRegex(TypeError, found):
                cls()
        self.assertEqual(Within().container, "")
        for parts, found in ((Part(), "Own.parts has to be"), ((Part(),), "Part has no place")):
            with self.assertRaisesRegex(TypeError, found):
                type("Own", (BearProcessor,), {"parts": parts})
        with self.assertRaisesRegex(TypeError, "Own.iface: .*, and Record is a class"):
            type("Own", (ContainerProcessor,), {"iface": Record})

    def test_a_location_is_a_list(self):
        with self.assertRaisesRegex(TypeError, r"Own.location_fields is one text; .*: \['code'\]"):
            type("Own", (BearProcessor,), {"location_fields": "code"})

    def test_a_parent_that_is_no_container_is_told(self):
        own = type("Own", (BearProcessor,), {"getParent": lambda self, row, site: OldBear()})()
        with self.assertRaisesRegex(TypeError, "Own finds objects in a OldBear, which is no cont"):
            own.getEntry({"code": "a"}, None)

    def test_a_place_that_is_no_field_is_refused_at_once(self):
        def make(**members):
            return type("Own", (ContainerProcessor,), {"iface": IBear, **members})

        message = (
            "Own.{}: there is no field {} in IBear. "
            "Its fields are: born, code, died, first, full, key, last."
        )
        places = ["code", "den", "cave"]
        for members, found in (
            ({"key": "nmae"}, ("key", "nmae")),
            ({"location_fields": places}, ("location_fields", "den, cave")),
        ):
            with self.subTest(members), self.assertRaises(TypeError) as caught:
                make(**members)
            self.assertEqual(str(caught.exception), message.format(*found))

    def test_who_looks_in_an_own_way_may_look_by_what_is_no_field(self):
        def look(self, row, site):
            """Find something by what is no field."""

        for members in (
            {"location_fields": ["code", "den"], "getParent": look},
            {"key": "nmae", "getEntry": look},
            {"key": "nmae", "iface": None},
            {"key": "nmae", grok.baseclass.dotted_name(): True},
        ):
            with self.subTest(members):
                kind = type("Own", (ContainerProcessor,), {"iface": IBear, **members})
                self.assertEqual(kind.key, members.get("key", "code"))
