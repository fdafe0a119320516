"""Filters: derived from columns, read by the grammar of cells, refused in plain words."""

import unittest
from datetime import date, datetime, timezone
from decimal import Decimal

from zope import interface, schema

from waeup.kofa.conversion import FormattedDate, PhoneNumber, Secret
from waeup.kofa.errors import Refused
from waeup.kofa.exporting import Export, Wish
from waeup.kofa.exporting.filters import convert, filter_schema, filters_in_order, matching
from waeup.kofa.tests.exporting.kinds import CONTAINER, Site, fill, kind_registered, text_of

UTC = timezone.utc


def even(number):
    """A constraint in the style of a site: it raises what it likes."""
    if number % 2:
        raise ValueError("must be even")
    return True


class IHouse(interface.Interface):
    """A house with fields of all kinds."""

    code = schema.TextLine(title="Code")
    storeys = schema.Int(title="Storeys", min=1, default=2)
    rooms = schema.Int(title="Rooms", required=False, constraint=even)
    height = schema.Float(title="Height", required=False)
    rent = schema.Decimal(title="Rent", required=False)
    is_old = schema.Bool(title="Old", required=False, default=False)
    kind = schema.Choice(title="Kind", values=["hut", "-tower"], required=False)
    phone = PhoneNumber(title="Phone", required=False)
    email = schema.ASCIILine(title="Mail", required=False)
    notes = schema.Text(title="Notes", required=False)
    more = schema.ASCII(title="More", required=False)
    key = Secret(title="Key", required=False)
    built = schema.Date(title="Built", required=False)
    seen = schema.Datetime(title="Seen", required=False)
    sold = FormattedDate("%d.%m.%Y", title="Sold", required=False)
    valid = schema.Date(title="Valid", required=False)
    valid_from = schema.Date(title="Valid from", required=False)
    colours = schema.List(
        title="Colours", value_type=schema.Choice(values=["red", "blue"]), required=False
    )
    years = schema.Set(title="Years", value_type=schema.Int(), required=False)
    days = schema.Tuple(title="Days", value_type=schema.Date(), required=False)
    grid = schema.List(
        title="Grid", value_type=schema.List(value_type=schema.Int()), required=False
    )
    odds = schema.List(title="Odds", required=False)
    place = schema.Object(schema=interface.Interface, title="Place", required=False)


NONE = dict.fromkeys(schema.getFieldNames(IHouse))
A = NONE | {
    "code": "a",
    "storeys": 2,
    "rooms": 4,
    "height": 2.5,
    "rent": Decimal("10.50"),
    "is_old": True,
    "kind": "-tower",
    "phone": "+234--1",
    "email": "a@b.cd",
    "built": date(2020, 2, 29),
    "seen": datetime(2020, 2, 29, 23, 59, 59, tzinfo=UTC),
    "sold": date(2021, 1, 2),
    "valid": date(2022, 1, 1),
    "valid_from": date(2000, 1, 1),
    "colours": ["red", "blue"],
    "years": {1, 2},
    "days": (date(2001, 2, 3),),
    "grid": [[1, 2], [3]],
}
B = NONE | {"code": "b", "storeys": 1, "is_old": False, "email": "", "colours": []}
C = A | {
    "code": "=c",
    "built": date(2020, 3, 1),
    "seen": datetime(2020, 3, 1, tzinfo=UTC),
    "colours": ["blue"],
}


class FilterTests(unittest.TestCase):
    """A site with three houses."""

    def setUp(self):
        self.site = Site()
        fill(self.site, IHouse, [A, B, C])
        kind = kind_registered(IHouse)
        _, self.exporter = kind.__enter__()
        self.addCleanup(kind.__exit__, None, None, None)

    def codes(self, *filters, **wish):
        """Return the codes of the houses that pass."""
        text = text_of(self.site, filters=filters, **wish)
        return [line.split('"')[1] for line in text.splitlines()[1:]]

    def test_names(self):
        """One for each column that people tell objects apart by; days have two more."""
        self.assertEqual(
            [name for name, _ in filters_in_order(self.exporter.filters)],
            [
                *("code", "storeys", "rooms", "height", "rent", "is_old", "kind", "phone"),
                *("email", "built", "built_from", "built_to", "seen", "seen_from", "seen_to"),
                *("sold", "sold_from", "sold_to", "valid", "valid_from_", "valid_to"),
                *("valid_from", "valid_from_from", "valid_from_to"),
                *("colours", "years", "days", "grid"),
            ],
        )
        self.assertEqual(filters_in_order(None), [])

    def test_a_filter_has_no_default_and_need_not_be_filled(self):
        """The fields of the kind stay as they are."""
        for name, field in filters_in_order(self.exporter.filters):
            with self.subTest(name):
                self.assertFalse(field.required)
                self.assertIsNone(field.default)
        self.assertEqual(IHouse["storeys"].default, 2)
        self.assertTrue(IHouse["storeys"].required)

    def test_default_factories(self):
        class IDated(interface.Interface):
            year = schema.Int(title="Year", defaultFactory=lambda: 2020)

        found = filter_schema("Dated", IDated, ["year"])
        self.assertIsNone(found["year"].default)

    def test_values(self):
        for name, text in (
            ("storeys", "2"),
            ("rooms", "4"),
            ("height", "2.50"),
            ("rent", "10.5"),
            ("is_old", "yes"),
            ("kind", "-TOWER"),
            ("phone", "+234--1#"),
            ("email", " a@b.cd "),
            ("sold", "02.01.2021"),
            ("sold", "2021-01-02#"),
            ("years", "2"),
            ("days", "2001-02-03"),
            ("grid", "[1, 2]"),
        ):
            with self.subTest(name=name, text=text):
                self.assertEqual(self.codes((name, text)), ["'=c", "a"])

    def test_nothing_and_no_value(self):
        self.assertEqual(self.codes(("storeys", ""), ("kind", " ")), ["'=c", "a", "b"])
        self.assertEqual(self.codes(("kind", "<IGNORE>")), ["'=c", "a", "b"])
        for name in ("rooms", "kind", "built", "built_from", "seen_to", "colours", "email"):
            with self.subTest(name):
                self.assertEqual(self.codes((name, "XXX")), ["b"])
        # False is a value.
        self.assertEqual(self.codes(("is_old", "XXX")), [])
        self.assertEqual(self.codes(("is_old", "0")), ["b"])

    def test_guarded_texts(self):
        self.assertEqual(self.codes(("code", "=c")), ["'=c"])
        self.assertEqual(self.codes(("code", "'=c")), ["'=c"])

    def test_days(self):
        """The first and the last one count, whatever the time."""
        for name in ("built", "seen"):
            with self.subTest(name):
                day = "2020-02-29"
                self.assertEqual(self.codes((name, day)), ["a"])
                self.assertEqual(self.codes((f"{name}_from", day)), ["'=c", "a"])
                self.assertEqual(self.codes((f"{name}_from", "2020-03-01")), ["'=c"])
                self.assertEqual(self.codes((f"{name}_to", day)), ["a"])
                self.assertEqual(self.codes((f"{name}_to", "2020-03-01")), ["'=c", "a"])
                both = ((f"{name}_from", day), (f"{name}_to", day))
                self.assertEqual(self.codes(*both), ["a"])

    def test_a_column_called_like_a_bound(self):
        self.assertEqual(self.codes(("valid_from", "2000-01-01")), ["'=c", "a"])
        self.assertEqual(self.codes(("valid_from", "1999-01-01")), [])
        self.assertEqual(self.codes(("valid_from_", "2022-01-01")), ["'=c", "a"])
        self.assertEqual(self.codes(("valid_from_", "2022-01-02")), [])
        self.assertEqual(self.codes(("valid_from_to", "2000-01-01")), ["'=c", "a"])
        # In whatever order the columns are.
        for columns in (("valid", "valid_from"), ("valid_from", "valid")):
            found = filter_schema("House", IHouse, columns)
            self.assertEqual(found["valid_from"].column, "valid_from")
            self.assertEqual(found["valid_from_"].column, "valid")

    def test_lists_by_element(self):
        self.assertEqual(self.codes(("colours", "red")), ["a"])
        self.assertEqual(self.codes(("colours", "blue")), ["'=c", "a"])

    def test_several(self):
        self.assertEqual(self.codes(("storeys", "2"), ("colours", "red")), ["a"])
        self.assertEqual(self.codes(("storeys", "2"), keys=("a", "b", "x")), ["a"])

    def test_refused(self):
        for filters, words in (
            ([("floors", "2")], "no filter 'floors'. There are: 'code', 'storeys'"),
            ([("notes", "x")], "no filter 'notes'"),
            ([("key", "x")], "no filter 'key'"),
            ([("storeys", "2"), ("storeys", "2")], "'storeys' is given twice. Give it once"),
            ([("storeys", "two")], "storeys: Invalid integer data: 'two'.*or leave it empty"),
            ([("storeys", "0")], "storeys: Invalid input: '0' is too small"),
            ([("rooms", "3")], "rooms: must be even"),
            ([("kind", "house")], "kind: Invalid value: 'house'.*allowed: 'hut', '-tower'"),
            ([("built_from", "1.2.2020")], "built_from: Invalid datetime data"),
            ([("seen", "2020-01-01 10:00")], "seen: Invalid datetime data"),
            ([("grid", "1")], "grid: Invalid list data"),
            ([("colours", "green")], "colours: Invalid value: 'green'"),
        ):
            with self.subTest(filters), self.assertRaisesRegex(Refused, words):
                Export(Wish(CONTAINER, filters=tuple(filters)), self.site)
        self.assertEqual(convert(None, [], self.site), {})

    def test_matching_refuses_what_it_does_not_know(self):
        found = filter_schema("House", IHouse, ["storeys"])
        with self.assertRaisesRegex(Refused, "no filter 'floors'"):
            matching([], {"floors": 1}, found)

    def test_columns_that_are_no_fields_are_texts(self):
        found = filter_schema("House", IHouse, ["street"])
        self.assertEqual(convert(found, [("street", "x")], None), {"street": "x"})
