"""A stream of Server-Sent Events, read as it comes: bytes become events.

As the standard has it (HTML, "Server-sent events"): in UTF-8, with any line ends, wherever the
bytes are parted.  What is no UTF-8, or longer than can be, is refused.
"""

import re
from typing import NamedTuple

#: Bytes of a line, and of the data of an event, at most.
MOST = 4 * 1024 * 1024

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


class Event(NamedTuple):
    """What a stream tells: the `name` of the event, its `data`, and the last `id` so far."""

    name: str
    data: str
    id: str


class EventStream:
    """Reads one stream.

    `id` is the last one of an event that was told, and `retry` are the seconds after which to
    come again, None as long as the stream has not said that.
    """

    def __init__(self) -> None:
        self.id = ""
        self.retry: float | None = None
        self._line = bytearray()
        self._is_after_return = False
        self._is_first = True
        self._name = ""
        self._data: list[str] = []
        self._size = 0
        self._next_id = ""

    def feed(self, block: bytes) -> list[Event]:
        """Return the events that are complete with the next bytes of the stream.

        Raises `ValueError` for what is no UTF-8, and for more than `MOST` bytes.
        """
        if block and self._is_after_return:
            # The second half of a line end.
            block = block.removeprefix(b"\n")
            self._is_after_return = False
        if not block:
            return []
        self._is_after_return = block.endswith(b"\r")
        *ended, rest = _LINE_END.split(block)
        events = []
        for part in ended:
            event = self._take(bytes(self._line + part))
            self._line.clear()
            if event is not None:
                events.append(event)
        self._line += rest
        self._require_size(len(self._line))
        return events

    def _take(self, line: bytes) -> Event | None:
        """Return the event that a line ends, if it does."""
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(_BOM)
        self._require_size(self._size + len(line))
        if not line:
            return self._ended()
        name, _, value = line.decode("utf-8").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(line)
        elif name == "event":
            self._name = value
        elif name == "id" and "\0" not in value:
            self._next_id = value
        elif name == "retry" and _DIGITS.fullmatch(value):
            self.retry = int(value) / 1000
        return None

    def _ended(self) -> Event | None:
        self.id = self._next_id
        event = None
        if self._data:
            event = Event(self._name or "message", "\n".join(self._data), self.id)
        self._name, self._data, self._size = "", [], 0
        return event

    @staticmethod
    def _require_size(size: int) -> None:
        if size > MOST:
            raise ValueError(f"an event of more than {MOST} bytes")
