"""What is told of all matches of an expression is true, whatever the expression."""

import sys
import unittest

import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from waeup.kofa.journal.needles import FAR_KIN, MAX_RUN, MAX_RUNS, Choice, Run, choices

_NAMES = {"[0-9]": "0123456789", "[A-Z]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def shown(run: Run) -> str:
    """Return a run as an expression."""
    parts = []
    text = b""
    for each in run:
        if len(each) == 1:
            text += bytes(each)
            continue
        chars = bytes(sorted(each)).decode()
        parts += [text.decode(), {v: k for k, v in _NAMES.items()}.get(chars, f"[{chars}]")]
        text = b""
    return "".join([*parts, text.decode()])


def told(text: str, ignore_case: bool = False) -> set[str]:
    """Return what is told of an expression."""
    return {"|".join(map(shown, choice)) for choice in choices(text, ignore_case)}


class ToldTest(unittest.TestCase):
    def test_texts(self) -> None:
        for text, expected in (
            ("withdrawn", {"withdrawn"}),
            (r"list \(1\)\.csv", {"list (1).csv"}),
            ("^ann - .*withdrawn$", {"ann - ", "withdrawn"}),
            ("withdrawn|expelled|graduated", {"withdrawn|expelled|graduated"}),
            ("to (?:study|work)", {"to ", "study|work"}),
            ("Àjàyí", {"Àjàyí"}),
            ("é{3}", {"ééé"}),
            ("(ab)+c", {"abc", "ab"}),
            ("ab?c", {"a", "c"}),
            ("ab*c", {"a", "c"}),
            ("a{0,3}bc", {"bc"}),
            ("a{2,}?b", {"aa", "aab"}),
            (r"\bcat\b", {"cat"}),
            ("x(?P<name>a)(?<other>b)(?:c)", {"xabc"}),
            ("x(ab.*cd.e)y", {"xab", "ab", "cd", "ey"}),
            ("a[^b]c", {"a", "c"}),
            ("a.c", {"a", "c"}),
            (r"a\Sc", {"a", "c"}),
            ("a[é]c", {"a", "c"}),
        ):
            with self.subTest(text):
                self.assertEqual(told(text), expected)

    def test_lists_of_characters(self) -> None:
        for text, expected in (
            ("[A-Z]{2}[0-9]{6}", {"[A-Z][A-Z]" + 6 * "[0-9]"}),
            ("[A-Z]{2,}[0-9]{2,}", {"[A-Z][A-Z]", "[A-Z][A-Z][0-9][0-9]", "[0-9][0-9]"}),
            (r"K\d{3}", {"K[0-9][0-9][0-9]"}),
            ("a[b]c", {"abc"}),
            ("[]a]x[a-]y[+--]", {"[]a]x[-a]y[+,-]"}),
            (r"[\d][\]\n]", {"[0-9][\n]]"}),
            (r"[a\Wb]x", {"x"}),
        ):
            with self.subTest(text):
                self.assertEqual(told(text), expected)

    def test_in_any_case(self) -> None:
        kelvin, long_s = FAR_KIN["k"], FAR_KIN["s"]
        for text, ignore_case, expected in (
            ("Ab1", True, {"[Aa][Bb]1"}),
            ("(?i)ab", False, {"[Aa][Bb]"}),
            ("x(?i:a)x", False, {"x[Aa]x"}),
            ("(?i)a(?-i)b", False, {"[Aa]b"}),
            ("((?i)a)b", False, {"[Aa]b"}),
            ("a(?i)b|c", False, {"a[Bb]|[Cc]"}),
            ("sk", True, {f"[Ss][Kk]|{long_s}|{kelvin}"}),
            ("é1", True, {"1"}),
        ):
            with self.subTest(text):
                self.assertEqual(told(text, ignore_case), expected)

    def test_nothing_is_told(self) -> None:
        """Of what may be empty, or has parts that are not known."""
        for text in (
            *("", "^$", ".*", "a*", "a?", "(a|)", "a|.*", "[^a]", r"\W"),
            *(r"ab\pL", r"ab\p{Greek}", "ab[[:digit:]]", r"ab\x41", r"\Qab\E", r"ab\C", "ab{"),
            *("ab{x}", "ab{,2}", "ab{01}", r"ab[\x41]", r"ab[\pL]"),
            "(" * 200 + "a" + ")" * 200,
            "|".join(f"name{number}" for number in range(MAX_RUNS + 1)),
        ):
            with self.subTest(text):
                self.assertEqual(told(text), set())

    def test_what_is_told_is_short(self) -> None:
        for text in ("a" * 1000, "(ab){500}", "a{1000}", "(a{10}){10}", "abc" * 5 + ".x" * 400):
            found = choices(text, False)
            self.assertTrue(0 < len(found) < 6, text)
            self.assertLessEqual(max(len(run) for choice in found for run in choice), MAX_RUN)

    def test_only_two_letters_have_kin_beyond_ascii(self) -> None:
        """Of all Unicode, in RE2's own words; and no other pairs of ASCII characters."""
        text = "".join(map(chr, (*range(0x80, 0xD800), *range(0xE000, sys.maxunicode + 1))))
        found = re2.compile(r"(?i)[\x00-\x7f]").findall(text)
        self.assertEqual(set(found), set(FAR_KIN.values()))
        chars = "".join(map(chr, range(128)))
        for char in chars:
            found = re2.compile(f"(?i){re2.escape(char)}").findall(chars)
            self.assertEqual(set(found), {char.lower(), char.upper()})
        for near, far in FAR_KIN.items():
            self.assertTrue(re2.fullmatch(f"(?i){near}", far))


# -- whatever the expression --------------------------------------------------------------

TOKENS = (
    *("a", "b", "k", "S", "0", "1", "-", " ", "é", "\u017f", "\n", "]", "}", "{", "a{", "{1", ","),
    *(".", "^", "$", r"\b", r"\B", r"\A", r"\z", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"),
    *(r"\.", r"\n", r"\t", r"\-", r"\]", r"\x61", r"\141", r"\pL", r"\PL", r"\p{Greek}", r"\C"),
    *(r"\Qa.b\E", r"\Q", r"\E", r"\07", r"\_"),
    *("[ab]", "[^a]", "[a-k]", "[0-9]", "[]a]", "[^]a]", "[a-]", "[-a]", "[+--]", "[é]", "[a-é]"),
    *(r"[\d]", r"[\D]", r"[\s\-]", r"[\]a]", r"[\^a]", "[^\n]", "[[:alpha:]]", "[[a]", "[a[:b]"),
    *(r"[\x61]", r"[\pL]", "[a\\-b]", "[&&a]"),
    *("(?i)", "(?-i)", "(?s)", "(?U)", "(?m)", "(?i-s)", "(?is)", "()", "(?:)", "(?i:k)"),
    *("(?P<n>a)", "(?<n>a)", "(?-i:s)", "ab", "10"),
)
REPETITIONS = ("*", "+", "?", "*?", "{2}", "{0}", "{1,}", "{1,2}", "{0,2}?", "{,2}", "{01}", "{2")
expressions = st.recursive(
    st.lists(st.sampled_from(TOKENS), max_size=5).map("".join),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(REPETITIONS)).map(
            lambda parts: f"({parts[0]}){parts[1]}"
        ),
        st.tuples(inner, st.sampled_from(REPETITIONS)).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, inner).map("".join),
        inner.map("(?i:{})".format),
    ),
    max_leaves=5,
)
_PIECES = (
    "a",
    "b",
    "A",
    "K",
    "k",
    "s",
    "S",
    "0",
    "1",
    "-",
    " ",
    "é",
    "É",
    "\u017f",
    "\u212a",
    "ab",
)
lines = st.lists(
    st.sampled_from([*(piece.encode() for piece in _PIECES), b"]", b"{", b".", b"\n", b"\xff"]),
    max_size=12,
).map(b"".join)


def compiled(text: str, ignore_case: bool) -> "re2._Regexp | None":
    """Return the expression as RE2 has it; None if it is none."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(b"(?m)" + text.encode(), options)
    except re2.error:
        return None


def holds(choice: Choice, match: bytes) -> bool:
    """Tell whether one of the runs is in the bytes of a match."""
    return any(
        all(match[at + place] in each for place, each in enumerate(run))
        for run in choice
        for at in range(len(match) - len(run) + 1)
    )


class WhateverTest(unittest.TestCase):
    @settings(max_examples=1000, deadline=None)
    @given(expressions, st.booleans(), lines)
    @example("a(?i)|k", False, "\u212a".encode())
    @example("(?i)s(?-i)k", False, "\u017fk".encode())
    @example("a|b*", False, b"x")
    @example("(a|b){2}", False, b"ab")
    @example("(?:a|(?i)b)a", False, b"Ba")
    def test_each_match_has_what_is_told(self, text, ignore_case, line) -> None:
        regex = compiled(text, ignore_case)
        if regex is None:
            return
        found = choices(text, ignore_case)
        for match in regex.finditer(line):
            for choice in found:
                self.assertTrue(holds(choice, match[0]), (text, match[0], choice))

    def test_each_pair_of_parts(self) -> None:
        pieces = [
            "a",
            "b",
            "A",
            "k",
            "S",
            "0",
            "1",
            "-",
            " ",
            "\n",
            "]",
            "{",
            ",",
            "_",
            "é",
            "\u017f",
        ]
        text = "".join(first + second for first in pieces for second in pieces).encode()
        told = 0
        for first in TOKENS:
            for second in (*TOKENS, *REPETITIONS):
                regex = compiled(first + second, False)
                if regex is None:
                    continue
                found = choices(first + second, False)
                for match in {match[0] for match in regex.finditer(text)} if found else ():
                    told += 1
                    for choice in found:
                        self.assertTrue(holds(choice, match), (first + second, match, choice))
        self.assertGreater(told, 1000)


if __name__ == "__main__":
    unittest.main()
