"""Figures as text: for the terminal, and for `docs/benchmarks.rst`."""

import platform
import re
import time
from pathlib import Path

from benchmarks.frame import ROOT, Outcome

__all__ = ["PAGE", "as_table", "machine", "write_figures"]

PAGE = ROOT / "docs" / "benchmarks.rst"


def as_table(outcome: Outcome) -> str:
    """Return a table that people and Sphinx can read."""
    grid = [outcome.heading, *outcome.lines]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    heading, *lines = (
        "  ".join(
            # Figures stand below each other.
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in grid
    )
    return "\n".join([rule, heading, rule, *lines, rule])


def machine() -> str:
    """Return in one sentence where and when the figures are made."""
    cores, model = 0, platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        models = re.findall(r"^model name\s*:\s*(.*)$", cpus.read_text(encoding="utf-8"), re.M)
        cores, model = len(models), models[0] if models else model
    count = f"{cores} cores of " if cores else ""
    return (
        f"{platform.python_implementation()} {platform.python_version()} on"
        f" {platform.system()}, {count}{model}, {time.strftime('%Y-%m-%d')}."
    )


def write_figures(name: str, text: str, page: Path = PAGE) -> None:
    """Put `text` between the two markers of the benchmark `name` on `page`."""
    begin, end = f".. figures of {name}\n", f".. end of the figures of {name}\n"
    before, _begin, rest = page.read_text(encoding="utf-8").partition(begin)
    _old, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page} has no place for the figures of {name}.")
    page.write_text(f"{before}{begin}\n{text}\n\n{end}{after}", encoding="utf-8")
