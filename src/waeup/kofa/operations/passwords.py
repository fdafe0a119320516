"""Which passwords are too easy to guess; said in plain words.

Length counts more than signs of many kinds, so none are asked for.  What people try first is
refused: what the account says about its owner, words that everybody takes, rows of keys.
Accounts get their passwords by `waeup.kofa.operations.people`.
"""

import re
import secrets
import unicodedata
from collections.abc import Iterable

from waeup.kofa.i18n import MessageFactory as _

#: Characters that a password must have.
MIN_LENGTH = 8
#: Different characters that a password must have.
MIN_DIFFERENT = 4
#: Shorter parts of names are in too many passwords by chance.
_MIN_PART = 3

# Without the characters that are mistaken for each other when a password is read from paper.
_READABLE = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUPS, _GROUP = 4, 4

#: Words that begin or fill very many passwords.
_COMMON = frozenset(
    (
        "abc",
        "access",
        "admin",
        "administrator",
        "changeme",
        "computer",
        "default",
        "football",
        "god",
        "guest",
        "hello",
        "iloveyou",
        "kofa",
        "lagos",
        "letmein",
        "login",
        "love",
        "master",
        "monkey",
        "motdepasse",
        "nigeria",
        "password",
        "passwort",
        "princess",
        "qwerty",
        "registry",
        "root",
        "secret",
        "staff",
        "student",
        "students",
        "sunshine",
        "test",
        "testtest",
        "university",
        "user",
        "waeup",
        "welcome",
    )
)
#: Rows of keys, and of signs, in which no part is hard to guess.
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)


def new_password() -> str:
    """Return a random password of 16 readable characters in groups (79 bits)."""
    groups = ("".join(secrets.choice(_READABLE) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def weakness(password: str, about: Iterable[str | None]) -> str | None:
    """Say why a password is too easy to guess, None when it is not.

    `about` is what others know: names, addresses, numbers of the person and of the portal.
    """
    if len(password) < MIN_LENGTH:
        return _(
            "The password has ${number} characters; at least ${min_password} are "
            "required. Choose a longer one.",
            mapping={"number": len(password), "min_password": MIN_LENGTH},
        )
    plain = _plain(password)
    if len(set(password)) < MIN_DIFFERENT:
        return _("The password repeats a few characters. Take at least four different ones.")
    # Figures and signs before and after a word make it no harder to guess.
    word = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)
    letters = re.sub(r"[\W_]+", "", plain)
    if not word and len(plain) < 2 * MIN_LENGTH:
        return _("The password has only figures and signs. Take some letters as well.")
    if letters and any(letters in row or letters[::-1] in row for row in _ROWS):
        return _("The password is a row of keys. Take one that nobody would type by chance.")
    known = _parts(about)
    if word in known or letters in known or _made_of(word, known):
        return _(
            "The password is made of what others know about you: name, address or number. "
            "Take something that nobody knows."
        )
    if word in _COMMON or letters in _COMMON or _made_of(word, _COMMON):
        return _("The password is one that many people take. Take one of your own.")
    return None


def _plain(text: str) -> str:
    """Return a text without accents, in small letters."""
    return "".join(
        char
        for char in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(char)
    )


def _parts(about: Iterable[str | None]) -> set[str]:
    """Return the words of what others know, and each of these things as one word."""
    found: set[str] = set()
    for text in about:
        plain = _plain(text or "")
        words = [*re.split(r"[\W_]+", plain), re.sub(r"[\W_]+", "", plain), plain]
        found.update(word for word in words if len(word) >= _MIN_PART)
    return found


def _made_of(word: str, parts: Iterable[str]) -> bool:
    """Tell whether a word is nothing but parts, one after the other, with figures between."""
    rest = word
    for part in sorted(parts, key=len, reverse=True):
        rest = rest.replace(part, " ")
    return rest != word and not re.sub(r"[\W\d_]+", "", rest)
