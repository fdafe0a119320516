"""``kofactl import`` and ``check``: rows become objects, or it is told what would."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from waeup.kofa.cli.demand import Demand, Prepared, demand_options, prepared
from waeup.kofa.cli.following import complete
from waeup.kofa.cli.screen import complain
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.cli.telling import tell_check, tell_end
from waeup.kofa.errors import ConfirmationNeeded

if TYPE_CHECKING:
    from waeup.kofa.operations import Operations, RunInfo


@click.command("import", short_help="Import a file.")
@click.argument("file", metavar="NAME|PATH")
@demand_options
@click.option("--check", "checked", metavar="RUN", help="Keep to what this check has told.")
@click.option(
    "--yes-remove",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Confirm that up to N objects are removed.",
)
@click.option(
    "--yes-change",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Confirm that up to N objects are changed.",
)
@common_options
@pass_settings
def import_(
    settings: Settings,
    file: str,
    demand: Demand,
    checked: str | None,
    yes_remove: int,
    yes_change: int,
) -> int:
    """Import a file: the name of a stored one, or a path, which is put first.

    Where a stored file and a file in the working directory have the same name, the stored one is
    meant; ./NAME means the other. A path whose import is refused is not kept in the data center.

    How the file is read is found, and shown by `kofactl preview`; the same options say it here.

    A column goes to the field of the same name; blanks, underscores and case do not count.

    The imported rows are then among the `finished` files. Rows that failed are in a new pending
    file, each with its reason, and the exit code is 1.

    Ctrl-C ends the import at the next batch of rows. It can then go on, or be taken back, and so
    it can when the machine fails. An import that could remove or change many of the objects there
    are is checked first, and asks for their number.

    \b
    kofactl import students_admin.csv -p studentprocessor -m create
    kofactl import ./scores.csv -p courseticketprocessor -m update \\
        --map ID=student_id --set level=100 --ignore remark
    """
    yes = {"yes_remove": yes_remove, "yes_change": yes_change}
    with (
        session(settings, write=True) as operations,
        prepared(operations, file, demand) as wanted,
    ):
        run = _import(operations, wanted, checked, yes)
    return tell_end(settings, run)


@click.command(short_help="Tell what an import would do.")
@click.argument("file", metavar="NAME|PATH")
@demand_options
@click.option(
    "--rows",
    type=click.IntRange(0, 10_000),
    default=20,
    show_default=True,
    help="Rows to show, of those that fail, change something, or are double.",
)
@click.option("--save-mapping", metavar="NAME", help="Keep what fills the fields under this name.")
@common_options
@pass_settings
def check(
    settings: Settings, file: str, demand: Demand, rows: int, save_mapping: str | None
) -> int:
    """Tell what an import would do, row by row; nothing of it is done.

    FILE and options are those of `import`. A path is put first, and stays in the data center.

    With --save-mapping all that is said by --map, --ignore, --set and --value, or found by the
    names of the columns, is kept, for all who may import such objects; --mapping uses it for
    other files. `kofactl mappings` lists what was saved.

    The exit code is 1 when rows would fail. An import with --check and the number of the check
    keeps to it: a row that turns out otherwise by then is pending, and says so.

    \b
    kofactl check students_admin.csv -p studentprocessor -m update
    kofactl check ./leavers.csv -p studentprocessor -m remove --rows 100
    """
    with (
        session(settings, write=True) as operations,
        prepared(operations, file, demand) as wanted,
    ):
        if save_mapping is not None:
            wanted.save(operations, save_mapping)
        run = _check(operations, wanted)
        notable = operations.check_rows(run.id, notable=True, limit=rows + 1)
    return tell_check(settings, run, notable, rows, demand.command(wanted.name, "--check", run.id))


def _import(
    operations: "Operations", wanted: Prepared, checked: str | None, yes: dict[str, int]
) -> "RunInfo":
    """Import a file; what could remove or change many objects is checked first."""

    def start(check: str | None) -> Callable[[], "RunInfo"]:
        return lambda: wanted.start(operations.start_import, check=check, **yes)

    try:
        return complete(operations, start(checked))
    except ConfirmationNeeded as question:
        if checked is not None:
            raise _with_option(question)
    complain(f"{wanted.name} could remove or change many objects, and is checked first.")
    check = _check(operations, wanted)
    try:
        return complete(operations, start(check.id))
    except ConfirmationNeeded as question:
        raise _with_option(question)


def _check(operations: "Operations", wanted: Prepared) -> "RunInfo":
    return complete(operations, lambda: wanted.start(operations.start_check))


def _with_option(question: ConfirmationNeeded) -> ConfirmationNeeded:
    """Say how a number is confirmed here."""
    options = [
        f"{option} {number}"
        for option, number in (
            ("--yes-remove", question.removed),
            ("--yes-change", question.changed),
        )
        if number
    ]
    return ConfirmationNeeded(
        f"{question} Here by {' '.join(options)}.", question.removed, question.changed
    )
