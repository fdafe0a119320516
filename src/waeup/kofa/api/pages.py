"""What everybody may read of the HTTP API: its description, as JSON and as a page, and problems.

The pages are plain HTML without script; their style sheet is the only other thing they need.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from werkzeug.wrappers import Response

from waeup.kofa.api import answers, problems
from waeup.kofa.api.context import Context, Handler
from waeup.kofa.api.openapi import description
from waeup.kofa.api.problems import Refusal
from waeup.kofa.api.route import ROOT

#: How long a client may take the description for that of the portal, in seconds.
FRESH = 300

_STYLE = """\
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem;
  color: #1a1a1a; background: #fff; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { overflow-x: auto; background: #f4f4f4; padding: 0.5rem; }
a { color: #0b4f9e; }
section > section { border-top: 1px solid #767676; margin-top: 1.5rem; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 0.8rem 0.2rem 0; }
.method { font-weight: bold; }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; }
@media (prefers-color-scheme: dark) {
  body { color: #e8e8e8; background: #16181d; }
  pre { background: #262a31; }
  a { color: #8ab8ff; }
}
"""
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


def show_description(context: Context) -> Response:
    """Return the description of the API (OpenAPI 3.1)."""
    root = context.request.root_path
    found = {**description(context.handlers), "servers": [{"url": f"{root}{ROOT}"}]}
    response = answers.json_answer(found)
    response.headers["Cache-Control"] = f"public, max-age={FRESH}"
    return answers.tagged(context.request, response)


def show_page(context: Context) -> Response:
    """Show the description of the API as a page for people."""
    return _html(
        context, "Kofa data center: HTTP API", "".join(_page(description(context.handlers)))
    )


def show_style(context: Context) -> Response:
    """Return the style sheet of the pages of the API."""
    response = Response(_STYLE, mimetype="text/css")
    response.headers["Cache-Control"] = f"public, max-age={FRESH}"
    return response


def show_problem(context: Context) -> Response:
    """Explain a problem that an answer had."""
    code = context.variables["code"]
    problem = problems.all_problems().get(code)
    if problem is None:
        raise Refusal("no-such-address", "There is no problem of that name.")
    retry = ""
    if problem.retry is not None:
        retry = "<p>To try again can help; see the header <code>Retry-After</code>.</p>"
    body = (
        f"<h1>{escape(problem.title)}</h1>"
        f"<p>Code <code>{escape(problem.code)}</code>, status {problem.status}.</p>"
        f"<p>{_inline(problem.advice)}</p>{retry}"
        f'<p><a href="{escape(context.request.root_path)}{ROOT}/">All of the API</a></p>'
    )
    return _html(context, problem.title, body)


_TAG = "About"

HANDLERS = (
    Handler(
        "GET",
        "/openapi.json",
        "description",
        _TAG,
        show_description,
        is_reading=True,
        needs_token=False,
        described=lambda parts: {
            "responses": {
                "200": {
                    "description": "The description.",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
                "304": {"description": "It is as the client has it."},
            }
        },
    ),
    *(
        Handler(
            "GET",
            path,
            name,
            _TAG,
            answer,
            is_reading=True,
            needs_token=False,
            described=lambda parts, kind=kind: {  # type: ignore[misc]
                "responses": {
                    "200": {
                        "description": "The page.",
                        "content": {kind: {"schema": {"type": "string"}}},
                    }
                }
            },
        )
        for path, name, answer, kind in (
            ("/", "page", show_page, "text/html"),
            ("/style.css", "style", show_style, "text/css"),
            ("/problems/{code}", "problem", show_problem, "text/html"),
        )
    ),
)


# -- pages ------------------------------------------------------------------------------


def _html(context: Context, title: str, body: str) -> Response:
    style = f"{escape(context.request.root_path)}{ROOT}/style.css"
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="{style}"></head>'
        f'<body><a class="skip" href="#main">Skip to the content</a>'
        f'<main id="main">{body}</main></body></html>\n'
    )
    response = Response(text, mimetype="text/html")
    response.headers["Cache-Control"] = f"public, max-age={FRESH}"
    return response


def _page(found: Mapping[str, Any]) -> Iterator[str]:
    info = found["info"]
    yield f"<h1>{escape(info['title'])}: HTTP API</h1>"
    yield f"<p>Version {escape(info['version'])}. For programs: "
    yield '<a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>'
    yield _text(info["description"])
    yield "<h2>Scopes</h2>"
    yield _text(found["components"]["securitySchemes"]["token"]["description"])
    by_tag: dict[str, list[tuple[str, str, Any]]] = {tag["name"]: [] for tag in found["tags"]}
    for path, methods in found["paths"].items():
        for method in _METHODS:
            if method in methods:
                by_tag.setdefault(methods[method]["tags"][0], []).append(
                    (method, path, methods[method])
                )
    yield '<nav aria-label="Groups"><h2>Groups</h2><ul>'
    for tag in by_tag:
        yield f'<li><a href="#group-{escape(tag)}">{escape(tag)}</a></li>'
    yield "</ul></nav>"
    about = {tag["name"]: tag["description"] for tag in found["tags"]}
    for tag, operations in by_tag.items():
        yield f'<section><h2 id="group-{escape(tag)}">{escape(tag)}</h2>'
        yield f"<p>{escape(about.get(tag, ''))}</p>"
        for method, path, operation in operations:
            yield from _operation(method, path, operation, found)
        yield "</section>"
    yield "<section><h2>Types</h2>"
    for name, schema in found["components"]["schemas"].items():
        yield f'<section><h3 id="type-{escape(name)}">{escape(name)}</h3>'
        yield _text(schema.get("description", ""))
        yield _members(schema)
        yield "</section>"
    yield "</section>"


def _operation(
    method: str, path: str, operation: Mapping[str, Any], found: Mapping[str, Any]
) -> Iterator[str]:
    name = escape(operation["operationId"])
    yield f'<section><h3 id="{name}">{escape(operation["summary"])}</h3>'
    yield f'<p><code><span class="method">{method.upper()}</span> {escape(path)}</code></p>'
    yield _text(operation.get("description", ""))
    parameters = [_resolved(each, found) for each in operation.get("parameters", ())]
    if parameters:
        yield "<h4>Parameters</h4><table><thead><tr>"
        yield '<th scope="col">Name</th><th scope="col">Where</th><th scope="col">Type</th>'
        yield '<th scope="col">About</th></tr></thead><tbody>'
        for each in parameters:
            words = ("Required. " if each.get("required") else "") + each.get("description", "")
            yield f'<tr><th scope="row"><code>{escape(each["name"])}</code></th>'
            yield f"<td>{escape(each['in'])}</td><td>{_type(each['schema'])}</td>"
            yield f"<td>{_inline(words)}</td></tr>"
        yield "</tbody></table>"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h4>Body</h4><p><code>{escape(kind)}</code>: {_type(content['schema'])}</p>"
        yield _members(content["schema"])
        yield _example(content)
    yield "<h4>Answers</h4><ul>"
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            continue
        types = "; ".join(
            f"<code>{escape(kind)}</code>: {_type(content['schema'])}"
            for kind, content in answer.get("content", {}).items()
        )
        yield f"<li>{status}: {escape(answer['description'])} {types}</li>"
    codes = [status for status, answer in operation["responses"].items() if "$ref" in answer]
    yield f"<li>Problems: {', '.join(codes)}.</li></ul>"
    for answer in operation["responses"].values():
        for content in answer.get("content", {}).values():
            yield _example(content)
    yield "</section>"


def _resolved(part: Mapping[str, Any], found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference stands for."""
    if "$ref" not in part:
        return part
    kind, name = part["$ref"].split("/")[-2:]
    resolved: Mapping[str, Any] = found["components"][kind][name]
    return resolved


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#type-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(map(escape, kind))
    if kind == "array" and "prefixItems" in schema:
        return "array of " + ", ".join(_type(each) for each in schema["prefixItems"])
    if kind == "array":
        return "array of " + _type(schema["items"])
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return "object of " + _type(schema["additionalProperties"])
    return escape(f"{kind} ({schema['format']})" if "format" in schema else kind)


def _members(schema: Mapping[str, Any]) -> str:
    members = schema.get("properties", {})
    required = schema.get("required", ())
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(name)}</code></th><td>{_type(each)}</td>'
        f"<td>{'' if name in required else 'optional'}</td></tr>"
        for name, each in members.items()
    )
    if not rows:
        return ""
    head = (
        '<tr><th scope="col">Member</th><th scope="col">Type</th><th scope="col">Needed</th></tr>'
    )
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _example(content: Mapping[str, Any]) -> str:
    if "example" not in content:
        return ""
    text = json.dumps(content["example"], indent=2, ensure_ascii=False)
    return f"<p>For example:</p><pre><code>{escape(text)}</code></pre>"


def _text(text: str) -> str:
    """Return Markdown, as far as docstrings have it, as HTML."""
    parts = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith("* "):
            items: Sequence[str] = re.split(r"(?:^|\n)\* ", block)[1:]
            parts.append("<ul>" + "".join(f"<li>{_inline(each)}</li>" for each in items) + "</ul>")
        elif block:
            parts.append(f"<p>{_inline(block)}</p>")
    return "".join(parts)


def _inline(text: str) -> str:
    words = escape(" ".join(text.split()))
    words = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", words)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", words)
