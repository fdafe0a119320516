"""A portal for one test, in a database in memory, to which rows of a table are applied."""

import csv
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import transaction
import ZODB
from grok import Container
from zope.component import getGlobalSiteManager
from zope.component.hooks import getSite, setSite
from zope.interface import implementer

from waeup.kofa import conversion
from waeup.kofa.datacenter import DataCenter
from waeup.kofa.importing.effects import Effect
from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.importing.manner import Manner
from waeup.kofa.importing.report import RowResult
from waeup.kofa.importing.undoing import Serials, UndoConflict, title_of, touched, undo_effect
from waeup.kofa.interfaces import IDataCenterConfig, IUniversity
from waeup.kofa.journal import deferred_lines, dropped_lines
from waeup.kofa.removals import rehearsal
from waeup.kofa.students.container import StudentsContainer
from waeup.kofa.tabular.options import ReadOptions
from waeup.kofa.testing.pictures import Picture, picture_of
from waeup.kofa.university.facultiescontainer import FacultiesContainer
from waeup.kofa.users.container import UsersContainer

#: A row as a table has it: column -> text.
Row = Mapping[str, str]

#: Where files are forced out at no cost, if there is such a place: no test loses its power.
_QUICK = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
#: How tables of tests are read: nothing about them is in doubt.
_OPTIONS = ReadOptions("utf-8", ",", '"', 1)


class Applied(NamedTuple):
    """What became of rows.

    `results` has one `RowResult` for each; `finished` and `pending` are the texts of the result
    files.  For an undo: `effects`, `restored` and the `serial` of the transaction.
    """

    results: list[RowResult]
    finished: str
    pending: str
    effects: list[Effect]
    restored: dict[bytes, bytes | None]
    serial: bytes

    @property
    def outcomes(self) -> list[str]:
        """What became of each row, in one word."""
        return [result.outcome for result in self.results]

    @property
    def reasons(self) -> list[str]:
        """Why rows have failed."""
        return [result.reason for result in self.results if result.reason is not None]


@implementer(IUniversity)
class SampleSite(Container):
    """A portal without pages and log-in: it has a data center, and the containers of a portal."""

    def __init__(self) -> None:
        super().__init__()
        self.__name__ = "portal"
        self["datacenter"] = DataCenter()
        self["users"] = UsersContainer()
        self["faculties"] = FacultiesContainer()
        self["students"] = StudentsContainer()

    def getSiteManager(self) -> Any:
        """Return the registry of the process: the portal registers nothing of its own."""
        return getGlobalSiteManager()


class SamplePortal:
    """A portal made by `make_site`, with a storage and a database of its own.

    As long as it is open, it is the current site.
    """

    def __init__(self, make_site: Callable[[], Any], fill_site: Callable[[Any], None]) -> None:
        with ExitStack() as undo:
            self.storage = tempfile.mkdtemp(prefix="kofa-storage-", dir=_QUICK)
            undo.callback(shutil.rmtree, self.storage)
            self._scratch = tempfile.mkdtemp(prefix="kofa-tables-", dir=_QUICK)
            undo.callback(shutil.rmtree, self._scratch)
            self.database = ZODB.DB(None)
            undo.callback(self.database.close)
            transaction.begin()
            self.connection = self.database.open()
            undo.callback(self.connection.close)
            undo.callback(setSite, getSite())
            undo.callback(transaction.abort)
            with _storing_at(self.storage):
                self.site = self.connection.root()["portal"] = make_site()
            setSite(self.site)
            fill_site(self.site)
            transaction.commit()
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Remove it all, and let the former site be the current one."""
        self._undo.close()

    # -- what there is -----------------------------------------------------------

    def picture(self, processor: Any = None) -> Picture:
        """Return all objects, with their extra state as far as `processor` tells it."""
        transaction.begin()
        if processor is None:
            return picture_of(self.site)

        def more(obj: Any) -> Any:
            # Rows may have columns that are no fields of the objects.
            iface = getattr(processor, "object_iface", processor.iface)
            return processor.getExtraState(obj) if iface.providedBy(obj) else None

        return picture_of(self.site, more)

    def files(self) -> dict[str, bytes]:
        """Return what is in the storage and in the working directory, by path."""
        found = {}
        for top in (self.storage, os.getcwd()):
            for folder, _folders, names in os.walk(top):
                for name in names:
                    path = os.path.join(folder, name)
                    with open(path, "rb") as stream:
                        found[path] = stream.read()
        return found

    def to_write(self) -> list[str]:
        """Return the classes of the objects that the transaction under way has changed."""
        names = (type(one).__name__ for one in self.connection._registered_objects)
        return sorted(set(names))

    def logs(self) -> str:
        """Return all log lines."""
        logs = os.path.join(self.storage, "logs", "")
        texts = (content for path, content in self.files().items() if path.startswith(logs))
        return "".join(text.decode("utf-8", "replace") for text in texts)

    # -- rows --------------------------------------------------------------------

    def table(self, rows: Sequence[Row], name: str = "rows.csv") -> tuple[str, list[str]]:
        """Write rows as a table; return its path, and its columns in their order."""
        columns = list(dict.fromkeys(column for row in rows for column in row))
        folder = tempfile.mkdtemp(dir=self._scratch)
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, restval="", quoting=csv.QUOTE_ALL)
            writer.writeheader()
            writer.writerows(rows)
        return path, columns

    def apply(
        self, processor: Any, rows: Sequence[Row], mode: str, *, is_check: bool = False
    ) -> Applied:
        """Apply rows as an import does, in a transaction that is committed; a check is aborted."""
        setSite(self.site)
        path, columns = self.table(rows)
        return self.apply_table(
            processor, path, columns, mode, is_check=is_check, options=_OPTIONS
        )

    def apply_table(
        self,
        processor: Any,
        path: str,
        columns: Sequence[str | None],
        mode: str,
        *,
        is_check: bool = False,
        options: ReadOptions | None = None,
    ) -> Applied:
        """Apply the rows of the table at `path`, whose columns fill these fields."""
        transaction.begin()
        try:
            manner = Manner(recorded=not is_check, detailed=True)
            engine = self._engine(processor, path, columns, mode, options, manner)
            found = self._apply(engine, path, is_check)
            if not is_check:
                transaction.commit()
        finally:
            transaction.abort()
        return found._replace(serial=self.database.lastTransaction())

    def broken_rules(self, processor: Any, rows: Sequence[Row], mode: str) -> tuple[str, ...]:
        """Return why a table of `rows` would be refused as a whole; no row is applied."""
        setSite(self.site)
        path, columns = self.table(rows)
        transaction.begin()
        try:
            engine = self._engine(processor, path, columns, mode, _OPTIONS, Manner())
            return engine.broken_rules()
        finally:
            transaction.abort()

    def _engine(
        self,
        processor: Any,
        path: str,
        columns: Sequence[str | None],
        mode: str,
        options: ReadOptions | None,
        manner: Manner,
    ) -> RowEngine:
        return RowEngine(
            processor,
            path,
            conversion.Mapping(tuple(columns)),
            mode,
            self.site,
            options=options or ReadOptions(),
            manner=manner,
        )

    def _apply(self, engine: RowEngine, path: str, is_check: bool) -> Applied:
        finished, pending = (f"{path}.{name}.csv" for name in ("finished", "pending"))
        files = engine.result_files(finished, pending)
        results: list[RowResult] = []
        with ExitStack() as stack:
            stack.callback(files.close)
            if is_check:
                stack.enter_context(dropped_lines())
                stack.enter_context(rehearsal())
            else:
                stack.enter_context(deferred_lines(transaction.manager))
            source = stack.enter_context(engine.open())
            while rows := source.take(1000):
                results += engine.apply(rows)
            files.write_all(results)
        effects = [
            effect
            for result in results
            for effect in (result.effect, *result.part_effects)
            if effect is not None
        ]
        restored = {} if is_check else touched(self.connection, effects)
        return Applied(results, _text(finished), _text(pending), effects, restored, b"")

    def undo(self, processor: Any, applied: Applied) -> list[str]:
        """Take back what was applied; return what was left alone, and why."""
        own: Any = {applied.serial: applied}
        serials = Serials(own, dict)
        conflicts = []
        transaction.begin()
        serials.begin()
        try:
            with deferred_lines(transaction.manager):
                for effect in reversed(applied.effects):
                    try:
                        undo_effect(processor, effect, self.site, serials)
                    except UndoConflict as conflict:
                        conflicts.append(f"{title_of(effect)}: {conflict}")
            transaction.commit()
        finally:
            transaction.abort()
        return conflicts


def _text(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", newline="") as stream:
        return stream.read()


@contextmanager
def _storing_at(storage: str) -> Iterator[None]:
    """Let data centers that are made within this block keep their files in `storage`."""
    config = getGlobalSiteManager().getUtility(IDataCenterConfig)
    former = config.get("path")
    config["path"] = storage
    try:
        yield
    finally:
        config["path"] = former
