"""Long lists on pages: a part of one, its number, and the ways to the other parts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from zope.browserpage import ViewPageTemplateFile

#: The ways to the other pages of a list; pages with lists have them as `show_pages`.
PAGES = ViewPageTemplateFile("paging.pt")
#: Pages that are named beside the one that is shown, on either side.
BESIDE = 2
#: Digits of a page's number that are looked at.
DIGITS = 9


class Part(NamedTuple):
    """The `items` on page `number` of `last`, both from 1, and how many items there are."""

    items: Sequence[Any]
    number: int
    last: int
    total: int
    size: int

    @property
    def first_item(self) -> int:
        """Which of all items is the first one here, from 1; 0 where there is none."""
        return (self.number - 1) * self.size + 1 if self.total else 0

    @property
    def last_item(self) -> int:
        """Which of all items is the last one here."""
        return (self.number - 1) * self.size + len(self.items)

    @property
    def numbers(self) -> list[int | None]:
        """The pages to choose from: first, last, and near ones; None for those between."""
        near = range(self.number - BESIDE, self.number + BESIDE + 1)
        shown = sorted({1, self.last, *(n for n in near if 1 <= n <= self.last)})
        found: list[int | None] = []
        for before, number in zip([0, *shown], shown, strict=False):
            if number == before + 2:
                found.append(before + 1)
            elif number > before + 2:
                found.append(None)
            found.append(number)
        return found


def paged(items: Sequence[Any], asked: str, size: int) -> Part:
    """Return the page that is asked for; the nearest where there is none of that number."""
    last = max(-(-len(items) // size), 1)
    is_number = asked.isdecimal() and len(asked) <= DIGITS
    number = min(max(int(asked) if is_number else 1, 1), last)
    return Part(items[(number - 1) * size : number * size], number, last, len(items), size)
