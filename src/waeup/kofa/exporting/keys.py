"""A selection of objects: their keys, from a table or as a person has typed them."""

import math
import re
from collections.abc import Sequence

from waeup.kofa.conversion import propose, unguard
from waeup.kofa.conversion.cells import MARKERS
from waeup.kofa.conversion.wording import listing
from waeup.kofa.errors import ItemBusy, Refused, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.importing.canonical import unpacked
from waeup.kofa.importing.looking import Look
from waeup.kofa.importing.reading import AS_FOUND, limits, open_source

#: Keys of one selection.
MOST_KEYS = 1_000_000


def keys_of_text(text: str) -> tuple[str, ...]:
    """Return the keys that a person has typed, between them blanks, commas or line ends."""
    return tuple(key for key in re.split(r"[\s,;]+", text) if key)


def keys_of_table(path: str, key_fields: Sequence[str], name: str) -> tuple[str, ...]:
    """Return the keys that the table at `path` lists, each of them once.

    They are in the columns that are called like one of `key_fields`, of several the first that
    is filled, or in the only column that there is; what stands above that one may be a key, too.
    `name` is what messages call the table, which may be any file that can be imported.  Raises
    `TableError` for what is no table, `Refused` when no column fits or a row is damaged,
    `TooLarge`, and `ItemBusy` where it takes long, and others wait for the like.
    """
    keys: dict[str, None] = {}
    with (
        Look(math.inf) as look,
        unpacked(path, limits(), look=look) as source,
        open_source(source.path, source.reading(AS_FOUND), name) as table,
    ):
        table.end_when(look.is_over)
        positions = _positions(table.header, key_fields, name)
        if not positions:
            positions = [0]
            keys.update(dict.fromkeys(filter(None, map(_key, table.header))))
        for row in table:
            if row.problem is not None:
                raise Refused(
                    _(
                        "${name}, line ${line}: ${message} Correct the list of keys; nothing was "
                        "exported.",
                        mapping={"name": name, "line": row.line, "message": row.problem.message},
                    )
                )
            key = next(filter(None, (_key(row.values[at]) for at in positions)), None)
            if key is not None:
                keys[key] = None
            if len(keys) > MOST_KEYS:
                raise TooLarge(
                    _(
                        "${name} lists more than ${most_keys} keys. Export all objects, or split "
                        "it.",
                        mapping={"name": name, "most_keys": Number(MOST_KEYS)},
                    )
                )
        if table.is_cut_short:
            raise ItemBusy(
                _(
                    "${name} takes long to read, and so do other tables at this moment. Try "
                    "again in a minute, or split it.",
                    mapping={"name": name},
                )
            )
    return tuple(keys)


def _key(cell: str) -> str:
    """Return the key in a cell, or nothing; what failed in an import has markers there."""
    text = unguard(cell)
    if text is None:
        text = cell.strip()
        return "" if text in MARKERS else text
    return text


def _positions(header: Sequence[str], key_fields: Sequence[str], name: str) -> list[int]:
    """Return where keys are; nothing when that is the only column, under another name."""
    found = propose(header, key_fields)
    positions = [found.index(field) for field in key_fields if field in found]
    if not positions and len(header) > 1:
        raise Refused(
            _(
                "${name} has no column with keys. Give the one that has them one of these "
                "names: ${key_fields}. There are: ${header}.",
                mapping={
                    "name": name,
                    "key_fields": listing(key_fields),
                    "header": listing(header),
                },
            )
        )
    return positions
