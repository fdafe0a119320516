"""The texts in other languages than English, read when the first person asks for them.

What is read are the ``.po`` files that translators write: there is nothing to compile, thus
nothing that is out of date.  English needs no catalog, since the texts of the source are English.
"""

import gettext
import io
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from zope.i18n.interfaces import ITranslationDomain, IUserPreferredLanguages
from zope.i18nmessageid import Message
from zope.interface import implementer

from waeup.kofa.errors import KofaError
from waeup.kofa.i18n import DOMAIN, LANGUAGES, Kept, Listing, english, fill
from waeup.kofa.locales.formats import formats_for
from waeup.kofa.locales.recognition import Recognizer, Text

FOLDER = Path(__file__).parent


class Catalog:
    """The texts of one language; `path` is its ``.po`` file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._texts: gettext.NullTranslations | None = None
        self._recognizer: Recognizer | None = None
        self._lock = Lock()

    def text(self, singular: str, plural: str | None = None, number: float | None = None) -> str:
        """Return what a text is in this language; the text itself where that is not known."""
        if plural is None or number is None:
            return self._read().gettext(singular)
        return self._read().ngettext(singular, plural, int(number))

    def message(self, english: str) -> Any:
        """Return the message that says a text in English, or the text if there is none."""
        with self._lock:
            if self._recognizer is None:
                self._recognizer = Recognizer(_ids(self.path))
        return self._recognizer.message(english)

    def _read(self) -> gettext.NullTranslations:
        with self._lock:
            if self._texts is None:
                self._texts = _translations(self.path)
            return self._texts


def _translations(path: Path) -> gettext.NullTranslations:
    """Return what a ``.po`` file says, but for texts that a translator has yet to look at."""
    # Not at the top: a start without pages needs no Babel.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)  # type: ignore[arg-type]


def _ids(path: Path) -> list[Text]:
    """Return the English texts of a ``.po`` file."""
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        ids = [message.id for message in read_po(file) if message.id]
    return [id if isinstance(id, str) else tuple(id) for id in ids]


@implementer(ITranslationDomain)
class Domain:
    """Texts of `waeup.kofa` in all languages; see `ITranslationDomain`.

    `catalogs` maps languages to catalogs.
    """

    domain = DOMAIN

    def __init__(self, catalogs: dict[str, Any]) -> None:
        self.catalogs = catalogs

    def translate(
        self,
        msgid: str,
        mapping: Any = None,
        context: Any = None,
        target_language: str | None = None,
        default: str | None = None,
        msgid_plural: str | None = None,
        default_plural: str | None = None,
        number: float | None = None,
    ) -> str:
        """Return a text in a language like ``de`` or ``de-AT``, else in that of the request."""
        if not isinstance(msgid, Message):
            msgid = Message(msgid, DOMAIN, default, mapping, msgid_plural, default_plural, number)
        tag = target_language
        if tag is None and context is not None:
            tag = preferred_tag(context)
        return english(msgid) if tag is None else self.say(msgid, tag)

    def recognized(self, english: str, tag: str) -> str:
        """Return what was written in English in the language of `tag`, if it is a known text."""
        catalog = self.catalogs.get(tag.partition("-")[0])
        return english if catalog is None else self.say(catalog.message(english), tag)

    def say(self, value: Any, tag: str) -> str:
        """Return a text, or a value that stands in one, in the language of `tag`."""
        if isinstance(value, KofaError):
            value = value.message
            if not isinstance(value, Message):
                # It came from another process, in English.
                return self.recognized(value, tag)
        if isinstance(value, Listing):
            return self.say(value.separator, tag).join(self.say(item, tag) for item in value)
        if isinstance(value, Kept):
            return self.recognized(value.text, tag)
        if not isinstance(value, Message):
            return formats_for(tag).say(value)
        if value.domain != DOMAIN:
            return english(value)
        catalog = self.catalogs.get(tag.partition("-")[0])
        if catalog is None:
            chosen = value.default or value
            if value.msgid_plural is not None and value.number != 1:
                chosen = value.default_plural or value.msgid_plural
            text = str(chosen)
        else:
            text = catalog.text(str(value), value.msgid_plural, value.number)
        return fill(text, value.mapping, lambda item: self.say(item, tag))


def preferred_tag(context: Any) -> str:
    """Return the first of a request's languages that there are texts in, with its country."""
    languages = IUserPreferredLanguages(context, None)
    tags: Iterator[str] = iter(() if languages is None else languages.getPreferredLanguages())
    return next((tag for tag in tags if tag.partition("-")[0] in LANGUAGES), "en")


def po_path(language: str) -> Path:
    """Return where the texts of a language are."""
    return FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


domain = Domain({name: Catalog(po_path(name)) for name in LANGUAGES if name != "en"})
