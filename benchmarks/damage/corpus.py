"""The damaged files of a seed."""

from collections.abc import Callable, Iterator
from random import Random

from benchmarks.damage.clean import TABLES, make_table
from benchmarks.damage.doubt import mark_doubtful, undecidable
from benchmarks.damage.files import BYTE_DAMAGES, TEXT_DAMAGES
from benchmarks.damage.rows import ROW_DAMAGES, UnfitError
from benchmarks.damage.writing import Draft, choose_dialect, write_table

__all__ = ["families", "make_drafts"]

ATTEMPTS = 2000
SOUND = "sound"
SEVERAL = "several rows"
TWO = "two damages in a file"
TWO_IN_ROW = "two damages in a row"


def families() -> list[str]:
    """Return the names of all damages; the sound and the mixed ones in their share."""
    single = [*ROW_DAMAGES, *TEXT_DAMAGES, *BYTE_DAMAGES]
    share = len(single) // 8
    return single + [SOUND, SEVERAL, TWO, TWO_IN_ROW] * share


def make_drafts(
    seed: int, files: int, wanted: Callable[[str], object]
) -> Iterator[tuple[str, Draft]]:
    """Generate so many files, each with the name of its damage."""
    names = families()
    for number in range(files):
        name = names[number % len(names)]
        if wanted(name):
            yield name, _make(name, Random(f"{seed}/{number}"))


def _make(name: str, random: Random) -> Draft:
    for _attempt in range(ATTEMPTS):
        table = make_table(random.choice(TABLES), random)
        draft = write_table(table, choose_dialect(table, random))
        draft.place = random.choice(("first", "middle", "last"))
        try:
            _damage(draft, name, random)
        except UnfitError:
            continue
        if not undecidable(draft):
            mark_doubtful(draft)
            return draft
    raise AssertionError(f"no table is fit for the damage {name!r}")


def _damage(draft: Draft, name: str, random: Random) -> None:
    if name == SEVERAL:
        kind = random.choice(list(ROW_DAMAGES))
        draft.place = "middle"
        kinds = [kind] * random.randint(2, 4)
    elif name == TWO:
        draft.place = "middle"
        everything = [*ROW_DAMAGES, *TEXT_DAMAGES, *BYTE_DAMAGES]
        kinds = [random.choice(list(ROW_DAMAGES)), random.choice(everything)]
    elif name == TWO_IN_ROW:
        kinds = random.choices(list(ROW_DAMAGES), k=2)
    else:
        kinds = [name] * (name != SOUND)
    for kind in kinds:
        if kind in ROW_DAMAGES:
            _damage_row(draft, kind, random, again=name == TWO_IN_ROW)
        elif kind in TEXT_DAMAGES:
            TEXT_DAMAGES[kind](draft, random)
    draft.encode()
    for kind in kinds:
        if kind in BYTE_DAMAGES:
            BYTE_DAMAGES[kind](draft, random)
    draft.notes += kinds


def _damage_row(draft: Draft, kind: str, random: Random, *, again: bool) -> None:
    """Damage one row that the damage fits: the first, the last, or any."""
    rows = [piece for piece in draft.body() if not piece.touched]
    if draft.place == "middle":
        random.shuffle(rows)
    elif draft.place == "last":
        rows.reverse()
    for piece in [draft.target] if draft.target is not None else rows[:12]:
        try:
            ROW_DAMAGES[kind](draft, random, piece)
        except UnfitError:
            continue
        piece.touched = True
        draft.target = piece if again else None
        return
    raise UnfitError
