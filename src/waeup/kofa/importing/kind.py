"""A processor for a new kind of objects: an interface, a container and a key.

The shortest way into the data center: everything else has a default.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import grok
from zope.interface.interfaces import IInterface
from zope.schema import getFieldNames

from waeup.kofa.importing.hooks import once
from waeup.kofa.importing.parts import make_places
from waeup.kofa.importing.processor import BatchProcessor
from waeup.kofa.importing.record import Record

__all__ = ["ContainerProcessor", "Record"]


class ContainerProcessor(BatchProcessor):
    """Imports objects that lie in one container under the value of one field.

    `iface` is the schema, `container` the names that lead from the site to the
    container, separated by slashes, `key` the field that names an object, and
    `factory` makes an object (without it, `factory_name` or a `Record`).
    `container_factory` makes containers that are missing, with the first object.  Unless a
    class says otherwise, the key alone says where an object is (`location_fields`).
    """

    grok.baseclass()

    container: ClassVar[str] = ""
    key: ClassVar[str] = "code"
    location_fields: ClassVar[list[str]] = ["code"]
    factory: ClassVar[Callable[[], Any] | None] = None
    container_factory: ClassVar[Callable[[], Any] | None] = None

    def __init_subclass__(cls, **kw: Any) -> None:
        declared = cls.__dict__.get("iface")
        if isinstance(declared, type):
            raise TypeError(
                f"{cls.__name__}.iface: the schema of the objects is an interface, and "
                f"{declared.__name__} is a class. It goes into `factory`, perhaps."
            )
        if "key" in cls.__dict__ and "location_fields" not in cls.__dict__:
            cls.location_fields = [cls.key]
        super().__init_subclass__(**kw)
        if grok.baseclass.dotted_name() not in cls.__dict__ and IInterface.providedBy(cls.iface):
            cls._require_known_fields()

    @classmethod
    def _require_known_fields(cls) -> None:
        """Refuse a key, or a location, that is no field of the schema.

        Who looks for objects in an own way may need what is no field.
        """
        known = getFieldNames(cls.iface)
        if cls.getEntry is not ContainerProcessor.getEntry:
            return
        named = {"key": [cls.key]}
        if cls.getParent is ContainerProcessor.getParent:
            named["location_fields"] = cls.location_fields
        for what, names in named.items():
            wrong = ", ".join(name for name in names if name not in known)
            if wrong:
                schema = (cls._declared_iface or cls.iface).__name__
                raise TypeError(
                    f"{cls.__name__}.{what}: there is no field {wrong} in {schema}. Its fields "
                    f"are: {', '.join(sorted(known))}."
                )

    def __init__(self) -> None:
        """Refuse a kind that does not say what its objects are, or where; bases need not."""
        super().__init__()
        cls = type(self)
        if cls.iface is None:
            raise TypeError(f"{cls.__name__}.iface is missing: the schema of the objects.")
        is_usual = (
            cls.getParent is ContainerProcessor.getParent
            and cls.getEntry is ContainerProcessor.getEntry
        )
        if is_usual and not cls.container:
            raise TypeError(
                f"{cls.__name__}.container is missing: the names that lead from the site to the "
                "container, such as 'mammoths'. Objects within others need a `getParent` instead."
            )

    def prepareSite(self, site: Any) -> None:
        """See `IBatchProcessor`: make containers that are missing, if the kind says of what."""
        make_places(self.container, type(self).container_factory, self.parts, site)

    def getParent(self, row: dict[str, Any], site: Any) -> Any:
        """Return the container, or None where there is none."""
        parent = site
        for name in self.container.split("/"):
            parent = parent.get(name) if parent is not None else None
        return parent

    def getEntry(self, row: dict[str, Any], site: Any) -> Any:
        """See `IBatchProcessor`."""
        parent = self._parent(row, site)
        if parent is None:
            return None
        try:
            find = parent.get
        except AttributeError:
            raise TypeError(
                f"{type(self).__name__} finds objects in a {type(parent).__name__}, which is no "
                "container: let that class inherit from grok.Container."
            ) from None
        return find(str(row[self.key]))

    def countEntries(self, site: Any) -> int | None:
        """See `IBatchProcessor`: how many objects are in the container."""
        parent = self.getParent({}, site)
        return None if parent is None else len(parent)

    def callFactory(self, *args: Any, **kw: Any) -> Any:
        """See `IBatchProcessor`."""
        factory = type(self).factory
        if factory is not None:
            return factory(*args, **kw)
        if self.factory_name is not None:
            return super().callFactory(*args, **kw)
        return Record(self.object_iface)

    def addEntry(self, obj: Any, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        self._parent(row, site)[str(row[self.key])] = obj

    def delEntry(self, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        del self._parent(row, site)[str(row[self.key])]

    def _parent(self, row: dict[str, Any], site: Any) -> Any:
        return once(row, "parent", self.getParent, row, site)
