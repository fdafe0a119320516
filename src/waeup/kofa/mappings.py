"""What the database knows of mappings: those of the last imports, and those with a name.

The ledger holds it.  The module path is a database format.
"""

from collections.abc import Iterable
from typing import TypeVar

from BTrees.OOBTree import OOBTree
from persistent import Persistent

from waeup.kofa.conversion import SavedMapping, Values
from waeup.kofa.conversion.mapping import loose
from waeup.kofa.errors import NameTaken, NoSuchItem, Refused
from waeup.kofa.i18n import MessageFactory as _

#: Names of columns, and likewise texts of choices, that are remembered for a processor.
MOST_REMEMBERED = 1000
#: Longer names and texts are not remembered.
LONGEST = 200
#: Mappings that can be saved for a processor.
MOST_SAVED = 200

Key = TypeVar("Key")
Value = TypeVar("Value")


class Memory(Persistent):
    """What columns and texts were in the last imports of one processor.

    `columns` leads from names of columns, in the form of `loose`, to fields, or to None for a
    column that was left out.  `values` leads from pairs of a field and a text, in lower case, to
    tokens.  Both are replaced as a whole, and only when something changes; the newest come last.
    """

    columns: dict[str, str | None] = {}
    values: dict[tuple[str, str], str] = {}

    def remember(self, columns: Iterable[tuple[str, str | None]], values: Values) -> None:
        """Remember what columns and texts were; where there are too many, the oldest go."""
        names = {loose(name): field for name, field in columns if len(name) <= LONGEST}
        tokens = {
            (field, text.casefold()): token
            for field, pairs in values
            for text, token in pairs
            if max(len(text), len(token)) <= LONGEST
        }
        # An import like the last one must not be in the way of others.
        if names.items() - self.columns.items():
            self.columns = _with(self.columns, names)
        if tokens.items() - self.values.items():
            self.values = _with(self.values, tokens)


def _with(known: dict[Key, Value], new: dict[Key, Value]) -> dict[Key, Value]:
    both = {key: value for key, value in known.items() if key not in new} | new
    return dict(list(both.items())[-MOST_REMEMBERED:])


class Mappings(Persistent):
    """What is remembered, by processor; and saved mappings, by processor and name."""

    def __init__(self) -> None:
        # A BTree that is empty before or after a change cannot be merged with the change of
        # somebody else: one key that is no name stays in each.
        self._memories = OOBTree({"": None})
        self._saved = OOBTree({("", ""): None})

    def memory(self, processor: str) -> Memory:
        """Return what is remembered of a processor, for reading."""
        memory: Memory | None = self._memories.get(processor)
        return Memory() if memory is None else memory

    def remember(
        self, processor: str, columns: Iterable[tuple[str, str | None]], values: Values
    ) -> None:
        """Remember what the columns and texts of an import were."""
        memory = self._memories.get(processor)
        if memory is None:
            memory = self._memories[processor] = Memory()
        memory.remember(columns, values)

    # -- mappings with a name -------------------------------------------------------

    def saved(self, processor: str) -> list[SavedMapping]:
        """Return the saved mappings of a processor, by name."""
        return [
            saved
            for (owner, _), saved in self._saved.items()
            if owner == processor and saved is not None
        ]

    def find(self, processor: str, name: str) -> SavedMapping:
        """Return a saved mapping; raises `NoSuchItem`."""
        found: SavedMapping | None = self._saved.get((processor, name))
        if found is None:
            names = ", ".join(repr(saved.name) for saved in self.saved(processor)) or "none"
            raise NoSuchItem(
                _(
                    "There is no mapping ${name} of ${processor} (any more). There are: ${names}.",
                    mapping={"name": repr(name), "processor": processor, "names": names},
                )
            )
        return found

    def save(self, mapping: SavedMapping, *, replace: bool = False) -> None:
        """Keep a mapping; raises `NameTaken`, unless it is to `replace` another one."""
        key = (mapping.processor, mapping.name)
        is_new = key not in self._saved
        if not (is_new or replace):
            raise NameTaken(
                _(
                    "There is a mapping ${name} of ${processor} already. Choose another "
                    "name, or confirm that it is to be replaced.",
                    mapping={"name": repr(mapping.name), "processor": mapping.processor},
                )
            )
        if is_new and len(self.saved(mapping.processor)) >= MOST_SAVED:
            raise Refused(
                _(
                    "${processor} has ${most_saved} saved mappings; there may not be more. "
                    "Delete some that nobody needs.",
                    mapping={"processor": mapping.processor, "most_saved": MOST_SAVED},
                )
            )
        self._saved[key] = mapping

    def drop(self, processor: str, name: str) -> None:
        """Forget a saved mapping; raises `NoSuchItem`."""
        self.find(processor, name)
        del self._saved[(processor, name)]
