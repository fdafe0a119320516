"""The HTTP API of the portal: operations as JSON, for programs that hold a token.

A WSGI application in front of the publisher, at `ROOT`.  Each request has a database connection
and a transaction of its own, and what it did is committed before the answer leaves; after a
conflict it is carried out again.  Nothing but JSON is parsed, no cookie is looked at, and
whatever goes wrong is told as a problem (`waeup.kofa.api.problems`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote

import transaction
from transaction.interfaces import TransientError
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Request, Response
from zope.component.hooks import site as site_set

from waeup.kofa.api import answers, tus
from waeup.kofa.api.acting import acting_by, require_storage
from waeup.kofa.api.addresses import HANDLERS, find, path_of
from waeup.kofa.api.asking import MOST_JSON, Asking
from waeup.kofa.api.context import Handler, Value
from waeup.kofa.api.events import Streams
from waeup.kofa.api.problems import Refusal
from waeup.kofa.api.route import ROOT, Route
from waeup.kofa.api.throttle import Left, Throttle
from waeup.kofa.errors import InvalidStoragePath, ItemBusy, StorageFault, TooLarge
from waeup.kofa.jobs.connection import connected
from waeup.kofa.operations import Operations
from waeup.kofa.operations.files import largest_upload
from waeup.kofa.tokens import Grant, authenticate, keep_as_it_is, touch
from waeup.kofa.transactional import give_way

if TYPE_CHECKING:
    from ZODB.DB import DB

Environment = dict[str, Any]

#: How often a request is carried out when other transactions are in the way.
ATTEMPTS = 8
#: Seconds before the second attempt; each further one waits longer.
PAUSE = 0.01
#: Streams of events, and exports at once, at a time, unless it is said otherwise.
STREAMS = 2
#: What nobody may ask for without a token.
_CHALLENGE = ("WWW-Authenticate", 'Bearer realm="Kofa"')
#: A token, wherever it stands.
_TOKEN = re.compile(r"kofa_[0-9a-f]{4,}_")
#: What a host is called: a name, or an address in brackets, and perhaps a port.
_HOST = re.compile(r"(?:[A-Za-z0-9._-]*|\[(?P<address>[0-9A-Fa-f:.]*)\])(?::[0-9]{0,5})?")
#: What can be asked for while the files of the data center cannot be reached.
_WITHOUT_FILES = {"Account", "Users", "Settings", "Mail", "Storage", "System", "Webhooks"}


class Api:
    """The application for the portal at `site_path` in `database`.

    At most `streams` streams of events and exports at once there are at a time, each of which
    takes a thread.
    """

    def __init__(
        self,
        database: "DB",
        site_path: str,
        *,
        streams: int = STREAMS,
    ) -> None:
        self.database = database
        self.site_path = site_path
        self.streams = Streams(streams)
        self.throttle = Throttle()

    def __call__(self, environment: Environment, start_response: Any) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        request = Request(environment, populate_request=False)
        base, call = "", None
        try:
            if not is_host(environment.get("HTTP_HOST", "")):
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
        found, variables = find(request.method, names)
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
    handlers: Sequence[Handler] = HANDLERS

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
        return Asking(self, self._found).answer()

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


def is_host(text: str) -> bool:
    """Tell whether a header Host is that of a request that is not damaged."""
    found = _HOST.fullmatch(text)
    if found is None or found["address"] is None:
        return found is not None
    try:
        IPv6Address(found["address"])
    except ValueError:
        return False
    return True


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
