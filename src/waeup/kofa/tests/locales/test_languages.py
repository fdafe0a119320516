"""Which language a person reads, and how texts, numbers and times are said in it."""

import unittest
from datetime import datetime, timezone
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import transaction

from waeup.kofa.errors import DuplicationError, NoSuchItem
from waeup.kofa.i18n import Listing, Number, counted, english
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.locales.catalogs import Domain, domain
from waeup.kofa.locales.formats import formats_for
from waeup.kofa.locales.recognition import Recognizer
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase

LOGIN = "http://localhost/app/login"
_CUT = "cells are missing or the row was cut off. Make the row as long as the header."
_REASON = "changed since the check: then it failed, now it would be created. Check the file again."


class German:
    """A catalog of a few texts."""

    texts = {
        "There is no ${what}.": "Es gibt ${what} nicht.",
        "file ${name}": "Datei ${name}",
        "${n} row": "${n} Zeile",
        "${n} rows": "${n} Zeilen",
    }

    def text(self, singular: str, plural: str | None = None, number: float | None = None) -> str:
        """Return a text."""
        chosen = singular if plural is None or number == 1 else plural
        return self.texts.get(chosen, chosen)

    def message(self, text: str) -> Any:
        """Return the message behind a text."""
        return Recognizer(self.texts).message(text)


class Texts(unittest.TestCase):
    """Messages."""

    domain = Domain({"de": German()})
    text = _("There is no ${what}.", mapping={"what": _("file ${name}", mapping={"name": "a"})})

    def test_english_is_the_text_itself(self) -> None:
        self.assertEqual(english(self.text), "There is no file a.")
        self.assertEqual(english("100 ${percent}"), "100 ${percent}")
        self.assertEqual(english(_("${a} ${b}", mapping={"a": "${b}", "b": 2})), "${b} 2")
        self.assertEqual(self.domain.say(self.text, "en-GB"), "There is no file a.")

    def test_texts_within_texts_are_translated(self) -> None:
        self.assertEqual(self.domain.say(self.text, "de-AT"), "Es gibt Datei a nicht.")

    def test_numbers_choose_the_form(self) -> None:
        for number, said, german in (
            (1, "1 row", "1 Zeile"),
            (1200, "1,200 rows", "1.200 Zeilen"),
        ):
            text = counted("${n} row", "${n} rows", number)
            self.assertEqual(english(text), said)
            self.assertEqual(self.domain.say(text, "de"), german)

    def test_errors_are_english_and_can_be_translated(self) -> None:
        error = NoSuchItem(self.text)
        self.assertEqual(str(error), "There is no file a.")
        self.assertEqual(self.domain.say(error, "de"), "Es gibt Datei a nicht.")
        self.assertEqual(str(NoSuchItem("plain")), "plain")
        self.assertEqual(str(NoSuchItem()), "")
        self.assertEqual(str(DuplicationError(self.text)), "'There is no file a.'")

    def test_listings(self) -> None:
        texts = Listing([self.text, "b"])
        self.assertEqual(str(texts), "There is no file a., b")
        said = self.domain.say(_("${them}", mapping={"them": texts}), "de")
        self.assertEqual(said, "Es gibt Datei a nicht., b")


class Recognition(unittest.TestCase):
    """English texts that were kept are known again."""

    known = Recognizer(
        [
            "This object already exists.",
            "Invalid value: ${text} is not allowed.",
            "Invalid value: ${text} is not allowed; allowed: ${allowed}.",
            "${a}: ${b}",
            "There is no ${what}.",
            "file ${name}",
        ]
    )

    def said(self, text: str) -> str:
        """Return a text with the parts that are known in brackets."""

        class Marked:
            def text(self, singular: str, *_more: Any) -> str:
                return singular if singular.startswith(("${part", "${field}")) else f"[{singular}]"

        return Domain({"de": Marked()}).say(self.known.message(text), "de")

    def test_what_is_known(self) -> None:
        for text, said in (
            ("This object already exists.", "[This object already exists.]"),
            ("There is no file a.", "[There is no [file a].]"),
            (
                "sex: Invalid value: 'x; y' is not allowed; allowed: m, f.; code: other",
                "sex: [Invalid value: 'x; y' is not allowed; allowed: m, f.]; code: other",
            ),
            ("sex: ; code: Other words.", "sex: ; code: Other words."),
            ("Something else: entirely.", "Something else: entirely."),
            ("", ""),
            ("; " * 50, "; " * 50),
        ):
            with self.subTest(text):
                self.assertEqual(self.said(text), said)

    def test_english_stays_what_it_was(self) -> None:
        text = "sex: Invalid value: 'x' is not allowed; allowed: m, f."
        self.assertEqual(english(self.known.message(text)), text)

    def test_what_an_error_of_another_process_says(self) -> None:
        known = self.known

        class Marked:
            message = staticmethod(known.message)

            def text(self, singular: str, *_more: Any) -> str:
                return f"[{singular}]"

        said = Domain({"de": Marked()}).say(NoSuchItem("There is no file a."), "de")
        self.assertEqual(said, "[There is no [file a].]")

    def test_reasons_are_known_piece_by_piece(self) -> None:
        for text, said in (
            (
                _REASON,
                "die Zeile war fehlgeschlagen; jetzt gilt: das Objekt würde erstellt.",
            ),
            (
                "Invalid value: 'x' is not allowed; allowed: 'm', 'f' and 3 more.",
                "'m', 'f' und 3 weitere",
            ),
            (
                f"Damaged row (line …): 4 cells instead of 7; {_CUT}",
                "Beschädigte Zeile (Dateizeile …): 4 Zellen statt 7; es fehlen Zellen",
            ),
            (
                f"Damaged row (line 2): 1 cell instead of 7; {_CUT}",
                "Beschädigte Zeile (Dateizeile 2): 1 Zelle statt 7; es fehlen Zellen",
            ),
            (
                "reg_number: 'A' belongs to student K1 already.",
                "'A' gehört schon zum Datensatz K1.",
            ),
            (
                "lastname: Required value is missing.; sex: Required value is missing.",
                "lastname: Ein Pflichtwert fehlt.; sex: Ein Pflichtwert fehlt.",
            ),
        ):
            with self.subTest(text):
                self.assertIn(said, domain.recognized(text, "de-CH"))

    def test_how_many_things_a_text_is_about(self) -> None:
        known = Recognizer(
            [("${n} file is lost.", "${n} files are lost."), ("It is.", "They are.")]
        )
        for text, number in (
            ("1 file is lost.", 1),
            ("2 files are lost.", 2),
            ("1,200 files are lost.", 1200),
            ("no files are lost.", 2),
            ("It is.", 1),
            ("They are.", 2),
        ):
            with self.subTest(text):
                found = known.message(text)
                self.assertEqual((english(found), found.number), (text, number))

    def test_very_long_texts_are_left_alone(self) -> None:
        text = f"Invalid value: {'x' * 5000} is not allowed."
        self.assertIs(self.known.message(text), text)


class Formats(unittest.TestCase):
    """Numbers, sizes and times."""

    moment = datetime(2026, 11, 28, 19, 41, 2, tzinfo=timezone.utc)

    def test_numbers(self) -> None:
        for tag, number, half in (
            ("en", "1,234,567", "0.5"),
            (
                "de-CH",
                "1\N{RIGHT SINGLE QUOTATION MARK}234\N{RIGHT SINGLE QUOTATION MARK}567",
                "0.5",
            ),
            ("de", "1.234.567", "0,5"),
            ("fr", "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567", "0,5"),
        ):
            with self.subTest(tag):
                self.assertEqual(formats_for(tag).number(1234567), number)
                self.assertEqual(formats_for(tag).number(0.5, 1), half)
        self.assertEqual(str(Number(1234.5, 1)), "1,234.5")

    def test_sizes(self) -> None:
        english, german = formats_for("en"), formats_for("de")
        self.assertEqual(english.size(1), "1 byte")
        self.assertEqual(english.size(999), "999 bytes")
        self.assertEqual(english.size(1000), "1 kB")
        self.assertEqual(english.size(1_234_567_890_123_456), "1,234.6 TB")
        self.assertEqual(german.size(1000), "1 kB")
        self.assertEqual(german.size(2_500_000), "2,5 MB")

    def test_times_are_in_the_zone(self) -> None:
        zone = ZoneInfo("Africa/Lagos")
        self.assertEqual(formats_for("en").time(self.moment, zone), "28 Nov 2026, 20:41:02")
        self.assertEqual(formats_for("de").time(self.moment, zone), "28.11.2026, 20:41:02")
        self.assertEqual(formats_for("fr").date(self.moment, zone), "28 nov. 2026")

    def test_what_is_no_place_is_written_as_usual(self) -> None:
        for tag in ("en-ZZ", "xx", "", "en-"):
            self.assertEqual(formats_for(tag).number(1000), "1,000")


class Choosing(FunctionalTestCase):
    """The browser's language, that of the log-in page, and that of the account."""

    def language(self, browser: Any) -> str:
        """Return the language of the page, which page and headers agree on."""
        language = str(browser.headers["Content-Language"])
        self.assertIn(f'<html lang="{language}" xml:lang="{language}"', browser.contents)
        self.assertEqual(browser.headers["Vary"], "Accept-Language, Cookie")
        return language

    def test_what_the_browser_prefers(self) -> None:
        for accepted, language in (
            ("de-AT,de;q=0.9,en;q=0.5", "de"),
            ("fr;q=0.3, de;q=0.7", "de"),
            ("es, fr;q=0.2", "fr"),
            ("es", "en"),
            ("de;q=0, fr;q=0.1", "fr"),
            ("x" * 5000, "en"),
            ("", "en"),
        ):
            with self.subTest(accepted):
                browser = FunctionalLayer.browser()
                browser.addHeader("Accept-Language", accepted)
                browser.open(LOGIN)
                self.assertEqual(self.language(browser), language)

    def test_the_log_in_page_offers_all(self) -> None:
        browser = FunctionalLayer.browser(f"{LOGIN}?camefrom=/app/datacenter")
        browser.getControl("Français").click()
        self.assertEqual(self.language(browser), "fr")
        self.assertIn("camefrom=%2Fapp%2Fdatacenter", browser.url)
        self.assertRegex(browser.contents, r'<button(?=[^>]*value="fr")[^>]*aria-pressed="true"')
        browser.open(LOGIN)
        self.assertEqual(self.language(browser), "fr")
        cookie = browser.cookies.getinfo("kofa_language")
        self.assertEqual((cookie["value"], cookie["path"]), ("fr", "/"))

    def test_a_cookie_of_another_language_says_nothing(self) -> None:
        browser = FunctionalLayer.browser(LOGIN)
        browser.cookies.create("kofa_language", "xx", path="/")
        browser.open(LOGIN)
        self.assertEqual(self.language(browser), "en")

    def test_the_account_comes_first(self) -> None:
        FunctionalLayer.add_user("ann", "waeup.ImportManager").language = "de"
        transaction.commit()
        browser = FunctionalLayer.browser()
        browser.addHeader("Accept-Language", "fr")
        browser.open(LOGIN)
        self.assertEqual(self.language(browser), "fr")
        browser.getControl(name="login").value = "ann"
        browser.getControl(name="password").value = "pw of ann"
        browser.getControl(name="SUBMIT").click()
        self.assertEqual(self.language(browser), "de")

    def test_times_are_in_the_zone_of_the_portal(self) -> None:
        browser = self.log_in("waeup.ImportManager")
        self.store("list.csv")
        with mock.patch(
            "waeup.kofa.configuration.queryUtility",
            return_value={"time_zone": "Pacific/Kiritimati"},
        ):
            browser.open("http://localhost/app/datacenter")
        zone = ZoneInfo("Pacific/Kiritimati")
        self.assertIn(formats_for("en").time(datetime.now(zone), zone)[:11], browser.contents)
