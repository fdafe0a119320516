"""Damaged files by the hundred, scored as the reader is judged.

Sound tables are written in several dialects and damaged in one place, in a way that
can be decided.  A file is *silently corrupt* when a row without a problem is none of
the true rows, or a true row is neither delivered nor behind a problem.  It is *kept*
when all rows are delivered that the damage did not touch.
"""

import csv
import io
import random
from collections import Counter

from waeup.kofa.errors import Refused
from waeup.kofa.tests.tabular.files import FileTestCase

NAMES = [
    "Ada",
    "Bob",
    "Eve",
    "Ife",
    "Obi",
    "Uche",
    "Zoé",
    "René",
    "Ngozi",
    "Musa",
    "Tunde",
    "Amina",
]
TOWNS = ["Ibadan", "Kano", "Aba", "Jos", "Köln", "Genève", "Lagos", "Zaria"]
TEXTS = [
    "good",
    "very good",
    "to be repeated, in autumn",
    'said "no"',
    "fair",
    "two\nlines",
    "late",
]
DIALECTS = [
    (",", "utf-8", "\n"),
    (";", "cp1252", "\r\n"),
    ("\t", "utf-16", "\r\n"),
    ("|", "utf-8-sig", "\r"),
]


def tables(source):
    """Generate tables of unlike columns, each as its header and 25 rows."""
    pick = source.choice
    kinds = {
        "number": lambda: str(source.randrange(100, 1000)),
        "name": lambda: f"{pick(NAMES)} {pick(NAMES)}",
        "town": lambda: pick(TOWNS),
        "born": lambda: (
            f"20{source.randrange(10, 25)}-1{source.randrange(3)}-{source.randrange(10, 29)}"
        ),
        "remark": lambda: pick(TEXTS),
        "fee": lambda: f"{source.randrange(10, 100)}.{source.randrange(10, 100)}",
        "email": lambda: f"{pick(NAMES[:4]).lower()}{source.randrange(99)}@example.org",
    }
    for header in (
        ("number", "name", "town"),
        ("number", "name", "born", "fee"),
        ("name", "remark", "number"),
        ("number", "town", "remark", "born"),
        ("email", "name", "fee", "number"),
        ("number", "remark", "fee"),
        ("born", "number", "name", "town", "fee"),
        ("name", "number", "email", "born"),
        ("number", "fee", "born"),
        ("town", "number", "remark", "email"),
        ("number", "name", "remark", "town", "born"),
        ("fee", "name", "number"),
    ):
        yield header, [tuple(kinds[name]() for name in header) for _ in range(25)]


def written(row, delimiter, end):
    """Return the line of a row, quoted where each dialect needs it."""
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerow(row)
    return stream.getvalue().removesuffix("\r\n") + end


class Damage:
    """Each method damages the row `at` of the texts `rows`, and returns which rows it touches."""

    def __init__(self, delimiter, end, header):
        self.delimiter, self.end, self.header = delimiter, end, header

    def none(self, rows, at):
        return []

    def cell_missing(self, rows, at):
        rows[at] = rows[at].replace(self.delimiter, "", 1)
        return [at]

    def cell_too_many(self, rows, at):
        rows[at] = self.delimiter + rows[at]
        return [at]

    def bare_quote(self, rows, at):
        rows[at] = rows[at].replace(self.delimiter, f'5"x{self.delimiter}', 1)
        return [at]

    def text_behind_quote(self, rows, at):
        first, rest = rows[at].split(self.delimiter, 1)
        rows[at] = f'"{first}" x{self.delimiter}{rest}'
        return [at]

    def quote_never_closed(self, rows, at):
        rows[at] = rows[at].replace(self.delimiter, f'{self.delimiter}"', 1)
        return [at]

    def other_delimiter(self, rows, at):
        other = ";" if self.delimiter != ";" else "|"
        rows[at] = rows[at].replace(self.delimiter, other)
        return [at]

    def line_end_missing(self, rows, at):
        rows[at] = rows[at].rstrip("\r\n")
        return [at, at + 1]

    def line_end_within_a_row(self, rows, at):
        cut = rows[at].index(self.delimiter)
        rows[at] = rows[at][:cut] + self.end + rows[at][cut + 1 :]
        return [at]

    def cut_off(self, rows, at):
        del rows[at + 1 :]
        rows[at] = rows[at].rsplit(self.delimiter, 1)[0]
        return range(at, 25)

    def header_again(self, rows, at):
        rows.insert(at, self.header)
        return []

    def second_table(self, rows, at):
        del rows[at + 1 :]
        rows += [self.end, self.delimiter.join(("office", "room")) + self.end]
        rows += [self.delimiter.join(("Dean", "12")) + self.end] * 2
        return range(at + 1, 25)

    def nul(self, rows, at):
        rows[at] = "\0" + rows[at]
        return [at]

    KINDS = (
        none, cell_missing, cell_too_many, bare_quote, text_behind_quote, quote_never_closed,
        other_delimiter, line_end_missing, line_end_within_a_row, cut_off, header_again,
        second_table, nul,
    )  # fmt: skip


class Corpus(FileTestCase):
    def test_no_file_is_silently_corrupt_and_hardly_one_loses_a_row(self):
        source = random.Random(20)
        verdicts = {"corrupt": [], "lossy": [], "kept": []}
        for header, true in tables(source):
            for delimiter, encoding, end in DIALECTS:
                for kind in Damage.KINDS:
                    at = self.place(source, true)
                    rows = [written(row, delimiter, end) for row in true]
                    damage = Damage(delimiter, end, written(header, delimiter, end))
                    touched = kind(damage, rows, at)
                    data = (damage.header + "".join(rows)).encode(encoding)
                    untouched = [row for n, row in enumerate(true) if n not in touched]
                    verdict = self.verdict(data, true, untouched)
                    verdicts[verdict].append((header, delimiter, kind.__name__, at))
        self.assertEqual(verdicts["corrupt"], [])
        files = sum(map(len, verdicts.values()))
        self.assertLessEqual(len(verdicts["lossy"]), 0.02 * files, verdicts["lossy"])

    def place(self, source, rows):
        """Return where damage can be decided: at a row without quotes, as the next one is."""
        return source.choice(
            [
                at
                for at in range(5, len(rows) - 1)
                if not set('"\n,') & set("".join(rows[at] + rows[at + 1]))
            ]
        )

    def verdict(self, data, true, untouched):
        try:
            rows = self.rows(data)
        except Refused:
            return "lossy"
        sound = Counter(row.values for row in rows if row.problem is None)
        missing = Counter(true) - sound
        if sound - Counter(true) or (missing and all(row.problem is None for row in rows)):
            return "corrupt"
        return "lossy" if Counter(untouched) - sound else "kept"
