"""The operations of a portal elsewhere: what ``kofactl --url`` holds in place of a database."""

import io
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from inspect import Parameter as Declaration
from typing import Any, BinaryIO
from urllib.parse import unquote, urlencode, urlsplit

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from waeup.kofa.api import passing, plain, sending
from waeup.kofa.api.connection import Body, Connection
from waeup.kofa.api.followed import Followed
from waeup.kofa.api.passing import NOTHING, Asked
from waeup.kofa.api.plain import NotPlain
from waeup.kofa.api.remote import Elsewhere
from waeup.kofa.api.route import LONGEST_PAGE, Route
from waeup.kofa.api.routes import UNROUTED, by_operation
from waeup.kofa.errors import NotUnderstood, Refused

#: Shows how much is done: with what it is about, gives the function to call with that (0 to 1)
#: and a text.
Bar = Callable[[str], AbstractContextManager[Callable[[float, str], object]]]

JSON, BYTES = "application/json", "application/octet-stream"
#: Header with what an export has written, beside the table (`waeup.kofa.api.answers`).
OUTCOME_HEADER = "Kofa-Outcome"
#: Bytes of a file that are asked for at once.
BLOCK = 1 << 18
#: How often a table is fetched whose transfer broke off.
FETCHES = 3
#: Operations whose answer may take long although they change nothing.
_SLOW = frozenset({"export", "export_keys"})

_NEXT = re.compile(r'<([^<>]*)>\s*;\s*rel="?next"?')
_NAME = re.compile(r"filename\*=(?:UTF-8|utf-8)''([^;\s]+)", re.ASCII)
_PLAIN_NAME = re.compile(r'filename="([^"]*)"', re.ASCII)


class Client(Elsewhere):
    """Has the methods of `waeup.kofa.operations.Operations`; a portal elsewhere carries them out.

    It has committed each call that returns.  A call raises what the operation raises, `Refused`
    for one that has no address, and what `Connection.asked` does.
    """

    is_here = False

    def __init__(self, connection: Connection, bar: Bar | None = None) -> None:
        self._connection = connection
        self._bar: Bar = bar or (lambda label: nullcontext(lambda share, text: None))

    def upload(self, filename: str, stream: BinaryIO, *, replace: bool = False) -> Any:
        """Send a file, in pieces when it is large; return what was stored."""
        with self._bar(filename) as show, sending.measured(stream) as (file, size):
            if size <= sending.AT_ONCE:
                sha = sending.sha256(file)
                token = secrets.token_hex(16)
                upload = self._call("upload", filename, file, replace=replace, token=token)
                sending.require_same(filename, sha, upload.digest)
                return upload
            id = sending.send(self._connection, filename, file, size, replace=replace, tell=show)
            return self._call("finish_upload", id)

    def export(
        self, wish: Any, stream: BinaryIO, tell: Callable[[int, float], object] | None = None
    ) -> Any:
        """Write the table into `stream`; see `waeup.kofa.operations.Operations.export`."""
        start = stream.tell() if stream.seekable() else None
        for attempt in range(1, FETCHES + 1):
            try:
                return self._export(wish, stream, tell)
            except HTTPError as error:
                if attempt == FETCHES or start is None:
                    raise self._connection.gone(error)
                stream.seek(start)
                stream.truncate()
        raise AssertionError

    def followed(self, run: Any) -> Followed:
        """Return what tells how a run goes on."""
        return Followed(self._connection, run, partial(self._call, "run", run.id))

    def _call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        route = _route(operation)
        asked = passing.asked(route, args, kwargs)
        if route.gives_file:
            return self._file(route, asked)
        if route.returns is type(None):
            with self._answer(route, asked):
                return None
        wanted = _wanted(route, args, kwargs)
        if wanted is None and route.key is None:
            with self._answer(route, asked) as answer:
                return _value(route, answer)
        return self._list(route, asked, wanted)

    def _list(self, route: Route, asked: Asked, wanted: int | None) -> Any:
        """Return all of a list that comes in parts, or as many items as are wanted."""
        limit = LONGEST_PAGE if wanted is None else min(wanted, LONGEST_PAGE)
        query = [pair for pair in asked.query if pair[0] != "limit"]
        target = f"{asked.path}?{urlencode([*query, ('limit', str(limit))])}"
        items: list[Any] = []
        while True:
            with self._answer(route, asked, target) as answer:
                value = _value(route, answer)
                following = _following(asked, target, answer.headers.get("Link", ""))
            if not isinstance(value, list):
                return value
            items += value
            if not following or not value or (wanted is not None and len(items) >= wanted):
                return items[:wanted]
            target = following

    def _file(self, route: Route, asked: Asked) -> Any:
        """Return a small file, with its name where the operation says that."""
        with self._answer(route, asked) as answer:
            content = answer.data
            name = _filename(answer.headers.get("Content-Disposition", ""))
        kinds = getattr(route.returns, "__args__", ())
        given = content if bytes in kinds else io.BytesIO(content)
        return (name, given) if kinds else given

    def _export(
        self, wish: Any, stream: BinaryIO, tell: Callable[[int, float], object] | None
    ) -> Any:
        """Write the table; raises `HTTPError` when its transfer breaks off."""
        route = _route("export")
        asked = passing.asked(route, (wish, stream), {})
        with self._answer(route, asked, streamed=True) as answer:
            size, done = int(answer.headers.get("Content-Length", "0")), 0
            for block in answer.stream(BLOCK, decode_content=True):
                stream.write(block)
                done += len(block)
                if tell is not None and size:
                    tell(0, done / size)
            text = answer.headers.get(OUTCOME_HEADER, "")
        return _loaded(text.encode("utf-8"), route.returns)

    @contextmanager
    def _answer(
        self, route: Route, asked: Asked, target: str = "", *, streamed: bool = False
    ) -> Iterator[BaseHTTPResponse]:
        """Give the answer to a request, at `target` in place of where it would go."""
        headers: Mapping[str, str] = {}
        if not route.is_reading:
            headers = {"Idempotency-Key": secrets.token_hex(16)}
        with self._connection.asked(
            asked.method,
            target or asked.target,
            body=_body(asked),
            headers=headers,
            patient=not route.is_reading or route.operation in _SLOW,
            streamed=streamed,
        ) as answer:
            yield answer


def _route(operation: str) -> Route:
    route = by_operation().get(operation)
    if route is None:
        reason = UNROUTED.get(operation, "The portal does not offer it.")
        raise Refused(
            f"That cannot be done with --url. {reason} Do it in the browser, or by kofactl on the "
            "machine of the portal."
        )
    return route


def _body(asked: Asked) -> Body | None:
    """Return what is sent with a request."""
    stream = asked.stream
    if stream is not None:
        if not stream.seekable():
            stream = io.BytesIO(stream.read())
        start = stream.tell()
        size = stream.seek(0, io.SEEK_END) - start
        stream.seek(start)
        return Body(stream, size, BYTES)
    if asked.body is NOTHING:
        return None
    text = plain.to_text(asked.body)
    return Body(text, len(text), JSON)


def _wanted(route: Route, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int | None:
    """Return how many items of a list are wanted, None for all, or for what is no list."""
    known = route.signature.parameters.get("limit")
    if known is None or not (route.key is not None or route.takes_start):
        return None
    given = route.signature.bind(None, *args, **kwargs).arguments.get("limit", known.default)
    return None if given is Declaration.empty else int(given)


def _following(asked: Asked, target: str, link: str) -> str:
    """Return where the part of a list behind that of `target` is, '' when there is none.

    Of what the portal says only the query counts: the path is known, and the server is the same.
    """
    found = _NEXT.search(link)
    if found is None:
        return ""
    parts = urlsplit(found[1])
    following = f"{asked.path}?{parts.query}"
    if not unquote(parts.path).endswith(unquote(asked.path)) or following == target:
        raise NotUnderstood(
            f"The portal names no part of a list as the next one: {found[1][:200]}"
        )
    return following


def _value(route: Route, answer: BaseHTTPResponse) -> Any:
    """Return what an operation has returned."""
    if answer.headers.get("Content-Type", "").partition(";")[0] != JSON:
        raise NotUnderstood(
            f"What answers at {answer.url or 'this address'} is no portal with an HTTP API. "
            "Compare the address."
        )
    return _loaded(answer.data, route.returns)


def _loaded(text: bytes, annotation: Any) -> Any:
    """Return the value that an answer holds; members that a newer portal adds are passed over."""
    try:
        return plain.load(plain.from_text(text), annotation, strict=False)
    except NotPlain as error:
        raise NotUnderstood(
            f"kofactl does not understand what the portal answers. {error} Both should be of the "
            "same release."
        )


def _filename(disposition: str) -> str:
    found = _NAME.search(disposition)
    if found is not None:
        return unquote(found[1])
    found = _PLAIN_NAME.search(disposition)
    return "" if found is None else found[1]
