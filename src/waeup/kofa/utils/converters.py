"""The import path of Kofa 1.9 for the conversion of whole objects."""

from collections.abc import Iterable, Mapping
from typing import Any

import grok
from zope.component.hooks import getSite
from zope.interface import implementer
from zope.interface.interfaces import IInterface

from waeup.kofa.importing.plan import ValuePlan
from waeup.kofa.interfaces import IFieldConverter, IObjectConverter

__all__ = ["DefaultObjectConverter", "IFieldConverter", "IObjectConverter"]


@implementer(IObjectConverter)
class DefaultObjectConverter(grok.Adapter):
    """See `IObjectConverter`.

    Compiles the schema at each call; importers do that once for a run.
    """

    grok.context(IInterface)
    grok.provides(IObjectConverter)

    def fromStringDict(
        self,
        data_dict: Mapping[str, str],
        context: Any,
        form_fields: Iterable[Any] | None = None,
        mode: str = "create",
    ) -> tuple[list[tuple[str, str]], list[str], dict[str, Any]]:
        """See `IObjectConverter`."""
        names = list(data_dict)
        if form_fields is not None:
            wanted = {field.__name__ for field in form_fields}
            names = [name for name in names if name in wanted]
        bound_to = getSite() if isinstance(context, str) else context
        converted = ValuePlan(self.context, names, bound_to).convert(
            {name: data_dict[name] for name in names}, mode, ignore_empty=False
        )
        return converted.errors, converted.invariant_errors, converted.values
