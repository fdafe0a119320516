"""The program ``kofactl``: its commands, and what the end of each means to the caller."""

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path

import click

from waeup.kofa.cli import (
    backups,
    configuring,
    exports,
    figures,
    files,
    history,
    imports,
    kinds,
    logs,
    mappings,
    portalsettings,
    preview,
    run,
    runs,
    scaffold,
    storage,
    tokens,
    upkeep,
    uploads,
    users,
    webhooks,
    worker,
)
from waeup.kofa.cli.codes import DONE, FAULT, INTERRUPTED, NOBODY_READS, REFUSED
from waeup.kofa.cli.following import Cancelled, Unfinished
from waeup.kofa.cli.screen import abridged, complain
from waeup.kofa.cli.settings import Settings, common_options
from waeup.kofa.cli.telling import tell_left
from waeup.kofa.errors import Fault, Refused

__all__ = ["kofactl", "run_program"]


@click.group(
    name="kofactl",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit code: 0 all done, 1 some rows are pending, 2 refused, 3 a fault of the machine.",
)
@common_options
def kofactl() -> None:
    """The WAeUP Kofa portal: start it, and work with its data center.

    \b
    kofactl run
    kofactl put students.csv
    kofactl import students_admin.csv --processor studentprocessor --mode create

    The common options may stand before or behind the name of a command. While a portal runs,
    it carries out commands that change something, and answers most of those that only read.
    """


for command in (
    configuring.init,
    configuring.check_config,
    run.run,
    worker.worker,
    files.put,
    files.ls,
    files.rm,
    files.restore,
    files.purge,
    uploads.uploads,
    preview.preview,
    imports.check,
    imports.import_,
    runs.runs,
    history.history,
    runs.cancel,
    runs.resume,
    runs.undo,
    runs.recover,
    exports.export,
    exports.exporters,
    logs.logs,
    kinds.processors,
    kinds.template,
    scaffold.scaffold,
    figures.figures,
    mappings.mappings,
    storage.storage,
    portalsettings.settings,
    upkeep.maintenance,
    upkeep.system,
    backups.backup,
    backups.restore_backup,
    backups.migrate,
    backups.pack,
    users.users,
    tokens.tokens,
    webhooks.webhooks,
):
    kofactl.add_command(command)


def run_program(arguments: Sequence[str]) -> int:
    """Run ``kofactl`` with arguments and return its exit code; see `waeup.kofa.cli.main`."""
    _open_missing()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character gets an escape instead of an error.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    settings = Settings()
    # Database, logs and files may hold what is nobody else's business.
    former_mask = os.umask(0o077)
    try:
        code = _run(arguments, settings)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, as in `kofactl ls | head -1`, has seen enough. What is still buffered must
        # not raise again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return NOBODY_READS
    finally:
        os.umask(former_mask)
    return code


def _run(arguments: Sequence[str], settings: Settings) -> int:
    """Run the command, and turn each kind of error into a message and an exit code."""
    try:
        _require_text(arguments)
        with kofactl.make_context("kofactl", list(arguments), obj=settings) as context:
            code = kofactl.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        usage = StringIO()
        error.show(usage)
        said = usage.getvalue().removesuffix("\n")
        print(abridged(said, arguments), file=sys.stderr, flush=True)
        return REFUSED
    except Cancelled as end:
        tell_left(settings, end.run)
        complain(str(end))
        return INTERRUPTED
    except (click.Abort, KeyboardInterrupt):
        complain(
            "Interrupted. What the portal had begun goes on there; look with `kofactl runs` and "
            "`kofactl ls` at what was done."
            if settings.is_elsewhere
            else "Interrupted. What was not finished was taken back."
        )
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Fault as error:
        if isinstance(error, Unfinished):
            tell_left(settings, error.run)
        said = abridged(str(error), arguments)
        complain(f"Fault: {said} {_where_to_look(settings, error)}".rstrip())
        return FAULT
    except Refused as error:
        complain(f"Error: {abridged(str(error), arguments)}")
        return REFUSED
    except Exception as error:
        reason = abridged(str(error).partition("\n")[0], arguments) or "no further words"
        complain(
            f"Fault: {type(error).__name__}: {reason}. What was not finished was taken back. "
            f"{_kept_traceback(None if settings.is_elsewhere else settings.folder)}"
        )
        return FAULT
    return code if isinstance(code, int) else DONE


def _open_missing() -> None:
    """Let streams that are closed, as ``>&-`` and some supervisors leave them, lead nowhere.

    The next file that is opened would have their number, and what is written to them.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)
            # It stays open until the process ends.
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _require_text(arguments: Sequence[str]) -> None:
    """Raise `Refused` for an argument that is no text: nothing that is kept could hold it."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise Refused(
                f"{argument!r} is not in UTF-8. Give the file another name, or let the terminal "
                "send UTF-8."
            )


def _where_to_look(settings: Settings, error: Fault) -> str:
    """Say where more is to be found about the current error."""
    if not settings.is_elsewhere:
        return _kept_traceback(settings.folder, error.reference)
    if not error.reference:
        return ""
    return (
        f"`kofactl system --reference {error.reference}` shows what the portal's log says of it."
    )


def _kept_traceback(var: Path | None, reference: str = "") -> str:
    """Append the traceback of the current error to the instance's log, and say where it is.

    Where there is no such folder, a temporary file takes it.  `reference` is that of an entry of
    the portal's log about the same; otherwise there is a new one.
    """
    from waeup.kofa.journal import marked, new_reference

    reference = reference or new_reference()
    text = (
        f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z} {marked(reference)} fault\n"
        f"{traceback.format_exc()}\n"
    )
    try:
        if var is None:
            raise FileNotFoundError
        path = var.absolute() / "log" / "kofactl.log"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        descriptor, name = tempfile.mkstemp(prefix="kofactl-", suffix=".log")
        path = Path(name)
    try:
        with open(descriptor, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(text)
    except OSError as error:
        return f"{path} cannot take the details: {error.strerror}."
    return f"Details are under the reference {reference} in {path}."
