"""Pages that begin to be sent before all of them is known.

The layout with the beginning and the end of the page is made within the request, as of any page.
What stands between is made while it is sent: the transaction of the request and its database
connection are over by then, thus it must not use them.
"""

import secrets
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import grok
from zope.interface import implementer
from zope.publisher.interfaces.http import IResult

from waeup.kofa.browser.page import Page


class StreamedPage(Page):
    """A page whose template shows `stream` where the parts of `parts` are sent."""

    grok.baseclass()

    @cached_property
    def stream(self) -> str:
        """What stands in the page for the parts; nobody can guess it."""
        return f"<!--{secrets.token_hex(16)}-->"

    def parts(self) -> Iterator[str] | None:
        """Return what generates the parts as HTML, or None for a page without any."""
        raise NotImplementedError

    def answer(self) -> Any:
        """See `Page`."""
        page = super().answer()
        parts = None if page is None else self.parts()
        if parts is None:
            return page
        # Proxies must not wait for the end, either.
        self.response.setHeader("X-Accel-Buffering", "no")
        beginning, _mark, end = page.partition(self.stream)
        return Streamed(beginning, parts, end)


@implementer(IResult)
class Streamed:
    """Sends a page part by part; the server closes it, also when nobody reads to the end."""

    def __init__(self, beginning: str, parts: Iterator[str], end: str) -> None:
        self._sent = self._all(beginning, parts, end)

    def __iter__(self) -> Iterator[bytes]:
        """Generate the bytes."""
        return self._sent

    def close(self) -> None:
        """Stop what makes the parts."""
        self._sent.close()

    def _all(self, beginning: str, parts: Iterator[str], end: str) -> Any:
        yield beginning.encode("utf-8")
        for part in parts:
            yield part.encode("utf-8")
        yield end.encode("utf-8")
