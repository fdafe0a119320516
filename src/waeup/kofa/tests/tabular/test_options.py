"""What a person says about the reading of a table."""

from waeup.kofa.errors import TableError
from waeup.kofa.tabular.options import CHARACTERS, ReadOptions, name_of
from waeup.kofa.tests.tabular.files import FileTestCase


class OptionsTests(FileTestCase):
    def test_blank_texts_say_nothing(self):
        for blank in (None, "", " "):
            options = ReadOptions.of(blank, None, "", blank, "")
            self.assertEqual(options, ReadOptions())
        self.assertEqual(ReadOptions().as_dict(), {})

    def test_what_was_said_survives_as_plain_data(self):
        options = ReadOptions.of("cp1252", ";", "'", "3", "Term 2")
        self.assertEqual(
            options.as_dict(),
            {
                "encoding": "cp1252",
                "delimiter": ";",
                "quote": "'",
                "header_line": 3,
                "sheet": "Term 2",
            },
        )
        self.assertEqual(ReadOptions(**options.as_dict()), options)

    def test_characters_have_names(self):
        for character, names in CHARACTERS.items():
            for text in (character, *names, names[0].upper()):
                with self.subTest(text):
                    self.assertEqual(ReadOptions.of(delimiter=text).delimiter, character)
            self.assertEqual(name_of(character), names[0])
        self.assertEqual(ReadOptions.of(delimiter=" ; ").delimiter, ";")
        self.assertEqual((name_of("^"), name_of(None)), ("^", ""))

    def test_what_cannot_be_meant_is_refused(self):
        for said, message in (
            ({"delimiter": "semi"}, "'semi' is no separator: .* comma, semicolon"),
            ({"quote": "none"}, "'none' is no quote"),
            ({"header_line": "first"}, "'first' is no number of a line"),
            ({"header_line": "0"}, "counted from 1"),
            ({"header_line": "-1"}, "counted from 1"),
            ({"header_line": 10**12}, "counted from 1"),
        ):
            with self.subTest(said), self.assertRaisesRegex(TableError, message):
                ReadOptions.of(**said)

    def test_a_table_is_opened_as_was_said(self):
        path = self.file("x;y\ncode;title\nä;'b;c'\n".encode("latin-1"))
        options = ReadOptions.of("latin-1", "semicolon", "single", "2")
        with options.open(path, name="list.csv") as table:
            self.assertEqual((table.name, table.header), ("list.csv", ("code", "title")))
            self.assertEqual([row.values for row in table], [("ä", "b;c")])

    def test_what_the_reader_cannot_take_is_refused_by_it(self):
        path = self.file("a,b\n1,2\n")
        for options in (ReadOptions(encoding="klingon"), ReadOptions(delimiter="x")):
            with self.subTest(options), self.assertRaises(TableError):
                options.open(path)
