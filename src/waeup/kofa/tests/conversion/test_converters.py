"""What cells of each kind of field mean, and what is said about those that mean nothing."""

import unittest
from datetime import date, datetime, timezone
from decimal import Decimal

from zope import schema
from zope.interface.verify import verifyObject

from waeup.kofa.conversion import FormattedDate, PhoneNumber, Secret, converter_for, from_cell
from waeup.kofa.conversion.converters import CONVERTERS
from waeup.kofa.conversion.dates import DAY_FIRST, MONTH_FIRST, date_in_order, takes_iso_dates
from waeup.kofa.conversion.secret import check_password, hash_password
from waeup.kofa.errors import ConversionError, MappingError
from waeup.kofa.interfaces import IFieldConverter


class ConverterTestCase(unittest.TestCase):
    def assertConverts(self, field, cells):
        """`cells` are pairs of cell and value, compared with their types."""
        for cell, value in cells:
            with self.subTest(cell=cell):
                found = from_cell(field, cell)
                self.assertEqual(found, value)
                self.assertIs(type(found), type(value))

    def assertRefused(self, field, cells, start):
        """Every cell is refused with a message that begins with `start`, and says more."""
        for cell in cells:
            with self.subTest(cell=cell), self.assertRaises(ConversionError) as caught:
                from_cell(field, cell)
            message = str(caught.exception)
            self.assertEqual(message[: len(start)], start)
            self.assertGreater(len(message), len(start) + 10)


class LookUpTests(unittest.TestCase):
    def test_converters_provide_the_public_contract(self):
        for field in (
            *(schema.TextLine(), schema.Bool(), schema.Int(), schema.Float(), schema.Decimal()),
            *(schema.Date(), schema.Datetime(), FormattedDate(), PhoneNumber(), Secret()),
            *(schema.Choice(values=["a"]), schema.List(), schema.ASCIILine()),
        ):
            with self.subTest(field=field):
                self.assertTrue(verifyObject(IFieldConverter, converter_for(field)))

    def test_subclasses_of_fields_are_found(self):
        class Code(schema.TextLine):
            """A kind of field of a site."""

        self.assertIs(type(converter_for(Code())), CONVERTERS[schema.Text])

    def test_kind_that_no_cell_can_fill(self):
        field = schema.Dict(__name__="prices")
        with self.assertRaisesRegex(MappingError, "'prices' is of the kind Dict"):
            converter_for(field)


class TextTests(ConverterTestCase):
    def test_outer_blanks_go(self):
        self.assertConverts(schema.TextLine(), [("  a b ", "a b"), ("'t Hooft", "'t Hooft")])
        self.assertConverts(schema.Text(), [("a\nb\n", "a\nb")])

    def test_safe_cells_keep_blanks(self):
        self.assertConverts(
            schema.TextLine(), [("' a ", " a "), ("'=1", "=1"), ("'XXX", "XXX"), ("'", "")]
        )

    def test_line_ends_in_a_single_line(self):
        self.assertRefused(schema.TextLine(), ["a\nb", "a\rb"], "Invalid input")
        self.assertRefused(schema.ASCIILine(), ["a\nb"], "Invalid input")

    def test_ascii(self):
        self.assertConverts(schema.ASCIILine(), [("a@b.c", "a@b.c")])
        self.assertRefused(schema.ASCIILine(), ["é"], "Invalid input")
        self.assertRefused(schema.ASCII(), ["é"], "Invalid input")

    def test_lengths(self):
        field = schema.TextLine(min_length=2, max_length=4)
        self.assertConverts(field, [("ab", "ab"), ("abcd", "abcd")])
        self.assertRefused(field, ["a", "abcde"], "Invalid input: 'a")

    def test_uri_has_rules_of_its_own(self):
        self.assertConverts(schema.URI(), [("http://x.org", "http://x.org")])
        self.assertRefused(schema.URI(), ["no uri"], "Invalid input: 'no uri'")


class BoolTests(ConverterTestCase):
    def test_words(self):
        for word in ("1", "true", "on", "yes", "TRUE", "Yes"):
            self.assertConverts(schema.Bool(), [(word, True)])
        for word in ("0", "false", "off", "no", "FALSE", "No"):
            self.assertConverts(schema.Bool(), [(word, False)])

    def test_anything_else_is_not_false(self):
        self.assertRefused(schema.Bool(), ["maybe", "2", "'1"], "Invalid boolean data: ")


class NumberTests(ConverterTestCase):
    def test_int(self):
        self.assertConverts(schema.Int(), [("5", 5), (" -5 ", -5), ("+5", 5), ("007", 7)])

    def test_no_int(self):
        self.assertRefused(
            schema.Int(),
            ["abc", "1.0", "1_000", "٣", "²", "'5", "9" * 5000, "0x10", "- 5"],
            "Invalid integer data: ",
        )

    def test_float(self):
        self.assertConverts(
            schema.Float(), [("1.5", 1.5), ("2", 2.0), (".5", 0.5), ("-1e3", -1000.0), ("5.", 5.0)]
        )

    def test_no_float(self):
        self.assertRefused(
            schema.Float(),
            ["nan", "inf", "-Infinity", "1e400", "1_0.5", "3,5", "٣"],
            "Invalid floating point data: ",
        )

    def test_decimal(self):
        self.assertConverts(schema.Decimal(), [("1.50", Decimal("1.50")), ("-2", Decimal(-2))])
        self.assertEqual(str(from_cell(schema.Decimal(), "1.50")), "1.50")

    def test_no_decimal(self):
        self.assertRefused(
            schema.Decimal(),
            (
                *("nan", "sNaN", "Infinity", "1e999999999", "1e-999999999", "0e999", "1_0", "x"),
                "1e9999999999999999999",
            ),
            "Invalid decimal data: ",
        )

    def test_limits(self):
        field = schema.Int(min=0, max=100)
        self.assertConverts(field, [("0", 0), ("100", 100)])
        self.assertRefused(field, ["-1"], "Invalid input: '-1' is too small")
        self.assertRefused(field, ["101"], "Invalid input: '101' is too big")


class DateOrderTests(unittest.TestCase):
    """Dates that end with their year, of which a person says what comes first."""

    def test_both_orders(self):
        for text, day_first, month_first in (
            ("3.4.1999", "1999-04-03", "1999-03-04"),
            ("17/05/1999", "1999-05-17", None),
            ("05-17-1999 0:00", None, "1999-05-17"),
            (" 3. 4. 1999# ", "1999-04-03", "1999-03-04"),
            ("29.2.1999", None, None),
            ("3.4.99", None, None),
            ("3.4/1999", None, None),
            ("1999-04-03", None, None),
            ("3.4.1999 12:00", None, None),
            ("", None, None),
        ):
            with self.subTest(text):
                self.assertEqual(date_in_order(text, DAY_FIRST), day_first)
                self.assertEqual(date_in_order(text, MONTH_FIRST), month_first)

    def test_fields_that_take_what_comes_of_it(self):
        taking = [schema.Date(), schema.Datetime(), FormattedDate(date_format="%d.%m.%Y")]
        others = [FormattedDate(date_format="%Y-%d-%m"), schema.TextLine(), None]
        self.assertEqual([takes_iso_dates(f) for f in taking + others], [True] * 3 + [False] * 3)


class DateTests(ConverterTestCase):
    def test_date(self):
        day = date(2012, 4, 1)
        self.assertConverts(
            schema.Date(), [("2012-04-01", day), ("2012-4-1", day), ("#2012-04-01#", day)]
        )

    def test_no_date(self):
        self.assertRefused(
            schema.Date(),
            [
                "2012-02-30",
                "01.04.2012",
                "20120401",
                "2012-W01-1",
                "2012-04-01 10:00",
                "0000-01-01",
            ],
            "Invalid datetime data: ",
        )

    def test_formatted_date(self):
        """The field's own format, or the international one."""
        day = date(2012, 4, 1)
        self.assertConverts(
            FormattedDate(date_format="%d/%m/%Y"), [("01/04/2012#", day), ("2012-04-01", day)]
        )
        self.assertRefused(
            FormattedDate(date_format="%d/%m/%Y"), ["04/31/2012"], "Invalid datetime data: "
        )

    def test_format_that_looks_international_but_is_not(self):
        """The format of the field wins, as in 1.9."""
        self.assertConverts(
            FormattedDate(date_format="%Y-%d-%m"), [("2012-04-01", date(2012, 1, 4))]
        )
        self.assertRefused(
            FormattedDate(date_format="%Y-%d-%m"), ["2012-04-30"], "Invalid datetime data: "
        )

    def test_datetime_is_aware_and_in_utc(self):
        moment = datetime(2012, 4, 1, 12, 1, 1, tzinfo=timezone.utc)
        self.assertConverts(
            schema.Datetime(),
            [
                ("2012-04-01 12:01:01#", moment),
                ("2012-04-01T12:01:01Z", moment),
                ("2012/4/1 12:01:01 UTC", moment),
                ("2012-04-01 14:01:01+02:00", moment),
                ("2012-04-01 07:01:01 -0500", moment),
                ("2012-04-01 12:01:01.000", moment),
                ("2012-04-01", datetime(2012, 4, 1, tzinfo=timezone.utc)),
                ("2012-04-01 12:01", moment.replace(second=0)),
                ("2012-04-01 12:01:01.5", moment.replace(microsecond=500000)),
            ],
        )
        self.assertIs(from_cell(schema.Datetime(), "2012-04-01 14:00+02:00").tzinfo, timezone.utc)

    def test_no_datetime(self):
        self.assertRefused(
            schema.Datetime(),
            (
                *("foo", "2012-13-01", "4/1/2012", "2012-04-01 25:00", "0001-01-01 00:00+01:00"),
                *("2012-04-01 10:00+99:00", "2012-04/01", "2012-04-01 10"),
            ),
            "Invalid datetime data: ",
        )


class PhoneTests(ConverterTestCase):
    def test_parts(self):
        """Rules of Kofa 1.9: the last part is the number, the first the country."""
        self.assertConverts(
            PhoneNumber(),
            [
                ("1234", "--1234"),
                ("+234-1234", "+234--1234"),
                ("+234-803-1234#", "+234-803-1234"),
                ("--1234", "--1234"),
                ("'+234-803-1234#", "+234-803-1234"),
            ],
        )

    def test_wrong_parts(self):
        field = PhoneNumber()
        self.assertRefused(field, ["234-803-1", "+-803-1"], "Int. prefix requires format '+NNN'")
        self.assertRefused(
            field, ["abc", "+234-8a-1", "+234-803-1-2", "٣٣"], "Phone numbers may contain numbers"
        )
        self.assertRefused(field, ["--", "#", "+234-803-"], "Empty phone field(s).")

    def test_nothing_but_separators_is_no_number(self):
        field = PhoneNumber(required=False, max_length=20)
        self.assertIsNone(from_cell(field, "--"))
        self.assertRefused(field, ["+234-803-"], "Empty phone field(s).")


class SecretTests(ConverterTestCase):
    field = Secret(rounds=4, min_length=8)

    def test_password_becomes_its_hash(self):
        hashed = from_cell(self.field, "correct horse")
        self.assertTrue(hashed.startswith("$2b$04$"))
        self.assertTrue(check_password("correct horse", hashed))

    def test_password_that_begins_like_a_formula(self):
        hashed = from_cell(self.field, "'=correct horse")
        self.assertTrue(check_password("'=correct horse", hashed))

    def test_hash_stays(self):
        hashed = hash_password("correct horse", 4)
        self.assertEqual(from_cell(self.field, hashed), hashed)

    def test_message_does_not_tell_the_password(self):
        constrained = Secret(rounds=4, constraint=lambda value: False)
        for field, cell in (
            (self.field, "s3cr3t!"),
            (self.field, "s3cr3t!" * 20),
            (constrained, "s3cr3t! s3cr3t!"),
        ):
            with self.assertRaises(ConversionError) as caught:
                from_cell(field, cell)
            message = str(caught.exception)
            self.assertTrue(message.startswith("Invalid input: "), message)
            self.assertNotIn("s3cr3t", message)

    def test_passwords_of_zope_schema_too(self):
        converter = converter_for(schema.Password().bind(None))
        self.assertTrue(converter.secret)
