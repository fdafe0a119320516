"""Tables of students that look like those of an office: the same for the same seed.

All benchmarks take their files from here.  Rows are made one by one, so that a
table of any length needs no memory.  Tables of course tickets are in `tickets`.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

__all__ = [
    "CHANGED",
    "COLUMNS",
    "SEED",
    "Shape",
    "faults",
    "later",
    "spoilt",
    "students",
    "write_students",
    "write_table",
]

SEED = 1948
#: The year in which the first students have come, and how many years of students there are.
FIRST_YEAR, YEARS = 2008, 18

COLUMNS = (
    "student_id",
    "lastname",
    "firstname",
    "middlename",
    "sex",
    "date_of_birth",
    "nationality",
    "email",
    "phone",
    "perm_address",
    "reg_number",
    "matric_number",
)

#: Columns in which `later` gives other values.
CHANGED = ("firstname", "phone", "perm_address")

# Some of them cannot be written in Windows-1252, and are left out where it is asked for.
FIRST_NAMES = (
    *(
        "Ada",
        "Adébáyọ̀",
        "Aïcha",
        "Amina",
        "Babátúndé",
        "Björn",
        "Chukwuẹméka",
        "Emmanuel",
        "Ɗanladi",
    ),
    *("Fúnmiláyọ̀", "François", "Grace", "Ibrahim", "Ifeọma", "Joy", "José", "Ngọzi", "Oyèníkẹ́"),
    *("Peace", "Ruth", "Ṣadé", "Tèmítọ́pẹ́", "Uchenna", "Yusuf", "Zoë", "Éloïse", "Ƙasim"),
)
LAST_NAMES = (
    *("Abubakar", "Adékúnlé", "Bâ", "Bello", "Çelik", "Diallo", "Eze", "Gbádébọ̀", "Hernández"),
    *("Igwe", "Koné", "Lawal", "Müller", "N'Diaye", "Nnamdi", "Ògúnbíyì", "Okafor", "Okọ́nkwọ̀"),
    *("Ọlátúnjí", "Sánchez", "Ṣóyínká", "Traoré", "Usman", "Yar'Adua", "Ɓala", "Ønstad"),
)
STREETS = (
    "Ahmadu Bello Way",
    "Allée des Cocotiers",
    "Market Road",
    "Rue du Marché",
    "Òkè Àdó Road",
)
TOWNS = ("Abẹ́òkúta", "Bauchi", "Benin City", "Cotonou", "Ìbàdàn", "Lomé", "Yaoundé", "Zaria")
NATIONALITIES = ("NG", "NG", "NG", "NG", "BJ", "CM", "GH", "TG")


class Shape(NamedTuple):
    """How a table is written down.

    `joint` stands between street and town: a delimiter or a line end there gives
    each row a quoted cell.  `damaged` is the share of rows that are damaged,
    and columns above the twelve of `COLUMNS` are marks.
    """

    columns: int = len(COLUMNS)
    delimiter: str = ","
    encoding: str = "utf-8"
    quoted: bool = False
    joint: str = " "
    damaged: float = 0.0


class _Echo:
    """The file that makes a csv.writer return what it would write."""

    @staticmethod
    def write(text: str) -> str:
        return text


def students(
    rows: int, *, encoding: str = "utf-8", joint: str = " ", seed: int = SEED
) -> Iterator[list[str]]:
    """Generate the cells of `rows` students, in the order of `COLUMNS`.

    Ids and numbers are given in the order in which people have come, in `YEARS` years.
    """
    random = Random(seed)
    first, last, streets, towns = (
        [text for text in texts if _can_be_written(text, encoding)]
        for texts in (FIRST_NAMES, LAST_NAMES, STREETS, TOWNS)
    )
    choice, below = random.choice, random.randrange
    for number in range(rows):
        entry = FIRST_YEAR + YEARS * number // rows
        yield [
            f"K{1000000 + number}",
            choice(last),
            choice(first),
            choice(first) if below(3) else "",
            "mf"[below(2)],
            f"{entry - 16 - below(9)}-{1 + below(12):02}-{1 + below(28):02}",
            choice(NATIONALITIES),
            f"k{1000000 + number}@students.example.org",
            f"+234-803-{below(10_000_000):07}",
            f"{1 + below(200)} {choice(streets)}{joint}{choice(towns)}",
            f"{entry}{number:07}",
            f"{choice('ABEHLMSV')}{choice('ABEHLMSV')}S{entry}/{number:06}",
        ]


def later(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """Generate the same students a year later: with other first names, phones and addresses."""
    first, phone, address = (COLUMNS.index(name) for name in CHANGED)
    for cells in rows:
        cells[first] += "-Joy"
        cells[phone] = cells[phone].replace("-803-", "-805-")
        cells[address] = f"Flat {cells[address]}"
        yield cells


def faults(rows: int, share: float, seed: int = SEED) -> dict[int, int]:
    """Return which of so many rows are to be spoilt, each with a number for `spoilt`.

    The first row is never one of them: others are made doubles of it.
    """
    random = Random(seed)
    found = [number for number in range(1, rows) if random.random() < share]
    return {number: kind for kind, number in enumerate(found)}


def spoilt(cells: Sequence[str], kind: int) -> list[str]:
    """Return a row of `students` with one fault, for which it cannot become a new student."""
    changes = (
        ("lastname", ""),
        ("sex", "x"),
        ("date_of_birth", "1999-02-30"),
        ("email", "no e-mail"),
        ("phone", "call the office"),
        ("reg_number", "0" * 65),
        ("student_id", "K1000000"),
        ("reg_number", next(students(1))[COLUMNS.index("reg_number")]),
        None,
    )
    change = changes[kind % len(changes)]
    if change is None:
        return list(cells[:-1])
    name, value = change
    return [value if column == name else cell for column, cell in zip(COLUMNS, cells, strict=True)]


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table as an office does: commas, UTF-8, quotes where they are needed."""
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def write_students(path: Path, rows: int, shape: Shape, seed: int = SEED) -> int:
    """Write a table of `rows` students to `path`, and return how many of them are damaged.

    Each damage is of one row; all others can be read.
    """
    random = Random(seed)
    marks = [str(random.randrange(101)) for _index in range(10_000)]
    more = max(0, shape.columns - len(COLUMNS))
    writer = csv.writer(
        _Echo,
        delimiter=shape.delimiter,
        quoting=csv.QUOTE_ALL if shape.quoted else csv.QUOTE_MINIMAL,
    )
    damaged = 0
    with open(path, "w", encoding=shape.encoding, newline="") as stream:
        header = [*COLUMNS, *(f"course_{at}" for at in range(1, more + 1))]
        stream.write(writer.writerow(header[: shape.columns]))
        for cells in students(rows, encoding=shape.encoding, joint=shape.joint, seed=seed):
            if more:
                at = random.randrange(len(marks) - more)
                cells += marks[at : at + more]
            line = writer.writerow(cells[: shape.columns])
            if shape.damaged and random.random() < shape.damaged:
                line = _damage(line, shape.delimiter, damaged)
                damaged += 1
            stream.write(line)
    return damaged


def _can_be_written(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _damage(line: str, delimiter: str, kind: int) -> str:
    """Return `line` with a cell less, a cell more, a bare quote, or a quote that is not closed."""
    changed = ("", delimiter * 2, f'"{delimiter}', f'{delimiter}"')
    return line.replace(delimiter, changed[kind % len(changed)], 1)
