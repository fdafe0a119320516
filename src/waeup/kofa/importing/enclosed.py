"""Objects that a database knows only as pieces of another one, in whose record they lie.

They have no serial, no place and no reference of their own: what a row does to one of them is done
to the object around it, and is taken back there.
"""

import io
import pickle
from typing import Any

from persistent import Persistent
from zope.container.contained import ContainedProxy


def is_enclosed(obj: Any) -> bool:
    """Tell whether an object has no record of its own in a database.

    A container wraps such an object, which knows nothing of its place, in a proxy.
    """
    return not isinstance(obj, Persistent) or type(obj) is ContainedProxy


def encloses(obj: Any, piece: Any) -> bool:
    """Tell whether `piece` lies in attributes of `obj`, at any depth, and in no other record."""
    found = _Pickler(piece)
    for name, value in vars(obj).items():
        if not name.startswith(("_v_", "_p_")):
            found.dump(value)
    return found.has_found


class Frozen:
    """The state of a value with all its pieces, at one time; other records stay what they are."""

    def __init__(self, value: Any) -> None:
        pickler = _Pickler()
        pickler.dump(value)
        self._data = pickler.data
        self._records = pickler.records

    def is_of(self, value: Any) -> bool:
        """Tell whether a value is still in this state."""
        other = Frozen(value)
        return self._data == other._data and all(
            one is another for one, another in zip(self._records, other._records, strict=True)
        )

    def thawed(self) -> Any:
        """Return a new value in this state."""
        return _Unpickler(io.BytesIO(self._data), self._records).load()


class _Pickler(pickle.Pickler):
    """Copies a value; for other records their number stands, and `piece` is looked out for."""

    def __init__(self, piece: Any = None) -> None:
        self._stream = io.BytesIO()
        super().__init__(self._stream, pickle.HIGHEST_PROTOCOL)
        self._piece = piece
        self.records: list[Any] = []
        self.has_found = False

    @property
    def data(self) -> bytes:
        """What was copied."""
        return self._stream.getvalue()

    def persistent_id(self, obj: Any) -> int | None:
        """See `pickle.Pickler`."""
        if obj is self._piece and obj is not None:
            self.has_found = True
        if not isinstance(obj, Persistent):
            return None
        self.records.append(obj)
        return len(self.records) - 1


class _Unpickler(pickle.Unpickler):
    """Makes a value of what a `_Pickler` of this process has copied."""

    def __init__(self, stream: io.BytesIO, records: list[Any]) -> None:
        super().__init__(stream)
        self._records = records

    def persistent_load(self, number: Any) -> Any:
        """See `pickle.Unpickler`."""
        return self._records[number]
