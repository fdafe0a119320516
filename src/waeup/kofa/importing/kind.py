"""A processor for a new kind of objects: an interface, a container and a key.

The shortest way into the data center: everything else has a default.
"""

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import grok
from zope import schema
from zope.interface import alsoProvides

from waeup.kofa.importing.processor import BatchProcessor


class Record(grok.Model):
    """An object that has the fields of a schema, and nothing else.

    What `ContainerProcessor` makes when no factory is given.
    """

    def __init__(self, iface: Any) -> None:
        super().__init__()
        alsoProvides(self, iface)
        self.__dict__.update(copy.deepcopy(_defaults(iface)))


@functools.cache
def _defaults(iface: Any) -> dict[str, Any]:
    return {name: field.default for name, field in schema.getFields(iface).items()}


class ContainerProcessor(BatchProcessor):
    """Imports objects that lie in one container under the value of one field.

    `iface` is the schema, `container` the names that lead from the site to the
    container, separated by slashes, `key` the field that names an object, and
    `factory` makes an object (without it, `factory_name` or a `Record`).
    """

    grok.baseclass()

    container: ClassVar[str] = ""
    key: ClassVar[str] = "code"
    factory: ClassVar[Callable[[], Any] | None] = None

    @property
    def location_fields(self) -> Sequence[str]:  # type: ignore[override]
        """The key says where an object is."""
        return [self.key]

    def getParent(self, row: dict[str, Any], site: Any) -> Any:
        """Return the container, or None where there is none."""
        parent = site
        for name in self.container.split("/"):
            parent = parent.get(name) if parent is not None else None
        return parent

    def getEntry(self, row: dict[str, Any], site: Any) -> Any:
        """See `IBatchProcessor`."""
        parent = self.getParent(row, site)
        return None if parent is None else parent.get(str(row[self.key]))

    def callFactory(self, *args: Any, **kw: Any) -> Any:
        """See `IBatchProcessor`."""
        factory = type(self).factory
        if factory is not None:
            return factory(*args, **kw)
        if self.factory_name is not None:
            return super().callFactory(*args, **kw)
        return Record(self.iface)

    def addEntry(self, obj: Any, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        self.getParent(row, site)[str(row[self.key])] = obj

    def delEntry(self, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        del self.getParent(row, site)[str(row[self.key])]
