"""German and French on a telephone: words are long, and no page is wider than the screen."""

import transaction

from waeup.kofa.tests.browser.axe import violations
from waeup.kofa.tests.browser.exhibition import Exhibits, furnish
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase
from waeup.kofa.tests.functional import FunctionalLayer


class LanguagesTest(ChromiumTestCase):
    """The main pages, 400 pixels wide."""

    words = {"de": "Datenzentrum", "fr": "Centre de données"}

    def pages(self, there: Exhibits) -> tuple[str, ...]:
        """Return the addresses of the main pages."""
        runs = (there.failed, there.preview, there.stopped, there.running)
        return (
            "",
            "/upload",
            "/files",
            "/runs",
            "/export",
            "/exportconfig?exporter=students",
            "/figures",
            "/logs",
            "/processors?name=studentprocessor",
            *(f"/run?id={id}" for id in runs),
        )

    def test_long_words_fit(self) -> None:
        account = FunctionalLayer.add_user("ann", "waeup.PortalManager")
        pages = self.pages(furnish("ann"))
        self.window.get(f"{self.address}/app/login")
        self.find("#login").send_keys("ann")
        self.find("#password").send_keys("pw of ann")
        self.press("SUBMIT")
        self.window.set_window_size(400, 900)
        for language, words in self.words.items():
            account.language = language
            transaction.commit()
            for page in pages:
                with self.subTest(language, page=page):
                    self.window.get(f"{self.address}/app/datacenter{page}")
                    self.assertIn(words, self.text)
                    width = self.window.execute_script(
                        "return document.documentElement.scrollWidth"
                    )
                    self.assertLessEqual(width, 400)
            self.assertEqual(violations(self.window), [])
