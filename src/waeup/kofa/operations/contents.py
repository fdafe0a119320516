"""What is in a file: whether it can be imported, and who may see it."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import lru_cache
from typing import Any

from zope.component import getUtilitiesFor
from zope.schema import getFields

from waeup.kofa import spool
from waeup.kofa.conversion import is_secret, propose
from waeup.kofa.errors import TableError, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number, english
from waeup.kofa.importing.canonical import PlainTable, is_text, plain_table, unpacked
from waeup.kofa.importing.looking import Look
from waeup.kofa.importing.preview import first_words, words_of
from waeup.kofa.importing.reading import AS_FOUND, limits, open_source
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.spool.disk import digest_of
from waeup.kofa.spool.names import TEXT_EXTENSIONS
from waeup.kofa.tabular import Limits, UnclearTable, check_header
from waeup.kofa.tabular.unpacking import kind_of

#: Sheets of a workbook, besides the first table, that are looked into for passwords.
SHEETS = 20
#: Kinds of containers: in words, and the extension that belongs to them.
_KINDS = {
    "gzip": (_("a packed file (gzip)"), ".csv.gz"),
    "zip": (_("a packed file (ZIP)"), ".zip"),
    "xlsx": (_("a workbook of Excel"), ".xlsx"),
    "xls": (_("an old workbook of Excel"), ".xls"),
    "ods": (_("a workbook of LibreOffice"), ".ods"),
}


def check_table(storage: str, path: str, digest: str | None = None) -> str:
    """Refuse a file that cannot be imported; return what only a person can say, or ``''``.

    `digest` is the SHA-256 of its content, if it is known.  Whether a very long table has too many
    rows is said only where they can be counted while somebody waits; else the check and the run
    find out.  Raises `TableError` and `TooLarge`, and `ItemBusy` as `table_of` does.
    """
    name = os.path.basename(path)
    if name.lower().endswith(TEXT_EXTENSIONS) and not is_text(path):
        what, extension = _KINDS[kind_of(path)]
        raise TableError(
            _(
                "${name} is no text, but ${what}. Give it the name that belongs to it, "
                'as in table${extension}, or save the table as "CSV UTF-8".',
                mapping={"name": name, "what": what, "extension": extension},
            )
        )
    source = table_of(storage, path, digest=digest)
    try:
        with open_source(source.path, source.reading(AS_FOUND), name) as table, Look() as look:
            check_header(table.header, name)
            table.end_when(look.is_over)
            # More rows than lines there are not: only a very long table is read to its end.
            lines = spool.count_lines(source.path)
            is_long = lines > limits().rows
            for row in table:
                if not is_long:
                    break
                limits().check_rows(name, row.number)
            if is_long and table.is_cut_short:
                return _uncounted(name, lines, limits().rows)
    except UnclearTable as unclear:
        return str(unclear)
    return ""


def table_of(
    storage: str, path: str, *, sheet: str | None = None, digest: str | None = None
) -> PlainTable:
    """Return the text of a file, to which a container is converted while somebody waits.

    `digest` is the SHA-256 of its content, if it is known.  Raises as `plain_table` does; so
    `ItemBusy` where it takes long, and others wait for the like.
    """
    # The limits have an end of their own for what takes too long by itself.
    with Look(math.inf) as look:
        return plain_table(storage, path, limits(), sheet=sheet, digest=digest, look=look)


def _uncounted(name: str, lines: int, rows: int) -> str:
    return english(
        _(
            "${name} has ${lines} lines, and ${rows} rows are allowed. Its rows were not all "
            "counted, since it took long: check the file before you import it.",
            mapping={"name": name, "lines": Number(lines), "rows": Number(rows)},
        )
    )


def container_digest(path: str) -> str | None:
    """Return the SHA-256 of a file of which a table may be made, None for plain text."""
    with suppress(TableError):
        if is_text(path):
            return None
    return digest_of(path)


def needs_of(storage: str, path: str) -> set[str]:
    """Return the permissions of those who may see the file at `path`.

    A table with passwords is for those who may import what it seems to hold: the
    kinds whose required columns are all there, or, if there is none, any kind that
    has passwords.  All sheets of a workbook count, and where it is not clear which line
    names the columns, all that may be a name.  What is too large to be looked into may have any
    password.  Raises `ItemBusy` as `table_of` does: who may see it is then not known.
    """
    status = os.stat(path)
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return {*_needs_of_file(storage, path, limits(), state)}


@lru_cache(maxsize=256)
def _needs_of_file(
    storage: str, path: str, limits: Limits, state: tuple[int, ...]
) -> frozenset[str]:
    """Return the permissions of those who may see a file, all sheets of a workbook considered.

    The state tells the contents apart that a path may have had: a workbook is looked into once.
    """
    needs: set[str] = set()
    with Look(math.inf) as look:
        try:
            for header in _headers(storage, path, limits, look):
                needs |= _needs_of(header)
        except TooLarge:
            needs |= _needs_of(tuple(_all_secrets()))
    return frozenset(needs)


def _headers(storage: str, path: str, limits: Limits, look: Look) -> Iterator[tuple[str, ...]]:
    """Generate what may be the names of the columns, of each sheet; raises `TooLarge`."""
    until = time.monotonic() + limits.seconds
    with ExitStack() as stack, suppress(TableError):
        if os.path.dirname(path) == storage:
            source = plain_table(storage, path, limits, look=look)
        else:
            source = stack.enter_context(unpacked(path, limits, look=look))
        yield _names(source)
        others = [sheet for sheet in source.sheets if sheet != source.sheet]
        for sheet in others:
            if len(others) > SHEETS or time.monotonic() > until:
                # Rather too careful than that long.
                yield tuple(_all_secrets())
                return
            with (
                suppress(TableError),
                unpacked(path, limits, sheet=sheet, look=look) as one,
            ):
                yield _names(one)


def _names(source: PlainTable) -> tuple[str, ...]:
    """Return the names of the columns, and all that may be one where that is not clear."""
    try:
        with open_source(source.path, source.reading(AS_FOUND)) as table:
            return (*table.header, *words_of(table.above))
    except TableError:
        return first_words(source)


def _all_secrets() -> Iterator[str]:
    """Generate the names of the passwords of all kinds of objects."""
    for _name, processor in getUtilitiesFor(IBatchProcessor):
        yield from _secret_fields(processor)


def _secret_fields(processor: Any) -> list[str]:
    """Return the names of the passwords of a kind of objects."""
    fields = getFields(processor.iface) if processor.iface is not None else {}
    return [name for name, field in fields.items() if is_secret(field)]


def _needs_of(header: tuple[str, ...]) -> set[str]:
    """Return the permissions of those who may see a table with this header; see `needs_of`."""
    likely, possible = set(), set()
    for _name, processor in getUtilitiesFor(IBatchProcessor):
        if any(propose(header, _secret_fields(processor))):
            possible.add(processor.permission)
            if set(processor.req["create"]) <= set(propose(header, processor.getHeaders())):
                likely.add(processor.permission)
    return likely or possible
