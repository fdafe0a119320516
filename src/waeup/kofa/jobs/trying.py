"""A single row is tried: what the hooks would do with it, at once and without a trace.

For those who correct a row and want to know whether that is enough.  As in a check, the real
hooks work in a transaction that is always aborted, here in a thread with a connection of its
own.  What other rows of the file would do before is not there.
"""

import os
from tempfile import TemporaryDirectory
from typing import Any

import transaction
from zope.component import getUtility

from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.importing.manner import Manner
from waeup.kofa.importing.report import RowResult
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.jobs.record import Order
from waeup.kofa.jobs.sitecode import Hold
from waeup.kofa.journal import dropped_lines
from waeup.kofa.removals import rehearsal
from waeup.kofa.tabular import Row, TableWriter
from waeup.kofa.tabular.options import ReadOptions

#: How the table is read that has only a header.
_OWN = ReadOptions(encoding="utf-8", delimiter=",", quote='"', header_line=1)


def try_row(
    db: Any, site_path: str, user: str, order: Order, header: tuple[str, ...], row: Row
) -> RowResult | None:
    """Return what an import or a check would make of a row; None for one that is blank.

    `header` are the names of the columns of the file, which is not read.  Raises
    `FatalCSVError` and `MappingError` when the order cannot be carried out any more, and
    `CodeFault` when a hook has tried to end the transaction.
    """

    def work() -> RowResult | None:
        with open_portal(db, site_path, user) as site, TemporaryDirectory(prefix="kofa-") as home:
            transaction.begin()
            try:
                with Hold() as hold, dropped_lines(), rehearsal():
                    return _try(site, home, order, header, row, hold)
            finally:
                transaction.abort()

    found: RowResult | None = in_own_thread(work)
    return found


def _try(
    site: Any, home: str, order: Order, header: tuple[str, ...], row: Row, hold: Hold
) -> RowResult | None:
    def restart() -> None:
        with hold.paused():
            transaction.abort()

    path = os.path.join(home, "header.csv")
    TableWriter(path, header).leave()
    engine = RowEngine(
        getUtility(IBatchProcessor, name=order.processor),
        os.path.join(site["datacenter"].storage, order.file),
        order.mapping,
        order.mode,
        site,
        options=_OWN,
        read_from=path,
        manner=Manner(skip_unchanged=order.skip_unchanged, detailed=True, restart=restart),
    )
    with engine.open():
        results = engine.apply([row])
    return results[0] if results else None
