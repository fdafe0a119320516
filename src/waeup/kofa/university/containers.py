"""A container whose items know their own key."""

from typing import Any

import grok


class CodeContainer(grok.Container):
    """Contains objects of one kind under their codes.

    A wrong kind of object is a TypeError, a key that is not the code a ValueError.
    """

    grok.baseclass()

    # The type is a comment: zope.annotation, which keeps local roles, would take what the class
    # has for the annotations of all its objects.
    content = None  # type: Any

    def __setitem__(self, key: str, obj: Any) -> None:
        if not self.content.providedBy(obj):
            raise TypeError(f"{type(self).__name__} takes {self.content.__name__} objects only.")
        if key != obj.code:
            raise ValueError(f"Key {key!r} is not the code of the object, {obj.code!r}.")
        super().__setitem__(key, obj)
