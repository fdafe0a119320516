"""How often something is looked up for a row that is the same for all rows.

Calls are counted by Python's own profiler in two runs of different length: what the longer one
has more belongs to its rows, all else is done once, or once a batch.
"""

import cProfile
from pathlib import Path
from typing import Any

from benchmarks import runs
from benchmarks.frame import Call, Outcome, Run

__all__ = ["run"]

ROWS = 4_000
#: As many calls for a row are said to be none: what is done once a batch.
NOISE = 0.1
CASES = {
    "create": "Create",
    "update": "Update",
    "upsert": "Upsert",
    "remove": "Remove",
    "tickets": "Ticket",
}
#: What is counted: ends of paths of modules, and functions in them; none: all of them.
COUNTED = {
    "utilities": (
        ("zope/component/_api.py",),
        ("getUtility", "queryUtility", "getUtilitiesFor", "getAllUtilitiesRegisteredFor"),
    ),
    "vocabularies": (("zope/schema/vocabulary.py", "university/vocabularies.py"), ()),
    "permissions": (
        ("zope/security/management.py", "zope/securitypolicy/zopepolicy.py"),
        ("checkPermission",),
    ),
    "loggers": (("logging/__init__.py",), ("getLogger",)),
    "savepoints": (("transaction/_transaction.py",), ("savepoint",)),
    "the site": (("zope/component/hooks.py",), ("getSite",)),
    "adapters": (("zope/component/hooks.py",), ("adapter_hook",)),
    "the principal": (("zope/security/management.py",), ("queryInteraction",)),
}
#: Subscribers of libraries look for their utilities at each event; that is what they cost.
SUBSCRIBERS = ("zope/intid/__init__.py", "zope/catalog/catalog.py")
BY_SUBSCRIBERS = "utilities, by subscribers of libraries"
#: What no row may look up.
NEVER = ("utilities", "vocabularies", "permissions", "loggers", "savepoints")


def run(folder: Path, quick: bool) -> Outcome:
    """Count for all cases."""
    rows = ROWS // 4 if quick else ROWS
    for number in (rows // 2, rows):
        own = folder / str(number)
        own.mkdir()
        for base in {runs.CASES[case].base for case in CASES}:
            runs.prepare(own, base, number)
    found = {case: _by_row(folder, case, rows) for case in CASES}
    lines, missed = [], 0
    for name in (*COUNTED, BY_SUBSCRIBERS):
        counts = [found[case][name] for case in CASES]
        is_missed = name in NEVER and max(counts) > NOISE
        missed += is_missed
        target = f"0, {'MISSED' if is_missed else 'met'}" if name in NEVER else "-"
        lines.append((name, *(f"{count:.2f}" for count in counts), target))
    return Outcome(("Looked up for a row", *CASES.values(), "Target"), lines, missed)


def _by_row(folder: Path, case: str, rows: int) -> Run:
    few, many = (
        Call(counted, (case, str(folder / str(number)), number)).run()
        for number in (rows // 2, rows)
    )
    more = many["rows"] - few["rows"]
    return {name: (many[name] - few[name]) / more for name in (*COUNTED, BY_SUBSCRIBERS)}


def counted(case: str, folder: str, rows: int) -> Run:
    """Return how often what is counted was called in a run, and of how many rows that was."""
    profile = cProfile.Profile()
    found = profile.runcall(runs.ours, case, folder, rows)
    profile.create_stats()
    # The profiler has no types.
    stats: dict[tuple[str, int, str], Any] = profile.stats  # type: ignore[attr-defined]
    calls: Run = dict.fromkeys((*COUNTED, BY_SUBSCRIBERS), 0)
    for name, (ends, functions) in COUNTED.items():
        for (path, _line, function), (_own, number, _time, _all, callers) in stats.items():
            if not path.endswith(ends) or (functions and function not in functions):
                continue
            foreign = sum(
                counts[1] for caller, counts in callers.items() if caller[0].endswith(SUBSCRIBERS)
            )
            calls[name] += number - foreign
            calls[BY_SUBSCRIBERS] += foreign
    return {**calls, "rows": found["rows"], "seconds": found["seconds"]}
