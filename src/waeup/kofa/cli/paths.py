"""Paths that arguments and options take."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from waeup.kofa.errors import Refused

#: Endings of workbooks that are read, or are like them, and are never written.
_NOT_WRITTEN = ("ods", "xls", "xlsb", "xlsm")


class Named(click.Path):
    """A path.

    An empty one, as ``--var "$UNSET"`` leaves it in a script, would be the working directory.  One
    that is too long for any file is refused, whether it has to be there or not.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail with words; raises `Refused` for one that is too long."""
        if value == "":
            self.fail("The path is empty. Name one; the working directory is a dot.", param, ctx)
        try:
            os.lstat(value)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                name = os.fsdecode(value)
                raise Refused(f"{name!r} cannot be written or read: {error.strerror}.")
        return super().convert(value, param, ctx)


def format_of(path: Path, formats: Sequence[str]) -> str:
    """Return which of `formats` the ending of a name means; the first when it means none.

    Raises `click.UsageError` for the ending of a workbook that would not be one.
    """
    word = path.suffix.lower().removeprefix(".")
    if word in _NOT_WRITTEN:
        raise click.UsageError(
            f"{path.name!r} would be no .{word} file: {', '.join(formats)} can be written. Give "
            "the file such an ending, or say --format."
        )
    return word if word in formats else formats[0]
