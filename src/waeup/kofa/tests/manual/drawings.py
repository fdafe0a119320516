"""Draws the pictures of the manual that are drawings: part of `make pictures`.

They are text (SVG), made of the code where it says what is drawn; a test compares those that are
kept in ``docs/pictures`` with what is drawn now.
"""

import sys
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path

from waeup.kofa.jobs import record

FOLDER = Path(__file__).parents[5] / "docs" / "pictures"

Point = tuple[int, int]

_STYLE = """
    text { font: 15px sans-serif; fill: #222; text-anchor: middle }
    .small { font-size: 12px; fill: #555 }
    .left { text-anchor: start }
    rect { fill: #f4f7fb; stroke: #31588f; stroke-width: 1.5 }
    .file { fill: #fff8e8; stroke: #9a6b00 }
    .over { fill: #eef7ee; stroke: #2c7a3f }
    .still { fill: #fdf0ef; stroke: #b23b32 }
    path { fill: none; stroke: #555; stroke-width: 1.5 }
    path.way { marker-end: url(#tip) }
    #tip path { fill: #555; stroke: none }
"""


class Drawing:
    """A picture of boxes and arrows; places are in pixels, from the upper left corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._width, self._height, self._title = width, height, title
        self._parts: list[str] = []

    def box(
        self, x: int, y: int, width: int, name: str, words: Iterable[str] = (), kind: str = ""
    ) -> None:
        """Draw a box with a name, and lines of `words` below it."""
        lines = list(words)
        height = 34 + 16 * len(lines)
        style = f' class="{kind}"' if kind else ""
        size = f'width="{width}" height="{height}"'
        self._parts.append(f'<rect x="{x}" y="{y}" {size} rx="6"{style}/>')
        self.text(x + width // 2, y + 22, name)
        for place, line in enumerate(lines):
            self.text(x + width // 2, y + 40 + 16 * place, line, "small")

    def text(self, x: int, y: int, text: str, kind: str = "") -> None:
        """Write a line of text, its middle at `x`."""
        style = f' class="{kind}"' if kind else ""
        self._parts.append(f'<text x="{x}" y="{y}"{style}>{escape(text)}</text>')

    def way(self, *points: Point, words: str = "", at: Point | None = None) -> None:
        """Draw an arrow along points, with words at a place."""
        line = " L".join(f"{x} {y}" for x, y in points)
        self._parts.append(f'<path class="way" d="M{line}"/>')
        if at is not None:
            self.text(*at, words, "small")

    def svg(self) -> str:
        """Return the picture."""
        body = "\n  ".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._width} {self._height}" '
            f'role="img">\n  <title>{escape(self._title)}</title>\n  <style>{_STYLE}  </style>\n'
            '  <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker>\n'
            f"  {body}\n</svg>\n"
        )


def workflow() -> str:
    """Draw the life of a file."""
    picture = Drawing(960, 470, "The life of a file")
    picture.box(20, 140, 120, "upload", ("page, kofactl,", "program, folder"))
    picture.box(190, 140, 130, "pending file", ("root of the storage",), "file")
    picture.box(390, 140, 130, "draft", ("kind, mode, columns", "corrections"))
    picture.box(390, 20, 130, "check", ("nothing is changed",))
    picture.box(590, 140, 120, "run", ("batch by batch",))
    picture.box(790, 140, 150, "objects", ("and undo records", "in the database"), "over")
    picture.box(790, 20, 150, "export", ("a table", "that imports back"), "file")
    picture.box(590, 270, 120, "finished/", ("rows and originals", "that are done"), "over")
    picture.box(390, 270, 130, "unfinished/", ("originals with rows", "that still wait"), "still")
    picture.box(
        190, 370, 330, "*.pending.csv", ("rows that failed, each with its reason",), "still"
    )
    picture.box(20, 270, 120, "deleted/", ("deleted files,", "removed objects"), "file")

    picture.way((140, 170), (186, 170))
    picture.way((320, 165), (386, 165), words="choose", at=(353, 157))
    picture.way((430, 140), (430, 76))
    picture.way((480, 72), (480, 136), words="tells of each row", at=(535, 110))
    picture.way((520, 165), (586, 165), words="order", at=(553, 157))
    picture.way((710, 160), (786, 160), words="commit", at=(748, 152))
    picture.way((786, 186), (714, 186), words="undo", at=(750, 204))
    picture.way((865, 140), (865, 92))
    picture.way((650, 192), (650, 266))
    picture.way((610, 192), (610, 235), (455, 235), (455, 266))
    picture.way((690, 192), (690, 225), (760, 225), (760, 397), (524, 397))
    picture.way((230, 370), (230, 196), words="mend, import again", at=(290, 340))
    picture.way((520, 300), (586, 300), words="last row", at=(553, 292))
    picture.way((200, 192), (200, 230), (80, 230), (80, 266), words="delete", at=(140, 222))
    picture.way((80, 340), (80, 440), words="", at=None)
    picture.text(80, 458, "purged", "small")
    picture.way((865, 208), (865, 425), (120, 425), (120, 342), words="remove", at=(820, 417))
    return picture.svg()


#: State of a run -> its place and the kind of its box.
_PLACES: dict[str, tuple[int, int, str]] = {
    record.QUEUED: (20, 60, ""),
    record.RUNNING: (260, 60, ""),
    record.DISTRIBUTING: (500, 60, ""),
    record.FINISHED: (740, 60, "over"),
    record.STOPPED: (380, 180, "still"),
    record.CANCELLED: (140, 180, "still"),
    record.UNDONE: (740, 180, "over"),
}
_WIDTH, _HEIGHT = 130, 34


def states() -> str:
    """Draw the states of a run, with all edges that the code knows."""
    picture = Drawing(890, 270, "The states of a run")
    for state, (x, y, kind) in _PLACES.items():
        picture.box(x, y, _WIDTH, state, (), kind)
    for state, followers in record.EDGES.items():
        for place, follower in enumerate(followers):
            picture.way(*_edge(state, follower, place))
    return picture.svg()


def _edge(state: str, follower: str, place: int) -> tuple[Point, ...]:
    """Return the points of an arrow from one box to another."""
    (x1, y1, _kind), (x2, y2, _kind2) = _PLACES[state], _PLACES[follower]
    if y1 == y2 and abs(x1 - x2) > 240:
        # Over those in between.
        side = -1 if y1 < 100 else 1
        edge = y1 if side < 0 else y1 + _HEIGHT
        over = edge + side * (20 + x1 // 20)
        start, end = x1 + 40 + 25 * place, x2 + 40
        return (start, edge), (start, over), (end, over), (end, edge + side * 4)
    if y1 == y2:
        y = y1 + 12 if x1 < x2 else y1 + 24
        return ((x1 + _WIDTH, y), (x2 - 4, y)) if x1 < x2 else ((x1, y), (x2 + _WIDTH + 4, y))
    start = x1 + 25 + 25 * place
    end = x2 + _WIDTH // 2 + (start - x2 - _WIDTH // 2) // 6
    if y1 < y2:
        return (start, y1 + _HEIGHT), (end, y2 - 4)
    return (start, y1), (end, y2 + _HEIGHT + 4)


#: Name of a picture -> what draws it.
DRAWINGS: dict[str, Callable[[], str]] = {"workflow.svg": workflow, "states.svg": states}


def main() -> int:
    """Keep all drawings in the folder of pictures."""
    for name, draw in DRAWINGS.items():
        path, text = FOLDER / name, draw()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            print(f"{name} is as before")
            continue
        path.write_text(text, encoding="utf-8")
        print(f"{name}: {len(text):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
