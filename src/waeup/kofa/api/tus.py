"""Uploads that go on after a broken line, by the protocol tus 1.0.0 (https://tus.io).

Any client of that protocol can be used, with a token in the header ``Authorization``.  Of its
extensions there are ``creation``, ``creation-with-upload``, ``termination``, ``expiration`` and
``checksum``.  When all bytes of a file have come it is stored in the same request: the answer has
its name in the header ``Kofa-File``, with percent signs for what is not ASCII, and a file that is
refused is told as a problem.  Who has missed that answer asks how much has come, as the protocol
has it, and is told the same.

::

    POST  /uploads        Upload-Length, Upload-Metadata: filename, replace, digest     201
    HEAD  /uploads/{id}                                                                 200
    PATCH /uploads/{id}   Upload-Offset, Upload-Checksum, the bytes                     204
    DELETE /uploads/{id}                                                                204

Beside ``filename`` (or ``name``) the metadata can have ``replace``, for a pending file that takes
the place of the stored one, and ``digest``, the SHA-256 of the whole file in hex.  Other keys are
kept for who asks.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import wraps
from typing import Any, BinaryIO, NamedTuple, cast
from urllib.parse import quote

from werkzeug.http import http_date
from werkzeug.wrappers import Response
from werkzeug.wsgi import get_input_stream

from waeup.kofa.api import answers
from waeup.kofa.api.context import Context, Handler
from waeup.kofa.api.plain import Parts
from waeup.kofa.api.problems import Refusal
from waeup.kofa.api.route import ROOT
from waeup.kofa.errors import Fault, ItemBusy, KofaError, Refused
from waeup.kofa.operations import Operations
from waeup.kofa.operations.uploads import ALGORITHMS, LONGEST_NOTE, UploadState, checksum_of
from waeup.kofa.rights import MANAGE_DATA_CENTER

#: The version of the protocol, and the extensions of it.
VERSION = "1.0.0"
EXTENSIONS = ("creation", "creation-with-upload", "termination", "expiration", "checksum")
#: The media type of a piece.
PIECE = "application/offset+octet-stream"
#: The header with the name of the file that an upload has become.
FILE_HEADER = "Kofa-File"

_TAG = "Uploads"
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
#: What says that a pending file is not to be replaced.
_NO = ("false", "no", "0")

Answer = Callable[[Any], Response]


class Metadata(NamedTuple):
    """What is said of a file when its upload begins."""

    filename: str
    replace: bool
    digest: str
    text: str


# -- what answers ---------------------------------------------------------------------


def _of_protocol(answer: Answer) -> Answer:
    """Let an answer, also one that tells of a problem, be as the protocol has it."""

    @wraps(answer)
    def checked(context: Context) -> Response:
        try:
            if context.request.headers.get("Tus-Resumable") != VERSION:
                raise Refusal(
                    "wrong-protocol",
                    f"Send the header Tus-Resumable: {VERSION}.",
                    [("Tus-Version", VERSION)],
                )
            response = answer(context)
        except Fault:
            raise
        except (Refusal, KofaError) as error:
            response = answers.problem_answer(_as_told(error), base=context.base)
        return response

    return checked


def add_version(response: Response, method: str, path: str) -> None:
    """Let an answer name the version of the protocol, whoever gives it, where that is spoken.

    `path` is that of the request, as WSGI has it.
    """
    place = f"{ROOT}/uploads"
    if method != "OPTIONS" and (path == place or path.startswith(f"{place}/")):
        response.headers["Tus-Resumable"] = VERSION


def _as_told(error: Exception) -> Exception:
    """Return what tells of an error in the words of the protocol."""
    # Not of its kinds: who waits does not change the state of a run.
    return Refusal("upload-locked", str(error)) if type(error) is ItemBusy else error


def options(context: Context) -> Response:
    """Tell which versions and extensions of the protocol there are, and how large a file can be.

    No token is needed.
    """
    response = answers.empty_answer()
    response.headers.update(
        {
            "Tus-Resumable": VERSION,
            "Tus-Version": VERSION,
            "Tus-Extension": ",".join(EXTENSIONS),
            "Tus-Max-Size": str(context.upload_limit()),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        }
    )
    return response


@_of_protocol
def create(context: Context) -> Response:
    """Begin an upload; its first bytes may come with the same request.

    The address to go on at is in the header `Location`.
    """
    headers = context.request.headers
    for name in ("Upload-Defer-Length", "Upload-Concat"):
        if name in headers:
            raise Refusal("bad-request", f"The header {name} is of no use here: leave it out.")
    size, said = _number(context, "Upload-Length"), _metadata(headers.get("Upload-Metadata", ""))
    brings_bytes = context.request.mimetype == PIECE
    if not brings_bytes and context.request.content_length:
        raise _not_a_piece()
    state = context.carry_out(
        lambda operations: operations.begin_upload(
            said.filename, size, replace=said.replace, digest=said.digest, note=said.text
        ),
        reading=False,
    )
    id = state.id
    try:
        if brings_bytes:
            state = _append(context, id, 0)
        state = _ended(context, state)
    except KofaError:
        # Who gets no address cannot go on with it.
        with suppress(KofaError):
            context.carry_out(lambda operations: operations.drop_upload(id), reading=False)
        raise
    response = _told(context, state, 201)
    response.headers["Location"] = f"{context.request.root_path}{ROOT}/uploads/{id}"
    return response


@_of_protocol
def look(context: Context) -> Response:
    """Tell how many bytes of an upload have come.

    One that is complete is stored, unless that was done before.
    """
    id = context.variables["id"]
    state = context.carry_out(lambda operations: operations.upload_state(id), reading=True)
    response = _told(context, _ended(context, state), 200)
    response.headers["Upload-Length"] = str(state.size)
    response.headers["Upload-Metadata"] = _metadata_text(state)
    response.headers["Cache-Control"] = "no-store"
    return response


@_of_protocol
def go_on(context: Context) -> Response:
    """Send the next bytes of an upload; with the last ones it is stored."""
    if context.request.mimetype != PIECE:
        raise _not_a_piece()
    offset = _number(context, "Upload-Offset")
    state = _append(context, context.variables["id"], offset)
    return _told(context, _ended(context, state), 204)


@_of_protocol
def drop(context: Context) -> Response:
    """Give up an upload; administrators can give up those of others."""
    id = context.variables["id"]
    context.carry_out(lambda operations: operations.drop_upload(id), reading=False)
    return answers.empty_answer()


def override(context: Context) -> Response:
    """Carry out the method that the header `X-HTTP-Method-Override` names.

    For clients, and proxies, that know no other method.
    """
    method = context.request.headers.get("X-HTTP-Method-Override", "")
    if method not in _OVERRIDDEN:
        raise Refusal(
            "method-not-allowed",
            f"The header X-HTTP-Method-Override names none of {', '.join(_OVERRIDDEN)}.",
            [("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST")],
        )
    return _OVERRIDDEN[method](context)


_OVERRIDDEN: dict[str, Answer] = {"PATCH": go_on, "DELETE": drop, "HEAD": look}


# -- steps ----------------------------------------------------------------------------


def _append(context: Context, id: str, offset: int) -> UploadState:
    """Keep the body as the next bytes; after a conflict it is kept already."""
    request = context.request
    checksum = request.headers.get("Upload-Checksum", "")
    try:
        checksum_of(checksum)
    except Refused as refused:
        raise Refusal("bad-request", str(refused))
    kept: list[UploadState] = []

    def work(operations: Operations) -> UploadState:
        if not kept:
            stream = cast(BinaryIO, get_input_stream(request.environ))
            kept.append(operations.continue_upload(id, offset, stream, checksum=checksum))
        return kept[0]

    return context.carry_out(work, reading=False)


def _ended(context: Context, state: UploadState) -> UploadState:
    """Store an upload all of whose bytes have come, unless it is stored."""
    if not state.is_complete or state.stored:
        return state
    stored = context.carry_out(
        lambda operations: operations.finish_upload(state.id), reading=False
    )
    return replace(state, stored=stored.name)


def _told(context: Context, state: UploadState, status: int) -> Response:
    """Return the answer that says how far an upload is."""
    response = answers.empty_answer(status)
    response.headers["Upload-Offset"] = str(state.offset)
    if state.stored:
        name = quote(state.stored, safe="")
        response.headers[FILE_HEADER] = name
        response.headers["Location"] = f"{context.request.root_path}{ROOT}/files/{name}/content"
    else:
        response.headers["Upload-Expires"] = http_date(state.expires)
    return response


# -- what is sent ---------------------------------------------------------------------


def _number(context: Context, name: str) -> int:
    """Return the number of bytes in a header; raises `Refusal`."""
    text = context.request.headers.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise Refusal("bad-request", f"Send the header {name} with a number of bytes.")
    return int(text)


def _not_a_piece() -> Refusal:
    return Refusal(
        "unsupported-media-type",
        f"Send the bytes of a file as {PIECE}.",
        [("Accept-Post", PIECE), ("Accept-Patch", PIECE)],
    )


def _metadata(text: str) -> Metadata:
    """Return what the header Upload-Metadata says; raises `Refusal`."""
    if len(text) > LONGEST_NOTE:
        raise Refusal(
            "bad-request", f"The header Upload-Metadata has more than {LONGEST_NOTE} characters."
        )
    found: dict[str, str] = {}
    for pair in filter(None, (pair.strip() for pair in text.split(","))):
        key, _blank, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            raise Refusal(
                "bad-request",
                f"The value of {key[:80]!r} in the header Upload-Metadata is no UTF-8 in base64.",
            )
    return Metadata(
        found.get("filename") or found.get("name", ""),
        "replace" in found and found["replace"].lower() not in _NO,
        found.get("digest", ""),
        text,
    )


def _metadata_text(state: UploadState) -> str:
    """Return the header that says what is known of an upload: what it was, if that is known."""
    if state.note:
        return state.note
    values = {"filename": state.filename, **({"replace": "true"} if state.replace else {})}
    pairs = ((key, base64.b64encode(value.encode()).decode()) for key, value in values.items())
    return ",".join(f"{key} {value}" for key, value in pairs)


# -- what is said of it ---------------------------------------------------------------


def _header(about: str, kind: str = "string") -> dict[str, Any]:
    return {"description": about, "schema": {"type": kind}}


_HEADERS = {
    "Tus-Resumable": _header("The version of the protocol."),
    "Upload-Offset": _header("The bytes that have come.", "integer"),
    "Upload-Expires": _header("When the upload goes, unless bytes come."),
    FILE_HEADER: _header("The file that it has become, when all bytes have come."),
    "Location": _header("The address of the upload when it begins, of the file in the end."),
}


#: What values of headers look like.
_SHAPES: dict[str, dict[str, Any]] = {
    "Tus-Resumable": {"const": VERSION},
    "Upload-Length": {"pattern": "^[0-9]{1,15}$"},
    "Upload-Offset": {"pattern": "^[0-9]{1,15}$"},
    "X-HTTP-Method-Override": {"enum": list(_OVERRIDDEN)},
}
#: Problems that only these addresses have.
_PROBLEMS = ("405", "408", "412", "413", "415", "423", "460")


def _description(
    status: int,
    about: str,
    headers: Mapping[str, tuple[str, bool]] = {},
    *,
    body: bool = False,
    version: bool = True,
) -> Callable[[Parts], dict[str, Any]]:
    """Return what the description of an address has besides; `headers` are text and need."""
    wanted = {"Tus-Resumable": (f"Always `{VERSION}`.", True)} if version else {}
    problems = {
        status: {"$ref": f"#/components/responses/Problem{status}"}
        for status in (_PROBLEMS if version else ())
    }

    def described(parts: Parts) -> dict[str, Any]:
        found: dict[str, Any] = {
            "parameters": [
                {
                    "name": name,
                    "in": "header",
                    "required": is_needed,
                    "description": text,
                    "schema": {"type": "string", **_SHAPES.get(name, {})},
                }
                for name, (text, is_needed) in {**wanted, **headers}.items()
            ],
            "responses": {str(status): {"description": about, "headers": _HEADERS}, **problems},
        }
        if body:
            schema = {"type": "string", "format": "binary"}
            found["requestBody"] = {
                "required": "Upload-Offset" in headers,
                "content": {PIECE: {"schema": schema}},
            }
        return found

    return described


_OFFSET = {"Upload-Offset": ("The number of the first byte of the body.", True)}
_CHECKSUM = {
    "Upload-Checksum": (
        f"One of {', '.join(ALGORITHMS)}, a blank, and the digest of the body in base64.",
        False,
    )
}
_BEGIN = {
    "Upload-Length": ("The bytes of the whole file.", True),
    "Upload-Metadata": (
        "Pairs of a key and a value in base64: `filename`, and perhaps `replace` and `digest`.",
        True,
    ),
}
_ALL, _ONE = "/uploads", "/uploads/{id}"

#: The addresses.
HANDLERS: tuple[Handler, ...] = (
    *(
        Handler(
            "OPTIONS",
            path,
            name,
            _TAG,
            options,
            needs_token=False,
            is_reading=True,
            described=_description(204, "What there is.", version=False),
        )
        for path, name in ((_ALL, "tus_options"), (_ONE, "tus_options_of_upload"))
    ),
    Handler(
        "POST",
        _ALL,
        "tus_create",
        _TAG,
        create,
        MANAGE_DATA_CENTER,
        takes_file=True,
        described=_description(201, "It has begun.", {**_BEGIN, **_CHECKSUM}, body=True),
    ),
    Handler(
        "HEAD",
        _ONE,
        "tus_look",
        _TAG,
        look,
        MANAGE_DATA_CENTER,
        is_reading=True,
        described=_description(200, "How far it is."),
    ),
    Handler(
        "PATCH",
        _ONE,
        "tus_go_on",
        _TAG,
        go_on,
        MANAGE_DATA_CENTER,
        takes_file=True,
        described=_description(204, "The bytes are kept.", {**_OFFSET, **_CHECKSUM}, body=True),
    ),
    Handler(
        "DELETE",
        _ONE,
        "tus_drop",
        _TAG,
        drop,
        MANAGE_DATA_CENTER,
        described=_description(204, "It is gone."),
    ),
    Handler(
        "POST",
        _ONE,
        "tus_override",
        _TAG,
        override,
        MANAGE_DATA_CENTER,
        takes_file=True,
        described=_description(
            204,
            "As of the method that is named.",
            {"X-HTTP-Method-Override": (f"One of {', '.join(_OVERRIDDEN)}.", True)},
            body=True,
        ),
    ),
)
