"""What a kind of objects can declare by small methods, each of which says what it is for.

::

    class MammothProcessor(ContainerProcessor):
        iface = IMammoth
        container = "mammoths"
        key = "name"

        @computed("weight")                     # an import: a cell that is missing or empty
        def usual_weight(self, row, site): ...

        @rule("born", "died")                   # an import: a row with these fields
        def lives(self, row, site): ...

        @column(title="Age")                    # an export: a column that is no field
        def age(self, obj): ...

        @filter_by(schema.Int(title="Heavier than"))    # an export: which objects
        def heavier(self, obj, wanted): ...

They are gathered once, when the class is made; a kind without any pays nothing.  A subclass of a
kind has the declarations of the kind: a method of the same name takes the place of one, None
takes it out.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from zope.schema.interfaces import IField

from waeup.kofa.conversion import is_secret

_Method = TypeVar("_Method", bound=Callable[..., Any])

#: The attribute by which a method says what it declares.
_DECLARES = "kofa_declares"


class Rule(NamedTuple):
    """The method `name` looks at rows in which all `fields` have a value.

    It is shown the hashes of passwords only if it `sees_secrets`.
    """

    name: str
    fields: tuple[str, ...]
    sees_secrets: bool = False


class Computed(NamedTuple):
    """The method `name` gives `field` a value; with `on_update` also where the object exists.

    It is shown the hashes of passwords only if it `sees_secrets`.
    """

    name: str
    field: str
    on_update: bool
    sees_secrets: bool = False


class Column(NamedTuple):
    """The method `name` gives the value of a column `column` of exports."""

    name: str
    column: str
    title: str


class Filter(NamedTuple):
    """The method `name` tells whether an object passes a filter, whose text is read by `field`."""

    name: str
    field: Any


class Declarations(NamedTuple):
    """All that a kind declares by methods."""

    rules: tuple[Rule, ...] = ()
    computed: tuple[Computed, ...] = ()
    columns: tuple[Column, ...] = ()
    filters: tuple[Filter, ...] = ()

    @property
    def concern_rows(self) -> bool:
        """Whether there is anything that an import asks for each row."""
        return bool(self.rules or self.computed)


NOTHING = Declarations()


def rule(*fields: str, sees_secrets: bool = False) -> Callable[[_Method], _Method]:
    """Declare a rule over a row: a method ``(row, site)`` that returns None, or a message.

    It is asked for each row whose cells are good and in which all `fields` have a value, with a
    dict of the values that are given, before anything is written, also by a check.  A message
    makes the row fail, and is told for each of `fields`; an exception does, too.  It must change
    nothing.  A rule that needs what the object has so far is `checkUpdateRequirements`.

    A password that is given is ``***`` there; with `sees_secrets` it is its hash.
    """
    if not fields or not all(isinstance(name, str) for name in fields):
        # Without parentheses the only one is the method itself.
        raise TypeError("A rule names the fields that it is about: @rule('weight', 'born').")
    return lambda method: _declares(method, Rule(method.__name__, fields, sees_secrets))


def computed(
    field: str, *, on_update: bool = False, sees_secrets: bool = False
) -> Callable[[_Method], _Method]:
    """Declare how `field` is computed: a method ``(row, site)`` that returns a value or None.

    It is asked where the column is missing or its cell is empty, when a new object is made, and
    with `on_update` also when one is changed; with a dict of the values that are given.  None
    leaves the field alone.  What it returns is checked by the rules of the field.  Files of an
    import need no column for such a field, even if it is required.  It must change nothing.  What
    it is shown of passwords is that of `rule`.
    """
    if not isinstance(field, str):
        raise TypeError("What is computed is named: @computed('weight').")
    return lambda method: _declares(
        method, Computed(method.__name__, field, on_update, sees_secrets)
    )


def column(name: str = "", *, title: str = "") -> Callable[[_Method], _Method]:
    """Declare a column of exports that is no field: a method ``(obj)`` that returns its value.

    It is called `name`, or like the method, and comes behind the fields.  A text is guarded like
    all others.  An import passes over a column of that name.
    """
    if not isinstance(name, str):
        raise TypeError("A column is declared with parentheses: @column(), or @column('age').")
    return lambda method: _declares(
        method, Column(method.__name__, name or method.__name__, title or name)
    )


def filter_by(field: Any) -> Callable[[_Method], _Method]:
    """Declare a filter of exports: a method ``(obj, wanted)`` that tells whether `obj` passes.

    `field` reads what a person writes, and has the title that pages show; the filter is called
    like the method.  ``XXX`` gives None.
    """
    if not IField.providedBy(field):
        raise TypeError("A filter has a field: @filter_by(schema.Int(title='Heavier than')).")
    return lambda method: _declares(method, Filter(method.__name__, field))


def declarations_of(processor: Any) -> Declarations:
    """Return what a processor declares, also one that does not inherit from the base."""
    found: Declarations = getattr(processor, "declarations", NOTHING)
    return found


def exported_columns(processor: Any) -> frozenset[str]:
    """Return the columns of exports of a kind that an import passes over."""
    return frozenset(each.column for each in declarations_of(processor).columns)


def collect(cls: type) -> Declarations:
    """Gather the declarations of a class and of those that it inherits from, in their order.

    Raises TypeError for what cannot be: a password, or a location, that is computed; a computed
    field, or a column of exports, that is there twice.
    """
    found = [declared for _name, declared in _declared(cls)]
    if not found:
        return NOTHING
    result = Declarations(
        tuple(each for each in found if isinstance(each, Rule)),
        tuple(each for each in found if isinstance(each, Computed)),
        tuple(each for each in found if isinstance(each, Column)),
        tuple(each for each in found if isinstance(each, Filter)),
    )
    _check(cls, result)
    return result


def _declares(method: Any, declared: Any) -> Any:
    setattr(method, _DECLARES, declared)
    return method


def _declared(cls: type) -> Iterator[tuple[str, Any]]:
    """Generate names and declarations, those of bases first."""
    names: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            declared = getattr(member, _DECLARES, None)
            if declared is not None:
                names[name] = declared._replace(name=name)
            elif member is None:
                names.pop(name, None)
    yield from names.items()


def _check(cls: Any, declared: Declarations) -> None:
    for each in declared.computed:
        if each.field in cls.location_fields:
            raise TypeError(
                f"{cls.__name__}.{each.name}: {each.field} says where an object is, and cannot be "
                "computed."
            )
        field = None if cls.iface is None else cls.iface.get(each.field)
        if field is None:
            raise TypeError(f"{cls.__name__}.{each.name}: there is no field {each.field}.")
        if is_secret(field):
            raise TypeError(f"{cls.__name__}.{each.name}: a password cannot be computed.")
    for pairs in (
        [(each.field, each.name) for each in declared.computed],
        [(each.column, each.name) for each in declared.columns],
    ):
        methods: dict[str, list[str]] = {}
        for what, name in pairs:
            methods.setdefault(what, []).append(name)
        for what, names in methods.items():
            if len(names) > 1:
                raise TypeError(
                    f"{cls.__name__}: {what} is declared twice, by {' and '.join(names)}. A "
                    "method of the same name takes the place of that of a base."
                )
    fields = set(cls.iface or ()) | set(cls.location_fields)
    for shown in declared.columns:
        if shown.column in fields:
            raise TypeError(
                f"{cls.__name__}.{shown.name}: {shown.column} is a field; call the column "
                "otherwise."
            )
