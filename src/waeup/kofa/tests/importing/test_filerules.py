"""Rules over a whole file: what they say, when they are asked, and that they keep little."""

import os
import sqlite3
import tracemalloc
import unittest
from decimal import Decimal
from unittest import mock

import grok
from zope import interface, schema

from waeup.kofa.errors import FileRefused
from waeup.kofa.importing.filerules import (
    Broken,
    Complete,
    FileRule,
    Total,
    UniqueTogether,
    broken_rules,
    rules_for,
)
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.tests.importing.test_engine import EngineTestCase


class IBear(interface.Interface):
    """A bear that eats."""

    code = schema.TextLine(title="Code")
    cave = schema.TextLine(title="Cave", required=False)
    eats = schema.Int(title="Eats", required=False)
    key = schema.Password(title="Key", required=False)


class NoSecrets(FileRule):
    """Sees no password."""

    fields = ("key",)

    def see(self, number, row):
        """Fail for a password."""
        assert "key" not in row


class BearProcessor(ContainerProcessor):
    """Imports bears, of which a cave has food for so many."""

    grok.baseclass()

    iface = IBear
    container = "caves"
    file_rules = (
        Total("eats", most=10),
        UniqueTogether("cave", "eats"),
        Complete("cave", lambda site: ["north"]),
        NoSecrets(),
    )


class RefusedTests(EngineTestCase):
    """An import asks before the first row is applied."""

    processor = BearProcessor()

    def refused(self, *lines, **kw):
        """Return why a table is refused, once nothing is left of it."""
        with self.assertRaises(FileRefused) as caught:
            self.do(*lines, **kw)
        self.assertEqual((len(self.site["caves"]), os.listdir(self.folder)), (0, ["caves.csv"]))
        return caught.exception

    def test_a_good_file_is_imported(self):
        counts, *_ = self.do("code,cave,eats,key", "a,north,4,secret", "b,north,5,", "c,south,,")
        self.assertEqual(counts, (3, 0))

    def test_a_file_that_breaks_rules_is_refused_with_its_rows(self):
        error = self.refused("code,cave,eats", "a,south,6", "b,south,4", "c,south,6")
        self.assertEqual(
            error.reasons,
            (
                "eats: the sum of all rows is 16; it must be 10 or less.",
                "cave, eats: 'south', '6' is there more than once. (rows 1, 3)",
                "cave: there is no row for 'north'.",
            ),
        )
        self.assertRegex(str(error), "caves.csv cannot be imported: eats: .* Correct the file.")

    def test_a_rule_whose_fields_the_file_leaves_alone_is_not_asked(self):
        counts, *_ = self.do("code", "a", "b")
        self.assertEqual(counts, (2, 0))

    def test_a_row_that_cannot_be_read_leaves_the_sum_open(self):
        error = self.refused("code,cave,eats", "a,north,1", "b,north,many")
        text = "eats: the sum is not known, since there are rows that cannot be read. (rows 2)"
        self.assertEqual(error.reasons, (text,))

    def test_constants_count_too(self):
        error = self.refused("code,cave", "a,north", "b,north", constants={"eats": "6"})
        self.assertEqual(len(error.reasons), 2)


class RuleTests(unittest.TestCase):
    """The rules that there are."""

    def broken(self, rule, *values, field="n"):
        """Return what a rule says of rows with these values."""
        rows = ((at, {field: value}) for at, value in enumerate(values, start=1))
        return broken_rules([rule], rows, {"wanted": 7}, "create")

    def test_a_sum_is_what_is_expected(self):
        for rule in (Total("n", 7), Total("n", lambda site: site["wanted"]), Total("n", least=7)):
            self.assertEqual(self.broken(rule, 3, None, 4), ())
            self.assertEqual(len(self.broken(rule, 3, 3)), 1)
        self.assertEqual(self.broken(Total("n", Decimal("0.3")), *[Decimal("0.1")] * 3), ())

    def test_what_is_no_number_has_no_sum(self):
        with self.assertRaisesRegex(TypeError, r"^Total\('n'\): 'x' cannot be added"):
            self.broken(Total("n", 7), "x")

    def test_rules_that_are_none(self):
        for wrong in (Total("n", 7), (Total,)):
            kind = type("Kind", (), {"file_rules": wrong})()
            with self.assertRaisesRegex(TypeError, "^Kind.file_rules is .* a tuple of rules"):
                rules_for(kind, ["n"])

    def test_each_file_is_looked_at_anew(self):
        rule = Total("n", 3)
        self.assertEqual((self.broken(rule, 3), self.broken(rule, 3)), ((), ()))
        self.assertEqual(vars(rule).keys() & {"_total", "_missed"}, set())

    def test_what_a_rule_was_made_with_is_filled_by_no_file(self):
        class Once(FileRule):
            def __init__(self):
                self.seen = set()

            def see(self, number, row):
                self.seen.add(row["n"])

            def end(self):
                return [Broken("It is there.")] if len(self.seen) > 1 else ()

        rule = Once()
        self.assertEqual((self.broken(rule, 1), self.broken(rule, 2)), ((), ()))
        self.assertEqual(rule.seen, set())

    def test_few_of_many_messages_and_rows_are_told(self):
        told = self.broken(UniqueTogether("n"), *[n // 30 for n in range(900)])
        self.assertEqual(len(told), 21)
        self.assertTrue(told[0].endswith("(rows 1, 2, 3, 4, 5, 6, 7, 8...)"), told[0])
        self.assertEqual(told[-1], "And more of the same kind.")

    def test_a_rule_is_closed_whatever_happens(self):
        closed = []

        class Failing(FileRule):
            def see(self, number, row):
                raise ValueError

            def close(self):
                closed.append(self)

        with self.assertRaises(ValueError):
            self.broken(Failing(), 1)
        self.assertEqual(len(closed), 1)

    def test_one_that_cannot_begin_or_be_closed_keeps_no_other_open(self):
        closed = []

        class Kept(FileRule):
            def close(self):
                closed.append(self)

        class NoBegin(FileRule):
            def begin(self, site, mode):
                raise LookupError(mode)

        class NoClose(FileRule):
            def close(self):
                raise ValueError

        for failing, error in ((NoBegin(), LookupError), (NoClose(), ValueError)):
            with self.assertRaises(error):
                broken_rules([Kept(), failing], (), None, "create")
        self.assertEqual(len(closed), 2)

    def test_values_are_the_same_as_wholes_only(self):
        long = "x" * 300
        self.assertEqual(self.broken(UniqueTogether("n"), long + "1", long + "2"), ())
        told = self.broken(UniqueTogether("n"), long, "y", long)
        self.assertTrue(told[0].endswith("is there more than once. (rows 1, 3)"), told)

    def test_values_that_stay_as_they_were_are_not_known(self):
        rows = [(1, {"n": 1}), (2, {"n": 1}), (3, {"n": 2, "m": None}), (4, {"n": 2, "m": None})]
        for mode, told in (("create", 2), ("update", 1), ("upsert", 1)):
            found = broken_rules([UniqueTogether("n", "m")], rows, None, mode)
            self.assertEqual(len(found), told, mode)

    def test_own_rules_say_what_they_want(self):
        class Ordered(FileRule):
            """Numbers grow."""

            def begin(self, site, mode):
                self.last, self.wrong = None, []

            def see(self, number, row):
                if self.last is not None and row["n"] < self.last:
                    self.wrong.append(number)
                self.last = row["n"]

            def end(self):
                if self.wrong:
                    yield Broken("n: The numbers must grow.", tuple(self.wrong))

        told = self.broken(Ordered(), 1, 3, 2)
        self.assertEqual(told, ("n: The numbers must grow. (rows 3)",))

    def test_what_takes_long_is_ended_by_whoever_wants_an_end(self):
        class Ended(BaseException):
            """Somebody wants an end."""

        def heed():
            heeded.append(1)
            if len(heeded) > calls:
                raise Ended

        many = [(n, {"n": n}) for n in range(2000)]
        for rule, rows, calls in (
            (UniqueTogether("n"), many, 2000),
            (Complete("n", lambda site: range(9)), (), 5),
            (Total("n"), many, 5),
        ):
            heeded = []
            with (
                self.subTest(type(rule)),
                mock.patch("waeup.kofa.importing.filerules.STEPS", 100),
                self.assertRaises(Ended),
            ):
                broken_rules([rule], rows, None, "create", heed)
            self.assertEqual(len(heeded), calls + 1)

    def test_a_fault_of_the_database_of_a_rule_is_told(self):
        rule = UniqueTogether("n")
        rule.begin(None, "create")
        rule._seen.execute("DROP TABLE seen")
        with self.assertRaises(sqlite3.OperationalError):
            list(rule.end())
        rule.close()

    def test_a_large_file_takes_little_memory(self):
        rows = ((n, {"n": f"number {n} of many"}) for n in range(100_000))
        tracemalloc.start()
        try:
            self.assertEqual(broken_rules([UniqueTogether("n")], rows, None, "create"), ())
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.assertLess(most, 32 * 100_000)
