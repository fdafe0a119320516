"""The command `python -m benchmarks.damage`; exit code 1 says that a reader is not good enough."""

import argparse
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.damage.corpus import make_drafts
from benchmarks.damage.readers import READERS
from benchmarks.damage.trial import Trial, try_reader

SHOWN = 10


def main() -> int:
    options = _options()
    with TemporaryDirectory(prefix="kofa-damage-") as temporary:
        folder = Path(options.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        drafts = make_drafts(options.seed, options.files, re.compile(options.only).search)
        trial = try_reader(options.reader, drafts, folder, bool(options.keep))
    _print(options, trial)
    return int(not trial.is_good)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.damage",
        description="Damage tables in many ways, and judge what a reader makes of them.",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--only", default="", metavar="REGEX", help="families of damage")
    parser.add_argument("--reader", default="kofa", choices=READERS)
    parser.add_argument("--report", metavar="FILE", help="write down all that went wrong")
    parser.add_argument("--keep", metavar="FOLDER", help="leave the files there")
    return parser.parse_args()


def _print(options: argparse.Namespace, trial: Trial) -> None:
    print(f"{'damage':58} files corrupt  kept")
    counters = trial[:4]
    for family in sorted(trial.files):
        _print_line(family, *(counter[family] for counter in counters))
    _print_line("all", *(counter.total() for counter in counters))
    print(
        f"\nseed {options.seed}, reader {options.reader}: {trial.files.total()} files,"
        f" {trial.corrupt.total()} silently corrupt, {trial.kept.total()} of"
        f" {trial.scored.total()} kept ({trial.share:.2%})"
    )
    failures = trial.failures
    if options.report:
        Path(options.report).write_text("\n".join(failures), encoding="utf-8")
    elif failures:
        print("\nFor example (--report FILE for all):\n")
        print("\n".join(failures[:: max(1, len(failures) // SHOWN)][:SHOWN]))


def _print_line(family: str, files: int, corrupt: int, scored: int, kept: int) -> None:
    print(f"{family:58} {files:5} {corrupt or '-':>7} {kept:5}/{scored}")


if __name__ == "__main__":
    sys.exit(main())
