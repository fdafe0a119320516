"""The collector of narratives, and what runs those that stand elsewhere."""

import doctest
import io
import re
import sys
import unittest
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from zope.dottedname.resolve import resolve

OPTION_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.REPORT_NDIFF

_DOCTEST_MARKER = re.compile(r"^\s*(?:\.\.\s+)?:doctest:", re.IGNORECASE | re.MULTILINE)
_LAYER_MARKER = re.compile(r"^\s*(?:\.\.\s+)?:layer:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)


class NarrativeError(Exception):
    """A narrative that would not be run, or not where it wants to.

    The message names the file. Mend its markers, or its place.
    """


class Markers(NamedTuple):
    """What a text file says about how it wants to be run."""

    doctest: bool
    layer: Any
    examples: bool


def read_markers(path: Path) -> Markers:
    """Return the markers of the text file `path`.

    Raises `NarrativeError` if the layer that it names cannot be imported.
    """
    text = path.read_text(encoding="utf-8")
    layer = None
    for name in _LAYER_MARKER.findall(text)[:1]:
        try:
            layer = resolve(name)
        except (ImportError, ValueError) as error:
            raise NarrativeError(
                f"{path}: the layer {name!r} cannot be imported ({error}). "
                "Correct its dotted name behind `:layer:`."
            ) from error
    return Markers(bool(_DOCTEST_MARKER.search(text)), layer, bool(_EXAMPLE.search(text)))


def narratives(
    package_dir: str | Path, docs_dir: str | Path | None = None, plain: Collection[str] = ()
) -> unittest.TestSuite:
    """Collect the narratives of a package and of its manual.

    Arguments:
        package_dir: every ``*.txt`` below it is a narrative.
        docs_dir: every ``*.rst`` below it that is marked is a narrative. An installed package
            has no manual: the folder may be None, or missing.
        plain: names relative to `package_dir` of texts that are no narratives.

    Raises `NarrativeError` for a ``*.txt`` without ``:doctest:``, for a marked text without
    an example, for a page of the manual with examples and no marker, for an unknown layer, and
    when there is no narrative at all: a collector that finds nothing must not look like success.
    """
    suite = unittest.TestSuite()
    package = Path(package_dir)
    for path in sorted(package.rglob("*.txt")):
        if path.relative_to(package).as_posix() in plain:
            continue
        markers = read_markers(path)
        if not markers.doctest:
            raise NarrativeError(
                f"{path}: a text in the package without `.. :doctest:` is not run. "
                "Mark it, or list it as plain text where narratives are collected."
            )
        suite.addTest(_narrative(path, markers))
    for path in sorted(Path(docs_dir).rglob("*.rst")) if docs_dir else ():
        markers = read_markers(path)
        if markers.doctest:
            suite.addTest(_narrative(path, markers))
        elif markers.examples:
            raise NarrativeError(
                f"{path}: its examples (>>>) are not run. Add `.. :doctest:` below the title."
            )
    if not suite.countTestCases():
        raise NarrativeError(f"{package_dir}: no narrative was found there. Is the folder right?")
    return suite


def _narrative(path: Path, markers: Markers) -> unittest.TestSuite:
    """Return the one test that `path` is, to be run in its layer."""
    if not markers.examples:
        raise NarrativeError(
            f"{path}: marked with `:doctest:`, but without an example (>>>). "
            "Add one, or remove the marker."
        )
    suite = doctest.DocFileSuite(
        str(path),
        module_relative=False,
        globs=_names_of(markers.layer),
        optionflags=OPTION_FLAGS,
        encoding="utf-8",
    )
    if markers.layer is not None:
        suite.layer = markers.layer  # type: ignore[attr-defined]  # zope.testrunner reads it
    return suite


def _names_of(layer: Any) -> dict[str, Any]:
    """Return the names that narratives in a layer need not import, as in Kofa 1.9."""
    root = getattr(layer, "getRootFolder", None)
    return {} if root is None else {"getRootFolder": root}


# -- narratives from elsewhere ---------------------------------------------------------------


class _ForgivingFile(io.BufferedWriter):
    """A binary file that takes text, and whose `write` returns nothing, as Python 2's did."""

    def write(self, data: Any) -> None:  # type: ignore[override]
        super().write(data.encode("utf-8") if isinstance(data, str) else data)

    def __del__(self) -> None:
        # Nobody closes `open(path, 'wb').write('text')`; Python 2 did so without a word.
        self.close()


def forgiving_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    """`open` as narratives from Python 2 expect it: a binary file to be written takes text.

    In any other mode, and with more arguments, it is Python's own `open`.
    """
    if mode in ("ab", "wb", "xb") and not args and not kwargs:
        return _ForgivingFile(io.FileIO(file, mode))
    return open(file, mode, *args, **kwargs)


@contextmanager
def _in_layer(layer: Any) -> Iterator[None]:
    """Set up `layer` for one test and tear it down again."""
    if layer is None:
        yield
        return
    layer.setUp()
    try:
        layer.testSetUp()
        try:
            yield
        finally:
            layer.testTearDown()
    finally:
        layer.tearDown()


def main(paths: Sequence[str] | None = None) -> int:
    """Run the narratives `paths` with `forgiving_open`; return 0 if all their examples hold.

    Without `paths` the command line names them. No path, and a path without examples, are
    failures.
    """
    named = [Path(name).absolute() for name in (sys.argv[1:] if paths is None else paths)]
    if not named:
        print("Name the narratives: python -m waeup.kofa.testing PATH...", file=sys.stderr)
        return 1
    held = [_holds(path) for path in named]
    return 0 if all(held) else 1


def _holds(path: Path) -> bool:
    """Run the narrative `path` and tell whether it has examples and all of them hold."""
    try:
        layer = read_markers(path).layer
    except (OSError, UnicodeDecodeError, NarrativeError) as error:
        print(f"{path} cannot be run: {error}", file=sys.stderr)
        return False
    with _in_layer(layer):
        failed, attempted = doctest.testfile(
            str(path),
            module_relative=False,
            globs={"open": forgiving_open, **_names_of(layer)},
            optionflags=OPTION_FLAGS,
            encoding="utf-8",
        )
    print(f"{path}: {attempted} examples, {failed} of them failed")
    return attempted > 0 and not failed
