"""What a person wants to import, and how: the options of ``import`` and ``check``."""

import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from waeup.kofa.cli.files import put_file
from waeup.kofa.cli.following import Cancelled
from waeup.kofa.cli.preview import Command, reading_options
from waeup.kofa.cli.telling import ways
from waeup.kofa.errors import (
    FatalCSVError,
    MappingError,
    NoSuchItem,
    NotAllowed,
    Refused,
    WrongState,
)

if TYPE_CHECKING:
    from waeup.kofa.conversion import FittedMapping, Mapping, Values
    from waeup.kofa.operations import Operations, RunInfo
    from waeup.kofa.tabular.options import ReadOptions

MODES = ("create", "update", "remove", "upsert")
_READING = ("encoding", "delimiter", "quote", "header_line", "sheet")


class Pair(click.ParamType):
    """``LEFT=RIGHT`` on the command line, as a pair of texts.

    The last ``=`` divides when `last`, since columns may have any name, otherwise the first.
    """

    def __init__(self, name: str, *, last: bool = False) -> None:
        self.name = name
        self.last = last

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """See `click.ParamType`."""
        left, equals, right = value.rpartition("=") if self.last else value.partition("=")
        if not left or not equals:
            self.fail(f"{value!r} is not of the form {self.name}.", param, ctx)
        return left, right


class Replacement(click.ParamType):
    """``FIELD:TEXT=TOKEN`` on the command line, as three texts."""

    name = "FIELD:TEXT=TOKEN"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str, str]:
        """See `click.ParamType`."""
        field, _, pair = value.partition(":")
        # A text may hold anything; a token is what somebody has chosen.
        text, equals, token = pair.rpartition("=")
        if not field or not text or not equals:
            self.fail(f"{value!r} is not of the form {self.name}.", param, ctx)
        return field, text, token


@dataclass(frozen=True)
class Demand:
    """What the options say: what the rows of a table are, and how it is read."""

    processor: str
    mode: str
    assigned: Sequence[tuple[str, str]]
    constants: Sequence[tuple[str, str]]
    replaced: Sequence[tuple[str, str, str]]
    saved: str | None
    ignored: Sequence[str]
    ignore_rest: bool
    skip_unchanged: bool
    reading: dict[str, str | None]

    @property
    def options(self) -> "ReadOptions":
        """How the table is read."""
        from waeup.kofa.tabular.options import ReadOptions

        return ReadOptions.of(**self.reading)

    def command(self, name: str, *more: str) -> str:
        """Return the command line that imports the stored file `name` so, with `more` words."""
        words = ["kofactl", "import", name, "-p", self.processor, "-m", self.mode]
        for option, pairs in (("--map", self.assigned), ("--set", self.constants)):
            for left, right in pairs:
                words += [option, f"{left}={right}"]
        for field, text, token in self.replaced:
            words += ["--value", f"{field}:{text}={token}"]
        words += [] if self.saved is None else ["--mapping", self.saved]
        for column in self.ignored:
            words += ["--ignore", column]
        for option, is_given in (
            ("--ignore-rest", self.ignore_rest),
            ("--skip-unchanged", self.skip_unchanged),
        ):
            words += [option] if is_given else []
        for option, value in self.reading.items():
            words += [] if value is None else [f"--{option.replace('_', '-')}", value]
        return shlex.join([*words, *more])


def demand_options(command: Command) -> Command:
    """Add the options that say what a table holds; the command is given a `Demand` of them."""

    @wraps(command)
    def demanding(*args: Any, **values: Any) -> Any:
        names = [name for name in Demand.__dataclass_fields__ if name != "reading"]
        given = {name: values.pop(name) for name in names}
        reading = {name: values.pop(name) for name in _READING}
        return command(*args, demand=Demand(**given, reading=reading), **values)

    wrapped: Any = reading_options(demanding)
    for option in (
        click.option(
            "--skip-unchanged",
            is_flag=True,
            help="Leave objects alone that have all values already.",
        ),
        click.option(
            "--ignore-rest", is_flag=True, help="Leave out all columns that fit no field."
        ),
        click.option(
            "--ignore", "ignored", metavar="COLUMN", multiple=True, help="A column to leave out."
        ),
        click.option(
            "--mapping",
            "saved",
            metavar="NAME",
            help="A saved mapping; other options come before what it says.",
        ),
        click.option(
            "--value",
            "replaced",
            type=Replacement(),
            multiple=True,
            help="What a text in the column of a field stands for. May be repeated.",
        ),
        click.option(
            "--set",
            "constants",
            type=Pair("FIELD=VALUE"),
            multiple=True,
            help="Text that fills a field in all rows. May be repeated.",
        ),
        click.option(
            "--map",
            "assigned",
            type=Pair("COLUMN=FIELD", last=True),
            multiple=True,
            help="The field that a column fills. May be repeated.",
        ),
        click.option(
            "--mode",
            "-m",
            type=click.Choice(MODES),
            required=True,
            help="What to do with the objects; upsert updates or creates.",
        ),
        click.option(
            "--processor",
            "-p",
            required=True,
            help="The kind of objects; see `kofactl processors`.",
        ),
    ):
        wrapped = option(wrapped)
    result: Command = wrapped
    return result


class Prepared(NamedTuple):
    """A stored file, and all that is needed to order a run for it."""

    name: str
    demand: Demand
    mapping: "Mapping"

    def start(self, begin: Callable[..., "RunInfo"], **more: Any) -> "RunInfo":
        """Order a run by an operation; `more` are further arguments of it."""
        return begin(
            self.name,
            self.demand.processor,
            self.demand.mode,
            self.mapping,
            options=self.demand.options,
            skip_unchanged=self.demand.skip_unchanged,
            **more,
        )

    def save(self, operations: "Operations", name: str) -> None:
        """Keep the mapping under a name."""
        header = operations.preview(self.name, 0, self.demand.options).header
        operations.save_mapping(
            name,
            self.demand.processor,
            tuple(zip(header, self.mapping.columns, strict=True)),
            constants=self.mapping.constants,
            values=self.mapping.values,
        )


@contextmanager
def prepared(operations: "Operations", file: str, demand: Demand) -> Iterator[Prepared]:
    """Give what is needed to order a run for a file; a path is put first.

    When the block is refused or interrupted, and no run has the file, what was put is taken back.
    """
    given = _once("--set", demand.constants)
    _refuse_secrets(operations, demand.processor, given)
    name, is_new = _stored_name(operations, file)
    try:
        yield Prepared(name, demand, _mapping(operations, name, file, demand, given))
    except (Refused, KeyboardInterrupt) as reason:
        is_held = isinstance(reason, Cancelled) and bool(reason.run.actions)
        if is_new and not is_held:
            _take_back(operations, name)
        holder = operations.run_of(name) if isinstance(reason, WrongState) else None
        if holder is not None:
            raise WrongState(f"{reason} {ways(holder)}")
        raise


def _mapping(
    operations: "Operations", name: str, file: str, demand: Demand, constants: dict[str, str]
) -> "Mapping":
    """Return which column fills which field; what does not fit is refused with the options."""
    try:
        choice = _Choice(
            _once("--map", demand.assigned), set(demand.ignored), constants, demand.replaced
        )
        if demand.saved is not None:
            choice.complete(
                operations.use_mapping(demand.saved, demand.processor, name, demand.options)
            )
        mapping = operations.make_mapping(
            name,
            demand.processor,
            demand.mode,
            assign=choice.assign,
            ignore=sorted(choice.ignore),
            constants=choice.constants,
            values=choice.values,
            ignore_rest=demand.ignore_rest,
            options=demand.options,
        )
        operations.check(name, demand.processor, demand.mode, mapping, demand.options)
        return mapping
    except FatalCSVError as reason:
        raise FatalCSVError(
            f"{file}: {reason} What fills the fields is said by --map COLUMN=FIELD and "
            "--set FIELD=VALUE; --ignore COLUMN leaves a column out. `kofactl preview --processor "
            f"{demand.processor}` proposes a mapping."
        )


class _Choice:
    """What was chosen for columns, fields and texts, by names."""

    def __init__(
        self,
        assign: dict[str, str],
        ignore: set[str],
        constants: dict[str, str],
        replaced: Sequence[tuple[str, str, str]],
    ) -> None:
        self.assign = assign
        self.ignore = ignore
        self.constants = constants
        self._tokens: dict[tuple[str, str], str] = {}
        for field, cell, token in replaced:
            text = cell.strip()
            if self._tokens.setdefault((field, text), token) != token:
                raise Refused(f"--value names {text!r} of {field} twice. Give it once.")

    @property
    def values(self) -> "Values":
        """Which texts stand for others, as a `Mapping` has it."""
        return tuple((field, ((text, token),)) for (field, text), token in self._tokens.items())

    def complete(self, saved: "FittedMapping") -> None:
        """Add what a saved mapping says of columns and fields about which nothing is said yet.

        Raises `MappingError` when the table lacks a column that it needs.
        """
        chosen = {*self.assign.values(), *self.constants}
        missing = [name for name, field in saved.missing if field not in chosen]
        if missing:
            raise MappingError(
                f"The mapping needs columns that are not there: {', '.join(map(repr, missing))}."
            )
        for column, field in zip(saved.header, saved.mapping.columns, strict=True):
            if column in self.assign or column in self.ignore or column in saved.new:
                continue
            if field is None or field in chosen:
                self.ignore.add(column)
            else:
                self.assign[column] = field
        filled = {*self.assign.values(), *self.constants}
        for field, text in saved.mapping.constants:
            if field not in filled:
                self.constants[field] = text
        for field, pairs in saved.mapping.values:
            for text, token in pairs:
                if field in self.assign.values():
                    self._tokens.setdefault((field, text), token)


def _once(option: str, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return pairs as a dict; raises `Refused` when a left side is there twice."""
    counts = Counter(left for left, _ in pairs)
    double = [left for left, number in counts.items() if number > 1]
    if double:
        raise Refused(f"{option} names {double[0]!r} twice. Give it once.")
    return dict(pairs)


def _refuse_secrets(operations: "Operations", processor: str, constants: dict[str, str]) -> None:
    """Raise `Refused` for a password among the constants: all users of a machine see it there.

    A processor that does not exist, or may not be used, is refused later.
    """
    if not constants:
        return
    try:
        fields = operations.processor(processor).fields
    except (NoSuchItem, NotAllowed):
        return
    for name in constants.keys() & {field.name for field in fields if field.secret}:
        raise Refused(
            f"--set {name}=... shows the {name} to everybody on this machine. Choose another "
            "one now, and put it into the file, or use `kofactl users password`."
        )


def _stored_name(operations: "Operations", file: str) -> tuple[str, bool]:
    """Return the name of the stored file that is meant, and whether it was put just now."""
    import transaction

    path = Path(file)
    is_plain_name = path.name == file
    if is_plain_name and any(item.name == file for item in operations.pending_files()):
        return file, False
    if is_plain_name and not os.path.exists(path):
        raise NoSuchItem(
            f"There is no pending file {file!r} in the data center, and no such file in the "
            "working directory. `kofactl ls` lists the pending files."
        )
    upload = put_file(operations, path)
    transaction.commit()
    return upload.name, True


def _take_back(operations: "Operations", name: str) -> None:
    """Remove a file that was put for a run that was then refused."""
    import transaction

    transaction.abort()
    operations.delete([name])
    transaction.commit()
