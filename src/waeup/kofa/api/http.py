"""The HTTP API of the portal: operations as JSON, for programs that hold a token.

A WSGI application in front of the publisher, at `ROOT`.  Each request has a database connection
and a transaction of its own, and what it did is committed before the answer leaves; after a
conflict it is carried out again.  Nothing but JSON is parsed, no cookie is looked at, and
whatever goes wrong is told as a problem (`waeup.kofa.api.problems`).
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, unquote, urlencode

import transaction
from transaction.interfaces import TransientError
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import get_input_stream
from zope.component.hooks import site as site_set

from waeup.kofa.api import answers, events, pages, passing, plain, tus
from waeup.kofa.api.acting import acting_by, require_storage
from waeup.kofa.api.context import Handler, Value
from waeup.kofa.api.events import Streams
from waeup.kofa.api.matching import Table
from waeup.kofa.api.plain import NotPlain, Wrong
from waeup.kofa.api.problems import Refusal
from waeup.kofa.api.route import LONGEST_PAGE, PAGE, ROOT, Route
from waeup.kofa.api.routes import ROUTES
from waeup.kofa.api.throttle import Left, Throttle
from waeup.kofa.errors import InvalidStoragePath, ItemBusy, StorageFault, TooLarge
from waeup.kofa.jobs.connection import connected
from waeup.kofa.operations import Operations
from waeup.kofa.operations.files import largest_upload
from waeup.kofa.replies import Reply, keep_reply, replies_of
from waeup.kofa.spool.disk import CHUNK
from waeup.kofa.tokens import SHAPE, Grant, authenticate, keep_as_it_is, touch
from waeup.kofa.transactional import give_way

if TYPE_CHECKING:
    from ZODB.DB import DB

Environment = dict[str, Any]

#: How often a request is carried out when other transactions are in the way.
ATTEMPTS = 8
#: Seconds before the second attempt; each further one waits longer.
PAUSE = 0.01
#: Streams of events at a time, unless it is said otherwise.
STREAMS = 2
#: Bytes of a JSON body at most.
MOST_JSON = 1024 * 1024
#: The media types of bodies.
JSON, FILE = "application/json", "application/octet-stream"
#: What nobody may ask for without a token.
_CHALLENGE = ("WWW-Authenticate", 'Bearer realm="Kofa"')
#: A token, wherever it stands.
_TOKEN = re.compile(r"kofa_[0-9a-f]{4,}_")
_BEARER = re.compile(rf"bearer +{SHAPE.pattern}", re.ASCII | re.IGNORECASE)
#: Items that may have come in front of a list since its last page was given.
_SLACK = 50
#: What a host is called in a request that is not damaged.
HOST = re.compile(r"[A-Za-z0-9._-]*(?::[0-9]{0,5})?|\[[0-9A-Fa-f:.]*\](?::[0-9]{0,5})?")
_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)
#: Headers of an answer that are kept with it.
_KEPT_HEADERS = ("Content-Type", "Location")
#: What can be asked for while the files of the data center cannot be reached.
_WITHOUT_FILES = {"Account", "Users", "Settings", "Mail", "Storage", "System", "Webhooks"}
_CURSOR = re.compile(r"([0-9]{1,6})~(.*)", re.DOTALL)


class Api:
    """The application for the portal at `site_path` in `database`.

    At most `streams` streams of events are sent at a time, each of which takes a thread.
    """

    def __init__(
        self,
        database: "DB",
        site_path: str,
        *,
        handlers: Sequence[Handler] | None = None,
        streams: int = STREAMS,
    ) -> None:
        self.database = database
        self.site_path = site_path
        self.streams = Streams(streams)
        self.throttle = Throttle()
        self._table = _table() if handlers is None else Table((*ROUTES, *handlers))

    def __call__(self, environment: Environment, start_response: Any) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        request = Request(environment, populate_request=False)
        base, call = "", None
        try:
            if not HOST.fullmatch(environment.get("HTTP_HOST", "")):
                raise Refusal("bad-request", "The header Host is damaged.")
            base = request.url_root.rstrip("/")
            call = self._call(request, base)
            response = call.answer()
        except RequestRedirect as redirect:
            response = redirect.get_response()
        except Exception as error:
            response = self._answer_to_error(error, request, base, call)
        if call is not None and call.left is not None:
            _tell_limit(response, call.left)
        response.headers.setdefault("Vary", "Authorization")
        tus.add_version(response, request.method, environment.get("PATH_INFO", ""))
        return response(environment, start_response)

    def stop(self) -> None:
        """Let the streams of events end, and no other one begin."""
        self.streams.stop()

    def _call(self, request: Request, base: str) -> "Call":
        """Return what answers a request; raises what is to be told as a problem."""
        if _TOKEN.search(f"{request.path} {unquote(request.query_string.decode('latin-1'))}"):
            raise Refusal(
                "bad-request",
                "A token must not stand in an address, which is kept in logs. Revoke it, make "
                "another one, and send that in the header Authorization.",
            )
        names = path_of(request.environ)
        if not names:
            raise RequestRedirect(f"{request.root_path}{ROOT}/")
        found, variables = self._table.find(request.method, names)
        return Call(self, request, found, variables, base)

    def _answer_to_error(
        self, error: Exception, request: Request, base: str, call: "Call | None"
    ) -> Response:
        error, reference = answers.noted(error, request, "" if call is None else call.user)
        return answers.problem_answer(error, base=base, reference=reference)


class Call:
    """A request, and the portal for who has sent it; see `waeup.kofa.api.context.Context`."""

    #: What is left of the requests that the token may send, when that is known.
    left: Left | None = None
    #: Whose token it is, as soon as that is known.
    user = ""

    def __init__(
        self,
        api: Api,
        request: Request,
        found: Route | Handler,
        variables: Mapping[str, str],
        base: str,
    ) -> None:
        self.api = api
        self.streams = api.streams
        self.request = request
        self.variables = variables
        self.base = base
        self._found = found
        self._is_counted = False

    def answer(self) -> Response:
        """Return the answer; raises what is to be told as a problem."""
        if isinstance(self._found, Handler):
            if self._found.needs_token:
                # Who has none is told so first, whatever else is wrong.
                with connected(self.api.database, self.api.site_path) as site:
                    self._granted(site)
            return self._found.answer(self)
        return _Asking(self, self._found).answer()

    def carry_out(
        self, work: Callable[[Operations], Value], *, reading: bool, repeatable: bool = True
    ) -> Value:
        """See `waeup.kofa.api.context.Context`."""
        for attempt in range(ATTEMPTS):
            try:
                with connected(self.api.database, self.api.site_path) as site, site_set(site):
                    grant = self._granted(site)
                    if not reading:
                        # What it does comes before it is revoked, or not at all.
                        keep_as_it_is(site, grant.id)
                    if self._found.tag not in _WITHOUT_FILES:
                        _require_files(site)
                    with acting_by(site, grant.for_reading() if reading else grant) as operations:
                        value = work(operations)
                        try:
                            transaction.get().note(f"API, {grant.user}, token {grant.id}")
                            transaction.commit()
                        except BaseException:
                            if isinstance(value, Response):
                                # It may have an open file.
                                value.close()
                            raise
                        return value
            except TransientError:
                if not repeatable:
                    break
                give_way(attempt, PAUSE)
        raise ItemBusy(
            "Others kept changing the same data, and nothing was stored. Repeat the request."
        )

    def upload_limit(self) -> int:
        """See `waeup.kofa.api.context.Context`."""
        with connected(self.api.database, self.api.site_path) as site, site_set(site):
            return largest_upload()

    @property
    def token(self) -> str:
        """What stands in the header Authorization as a token, '' for anything else."""
        texts = self.request.headers.getlist("Authorization")
        kind, _, text = (texts[0] if len(texts) == 1 else "").partition(" ")
        return text.strip() if kind.lower() == "bearer" else ""

    def _granted(self, site: Any) -> Grant:
        """Return what the token allows; raises `Refusal` when there is none that is valid.

        A request is counted once, however often it is carried out.
        """
        grant = authenticate(site, self.token)
        address = self.request.remote_addr or ""
        if grant is None:
            self._refuse_token(address)
        self.user = grant.user
        if not self._is_counted:
            self._is_counted = True
            touch(site, grant.id, address=address)
            self.left = self.api.throttle.count_request(grant.id)
            if self.left is not None and self.left.is_over:
                raise _too_many(self.left, "The token has been used too often")
        return grant

    def _refuse_token(self, address: str) -> NoReturn:
        header = _CHALLENGE
        if "Authorization" in self.request.headers:
            left = self.api.throttle.count_wrong_token(address)
            if left is not None and left.is_over:
                raise _too_many(left, "Too many wrong tokens came from your address")
            header = (_CHALLENGE[0], f'{_CHALLENGE[1]}, error="invalid_token"')
        raise Refusal("no-token", "Send a valid token in the header Authorization.", [header])


class _Asking:
    """A request for a single operation."""

    def __init__(self, call: Call, route: Route) -> None:
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
                outcome = operation(**arguments, **{route.written: file})
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


def all_handlers() -> tuple[Handler, ...]:
    """Return all addresses that are no single operations."""
    return (*pages.HANDLERS, *events.HANDLERS, *tus.HANDLERS)


@cache
def _table() -> Table:
    return Table((*ROUTES, *all_handlers()))


def may_be_large(method: str, path: str, authorization: str) -> bool:
    """Tell whether a request brings a file, and thus may be large, before its body has come.

    `path` is as WSGI has it.  Only with what looks like a token, in the header Authorization.
    """
    if not _BEARER.fullmatch(authorization.strip()):
        return False
    try:
        found, _variables = _table().find(method, path_of({"PATH_INFO": path}))
    except Refusal:
        return False
    return found.takes_file if isinstance(found, Handler) else bool(found.sent)


def refused_by_server(
    status: int, text: str, method: str, path: str
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status, headers and body of what the server refuses before it is a request.

    `method` and `path` are those of the request, as far as they are known.
    """
    if status == 413:
        error: Exception = TooLarge(
            "The body is too large. Files go to the addresses for files, with a valid token; of "
            f"others it can have {MOST_JSON} bytes."
        )
    elif status == 503:
        error = Refusal("too-many-files", text)
    elif status == 408:
        error = Refusal("too-slow", text)
    else:
        error = Refusal("bad-request", f"The request cannot be read: {text}.")
    response = answers.problem_answer(error)
    tus.add_version(response, method, path)
    return response.status, response.headers.to_wsgi_list(), response.get_data()


def is_own(path: str) -> bool:
    """Tell whether a path, as WSGI has it, is one of the API."""
    return path == ROOT or path.startswith(ROOT + "/")


def path_of(environment: Mapping[str, Any]) -> list[str]:
    """Return the names of a path below `ROOT`; a name may have an encoded slash.

    Raises `Refusal` for bytes that are no UTF-8.
    """
    # The server's own form, where an encoded slash can be told from one that parts names.
    raw = environment.get("REQUEST_URI", "").partition("?")[0]
    try:
        path = environment.get("PATH_INFO", "").encode("latin-1").decode("utf-8")
        names = [unquote(name, errors="strict") for name in raw.split("/")]
        # Not for one in `ROOT`: whoever lets some addresses pass in front of us sees the path.
        if "/".join(names) != path or names[:3] != ROOT.split("/"):
            names = path.split("/")
        return names[3:]
    except UnicodeError:
        raise Refusal("bad-request", "The address is no UTF-8.")


def _tell_limit(response: Response, left: Left) -> None:
    response.headers["RateLimit-Limit"] = str(left.limit)
    response.headers["RateLimit-Remaining"] = str(left.remaining)
    response.headers["RateLimit-Reset"] = str(left.seconds)


def _too_many(left: Left, what: str) -> Refusal:
    return Refusal(
        "too-many-requests",
        f"{what}: {left.limit} requests in a minute are possible. Wait {left.seconds} seconds.",
        [("Retry-After", str(left.seconds))],
    )


def _require_files(site: Any) -> None:
    """Raise `StorageFault` while the files of the data center cannot be reached."""
    try:
        require_storage(site)
    except InvalidStoragePath:
        raise StorageFault(
            "The data center cannot reach its files. Tell the administrator of the portal."
        )


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
