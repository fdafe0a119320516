"""What a column, or the text of a choice, may mean: guesses that a person sees before they count.

`waeup.kofa.conversion.mapping.propose` knows which columns have the names of fields; that is
certain enough for a command.  Here come, behind these, what was chosen the last time, titles, and
names that are merely alike, each with a confidence and the reason for it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dict
from typing import NamedTuple

from rapidfuzz import fuzz, process
from rapidfuzz.distance import JaroWinkler

from waeup.kofa.conversion.mapping import DATES, is_ignored_column, loose, propose

#: Why a field, or a token, is proposed.
SAME, LOOSE, REMEMBERED, TITLE, SIMILAR = "same", "loose", "remembered", "title", "similar"
#: Reason -> confidence; that of what is merely similar is less than these.
CONFIDENCE = {SAME: 1.0, LOOSE: 0.98, REMEMBERED: 0.95, TITLE: 0.92}
#: How similar names must be, from 0 to 1: about one letter in six may differ.
THRESHOLD = 0.82
#: Likewise texts of a choice, where the beginning counts most: people abbreviate.
TEXT_THRESHOLD = 0.75
#: How much more similar than all others; what is closer together stays open.
MARGIN = 0.05
#: Names with fewer letters are never similar.
SHORTEST = 4
#: Nothing is guessed for longer names; to compare them would take too long.
LONGEST = 200
#: Words that people write for others.
_SHORT = dict.fromkeys(("no", "nr", "num"), "number")
#: The confidence in what is entirely similar.
_MOST = 0.9


#: Titles of a field, one for each language that has a title of its own.
Titles = Sequence[str]


class Guess(NamedTuple):
    """What is proposed, a field or a token, how certain that is (0 to 1), and why.

    Without a proposal `value` is None.  If `reason` is `REMEMBERED` all the same, a person has
    left the column out the last time.
    """

    value: str | None = None
    confidence: float = 0.0
    reason: str = ""


_OPEN = Guess()


def guess_columns(
    header: Sequence[str], fields: Dict[str, Titles], remembered: Dict[str, str | None]
) -> list[Guess]:
    """Return, for each column of `header`, the field that it may fill.

    `fields` leads from the names of fields to their titles in all languages, `remembered` from
    names of columns, in the form of `loose`, to what they were last: a field, or None for a column
    that was left out.  No field is proposed twice, and what is ambiguous is left open.
    """
    found = {
        name: Guess(field, CONFIDENCE[reason], reason)
        for name, field in zip(header, propose(header, fields), strict=True)
        if field is not None
        for reason in (SAME if name == field else LOOSE,)
    }
    left = {
        name
        for name in header
        if len(name) <= LONGEST and not is_ignored_column(name) and name not in DATES
    }
    for step in (
        lambda names, free: _remembered(header, names, free, remembered),
        lambda names, free: _titled(names, free, fields),
        lambda names, free: _similar(names, free, fields),
    ):
        taken = {guess.value for guess in found.values()}
        found.update(step(left - found.keys(), fields.keys() - taken))
    return [found.get(name, _OPEN) for name in header]


def _remembered(
    header: Sequence[str], names: set[str], free: set[str], remembered: Dict[str, str | None]
) -> dict[str, Guess]:
    twins = Counter(map(loose, header))
    meant = {
        name: remembered[loose(name)]
        for name in names
        if twins[loose(name)] == 1 and loose(name) in remembered
    }
    claims = Counter(meant.values())
    return {
        name: Guess(field, CONFIDENCE[REMEMBERED], REMEMBERED)
        for name, field in meant.items()
        if field is None or (field in free and claims[field] == 1)
    }


def _titled(names: set[str], free: set[str], fields: Dict[str, Titles]) -> dict[str, Guess]:
    by_title = defaultdict(set)
    for field, titles in fields.items():
        for title in titles:
            # "Last Name (Surname)" are two names, and so are "Semester/Term".
            for part in (title, *re.split("[()/]", title)):
                by_title[_letters(part)].add(field)
    twins = Counter(map(_letters, names))
    meant = {
        name: by_title[_letters(name)]
        for name in names
        if twins[_letters(name)] == 1 and _letters(name)
    }
    claims = Counter(field for found in meant.values() for field in found)
    return {
        name: Guess(field, CONFIDENCE[TITLE], TITLE)
        for name, found in meant.items()
        if len(found) == 1
        for field in found & free
        if claims[field] == 1
    }


def _similar(names: set[str], free: set[str], fields: Dict[str, Titles]) -> dict[str, Guess]:
    # Of all fields, the taken ones too: who means one of them does not mean the next best.
    wanted = [(field, [*map(words_of, (field, *titles))]) for field, titles in fields.items()]
    scores = {
        (name, field): score
        for name, words in ((name, words_of(name)) for name in names)
        for field, forms in wanted
        if (score := max(similarity(words, form) for form in forms)) >= THRESHOLD - MARGIN
    }
    by_name: dict[str, list[float]] = defaultdict(list)
    by_field: dict[str, list[float]] = defaultdict(list)
    for (name, field), score in scores.items():
        by_name[name].append(score)
        by_field[field].append(score)
    return {
        name: Guess(field, round(score * _MOST, 2), SIMILAR)
        for (name, field), score in scores.items()
        if field in free
        and score >= THRESHOLD
        and _stands_out(score, by_name[name])
        and _stands_out(score, by_field[field])
    }


def _stands_out(score: float, scores: list[float]) -> bool:
    """Tell whether `score`, one of `scores`, is the best of them by far."""
    return sum(other > score - MARGIN for other in scores) == 1


def similarity(one: list[str], other: list[str]) -> float:
    """Return how similar the words of two names are, from 0 to 1; their order does not count."""
    letters = "".join(one), "".join(other)
    if min(map(len, letters)) < SHORTEST:
        return 0.0
    ordered = fuzz.token_sort_ratio(" ".join(one), " ".join(other))
    return max(fuzz.ratio(*letters), ordered) / 100


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, short forms written out."""
    words = re.findall(r"[^\W_]+", name.casefold())
    return [_SHORT.get(word, word) for word in words]


def _letters(name: str) -> str:
    return "".join(words_of(name))


class TokenGuesser:
    """Proposes tokens for texts that are no allowed value.

    `names` are pairs of a name that a person may have meant, and its token.
    """

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        pairs = dict.fromkeys((name.casefold(), token) for name, token in names)
        self._named: defaultdict[str, list[str]] = defaultdict(list)
        for name, token in pairs:
            self._named[name].append(token)
        self._names = [name for name, _ in pairs]
        self._tokens = [token for _, token in pairs]

    def guess(self, text: str) -> Guess:
        """Return the token of the closest name, unless another one is about as close."""
        named = self._named.get(text.casefold(), [])
        if len(named) == 1:
            return Guess(named[0], CONFIDENCE[TITLE], TITLE)
        best: dict[str, float] = {}
        for _name, score, at in process.extract(
            text.casefold(),
            self._names,
            scorer=JaroWinkler.normalized_similarity,
            processor=None,
            score_cutoff=TEXT_THRESHOLD - MARGIN,
            limit=None,
        ):
            token = self._tokens[at]
            best[token] = max(best.get(token, 0.0), score)
        for token, score in best.items():
            if score >= TEXT_THRESHOLD and _stands_out(score, list(best.values())):
                return Guess(token, round(score * _MOST, 2), SIMILAR)
        return _OPEN
