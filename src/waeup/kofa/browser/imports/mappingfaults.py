"""What is wrong with a mapping chosen in step 3 of an import, and where it is put right."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from waeup.kofa.browser.imports.mappingforms import Chosen
from waeup.kofa.conversion import Values
from waeup.kofa.i18n import MessageFactory as _

#: Asks the kind of objects what speaks against columns, constants and meanings of texts.
Refusals = Callable[[tuple[str | None, ...], Iterable[tuple[str, str]], Values], list[str]]


class Complaint(NamedTuple):
    """What is wrong with a mapping, and the id of the place where it is put right."""

    text: Any
    place: str


def missing_fields(chosen: Chosen, required: Iterable[str]) -> list[str]:
    """Return the fields that must be filled, and that nothing fills."""
    return [field for field in required if field not in chosen.filled]


def orphans(chosen: Chosen) -> list[str]:
    """Return the constant texts that no field was chosen for."""
    return [text for field, text in chosen.constants if not field]


def double_fields(chosen: Chosen, header: Sequence[str]) -> dict[int, Any]:
    """Return, by the positions of columns, what is wrong where a field is filled twice."""
    constants = dict(chosen.constants)
    by_field: dict[str, list[int]] = defaultdict(list)
    for at, field in enumerate(chosen.columns[: len(header)]):
        if field is not None:
            by_field[field].append(at)
    errors: dict[int, Any] = {}
    for field, places in by_field.items():
        for at in places:
            others = ", ".join(header[other] for other in places if other != at)
            if others:
                errors[at] = _(
                    "${field} is filled by this column and by: ${others}. Choose another "
                    "field for one of them, or leave it out.",
                    mapping={"field": field, "others": others},
                )
            elif field in constants:
                errors[at] = _(
                    "${field} is filled by this column and by a text for all rows. Leave "
                    "one of them out.",
                    mapping={"field": field},
                )
    return errors


def seen_faults(chosen: Chosen, header: Sequence[str], required: Iterable[str]) -> list[Complaint]:
    """Return what is wrong whatever the fields are: too much, or too little."""
    missing, double = missing_fields(chosen, required), double_fields(chosen, header)
    complaints = [
        Complaint(
            _(
                "Choose the field that '${text}' is to fill, or empty the line.",
                mapping={"text": text},
            ),
            "constants",
        )
        for text in orphans(chosen)
    ]
    if missing:
        text = _(
            "Not filled yet: ${fields}. Choose a column for each, or give it one text for all "
            "rows.",
            mapping={"fields": ", ".join(missing)},
        )
        complaints.append(Complaint(text, "missing"))
    if double:
        fields = dict.fromkeys(chosen.columns[at] or "" for at in double)
        text = _(
            "Double headers: filled more than once: ${fields}.",
            mapping={"fields": ", ".join(fields)},
        )
        complaints.append(Complaint(text, f"field-{min(double) + 1}"))
    return complaints


def told_faults(
    chosen: Chosen, header: Sequence[str], required: Iterable[str], refusals: Refusals
) -> list[Complaint]:
    """Return what the kind of objects says against the rest of a mapping.

    It is asked as if all fields were filled, and only once, so that the rest is told at the same
    time as `seen_faults`.
    """
    double = double_fields(chosen, header)
    columns = tuple(None if at in double else field for at, field in enumerate(chosen.columns))
    filled = {field: text for field, text in chosen.constants if field}
    filled.update((chosen.columns[at] or "", "") for at in double)
    filled.update((field, "") for field in missing_fields(chosen, required))
    place, found = "columns", refusals(columns, filled.items(), ())
    if not found:
        place, found = "values", refusals(columns, filled.items(), chosen.values)
    return [Complaint(text, place) for text in found]
