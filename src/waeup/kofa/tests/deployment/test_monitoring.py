"""The listener for programs: figures that Prometheus reads, and health in detail."""

import json
import os
import shutil
import threading
import urllib.error
import urllib.request
from datetime import timedelta
from types import SimpleNamespace
from unittest import mock

from zope.component import getGlobalSiteManager, provideUtility

from waeup.kofa import claims
from waeup.kofa.deployment import health, monitoring
from waeup.kofa.deployment.health import Health, checks_of
from waeup.kofa.errors import Refused
from waeup.kofa.jobs import IJobEngine, worker
from waeup.kofa.tests.deployment.monitored import MonitoringTestCase, fetch
from waeup.kofa.tests.jobs.portal import SITE
from waeup.kofa.tests.waiting import PATIENCE


class Figures(MonitoringTestCase):
    """Figures of the whole portal."""

    def test_a_portal_at_rest(self):
        found = self.figures()
        for name, value in (
            ("kofa_database_up", 1),
            ("kofa_ready", 1),
            ("kofa_oldest_queued_run_seconds", 0),
        ):
            self.assertEqual(found[name,], value, name)
        self.assertEqual(found["kofa_runs", "import", "queued"], 0)
        self.assertEqual(found["kofa_runs", "export", "stopped"], 0)
        self.assertGreater(found["kofa_database_size_bytes",], 1000)
        self.assertGreater(found["kofa_storage_free_bytes",], 1000)
        self.assertIn(("kofa_database_connections", "used"), found)
        self.assertIn(("process_resident_memory_bytes",), found)
        self.assertNotIn(("kofa_workers", "alive"), found)
        self.assertNotIn(("kofa_last_backup_timestamp_seconds",), found)

    def test_runs_that_wait_and_those_that_have_stopped(self):
        stopped = self.order_here("data.csv")
        with mock.patch.object(worker, "do_import", side_effect=MemoryError):
            self.portal.work_off(stopped, self.db)
        first, _second = self.order_here("more.csv"), self.order_here("last.csv")

        def age(site):
            site["datacenter"].runs.get(first).queued -= timedelta(hours=1)

        self.portal.change(age, self.db)
        found = self.figures()
        self.assertEqual(found["kofa_runs", "import", "stopped"], 1)
        self.assertEqual(found["kofa_runs", "import", "queued"], 2)
        self.assertGreaterEqual(found["kofa_oldest_queued_run_seconds",], 3600)
        self.ask(lambda operations: operations.cancel(stopped), db=self.db)
        self.assertEqual(self.figures()["kofa_runs", "import", "stopped"], 0)

    def test_webhooks_and_messages_that_wait(self):
        found = self.figures()
        self.assertEqual(found["kofa_webhook_messages_waiting",], 0)
        self.assertEqual(found["kofa_webhooks", "on"], 0)

        def make(operations):
            ids = [operations.new_webhook("https://a.example/").id for _number in range(2)]
            operations.test_webhook(ids[0])
            operations.change_webhook(ids[1], is_on=False)

        self.ask(make, db=self.db)
        found = self.figures()
        self.assertEqual(found["kofa_webhook_messages_waiting",], 1)
        self.assertEqual((found["kofa_webhooks", "on"], found["kofa_webhooks", "off"]), (1, 1))
        self.assertEqual(found["kofa_webhooks", "broken"], 0)
        self.assertIn(("kofa_webhook_messages_total", "delivered"), found)

    def test_processes_that_share_the_database(self):
        self.assertNotIn(("kofa_processes", "web"), self.figures())
        with claims.install(self.db, SITE, "worker"):
            found = self.figures()
        kinds = {key[1]: value for key, value in found.items() if key[0] == "kofa_processes"}
        self.assertEqual(kinds, {"web": 0, "worker": 1, "command": 0})

    def test_a_database_that_is_away_is_a_figure(self):
        with mock.patch.object(self.db, "open", side_effect=OSError("gone")):
            found = self.figures()
        self.assertEqual((found["kofa_database_up",], found["kofa_ready",]), (0, 0))
        self.assertNotIn(("kofa_runs", "import", "queued"), found)
        # What this process has counted is told all the same.
        self.assertIn(("kofa_lease_losses_total",), found)

    def test_a_database_that_hangs_is_a_figure(self):
        free = threading.Event()
        self.addCleanup(free.set)

        def hang(*args):
            free.wait(PATIENCE)
            raise OSError

        with (
            mock.patch.object(self.db, "open", hang),
            mock.patch.object(monitoring, "TIMEOUT", 0.05),
            mock.patch.object(health, "TIMEOUT", 0.05),
        ):
            self.health = Health(checks_of(self.db, SITE))
            found = self.figures()
        self.assertEqual((found["kofa_database_up",], found["kofa_ready",]), (0, 0))

    def test_workers_and_the_last_backup(self):
        engine = SimpleNamespace(workers=lambda: (2, 1, None, None))
        provideUtility(engine, IJobEngine)
        self.addCleanup(getGlobalSiteManager().unregisterUtility, engine, IJobEngine)
        stamp = os.path.join(self.portal.home, "last-backup")
        with open(stamp, "w"):
            pass
        os.utime(stamp, (1_700_000_000, 1_700_000_000))
        found = self.figures(stamp)
        self.assertEqual(found["kofa_workers", "wanted"], 2)
        self.assertEqual(found["kofa_workers", "alive"], 1)
        self.assertEqual(found["kofa_ready",], 0)
        self.assertEqual(found["kofa_last_backup_timestamp_seconds",], 1_700_000_000)

    def test_the_database_is_asked_once_in_a_while(self):
        asked = []
        real = self.db.open

        def count(*args):
            asked.append(1)
            return real(*args)

        with (
            mock.patch.object(self.db, "open", count),
            mock.patch.object(monitoring, "SHARED", 60),
            mock.patch.object(health, "SHARED", 60),
        ):
            self.health = Health(checks_of(self.db, SITE))
            with self.served() as url:
                fetch(f"{url}/metrics")
                first = len(asked)
                for _ in range(3):
                    fetch(f"{url}/metrics")
        self.assertEqual(len(asked), first)


class Listener(MonitoringTestCase):
    """Who answers, and what."""

    def test_health_with_what_is_wrong(self):
        with self.served() as url:
            status, kind, text = fetch(f"{url}/++health")
            self.assertEqual((status, kind), (200, "application/json"))
            self.assertEqual(json.loads(text)["problems"], {})
            shutil.rmtree(self.portal.storage)
            status, kind, text = fetch(f"{url}/++health/ready")
            self.assertEqual(status, 503)
            self.assertIn("is gone, or empty", json.loads(text)["problems"]["storage"])
            self.assertEqual(fetch(f"{url}/++health/live")[0], 200)
            self.health.stop()
            self.assertIn("stopping", fetch(f"{url}/++health")[2])

    def test_nothing_else_is_answered(self):
        with self.served() as url:
            self.assertEqual(fetch(f"{url}/")[0], 404)
            self.assertEqual(fetch(f"{url}/kofa/login")[0], 404)
            self.assertEqual(fetch(f"{url}/metrics", method="POST")[0], 405)
            self.assertEqual(fetch(f"{url}/metrics", method="HEAD")[::2], (200, ""))

    def test_an_address_that_is_taken(self):
        with self.served() as url:
            port = int(url.rpartition(":")[2])
            again = monitoring.serve(("127.0.0.1", port), self.db, SITE, self.health)
            with self.assertRaisesRegex(Refused, f"127.0.0.1, port {port}: .*<monitoring>"):
                again.__enter__()

    def test_it_ends_with_its_block(self):
        with self.served() as url:
            fetch(f"{url}/metrics")
        self.assertRaises(urllib.error.URLError, fetch, f"{url}/metrics")
        self.assertNotIn("kofa monitoring", [each.name for each in threading.enumerate()])
