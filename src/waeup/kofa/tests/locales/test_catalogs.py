"""The catalogs hold all texts of the package, translated, and nothing else."""

import unittest
from functools import cached_property
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from babel.messages.pofile import read_po

from waeup.kofa.i18n import LANGUAGES
from waeup.kofa.locales.catalogs import po_path
from waeup.kofa.tests.locales import messages
from waeup.kofa.tests.locales.messages import (
    TEMPLATE,
    Text,
    catalog_of,
    gathered,
    head_of,
    is_translated,
    merged,
    names_in,
    texts_of_python,
    written,
)

#: What to do when one of these tests fails.
HINT = "Call `make messages`, and translate what is empty then (docs/languages.rst)."
TRANSLATED = [language for language in LANGUAGES if language != "en"]


class Gathering(unittest.TestCase):
    """What counts as a text."""

    def test_texts_of_python(self) -> None:
        source = """
            _("One")
            _("Two " "parts: ${n}", mapping={"n": _("inner")})
            counted("${n} row", "${n} rows", 3)
            _(variable)
            other("no text")
        """
        lines = "\n".join(line.strip() for line in source.splitlines())
        self.assertEqual(
            list(texts_of_python(lines)),
            [
                ("One", None),
                ("Two parts: ${n}", None),
                ("inner", None),
                ("${n} row", "${n} rows"),
            ],
        )

    def test_a_text_with_values_in_it_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "line 1"):
            list(texts_of_python('_(f"There is no {name}.")'))

    def test_texts_of_pages(self) -> None:
        page = """<form i18n:domain="waeup.kofa" aria-label="A form" i18n:attributes="aria-label"
            tal:attributes="action string:there">
            <input placeholder="An entry" i18n:attributes="placeholder; title" title="A title"
                   tal:attributes="title view/title; value view/value" />
            <p i18n:translate="">A <b i18n:name="what">word</b></p><p title="No text">no text</p>
            <span tal:content="python: view.phrase('Choose ${title}', title=1)">Choose</span>
        </form>"""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "page.pt"
            path.write_text(page)
            self.assertEqual(
                messages.texts_of_page(path),
                ["A form", "An entry", "A ${what}", "Choose ${title}"],
            )


class Merging(unittest.TestCase):
    """What `make messages` does with a catalog that is there."""

    PO = """# The head of the file.
msgid ""
msgstr ""
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "kept"
msgstr "bleibt"

msgid "${n} row"
msgid_plural "${n} rows"
msgstr[0] "${n} Zeile"
msgstr[1] "${n} Zeilen"

#, fuzzy
msgid "doubtful"
msgstr "zweifelhaft"

msgid "gone"
msgstr "fort"
"""

    def test_translations_are_kept(self) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder, "de.po")
            path.write_text(self.PO, encoding="utf-8")
            texts = [
                Text("new", None, "b.py"),
                Text("kept", None, "a.pt"),
                Text("kept", None, "b.py"),
                Text("${n} row", "${n} rows", "b.py"),
                Text("doubtful", None, "b.py"),
            ]
            with mock.patch.object(messages, "po_path", return_value=path):
                once = merged(texts, "de")
                path.write_bytes(once)
                self.assertEqual(merged(texts, "de"), once)
        text = once.decode()
        self.assertTrue(text.startswith("# The head of the file.\n"), text)
        self.assertIn('#: a.pt b.py\nmsgid "kept"\nmsgstr "bleibt"\n', text)
        self.assertIn('msgstr[1] "${n} Zeilen"\n', text)
        self.assertIn('msgid "new"\nmsgstr ""\n', text)
        self.assertIn('msgid "doubtful"\nmsgstr ""\n', text)
        self.assertNotIn("gone", text)


class Catalogs(unittest.TestCase):
    """The files for translators."""

    @cached_property
    def texts(self) -> list[Text]:
        """All texts of the package."""
        return gathered()

    def test_the_template_holds_all_texts(self) -> None:
        fresh = written(catalog_of(self.texts), head_of(None))
        self.assertTrue(fresh == TEMPLATE.read_bytes(), HINT)

    def test_each_catalog_holds_these_texts_and_no_others(self) -> None:
        for language in TRANSLATED:
            with self.subTest(language):
                path = po_path(language)
                self.assertTrue(merged(self.texts, language) == path.read_bytes(), HINT)
                self.assertNotIn("#~", path.read_text("utf-8"))

    def test_each_text_is_translated(self) -> None:
        for language in TRANSLATED:
            catalog = read_po(BytesIO(po_path(language).read_bytes()), locale=language)
            missing = [m.id for m in catalog if m.id and not is_translated(m)]
            self.assertEqual(missing, [], f"{language}: {HINT}")

    def test_each_translation_has_the_names_of_its_text(self) -> None:
        for language in TRANSLATED:
            catalog = read_po(BytesIO(po_path(language).read_bytes()), locale=language)
            for message in catalog:
                if not message.id or not is_translated(message):
                    continue
                ids = [message.id] if isinstance(message.id, str) else list(message.id)
                said = message.string
                strings = [said] if isinstance(said, str) else list(said or ())
                for string in strings:
                    with self.subTest(language, text=ids[-1]):
                        self.assertEqual(names_in(string), names_in(ids[-1]))
                        self.assertEqual(string[:1].isspace(), ids[-1][:1].isspace())
                        self.assertEqual(string[-1:].isspace(), ids[-1][-1:].isspace())
