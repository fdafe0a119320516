"""A portal on PostgreSQL with two web processes and three workers, which are killed all the time.

::

    python -m waeup.kofa.tests.many --runs 300 --seed 1

Officers upload tables to whichever web process answers, imports of four kinds of objects are
ordered, some are taken back; meanwhile a random process is killed (``kill -9``) and started anew,
a worker is stopped for a while (SIGSTOP), and PostgreSQL is restarted, also as after a crash.  At
the end all must come to rest: each row of each table is an object once or in a pending file once,
and no run, claim or work folder is left.  Exit code 1 says that something is wrong; the folder
is kept then.
"""

import argparse
import io
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import transaction
from transaction.interfaces import TransientError
from zope.component.hooks import site as site_set

from waeup.kofa.api.acting import acting
from waeup.kofa.cli.instance import Instance
from waeup.kofa.cli.processes import SITE_PATH, opened
from waeup.kofa.cli.session import make_site
from waeup.kofa.jobs import recover
from waeup.kofa.jobs.connection import connected
from waeup.kofa.jobs.outages import is_away
from waeup.kofa.presence import processes_of
from waeup.kofa.spool import WorkFolder
from waeup.kofa.tests.cli.client import Client
from waeup.kofa.tests.cli.shell import KOFACTL, environment
from waeup.kofa.tests.servers import PostgreSQL

#: Seconds within which all must come to rest when nobody is killed any more.
REST = 240
#: Processor -> name of the container, and the fields of a row.
KINDS = {
    "studentprocessor": ("students", ("student_id", "firstname", "lastname", "sex")),
    "facultyprocessor": ("faculties", ("code", "title")),
    "userprocessor": ("users", ("name", "title")),
}
#: Rows of a small table and of a large one.
SMALL, LARGE = 12, 1500
#: Of the rows of a table each so many is bad.
BAD = 7


class Many:
    """The portal, its processes, and what its officers have ordered."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.chance = chance
        self.server = PostgreSQL(fsync=True)
        self.happened: Counter[str] = Counter()
        #: Processor -> keys that must be there, and rows that must be pending.
        self.expected: dict[str, set[str]] = {processor: set() for processor in KINDS}
        self.rows = 0
        self.pending = 0
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: dict[str, int] = {}
        self._number = 0

    # -- processes ---------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start everything; at the end all of it ends."""
        with ExitStack() as stack:
            stack.callback(self.server.close)
            self.server.start()
            self.config = self.folder / "kofa.conf"
            self.config.write_text(
                f"<postgresql>\n  dsn {self.server.database('many')}\n</postgresql>\n"
                f"<files>\n  path {self.folder}/files\n</files>\n"
            )
            self.config.chmod(0o600)
            instance = Instance(None, self.config)
            self.db = stack.enter_context(
                opened(instance, instance.configuration, "officers", "web")
            )
            password = make_site(self.db, instance)
            assert password is not None
            self._password = password
            for name in ("web1", "web2", "worker1", "worker2", "worker3"):
                self.start(name)
            try:
                yield
            finally:
                codes = self._end()
            assert not any(codes.values()), f"Processes did not end in order: {codes}"

    def start(self, name: str) -> None:
        """Start a process."""
        if name.startswith("web"):
            with socket.create_server(("127.0.0.1", 0)) as free:
                self._ports[name] = free.getsockname()[1]
            words = ["run", "--port", str(self._ports[name])]
        else:
            words = ["worker"]
        with (self.folder / f"{name}.out").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [*KOFACTL, *words, "--config", str(self.config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(),
            )

    def kill(self) -> None:
        """Kill a process, and start it anew."""
        name = self.chance.choice(sorted(self._processes))
        process = self._processes[name]
        process.kill()
        process.wait()
        self.happened["kills of web" if name.startswith("web") else "kills of workers"] += 1
        self.start(name)

    def pause(self) -> None:
        """Stop a worker for a while."""
        process = self._processes[f"worker{self.chance.randint(1, 3)}"]
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.5, 3))
        process.send_signal(signal.SIGCONT)
        self.happened["pauses"] += 1

    def restart_server(self) -> None:
        """Restart PostgreSQL."""
        self.server.restart(self.chance.choice(("fast", "immediate")))
        self.happened["restarts of PostgreSQL"] += 1

    def wait_for_all(self) -> None:
        """Wait until all processes that were started are at work."""
        until = time.monotonic() + REST
        for name in self._processes:
            while b"(stop it with Ctrl-C)" not in (self.folder / f"{name}.out").read_bytes():
                assert time.monotonic() < until, f"{name} does not start"
                time.sleep(0.1)

    def _end(self) -> dict[str, int]:
        """End all processes; return their exit codes."""
        for process in self._processes.values():
            process.terminate()
        return {name: each.wait(60) for name, each in self._processes.items()}

    # -- officers ----------------------------------------------------------------------

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """Return what `question` says about operations; it is asked again while all is away."""
        until = time.monotonic() + REST
        while True:
            try:
                with (
                    connected(self.db, SITE_PATH) as site,
                    site_set(site),
                    acting(site, "admin") as operations,
                ):
                    answer = question(operations)
                    transaction.commit()
                    return answer
            except Exception as error:
                transaction.abort()
                if not (isinstance(error, TransientError) or is_away(error)):
                    raise
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def order(self) -> None:
        """Let an officer upload a table and order its import; remember what must come of it."""
        self._number += 1
        processor = self.chance.choice(sorted(KINDS))
        size = LARGE if self.chance.random() < 0.1 else self.chance.randint(1, SMALL)
        name, keys, bad, text = self._table(processor, size)
        stored = self._upload(name, text)

        def start(operations: Any) -> Any:
            # An answer may have got lost: then it is ordered already.
            for run in operations.runs(limit=20):
                if run.file == stored:
                    return run.id
            mapping = operations.propose_mapping(stored, processor, "create")
            return operations.start_import(stored, processor, "create", mapping).id

        id = self.ask(start)
        self.rows += size
        self.happened["imports"] += 1
        if self.chance.random() < 0.15:
            self.rest_of(id)
            self.ask(lambda operations: self._undone(operations, id))
            self.happened["undos"] += 1
        else:
            self.expected[processor] |= keys
        self.pending += bad

    def _undone(self, operations: Any, id: str) -> None:
        run = operations.run(id)
        # That it was ordered already is seen by its record.
        if run.state == "finished" and not run.undone_by:
            operations.start_undo(id)

    def _table(self, processor: str, size: int) -> tuple[str, set[str], int, bytes]:
        """Return name, keys of the good rows, number of the bad ones, and text of a table."""
        _container, fields = KINDS[processor]
        keys, bad, lines = set(), 0, [",".join(fields)]
        for number in range(size):
            key = f"k{self._number}x{number}"
            if number % BAD == BAD - 1:
                # A row without a key.
                bad += 1
                lines.append(",".join(["", *(["x"] * (len(fields) - 1))]))
                continue
            keys.add(key)
            values = [key, "x", "y", "f"][: len(fields)]
            lines.append(",".join(values))
        text = "\r\n".join([*lines, ""]).encode()
        return f"t{self._number}.csv", keys, bad, text

    def _upload(self, name: str, text: bytes) -> str:
        """Upload a table by a web process, or by ourselves where none answers."""
        web = self.chance.choice(sorted(self._ports))
        stored = f"{name.removesuffix('.csv')}_admin.csv"
        try:
            client = Client(f"http://127.0.0.1:{self._ports[web]}")
            client.log_in("admin", self._password)
            client.get("/kofa/datacenter/upload")
            page = client.upload("/kofa/datacenter/upload", name, text)
            self.happened[f"uploads with status {page.status}"] += 1
        except OSError:
            self.happened["uploads without an answer"] += 1

        def make_sure(operations: Any) -> None:
            if stored not in [file.name for file in operations.pending_files()]:
                operations.upload(name, io.BytesIO(text))

        self.ask(make_sure)
        return stored

    # -- the end -----------------------------------------------------------------------

    def rest_of(self, *ids: str) -> None:
        """Wait until runs (default: all) are over; raises `AssertionError` when they are not."""
        until = time.monotonic() + REST
        while True:

            def active(operations: Any) -> list[Any]:
                return [run for run in operations.active_runs() if not ids or run.id in ids]

            found = self.ask(active)
            if not found:
                return
            if time.monotonic() > until:
                titles = [f"{run.title}: {run.state}" for run in found]
                raise AssertionError(f"Runs that do not end: {titles}")
            time.sleep(0.2)

    def audit(self) -> None:
        """Raise `AssertionError` unless all is there once, and nothing is left over."""
        self.rest_of()
        states = Counter(
            (run.state, run.fault) for run in self.ask(lambda o: list(o.runs(limit=10**6)))
        )
        odd = {state: n for state, n in states.items() if state[0] not in ("finished", "undone")}
        assert not odd, f"Runs that have not finished: {odd}"
        with connected(self.db, SITE_PATH) as site:
            for processor, (container, _fields) in KINDS.items():
                there = {key for key in site[container] if key.startswith("k")}
                assert there == self.expected[processor], (
                    f"{container}: missing {sorted(self.expected[processor] - there)[:5]}, "
                    f"too many {sorted(there - self.expected[processor])[:5]}"
                )
            storage = Path(site["datacenter"].storage)
        assert self._pending_rows(storage) == self.pending, (
            f"{self._pending_rows(storage)} rows are pending, not {self.pending}"
        )
        left = [
            finding.text
            for finding in recover(self.db, SITE_PATH, verify=True)
            if not finding.repaired
        ]
        assert not left, f"Not repaired: {left}"
        assert WorkFolder.ids(str(storage)) == [], WorkFolder.ids(str(storage))

    @staticmethod
    def _pending_rows(storage: Path) -> int:
        """Return the rows of all pending files of results."""
        return sum(
            len(path.read_bytes().splitlines()) - 1 for path in storage.glob("*.pending.csv")
        )

    def claims(self) -> list[Any]:
        """Return the claims that are left."""
        with connected(self.db, SITE_PATH) as site:
            processes = processes_of(site._p_jar)
            return [] if processes is None else [c for c in processes.claims.values() if c]


def live(many: Many, runs: int, *, quiet: bool = False) -> None:
    """Order so many imports, while things happen; then look whether all is well."""
    with many.running():
        many.ask(lambda operations: operations.system())
        things = [many.kill] * 6 + [many.pause] * 2 + [many.restart_server]
        for number in range(runs):
            many.order()
            if number > 3 and many.chance.random() < 0.4:
                many.chance.choice(things)()
        began = time.monotonic()
        many.audit()
        if not quiet:
            print(f"at rest {time.monotonic() - began:.0f} s after the last order")
        assert not many.claims(), many.claims()
        many.wait_for_all()


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Kill the processes of a portal, all the time.")
    parser.add_argument("--runs", type=int, default=300, help="imports to order (300)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of all chance")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="kofa-many-"))
    many, began = Many(folder, random.Random(options.seed)), time.monotonic()
    try:
        live(many, options.runs)
    except Exception:
        traceback.print_exc()
        print(f"Kept: {folder}")
        return 1
    finally:
        print(f"{many.rows:,} rows, {many.pending:,} of them bad, in", end=" ")
        print(f"{time.monotonic() - began:.0f} s; {dict(sorted(many.happened.items()))}")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
