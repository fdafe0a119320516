"""Writes a small package of a site, with kinds of objects, and tests that pass.

::

    mammoths/
      pyproject.toml  README.rst
      src/mammoths/__init__.py  configure.zcml  interfaces.py  kinds.py
      src/mammoths/tests/__init__.py  test_kinds.py

All is written into a folder of another name beside the place, and renamed at the end: either the
whole package is there, or nothing.
"""

import importlib.util
import keyword
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

from waeup.kofa.errors import InvalidName, NameTaken, Refused

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*", re.ASCII)
#: Characters of a name.
LONGEST = 40
#: Sources are no secret, whatever the mask of the process says.
FOLDER_MODE, FILE_MODE = 0o755, 0o644
#: Names below the site, of its pages, and of exporters, that the portal has itself.
TAKEN = frozenset(
    (
        *("courses", "coursetickets", "datacenter", "departments", "faculties", "students"),
        *("mailtemplates", "processors", "roles", "settings", "sources", "users", "webhooks"),
    )
)
#: Names that the sources of a package import.
IMPORTED = frozenset(("ContainerProcessor",))


class Kind(NamedTuple):
    """A kind of objects: `name` in small letters, that of its class, of many, and in words."""

    name: str
    cls: str
    plural: str
    title: str

    @property
    def processor(self) -> str:
        """The name of its processor."""
        return f"{self.cls.lower()}processor"

    @property
    def classes(self) -> frozenset[str]:
        """The names that sources have for it."""
        return frozenset((self.cls, f"I{self.cls}", f"{self.cls}Processor"))

    @classmethod
    def of(cls, name: str) -> "Kind":
        """Return the kind of a name; raises `InvalidName` and `NameTaken`."""
        _require_name(name, "kind", "mammoth")
        words = name.split("_")
        kind = cls(name, "".join(map(str.capitalize, words)), _plural(name), " ".join(words))
        if keyword.iskeyword(kind.cls) or kind.classes & IMPORTED:
            raise InvalidName(f"No class can be called like {name} here. Name another kind.")
        if kind.plural in TAKEN:
            raise NameTaken(
                f"The portal has {kind.plural} of its own. Name another kind than {name}."
            )
        return kind


def scaffold(name: str, folder: Path, kinds: Sequence[str] = ()) -> tuple[Path, list[str]]:
    """Write the package `name` into a new folder of that name in `folder`.

    `kinds` are the names of its kinds of objects, each that of one (default: that of the package).
    Returns the new folder, and the names of its files.  Raises `InvalidName`, and `NameTaken` for
    a folder or a package that is there; then nothing was written.
    """
    _require_name(name, "package", "mammoths")
    if name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None:
        raise NameTaken(
            f"This Python has a package {name} already. Choose another name, or work on that one."
        )
    found = [Kind.of(kind) for kind in dict.fromkeys(kinds or (_singular(name),))]
    _require_different(found)
    target = folder.absolute() / name
    if os.path.lexists(target):
        raise NameTaken(f"There is {target} already. Choose another name, or another --dir.")
    if not folder.is_dir():
        raise Refused(f"There is no folder {folder}. Make it, or name another one with --dir.")
    files = dict(_files(name, found))
    try:
        _write(target, files)
    except OSError as error:
        raise Refused(f"{target} cannot be written: {error.strerror}.")
    return target, sorted(files)


def _require_name(name: str, what: str, example: str) -> None:
    if keyword.iskeyword(name):
        raise InvalidName(
            f"{name!r} is no name for a {what}: Python itself has this word. Choose another one, "
            f"such as {example}."
        )
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise InvalidName(
            f"{name!r} is no name for a {what}: it has to begin with a letter, and have small "
            f"letters a to z, digits and single _ only, at most {LONGEST}; such as {example}."
        )


def _require_different(kinds: Sequence[Kind]) -> None:
    """Raise `NameTaken` for two kinds that would have one class, one processor, or one place."""
    for at, kind in enumerate(kinds):
        for other in kinds[:at]:
            if (
                kind.processor == other.processor
                or kind.plural == other.plural
                or kind.classes & other.classes
            ):
                raise NameTaken(
                    f"The kinds {other.name} and {kind.name} would have the same names. Name one "
                    "of them otherwise."
                )


def _plural(name: str) -> str:
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"


def _singular(name: str) -> str:
    if name.endswith("ies") and len(name) > 4:
        return f"{name[:-3]}y"
    is_plural = name.endswith("s") and not name.endswith("ss") and len(name) > 2
    return name[:-1] if is_plural else name


def _write(target: Path, files: dict[str, str]) -> None:
    """Write files below a new folder at one stroke."""
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name, text in files.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
        for place, _folders, names in os.walk(beside):
            os.chmod(place, FOLDER_MODE)
            for name in names:
                os.chmod(os.path.join(place, name), FILE_MODE)
        os.rename(beside, target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _files(name: str, kinds: Sequence[Kind]) -> Iterator[tuple[str, str]]:
    """Generate names and texts of all files."""
    first = kinds[0]
    words = {
        "name": name,
        "plurals": ", ".join(kind.plural.replace("_", " ") for kind in kinds),
        "kind": first.name,
        "plural": first.plural,
        "line": "=" * len(name),
        "processor": first.processor,
        "interfaces": ", ".join(f"I{kind.cls}" for kind in kinds),
    }
    source = f"src/{name}"
    yield "pyproject.toml", Template(_PROJECT).substitute(words)
    yield "README.rst", Template(_README).substitute(words)
    yield f"{source}/__init__.py", Template(_INIT).substitute(words)
    yield f"{source}/configure.zcml", _ZCML
    yield f"{source}/interfaces.py", _of_kinds(_INTERFACES, _INTERFACE, words, kinds)
    yield f"{source}/kinds.py", _of_kinds(_KINDS, _KIND, words, kinds)
    yield f"{source}/tests/__init__.py", f'"""Tests of {name}."""\n'
    yield f"{source}/tests/test_kinds.py", _of_kinds(_TESTS, _TEST, words, kinds)


def _of_kinds(head: str, each: str, words: dict[str, str], kinds: Sequence[Kind]) -> str:
    parts = [Template(head).substitute(words)]
    for kind in kinds:
        more = {**words, **kind._asdict(), "processor": kind.processor}
        parts.append(Template(each).substitute(more))
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


# -- texts -----------------------------------------------------------------------------

_PROJECT = """\
[build-system]
requires = ["setuptools>=64"]
build-backend = "setuptools.build_meta"

[project]
name = "$name"
version = "0.1"
description = "Kinds of objects for a Kofa portal: $plurals"
readme = "README.rst"
requires-python = ">=3.10"
dependencies = ["waeup.kofa"]

[tool.setuptools.packages.find]
where = ["src"]

[tool.setuptools.package-data]
$name = ["*.zcml"]
"""

_README = """\
$name
$line

Kinds of objects for a Kofa portal: $plurals.

Install it where the portal is, and test it::

    pip install -e .
    python -m unittest $name.tests.test_kinds

Let the portal load it: one line in ``kofa.conf``, above all sections, and a new start::

    package $name

    kofactl check-config
    kofactl run

Then import a table::

    kofactl template $processor > $plural.csv
    kofactl import $plural.csv --processor $processor --mode create

What a kind may say besides is told in the manual of Kofa, in "Plug in a kind of object" and in
"Hooks".
"""

_INIT = '''"""Kinds of objects for a Kofa portal: $plurals."""
'''

_ZCML = """\
<configure
    xmlns="http://namespaces.zope.org/zope"
    xmlns:grok="http://namespaces.zope.org/grok">

  <include package="grok" file="meta.zcml" />
  <grok:grok package="." />

</configure>
"""

_INTERFACES = '''"""What is known of each object: the columns of its table."""

from zope import schema
from zope.interface import Interface
'''

_INTERFACE = '''
class I$cls(Interface):
    """One $title."""

    code = schema.TextLine(title="Code")
    title = schema.TextLine(title="Title")
    number = schema.Int(title="Number", required=False, min=0)
    since = schema.Date(title="Since", required=False)
    active = schema.Bool(title="Is active", default=True)
    remark = schema.Text(title="Remark", required=False)
'''

_KINDS = '''"""Objects, and how they are imported; exporters and pages come by themselves."""

import grok
from waeup.kofa.importing.kind import ContainerProcessor
from zope.interface import implementer

from $name.interfaces import $interfaces
'''

_KIND = '''
@implementer(I$cls)
class $cls(grok.Model):
    """See `I$cls`."""

    code = title = number = since = remark = None
    active = True


class ${cls}Processor(ContainerProcessor):
    """Imports objects into a container of the portal, which is made with the first of them."""

    name = "${cls} Processor"
    about = "Write here, for officers, what these objects are."
    iface = I$cls
    factory = $cls
    container = "$plural"
    container_factory = grok.Container
    key = "code"
'''

_TESTS = '''"""Each kind keeps the contracts of the portal for imports and exports."""

import unittest

from waeup.kofa.testing import KindContract, KofaUnitTestLayer


class Layer(KofaUnitTestLayer):
    """The components of the portal, and those of this package."""

    packages = ("$name",)
'''

_TEST = '''
class ${cls}Tests(KindContract, unittest.TestCase):
    """Tables of $plural."""

    layer = Layer
    processor = "$processor"
    exporter = "$plural"
    rows = [
        {"code": "A1", "title": "One", "number": "1", "since": "2020-01-31#", "active": "yes"},
        {"code": "B2", "title": "Two", "active": "no", "remark": "=not a formula"},
    ]
    changes = {"title": "Uno", "number": "11"}
    wrong = {"number": "many", "since": "long ago", "active": "perhaps"}
'''
