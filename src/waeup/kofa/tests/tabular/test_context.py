"""Rows in the light of their neighbours: pieces of cells, and files that were cut off."""

from waeup.kofa.tests.tabular.files import FileTestCase

NAMES = "code,credits,title\n"
ROWS = "BIO1,3,Biology\nCHE1,4,Chemistry\nPHY1,3,Physics\nMED1,5,Medicine and more\n"
BEHIND = "LAW1,2,Law\nMUS1,2,Music\n"


class Pieces(FileTestCase):
    def codes(self, lines, behind=BEHIND):
        """Return the codes of the rows that `lines` make between sound rows of a table."""
        found = [code for _cells, code in self.outcome(NAMES + ROWS + lines + behind)]
        self.assertEqual(found[:4], [None] * 4)
        self.assertEqual(found[len(found) - behind.count("\n") :], [None] * behind.count("\n"))
        return found[4 : len(found) - behind.count("\n")]

    def test_a_line_end_in_the_last_cell(self):
        self.assertEqual(self.codes("ART1,3,Arts and\nmusic\n"), ["broken-line", "too-few-cells"])

    def test_two_line_ends_in_the_last_cell(self):
        self.assertEqual(
            self.codes("ART1,3,Arts and\nmusic and\nfilm\n"),
            ["broken-line", "too-few-cells", "too-few-cells"],
        )

    def test_a_line_end_between_two_cells(self):
        self.assertEqual(self.codes("ART1\n3,Arts\n"), ["too-few-cells"] * 2)
        self.assertEqual(self.codes("ART1,\n3,Arts\n"), ["too-few-cells"] * 2)

    def test_a_line_end_in_a_cell_in_the_middle(self):
        content = "code,title,credits\nBIO1,Biology,3\nCHE1,Chemistry,4\nPHY1,Physics,3\n"
        outcome = self.outcome(content + "ART1,Arts and\nmusic,3\nLAW1,Law,2\n")
        self.assertEqual(
            [code for _cells, code in outcome],
            [None, None, None, "too-few-cells", "too-few-cells", None],
        )

    def test_a_line_end_in_the_first_cell(self):
        content = "name,age\nAda Obi,36\nBob Eze,41\nEve Ojo,29\n"
        outcome = self.outcome(content + "Ife\nKalu,33\nUche Ani,50\n")
        self.assertEqual(
            [code for _cells, code in outcome[3:]], ["too-few-cells", "broken-line", None]
        )

    def test_a_code_is_no_beginning_of_another_line(self):
        """The first value of the row behind the piece is complete as it stands."""
        self.assertEqual(
            self.codes("ART1,3,Arts and\nmusic\n", "LAW1,2,Law\n")[-1:], ["too-few-cells"]
        )

    def test_a_piece_that_a_blank_line_keeps_apart(self):
        self.assertEqual(self.codes("\nnothing\n\n"), ["too-few-cells"])

    def test_a_piece_that_makes_a_code_whole_over_a_blank_line(self):
        rows = "".join(f"{1000 + at},{at},Biology {at}\n" for at in range(6))
        found = self.outcome(f"{NAMES}{rows}10\n\n06,3,Arts\n1007,2,Law\n")
        self.assertEqual(
            [code for _cells, code in found[6:]], ["too-few-cells", "broken-line", None]
        )

    def test_a_piece_of_a_word_between_a_blank_line_and_a_row(self):
        """No row begins with a small letter, and no remark stands so close to one."""
        self.assertEqual(
            self.codes("ART1,3,Arts and mu\n\nsic\n"), ["broken-line", "too-few-cells"]
        )
        self.assertEqual(self.codes("ART1,3,Ar\n\nts, film\n")[0], "broken-line")
        self.assertEqual(self.codes("\nArts and music\n"), ["too-few-cells"])

    def test_a_remark_at_the_end_behind_a_blank_line(self):
        for remark in ("Total", "total: 4", "checked by Ada", "Botany", "* provisional", "4"):
            found = self.outcome(f"{NAMES}{ROWS}\n{remark}\n")
            self.assertEqual([code for _cells, code in found[:4]], [None] * 4, remark)

    def test_headings_between_groups_of_rows(self):
        content = NAMES + ROWS + "\nDepartment of Arts\nART1,3,Arts\n\n200 level\n" + BEHIND
        self.assertEqual(
            [code for _cells, code in self.outcome(content)],
            [None] * 4 + ["too-few-cells", None, "too-few-cells", None, None],
        )

    def test_a_last_code_that_a_piece_behind_a_blank_line_makes_whole(self):
        rows = "".join(f"{1000 + at},{at * 11 + 10},NG\n" for at in range(6))
        for last, piece in (("N", "G"), ("N", "G,,,,,"), ("", "NG")):
            found = self.outcome(f"{NAMES}{rows}1006,40,{last}\n\n{piece}\n1007,20,NG\n")
            self.assertEqual(found[6][1], "broken-line", piece)
            self.assertIsNone(found[8][1])

    def test_two_others_tell_that_a_code_is_not_whole(self):
        table = f"{NAMES}1,10,NG\n2,20,BJ\n3,40,{{}}\n\nE\n4,30,NG\n"
        for last, code in (("D", "broken-line"), ("DE", None)):
            self.assertEqual(self.outcome(table.format(last))[2][1], code, last)

    def test_an_odd_row_before_one_without_a_key(self):
        rows = "".join(f"AP-{at},A{at % 7},x{at}\n" for at in range(10, 40))
        for grade, code in (("MATH", "broken-line"), ("A3", None)):
            found = self.outcome(f"{NAMES}{rows}AP-40,{grade},x40\n4,B3,x41\n")
            self.assertEqual([code for _cells, code in found[30:]], [code, "broken-value"])

    def test_digits_behind_a_blank_line(self):
        rows = "".join(f"BIO{at},Biology,{at * 11 + 10}\n" for at in range(8))
        found = self.outcome(f"code,title,score\n{rows}ART1,Arts,4\n\n7\nLAW1,Law,20\n")
        self.assertEqual(
            [code for _cells, code in found[8:]], ["broken-line", "too-few-cells", None]
        )

    def test_a_first_value_that_goes_on_behind_a_blank_line(self):
        names = "name,age\nAda Obi,36\nBob Eze,41\nEve Ojo,29\n"
        found = self.outcome(f"{names}Ifeo\n\nma Kalu,33\nUche Ani,50\n")
        self.assertEqual(
            [code for _cells, code in found[3:]], ["too-few-cells", "broken-line", None]
        )

    def test_many_of_the_first_values_are_torn_by_blank_lines(self):
        whole = "".join(f"PHY{at},Algebra,4{at % 2}\n" for at in (101, 102, 103))
        torn = "PHY\n\n105,Drama,40\nPHY106,Botany,41\nPHY\n\n107,Law,41\nPHY108,Law,40\n"
        found = self.outcome(f"code,title,pass\n{whole}{torn}")
        pair = ["too-few-cells", "broken-line", None]
        self.assertEqual([code for _cells, code in found], [*[None] * 3, *pair, *pair])

    def test_numbers_of_another_length_below_a_heading(self):
        content = "number,town\n" + "".join(f"20{at},Jos\n" for at in range(10, 16))
        found = self.outcome(f"{content}\n20\n\n101,Aba\n102,Aba\n103,Aba\n104,Aba\n")
        self.assertEqual([code for _cells, code in found[7:]], [None] * 4)

    def test_a_blank_at_the_end_of_a_row_before_a_piece_behind_a_blank_line(self):
        hours = ("Mon 9-11", "Fri 8-10", "Fri 8-10", "Mon 9-11", "none yet", "none yet")
        rows = "".join(f"SN{at + 10},C-{at},{text}\n" for at, text in enumerate(hours))
        content = f"no,room,hours\n{rows}SN20,C-9,Fri \n\n8-10\n"
        for text in (content, content.replace(",", " , ").replace("\n", " \n")):
            codes = [code for _cells, code in self.outcome(text)]
            self.assertEqual(codes[6:], ["broken-line", "too-few-cells"], text)

    def test_half_a_line_end_before_a_blank_line(self):
        """What stood between its two halves is lost."""
        rows = "".join(f"{at},{at * 7}\r\n" for at in range(5))
        found = self.outcome(f"number,score\r\n{rows}5,35\r\r\n9,63\r\n")
        self.assertEqual([code for _cells, code in found[5:]], ["broken-line", None])

    def test_each_row_has_a_line_end_and_a_half(self):
        rows = "".join(f"{at},{at * 7}\r\r\n" for at in range(5))
        found = self.outcome(f"number,score\r\r\n{rows}")
        self.assertEqual([code for _cells, code in found], [None] * 5)

    def test_a_piece_with_a_nul_character(self):
        rows = "".join(f"{at},{at}@a.org\n" for at in range(790, 799))
        found = self.outcome(f"id,email\n{rows}\x0079\n9,799@a.org\n")
        self.assertEqual([code for _cells, code in found[9:]], ["nul-character", "broken-line"])

    def test_a_piece_with_separators_at_its_end(self):
        rows = "".join(f"BIO{at},FAC{at % 3},BZ{at + 10}\n" for at in range(8))
        for piece in ("9", "9,", "9,,,,"):
            found = self.outcome(
                f"code,faculty,abbr\n{rows}ART1,FAC1,BZ6\n{piece}\nLAW1,FAC1,BZ70\n"
            )
            self.assertEqual(found[8][1], "broken-line", piece)
            self.assertIsNone(found[10][1])

    def test_the_rest_of_another_row_is_no_piece(self):
        """Neither a total nor a row without a separator ends the row in front."""
        for line in ("Total,,14", "ART13,Arts", "number,title"):
            self.assertIsNone(self.outcome(f"{NAMES}{ROWS}{line}\n")[3][1], line)

    def test_two_rows_one_written_into_the_other(self):
        """A row begins with two keys, and the line behind it lacks one."""
        for keys, first, second in (
            ([str(700 + at) for at in range(8)], "708", "709"),
            (["Arts", "Law", "Science", "Arts", "Law"], "Arts", "Science"),
            ([f"LAWS/{at}/A" for at in range(10, 18)], "LAWS/18/A", "LAWS/19/A"),
        ):
            rows = "".join(f"{key},{key[0]}{at}@example.org\n" for at, key in enumerate(keys))
            mixed = f"{first}{second},b9@example.org\na9@example.org\n"
            behind = f"{keys[0]},c9@example.org\n"
            found = self.outcome(f"id,email\n{rows}{mixed}{behind}")
            self.assertEqual(
                [code for _cells, code in found],
                [None] * len(keys) + ["broken-value", "too-few-cells", None],
                first,
            )

    def test_a_long_key_in_front_of_a_remark(self):
        rows = "".join(f"{700 + at},{at}@example.org\n" for at in range(8))
        found = self.outcome(f"id,email\n{rows}708709,8@example.org\nNew students\n710,1@a.org\n")
        self.assertEqual([code for _cells, code in found[8:]], [None, "too-few-cells", None])

    def test_a_first_value_that_stands_in_the_line_before(self):
        names = "Obi", "Kalu", "Musa", "Bello"
        rows = "".join(f"REG-{at},{name},{name[::-1]}\n" for at, name in enumerate(names))
        found = self.outcome(f"no,name,first\n{rows}REG-5,\nEze,Bob,Bob\nREG-6,Ojo,Eve\n")
        self.assertEqual(
            [code for _cells, code in found[4:]], ["too-few-cells", "broken-line", None]
        )

    def test_a_piece_in_a_column_that_is_mostly_empty(self):
        rows = "".join(f"BIO{at},3,\n" for at in range(8))
        found = self.outcome(f"{NAMES}{rows}ART1,3,S\ntate\nLAW1,2,\n")
        self.assertEqual(
            [code for _cells, code in found[8:]], ["broken-line", "too-few-cells", None]
        )

    def test_blanks_around_the_cells(self):
        rows = "".join(f" {1000 + at} ; {at} ; Biology \n" for at in range(8))
        found = self.outcome(
            f" code ; credits ; title \n{rows} 10\n08 ; 3 ; Arts \n 1009 ; 2 ; Law \n"
        )
        self.assertEqual(
            [code for _cells, code in found[8:]], ["too-few-cells", "broken-line", None]
        )

    def test_a_blank_at_the_end_of_the_line(self):
        self.assertEqual(self.codes("ART1,3,Arts and \nMusic\n"), ["broken-line", "too-few-cells"])

    def test_a_row_without_its_key_behind_a_piece(self):
        rows = "".join(f"BIO{at},3,Biology {at}\n" for at in range(9))
        found = self.outcome(f"{NAMES}{rows},ART1\n,3,Arts\n{BEHIND}")
        self.assertEqual(
            [code for _cells, code in found[9:]],
            ["too-few-cells", "broken-line", None, None],
        )

    def test_a_comment_is_no_piece(self):
        self.assertEqual(self.codes("# checked until here\n"), ["too-few-cells"])

    def test_pieces_with_as_many_cells_as_a_row(self):
        """The quotes around a text of several lines are lost; it holds commas."""
        found = self.codes("ART1,3,Arts: film\nand more\n2 of music, 2 of dance, opera\nthe end\n")
        self.assertEqual(len(found), 4)
        self.assertNotIn(None, found)

    def test_a_row_with_an_unusual_value_is_no_piece(self):
        self.assertEqual(self.codes("ART1,none,Arts\n"), [None])


class CutOff(FileTestCase):
    """The file ends without a line end: whether its last value may be cut off."""

    def last(self, values, end):
        content = "number,last\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values))
        outcome = self.outcome(f"{content}9,{end}")
        self.assertEqual({code for _cells, code in outcome[:-1]}, {None})
        return outcome[-1][1]

    def check(self, values, whole, cut):
        self.assertIsNone(self.last(values, whole))
        self.assertIsNone(self.last(values, f"{whole}\n"))
        self.assertEqual(self.last(values, cut), "cut-off")
        # With a line end it may be unlike the others, but nothing was cut off.
        self.assertIn(self.last(values, f"{cut}\n"), (None, "broken-value"))

    def test_dates(self):
        days = [f"2024-0{n}-1{n}" for n in range(1, 7)]
        self.check(days, "2024-02-07", "2024-02-0")
        self.check(days, "2024-02-07", "2024-02")

    def test_numbers_of_one_length(self):
        self.check(["123", "456", "789", "321", "654", "111"], "457", "45")

    def test_amounts(self):
        self.check(["1.50", "2.25", "13.00", "40.10", "7.75", "10.10"], "23.25", "23.2")

    def test_choices(self):
        self.check(["yes", "no", "yes", "no", "yes", "no"], "no", "ye")

    def test_codes(self):
        self.check(["BIO-1", "CHE-2", "LAW-3", "MED-4", "ART-5"], "BIO-2", "BIO-")

    def test_texts_never_show_that_they_are_whole(self):
        texts = ["Ada", "Bob", "Eve", "Ifeoma", "Obinna", "Uche"]
        self.assertEqual(self.last(texts, "Bo"), "cut-off")

    def test_nothing_where_all_others_have_something(self):
        self.assertEqual(self.last(["123", "456", "789", "321", "654"], ""), "cut-off")

    def test_a_piece_in_the_last_line(self):
        rows = "".join(f"{at},{'a' * at}@a.org\n" for at in range(1, 10))
        found = self.outcome(f"id,email\n{rows}9,9@a.e\nx.org")
        self.assertEqual([code for _cells, code in found[9:]], ["broken-line", "too-few-cells"])

    def test_quotes_that_are_closed(self):
        texts = ['"x, y"', '"z, a"', '"b, c"', '"d, e"']
        self.assertIsNone(self.last(texts, '"u, v"'))

    def test_quotes_that_may_be_one_half_of_a_doubled_one(self):
        texts = ['"say ""a"""', '"b"', '"c"', '"d"']
        self.assertEqual(self.last(texts, '"say "'), "cut-off")

    def test_a_row_that_is_damaged_anyway_keeps_its_code(self):
        outcome = self.outcome("a,b,c\n1,2,3\n4,5,6\n7,8,9\n1,2")
        self.assertEqual(outcome[-1], (("1", "2"), "too-few-cells"))
