"""Words for what the data center does: modes, files, and runs in their kinds and states."""

from typing import Any, NamedTuple

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import RunInfo


class Mode(NamedTuple):
    """What can be done with the rows of a file."""

    name: str
    title: Any
    help: Any


MODES = (
    Mode("create", _("Create"), _("Make a new object of each row.")),
    Mode(
        "update",
        _("Update"),
        _("Change the objects that the rows name; empty cells change nothing."),
    ),
    Mode(
        "upsert",
        _("Create or update"),
        _("Change the objects that are there already, and make the others."),
    ),
    Mode("remove", _("Remove"), _("Remove the objects that the rows name.")),
)
_MODE_TITLES = {mode.name: mode.title for mode in MODES}

#: Formats of exports, and ways to pack them, the usual one first.
FORMAT_TITLES = {
    "csv": _("CSV (text, commas)"),
    "tsv": _("TSV (text, tabs)"),
    "xlsx": _("Workbook (XLSX)"),
}
PACKING_TITLES = {"": _("not packed"), "gzip": _("packed (.gz)"), "zip": _("packed (.zip)")}

_KINDS = {
    "import": _("Import"),
    "check": _("Check"),
    "undo": _("Undo"),
    "export": _("Export"),
    "move": _("Move of the storage"),
}
_STATES = {
    "queued": _("Waiting"),
    "running": _("Running"),
    "distributing": _("Putting files into their places"),
    "finished": _("Finished"),
    "stopped": _("Stopped"),
    "cancelled": _("Cancelled"),
    "undone": _("Taken back"),
}
_LOOKS = {
    "running": "info",
    "distributing": "info",
    "finished": "good",
    "stopped": "bad",
    "cancelled": "warn",
}
#: What a run does to a file that it has for itself; the first text for an import.
_HOLDING = {
    "queued": (_("Waits for its import"), _("Its import waits to be taken back")),
    "running": (
        _("Is being imported, ${percent} %"),
        _("Its import is being taken back, ${percent} %"),
    ),
    "stopped": (_("Its import has stopped"), _("Taking back its import has stopped")),
    "cancelled": (
        _("Its import was cancelled half way"),
        _("Taking back its import was cancelled half way"),
    ),
}
_HOLDING["distributing"] = _HOLDING["running"]


def mode_title(name: str | None) -> Any:
    """Return what people call a mode; a site may have modes of its own."""
    return _MODE_TITLES.get(name or "", name)


def kind_title(run: RunInfo) -> Any:
    """Return what people call a run of that kind."""
    if is_preview(run):
        return _("Preview of an undo")
    return _KINDS[run.kind]


def state_title(run: RunInfo) -> Any:
    """Return how a run is, in a word or two."""
    if run.is_active and run.is_cancelling:
        return _("Being cancelled")
    return _STATES[run.state]


def state_look(run: RunInfo) -> str:
    """Return how the state of a run looks: ``good``, ``warn``, ``bad``, ``info`` or ``calm``."""
    if run.state == "finished" and run.report.failed:
        return "warn"
    return _LOOKS.get(run.state, "calm")


def is_preview(run: RunInfo) -> bool:
    """Tell whether a run finds out what an undo would do."""
    return run.kind == "check" and run.undoes is not None


def holding_text(run: RunInfo) -> Any:
    """Say of a file what the run does that it belongs to."""
    text = _HOLDING[run.state][run.kind == "undo"]
    if run.is_looking:
        text = _("Is being looked at as a whole, ${percent} %")
    return _(text, mapping={"percent": percent(run)})


def percent(run: RunInfo) -> int:
    """Return how much of a run is done; 100 is said only when all rows are."""
    share = int(run.fraction * 100)
    return min(share, 99) if run.state == "running" else share


def duration(seconds: float) -> Any:
    """Say how long something will take, no more exactly than anybody can know."""
    if seconds < 60:
        return _("less than a minute")
    minutes = round(seconds / 60)
    if minutes < 90:
        return _("about ${n} min", mapping={"n": minutes})
    return _("about ${n} h", mapping={"n": round(seconds / 3600)})
