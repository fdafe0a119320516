"""A stream of Server-Sent Events, read as it comes."""

import unittest
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.api import eventstream
from waeup.kofa.api.eventstream import Event, EventStream

#: Texts of one line.
WORDS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
ENDS = st.sampled_from(["\n", "\r", "\r\n"])
TOLD = st.tuples(st.text("abc", min_size=1), st.lists(WORDS, min_size=1, max_size=3), WORDS)


def read(*blocks):
    """Return the events of a stream that comes in these blocks, and the stream."""
    stream = EventStream()
    return [event for block in blocks for event in stream.feed(block)], stream


def parted(data, cuts):
    """Return bytes in pieces."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


class EventStreamTests(unittest.TestCase):
    def test_events_of_the_portal(self):
        events, stream = read(
            b'retry: 1500\n\nid: 1f\nevent: progress\ndata: {"rows": 1}\n\n: still here\n\n'
        )
        self.assertEqual(events, [Event("progress", '{"rows": 1}', "1f")])
        self.assertEqual((stream.id, stream.retry), ("1f", 1.5))

    def test_what_the_standard_says_of_lines(self):
        for data, expected in {
            b"data: a\ndata: b\n\n": [Event("message", "a\nb", "")],
            b"data:a\n\ndata:  a\n\n": [Event("message", "a", ""), Event("message", " a", "")],
            b"data\n\n": [Event("message", "", "")],
            b"data: a: b\n\n": [Event("message", "a: b", "")],
            b"event: x\n\ndata: a\n\n": [Event("message", "a", "")],
            b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n": [
                Event("message", "a", "1"),
                Event("message", "b", "1"),
                Event("message", "c", ""),
            ],
            b"id: 1\nid: 2\0\ndata: a\n\n": [Event("message", "a", "1")],
            b"\xef\xbb\xbfdata: a\r\rdata: b\r\n\r\n": [
                Event("message", "a", ""),
                Event("message", "b", ""),
            ],
            b": data: a\nother: x\n Data: x\n\n": [],
            # What is not ended is no event.
            b"data: a\n": [],
            b"data: a\n\ndata: b": [Event("message", "a", "")],
        }.items():
            with self.subTest(data):
                self.assertEqual(read(data)[0], expected)

    def test_only_plain_numbers_are_a_time(self):
        for text in ("1e3", "-1", "1.5", "\u0661", "1" * 10, ""):
            with self.subTest(text):
                self.assertIsNone(read(f"retry: {text}\n\n".encode())[1].retry)

    def test_an_id_counts_when_its_event_has_come(self):
        self.assertEqual(read(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")[1].id, "1")

    def test_what_is_no_text_is_refused(self):
        self.assertRaises(ValueError, read, b"data: \xff\n\n")

    def test_what_has_no_end_is_refused(self):
        with mock.patch.object(eventstream, "MOST", 100):
            for block in (b"x", b"data: x\n", b"data\n"):
                with self.subTest(block), self.assertRaises(ValueError):
                    read(*[block] * 101)
            self.assertEqual(len(read(*[b"data: x\n\n"] * 101)[0]), 101)

    @given(st.lists(st.tuples(TOLD, ENDS)), st.lists(st.integers(min_value=0)), WORDS)
    def test_events_come_out_however_they_were_parted(self, told, cuts, comment):
        text, expected = "", []
        for (name, lines, id), end in told:
            data = "".join(f"data: {line}{end}" for line in lines)
            text += f":{comment}{end}id: {id}{end}event: {name}{end}{data}{end}"
            expected.append(Event(name, "\n".join(lines), id))
        self.assertEqual(read(*parted(text.encode(), cuts))[0], expected)

    @given(
        st.binary() | st.text("datievn:\r\n \0\ufeff").map(str.encode), st.lists(st.integers(0))
    )
    def test_any_bytes_are_understood_or_refused(self, data, cuts):
        def outcome(*blocks):
            try:
                return read(*blocks)[0]
            except ValueError:
                return None

        self.assertEqual(outcome(*parted(data, cuts)), outcome(data))
