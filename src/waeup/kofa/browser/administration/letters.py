"""What the messages of the portal say, in each language."""

from functools import cached_property
from typing import Any

import grok

from waeup.kofa.browser.administration.tasks import PORTAL, AdministrationPage
from waeup.kofa.browser.page import Crumb, FormPage
from waeup.kofa.errors import InvalidSettings
from waeup.kofa.i18n import LANGUAGES
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.letters import LETTERS, Letter, Written, letter_named, require_language, say_in
from waeup.kofa.operations.settings import LetterTexts


class MailTemplates(AdministrationPage):
    """The messages of the portal."""

    grok.name("mailtemplates")
    grok.require(PORTAL)

    label = _("Mail templates")

    def update(self) -> None:
        """List the messages."""
        self.letters = list(LETTERS.values())
        self.languages = list(LANGUAGES.items())

    def letter_link(self, letter: Letter, language: str) -> str:
        """Return the address of the form for a message."""
        return self.link("mailtemplate", name=letter.name, language=language)

    def is_own(self, letter: Letter, language: str) -> bool:
        """Tell whether the portal has a text of its own."""
        return self.operations.letter_texts(letter.name, language).is_own


class MailTemplate(AdministrationPage, FormPage):
    """A message (``name=``) in a language (``language=``): its texts, and what they give."""

    grok.name("mailtemplate")
    grok.require(PORTAL)

    buttons = {"save": "save", "preview": "preview", "reset": "reset"}

    #: What the message looks like, with examples.
    previewed: Written | None = None

    def update(self) -> None:
        """See `FormPage`; a message that there is none of is refused first."""
        self.letter: Letter = letter_named(self.field("name"))
        require_language(self.field("language"))
        self.language_shown = self.field("language")
        self.errors: dict[str, Any] = {}
        super().update()

    @property
    def label(self) -> Any:
        """The message and the language."""
        mapping = {
            "title": self.words(self.letter.title),
            "language": LANGUAGES[self.language_shown],
        }
        return _("${title} in ${language}", mapping=mapping)

    @property
    def crumbs(self) -> list[Crumb]:
        """To the list of all messages."""
        return [*super().crumbs, Crumb(_("Mail templates"), self.link("mailtemplates"))]

    @cached_property
    def present(self) -> LetterTexts:
        """The texts of the portal."""
        return self.operations.letter_texts(self.letter.name, self.language_shown)

    @property
    def here(self) -> str:
        """The address of this form."""
        return self.link("mailtemplate", name=self.letter.name, language=self.language_shown)

    def prepare(self) -> None:
        """Show what was entered, or the texts of the portal with a preview."""
        was_sent = any(name in self.request.form for name in ("save", "preview"))
        self.subject = self.field("subject") if was_sent else self.present.subject
        self.text = self.field("text") if was_sent else self.present.text
        if not was_sent:
            self.preview()

    def preview(self) -> None:
        """Show what was entered with examples."""
        texts = (
            self._entered
            if "subject" in self.request.form
            else (
                self.present.subject,
                self.present.text,
            )
        )
        try:
            self.previewed = self.operations.preview_letter(
                self.letter.name, self.language_shown, *texts
            )
        except InvalidSettings as error:
            self._say_wrong(error)

    def save(self) -> None:
        """Let the portal send what was entered."""
        try:
            self.operations.set_letter_texts(
                self.letter.name, self.language_shown, *self._entered, self.field("version")
            )
        except InvalidSettings as error:
            self._say_wrong(error)
            return
        self.flash(_("The message was saved."))
        self.redirect(self.here)

    def reset(self) -> None:
        """Let the portal send the usual texts."""
        self.operations.reset_letter_texts(
            self.letter.name, self.language_shown, self.field("version")
        )
        self.flash(_("The message has its usual text again."))
        self.redirect(self.here)

    @property
    def _entered(self) -> tuple[str, str]:
        return self.field("subject"), self.field("text")

    def _say_wrong(self, error: InvalidSettings) -> None:
        self.errors = error.wrong
        self.response.setStatus(400)
        self.say(_("Nothing was changed: see what is said at the fields."), "danger")

    def described_by(self, name: str) -> str:
        """Return the ids of what explains a field."""
        ids = ["names", *([f"{name}-error"] if self.errors.get(name) else [])]
        return " ".join(ids)

    def sign(self, name: str) -> str:
        """Return how a name is written in a text."""
        return f"${{{name}}}"

    def example(self, example: Any) -> str:
        """Return an example in the language of the message."""
        return say_in(self.language_shown, example)
