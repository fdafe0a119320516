"""Sieves let no matching line fall through, and are used only where they are of use."""

import unittest
from unittest import mock

import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from waeup.kofa.journal import Expression, sieve
from waeup.kofa.journal.sieve import Sieve, sieves
from waeup.kofa.tests.journal.test_needles import compiled, expressions, lines

LINE = "2026-01-31 10:00:{0:02},000 - INFO - ann - Student Processor - K{0:07} - updated: sex=f\n"
LOG = "".join(map(LINE.format, range(100))).encode()


def all_sieves(text: str, ignore_case: bool = False, sample: bytes = b"") -> list[Sieve]:
    """Return the sieves of an expression, also those that are of no use."""
    with (
        mock.patch.object(sieve, "_ENOUGH", -1),
        mock.patch.object(sieve, "_BY_EXPRESSION", 1000),
    ):
        return sieves(text, ignore_case, sample)


def found(text: str, data: bytes, *, ignore_case: bool = False) -> list[bytes]:
    """Return the lines that the best sieve of an expression finds."""
    first = sieves(text, ignore_case, LOG)[0]
    return [data[start:end] for start, end in first.lines(data, 0, len(data))]


class SieveTest(unittest.TestCase):
    def test_lines_that_may_match(self) -> None:
        rare = b"one withdrawn\nEXPELLED two\nAB123456\n123456\xc5\xbfi\xe2\x84\xaa\n"
        data = LOG + rare + LOG
        for text, ignore_case, expected in (
            ("withdrawn", False, [b"one withdrawn\n"]),
            ("expelled|withdrawn", True, [b"one withdrawn\n", b"EXPELLED two\n"]),
            ("[A-Z]{2}[0-9]{6}", False, [b"AB123456\n"]),
            ("ab[0-9]{6}", True, [b"AB123456\n"]),
            ("sik", True, [b"123456\xc5\xbfi\xe2\x84\xaa\n"]),
            ("six", True, [b"123456\xc5\xbfi\xe2\x84\xaa\n"]),
            ("^one .*drawn$", False, [b"one withdrawn\n"]),
        ):
            with self.subTest(text):
                self.assertEqual(found(text, data, ignore_case=ignore_case), expected)

    @given(st.frozensets(st.frozensets(st.sampled_from(b"aAbBcd01"), min_size=1), max_size=6))
    @example(frozenset(map(frozenset, (b"ab", b"bc", b"cd", b"01"))))
    def test_bytes_of_one_list_become_the_same(self, lists: frozenset[frozenset[int]]) -> None:
        table = sieve._table_for(lists)
        for each in lists:
            self.assertEqual(len({table[byte] for byte in each}), 1)
        known = frozenset().union(*lists)
        self.assertTrue({table[byte] for byte in b"xyz"}.isdisjoint(table[byte] for byte in known))

    def test_lines_come_once_and_in_order(self) -> None:
        data = b"q~z\nz~q z~q\nno\nq~q\nz~z q~z"
        self.assertEqual(found("q~|z~", data), [*data.splitlines(True)[:2], b"q~q\n", b"z~z q~z"])

    def test_only_what_is_asked_for_is_looked_into(self) -> None:
        data = b"~q 1\n~q 2\n~q 3\n"
        (first,) = sieves("~q", False, LOG)
        self.assertEqual(list(first.lines(data, 5, 10)), [(5, 10)])
        self.assertEqual(list(first.lines(data, 0, 5)), [(0, 5)])
        self.assertEqual(list(first.lines(data, 5, 5)), [])

    def test_there_is_none_where_it_would_be_of_no_use(self) -> None:
        for text in ("", ".", "a", "[0-9]{2}", "[a-z]+ [a-z]+", "e|a|i|n|t|d|0|1", r"\w{3}"):
            self.assertEqual(sieves(text, False, LOG), [], text)
        self.assertEqual(len(sieves("withdrawn.*expelled", False, LOG)), 2)
        self.assertEqual(len(sieves("withdrawn", False, b"")), 1)

    @settings(max_examples=500, deadline=None)
    @given(expressions, st.booleans(), st.lists(lines, max_size=8), lines, st.data())
    @example("k", True, [b"\xe2\x84\xaa"], b"", None)
    @example("[ab]b|b[bc]", False, [b"cb", b"b"], b"cab", None)
    @example("a\nb", False, [b"a", b"b", b"a"], b"", None)
    def test_no_matching_line_falls_through(self, text, ignore_case, parts, sample, draw) -> None:
        regex = compiled(text, ignore_case)
        if regex is None:
            return
        data = b"\n".join(parts)
        begins = [0, *(at + 1 for at, byte in enumerate(data) if byte == 10)]
        start = draw.draw(st.sampled_from(begins)) if draw else 0
        places = list(zip(begins, [*begins[1:], len(data)], strict=True))
        wanted = {
            (begin, end)
            for begin, end in places
            if begin >= start and begin < end and regex.search(data[begin:end])
        }
        expression = Expression(text, ignore_case=ignore_case)
        matching = [place for place in sorted(wanted) if expression.matches(data[slice(*place)])]
        for each in all_sieves(text, ignore_case, sample):
            let_through = list(each.lines(data, start, len(data)))
            self.assertEqual(let_through, sorted(set(let_through)))
            self.assertLessEqual(set(let_through), set(places))
            self.assertLessEqual(set(matching), set(let_through))


class ExpressionTest(unittest.TestCase):
    """Expressions that go from one sieve to the next, and to none."""

    def lines_of(self, expression: Expression, data: bytes) -> list[bytes]:
        return [data[start:end] for start, end in expression.spans(data, 0, len(data))]

    def test_a_sieve_that_lets_too_much_through_is_not_used_any_more(self) -> None:
        data = b"".join(b"~one~ %d ~two~\n" % number for number in range(1000))
        expression = Expression("~one~.*~two~.*~three~")
        costs = []
        for _block in range(5):
            with mock.patch.object(
                Expression, "matches", autospec=True, side_effect=Expression.matches
            ) as matches:
                self.assertEqual(self.lines_of(expression, LOG + data), [])
            costs.append(matches.call_count)
        self.assertEqual(costs, [*sorted(costs, reverse=True)])
        self.assertEqual(costs[-1], 0)

    def test_where_many_lines_are_found_no_sieve_is_used(self) -> None:
        few, many = LOG * 2, LOG * 2 + b"~one~\n" * 100
        expression = Expression("~one~")
        used = []
        with mock.patch.object(Sieve, "lines", autospec=True, side_effect=Sieve.lines) as looks:
            for block in (few, many, many, few[:1000], many, few, few):
                looks.reset_mock()
                self.assertEqual(len(self.lines_of(expression, block)), block.count(b"~one~"))
                used.append(looks.called)
        self.assertEqual(used, [True, True, False, False, False, False, True])

    def test_answers_stay_the_same_meanwhile(self) -> None:
        data = b"".join(
            b"~one~ %d%s\n" % (number, b" ~two~" * (number % 100 == 7)) for number in range(1000)
        )
        for text in ("~one~.*~two~", "~[a-z]{3}~ .*[0-9]*7 ~", "(?s)~one~.*~two~", r"\A~o.*two~"):
            expression = Expression(text)
            for _block in range(4):
                found = self.lines_of(expression, LOG + data)
                self.assertEqual(found, [line for line in data.splitlines(True) if b"two" in line])

    def test_a_search_that_is_given_up_changes_nothing(self) -> None:
        data = LOG + b"~one~\n" * 10
        expression = Expression("~one~")
        next(iter(expression.spans(data, 0, len(data))))
        self.assertEqual(self.lines_of(expression, data), [b"~one~\n"] * 10)

    def test_a_hostile_log_is_read_in_time(self) -> None:
        """Whatever is searched for in which log, what is found is as RE2 finds it."""
        data = (b"a" * 40 + b"\n") * 5000
        for text in ("a{15}b", "[ab]{15}c", "(a|b|c|d|e|f|g|h)x", "aaaaaaaab.*aaaaaaac"):
            expression = Expression(text)
            for _block in range(3):
                self.assertEqual(self.lines_of(expression, data), [])
            self.assertIsNone(re2.search(text.encode(), data))


if __name__ == "__main__":
    unittest.main()
