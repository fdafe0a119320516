"""Which encoding a file is in: found from its bytes, and how sure that is.

UTF-8 and UTF-16 show themselves: hardly any other text is valid in them.  A
single-byte encoding does not, any bytes are text in it.  There it counts whether
what comes out looks like words: Windows-1252 where it does, otherwise what
charset-normalizer says.  Who reads a table takes the rows that the doubt is about
for damaged, so a wrong guess costs an answer and corrupts nothing.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import BinaryIO, NamedTuple

from waeup.kofa.errors import TableError
from waeup.kofa.i18n import MessageFactory as _

__all__ = ["CERTAIN", "Encoding", "check_encoding", "detect_encoding", "is_utf_16"]

#: From this confidence on a guess is taken for granted.
CERTAIN = 0.8

#: Bytes that are looked at to tell UTF-16 by its pattern of zeros.
_HEAD = 1 << 16
#: Zeros in a row that are no text in any encoding.
_FAILED = 8
#: Bytes of text in which UTF-16 is recognised by its characters.
_SAMPLE = 4096
_CHUNK = 1 << 16
#: Characters beyond ASCII that take part in a guess, and bytes of lines around them.
_SEEN_CHARACTERS = 2000
_SEEN_BYTES = 1 << 16
#: Bytes that are no UTF-8 after which the rest of a file would not tell more.
_MOST_INVALID = 100_000

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

#: Codecs that change more than characters, or that cannot read on after an error.
_NO_TABLES = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)

#: Characters of a line that count: a damaged one may have many.
_SEEN_IN_LINE = 8
_HIGH = re.compile(rb"[\x80-\xff]+")
# A character of UTF-8 beyond ASCII (RFC 3629, section 4; the ranges that a lenient decoder would
# take are left to Python's decoder, which reads the rows).
_UTF8_CHARACTER = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_ASCII = bytes(range(128))
_CUT_CHARACTER = re.compile(
    rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)
#: Letters beyond ASCII of the languages that Windows-1252 was made for, without those that
#: are rare enough to be more often a sign of another encoding.
_LETTERS = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüŒœŠšŽž")
#: Those that have the same byte in the encodings of Central Europe and of Turkey.
_SHARED = frozenset(
    letter
    for letter in _LETTERS
    if all(
        letter.encode("cp1252").decode(codec) == letter
        for codec in ("cp1250", "iso8859-2", "cp1254", "iso8859-15")
    )
)
#: Those of the languages that have several; a word of no language has letters of two.
_LANGUAGES = tuple(
    map(
        frozenset,
        (
            "àâæçèéêëîïôœùûüÿ",  # French
            "àâãáçéêíóôõúü",  # Portuguese
            "àáèéìíòóùúïçñü",  # Spanish, Catalan, Italian, and Yoruba with its tones
            "äåæéèêëïöøüßâõšž",  # the Germanic languages, Finnish and Estonian
            "áéíóúýðþæö",  # Icelandic
            "áäéíóôöúüýšž",  # what is the same in Windows-1250: Hungarian, Slovak
        ),
    )
)
#: Ends that words have in other encodings only, those of Slavic and Romanian names.
_ODD_ENDS = re.compile(r"(?<=[aiu])[èæ](?![^\W\d_])|ã(?=[b-df-hj-lp-tv-y])", re.IGNORECASE)
#: What Portuguese words lack, and what Estonian ones do, which have the former: both together
#: are Hungarian in another encoding.
_NOT_PORTUGUESE = re.compile("õ(?!e)", re.IGNORECASE)
_NOT_ESTONIAN = re.compile("[áíóú]", re.IGNORECASE)
#: Part of the lines with words of no language, and number of them, that are no accident.
_MIXED = 0.05
_ENOUGH_MIXED = 2
_WORD = re.compile(r"[^\W\d_]+")
#: Signs that stand between words or at numbers.
_SIGNS = frozenset(
    "\u20ac\u201a\u201e\u2026\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u2122"
    "\xa0\xa1\xa3\xa7\xa9\xaa\xab\xae\xb0\xb1\xb2\xb3\xb4\xb7\xba\xbb\xbc\xbd\xbe\xbf\xd7"
)
_APOSTROPHE = "\u2019"
_ASCII_LETTER = re.compile(r"[A-Za-z]")
_BEYOND = re.compile("[^\x00-\x7f]")


class Encoding(NamedTuple):
    """What was found: a codec's name, the bytes of the mark in front, and how sure it is.

    `confidence` is 1.0 when the bytes prove it, or when a person said so.
    """

    name: str
    mark: int = 0
    confidence: float = 1.0


class _Counts(NamedTuple):
    """How much of a file beyond ASCII is UTF-8, and lines that have such bytes."""

    valid: int
    invalid: int
    sample: bytes


def check_encoding(name: str) -> str:
    """Return the codec's own name for `name`; raises `TableError` when there is none."""
    try:
        found = codecs.lookup(name).name
        if (
            "a,1\n".encode(found).replace(b"\0", b"").endswith(b"a,1\n")
            and found not in _NO_TABLES
        ):
            return found
    except (LookupError, ValueError):
        pass
    raise TableError(
        _(
            "${name} is no text encoding. Name one such as utf-8, utf-16 or cp1252.",
            mapping={"name": repr(name)},
        )
    )


def detect_encoding(stream: BinaryIO, encoding: str | None = None) -> Encoding:
    """Return the encoding of `stream`, and place the stream behind a byte order mark.

    A given `encoding` is taken; only its mark is looked for.  Otherwise all of the
    stream is read once, in constant memory, unless it is full of damage.  Raises `TableError` for
    a name that is no text encoding.
    """
    start = stream.tell()
    head = stream.read(_HEAD)
    found = _given(head, encoding) if encoding is not None else _marked(head) or _zeros(head)
    if found is None:
        stream.seek(start)
        found = _guess(_count(stream))
    stream.seek(start + found.mark)
    return found


def _given(head: bytes, encoding: str) -> Encoding:
    name = check_encoding(encoding)
    if name == "utf-8-sig":
        name = "utf-8"
    for mark, codec in _BOMS:
        if head.startswith(mark) and codec.startswith(name):
            return Encoding(codec, len(mark))
    if name in ("utf-16", "utf-32"):
        # Without a mark; the machine's own order would be an accident.
        found = _zeros(head)
        name = found.name if found is not None and found.name.startswith(name) else f"{name}-le"
    return Encoding(name)


def _marked(head: bytes) -> Encoding | None:
    return next(
        (Encoding(codec, len(mark)) for mark, codec in _BOMS if head.startswith(mark)), None
    )


def _zeros(head: bytes) -> Encoding | None:
    """Tell UTF-16 without a mark: ASCII in it has a zero in every other byte."""
    # Where a disk failed there are zeros, too, but no lines of text.
    failed = head.find(bytes(_FAILED))
    head = head if failed < 0 else head[: failed // 2 * 2]
    if len(head) < 4:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    # Delimiters, digits and line ends are ASCII in every script.
    for zeros, others, codec in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros > half * 0.2 and others <= zeros * 0.02 and _breaks(head, codec):
            return Encoding(codec)
    # Scripts with little ASCII between: then it shows itself by its line ends alone.
    found = [codec for codec in ("utf-16-le", "utf-16-be") if is_utf_16(head, codec)]
    return Encoding(found[0]) if b"\0" in head and len(found) == 1 else None


def is_utf_16(head: bytes, codec: str) -> bool:
    """Tell whether `head` is lines of text in the `codec`, one of UTF-16."""
    try:
        # Not the final part: it may end within a character.
        text = codecs.getincrementaldecoder(codec)().decode(head[:_SAMPLE])
    except UnicodeDecodeError:
        return False
    ends = text.count("\n") + text.count("\r")
    # Read in another encoding, hardly any line would end.
    lines = 2 * ends >= head[:_SAMPLE].count(b"\n") + head[:_SAMPLE].count(b"\r") > 0
    return lines and all(
        char in "\t\n\r\0" or unicodedata.category(char) not in ("Cc", "Cn", "Co", "Cs")
        for char in text
    )


def _breaks(head: bytes, codec: str) -> bool:
    """Tell whether `head` has line ends or delimiters where `codec` would have them."""
    text = head[: len(head) // 2 * 2].decode(codec, "ignore")
    return any(character in text for character in "\n\r,;\t|")


def _count(stream: BinaryIO) -> _Counts:
    """Count what is UTF-8 and what is not, and keep lines that are not ASCII."""
    valid = invalid = 0
    sample: list[bytes] = []
    room = _SEEN_BYTES
    carry = b""
    while chunk := stream.read(_CHUNK):
        data = carry + chunk
        carry = b""
        if data.isascii():
            continue
        # The last line may go on; a line without an end in sight is cut anywhere.
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if cut and len(data) - cut < _CHUNK:
            data, carry = data[:cut], data[cut:]
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            good, bad = _utf8_or_not(data)
            valid += good
            invalid += bad
            room = _keep(data, sample, room)
            if invalid > max(_SEEN_CHARACTERS, min(10 * valid, _MOST_INVALID)):
                return _Counts(valid, invalid, b"".join(sample))
        else:
            valid += len(data) - len(text)  # bytes beyond the first of each character
    tail = carry
    # What may be the first part of a last character speaks for nothing.
    carry = _CUT_CHARACTER.sub(b"", carry)
    if carry and not carry.isascii():
        good, bad = _utf8_or_not(carry)
        valid += good
        invalid += bad
    _keep(tail, sample, room)
    return _Counts(valid, invalid, b"".join(sample))


def _utf8_or_not(data: bytes) -> tuple[int, int]:
    """Return how many characters beyond ASCII are UTF-8, and how many bytes are not.

    No line counts more than `_SEEN_IN_LINE`: one that is damaged may have many.
    """
    valid = invalid = 0
    for line in data.splitlines():
        if line.isascii():
            continue
        characters = _UTF8_CHARACTER.findall(line)
        good = len(characters)
        bad = len(line.translate(None, _ASCII)) - sum(map(len, characters))
        valid += min(good, _SEEN_IN_LINE)
        invalid += min(bad, _SEEN_IN_LINE)
    return valid, invalid


def _keep(data: bytes, sample: list[bytes], room: int) -> int:
    """Add the lines of `data` that are not ASCII to `sample`; return the room that is left."""
    for line in data.splitlines(keepends=True):
        if room <= 0:
            break
        if not line.isascii():
            sample.append(line[:room])
            room -= len(line)
    return room


def _guess(counts: _Counts) -> Encoding:
    if counts.valid >= max(1, counts.invalid) or not counts.sample:
        # Broken bytes between sound ones are damage of their rows.
        return Encoding("utf-8")
    sample = counts.sample
    plausible = _plausibility(sample)
    if len(_HIGH.findall(sample)) == 1 and _SHARED.isdisjoint(sample.decode("cp1252", "replace")):
        # One letter in the whole file may be another one elsewhere.
        plausible = min(plausible, CERTAIN - 0.1)
    if plausible >= CERTAIN:
        # Latin-1 is contained in it, but for control characters that no table has.
        return Encoding("cp1252", 0, round(plausible, 2))
    if _beyond_ascii(sample) <= 2 and plausible < 0.5:
        # A stray byte or two that make no word: damage of a file that is ASCII otherwise.
        return Encoding("utf-8")
    other = _normalized(sample)
    if other is not None and other.confidence > plausible:
        return other
    return Encoding("cp1252", 0, round(plausible, 2))


def _beyond_ascii(sample: bytes) -> int:
    """Return how many bytes of `sample` are not ASCII."""
    return sum(map(len, _HIGH.findall(sample)))


def _plausibility(sample: bytes) -> float:
    """Return which part of the characters beyond ASCII make sense in Windows-1252.

    A letter makes sense beside letters, with the case that they have; a sign does
    not inside a word, but for the apostrophe.  All lines count alike.
    """
    text = sample.decode("cp1252", "replace")
    lines = text.splitlines()[:_SEEN_CHARACTERS]
    parts = [
        sum(fits) / len(fits)
        for line in lines
        if (fits := [_makes_sense(line, match.start()) for match in _BEYOND.finditer(line)])
    ]
    if not parts:
        return 1.0
    plausible = sum(parts) / len(parts)
    has_acutes = _NOT_ESTONIAN.search(text) is not None
    mixed = sum(
        any(map(_is_mixed, _WORD.findall(line)))
        or (has_acutes and _NOT_PORTUGUESE.search(line) is not None)
        for line in lines
    )
    if mixed >= _ENOUGH_MIXED and mixed > _MIXED * len(parts):
        plausible = min(plausible, CERTAIN - 0.1)
    return plausible


def _is_mixed(word: str) -> bool:
    """Tell whether a word has letters beyond ASCII that no language has together."""
    letters = _LETTERS.intersection(word.lower())
    return len(letters) > 1 and not any(map(letters.issubset, _LANGUAGES))


def _makes_sense(text: str, at: int) -> bool:
    """Tell whether the character at `at` makes sense beside its neighbours."""
    character = text[at]
    before = text[at - 1] if at else " "
    after = text[at + 1] if at + 1 < len(text) else " "
    if character in _LETTERS:
        return not _ODD_ENDS.match(text, at) and _is_in_word(
            character, before, after, text[at - 2 : at - 1]
        )
    if character in _SIGNS:
        in_word = _ASCII_LETTER.match(before) and _ASCII_LETTER.match(after)
        return not in_word or character == _APOSTROPHE
    return False


def _is_in_word(character: str, before: str, after: str, second: str) -> bool:
    """Tell whether a letter beyond ASCII fits its neighbours.

    `second` is the character before `before`: a capital may follow ``Mc`` or an
    apostrophe, a word may be written in capitals.
    """
    near = [letter for letter in (before, after) if letter.isalpha()]
    if not any(_ASCII_LETTER.match(letter) for letter in near):
        # Words have ASCII letters in the languages in question; a letter by itself may stand for
        # a unit or a word such as "à".
        return not near and character in "àáèéóôÀÁÈÉÓø"
    if character.isupper():
        return not before.islower() or second in ("c", "")
    return not before.isalpha() or before.islower() or not after.isupper()


def _normalized(sample: bytes) -> Encoding | None:
    """Ask charset-normalizer; only an answer that it is sure of counts as certain.

    It tells scripts from each other, but not the languages that have Latin letters.
    """
    # Imported only here: it is large, and hardly any table needs it.
    from charset_normalizer import from_bytes

    best = from_bytes(sample, explain=False).best()
    if best is None or best.encoding.startswith(("utf", "ascii")):
        return None
    confidence = max(0.0, 1.0 - best.chaos)
    # Without words that it knows, or in few characters, a guess is a guess.
    words = [word for word in _WORD.findall(str(best)) if not word.isascii()]
    is_latin = not words or any(
        _ASCII_LETTER.search(word) or unicodedata.name(word[0], "").startswith("LATIN")
        for word in words
    )
    if is_latin or best.coherence < 0.3 or _beyond_ascii(sample) < 40:
        confidence = min(confidence, CERTAIN - 0.1)
    return Encoding(codecs.lookup(best.encoding).name, 0, round(confidence, 2))
