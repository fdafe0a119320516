"""The description of the HTTP API (OpenAPI 3.1), made of the routes and of the operations.

Nothing of it is written twice: addresses are those of `waeup.kofa.api.routes`, types those of the
annotations, and texts the docstrings.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from waeup.kofa.api import plain, problems
from waeup.kofa.api.answers import OUTCOME_HEADER
from waeup.kofa.api.context import Handler
from waeup.kofa.api.examples import EXAMPLES
from waeup.kofa.api.passing import is_list
from waeup.kofa.api.plain import Parts
from waeup.kofa.api.route import LONGEST_PAGE, PAGE, ROOT, Parameter, Route, scopes_for
from waeup.kofa.api.routes import ROUTES, TAGS
from waeup.kofa.scopes import SCOPES

_BYTES = {"type": "string", "format": "binary"}

_ABOUT = """\
Everything that people do in the data center of a Kofa portal, for programs.

* **Tokens.** Each request needs a token, `Authorization: Bearer kofa_...`. People make them on the
  page of their account, with scopes. A token allows what its account may do, within its scopes.
* **JSON.** Bodies are JSON as UTF-8. Times are RFC 3339 in UTC, days `2026-01-31`. Members that
  are not described are refused. New members of answers can come with each release: pass over those
  that you do not know.
* **Files** are bodies as they are, `application/octet-stream`.
* **Problems.** What is refused is told as a problem (RFC 9457). Look at its `code`: it stays what
  it is, while the words of `detail` may change.
* **Repeating.** A request that changes something can have the header `Idempotency-Key`; when it is
  sent again with the same key within 24 hours, it gets the answer of the first time, and nothing
  is done again.
* **Long lists** come in parts: follow the `Link` with `rel="next"`.
* **Limits.** The headers `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` say how
  many requests are possible; beyond that the status is 429, and `Retry-After` has seconds.
"""

#: What parameters of these names say, wherever they are.
_WORDS = {
    "start": "The position of the first item, from 0.",
    "limit": "Items at most.",
    "folder": "`finished`, `unfinished`, `deleted` or another one that `/folders` lists; "
    "empty: the files that wait for an import.",
    "processor": "The name of a processor, as `/processors` lists it.",
    "mode": "`create`, `update` or `remove`.",
    "version": "That of the state which the change was made for; another one is refused as "
    "`outdated`.",
    "encoding": "The encoding of the file, if it is not what would be found.",
    "delimiter": "The character between cells, if it is not what would be found.",
    "quote": "The character around cells, if it is not what would be found.",
    "header_line": "The number of the line with the names of the columns.",
    "sheet": "The name of a sheet of a workbook.",
    "names": "Names of files; give the parameter once for each.",
    "draft": "The id of a draft of the account.",
    "check": "The id of a check.",
}


@cache
def description(handlers: Sequence[Handler] = ()) -> Mapping[str, Any]:
    """Return the description as plain JSON."""
    parts = Parts()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _of_route(route, parts)
    for handler in handlers:
        paths.setdefault(handler.path, {})[handler.method.lower()] = _of_handler(handler, parts)
    parts.schemas["Problem"] = _problem_schema()
    used = {
        tag for path in paths.values() for operation in path.values() for tag in operation["tags"]
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kofa data center",
            "version": version("waeup.kofa"),
            "summary": "Files, imports, exports and all else of a Kofa portal, for programs.",
            "description": _ABOUT,
            "license": {"name": "ZPL-2.1", "identifier": "ZPL-2.1"},
        },
        "servers": [{"url": ROOT}],
        "security": [{"token": []}],
        "tags": [
            {"name": name, "description": text} for name, text in TAGS.items() if name in used
        ],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(parts.schemas.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "kofa_<id>_<secret>",
                    "description": _scopes_text(),
                }
            },
            "headers": _HEADERS,
            "parameters": _SHARED,
            "responses": {**_problem_answers(), "TooLong": _TOO_LONG},
        },
    }


# -- one address ------------------------------------------------------------------------


def _of_route(route: Route, parts: Parts) -> dict[str, Any]:
    summary, text = _texts_of(route.function)
    needs = _needs(route.permission, route.scopes, route.goes_on)
    found: dict[str, Any] = {
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": summary,
        "description": f"{text}\n\n{needs}".strip(),
        "parameters": [*_parameters(route, parts), *_shared_of(route)],
        "security": _security(route.scopes),
    }
    if not found["parameters"]:
        del found["parameters"]
    body = _body(route, parts)
    if body is not None:
        found["requestBody"] = body
    found["responses"] = _answers(route, parts, has_body=body is not None)
    return found


def _of_handler(handler: Handler, parts: Parts) -> dict[str, Any]:
    summary, text = _texts_of(handler.answer)
    scopes = scopes_for(handler.permission, handler.is_reading)
    needs = _needs(handler.permission, scopes) if handler.needs_token else ""
    parts.incoming = False
    more = handler.described(parts) if handler.described is not None else {}
    names = [part[1:-1] for part in handler.path.split("/") if part.startswith("{")]
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]
    found: dict[str, Any] = {
        "operationId": handler.name,
        "tags": [handler.tag],
        "summary": summary,
        "description": f"{text}\n\n{needs}".strip(),
        "security": _security(scopes) if handler.needs_token else [],
        **more,
    }
    if in_path or "parameters" in more:
        found["parameters"] = [*in_path, *more.get("parameters", ())]
    statuses = _STATUSES if handler.needs_token else ("400", "404", "500", "503")
    found["responses"] = {
        **{status: _problem_ref(status) for status in statuses},
        "431": _TOO_LONG_REF,
        **more.get("responses", {}),
    }
    return found


def _parameters(route: Route, parts: Parts) -> list[dict[str, Any]]:
    parts.incoming = True
    found = [
        _parameter(parameter, parts)
        for parameter in route.parameters
        if parameter.place in ("path", "query")
    ]
    if route.key is not None:
        if not any(each["name"] == "limit" for each in found):
            found.append({"$ref": "#/components/parameters/limit"})
        found.append({"$ref": "#/components/parameters/after"})
    return found


def _parameter(parameter: Parameter, parts: Parts) -> dict[str, Any]:
    codec = plain.codec(parameter.annotation)
    schema = without_null(codec.schema(parts))
    found: dict[str, Any] = {"name": parameter.name, "in": parameter.place, "schema": schema}
    text = _WORDS.get(parameter.name)
    if text:
        found["description"] = text
    is_required = parameter.is_required and not is_list(codec)
    if parameter.place == "path" or is_required:
        found["required"] = True
    elif parameter.default is not None and not parameter.is_required:
        default = codec.dump(parameter.default)
        if default not in ("", []):
            schema = {**schema, "default": default}
            found["schema"] = schema
    return found


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema for a parameter: one that says nothing is left out."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if not kinds:
        return schema
    return kinds[0] if len(kinds) == 1 else {**schema, "anyOf": kinds}


def _shared_of(route: Route) -> list[dict[str, Any]]:
    """Return the headers of requests."""
    names: tuple[str, ...]
    if route.gives_file and route.method == "GET":
        names = ("range", "ifNoneMatch")
    elif route.method == "GET":
        names = ("ifNoneMatch",)
    else:
        names = () if route.is_reading else ("idempotencyKey",)
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _body(route: Route, parts: Parts) -> dict[str, Any] | None:
    parts.incoming = True
    if route.sent:
        return {
            "required": True,
            "description": "The file as it is.",
            "content": {"application/octet-stream": {"schema": _BYTES}},
        }
    whole = next((each for each in route.parameters if each.place == "whole"), None)
    if whole is not None:
        content = _json(plain.codec(whole.annotation).schema(parts), route, "request")
        return {"required": True, "content": content}
    members = [each for each in route.parameters if each.place == "body"]
    if not members:
        return None
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {each.name: plain.codec(each.annotation).schema(parts) for each in members},
        "additionalProperties": False,
    }
    required = [each.name for each in members if each.is_required]
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": _json(schema, route, "request")}


def _json(schema: Any, route: Route, kind: str) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    example = EXAMPLES.get(route.operation, {}).get(kind)
    if example is not None:
        content["example"] = example
    return {"application/json": content}


#: What the server answers before it knows the address, and thus without a problem.
_TOO_LONG = {
    "description": "Address and headers have more than 256 KB.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}
_TOO_LONG_REF = {"$ref": "#/components/responses/TooLong"}

#: Statuses of problems that each request can have.
_STATUSES = ("400", "401", "403", "404", "409", "422", "429", "500", "503")


def _answers(route: Route, parts: Parts, *, has_body: bool) -> dict[str, Any]:
    parts.incoming = False
    statuses = [*_STATUSES, "413", *(["415"] if has_body else [])]
    statuses += ["408"] if route.sent else []
    success: dict[str, Any] = {"description": "Done."}
    headers = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]
    status = route.status
    if route.gives_file:
        success["description"] = "The file."
        success["content"] = {"*/*": {"schema": _BYTES}}
        headers += ["Content-Disposition"]
        headers += ["ETag"] if route.method == "GET" else []
        headers += [OUTCOME_HEADER] if route.written else []
        statuses += ["416"] if route.method == "GET" else []
    elif route.returns is type(None):
        status = 204 if status == 200 else status
    else:
        success["description"] = "What was asked for." if route.is_reading else "Done."
        schema = plain.codec(route.returns).schema(parts)
        success["content"] = _json(schema, route, "response")
        headers += ["ETag"] if route.method == "GET" else []
        headers += ["Link"] if route.key is not None or route.takes_start else []
    headers += ["Location"] if route.location else []
    headers += [] if route.is_reading else ["Idempotency-Replayed"]
    links = _links(route)
    if links:
        success["links"] = links
    success["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    found = {str(status): success}
    if route.gives_file and route.method == "GET":
        found["206"] = {**success, "description": "The part of the file that was asked for."}
    if route.method == "GET":
        found["304"] = {"description": "It is as the client has it."}
    found.update((each, _problem_ref(each)) for each in statuses)
    found["431"] = _TOO_LONG_REF
    return dict(sorted(found.items()))


def _links(route: Route) -> dict[str, Any]:
    """Return what can be done with what was made or ordered."""
    if not route.location:
        return {}
    (name,) = (part[1:-1] for part in route.location.split("/") if part.startswith("{"))
    is_told = route.returns is not type(None)
    source = f"$response.body#/{name}" if is_told else f"$request.body#/{name}"
    return {
        each.operation: {"operationId": each.operation, "parameters": {each.in_path[0]: source}}
        for each in ROUTES
        if each.path.replace(f"{{{each.in_path[0]}}}" if each.in_path else "", f"{{{name}}}")
        == route.location
    }


# -- texts --------------------------------------------------------------------------------


def _texts_of(function: Any) -> tuple[str, str]:
    """Return the first sentence of a docstring and the rest, as Markdown."""
    # Programs know errors by their codes.
    text = re.sub(r"`(\w+)`", _code_of, plain.about(function))
    first, _, rest = text.partition("\n\n")
    return " ".join(first.split()).removesuffix("."), rest


def _code_of(found: re.Match[str]) -> str:
    problem = problems.CODES.get(found[1])
    return found[0] if problem is None else f"`{problem.code}`"


def _needs(
    permission: str | tuple[str, ...] | None,
    scopes: Iterable[Sequence[str]],
    goes_on: bool = False,
) -> str:
    wanted = (permission,) if isinstance(permission, str) else permission
    names = (", or " if goes_on else " or ").join(map(_joined, scopes))
    text = f"Scope of the token: {names}."
    if wanted is not None:
        text += f" Permission of the account: {' or '.join(f'`{each}`' for each in wanted)}."
    if goes_on:
        text += " Of an account that may do less, the scopes for what it may do are enough."
    return text


def _joined(names: Sequence[str]) -> str:
    return " with ".join(f"`{name}`" for name in names)


def _security(scopes: Iterable[Sequence[str]]) -> list[dict[str, list[str]]]:
    """Return that one of some sets of scopes is enough."""
    return [{"token": list(names)} for names in scopes]


def _scopes_text() -> str:
    lines = [f"* `{name}`: {scope.text}" for name, scope in SCOPES.items()]
    return "A token of an account. Its scopes:\n\n" + "\n".join(lines)


# -- problems -------------------------------------------------------------------------------


def _problem_schema() -> dict[str, Any]:
    wrong = {
        "type": "object",
        "properties": {
            "pointer": {"type": "string", "description": "JSON pointer into the body."},
            "parameter": {"type": "string", "description": "Or what stands in the address."},
            "detail": {"type": "string"},
        },
        "required": ["detail"],
    }
    return {
        "type": "object",
        "description": "Why a request was not carried out (RFC 9457).",
        "properties": {
            "type": {
                "type": "string",
                "format": "uri-reference",
                "description": "An address that explains the code.",
            },
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What is wrong, and what can be done."},
            "code": {"type": "string", "enum": sorted(problems.all_problems())},
            "errors": {"type": "array", "items": wrong},
            "reference": {
                "type": "string",
                "description": "Names the entry of the portal's log that has more.",
            },
            "removed": {"type": "integer", "description": "Objects to be confirmed."},
            "changed": {"type": "integer", "description": "Objects to be confirmed."},
            "reasons": {"type": "array", "items": {"type": "string"}},
            "wrong": {"type": "object", "additionalProperties": {"type": "string"}},
            "explanation": {"type": "string"},
            "offset": {"type": "integer"},
        },
        "required": ["type", "title", "status", "detail", "code"],
    }


def _problem_answers() -> dict[str, Any]:
    """Return an answer for each status of problems."""
    found: dict[str, Any] = {}
    by_status: dict[int, list[problems.Problem]] = {}
    for problem in problems.all_problems().values():
        by_status.setdefault(problem.status, []).append(problem)
    for status, kinds in sorted(by_status.items()):
        lines = [f"* `{kind.code}`: {kind.title}. {kind.advice}" for kind in kinds]
        first = kinds[0]
        example = {
            "type": problems.address_of(first.code),
            "title": first.title,
            "status": status,
            "detail": first.advice,
            "code": first.code,
        }
        content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        answer: dict[str, Any] = {
            "description": "\n".join(lines),
            "content": {problems.MEDIA_TYPE: content},
        }
        headers = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}
        if status in headers:
            name = headers[status]
            answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"}}
        found[f"Problem{status}"] = answer
    return found


def _problem_ref(status: str) -> dict[str, str]:
    return {"$ref": f"#/components/responses/Problem{status}"}


# -- headers --------------------------------------------------------------------------------


def _header(text: str, **schema: Any) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "string", **schema}}


_HEADERS = {
    "ETag": _header("Tells this answer from others; for `If-None-Match`."),
    "Link": _header('With `rel="next"`, the address of the next part of a long list.'),
    "Location": _header("The address of what was made, or was ordered."),
    "Content-Disposition": _header("What the file is called."),
    "Allow": _header("The methods of the address."),
    "WWW-Authenticate": _header("That a token is needed."),
    "Retry-After": _header("Seconds after which another try is worth it.", type="integer"),
    "RateLimit-Limit": _header("Requests that are possible in a period.", type="integer"),
    "RateLimit-Remaining": _header("Requests that are left of them.", type="integer"),
    "RateLimit-Reset": _header("Seconds until the period begins anew.", type="integer"),
    "Idempotency-Replayed": _header("`true`: the answer is that of the first time."),
    OUTCOME_HEADER: _header(
        "What was exported, as JSON: `rows`, `unknown` (keys that no object has, the first of "
        "them) and `seconds`."
    ),
}
_SHARED = {
    "limit": {
        "name": "limit",
        "in": "query",
        "description": "Items that come at once.",
        "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE},
    },
    "after": {
        "name": "after",
        "in": "query",
        "description": "Where the list goes on; stands in the `Link` of the last answer.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,6}~", "maxLength": 1000},
    },
    "range": {
        "name": "Range",
        "in": "header",
        "description": "A part of the file, such as `bytes=1000-`.",
        "schema": {"type": "string"},
    },
    "ifNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of what the client has already.",
        "schema": {"type": "string"},
    },
    "idempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A new random text for each request; the same one when it is repeated.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    },
}
