"""Dialects: found from signs in the lines, the simplest of equals."""

from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from waeup.kofa.tabular import Dialect, UnclearTable, open_table
from waeup.kofa.tabular.detection import detect_dialect, records_of
from waeup.kofa.tabular.grammar import Grammar
from waeup.kofa.tabular.source import split_lines
from waeup.kofa.tests.tabular.files import FileTestCase


def detected(text, **given):
    return detect_dialect(split_lines(text), True, **given)


class Delimiters(FileTestCase):
    def test_those_that_hardly_stand_in_texts(self):
        for delimiter in ",;\t|^~\x1f\x01§¦":
            with self.subTest(delimiter=delimiter):
                text = 'name,town,note\nAda,"Jos, Plateau",x\nBob,Aba,"say ""hi"""\n'
                text = text.replace(",", delimiter)
                self.assertEqual(detected(text), Dialect(delimiter))
                self.assertEqual(self.values(text)[0][1], f"Jos{delimiter} Plateau")

    def test_unusual_ones_when_all_lines_agree(self):
        for delimiter in ":!#*":
            with self.subTest(delimiter=delimiter):
                self.assertEqual(
                    detected("a,b,c\n1,2,3\n4,5,6\n".replace(",", delimiter)), Dialect(delimiter)
                )

    def test_unusual_ones_that_divide_more_than_commas_in_texts(self):
        text = "town#street#code\n" + "Jos#Ring Road, 1#2\nKano, old#Main Street, 3#4\n" * 4
        self.assertEqual(detected(text), Dialect("#"))
        text = "no,ref\n" + "#1,#7\n#2,#8\n#3,x,#9\n" * 4
        self.assertEqual(detected(text), Dialect())

    def test_blanks_when_there_are_many_columns_or_quotes(self):
        self.assertEqual(detected("a b c d\n1 2 3 4\n5 6 7 8\n"), Dialect(" "))
        self.assertEqual(detected('"a b" "c d" e\n"1 2" "3 4" 5\n'), Dialect(" "))

    def test_texts_are_not_cut_at_blanks_and_colons(self):
        for text in (
            "note\nhello there you\ngood bye\nsee you later: maybe\n",
            "time\n12:30\n13:45\n14:00\n",
            "greeting\nHello! You!\nBye!\n",
        ):
            with self.subTest(text=text):
                self.assertEqual(detected(text), Dialect())
                self.assertEqual({len(row) for row in self.values(text)}, {1})

    def test_what_could_be_one_column_or_several_is_asked(self):
        for text in ("a b c\n1 2 3\n4 5 6\n7 8 9\n", "from:to\n12:30\n13:45\n14:00\n"):
            with self.subTest(text=text), self.assertRaisesRegex(UnclearTable, "the delimiter is"):
                open_table(self.file(text))

    def test_decimal_commas(self):
        for delimiter in ";\t|":
            with self.subTest(delimiter=delimiter):
                text = "name;score;share\nada;1,5;2,5\nbob;2,5;3,5\n".replace(";", delimiter)
                self.assertEqual(detected(text), Dialect(delimiter))

    def test_lists_inside_cells(self):
        self.assertEqual(detected("a|b|c\n" + "1|2|x,y;z,w\n" * 5), Dialect("|"))

    def test_those_inside_quotes_do_not_count(self):
        self.assertEqual(detected('a,b\n"x;y;z",1\n"p;q;r",2\n'), Dialect())

    def test_damaged_rows_do_not_decide(self):
        self.assertEqual(detected("a;b\n1;2\n3\n4;5\n6;7;8\n9;0\n"), Dialect(";"))

    def test_titles_do_not_decide(self):
        text = "Staff, students, and others\nof the year: 2024\n\na;b\n1;2\n4;5\n9;0\n"
        self.assertEqual(detected(text), Dialect(";"))

    def test_one_column(self):
        self.assertEqual(detected("name\nada\nbob\n"), Dialect())
        self.assertEqual(detected(""), Dialect())

    def test_a_header_alone(self):
        for delimiter in ",;\t|":
            with self.subTest(delimiter=delimiter):
                self.assertEqual(detected(delimiter.join("abc") + "\n"), Dialect(delimiter))


class Quotes(FileTestCase):
    def test_apostrophes_around_a_whole_column(self):
        text = "name,say\nAda,'it''s, well'\nBob,'no'\n"
        self.assertEqual(detected(text), Dialect(",", "'"))
        self.assertEqual(self.values(text), [("Ada", "it's, well"), ("Bob", "no")])

    def test_apostrophes_around_names_and_values(self):
        text = "'name','say'\n'Ada','it''s'\n'Bob','x'\n"
        self.assertEqual(detected(text), Dialect(",", "'"))

    def test_apostrophes_that_are_text(self):
        for text in (
            "name,say\nAda,it's\nBob,don't\n",
            "name,town\n't Hooft,Jos\nBob,Aba\nAda,Jos\n",
            "name,say\n\"O'Neil, Bob\",'tis\nAda,no\nEve,x\n",
        ):
            with self.subTest(text=text):
                self.assertEqual(detected(text), Dialect())
                self.assertIn("'", "".join(self.values(text)[0]))

    def test_escaped_quotes(self):
        text = 'name,say\nAda,"say \\"hi\\", well"\nBob,"no"\n'
        self.assertEqual(detected(text), Dialect(",", '"', "\\"))
        self.assertEqual(self.values(text), [("Ada", 'say "hi", well'), ("Bob", "no")])

    def test_escaped_apostrophes(self):
        text = "name,say\nAda,'it\\'s, well'\nBob,'no'\n"
        self.assertEqual(detected(text), Dialect(",", "'", "\\"))

    def test_backslashes_that_are_text(self):
        text = 'name,path\nAda,C:\\new\nBob,"D:\\x,y"\n'
        self.assertEqual(detected(text), Dialect())
        self.assertEqual(self.values(text), [("Ada", "C:\\new"), ("Bob", "D:\\x,y")])


class Padding(FileTestCase):
    def test_blanks_behind_all_delimiters_are_no_text(self):
        text = 'name, age, town\nAda, 36, "Jos, Plateau"\nBob, 41, Aba\n'
        self.assertEqual(detected(text), Dialect(",", '"', None, True))
        self.assertEqual(self.values(text), [("Ada", "36", "Jos, Plateau"), ("Bob", "41", "Aba")])

    def test_blanks_on_both_sides(self):
        text = "name , age\nAda , 36\nBob , 41\n"
        self.assertEqual(self.values(text), [("Ada", "36"), ("Bob", "41")])

    def test_blanks_around_delimiters_of_which_a_row_has_one_more(self):
        text = " name , town , age \n Ada , Jos , 36 \n Bob , Aba , 41 ,\n Eve , Kano , 29 \n"
        self.assertEqual(detected(text).delimiter, ",")

    def test_blanks_in_some_cells_are_text(self):
        text = "name,age\nAda, 36\nBob,41\n Eve,1\n"
        self.assertEqual(detected(text), Dialect())
        self.assertEqual(self.values(text), [("Ada", " 36"), ("Bob", "41"), (" Eve", "1")])


class SepLine(FileTestCase):
    def test_it_names_the_delimiter(self):
        for line, delimiter in (
            ("sep=;\n", ";"),
            ("sep=\t\r\n", "\t"),
            ('"sep=|"\n', "|"),
            ("SEP=,\n", ","),
            ("\ufeffsep=^\n", "^"),
        ):
            with self.subTest(line=line):
                path = self.file(line + "a;b\n1;2\n3;4\n".replace(";", delimiter))
                with open_table(path) as table:
                    self.assertEqual(table.dialect.delimiter, delimiter)
                    self.assertEqual((table.header_line, table.header[0]), (2, "a"))
                    self.assertEqual([row.line for row in table], [3, 4])

    def test_it_decides_against_what_is_likelier(self):
        self.assertEqual(self.values("sep=;\na;b,c,d\n1;2,3,4\n"), [("1", "2,3,4")])

    def test_only_the_first_line_is_one(self):
        self.assertEqual(self.values("a,b\nsep=;,x\n1,y\n")[0], ("sep=;", "x"))


class Given(FileTestCase):
    def test_a_delimiter_is_not_looked_for(self):
        self.assertEqual(detected("a,b\n1,2\n", delimiter=";").delimiter, ";")
        self.assertEqual(detected("a,b\n'1;2',3\n'4;5',6\n", delimiter=",").quote, "'")

    def test_a_quote_is_not_looked_for(self):
        self.assertEqual(detected("a;b\n'1;5';2\n'6;7';3\n", quote='"').quote, '"')
        self.assertEqual(detected("a;b\n1;2\n", quote="'"), Dialect(";", "'"))

    @settings(deadline=None, max_examples=100)
    @given(st.text("ab1,;\t|'\"\\ \n\r:!^", max_size=60), st.booleans())
    def test_something_is_always_found(self, text, final):
        """Whatever the lines are, the dialect is one that can shape a table."""
        dialect = detect_dialect(split_lines(text), final)
        dialect.check()
        grammar = Grammar(dialect)
        lines = split_lines(text)
        covered = [(record.start, record.end) for record in records_of(lines, grammar, True)]
        self.assertEqual(
            [at for start, end in covered for at in range(start, end)], list(range(len(lines)))
        )


class LongLines(FileTestCase):
    def test_no_more_than_their_beginning_is_tried(self):
        for lines in (
            ["a, 'b'; \\\"c|d\te " * 20_000] * 2,
            ["a,b\n", "1,2\n" * 400_000],
        ):
            with mock.patch("waeup.kofa.tabular.detection.records_of", wraps=records_of) as tried:
                detect_dialect(lines, True)
            for call in tried.call_args_list:
                self.assertLessEqual(sum(map(len, call.args[0])), 1 << 18)

    def test_a_row_with_a_long_text_is_a_row(self):
        rows = [("1", "x;" * 300_000), ("2", "y")]
        text = "".join(f'{number},"{text}"\n' for number, text in [("id", "text"), *rows])
        self.assertEqual(self.values(text), rows)
