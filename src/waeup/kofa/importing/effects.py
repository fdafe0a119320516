"""What a row did to an object: enough to tell it, to compare it, and to take it back.

The row engine watches an object while hooks work on it.  From what it saw come the
`Effect` that an undo needs, and the changes (field, old text, new text) that a check
shows and that a run compares with its check.
"""

import functools
from collections.abc import Container, Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from hashlib import blake2b
from inspect import getattr_static
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, NamedTuple

from persistent import Persistent

from waeup.kofa.conversion import is_ignored
from waeup.kofa.importing.enclosed import Frozen

#: The attribute in which an object keeps its marks; see `waeup.kofa.importing.history`.
MARKS = "_kofa_history"
#: The attribute in which a container of zope.container keeps what is in it.
CONTENTS = "_SampleContainer__data"
#: Attributes that are not an object's own business.
_SKIPPED = ("_v_", "_p_", "__parent__", "__name__", "__provides__", CONTENTS, MARKS)
_PLAIN = (type(None), str, int, float, bytes, bool, date, timedelta, Decimal)
_CHANGEABLE = frozenset((list, dict, set))
#: Stands in texts for what nobody must see.
HIDDEN = "***"
# None in JSON.
_NULL = "null"
#: Bytes of the digest of an outcome.
DIGEST = 8
#: Characters of a value that a check shows.
SHOWN = 200

#: Field, old text, new text; None where there was, or will be, none.
Change = tuple[str, str | None, str | None]


class Effect(NamedTuple):
    """What a row did to `obj`, as plain values and references that a database can keep.

    `operation` is the outcome of the row; `parent` and `name` say where the object is, or was
    before it was removed.  `fields` are the former values of the attributes that the row set,
    `others` of those that hooks and subscribers changed besides; `new` and `others_new` are the
    names of attributes that were not there before.  `extra` is what
    `IBatchProcessor.getExtraState` returned before, `new_extra` what it returned afterwards.
    `serial` is that of the object before; None for one that is new, or that an earlier row of
    the same transaction has touched.  `is_part` tells that the object is not the one of the kind,
    but a part of it.
    """

    operation: str
    obj: Any
    parent: Any
    name: str | None
    fields: dict[str, Any] = {}
    others: dict[str, Any] = {}
    new: tuple[str, ...] = ()
    others_new: tuple[str, ...] = ()
    extra: Any = None
    new_extra: Any = None
    serial: bytes | None = None
    # None at the end of an effect takes no room in the database.
    is_part: bool | None = None


class Watch:
    """Remembers the attributes of an object, to tell later which of them have changed.

    `row` names those that the row sets; some of them may be computed from others.  With `deep`,
    objects that lie in attributes are watched, too, as far as they have no record of their own.
    """

    def __init__(self, obj: Any, row: Mapping[str, Any], *, deep: bool = False) -> None:
        self.obj = obj
        self.row = row
        self.state = _state(obj)
        self.frozen = _frozen(self.state) if deep else {}
        self.serial = serial_of(obj)
        cls: Any = type(obj)
        computed = _computed(cls)
        self.computed = {name: getattr(obj, name, None) for name in computed.intersection(row)}

    def effect(
        self, operation: str, parent: Any, name: str | None, extra: Any, new_extra: Any
    ) -> Effect:
        """Return the effect of what was done since to the object, which was at that place."""
        before, row = self.state, self.row
        activate(self.obj)
        after = self.obj.__dict__
        fields: dict[str, Any] = {}
        others: dict[str, Any] = {}
        new = []
        for key, value in after.items():
            if key not in before:
                if not key.startswith(_SKIPPED):
                    new.append(key)
            elif (
                before[key] is not value
                and not key.startswith(_SKIPPED)
                and not _same(before[key], value)
            ):
                (fields if key in row else others)[key] = before[key]
        for key, value in before.items():
            if key not in after and not key.startswith(_SKIPPED):
                (fields if key in row else others)[key] = value
        for key, frozen in self.frozen.items():
            if key not in after or not frozen.is_of(after[key]):
                (fields if key in row else others)[key] = frozen.thawed()
        fields |= {
            key: value
            for key, value in self.computed.items()
            if key not in before and key not in after
            if not _same(value, getattr(self.obj, key, None))
        }
        return Effect(
            operation,
            self.obj,
            parent,
            name,
            fields,
            others,
            tuple(key for key in new if key in row),
            tuple(key for key in new if key not in row),
            extra,
            new_extra,
            self.serial,
        )


def serial_of(obj: Any) -> bytes | None:
    """Return what says by which transaction an object was changed last."""
    activate(obj)
    return getattr(obj, "_p_serial", None)


def activate(obj: Any) -> None:
    """Load the state of an object, without which it has no serial and no attributes."""
    load = getattr(obj, "_p_activate", None)
    if load is not None:
        load()


def located(obj: Any) -> tuple[Any, str | None]:
    """Return the container of an object and its name in it, as far as it has any."""
    return getattr(obj, "__parent__", None), getattr(obj, "__name__", None)


def values_of(obj: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an object has in those fields that a row gives a value."""
    return {
        name: getattr(obj, name, None)
        for name, value in row.items()
        if name[:1] != "_" and not is_ignored(value)
    }


def first_values(obj: Any, row: Mapping[str, Any], secrets: Container[str]) -> tuple[Change, ...]:
    """Return what `changes_between` nothing and `values_of` a new object tells, at once."""
    found: list[Change] = []
    for name, value in row.items():
        if name[:1] == "_" or is_ignored(value):
            continue
        value = getattr(obj, name, None)
        if value is not None:
            found.append((name, None, HIDDEN if name in secrets else shown(value)))
    return tuple(found)


def changes_between(
    old: Mapping[str, Any], new: Mapping[str, Any], secrets: Container[str]
) -> tuple[Change, ...]:
    """Return what differs, in texts that can be shown; of a secret only that it does."""
    found: list[Change] = []
    for name, value in new.items():
        former = old.get(name)
        if _same(former, value):
            continue
        if name in secrets:
            found.append((name, None if former is None else HIDDEN, HIDDEN))
        else:
            found.append((name, shown(former), shown(value)))
    return tuple(found)


def changes_text(changes: Iterable[Change]) -> str:
    """Return changes as JSON, in which characters that are no ASCII are escaped."""
    # As `json.dumps` does it, in half of the time: there are texts and None only.
    texts = [
        f"[{_quoted(name)}, {_NULL if old is None else _quoted(old)}, "
        f"{_NULL if new is None else _quoted(new)}]"
        for name, old, new in changes
    ]
    return f"[{', '.join(texts)}]"


def outcome_digest(outcome: str, key: str, changes: str) -> bytes:
    """Return what tells one outcome of a row from another one, in `DIGEST` bytes.

    `changes` are those of `changes_text`.
    """
    text = f"{outcome}\n{key}\n{changes}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()


def text_of(value: Any) -> str:
    """Return a text for any value that is the same in every process."""
    if isinstance(value, str):
        return value
    if isinstance(value, _PLAIN):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(text_of, value)) + "]"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(text_of, value))) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text_of(k)}: {text_of(v)}" for k, v in value.items()) + "}"
    code = getattr(value, "code", None)
    return code if isinstance(code, str) else type(value).__name__


def shown(value: Any) -> str | None:
    """Return a text for a value that can be shown to people, long ones shortened."""
    if value is None:
        return None
    text = value if type(value) is str else text_of(value)
    if len(text) <= SHOWN:
        return text
    # Long texts that differ late must differ here, too.
    mark = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{text[:SHOWN]}... ({len(text):,} characters, {mark})"


@functools.cache
def _computed(cls: type) -> frozenset[str]:
    """Return the names of attributes that a class computes and lets be set."""
    names = (name for name in dir(cls) if name[:1] != "_")
    return frozenset(n for n in names if hasattr(type(getattr_static(cls, n)), "__set__"))


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


def _frozen(state: Mapping[str, Any]) -> dict[str, Frozen]:
    """Return those attributes in which objects without a record of their own may lie."""
    return {
        name: Frozen(value)
        for name, value in state.items()
        if not name.startswith(_SKIPPED) and not isinstance(value, (*_PLAIN, Persistent))
    }


def _state(obj: Any) -> dict[str, Any]:
    """Return the attributes of an object, with copies of what can be changed in its place."""
    activate(obj)
    return {
        name: value.copy() if type(value) in _CHANGEABLE else value
        for name, value in obj.__dict__.items()
    }
