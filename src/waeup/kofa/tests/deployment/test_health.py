"""What is told of the health of a process, and what it is made of."""

import json
import os
import shutil
import threading
import unittest
from types import SimpleNamespace
from unittest import mock

from zope.component import getGlobalSiteManager, provideUtility

from waeup.kofa.deployment import health as health_module
from waeup.kofa.deployment.health import Health, checks_of
from waeup.kofa.jobs import IJobEngine
from waeup.kofa.tests.deployment.monitored import checks_ended
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.portal import SITE, Portal
from waeup.kofa.tests.waiting import PATIENCE


class Answers(unittest.TestCase):
    """What is answered to whom."""

    def answer(self, health, path, *, detailed=False):
        found = health.answer(path, detailed=detailed)
        return found and (found.status[:3], found.body.decode())

    def test_a_word_for_everybody(self):
        health = Health({"database": lambda: ""})
        self.assertEqual(self.answer(health, "/++health/live"), ("200", "alive\n"))
        for path in ("/++health", "/++health/ready"):
            self.assertEqual(self.answer(health, path), ("200", "ready\n"))
        for path in ("/", "/++health/", "/++health/other", "/kofa/++health", "/++healthy"):
            self.assertIsNone(self.answer(health, path), path)

    def test_no_details_for_strangers(self):
        def fail():
            raise OSError("/srv/secret is gone")

        health = Health({"database": lambda: "", "storage": fail, "workers": lambda: "None live."})
        self.assertEqual(self.answer(health, "/++health"), ("503", "not ready\n"))
        # It answers; to start it anew would not bring the storage back.
        self.assertEqual(self.answer(health, "/++health/live"), ("200", "alive\n"))
        status, text = self.answer(health, "/++health", detailed=True)
        self.assertEqual(status, "503")
        self.assertEqual(
            json.loads(text),
            {
                "status": "not ready",
                "process": os.getpid(),
                "problems": {"storage": "OSError: /srv/secret is gone", "workers": "None live."},
            },
        )

    def test_who_is_to_end_is_not_ready_and_lives(self):
        health = Health({"database": lambda: ""})
        health.stop()
        self.assertEqual(self.answer(health, "/++health"), ("503", "not ready\n"))
        self.assertEqual(self.answer(health, "/++health/live"), ("200", "alive\n"))
        self.assertEqual(health.problems(), {"process": "It is stopping."})

    def test_all_checks_hang_at_the_same_time(self):
        free, begun = threading.Event(), threading.Semaphore(0)
        self.addCleanup(checks_ended)
        self.addCleanup(free.set)

        def hang():
            begun.release()
            free.wait(PATIENCE)
            return ""

        with mock.patch.object(health_module, "TIMEOUT", 0.05):
            health = Health({"database": hang, "storage": hang})
        problems = health.problems()
        self.assertEqual(sorted(problems), ["database", "storage"])
        self.assertRegex(problems["storage"], "TooSlow: There has been no answer for")
        self.assertTrue(begun.acquire(timeout=60) and begun.acquire(timeout=60))
        health.problems()
        self.assertFalse(begun.acquire(blocking=False), "they are put once")


class Checks(unittest.TestCase):
    """What the health of a portal is made of."""

    layer = FunctionalLayer

    def setUp(self):
        self.portal = Portal({"data.csv": "code\r\n"})
        self.addCleanup(self.portal.close)
        self.portal.set_up()
        self.db = self.portal.open()
        self.addCleanup(self.db.close)
        self.checks = checks_of(self.db, SITE)

    def problems(self):
        """Return what is wrong now."""
        return Health(checks_of(self.db, SITE)).problems()

    def test_nothing_is_wrong(self):
        self.assertEqual(self.problems(), {})

    def test_a_database_that_fails(self):
        with mock.patch.object(self.db, "open", side_effect=OSError("the disk is gone")):
            problems = self.problems()
        self.assertEqual(problems["database"], "OSError: the disk is gone")

    def test_a_server_that_is_away(self):
        self.db.storage.is_connected = lambda: False
        self.assertEqual(self.problems(), {"database": "The server is away."})

    def test_a_portal_that_is_not_there(self):
        self.assertIn("database", Health(checks_of(self.db, "/nobody")).problems())

    def test_a_storage_that_is_gone_or_cannot_be_changed(self):
        self.assertEqual(self.checks["database"](), "")
        with mock.patch.object(os, "access", return_value=False):
            self.assertIn("cannot be changed", self.checks["storage"]())
        # What is known needs no database any more: this may hang, that may be told still.
        with mock.patch.object(self.db, "open", side_effect=OSError):
            self.assertEqual(self.checks["storage"](), "")
        shutil.rmtree(self.portal.storage)
        self.assertIn("is gone, or empty", self.checks["storage"]())
        os.mkdir(self.portal.storage)
        self.assertIn("is gone, or empty", self.checks["storage"]())

    def test_a_storage_that_was_moved_is_followed(self):
        self.checks["database"]()
        place = os.path.join(self.portal.home, "elsewhere")
        os.mkdir(place)
        self.portal.operations(lambda operations: operations.set_storage_path(place), db=self.db)
        shutil.rmtree(self.portal.storage, ignore_errors=True)
        self.checks["database"]()
        self.assertEqual(self.checks["storage"](), "")

    def test_workers_that_died(self):
        engine = SimpleNamespace(workers=lambda: (2, 1, None, None))
        provideUtility(engine, IJobEngine)
        try:
            self.assertEqual(self.problems(), {"workers": "1 of 2 workers live."})
        finally:
            getGlobalSiteManager().unregisterUtility(engine, IJobEngine)
        self.assertEqual(self.problems(), {})
