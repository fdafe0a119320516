"""The pages of the manual, read for tests: their blocks, and the names that they use."""

import re
import unittest
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[5] / "docs"

_MARK = re.compile(r"^\s*(?:\.\. )?:doctest:", re.MULTILINE)
_NAMED = re.compile(r"(?<![`\w:])`([^`\n<>]+)`(?![`_])")
#: Why the blocks of a page that look like commands are not executed.
_NOT_EXECUTED = re.compile(r"^Not executed: (.+(?:\n.+)*)", re.MULTILINE)

#: A call of kofactl: behind a prompt, the times of cron, the folder of the program, or nothing.
_CALL = re.compile(r"^\s*(?:\$ |[\d* ]+  )?(?:sudo \S.*?)?(?:/\S+/|bin/)?kofactl (.*)$")


class Block(NamedTuple):
    """A literal block; `line` is where it begins, counted from 1."""

    line: int
    text: str


class Page:
    """A page of the manual."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.text = path.read_text(encoding="utf-8")

    @property
    def is_executed(self) -> bool:
        """Whether its examples are."""
        return _MARK.search(self.text) is not None

    @property
    def reason(self) -> str:
        """Why other blocks are not executed, or ''."""
        found = _NOT_EXECUTED.search(self.text)
        return " ".join(found[1].split()) if found else ""

    @cached_property
    def blocks(self) -> list[Block]:
        """The literal blocks: what stands indented below ``::``."""
        return list(_blocks(self.text.splitlines()))

    @property
    def named(self) -> list[str]:
        """What stands between single backquotes: names of the code."""
        plain = _without_blocks(self.text)
        return [" ".join(each.split()) for each in _NAMED.findall(plain)]

    @property
    def commands(self) -> Iterator[tuple[int, str]]:
        """Generate line and arguments of each call of ``kofactl`` in literal blocks."""
        for block in self.blocks:
            for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
                found = _CALL.match(re.sub(r"\s#\s.*", "", line))
                if found:
                    yield block.line, found[1]


def _blocks(lines: list[str]) -> Iterator[Block]:
    place = 0
    while place < len(lines):
        line = lines[place]
        place += 1
        if not line.rstrip().endswith("::") or line.lstrip().startswith(".. "):
            continue
        depth = len(line) - len(line.lstrip())
        while place < len(lines) and not lines[place].strip():
            place += 1
        begin, taken = place + 1, []
        while place < len(lines) and (
            not lines[place].strip() or len(lines[place]) - len(lines[place].lstrip()) > depth
        ):
            taken.append(lines[place])
            place += 1
        yield Block(begin, "\n".join(taken).rstrip())


def _without_blocks(text: str) -> str:
    """Return the text without literal blocks, examples and comments."""
    lines = text.splitlines()
    for block in _blocks(lines):
        count = len(block.text.splitlines())
        lines[block.line - 1 : block.line - 1 + count] = [""] * count
    text = "\n".join(lines)
    text = re.sub(r"^ +>>> .*\n(?:^ +\S.*\n)*", "\n", text, flags=re.MULTILINE)
    return re.sub(r"``.+?``", "", text, flags=re.DOTALL)


def pages() -> dict[str, Page]:
    """Return all pages by name.  An installed package has none: the test is skipped then."""
    if not DOCS.is_dir():
        raise unittest.SkipTest("no checkout: the manual is not installed")
    return {path.stem: Page(path) for path in sorted(DOCS.glob("*.rst"))}
