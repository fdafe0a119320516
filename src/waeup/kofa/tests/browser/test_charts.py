"""Charts: round numbers, bars on each other, and pictures that everybody can use."""

import unittest
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as some

from waeup.kofa.browser.runs.charts import (
    ABOVE,
    HEIGHT,
    LOOKS,
    MOST_TICKS,
    PLOT,
    Chart,
    Series,
    bar_key,
    bars,
    line_key,
    lines,
    nice_ticks,
    shown_labels,
    stacked,
)

SVG = "{http://www.w3.org/2000/svg}"


def chart(*series: tuple[int, ...], names: tuple[str, ...] = ()) -> Chart:
    """Return a chart with some series."""
    number = len(series[0]) if series else 0
    names = names or tuple(f"day {place}" for place in range(number))
    found = tuple(Series(f"series {look}", values, look) for look, values in enumerate(series, 1))
    return Chart("rows", "Rows", "What can be seen", names, names, found)


def parsed(svg: str) -> Any:
    """Return a picture as elements; fails where it is not well-formed."""
    return ElementTree.fromstring(svg)


class Ticks(unittest.TestCase):
    """Lines across a chart stand at numbers that people count in."""

    def test_examples(self) -> None:
        for high, ticks in (
            (0, [0, 1]),
            (1, [0, 1]),
            (3, [0, 1, 2, 3]),
            (7, [0, 2, 4, 6, 8]),
            (100, [0, 20, 40, 60, 80, 100]),
            (101, [0, 50, 100, 150]),
            (12_345, [0, 5000, 10_000, 15_000]),
        ):
            with self.subTest(high):
                self.assertEqual(nice_ticks(high), ticks)

    @given(some.integers(0, 10**15))
    def test_they_are_few_round_and_reach_the_highest(self, high: int) -> None:
        ticks = nice_ticks(high)
        step = ticks[1]
        self.assertEqual(ticks[0], 0)
        self.assertTrue(2 <= len(ticks) <= MOST_TICKS + 1)
        self.assertEqual({after - before for before, after in pairwise(ticks)}, {step})
        self.assertIn(str(step).rstrip("0"), ("1", "2", "5"))
        self.assertGreaterEqual(ticks[-1], high)
        self.assertLess(ticks[-2], max(high, 1))

    @given(some.integers(0, 500), some.integers(1, 12))
    def test_words_below_are_few(self, number: int, most: int) -> None:
        self.assertLessEqual(len(range(0, number, shown_labels(number, most))), most)


class Stacks(unittest.TestCase):
    """Each part of a bar begins where the one below ends."""

    @given(
        some.integers(1, 6).flatmap(
            lambda series: some.lists(
                some.lists(some.integers(0, 10**9), min_size=series, max_size=series), max_size=40
            )
        )
    )
    def test_nothing_is_lost_or_overlaps(self, rows: list[list[int]]) -> None:
        series = chart(*zip(*rows, strict=True)).series
        found = stacked(series)
        self.assertEqual([[high - low for low, high in bar] for bar in found], rows)
        for bar in found:
            self.assertEqual(bar[0][0], 0)
            for (_low, end), (begin, _high) in pairwise(bar):
                self.assertEqual(begin, end)


class Pictures(unittest.TestCase):
    """What browsers and screen readers get."""

    def test_bars(self) -> None:
        svg = parsed(bars(chart((3, 0), (1, 4)), str))
        self.assertEqual(svg.get("role"), "img")
        told = [svg.find(f"*[@id='{id}']").text for id in svg.get("aria-labelledby").split()]
        self.assertEqual(told, ["Rows", "What can be seen"])
        drawn = [
            tuple(bar.get(name) for name in ("x", "width", "y", "height", "fill"))
            for bar in svg.iter(f"{SVG}rect")
            if bar.get("class") == "chart-bar"
        ]
        # An empty part is not drawn.
        self.assertEqual(
            drawn,
            [
                ("7%", "36%", "71", "159", "url(#rows-look-1)"),
                ("7%", "36%", "18", "53", "url(#rows-look-2)"),
                ("57%", "36%", "18", "212", "url(#rows-look-2)"),
            ],
        )
        texts = [(text.get("class"), text.text) for text in svg.iter(f"{SVG}text")]
        self.assertEqual([text for kind, text in texts if kind == "chart-tick"], list("01234"))
        self.assertEqual([text for kind, text in texts if kind == "chart-value"], ["4", "4"])

    def test_who_points_at_a_bar_is_told_its_numbers(self) -> None:
        svg = parsed(bars(chart((3, 0), (1, 4)), lambda value: f"<{value}>"))
        titles = [group.find(f"{SVG}title").text for group in svg.iter(f"{SVG}g")]
        self.assertEqual(titles[0], "day 0\nseries 1: <3>\nseries 2: <1>")
        self.assertEqual(len(titles), 2)

    def test_lines(self) -> None:
        svg = parsed(lines(chart((0, 2, 4)), str))
        drawn = [
            tuple(line.get(name) for name in ("x1", "y1", "x2", "y2"))
            for line in svg.iter(f"{SVG}line")
            if line.get("class") == "chart-line chart-look-1"
        ]
        self.assertEqual(
            drawn, [("16.667%", "230", "50%", "124"), ("50%", "124", "83.333%", "18")]
        )
        points = [(point.get("x"), point.get("y")) for point in svg.findall(f"{SVG}svg")]
        self.assertEqual(points, [("50%", "124"), ("83.333%", "18")])

    def test_nothing_to_show(self) -> None:
        for draw in (bars, lines):
            for empty in (chart(), chart((0, 0, 0))):
                svg = parsed(draw(empty, str))
                self.assertEqual([bar.get("class") for bar in svg.iter(f"{SVG}path")], [])

    def test_names_are_text(self) -> None:
        evil = '<script>alert("1")</script>'
        series = Series(evil, (1,), 1)
        hostile = Chart("rows", evil, evil, (evil,), (evil,), (series,))
        for svg in (bars(hostile, str), lines(hostile, str)):
            self.assertNotIn("<script", svg)
            self.assertIn(evil, "".join(parsed(svg).itertext()))

    def test_nothing_is_inline(self) -> None:
        looks = chart(*((look,) for look in range(1, LOOKS + 1)))
        pictures = [bars(looks, str), lines(looks, str)]
        pictures += [bar_key(looks, each) for each in looks.series]
        pictures += [line_key(each) for each in looks.series]
        for picture in pictures:
            for element in parsed(picture).iter():
                self.assertIsNone(element.get("style"))
                self.assertFalse([name for name in element.attrib if name.startswith("on")])

    def test_looks_differ_without_colours(self) -> None:
        looks = chart(*((look,) for look in range(1, LOOKS + 1)))
        patterns = set()
        for pattern in parsed(bars(looks, str)).iter(f"{SVG}pattern"):
            path = pattern.find(f"{SVG}path")
            patterns.add(None if path is None else path.get("d"))
        self.assertEqual(len(patterns), LOOKS)
        shapes = {parsed(line_key(each)).find(f".//{SVG}path").get("d") for each in looks.series}
        self.assertEqual(len(shapes), LOOKS)

    @given(some.lists(some.integers(0, 10**12), max_size=60), some.integers(1, LOOKS))
    def test_all_is_inside(self, values: list[int], number: int) -> None:
        for draw in (bars, lines):
            svg = parsed(draw(chart(*[tuple(values)] * number), str))
            for element in svg.iter():
                for name in ("x", "x1", "x2"):
                    if (element.get(name) or "").endswith("%"):
                        self.assertTrue(0 <= float(element.get(name)[:-1]) <= 100)
                for name in ("y1", "y2"):
                    if element.get(name):
                        self.assertTrue(ABOVE <= float(element.get(name)) <= ABOVE + PLOT)
        self.assertLess(ABOVE + PLOT, HEIGHT)
