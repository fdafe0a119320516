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

    def test_quotes_that_are_closed(self):
        texts = ['"x, y"', '"z, a"', '"b, c"', '"d, e"']
        self.assertIsNone(self.last(texts, '"u, v"'))

    def test_quotes_that_may_be_one_half_of_a_doubled_one(self):
        texts = ['"say ""a"""', '"b"', '"c"', '"d"']
        self.assertEqual(self.last(texts, '"say "'), "cut-off")

    def test_a_row_that_is_damaged_anyway_keeps_its_code(self):
        outcome = self.outcome("a,b,c\n1,2,3\n4,5,6\n7,8,9\n1,2")
        self.assertEqual(outcome[-1], (("1", "2"), "too-few-cells"))
