"""What a command shows: tables for people, JSON for programs.

Texts from files and from the database are not trusted: a terminal obeys control characters, so
each of them is shown as an escape.
"""

import json
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any, Literal

import click

from waeup.kofa.i18n import english

if TYPE_CHECKING:
    from waeup.kofa.operations import RunInfo

# Control and format characters (among them the ones that turn the direction of writing), lone
# surrogates, private characters, and the separators of lines and paragraphs.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

#: Columns of a terminal below which a table that is wider becomes a list for each row.
NARROW = 60
#: More columns than any table has.
ENDLESS = 100_000
#: Characters of an argument, and of a message, that are told; of longer ones the beginning.
LONG_ARGUMENT, LONG_MESSAGE = 200, 3000
#: Characters of such a beginning.
BEGINNING = 60


def printable(text: object) -> str:
    """Return `text` as one line in which a terminal finds nothing to obey."""
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _UNPRINTABLE
        else character
        for character in english(text)
    )


def abridged(message: str, arguments: Iterable[str]) -> str:
    """Return a message in which of very long ones of the program's arguments the beginning is."""
    # Paths are told without a stroke at their end.
    parts = {p.rstrip("/") for each in arguments for p in (each, *each.split("=", 1))}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) > LONG_ARGUMENT:
            for written in {part, repr(part)[1:-1]}:
                message = message.replace(
                    written, f"{written[:BEGINNING]}... ({len(part):,} characters)"
                )
    return message if len(message) <= LONG_MESSAGE else f"{message[:LONG_MESSAGE]}..."


def is_terminal() -> bool:
    """Tell whether a person sees what is written, who can do nothing with a binary file."""
    return sys.stdout.isatty()


def say(text: object = "") -> None:
    """Print one line for people."""
    click.echo(printable(text))


def say_json(value: Any) -> None:
    """Print plain data as JSON.  Only ASCII is written, so that any program can read it."""
    click.echo(json.dumps(_filled(value), indent=2))


def _filled(value: Any) -> Any:
    """Return plain data with what its texts say in English: a message is a text, too."""
    if isinstance(value, dict):
        return {_filled(key): _filled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(item) for item in value]
    return english(value) if isinstance(value, str) else value


def complain(text: object) -> None:
    """Print one line on standard error, above the bar when there is one."""
    # `click.echo` would write past what keeps lines and bar apart.
    print(printable(text), file=sys.stderr, flush=True)


def has_room(columns: int) -> bool:
    """Tell whether tables can be so wide; in a file or a pipe there is no width to keep to."""
    return not sys.stdout.isatty() or shutil.get_terminal_size().columns >= columns


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], right: str = "") -> None:
    """Print rows below their column names.

    `right` lists the names of the columns that are aligned to the right, divided by blanks.  Where
    a terminal is narrow and has no room for that, each row is a list of names and values.
    """
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    names = [Text(printable(name)) for name in columns]
    cells = [[Text(printable(cell)) for cell in row] for row in rows]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column, name in zip(columns, names, strict=True):
        justify: Literal["right", "left"] = "right" if column in right.split() else "left"
        table.add_column(name, justify=justify, overflow="fold")
    for row in cells:
        table.add_row(*row)
    # In a file or a pipe there is no width to keep to: a row is a line.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else ENDLESS
    paper = StringIO()
    console = Console(file=paper, width=width, highlight=False)
    # Measured only where it matters: each cell is looked at for that.
    endless = console.options.update(width=ENDLESS)
    if width < NARROW and width < Measurement.get(console, endless, table).maximum:
        for number, row in enumerate(cells):
            if number:
                console.print()
            grid = Table.grid(padding=(0, 2, 0, 0))
            grid.add_column(no_wrap=True)
            grid.add_column(overflow="fold")
            for name, cell in zip(names, row, strict=True):
                if cell:
                    grid.add_row(name, cell)
            console.print(grid)
    else:
        console.print(table)
    for line in paper.getvalue().splitlines():
        click.echo(line.rstrip())


def duration(seconds: float) -> str:
    """Return a time as people say it: in seconds, minutes, or hours and minutes."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[["RunInfo"], None]]:
    """Show a bar on standard error while the block runs, if that is a terminal.

    Yields the function to call with the run now and then.
    """

    if not sys.stderr.isatty():
        yield lambda run: None
        return

    def show(run: "RunInfo") -> None:
        text = f"{run.rows:,} rows, {run.failed:,} failed"
        if run.kind == "move":
            text = f"{run.rows:,} files"
        if run.state == "queued":
            text = "waiting"
        elif run.is_cancelling:
            text += ", ending"
        elif run.is_looking:
            text = "looking at the file as a whole"
        elif run.rate:
            text += f", {run.rate:,.0f}/s"
            if run.remaining is not None:
                text += f", {duration(run.remaining)} left"
        show_share(run.fraction, text)

    with bar(label) as show_share:
        yield show


@contextmanager
def bar(label: str) -> Iterator[Callable[[float, str], None]]:
    """Show a bar on standard error while the block runs, if that is a terminal.

    Yields the function to call now and then with what is done (0 to 1) and a text.
    """
    if not sys.stderr.isatty():
        yield lambda share, text: None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.TextColumn("{task.percentage:>3.0f} %", markup=False),
        bars.TextColumn("{task.fields[text]}", markup=False),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(printable(label), total=1.0, text="")

        yield lambda share, text: progress.update(task, completed=share, text=text)
