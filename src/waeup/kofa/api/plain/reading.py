"""What is wrong with what came in, and where: collected while it is read, told in one go.

The lowest of this room: a `Codec` tells a `Reading` of each place that is wrong, and `NotPlain`
carries all of them to the door, as JSON pointers (RFC 6901).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from waeup.kofa.errors import Refused

#: What is wrong is told of so many places.
MOST_WRONG = 20
NO_VALUE: Any = object()


class Wrong(NamedTuple):
    """What is wrong at a place.

    `pointer` is a JSON pointer (RFC 6901) into the body, '' for all of it; or else `parameter`
    names what stands in the address.
    """

    pointer: str
    detail: str
    parameter: str = ""


class NotPlain(Refused, ValueError):
    """What came in is not what is expected; `errors` says of each place what is wrong there."""

    def __init__(self, message: str, errors: Sequence[Wrong] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class Reading:
    """Collects what is wrong while data are read.

    Not `strict`, members that an object does not have are passed over.  While `parameter` is set,
    it is what the data are of.
    """

    def __init__(self, strict: bool = True) -> None:
        self.strict = strict
        self.parameter = ""
        self.errors: list[Wrong] = []

    def wrong(self, pointer: str, detail: str) -> Any:
        """Keep that something is wrong; return what stands for no value."""
        if len(self.errors) < MOST_WRONG:
            self.errors.append(Wrong(pointer, detail, self.parameter))
        return NO_VALUE

    def require_sound(self) -> None:
        """Raise `NotPlain` when something was wrong."""
        if self.errors:
            first = self.errors[0]
            place = first.parameter or first.pointer
            where = f" at {place}" if place else ""
            raise NotPlain(
                f"What was sent is not as it should be{where}: {first.detail}", self.errors
            )


def pointer_to(name: str) -> str:
    """Return the JSON pointer to a member of the body."""
    return f"/{escaped(name)}"


def escaped(name: str) -> str:
    """Return a name as part of a JSON pointer."""
    return name[:80].replace("~", "~0").replace("/", "~1")
