"""Tells which reasons of failure are alike, and counts them together.

A reason shows what it found: texts in quotes, numbers, keys.  Reasons that differ only in these
are of one kind.  All that is needed stands in the text itself: reasons are counted by several
processes one after the other, and by those who have nothing but a pending file.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache, reduce

#: What stands in a reason for what differs.
VARYING = "…"

_QUOTED = r"""[bu]?(?:'(?:[^'\\…]|\\[^…])*'|"(?:[^"\\…]|\\[^…])*")(?:\.\.\.)?"""
_WORD = r"\w+(?:(?:[-.,:/@+]+|')\w+)*'?"
# A word with a digit, or an address, is no word of a message.
_KEY = rf"[-+]?(?=\w)(?=(?:\w|(?:[-.,:/@+]+|')(?=\w))*?(?:\d|@\w)){_WORD}"
_SHOWN = rf"(?:{_QUOTED}|{_KEY}|{VARYING})"
# Nothing here looks at what stands before it, nor at what follows: so a reason is divided in the
# same way when ``…`` has taken the place of something in it, and kinds stay what they are.
_LEXEMES = re.compile(
    # The name of a field, which may have digits and is none of the things that differ.
    r"(?:\A|; )[a-z_]\w*: (?:RequiredMissing: \w+)?|RequiredMissing: \w+"
    # However many things a list has, it is one.
    rf"|({_SHOWN}(?:, {_SHOWN})*(?: and [\d,]*\d more)?)"
    rf"|{_WORD}|[^-+\w'\"…;\\]+|\\[^…]|.",
    re.DOTALL,
)


@lru_cache(maxsize=4096)
def _divided(reason: str) -> tuple[str, tuple[str, ...]]:
    """Return the kind of a reason, and what it shows; both together are the reason."""
    words, shown = [], []
    for match in _LEXEMES.finditer(reason):
        if match[1] is None:
            words.append(match[0])
        else:
            words.append(VARYING)
            shown.append(match[1])
    return "".join(words), tuple(shown)


def kind_of(reason: str) -> str:
    """Return a reason without what it shows.

    >>> kind_of("size: 'x1' is not a whole number.")
    'size: … is not a whole number.'
    """
    return _divided(reason)[0]


def is_like(reason: str, pattern: str) -> bool:
    """Tell whether a reason is what `in_common` has made of it and others, or the same."""
    kind, shown = _divided(pattern)
    other_kind, others = _divided(reason)
    return kind == other_kind and all(
        one in (VARYING, other) for one, other in zip(shown, others, strict=True)
    )


def in_common(reasons: Iterable[str]) -> str:
    """Return what reasons of one kind say alike.

    >>> in_common(["'x' is no sex: 'm' or 'f'", "'y' is no sex: 'm' or 'f'"])
    "… is no sex: 'm' or 'f'"
    """
    return reduce(_in_common, reasons)


def _in_common(one: str, other: str) -> str:
    if one == other:
        return one
    kind, shown = _divided(one)
    if one == kind:
        return one
    pairs = zip(shown, _divided(other)[1], strict=True)
    parts = iter([text if text == other_text else VARYING for text, other_text in pairs])
    return re.sub(VARYING, lambda _match: next(parts), kind)


class Reasons:
    """Counts reasons by kind, in the words that all reasons of a kind have in common.

    What was counted, `counts`, can be counted on later, in any order: the result is the same.
    Beyond `limit` kinds, further ones are not counted.
    """

    def __init__(self, counts: Mapping[str, int] | None = None, *, limit: int) -> None:
        self._limit = limit
        self._texts: dict[str, str] = {}
        self._numbers: Counter[str] = Counter()
        for reason, number in (counts or {}).items():
            self.add(reason, number)

    def add(self, reason: str, number: int = 1) -> None:
        """Count a reason."""
        kind = kind_of(reason)
        text = self._texts.get(kind)
        if text is None:
            if len(self._texts) >= self._limit:
                return
            self._texts[kind] = reason
        elif text != reason:
            self._texts[kind] = _in_common(text, reason)
        self._numbers[kind] += number

    @property
    def counts(self) -> dict[str, int]:
        """What was counted, in the order in which the kinds came."""
        return {text: self._numbers[kind] for kind, text in self._texts.items()}

    def most_common(self, number: int) -> tuple[tuple[str, int], ...]:
        """Return the most frequent reasons with their numbers."""
        return tuple((self._texts[kind], n) for kind, n in self._numbers.most_common(number))
