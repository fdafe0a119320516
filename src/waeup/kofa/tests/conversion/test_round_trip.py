"""What is exported imports as the same value; and no cell crashes a converter."""

import csv
import io
import unittest
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from zope import schema

from waeup.kofa.conversion import IGNORED, FieldPlan, FormattedDate, PhoneNumber, Secret
from waeup.kofa.conversion.cells import MARKERS, VerbatimText
from waeup.kofa.conversion.secret import hash_password
from waeup.kofa.errors import ConversionError
from waeup.kofa.interfaces import IGNORE_MARKER
from waeup.kofa.tests.conversion.test_cells import SIGNS, tricky_texts

lines = tricky_texts.filter(lambda text: "\n" not in text and "\r" not in text)
offsets = st.integers(-86_000, 86_000).map(lambda seconds: timezone(timedelta(seconds=seconds)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=offsets)
digits = st.text("0123456789", min_size=1, max_size=8)
phones = st.builds(
    "{}-{}-{}".format, st.just("") | digits.map("+{}".format), st.just("") | digits, digits
)
VALUES = ["=a", "\uff20a", "XXX", "<IGNORE>", "[]", "", " a ", "'a", "'=a", "é", "a,b", 'a"b']
HASHED = hash_password("correct horse", 4)

#: Field (not required) -> strategy of its values.
KINDS = {
    schema.TextLine: (schema.TextLine(required=False), lines),
    schema.Text: (schema.Text(required=False), tricky_texts),
    schema.SourceText: (schema.SourceText(required=False), tricky_texts),
    schema.ASCII: (schema.ASCII(required=False), tricky_texts.filter(str.isascii)),
    schema.ASCIILine: (schema.ASCIILine(required=False), lines.filter(str.isascii)),
    schema.Bool: (schema.Bool(required=False), st.booleans()),
    schema.Int: (schema.Int(required=False), st.integers()),
    schema.Float: (
        schema.Float(required=False),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    schema.Decimal: (
        schema.Decimal(required=False),
        st.decimals(allow_nan=False, allow_infinity=False, places=3),
    ),
    schema.Date: (schema.Date(required=False), st.dates()),
    FormattedDate: (FormattedDate("%d/%m/%y", required=False), st.dates()),
    schema.Datetime: (schema.Datetime(required=False), moments),
    schema.Choice: (schema.Choice(values=VALUES, required=False), st.sampled_from(VALUES)),
    schema.List: (
        schema.List(value_type=schema.Text(), required=False),
        st.lists(tricky_texts, max_size=3),
    ),
    schema.Tuple: (
        schema.Tuple(value_type=schema.Datetime(), required=False),
        st.lists(moments, max_size=3).map(tuple),
    ),
    schema.Set: (
        schema.Set(value_type=schema.Choice(values=VALUES), required=False),
        st.sets(st.sampled_from(VALUES)),
    ),
    schema.FrozenSet: (
        schema.FrozenSet(value_type=schema.Int(), required=False),
        st.frozensets(st.integers()),
    ),
    PhoneNumber: (PhoneNumber(required=False), phones),
    Secret: (Secret(required=False, rounds=4), st.just(HASHED)),
}
#: Lists of lists of what else there is.
NESTED = (
    schema.List(value_type=schema.List(value_type=schema.Float()), required=False),
    st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3), max_size=3),
)


def through_csv(cell):
    """Return `cell` as it comes back from a file."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow([cell, ""])
    buffer.seek(0)
    return next(csv.reader(buffer))[0]


def restored(plan, cell):
    """Return the value of a new object into which `cell` was imported."""
    value = plan.convert(cell, "create", True)
    return plan.field.default if value is IGNORED else value


class RoundTripTests(unittest.TestCase):
    @given(st.data())
    def test_every_kind_of_field(self, data):
        """convert(render(value)) == value, of the same type, in a cell that is no formula."""
        for kind, (field, values) in [*KINDS.items(), ("nested", NESTED)]:
            plan = FieldPlan(field)
            value = data.draw(values | st.none(), label=str(kind))
            cell = plan.render(value)
            found = restored(plan, through_csv(cell))
            self.assertEqual(found, value)
            if type(found) is VerbatimText:
                # Only the text of the marker; hooks must be able to tell it from the marker.
                self.assertEqual(found, IGNORE_MARKER)
                found = str(found)
            self.assertIs(type(found), type(value))
            if not isinstance(value, (int, float, type(None))) and kind is not schema.Decimal:
                self.assertFalse(cell.startswith(SIGNS))

    @given(lines | st.none(), lines | st.none())
    def test_fields_with_a_default(self, value, default):
        plan = FieldPlan(schema.TextLine(required=False, default=default))
        self.assertEqual(restored(plan, plan.render(value)), value)

    @given(st.lists(st.integers(), max_size=2), st.none() | st.just([]) | st.just([1]))
    def test_lists_with_a_default(self, value, default):
        plan = FieldPlan(schema.List(value_type=schema.Int(), required=False, default=default))
        self.assertEqual(restored(plan, plan.render(value)), value)


class AnyCellTests(unittest.TestCase):
    # A password of any text is a password; hashing it takes its time.
    plans = [FieldPlan(field) for kind, (field, _) in KINDS.items() if kind is not Secret]
    plans += [FieldPlan(NESTED[0]), FieldPlan(schema.List(required=False))]

    @given(
        st.one_of(
            tricky_texts,
            st.text("0123456789-+:/#.eE TZ"),
            st.text("[]{}()'\"\\,:-+.0123456789 TrueNone"),
            st.sampled_from(sorted(MARKERS)),
        ),
        st.sampled_from(["create", "update", "remove", "ignore"]),
        st.booleans(),
    )
    def test_value_or_conversion_error(self, cell, mode, ignore_empty):
        """Nothing else comes out of a cell, whatever is in it; and the value is valid."""
        for plan in self.plans:
            try:
                value = plan.convert(cell, mode, ignore_empty)
            except ConversionError as exc:
                self.assertLess(len(str(exc)), 500)
                continue
            if value is not IGNORED:
                plan.field.validate(value)
