"""What it costs to have the objects at a server, and what several workers do together.

Servers are started for the time of the benchmark: PostgreSQL 15 or later, and ZEO, on this
machine and on a disk, and a commit is on that disk when it is reported.  Where there is no
PostgreSQL there are no figures.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import transaction
from BTrees.OOBTree import OOBTree

from benchmarks import floors, runs
from benchmarks.frame import MB, ROOT, Call, Clock, Outcome, Run, median_of, ratio, rounds_made
from benchmarks.people import COLUMNS, students, write_table
from benchmarks.portals import Portal
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.students.interfaces import IStudent

__all__ = ["commits", "curve", "storages"]

#: Rows of an import, and of all imports of the curve together.
ROWS, CURVE_ROWS = 50_000, 120_000
ROUNDS = 5
#: The least ratio of an import to bare objects in the same storage.
TARGET = 0.5
#: Kinds of storages, in the order of the table, with their names for people.
KINDS = {"filestorage": "a file", "zeo": "ZEO", "postgresql": "PostgreSQL"}
#: How many workers the curve has at most, how many scopes there are, and imports in each.
WORKERS, SCOPES, FILES = 4, 4, 3
#: Seconds between two looks whether all runs are over.
PAUSE = 0.5
#: Seconds in which commits are counted, and how many clients there are at a time.
COUNTED, CLIENTS = 5.0, (1, 2, 4, 8)


# -- servers ---------------------------------------------------------------------------------


class Servers:
    """The servers of a benchmark; gives places in them that are empty."""

    postgresql: Any
    zeo: Any

    def __init__(self, stack: ExitStack, kinds: Sequence[str]) -> None:
        from waeup.kofa.tests.servers import PostgreSQL, Zeo

        self._number = 0
        for kind, server in (("postgresql", PostgreSQL), ("zeo", Zeo)):
            if kind in kinds:
                started: Any = server(on_disk=True)
                stack.callback(started.close)
                started.start()
                setattr(self, kind, started)

    def section(self, kind: str) -> str:
        """Return the section of ``kofa.conf`` for a database that is empty."""
        if kind == "zeo":
            (host, port), name = self.zeo.place()
            return f"<zeo>\n  server {host}:{port}\n  storage {name}\n</zeo>\n"
        if kind == "postgresql":
            return f"<postgresql>\n  dsn {self.postgresql.database('bench')}\n</postgresql>\n"
        return ""

    def instance(self, folder: Path, kind: str) -> Path:
        """Make an instance directory for a database that is empty; return its configuration."""
        self._number += 1
        var = folder / f"var{self._number}"
        var.mkdir()
        (var / "datacenter").mkdir()
        path = var / "kofa.conf"
        path.write_text(self.section(kind), encoding="utf-8")
        return path

    def process(self, kind: str) -> int:
        """Return the id of the process of a server, 0 for a storage without one."""
        if kind == "filestorage":
            return 0
        server = getattr(self, kind)
        return int((server.directory / server.pid_file).read_text().split()[0])


def processor_of(*pids: int) -> float:
    """Return the seconds of the processor that processes have had, all children included."""
    ticks, parents = 0, set(pids) - {0}
    for entry in os.listdir("/proc") if parents else ():
        if not entry.isdecimal():
            continue
        try:
            words = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parents & {int(entry), int(words[1])}:
            ticks += sum(map(int, words[11:13]))
        if int(entry) in parents:
            # Children that have ended.
            ticks += sum(map(int, words[13:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def opened(config: str) -> Iterator[tuple[Any, Any]]:
    """Open the database of a configuration as a worker does; gives it, and the instance."""
    from waeup.kofa.cli.instance import Instance
    from waeup.kofa.cli.processes import opened as opened_by_worker

    instance = Instance(None, Path(config))
    with opened_by_worker(instance, instance.configuration, "bench", "worker") as database:
        yield database, instance


# -- one worker, three kinds of storages -------------------------------------------------


def storages(
    folder: Path,
    quick: bool,
    rows: int | None = None,
    rounds: int | None = None,
    cpu: bool = False,
) -> Outcome:
    """Measure an import of students, and bare objects, in each kind of storage.

    With `cpu` by the time of the processor, that of the server included.
    """
    by = "work" if cpu else "seconds"
    rows = rows or (ROWS // 10 if quick else ROWS)
    rounds = rounds or (1 if quick else ROUNDS)
    with ExitStack() as stack:
        servers = Servers(stack, ("zeo", "postgresql"))

        def call(kind: str, commit: int) -> Run:
            config = servers.instance(folder, kind)
            more = (str(config), rows, servers.process(kind))
            run = Call(bare, (*more, commit)).run() if commit else Call(ours, more).run()
            return {**run, "work": run["cpu"] + run["server"]}

        commits = {kind: int(call(kind, 0)["commit"]) for kind in KINDS}
        turns = [(kind, commit) for kind in KINDS for commit in (0, commits[kind])]
        found: dict[tuple[str, int], list[Run]] = {turn: [] for turn in turns}
        for number in range(rounds):
            print(f"storages: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for turn in turns if number % 2 == 0 else turns[::-1]:
                found[turn].append(call(*turn))
    lines, missed = [], 0
    by_file = found["filestorage", 0]
    for kind, title in KINDS.items():
        low, run = found[kind, commits[kind]], found[kind, 0]
        reached = ratio(low, run, by)
        missed += kind == "postgresql" and reached < TARGET
        met = "met" if reached >= TARGET else "MISSED"
        lines.append(
            (
                title,
                f"{rows:,}",
                f"{rows / median_of(low, by):,.0f}",
                f"{rows / median_of(run, by):,.0f}",
                f"{reached:.2f}",
                f"{TARGET:.2f}, {met}" if kind == "postgresql" else "-",
                f"{ratio(by_file, run, by):.2f}",
                f"{commits[kind]:,}",
                f"{median_of(run, 'cpu') / rows * 1e6:,.0f}",
                f"{median_of(run, 'server') / rows * 1e6:,.0f}" if kind != "filestorage" else "-",
                f"{median_of(run, 'peak') / MB:,.0f} MB",
            )
        )
    heading = (
        *("Storage", "Rows", "Floor", "Run", "Ratio", "Target", "To a file", "Commit"),
        *("CPU", "Server", "Peak"),
    )
    note = "In seconds of the processor." if cpu else ""
    return Outcome(heading, lines, missed, f"{note} {rounds_made(rounds)}".strip())


def ours(config: str, rows: int, server: int) -> Run:
    """Import students as a worker does, from the order to the files in their places."""
    from waeup.kofa.cli.session import SITE_NAME, make_site

    with opened(config) as (database, instance), TemporaryDirectory() as own:
        make_site(database, instance)
        kofa = Portal(database, f"/{SITE_NAME}", instance.database_path)
        path = Path(own, "students.csv")
        write_table(path, COLUMNS, students(rows))
        name = kofa.put(path)
        before, clock = processor_of(server), Clock()
        id = kofa.order("import", name, runs.STUDENTS, "create")
        kofa.work_off(id)
        spent = clock.read()
        found: Run = {
            **spent,
            "server": processor_of(server) - before,
            "commit": -(-rows // kofa.batches(id)),
        }
        with kofa.entered() as site:
            there = len(site["students"])
        if there != rows:
            raise AssertionError(f"{there} students, not {rows}")
        return found


def bare(config: str, rows: int, server: int, commit: int) -> Run:
    """Put persistent objects with the same attributes into a tree, so many in a commit."""
    from waeup.kofa.cli.instance import Instance
    from waeup.kofa.cli.session import collect_less

    instance = Instance(None, Path(config))
    instance.make()
    collect_less()
    with instance.database(write=True) as database, closing(database.open()) as connection:
        root = connection.root()
        root["tree"] = OOBTree()
        transaction.commit()
        work = floors.Create(root, Path(config))
        spent: Run = {"seconds": 0.0, "cpu": 0.0, "server": 0.0}
        states = map(work.state, students(rows))
        while batch := list(islice(states, commit)):
            before, clock = processor_of(server), Clock()
            for state in batch:
                work.apply(state)
            transaction.commit()
            more: Run = {**clock.read(), "server": processor_of(server) - before}
            spent = {name: spent[name] + more[name] for name in spent}
        if len(root["tree"]) != rows:
            raise AssertionError(f"{len(root['tree'])} objects, not {rows}")
        return spent


# -- several workers, one storage --------------------------------------------------------


def _kinds() -> list[type[ContainerProcessor]]:
    """Return kinds of objects with the columns of students, each in a scope of its own."""
    return [
        type(
            f"Herd{number}Processor",
            (ContainerProcessor,),
            {
                "__module__": __name__,
                "iface": IStudent,
                "container": f"herd{number}",
                "scope": f"herd{number}",
                "key": "student_id",
            },
        )
        for number in range(1, SCOPES + 1)
    ]


def _register() -> list[str]:
    """Register the kinds in this process; return their names."""
    from zope.component import provideUtility

    from waeup.kofa.cli.session import load_configuration
    from waeup.kofa.interfaces import IBatchProcessor

    load_configuration()
    found: list[Any] = [kind() for kind in _kinds()]
    for each in found:
        provideUtility(each, IBatchProcessor, each.util_name)
    return [each.util_name for each in found]


def curve(
    folder: Path, quick: bool, rows: int | None = None, rounds: int | None = None
) -> Outcome:
    """Let one worker, two, three and four do the same imports."""
    rows = rows or (CURVE_ROWS // 10 if quick else CURVE_ROWS)
    rounds = rounds or (1 if quick else ROUNDS)
    found: dict[int, list[Run]] = {number: [] for number in range(1, WORKERS + 1)}
    with ExitStack() as stack:
        servers = Servers(stack, ("postgresql",))
        for number in range(rounds):
            print(f"scaling: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for workers in found if number % 2 == 0 else reversed(found):
                config = servers.instance(folder, "postgresql")
                found[workers].append(
                    _together(config, rows, workers, servers.process("postgresql"))
                )
    lines = []
    for workers, run in found.items():
        done = run[0]["rows"]
        lines.append(
            (
                f"{workers}",
                f"{done:,.0f}",
                f"{done / median_of(run, 'seconds'):,.0f}",
                f"{ratio(found[1], run):.2f}",
                f"{median_of(run, 'conflicts'):.0f}",
                f"{median_of(run, 'cpu') / done * 1e6:,.0f}",
                f"{median_of(run, 'server') / done * 1e6:,.0f}",
                f"{median_of(run, 'busy'):.2f}",
                f"{median_of(run, 'peak') / MB:,.0f} MB",
            )
        )
    heading = (
        *("Workers", "Rows", "Rows a second", "To one", "Conflicts", "CPU", "Server"),
        *("Cores busy", "Peak"),
    )
    return Outcome(heading, lines, 0, rounds_made(rounds))


class Worker(NamedTuple):
    """A process of `work`."""

    process: "subprocess.Popen[str]"

    @classmethod
    def start(cls, config: Path) -> "Worker":
        """Start a worker, and wait until it looks for runs."""
        name, arguments = f"{__name__}:work", json.dumps([str(config)])
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.apart", name, arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("The worker looks for runs"):
                return cls(process)
        raise AssertionError("A worker does not start.")

    def stop(self) -> Run:
        """Let the worker end; return what it has found out."""
        self.process.send_signal(signal.SIGTERM)
        told, _ = self.process.communicate(timeout=60)
        run: Run = json.loads(told.splitlines()[-1])
        return run


def _together(config: Path, rows: int, workers: int, server: int) -> Run:
    """Let some workers do all imports in a new portal."""
    Call(prepare, (str(config), rows)).run()
    started: list[Worker] = []
    try:
        started += [Worker.start(config) for _number in range(workers)]
        pids = [worker.process.pid for worker in started]
        found = Call(order_all, (str(config), server, pids)).run()
        told = [worker.stop() for worker in started]
    finally:
        for worker in started:
            worker.process.kill()
            worker.process.wait()
    return {
        **found,
        "conflicts": sum(each["conflicts"] for each in told),
        "busy": (found["cpu"] + found["server"]) / found["seconds"],
        "peak": max(each["peak"] for each in told),
    }


def prepare(config: str, rows: int) -> Run:
    """Make a portal with places for all kinds, and put the tables into its data center."""
    import grok

    from waeup.kofa.cli.session import SITE_NAME, make_site

    names = _register()
    with opened(config) as (database, instance), TemporaryDirectory() as own:
        make_site(database, instance)
        kofa = Portal(database, f"/{SITE_NAME}", instance.database_path)
        with kofa.entered() as site:
            for number in range(1, SCOPES + 1):
                site[f"herd{number}"] = grok.Container()
            transaction.commit()
        each = rows // (SCOPES * FILES)
        people = students(each * SCOPES * FILES)
        for part in range(FILES):
            for name in names:
                path = Path(own, f"{name}-{part}.csv")
                write_table(path, COLUMNS, islice(people, each))
                kofa.put(path)
    return {"seconds": 0.0}


def work(config: str) -> Run:
    """Be a worker until SIGTERM."""
    from waeup.kofa import meters
    from waeup.kofa.cli import main

    _register()
    main(["worker", "--threads", "1", "--config", config])
    conflicts = meters.REGISTRY.get_sample_value("kofa_conflicts_total", {"where": meters.IN_RUN})
    return {"seconds": 0.0, "conflicts": conflicts or 0.0}


def order_all(config: str, server: int, workers: list[int]) -> Run:
    """Order the import of all tables, and wait until the workers are done with them.

    The seconds are those from the first beginning of a run to the last end of one.  `server` and
    `workers` are the ids of processes.
    """
    from waeup.kofa.cli.session import SITE_NAME

    _register()
    with opened(config) as (database, instance):
        kofa = Portal(database, f"/{SITE_NAME}", instance.database_path)
        names = kofa.acting(lambda o: [file.name for file in o.pending_files("date")])[::-1]
        before, at_server = processor_of(*workers), processor_of(server)
        ids = [
            kofa.order("import", name, name.partition("-")[0], "create") for name in sorted(names)
        ]
        while kofa.acting(lambda operations: operations.active_runs()):
            time.sleep(PAUSE)
        cpu, at_server = processor_of(*workers) - before, processor_of(server) - at_server
        ended = kofa.acting(lambda operations: [operations.run(id) for id in ids])
    wrong = [run for run in ended if run.state != "finished" or run.report.failed]
    if wrong:
        raise AssertionError(f"{wrong[0].title}: {wrong[0].state}. {wrong[0].fault}")
    first, last = min(run.started for run in ended), max(run.ended for run in ended)
    rows = sum(run.rows for run in ended)
    seconds = (last - first).total_seconds()
    return {"seconds": seconds, "cpu": cpu, "server": at_server, "rows": rows}


# -- commits -----------------------------------------------------------------------------


def commits(folder: Path, quick: bool, rounds: int | None = None) -> Outcome:
    """Count the commits of one small change each that storages take in a second."""
    rounds = rounds or (1 if quick else ROUNDS)
    seconds = COUNTED / 10 if quick else COUNTED
    kinds = {"insert": "a row, PostgreSQL", "postgresql": "an object, PostgreSQL"}
    kinds |= {"zeo": "an object, ZEO", "filestorage": "an object, a file"}
    found: dict[str, list[Run]] = {kind: [] for kind in kinds}
    with ExitStack() as stack:
        servers = Servers(stack, ("zeo", "postgresql"))
        for number in range(rounds):
            print(f"commits: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for kind in kinds if number % 2 == 0 else reversed(kinds):
                if kind == "insert":
                    call = Call(inserts, (servers.postgresql.database("bench"), seconds))
                else:
                    config = servers.instance(folder, kind)
                    call = Call(changes, (str(config), seconds))
                found[kind].append(call.run())
    lines = [
        (title, *(f"{median_of(found[kind], str(count)):,.0f}" for count in CLIENTS))
        for kind, title in kinds.items()
    ]
    heading = ("Each commit", *(f"{count} at once" for count in CLIENTS))
    return Outcome(heading, lines, 0, rounds_made(rounds))


def inserts(dsn: str, seconds: float) -> Run:
    """Insert rows, by several connections at a time."""
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE counted (number bigint, text text)")

    def client(number: int) -> Iterator[Callable[[], object]]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            insert = "INSERT INTO counted VALUES (%s, 'something that has some length')"
            yield lambda: connection.execute(insert, (number,))

    return {str(count): _counted(client, count, seconds) for count in CLIENTS} | {"seconds": 0.0}


def changes(config: str, seconds: float) -> Run:
    """Change objects, by several connections of the object database at a time."""
    from waeup.kofa.cli.instance import Instance

    instance = Instance(None, Path(config))
    instance.make()
    with instance.database(write=True) as database:
        with closing(database.open()) as connection:
            root = connection.root()
            for number in range(max(CLIENTS)):
                root[f"one{number}"] = floors.Bare()
            transaction.commit()

        def client(number: int) -> Iterator[Callable[[], object]]:
            manager = transaction.TransactionManager()
            with closing(database.open(manager)) as connection:
                one = connection.root()[f"one{number}"]
                one.text, one.count = "something that has some length", 0

                def change() -> None:
                    one.count += 1
                    manager.commit()

                yield change

        return {str(count): _counted(client, count, seconds) for count in CLIENTS} | {
            "seconds": 0.0
        }


def _counted(
    client: Callable[[int], Iterator[Callable[[], object]]], count: int, seconds: float
) -> float:
    """Return how often a second so many clients do what they do."""

    def work(number: int) -> int:
        done = 0
        for change in client(number):
            change()
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                change()
                done += 1
        return done

    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(work, range(count))) / seconds
