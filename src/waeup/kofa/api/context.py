"""One request of the HTTP API, as those see it who answer it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from werkzeug.wrappers import Request, Response

from waeup.kofa.api.plain import Parts
from waeup.kofa.operations import Operations

Value = TypeVar("Value")


class Context(Protocol):
    """A request, and the portal for who has sent it.

    `variables` are the names in the address, `base` is the address of the server, as far as it is
    known, without a slash at the end.  `streams` are the places for streams of events of the
    process, and for what takes a thread as long.  `user` is whose token it is, '' as long as that
    is not known.  `handlers` are the addresses of the API that are no single operations.
    """

    request: Request
    variables: Mapping[str, str]
    base: str
    user: str
    handlers: Sequence["Handler"]
    streams: Any

    @property
    def token(self) -> str:
        """What stands in the header Authorization as a token, '' for anything else."""

    def carry_out(
        self, work: Callable[[Operations], Value], *, reading: bool, repeatable: bool = True
    ) -> Value:
        """Return what `work` returns for the operations of the token's account, and commit.

        It has a database connection and a transaction of its own, and is called again after a
        conflict, unless it is not `repeatable`.  When it is only `reading`, tokens that allow
        nothing else are enough.  Raises `Refusal` without a valid token.
        """

    def upload_limit(self) -> int:
        """Return how many bytes a file can have; that is no secret, and needs no token."""


@dataclass(frozen=True)
class Handler:
    """An address that is no single operation: what answers it, and what is to be said of it.

    The docstring of `answer` describes it.  `permission` is what the person needs, as in `Route`;
    without `needs_token` everybody is answered.  `takes_file` says that the body may be large, and
    is not JSON.  `described` returns what the description of the operation has besides (OpenAPI:
    parameters, body, answers), and may enter schemas.
    """

    method: str
    path: str
    name: str
    tag: str
    answer: Callable[[Any], Response]
    permission: str | tuple[str, ...] | None = None
    is_reading: bool = False
    needs_token: bool = True
    takes_file: bool = False
    described: Callable[[Parts], dict[str, Any]] | None = None
