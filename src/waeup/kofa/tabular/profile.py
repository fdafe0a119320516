"""What the cells of a column look like, learned from rows at the top of a table.

A person sees at once that a row is not like the others.  A `Profile` is that
knowledge: it tells the names of columns from a row, a row from text that happens
to have as many delimiters, and a whole cell from one that was cut off.  It is
asked where something else is odd already, and never refuses a row by itself for
an unusual value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from itertools import zip_longest

from waeup.kofa.tabular.detection import Record

__all__ = ["Column", "Profile", "is_figure", "learn"]

#: Rows that a profile is made of.
LEARNED_ROWS = 200
#: Rows that are looked at as the beginning of another table.
_LOOKS = 20

_DATE = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
_TIME = r"\d{1,2}:\d\d(?::\d\d)?"
#: Kinds of values, the narrowest first.  Each is for whole cells.
_KINDS = tuple(
    re.compile(pattern)
    for pattern in (
        r"[+-]?\d+",
        r"[^\w\s'\"]{0,2}\s?[+-]?(?:\d(?:[\d.,']*[\d.,])?|[.,]\d+)(?:[eE][+-]?\d+)?\s?[%€$£]?",
        rf"{_DATE}(?:[ T]{_TIME}(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?#?",
        _TIME,
        r"[^@\s]+@[^@\s]+\.\w+",
        r"\w+://\S+",
    )
)
_INTEGERS = re.compile(r"(?:[+-]?\d*\n)*[+-]?\d*")
#: Values that must be there before a column is said to have a kind.
_FEW = 2
#: Values that must be there before they are said to have one form.
_ENOUGH = 3
#: Part of the values that has to agree: the rows that teach may be damaged, too.
_MOST = 0.85
#: Values from which on those that stand again and again are said to be all that there are.
_CHOICES = 8
#: Rows from which on the last cell of a file has to look complete, not just possible.
_MANY = 5

_NAME = re.compile(r"[^\W\d_][^\d,;:!?]+")
_YEAR = re.compile(r"(?:19|20)\d\d")
#: Characters of a value that is hardly cut to another value by accident.
_LONG = 5
#: How much longer than those that were seen a text may be.
_LONGER = 1.5
_UNIT = re.compile(r"[(\[].*[)\]]")
_DIGITS = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]")
_WORDS = re.compile(r"[^\W\d_]+")
_RUNS = re.compile(r"9+|a+")


def _shape(text: str) -> str:
    """Return `text` with each digit as 9 and each letter as a."""
    return _LETTERS.sub("a", _DIGITS.sub("9", text))


def _outline(text: str) -> str:
    """Return the shape of `text` with runs made short: ``MG-8769`` is ``a-9``."""
    return _RUNS.sub(lambda run: run.group()[0], _shape(text))


def _style(text: str) -> str:
    """Return in which case, and whether in one word, a name is written."""
    if not text or not _LETTERS.search(text):
        return ""
    case = "lower" if text.islower() else "upper" if text.isupper() else "mixed"
    return case + (" words" if " " in text.strip() else "")


def _majority(values: Sequence[str]) -> str | None:
    """Return the value that most of `values` have, or None."""
    if not values:
        return None
    value, count = Counter(values).most_common(1)[0]
    return value if _are_most(count, len(values)) else None


def _are_most(count: int, total: int) -> bool:
    """Tell whether `count` of `total` rows say what the others, some of them damaged, do not."""
    return total - count <= max((1 - _MOST) * total, total > _ENOUGH)


class Column:
    """The values of one column, as far as they were seen."""

    def __init__(self, values: Sequence[str]) -> None:
        self._all = values
        self._values = [value for value in values if value.strip()]

    @cached_property
    def kind(self) -> re.Pattern[str] | None:
        """An expression for the values of the column; None when any text may be one."""
        values = self._values
        if len(values) < _FEW:
            return None
        for kind in _KINDS:
            if _are_most(sum(map(bool, map(kind.fullmatch, values))), len(values)):
                return kind
        if not _are_most(sum(map(bool, map(_DIGITS.search, values))), len(values)):
            return None
        outline = _majority([_outline(value) for value in values])
        if outline is None or "9" not in outline or len(outline) > 12:
            return None
        parts = [{"9": r"\d+", "a": r"[^\W\d_]+"}.get(part, re.escape(part)) for part in outline]
        return re.compile("".join(parts))

    @property
    def are_figures(self) -> bool:
        """Whether the values are numbers, dates or times."""
        return self.kind in _KINDS[:4]

    def has_figure(self, text: str) -> bool:
        """Tell whether `text` is a figure among figures; years among others are names."""
        if not self.are_figures or not is_figure(text):
            return False
        return _YEAR.fullmatch(text) is None or self.fits_closely(text)

    def may_hold(self, values: Sequence[str]) -> bool:
        """Tell whether `values` can be those of this column of figures, by their characters."""
        joined = "".join(values)
        # Digits alone are the rule, and quickly seen.
        if joined.isdigit():
            return True
        if self.kind is _KINDS[0]:
            return _INTEGERS.fullmatch("\n".join(values)) is not None
        return self._characters.fullmatch(joined) is not None

    @cached_property
    def _characters(self) -> re.Pattern[str]:
        seen = {char for value in self._values if self.fits(value) for char in value}
        return re.compile(rf"[\d\s+.,{re.escape(''.join(sorted(seen)))}-]*")

    @cached_property
    def _lengths(self) -> tuple[int, int]:
        lengths = [len(value) for value in self._values]
        return min(lengths, default=0), max(lengths, default=0)

    @cached_property
    def _are_choices(self) -> bool:
        """Whether the values are few that stand again and again."""
        return len(self._counts) <= len(self._values) / 2

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter(self._all)

    def fits(self, text: str) -> bool:
        """Tell whether `text` can be a value of the column."""
        return self.kind is None or not text.strip() or self.kind.fullmatch(text) is not None

    def is_odd(self, text: str) -> bool:
        """Tell whether `text` is unlike the values: of another kind, or a figure among words.

        What stands in several rows, such as ``absent`` among marks, is usual.
        """
        if self.kind is not None:
            return not self.fits(text) and self._counts[text] < _FEW
        return self.has_words and is_figure(text)

    def likeness(self, text: str, closely: bool = False) -> int:
        """Return 1 when `text` is like the values, -1 when it is unlike them, or 0.

        `closely` asks for a figure to have the length that they have.
        """
        if not text.strip():
            return -1 if self.is_always_filled else 0
        if self.is_odd(text):
            return -1
        if self.kind is not None:
            return 1 if self.fits(text) and (not closely or self.fits_closely(text)) else 0
        if self._are_choices and len(self._values) >= _CHOICES:
            # What stands once may come from the damaged row in question.
            return min(self._counts[text], 2) - 1
        return 1 if self.has_words else 0

    @property
    def is_always_filled(self) -> bool:
        """Whether no value is empty, as far as they were seen."""
        return len(self._values) >= max(_ENOUGH, _MOST * len(self._all))

    @property
    def has_likeness(self) -> bool:
        """Whether the values are alike enough to tell others from them."""
        return self.kind is not None or self.has_words

    @cached_property
    def has_words(self) -> bool:
        """Whether the values are words, not figures."""
        words = sum(map(bool, map(_LETTERS.search, self._values)))
        return len(self._values) >= _ENOUGH and _are_most(words, len(self._values))

    def fits_closely(self, text: str) -> bool:
        """Tell whether `text` is of the column's kind, and of the form of its values."""
        if self.kind is None or not self.kind.fullmatch(text):
            return False
        if self.kind not in _KINDS:
            return set(_WORDS.findall(text)) <= self._words and _shape(text) in self._shapes
        low, high = self._usual_lengths
        return low <= len(text) <= high

    @cached_property
    def _usual_lengths(self) -> tuple[int, int]:
        """The bounds of lengths without those of a single value, which may be damaged."""
        counts = Counter(map(len, self._values))
        usual = [length for length, count in counts.items() if count > 1]
        return (min(usual), max(usual)) if usual else self._lengths

    @cached_property
    def _shapes(self) -> frozenset[str]:
        return frozenset(map(_shape, self._values))

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(word for value in self._values for word in _WORDS.findall(value))

    def without(self, text: str) -> Column:
        """Return the column without one of the values `text`."""
        values = list(self._all)
        if text in values:
            values.remove(text)
        return Column(values)

    def is_whole(self, text: str) -> bool | None:
        """Tell whether the value `text` is complete, or was cut off at its end.

        None when the other values do not tell.
        """
        if not self._values:
            return True if not text and self._all else None
        if not text.strip():
            return None if "" in self._counts else False
        shape = _majority([_shape(value) for value in self._values])
        # Words of one length are an accident.
        if shape is not None and not shape.isalpha() and len(self._values) >= _ENOUGH:
            if _shape(text) == shape:
                return True
            if len(self._shapes) == 1:
                return False
        longer = any(value != text and value.startswith(text) for value in self._counts)
        if text in self._counts and not longer and len(text) >= _LONG:
            return True
        if self._are_choices:
            if text in self._counts:
                return None if longer else True
            if longer:
                return False
        return self._ends_whole(text) if len(self._values) >= _ENOUGH else None

    def _ends_whole(self, text: str) -> bool | None:
        """Tell by its length and its end whether `text` is complete; see `is_whole`."""
        low, high = self._lengths
        if self.kind in _KINDS[:2] and "." not in text:
            if len(text) >= high and not any("." in value for value in self._values):
                return True
            return False if len(text) < low else None
        ending = _majority([_shape(value[-3:]) for value in self._values])
        if ending is not None and not ending.isalnum():
            return _shape(text[-3:]) == ending
        ending = _majority([value[-1:] for value in self._values])
        if ending is not None and not ending.isalnum():
            return text.endswith(ending)
        return None

    def may_begin_like(self, text: str) -> bool:
        """Tell whether values begin with a letter, digit or sign as `text` does."""
        return not self._values or _shape(text[:1]) in {_shape(value[0]) for value in self._values}

    def may_end_like(self, text: str) -> bool:
        """Tell whether values end with a letter, digit or sign as `text` does."""
        return not self._values or _shape(text[-1:]) in {_shape(v[-1]) for v in self._values}

    def has_choice(self, text: str) -> bool:
        """Tell whether `text` is one of few values that stand again and again."""
        return self._are_choices and text in self._counts

    def is_too_long(self, text: str) -> bool:
        """Tell whether `text` is longer than values are, by far if they are words."""
        longest = self._lengths[1]
        return self.has_many and len(text) > longest * (1 if self.kind else _LONGER)

    def begins_whole(self, text: str) -> bool:
        """Tell whether the value `text` is certainly complete at its beginning."""
        shape = _majority([_shape(value) for value in self._values])
        if shape is not None and len(self._values) >= _ENOUGH:
            return _shape(text) == shape
        longer = any(value != text and value.endswith(text) for value in self._counts)
        return self._are_choices and text in self._counts and not longer

    @property
    def has_many(self) -> bool:
        """Whether enough values were seen to expect an answer of `is_whole`."""
        return len(self._all) >= _MANY


class Profile:
    """What rows of a table look like, learned from `rows` of `width` cells each."""

    def __init__(self, rows: Sequence[Sequence[str]], width: int) -> None:
        self.rows = rows
        self.columns = [Column([row[at] for row in rows]) for at in range(width)]

    @cached_property
    def typed(self) -> list[int]:
        """Positions of the columns that have a kind."""
        return [at for at, column in enumerate(self.columns) if column.kind is not None]

    @cached_property
    def _figures(self) -> list[int]:
        """Positions of the columns in which all is numbers, dates and times."""
        return [
            at
            for at in range(len(self.columns))
            if self.rows and all(is_figure(row[at]) for row in self.rows)
        ]

    @cached_property
    def figures(self) -> list[tuple[int, Callable[[Sequence[str]], bool]]]:
        """The columns of figures, each with the test for its values."""
        columns = ((at, self.columns[at]) for at in self.typed)
        return [(at, column.may_hold) for at, column in columns if column.are_figures]

    def has_no_figures(self, cells: Sequence[str]) -> bool:
        """Tell whether there is something else where figures belong."""
        return not all(may_hold((cells[at],)) for at, may_hold in self.figures)

    @cached_property
    def _leading_blanks(self) -> bool:
        return any(cell[:1] == " " for row in self.rows for cell in row[1:])

    @cached_property
    def _styles(self) -> Counter[str]:
        return Counter(_style(cell) for row in self.rows for cell in row)

    def misfits(self, cells: Sequence[str]) -> list[int]:
        """Return the positions of cells that are not of the kind of their column."""
        return [at for at in self.typed if not self.columns[at].fits(cells[at])]

    def is_unlike_rows(self, cells: Sequence[str], varied: Collection[int]) -> bool:
        """Tell whether most values that should be of a kind are not.

        The columns `varied` have turned out to have other values, too.
        """
        filled = sum(bool(cells[at].strip()) for at in self.typed if at not in varied)
        wrong = [self.columns[at] for at in self.misfits(cells) if at not in varied]
        if not wrong or 2 * len(wrong) < filled:
            return False
        # A form such as that of addresses has more exceptions than figures have.
        return len(wrong) == filled or any(column.kind in _KINDS for column in wrong)

    def likeness(self, cells: Sequence[str]) -> int:
        """Return how many more of `cells` are like the values of their columns than unlike."""
        return sum(column.likeness(cell) for column, cell in zip(self.columns, cells, strict=True))

    def has_stray_quote(self, at: int, text: str) -> bool:
        """Tell whether `text` would be a value of the column `at` without a quote at one end."""
        return any(
            (text[:1] == quote) != (text[-1:] == quote)
            and self.columns[at].fits_closely(text.strip(quote))
            for quote in "\"'"
        )

    def is_like_a_row(self, cells: Sequence[str]) -> bool:
        """Tell whether `cells` can be a row and are no piece of running text."""
        if self.misfits(cells):
            return False
        filled = [at for at in self.typed if cells[at].strip()]
        if filled:
            return True
        return self._leading_blanks or not any(cell[:1] == " " for cell in cells[1:])

    def are_names(self, cells: Sequence[str]) -> bool | None:
        """Tell whether `cells` are names of columns, or a row like the others.

        None when nothing speaks for one of both.
        """
        if self.rows and all(is_figure(cell) for cell in cells if cell.strip()):
            return False
        filled = [at for at in self.typed if cells[at].strip()]
        if any(self.columns[at].has_figure(cells[at]) for at in filled):
            return False
        if filled and len(self.rows) >= (_ENOUGH if len(filled) > 1 else _MANY):
            values = sum(self.columns[at].fits_closely(cells[at]) for at in filled)
            wrong = self.misfits(cells)
            if 2 * values > len(filled):
                return False
            return True if wrong else None
        if self._repeats(cells):
            return False
        return True if self._is_in_other_style(cells) else None

    def are_more_names(self, cells: Sequence[str], header: Sequence[str]) -> bool:
        """Tell whether `cells`, below the names of the `header`, cannot be a row."""
        wrong = self.misfits(cells)
        filled = [at for at in self.typed if cells[at].strip()]
        if not wrong or wrong != filled:
            return False
        if all(name in cell for name, cell in zip(header, cells, strict=True)):
            return True
        units = any(map(_UNIT.fullmatch, cells))
        return (len(wrong) > 1 or units) and not any(map(_DIGITS.search, cells))

    def begins_a_table(self, cells: Sequence[str], header: Sequence[str], apart: bool) -> bool:
        """Tell whether a row is the header of another table.

        `apart` says that a blank line stands in front of it.
        """
        if not all(cell.strip() for cell in cells):
            return False
        wrong = self.misfits(cells)
        if wrong != self.typed or any(map(is_figure, cells)):
            return False
        if apart and self._figures:
            return True
        if len(set(map(str.casefold, cells))) < len(cells):
            return False  # a name stands once
        if not apart and not all(map(_NAME.fullmatch, cells)):
            return False
        likeness = [
            column.likeness(cell) for column, cell in zip(self.columns, cells, strict=True)
        ]
        if wrong and max(likeness) < 0 < len(cells) - 1:
            return True
        same = self.is_styled_as(cells, header)
        if wrong and (apart or (len(wrong) > 1 and (same or len(self.rows) >= _MANY))):
            return True
        known = apart or (bool(wrong) and len(self.rows) >= _MANY and len(cells) > 1)
        return known and same and self._is_in_other_style(cells)

    def is_styled_as(self, cells: Sequence[str], header: Sequence[str]) -> bool:
        """Tell whether `cells` are written in the cases in which the names are."""
        return list(map(_style, cells)) == list(map(_style, header))

    def _is_in_other_style(self, cells: Sequence[str]) -> bool:
        """Tell whether hardly a cell of the rows is written as all of `cells` are."""
        styles = {_style(cell) for cell in cells}
        if len(styles) != 1 or "" in styles or len(self.rows) < _ENOUGH:
            return False
        (style,) = styles
        return self._styles[style] <= 0.05 * self._styles.total()

    def _repeats(self, cells: Sequence[str]) -> bool:
        """Tell whether several of `cells` are frequent values of their columns."""
        if len(self.rows) < 10:
            return False
        frequent = [
            at
            for at, cell in enumerate(cells)
            if sum(row[at] == cell for row in self.rows) >= 0.2 * len(self.rows)
        ]
        return len(frequent) > 1


def learn(records: Sequence[Record], header: Sequence[str]) -> Profile:
    """Return the profile of a table from its first sound rows below the `header`.

    Rows behind what seems to be the header of another table teach nothing.
    """
    width = len(header)
    rows: list[tuple[str, ...]] = []
    doubtful: list[tuple[str, ...]] = []
    apart, looks, before = False, 0, True
    for record, after in zip_longest(records, records[1:]):
        cells = record.cells
        if cells is not None and len(cells) == width and cells != header:
            is_odd = apart or _DIGITS.search("".join(cells)) is None
            if rows and is_odd and looks < _LOOKS:
                looks += 1
                if Profile(rows, width).begins_a_table(cells, header, apart):
                    break
            # Beside damage there are often pieces of rows.
            is_beside = (
                record.beside or not before or not (after is None or _is_sound(after, width))
            )
            (doubtful if is_beside else rows).append(cells)
            if len(rows) == LEARNED_ROWS:
                break
        apart = cells == ()
        before = _is_sound(record, width)
    return Profile(rows if len(rows) >= _ENOUGH else rows + doubtful, width)


def _is_sound(record: Record, width: int) -> bool:
    """Tell whether a record is blank, or has as many cells as a row."""
    return record.cells is not None and len(record.cells) in (0, width)


def is_figure(text: str) -> bool:
    """Tell whether `text` is a number, a date or a time."""
    return any(kind.fullmatch(text) for kind in _KINDS[:4])
