"""A portal of one's own, in this process, and runs in it as `kofactl import` makes them.

Orders are given by the operations that the command line and the pages call, and are carried out
by what the portal's worker calls.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import transaction

__all__ = ["Portal", "portal"]


class Portal(NamedTuple):
    """The database of a portal, the path of the portal in it, and the file that it is in."""

    database: Any
    site_path: str
    path: Path

    def acting(self, ask: Callable[[Any], Any]) -> Any:
        """Return what `ask` says of the operations of the administrator; changes are committed."""
        from zope.component.hooks import site as site_set

        from waeup.kofa.api.acting import acting
        from waeup.kofa.jobs.connection import connected

        with (
            connected(self.database, self.site_path) as site,
            site_set(site),
            acting(site, "admin") as operations,
        ):
            answer = ask(operations)
            transaction.commit()
            return answer

    @contextmanager
    def entered(self) -> Iterator[Any]:
        """Give the portal itself on a new connection; what is not committed is dropped."""
        from waeup.kofa.jobs.connection import open_portal

        with open_portal(self.database, self.site_path) as site:
            yield site

    def put(self, path: Path) -> str:
        """Upload a table; return the name of the stored file."""

        def upload(operations: Any) -> str:
            with path.open("rb") as stream:
                name: str = operations.upload(path.name, stream).name
                return name

        name: str = self.acting(upload)
        return name

    def order(self, kind: str, name: str, processor: str, mode: str, **more: Any) -> str:
        """Order a run (``import`` or ``check``) of a stored file; return its id."""

        def start(operations: Any) -> str:
            mapping = operations.propose_mapping(name, processor, mode)
            begin = operations.start_check if kind == "check" else operations.start_import
            id: str = begin(name, processor, mode, mapping, **more).id
            return id

        id: str = self.acting(start)
        return id

    def order_undo(self) -> str:
        """Order that the newest run is taken back; return the id of the undo."""
        id: str = self.acting(lambda operations: operations.start_undo(operations.runs()[0].id).id)
        return id

    def work_off(self, id: str, failed: int = 0) -> None:
        """Work on a run to its end.

        Raises `AssertionError` unless it ends with so many failed rows.
        """
        from waeup.kofa.jobs import new_holder, work_off

        work_off(self.database, self.site_path, id, new_holder())
        info = self.acting(lambda operations: operations.run(id))
        if info.state != "finished" or info.report.failed != failed:
            raise AssertionError(
                f"{info.title}: {info.state}, {info.report.failed} failed, not {failed}. "
                f"{info.fault}"
            )

    def batches(self, id: str) -> int:
        """Return in how many transactions the rows of a run were stored."""
        with self.entered() as site:
            number: int = site["datacenter"].runs.get(id).checkpoint.batches
            return number


@contextmanager
def portal(var: Path | None = None) -> Iterator[Portal]:
    """Give the portal of an instance directory, whose components are registered.

    One that is not there is made; without `var` it is gone behind the block.
    """
    from waeup.kofa.cli.instance import Instance
    from waeup.kofa.cli.session import SITE_NAME, configure, load_configuration, make_site

    with ExitStack() as stack:
        instance = Instance(var or Path(stack.enter_context(TemporaryDirectory())))
        instance.make()
        load_configuration()
        configure(instance)
        database = stack.enter_context(instance.database(write=True))
        make_site(database, instance)
        yield Portal(database, f"/{SITE_NAME}", instance.database_path)
