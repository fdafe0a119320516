"""From method and path to what answers: routes and handlers by their addresses."""

from collections.abc import Iterable, Sequence
from typing import Any

from waeup.kofa.api.context import Handler
from waeup.kofa.api.problems import Refusal
from waeup.kofa.api.route import Route

#: Stands for any name in an address.
_VARIABLE = object()


class Table:
    """Finds the entry of a request; a fixed name in an address comes before a variable one."""

    def __init__(self, entries: Iterable[Route | Handler]) -> None:
        self._root: dict[Any, Any] = {}
        for entry in entries:
            node = self._root
            for part in entry.path.split("/")[1:]:
                node = node.setdefault(_VARIABLE if part.startswith("{") else part, {})
            known = node.setdefault(None, {})
            if entry.method in known:
                raise ValueError(f"two entries for {entry.method} {entry.path}")
            known[entry.method] = entry

    def find(self, method: str, names: Sequence[str]) -> tuple[Route | Handler, dict[str, str]]:
        """Return the entry for a method and the names of a path, and its variables.

        HEAD is answered as GET is.  Raises `Refusal` when there is none.
        """
        known = _walk(self._root, names)
        if known is None:
            raise Refusal("no-such-address", "There is nothing at this address.")
        entry = known.get("GET" if method == "HEAD" and "HEAD" not in known else method)
        if entry is None:
            allowed = {*known, *(["HEAD"] if "GET" in known else [])}
            text = ", ".join(sorted(allowed))
            raise Refusal("method-not-allowed", f"This address answers {text}.", [("Allow", text)])
        parts = entry.path.split("/")[1:]
        variables = {
            part[1:-1]: name
            for part, name in zip(parts, names, strict=True)
            if part.startswith("{")
        }
        return entry, variables


def _walk(node: dict[Any, Any], names: Sequence[str]) -> dict[str, Any] | None:
    if not names:
        found: dict[str, Any] | None = node.get(None)
        return found
    name, rest = names[0], names[1:]
    if name in node and (found := _walk(node[name], rest)) is not None:
        return found
    return _walk(node[_VARIABLE], rest) if name and _VARIABLE in node else None
