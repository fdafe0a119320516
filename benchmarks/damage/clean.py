"""Clean tables as offices of a university keep them, made up from a seed."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

__all__ = ["TABLES", "Table", "Values", "make_table"]

Values = tuple[str, ...]
Column = Callable[[Random, int], str]

SIZES = (5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 60, 100, 200, 500)
SIZE_WEIGHTS = (4, 4, 6, 6, 6, 6, 8, 8, 8, 8, 6, 4, 2, 1)

FIRST = ("Ada", "Aïcha", "Björn", "Emeka", "Grace", "Ibrahim", "José", "Ruth", "Zoë", "Yusuf")
LAST = ("Bello", "Çelik", "Eze", "Gonçalves", "Müller", "N'Diaye", "O'Brien", "Okafor", "Sánchez")
PLAIN = ("Alice", "Bob", "Carol", "Dan", "Erin", "Frank", "Heidi", "Ivan", "Judy", "Mallory")
YORUBA_FIRST = ("Adébáyọ̀", "Babátúndé", "Fúnmiláyọ̀", "Ngọzi", "Ṣadé", "Tèmítọ́pẹ́", "Ifeọma")
YORUBA_LAST = ("Adékúnlé", "Gbádébọ̀", "Ògúnbíyì", "Okọ́nkwọ̀", "Ọlátúnjí", "Ṣóyínká")
RUSSIAN_FIRST = ("Анна", "Борис", "Григорий", "Дарья", "Евгений", "Жанна", "Иван", "Юлия")
RUSSIAN_LAST = ("Иванова", "Кузнецов", "Лебедева", "Морозов", "Новикова", "Попов", "Щербаков")
STREETS = ("Ahmadu Bello Way", "Market Road", "Rue du Marché", "Queen's Drive", "Hafenstraße")
TOWNS = ("Bauchi", "Benin City", "Cotonou", "Köln", "Lomé", "Yaoundé", "Zaria")
FACULTIES = ("Arts", "Education", "Engineering", "Law", "Medicine", "Science")
TITLES = ("Algebra", "Anatomy", "Botany", "Drama", "Ethics", "Fluid Mechanics", "Genetics")
WORDS = (
    *("the", "committee", "asked", "for", "another", "copy", "of", "thesis", "because", "first"),
    *("was", "late", "supervisor", "agrees", "decision", "postponed", "until", "session", "and"),
    *("café", "naïve", "results", "were", "checked", "by", "registry", "in", "person", "however"),
)
REGIONS = ("East Anglian Region", "Scotland", "North Western Region", "South East Region", "Wales")


class Table(NamedTuple):
    """A clean table: what a reader has to deliver."""

    name: str
    header: Values
    rows: list[Values]


def one_of(*texts: str) -> Column:
    return lambda random, _number: random.choice(texts)


def numbered(form: str, first: int = 1) -> Column:
    return lambda _random, number: form.format(first + number)


def between(low: int, high: int, form: str = "{}") -> Column:
    return lambda random, _number: form.format(random.randint(low, high))


def money(form: str, comma: bool = False) -> Column:
    def write(random: Random, _number: int) -> str:
        text = form.format(random.randint(500, 9_000_000) / 100)
        return text.replace(".", ",") if comma else text

    return write


def day(form: str, first: int = 1990, years: int = 18) -> Column:
    def write(random: Random, _number: int) -> str:
        return (date(first, 1, 1) + timedelta(random.randrange(years * 365))).strftime(form)

    return write


def sometimes(column: Column, share: float) -> Column:
    return lambda random, number: column(random, number) if random.random() < share else ""


def joined(glue: str, *columns: Column) -> Column:
    return lambda random, number: glue.join(column(random, number) for column in columns)


def either(*columns: Column) -> Column:
    return lambda random, number: random.choice(columns)(random, number)


def sentence(low: int, high: int) -> Column:
    def write(random: Random, _number: int) -> str:
        words = random.choices(WORDS, k=random.randint(low, high))
        for at in range(4, len(words) - 1, 7):
            words[at] += random.choice((",", ".", ";", ""))
        return " ".join(words).capitalize() + random.choice((".", "", "!"))

    return write


MATRIC = joined(
    "/", one_of("ARTS", "ENGN", "LAWS"), between(2008, 2019), between(0, 99999, "{:05}")
)
STREET = joined(" ", between(1, 250), one_of(*STREETS))
PHONE = joined("-", one_of("+234", "+229", "+49"), between(700, 909), between(0, 9999999, "{:07}"))
EITHER_NAME = one_of(*LAST)

SPECS: Mapping[str, Mapping[str, Column]] = {
    "students": {
        "student_id": numbered("K{:07}", 1000000),
        "lastname": EITHER_NAME,
        "firstname": one_of(*FIRST),
        "middlename": sometimes(one_of(*FIRST), 0.3),
        "sex": one_of("m", "f"),
        "date_of_birth": day("%Y-%m-%d"),
        "nationality": one_of("NG", "NG", "BJ", "CM", "GH"),
        "email": numbered("k{}@students.example.org", 1000000),
        "phone": PHONE,
        "perm_address": joined(", ", STREET, one_of(*TOWNS)),
        "matric_number": MATRIC,
    },
    "staff": {
        "Staff No.": numbered("SN{:04}", 17),
        "Title": one_of("Dr.", "Prof.", "Mr.", "Mrs.", "Ms."),
        "Name": joined(", ", one_of(*LAST), one_of(*FIRST)),
        "Department": one_of("Law", "Physics", "History", "Civil Engineering"),
        "Appointed": day("%d/%m/%Y", 1985, 30),
        "Room": joined("-", one_of("A", "B", "C"), between(100, 499)),
        "Office hours": one_of("Mon 9-11", "Tue 14-16", "by appointment", "Fri 8-10"),
    },
    "courses": {
        "code": numbered("PHY{}", 101),
        "title": joined(" ", one_of(*TITLES), one_of("I", "II", "III")),
        "credits": between(1, 6),
        "semester": one_of("1", "2"),
        "passmark": one_of("40", "45", "50"),
    },
    "tickets": {
        "matric_number": MATRIC,
        "code": joined("", one_of("MTH", "CHM", "BIO", "GST"), between(101, 499)),
        "level": one_of("100", "200", "300", "400"),
        "level_session": one_of("2015/2016", "2016/2017", "2017/2018"),
        "score": between(0, 100),
        "grade": one_of("A", "B", "C", "D", "F"),
    },
    "payments": {
        "Reference": numbered("p{:010}", 3541230011),
        "Payer": joined(" ", one_of(*PLAIN), one_of("Bello", "Eze", "Okafor", "Smith")),
        "Date": day("%d.%m.%Y", 2010, 9),
        "Amount": money("{:.2f}", comma=True),
        "Currency": one_of("NGN", "EUR", "USD"),
        "Purpose": one_of("School fee", "Hostel", "Late registration", "Transcript"),
        "State": one_of("paid", "unpaid", "failed"),
    },
    "addresses": {
        "id": numbered("{}", 20411),
        "name": joined(" ", one_of(*FIRST), one_of(*LAST)),
        "street": either(STREET, joined(", ", STREET, one_of("Flat 3", 'Block "B"'))),
        "postal": joined("\n", STREET, one_of(*TOWNS), one_of("Nigeria", "Benin", "Deutschland")),
        "country": one_of("NG", "BJ", "DE", "TG"),
    },
    "departments": {
        "faculty": one_of(*FACULTIES),
        "department": joined(" of ", one_of("School", "Institute", "Department"), one_of(*TITLES)),
        "head": joined(" ", one_of(*FIRST), one_of(*LAST)),
        "motto": sentence(4, 7),
    },
    "cyrillic": {
        "Номер": numbered("{:05}", 40),
        "Фамилия": one_of(*RUSSIAN_LAST),
        "Имя": one_of(*RUSSIAN_FIRST),
        "Факультет": one_of("Физика", "Право", "История"),
        "Балл": between(2, 5),
    },
    "yoruba": {
        "reg_number": numbered("REG-{:06}", 901),
        "orúkọ ìdílé": one_of(*YORUBA_LAST),
        "orúkọ": one_of(*YORUBA_FIRST),
        "entry_session": between(2004, 2019),
    },
    "marks": {
        "student": numbered("{}", 11391),
        **{f"q{at}": between(0, 20) for at in range(1, 8)},
        "total": between(0, 140),
        "weight": money("{:.1f}"),
    },
    "assessments": {
        "id_assessment": between(1752, 1799),
        "id_student": numbered("{}", 28400),
        "date_submitted": between(-5, 260),
        "is_banked": one_of("0", "0", "0", "1"),
        "score": sometimes(between(0, 100), 0.95),
    },
    "hostel": {
        "bed": joined("_", one_of("hall-1", "hall-2"), between(101, 320), one_of("A", "B", "C")),
        "student": numbered("B{:06}", 120001),
        "from": day("%Y-%m-%d", 2016, 1),
        "until": day("%Y-%m-%d", 2017, 1),
        "booked": day("%Y-%m-%d %H:%M:%S", 2015, 1),
    },
    "mail": {
        "id": numbered("{}", 700),
        "email": joined("@", numbered("{}", 700), one_of("example.org", "uni.example.com")),
    },
    "codes": {
        "certificate": numbered("BSC{:03}", 7),
        "faculty": one_of("FAC1", "FAC2", "FAC3"),
        "abbr": joined("", one_of("A", "B", "C"), one_of("X", "Y", "Z"), between(10, 99)),
    },
    "sparse": {
        "app_no": numbered("AP-{:05}", 3),
        **{f"subject_{at}": sometimes(one_of("MATH", "ENGL", "CHEM"), 0.4) for at in range(1, 6)},
        **{f"grade_{at}": sometimes(one_of("A1", "B2", "C4", "F9"), 0.3) for at in range(1, 6)},
        "remark": sometimes(sentence(3, 6), 0.2),
        "sponsor": sometimes(one_of("State", "Self", "TETFund"), 0.3),
    },
    "minutes": {
        "case": numbered("{}/17", 1),
        "held": day("%d-%b-%Y", 2017, 1),
        "report": either(sentence(20, 60), joined("\n", sentence(10, 20), sentence(8, 25))),
        "decision": one_of("granted", "refused", "adjourned"),
    },
    "enrolment": {
        "code_module": one_of("AAA", "BBB", "CCC", "DDD"),
        "code_presentation": one_of("2013J", "2014J", "2013B", "2014B"),
        "id_student": numbered("{}", 30268),
        "gender": one_of("M", "F"),
        "region": one_of(*REGIONS),
        "highest_education": one_of("HE Qualification", "A Level or Equivalent"),
        "imd_band": sometimes(one_of("90-100%", "20-30%", "10-20"), 0.9),
        "age_band": one_of("0-35", "35-55", "55<="),
        "num_of_prev_attempts": between(0, 3),
        "studied_credits": one_of("30", "60", "120", "240"),
        "disability": one_of("N", "Y"),
        "final_result": one_of("Pass", "Fail", "Withdrawn", "Distinction"),
    },
    "library": {
        "shelf": joined(" ", one_of("QA", "PR", "KF"), between(10, 999)),
        "title": either(
            joined(" ", one_of("The", "On"), one_of(*TITLES)),
            joined("", one_of('"Why" and ', 'The "New" '), one_of(*TITLES)),
            joined(": ", one_of(*TITLES), one_of("a Reader, 2nd ed.", "Notes")),
        ),
        "author": joined(", ", one_of(*LAST), one_of(*FIRST)),
        "year": between(1920, 2019),
        "barcode": numbered("{:08}", 31000412),
    },
    "stores": {
        "item": numbered("W-{:04}", 12),
        "description": joined(
            " ", one_of("Steel", "Copper", "PVC"), one_of("pipe", "elbow", "valve"), between(2, 90)
        ),
        "quantity": between(1, 900),
        "unit": one_of("pc", "m", "kg"),
        "price": money("{:.2f}"),
        "checked by": one_of(*PLAIN),
    },
}
TABLES = tuple(SPECS)


def make_table(name: str, random: Random) -> Table:
    """Make up a table of that name; no row of it stands there twice."""
    columns = SPECS[name]
    size = random.choices(SIZES, SIZE_WEIGHTS)[0]
    rows: dict[Values, None] = {}
    for number in range(size):
        rows.setdefault(tuple(column(random, number) for column in columns.values()))
    return Table(name, tuple(columns), list(rows))
