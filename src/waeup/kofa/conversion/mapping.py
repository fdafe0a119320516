"""Which column fills which field: decided once, before the first row is read.

A `Mapping` is made from the header of a table and the fields of a processor, by a
person's choices and by `propose`.  The row engine only reads it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass

from waeup.kofa.conversion.cells import MARKERS
from waeup.kofa.conversion.wording import listing, shown
from waeup.kofa.errors import MappingError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import BACK_COLUMN, IGNORE_COLUMN, REMOVED_COLUMN

#: Of each field, pairs of a text and of what it stands for.
Values = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

#: Columns that the tables of removed objects have behind the fields.
DATES = (REMOVED_COLUMN, BACK_COLUMN)


def is_ignored_column(name: str) -> bool:
    """Tell whether a column of this name fills no field: it begins with ``--`` (Kofa 1.9)."""
    return name.startswith("--")


@dataclass(frozen=True, slots=True)
class Mapping:
    """What fills the fields of an object.

    `columns` gives, by position, the field that a column fills, or None when the
    column is ignored.  `constants` are pairs of field and text: the text fills the
    field in all rows.  `values` are pairs of a field and of pairs of text and token: a
    cell that holds the text, but for outer blanks, is read as if it held the token; they are
    kept sorted.  Raises `MappingError` when a field would be filled twice, and when a text
    stands for two tokens, or has a meaning of its own.
    """

    columns: tuple[str | None, ...]
    constants: tuple[tuple[str, str], ...] = ()
    values: Values = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", sorted_values(self.values))
        columns = {field for field in self.columns if field is not None}
        for field, _text in self.constants:
            if field in columns:
                raise MappingError(
                    _(
                        "Field ${field} is filled by a column and by a constant; ignore the "
                        "column or leave the constant out.",
                        mapping={"field": shown(field)},
                    )
                )
        double = [field for field, count in Counter(self.fields).items() if count > 1]
        if double:
            raise MappingError(
                _(
                    "Double headers: each column name may only appear once. Filled more than "
                    "once: ${double}.",
                    mapping={"double": listing(double)},
                )
            )

    @property
    def headerfields(self) -> list[str]:
        """Fields by position as `IBatchProcessor.doImport` takes them."""
        return [IGNORE_COLUMN if field is None else field for field in self.columns]

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields that are filled: those of columns, then those of constants."""
        columns = tuple(field for field in self.columns if field is not None)
        return columns + tuple(field for field, _ in self.constants)

    def without(self, fields: Collection[str]) -> "Mapping":
        """Return the mapping that leaves `fields` alone."""
        if not set(fields).intersection(self.fields):
            return self
        return Mapping(
            tuple(None if field in fields else field for field in self.columns),
            tuple(pair for pair in self.constants if pair[0] not in fields),
            tuple(pair for pair in self.values if pair[0] not in fields),
        )

    @classmethod
    def from_headerfields(
        cls,
        headerfields: Iterable[str],
        constants: Iterable[tuple[str, str]] = (),
        values: Values = (),
    ) -> "Mapping":
        """Return the mapping of names by position; those that begin with ``--`` are ignored."""
        columns = tuple(None if is_ignored_column(name) else name for name in headerfields)
        return cls(columns, tuple(constants), values)

    @classmethod
    def of(
        cls,
        header: Sequence[str],
        fields: Collection[str],
        *,
        assign: Dict[str, str] | None = None,
        ignore: Collection[str] = (),
        constants: Dict[str, str] | None = None,
        values: Values = (),
        ignore_rest: bool = False,
    ) -> "Mapping":
        """Return the mapping that a person asked for.

        `header` are the names of the columns and `fields` those of the fields.
        `assign` says column by column which field it fills, `ignore` which columns
        fill none, `constants` which text fills a field in all rows, `values` which texts of a
        column stand for others.  The other
        columns go to the fields that `propose` finds; one that fits nothing is
        refused, unless `ignore_rest`, or unless it is one of the dates behind the rows of
        removed objects.

        Raises `MappingError` for a column or field that does not exist, for a
        field that would be filled twice, and for `values` of a field that no column fills.
        """
        assign = dict(assign or {})
        constants = dict(constants or {})
        usable = [name for name in header if not is_ignored_column(name)]
        named = [*assign, *(name for name in ignore if not is_ignored_column(name))]
        _refuse_unknown(_NO_COLUMN, named, usable)
        replaced = [field for field, _ in values]
        _refuse_unknown(_NO_FIELD, [*assign.values(), *constants, *replaced], fields)
        contradicting = sorted(set(assign) & set(ignore))
        if contradicting:
            raise MappingError(
                _(
                    "Columns to be filled in and ignored at once: ${contradicting}; say only "
                    "one of both.",
                    mapping={"contradicting": listing(contradicting)},
                )
            )
        left = [IGNORE_COLUMN if name in assign or name in ignore else name for name in header]
        found = propose(left, [field for field in fields if field not in assign.values()])
        columns = tuple(
            assign.get(name) or field for name, field in zip(header, found, strict=True)
        )
        rest = [
            name
            for name, field in zip(left, columns, strict=True)
            if field is None and not is_ignored_column(name) and name not in DATES
        ]
        if rest and not ignore_rest:
            raise MappingError(
                _(
                    "No field fits the columns ${rest}. Name a field for each or ignore it. "
                    "Fields: ${fields}.",
                    mapping={"rest": listing(rest), "fields": listing(fields, limit=40)},
                )
            )
        idle = [field for field in replaced if field not in columns]
        if idle:
            raise MappingError(
                _(
                    "Texts of ${idle} are to be replaced, but no column fills that. Name its "
                    "column, or leave the replacement out.",
                    mapping={"idle": listing(idle)},
                )
            )
        return cls(columns, tuple(constants.items()), values)


def sorted_values(
    values: Iterable[tuple[str, Iterable[tuple[str, str]]]],
) -> Values:
    """Return `values` of a `Mapping` in their one form; raises `MappingError`."""
    found: dict[str, dict[str, str]] = {}
    for field, pairs in values:
        tokens = found.setdefault(field, {})
        for text, token in pairs:
            text = text.strip()
            if text in MARKERS:
                what = shown(text) if text else _("An empty cell")
                raise MappingError(
                    _(
                        "${what} of ${field} cannot stand for something else: it has a meaning "
                        "of its own. Leave it out.",
                        mapping={"what": what, "field": shown(field)},
                    )
                )
            if tokens.setdefault(text, token) != token:
                raise MappingError(
                    _(
                        "${text} of ${field} stands for ${tokens} and for ${token}; say only one "
                        "of both.",
                        mapping={
                            "text": shown(text),
                            "field": shown(field),
                            "tokens": shown(tokens[text]),
                            "token": shown(token),
                        },
                    )
                )
    return tuple(
        (field, tuple(sorted(tokens.items()))) for field, tokens in sorted(found.items()) if tokens
    )


def propose(header: Sequence[str], fields: Iterable[str]) -> list[str | None]:
    """Return, for each column of `header`, the field that its name means, or None.

    A column of the same name comes first; for the others case, blanks, underscores
    and hyphens do not count.  What is ambiguous is left open.
    """
    fields = list(fields)
    exact = set(fields) & set(header)
    loose_fields = Counter(loose(field) for field in fields)
    loose_columns = Counter(loose(name) for name in header if name not in exact)
    by_loose = {
        loose(field): field
        for field in fields
        if field not in exact and loose_fields[loose(field)] == 1
    }
    proposed: list[str | None] = []
    for name in header:
        if is_ignored_column(name):
            proposed.append(None)
        elif name in exact:
            proposed.append(name)
        elif loose_columns[loose(name)] == 1:
            proposed.append(by_loose.get(loose(name)))
        else:
            proposed.append(None)
    return proposed


def loose(name: str) -> str:
    """Return a name without what does not count: case, blanks, underscores, hyphens."""
    return "".join(char for char in name.casefold() if char not in "_-" and not char.isspace())


_NO_COLUMN = _("There is no column ${unknown}. The columns are: ${known}.")
_NO_FIELD = _("There is no field ${unknown}. The fields are: ${known}.")


def _refuse_unknown(text: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raise `MappingError` with `text` for names that are not known."""
    unknown = sorted(set(names) - set(known))
    if unknown:
        mapping = {"unknown": listing(unknown), "known": listing(known, limit=40)}
        raise MappingError(_(text, mapping=mapping))
