"""A portal whose figures and health are asked for."""

import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from unittest import mock

from prometheus_client.parser import text_string_to_metric_families

from waeup.kofa.deployment import health, monitoring
from waeup.kofa.deployment.health import Health, checks_of
from waeup.kofa.tests.jobs.portal import SITE
from waeup.kofa.tests.jobs.test_runs import FACULTIES, TABLE, RunTestCase
from waeup.kofa.tests.waiting import joined


def checks_ended() -> None:
    """Wait until no question is put any more."""
    joined(*(each for each in threading.enumerate() if each.name == "kofa check"))


def fetch(url, method="GET"):
    """Return status, type and text of an answer."""
    request = urllib.request.Request(url, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


class MonitoringTestCase(RunTestCase):
    """A portal that is watched; each figure is read anew."""

    files = {"data.csv": TABLE, "more.csv": TABLE, "last.csv": TABLE}

    def setUp(self):
        super().setUp()
        self.db = self.portal.open()
        self.addCleanup(self.db.close)
        self.addCleanup(checks_ended)
        for module in (monitoring, health):
            fresh = mock.patch.multiple(module, SHARED=0, TIMEOUT=60)
            fresh.start()
            self.addCleanup(fresh.stop)
        self.health = Health(checks_of(self.db, SITE))

    def order_here(self, name):
        """Order an import; return its id."""
        return self.ask(
            lambda ops: ops.start_import(name, "facultyprocessor", "create", FACULTIES), db=self.db
        ).id

    @contextmanager
    def served(self, stamp=None):
        """Serve, and give the address."""
        with monitoring.serve(("127.0.0.1", 0), self.db, SITE, self.health, stamp) as (host, port):
            yield f"http://{host}:{port}"

    def figures(self, stamp=None):
        """Return the figures by name and values of labels, as Prometheus reads them."""
        with self.served(stamp) as url:
            status, kind, text = fetch(f"{url}/metrics")
        self.assertEqual((status, kind.partition(";")[0]), (200, "text/plain"))
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
