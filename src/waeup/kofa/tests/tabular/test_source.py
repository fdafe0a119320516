"""Bytes to lines: none is lost, and what is no text is marked where it stands."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from waeup.kofa.tabular import check_charset
from waeup.kofa.tabular.source import (
    BLOCK,
    CUT,
    KEPT,
    is_marked,
    line_blocks,
    readable,
    split_lines,
)
from waeup.kofa.tests.tabular.files import FileTestCase

LONGEST = 1 << 20


class LineBlocks(FileTestCase):
    def blocks(self, data, codec="utf-8", longest=LONGEST):
        return list(line_blocks(io.BytesIO(data), codec, longest))

    def text(self, *args, **options):
        return "".join(block.text for block in self.blocks(*args, **options))

    def test_a_block_holds_complete_lines(self):
        data = b"1234567\r\n" * BLOCK
        blocks = self.blocks(data)
        self.assertGreater(len(blocks), 8)
        self.assertEqual({block.text[-2:] for block in blocks if block.text}, {"\r\n"})
        self.assertEqual("".join(block.text for block in blocks), data.decode())

    def test_only_the_last_block_is_final(self):
        for data in (b"", b"x", b"1234567\n" * BLOCK, b"x" * BLOCK):
            with self.subTest(start=data[:9]):
                finals = [block.final for block in self.blocks(data)]
                self.assertEqual(finals, [False] * (len(finals) - 1) + [True])

    def test_a_character_that_two_blocks_share(self):
        for shift in range(4):
            with self.subTest(shift=shift):
                text = "x" * (BLOCK - shift) + "\U0001d11e\n"
                self.assertEqual(self.text(text.encode()), text)
                self.assertFalse(any(block.marked for block in self.blocks(text.encode())))

    def test_a_line_end_that_two_blocks_share(self):
        text = "x" * (BLOCK - 1) + "\r\n" + "y\r\n"
        lines = [line for block in self.blocks(text.encode()) for line in split_lines(block.text)]
        self.assertEqual(lines, ["x" * (BLOCK - 1) + "\r\n", "y\r\n"])

    def test_bytes_that_are_no_text_are_marked_one_by_one(self):
        (block,) = self.blocks(b"a\n\xff\xc3x\n")
        self.assertEqual(block.text, "a\n\udcff\udcc3x\n")
        self.assertTrue(block.marked)

    def test_a_broken_character_that_two_blocks_share(self):
        for shift in range(1, 4):
            with self.subTest(shift=shift):
                good = b"x" * (BLOCK - shift - 1) + b"\n"
                text = self.text(good + b"\xe2\x82A\n")
                self.assertEqual(text[len(good) :], "\udce2\udc82A\n")

    def test_a_character_cut_off_at_the_end_of_the_file(self):
        self.assertEqual(self.text(b"a\n\xc3"), "a\n\udcc3")

    def test_half_a_character_of_utf_16(self):
        self.assertEqual(self.text("a\n".encode("utf-16-le") + b"b", "utf-16-le"), "a\n\udc62")

    def test_only_blocks_with_marks_are_marked(self):
        blocks = self.blocks(b"\xff\n" + b"1234567\n" * BLOCK)
        self.assertEqual([block.marked for block in blocks], [True] + [False] * (len(blocks) - 1))

    def test_an_endless_line_is_cut(self):
        for end in ("", "\n", "\r", "\r\n"):
            with self.subTest(end=end):
                data = ("a\n" + "x" * 5 * BLOCK + end).encode()
                text = self.text(data + b"b\n" * bool(end), longest=2 * BLOCK)
                kept = "x" * KEPT + CUT + end
                self.assertEqual(text, "a\n" + kept + "b\n" * bool(end))

    def test_an_endless_line_with_its_end_between_blocks(self):
        data = b"x" * (3 * BLOCK - 1) + b"\r\nb\n"
        text = self.text(data, longest=2 * BLOCK)
        self.assertEqual(split_lines(text), ["x" * KEPT + CUT + "\r\n", "b\n"])

    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(st.sampled_from(["a", "é", "\r", "\n", "\r\n", "\U0001d11e"]), max_size=12),
        st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
    )
    def test_all_text_arrives(self, pieces, codec):
        """Also around the place where one block ends and the next begins."""
        text = "x" * (BLOCK // len("x".encode(codec)) - 6) + "".join(pieces)
        self.assertEqual(self.text(text.encode(codec), codec), text)


class Lines(FileTestCase):
    def test_three_line_ends_and_no_other(self):
        text = "a\r\nb\nc\rd\x0b\x0c\x1c\x85\u2028e"
        self.assertEqual(split_lines(text), ["a\r\n", "b\n", "c\r", "d\x0b\x0c\x1c\x85\u2028e"])

    def test_what_cannot_be_written_is_shown_by_its_code(self):
        self.assertEqual(readable("a\0\udcff\udc0aé" + CUT), "a\\x00\\xff\\x0aé...")

    def test_marks_are_told_from_text(self):
        self.assertTrue(is_marked("a\udcff"))
        self.assertTrue(is_marked("a" + CUT))
        self.assertFalse(is_marked("a\ufffd\U0001d11e"))


class CheckCharset(FileTestCase):
    """Kofa 1.9's check of lines; numbers are those of its documentation."""

    def test_utf_8_is_fine(self):
        self.assertIsNone(check_charset([b"a,b\n", "ä,ö\n".encode()]))
        self.assertIsNone(check_charset([]))

    def test_an_undecodable_byte_gives_the_number_of_its_record(self):
        self.assertEqual(check_charset([b"a,\x92\n"]), 1)
        self.assertEqual(check_charset([b"a,b\n", b"c,\x92\n"]), 2)

    def test_records_are_counted_not_lines(self):
        self.assertEqual(check_charset([b'a,"b\n', b'c"\n', b"d,\x92\n"]), 2)

    def test_any_other_error_gives_one_more(self):
        self.assertEqual(check_charset([b"a,b\n", b"c,\0\n"]), 3)
        self.assertEqual(check_charset([b"a\rb,c\n"]), 2)

    def test_lines_of_text(self):
        self.assertIsNone(check_charset(["a,b\n", "ä,ö\n"]))
