"""Plain JSON as bytes, and back, stricter than `json` is.

The first that sees what came in: nothing is known yet of what it is to be, so only its form and
its depth are held to bounds.
"""

import json
from typing import Any

from waeup.kofa.api.plain.reading import NotPlain

#: Levels of arrays and objects in each other that may come in.
MOST_LEVELS = 20


def to_text(data: Any) -> bytes:
    """Return plain JSON as UTF-8.

    Names of files may hold bytes that are no characters; then all that is not ASCII is escaped.
    """
    try:
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(data, separators=(",", ":"), allow_nan=False).encode("ascii")


def from_text(text: bytes) -> Any:
    """Return the plain JSON that a text holds; raises `NotPlain`.

    Stricter than `json.loads`: no member twice, no number that is none, no half of a character.
    """
    try:
        data = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_members,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError:
        raise NotPlain("The body is no UTF-8. Send JSON as UTF-8.")
    except RecursionError:
        raise NotPlain(_too_deep())
    except json.JSONDecodeError as error:
        raise NotPlain(
            f"The body is no JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        )
    except NotPlain:
        raise
    except ValueError:
        # A number with thousands of digits.
        raise NotPlain("The body has a number that is too long.")
    _require_flat(data, MOST_LEVELS)
    return data


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise NotPlain(f"The body has the member {name[:80]!r} twice in one object.")
        members[name] = value
    return members


def _refuse_constant(name: str) -> Any:
    raise NotPlain(f"The body has {name}, which is no number of JSON.")


def _too_deep() -> str:
    return f"The body has more than {MOST_LEVELS} levels of arrays and objects in each other."


def _require_flat(data: Any, levels: int) -> None:
    if levels < 0:
        raise NotPlain(_too_deep())
    if isinstance(data, dict):
        data = data.values()
    elif not isinstance(data, list):
        return
    for item in data:
        _require_flat(item, levels - 1)
