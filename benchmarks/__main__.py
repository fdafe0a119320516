"""The command behind `make bench`; exit code 1 says that a target was missed."""

import argparse
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import (
    exporting,
    files,
    growth,
    home,
    lookups,
    memory,
    mending,
    peers,
    profiling,
    reading,
    runs,
    scaling,
    searching,
    starting,
)
from benchmarks.damage import run as damage
from benchmarks.frame import Outcome
from benchmarks.pages import as_table, machine, write_figures

#: By name; besides the folder and whether it is to be quick they take what their cases need.
BENCHMARKS: dict[str, Callable[..., Outcome]] = {
    "reading": reading.run,
    "memory": memory.run,
    "damage": damage.run,
    "runs": runs.run,
    "growth": growth.run,
    "peers": peers.run,
    "profile": profiling.run,
    "lookups": lookups.run,
    "start": starting.run,
    "home": home.run,
    "mending": mending.run,
    "exporting": exporting.run,
    "searching": searching.run,
    "files": files.run,
    "storages": scaling.storages,
    "scaling": scaling.curve,
    "commits": scaling.commits,
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
    parser.add_argument("--rows", type=int, metavar="N", help="rows of the tables")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each is measured")
    parser.add_argument(
        "--cases", type=lambda text: text.split(","), metavar="CASE,...", help="only these cases"
    )
    parser.add_argument(
        "--cpu", action="store_true", help="count the processor's time: other programs run, too"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if options.write and (options.quick or options.rows or options.cases or options.cpu):
        parser.error("rough figures, and some of many, are not written down; leave out --write")
    more = {name: getattr(options, name) for name in ("rows", "rounds", "cases", "cpu")}
    more = {name: value for name, value in more.items() if value}
    missed = 0
    for name in options.names or BENCHMARKS:
        run = BENCHMARKS[name]
        foreign = sorted(more.keys() - signature(run).parameters.keys())
        if foreign:
            parser.error(f"{name} does not know --{foreign[0]}")
        with TemporaryDirectory(prefix="kofa-bench-") as folder:
            outcome = run(Path(folder), options.quick, **more)
        text = "\n\n".join(filter(None, (as_table(outcome), outcome.note, machine())))
        print(f"\n{text}\n", flush=True)
        if options.write:
            write_figures(name, text)
        missed += outcome.missed
    if missed:
        print(f"Targets missed: {missed}", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
