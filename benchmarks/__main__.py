"""The command behind `make bench`; exit code 1 says that a target was missed."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import exporting, home, memory, mending, profiling, reading, runs
from benchmarks.damage import run as damage
from benchmarks.pages import as_table, machine, write_figures

BENCHMARKS = {
    "reading": reading.run,
    "memory": memory.run,
    "damage": damage.run,
    "runs": runs.run,
    "profile": profiling.run,
    "home": home.run,
    "mending": mending.run,
    "exporting": exporting.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make bench", description="Measure the data center against named floors."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; all without a name"
    )
    parser.add_argument("--quick", action="store_true", help="small files, rough figures")
    parser.add_argument(
        "--write", action="store_true", help="put the figures into docs/benchmarks.rst"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if options.write and options.quick:
        parser.error("rough figures are not written down; leave out --quick or --write")
    missed = 0
    for name in options.names or BENCHMARKS:
        with TemporaryDirectory(prefix="kofa-bench-") as folder:
            outcome = BENCHMARKS[name](Path(folder), options.quick)
        text = f"{as_table(outcome)}\n\n{machine()}"
        print(f"\n{text}\n", flush=True)
        if options.write:
            write_figures(name, text)
        missed += outcome.missed
    if missed:
        print(f"Targets missed: {missed}", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
