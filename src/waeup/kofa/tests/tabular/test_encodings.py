"""Encodings: found where the bytes show them, a guess with doubt where they do not."""

# ruff: noqa: RUF001 - letters that look like others are what this is about

import codecs
import io
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from waeup.kofa.errors import TableError
from waeup.kofa.tabular import UnclearTable, encodings, open_table
from waeup.kofa.tabular.encodings import CERTAIN, check_encoding, detect_encoding
from waeup.kofa.tests.tabular.files import FileTestCase

WESTERN = "name,town\nJosé,Köln\nZoé,Genève\nRené,Málaga\n"
POLISH = "name,town\nŁukasz,Łódź\nŻaneta,Kraków\nGrażyna,Wrocław\n"
ROWS = [("José", "Köln"), ("Zoé", "Genève"), ("René", "Málaga")]


def detected(data, encoding=None):
    return detect_encoding(io.BytesIO(data), encoding)


class Marked(FileTestCase):
    def test_a_byte_order_mark_tells_the_encoding(self):
        for mark, codec in (
            (codecs.BOM_UTF8, "utf-8"),
            (codecs.BOM_UTF16_LE, "utf-16-le"),
            (codecs.BOM_UTF16_BE, "utf-16-be"),
            (codecs.BOM_UTF32_LE, "utf-32-le"),
            (codecs.BOM_UTF32_BE, "utf-32-be"),
        ):
            with self.subTest(codec=codec):
                data = mark + WESTERN.encode(codec)
                self.assertEqual(detected(data), (codec, len(mark), 1.0))
                self.assertEqual(self.values(data), ROWS)

    def test_the_stream_stands_behind_the_mark(self):
        stream = io.BytesIO(codecs.BOM_UTF8 + b"a,b\n")
        detect_encoding(stream)
        self.assertEqual(stream.read(), b"a,b\n")

    def test_a_mark_and_nothing_else_is_an_empty_file(self):
        with self.assertRaisesRegex(TableError, "is empty"):
            open_table(self.file(codecs.BOM_UTF16_LE))

    def test_a_second_file_with_a_mark_behind_the_first(self):
        data = 2 * (codecs.BOM_UTF8 + b"name,town\nEve,Jos\n")
        self.assertEqual(
            self.outcome(data),
            [
                (("Eve", "Jos"), None),
                (("name", "town"), "repeated-header"),
                (("Eve", "Jos"), None),
            ],
        )

    def test_a_mark_before_a_row_is_no_part_of_its_value(self):
        data = codecs.BOM_UTF8 + b"name,town\nBob,Aba\n" + codecs.BOM_UTF8 + b"Eve,Jos\nAda,X\n"
        self.assertEqual(self.values(data), [("Bob", "Aba"), ("Eve", "Jos"), ("Ada", "X")])


class Unmarked(FileTestCase):
    def test_utf_8_and_utf_16_show_themselves(self):
        for codec in ("utf-8", "utf-16-le", "utf-16-be"):
            with self.subTest(codec=codec):
                self.assertEqual(detected(WESTERN.encode(codec)), (codec, 0, 1.0))
                self.assertEqual(self.values(WESTERN.encode(codec)), ROWS)

    def test_ascii_is_utf_8(self):
        self.assertEqual(detected(b"name,town\nAda,Jos\n"), ("utf-8", 0, 1.0))

    def test_half_a_character_at_the_end_of_utf_16(self):
        data = "name,town\nJosé,Köln\n".encode("utf-16-le") + b"X"
        self.assertEqual(self.outcome(data), [(("José", "Köln"), None), ("\\x58", "undecodable")])

    def test_zeros_where_a_disk_failed_are_no_utf_16(self):
        data = b"name,town\nAda,Jos\n" + b"\0" * 4096 + b"\nEve,Kano\n"
        self.assertEqual(detected(data).name, "utf-8")
        self.assertEqual(
            [code for _cells, code in self.outcome(data)], [None, "nul-character", None]
        )

    @settings(deadline=None, max_examples=100)
    @given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20))
    def test_what_is_utf_8_is_read_as_utf_8(self, text):
        self.assertEqual(detected(f"name,{text}\nJosé,x\n".encode()), ("utf-8", 0, 1.0))


class BrokenUtf8(FileTestCase):
    def test_a_broken_byte_is_damage_of_its_row(self):
        data = WESTERN.encode() + b"Ren\xe9,Jos\nAda,Aba\n"
        self.assertEqual(
            self.outcome(data),
            [
                *[(row, None) for row in ROWS],
                ("Ren\\xe9,Jos", "undecodable"),
                (("Ada", "Aba"), None),
            ],
        )

    def test_the_last_character_is_cut_off(self):
        for end in (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"):
            with self.subTest(end=end):
                outcome = self.outcome(WESTERN.encode() + b"Ada,Jos" + end)
                self.assertEqual([code for _, code in outcome], [None] * 3 + ["undecodable"])

    def test_a_cut_character_alone_does_not_speak_against_utf_8(self):
        self.assertEqual(detected(b"name,town\nAda,Jos\xc3").name, "utf-8")

    def test_bytes_that_a_lenient_decoder_would_take(self):
        """Overlong forms and surrogates are no UTF-8 (RFC 3629)."""
        for wrong in (b"\xc0\x80", b"\xe0\x80\xaf", b"\xed\xa0\x80"):
            with self.subTest(wrong=wrong):
                outcome = self.outcome(WESTERN.encode() + b"Ada," + wrong + b"\n")
                self.assertEqual(outcome[-1][1], "undecodable")

    def test_what_is_full_of_damage_is_not_read_to_its_end(self):
        # It took minutes of a thread that somebody waits for.
        lines = b"C1,Jos\xe9 \xc3\xa9,3\n" * 2 * encodings._MOST_INVALID
        stream = mock.Mock(wraps=io.BytesIO(lines))
        self.assertEqual(detect_encoding(stream).name, "utf-8")
        self.assertLess(stream.read.call_count, len(lines) // encodings._CHUNK)


class Western(FileTestCase):
    def test_words_of_western_languages(self):
        for text in (
            WESTERN,
            "a,b\nEVÊQUE,GÖTZ\nÀ,où\n",
            "a,b\n“Quoted”,it’s\nO’Neil,12 €\n",
            "a,b\n12 °C,§ 5\n½ l,3–4\n",
        ):
            with self.subTest(text=text):
                found = detected(text.encode("cp1252"))
                self.assertEqual(found.name, "cp1252")
                self.assertGreaterEqual(found.confidence, CERTAIN)

    def test_names_of_many_languages(self):
        for names in (
            ["Søren", "Bjørnæs", "Åke Söderström", "Väinö Hämäläinen", "Tõnu Õispuu"],
            ["João Conceição", "Simões", "José Núñez", "Niccolò Forlì", "Estée", "Hélène Gaël"],
            ["Adébáyò", "Olùwàdámiláre", "Ìbàdàn", "Àdìó", "Zoë", "Jörg Weiß"],
        ):
            data = "".join(f"{name},1\n" for name in ["name", *names]).encode("cp1252")
            with self.subTest(names=names):
                self.assertEqual(detected(data).name, "cp1252")
                self.assertGreaterEqual(detected(data).confidence, CERTAIN)

    def test_rows_are_sound(self):
        for codec in ("cp1252", "latin-1"):
            with self.subTest(codec=codec):
                self.assertEqual(self.values(WESTERN.encode(codec)), ROWS)

    def test_a_row_of_utf_8_in_it(self):
        data = WESTERN.encode("cp1252") + "Chloé,Jos\n".encode()
        outcome = self.outcome(data)
        self.assertEqual(outcome[:3], [(row, None) for row in ROWS])
        self.assertEqual(outcome[3][1], "mixed-encoding")

    def test_a_row_of_it_in_utf_8(self):
        data = WESTERN.encode() + "Chloé,Liège\n".encode("cp1252")
        self.assertEqual(self.outcome(data)[3], ("Chlo\\xe9,Li\\xe8ge", "undecodable"))


class Guessed(FileTestCase):
    def test_other_encodings_are_never_certain_in_few_words(self):
        for codec, text in (
            ("cp1250", POLISH),
            ("iso8859-2", POLISH),
            ("cp1251", "name,town\nИван,Москва\nПётр,Тверь\n"),
            ("iso8859-7", "name,town\nΙωάννης,Αθήνα\nΜαρία,Πάτρα\n"),
            ("mac-roman", WESTERN),
            ("cp850", WESTERN),
        ):
            with self.subTest(codec=codec):
                data = text.encode(codec)
                self.assertLess(detected(data).confidence, CERTAIN)
                codes = [code for _cells, code in self.outcome(data)]
                self.assertEqual(codes, ["uncertain-encoding"] * len(codes))
                given = self.rows(data, encoding=codec)
                self.assertEqual({row.problem for row in given}, {None})

    def test_words_that_look_western_in_another_encoding(self):
        for codec, names in (
            ("cp1250", ["Jiří Dvořák", "Štěpánka Nováková", "Zdeněk Černý", "Petr Růžička"]),
            ("cp1250", ["Erdős Pál", "Kőszegi Ödön", "Szűcs Gábor", "Tóth Györgyné"]),
            ("cp1250", ["Petar Petrović", "Ivan Kovačić", "Ana Marić", "Željko Babić"]),
            ("cp1250", ["Ion Băsescu", "Mircea Dăncilă", "Elena Sărbu"]),
            ("cp1257", ["Jonas Šležas", "Rūta Žukauskaitė", "Ąžuolas"]),
        ):
            for times in (1, 20):
                data = "".join(f"{name},1\n" for name in ["name", *names * times]).encode(codec)
                with self.subTest(names=names, times=times):
                    self.assertLess(detected(data).confidence, CERTAIN)

    def test_rows_in_ascii_are_sound_whatever_the_guess_is(self):
        data = POLISH.encode("cp1250") + b"John,Jos\n"
        self.assertEqual(self.outcome(data)[-1], (("John", "Jos"), None))

    def test_a_stray_byte_in_ascii_leaves_the_other_rows_alone(self):
        for stray in (b"\xff", b"\x81", b"\xa7", b"\x93", b"\xc3", b"\xe8"):
            with self.subTest(stray=stray):
                data = b"name,town\nBob,Aba\nAda,Jo" + stray + b"s\nEve,Kano\n"
                codes = [code for _cells, code in self.outcome(data)]
                self.assertIn(codes[1], ("undecodable", "uncertain-encoding"))
                self.assertEqual((codes[0], codes[2]), (None, None))

    def test_one_word_is_enough_where_its_letter_is_the_same_in_other_encodings(self):
        for letter, code in (("ë", None), ("ñ", "uncertain-encoding")):
            with self.subTest(letter=letter):
                data = f"name,town\nBob,Aba\nAda,Jo{letter}s\nEve,Kano\n".encode("cp1252")
                self.assertEqual(self.outcome(data)[1], ((("Ada", f"Jo{letter}s"), code)))

    def test_a_row_of_garbage_does_not_outweigh_the_others(self):
        garbage = bytes(range(0x80, 0x100)) * 2
        for codec in ("utf-8", "cp1252"):
            with self.subTest(codec=codec):
                text = "name,town\n" + "José,Yaoundé\nZoë,Köln\n" * 8
                found = detected(text.encode(codec) + garbage + b",x\n")
                self.assertEqual(found.name, codec)
                self.assertGreaterEqual(found.confidence, CERTAIN)

    def test_zeros_in_some_cells_are_no_utf_16(self):
        data = b"code,town\nK\0100,Jos\nK101,K\0ano\nK\00102,Lagos\n"
        self.assertEqual(detected(data).name, "utf-8")

    def test_names_of_columns_that_are_in_doubt(self):
        data = "имя,город,код\nIvan,Omsk,1\n".encode("koi8-r")
        with self.assertRaisesRegex(UnclearTable, "cannot be read for certain"):
            open_table(self.file(data))
        with open_table(self.file(data), encoding="koi8-r") as table:
            self.assertEqual(table.header, ("имя", "город", "код"))


class Given(FileTestCase):
    def test_it_is_taken(self):
        for codec in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp850"):
            with self.subTest(codec=codec):
                self.assertEqual(self.values(WESTERN.encode(codec), encoding=codec), ROWS)

    def test_it_is_taken_when_something_else_is_likelier(self):
        self.assertEqual(
            [code for _, code in self.outcome(WESTERN.encode("cp1252"), encoding="utf-8")],
            ["undecodable"] * 3,
        )

    def test_utf_16_of_either_order_with_a_mark_or_without(self):
        for codec in ("utf-16-le", "utf-16-be"):
            for mark in ("", "\ufeff"):
                with self.subTest(codec=codec, mark=mark):
                    data = (mark + WESTERN).encode(codec)
                    self.assertEqual(self.values(data, encoding="utf-16"), ROWS)

    def test_the_name_is_that_of_the_codec(self):
        self.assertEqual(check_encoding("Latin1"), "iso8859-1")
        self.assertEqual(detected(b"a\n", "windows-1252"), ("cp1252", 0, 1.0))

    def test_names_of_no_encoding_of_text(self):
        for name in ("klingon", "hex", "rot13", "a\0b", "", "idna", "punycode", "utf-7"):
            with self.subTest(name=name), self.assertRaisesRegex(TableError, "no text encoding"):
                check_encoding(name)
