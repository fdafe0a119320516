"""Paths that arguments and options take."""

import errno
import os
from typing import Any

import click


class Named(click.Path):
    """A path.

    An empty one, as ``--var "$UNSET"`` leaves it in a script, would be the working directory.  One
    that is too long for any file is refused, whether it has to be there or not.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail with words."""
        if value == "":
            self.fail("The path is empty. Name one; the working directory is a dot.", param, ctx)
        try:
            os.lstat(value)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                self.fail(f"{os.fsdecode(value)!r} is too long for a path.", param, ctx)
        return super().convert(value, param, ctx)
