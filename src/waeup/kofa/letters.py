"""The messages that the portal sends: what they say, in each language, and who may change it.

A text has ``${names}`` from the list of its message, and nothing else that would be replaced: no
expressions.  What stands for a name in a subject is one line.  The usual texts are translated as
those of pages are; a portal can have its own (`Configuration.letters`).
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

from zope.i18n import translate
from zope.i18nmessageid import Message

from waeup.kofa.configuration import configuration_of
from waeup.kofa.errors import InvalidSettings, NoSuchItem
from waeup.kofa.i18n import DOMAIN, LANGUAGES, Kept, Listing, Number, fill
from waeup.kofa.i18n import MessageFactory as _

#: The language of people who have not chosen one.
USUAL_LANGUAGE = "en"
#: Characters of a subject and of a text at most.
MAX_SUBJECT, MAX_TEXT = 200, 10_000

_NAME = re.compile(r"\$\{([^}]*)\}")
_SIGN = re.compile(r"\$\{")


class Word(NamedTuple):
    """A name in a text: what stands for it, and an example of that."""

    name: str
    title: Any
    example: Any


class Letter(NamedTuple):
    """A message that the portal sends; `subject` and `text` are the usual ones."""

    name: str
    title: Any
    description: Any
    words: tuple[Word, ...]
    subject: Any
    text: Any


_PORTAL = Word("portal", _("Name of the portal"), "WAeUP.Kofa")
_ACRONYM = Word("acronym", _("Acronym of the portal"), "WAeUP.Kofa")
_FILE = Word("file", _("Name of the file"), "students_ann.csv")

#: The end of an import or of an undo.
ENDED = Letter(
    "ended",
    _("End of an import"),
    _("Goes to the import managers when an import, or taking one back, has ended."),
    (
        _PORTAL,
        _ACRONYM,
        _FILE,
        Word("run", _("What has ended"), _("import of ${file}", mapping={"file": _FILE.example})),
        Word("user", _("Who has ordered it"), "ann"),
        Word("mode", _("What was done with the rows"), _("create")),
        Word("rows", _("Number of rows"), "1,200"),
        Word("failed", _("Number of rows that failed"), "3"),
        Word(
            "numbers",
            _("Numbers of rows, a line for each outcome"),
            _("Created: ${n}", mapping={"n": 1197}),
        ),
        Word("reasons", _("Why rows failed, a line for each reason"), "3 x code: Required."),
        Word("files", _("Where the rows are now"), "students_ann.create.finished.csv"),
        Word("roles", _("Roles of those who get the message"), "Import Manager, Portal Manager"),
    ),
    _("${acronym}: ${run} has ended"),
    _(
        "The ${run} has ended. ${user} had ordered it.\n\nMode: ${mode}\nRows: ${rows}\n"
        "${numbers}\n\n${reasons}\n\n${files}\n\nYou get this message as one of: ${roles}."
    ),
)
#: A file that was uploaded.
UPLOADED = Letter(
    "uploaded",
    _("Upload"),
    _("Goes to the import managers when a file was uploaded."),
    (
        _PORTAL,
        _ACRONYM,
        Word("original", _("Name that the file had before"), "students.csv"),
        _FILE,
        Word("user", _("Who has uploaded it"), "ann"),
        Word("rows", _("Number of rows, where it is known"), "1,200"),
        Word(
            "columns",
            _("Columns with up to three values each; those of passwords without"),
            "matric_number: M1; M2; M3 ...\nlastname: Ade; Bello; Okafor ...",
        ),
        Word("roles", _("Roles of those who get the message"), "Import Manager, Portal Manager"),
    ),
    _("${acronym}: ${original} uploaded"),
    _(
        "${user} has uploaded a file.\n\nFile: ${file}\nRows: ${rows}\n\n${columns}\n\n"
        "You get this message as one of: ${roles}."
    ),
)
#: A token that ends soon.
ENDING = Letter(
    "ending",
    _("End of a token"),
    _("Goes to who has made a token for a program, a week before it ends."),
    (
        _PORTAL,
        _ACRONYM,
        Word("user", _("Whose token it is"), "ann"),
        Word("title", _("What the token is for"), "registry nightly push"),
        Word("id", _("Id of the token"), "5c0f1a3b9d2e"),
        Word("end", _("When it ends"), "2026-10-31 09:12"),
    ),
    _("${acronym}: token ${title} ends soon"),
    _(
        "The token “${title}” (${id}), by which a program acts for ${user} in ${portal}, ends "
        "on ${end}. From then on the program is refused.\n\nIf it is still needed, make a new "
        "token in your account, under “Access for programs”, and give it to the program. "
        "Otherwise there is nothing to do."
    ),
)
#: A message that shows whether mail works.
TEST = Letter(
    "test",
    _("Test message"),
    _("Goes to an administrator who asks for it."),
    (_PORTAL, _ACRONYM, Word("user", _("Who has asked for it"), "ann")),
    _("${acronym}: test message"),
    _("This is the test message that ${user} has asked for: mail from ${portal} arrives."),
)
LETTERS = {letter.name: letter for letter in (ENDED, UPLOADED, ENDING, TEST)}


class Written(NamedTuple):
    """A message with all names replaced."""

    subject: str
    text: str


def letter_named(name: str) -> Letter:
    """Return a message by its name; raises `NoSuchItem`."""
    if name not in LETTERS:
        names = ", ".join(LETTERS)
        raise NoSuchItem(
            _(
                "There is no message ${name}. There are: ${names}.",
                mapping={"name": repr(name), "names": names},
            )
        )
    return LETTERS[name]


def require_language(language: str) -> None:
    """Raise `NoSuchItem` for a language that the portal does not speak."""
    if language not in LANGUAGES:
        raise NoSuchItem(
            _(
                "There is no language ${name}. There are: ${names}.",
                mapping={"name": repr(language), "names": ", ".join(LANGUAGES)},
            )
        )


def say_in(language: str, text: Any) -> str:
    """Return a text in a language; names that nothing stands for stay."""
    return str(translate(text, target_language=language, default=str(text)))


def usual_texts(letter: Letter, language: str) -> Written:
    """Return the usual subject and text of a message."""
    return Written(say_in(language, letter.subject), say_in(language, letter.text))


def texts_of(site: Any, letter: Letter, language: str) -> Written:
    """Return the subject and the text that a portal uses, with their names."""
    own = configuration_of(site).letters.get((letter.name, language))
    return usual_texts(letter, language) if own is None else Written(*own)


def write(texts: Written, words: Mapping[str, Any], language: str) -> Written:
    """Return a message with what stands for the names.

    A subject becomes one line, whatever the words are; in a text, lines that stay empty are one.
    """
    spoken = {name: _spoken(language, value) for name, value in words.items()}
    subject = one_line(fill(texts.subject, spoken, str))
    text = fill(texts.text, spoken, str)
    text = "".join(c for c in text if c == "\n" or c == "\t" or unicodedata.category(c) != "Cc")
    return Written(subject[: 2 * MAX_SUBJECT], re.sub(r"\n\s*\n+", "\n\n", text).strip() + "\n")


def _spoken(language: str, value: Any) -> str:
    if isinstance(value, Number | Kept | Listing):
        # Such values are known where they stand in a message.
        value = Message("${n}", DOMAIN, mapping={"n": value})
    if isinstance(value, list | tuple):
        return "\n".join(_spoken(language, item) for item in value)
    return say_in(language, value)


def one_line(text: str) -> str:
    """Return a text without anything that could begin another line of a header."""
    return " ".join("".join(" " if unicodedata.category(c) in _ENDS else c for c in text).split())


_ENDS = frozenset(("Cc", "Zl", "Zp"))


def examples(letter: Letter) -> dict[str, Any]:
    """Return an example for each name of a message."""
    return {word.name: word.example for word in letter.words}


def check_texts(letter: Letter, subject: str, text: str) -> None:
    """Raise `InvalidSettings` for what cannot be the texts of a message."""
    wrong: dict[str, Any] = {}
    for name, value, most in (("subject", subject, MAX_SUBJECT), ("text", text, MAX_TEXT)):
        found = _wrong(letter, value, most)
        if found is None and name == "subject" and one_line(value) != value.strip():
            found = _("A subject is a single line.")
        if found is not None:
            wrong[name] = found
    if wrong:
        raise InvalidSettings(next(iter(wrong.values())), wrong)


def _wrong(letter: Letter, text: str, most: int) -> Any:
    """Return what is wrong with a text, or None."""
    if not text.strip():
        return _("Please fill in this field.")
    if len(text) > most:
        return _(
            "The text has ${n} characters; at most ${most} are possible.",
            mapping={"n": Number(len(text)), "most": Number(most)},
        )
    names = [word.name for word in letter.words]
    offered = ", ".join(f"${{{name}}}" for name in names)
    for unknown in (name for name in _NAME.findall(text) if name not in names):
        return _(
            "Nothing stands for ${name} in this message. There are: ${names}.",
            mapping={"name": f"${{{unknown}}}", "names": offered},
        )
    if len(_SIGN.findall(text)) != len(_NAME.findall(text)):
        return _("A name has no end: it is written like ${name}.", mapping={"name": "${portal}"})
    return None
