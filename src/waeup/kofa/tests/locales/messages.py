"""Gathers all texts of the package for translators: `make messages`.

Texts of Python are found in its syntax tree, those of page templates by the parser that renders
them.  The catalogs name files, but no lines and no dates, so that they change with the texts.
"""

import ast
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po
from zope.tal.htmltalparser import HTMLTALParser
from zope.tal.talgettext import POEngine, POTALInterpreter

from waeup.kofa.i18n import DOMAIN, LANGUAGES
from waeup.kofa.locales.catalogs import FOLDER, po_path

PACKAGE = FOLDER.parent
TEMPLATE = FOLDER / f"{DOMAIN}.pot"
#: Rooms whose texts nobody reads on a page.
_SPEAK_ENGLISH = ("tests", "testing.py", "cli")
#: Names that a file gives to what marks texts, and how many texts a call of it holds.
_MARKS = {"_": 1, "counted": 2}
#: A text in an expression of a template: ``view.phrase('Choose ${title}', title=...)``.
_PHRASE = re.compile(r"view\.phrase\('([^']+)'")
#: Names for values; those of scripts have no ``$``.
_NAMES = re.compile(r"(\$?\{\w+\})")


class Text(NamedTuple):
    """A text in English, `plural` for another number than one, and the file that says it."""

    text: str
    plural: str | None
    file: str


def gathered() -> list[Text]:
    """Return the texts of all files, in the order of files and of places in them."""
    found = []
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE)
        if name.parts[0] in _SPEAK_ENGLISH:
            continue
        if path.suffix == ".py":
            found += [
                Text(*texts, name.as_posix()) for texts in texts_of_python(path.read_text("utf-8"))
            ]
        elif path.suffix == ".pt":
            found += [Text(text, None, name.as_posix()) for text in texts_of_page(path)]
    return found


def texts_of_python(source: str) -> Iterator[tuple[str, str | None]]:
    """Generate the marked texts of a module; raise `ValueError` for one that is no literal."""
    found = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
        if not isinstance(node.func, ast.Name):
            continue
        number = _MARKS.get(node.func.id, 0)
        texts = [
            arg.value
            for arg in node.args[:number]
            if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
        ]
        # The name of a message that stands elsewhere (`_(text, mapping=...)`) says no text itself.
        if number and any(isinstance(arg, ast.JoinedStr) for arg in node.args):
            raise ValueError(f"line {node.lineno}: a marked text is no text yet")
        if number and len(texts) == number:
            yield texts[0], texts[1] if number == 2 else None


def texts_of_page(path: Path) -> list[str]:
    """Return the marked texts of a page template."""
    engine: Any = POEngine()
    engine.file = str(path)
    parser: Any = HTMLTALParser()
    parser.parseString(path.read_text("utf-8"))
    program, macros = parser.getCode()
    _Gatherer(program, macros, engine, stream=_Nowhere(), metal=False, tal=False)()
    found = engine.catalog.get(DOMAIN, {})
    if set(engine.catalog) - {DOMAIN}:
        raise ValueError(f"{path}: texts outside of i18n:domain")
    # zope.tal gives each text a position, which is its place.
    texts = sorted(map(str, found), key=lambda text: min(at for _file, at in found[text]))
    return texts + _PHRASE.findall(path.read_text("utf-8"))


class _Gatherer(POTALInterpreter):  # type: ignore[misc]  # zope.tal has no types
    """Renders a template without values; what is translated on the way is gathered."""

    def attrAction(self, item: Any) -> Any:
        """Gather the text of an attribute, which zope.tal would only translate with values."""
        _name, value, _action, expression, is_text, message = (*item, *[None] * 3)[:6]
        if is_text and expression is None and value:
            self.translate(message or value, value)
        return super().attrAction(item)

    bytecode_handlers = {**POTALInterpreter.bytecode_handlers, "<attrAction>": attrAction}


class _Nowhere:
    def write(self, text: str) -> None:
        """Forget what a template would show."""


def catalog_of(texts: list[Text], language: str | None = None) -> Catalog:
    """Return a catalog without translations."""
    catalog = Catalog(locale=language, domain=DOMAIN, fuzzy=False)
    for text in texts:
        id = text.text if text.plural is None else (text.text, text.plural)
        catalog.add(id, locations=[(text.file, 1)])
    return catalog


def written(catalog: Catalog, head: str) -> bytes:
    """Return a catalog as a file."""
    for message in catalog:
        files = sorted({file for file, _line in message.locations})
        message.locations = [(file, None) for file in files]  # type: ignore[misc]  # no line
        # Guesses of Babel: our names are neither.
        message.flags -= {"python-format", "python-brace-format"}
        message.previous_id = []
    body = BytesIO()
    write_po(body, catalog, width=96, omit_header=True, ignore_obsolete=True)
    return head.encode() + b"\n" + body.getvalue()


def head_of(language: str | None, comment: str = "") -> str:
    """Return the head of a catalog: what is said of it, without dates."""
    plural = (
        Catalog(locale=language).plural_forms
        if language
        else "nplurals=INTEGER; plural=EXPRESSION;"
    )
    fields = [
        f"Language: {language or ''}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        f"Plural-Forms: {plural}",
    ]
    lines = "".join(f'"{field}\\n"\n' for field in fields)
    return f'{comment}msgid ""\nmsgstr ""\n{lines}'


def merged(texts: list[Text], language: str) -> bytes:
    """Return the catalog of a language with these texts: those that are new are empty."""
    path = po_path(language)
    template = catalog_of(texts)
    old, comment = Catalog(locale=language), f"# Texts of waeup.kofa in {LANGUAGES[language]}.\n"
    if path.exists():
        content = path.read_bytes()
        old = read_po(BytesIO(content), locale=language)
        comment = "".join(
            re.findall(r"^#(?: .*)?\n", content.decode().partition("msgid")[0], re.M)
        )
    fresh = catalog_of(texts, language)
    for message in template:
        known: Message | None = old.get(message.id) if message.id else None
        if known is None or known.fuzzy:
            continue
        mine = fresh.get(message.id)
        # A text that has got a second form since is translated anew.
        if mine is not None and isinstance(known.string, str) == isinstance(message.id, str):
            mine.string = known.string
    return written(fresh, head_of(language, comment))


def names_in(text: str) -> list[str]:
    """Return the ``${names}`` of a text, sorted."""
    return sorted(set(_NAMES.findall(text)))


def main() -> None:
    """Write the template and the catalogs, and tell what is to be translated."""
    texts = gathered()
    TEMPLATE.write_bytes(written(catalog_of(texts), head_of(None)))
    for language in LANGUAGES:
        if language == "en":
            continue
        path = po_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(merged(texts, language))
        with path.open("rb") as file:
            catalog = read_po(file)
        missing = sum(1 for message in catalog if message.id and not is_translated(message))
        print(f"{language}: {len(catalog)} texts, {missing} to be translated in {path}")


def is_translated(message: Message) -> bool:
    """Tell whether all forms of a text are there."""
    strings = message.string
    is_whole = all(strings) if isinstance(strings, tuple | list) else True
    return bool(strings) and is_whole and not message.fuzzy


if __name__ == "__main__":
    main()
