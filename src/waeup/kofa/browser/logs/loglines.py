"""A line of a log as HTML: what was looked for is marked, what it is about is linked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from html import escape
from typing import Any
from urllib.parse import urlencode

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.journal import LINE_HEAD, Expression, FoundLine
from waeup.kofa.journal.expressions import MAX_MARKS
from waeup.kofa.operations import Mention

#: Characters of a line that are shown; of a longer one, those around the first match.
SHOWN = 4000
#: Characters before the first match of a long line.
BEFORE = 200

Span = tuple[int, int]


@dataclass(frozen=True)
class LineWriter:
    """Writes lines; it needs neither the database nor the request.

    `zone` is that of the portal (None: of the server).  `expression` and `contains` are what was
    looked for.  `link` makes addresses of pages of the data center, `officer_link` that of the
    same search for the lines of one user, `say` translates.
    """

    zone: tzinfo | None
    expression: Expression | None
    contains: str
    names_logs: bool
    link: Callable[..., str]
    officer_link: Callable[[str], str]
    say: Callable[[Any], str]

    def html(self, line: FoundLine, mentions: Sequence[Mention]) -> str:
        """Return the line as an item of a list."""
        text = self._in_zone(line.text)
        marks = self._marks(text)
        head = LINE_HEAD.match(text)
        boxes: list[tuple[int, int, str, str]] = []
        level = ""
        message = 0
        if head is not None:
            level = head["level"]
            message = head.end()
            user = escape(self.officer_link(head["user"]))
            boxes = [
                (*head.span("time"), f"<time{self._datetime(text)}>", "</time>"),
                (*head.span("level"), '<span class="log-level">', "</span>"),
                (*head.span("user"), f'<a href="{user}">', "</a>"),
            ]
        for mention in mentions:
            if mention.start >= message:
                address = escape(self._address(mention))
                boxes.append((mention.start, mention.end, f'<a href="{address}">', "</a>"))
        start, end = _window(len(text), marks)
        shown = ["… " if start else ""]
        at = start
        for begin, stop, opened, closed in sorted(boxes):
            if begin < at or stop > end:
                continue
            shown += [_marked(text, at, begin, marks), opened]
            shown += [_marked(text, begin, stop, marks), closed]
            at = stop
        shown.append(_marked(text, at, end, marks))
        if end - start < len(text):
            number = Number(len(text) - (end - start))
            cut = self.say(_("… ${n} more characters", mapping={"n": number}))
            shown.append(f'<span class="note"> {escape(cut)}</span>')
        name = f'<span class="log-name">{escape(line.log)}</span> ' if self.names_logs else ""
        look = f' class="log-{level.lower()}"' if level else ""
        return f"<li{look}>{name}<code>{''.join(shown)}</code></li>\n"

    def time_text(self, moment: str) -> str:
        """Return a time of the server, as logs write it, as one of the portal."""
        return self._in_zone(moment)

    def _in_zone(self, text: str) -> str:
        """Return a text that begins with a time of the server with that of the portal."""
        if self.zone is None:
            return text
        try:
            moment = datetime.fromisoformat(text[:19]).astimezone(self.zone)
        except (ValueError, OverflowError):
            return text
        return f"{moment:%Y-%m-%d %H:%M:%S}{text[19:]}"

    def _datetime(self, text: str) -> str:
        """Return the attribute for the time that a text begins with, one of the portal already."""
        try:
            moment = datetime.fromisoformat(text[:19])
            moment = moment.replace(tzinfo=self.zone) if self.zone else moment.astimezone()
        except (ValueError, OverflowError):
            return ""
        return f' datetime="{moment.isoformat(timespec="seconds")}"'

    def _marks(self, text: str) -> list[Span]:
        """Return where something is that was looked for, in order, without overlaps."""
        found = [] if self.expression is None else self.expression.marks(text)
        at = text.find(self.contains) if self.contains else -1
        most = len(found) + MAX_MARKS
        while at >= 0 and len(found) < most:
            found.append((at, at + len(self.contains)))
            at = text.find(self.contains, at + len(self.contains))
        merged: list[Span] = []
        for start, end in sorted(found):
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        return merged

    def _address(self, mention: Mention) -> str:
        if mention.kind == "run":
            return self.link("run", id=mention.target)
        return self.link("download", filename=mention.target)


def linker(base: str) -> Callable[..., str]:
    """Return what makes addresses of views of the object at the address `base`."""

    def link(view: str, **data: str) -> str:
        return f"{base}/{view}?{urlencode(data)}"

    return link


def _window(length: int, marks: Sequence[Span]) -> Span:
    """Return which part of a long line is shown."""
    if length <= SHOWN:
        return 0, length
    start = marks[0][0] - BEFORE if marks and marks[0][1] > SHOWN else 0
    return max(start, 0), min(max(start, 0) + SHOWN, length)


def _marked(text: str, start: int, end: int, marks: Sequence[Span]) -> str:
    """Return a part of a text as HTML, with the marks in it."""
    pieces = []
    at = start
    for begin, stop in marks:
        begin, stop = max(begin, at), min(stop, end)
        if begin < stop:
            pieces += [escape(text[at:begin]), "<mark>", escape(text[begin:stop]), "</mark>"]
            at = stop
    pieces.append(escape(text[at:end]))
    return "".join(pieces)
