"""Rows in which a delimiter stands at another place between two columns."""

import unittest

from waeup.kofa.tabular.column import Column
from waeup.kofa.tabular.recut import cut_elsewhere, is_cut_elsewhere
from waeup.kofa.tests.tabular.files import FileTestCase

NAMES = Column(["Okafor", "Bello", "Eze", "Musa", "Eze", "Bello"])
GIVEN = Column(["Ada", "Tunde", "Peter", "Mary", "Yusuf", "Ngozi"])
SUBJECTS = Column(["MATH", "", "CHEM", "ENGL", "", "MATH"])
UNITS = Column(["kg", "m", "pc", "m", "kg", "pc"])
PRICES = Column(["8906.65", "1203.10", "55.40", "26543.24", "777.00", "4021.15"])
CODES = Column(["BSC007", "BSC008", "BSC009", "BSC010", "BSC011"])
FACULTIES = Column(["FAC1", "FAC2", "FAC1", "FAC3", "FAC2"])
SERIALS = Column(["28400", "28401", "28402", "28403", "28404"])
ATTEMPTS = Column(["0", "3", "1", "0", "3", "0", "1"])
CREDITS = Column(["30", "60", "60", "120", "240", "60", "60"])
AMOUNTS = Column(["10340,00", "99210,50", "36120,10", "14200,00", "52800,78", "47110,20"])
CURRENCIES = Column(["NGN", "EUR", "NGN", "EUR", "USD", "NGN"])
TESTS = Column(["1752", "1774", "1790", "1761", "1775"])


class CutElsewhere(unittest.TestCase):
    def assert_cut(self, one, two, *pairs):
        for pair in pairs:
            self.assertTrue(is_cut_elsewhere([one, two], pair, 0), pair)

    def assert_whole(self, one, two, *pairs):
        for pair in pairs:
            self.assertFalse(is_cut_elsewhere([one, two], pair, 0), pair)

    def test_a_name_at_the_end_of_another_one(self):
        self.assert_cut(NAMES, GIVEN, ("OkaforA", "da"), ("AdekunleChi", "di"))
        self.assert_whole(NAMES, GIVEN, ("Adekunle", "Chidi"), ("McDonald", "Ada"), ("Eze", ""))

    def test_a_small_letter_alone_is_no_rest_of_a_word(self):
        self.assert_whole(NAMES, GIVEN, ("Adekunle", "de Souza"))

    def test_few_values_of_which_some_are_empty(self):
        self.assert_cut(SUBJECTS, SUBJECTS, ("EN", "GL"), ("MATHEN", "GL"))
        self.assert_whole(SUBJECTS, SUBJECTS, ("ENGL", ""), ("", "CHEM"), ("LAW", "ART"))

    def test_a_number_behind_a_word(self):
        self.assert_cut(UNITS, PRICES, ("kg890", "6.65"), ("m2261", "7.75"))
        self.assert_whole(UNITS, PRICES, ("m2", "55.40"), ("box", "6.65"))

    def test_codes(self):
        self.assert_cut(CODES, FACULTIES, ("BSC012FA", "C3"))
        self.assert_whole(CODES, FACULTIES, ("BSC012", "FAC4"), ("MSC012", "FAC1"))

    def test_numbers_are_told_by_their_digits_alone(self):
        self.assert_cut(TESTS, SERIALS, ("177428", "405"))
        self.assert_whole(TESTS, SERIALS, ("1774", "28405"), ("177", "28405"))
        self.assert_whole(PRICES, PRICES, ("5.5", "1026543.24"), ("10", "0.5"))

    def test_a_number_longer_than_all_others_has_digits_of_its_neighbour(self):
        self.assert_cut(ATTEMPTS, CREDITS, ("31", "20"), ("01", "20"))
        self.assert_whole(ATTEMPTS, CREDITS, ("10", "60"), ("2", "90"), ("31", "60"))

    def test_letters_of_the_next_cell_behind_a_number_with_less_digits(self):
        self.assert_cut(AMOUNTS, CURRENCIES, ("7056,58N", "GN"))
        self.assert_whole(AMOUNTS, CURRENCIES, ("7056,58", "NGN"), ("7056,58 N", "CHF"))

    def test_several_codes_teach_nothing(self):
        rows = [(f"BSC{at:03}", f"FAC{at % 3}", "x") for at in range(10)]
        for at in (2, 5, 6):
            rows[at] = (f"BSC{at:03}FA", f"C{at % 3}", "x")
        self.assertEqual(cut_elsewhere(rows), {rows[2], rows[5], rows[6]})


class RowsOfSmallTables(FileTestCase):
    """Each row of a small table is looked at, also if it stands out by nothing quick."""

    HEADER = "no,name,given,unit,price\n"

    def codes_of(self, *odd):
        rows = [f"A{at},Eze,Ada,kg,{at}01.50\n" for at in range(1, 7)]
        found = self.outcome(self.HEADER + "".join(rows) + "".join(odd))
        self.assertEqual({code for _cells, code in found[:6]}, {None})
        return [code for _cells, code in found[6:]]

    def test_divided_elsewhere(self):
        self.assertEqual(self.codes_of("A7,EzeA,da,kg,701.50\n"), ["shifted-cells"])

    def test_a_figure_among_words_and_a_word_among_figures(self):
        self.assertEqual(self.codes_of("A7,712,Eze,Ada,kg\n"), ["shifted-cells"])
        self.assertEqual(self.codes_of("A7,Eze,Ada,kg,absent\n"), [None])

    def test_nearly_all_cells_are_empty(self):
        self.assertEqual(self.codes_of("Total,,,,2107.00\n"), ["incomplete-row"])
        self.assertEqual(self.codes_of("A7,Eze,,,701.50\n"), [None])

    def test_the_first_cell_and_another_one_are_empty(self):
        self.assertEqual(self.codes_of(",Eze,Ada,kg,\n"), ["incomplete-row"])

    def test_quotes_within_a_number(self):
        for value in ('"7""01.50"', "\u201c701.50\u201d"):
            self.assertEqual(self.codes_of(f"A7,Eze,Ada,kg,{value}\n"), ["other-quotes"])

    def test_another_value_in_front_of_a_number(self):
        rows = "".join(f"A{at},Eze,{at}0\n" for at in range(1, 7))
        found = self.outcome(f"no,name,mark\n{rows}A7,Eze,Eze;70\n")
        self.assertEqual(found[-1][1], "broken-value")

    def test_a_value_of_the_next_column_among_codes(self):
        rows = "".join(f"AP-{at},{name}\n" for at, name in enumerate(("MATH", "CHEM") * 3))
        found = self.outcome(f"no,subject\n{rows}MATH,CHEM\n")
        self.assertEqual(found[-1][1], "shifted-cells")


class ControlCharacters(FileTestCase):
    def test_in_a_large_table(self):
        rows = [f"A{at},word {'x' * (at % 200)}\n" for at in range(2000)]
        rows[1500] = rows[1500].replace("word", "wo\x1crd")
        found = self.outcome("no,text\n" + "".join(rows))
        told = [at for at, (_cells, code) in enumerate(found) if code]
        self.assertEqual(told, [1500])
