"""A table of course tickets in the order, and with the multiplicity, of a real one.

The shape is that of the results of assessments in the Open University Learning Analytics Dataset
(J. Kuzilek, M. Hlosta, Z. Zdrahal, Scientific Data 4, 170171, 2017; CC BY 4.0): 173,912 results
of 23,369 students in 188 assessments.  One assessment comes after the other; within it the
students stand by number.  So the tickets of a student lie some thousand rows apart, and those of
who takes a second module very far.  Each assessment becomes a course; who stays to the end, who
begins a second module, and the marks are made up.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from benchmarks.people import SEED

__all__ = ["COLUMNS", "courses", "people_of", "tickets"]

COLUMNS = ("code", "student_id", "level", "level_session", "score")


class Presentation(NamedTuple):
    """A module in one session: who took part at all, and the results of each assessment."""

    module: str
    session: int
    people: int
    results: tuple[int, ...]


PRESENTATIONS = tuple(
    Presentation(*each)
    for each in (
        ("AAA", 2013, 365, (359, 342, 331, 303, 298)),
        ("AAA", 2014, 340, (337, 317, 304, 280, 278)),
        ("BBB", 2012, 1369, (1352, 1217, 1065, 931, 876, 766, 1189, 1070, 985, 935, 870)),
        ("BBB", 2013, 1710, (1695, 1524, 1316, 1227, 1163, 1034, 1490, 1350, 1257, 1183, 1136)),
        ("BBB", 2013, 1205, (1189, 1086, 928, 822, 791, 684, 1054, 973, 878, 819, 769)),
        ("BBB", 2014, 1793, (1776, 1586, 1465, 1328, 1253)),
        ("CCC", 2013, 1415, (937, 689, 613, 583, 1346, 1029, 839, 706, 747)),
        ("CCC", 2014, 1998, (1428, 1128, 965, 916, 1917, 1534, 1301, 1094, 1168)),
        (
            *("DDD", 2012, 1065),
            (988, 883, 802, 725, 618, 503, 602, 1010, 906, 831, 753, 653, 581, 518),
        ),
        ("DDD", 2013, 1507, (1491, 1314, 1231, 1116, 971, 845, 968)),
        ("DDD", 2013, 944, (930, 782, 713, 617, 526, 450, 524)),
        ("DDD", 2014, 1428, (1415, 1325, 1231, 1134, 1043, 915, 950)),
        ("EEE", 2013, 827, (825, 748, 682, 629)),
        ("EEE", 2013, 536, (533, 462, 413, 372)),
        ("EEE", 2014, 935, (930, 826, 770, 703)),
        ("FFF", 2012, 1371, (1361, 1231, 1076, 975, 871, 1091, 1016, 952, 922, 899, 912, 889)),
        (
            *("FFF", 2013, 1874),
            (1859, 1661, 1402, 1313, 1158, 1470, 1352, 1252, 1224, 1193, 1196, 1160),
        ),
        ("FFF", 2013, 1206, (1192, 1055, 881, 804, 715, 935, 857, 785, 755, 743, 747, 727)),
        (
            *("FFF", 2014, 1843),
            (1826, 1601, 1398, 1307, 1137, 1454, 1363, 1254, 1234, 1213, 1213, 1184),
        ),
        ("GGG", 2013, 819, (784, 741, 676, 724, 685, 652, 641, 576, 471)),
        ("GGG", 2013, 689, (672, 612, 549, 592, 559, 532, 519, 467, 394)),
        ("GGG", 2014, 604, (586, 540, 500, 531, 504, 479, 473, 416, 344)),
    )
)
#: Students who have a result.
STUDENTS = 23_369
#: Share of those who take part that have taken part in another module before.
AGAIN = 1 - STUDENTS / sum(each.people for each in PRESENTATIONS)
#: How much luck decides on who hands in, and not the patience of a student.
LUCK = 0.3


def people_of(part: int = 1) -> int:
    """Return how many students there must be; `part` is that of `tickets`."""
    return STUDENTS // part


def courses() -> list[tuple[str, str, str]]:
    """Return (faculty, department, code) of all courses, in the order in which they come."""
    found: list[tuple[str, str, str]] = []
    for each in PRESENTATIONS:
        for _results in each.results:
            found.append((each.module[:2], each.module, f"{each.module}{len(found) + 1:03}"))
    return found


def tickets(part: int = 1, seed: int = SEED) -> Iterator[list[str]]:
    """Generate the rows, in the order of `COLUMNS`; of a part of 10 each course has a tenth.

    The ids are those of the first `people_of` rows of `benchmarks.people.students`.
    """
    random = Random(seed)
    codes = iter(courses())
    new = list(range(people_of(part)))
    random.shuffle(new)
    known: list[int] = []
    for each in PRESENTATIONS:
        people = each.people // part
        again = min(round(people * AGAIN), len(known))
        again = max(again, people - len(new))
        group = random.sample(known, again) + [new.pop() for _one in range(people - again)]
        known = sorted({*known, *group})
        patience = {one: random.random() for one in group}
        for number in each.results:
            _faculty, _department, code = next(codes)
            stay = {one: patience[one] + LUCK * random.random() for one in group}
            who = sorted(sorted(group, key=lambda one: stay[one])[-(number // part) :])
            for one in who:
                score = round(100 * random.betavariate(3.2, 1.1))
                yield [code, f"K{1000000 + one}", "100", str(each.session), str(score)]
