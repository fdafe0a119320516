"""Packages of a site, which ``kofa.conf`` names: their components come behind those of the portal.

A package is a Python package that this interpreter can import, with a ``configure.zcml``.  It is
loaded in the order in which it is named; what it registers takes the place of what was there.
"""

import importlib.util
import re
from collections.abc import Iterable, Iterator
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
        wrong = next(_mistakes(), None)
        if wrong is not None:
            raise Refused(f"The package {name} cannot be used: {wrong}")
        _loaded.append(name)
    return context


def _mistakes() -> Iterator[str]:
    """Generate what is wrong with kinds as they are registered now.

    One exporter that nobody can ask would keep the portal from listing all of them, and from
    removing objects of any kind.
    """
    from zope.component import getUtilitiesFor, queryUtility
    from zope.security.interfaces import IPermission

    from waeup.kofa.exporting.kind import KindExporter
    from waeup.kofa.importing.declaring import declarations_of
    from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter

    kinds: dict[str, Any] = dict(getUtilitiesFor(IBatchProcessor))
    exporters: list[tuple[str, Any]] = list(getUtilitiesFor(ICSVExporter))
    for name, exporter in exporters:
        if not name:
            yield f"{_class(exporter)} has no name. Give it one, such as grok.name('mammoths')."
        if isinstance(exporter, KindExporter) and exporter.processor not in kinds:
            yield (
                f"{_class(exporter)}.processor is {exporter.processor!r}, and there is no such "
                f"processor. There are: {', '.join(sorted(kinds))}."
            )
        keys = getattr(exporter, "key_fields", ())
        if isinstance(keys, str):
            yield f"{_class(exporter)}.key_fields is one text; write a tuple: ({keys!r},)."
        if isinstance(exporter, KindExporter) and not _has_objects(exporter):
            yield (
                f"{_class(exporter)} does not say which objects there are. Let it define "
                "objects(site), which returns all of them, and find(site, key)."
            )
    for processor in kinds.values():
        rules = declarations_of(processor).rules
        columns = frozenset(processor.available_fields) if rules else frozenset()
        for each in rules:
            unknown = ", ".join(name for name in each.fields if name not in columns)
            if unknown:
                yield (
                    f"{_class(processor)}.{each.name}: there is no column {unknown}, so that the "
                    f"rule would never be asked. There are: {', '.join(sorted(columns))}."
                )
    for component in (*kinds.values(), *(exporter for _name, exporter in exporters)):
        permission = getattr(component, "permission", "")
        if permission and queryUtility(IPermission, name=permission) is None:
            yield (
                f"{_class(component)}.permission is {permission!r}, which nothing declares. "
                "Correct it, or declare a grok.Permission of that name."
            )


def _has_objects(exporter: Any) -> bool:
    """Tell whether an exporter of a kind says in any way which objects it exports."""
    from waeup.kofa.exporting.kind import KindExporter
    from waeup.kofa.importing.hooks import overridden

    return type(exporter).objects is not KindExporter.objects or any(
        overridden(exporter, hook) for hook in ("get_filtered", "export_filtered")
    )


def missing_vocabularies() -> Iterator[str]:
    """Generate the fields of kinds that name vocabularies which no package has registered.

    Such a kind can be used where the portal has the vocabulary in its database.
    """
    from zope.component import getUtilitiesFor, queryUtility
    from zope.schema import getFieldsInOrder
    from zope.schema.interfaces import IVocabularyFactory

    from waeup.kofa.interfaces import IBatchProcessor

    for _name, processor in sorted(getUtilitiesFor(IBatchProcessor)):
        for column, field in getFieldsInOrder(processor.iface):
            named = getattr(getattr(field, "value_type", None) or field, "vocabularyName", None)
            if named is not None and queryUtility(IVocabularyFactory, name=named) is None:
                yield (
                    f"{_class(processor)}: its field {column} names the vocabulary {named!r}, and "
                    "nothing is registered under that name."
                )


def _class(component: Any) -> str:
    """Return the dotted name of the class of a component."""
    return f"{type(component).__module__}.{type(component).__name__}"


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
