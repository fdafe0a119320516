"""What the form of step 3 sends: the whole mapping, as the officer has chosen it so far.

`mapping` shows it again, and keeps it in the draft.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from waeup.kofa.browser.imports.mappingwords import text_of
from waeup.kofa.conversion import Values
from waeup.kofa.interfaces import IGNORE_COLUMN
from waeup.kofa.ledger import Draft

#: Pairs of field and text; on its way from the form, each of them may be ''.
Constants = tuple[tuple[str, str], ...]
#: Gives the texts of all fields of the form that have a name, in their order.
Fields = Callable[[str], list[str]]


class Chosen(NamedTuple):
    """What the officer has chosen, by the form or, before, by the draft.

    `pairs` are the constants with those that are not complete.
    """

    columns: tuple[str | None, ...]
    pairs: Constants
    values: Values
    left_alone: Constants

    @property
    def constants(self) -> Constants:
        """The constants that have a text."""
        return tuple((field, text) for field, text in self.pairs if text)

    @property
    def filled(self) -> set[str | None]:
        """The fields that something fills."""
        return {*self.columns, *(field for field, _text in self.constants)}


def sent_mapping(fields: Fields, draft: Draft) -> Chosen:
    """Return the mapping of a form; `draft` has what was said before of texts not in it."""
    columns = [None if field in ("", IGNORE_COLUMN) else field for field in fields("headerfield")]
    for field, at in zip(fields("missingfield"), fields("missingcolumn"), strict=False):
        if _is_position(at) and int(at) < len(columns):
            columns[int(at)] = field
    pairs = list(zip(fields("constantfield"), fields("constant"), strict=False))
    for removed in fields("remove_constant")[:1]:
        if _is_position(removed):
            del pairs[int(removed) : int(removed) + 1]
    # What was missing had a line without being a constant.
    offered = set(fields("missingfield"))
    begun = tuple(pair for pair in pairs if pair[1] or (pair[0] and pair[0] not in offered))
    return Chosen(tuple(columns), begun, *_sent_values(fields, draft, columns))


def _is_position(text: str) -> bool:
    return text.isdecimal() and len(text) < 6


def _sent_values(
    fields: Fields, draft: Draft, columns: Sequence[str | None]
) -> tuple[Values, Constants]:
    """Return what texts stand for: as the form says, and as was said before of others."""
    tokens = {(field, text): token for field, pairs in draft.values for text, token in pairs}
    left_alone = set(draft.left_alone)
    for field, key, token in zip(
        fields("valuefield"), fields("valuetext"), fields("value"), strict=False
    ):
        text = text_of(key)
        if token.strip():
            tokens[field, text] = token.strip()
            left_alone.discard((field, text))
        else:
            tokens.pop((field, text), None)
            left_alone.add((field, text))
    values: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for (field, text), token in tokens.items():
        values[field].append((text, token))
    sent = tuple((field, tuple(sorted(pairs))) for field, pairs in sorted(values.items()))
    return of_columns(sent, columns), tuple(
        sorted(pair for pair in left_alone if pair[0] in columns)
    )


def seen_texts(fields: Fields, chosen: Chosen) -> set[tuple[str, str]]:
    """Return the fields and texts of choices that the officer has seen, or has decided on."""
    sent = zip(fields("valuefield"), fields("valuetext"), strict=False)
    seen = {(field, text_of(key)) for field, key in sent}
    seen.update(chosen.left_alone)
    seen.update((field, text) for field, pairs in chosen.values for text, _token in pairs)
    return seen


def of_columns(values: Values, columns: Iterable[str | None]) -> Values:
    """Return those of `values` whose field a column fills."""
    fields = set(columns)
    return tuple((field, pairs) for field, pairs in values if field in fields)
