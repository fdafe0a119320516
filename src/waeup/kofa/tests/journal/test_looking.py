"""Pages of lines: each line once, in either direction, whatever happens to the logs meanwhile."""

import os
import unittest
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st

from waeup.kofa.errors import (
    InvalidExpression,
    InvalidName,
    NoSuchItem,
    Refused,
    StorageFault,
    TooLarge,
)
from waeup.kofa.journal import Expression, Look, Wanted, looking, search
from waeup.kofa.journal.lines import format_line

BEGIN = datetime(2026, 1, 31, 10, 0)


def line_of(second: int, text: str = "", user: str = "ann", level: str = "INFO") -> str:
    """Return a line as loggers write it, so many seconds after the beginning."""
    moment = BEGIN + timedelta(seconds=second)
    return f"{moment:%Y-%m-%d %H:%M:%S},000 - {level} - {user} - {text or f'message {second}'}\n"


class Logs(unittest.TestCase):
    """A folder of logs."""

    def setUp(self) -> None:
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = directory.name

    def write(self, name: str, *lines: str) -> None:
        """Write the lines of a file."""
        Path(self.folder, name).write_text("".join(lines), encoding="utf-8")

    def append(self, name: str, *lines: str) -> None:
        """Add lines to a file."""
        with open(Path(self.folder, name), "a", encoding="utf-8") as log:
            log.writelines(lines)

    def rotate(self, name: str = "my.log", keep: int = 99) -> None:
        """Rename the files of a log, as logrotate does."""
        for number in range(keep, -1, -1):
            path = Path(self.folder, f"{name}.{number}" if number else name)
            if path.exists():
                path.rename(Path(self.folder, f"{name}.{number + 1}"))

    def look(self, *names: str, place: str = "", newest: bool = True, **options: Any) -> Look:
        """Look through logs; options are those of `Wanted` and of `Look`."""
        asked = {key: options.pop(key) for key in list(options) if key in Wanted.__annotations__}
        return Look(
            self.folder,
            names or ("my.log",),
            Wanted(**asked),
            place=place,
            newest=newest,
            **options,
        )

    def found(self, *names: str, **options: Any) -> list[str]:
        """Return what lines say, without their times."""
        return [each.text.rpartition(" - ")[2] for each in self.look(*names, **options)]

    def pages(self, *names: str, between: Any = None, **options: Any) -> list[str]:
        """Return the lines of all pages."""
        texts: list[str] = []
        place = ""
        for _number in range(10_000):
            look = self.look(*names, place=place, **options)
            texts += [each.text for each in look]
            place = look.place
            if not (look.is_full or look.is_late):
                return texts
            if callable(between):
                between()
        raise AssertionError("the pages have no end")


class WantedTest(Logs):
    """Which lines are found."""

    def test_newest_and_oldest_first(self) -> None:
        self.write("my.log.1", line_of(1), line_of(2))
        self.write("my.log", line_of(3), line_of(4))
        numbers = [f"message {n}" for n in (1, 2, 3, 4)]
        self.assertEqual(self.found(newest=False), numbers)
        self.assertEqual(self.found(), numbers[::-1])

    def test_lines_of_several_logs_come_in_the_order_of_time(self) -> None:
        self.write("a.log", *(line_of(n) for n in range(0, 60, 2)))
        self.write("b.log", *(line_of(n) for n in range(1, 60, 3)))
        self.write("c.log")
        seconds = sorted([*range(0, 60, 2), *range(1, 60, 3)])
        expected = [f"message {second}" for second in seconds]
        self.assertEqual(self.found("a.log", "b.log", "c.log", newest=False), expected)
        self.assertEqual(self.found("a.log", "b.log", "c.log"), expected[::-1])
        self.assertEqual({each.log for each in self.look("a.log", "b.log")}, {"a.log", "b.log"})

    def test_all_that_is_given_must_fit(self) -> None:
        self.write(
            "my.log",
            line_of(1, "uploaded: list (1).csv"),
            line_of(2, "uploaded: list (1).csv", "bob"),
            line_of(3, "deleted: list (1).csv", level="WARNING"),
            line_of(4, "uploaded: list 1.csv"),
            line_of(5, "Uploaded: b - list (1).csv - ann - x", "bob", "ERROR"),
        )

        def seconds(**asked: Any) -> list[str]:
            return [each.text[17:19] for each in self.look(newest=False, **asked)]

        self.assertEqual(seconds(contains="list (1).csv"), ["01", "02", "03", "05"])
        self.assertEqual(seconds(officer="ann"), ["01", "03", "04"])
        self.assertEqual(seconds(officer="a.n"), [])
        self.assertEqual(seconds(officer="ann", contains="(1)"), ["01", "03"])
        self.assertEqual(seconds(contains="ann"), ["01", "03", "04", "05"])
        self.assertEqual(seconds(level="WARNING"), ["03", "05"])
        self.assertEqual(seconds(level="ERROR", officer="bob"), ["05"])
        self.assertEqual(seconds(expression="uploaded"), ["01", "02", "04"])
        self.assertEqual(
            seconds(expression="UPLOADED", ignore_case=True), ["01", "02", "04", "05"]
        )
        self.assertEqual(seconds(expression="^.*d: list", officer="ann"), ["01", "03", "04"])
        self.assertEqual(seconds(expression="x$", contains="b", level="INFO"), ["05"])
        # The text may stand in the head of the line, too.
        self.assertEqual(seconds(contains="10:00:0", officer="bob"), ["02", "05"])
        self.assertEqual(seconds(contains="bob - up", level="DEBUG"), ["02"])
        self.assertEqual(seconds(contains="ann", officer="bob", level="ERROR"), ["05"])

    def test_texts_that_logs_spell_out_are_looked_for_as_they_stand_there(self) -> None:
        for number, text in enumerate(("a\tb", "a\x00b", "a\udcffb", "a\u2028b")):
            self.write("my.log", format_line(line_of(number, text)[:-1]))
            with self.subTest(text):
                self.assertEqual(len(self.found(contains=text)), 1)
                self.assertEqual(self.found(officer=text), [])
        with self.assertRaises(TooLarge):
            self.look(contains="\u2028" * 200)

    def test_years_of_few_digits(self) -> None:
        self.write("my.log", *(line_of(n) for n in range(2000)))
        for since in ("0026-01-31 00:00:00", "0999-06-01 00:00:00", "0001-01-01 00:00:00"):
            for newest in (True, False):
                with self.subTest(since=since, newest=newest):
                    self.assertEqual(len(self.found(since=since, newest=newest)), 2000)

    def test_times_go_from_the_first_to_before_the_second(self) -> None:
        self.write("my.log", *(line_of(n) for n in range(10)), "no time\n", line_of(10))
        window: dict[str, Any] = {"since": "2026-01-31 10:00:03", "until": "2026-01-31 10:00:05"}
        for newest in (True, False):
            found = sorted(self.found(newest=newest, **window))
            self.assertEqual(found, ["message 3", "message 4"])
        self.assertEqual(self.found(since="2026-01-31 10:00:10"), ["message 10"])
        self.assertEqual(self.found(until="2026-01-31 10:00:01"), ["message 0"])
        self.assertEqual(self.found(since="9999-12-31 00:00:00"), [])
        self.assertEqual(self.found(until="0001-01-01 00:00:00"), [])

    def test_a_time_is_found_without_reading_all(self) -> None:
        lines = [line_of(3600 * n) for n in range(20_000)]
        self.write("my.log", *lines)
        whole = os.path.getsize(Path(self.folder, "my.log"))
        for newest in (True, False):
            with mock.patch.object(looking._Sought, "spans", autospec=True) as spans:
                spans.side_effect = lambda sought, data, start, end: iter(())
                list(
                    self.look(
                        newest=newest, since="2026-12-31 00:00:00", until="2027-01-02 00:00:00"
                    )
                )
            read = sum(call.args[3] - call.args[2] for call in spans.call_args_list)
            self.assertGreater(read, 0)
            self.assertLess(read, whole / 2)
            found = self.found(
                newest=newest, since="2026-12-31 00:00:00", until="2027-01-02 00:00:00"
            )
            self.assertEqual(len(found), 48)

    def test_clocks_that_are_put_back_hide_no_line(self) -> None:
        seconds = [*range(7200), *range(3600, 10_800)]
        self.write("my.log", *(line_of(n, f"number {i}") for i, n in enumerate(seconds)))
        window: dict[str, Any] = {"since": "2026-01-31 11:00:00", "until": "2026-01-31 11:00:01"}
        self.assertEqual(sorted(self.found(**window)), ["number 3600", "number 7200"])
        self.assertEqual(self.found(newest=False, **window), ["number 3600", "number 7200"])

    def test_what_finds_less_is_looked_for_first(self) -> None:
        self.write("my.log", *(line_of(n) for n in range(20_000)))
        for asked in (
            {"officer": "ann", "expression": "nothing"},
            {"officer": "bob", "expression": "message"},
            {"contains": "message", "expression": "nothing"},
        ):
            with (
                self.subTest(asked),
                mock.patch.object(
                    Expression, "matches", autospec=True, side_effect=Expression.matches
                ) as matches,
            ):
                self.assertEqual(self.found(**asked), [])
                self.assertLess(matches.call_count, 2000)

    def test_what_cannot_be_asked_for_is_refused_before_anything_is_read(self) -> None:
        self.write("my.log", line_of(1))
        cases: list[tuple[type[Refused], dict[str, Any]]] = [
            (InvalidExpression, {"expression": "("}),
            (TooLarge, {"officer": "x" * 201}),
            (TooLarge, {"contains": "x" * 201}),
            (Refused, {"level": "LOUD"}),
        ]
        for kind, asked in cases:
            with self.subTest(asked), self.assertRaises(kind):
                self.look(**asked)
        with self.assertRaises(InvalidName):
            self.look("../my.log")
        with self.assertRaises(NoSuchItem):
            self.look("payments.log")

    def test_bytes_that_are_no_text_and_a_last_line_without_end(self) -> None:
        Path(self.folder, "my.log").write_bytes(b"\xff one\r\n\ntwo")
        self.assertEqual([each.text for each in self.look()], ["two", "", "\ufffd one"])

    def test_logs_without_lines(self) -> None:
        self.write("empty.log")
        for newest in (True, False):
            look = self.look("empty.log", "missing.log", newest=newest)
            self.assertEqual((list(look), look.place), ([], ""))

    def test_a_log_that_cannot_be_read_is_a_fault(self) -> None:
        self.write("my.log", line_of(1))
        refused = PermissionError(13, "Permission denied")
        look = self.look()
        with (
            mock.patch("builtins.open", side_effect=refused),
            self.assertRaisesRegex(StorageFault, "my.log: Permission denied"),
        ):
            list(look)


class PlaceTest(Logs):
    """Where the next page begins."""

    def test_a_full_page_says_where_the_next_one_begins(self) -> None:
        self.write("my.log", *(line_of(n) for n in range(5)))
        look = self.look(limit=2)
        self.assertEqual([each.text[-1] for each in look], ["4", "3"])
        self.assertTrue(look.is_full)
        self.assertEqual(look.reached, "2026-01-31 10:00:03")
        look = self.look(limit=2, place=look.place)
        self.assertEqual([each.text[-1] for each in look], ["2", "1"])
        look = self.look(limit=2, place=look.place)
        self.assertEqual([each.text[-1] for each in look], ["0"])
        self.assertEqual((look.place, look.is_full, look.is_late), ("", False, False))

    def test_a_page_of_long_lines_is_full_sooner(self) -> None:
        self.write("my.log", *(line_of(n, str(n % 10) * 1000) for n in range(20)))
        with mock.patch.object(looking, "MAX_PAGE", 3000):
            for newest in (True, False):
                look = self.look(limit=10, newest=newest)
                self.assertEqual((len(list(look)), look.is_full), (3, True))
                self.assertEqual(len(self.pages(limit=10, newest=newest)), 20)
            self.assertEqual(len(self.found()), 20)

    def test_a_page_that_ends_with_the_first_line_is_the_last_one(self) -> None:
        self.write("my.log", *(line_of(n) for n in range(4)))
        look = self.look(limit=4)
        self.assertEqual(len(list(look)), 4)
        self.assertEqual((look.place, look.is_full), ("", False))

    def test_a_look_ends_in_time_and_goes_on_where_it_was(self) -> None:
        lines = [line_of(n, "rare" if n % 500 == 0 else "usual") for n in range(5000)]
        self.write("my.log", *lines)
        clock = count()
        with mock.patch.object(search, "_BLOCK_SIZE", 4096):
            look = self.look(expression="rare", seconds=5, clock=lambda: next(clock))
            first = list(look)
            self.assertTrue(look.is_late)
            self.assertLess(len(first), 10)
            self.assertRegex(look.reached, "^2026-01-31 1[01]:")
            rest = list(self.look(expression="rare", place=look.place))
        self.assertEqual(
            [each.text[11:19] for each in first + rest],
            [line[11:19] for line in reversed(lines[::500])],
        )

    def test_a_late_page_costs_no_more_than_the_first(self) -> None:
        self.write("my.log", *(line_of(n) for n in range(50_000)))
        place = ""
        costs = []
        for _page in range(50):
            look = self.look(limit=200, place=place)
            with mock.patch.object(search, "_read", side_effect=search._read) as read:
                self.assertEqual(len(list(look)), 200)
            costs.append(sum(call.args[1] for call in read.call_args_list))
            place = look.place
        self.assertLessEqual(max(costs), 2 * costs[0])

    def test_newer_lines_come_later(self) -> None:
        self.write("my.log", line_of(1), line_of(2))
        look = self.look(newest=False, limit=10)
        self.assertEqual(len(list(look)), 2)
        self.assertFalse(look.is_full)
        self.append("my.log", line_of(3))
        self.write("new.log", line_of(2, "of a new log"))
        look = self.look("my.log", "new.log", newest=False, place=look.place)
        self.assertEqual(
            [each.text.rpartition(" - ")[2] for each in look], ["of a new log", "message 3"]
        )

    def test_a_line_that_is_written_in_pieces_comes_again_when_it_is_whole(self) -> None:
        self.write("my.log", line_of(1), line_of(2)[:-5])
        look = self.look(newest=False)
        self.assertEqual(len(list(look)), 2)
        self.append("my.log", line_of(2)[-5:])
        look = self.look(newest=False, place=look.place)
        self.assertEqual([each.text + "\n" for each in look], [line_of(2)])

    def test_a_log_that_was_rotated_away_is_told(self) -> None:
        self.write("my.log", *(line_of(n) for n in range(5)))
        look = self.look(limit=2)
        list(look)
        self.write("my.log", *(line_of(n) for n in range(100, 105)))
        with self.assertRaisesRegex(NoSuchItem, "my.log was rotated"):
            self.look(place=look.place)

    def test_a_place_is_good_in_a_copy_of_the_file(self) -> None:
        """As with ``copytruncate`` of logrotate."""
        self.write("my.log", *(line_of(n) for n in range(5)))
        look = self.look(limit=2)
        list(look)
        self.write("my.log.1", *(line_of(n) for n in range(5)))
        self.write("my.log", line_of(10))
        self.assertEqual(self.found(place=look.place), ["message 2", "message 1", "message 0"])

    def test_there_are_places_in_many_logs(self) -> None:
        names = [f"main.log-{day}" for day in range(20_260_101, 20_260_401)]
        for name in names:
            self.write(name, line_of(1), line_of(2))
        self.assertEqual(len(self.pages(*names, limit=400)), 600)

    def test_places_from_outside_are_checked(self) -> None:
        self.write("my.log", line_of(1), line_of(2))
        self.write("payments.log", line_of(1, "secret"))
        look = self.look(limit=1)
        list(look)
        _name, offset, known_by = look.place.split(":")
        for kind, place in (
            (Refused, "x"),
            (Refused, "my.log:1"),
            (Refused, ","),
            (Refused, f"my.log:-{offset}:{known_by}"),
            (Refused, f"my.log:{'9' * 19}:{known_by}"),
            (Refused, "my.log:1:" + "g" * 16),
            (Refused, look.place + "," + "x" * looking.MAX_PLACE),
            (Refused, "my.log:\u0661:" + known_by),
            (NoSuchItem, f"my.log:{int(offset) + 1}:{known_by}"),
            (NoSuchItem, f"my.log:{'9' * 18}:{known_by}"),
            (NoSuchItem, f"my.log:{offset}:"),
            (NoSuchItem, f"payments.log:{offset}:{known_by}"),
            (NoSuchItem, f"payments.log.1:{offset}:{known_by}"),
            (InvalidName, f"..%2Fmy.log:{offset}:{known_by}"),
        ):
            for newest in (True, False):
                with self.subTest(place=place, newest=newest), self.assertRaises(kind):
                    self.look(place=place, newest=newest)
        self.write("other.log", line_of(3))
        self.assertEqual(self.found(place=f"other.log:1:{known_by},{look.place}"), ["message 1"])
        self.assertEqual(self.found("my.log", place="my.log:0:"), [])
        self.assertEqual(self.found("my.log", place="my.log:0:", newest=False), [])

    @settings(max_examples=150, deadline=None)
    @given(
        files=st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=4),
        other=st.lists(st.integers(0, 3), max_size=20),
        limit=st.integers(1, 5),
        events=st.lists(st.sampled_from(["append", "rotate", "look"]), max_size=8),
        newest=st.booleans(),
        expression=st.sampled_from(["", "hit", "^.*h", "miss"]),
        block_size=st.sampled_from([16, 64, 256 * 1024]),
        is_cut=st.booleans(),
    )
    @example([[1], [], [1, 1]], [], 1, ["rotate", "append"], True, "", 16, False)
    @example([[1], [], [1, 1]], [], 1, ["rotate", "append"], False, "", 16, False)
    def test_each_line_comes_once(
        self,
        files: list[list[int]],
        other: list[int],
        limit: int,
        events: list[str],
        newest: bool,
        expression: str,
        block_size: int,
        is_cut: bool,
    ) -> None:
        with TemporaryDirectory() as folder, mock.patch.object(search, "_BLOCK_SIZE", block_size):
            self.folder = folder
            seconds = count()

            def some(kinds: list[int]) -> list[str]:
                return [
                    line_of(next(seconds), f"{'hit' if kind else 'no'} {'é' * 9 * kind}")
                    for kind in kinds
                ]

            written = [some(kinds) for kinds in files]
            for number, lines in enumerate(reversed(written)):
                self.write(f"my.log.{number}" if number else "my.log", *lines)
            others = some(other)
            self.write("other.log", *others)
            mine = [line for lines in written for line in lines]
            before = sorted(mine + others)
            added: list[str] = []
            steps = iter(events)

            def between() -> None:
                event = next(steps, "look")
                if event == "append":
                    lines = some([1, 0])
                    self.append("my.log", *lines)
                    added.extend(lines)
                elif event == "rotate":
                    self.rotate()

            clock = count()
            ticking = {"seconds": 3, "clock": lambda: next(clock)} if is_cut else {}
            found = self.pages(
                "my.log",
                "other.log",
                between=between,
                newest=newest,
                limit=limit,
                expression=expression,
                **ticking,
            )
            # What is added while the newest are read is newer than all of them.
            wanted = before if newest else before + added
            wanted = [
                line[:-1] for line in wanted if expression in ("", "^.*h") or expression in line
            ]
            if expression == "^.*h":
                wanted = [line for line in wanted if "h" in line]
            self.assertEqual(found, wanted[::-1] if newest else wanted)

    def test_a_log_that_is_rotated_within_a_page(self) -> None:
        for newest in (True, False):
            with self.subTest(newest=newest), TemporaryDirectory() as self.folder:
                for number in range(3):
                    self.write(
                        f"my.log.{number}" if number else "my.log",
                        *(line_of(10 * (3 - number) + n) for n in range(10)),
                    )
                look = self.look(newest=newest)
                lines = iter(look)
                begun = [each.text for each in islice(lines, 5)]
                self.rotate()
                self.append("my.log", line_of(50))
                found = begun + [each.text for each in lines]
                self.assertEqual(len(found), 30)
                self.assertEqual(sorted(found, reverse=newest), found)

    def test_files_that_are_gone_within_a_page_are_passed_over(self) -> None:
        for newest in (True, False):
            with self.subTest(newest=newest), TemporaryDirectory() as self.folder:
                self.write("my.log.1", line_of(1), line_of(2))
                self.write("my.log", line_of(3))
                look = self.look(newest=newest)
                os.unlink(Path(self.folder, "my.log.1"))
                self.assertEqual([each.text[-1] for each in look], ["3"])


if __name__ == "__main__":
    unittest.main()
