"""Operations that explain: what can be imported, its columns, and the values that are allowed.

What is told here is the same for everybody who works with the data center, so that people can ask
the right person; tables and templates of a kind get only those who may import it.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from zope.component import getUtilitiesFor
from zope.schema import Bool, Choice, getFields
from zope.schema.interfaces import ICollection

from waeup.kofa.conversion import explain, is_secret
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.declaring import declarations_of
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.operations.acting import MANAGE, Acting
from waeup.kofa.permissions import get_role_titles_for
from waeup.kofa.rights import IMPORT_DATA, MANAGE_USERS


@dataclass(frozen=True)
class KindColumn:
    """A column of a kind of objects.

    `name` is what it is called in tables, `kind` its type in plain words, and `type` the class of
    its field.  `required` are the modes that need it, `is_key` says that it tells which object is
    meant.  `source` is the name of the source of its values (`SourceInfo`), '' where any text of
    its type goes; `choices` are these values.  `example` is a cell that an import accepts.
    One that `is_computed` gets a value from the other cells of its row where it is empty.
    """

    name: str
    title: str
    kind: str
    type: str
    required: tuple[str, ...]
    is_key: bool
    is_secret: bool
    source: str
    choices: tuple[tuple[str, str], ...]
    example: str
    description: str
    is_computed: bool = False


@dataclass(frozen=True)
class KindInfo:
    """All that is to be known of a kind of objects before a table is made for it.

    `name` is that of its processor, `about` says what it is.  `roles` are the titles of the roles
    that hold the `permission` it needs; `may` says that the person has it.  `required` are the
    columns that each mode needs.
    """

    name: str
    title: str
    about: str
    modes: tuple[str, ...]
    required: dict[str, tuple[str, ...]]
    columns: tuple[KindColumn, ...]
    permission: str
    roles: tuple[str, ...]
    may: bool


@dataclass(frozen=True)
class SourceInfo:
    """Values that are allowed in one or more columns, each a token and its title.

    `name` tells it from others, `used_by` are pairs of processor and column.
    """

    name: str
    title: str
    values: tuple[tuple[str, str], ...]
    used_by: tuple[tuple[str, str], ...]


class KindOperations(Acting):
    """See `waeup.kofa.operations.Operations`."""

    def kinds(self) -> list[KindInfo]:
        """List all kinds of objects with their columns, sorted by title.

        Those that the person may not import are among them.
        """
        self._require(MANAGE)
        sources = self._all_sources()
        found = (
            self._kind_info(name, processor, sources)
            for name, processor in getUtilitiesFor(IBatchProcessor)
        )
        return sorted(found, key=lambda kind: kind.title)

    def sources(self) -> list[SourceInfo]:
        """List the values that are allowed in columns, each source once, sorted by title."""
        self._require(MANAGE)
        return sorted(
            self._all_sources().found(), key=lambda source: (str(source.title), source.name)
        )

    def _kind_info(self, name: str, processor: Any, sources: "_Sources") -> KindInfo:
        return KindInfo(
            name=name,
            title=processor.name,
            about=_about(processor),
            modes=tuple(processor.modes),
            required={mode: tuple(processor.req[mode]) for mode in processor.modes},
            columns=tuple(self._kind_columns(name, processor, sources)),
            permission=processor.permission,
            roles=tuple(roles_for(processor.permission)),
            may=self._may_import(processor.permission),
        )

    def _may_import(self, permission: str) -> bool:
        is_possible = self._may_change(IMPORT_DATA) and self._may_change(permission)
        # What gives people their rights needs a token with all rights.
        return is_possible and not (permission == MANAGE_USERS and self._not_covered())

    def _kind_columns(
        self, kind: str, processor: Any, sources: "_Sources"
    ) -> Iterator[KindColumn]:
        fields = getFields(processor.iface)
        computed = {each.field for each in declarations_of(processor).computed}
        for name in processor.available_fields:
            field = fields.get(name)
            words = None if field is None else explain(field, self.site)
            yield KindColumn(
                name=name,
                title=_plain_name(name) if words is None else words.title,
                kind=_("text") if words is None else words.kind,
                type="TextLine" if field is None else type(field).__name__,
                required=tuple(mode for mode in processor.modes if name in processor.req[mode]),
                is_key=name in processor.location_fields,
                is_secret=field is not None and is_secret(field),
                source=sources.name_for(kind, name),
                choices=() if words is None else words.allowed,
                example="" if words is None else words.example,
                description="" if words is None else words.description,
                is_computed=name in computed,
            )

    def _all_sources(self) -> "_Sources":
        return _Sources(self.site)


def roles_for(permission: str) -> list[str]:
    """Return the titles of the roles that can import what needs `permission`, sorted."""
    titles = set(get_role_titles_for(permission))
    return sorted(titles & set(get_role_titles_for(IMPORT_DATA)) or titles)


#: Columns that no field of a schema stands for: those of the kinds of this package.
_PLAIN_NAMES = {
    "code": _("Code"),
    "department_code": _("Department code"),
    "faculty_code": _("Faculty code"),
    "local_roles": _("Local roles"),
    "matric_number": _("Matric number"),
    "reg_number": _("Reg number"),
    "student_id": _("Student id"),
}


def _plain_name(column: str) -> str:
    """Return a title for a column that no field of a schema stands for."""
    return _PLAIN_NAMES.get(column) or column.replace("_", " ").capitalize()


def _about(processor: Any) -> str:
    """Return what a kind is: what the processor says, else the first words of its schema."""
    if processor.about:
        return processor.about  # type: ignore[no-any-return]
    return " ".join((processor.iface.__doc__ or "").split("\n\n")[0].split())


class _Sources:
    """The sources of all columns of all kinds, each found once."""

    def __init__(self, site: Any) -> None:
        self._site = site
        self._found: dict[Any, SourceInfo] = {}
        self._names: dict[tuple[str, str], str] = {}
        for kind, processor in sorted(getUtilitiesFor(IBatchProcessor)):
            fields = getFields(processor.iface)
            for column in processor.available_fields:
                if column in fields:
                    self._enter(kind, column, fields[column])

    def found(self) -> list[SourceInfo]:
        """Return the sources in the order in which they were found."""
        return list(self._found.values())

    def name_for(self, kind: str, column: str) -> str:
        """Return the name of the source of a column, '' where there is none."""
        return self._names.get((kind, column), "")

    def _enter(self, kind: str, column: str, field: Any) -> None:
        element = field
        while ICollection.providedBy(element) and element.value_type is not None:
            element = element.value_type
        if not isinstance(element, (Choice, Bool)):
            return
        key, origin = _identity(element)
        known = self._found.get(key)
        if known is None:
            values = explain(field, self._site).allowed
            if not values:
                return
            bound = _YesNo if origin is _YesNo else element.bind(self._site).vocabulary
            title = getattr(bound, "title", None) or element.title or field.title or column
            known = SourceInfo(self._free_name(title, column), title, values, ())
        self._found[key] = replace(known, used_by=(*known.used_by, (kind, column)))
        self._names[kind, column] = known.name

    def _free_name(self, title: Any, column: str) -> str:
        """Return a name that can stand in an address, and that no other source has."""
        plain = unicodedata.normalize("NFKD", str(title)).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or column
        taken = {source.name for source in self._found.values()}
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        return name


class _YesNo:
    """What all fields with yes and no share."""

    title = _("Yes or no")


def _identity(field: Any) -> tuple[Any, Any]:
    """Return what fields of the same values have in common: a key, and the source itself."""
    if isinstance(field, Bool):
        return "bool", _YesNo
    if field.vocabularyName is not None:
        return ("name", field.vocabularyName), None
    # Before a field is bound, its vocabulary is the source, or what makes it.
    return ("object", id(field.vocabulary)), field.vocabulary
