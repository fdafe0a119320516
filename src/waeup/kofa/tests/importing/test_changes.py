"""What a check tells of a row: found at once for a new object, and written as JSON."""

import json
import unittest
from datetime import date
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.conversion import IGNORED, VerbatimText
from waeup.kofa.importing.effects import (
    SHOWN,
    changes_between,
    changes_text,
    first_values,
    values_of,
)
from waeup.kofa.importing.report import CREATED, FAILED, UPDATED, RowResult, Tally
from waeup.kofa.interfaces import IGNORE_MARKER

# Cells of damaged files may have half characters.
TEXTS = st.text() | st.text(st.sampled_from('a"\\\n\u20ac\udc80\U0001f981'))
VALUES = st.one_of(
    st.none(),
    TEXTS,
    st.integers(),
    st.booleans(),
    st.just(date(2026, 11, 29)),
    st.lists(TEXTS, max_size=3),
    st.builds("long ".__mul__, st.integers(SHOWN // 5 - 1, SHOWN // 5 + 1)),
    st.builds(SimpleNamespace, code=TEXTS),
    st.sampled_from([IGNORED, IGNORE_MARKER, VerbatimText(IGNORE_MARKER), float("nan")]),
)
NAMES = st.sampled_from(["code", "title", "size", "_hidden", "password", "größe"])


class ChangesTests(unittest.TestCase):
    """The quick ways against the plain ones."""

    @given(st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES))
    def test_the_first_values_are_changes_from_nothing(self, row, values):
        obj = SimpleNamespace(**values)
        secrets = {"password", "key"}
        self.assertEqual(
            first_values(obj, row, secrets), changes_between({}, values_of(obj, row), secrets)
        )

    @given(st.lists(st.tuples(TEXTS, st.none() | TEXTS, st.none() | TEXTS)))
    def test_changes_are_written_as_json_writes_them(self, changes):
        self.assertEqual(changes_text(changes), json.dumps(changes))

    def test_batches_are_counted_as_single_rows_are(self):
        results = [
            RowResult(1, CREATED, {}),
            RowResult(2, FAILED, {}, "no", is_corrected=True),
            RowResult(3, FAILED, {}, "no"),
            RowResult(4, UPDATED, {}, is_corrected=True),
        ]
        tally, one_by_one = Tally(), Tally()
        tally.add_all(results)
        for result in results:
            one_by_one.add(result.outcome, result.reason)
        self.assertEqual(tally.counts, {CREATED: 1, FAILED: 2, UPDATED: 1})
        self.assertEqual((tally.total, tally.corrected, tally.reasons), (4, 2, {"no": 2}))
        self.assertEqual((one_by_one.counts, one_by_one.reasons), (tally.counts, tally.reasons))
