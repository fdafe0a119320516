"""Corner cases that authors of CSV readers and test suites agree on, with data of our own.

They are read as their authors say, but for quotes inside unquoted cells and text behind
quotes: other readers take these in silence, here they are problems.
"""

from waeup.kofa.tabular import Dialect
from waeup.kofa.tests.tabular.files import FileTestCase

COMMAS = {"dialect": Dialect(), "header_line": 1}


class Agreed(FileTestCase):
    def test_commas_in_quotes(self):
        self.assertEqual(
            self.values('name,place\nAda,"12, Ring Road, Ibadan"\n'),
            [("Ada", "12, Ring Road, Ibadan")],
        )

    def test_empty_cells(self):
        self.assertEqual(
            self.values('a,b,c\n1,"",""\n2,3,4\n,,5\n', **COMMAS),
            [("1", "", ""), ("2", "3", "4"), ("", "", "5")],
        )

    def test_doubled_quotes(self):
        self.assertEqual(
            self.values('a,b\n1,"ha ""ha"" ha"\n3,""""\n', **COMMAS)[0][1], 'ha "ha" ha'
        )
        self.assertEqual(self.values('a,b\n3,""""\n', **COMMAS), [("3", '"')])

    def test_text_of_another_format_in_a_cell(self):
        self.assertEqual(
            self.values('key,value\n1,"{""kind"": ""point"", ""at"": [1, 2]}"\n'),
            [("1", '{"kind": "point", "at": [1, 2]}')],
        )

    def test_line_ends_in_quotes(self):
        for end in ("\n", "\r\n", "\r"):
            with self.subTest(end=end):
                content = f'a,b,c{end}1,"one{end}two",3{end}"x{end}",y,z{end}'
                self.assertEqual(
                    self.values(content, **COMMAS),
                    [("1", f"one{end}two", "3"), (f"x{end}", "y", "z")],
                )

    def test_quotes_and_line_ends(self):
        self.assertEqual(
            self.values('a,b\n1,"ha\n""ha""\nha"\n', **COMMAS), [("1", 'ha\n"ha"\nha')]
        )

    def test_letters_of_any_script(self):
        self.assertEqual(self.values("a,b\n1,ʤ\nẹ̀kọ́,語\n"), [("1", "ʤ"), ("ẹ̀kọ́", "語")])

    def test_one_row_with_and_without_a_line_end(self):
        for end in ("", "\n", "\r\n", "\r"):
            with self.subTest(end=end):
                self.assertEqual(self.values("a,b,c\n1,2,3" + end), [("1", "2", "3")])

    def test_blanks_belong_to_cells(self):
        self.assertEqual(self.values("a,b\n 1 , 2\n", **COMMAS), [(" 1 ", " 2")])

    def test_numbers_stay_text(self):
        self.assertEqual(self.values('a,b\n0012,"1.50"\n', **COMMAS), [("0012", "1.50")])

    def test_a_quoted_cell_at_each_place(self):
        for row in ('"1",2,3', '1,"2",3', '1,2,"3"', '"1","2","3"'):
            with self.subTest(row=row):
                self.assertEqual(self.values(f"a,b,c\n{row}\n", **COMMAS), [("1", "2", "3")])

    def test_a_quoted_cell_of_all_that_has_a_meaning(self):
        self.assertEqual(self.values('a,b\n",""\r\n\n\r",x\n', **COMMAS), [(',"\r\n\n\r', "x")])

    def test_escapes(self):
        for written, value in (('"a\\"b"', 'a"b'), ("a\\,b", "a,b"), ("a\\\\b", "a\\b")):
            with self.subTest(written=written):
                rows = self.values(f"x,y\n1,{written}\n", dialect=Dialect(escape="\\"))
                self.assertEqual(rows, [("1", value)])

    def test_without_an_escape_a_backslash_is_text(self):
        self.assertEqual(self.values('x,y\n1,a\\b\n2,"a\\"\n', **COMMAS)[1], ("2", "a\\"))

    def test_blanks_behind_delimiters_that_are_no_text(self):
        rows = self.values('x,y,z\na, b, "c, d"\n', dialect=Dialect(padded=True))
        self.assertEqual(rows, [("a", "b", "c, d")])


class Strict(FileTestCase):
    """What other readers take, and we do not."""

    def test_quotes_in_unquoted_cells(self):
        for row in ('1,a"b', '1,a""', '1, "b"', "1,a'b\""):
            with self.subTest(row=row):
                self.assertEqual(self.outcome(f"a,b\n{row}\n", **COMMAS), [(row, "bare-quote")])

    def test_text_behind_quotes(self):
        for row in ('1,"a"b', '1,"a" ', '1,"""a""b"c', '1,""a""'):
            with self.subTest(row=row):
                self.assertEqual(
                    self.outcome(f"a,b\n{row}\n", **COMMAS), [(row, "text-after-quote")]
                )

    def test_a_file_that_ends_in_a_quoted_cell(self):
        for row in ('1,"', '1,"a', '1,"a""', '1,"a,b'):
            with self.subTest(row=row):
                self.assertEqual(self.outcome(f"a,b\n{row}", **COMMAS), [(row, "unclosed-quote")])
