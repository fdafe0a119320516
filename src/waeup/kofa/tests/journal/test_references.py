"""References of error pages, and their entries in logs."""

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from waeup.kofa.journal import (
    find_entry,
    marked,
    new_reference,
    read_reference,
    reference_of,
    references,
)


class ReferenceTests(unittest.TestCase):
    """Their form."""

    def test_a_new_one_is_read_as_itself(self) -> None:
        for _ in range(50):
            reference = new_reference()
            self.assertEqual(read_reference(reference), reference)
            self.assertEqual(len(reference), 9)

    def test_people_type_them_in_many_ways(self) -> None:
        for typed in ("k7m2-9xqd", "K7M2 9XQD", " k7m29xqd\n", "k7m2 - 9xqd"):
            self.assertEqual(read_reference(typed), "k7m2-9xqd")

    def test_others_are_none(self) -> None:
        for typed in ("", "k7m2", "k7m2-9xq0", "k7m2-9xqdd", "../k7m2-9xqd", "k7-m29xqd"):
            self.assertIsNone(read_reference(typed), typed)

    def test_a_message_begins_with_its_reference(self) -> None:
        self.assertEqual(reference_of("[k7m2-9xqd] GET /a by ann"), "k7m2-9xqd")
        for message in ("GET /a says [k7m2-9xqd]", "[k7m2-9xq0] zero is in none", ""):
            self.assertEqual(reference_of(message), "", message)


class EntryTests(unittest.TestCase):
    """Logs with some entries."""

    LOG = (
        "2026-01-02 10:00:00,001 INFO x started\n"
        "2026-01-02 10:00:01,001 ERROR SiteError [k7m2-9xqd] GET /a by ann\n"
        "Traceback (most recent call last):\n"
        '  File "x.py"\n'
        "KeyError: 'says [aaaa-bbbb] too'\n"
        "2026-01-02 10:00:02,001 ERROR SiteError [aaaa-bbbb] GET /b by bob\n"
    )

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "portal.log")
        self.path.write_text(self.LOG, encoding="utf-8")

    def found(self, reference: str) -> str | None:
        """Look in the log, and in one that is not there."""
        return find_entry([str(self.path) + ".1", str(self.path)], reference)

    def test_an_entry_ends_where_the_next_begins(self) -> None:
        text = self.found("k7m2-9xqd")
        assert text is not None
        self.assertTrue(text.startswith("2026-01-02 10:00:01,001 ERROR"))
        self.assertTrue(text.endswith("too'"))

    def test_what_a_traceback_quotes_is_no_entry(self) -> None:
        text = self.found("aaaa-bbbb")
        assert text is not None
        self.assertIn("GET /b by bob", text)

    def test_a_line_of_json_is_given_as_people_read_it(self) -> None:
        lines = [
            {"time": "2026-01-02T10:00:03.001+00:00", "level": "INFO", "message": "later"},
            {
                "time": "2026-01-02T10:00:04.001+00:00",
                "level": "ERROR",
                "logger": "SiteError",
                "message": "[cccc-dddd] GET /c by ann",
                "user": "ann",
                "exception": "Traceback:\n  File \"x.py\"\nKeyError: '[eeee-ffff]'",
            },
            {"time": "2026-01-02T10:00:05.001+00:00", "message": "[gggg-hhhh] and no more"},
        ]
        with self.path.open("a", encoding="utf-8") as log:
            log.writelines(f"{json.dumps(line)}\n" for line in lines)
        self.assertEqual(
            self.found("cccc-dddd"),
            "2026-01-02T10:00:04.001+00:00 ERROR SiteError [cccc-dddd] GET /c by ann\n"
            "user: ann\n"
            "Traceback:\n"
            '  File "x.py"\n'
            "KeyError: '[eeee-ffff]'",
        )
        # The entry before it ends where the first line of JSON begins.
        text = self.found("aaaa-bbbb")
        assert text is not None
        self.assertTrue(text.endswith("GET /b by bob"))
        # What is not ours stays as it is.
        self.assertEqual(self.found("gggg-hhhh"), json.dumps(lines[2]))

    def test_one_that_is_nowhere_is_not_found(self) -> None:
        self.assertIsNone(self.found("zzzz-zzzz"))

    def test_reading_and_showing_are_bounded(self) -> None:
        line = f"2026-01-02 10:00:03,001 ERROR x {marked('cccc-dddd')} {'x' * 500}\n"
        with self.path.open("a", encoding="utf-8") as log:
            log.write(line)
        with mock.patch.object(references, "SHOWN", 100):
            text = self.found("cccc-dddd")
        assert text is not None
        self.assertEqual(len(text), 100 + len("\n[...]"))
        with mock.patch.object(references, "SEARCHED", len(line)):
            self.assertIsNone(self.found("k7m2-9xqd"))
            self.assertIsNotNone(self.found("cccc-dddd"))
