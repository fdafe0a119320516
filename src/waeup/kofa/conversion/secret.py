"""Passwords become hashes here, and are compared with hashes here.

New hashes are bcrypt.  The salted SHA-1 hashes (``{SSHA}``) of Kofa 1.9 are known
too, so that accounts move over without a new password.
"""

import re
import unicodedata
from base64 import b64decode
from hashlib import sha1
from hmac import compare_digest

import bcrypt

from waeup.kofa.errors import Refused, TooLarge
from waeup.kofa.i18n import MessageFactory as _

#: Binary logarithm of the work that a new hash costs; about a quarter of a second.
ROUNDS = 12
#: bcrypt does not look at more bytes than these.
MAX_BYTES = 72

_BCRYPT_SHAPE = re.compile(r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}", re.ASCII)
# A higher cost in an imported hash would keep the portal busy for minutes at each log-in.
_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}")
# 20 bytes of digest and at least one byte of salt.
_SSHA = re.compile(r"\{SSHA\}([A-Za-z0-9+/_-]{28,}={0,2})")
_DIGEST_SIZE = 20


def hash_password(text: str, rounds: int = ROUNDS) -> str:
    """Return a new bcrypt hash of the password `text`.

    `rounds` is the binary logarithm of the work, 4 to 16.  Raises `Refused` for an
    empty password, one with a NUL character and one that looks like a hash that
    cannot be used, and `TooLarge` for more than 72 bytes: bcrypt would ignore the
    rest, and a password must not be weaker than it looks.
    """
    if not text:
        raise Refused(_("The password is empty; type at least one character."))
    if "\0" in text:
        raise Refused(_("The password has a NUL character; leave it out."))
    if _BCRYPT_SHAPE.fullmatch(text):
        raise Refused(
            _(
                "The password looks like a bcrypt hash, but its variant or cost is not "
                "accepted; use variant 2a, 2b or 2y with a cost from 04 to 16."
            )
        )
    data = _encoded(text)
    if len(data) > MAX_BYTES:
        raise TooLarge(
            _(
                "The password has ${number} bytes; at most ${max_bytes} are possible. Shorten it.",
                mapping={"number": len(data), "max_bytes": MAX_BYTES},
            )
        )
    return bcrypt.hashpw(data, bcrypt.gensalt(rounds)).decode("ascii")


def is_hash(text: str) -> bool:
    """Tell whether `text` is a hash that `check_password` understands."""
    return _BCRYPT.fullmatch(text) is not None or _ssha_parts(text) is not None


def check_password(text: str, hashed: str) -> bool:
    """Tell whether `hashed` is the hash of the password `text`.

    False also for texts that cannot be a password, and for an unknown kind of hash.
    """
    data = _encoded(text)
    if _BCRYPT.fullmatch(hashed):
        if not 0 < len(data) <= MAX_BYTES or b"\0" in data:
            return False
        return bcrypt.checkpw(data, hashed.encode("ascii"))
    parts = _ssha_parts(hashed)
    if parts is None:
        return False
    digest, salt = parts
    # Not a choice for new hashes; 1.9 did not normalize either.
    old = sha1(text.encode("utf-8", "surrogatepass") + salt)  # noqa: S324
    return compare_digest(old.digest(), digest)


def _encoded(text: str) -> bytes:
    # The same password typed on another system may come decomposed (RFC 8265, 4.2).
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")


def _ssha_parts(hashed: str) -> tuple[bytes, bytes] | None:
    """Return digest and salt of a hash of 1.9, or None."""
    match = _SSHA.fullmatch(hashed)
    if match is None:
        return None
    # Old hashes are in the alphabet for URLs, as zope.password once wrote them.
    try:
        data = b64decode(match[1].replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        return None
    return (data[:_DIGEST_SIZE], data[_DIGEST_SIZE:]) if len(data) > _DIGEST_SIZE else None
