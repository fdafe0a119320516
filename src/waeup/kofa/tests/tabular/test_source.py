"""Encodings: what is no text is refused with its place."""

from waeup.kofa.errors import TableError
from waeup.kofa.tabular import check_charset, verify_encoding
from waeup.kofa.tabular.source import BLOCK, MAX_LINE
from waeup.kofa.tests.tabular.files import FileTestCase


class VerifyEncoding(FileTestCase):
    def refusal(self, content, encoding=None):
        with self.assertRaises(TableError) as caught:
            verify_encoding(self.file(content), encoding)
        return str(caught.exception)

    def test_text_passes(self):
        for content in ("", "a,é\n", b"\xef\xbb\xbfa,b\r\n", "é" * BLOCK + "\n"):
            with self.subTest(start=content[:5]):
                verify_encoding(self.file(content))

    def test_the_message_tells_file_byte_line_and_what_to_do(self):
        self.assertEqual(
            self.refusal(b"a,b\r\n1,\xc3\xa9\r\n3,\xc3\xa9\x92\r\n"),
            "table.csv is not UTF-8: byte 0x92 at position 16 of the file (line 3, character"
            ' 4) is no text. Save the file as "CSV UTF-8" and upload it again.',
        )

    def test_positions_count_a_byte_order_mark(self):
        message = self.refusal(b"\xef\xbb\xbfab\x92\n")
        self.assertIn("position 6 of the file (line 1, character 3)", message)

    def test_the_first_bad_byte_behind_many_blocks(self):
        good = "é,1\r\n".encode() * BLOCK
        message = self.refusal(good + b"x\xe9,1\r\n")
        self.assertIn(f"byte 0xe9 at position {len(good) + 2} of the file", message)
        self.assertIn(f"(line {BLOCK + 1}, character 2)", message)

    def test_a_character_cut_off_at_the_end(self):
        self.assertIn("position 5 of the file (line 2, character 1)", self.refusal(b"a,b\n\xc3"))

    def test_a_bad_byte_within_a_character_that_two_blocks_share(self):
        for shift in range(1, 4):
            with self.subTest(shift=shift):
                good = b"x" * (BLOCK - shift - 1) + b"\n"
                message = self.refusal(good + b"\xe2\x82A\n")
                self.assertIn(f"byte 0xe2 at position {BLOCK - shift + 1} of", message)

    def test_utf_16_is_recognised_in_the_message(self):
        self.assertIn("It seems to be UTF-16.", self.refusal("a,b\n".encode("utf-16")))

    def test_another_encoding_is_named_in_the_message(self):
        message = self.refusal(b"a,b\n\x81\n", "cp1252")
        self.assertIn("is not cp1252: byte 0x81 at position 5", message)

    def test_a_line_without_end_is_no_table(self):
        message = self.refusal(b"a,b\nc,d\n" + b"x" * (MAX_LINE + 2 * BLOCK))
        self.assertIn("line 3 is longer than 1048576 bytes", message)


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
