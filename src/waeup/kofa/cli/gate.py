"""The gate before the portal: a WSGI filter that lets through what the portal's pages send.

The publisher knows more ways in than the portal needs: addresses that change the host of links
or lead to the site's utilities, XML-RPC, WebDAV, basic authentication.  They end here, before
anything of the request is parsed.  What passes is a page or a static file by GET or HEAD, a
form by POST, or the file of a person who has logged in by PUT to the upload page.  Every answer,
of the portal and of the gate, leaves with the same safe headers.

The addresses of the HTTP API have an application of their own, which has its own rules.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from waeup.kofa.api.addresses import is_own
from waeup.kofa.api.http import is_host
from waeup.kofa.browser.faults import REFERENCE_HEADER, log_fault
from waeup.kofa.browser.page import FORM_LIMIT, SECURITY_HEADERS
from waeup.kofa.browser.publication import RETRY
from waeup.kofa.jobs.outages import first_line, is_away

log = logging.getLogger("SiteError")

Environment = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]
Application = Callable[[Environment, StartResponse], Iterable[bytes]]

#: Largest request in bytes that is not an upload; the longest form has a thousand columns.
SMALL_REQUEST = FORM_LIMIT
#: End of the only path that takes more.
UPLOAD = "/datacenter/upload"

_METHODS = ("GET", "HEAD", "POST")
_MULTIPART = "multipart/form-data"
_FORMS = ("application/x-www-form-urlencoded", _MULTIPART)
# What the script of the upload page sends a file as.
_PUT, _FILE = "PUT", "application/octet-stream"
_ABSOLUTE_URL = ("absolute_url", "@@absolute_url")
# What zope.publisher would make a log-in, a character set or a file name of.
_AUTHORIZATION = ("HTTP_AUTHORIZATION", "HTTP_CGI_AUTHORIZATION")
_RESOURCE = re.compile(r"\+\+resource\+\+[A-Za-z0-9_.-]+")
_LANGUAGES = re.compile(r"[A-Za-z0-9*,;=. -]{0,500}")


class Refusal(NamedTuple):
    """An answer of the gate itself: `status`, a `text` for people, and more `headers`."""

    status: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()


BAD_REQUEST = Refusal("400 Bad Request", "The address or a header of the request is damaged.")
NOT_FOUND = Refusal("404 Not Found", "There is no such page.")
METHOD_NOT_ALLOWED = Refusal(
    "405 Method Not Allowed",
    f"The portal answers {', '.join(_METHODS)}.",
    (("Allow", ", ".join(_METHODS)),),
)
TOO_LARGE = Refusal(
    "413 Content Too Large",
    "A form can have 1 MB. Only the upload page of the data center takes more, and only from "
    "people who have logged in: log in again, and repeat the upload. A list of keys for an export "
    "that is longer is for the command `kofactl export --keys`.",
)
CROWDED = Refusal(
    "503 Service Unavailable",
    "Too many large files are coming at this moment. Send yours again in a minute.",
    (("Retry-After", str(RETRY)),),
)
TOO_SLOW = Refusal(
    "408 Request Timeout",
    "The file came too slowly, and others waited for its place. Send it again.",
    (("Retry-After", str(RETRY)),),
)
UNSUPPORTED_TYPE = Refusal(
    "415 Unsupported Media Type",
    f"Send a form: {' or '.join(_FORMS)}.",
    (("Accept-Post", ", ".join(_FORMS)),),
)
UNSUPPORTED_FILE = Refusal(
    "415 Unsupported Media Type",
    f"Send the file itself: {_FILE}.",
)
AWAY = Refusal(
    "503 Service Unavailable",
    "The portal cannot reach its database at the moment. Try again in a moment.",
    (("Retry-After", str(RETRY)),),
)
NOT_LOGGED_IN = Refusal(
    "403 Forbidden",
    "Only people who have logged in can bring files: log in again, and repeat the upload.",
)


def failed(reference: str) -> Refusal:
    """Return the answer for a failure whose traceback is in the log by a reference."""
    return Refusal(
        "500 Internal Server Error",
        "The portal failed. Try again in a moment. If it happens again, tell the administrator "
        f"this reference: {reference}",
        ((REFERENCE_HEADER, reference),),
    )


class Gate:
    """The filter around `application`, the portal as a WSGI application.

    `is_logged_in` tells of an environment whether its cookies are those of a person who has
    logged in.  It is asked only for requests that are larger than `SMALL_REQUEST`, or by PUT.
    `api` answers what is for the HTTP API; without it, there is none.
    """

    def __init__(
        self,
        application: Application,
        is_logged_in: Callable[[Environment], bool],
        api: Application | None = None,
    ) -> None:
        self._application = application
        self._is_logged_in = is_logged_in
        self._api = api

    def __call__(self, environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            if status.startswith("500") and exc_info is None and not _has_reference(headers):
                raise RuntimeError("The page about an error failed itself; see the entries above.")
            return start_response(status, secured(headers), exc_info)

        try:
            if self._api is not None and is_own(environment.get("PATH_INFO", "")):
                body = self._api(environment, start)
            else:
                refusal = self._refusal(environment)
                if refusal is not None:
                    return _answer(refusal, environment, start)
                body = self._application(_cleaned(environment), start)
        except Exception as error:
            if is_away(error):
                log.warning("The database is away: %s", first_line(error))
                return _answer(AWAY, environment, start, sys.exc_info())
            # The publisher shows pages for errors of the portal; this one was its own.
            reference = log_fault(
                error, environment["REQUEST_METHOD"], environment.get("PATH_INFO", "")
            )
            return _answer(failed(reference), environment, start, sys.exc_info())
        return _without_body(body) if environment["REQUEST_METHOD"] == "HEAD" else body

    def _refusal(self, environment: Environment) -> Refusal | None:
        """Return why a request does not pass, or None."""
        method = environment["REQUEST_METHOD"]
        if method not in (*_METHODS, _PUT):
            return METHOD_NOT_ALLOWED
        try:
            path = environment.get("PATH_INFO", "").encode("latin-1").decode("utf-8")
        except UnicodeError:
            return BAD_REQUEST
        if not is_host(environment.get("HTTP_HOST", "")):
            return BAD_REQUEST
        if not _is_way(path.split("/")):
            return NOT_FOUND
        content_type = environment.get("CONTENT_TYPE", "")
        if method == _PUT:
            return self._refusal_of_file(environment, path, content_type)
        if _length(environment) > SMALL_REQUEST and not (
            is_upload(method, path, content_type) and self._is_logged_in(environment)
        ):
            return TOO_LARGE
        if method == "POST" and _media_type(content_type) not in _FORMS:
            return UNSUPPORTED_TYPE
        return None

    def _refusal_of_file(
        self, environment: Environment, path: str, content_type: str
    ) -> Refusal | None:
        """Return why a file that is sent by PUT does not pass, or None."""
        if not path.endswith(UPLOAD):
            return METHOD_NOT_ALLOWED
        if not is_upload(_PUT, path, content_type):
            return UNSUPPORTED_FILE
        return None if self._is_logged_in(environment) else NOT_LOGGED_IN


def is_upload(method: str, path: str, content_type: str) -> bool:
    """Tell whether a request is sent by the upload page, and thus may be large."""
    return path.endswith(UPLOAD) and (method, _media_type(content_type)) in (
        ("POST", _MULTIPART),
        (_PUT, _FILE),
    )


def secured(headers: Headers) -> Headers:
    """Return headers of an answer with the safe ones, and without what names the software."""
    kept = [(name, value) for name, value in headers if name.lower() != "x-powered-by"]
    there = {name.lower() for name, _ in kept}
    added = [item for item in SECURITY_HEADERS.items() if item[0].lower() not in there]
    return kept + added


def _is_way(names: Sequence[str]) -> bool:
    """Tell whether the names of a path, the first of them '', may be walked.

    Of the namespaces of Zope (``++etc++site``, ``++vh++http:host:80``) only static files pass;
    their short form ``@@`` stands directly below the portal, elsewhere it fails.
    ``absolute_url`` is a view of every object that is for programs only.
    """
    return "@@" not in (*names[:2], *names[3:]) and not any(
        (name.startswith("++") and not _RESOURCE.fullmatch(name))
        or name in _ABSOLUTE_URL
        or "\0" in name
        for name in names
    )


def _has_reference(headers: Headers) -> bool:
    """Tell whether an answer is a page of ours about an error, not the publisher's last word."""
    return any(name.lower() == REFERENCE_HEADER.lower() for name, _ in headers)


def _length(environment: Environment) -> int:
    """Return the bytes of the body; the server has counted those that came in chunks."""
    return int(environment.get("CONTENT_LENGTH") or 0)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _cleaned(environment: Environment) -> Environment:
    """Return what the portal gets to see of `environment`.

    There are no accounts for basic authentication, all pages are UTF-8, and cookies of other
    applications on the host need not be understood.
    """
    cleaned = {
        name: value
        for name, value in environment.items()
        if name not in _AUTHORIZATION and name != "HTTP_ACCEPT_CHARSET"
    }
    if not _LANGUAGES.fullmatch(cleaned.get("HTTP_ACCEPT_LANGUAGE", "")):
        del cleaned["HTTP_ACCEPT_LANGUAGE"]
    if "HTTP_COOKIE" in cleaned:
        cleaned["HTTP_COOKIE"] = ";".join(filter(_is_plain, cleaned["HTTP_COOKIE"].split(";")))
    if cleaned["REQUEST_METHOD"] == "HEAD":
        # The publisher would answer HEAD for some pages only.
        cleaned["REQUEST_METHOD"] = "GET"
        # Only GET knows parts of a file.
        cleaned.pop("HTTP_RANGE", None)
    if cleaned["REQUEST_METHOD"] == _PUT:
        # The publisher knows the type in this form only.
        cleaned["CONTENT_TYPE"] = _FILE
    if cleaned.get("wsgi.url_scheme") == "https":
        # zope.publisher looks for the word of an old server.
        cleaned["HTTPS"] = "on"
    return cleaned


def _is_plain(cookie: str) -> bool:
    """Tell whether a cookie is read as it stands: ASCII, without quotes and escapes."""
    return cookie.isascii() and '"' not in cookie and "\\" not in cookie


def _answer(
    refusal: Refusal, environment: Environment, start: StartResponse, exc_info: Any = None
) -> Iterable[bytes]:
    """Answer with a refusal."""
    body = f"{refusal.text}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *refusal.headers,
    ]
    start(refusal.status, headers, exc_info)
    return [] if environment["REQUEST_METHOD"] == "HEAD" else [body]


def _without_body(body: Iterable[bytes]) -> Iterable[bytes]:
    """Close the body of an answer to HEAD."""
    close = getattr(body, "close", None)
    if close is not None:
        close()
    return []
