"""The style sheet: its colours can be told apart, and it is all there is."""

import re
import unittest
from pathlib import Path

import waeup.kofa.browser

FOLDER = Path(waeup.kofa.browser.__file__).parent
SHEET = (FOLDER / "static" / "kofa.css").read_text(encoding="utf-8")

#: What is read, and on what it stands (WCAG 2.2, 1.4.3).
TEXTS = (
    *(("ink", on) for on in ("paper", "card", "field", "raised")),
    *(("ink-soft", on) for on in ("paper", "card", "raised")),
    *(("link", on) for on in ("paper", "card", "raised")),
    ("on-brand", "brand"),
    ("on-brand", "brand-dark"),
    ("on-bar", "bar"),
    ("on-danger", "danger"),
    ("on-danger", "danger-dark"),
    ("brand", "paper"),
    ("good", "good-paper"),
    ("warn", "warn-paper"),
    ("bad", "bad-paper"),
    ("bad", "card"),
    ("info", "info-paper"),
)
#: What must be seen: edges of what is filled in or pressed, the focus, progress (1.4.11).
SHAPES = (
    *(("line-strong", on) for on in ("paper", "card", "field")),
    *(("focus", on) for on in ("paper", "card", "field")),
    ("on-bar", "bar"),
    ("brand", "raised"),
    ("brand", "card"),
    ("danger", "card"),
    ("good", "card"),
    ("warn", "card"),
    *((f"look-{look}", "card") for look in range(1, 7)),
)


def colours(block: str) -> dict[str, str]:
    """Return the colours that a part of the style sheet declares, by name."""
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    """Return how bright a colour is (WCAG 2.2, relative luminance)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


class Colours(unittest.TestCase):
    """Letters and edges stand out, in light and in dark."""

    light = colours(SHEET[: SHEET.index("@media")])
    dark = colours(
        SHEET[SHEET.index("@media (prefers-color-scheme: dark)") :].partition("\n}\n")[0]
    )

    def test_the_measure(self) -> None:
        self.assertAlmostEqual(contrast("#000000", "#ffffff"), 21)
        self.assertAlmostEqual(contrast("#777777", "#ffffff"), 4.48, 2)

    def test_each_colour_has_a_value_for_the_dark(self) -> None:
        self.assertEqual(set(self.light), set(self.dark))

    def test_each_pair_stands_out(self) -> None:
        for scheme, known in (("light", self.light), ("dark", self.dark)):
            for least, pairs in ((4.5, TEXTS), (3.0, SHAPES)):
                for above, below in pairs:
                    with self.subTest(scheme, above=above, below=below):
                        self.assertGreaterEqual(contrast(known[above], known[below]), least)

    def test_each_colour_of_letters_is_in_a_pair(self) -> None:
        used = set(re.findall(r"(?<![\w-])color: var\(--([\w-]+)\)", SHEET))
        self.assertEqual(used - {above for above, _below in TEXTS}, set())

    def test_colours_are_written_down_as_values_only(self) -> None:
        rules = re.sub(r"--[\w-]+: [^;]+;", "", SHEET)
        self.assertEqual(re.findall(r"#[0-9a-f]{3,8}\b", rules), [])


class Sheet(unittest.TestCase):
    """One style sheet, nothing from elsewhere, nothing inline."""

    def test_values_that_are_used_are_declared(self) -> None:
        declared = set(re.findall(r"(--[\w-]+):", SHEET))
        self.assertEqual(set(re.findall(r"var\((--[\w-]+)\)", SHEET)) - declared, set())

    def test_nothing_comes_from_elsewhere(self) -> None:
        self.assertNotRegex(SHEET, r"url\(|@import|@font-face")
        self.assertEqual(len(list(FOLDER.rglob("*.css"))), 1)

    def test_nothing_is_inline(self) -> None:
        for page in FOLDER.rglob("*.pt"):
            self.assertNotRegex(
                page.read_text(encoding="utf-8"), r"\sstyle=|<style|\son\w+=", page
            )
