"""Packages of a site, which ``kofa.conf`` names: their components come behind those of the portal.

A package is a Python package that this interpreter can import, with a ``configure.zcml``.  It is
loaded in the order in which it is named; what it registers takes the place of what was there.
"""

import importlib.util
import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import Any

from waeup.kofa.errors import Refused

#: The file that registers the components of a package.
CONFIGURATION = "configure.zcml"
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)

#: What may come out of a module that is run; some end the process.
_ANYTHING = (Exception, SystemExit)

#: Packages that this process has loaded.
_loaded: list[str] = []


def package_name(text: str) -> str:
    """Return a name that can be that of a package; raises ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError("the dotted name of a Python package is meant, such as mammoths")
    return text


def place_of(name: str) -> Path:
    """Return the folder of a package; raises `Refused` when there is none, or no configuration."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    except _ANYTHING as error:
        # A package below others: these were imported.
        raise _cannot_be_loaded(name, error) from error
    if spec is None or spec.submodule_search_locations is None or spec.origin is None:
        raise Refused(
            f"There is no package {name} that this Python could import. Correct its name in "
            "kofa.conf, or install it: pip install -e FOLDER"
        )
    folder = Path(next(iter(spec.submodule_search_locations)))
    if not (folder / CONFIGURATION).is_file():
        raise Refused(
            f"The package {name} in {folder} has no {CONFIGURATION}, which registers its "
            "components. Write one as `kofactl scaffold` does."
        )
    return folder


def load_packages(names: Iterable[str], context: Any = None) -> Any:
    """Register the components of packages, each once in a process; return the ZCML context.

    `context` is that of what was loaded before.  Raises `Refused`, with what is wrong where, for a
    package that cannot be loaded; others may have been by then.
    """
    from zope.configuration import xmlconfig

    for name in names:
        if name in _loaded:
            continue
        place_of(name)
        try:
            context = xmlconfig.file(CONFIGURATION, import_module(name), context)
        except _ANYTHING as error:
            raise _cannot_be_loaded(name, error) from error
        _loaded.append(name)
    return context


def forget_packages() -> None:
    """Know of no package any more: for tests, which take all registrations back."""
    _loaded.clear()


def _cannot_be_loaded(name: str, error: BaseException) -> Refused:
    return Refused(f"The package {name} cannot be loaded: {_words(error)}{_place(name, error)}")


def _place(name: str, error: BaseException) -> str:
    """Return where in the package an error comes from, for what its code has raised."""
    spec = importlib.util.find_spec(name.partition(".")[0])
    folders = tuple(spec.submodule_search_locations or ()) if spec else ()
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    for each in reversed(chain):
        for frame in reversed(extract_tb(each.__traceback__)):
            if any(Path(frame.filename).is_relative_to(folder) for folder in folders):
                return f" ({frame.filename}, line {frame.lineno})"
    return ""


def _words(error: BaseException) -> str:
    """Return what is wrong, in one line, with the place that ZCML tells."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    return ": ".join((type(error).__name__, *lines))
