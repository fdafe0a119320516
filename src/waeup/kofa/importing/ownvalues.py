"""What a kind's own `checkConversion` gives fields is held to the rules of these fields.

What the base has converted is good already, and is passed over: a kind pays only for the values
that it makes itself.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from zope.schema import getFields

from waeup.kofa.conversion import is_ignored, is_secret
from waeup.kofa.conversion.checks import Check, full_check
from waeup.kofa.conversion.vocabularies import bound
from waeup.kofa.errors import ConversionError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.atfault import can_be_stored
from waeup.kofa.importing.plan import ValuePlan

#: Kinds of values of which each can be stored.
_PLAIN = frozenset((type(None), str, int, float, bool, bytes, date, datetime, timedelta, Decimal))
#: Kinds of values that code may change in their place.
_CHANGEABLE = (list, dict, set)
_NOTHING = object()


class OwnValues:
    """Looks at the values that `checkConversion` of a processor has returned for rows.

    `plan` is what converts for the base; `site` is what vocabularies are bound to.
    """

    def __init__(self, processor: Any, plan: ValuePlan, site: Any) -> None:
        self._iface = processor.iface
        self._plan = plan
        self._site = site
        cls = type(processor)
        self._code = f"{cls.__module__}.{cls.__qualname__}.checkConversion"
        self._checks: dict[str, Check | None] = {}
        plan.remembers = True

    def errors(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return pairs of field and message for values that their fields refuse, or none can keep.

        What is no field is the matter of the kind's other hooks.
        """
        found = []
        converted = self._plan.converted
        for name, value in values.items():
            is_known = value is converted.get(name, _NOTHING)
            if (is_known and not isinstance(value, _CHANGEABLE)) or is_ignored(value):
                continue
            check = self._check(name)
            if check is None:
                continue
            try:
                check(value)
            except ConversionError as exc:
                found.append((name, self._said(str(exc))))
            else:
                if type(value) not in _PLAIN and not can_be_stored(value):
                    found.append((name, self._said(self._cannot_be_stored(value))))
        return found

    def _check(self, name: str) -> Check | None:
        if name not in self._checks:
            field = getFields(self._iface).get(name) if self._iface is not None else None
            # A password is a hash here, which its field does not know.
            is_open = field is not None and not is_secret(field)
            self._checks[name] = (
                full_check(bound(field, self._site), secret=False) if is_open else None
            )
        return self._checks[name]

    def _cannot_be_stored(self, value: Any) -> str:
        cls = type(value)
        words = _(
            "The database cannot store this value, of the type ${type}.",
            mapping={"type": f"{cls.__module__}.{cls.__qualname__}"},
        )
        return english(words)

    def _said(self, reason: str) -> str:
        mapping = {"reason": reason, "code": self._code}
        words = _(
            "${reason} (given by the code ${code}: if the row is right, tell its developer)",
            mapping=mapping,
        )
        return english(words)
