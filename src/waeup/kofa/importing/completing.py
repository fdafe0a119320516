"""What a kind declares about its rows, applied to rows whose cells are good.

Values are computed first, then rules are asked.  One `Completer` serves a whole import.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from waeup.kofa.conversion import IGNORED, is_ignored, plan_fields
from waeup.kofa.conversion.checks import full_check
from waeup.kofa.errors import ConversionError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.declaring import declarations_of
from waeup.kofa.importing.effects import HIDDEN
from waeup.kofa.importing.hooks import CREATE, row_error
from waeup.kofa.importing.plan import secret_names

#: Errors of a row: pairs of field and message.
Errors = list[tuple[str, str]]
#: What is said of a required field without a value (Kofa 1.9).
MISSING = english(_("Required value is missing."))


class _Computation(NamedTuple):
    """How a field is computed; see `waeup.kofa.importing.declaring.computed`.

    `check` raises `ConversionError` for what is no value of it; without a value nobody can be
    made if it `is_needed`.
    """

    field: str
    method: Callable[..., Any]
    check: Callable[[Any], None]
    on_update: bool
    is_needed: bool
    sees_secrets: bool


class _Rule(NamedTuple):
    """A rule over rows; see `waeup.kofa.importing.declaring.rule`."""

    fields: tuple[str, ...]
    method: Callable[..., Any]
    sees_secrets: bool


class Completer:
    """Computes fields, and asks rules, for the rows of one import of a kind."""

    def __init__(self, processor: Any, mode: str, site: Any) -> None:
        self._site = site
        self._secrets = secret_names(processor.iface)
        declared = declarations_of(processor)
        names = [each.field for each in declared.computed]
        plans = plan_fields(processor.iface, names, site) if names else {}
        self._computed = [
            _Computation(
                each.field,
                getattr(processor, each.name),
                full_check(plans[each.field].field, secret=False),
                each.on_update,
                _is_needed(plans[each.field].field),
                each.sees_secrets,
            )
            for each in declared.computed
        ]
        self._rules = [
            _Rule(each.fields, getattr(processor, each.name), each.sees_secrets)
            for each in declared.rules
        ]

    @property
    def computes(self) -> bool:
        """Whether there is anything to compute."""
        return bool(self._computed)

    def compute(self, row: dict[str, Any], mode: str) -> Errors:
        """Give computed fields, which a row leaves open, their values in the row."""
        errors: Errors = []
        for each in self._computed:
            if not is_ignored(row.get(each.field, IGNORED)):
                continue
            if mode != CREATE and not each.on_update:
                continue
            try:
                value = each.method(self._shown(row, each.sees_secrets), self._site)
                if value is not None:
                    each.check(value)
                    row[each.field] = value
                elif mode == CREATE and each.is_needed:
                    errors.append((each.field, MISSING))
            except ConversionError as exc:
                errors.append((each.field, str(exc)))
            except Exception as exc:
                errors.append((each.field, row_error(exc)))
        return errors

    def broken(self, row: Mapping[str, Any]) -> Errors:
        """Return the messages of the rules that a row breaks, for each field they are about."""
        errors: Errors = []
        known: dict[bool, dict[str, Any]] = {}
        for fields, method, sees_secrets in self._rules:
            if any(_is_open(row.get(name)) for name in fields):
                continue
            if sees_secrets not in known:
                known[sees_secrets] = self._shown(row, sees_secrets)
            try:
                message = method(known[sees_secrets], self._site)
                if message and not isinstance(message, str):
                    raise TypeError(
                        f"{method.__qualname__} has returned {message!r}; a rule returns None, "
                        "or a message."
                    )
            except Exception as exc:
                message = row_error(exc)
            if message:
                text = english(message)
                errors += [(name, text) for name in fields if (name, text) not in errors]
        return errors

    def _shown(self, row: Mapping[str, Any], sees_secrets: bool) -> dict[str, Any]:
        return shown(row, () if sees_secrets else self._secrets)


def shown(row: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """Return what a method is shown of a row: of values of `secrets` only that there are some."""
    values = given(row)
    for name in secrets:
        if values.get(name) is not None:
            values[name] = HIDDEN
    return values


def given(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row without those that leave their fields alone."""
    return {name: value for name, value in row.items() if not is_ignored(value)}


def _is_open(value: Any) -> bool:
    """Tell whether a row leaves a field without a value."""
    return value is None or is_ignored(value)


def _is_needed(field: Any) -> bool:
    """Tell whether a new object must be given a value of a field."""
    return bool(field.required and field.default is field.missing_value)
