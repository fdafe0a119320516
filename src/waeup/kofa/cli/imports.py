"""``kofactl import``: rows become objects."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.files import put_file
from waeup.kofa.cli.preview import reading_options
from waeup.kofa.cli.screen import progress_bar, say, say_json
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import FatalCSVError, NoSuchItem, Refused

if TYPE_CHECKING:
    from waeup.kofa.importing.engine import Progress
    from waeup.kofa.importing.report import Report
    from waeup.kofa.operations import Operations


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


@click.command("import", short_help="Import a file.")
@click.argument("file", metavar="NAME|PATH")
@click.option(
    "--processor", "-p", required=True, help="The kind of objects; see `kofactl processors`."
)
@click.option(
    "--mode",
    "-m",
    type=click.Choice(("create", "update", "remove")),
    required=True,
    help="What to do with the objects.",
)
@click.option(
    "--map",
    "assigned",
    type=Pair("COLUMN=FIELD", last=True),
    multiple=True,
    help="The field that a column fills. May be repeated.",
)
@click.option(
    "--set",
    "constants",
    type=Pair("FIELD=VALUE"),
    multiple=True,
    help="Text that fills a field in all rows. May be repeated.",
)
@click.option(
    "--ignore", "ignored", metavar="COLUMN", multiple=True, help="A column to leave out."
)
@click.option("--ignore-rest", is_flag=True, help="Leave out all columns that fit no field.")
@reading_options
@common_options
@pass_settings
def import_(
    settings: Settings,
    file: str,
    processor: str,
    mode: str,
    assigned: Sequence[tuple[str, str]],
    constants: Sequence[tuple[str, str]],
    ignored: Sequence[str],
    ignore_rest: bool,
    **reading: str | None,
) -> int:
    """Import a file: the name of a stored one, or a path, which is put first.

    Where a stored file and a file in the working directory have the same name, the stored one is
    meant; ./NAME means the other. A path whose import is refused is not kept in the data center.

    How the file is read is found, and shown by `kofactl preview`; the same options say it here.

    A column goes to the field of the same name; blanks, underscores and case do not count.

    The imported rows are then among the `finished` files. Rows that failed are in a new pending
    file, each with its reason, and the exit code is 1.

    \b
    kofactl import students_admin.csv -p studentprocessor -m create
    kofactl import ./scores.csv -p courseticketprocessor -m update \\
        --map ID=student_id --set level=100 --ignore remark
    """
    from waeup.kofa.cli.session import session
    from waeup.kofa.tabular.options import ReadOptions

    options = ReadOptions.of(**reading)
    with session(settings, write=True) as operations:
        given = _once("--set", constants)
        _refuse_secrets(processor, given)
        name, is_new = _stored_name(operations, file)
        try:
            mapping = operations.make_mapping(
                name,
                processor,
                mode,
                assign=_once("--map", assigned),
                ignore=ignored,
                constants=given,
                ignore_rest=ignore_rest,
                options=options,
            )
            with progress_bar(name) as show, _stopped_between_rows() as check_stop:

                def progress(value: "Progress") -> None:
                    check_stop()
                    show(value)

                report = operations.import_file(
                    name, processor, mode, mapping, progress=progress, options=options
                )
        except (Refused, _Stopped) as reason:
            if is_new:
                _take_back(operations, name)
            if isinstance(reason, FatalCSVError):
                raise FatalCSVError(
                    f"{file}: {reason} What fills the fields is said by --map COLUMN=FIELD and "
                    "--set FIELD=VALUE; --ignore COLUMN leaves a column out."
                )
            raise
    if settings.json:
        say_json({**report.as_dict(), "seconds": round(report.seconds, 3)})
    else:
        _show(report)
    return 0 if report.successful else 1


def _once(option: str, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return pairs as a dict; raises `Refused` when a left side is there twice."""
    counts = Counter(left for left, _ in pairs)
    double = [left for left, number in counts.items() if number > 1]
    if double:
        raise Refused(f"{option} names {double[0]!r} twice. Give it once.")
    return dict(pairs)


def _refuse_secrets(processor: str, constants: dict[str, str]) -> None:
    """Raise `Refused` for a password among the constants: all users of a machine see it there.

    A processor that does not exist is refused by the operation.
    """
    from zope.component import queryUtility
    from zope.schema import getFields
    from zope.schema.interfaces import IPassword

    from waeup.kofa.interfaces import IBatchProcessor

    found = queryUtility(IBatchProcessor, name=processor)
    fields = getFields(found.iface) if found is not None and found.iface is not None else {}
    for name in constants:
        if IPassword.providedBy(fields.get(name)):
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
    if is_plain_name and not path.exists():
        raise NoSuchItem(
            f"There is no pending file {file!r} in the data center, and no such file in the "
            "working directory. `kofactl ls` lists the pending files."
        )
    upload = put_file(operations, path)
    transaction.commit()
    return upload.name, True


def _take_back(operations: "Operations", name: str) -> None:
    """Remove a file that was put for an import that was then refused."""
    import transaction

    transaction.abort()
    operations.delete([name])
    transaction.commit()


class _Stopped(KeyboardInterrupt):
    """The import was asked to stop while rows were being applied; nothing is left of it."""


@contextmanager
def _stopped_between_rows() -> Iterator[Callable[[], None]]:
    """Let the first Ctrl-C, or SIGTERM, end an import in order.

    Rows are applied in another thread.  Yields the function that this thread calls now and then;
    once a signal has come it raises `_Stopped` there, so that the import takes itself back.  A
    second signal ends the process as usual, which is safe, too.
    """
    former: dict[int, Any] = {}
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        restore()

    def restore() -> None:
        while former:
            signal.signal(*former.popitem())

    def check() -> None:
        if asked:
            raise _Stopped

    for number in (signal.SIGINT, signal.SIGTERM):
        former[number] = signal.signal(number, ask)
    try:
        yield check
    finally:
        restore()


def _show(report: "Report") -> None:
    """Tell a person what became of the rows."""
    counts = (
        (report.created, "created"),
        (report.updated, "updated"),
        (report.removed, "removed"),
        (report.unchanged, "unchanged"),
        (report.failed, "pending"),
    )
    outcome = ", ".join(f"{number:,} {word}" for number, word in counts if number)
    say(f"{report.file}: {report.total:,} rows in {report.seconds:.1f} s: {outcome or 'nothing'}.")
    for message, number in report.reasons:
        say(f"  {number:,} x {message}")
    if report.finished:
        say(f"Finished rows: {report.finished}")
    if report.pending:
        say(f"Pending rows, each with its reason: {report.pending}")
