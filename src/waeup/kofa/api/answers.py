"""Answers of the HTTP API: JSON, files, problems."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from waeup.kofa.api import plain, problems
from waeup.kofa.api.problems import Refusal
from waeup.kofa.browser.downloads import BLOCK, KINDS, disposition
from waeup.kofa.browser.faults import REFERENCE_HEADER, log_fault
from waeup.kofa.browser.ranges import FilePart, Part, Unsatisfiable, part_of
from waeup.kofa.errors import Fault, KofaError
from waeup.kofa.jobs.outages import first_line, is_away

log = logging.getLogger(__name__)

#: Header with what an export has written, beside the table: rows, unknown keys, seconds.
OUTCOME_HEADER = "Kofa-Outcome"
#: Characters that the unknown keys of an export may take in it.
_OUTCOME_LENGTH = 4000
#: Bytes of an export that are kept in memory.
_IN_MEMORY = 4 * 1024 * 1024
#: Answers are for one person, and may have changed when they are asked for again.
_CACHING = "private, no-cache"


def json_answer(data: Any, status: int = 200) -> Response:
    """Return an answer with plain JSON."""
    response = Response(plain.to_text(data), status, mimetype="application/json")
    response.headers["Cache-Control"] = _CACHING
    return response


def tagged(request: Request, response: Response) -> Response:
    """Give a JSON answer to GET its ETag; without the body when the client has it already."""
    digest = hashlib.sha256(response.get_data()).hexdigest()[:32]
    response.set_etag(digest)
    if request.if_none_match.contains_weak(digest):
        response.status_code = 304
        response.set_data(b"")
        for name in ("Content-Type", "Content-Length"):
            response.headers.pop(name, None)
    return response


def empty_answer(status: int = 204) -> Response:
    """Return an answer without a body."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    if status != 204:
        response.headers["Content-Length"] = "0"
    response.headers["Cache-Control"] = _CACHING
    return response


def noted(error: Exception, request: Request, user: str) -> tuple[Exception, str]:
    """Return an error as it is told, and the reference of its entry in the log, '' without one.

    A fault is logged here as one of `user`, '' for nobody known, unless that was done.
    """
    if is_away(error):
        log.warning("The database is away: %s", first_line(error))
        return Refusal("database-away", "The portal cannot reach its database at the moment."), ""
    if isinstance(error, HTTPException):
        return Refusal("bad-request", error.description or "The request is damaged."), ""
    if isinstance(error, Refusal) or (
        isinstance(error, KofaError) and not isinstance(error, Fault)
    ):
        return error, ""
    reference = getattr(error, "reference", "")
    return error, reference or log_fault(error, request.method, request.path, user)


def problem_answer(error: BaseException, *, base: str = "", reference: str = "") -> Response:
    """Return an error as an answer."""
    body = problems.body_of(error, base=base, reference=reference)
    response = Response(plain.to_text(body), body["status"], mimetype=problems.MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    if isinstance(error, Refusal):
        response.headers.extend(error.headers)
        retry = error.problem.retry
    else:
        retry = problems.problem_of(error).retry
    if retry is not None and "Retry-After" not in response.headers:
        response.headers["Retry-After"] = str(retry)
    if body.get("reference"):
        response.headers[REFERENCE_HEADER] = body["reference"]
    return response


def file_answer(request: Request, name: str, file: BinaryIO, etag: str = "") -> Response:
    """Return an open file as an answer, or the part of it that is asked for.

    The server closes it.  `etag` tells its content from others (default: by what the disk knows of
    it).  Raises `Refusal` for a part that there is not.
    """
    response = Response(direct_passthrough=True)
    kind = KINDS.get(name.rpartition(".")[2], "application/octet-stream")
    response.headers["Content-Type"] = kind
    response.headers["Content-Disposition"] = disposition(name)
    response.headers["Cache-Control"] = _CACHING
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        part = None
        if request.method in ("GET", "HEAD"):
            etag = etag or _etag_of(file)
            response.headers["ETag"] = etag
            response.headers["Accept-Ranges"] = "bytes"
            if request.if_none_match.contains_weak(etag.strip('"')):
                file.close()
                response.status_code = 304
                del response.headers["Content-Type"]
                return response
        if request.method == "GET":
            part = _part(request, size, etag)
    except BaseException:
        file.close()
        raise
    if part is None:
        response.headers["Content-Length"] = str(size)
        response.response = _Blocks(file)
        return response
    response.status_code = 206
    response.headers["Content-Range"] = part.content_range(size)
    response.headers["Content-Length"] = str(part.length)
    response.response = FilePart(file, part)
    return response


def _part(request: Request, size: int, etag: str) -> Part | None:
    """Return the part of a file that is asked for, None for the whole; raises `Refusal`."""
    headers = request.headers
    try:
        return part_of(size, headers.get("Range"), headers.get("If-Range"), etag)
    except Unsatisfiable:
        raise Refusal(
            "range-not-satisfiable",
            f"The file has {size} bytes.",
            [("Content-Range", f"bytes */{size}")],
        )


def bytes_answer(request: Request, name: str, content: bytes) -> Response:
    """Return bytes as the content of a file."""
    file = new_file()
    file.write(content)
    return file_answer(request, name, file, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def new_file() -> Any:
    """Return a file for an answer that is made now; nobody sees it, and it goes when closed."""
    return SpooledTemporaryFile(_IN_MEMORY)


def outcome_text(outcome: Any) -> str:
    """Return what an export has written as JSON in ASCII, as far as a header can hold it."""
    members = outcome._asdict() if hasattr(outcome, "_asdict") else asdict(outcome)
    unknown, length = [], 0
    for key in members["unknown"]:
        length += len(json.dumps(key)) + 2
        if length > _OUTCOME_LENGTH:
            break
        unknown.append(key)
    return json.dumps({**members, "unknown": unknown})


class _Blocks:
    """Sends an open file; the server closes it, also when nobody reads to the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        with self._file as file:
            while block := file.read(BLOCK):
                yield block

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _etag_of(file: BinaryIO) -> str:
    """Return what tells the content of a stored file from others."""
    state = os.fstat(file.fileno())
    return f'"{state.st_ino:x}-{state.st_size:x}-{state.st_mtime_ns:x}"'
