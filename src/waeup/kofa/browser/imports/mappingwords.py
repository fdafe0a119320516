"""What step 3 of an import shows of columns, constants and texts: plain values and their words."""

import json
from collections.abc import Iterable
from html import escape
from typing import Any, NamedTuple

from waeup.kofa.conversion.guessing import LOOSE, REMEMBERED, SAME, SIMILAR, TITLE
from waeup.kofa.errors import MappingError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import ChoiceColumn

#: Characters of a sample that are shown.
SAMPLE_LENGTH = 80

_REASONS = {
    SAME: _("The field has this name."),
    LOOSE: _("The field has this name, but for case, blanks and hyphens."),
    REMEMBERED: _("So it was in the last import."),
    TITLE: _("The field has this title."),
    SIMILAR: _("They are nearly the same."),
}


class Confidence(NamedTuple):
    """How certain a proposal is: a word, a mark for the style sheet, and why."""

    words: Any
    mark: str
    why: Any = ""
    is_guess: bool = False


def confidence_of(confidence: float, reason: str) -> Confidence:
    """Return the words for a confidence from 0 to 1 and its reason."""
    why = _REASONS.get(reason, "")
    if confidence >= 0.95:
        return Confidence(_("Sure"), "badge-good", why)
    if confidence >= 0.8:
        return Confidence(_("Likely"), "badge-info", why)
    return Confidence(_("A guess"), "badge-warn", why, is_guess=True)


class Column(NamedTuple):
    """A column of the file: what it holds, the field it fills, and why that is proposed."""

    number: int
    header: str
    samples: tuple[str, ...]
    field: str | None
    options: str
    about: str
    confidence: Confidence
    error: Any

    @property
    def described_by(self) -> str:
        """The ids of what is said about the choice of a field."""
        names = [f"about-{self.number}", f"why-{self.number}"]
        return " ".join([f"error-{self.number}", *names] if self.error else names)


class Constant(NamedTuple):
    """A field that gets the same text in each row; of a choice with its `options`."""

    field: str
    text: str
    title: str = ""
    about: str = ""
    options: str = ""


class Replaced(NamedTuple):
    """A text that is no allowed value, and what it stands for.

    `key` is the text as the form carries it, whatever characters it has.
    """

    id: str
    text: str
    key: str
    rows: int
    token: str
    options: str
    confidence: Confidence | None


class Choices(NamedTuple):
    """A column that fills a choice, with its texts that are no allowed value."""

    column: str
    field: str
    found: ChoiceColumn
    texts: list[Replaced]
    #: What can be typed, where there is too much to choose from.
    typed: str


#: What a person has decided, whatever was proposed.
CHOSEN = Confidence(_("Chosen"), "")
LEFT_OUT = Confidence(_("Left out"), "")


def confidence_in(field: str | None, guess: Any) -> Confidence:
    """Say how certain it is that a column fills a field; `guess` is what was proposed."""
    if field == guess.field and guess.reason:
        found = confidence_of(guess.confidence, guess.reason)
        return found if field else LEFT_OUT._replace(why=found.why)
    if field is not None:
        return CHOSEN
    if guess.field is None:
        return LEFT_OUT._replace(why=_("No field has such a name."))
    return LEFT_OUT


def confidence_in_value(found: Any) -> Confidence:
    """Say how certain it is what a text stands for; `found` says what was proposed."""
    confidence = confidence_of(found.confidence, found.reason)
    if found.reason == TITLE:
        return confidence._replace(why=_("The value has this title."))
    return confidence


def shortened(text: str) -> str:
    """Return a cell as a sample of its column."""
    return text if len(text) <= SAMPLE_LENGTH else f"{text[:SAMPLE_LENGTH]}…"


def key_of(text: str) -> str:
    """Return a text as a form can carry it; it may hold line ends, which forms change."""
    return json.dumps(text)


def text_of(key: str) -> str:
    """Return the text of a key; raises `MappingError` for what this page has not made."""
    try:
        text = json.loads(key)
    except (ValueError, RecursionError):
        text = None
    if not isinstance(text, str):
        raise MappingError(
            _(
                "${key} is no text of the table. Load the page again.",
                mapping={"key": repr(key[:40])},
            )
        )
    return text


# -- options: written by hand, for there are thousands of them ---------------------------


def option(value: str, title: str) -> str:
    """Return an option of a list, as HTML."""
    return f'<option value="{escape(value)}">{escape(title)}</option>'


def with_selected(options: str, value: str) -> str:
    """Return `options` with the one of that value selected, if it is among them."""
    start = f'<option value="{escape(value)}"'
    return options.replace(f"{start}>", f'{start} selected="selected">', 1)


def token_options(choices: Iterable[tuple[str, str]], token: str) -> str:
    """Return the values of a choice as options, `token` among them and selected."""
    pairs = dict(choices)
    if token:
        pairs.setdefault(token, token)
    options = "".join(
        option(value, value if title == value else f"{value} ({title})")
        for value, title in pairs.items()
    )
    return with_selected(options, token) if token else options
