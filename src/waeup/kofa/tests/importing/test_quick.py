"""The quick way prepares and writes batches as the careful way does it row by row."""

import os
import shutil
import tempfile
import unittest
from datetime import date
from itertools import count
from typing import ClassVar

import grok
from hypothesis import example, given, settings
from hypothesis import strategies as st
from zope import interface, schema
from zope.schema.vocabulary import SimpleVocabulary

from waeup.kofa.conversion import PhoneNumber
from waeup.kofa.importing.corrections import CorrectedCell, Correction
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.plan import RowPlan, ValuePlan, running
from waeup.kofa.importing.preparing import Preparer
from waeup.kofa.importing.report import CREATED, FAILED, RowResult
from waeup.kofa.importing.results import ResultFiles
from waeup.kofa.interfaces import DELETION_MARKER, IGNORE_MARKER, RAW_COLUMN
from waeup.kofa.tabular import Row
from waeup.kofa.tabular.problems import Problem


class IBear(interface.Interface):
    """A bear."""

    code = schema.TextLine(title="Code")
    nickname = schema.TextLine(title="Nickname", required=False, max_length=5)
    born = schema.Date(title="Born", required=False)
    sex = schema.Choice(title="Sex", values=["m", "f"])
    phone = PhoneNumber(title="Phone", required=False)
    legs = schema.Int(title="Legs", default=4)
    cubs = schema.List(title="Cubs", value_type=schema.TextLine(), required=False)


class IOldBear(IBear):
    """A bear that keeps a rule."""

    @interface.invariant
    def has_a_nickname_of_its_own(self):
        if self.code == self.nickname:
            raise interface.Invalid("The nickname is the code.")


class ILockedBear(IBear):
    """A bear with a secret."""

    key = schema.Password(title="Key", required=False)


class BearProcessor(ContainerProcessor):
    """Imports bears."""

    grok.baseclass()

    iface = IBear
    container = "caves"


class OldBearProcessor(BearProcessor):
    """Imports bears that keep a rule."""

    grok.baseclass()

    iface = IOldBear


class LockedBearProcessor(BearProcessor):
    """Imports bears with a secret."""

    grok.baseclass()

    iface = ILockedBear


class StrictBearProcessor(BearProcessor):
    """Wants to see each row."""

    grok.baseclass()

    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        """Find a bear too many."""
        errors, broken, values = super().checkConversion(row, mode, ignore_empty)
        return [*errors, *([("code", "too many")] if row["code"] == "x" else [])], broken, values


class MendingBearProcessor(BearProcessor):
    """Changes some rows before they are converted, and refuses some by an exception."""

    grok.baseclass()

    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        """Mend a nickname, and look at legs that are converted in another way."""
        if row["sex"] == "f":
            row["nickname"] = "=1" if row["nickname"] == "nick" else "nick"
        if row["code"] == " x":
            raise ValueError("blank")
        if row["legs"] == "4":
            return super().checkConversion({**row, "legs": "3"}, mode)
        return super().checkConversion(row, mode, ignore_empty=ignore_empty)


HEADER = ("code", "nickname", "born", "sex", "phone", "legs", "cubs", "remark", RAW_COLUMN)
COLUMNS = (*HEADER[:7], "where", None)
TEXTS = (
    *("x", " x", "m", "Mann", "f", "2001-02-03", "+234-803-12", "'+234-803-12", "4", "['a']"),
    *("", " ", "<IGNORE>", " <IGNORE>", "XXX", "[]", "'", "=1", "too long", "\0", "\n", "é"),
)
GOOD = ("x", "nick", "2001-02-03", "m", "+234-803-12", "4", "['a']", "here", "")
CELLS = st.sampled_from(TEXTS)
# Most rows are good but for few cells.
ROWS = st.one_of(
    st.dictionaries(st.integers(0, 7), CELLS, max_size=2).map(
        lambda odd: tuple(odd.get(at, text) for at, text in enumerate(GOOD))
    ),
    st.tuples(*[CELLS] * 8, st.sampled_from(("", "", "", "raw"))),
    st.just(("",) * 8 + ("",)),
)
PROCESSORS = (
    BearProcessor,
    OldBearProcessor,
    LockedBearProcessor,
    StrictBearProcessor,
    MendingBearProcessor,
)


def described(found):
    """Return all of a prepared row, with the types of its values."""
    row = {name: (type(value), value) for name, value in found.row.items()}
    return (*found._replace(row=None), list(found.texts), list(row.items()))


class PreparingTests(unittest.TestCase):
    def preparer(self, processor, mode="create", ignore_empty=True, tokens=(), **more):
        rows = RowPlan(COLUMNS, (("key", "<IGNORE>"),), ignore_empty, tokens)
        if processor is not LockedBearProcessor:
            rows = RowPlan(COLUMNS, (("extra", "always"),), ignore_empty, tokens)
        self.processor = processor()
        self.values = ValuePlan(self.processor.iface, rows.fields, None)
        names = {name: field for name, field in zip(HEADER, COLUMNS, strict=True) if field}
        return Preparer(
            self.processor, HEADER, names, rows, self.values, mode, ignore_empty, **more
        )

    @settings(deadline=None, max_examples=300)
    @given(
        st.sampled_from(PROCESSORS),
        st.sampled_from(("create", "update", "remove", "upsert")),
        st.booleans(),
        st.sampled_from(((), (("sex", (("Mann", "m"),)), ("nickname", (("x", ""),))))),
        st.sets(st.integers(1, 6), max_size=1),
        st.sets(st.integers(1, 6), max_size=1),
        st.lists(ROWS, max_size=6),
    )
    @example(BearProcessor, "create", True, (), set(), {1}, [GOOD, GOOD])
    def test_like_row_by_row(
        self, processor, mode, ignore_empty, tokens, corrected, damaged, table
    ):
        corrections = {n: Correction((CorrectedCell(1, None, "new"),)) for n in corrected}
        problem = Problem("too-few-cells", "There are too few cells.")
        rows = [
            Row(at, at + 1, cells[:3], problem, "text") if at in damaged else Row(at, at, cells)
            for at, cells in enumerate(table, 1)
        ]
        preparer = self.preparer(processor, mode, ignore_empty, tokens, corrections=corrections)
        with running(self.processor, self.values):
            expected = [found for row in rows if (found := preparer.prepare(row)) is not None]
            found = preparer.prepare_all(rows)
            self.assertEqual(list(map(described, found)), list(map(described, expected)))
            if mode == "upsert":
                for one, other in zip(found, expected, strict=True):
                    if one.reason is None:
                        new = preparer.prepare_creation(one)
                        careful = preparer._converted(
                            other, [], "create", preparer._required_in("create", always=True)
                        )
                        self.assertEqual(described(new), described(careful))

    def test_good_rows_go_the_quick_way(self):
        preparer = self.preparer(BearProcessor)
        preparer.prepare = None
        (found,) = preparer.prepare_all([Row(1, 2, GOOD)])
        self.assertEqual(found.row["born"], date(2001, 2, 3))
        strict = self.preparer(StrictBearProcessor)
        strict.prepare = None
        with running(self.processor, self.values):
            # Values that were found for all rows at once are what the base tells the hook.
            self.values._converts = None
            (refused,) = strict.prepare_all([Row(1, 2, GOOD)])
        self.assertEqual(refused.reason, "code: too many")
        self.assertEqual(found.row["where"], "here")
        self.assertEqual(found.texts["extra"], "always")


class Den:
    """A value that can be compared with its like only."""

    def __init__(self, code):
        self.code = code

    def __eq__(self, other):
        return self.code == other.code

    __hash__ = object.__hash__


DENS = [Den("one"), Den("two")]
NUMBERS = count()
SEEN: list[str] = []


class ICub(interface.Interface):
    """A cub."""

    code = schema.TextLine(title="Code", required=False)
    born = schema.Date(title="Born", required=False)
    number = schema.Int(title="Number", defaultFactory=lambda: next(NUMBERS))
    label = schema.TextLine(title="Label", defaultFactory=lambda: str(next(NUMBERS)))
    den = schema.Choice(
        title="Den",
        required=False,
        vocabulary=SimpleVocabulary.fromItems(zip("12", DENS, strict=True)),
    )


class CubProcessor(ContainerProcessor):
    """Imports cubs, which have no columns that must be there."""

    grok.baseclass()

    iface = ICub
    container = "caves"
    location_fields: ClassVar[list[str]] = []


class SeeingProcessor(CubProcessor):
    """Remembers which rows it has seen."""

    grok.baseclass()

    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        """Note the code of the row."""
        SEEN.append(row["code"])
        return super().checkConversion(row, mode, ignore_empty)


class OddRowsTests(unittest.TestCase):
    """What the quick way has to leave to the careful way, or to do as that does."""

    def prepared(self, columns, table, constants=(), tokens=(), processor=CubProcessor):
        """Return values of rows by field, of all rows that are not blank."""
        rows = RowPlan(columns, constants, True, tokens)
        processor = processor()
        values = ValuePlan(processor.iface, rows.fields, None)
        names = dict(zip(columns, columns, strict=True))
        preparer = Preparer(processor, columns, names, rows, values, "update", True)
        source = [Row(at, at, cells) for at, cells in enumerate(table, 1)]
        with running(processor, values):
            found = preparer.prepare_all(source)
        self.assertEqual({row.reason for row in found}, {None})
        return [[row.row[name] for name in rows.fields] for row in found]

    def test_blank_row_is_left_out_though_a_constant_has_a_value(self):
        found = self.prepared(["code"], [("a",), (" ",)], constants=[("label", "x")])
        self.assertEqual(found, [["a", "x"]])

    def test_blank_row_is_left_out_though_nothing_is_replaced_by_something(self):
        tokens = [("label", (("", "x"),))]
        found = self.prepared(["code", "label"], [("a", ""), ("", "")], tokens=tokens)
        self.assertEqual(found, [["a", "x"]])

    def test_each_row_has_a_default_of_its_own(self):
        cells = (DELETION_MARKER, DELETION_MARKER)
        found = self.prepared(["number", "label"], [cells] * 3)
        self.assertEqual(len({str(value) for row in found for value in row}), 6)

    def test_values_are_compared_with_nothing_else(self):
        found = self.prepared(["code", "den"], [("a", "1"), ("b", ""), ("c", "2")])
        self.assertIs(found[0][1], DENS[0])
        self.assertIs(found[2][1], DENS[1])

    def test_blanks_around_a_marker_mean_nothing(self):
        for ignored in (f" {IGNORE_MARKER} ", " [] "):
            found = self.prepared(["code", "born"], [("a", ignored), ("b", "2001-02-03")])
            self.assertEqual(found[0], ["a", IGNORE_MARKER])

    def test_hook_sees_rows_in_their_order(self):
        SEEN.clear()
        table = [(code, "2001-02-03") for code in "abcd"]
        table[1] = ("b", f"{DELETION_MARKER} ")
        table[2] = ("\0", "no date")
        with self.assertRaises(AssertionError):
            self.prepared(["code", "born"], table, processor=SeeingProcessor)
        self.assertEqual(SEEN, ["a", "b", "\0", "d"])


class WritingTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def written(self, results, fields, at_once):
        paths = [os.path.join(self.folder, name) for name in ("finished", "pending")]
        files = ResultFiles(*paths, fields, guarded=fields[1:])
        if at_once:
            files.write_all(results)
        else:
            for result in results:
                files.write(result)
        files.close()
        found = []
        for path in (files.finished_path, files.pending_path):
            if path is None:
                found.append(None)
                continue
            with open(path, "rb") as stream:
                found.append(stream.read())
        return found

    @settings(deadline=None, max_examples=200)
    @given(
        st.integers(1, 3).flatmap(
            lambda width: st.lists(
                st.tuples(
                    st.lists(
                        CELLS
                        | st.sampled_from(("\t=1", "\rx", "@x", '"', "a,b", "\ud800", "+1\n+2")),
                        min_size=width,
                        max_size=width,
                    ),
                    st.booleans(),
                ),
                max_size=5,
            )
        )
    )
    @example([(["a", "+1\n+2"], True), (["a", "c"], True)])
    @example([(["a", "b"], True), (["a"], True)])
    @example([(["\0", '"'], True)])
    def test_like_row_by_row(self, table):
        names = ["a", "b", "c"]
        fields = names[: max((len(cells) for cells, _ in table), default=1)]
        results = [
            RowResult(
                at,
                CREATED if is_good else FAILED,
                dict(zip(names, cells, strict=False)),
                None if is_good else "Why",
            )
            for at, (cells, is_good) in enumerate(table, 1)
        ]
        self.assertEqual(self.written(results, fields, True), self.written(results, fields, False))
