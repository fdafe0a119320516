"""What step 3 of an import shows of texts of choices that are no allowed value."""

from collections.abc import Iterable

from waeup.kofa.browser.imports.mappingforms import Chosen
from waeup.kofa.browser.imports.mappingwords import (
    CHOSEN,
    Choices,
    Replaced,
    confidence_in_value,
    key_of,
    token_options,
)
from waeup.kofa.operations import ChoiceColumn, ForeignText

#: Options of all lists of one column of choices together; with more a token is typed.
MOST_OPTIONS = 6000


def choices_of(columns: Iterable[ChoiceColumn], chosen: Chosen) -> list[Choices]:
    """Return the columns that have such texts, with what these stand for by what is chosen."""
    decided = {field: dict(pairs) for field, pairs in chosen.values}
    found = []
    for number, column in enumerate(columns, 1):
        if not column.texts:
            continue
        is_typed = not column.choices or (len(column.choices) * len(column.texts) > MOST_OPTIONS)
        texts = [
            _replaced(
                f"value-{number}-{at}",
                text,
                decided.get(column.field, {}).get(text.text),
                (column.field, text.text) in chosen.left_alone,
                () if is_typed else column.choices,
            )
            for at, text in enumerate(column.texts, 1)
        ]
        typed = token_options(column.choices, "") if is_typed else ""
        found.append(Choices(column.column, column.field, column, texts, typed))
    return found


def _replaced(
    id: str,
    found: ForeignText,
    decided: str | None,
    is_left: bool,
    choices: tuple[tuple[str, str], ...],
) -> Replaced:
    proposed = None if is_left else found.proposed
    token = decided if decided is not None else proposed or ""
    confidence = None
    if token and token == found.proposed:
        confidence = confidence_in_value(found)
    elif token:
        confidence = CHOSEN
    return Replaced(
        id,
        found.text,
        key_of(found.text),
        found.count,
        token,
        token_options(choices, token) if choices else "",
        confidence,
    )
