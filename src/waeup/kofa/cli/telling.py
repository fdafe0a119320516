"""What people and programs are told about runs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from waeup.kofa.cli.codes import DONE, LEFT
from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.settings import Settings
from waeup.kofa.i18n import english

if TYPE_CHECKING:
    from waeup.kofa.importing.checking import CheckedRow
    from waeup.kofa.importing.report import Report
    from waeup.kofa.operations import RunInfo


def ways(run: "RunInfo") -> str:
    """Say in a sentence which commands can be given for a run that is not finished."""
    if run.is_active:
        told = {"resume": "leads it to its end", "cancel": "lets it end now"}
        possible = {"resume", *run.actions}
    else:
        told = {
            "resume": "lets it go on",
            "undo": "takes it back",
            "cancel --give-up": "gives it up",
        }
        possible = set(run.actions)
        if "cancel" in possible and "undo" not in possible:
            # To give it up is of use where nothing can be taken back.
            possible.add("cancel --give-up")
    parts = [
        f"`kofactl {name} {run.id}` {what}" for name, what in told.items() if name in possible
    ]
    return f"{', '.join(parts)}." if parts else ""


def state_of(run: "RunInfo", *, is_attended: bool = True) -> str:
    """Return in words how a run is; `is_attended` tells whether there is a process for runs."""
    if run.waits_for:
        return f"waits for {english(run.waits_for)}"
    if run.state == "running":
        word = "looking at the file" if run.is_looking else "running"
        if run.is_cancelling:
            word = "ending"
        return f"{word if is_attended else 'interrupted'}, {run.fraction:.0%}"
    if run.state == "distributing" and not is_attended:
        return "interrupted"
    return run.state


def summary(run: "RunInfo") -> str:
    """Return the numbers of rows by outcome, in words."""
    report = run.report
    is_undo = run.kind == "undo" or run.undoes is not None
    would = "would be " if run.kind == "check" else ""
    failed = ("would fail" if would else "pending", would + "left alone")[is_undo]
    counts = (
        (report.created, would + ("brought back" if is_undo else "created")),
        (report.updated, would + ("changed back" if is_undo else "updated")),
        (report.removed, would + "removed"),
        (report.unchanged, would + "unchanged"),
        (report.failed, failed),
    )
    return ", ".join(f"{number:,} {word}" for number, word in counts if number) or "nothing"


def tell_end(settings: Settings, run: "RunInfo") -> int:
    """Tell what became of the rows of a run; return the exit code."""
    report = run.report
    if settings.json:
        say_json({"run": run.id, "state": run.state, **_plain_report(report)})
    elif run.kind == "move":
        say(f"The storage is {run.target}: {run.rows:,} files were moved.")
        for name in run.left:
            say(f"Existed already, or is no file (not copied): {name}")
    elif run.kind == "check":
        say(f"{run.file}: {report.total:,} rows: {summary(run)}. Nothing was changed.")
        for reason in report.refused:
            say(f"An import would refuse the file: {reason}")
        _tell_corrected(report)
        _tell_reasons(report)
        if run.undoes is not None:
            say(f"To take it back: kofactl undo {run.undoes}")
    else:
        say(f"{run.file}: {report.total:,} rows in {report.seconds:.1f} s: {summary(run)}.")
        _tell_corrected(report)
        _tell_reasons(report)
        _tell_files(run)
        if "undo" in run.actions:
            say(f"To take it back: kofactl undo {run.id}")
    return DONE if report.successful else LEFT


def tell_left(settings: Settings, run: "RunInfo") -> None:
    """Tell a program of a run that was left before its end; people are told by the message."""
    if settings.json:
        say_json(plain_run(run))


def tell_check(
    settings: Settings, run: "RunInfo", rows: Sequence["CheckedRow"], limit: int, command: str
) -> int:
    """Tell what an import would do; return the exit code.

    Of `rows`, those of interest, the first `limit` are shown; `command` imports exactly this.
    """
    report = run.report
    if settings.json:
        plain = {"run": run.id, "state": run.state, **_plain_report(report)}
        say_json({**plain, "rows": [asdict(row) for row in rows[:limit]]})
        return DONE if report.successful else LEFT
    tell_end(settings, run)
    if report.duplicates:
        say(f"Rows that mean the same object as an earlier row: {report.duplicates:,}.")
    if report.under_new:
        say(f"Rows below objects that earlier rows make: {report.under_new:,}.")
    if rows[:limit]:
        show_table(
            ("Row", "Line", "Object", "Would be", "What"),
            ((row.number, row.line, row.key, row.outcome, _what(row)) for row in rows[:limit]),
            right="Row Line",
        )
    if rows[limit:]:
        say("There are more such rows; --rows N shows N of them.")
    say(f"To import exactly this: {command}")
    return DONE if report.successful else LEFT


def tell_run(run: "RunInfo", *, is_attended: bool) -> None:
    """Tell a person all about a run."""
    more = run.target if run.kind == "move" else f"{run.processor}, {run.mode}"
    say(
        f"{run.kind.capitalize()} of {run.file} ({more}), ordered by "
        f"{run.owner} at {run.queued.astimezone():%Y-%m-%d %H:%M:%S}: "
        f"{state_of(run, is_attended=is_attended)}."
    )
    if run.fault:
        say(run.fault)
    if run.report.total:
        say(f"{run.report.total:,} rows: {summary(run)}.")
    elif run.rows:
        say(f"{run.rows:,} rows, {run.failed:,} of them failed.")
    _tell_corrected(run.report)
    _tell_reasons(run.report)
    _tell_files(run)
    for text, other in (
        ("It keeps to the check", run.check),
        (
            "It takes back the import" if run.kind == "undo" else "It is about an undo of",
            run.undoes,
        ),
        ("It is taken back by", run.undone_by),
        ("It goes on in the name of", None if run.user == run.owner else run.user),
    ):
        if other is not None:
            say(f"{text} {other}.")
    if run.undo_until is not None:
        until = f"{run.undo_until.astimezone():%Y-%m-%d}"
        say(f"It can be taken back until {until}; that needs {run.undo_bytes:,} bytes.")
    told = ways(run)
    if told:
        say(told)


def show_runs(runs: Iterable["RunInfo"], *, is_attended: bool) -> None:
    """Show runs as a table."""
    show_table(
        ("Run", "What", "File", "Mode", "State", "Rows", "Failed", "Ordered", "By"),
        (
            (
                run.id,
                "undo check" if run.kind == "check" and run.undoes else run.kind,
                run.file,
                run.mode,
                state_of(run, is_attended=is_attended),
                f"{run.report.total or run.rows:,}",
                f"{run.report.failed or run.failed:,}",
                f"{run.queued.astimezone():%Y-%m-%d %H:%M}",
                run.owner,
            )
            for run in runs
        ),
        right="Rows Failed",
    )


def plain_run(run: "RunInfo") -> dict[str, Any]:
    """Return a run for programs."""
    plain = {name: getattr(run, name) for name in run.__dataclass_fields__}
    for name in ("queued", "started", "ended", "undo_until", "kept_until"):
        plain[name] = None if plain[name] is None else plain[name].isoformat()
    for name, digits in (("fraction", 4), ("rate", 1), ("remaining", 1)):
        plain[name] = None if plain[name] is None else round(plain[name], digits)
    plain["wish"] = None if run.wish is None else run.wish.as_dict()
    return {**plain, "report": _plain_report(run.report), "actions": list(run.actions)}


def _plain_report(report: "Report") -> dict[str, Any]:
    return {**report.as_dict(), "seconds": round(report.seconds, 3)}


def _tell_corrected(report: "Report") -> None:
    if report.corrected:
        say(f"Rows that were corrected before: {report.corrected:,}. The file stays as it was.")


def _tell_reasons(report: "Report") -> None:
    for message, number in report.reasons:
        say(f"  {number:,} x {message}")
    if report.reasons and report.unexplained:
        say(f"  {report.unexplained:,} x other reasons")


def _tell_files(run: "RunInfo") -> None:
    """Say where the rows are."""
    if run.report.finished:
        what = "What became of each row" if run.kind == "undo" else "Finished rows"
        say(f"{what}: {run.report.finished}")
    if run.report.pending:
        say(f"Pending rows, each with its reason: {run.report.pending}")


def _what(row: "CheckedRow") -> str:
    parts = [f"{name}: {_text(old)} -> {_text(new)}" for name, old, new in row.changes]
    if row.reason:
        parts.append(row.reason.rstrip("."))
    if row.same_as is not None:
        parts.append(f"the same object as row {row.same_as:,}")
    return "; ".join(parts)


def _text(value: str | None) -> str:
    return "nothing" if value is None else repr(value)
