"""The request as the publisher gets it: what was sent is data, and never a way to walk.

Field names of Zope may ask for more than a value: ``x:int`` is converted, ``x:method`` goes on
with the path.  What cannot be converted is the sender's mistake; the path is what the address
says, since the gate in front of the portal has read that and nothing else.
"""

from collections.abc import Iterable
from urllib.parse import parse_qsl

import grok
from zope.app.publication.interfaces import IBrowserRequestFactory
from zope.publisher.browser import BrowserRequest
from zope.publisher.interfaces import BadRequest

from waeup.kofa import meters


class Request(BrowserRequest):
    """A browser's request."""

    # A slot of each class: zope.interface writes interfaces to classes and to requests.
    __slots__ = ("__provides__", "_is_handed_on", "_is_repeated")

    def retry(self) -> "Request":
        """Return a request for another attempt, after a conflict.

        It reads what this one has kept of the body.
        """
        meters.conflict(meters.IN_REQUEST)
        again: Request = super().retry()
        self._is_handed_on = again._is_repeated = True
        return again

    def close(self) -> None:
        """Close what was kept of a long body, unless another request reads it."""
        body = self._body_instream
        super().close()
        if body is None:
            return
        if not getattr(self, "_is_handed_on", False):
            body.cacheStream.close()
        if getattr(self, "_is_repeated", False):
            # That of the first request is the server's.
            body.stream.close()

    def processInputs(self) -> None:
        """Read the form; that of a file that is sent by PUT is the query of the address.

        Raises `BadRequest` for what no browser sends from our pages: wrong multipart, unknown
        character sets, values that do not fit their field's suffix.
        """
        try:
            if self.method == "PUT":
                self.form.update(_query_of(self._environ.get("QUERY_STRING", "")))
            else:
                super().processInputs()
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise BadRequest(str(error)) from error

    def setPathSuffix(self, steps: Iterable[str]) -> None:
        """Raise `BadRequest`: a field's name (``x:method``, ``x:action``) is no path."""
        raise BadRequest("A field of the form names a method.")


def _query_of(text: str) -> dict[str, str]:
    """Return the fields of a query; raises `ValueError` for no UTF-8, and a field twice."""
    pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=10)
    if len(pairs) > len(dict(pairs)):
        raise ValueError("A field is there twice.")
    return dict(pairs)


grok.global_utility(Request, provides=IBrowserRequestFactory, direct=True)
