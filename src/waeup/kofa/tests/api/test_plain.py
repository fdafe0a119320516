"""Values as plain JSON: what goes out comes in again, and what is wrong is told of by place."""

import json
import math
import re
import unittest
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from waeup.kofa.api import plain
from waeup.kofa.api.plain import MOST, MOST_CHARACTERS, Bound, NotPlain, Parts, dump, load
from waeup.kofa.conversion import Mapping as ColumnMapping
from waeup.kofa.errors import MappingError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.ledger import Draft
from waeup.kofa.operations import StoredFile

NOW = datetime(2026, 1, 31, 10, 0, 0, 5, timezone.utc)


class Pair(NamedTuple):
    """A pair."""

    left: int
    right: str = ""


@dataclass(frozen=True)
class Everything:
    """All kinds of fields."""

    flag: bool
    number: int
    share: float
    text: str
    content: bytes
    moment: datetime
    day: date
    maybe: int | None
    either: str | int | None
    pair: Pair
    pairs: tuple[Pair, ...]
    fixed: tuple[int, str]
    names: list[str]
    by_name: dict[str, Pair]
    by_number: Mapping[int, str]
    word: Literal["a", "b"]
    more: dict[str, Any] = field(default_factory=dict)


class Options(TypedDict, total=False):
    """Some options."""

    name: str | None
    number: int


integers = st.integers(-MOST, MOST)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
moments = st.datetimes(
    datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(timezone.utc)
) | st.datetimes(
    datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(timezone(timedelta(hours=-5)))
)
pairs = st.builds(Pair, integers, texts)
scalars = st.none() | st.booleans() | integers | floats | texts
everything = st.builds(
    Everything,
    st.booleans(),
    integers,
    floats,
    texts,
    st.binary(),
    moments,
    st.dates(),
    st.none() | integers,
    st.none() | texts | integers,
    pairs,
    st.lists(pairs).map(tuple),
    st.tuples(integers, texts),
    st.lists(texts),
    st.dictionaries(texts, pairs),
    st.dictionaries(integers, texts),
    st.sampled_from("ab"),
    st.dictionaries(texts, scalars),
)
#: Anything that JSON can hold.
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@cache
def validator(annotation, incoming=True):
    """Return what checks by the schema of an annotation."""
    parts = Parts("#/$defs/")
    parts.incoming = incoming
    schema = plain.schema(annotation, parts)
    Draft202012Validator.check_schema({**schema, "$defs": parts.schemas})
    return Draft202012Validator({**schema, "$defs": parts.schemas})


class RoundTrips(unittest.TestCase):
    """Out and in."""

    @settings(max_examples=40)
    @given(everything)
    def test_what_goes_out_comes_in_again(self, value):
        data = dump(value, Everything)
        text = plain.to_text(data)
        self.assertEqual(load(plain.from_text(text), Everything), value)
        self.assertEqual(json.loads(text), data)

    @settings(max_examples=40)
    @given(everything)
    def test_what_goes_out_fits_its_schema(self, value):
        data = json.loads(plain.to_text(dump(value, Everything)))
        validator(Everything, incoming=False).validate(data)
        validator(Everything).validate(data)

    @given(anything)
    def test_what_the_schema_refuses_is_refused_and_the_other_way_round(self, data):
        for annotation in (
            Pair,
            list[Pair],
            Options,
            int | None,
            dict[str, int],
            Mapping[int, bool],
            tuple[str, int],
            Annotated[int, Bound(0, 5)],
            Literal["", 1],
            Any,
        ):
            checks = validator(annotation)
            if has_surrogates(data) or has_great_numbers(data):
                continue
            try:
                load(data, annotation)
            except NotPlain as error:
                self.assertFalse(checks.is_valid(data), (annotation, data))
                self.assertTrue(error.errors)
            else:
                self.assertTrue(checks.is_valid(data), (annotation, data))

    @given(st.binary(max_size=200))
    def test_no_text_of_json_is_a_surprise(self, text):
        try:
            plain.from_text(text)
        except NotPlain:
            return
        json.loads(text)


def has_surrogates(data):
    """Tell whether a text somewhere has half of a character."""
    return re.search(r"\\ud[89a-f]", json.dumps(data)) is not None


def has_great_numbers(data):
    """Tell whether a number somewhere is greater than programs can have."""
    if isinstance(data, list | dict):
        items = data.values() if isinstance(data, dict) else data
        return any(map(has_great_numbers, items)) or any(
            len(key) > 16 for key in (data if isinstance(data, dict) else ())
        )
    return isinstance(data, int | float) and abs(data) > MOST


class Kinds(unittest.TestCase):
    """Single kinds of values."""

    def wrong(self, data, annotation):
        """Return pairs of place and what is wrong there."""
        with self.assertRaises(NotPlain) as caught:
            load(data, annotation)
        return [(error.pointer, error.detail) for error in caught.exception.errors]

    def test_times(self):
        self.assertEqual(dump(NOW, datetime), "2026-01-31T10:00:00.000005Z")
        for text in (
            "2026-01-31T10:00:00.000005Z",
            "2026-01-31t12:00:00.000005+02:00",
            "2026-01-31T08:00:00.000005999-02:00",
        ):
            self.assertEqual(load(text, datetime), NOW)
        for text in (
            "2026-01-31",
            "2026-01-31T10:00:00",
            "x",
            5,
            "2026-02-30T10:00:00Z",
            "0001-01-01T00:00:00+10:00",
            "2026-01-31T10:00:00+99:00",
        ):
            self.wrong(text, datetime)
        self.assertRaises(TypeError, dump, datetime(2026, 1, 31), datetime)

    def test_days(self):
        self.assertEqual(load("2026-01-31", date), date(2026, 1, 31))
        for text in ("2026-02-30", "20260131", "2026-W01-1", 5, None):
            self.wrong(text, date)
        self.assertRaises(TypeError, dump, NOW, date)

    def test_numbers(self):
        self.assertEqual(load(5.0, int), 5)
        self.assertEqual(load(5, float), 5.0)
        for data in (True, "5", 5.5, MOST + 1, None):
            self.wrong(data, int)
        for data in (True, "5", 10**400, None):
            self.wrong(data, float)
        for value in (math.nan, math.inf):
            self.assertRaises(ValueError, dump, value, float)
            self.assertRaises(ValueError, dump, value, Any)
        self.wrong(11, Annotated[int, Bound(0, 10)])
        self.wrong(10.5, Annotated[float, Bound(0, 10)])
        self.assertIsNone(load(None, Annotated[int | None, Bound(0, 10)]))

    def test_texts(self):
        self.assertEqual(dump(_("A ${b}", mapping={"b": "c"}), str), "A c")
        self.wrong("\ud800", str)
        self.wrong("x" * (MOST_CHARACTERS + 1), str)
        self.wrong("", Annotated[str, Bound(shortest=1)])
        self.wrong("b", Annotated[str, Bound(pattern="^a")])
        # Names of files may hold bytes that are no characters.
        self.assertEqual(json.loads(plain.to_text(dump("a\udc80", str))), "a\udc80")
        self.assertEqual(load("a\udc80", str, strict=False), "a\udc80")

    def test_bytes(self):
        self.assertEqual(load(dump(b"\0\xff", bytes), bytes), b"\0\xff")
        for data in ("=", "ü", 5, None):
            self.wrong(data, bytes)

    def test_lists(self):
        self.assertEqual(load(["a"], Iterable[str]), ["a"])
        self.assertEqual(load(["a"], Sequence[str]), ["a"])
        self.assertEqual(load(["a"], tuple[str, ...]), ("a",))
        self.assertEqual(load(["a"], frozenset[str]), frozenset("a"))
        self.assertEqual(
            self.wrong([1, "a", 2], list[str]), [("/0", "Give a text."), ("/2", "Give a text.")]
        )
        self.wrong(["a", "b"], Annotated[list[str], Bound(longest=1)])
        self.assertRaises(TypeError, dump, "abc", list[str])

    def test_objects(self):
        self.assertEqual(load({"left": 1}, Pair), Pair(1))
        self.assertEqual(
            self.wrong({"left": "x", "up/~": 1}, Pair),
            [
                ("/up~1~0", "There is no such member. There are: left, right."),
                ("/left", "Give a whole number."),
            ],
        )
        self.assertEqual(self.wrong({}, Pair), [("/left", "This member is missing.")])
        self.assertEqual(load({"left": 1, "new": 2}, Pair, strict=False), Pair(1))
        self.assertEqual(load({"name": None}, Options), {"name": None})
        self.wrong({"other": 1}, Options)
        self.wrong({"05": "a"}, Mapping[int, str])

    def test_what_a_class_refuses_is_raised(self):
        with self.assertRaises(MappingError):
            load({"columns": ["a", "a"]}, ColumnMapping)

    def test_what_is_wrong_is_told_of_some_places(self):
        self.assertEqual(len(self.wrong(["x"] * 100, list[int])), plain.MOST_WRONG)

    def test_a_draft(self):
        draft = Draft("1", "a.csv", "d", "bola", NOW)
        draft.reading = {"delimiter": ";"}
        draft.columns = ("code", None)
        data = dump(draft, Draft)
        again = load(data, Draft)
        self.assertEqual(dump(again, Draft), data)
        self.assertEqual((again.reading, again.columns), ({"delimiter": ";"}, ("code", None)))

    def test_what_is_the_portals_own_is_not_sent(self):
        file = StoredFile("a", "", 1, NOW, "bola", lambda: 5, lambda: None)
        data = dump(file, StoredFile)
        self.assertNotIn("counted", data)
        self.assertEqual(load(data, StoredFile).name, "a")

    def test_what_cannot_be_sent(self):
        for annotation in (object, dict[float, int], set):
            self.assertRaises(TypeError, plain.codec, annotation)


class Texts(unittest.TestCase):
    """JSON as text."""

    def test_what_is_no_json(self):
        for text in (
            b"",
            b"{",
            b'{"a": 1, "a": 2}',
            b"NaN",
            b"[Infinity]",
            b"\xff",
            b"[" * 100_000,
            b"[" * 30 + b"]" * 30,
            b"1" * 10_000,
            # Who looks for the double member by comparing all with all is at it for minutes.
            b"{" + b",".join(b'"%d":0' % at for at in range(80_000)) + b',"x":0,"x":0}',
        ):
            self.assertRaises(NotPlain, plain.from_text, text)

    def test_markdown_has_single_signs_for_literals(self):
        def function():
            """Say ``a`` to `b`.

            More.
            """

        self.assertEqual(plain.about(function), "Say `a` to `b`.\n\nMore.")
