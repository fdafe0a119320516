"""Values and errors as messages: what comes out is what went in, and nothing else gets in."""

import dataclasses
import inspect
import io
import json
import math
import os
import tempfile
import unittest
from collections import namedtuple
from datetime import datetime, timedelta, timezone
from importlib import import_module

from hypothesis import given
from hypothesis import strategies as st
from zope.i18nmessageid import MessageFactory

from waeup.kofa import errors
from waeup.kofa.api import wire
from waeup.kofa.conversion import Mapping, SavedMapping
from waeup.kofa.errors import (
    ConversionError,
    DuplicationError,
    Fault,
    KofaError,
    MappingError,
    NotUnderstood,
    StorageFault,
)
from waeup.kofa.importing.preview import Preview
from waeup.kofa.importing.report import Report
from waeup.kofa.operations.values import (
    ChoiceColumn,
    FieldInfo,
    ForeignText,
    ProcessorInfo,
    ProposedColumn,
    StoredFile,
    UserInfo,
)
from waeup.kofa.tabular import EmptyTable, UnclearTable
from waeup.kofa.tabular.options import ReadOptions
from waeup.kofa.tabular.survey import Example, Finding

# Also what is half a character: names of files may hold any bytes.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
MOMENTS = st.datetimes(
    timezones=st.none()
    | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
)
KEYS = TEXTS | st.integers() | st.booleans() | st.tuples(TEXTS, st.none() | st.integers())
OPTIONS = st.builds(ReadOptions, TEXTS, header_line=st.none() | st.integers())
USERS = st.builds(UserInfo, TEXTS, TEXTS, st.none() | TEXTS, st.tuples(TEXTS), st.booleans())
FINDINGS = st.builds(
    Finding,
    TEXTS,
    st.integers(),
    st.lists(st.builds(Example, st.integers(), st.integers(), TEXTS, TEXTS), max_size=2).map(
        tuple
    ),
)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXTS
    | st.binary(max_size=20)
    | MOMENTS
    | st.dates()
    | OPTIONS
    | USERS
    | FINDINGS
)
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=20,
)


def kinds(value):
    """Return the classes of a value and of all that is in it."""
    if isinstance(value, (list, tuple)):
        return (type(value), *map(kinds, value))
    if isinstance(value, dict):
        return (dict, *((kinds(key), kinds(item)) for key, item in value.items()))
    return type(value)


def message(plain):
    """Return JSON as a message."""
    return json.dumps(plain).encode()


class Values(unittest.TestCase):
    """What operations are given and return."""

    def there(self, value):
        return wire.decode(wire.encode(value))

    @given(ANYTHING)
    def test_a_value_is_the_same_on_the_other_side(self, value):
        there = self.there(value)
        self.assertEqual(there, value)
        self.assertEqual(kinds(there), kinds(value))

    def test_numbers_for_which_json_has_no_word(self):
        self.assertTrue(math.isnan(self.there(math.nan)))
        self.assertEqual(self.there([math.inf, -math.inf]), [math.inf, -math.inf])

    def test_a_translatable_text_becomes_text(self):
        self.assertIs(type(self.there(MessageFactory("waeup.kofa")("Faculty"))), str)

    def test_values_of_operations(self):
        field = FieldInfo("code", "TextLine", "Code", True, choices=(("m", "male"),))
        values = (("sex", (("W", "f"),)),)
        now = datetime.now(timezone.utc)
        saved = SavedMapping("x", "p", (("S", "sex"), ("N", None)), (), values, "ann", now)
        for value in (
            ProcessorInfo("p", "P", ("create",), (field,), {"create": ["code"]}, "waeup.x"),
            Mapping(("code", "sex", None), (("level", "100"),), values),
            saved,
            saved.fit(["S", "T"]),
            ProposedColumn("Code", "code", 0.98, "loose", ("A",), "text in one line"),
            ChoiceColumn("S", "sex", (ForeignText("W", 2, None, "f"),), (), 2, True, False),
            Report("a.csv", "p", "create", total=3, reasons=(("no", 2),)),
            Preview(
                *("a.csv", ("code",), (("A",),), (2,), "utf-8", 1.0, ",", '"', None, "LF", 1),
                *(("above",), "text", None, None, (), 2, 1, 1, (), "create"),
            ),
        ):
            with self.subTest(type(value).__name__):
                self.assertEqual(self.there(value), value)

    def test_a_stored_file_comes_without_its_lines(self):
        date = datetime.now().astimezone()
        file = StoredFile("a.csv", "", 9, date, "ann", lambda: 3, lambda: None)
        there = self.there([file])[0]
        self.assertEqual((there.name, there.date, there.owner), ("a.csv", date, "ann"))
        with self.assertRaisesRegex(Fault, "kofactl ls --lines"):
            _ = there.lines

    def test_no_two_errors_have_one_name(self):
        names = [name for listed in wire.ERRORS.values() for name in listed]
        self.assertEqual(len({*names}), len(names))

    def test_classes_of_one_name_are_told_apart(self):
        self.assertIn(b'"tabular.survey.Finding"', wire.encode(Finding("x", 1, ())))

    def test_every_class_can_be_made_again(self):
        for module, names in wire.VALUES.items():
            for name in names:
                with self.subTest(module, name=name):
                    kind = getattr(import_module(f"waeup.kofa.{module}"), name)
                    self.assertEqual(kind.__module__, f"waeup.kofa.{module}")
                    self.assertTrue(dataclasses.is_dataclass(kind) or issubclass(kind, tuple))

    def test_every_error_is_where_it_is_looked_for(self):
        for module, names in wire.ERRORS.items():
            for name in names:
                with self.subTest(module, name=name):
                    kind = getattr(import_module(f"waeup.kofa.{module}"), name)
                    self.assertEqual(kind.__module__, f"waeup.kofa.{module}")
                    self.assertTrue(issubclass(kind, KofaError))

    def test_an_open_file_is_named_by_its_place(self):
        with tempfile.TemporaryFile() as one, open(os.devnull, "rb") as other:
            files = []
            sent = wire.encode({"a": other, "b": [1, other]}, files)
            self.assertEqual(files, [other, other])
            self.assertEqual(wire.decode(sent, [one, other]), {"a": one, "b": [1, other]})
            with self.assertRaises(TypeError):
                wire.encode(other)

    def test_what_is_not_listed_is_not_sent(self):
        class Text(str):
            __slots__ = ()

        class Hidden(tuple):
            __slots__ = ()

        for value in (
            object(),
            {1, 2},
            lambda: None,
            iter([]),
            namedtuple("Pair", "a b")(1, 2),
            Hidden([1]),
            UserInfo,
            io.BytesIO(b""),
            ValueError("x"),
            [Text("fine"), object()],
            {"a": object()},
        ):
            with self.subTest(value), self.assertRaisesRegex(TypeError, "cannot be sent"):
                wire.encode(value, [])

    def test_what_is_not_listed_is_not_made(self):
        for plain in (
            {"object": {}},
            {"Draft": {}},
            {"builtins.eval": "1"},
            {"ledger.Draft": {}},
            {"operations.values.StoredFile": {"name": "a.csv"}},
            {"operations.values.UserInfo": {}},
            {"operations.values.UserInfo": ["a", "b", None, [], False]},
            {"tabular.options.ReadOptions": {"__class__": "x"}},
            {"tuple": 1},
            {"tuple": [], "dict": []},
            {},
            {"dict": [[1]]},
            {"dict": [[[], 1]]},
            {"datetime": "yesterday"},
            {"datetime": 1},
            {"bytes": "?"},
            {"float": "much"},
            {"file": 0},
            {"file": "x"},
        ):
            with self.subTest(plain), self.assertRaisesRegex(NotUnderstood, "different releases"):
                wire.decode(message([plain]))

    def test_what_is_no_message_is_not_understood(self):
        deep = b"[" * 100_000 + b"]" * 100_000
        for sent in (b"", b"\x80\x04K\x01.", b"{", b"[1,]", b"\xff", deep, b"9" * 5000):
            with self.subTest(sent[:10]), self.assertRaises(NotUnderstood):
                wire.decode(sent)

    @given(st.binary())
    def test_any_bytes_are_a_value_or_not_understood(self, data):
        try:
            wire.decode(data)
        except KofaError:
            pass

    def test_a_value_that_contradicts_itself_is_refused_as_ever(self):
        sound = wire.encode(Mapping(("a", "b")))
        sent = sound.replace(b'"b"', b'"a"')
        with self.assertRaisesRegex(MappingError, "Double headers"):
            wire.decode(sent)


class Errors(unittest.TestCase):
    """What operations raise."""

    def there(self, error):
        with self.assertRaises(KofaError) as caught:
            wire.answer_of(wire.encode_error(error))
        return caught.exception

    def test_each_error_is_raised_again_as_what_it_is(self):
        own = [
            kind
            for kind in vars(errors).values()
            if inspect.isclass(kind) and issubclass(kind, KofaError)
        ]
        self.assertLess(10, len(own))
        for kind in (*own, EmptyTable, UnclearTable):
            with self.subTest(kind.__name__):
                error = kind("Bad 'thing': \u2026\nChoose another one.")
                there = self.there(error)
                self.assertIs(type(there), kind)
                self.assertEqual((str(there), vars(there)), (str(error), vars(error)))

    def test_a_fault_brings_the_reference_of_its_entry_in_the_log(self):
        for error in (StorageFault("The disk is full."), ZeroDivisionError("odd")):
            with self.assertRaises(Fault) as caught:
                wire.answer_of(wire.encode_error(error, "k7m2-9xqd"))
            self.assertEqual(caught.exception.reference, "k7m2-9xqd")

    def test_attributes_come_as_far_as_they_can_be_sent(self):
        error = DuplicationError("There are two.", [object()])
        self.assertEqual(self.there(error).entries, [])
        error = DuplicationError("There are two.", ["A1", "A2"])
        error.more = 1
        self.assertEqual(vars(self.there(error)), {"msg": error.msg, "entries": ["A1", "A2"]})

    def test_an_error_that_is_not_listed_arrives_as_its_base(self):
        class Odd(ConversionError):
            pass

        self.assertIs(type(self.there(Odd("no"))), ConversionError)

    def test_another_error_is_a_fault_that_names_it(self):
        there = self.there(OSError(5, "Input/output error"))
        self.assertIs(type(there), Fault)
        self.assertRegex(str(there), r"^OSError: .*Input/output error\. .*portal\.log\.$")
        self.assertRegex(str(self.there(KeyError())), "^KeyError: no further words")

    def test_several_arguments_are_told_as_ever(self):
        error = StorageFault(28, "No space left on device")
        self.assertEqual(str(self.there(error)), str(error))

    def test_an_answer_that_is_none_is_not_understood(self):
        for answer in (None, 1, [], {}, {"error": "Frob", "text": "", "more": {}}, {"error": {}}):
            with self.subTest(answer), self.assertRaises(NotUnderstood):
                wire.answer_of(wire.encode(answer))
        self.assertIsNone(wire.answer_of(wire.encode_answer(None)))
