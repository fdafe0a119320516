r"""Reads from an expression what each of its matches contains, so that it can be looked for.

``K[0-9]{6}.*withdrawn`` matches only where ``withdrawn`` stands, and where a K stands before six
digits.  `waeup.kofa.journal.sieve` looks for such bytes; what they are found in is judged by RE2.
So all that counts here is that nothing is said which is not true of each match.  Of what this
module does not know, such as ``\pL``, nothing is said.
"""

import re
import string
from collections.abc import Iterable, Sequence
from math import log2
from typing import NamedTuple

#: Bytes that may stand at one place.
Bytes = frozenset[int]
#: Bytes that stand one behind the other.
Run = tuple[Bytes, ...]
#: Runs of which one at least is in each match.
Choice = tuple[Run, ...]

#: Bytes of a run, and runs of a choice, that are told.
MAX_RUN, MAX_RUNS = 16, 8
# Choices that are told of a part of an expression: those that rule out the most.
_MAX_CHOICES = 4
# Groups within groups that are looked into.
_MAX_DEPTH = 50

#: Letters that RE2 takes, where case does not matter, for these two, too: of all ASCII characters
#: these alone have kin beyond ASCII.
FAR_KIN = {"k": "\N{KELVIN SIGN}", "s": "\N{LATIN SMALL LETTER LONG S}"}

_SETS = {
    "d": string.digits,
    "w": string.ascii_letters + string.digits + "_",
    "s": "\t\n\f\r ",
}
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_FLAGS = re.compile(r"\(\?(?P<on>[imsU]*)(?:-(?P<off>[imsU]+))?(?P<end>[:)])")
_NAME = re.compile(r"\(\?P?<\w+>")
_REPEATED = re.compile(
    r"(?:(?P<sign>[*+?])|\{(?P<least>0|[1-9][0-9]*)(?P<comma>,(?P<most>[1-9][0-9]*)?)?\})\??"
)


def choices(text: str, ignore_case: bool) -> list[Choice]:
    """Return what each match of an expression contains: one run at least of each choice.

    RE2 must have accepted `text`.  An empty list says that nothing is known.
    """
    reader = _Reader(text)
    try:
        facts = reader.alternatives(ignore_case)
    except _NotKnownError:
        return []
    kin = tuple(_run_of(char) for char in sorted(reader.far_kin))
    return [(*choice, *kin) for choice in facts.choices if len(choice) + len(kin) <= MAX_RUNS]


class _NotKnownError(Exception):
    """The expression has a part whose end or meaning is not known."""


class _Facts(NamedTuple):
    """What is true of each match of a part of an expression.

    `whole` is all of it, None if that is no single run.  It begins with `begin`, ends with `end`,
    and contains each of `needed`.
    """

    whole: Run | None = None
    begin: Run = ()
    end: Run = ()
    needed: tuple[Choice, ...] = ()

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The choices of which each says something."""
        found = self.needed if self.whole is None else ((self.whole,),)
        return tuple(choice for choice in found if all(choice))


_NOTHING = _Facts()
_EMPTY = _Facts(whole=())


def _bits(choice: Choice) -> float:
    """Return how much a choice rules out, were all bytes equally frequent."""
    return min(sum(8 - log2(len(each)) for each in run) for run in choice)


def _best(found: Iterable[Choice], number: int = _MAX_CHOICES) -> tuple[Choice, ...]:
    telling = {choice for choice in found if all(choice)}
    return tuple(sorted(telling, key=_bits, reverse=True)[:number])


def _in_turn(parts: Sequence[_Facts]) -> _Facts:
    """Return what is true of parts that follow each other."""
    needed: list[Choice] = []
    begin: Run | None = None
    run: Run = ()
    for part in parts:
        if part.whole is not None and len(run) + len(part.whole) <= MAX_RUN:
            run += part.whole
            continue
        # The run that was collected ends here, and another one begins.
        needed += part.needed
        if part.whole is None:
            run = (run + part.begin)[:MAX_RUN]
        needed.append((run,))
        begin = run if begin is None else begin
        run = part.end if part.whole is None else part.whole
    if begin is None:
        return _Facts(whole=run)
    needed.append((run,))
    return _Facts(None, begin, run, _best(needed))


def _one_of(parts: Sequence[_Facts]) -> _Facts:
    """Return what is true where one of the parts stands."""
    if len(parts) == 1:
        return parts[0]
    found = [_best(part.choices, 1) for part in parts]
    runs = tuple(dict.fromkeys(run for best in found for choice in best for run in choice))
    if not all(found) or len(runs) > MAX_RUNS:
        return _NOTHING
    return _Facts(needed=(runs,))


def _repeated(part: _Facts, least: int, is_exact: bool) -> _Facts:
    """Return what is true of a part that stands there so often at least, or exactly."""
    if not least:
        return _NOTHING
    if part.whole is None:
        return part
    if not part.whole:
        return _EMPTY
    times = max(min(least, MAX_RUN // len(part.whole)), 1)
    run = part.whole * times
    if is_exact and times == least:
        return _Facts(whole=run)
    return _Facts(None, run, run, ((run,),))


def _run_of(text: str) -> Run:
    return tuple(frozenset((byte,)) for byte in text.encode("utf-8"))


class _Reader:
    """Reads an expression that RE2 has accepted; raises `_NotKnownError`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        #: Characters with which a match may have another byte than the runs say.
        self.far_kin: set[str] = set()

    def alternatives(self, fold: bool, depth: int = 0) -> _Facts:
        """Read up to the end of a group; with `fold` case does not matter."""
        if depth > _MAX_DEPTH:
            raise _NotKnownError
        text = self._text
        branches: list[_Facts] = []
        parts: list[_Facts] = []
        while self._at < len(text) and text[self._at] != ")":
            flags = _FLAGS.match(text, self._at)
            if text[self._at] == "|":
                branches.append(_in_turn(parts))
                parts = []
                self._at += 1
            elif flags and flags["end"] == ")":
                # They hold up to the end of the group.
                fold = _folds(flags, fold)
                self._at = flags.end()
            else:
                part = self._group(fold, depth) if text[self._at] == "(" else self._one(fold)
                parts.append(self._as_often(part))
        branches.append(_in_turn(parts))
        return _one_of(branches)

    def _group(self, fold: bool, depth: int) -> _Facts:
        flags = _FLAGS.match(self._text, self._at)
        name = _NAME.match(self._text, self._at)
        if flags:
            fold = _folds(flags, fold)
            self._at = flags.end()
        elif name:
            self._at = name.end()
        elif self._text.startswith("(?", self._at):
            raise _NotKnownError
        else:
            self._at += 1
        facts = self.alternatives(fold, depth + 1)
        self._at += 1
        return facts

    def _as_often(self, part: _Facts) -> _Facts:
        found = _REPEATED.match(self._text, self._at)
        if found is None:
            return part
        self._at = found.end()
        if found["sign"]:
            return _repeated(part, int(found["sign"] == "+"), False)
        least = int(found["least"])
        is_exact = not found["comma"] or found["most"] == found["least"]
        return _repeated(part, least, is_exact)

    def _one(self, fold: bool) -> _Facts:
        """Read one character, or what stands for one, or for a place between two."""
        char = self._next()
        if char in "^$":
            return _EMPTY
        if char == ".":
            return _NOTHING
        if char == "[":
            return self._set(self._list(), fold)
        if char == "\\":
            char = self._next()
            if char in "bBAz":
                return _EMPTY
            if char in "DWS":
                return _NOTHING
            return self._set(_SETS[char] if char in _SETS else _escaped(char), fold)
        if char in "*+?{":
            # Without something to repeat they have a meaning of their own.
            raise _NotKnownError
        return self._set(char, fold)

    def _list(self) -> str | None:
        """Read a list of characters; None if it is long, or has others than ASCII."""
        is_known = True
        if self._text.startswith("^", self._at):
            is_known = False
            self._at += 1
        chars: list[str] = []
        first = True
        while first or not self._text.startswith("]", self._at):
            first = False
            if self._text.startswith("[:", self._at):
                raise _NotKnownError
            char = self._next()
            if char == "\\":
                char = self._next()
                if char in "DWS":
                    is_known = False
                    continue
                if char in _SETS:
                    chars.append(_SETS[char])
                    continue
                char = _escaped(char)
            last = char
            is_range = self._text.startswith("-", self._at)
            if is_range and not self._text.startswith("-]", self._at):
                self._at += 1
                last = self._next()
                last = _escaped(self._next()) if last == "\\" else last
            if last.isascii():
                chars += map(chr, range(ord(char), ord(last) + 1))
            else:
                is_known = False
        self._at += 1
        return "".join(chars) if is_known else None

    def _set(self, chars: str | None, fold: bool) -> _Facts:
        """Return what is true where one of these characters stands."""
        if chars is None:
            return _NOTHING
        if not chars.isascii():
            # How they look in the other case is not known.
            return _NOTHING if fold else _Facts(whole=_run_of(chars))
        if fold:
            chars = chars.lower() + chars.upper()
            self.far_kin.update(far for near, far in FAR_KIN.items() if near in chars)
        return _Facts(whole=(frozenset(chars.encode("ascii")),))

    def _next(self) -> str:
        if self._at == len(self._text):
            raise _NotKnownError
        self._at += 1
        return self._text[self._at - 1]


def _folds(flags: re.Match[str], fold: bool) -> bool:
    return "i" not in (flags["off"] or "") and (fold or "i" in flags["on"])


def _escaped(char: str) -> str:
    """Return the character that one behind a backslash stands for."""
    if char in _CONTROLS:
        return _CONTROLS[char]
    if not char.isascii() or char.isalnum() or char == "_":
        raise _NotKnownError
    return char
