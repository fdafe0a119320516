"""The engine of many machines: bells go through procrastinate, in the PostgreSQL of the portal.

::

    order -> commit -> ring -> [queue of a thread] -> a job "kofa.work" in a table of procrastinate
                                                            | the worker that is free first
    another process:   claim in the database of objects <---'

A job holds the path of the portal and the id of a run, nothing else; what is to be done is in the
database of objects.  Bells for one run do not pile up: there is one job that waits for each.  It
is removed when it is done.  So its tables can be emptied at any time: the sweep, a task, finds the
runs that nobody works on, and rings once more.

Small runs have a queue of their own with a higher priority.  The lane of a process listens to that
one alone, its other threads to both (`waeup.kofa.jobs.lanes`).

The tables may also go while processes run, as when the database is restored from a copy that lacks
them: whoever meets their absence makes them anew, as at the start.

All that talks to procrastinate lives in one thread with an event loop; runs are worked on by other
threads.  Where PostgreSQL is away that thread waits for it, bells are dropped, and the portal
goes on.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from waeup.kofa.jobs.doorbells import Engine
from waeup.kofa.jobs.duties import Task
from waeup.kofa.jobs.lanes import sweep
from waeup.kofa.jobs.outages import codes_of, first_line

if TYPE_CHECKING:
    import procrastinate
    import psycopg_pool

log = logging.getLogger(__name__)

#: Names of the task and of the queues.
WORK, SMALL, LARGE = "kofa.work", "kofa-small", "kofa-large"
#: Which jobs come first.
PRIORITIES = {SMALL: 10, LARGE: 0}
#: Seconds between two sweeps, and between two attempts to reach PostgreSQL.
SWEEP, RETRY = 5.0, 2.0
#: Seconds for which a connection is waited for, and after which a worker without a beat is dead.
PATIENCE, SILENCE = 5.0, 30.0
#: Seconds after which a worker looks for jobs though PostgreSQL has said nothing.
POLL = 5.0
#: Connections of a process for all of this, besides one for each queue that is listened to.
CONNECTIONS = 4
#: Codes of PostgreSQL for a table, a function, a type that is not there; then, where another
#: process has made the tables anew, for a worker that is not in them, and for what a connection
#: has in mind of those of before.
GONE = {"42P01", "42883", "42704", "23503", "0A000"}
#: What processes that make the tables at the same time wait for each other by.
LOCK = int.from_bytes(b"kofajobs", "big") >> 1
#: What procrastinate makes, in the order in which it goes.
_KINDS = ("TABLE", "FUNCTION", "TYPE")
#: Gives the names of what is not there.
_MISSING = """
SELECT name FROM unnest(%(TABLE)s::text[]) AS name WHERE to_regclass(name) IS NULL
UNION ALL
SELECT name FROM unnest(%(TYPE)s::text[]) AS name WHERE to_regtype(name) IS NULL
UNION ALL
SELECT name FROM unnest(%(FUNCTION)s::text[]) AS name WHERE NOT EXISTS (
    SELECT FROM pg_proc WHERE proname = name AND pg_function_is_visible(oid)
)
"""


class ProcrastinateEngine(Engine):
    """Rings and works by the tables of procrastinate in the database of a `dsn`.

    With no `threads` the process only rings, and sees to tasks.
    """

    def __init__(
        self,
        db: Any,
        site_path: str,
        dsn: str,
        threads: int = 2,
        *,
        tasks: Sequence[Task] = (),
    ) -> None:
        super().__init__(db, site_path, threads, is_shared=True, tasks=tasks)
        self._dsn = dsn
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._live, name="kofa bell")
        self._bells: asyncio.Queue[tuple[str, bool] | None] = asyncio.Queue()
        self._leaving = asyncio.Event()
        self._listening = 0
        self._is_broken = False
        self._app: procrastinate.App | None = None
        self._links: psycopg_pool.AsyncConnectionPool | None = None
        self._pool = ThreadPoolExecutor(max(threads, 1), "kofa worker")

    def ring(self, id: str, is_small: bool = False) -> None:
        """See `IJobEngine`."""
        # Before the start and after the end nobody hears it: a sweep finds the run.
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._bells.put_nowait, (id, is_small))

    def _own_tasks(self) -> Sequence[Task]:
        return (Task("sweep", SWEEP, lambda db, site_path: self._sweep()),)

    def _begin(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def _end(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._leaving.set)
        self._thread.join()
        self._pool.shutdown()

    def _alive(self) -> int:
        return self._listening

    def _call_others(self) -> None:
        for id, is_small in sweep(self._db, self._site_path, self._is_dead):
            self.ring(id, is_small)

    def _sweep(self) -> None:
        """Ring for the runs that nobody works on; remove the jobs of dead workers."""
        self._call_others()
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._remove_stalled(), self._loop)

    # -- the thread of the loop ----------------------------------------------------------

    def _live(self) -> None:
        assert self._loop is not None
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        """Be connected until the end; whatever fails is tried again."""
        while not self._leaving.is_set():
            try:
                async with self._connections() as connections:
                    app = self._new_app()
                    await app.open_async(connections)
                    await self._make_tables()
                    self._tell_sound()
                    self._app, self._links = app, connections
                    try:
                        await self._serve_with(app)
                    finally:
                        self._app = self._links = None
            except Exception as exc:
                self._tell_broken(exc)
                await self._pause()

    async def _serve_with(self, app: "procrastinate.App") -> None:
        """Carry bells and listen to queues until the end; a part that fails begins again."""
        lanes = 1 if self._number > 1 else 0
        ringing = asyncio.ensure_future(self._carry_bells(app))
        listening = [
            asyncio.ensure_future(self._listen(app, queues, number))
            for queues, number in (([SMALL], lanes), ([SMALL, LARGE], self._number - lanes))
            if number
        ]
        await self._leaving.wait()
        for each in listening:
            # procrastinate waits for the jobs that are under way.
            each.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        if listening:
            # What was put down can begin elsewhere at once.
            await asyncio.get_running_loop().run_in_executor(self._pool, self._hand_over)
        self._bells.put_nowait(None)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ringing, PATIENCE)

    def _hand_over(self) -> None:
        try:
            self._call_others()
        except Exception as exc:
            log.info("What was put down is found by the sweep of others: %s", first_line(exc))

    async def _carry_bells(self, app: "procrastinate.App") -> None:
        from procrastinate.exceptions import AlreadyEnqueued

        while (bell := await self._bells.get()) is not None:
            id, is_small = bell
            queue = SMALL if is_small else LARGE
            try:
                # PostgreSQL would log an error for each bell that waits already.
                if not await app.job_manager.list_jobs_async(status="todo", queueing_lock=id):
                    task = app.configure_task(
                        WORK, queue=queue, priority=PRIORITIES[queue], queueing_lock=id
                    )
                    await task.defer_async(site=self._site_path, id=id)
                self._tell_sound()
            except AlreadyEnqueued:
                # Another process has rung at this moment.
                self._tell_sound()
            except Exception as exc:
                await self._answer(exc)

    async def _listen(self, app: "procrastinate.App", queues: list[str], number: int) -> None:
        """Let so many threads work on what comes from queues, until this is cancelled."""
        while not self._leaving.is_set():
            self._listening += number
            try:
                await app.run_worker_async(
                    queues=queues,
                    name="-".join((self.holder.rpartition(":")[2], *queues)),
                    concurrency=number,
                    fetch_job_polling_interval=POLL,
                    stalled_worker_timeout=SILENCE,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
            except Exception as exc:
                await self._answer(exc)
            finally:
                self._listening -= number
            await self._pause()

    async def _remove_stalled(self) -> None:
        """Remove the jobs whose worker has died; their runs are found by the sweep."""
        from procrastinate.jobs import Status

        app = self._app
        if app is None:
            return
        try:
            stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=SILENCE)
            for job in stalled:
                assert job.id is not None
                await app.job_manager.finish_job_by_id_async(
                    job.id, status=Status.FAILED, delete_job=True
                )
        except Exception as exc:
            if GONE & codes_of(exc):
                await self._answer(exc)
                return
            # Also when another process, or the worker after all, was quicker.
            log.info("Jobs of dead workers stay for now: %s", first_line(exc))

    async def _pause(self) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), RETRY)

    # -- procrastinate -------------------------------------------------------------------

    def _new_app(self) -> "procrastinate.App":
        import procrastinate

        app = procrastinate.App(connector=procrastinate.PsycopgConnector())

        @app.task(name=WORK, queue=LARGE, pass_context=True)
        async def work(context: procrastinate.JobContext, site: str, id: str) -> None:
            is_lane = list(context.worker_queues or ()) == [SMALL]
            # What is in the table is not trusted: it is a bell, whoever has put it there.
            first = str(id) if site == self._site_path else None
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._pool, self._work_off, is_lane, first)

        return app

    def _connections(self) -> "psycopg_pool.AsyncConnectionPool":
        """Return a pool of connections, which comes back when PostgreSQL does."""
        import psycopg_pool

        pool: Any = psycopg_pool.AsyncConnectionPool
        return pool(
            self._dsn,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=PATIENCE,
            reconnect_timeout=PATIENCE,
            check=pool.check_connection,
            open=False,
        )

    async def _make_tables(self) -> bool:
        """Make the tables of procrastinate, unless they are there; others wait meanwhile.

        Tell whether they were made.  What is left of former ones, without the rest, goes.
        """
        import psycopg
        from procrastinate.schema import SchemaManager
        from psycopg.sql import SQL, Identifier

        schema = SchemaManager.get_schema()
        opening = psycopg.AsyncConnection.connect(self._dsn)
        async with await asyncio.wait_for(opening, PATIENCE) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            names = {
                kind: re.findall(rf"^CREATE {kind} (\w+)", schema, re.MULTILINE) for kind in _KINDS
            }
            missing = await connection.execute(_MISSING, names)
            if await missing.fetchone() is None:
                return False
            for kind in _KINDS:
                for name in names[kind]:
                    remains = SQL("DROP {} IF EXISTS {} CASCADE")
                    await connection.execute(remains.format(SQL(kind), Identifier(name)))
            await connection.execute(schema)
            return True

    async def _answer(self, error: Exception) -> None:
        """Do what an error asks for: the tables are made where they are gone, or it is told."""
        if not GONE & codes_of(error):
            self._tell_broken(error)
            return
        try:
            if await self._make_tables():
                log.warning(
                    "The tables of procrastinate were gone (%s), and were made anew. Runs that "
                    "wait are found by the next sweep.",
                    first_line(error.__cause__ or error).rstrip("."),
                )
            else:
                log.info("The tables of procrastinate are new: %s", first_line(error))
            if self._links is not None:
                await self._links.drain()
        except Exception as exc:
            self._tell_broken(exc)

    def _tell_broken(self, error: Exception) -> None:
        """Log once that there are no bells."""
        if not self._is_broken:
            self._is_broken = True
            log.warning(
                "PostgreSQL carries no bells at the moment: %s. Runs are done as soon as it does.",
                first_line(error.__cause__ or error).rstrip("."),
            )

    def _tell_sound(self) -> None:
        if self._is_broken:
            self._is_broken = False
            log.info("PostgreSQL carries bells again.")
