"""Damage as one of the benchmarks: files with wrong rows, against readers in common use."""

import sys
from pathlib import Path

from benchmarks.damage.corpus import make_drafts
from benchmarks.damage.trial import KEPT_AT_LEAST, try_reader
from benchmarks.frame import Outcome

__all__ = ["run"]

SEEDS = (1, 2, 3)
FILES = 3000
NAMES = {"csv": "csv.DictReader", "width": "csv.reader, width checked", "kofa": "open_table"}


def run(folder: Path, quick: bool) -> Outcome:
    """Let all readers read the same files, made in `folder`."""
    lines, missed = [], 0
    for name, title in NAMES.items():
        print(f"damage: {title}", file=sys.stderr, flush=True)
        trials = [
            try_reader(name, make_drafts(seed, FILES // (10 if quick else 1), bool), folder)
            for seed in SEEDS
        ]
        files = sum(trial.files.total() for trial in trials)
        corrupt = sum(trial.corrupt.total() for trial in trials)
        kept = sum(trial.kept.total() for trial in trials)
        kept_of = sum(trial.scored.total() for trial in trials)
        target = "-"
        if name == "kofa":
            is_met = all(trial.is_good for trial in trials)
            target = f"0 and {KEPT_AT_LEAST:.0%}, {'met' if is_met else 'MISSED'}"
            missed = int(not is_met)
        lines.append((title, f"{files:,}", f"{corrupt:,}", f"{kept / kept_of:.1%}", target))
    return Outcome(("Reader", "Files", "Silently corrupt", "Kept", "Target"), lines, missed)
