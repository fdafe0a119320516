"""The annotations of a class or a function, also where they name what is not imported.

Some modules import what they name for type checkers only, since it would bring the whole portal
with it; here such a name is imported when it is asked for.
"""

import typing
from collections.abc import Mapping
from importlib import import_module
from typing import Any

#: Named by annotations, but imported for type checkers only -> where it is.
_LATER = {
    "FoundLine": "waeup.kofa.journal",
    "ReadOptions": "waeup.kofa.tabular.options",
    "Report": "waeup.kofa.importing.report",
    "Wish": "waeup.kofa.exporting.wish",
}


def hints_of(thing: Any, names: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the annotations of a class or a function, also those for type checkers only.

    `names` are what its module knows, where that is not the module that it says.
    """
    found: Any = _Later({} if names is None else names)
    return typing.get_type_hints(thing, None if names is None else {}, found, include_extras=True)


class _Later(dict[str, Any]):
    """Names of annotations; those of `_LATER` are imported when they are asked for."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, name: str) -> Any:
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        return self._names[name]
