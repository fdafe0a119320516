"""What each codec promises: values to plain JSON, back, and the schema of it.

What stands behind an annotation is a `Codec`: those of `scalars` and `containers`, and of
`objects`, whose fields are `Member`.  `annotations` finds the one that is meant.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from waeup.kofa.api.plain.reading import Reading
from waeup.kofa.api.plain.schemas import Parts


@dataclass(frozen=True)
class Bound:
    """Part of an annotation: how small or large a number may be, how long a text or an array."""

    least: float | None = None
    most: float | None = None
    shortest: int | None = None
    longest: int | None = None
    pattern: str | None = None


#: For what is as large or long as anything of its kind may be.
NO_BOUND = Bound()


class Codec:
    """Knows the values of one annotation."""

    def dump(self, value: Any) -> Any:
        """Return a value as plain JSON; raises `TypeError` and `ValueError`."""
        raise NotImplementedError

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        """Return the value of plain JSON, or tell `reading` what is wrong at `pointer`."""
        raise NotImplementedError

    def schema(self, parts: Parts) -> dict[str, Any]:
        """Return the JSON Schema."""
        raise NotImplementedError

    def fits(self, value: Any) -> bool:
        """Tell whether this, of the alternatives of a union, is for a value."""
        try:
            self.dump(value)
        except (TypeError, ValueError, AttributeError):
            return False
        return True


class Member(NamedTuple):
    """A field of a class that is sent."""

    codec: Codec
    has_default: bool
