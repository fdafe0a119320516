"""Paths that arguments and options take."""

from typing import Any

import click


class Named(click.Path):
    """A path.

    An empty one, as ``--var "$UNSET"`` leaves it in a script, would be the working directory.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail with words."""
        if value == "":
            self.fail("The path is empty. Name one; the working directory is a dot.", param, ctx)
        return super().convert(value, param, ctx)
