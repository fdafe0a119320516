"""The careful way: what swallows rows, and rows that are sound only by their form."""

from waeup.kofa.tests.tabular.files import FileTestCase

NAMES = "code,title,credits\n"
ROWS = 'BIO1,Biology,3\nCHE1,"Chemistry, all of it",4\nPHY1,Physics,3\n'
BEHIND = "LAW1,Law,2\nMED1,Medicine,5\n"


class CarefulTestCase(FileTestCase):
    def between(self, lines, behind=BEHIND):
        """Return the outcome of `lines` between sound rows of a table."""
        outcome = self.outcome(NAMES + ROWS + lines + behind)
        last = len(outcome) - behind.count("\n")
        self.assertEqual([code for _cells, code in outcome[:3]], [None] * 3)
        self.assertEqual([code for _cells, code in outcome[last:]], [None] * behind.count("\n"))
        return outcome[3:last]


class SwallowedRows(CarefulTestCase):
    def test_a_quote_that_nothing_closes(self):
        self.assertEqual(self.between('ART1,"Arts,3\n'), [('ART1,"Arts,3', "unclosed-quote")])

    def test_a_quote_that_the_next_quoted_cell_seems_to_close(self):
        self.assertEqual(
            self.between('ART1,"Arts,3\nMUS1,"Music",2\n'),
            [('ART1,"Arts,3', "unclosed-quote"), (("MUS1", "Music", "2"), None)],
        )

    def test_rows_between_two_stray_quotes(self):
        """All is one sound record of three cells; it is the rows that give it away."""
        self.assertEqual(
            self.between('ART1,"Arts,3\nMUS1,Music,2\nTHE1,Theology",4\n'),
            [
                ('ART1,"Arts,3', "unclosed-quote"),
                (("MUS1", "Music", "2"), None),
                ('THE1,Theology",4', "bare-quote"),
            ],
        )

    def test_two_quotes_in_a_row_that_are_not_closed(self):
        """Whether the second line is a row or text is open: it stands behind the problem."""
        text = 'ART1,"Arts,3\nMUS1,"Music,2'
        self.assertEqual(self.between(text + "\n"), [(text, "unclosed-quote")])

    def test_a_text_of_several_lines_with_delimiters_is_a_text(self):
        for text in ("film, music\nand more, much more\nthan that", "a, b, c\nd, e, f", "\n\n,\n"):
            with self.subTest(text=text):
                self.assertEqual(self.between(f'ART1,"{text}",3\n'), [(("ART1", text, "3"), None)])

    def test_a_damaged_text_of_several_lines_is_one_problem(self):
        self.assertEqual(
            self.between('ART1,"Arts\nfilm, music" x,3\n'),
            [('ART1,"Arts\nfilm, music" x,3', "unclosed-quote")],
        )


class OtherForms(CarefulTestCase):
    def test_other_delimiters(self):
        for delimiter in ";\t|":
            with self.subTest(delimiter=delimiter):
                line = "ART1,Arts,3".replace(",", delimiter)
                self.assertEqual(self.between(line + "\n"), [((line,), "other-delimiter")])

    def test_a_delimiter_within_a_text_is_none(self):
        self.assertEqual(
            self.between("ART1,Arts; music; film,3\n"),
            [(("ART1", "Arts; music; film", "3"), None)],
        )

    def test_other_quotes(self):
        (found,) = self.between("'ART1','Arts','3'\n")
        self.assertEqual(found[1], "other-quotes")

    def test_apostrophes_in_words_are_none(self):
        self.assertEqual(self.between("ART1,Women's 'Arts',3\n")[0][1], None)

    def test_an_escape_that_may_be_text(self):
        content = 'a,b\n1,"say \\"x\\", y"\n2,"say \\"z\\", y"\n3,"C:\\new"\n4,"say \\"u\\", y"\n'
        codes = [code for _cells, code in self.outcome(content)]
        self.assertEqual(codes, [None, None, "unclear-escape", None])


class OtherRows(CarefulTestCase):
    def test_shifted_cells(self):
        self.assertEqual(self.between("Arts,3,ART1\n"), [(("Arts", "3", "ART1"), "shifted-cells")])

    def test_cells_shifted_by_an_empty_one(self):
        rows = "".join(f"Ada {letter},Jos,{n}\n" for n, letter in enumerate("abcdefgh"))
        outcome = self.outcome("name,town,age\n" + rows + ",Bob,Kano\nEve x,Aba,4\n")
        self.assertEqual([code for _cells, code in outcome[8:]], ["shifted-cells", None])

    def test_a_repeated_header(self):
        for line in (NAMES, '"code",title,credits\n'):
            with self.subTest(line=line):
                self.assertEqual(
                    self.between(line), [(("code", "title", "credits"), "repeated-header")]
                )

    def test_a_row_whose_first_cell_is_a_name_is_no_header(self):
        self.assertEqual(self.between("code,Coding,3\n")[0], (("code", "Coding", "3"), None))

    def test_a_second_table(self):
        outcome = self.between("\nname,office,room\nAda,Dean,12\nBob,Bursar,14\n", "")
        self.assertEqual([code for _cells, code in outcome], ["second-table"] * 3)

    def test_a_second_table_with_a_title(self):
        outcome = self.between("\nStaff\nname,office,room\nAda,Dean,12\n", "")
        self.assertEqual(
            [code for _cells, code in outcome], ["too-few-cells", "second-table", "second-table"]
        )

    def test_a_second_table_of_another_width(self):
        outcome = self.between("\nname,office\nAda,Dean\n", "")
        self.assertEqual([code for _cells, code in outcome], ["too-few-cells"] * 2)

    def test_the_message_tells_where_the_second_table_begins(self):
        rows = self.rows(NAMES + ROWS + "\nname,office,room\nAda,Dean,12\n")
        self.assertIn("(line 7): another table begins at line 6", rows[-1].problem.message)

    def test_a_blank_line_between_rows_begins_no_table(self):
        self.assertEqual(self.between("\nART1,Arts,3\n\n"), [(("ART1", "Arts", "3"), None)])


class OddCharacters(CarefulTestCase):
    def test_nul(self):
        self.assertEqual(self.between("ART1,A\0,3\n"), [("ART1,A\\x00,3", "nul-character")])

    def test_bytes_that_are_no_text_come_before_all_else(self):
        data = (NAMES + ROWS).encode() + b'ART1,\xff"x,3\nLAW1,Law,2\n'
        self.assertEqual(
            self.outcome(data, encoding="utf-8")[3:],
            [('ART1,\\xff"x,3', "undecodable"), (("LAW1", "Law", "2"), None)],
        )

    def test_utf_8_in_windows_1252(self):
        data = (NAMES + ROWS).encode() + "ART1,Müller,3\n".encode() + b"MUS1,Fran\xe7ais,3\n"
        codes = [code for _cells, code in self.outcome(data, encoding="cp1252")]
        self.assertEqual(codes, [None, None, None, "mixed-encoding", None])

    def test_inches_and_seconds_are_no_quotes(self):
        self.assertEqual(self.between("ART1,36'37.8\",3\n"), [(("ART1", "36'37.8\"", "3"), None)])


class NoRows(FileTestCase):
    """Lines among the rows that are none."""

    ROWS = "faculty,students,staff\nArts,1200,45\nLaw,980,60\nMedicine,450,20\nScience,300,80\n"

    def codes(self, content):
        return [row.problem and row.problem.code for row in self.rows(content)]

    def test_strokes_below_the_names_or_above_a_total(self):
        names, rows = self.ROWS.split("\n", 1)
        for rule in ("-------,--------,-----", "--,--,--", "=====+=====+====", "-----------"):
            with self.subTest(rule=rule):
                codes = self.codes(f"{names}\r\n{rule}\r\n{rows}")
                self.assertEqual(codes, ["incomplete-row", None, None, None, None])
                codes = self.codes(f"{self.ROWS}{rule}\n")
                self.assertEqual(codes, [None, None, None, None, "incomplete-row"])

    def test_strokes_in_cells_are_text(self):
        for row in ("Arts,-,-", "Arts,--,", "-,-,-"):
            with self.subTest(row=row):
                self.assertEqual(self.codes(f"{self.ROWS}{row}\nLaw,1,2\n")[4:], [None, None])
        self.assertEqual(self.codes("remark\ngood\n--\nbad\n"), [None, None, None])

    def test_remarks_behind_a_blank_line(self):
        content = f"{self.ROWS},,\nSource: Registry,,\n* provisional,,\n"
        self.assertEqual(self.codes(content), [None] * 4 + ["incomplete-row"] * 2)

    def test_signatures_and_totals_apart_from_the_rows(self):
        names = "no,matric,name,mark\n"
        rows = "".join(f"{at},A/20/{at},Ada,{at * 7}\n" for at in range(1, 9))
        for foot in (
            "\n,,Signature: ____,Date: ____\n,,Dean,\n",
            "\nPrepared by:,Ada,,\nChecked by:,Bob,,\n",
            "----,----,----,----\n,,Total,252\n",
        ):
            with self.subTest(foot=foot):
                self.assertEqual(
                    self.codes(names + rows + foot), [None] * 8 + ["incomplete-row"] * 2
                )

    def test_a_title_above_the_names_again(self):
        names = self.ROWS.split("\n")[0]
        codes = self.codes(f"{self.ROWS}\nSecond page,,\n\n{names}\nArts,7,8\n")
        self.assertEqual(codes, [None] * 4 + ["incomplete-row", "repeated-header", None])

    def test_foot_lines_of_pages(self):
        pages = "".join(
            "".join(f"{number}{at},Ada,7{at}\n" for at in range(8)) + f"Page {number},,\n"
            for number in range(1, 4)
        )
        self.assertEqual(
            self.codes(f"no,name,mark\n{pages}"), ([None] * 8 + ["incomplete-row"]) * 3
        )

    def test_rows_of_one_value_behind_a_blank_line(self):
        for content in (
            "code,note\nA1,x\nA2,y\nA3,z\n\nA4,\n",
            "name,note\nAda,\nBob,\nEve,z\n\nIfe,\n",
            "name,note\nAda,x\nBob,y\n\nEve,\nIfe,z\n",
            "name,note\n\nAda,x\n\nBob,y\n\nEve,z\n\nIfe,\n",
        ):
            with self.subTest(content=content):
                self.assertEqual(set(self.codes(content)), {None})

    def test_the_mark_of_the_end_of_old_programs(self):
        self.assertEqual(self.codes(self.ROWS + "\x1a"), [None] * 4)

    def test_utf_8_in_utf_8(self):
        content = "name,town\nAda,Jos\nJosé,Köln\nBob,Aba\n"
        twice = content.encode().decode("cp1252")
        self.assertEqual(self.codes(content), [None] * 3)
        self.assertEqual(self.codes(twice), [None, "mixed-encoding", None])
