"""Numbers that options take."""

import math
from typing import Any

import click

#: Lines, matches, or rows of a limit, that can be counted.
MOST = 1_000_000_000
#: Megabytes of a limit: a terabyte, more than a portal can mean.
MOST_MEGABYTES = 1024 * 1024


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
