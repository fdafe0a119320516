"""Damaged rows: each is reported, none is taken as sound, the next sound row follows."""

import random
from unittest import mock

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from waeup.kofa.errors import TableError, TooLarge
from waeup.kofa.tabular import Dialect, open_table
from waeup.kofa.tabular.grammar import Extent, Grammar
from waeup.kofa.tabular.quick import QuickReader
from waeup.kofa.tabular.source import BLOCK
from waeup.kofa.tests.tabular.files import FileTestCase

GOOD = ("8", "9", "0")

#: Nothing is left to be found.
GIVEN = {"encoding": "utf-8", "dialect": Dialect(), "header_line": 1}

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")
PLAIN = "code,title,credits,mark\r\n" + "".join(
    f"{100 + n},Course {word},{n % 5},{n % 7}.5\r\n" for n, word in enumerate(WORDS)
)
QUOTED = "code;note;day\n" + "".join(
    f'{100 + n};"said ""{word}"";\nwent";2024-03-{n + 10}\n' for n, word in enumerate(WORDS)
)
APOSTROPHES = "code|note\r" + "".join(
    f"{100 + n}|'say ''{word}'''\r" for n, word in enumerate(WORDS)
)


def careful_only():
    """Let the quick ways give nothing."""
    return mock.patch.multiple(QuickReader, cut=mock.DEFAULT, read=mock.DEFAULT)


class DamagedRows(FileTestCase):
    def test_too_few_cells_are_kept(self):
        self.assertEqual(
            self.outcome("a,b,c\n1,2\n8,9,0\n"), [(("1", "2"), "too-few-cells"), (GOOD, None)]
        )

    def test_too_many_cells_are_kept(self):
        self.assertEqual(
            self.outcome("a,b,c\n1,2,3,4\n8,9,0\n"),
            [(("1", "2", "3", "4"), "too-many-cells"), (GOOD, None)],
        )

    def test_a_bare_quote(self):
        for text in ('5" pipe', 'pipe 5"', 'a"b"c'):
            with self.subTest(text=text):
                self.assertEqual(
                    self.outcome(f"a,b,c\n1,{text},3\n8,9,0\n"),
                    [(f"1,{text},3", "bare-quote"), (GOOD, None)],
                )

    def test_text_behind_a_closing_quote(self):
        for text in ('"a"b', '"a" ', '"a""b"c', '""x'):
            with self.subTest(text=text):
                self.assertEqual(
                    self.outcome(f"a,b,c\n1,{text},3\n8,9,0\n"),
                    [(f"1,{text},3", "text-after-quote"), (GOOD, None)],
                )

    def test_a_blank_before_a_quote_makes_it_a_bare_one(self):
        self.assertEqual(self.outcome('a,b\n1, "2"\n')[0][1], "bare-quote")

    def test_an_unclosed_quote_swallows_nothing(self):
        for rest in ("", "\n8,9,0", "\n8,9,0\n", '\n8,"9",0\n', '\n8,9,0\n8,"9",0\n'):
            with self.subTest(rest=rest):
                rows = rest.count("8")
                self.assertEqual(
                    self.outcome('a,b,c\n8,9,0\n1,"2,3' + rest),
                    [(GOOD, None), ('1,"2,3', "unclosed-quote"), *[(GOOD, None)] * rows],
                )

    def test_an_unclosed_quote_that_is_closed_by_a_later_row(self):
        self.assertEqual(
            self.outcome('a,b,c\n1,"2,3\n8,9,0\n4,5,6"\n8,9,0\n'),
            [
                ('1,"2,3', "unclosed-quote"),
                (GOOD, None),
                ('4,5,6"', "bare-quote"),
                (GOOD, None),
            ],
        )

    def test_an_unclosed_quote_with_many_blocks_behind_it(self):
        rows = 5 * BLOCK // len("8,9,0\n")
        with mock.patch("waeup.kofa.tabular.grammar.MAX_RECORD", 4 * BLOCK):
            outcome = self.outcome('a,b,c\n8,9,0\n1,"2,3\n' + "8,9,0\n" * rows)
        self.assertEqual(outcome[1], ('1,"2,3', "unclosed-quote"))
        self.assertEqual(outcome[2:], [(GOOD, None)] * rows)

    def test_damage_in_a_row_of_several_lines_keeps_its_text(self):
        self.assertEqual(
            self.outcome('a,b,c\n1,"two\nlines" x,3\n8,9,0\n'),
            [('1,"two\nlines" x,3', "unclosed-quote"), (GOOD, None)],
        )

    def test_a_row_of_several_lines_with_the_wrong_width(self):
        self.assertEqual(
            self.outcome('a,b,c\n1,"two\nlines"\n8,9,0\n'),
            [(("1", "two\nlines"), "too-few-cells"), (GOOD, None)],
        )

    def test_a_nul_character(self):
        for text in ("2\0", '"2\0"', '"\0\n"'):
            with self.subTest(text=text):
                raw = f"1,{text},3".replace("\0", "\\x00")
                self.assertEqual(
                    self.outcome(f"a,b,c\n1,{text},3\n8,9,0\n"),
                    [(raw, "nul-character"), (GOOD, None)],
                )

    def test_a_row_cut_off_at_the_end_of_the_file(self):
        self.assertEqual(self.outcome("a,b,c\n8,9,0\n1,2")[1], (("1", "2"), "too-few-cells"))

    def test_place_and_message(self):
        rows = self.rows('a,b,c\n8,9,0\n\n1,2,"x"y\n1\n')
        self.assertEqual([(row.number, row.line) for row in rows], [(1, 2), (2, 4), (3, 5)])
        self.assertEqual(
            rows[1].problem.message,
            "Damaged row (line 4, column 3): text follows the closing quote of a cell."
            " Double quotes that belong to the text, or remove what follows.",
        )
        self.assertEqual(rows[1].problem.column, 3)
        self.assertEqual(
            rows[2].problem.message,
            "Damaged row (line 5): 1 cell instead of 3; cells are missing or the row was"
            " cut off. Make the row as long as the header.",
        )
        self.assertIsNone(rows[2].problem.column)

    def test_sound_rows_around_damage_in_a_large_file(self):
        line = '8,"9",0\r\n'
        many = 3 * BLOCK // len(line)
        content = "a,b,c\r\n" + (line * many + 'x,"y"z,\r\n') * 3 + line * many
        outcome = self.outcome(content)
        damaged = [at for at, (_text, code) in enumerate(outcome) if code]
        self.assertEqual(damaged, [many, 2 * many + 1, 3 * many + 2])
        self.assertEqual(len(outcome), 4 * many + 3)
        self.assertEqual({entry for entry in outcome if entry[1] is None}, {(GOOD, None)})


class LongLines(FileTestCase):
    """Damage costs time in proportion to its length; a test that hangs shows that it does not."""

    LENGTH = 100_000
    RUNS = (
        'a"', '"a""', '"a",', '"', "'", '1,"', "36'37.8\"", '\\"', '"\\', "\\", " ", ' "', '" ',
        ', "', "',", "a'", ":x", "1,'",
    )  # fmt: skip
    BEGINNINGS = ("", '1,"', "1,'", "1, ")

    def test_of_a_table_whose_dialect_is_found(self):
        for run in self.RUNS:
            for beginning in self.BEGINNINGS:
                with self.subTest(run=run, beginning=beginning):
                    line = beginning + run * (self.LENGTH // len(run))
                    rows = self.rows(f"id,what,n\n7,nine,0\n8,ten,1\n8,ten,1\n{line}\n9,two,1\n")
                    self.assertEqual(rows[0].values, ("7", "nine", "0"))
                    self.assertEqual(
                        (rows[-1].values, rows[-1].problem), (("9", "two", "1"), None)
                    )

    def test_of_a_table_with_any_dialect(self):
        for dialect in (
            Dialect(",", '"', "\\", True),
            Dialect(",", "'", None, True),
            Dialect(" ", "'", "\\"),
            Dialect(),
        ):
            grammar = Grammar(dialect)
            for run in self.RUNS:
                for beginning in self.BEGINNINGS:
                    with self.subTest(dialect=dialect, run=run, beginning=beginning):
                        line = beginning + run * (self.LENGTH // len(run)) + "\n"
                        extent, end = grammar.measure([line, "x\n"], 0, True)
                        self.assertEqual(
                            extent is Extent.SOUND, end == 1 and grammar.is_record(line)
                        )

    def test_beside_unusual_delimiters(self):
        """What looks for quoted cells between blanks, colons and the like is quick, too."""
        for mark in ":! ":
            with self.subTest(mark=mark):
                line = '"' + f"{mark}x" * 20_000 + '"y\n'
                sound = (mark.join("abcd") + "\n") * 30
                self.assertEqual(len(self.rows(sound + line, header_line=1)), 30)


class AnyText(FileTestCase):
    @settings(deadline=None, max_examples=150)
    @given(st.lists(st.sampled_from(list('"",,\r\n\0ab ;')), max_size=60).map("".join))
    def test_every_line_is_delivered_or_stands_behind_a_problem(self, text):
        """Whatever follows the header: no line is lost, no row without a problem is ragged."""
        # Where NULs are the rule, it is a binary file, and refused.
        assume(text.count("\0") <= 3)
        path = self.file("a,b\n" + text)
        with open_table(path, **GIVEN, rows_required=False) as table:
            rows = list(table)
        joined = "".join("".join(row.values) if row.raw is None else row.raw for row in rows)
        for letter in "ab":
            self.assertEqual(joined.count(letter), text.count(letter))
        for row in rows:
            self.assertTrue(row.problem is not None or len(row.values) == 2, row)
            self.assertEqual(row.raw is None, row.problem is None)
        self.assertEqual([row.number for row in rows], list(range(1, len(rows) + 1)))

    @settings(deadline=None, max_examples=150)
    @given(st.lists(st.sampled_from(list('"",,\r\n\0ab é\'\\;')), max_size=60).map("".join))
    def test_both_ways_through_a_block_agree(self, text):
        """The quick ways give nothing, or what the careful way gives."""
        self.check_both_ways("a,b\n" + text, **GIVEN)

    @settings(deadline=None, max_examples=150)
    @given(
        st.sampled_from([PLAIN, QUOTED, APOSTROPHES]),
        st.lists(
            st.tuples(
                st.floats(0, 1),
                st.integers(0, 3),
                st.sampled_from(["", '"', "'", ",", ";", "|", "\n", "\r\n", "\\", "a", "1", "\0"]),
            ),
            max_size=3,
        ),
    )
    def test_both_ways_agree_about_edited_tables(self, text, edits):
        for part, removed, added in edits:
            at = int(part * len(text))
            text = text[:at] + added + text[at + removed :]
        self.check_both_ways(text)

    def check_both_ways(self, text, **options):
        path = self.file(text)
        quick = self.found(path, options)
        with careful_only() as ways:
            for way in ways.values():
                way.return_value = None
            self.assertEqual(self.found(path, options), quick)

    def found(self, path, options):
        """Return all rows, or why there are none."""
        try:
            with open_table(path, rows_required=False, **options) as table:
                return list(table)
        except (TableError, TooLarge) as refusal:
            return str(refusal)

    def test_random_bytes_raise_nothing_but_table_errors(self):
        source = random.Random(7)
        alphabet = b'abc,,;;\t""\r\n\n\0\xff\xc3\xa9\xef\xbb\xbf'
        for _round in range(500):
            data = bytes(source.choices(alphabet, k=source.randrange(80)))
            try:
                self.rows(data)
            except TableError:
                continue
