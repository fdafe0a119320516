"""Searching logs: the facts of Kofa 1.9, and the proof that speed changes no answer."""

import os
import re
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from waeup.kofa.errors import InvalidExpression, InvalidName, NoSuchItem, StorageFault
from waeup.kofa.journal import expressions, query, search, sieve
from waeup.kofa.tests.waiting import begun, joined


class LogFolder(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = directory.name

    def write(self, name: str, content: str | bytes) -> None:
        if isinstance(content, str):
            content = content.encode("utf-8")
        Path(self.folder, name).write_bytes(content)

    def found(self, expression: str | None, **window: int) -> list[str]:
        return list(query(self.folder, "my.log", expression, **window))


class QueryTests(LogFolder):
    def test_lines_keep_their_line_ends(self) -> None:
        self.write("my.log", "one\ntwo\nthree")
        self.assertEqual(self.found("t|e$"), ["one\n", "two\n", "three"])

    def test_expression_is_searched_for_not_matched(self) -> None:
        self.write("my.log", "msg 1\nmsg 2\n")
        self.assertEqual(self.found("sg 2"), ["msg 2\n"])

    def test_expression_may_hold_the_line_end(self) -> None:
        self.write("my.log", "".join(f"msg {n}\n" for n in range(1, 21)))
        self.assertEqual(self.found("sg 1\n"), ["msg 1\n"])

    def test_anchors_are_those_of_the_line(self) -> None:
        self.write("my.log", "ab\nb\nba\n\n")
        self.assertEqual(self.found("^b"), ["b\n", "ba\n"])
        self.assertEqual(self.found("b$"), ["ab\n", "b\n"])
        self.assertEqual(self.found("^$"), ["\n"])
        self.assertEqual(self.found(r"\Ab"), ["b\n", "ba\n"])
        self.assertEqual(self.found(r"b\n\z"), ["ab\n", "b\n"])

    def test_no_match_reaches_over_two_lines(self) -> None:
        self.write("my.log", "a\nb\na b\n")
        self.assertEqual(self.found(r"a\s+b"), ["a b\n"])
        self.assertEqual(self.found("(?s)a.*b"), ["a b\n"])
        self.assertEqual(self.found("a[^c]b"), ["a b\n"])

    def test_empty_expression_finds_all(self) -> None:
        self.write("my.log", "a\n\nb")
        self.assertEqual(self.found(""), ["a\n", "\n", "b"])

    def test_empty_log_has_no_lines(self) -> None:
        self.write("my.log", "")
        self.assertEqual(self.found(""), [])

    def test_other_scripts_and_case(self) -> None:
        self.write("my.log", "ỌMỌ\nomo\n")
        self.assertEqual(self.found("(?i)^ọ.ọ$"), ["ỌMỌ\n"])

    def test_bytes_that_are_not_utf8_break_no_search(self) -> None:
        self.write("my.log", b"user=\xff\xfe ok\nuser=b ok\n")
        self.assertEqual(self.found("ok"), ["user=\ufffd\ufffd ok\n", "user=b ok\n"])

    def test_oldest_backup_comes_first_in_numerical_order(self) -> None:
        for name in ("my.log", "my.log.1", "my.log.2", "my.log.10"):
            self.write(name, f"in {name}\n")
        self.assertEqual(
            self.found("in"), ["in my.log.10\n", "in my.log.2\n", "in my.log.1\n", "in my.log\n"]
        )

    def test_missing_current_file_and_similar_names(self) -> None:
        self.write("my.log.1", "backup\n")
        self.write("my.log-x", "other\n")
        self.write("my.log-x.1", "other\n")
        self.assertEqual(self.found(""), ["backup\n"])

    def test_missing_log_has_no_lines(self) -> None:
        self.assertEqual(self.found("a"), [])

    def test_start_and_limit_reach_across_files(self) -> None:
        self.write("my.log.1", "".join(f"hit {n}\nno\n" for n in range(1, 51)))
        self.write("my.log", "".join(f"hit {n}\nno\n" for n in range(51, 101)))
        expected = [f"hit {n}\n" for n in range(46, 56)]
        self.assertEqual(self.found("hit", start=45, limit=10), expected)
        self.assertEqual(len(self.found("hit")), 100)
        self.assertEqual(self.found("hit", start=99), ["hit 100\n"])
        self.assertEqual(self.found("hit", start=100), [])
        self.assertEqual(self.found("hit", limit=1), ["hit 1\n"])

    def test_errors_come_with_the_first_line(self) -> None:
        lines = query(self.folder, "my.log", "[")
        with self.assertRaisesRegex(ValueError, r"^Invalid query string: \[ \("):
            next(lines)

    def test_expressions_that_are_none_are_refused_with_a_reason(self) -> None:
        for expression, reason in (
            (None, "None"),
            ("(", "missing )"),
            ("a)", r"unexpected ): a)"),
            ("*a", "no argument"),
            (r"\Z", "invalid escape"),
            (r"(a)\1", "invalid escape"),
            ("a{1001}", "repetition size"),
            ("(((a{100}){100}){100})", "(bad repetition operator|repetition size|too large)"),
            ("x" * 1001, "1001 characters"),
            ("a\udc80", "Unicode"),
        ):
            with self.subTest(expression), self.assertRaises(InvalidExpression) as caught:
                self.found(expression)
            message = str(caught.exception)
            self.assertTrue(message.startswith("Invalid query string: "), message)
            self.assertRegex(message, reason if "|" in reason else re.escape(reason))
            self.assertNotIn("(?m)", message)

    def test_message_holds_no_terminal_commands(self) -> None:
        with self.assertRaises(InvalidExpression) as caught:
            self.found("\x1b[")
        self.assertIn(r"\x1b[", str(caught.exception))
        self.assertNotIn("\x1b", str(caught.exception))

    def test_names_from_outside_are_checked(self) -> None:
        with self.assertRaises(InvalidName):
            next(query(self.folder, "../my.log", "a"))
        self.write("payments.log", "a\n")
        with self.assertRaises(NoSuchItem):
            next(query(self.folder, "payments.log", "a"))

    def test_log_that_cannot_be_read_is_a_fault(self) -> None:
        self.write("my.log", "a\n")
        path = os.path.join(self.folder, "my.log")
        refused = PermissionError(13, "Permission denied")
        with (
            mock.patch("builtins.open", side_effect=refused),
            self.assertRaisesRegex(StorageFault, f"{path}: Permission denied"),
        ):
            self.found("a")

    def test_log_that_is_rotated_away_meanwhile_is_passed_over(self) -> None:
        self.write("my.log.1", "a 1\n")
        self.write("my.log", "a 0\n")
        lines = query(self.folder, "my.log", "a")
        self.assertEqual(next(lines), "a 1\n")
        os.unlink(os.path.join(self.folder, "my.log"))
        self.assertEqual(list(lines), [])

    def test_first_hit_comes_before_the_rest_is_read(self) -> None:
        path = os.path.join(self.folder, "my.log")
        with open(path, "wb") as log:
            log.write(b"hit\n")
            log.truncate(1 << 40)  # a hole of one terabyte: whoever reads on never ends
        lines = query(self.folder, "my.log", "hit")
        self.assertEqual(next(lines), "hit\n")
        lines.close()

    def test_line_longer_than_many_blocks_is_one_line(self) -> None:
        long = "x" * (5 * search._BLOCK_SIZE) + " end\n"
        self.write("my.log", "short end\n" + long + "short end\n")
        self.assertEqual(self.found("end$"), ["short end\n", long, "short end\n"])

    def test_searches_of_several_threads_do_not_disturb_each_other(self) -> None:
        self.write("my.log", "".join(f"line {n}\n" for n in range(20_000)))
        answers: dict[int, list[str]] = {}

        def ask(digit: int) -> None:
            answers[digit] = self.found(f"{digit}{digit}{digit}{digit}$")

        joined(*(begun(ask, digit) for digit in range(1, 10)))
        for digit in range(1, 10):
            lines = {f"line {digit * 1111}\n", f"line {10_000 + digit * 1111}\n"}
            self.assertEqual(set(answers[digit]), {n for n in lines if int(n[5:]) < 20_000})


# -- equivalence -----------------------------------------------------------------

_TOKENS = (
    *("a", "b", "x", ".", "\n", "\r", " ", "\t", "é", "-"),
    *(r"\n", r"\s", r"\S", r"\w", r"\W", r"\d", r"\D", r"\.", r"\\", r"\t", r"\x0a", r"\012"),
    *("[ab]", "[^a]", "[^\n]", "[[:space:]]", "[[:^alpha:]]", "[\t-z]", r"[\t-z]", "[^^]", r"\pL"),
    *(
        r"\PL",
        r"\pC",
        r"\C",
        "^",
        "$",
        r"\b",
        r"\B",
        r"\A",
        r"\z",
        r"\Q.$\E",
        "(?i)",
        "(?s)",
        "(?-m)",
    ),
    *("(?U)", "(?i:A)", "(?s:.)", "(?-m:$)", "(?P<n>a)", "(?:ab)"),
)
_expressions = st.recursive(
    st.lists(st.sampled_from(_TOKENS), max_size=4).map("".join),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{0,3}"])).map(
            lambda parts: f"({parts[0]}){parts[1]}"
        ),
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, inner).map("".join),
    ),
    max_leaves=4,
)
_contents = st.lists(
    st.sampled_from([b"a", b"b", b"x", b".", b"$", b" ", b"\t", b"\r", b"\n", b"\n", "é".encode()])
    | st.binary(min_size=1, max_size=2),
    max_size=40,
).map(b"".join)


def _lines(content: bytes) -> Iterator[bytes]:
    """Cut `content` behind each line feed, and nowhere else."""
    return iter(re.findall(rb"[^\n]*\n|[^\n]+", content))


class EquivalenceTests(LogFolder):
    """Whatever is asked of whatever file, the answer is that of a look at each line alone."""

    def ask(self, expression: str, content: bytes, block_size: int) -> list[str]:
        """Return what is found by RE2 alone; it must be the same if any sieve is used."""
        self.write("my.log", content)
        with mock.patch.object(search, "_BLOCK_SIZE", block_size):
            found = self.found(expression)
            with (
                mock.patch.object(expressions, "SAMPLE", 1),
                mock.patch.multiple(sieve, _ENOUGH=-1, _BY_EXPRESSION=1000),
            ):
                self.assertEqual(self.found(expression), found)
        return found

    @settings(max_examples=500, deadline=None)
    @given(_expressions, _contents, st.sampled_from([1, 3, 8, 64]))
    @example("\n$", b"a\nb\n", 64)
    @example("\n\\b", b"a\nb\n", 64)
    @example(r"\s\B", b"a\nb\n", 64)
    @example("(?-m)a$", b"a\na", 64)
    @example("(?-m)^a", b"a\na", 64)
    @example(r"\Aa", b"b\na\n", 64)
    @example(r"a\z", b"a\na", 64)
    @example("^$", b"a\n\n", 64)
    @example("[^x]*b", b"a\n" * 30 + b"ab\n", 64)
    @example(r"\C$", b"a\nb\n", 64)
    @example("\\Q\n\\E$", b"a\nb\n", 64)
    def test_as_naive_search_line_by_line(self, expression, content, block_size) -> None:
        self.assert_as_naive(expression, content, block_size)

    def test_everything_that_may_stand_for_the_line_end(self) -> None:
        """Behind it, an assertion sees the end of the line alone, or the next line."""
        for token in _TOKENS:
            for assertion in ("$", "^", r"\b", r"\B", r"\z"):
                with self.subTest(token + assertion):
                    self.assert_as_naive(token + assertion, b"a\nb\n\n\n-\n-", 64)

    def assert_as_naive(self, expression: str, content: bytes, block_size: int) -> None:
        options = re2.Options()
        options.log_errors = False
        try:
            regex = re2.compile(b"(?m)" + expression.encode(), options)
        except re2.error:
            with self.assertRaises(InvalidExpression):
                self.ask(expression, content, block_size)
            return
        expected = []
        for line in _lines(content):
            found = regex.search(line)
            if found and not line[: found.start()].endswith(b"\n"):
                expected.append(line.decode("utf-8", "replace"))
        self.assertEqual(self.ask(expression, content, block_size), expected)

    @settings(max_examples=500, deadline=None)
    @given(
        st.sampled_from(["", "^"]),
        st.lists(
            st.sampled_from(
                ["a", "b+", "[ab]*", "[^a]", r"\s", r"\S?", "(a|x)", ".", "\n", r"\b"]
            ),
            max_size=5,
        ),
        st.sampled_from(["", "$"]),
        st.lists(st.sampled_from("abx \n"), max_size=40).map("".join),
        st.sampled_from([1, 7, 64]),
    )
    def test_as_1_9_with_the_module_re(self, begin, middle, end, text, block_size) -> None:
        expression = begin + "".join(middle) + end
        regex = re.compile(expression)
        expected = [line.decode() for line in _lines(text.encode()) if regex.search(line.decode())]
        self.assertEqual(self.ask(expression, text.encode(), block_size), expected)


if __name__ == "__main__":
    unittest.main()
