"""A request for a single operation: what it asks, and what it is answered.

One that is sent again with its Idempotency-Key gets the answer of the first time; long lists
come in parts.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import get_input_stream

from waeup.kofa.api import answers, passing, plain
from waeup.kofa.api.context import Context
from waeup.kofa.api.plain import NotPlain, Wrong
from waeup.kofa.api.problems import Refusal
from waeup.kofa.api.route import LONGEST_PAGE, PAGE, ROOT, Route
from waeup.kofa.errors import TooLarge
from waeup.kofa.operations import Operations
from waeup.kofa.replies import Reply, keep_reply, replies_of
from waeup.kofa.spool.disk import CHUNK

#: Bytes of a JSON body at most.
MOST_JSON = 1024 * 1024
#: The media types of bodies.
JSON, FILE = "application/json", "application/octet-stream"
#: Media types of tables, besides bytes of any kind.
_TABLES = (
    "text/csv",
    "text/tab-separated-values",
    "text/plain",
    "application/gzip",
    "application/zip",
    "application/vnd.ms-excel",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
#: Items that may have come in front of a list since its last page was given.
_SLACK = 50
#: Headers of an answer that are kept with it.
_KEPT_HEADERS = ("Content-Type", "Location")
_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)
_CURSOR = re.compile(r"([0-9]{1,6})~(.*)", re.DOTALL)


class Asking:
    """A request for a single operation."""

    def __init__(self, call: Context, route: Route) -> None:
        self._call = call
        self._request = call.request
        self._route = route

    def answer(self) -> Response:
        """Carry the operation out, and return the answer."""
        raw = self._request.environ["wsgi.input"]
        if "Idempotency-Key" in self._request.headers and not raw.seekable():
            raise Refusal("bad-request", "An Idempotency-Key needs a body that can be read twice.")
        return self._call.carry_out(
            self._respond_once,
            reading=self._route.is_reading,
            repeatable=not self._route.sent or raw.seekable(),
        )

    def _respond(self, operations: Operations) -> Response:
        route, arguments = self._route, dict(self._arguments)
        if route.sent:
            arguments[route.sent] = self._stream()
        operation = getattr(operations, route.operation)
        if route.gives_file:
            return self._file(operation, arguments)
        if route.key is not None:
            value, following = self._part(operation, arguments)
        else:
            value = operation(**arguments)
            following = self._following(value, arguments)
        return self._json(value, arguments, following)

    def _respond_once(self, operations: Operations) -> Response:
        """Answer as before when the request was carried out already, else carry it out."""
        key = self._key
        if key is None:
            return self._respond(operations)
        grant = operations.grant
        assert grant is not None
        now, digest = datetime.now(timezone.utc), self._digest
        replies = replies_of(operations.datacenter)
        reply = None if replies is None else replies.find(grant.user, key, now)
        if reply is not None:
            if not hmac.compare_digest(reply.digest, digest):
                raise Refusal(
                    "key-reused",
                    "Another request was sent with this Idempotency-Key, or with another token. "
                    "Choose a new key for each request.",
                )
            return _again(reply)
        response = self._respond(operations)
        headers = tuple(
            (name, value) for name, value in response.headers.items() if name in _KEPT_HEADERS
        )
        body = None if self._route.gives_secret else response.get_data()
        made = Reply(digest, now, response.status_code, headers, body)
        keep_reply(operations.site, grant.user, key, made)
        return response

    @cached_property
    def _key(self) -> str | None:
        """The key by which a request that is sent again is known."""
        texts = self._request.headers.getlist("Idempotency-Key")
        if not texts or self._route.is_reading:
            return None
        if len(texts) > 1 or not _KEY.fullmatch(texts[0]):
            raise _wrong("Idempotency-Key", "Give 1 to 200 visible characters of ASCII once.")
        return texts[0]

    @cached_property
    def _digest(self) -> bytes:
        """What tells this request from others; who knows the database cannot guess what it was."""
        request = self._request
        made = hmac.new(self._call.token.encode("utf-8"), digestmod=hashlib.sha256)
        for part in (request.method, request.path, request.query_string.decode("latin-1")):
            made.update(len(part).to_bytes(8, "big") + part.encode("utf-8", "surrogatepass"))
        if self._route.sent:
            stream = self._stream()
            while block := stream.read(CHUNK):
                made.update(block)
        else:
            made.update(self._text)
        return made.digest()

    def _stream(self) -> Any:
        """Return the body from its beginning, also when it was read before."""
        raw = self._request.environ["wsgi.input"]
        if raw.seekable():
            raw.seek(0)
        return get_input_stream(self._request.environ)

    @cached_property
    def _text(self) -> bytes:
        """The body of a request whose body is not a file."""
        text = self._request.stream.read(MOST_JSON + 1)
        if len(text) > MOST_JSON:
            raise TooLarge(f"The body has more than {MOST_JSON} bytes. Split it.")
        return text

    @cached_property
    def _arguments(self) -> dict[str, Any]:
        """The arguments of the operation, read once, when it is known who asks."""
        route, request = self._route, self._request
        query = [
            pair for pair in _query_of(request) if not (self._is_cut and pair[0] in self._own)
        ]
        body: Any = passing.NOTHING
        if route.sent:
            self._require_type(FILE, *_TABLES)
        elif request.method not in ("GET", "HEAD", "DELETE") and _has_body(request):
            self._require_type(JSON)
            body = plain.from_text(self._text)
        elif _has_body(request):
            raise Refusal("bad-request", "This request has no body. Leave it out.")
        return passing.received(route, self._call.variables, query, body)

    def _require_type(self, *kinds: str) -> None:
        if self._request.mimetype not in kinds:
            raise Refusal(
                "unsupported-media-type",
                f"Send the body as {' or '.join(kinds[:2])}.",
                [("Accept-Post", ", ".join(kinds))],
            )

    # -- answers --------------------------------------------------------------------

    def _json(self, value: Any, arguments: Mapping[str, Any], following: str) -> Response:
        route = self._route
        status = route.status
        if route.returns is type(None):
            response = answers.empty_answer(204 if status == 200 else status)
        else:
            response = answers.json_answer(plain.dump(value, route.returns), status)
        if route.location:
            response.headers["Location"] = self._location(value, arguments)
        if following:
            response.headers["Link"] = f'<{following}>; rel="next"'
        return answers.tagged(self._request, response) if route.method == "GET" else response

    def _location(self, value: Any, arguments: Mapping[str, Any]) -> str:
        parts = []
        for part in self._route.location.split("/"):
            if part.startswith("{"):
                name = part[1:-1]
                part = quote(str(getattr(value, name, None) or arguments[name]), safe="")
            parts.append(part)
        return f"{self._request.root_path}{ROOT}{'/'.join(parts)}"

    def _file(self, operation: Any, arguments: dict[str, Any]) -> Response:
        request, route = self._request, self._route
        if route.written:
            file = answers.new_file()
            try:
                outcome = self._written(operation, {**arguments, route.written: file})
            except BaseException:
                file.close()
                raise
            name = export_name(arguments[route.whole])
            response = answers.file_answer(request, name, file)
            response.headers[answers.OUTCOME_HEADER] = answers.outcome_text(outcome)
            return response
        found = operation(**arguments)
        if not isinstance(found, tuple):
            return answers.file_answer(request, arguments["name"], found)
        name, content = found
        if isinstance(content, bytes):
            return answers.bytes_answer(request, name, content)
        return answers.file_answer(request, name, content)

    def _written(self, operation: Any, arguments: dict[str, Any]) -> Any:
        """Let an operation write a file, which holds a thread as long as a stream does."""
        streams = self._call.streams
        # A server of one thread has no streams, which go on and on; this comes to an end.
        streams.enter("order it as a run, whose file can be fetched afterwards", least=1)
        try:
            return operation(**arguments)
        finally:
            streams.leave()

    # -- parts of lists -------------------------------------------------------------

    @property
    def _is_cut(self) -> bool:
        return self._route.key is not None

    @property
    def _own(self) -> set[str]:
        """The parameters that are the door's own."""
        return {"after"} if self._has_limit else {"after", "limit"}

    @property
    def _has_limit(self) -> bool:
        return any(parameter.name == "limit" for parameter in self._route.parameters)

    def _part(self, operation: Any, arguments: dict[str, Any]) -> tuple[list[Any], str]:
        """Return the part of a list that is asked for, and the address of the next one."""
        index, key = self._cursor()
        if self._has_limit:
            limit = arguments.get("limit", _default_limit(self._route))
            arguments["limit"] = index + limit + 1 + (_SLACK if index else 0)
        else:
            limit = self._limit()
        items = list(operation(**arguments))
        start = _place_of(items, self._route.key, index, key) if index else 0
        part = items[start : start + limit]
        if len(items) <= start + limit or not part:
            return part, ""
        last = getattr(part[-1], self._route.key or "")
        return part, self._address(after=f"{start + limit}~{last}")

    def _cursor(self) -> tuple[int, str]:
        texts = self._request.args.getlist("after")
        if not texts:
            return 0, ""
        found = _CURSOR.fullmatch(texts[0])
        if found is None or len(texts) > 1:
            raise _wrong("after", "Follow the link of the last answer with rel=next.")
        return int(found[1]), found[2]

    def _limit(self) -> int:
        texts = self._request.args.getlist("limit")
        if not texts:
            return PAGE
        if len(texts) > 1 or not re.fullmatch(r"[0-9]{1,6}", texts[0], re.ASCII):
            raise _wrong("limit", "Give a whole number once.")
        if not 1 <= int(texts[0]) <= LONGEST_PAGE:
            raise _wrong("limit", f"Give a whole number from 1 to {LONGEST_PAGE}.")
        return int(texts[0])

    def _following(self, value: Any, arguments: Mapping[str, Any]) -> str:
        """Return the address of the part behind this one, of a list that is asked for in parts."""
        route = self._route
        if not route.takes_start or not isinstance(value, list):
            return ""
        limit = arguments.get("limit", _default_limit(route))
        start = arguments.get("start", 0)
        return self._address(start=start + limit) if len(value) >= limit else ""

    def _address(self, **changed: Any) -> str:
        """Return the address of this request with other parameters."""
        kept = [pair for pair in _query_of(self._request) if pair[0] not in changed]
        query = urlencode([*kept, *((name, str(value)) for name, value in changed.items())])
        return f"{self._request.root_path}{quote(self._request.path, safe='/~@:+')}?{query}"


def _again(reply: Reply) -> Response:
    """Return an answer that was given before."""
    if reply.body is None:
        raise Refusal(
            "answer-not-kept",
            "The request was carried out, and is not again. Its answer was not kept, since it "
            "held a secret or was too long: ask for what it has made.",
        )
    response = Response(reply.body, reply.status, headers=list(reply.headers))
    response.headers["Cache-Control"] = "no-store"
    response.headers["Idempotency-Replayed"] = "true"
    if reply.status == 204:
        del response.headers["Content-Length"]
    return response


def export_name(wish: Any) -> str:
    """Return what a file with the objects of a wish is called."""
    from waeup.kofa.exporting.formats import Form

    return f"{wish.exporter}{Form.of(wish.format, wish.packing, mark=wish.mark).extension}"


def _query_of(request: Request) -> list[tuple[str, str]]:
    return list(request.args.items(multi=True))


def _has_body(request: Request) -> bool:
    return bool(request.content_length) or "chunked" in request.headers.get(
        "Transfer-Encoding", ""
    )


def _default_limit(route: Route) -> int:
    found: int = next(p.default for p in route.parameters if p.name == "limit")
    return found


def _place_of(items: Sequence[Any], key: str | None, index: int, last: str) -> int:
    """Return where a list goes on behind the item that was the last one before."""
    keys = [str(getattr(item, key or "")) for item in items]
    if 0 < index <= len(keys) and keys[index - 1] == last:
        return index
    return keys.index(last) + 1 if last in keys else index


def _wrong(parameter: str, detail: str) -> NotPlain:
    wrong = Wrong("", detail, parameter)
    return NotPlain(f"What was sent is not as it should be at {parameter}: {detail}", [wrong])
