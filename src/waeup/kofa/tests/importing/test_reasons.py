"""Tests for the counting of reasons by kind."""

import time
import unittest
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.importing.reasons import VARYING, Reasons, in_common, is_like, kind_of
from waeup.kofa.importing.report import COUNTED_REASONS, FAILED, RowResult, Tally

#: Pieces that reasons are made of, and what is next to them in odd ones.
PIECES = st.sampled_from(
    (
        *("size: ", "; code1: ", "RequiredMissing: level1", "no course ", " is not there"),
        *("'x1'", "'a'", '"it\'s"', "'y'...", "K1", "12", "-5", "2012-04-30", "ann@x.org", "…"),
        *(", ", " and 3 more", "'", '"', "\\", " ", ".", "-", ":", "b", "'\\''", "u'a'", "ü"),
    )
)
TEXTS = st.lists(PIECES, max_size=9).map("".join) | st.text(max_size=20)
#: Reasons of which many are of one kind.
LIKE = st.builds(
    "{}'{}' belongs to student {}{}".format,
    st.sampled_from(("", "size: ", "level1: ")),
    st.sampled_from(("a", "b 1", "it")),
    st.sampled_from(("K1", "K2")),
    st.sampled_from((".", "; code: Required value is missing.", " and '3', '4'")),
)
REASONS = st.lists(TEXTS | LIKE, max_size=30)


class Kinds(unittest.TestCase):
    """Reasons without what they show."""

    def test_what_is_shown_is_left_out(self):
        for reason, expected in (
            ("'x1' is not a whole number.", "… is not a whole number."),
            ('"it\'s" is odd', "… is odd"),
            ("'a\\nb' and 'it\\'s' are odd", "… and … are odd"),
            (f"{'y' * 40!r}... is odd", "… is odd"),
            ("u'a' is odd", "… is odd"),
            ("no course MTH101 here", "no course … here"),
            ("line 12, column 3: it is cut off.", "line …, column …: it is cut off."),
            ("'12.5' is over 12.5.", "… is over …."),
            ("there is ann@uni.org already", "there is … already"),
            ("reg: 'A1' belongs to student K1 now.", "reg: … belongs to student … now."),
            ("'x' is no sex; allowed: 'm', 'f' and 3 more.", "… is no sex; allowed: …."),
            ("The student's form and the students' forms", None),
            ("level1: Required value is missing.", None),
            ("size: no; level1: no", None),
            ("RequiredMissing: level1; RequiredMissing: level2", None),
            ("level1: RequiredMissing: level1", None),
            ("This object already exists.", None),
            ("", None),
        ):
            with self.subTest(reason):
                self.assertEqual(kind_of(reason), reason if expected is None else expected)

    @given(TEXTS)
    def test_a_kind_is_of_its_own_kind(self, reason):
        self.assertEqual(kind_of(kind_of(reason)), kind_of(reason))

    def test_odd_texts_take_no_time(self):
        for piece in ("'", "'\\", "-", "a.", "a-'", "'…", ".'", "1, ", "; a", "\\'\"", "a@"):
            with self.subTest(piece):
                began = time.process_time()
                kind_of(piece * 20000)
                self.assertLess(time.process_time() - began, 2)


class InCommon(unittest.TestCase):
    """What reasons of one kind say alike."""

    def test_only_what_differs_is_left_out(self):
        one, other = (f"'{text}' is no sex; allowed: 'm', 'f'." for text in "xy")
        self.assertEqual(in_common([one, one]), one)
        self.assertEqual(in_common([one, other]), "… is no sex; allowed: 'm', 'f'.")
        self.assertEqual(in_common([one, other, one]), "… is no sex; allowed: 'm', 'f'.")
        self.assertEqual(
            in_common(["one of these is meant: 'a', 'b'.", "one of these is meant: 'c'."]),
            "one of these is meant: ….",
        )

    @given(st.lists(LIKE, min_size=1, max_size=9))
    def test_it_is_like_all_of_them(self, reasons):
        reasons = [reason for reason in reasons if kind_of(reason) == kind_of(reasons[0])]
        common = in_common(reasons)
        self.assertTrue(all(is_like(reason, common) for reason in reasons))
        self.assertEqual(in_common([common, *reasons]), common)

    def test_others_are_not_like_it(self):
        self.assertFalse(is_like("'x' is bad: '1'", "… is bad: '2'"))
        self.assertFalse(is_like("'x' is worse", "… is bad"))
        self.assertTrue(is_like("'x' is bad: '1'", "… is bad: '1'"))


class Counting(unittest.TestCase):
    """The counter of reasons, and the tally that has it."""

    def test_a_single_reason_keeps_its_words(self):
        tally = Tally()
        for _number in range(3):
            tally.add(FAILED, "'x' is bad")
        self.assertEqual(tally.reasons, {"'x' is bad": 3})
        tally.add(FAILED, "'y' is bad")
        self.assertEqual(tally.reasons, {"… is bad": 4})

    def test_fields_are_told_apart(self):
        tally = Tally()
        for number in range(1, 5):
            tally.add(FAILED, f"level{number}: Required value is missing.")
        self.assertEqual(set(tally.reasons.values()), {1})

    def test_rows_without_end_are_few_reasons(self):
        tally = Tally()
        for number in range(3000):
            tally.add(FAILED, f"code: 'A{number}' belongs to student K{number} already.")
            tally.add(FAILED, f"line {number}: it repeats the names of the columns.")
        report = tally.report("a.csv", "caves", "create")
        self.assertEqual(
            dict(report.reasons),
            {
                "code: … belongs to student … already.": 3000,
                "line …: it repeats the names of the columns.": 3000,
            },
        )
        self.assertEqual(report.unexplained, 0)

    def test_records_of_old_are_counted_by_kind(self):
        old = {f"code: 'A{number}' is not there.": 2 for number in range(200)}
        tally = Tally({FAILED: 400}, old)
        tally.add(FAILED, "code: 'B' is not there.")
        self.assertEqual(tally.reasons, {"code: … is not there.": 401})

    def test_there_is_a_limit(self):
        reasons = Reasons(limit=2)
        for reason in ("a", "b", "c", "a", "c"):
            reasons.add(reason)
        self.assertEqual(reasons.counts, {"a": 2, "b": 1})
        self.assertEqual(reasons.most_common(1), (("a", 2),))

    @given(REASONS, st.randoms(use_true_random=False))
    def test_the_order_is_of_no_importance(self, reasons, random):
        counted = self.counted(reasons)
        random.shuffle(reasons)
        self.assertEqual(self.counted(reasons), counted)
        self.assertEqual(sum(counted.values()), len(reasons))
        self.assertEqual(
            {kind_of(text): number for text, number in counted.items()},
            Counter(map(kind_of, reasons)),
        )

    @given(REASONS, st.lists(st.integers(0, 30), max_size=4))
    def test_batches_and_processes_are_of_no_importance(self, reasons, cuts):
        tally, parts, start = Tally(), [], 0
        for end in (*sorted(cuts), len(reasons)):
            batch = [RowResult(1, FAILED, {}, reason) for reason in reasons[start:end]]
            tally = Tally(tally.counts, dict(tally.reasons))
            tally.add_all(batch)
            parts.append(self.counted(reasons[start:end]))
            start = max(start, end)
        self.assertEqual(tally.reasons, self.counted(reasons))
        self.assertEqual(tally.counts.total(), len(reasons))
        # What was counted apart is counted together, from whichever end.
        merged = Reasons(limit=COUNTED_REASONS)
        for part in reversed(parts):
            for text, number in part.items():
                merged.add(text, number)
        self.assertEqual(merged.counts, self.counted(reasons))

    @given(REASONS)
    def test_what_differs_is_all_that_is_left_out(self, reasons):
        for text in self.counted(reasons):
            like = [reason for reason in reasons if kind_of(reason) == kind_of(text)]
            self.assertTrue(all(is_like(reason, text) for reason in like))
            if len(set(like)) == 1:
                self.assertEqual(text, like[0])
            else:
                self.assertIn(VARYING, text)

    def counted(self, reasons):
        """Return how often each of some reasons occurs, by kind."""
        counter = Reasons(limit=COUNTED_REASONS)
        for reason in reasons:
            counter.add(reason)
        return counter.counts
