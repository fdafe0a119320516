"""Mappings that are kept under a name, and used for other files of the same form.

The module path is a database format.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from waeup.kofa.conversion.mapping import DATES, Mapping, Values, is_ignored_column, loose
from waeup.kofa.errors import InvalidName
from waeup.kofa.i18n import MessageFactory as _

#: Characters that the name of a mapping may have.
NAME_LENGTH = 80


@dataclass(frozen=True)
class SavedMapping:
    """A mapping by the names of columns.

    `columns` are pairs of the name of a column and its field, None where it is left out;
    `constants` and `values` are those of a `Mapping`.  `user` has saved it at `date` (UTC).
    """

    name: str
    processor: str
    columns: tuple[tuple[str, str | None], ...]
    constants: tuple[tuple[str, str], ...]
    values: Values
    user: str
    date: datetime

    def fit(self, header: Sequence[str]) -> "FittedMapping":
        """Return what fills the fields from the columns of `header`, whatever their order.

        A column of the same name comes first; else case, blanks, underscores and hyphens do
        not count, unless there are several such columns.
        """
        fields = dict(self.columns)
        names = {name: name for name in header if name in fields}
        own = _single(name for name in fields if name not in names)
        others = _single(name for name in header if name not in names)
        names.update((others[form], own[form]) for form in others.keys() & own.keys())
        used = set(names.values())
        return FittedMapping(
            Mapping(
                tuple(fields[names[name]] if name in names else None for name in header),
                self.constants,
                self.values,
            ),
            tuple(header),
            tuple((name, field) for name, field in self.columns if field and name not in used),
            tuple(
                name
                for name in header
                if name not in names and name not in DATES and not is_ignored_column(name)
            ),
        )


@dataclass(frozen=True)
class FittedMapping:
    """A saved mapping as it fits the columns of a table.

    `missing` are the columns that it needs and the table does not have, with their fields; `new`
    are those of the table that it says nothing about; they fill nothing.
    """

    mapping: Mapping
    header: tuple[str, ...]
    missing: tuple[tuple[str, str], ...] = ()
    new: tuple[str, ...] = ()


def _single(names: Iterable[str]) -> dict[str, str]:
    """Return the names that no other one is like, by their loose form."""
    found = [(loose(name), name) for name in names]
    counts = Counter(form for form, _ in found)
    return {form: name for form, name in found if counts[form] == 1}


def check_mapping_name(name: str) -> str:
    """Return the name of a mapping without outer blanks; raises `InvalidName`."""
    name = name.strip()
    if not name or len(name) > NAME_LENGTH:
        raise InvalidName(
            _(
                "The name of a mapping has 1 to ${name_length} characters, this one has "
                "${number}.",
                mapping={"name_length": NAME_LENGTH, "number": len(name)},
            )
        )
    if any(unicodedata.category(char)[0] in "CZ" and char != " " for char in name):
        raise InvalidName(
            _(
                "The name ${name} has a control character, or a blank that looks like "
                "another one. Type it anew.",
                mapping={"name": repr(name)},
            )
        )
    return name
