"""One address of the HTTP API: its operation, and what of a request becomes which argument.

Names in an address are arguments of the operation.  Its other arguments come in the query of GET
and DELETE (an argument that is an object gives each of its fields a parameter), and as members of
a JSON object in the body of the others.  `waeup.kofa.api.routes` has all of them.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Annotated, Any, NamedTuple, get_args

from waeup.kofa.api import plain
from waeup.kofa.api.declared import declared
from waeup.kofa.api.plain import Bound
from waeup.kofa.scopes import OWN_PERMISSIONS, SCOPES
from waeup.kofa.usual import MOST_DAYS

#: Where the API begins, below the address of the server.
ROOT = "/api/v1"

#: Items of a list that come at once: usually, where the operation does not say it, and at most.
PAGE, LONGEST_PAGE = 500, 1000
#: Entries of a history that come at once at most.
MOST_ENTRIES = 10_000
#: What is there for an argument that must be given.
REQUIRED: Any = inspect.Parameter.empty

#: How much numbers of these names can be, wherever they are arguments.
_BOUNDS = {
    "start": Bound(0, 1_000_000_000),
    "limit": Bound(1, LONGEST_PAGE),
    "rows": Bound(0, 100),
    "number": Bound(1, 1_000_000_000),
    "row": Bound(1, 1_000_000_000),
    "which": Bound(1, 1_000_000),
    "position": Bound(0, 1_000_000),
    "group": Bound(0, 1_000_000_000),
    "before": Bound(0, 1_000_000_000),
    "seconds": Bound(0, 10),
    "days": Bound(0, MOST_DAYS),
    "header_line": Bound(1, 2**31 - 1),
}
#: How long texts in an address can be: names, and others.
_NAME, _IN_QUERY = Bound(shortest=1, longest=1000), Bound(longest=4000)
#: Arguments that no program sends.
_OWN = {"self", "tell", "alone"}


@dataclass(frozen=True)
class Parameter:
    """An argument of an operation, or a field of one, as a request has it.

    `name` is what the request calls it, `place` where it is: ``path``, ``query``, ``body`` (a
    member of the object), ``whole`` (the body itself) or ``stream`` (the body, not parsed).
    `argument` is the argument of the operation; where only a `field` of it is sent, `kind` is its
    class.
    """

    name: str
    place: str
    annotation: Any
    default: Any
    argument: str
    field: str = ""
    kind: Any = None

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is REQUIRED


class Adapted(NamedTuple):
    """How an argument becomes what an operation takes, and that again what a request has."""

    inward: Callable[[Any], Any]
    outward: Callable[[Any], Any]


@dataclass(frozen=True)
class Route:
    """One address, and what it is for.

    `operation` is a method of `Operations`.  `permission` is what the person needs at least (of
    several, one), None where anybody may ask who has a token; `scope` is what the token has to
    cover, where that is another one.  A route that `reads` changes nothing although it is no GET:
    what is asked for needs a body.  `status` is that of success.  `sent` names the argument that
    is the body as it is, `whole` the one that is all of the JSON.  With `gives_file` the answer is
    no JSON, but a file; where the operation writes it, `written` names the argument.  `location`
    is where a new thing can be found, with names of fields of the answer, or of arguments.
    `typed` gives annotations in place of those of the operation.  `key` names the field by which
    items of a long list are told apart; None: the list is not cut.  `adapted` are arguments that
    operations take in another form than requests have them.  One that `gives_secret` has an answer
    that is kept nowhere.  What `goes_on` when the token has ended needs one with which all can be
    seen that the account may see.
    """

    method: str
    path: str
    operation: str
    tag: str
    permission: str | tuple[str, ...] | None
    reads: bool = False
    status: int = 200
    sent: str = ""
    whole: str = ""
    gives_file: bool = False
    written: str = ""
    location: str = ""
    typed: Mapping[str, Any] | None = None
    key: str | None = None
    adapted: Mapping[str, "Adapted"] | None = None
    gives_secret: bool = False
    scope: str | tuple[str, ...] | None = None
    goes_on: bool = False

    @property
    def is_reading(self) -> bool:
        """Whether the operation changes nothing."""
        return self.reads or self.method == "GET"

    @property
    def function(self) -> Any:
        """The method of `Operations`."""
        from waeup.kofa.operations import Operations

        return getattr(Operations, self.operation)

    @property
    def signature(self) -> inspect.Signature:
        """What the method takes."""
        return declared(self.operation).signature

    @cached_property
    def returns(self) -> Any:
        """The annotation of what the operation returns."""
        return declared(self.operation).hints["return"]

    @cached_property
    def in_path(self) -> tuple[str, ...]:
        """The names in the address."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """All that a request can say."""
        return tuple(self._found())

    @property
    def scopes(self) -> tuple[tuple[str, ...], ...]:
        """The sets of scopes of which a token needs one."""
        wanted = self.scope or self.permission
        return scopes_for(wanted, self.is_reading, goes_on=self.goes_on)

    @property
    def takes_start(self) -> bool:
        """Whether the operation itself shows a part of a list, from a place on."""
        names = {parameter.name for parameter in self.parameters}
        return {"start", "limit"} <= names

    def _found(self) -> Any:
        hints = {**declared(self.operation).hints, **(self.typed or {})}
        for name, known in self.signature.parameters.items():
            if name in _OWN or name == self.written:
                continue
            if known.kind is inspect.Parameter.VAR_KEYWORD:
                yield from self._of_options(name, hints)
                continue
            annotation = _bounded(name, hints[name])
            if name in self.in_path:
                annotation = _bounded(name, hints[name], _NAME)
                yield Parameter(name, "path", annotation, REQUIRED, name)
            elif name == self.sent:
                yield Parameter(name, "stream", annotation, REQUIRED, name)
            elif name == self.whole:
                yield Parameter(name, "whole", annotation, known.default, name)
            elif self.method in ("GET", "DELETE") or self.sent:
                yield from _in_query(name, annotation, known.default)
            else:
                yield Parameter(name, "body", annotation, known.default, name)

    def _of_options(self, name: str, hints: Mapping[str, Any]) -> Any:
        """Generate the parameters of ``**options``."""
        kind = hints[name]
        place, text = ("query", _IN_QUERY) if self.method == "GET" else ("body", None)
        for option, hint in plain.hints_of(kind).items():
            yield Parameter(option, place, _bounded(option, hint, text), None, option, kind=kind)


def scopes_for(
    permission: str | tuple[str, ...] | None, is_reading: bool, *, goes_on: bool = False
) -> tuple[tuple[str, ...], ...]:
    """Return the sets of scopes of which a token needs one, none larger than it must be.

    They are for what needs a permission (of several, one), by an account that has all.  For what
    `goes_on` when the token has ended they are such with which all can be seen.
    """
    found: list[tuple[str, ...]] = []
    for number in range(1, len(SCOPES) + 1):
        for names in combinations(SCOPES, number):
            is_needed = not any(set(known) <= set(names) for known in found)
            if is_needed and _are_enough(names, permission, is_reading, goes_on):
                found.append(names)
    return tuple(found)


def _are_enough(
    names: Iterable[str],
    permission: str | tuple[str, ...] | None,
    is_reading: bool,
    goes_on: bool,
) -> bool:
    """Tell whether a token with these scopes is enough; see `scopes_for`."""
    wanted = (permission,) if isinstance(permission, str) else permission
    scopes = [SCOPES[name] for name in names]
    counting = [scope for scope in scopes if scope.is_reading <= is_reading]
    if goes_on and not all(any(each.covers(own) for each in scopes) for own in OWN_PERMISSIONS):
        return False
    return any(wanted is None or any(map(scope.covers, wanted)) for scope in counting)


def _in_query(name: str, annotation: Any, default: Any) -> Any:
    """Generate the parameters of an argument in a query: one, or one for each of its fields."""
    if not plain.is_object(annotation):
        yield Parameter(name, "query", _bounded(name, annotation, _IN_QUERY), default, name)
        return
    for field, hint in plain.hints_of(annotation).items():
        bounded = _bounded(field, hint, _IN_QUERY)
        yield Parameter(field, "query", bounded, getattr(default, field), name, field, annotation)


def _bounded(name: str, annotation: Any, text: Bound | None = None) -> Any:
    """Return an annotation with what limits its values: numbers by `name`, and a `text`."""
    bound = _BOUNDS.get(name)
    kinds = {annotation, *get_args(annotation)}
    if bound is not None and kinds & {int, float}:
        return Annotated[annotation, bound]
    return Annotated[annotation, text] if text is not None and str in kinds else annotation
