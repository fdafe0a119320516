"""Headers: where the names are, and tables whose names are in doubt."""

from waeup.kofa.errors import TableError
from waeup.kofa.tabular import EmptyTable, UnclearTable, open_table
from waeup.kofa.tests.tabular.files import FileTestCase

NAMES = "name,town,age\n"
ROWS = "Ada,Jos,36\nBob,Aba,41\nEve,Kano,29\nIfe,Ibadan,33\n"
WRAPPED = "'`name`;`town`'\n'`Ada`;`Jos`'\n'`Bob`;`Kano`'\n".replace("`", "''")
HEADER = ("name", "town", "age")


class HeadingTestCase(FileTestCase):
    def refusal(self, content, kind=UnclearTable, **options):
        with self.assertRaises(kind) as caught:
            open_table(self.file(content), **options)
        return str(caught.exception)


class Above(HeadingTestCase):
    """What may stand above the names."""

    def check(self, content, line, above):
        with open_table(self.file(content + NAMES + ROWS)) as table:
            self.assertEqual((table.header, table.header_line), (HEADER, line))
            self.assertEqual(table.above, above)
            self.assertEqual([row.problem for row in table], [None] * 4)

    def test_blank_lines(self):
        self.check("\n \n,,\n", 4, ())

    def test_a_title(self):
        for title in ("Staff", "Staff,,", "Staff of 2024, provisional"):
            with self.subTest(title=title):
                shown = title.rstrip(",")
                self.check(f"{title}\n", 2, (shown,))
                self.check(f"{title}\n\n", 3, (shown,))

    def test_comments(self):
        self.check("# made by a program, at night\n#\n", 3, ("# made by a program, at night", "#"))

    def test_facts(self):
        facts = "Exported by:,admin\nDate:,2024-01-01\n"
        self.check(facts, 3, ("Exported by:,admin", "Date:,2024-01-01"))
        self.check(facts + "\n", 4, ("Exported by:,admin", "Date:,2024-01-01"))

    def test_single_facts_between_blank_lines(self):
        facts = 'Source,Registry,\n\n"Last change",2024-01-01,\n\n'
        names, rows = "code,town,2019,2020\n", "A1,Jos,7,8\nA2,Aba,6,9\nA3,Kano,,7\n"
        with open_table(self.file(facts + names + rows)) as table:
            self.assertEqual(table.header_line, 5)
            self.assertEqual(table.above, ("Source,Registry", 'Last change",2024-01-01'))
            self.assertEqual([row.problem for row in table], [None] * 3)

    def test_a_title_as_wide_as_the_table(self):
        content = "Benin\nPrinted on 2024-05-06; page 1\n\nday;price\n1;20\n2;25\n3;21\n4;30\n"
        with open_table(self.file(content)) as table:
            self.assertEqual((table.header, table.header_line), (("day", "price"), 4))
            self.assertEqual([row.problem for row in table], [None] * 4)

    def test_a_row_without_its_beginning_behind_a_blank_line_is_no_header(self):
        rows = "".join(f"BSC{at},FAC{at % 3},AZ{at}\n" for at in range(110, 117))
        content = f"certificate,faculty,abbr\nBSC\n\n007,FAC1,AZ95\n{rows}"
        with open_table(self.file(content)) as table:
            self.assertEqual(table.header_line, 1)
            codes = [row.problem and row.problem.code for row in table]
        self.assertEqual(codes, ["too-few-cells", "broken-value", *[None] * 7])

    def test_an_odd_row_with_figures_behind_a_blank_line_is_no_header(self):
        rows = "".join(f"{at}/17;{at:02}-Mar-2017;granted\n" for at in range(2, 12))
        content = f"case;held;decision\n1/\n\n17;29-May-2017;adjourned\n{rows}"
        with open_table(self.file(content)) as table:
            self.assertEqual((table.header_line, table.header[0]), (1, "case"))
            self.assertTrue(all(row.problem for row in table if row.line < 5))

    def test_a_table_that_begins_late(self):
        self.check("Page 1\n" + "\n" * 30, 32, ("Page 1",))

    def test_a_mark_in_front_of_the_first_name_is_kept(self):
        with open_table(self.file("#" + NAMES + ROWS)) as table:
            self.assertEqual(table.header, ("#name", "town", "age"))


class Doubtful(HeadingTestCase):
    def test_an_empty_file(self):
        for content in ("", "\n\r\n", ",,\n,,\n", "\ufeff\n"):
            with self.subTest(content=content):
                self.assertIn("is empty", self.refusal(content, EmptyTable))

    def test_no_header(self):
        for content in (ROWS, "1,2,3\n4,5,6\n7,8,9\n", "1\n2\n3\n"):
            with self.subTest(content=content):
                self.assertIn("line 1 looks like a row", self.refusal(content))

    def test_a_commented_header_is_none(self):
        self.assertIn("has no header: line 2", self.refusal("# " + NAMES + ROWS))

    def test_fewer_or_more_names_than_cells(self):
        for names, cells in (
            ("name,town", "2 cells"),
            ("name,town,age,x", "4 cells"),
            ("name town age", "1 cell,"),
        ):
            with self.subTest(names=names):
                message = self.refusal(f"{names}\n{ROWS}")
                self.assertIn(f"does not fit its rows: line 1 has {cells}", message)
                self.assertIn("the rows have 3", message)

    def test_names_divided_by_another_delimiter_than_the_rows(self):
        message = self.refusal(f"name;town;age\n{ROWS}")
        self.assertIn("table.csv is divided in two ways: line 1 by other characters", message)

    def test_rows_above_the_names_divided_by_another_delimiter(self):
        """Two exports in one file: the rows of the first would be lost as its title."""
        message = self.refusal(f"name|town|age\nIfe|Kano|29\n{NAMES}{ROWS}")
        self.assertIn("line 1 by other characters than line 3", message)

    def test_quotes_around_whole_lines_of_quoted_cells(self):
        message = self.refusal(WRAPPED)
        self.assertIn("quotes around the whole of line 1", message)

    def test_another_delimiter_inside_the_names(self):
        message = self.refusal("name|town|ageAda|Obi, Jos\nBob|Eze, Kano\nIfe|Ani, Jos\n")
        self.assertIn("delimiters inside the names of its columns, in line 1", message)

    def test_names_that_were_cut_within_brackets(self):
        message = self.refusal("add (name, town) to (1, 'Ada')\nadd (name, town) to (2, 'Bob')\n")
        self.assertIn("delimiters inside the names of its columns, in line 1", message)

    def test_cells_that_are_aligned_by_blanks(self):
        for content in (
            "no    name        mark\nA1    Ada Obi       70\nA2    Eze            8\n",
            "id  mark  age\n 1   7.5   20\n10  12.5    9\n",
        ):
            with self.subTest(content=content):
                self.assertIn("aligned by blanks", self.refusal(content))

    def test_a_line_of_signs_is_no_header(self):
        for content in ('[\n{"name": "Ada"},\n{"name": "Bob"}\n]\n', "*,-,*\na,b,c\nd,e,f\n"):
            with self.subTest(content=content):
                self.assertIn("has no header: line 1", self.refusal(content))

    def test_two_lines_that_may_be_the_header(self):
        message = self.refusal(f"x,y,z\n1,2,3\n\n{NAMES}{ROWS}")
        self.assertIn("line 2 may be the header, and so may line 4", message)

    def test_the_names_again_behind_the_mark_of_another_file(self):
        with open_table(self.file(f"{NAMES}\ufeff{NAMES}{ROWS}")) as table:
            self.assertEqual(table.header, HEADER)
            codes = [row.problem and row.problem.code for row in table]
        self.assertEqual(codes, ["repeated-header", None, None, None, None])

        with open_table(self.file(f" name , town , age \n\ufeff{NAMES}{ROWS}")) as table:
            codes = [row.problem and row.problem.code for row in table]
        self.assertEqual(codes[1:], [None] * 4)

    def test_the_names_again_behind_a_blank_line(self):
        with open_table(self.file(f"Staff\n{NAMES}\n{NAMES}{ROWS}")) as table:
            self.assertEqual((table.header, table.header_line), (HEADER, 2))
            codes = [row.problem and row.problem.code for row in table]
        self.assertEqual(codes, ["repeated-header", None, None, None, None])

    def test_a_line_end_behind_the_names_is_lost(self):
        for gap in (" ", ""):
            with self.subTest(gap=gap):
                message = self.refusal(NAMES.rstrip() + gap + "Ada,Jos,36\n" + ROWS)
                self.assertIn("does not fit its rows", message)

    def test_the_rest_of_a_row_is_no_header(self):
        rows = "".join(
            f"{at}/17;2{at}-{month}-2017;text;refused\n"
            for at, month in enumerate(("Jan", "Mar", "May", "Jul", "Oct"), 3)
        )
        joined = "case;held;report;decision1/17;26-Jul-2017;text;refused\n"
        for rest in ("2/1\n7;24-Apr-2017;text;refused\n", "\n7;24-Apr-2017;text;refused\n"):
            self.assertIn("header", self.refusal(joined + rest + rows))

    def test_years_among_the_names(self):
        rows = "".join(f"BIO-{at};{at * 7};{at * 9}\n" for at in range(1, 7))
        with open_table(self.file(f"course;2016;2017\n{rows}")) as table:
            self.assertEqual(table.header, ("course", "2016", "2017"))

    def test_damaged_names(self):
        for names in ('name,to"wn,age', 'name,"town,age', 'name,"town"x,age'):
            with self.subTest(names=names):
                message = self.refusal(f"\n{names}\n{ROWS}")
                self.assertIn("Line 2 of table.csv, its header, is damaged", message)

    def test_several_lines(self):
        for second in (",,(years)", '"","",(years)'):
            with self.subTest(second=second):
                message = self.refusal(f"{NAMES}{second}\n{ROWS}")
                self.assertIn("takes several lines (1 to 2)", message)

    def test_another_table_above(self):
        self.assertIn("does not fit", self.refusal("a,b\n1,2\n\n" + NAMES + ROWS))

    def test_quotes_around_whole_lines(self):
        message = self.refusal('"name,town"\n"Ada,Jos"\n"Bob,Aba"\n')
        self.assertIn("quotes around whole lines", message)

    def test_no_table(self):
        self.assertIn("holds no table", self.refusal('{"a": 1, "b": [2, 3]}\n'))

    def test_each_refusal_can_be_overridden(self):
        """But for a damaged or missing line."""
        for content in (ROWS, f"name,town\n{ROWS}", f"{NAMES},,(years)\n{ROWS}"):
            with (
                self.subTest(content=content),
                open_table(self.file(content), header_line=1) as table,
            ):
                self.assertEqual(",".join(table.header), content.split("\n")[0])


class Given(HeadingTestCase):
    def test_the_line_is_taken(self):
        with open_table(self.file("x,y\n" + NAMES + ROWS), header_line=2) as table:
            self.assertEqual((table.header, table.above), (HEADER, ("x,y",)))
            self.assertEqual([row.line for row in table], [3, 4, 5, 6])

    def test_a_line_that_cannot_be_one(self):
        for content, line in (
            (NAMES + ROWS, 9),
            (NAMES + ROWS, 0),
            ("\n" + NAMES + ROWS, 1),
            ('a,"b\nc",d\n1,2,3\n', 2),
            ('a,b"c,d\n' + ROWS, 1),
        ):
            with self.subTest(content=content, line=line):
                message = self.refusal(content, header_line=line)
                self.assertIn(f"Line {line} of table.csv cannot be its header", message)

    def test_lines_are_counted_with_those_of_quoted_cells(self):
        with open_table(
            self.file('"A title\nof two lines"\n' + NAMES + ROWS), header_line=3
        ) as table:
            self.assertEqual(table.header, HEADER)


class Sound(HeadingTestCase):
    def test_names_that_are_sentences(self):
        question = "Which towns, if any, have you seen; and when, if so; (please tick)?"
        for names in (f'name,"{question}",age\n', f"name\t{question}\tage\n"):
            rows = ROWS.replace(",", "\t") if "\t" in names else ROWS
            with self.subTest(names=names), open_table(self.file(names + rows)) as table:
                self.assertEqual(table.header, ("name", question, "age"))
                self.assertEqual([row.problem for row in table], [None] * 4)

    def test_columns_without_names_and_values_at_the_end_are_left_out(self):
        for count in (1, 2, 5):
            ends = "," * count
            rows = "".join(f"{row}{ends}\n" for row in ROWS.split("\n")[:3])
            # Spreadsheets leave such cells out when they fill no row of a page.
            content = f"name,town,age{ends}\n{rows}Ife,Ibadan,33\n"
            with self.subTest(count=count):
                with open_table(self.file(content)) as table:
                    self.assertEqual(table.header, HEADER)
                    self.assertEqual(len(list(table)), 4)
                self.assertEqual(self.values(content)[-1], ("Ife", "Ibadan", "33"))
                codes = [code for _row, code in self.outcome(f"{content}Obi,Aba{ends}\n")]
                self.assertEqual(codes, [None] * 4 + ["too-few-cells"])

    def test_such_columns_where_all_is_quoted(self):
        content = '"a","b","",""\n"1","2","",""\n"3","4","",""\n'
        self.assertEqual(self.values(content), [("1", "2"), ("3", "4")])

    def test_a_column_with_a_value_is_kept(self):
        with open_table(self.file("name,town,,\nAda,Jos,,\nBob,Aba,x,\nEve,Kano,,\n")) as table:
            self.assertEqual(table.header, ("name", "town", "", ""))

    def test_a_name_of_several_lines(self):
        with open_table(self.file('name,"town\n(or village)",age\n' + ROWS)) as table:
            self.assertEqual(table.header, ("name", "town\n(or village)", "age"))
            self.assertEqual(next(table).line, 3)

    def test_names_alone_or_with_words_below(self):
        for rows in ("", "Ada,Jos,x\n", "Ada,Jos,x\nBob,Aba,y\n"):
            with open_table(self.file(NAMES + rows), rows_required=False) as table:
                self.assertEqual(table.header, HEADER)

    def test_whether_its_line_has_an_end(self):
        for end, ended in (("", False), ("\n", True), ("\r", True)):
            with (
                self.subTest(end=end),
                open_table(self.file("a,b" + end), rows_required=False) as table,
            ):
                self.assertIs(table.header_ended, ended)

    def test_blank_names_are_left_to_check_header(self):
        with open_table(self.file("name,,age\n" + ROWS)) as table:
            self.assertEqual(table.header, ("name", "", "age"))

    def test_no_rows_are_refused_when_they_are_asked_for(self):
        with open_table(self.file(NAMES)) as table, self.assertRaises(TableError):
            next(table)
