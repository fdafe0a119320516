"""A student: personal data, and a small container of course tickets."""

from collections.abc import Iterable, Iterator
from typing import Any

import grok
from BTrees.OOBTree import OOBTree
from zope.component.factory import Factory
from zope.component.interfaces import IFactory
from zope.container.interfaces import IContainer
from zope.interface import implementer
from zope.location.interfaces import ISublocations

from waeup.kofa.importing.events import put, take_out
from waeup.kofa.students.interfaces import IStudent
from waeup.kofa.university.defaults import schema_defaults


@implementer(IStudent, IContainer, ISublocations)
@schema_defaults(IStudent)
class Student(grok.Model):
    """See `IStudent`.

    Tickets are kept in one BTree, a database record of its own: a new ticket does
    not rewrite the personal data, and there is no counter to keep.  The container of
    all students keeps that tree, from the first ticket on: most of what a new student costs
    the database is the number of its records.  Outside of it, a student has its own.
    """

    #: The numbers under which the students container knows this student.  The type is a comment:
    #: zope.annotation would take what the class has for the annotations of all its objects.
    indexed_numbers = (None, None)  # type: tuple[str | None, str | None]

    # The student's own tree.  The name is that of zope.container, from which students of former
    # releases have it.
    _SampleContainer__data = None

    def __getitem__(self, key: str) -> Any:
        """See `IContainer`."""
        tree = self._tickets
        if tree is None:
            raise KeyError(key)
        return tree[key]

    def get(self, key: str, default: Any = None) -> Any:
        """See `IContainer`."""
        tree = self._tickets
        return default if tree is None else tree.get(key, default)

    def __contains__(self, key: str) -> bool:
        """See `IContainer`."""
        return self.get(key) is not None

    def __len__(self) -> int:
        """See `IContainer`."""
        tree = self._tickets
        return 0 if tree is None else len(tree)

    def __iter__(self) -> Iterator[str]:
        """See `IContainer`."""
        return iter(self.keys())

    def keys(self) -> Iterable[str]:
        """See `IContainer`."""
        tree = self._tickets
        return () if tree is None else tree.keys()

    def values(self) -> Iterable[Any]:
        """See `IContainer`."""
        tree = self._tickets
        return () if tree is None else tree.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """See `IContainer`."""
        tree = self._tickets
        return () if tree is None else tree.items()

    def __setitem__(self, key: str, ticket: Any) -> None:
        """See `IContainer`."""
        put(self, self._put, key, ticket)

    def __delitem__(self, key: str) -> None:
        """See `IContainer`."""
        take_out(self, key, self[key])
        del self._tickets[key]

    def sublocations(self) -> Iterable[Any]:
        """See `ISublocations`: what gets to know that the student is added, moved or removed."""
        return tuple(self.values())

    def keep_tickets(self, tree: OOBTree) -> None:
        """Keep the tree of the tickets from now on: for the container that has kept it so far."""
        self._SampleContainer__data = tree

    @property
    def _tickets(self) -> Any:
        """The tree of the tickets, or None."""
        tree = self._SampleContainer__data
        if tree is None:
            tickets_of = getattr(self.__parent__, "tickets_of", None)
            tree = None if tickets_of is None else tickets_of(self.__name__)
        return tree

    def _put(self, key: str, ticket: Any) -> None:
        tree = self._tickets
        if tree is None:
            tree = OOBTree()
            keep = getattr(self.__parent__, "keep_tickets_of", None)
            if keep is None:
                self.keep_tickets(tree)
            else:
                keep(self.__name__, tree)
        tree[key] = ticket


grok.global_utility(
    Factory(Student, "Student", "", (IStudent,)),
    provides=IFactory,
    name="waeup.Student",
    direct=True,
)
