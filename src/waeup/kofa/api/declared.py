"""What operations take and return, as it is declared, without loading what they are made of.

The portal has `Operations`, and asks it.  The remote ``kofactl`` needs the same of one operation
only, and shall not wait for a whole portal: it reads the declaration in the source of the module
that has it, and imports the modules of those classes alone that the declaration names.  Where
there is no source, `Operations` is loaded.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from waeup.kofa.api import plain

_PACKAGE = "waeup.kofa.operations"
#: The module of the class of all operations.
_WHOLE = f"{_PACKAGE}.whole"


class Declared(NamedTuple):
    """What an operation takes and returns: its signature, and the annotations by name.

    A default that is no literal is in the signature as a `Named`, unless `Operations` was asked.
    """

    signature: inspect.Signature
    hints: dict[str, Any]


class Named:
    """Stands for a value that a module knows by a name; it is imported when it is asked for."""

    def __init__(self, names: "_Names", name: str) -> None:
        self._names = names
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.value, name)

    @property
    def value(self) -> Any:
        """The value itself."""
        return self._names[self._name]


@cache
def declared(operation: str) -> Declared:
    """Return what an operation takes and returns."""
    if _WHOLE in sys.modules:
        return of_class(operation)
    return of_source(operation) or of_class(operation)


def of_class(operation: str) -> Declared:
    """Return the same from the class, which loads the portal."""
    function = getattr(import_module(_WHOLE).Operations, operation)
    return Declared(inspect.signature(function), plain.hints_of(function))


def of_source(operation: str) -> Declared | None:
    """Return the same from the source, None where it is not found there."""
    found = _found(operation)
    if found is None:
        return None
    module, tree, function = found
    names = _Names(module, tree)
    known = function.args
    arguments = [*known.posonlyargs, *known.args]
    defaults = [None] * (len(arguments) - len(known.defaults)) + known.defaults
    parameters = [
        _parameter(names, argument, inspect.Parameter.POSITIONAL_OR_KEYWORD, default)
        for argument, default in zip(arguments, defaults, strict=True)
    ]
    parameters += [
        _parameter(names, argument, inspect.Parameter.KEYWORD_ONLY, default)
        for argument, default in zip(known.kwonlyargs, known.kw_defaults, strict=True)
    ]
    if known.kwarg is not None:
        parameters.append(_parameter(names, known.kwarg, inspect.Parameter.VAR_KEYWORD, None))
    texts = {
        argument.arg: ast.unparse(argument.annotation)
        for argument in (*arguments, *known.kwonlyargs, *filter(None, [known.kwarg]))
        if argument.annotation is not None
    }
    if function.returns is not None:
        texts["return"] = ast.unparse(function.returns)
    hints = plain.hints_of(SimpleNamespace(__annotations__=texts), names)
    return Declared(inspect.Signature(parameters), hints)


class _Names(dict[str, Any]):
    """The names that a module knows; what they stand for is imported when it is asked for."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        super().__init__()
        self._module = module
        self._imports = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in _statements(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        self._own = {name for node in _statements(tree) for name in _defined(node)}

    def __missing__(self, name: str) -> Any:
        if name in self._imports:
            module, what = self._imports[name]
            loaded = import_module(str(module))
            # A package need not have imported its modules.
            value = getattr(loaded, what, None) or import_module(f"{module}.{what}")
        elif name in self._own:
            value = getattr(import_module(self._module), name)
        else:
            raise KeyError(name)
        self[name] = value
        return value


def _found(operation: str) -> tuple[str, ast.Module, ast.FunctionDef] | None:
    """Return the module that declares an operation, its tree, and the declaration."""
    spec = find_spec(_PACKAGE)
    pattern = re.compile(rf"^    def {re.escape(operation)}\(", re.MULTILINE)
    for folder in [] if spec is None else spec.submodule_search_locations or []:
        for path in sorted(Path(folder).glob("*.py")):
            source = path.read_text(encoding="utf-8")
            if pattern.search(source) is None:
                continue
            tree = ast.parse(source)
            for node in tree.body:
                for each in node.body if isinstance(node, ast.ClassDef) else []:
                    if isinstance(each, ast.FunctionDef) and each.name == operation:
                        return f"{_PACKAGE}.{path.stem}", tree, each
    return None


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Generate the statements of a module, also those for type checkers."""
    for node in tree.body:
        yield node
        if isinstance(node, ast.If):
            yield from node.body


def _defined(node: ast.stmt) -> Iterator[str]:
    """Generate the names that a statement gives to something."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _parameter(names: _Names, argument: ast.arg, kind: Any, default: Any) -> inspect.Parameter:
    """Return a parameter of a signature."""
    value: Any = inspect.Parameter.empty
    if isinstance(default, ast.Name):
        value = Named(names, default.id)
    elif default is not None:
        value = ast.literal_eval(default)
    return inspect.Parameter(argument.arg, kind, default=value)
