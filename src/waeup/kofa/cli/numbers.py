"""Numbers that options take."""

import math
from typing import Any

import click

from waeup.kofa.usual import MOST_BYTES, MOST_COUNTED

#: Lines, matches, or rows of a limit, that can be counted.
MOST = MOST_COUNTED
#: Megabytes of a limit.
MOST_MEGABYTES = MOST_BYTES >> 20


class Between(click.FloatRange):
    """A number within bounds; ``nan`` is in none, however it compares."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail with words."""
        found: float = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is no number.", param, ctx)
        return found
