"""What the messages of a portal may say, and what they say in the end."""

import unittest
from types import SimpleNamespace
from unittest import mock

from ZODB.POSException import ConflictError

from waeup.kofa.errors import InvalidSettings, NoSuchItem, Outdated
from waeup.kofa.i18n import Number
from waeup.kofa.importing.report import Report
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.letters import (
    ENDED,
    LETTERS,
    MAX_SUBJECT,
    MAX_TEXT,
    TEST,
    Written,
    check_texts,
    examples,
    letter_named,
    one_line,
    require_language,
    usual_texts,
    write,
)
from waeup.kofa.locales.catalogs import domain
from waeup.kofa.notices import _words_of_run, check_address
from waeup.kofa.tests.functional import FunctionalTestCase
from waeup.kofa.tests.jobs.lives import TownTestCase
from waeup.kofa.tests.jobs.portal import OTHER


class TextsTest(unittest.TestCase):
    """Names are replaced, and nothing else."""

    def assert_wrong(self, words, subject="Hello", text="Hello"):
        with self.assertRaisesRegex(InvalidSettings, words) as caught:
            check_texts(TEST, subject, text)
        return sorted(caught.exception.wrong)

    def test_what_can_be_said(self):
        check_texts(TEST, "${portal}", "$ 5, $portal, $$, {x}, ${user} ${user}")

    def test_names_that_nothing_stands_for(self):
        for text in ("${password}", "${}", "${user.password}", "${portal['x']}", "${ user }"):
            self.assertEqual(self.assert_wrong("Nothing stands for", text=text), ["text"])

    def test_a_name_without_end(self):
        self.assert_wrong("has no end", text="${portal")

    def test_subjects(self):
        for subject in ("a\nBcc: b@c", "a\rb", "a\u2028b", "a\0b"):
            self.assertEqual(self.assert_wrong("a single line", subject=subject), ["subject"])
        self.assert_wrong("200 are possible", subject="x" * (MAX_SUBJECT + 1))

    def test_texts_that_are_empty_or_too_long(self):
        self.assertEqual(self.assert_wrong("fill in", " ", ""), ["subject", "text"])
        self.assert_wrong("at most 10,000", text="x" * (MAX_TEXT + 1))

    def test_words_are_not_looked_through_for_names(self):
        texts = Written("${user}", "${user} of ${portal}")
        written = write(texts, {"user": "${portal}", "portal": "Uni"}, "en")
        self.assertEqual(written, ("${portal}", "${portal} of Uni\n"))

    def test_no_word_adds_a_line_to_a_subject(self):
        words = {"user": "a\r\nBcc: b@c.de\u2029x"}
        self.assertEqual(write(Written("${user}", "x"), words, "en").subject, "a Bcc: b@c.de x")

    def test_lists_and_numbers(self):
        texts = Written("s", "A\n\n${reasons}\n\n${rows}")
        written = write(texts, {"reasons": ["1", "2"], "rows": Number(1200)}, "en")
        self.assertEqual(written.text, "A\n\n1\n2\n\n1,200\n")
        self.assertEqual(write(texts, {"reasons": "", "rows": "0"}, "en").text, "A\n\n0\n")

    def test_control_characters_do_not_get_into_a_text(self):
        self.assertEqual(write(Written("s", "a\x1b[31mb\0c"), {}, "en").text, "a[31mbc\n")

    def test_usual_texts_hold_their_own_rules(self):
        for letter in LETTERS.values():
            for language in ("en", "de", "fr"):
                texts = usual_texts(letter, language)
                check_texts(letter, *texts)
                written = write(texts, examples(letter), language)
                self.assertNotIn("${", written.subject + written.text)

    def test_what_there_is_not(self):
        with self.assertRaisesRegex(NoSuchItem, "ended, uploaded, ending, test"):
            letter_named("x")
        with self.assertRaisesRegex(NoSuchItem, "en, de, fr"):
            require_language("x")
        self.assertIs(letter_named("ended"), ENDED)
        self.assertEqual(one_line(" a \t b "), "a b")

    def test_addresses(self):
        check_address("portal.x+y@mail.example.org")
        for text in ("", "a", "@b", "a@", "a@b..c", "a@@b", "a b@c", "a@b\n", "a,b@c", "ä@b.de"):
            with self.subTest(text), self.assertRaises(InvalidSettings):
                check_address(text)


class LanguageTest(FunctionalTestCase):
    """Usual texts are those of the catalogs."""

    def test_each_language_has_its_own(self):
        class Catalog:
            def text(self, singular, plural=None, number=None):
                return f"de: {singular}"

        self.assertIn("This is the test message", usual_texts(TEST, "en").text)
        with mock.patch.dict(domain.catalogs, de=Catalog()):
            texts = usual_texts(TEST, "de")
            self.assertEqual(texts.subject, "de: ${acronym}: test message")
            written = write(texts, {"acronym": "Uni", "user": "ann", "portal": "Uni"}, "de")
        self.assertEqual(written.subject, "de: Uni: test message")

    def test_reasons_that_are_kept_in_english_are_recognized(self):
        reason = "Cannot update: no such entry"
        words = _words_of_run(
            SimpleNamespace(
                totals=lambda: Report("a.csv", "p", "update", reasons=((reason, 1200),)),
                order=SimpleNamespace(kind="import", file="a.csv", user="ann", mode="update"),
            )
        )
        texts = Written("s", "${reasons}")
        self.assertIn(f"\n1,200 x {reason}\n", write(texts, words, "en").text)
        german = domain.recognized(reason, "de")
        self.assertNotEqual(german, reason)
        self.assertIn(f"\n1.200 x {german}\n", write(texts, words, "de").text)


class AtOnceTest(TownTestCase):
    """Two administrators change settings in the same moment."""

    def test_the_second_one_is_told(self):
        def change(operations):
            present = operations.settings("limits")
            others = {"rows": 500}
            in_own_thread(
                lambda: self.ask(
                    lambda o: o.change_settings("limits", others, present.version), OTHER
                )
            )
            operations.change_settings("limits", {"columns": 7}, present.version)

        with self.assertRaises(ConflictError):
            self.ask(change)
        version = self.ask(lambda o: o.settings("limits").version)
        with self.assertRaises(Outdated):
            self.ask(lambda o: o.change_settings("limits", {"columns": 7}, "of before"))
        self.ask(lambda o: o.change_settings("limits", {"columns": 7}, version))
        values = self.ask(lambda o: o.settings("limits")).values()
        self.assertEqual((values["rows"], values["columns"]), (500, 7))
