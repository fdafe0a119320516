"""Charts as SVG: stacked bars and lines, made on the server from plain numbers.

A chart fits any width, since places along it are shares of the width, while letters keep their
size; the style sheet says what it looks like.  Series are told apart by a pattern or by the shape
of their points, not by colour alone.  A screen reader is told title and description; the numbers
stand in the table that goes with each chart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

#: Heights in pixels: of the whole, and of what is above and below the part with the bars.
HEIGHT, ABOVE, BELOW = 260, 18, 30
PLOT = HEIGHT - ABOVE - BELOW
#: Lines across a chart, at most, without the one at 0.
MOST_TICKS = 5
#: Words below a chart on a desk, and letters of all words on a phone.
WIDE_LABELS, NARROW_LETTERS = 10, 20
#: Charts with few bars say the height of each.
FEW_BARS = 12
#: Looks that differ by pattern, by shape and by colour; the last one is for what went wrong.
LOOKS, FAILED_LOOK = 6, 6

#: Shapes of points, by look.
_SHAPES = {
    1: "M-4,0 a4,4 0 1,0 8,0 a4,4 0 1,0 -8,0",
    2: "M-4,-4 h8 v8 h-8 z",
    3: "M0,-5 L5,4 L-5,4 z",
    4: "M0,-5 L5,0 L0,5 L-5,0 z",
    5: "M0,5 L5,-4 L-5,-4 z",
    6: "M-5,-3 L-3,-5 L0,-2 L3,-5 L5,-3 L2,0 L5,3 L3,5 L0,2 L-3,5 L-5,3 L-2,0 z",
}
#: Lines of a pattern of 8 by 8 pixels, by look; the first one is plain.
_PATTERNS = {
    1: "",
    2: "M-2,2 L2,-2 M0,8 L8,0 M6,10 L10,6",
    3: "M0,4 H8",
    4: "M4,0 V8",
    5: "M2,2 h1 v1 h-1 z M6,6 h1 v1 h-1 z",
    6: "M-2,6 L2,10 M0,0 L8,8 M6,-2 L10,2",
}

Number = Callable[[int], str]
Labelled = Callable[[str, str], str]
#: How English puts a title before a number.
COLON: Labelled = "{}: {}".format


class Series(NamedTuple):
    """Numbers of one thing over time; `look` goes from 1 to `LOOKS`."""

    title: str
    values: tuple[int, ...]
    look: int

    @property
    def total(self) -> int:
        """The sum of the numbers."""
        return sum(self.values)


@dataclass(frozen=True)
class Chart:
    """What is to be drawn: numbers of `series` for each of `labels`.

    `id` tells it from other charts of a page, `description` says in words what can be seen.
    `labels` are short and stand below, `names` are in full.
    """

    id: str
    title: str
    description: str
    labels: tuple[str, ...]
    names: tuple[str, ...]
    series: tuple[Series, ...]


def nice_ticks(high: int) -> list[int]:
    """Return round numbers at equal distances, from 0 to the first one that is not below `high`.

    There are at most `MOST_TICKS` besides 0.
    """
    step = 1
    while step * MOST_TICKS < high:
        # 1, 2, 5, 10, 20, 50 ...
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    number = max(-(-high // step), 1)
    return [step * place for place in range(number + 1)]


def stacked(series: Sequence[Series]) -> list[list[tuple[int, int]]]:
    """Return for each place along a chart where each of the series begins and ends."""
    found = []
    for values in zip(*(each.values for each in series), strict=True):
        low, parts = 0, []
        for value in values:
            parts.append((low, low + value))
            low += value
        found.append(parts)
    return found


def shown_labels(number: int, most: int) -> int:
    """Return every how many places a word stands below, so that there are at most `most`."""
    return max(-(-number // most), 1)


def bars(chart: Chart, number: Number, labelled: Labelled = COLON) -> str:
    """Return a chart with a bar for each label, in which the series stand on each other.

    `number` writes a number as the person reads it, `labelled` one behind its title.
    """
    parts = stacked(chart.series)
    ticks = nice_ticks(max((bar[-1][1] for bar in parts if bar), default=0))
    svg = _frame(chart, ticks, number)
    share = 100 / max(len(chart.labels), 1)
    for place, bar in enumerate(parts):
        group = _place(svg, chart, place, number, labelled)
        for each, (low, high) in zip(chart.series, bar, strict=True):
            if high > low:
                SubElement(
                    group,
                    "rect",
                    {
                        "class": "chart-bar",
                        "x": _percent((place + 0.14) * share),
                        "width": _percent(0.72 * share),
                        "y": _pixels(_height(high, ticks)),
                        "height": _pixels(_height(low, ticks) - _height(high, ticks)),
                        "fill": f"url(#{chart.id}-look-{each.look})",
                    },
                )
        top = bar[-1][1] if bar else 0
        if top and len(parts) <= FEW_BARS:
            at = {"x": _percent((place + 0.5) * share), "y": _pixels(_height(top, ticks) - 5)}
            _text(group, number(top), "chart-value", at)
    return tostring(svg, encoding="unicode")


def lines(chart: Chart, number: Number, labelled: Labelled = COLON) -> str:
    """Return a chart with a line of points for each of the series; see `bars`."""
    ticks = nice_ticks(max((max(each.values, default=0) for each in chart.series), default=0))
    svg = _frame(chart, ticks, number)
    share = 100 / max(len(chart.labels), 1)
    for each in chart.series:
        points = [
            (_percent((place + 0.5) * share), _pixels(_height(value, ticks)))
            for place, value in enumerate(each.values)
        ]
        for (x1, y1), (x2, y2) in pairwise(points):
            at = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
            SubElement(svg, "line", {"class": f"chart-line chart-look-{each.look}", **at})
        for (x, y), value in zip(points, each.values, strict=True):
            if value:
                _point(svg, each.look, x, y)
    for place in range(len(chart.labels)):
        _place(svg, chart, place, number, labelled)
    return tostring(svg, encoding="unicode")


def bar_key(chart: Chart, series: Series) -> str:
    """Return a small picture of what the bars of a series look like."""
    svg = _key()
    at = {"x": "1", "y": "1", "width": "22", "height": "14"}
    fill = f"url(#{chart.id}-look-{series.look})"
    SubElement(svg, "rect", {"class": "chart-bar", **at, "fill": fill})
    return tostring(svg, encoding="unicode")


def line_key(series: Series) -> str:
    """Return a small picture of what the line of a series looks like."""
    svg = _key()
    at = {"x1": "0", "y1": "8", "x2": "24", "y2": "8"}
    SubElement(svg, "line", {"class": f"chart-line chart-look-{series.look}", **at})
    _point(svg, series.look, "12", "8")
    return tostring(svg, encoding="unicode")


# -- parts -------------------------------------------------------------------------


def _frame(chart: Chart, ticks: list[int], number: Number) -> Element:
    """Return a chart without its numbers: title, patterns, lines across, words at the edges."""
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "chart",
            "role": "img",
            "aria-labelledby": f"{chart.id}-title {chart.id}-desc",
            "width": "100%",
            "height": str(HEIGHT),
        },
    )
    SubElement(svg, "title", {"id": f"{chart.id}-title"}).text = chart.title
    SubElement(svg, "desc", {"id": f"{chart.id}-desc"}).text = chart.description
    definitions = SubElement(svg, "defs")
    for look in sorted({each.look for each in chart.series}):
        _pattern(definitions, chart.id, look)
    for tick in ticks:
        y = _pixels(_height(tick, ticks))
        kind = "chart-base" if tick == 0 else "chart-rule"
        SubElement(svg, "line", {"class": kind, "x1": "0", "x2": "100%", "y1": y, "y2": y})
        _text(svg, number(tick), "chart-tick", {"x": "-8", "y": y, "dy": "0.32em"})
    _labels(svg, chart)
    return svg


def _labels(svg: Element, chart: Chart) -> None:
    """Write words below a chart; on narrow screens some of them are hidden."""
    wide = shown_labels(len(chart.labels), WIDE_LABELS)
    # What is shown on a phone is shown on a desk, too.
    longest = max(map(len, chart.labels), default=1)
    most = max(NARROW_LETTERS // max(longest, 1), 2)
    narrow = wide * shown_labels(-(-len(chart.labels) // wide), most)
    share = 100 / max(len(chart.labels), 1)
    for place in range(0, len(chart.labels), wide):
        kind = "chart-label" if place % narrow == 0 else "chart-label chart-wide"
        at = {"x": _percent((place + 0.5) * share), "y": str(HEIGHT - BELOW + 20)}
        _text(svg, chart.labels[place], kind, at)


def _place(svg: Element, chart: Chart, place: int, number: Number, labelled: Labelled) -> Element:
    """Return the group of a place, which tells its numbers to who points at it."""
    share = 100 / len(chart.labels)
    group = SubElement(svg, "g", {"class": "chart-place"})
    numbers = [labelled(each.title, number(each.values[place])) for each in chart.series]
    SubElement(group, "title").text = "\n".join([chart.names[place], *numbers])
    SubElement(
        group,
        "rect",
        {
            "class": "chart-hit",
            "x": _percent(place * share),
            "width": _percent(share),
            "y": str(ABOVE),
            "height": str(PLOT),
        },
    )
    return group


def _pattern(definitions: Element, id: str, look: int) -> None:
    """Define what bars of a look are filled with."""
    pattern = SubElement(
        definitions,
        "pattern",
        {
            "id": f"{id}-look-{look}",
            "width": "8",
            "height": "8",
            "patternUnits": "userSpaceOnUse",
        },
    )
    at = {"width": "8", "height": "8"}
    SubElement(pattern, "rect", {"class": f"chart-fill chart-look-{look}", **at})
    if _PATTERNS[look]:
        SubElement(pattern, "path", {"class": "chart-hatch", "d": _PATTERNS[look]})


def _point(svg: Element, look: int, x: str, y: str) -> None:
    # A picture of its own can stand at a share of the width; a path cannot.
    at = SubElement(svg, "svg", {"class": "chart-point", "x": x, "y": y})
    SubElement(at, "path", {"class": f"chart-fill chart-look-{look}", "d": _SHAPES[look]})


def _key() -> Element:
    return Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "chart-key",
            "aria-hidden": "true",
            "width": "24",
            "height": "16",
        },
    )


def _text(parent: Element, text: str, kind: str, at: dict[str, str]) -> None:
    SubElement(parent, "text", {"class": kind, **at}).text = text


def _height(value: int, ticks: list[int]) -> float:
    """Return how many pixels from above a number stands."""
    return ABOVE + PLOT * (1 - value / ticks[-1])


def _percent(share: float) -> str:
    return f"{share:.3f}".rstrip("0").rstrip(".") + "%"


def _pixels(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
