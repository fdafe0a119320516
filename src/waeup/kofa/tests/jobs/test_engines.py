"""Each engine keeps what `IJobEngine` promises: the same tests for all of them."""

import os
import unittest
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from tempfile import TemporaryDirectory
from unittest import mock

import psycopg
import psycopg2
from ZEO.Exceptions import ClientDisconnected
from ZODB.POSException import ConflictError
from zope.component import getGlobalSiteManager, provideUtility

from waeup.kofa import jobs
from waeup.kofa.jobs import (
    EmbeddedEngine,
    IJobEngine,
    ProcrastinateEngine,
    Run,
    lanes,
    queueing,
)
from waeup.kofa.jobs.outages import is_away
from waeup.kofa.jobs.record import Checkpoint
from waeup.kofa.tests import servers
from waeup.kofa.tests.jobs.contract import EngineContract, SharedContract
from waeup.kofa.tests.jobs.portal import SITE, USER
from waeup.kofa.tests.servers.kept import free_port

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Alone(EngineContract, unittest.TestCase):
    """Threads of the only process that has the database."""

    def make_engine(self, db, threads=2, tasks=()):
        return EmbeddedEngine(db, SITE, threads, tasks=tasks)


class BesideOthers(SharedContract, unittest.TestCase):
    """Threads of some processes, at a ZEO server."""

    kind = "zeo"

    def make_engine(self, db, threads=2, tasks=()):
        return EmbeddedEngine(db, SITE, threads, is_shared=True, tasks=tasks)

    def restart_database(self):
        servers.zeo().restart()


class WithProcrastinate(SharedContract, unittest.TestCase):
    """Threads of many processes, with PostgreSQL."""

    kind = "postgresql"

    def make_engine(self, db, threads=2, tasks=()):
        return ProcrastinateEngine(db, SITE, self.portal.place.there.dsn, threads, tasks=tasks)

    def restart_database(self):
        servers.postgresql(fsync=False).restart("immediate")

    def execute(self, statement):
        """Execute an SQL statement in the database; return its rows."""
        with psycopg.connect(self.portal.place.there.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def jobs(self):
        """Return the jobs of procrastinate: queues, and whether somebody has them."""
        return self.execute("SELECT queue_name, status::text FROM procrastinate_jobs")

    def test_a_bell_is_one_job_which_goes_when_it_is_done(self):
        self.put("data.csv")
        with self.engine(threads=0) as ringing, mock.patch.object(lanes, "SMALL_BYTES", 0):
            id = self.order("data.csv")
            self.until(lambda: self.jobs() == [("kofa-large", "todo")])
            for _ in range(20):
                ringing.ring(id, False)
        # The engine has carried all bells by its end.
        self.assertEqual(self.jobs(), [("kofa-large", "todo")])
        with self.engine():
            self.finished(id)
            self.until(lambda: not self.jobs())

    def test_bells_that_are_lost_ring_once_more(self):
        self.put("data.csv")
        with self.engine(threads=0):
            id = self.order("data.csv")
            self.until(self.jobs)
        self.execute("TRUNCATE procrastinate_jobs CASCADE")
        with self.engine():
            self.finished(id)

    def test_jobs_of_dead_workers_go(self):
        with self.engine(threads=0) as engine:
            self.until(lambda: engine._app)
            self.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
                " VALUES ('kofa-small', 'kofa.work', 'doing')"
            )
            self.until(lambda: not self.jobs())

    def test_jobs_that_somebody_else_has_put_there_do_no_harm(self):
        self.put("data.csv")
        with self.engine() as engine:
            self.until(lambda: engine.workers()[1] == 2)
            for arguments in ("{}", '{"site": "/other", "id": 7}', '{"site": "/kofa", "id": "x"}'):
                self.execute(
                    "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
                    f" VALUES ('kofa-small', 'kofa.work', '{arguments}')"
                )
            self.finished(self.order("data.csv"))
            self.until(lambda: not self.jobs())

    def test_engines_that_start_at_once_make_the_tables_once(self):
        engines = [self.make_engine(self.db, 1) for _ in range(5)]
        with ExitStack() as started, self.assertNoLogs("waeup.kofa.jobs.queueing", "WARNING"):
            for engine in engines:
                started.enter_context(engine)
            self.until(lambda: all(engine.workers()[1] for engine in engines))

    #: All that procrastinate has made, as the database is when it is restored without that.
    GONE = """
        DROP TABLE procrastinate_workers, procrastinate_jobs, procrastinate_periodic_defers,
            procrastinate_events CASCADE;
        DO $$ DECLARE each text; BEGIN
            FOR each IN SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE 'procrastinate%'
            LOOP EXECUTE 'DROP FUNCTION IF EXISTS ' || each || ' CASCADE'; END LOOP;
        END $$;
        DROP TYPE procrastinate_job_status, procrastinate_job_event_type,
            procrastinate_job_to_defer_v1;
    """

    def made_anew(self, statement, engines):
        """Let tables go while engines work; what is ordered is done, and it is logged once."""
        for name in ("data.csv", "more.csv"):
            self.put(name, prefix=name[0].upper())
        with (
            mock.patch.object(queueing, "POLL", 0.1),
            ExitStack() as started,
            self.assertLogs("waeup.kofa.jobs.queueing", "INFO") as logged,
        ):
            for engine in engines:
                started.enter_context(engine)
            self.until(lambda: all(each.workers()[1] == each._number for each in engines))
            self.finished(self.order("data.csv"))
            self.execute(statement)
            self.finished(self.order("more.csv"))
            self.until(lambda: "were gone" in " ".join(logged.output))
            # Bells are carried again, and heard: nobody has to sweep.
            self.until(lambda: all(each.workers()[1] == each._number for each in engines))
            self.until(lambda: not self.jobs())
        # Who asks while functions are exchanged may be answered with an error of another kind.
        lines = [each for each in logged.output if "were gone" in each]
        self.assertEqual(len(lines), 1, logged.output)
        self.assertEqual(len(self.faculties()), 40)

    def test_tables_that_go_are_made_anew(self):
        self.made_anew(self.GONE, [self.make_engine(self.db)])

    def test_tables_that_go_without_the_rest_are_made_anew(self):
        self.made_anew("DROP TABLE procrastinate_jobs CASCADE", [self.make_engine(self.db)])

    def test_a_table_that_goes_alone_is_made_anew(self):
        self.made_anew("DROP TABLE procrastinate_workers CASCADE", [self.make_engine(self.db)])

    def test_functions_that_go_are_made_anew(self):
        self.made_anew(
            "DROP FUNCTION procrastinate_fetch_job_v2, procrastinate_defer_jobs_v1",
            [self.make_engine(self.db)],
        )

    def test_tables_that_go_are_made_anew_by_one_of_several(self):
        engines = [self.make_engine(self.db if not number else self.open()) for number in range(3)]
        self.made_anew(self.GONE, engines)

    def test_tables_that_go_where_nobody_works_are_made_anew(self):
        self.put("data.csv")
        with self.engine(threads=0) as engine:
            self.until(lambda: engine._app)
            with self.assertLogs("waeup.kofa.jobs.queueing", "WARNING"):
                self.execute(self.GONE)
                id = self.order("data.csv")
                self.until(lambda: self.execute("SELECT to_regclass('procrastinate_jobs')")[0][0])
            # The sweep rings once more.
            self.until(self.jobs)
        with self.engine():
            self.finished(id)

    def test_a_bell_that_is_broken_stops_nobody(self):
        self.put("data.csv")
        broken = ProcrastinateEngine(self.db, SITE, f"host=127.0.0.1 port={free_port()}", 1)
        provideUtility(broken, IJobEngine)
        self.addCleanup(getGlobalSiteManager().unregisterUtility, broken, IJobEngine)
        with self.assertLogs("waeup.kofa.jobs.queueing", "WARNING") as logged:
            with broken:
                id = self.order("data.csv")
                for _ in range(1000):
                    broken.ring(id, True)
                self.until(lambda: logged.records)
            broken.ring(id, True)
        self.assertEqual(len(logged.records), 1)
        self.assertIn("carries no bells", logged.output[0])
        with self.engine():
            self.finished(id)


class Tries(unittest.TestCase):
    """Which deaths of workers count."""

    def test_who_dies_at_one_place_is_counted(self):
        checkpoint = Checkpoint()
        counted = [checkpoint.count_try(place) for place in (0, 1000, 1010, 990, 1050, 1000)]
        self.assertEqual(counted, [1, 1, 2, 3, 4, 5])

    def test_who_gets_further_begins_anew(self):
        checkpoint = Checkpoint()
        counted = [checkpoint.count_try(place) for place in (0, 500, 100, 900, 300, 2000)]
        self.assertEqual(counted, [1, 1, 2, 1, 2, 1])


class Order(unittest.TestCase):
    """Who comes next of runs that wait for nobody."""

    def run_of(self, name, minutes, is_small):
        run = Run(jobs.Order("import", name, "", "facultyprocessor", "create", USER), name)
        run.queued = NOW - timedelta(minutes=minutes)
        run.is_small = is_small
        return run

    def test_small_ones_come_first_and_then_the_oldest(self):
        runs = [
            self.run_of("large", 5, False),
            self.run_of("larger", 6, False),
            self.run_of("small", 1, True),
            self.run_of("smaller", 2, True),
        ]
        names = [run.scope for run in lanes.in_order(runs, NOW)]
        self.assertEqual(names, ["smaller", "small", "larger", "large"])

    def test_nobody_waits_for_ever(self):
        runs = [self.run_of("small", 1, True), self.run_of("large", 11, False)]
        self.assertEqual([run.scope for run in lanes.in_order(runs, NOW)], ["large", "small"])

    def test_what_is_packed_counts_for_more(self):
        with TemporaryDirectory() as folder:
            for name, size, is_small in (
                ("a.csv", lanes.SMALL_BYTES, True),
                ("b.csv", lanes.SMALL_BYTES + 1, False),
                ("c.csv.gz", lanes.SMALL_BYTES // lanes.PACKED, True),
                ("d.XLSX", lanes.SMALL_BYTES // lanes.PACKED + 1, False),
            ):
                path = os.path.join(folder, name)
                with open(path, "wb") as stream:
                    stream.truncate(size)
                self.assertEqual(lanes.is_small_file(path), is_small, name)


class Away(unittest.TestCase):
    """A database that is away is told from other faults."""

    def test_a_server_that_is_away(self):
        with self.assertRaises(psycopg2.OperationalError) as caught:
            psycopg2.connect(f"host=127.0.0.1 port={free_port()}")
        self.assertTrue(is_away(caught.exception))
        try:
            try:
                raise caught.exception
            except psycopg2.Error:
                raise KeyError("what came of it")
        except KeyError as error:
            self.assertTrue(is_away(error))
        self.assertTrue(is_away(ClientDisconnected()))

    def test_other_faults(self):
        for error in (None, OSError("full"), ConflictError(), psycopg2.ProgrammingError()):
            self.assertFalse(is_away(error), error)
        full = psycopg.errors.DiskFull("no space")
        self.assertEqual(full.sqlstate, "53100")
        self.assertFalse(is_away(full))
