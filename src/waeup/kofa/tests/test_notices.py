"""Messages about runs, and messages of a site's own subscribers: sent once, when it is true."""

import email
import os
import tempfile
from contextlib import contextmanager
from unittest import mock

import grok
from zope.component import getGlobalSiteManager, getUtility, provideUtility
from zope.lifecycleevent.interfaces import IObjectAddedEvent
from zope.sendmail.delivery import QueuedMailDelivery
from zope.sendmail.interfaces import IMailDelivery

from waeup.kofa.conversion import Mapping
from waeup.kofa.importing import report
from waeup.kofa.interfaces import IBatchProcessor, IDataCenterConfig
from waeup.kofa.tests.jobs.portal import OTHER, USER
from waeup.kofa.tests.jobs.test_runs import RunTestCase, processor_of
from waeup.kofa.university.interfaces import IFaculty


class MailTestCase(RunTestCase):
    """Has a queue of messages that are to be sent."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.queue = os.path.join(folder.name, "queue")
        delivery = QueuedMailDelivery(self.queue)
        provideUtility(delivery, IMailDelivery)
        self.addCleanup(getGlobalSiteManager().unregisterUtility, delivery, IMailDelivery)
        getGlobalSiteManager().getUtility(IDataCenterConfig)["mail_from"] = "portal@example.org"
        self.addCleanup(
            getGlobalSiteManager().getUtility(IDataCenterConfig).pop, "mail_from", None
        )

        def addresses(site):
            site["users"][USER].email = "anna@example.org"
            site["users"][OTHER].email = "bola@example.org"

        self.portal.change(addresses)

    def sent(self):
        """Return the messages in the queue."""
        found = []
        for folder in ("new", "cur", "tmp"):
            path = os.path.join(self.queue, folder)
            for name in os.listdir(path) if os.path.isdir(path) else ():
                with open(os.path.join(path, name), "rb") as stream:
                    found.append(email.message_from_binary_file(stream))
        return found

    def subjects(self):
        return [message["Subject"] for message in self.sent()]


class Notices(MailTestCase):
    """The import managers are told of the end of a run."""

    def test_an_import_is_told_to_all_who_may_import(self):
        self.done()
        (message,) = self.sent()
        self.assertEqual(message["X-Zope-To"], "anna@example.org, bola@example.org")
        self.assertEqual(message["From"], "portal@example.org")
        self.assertEqual(message["Subject"], "WAeUP.Kofa: import of data.csv has ended")
        text = message.get_payload(decode=True).decode()
        for line in ("Rows: 3", "Created: 2", "Failed: 1", "data.create.pending.csv"):
            self.assertIn(line, text)

    def test_reasons_that_are_not_listed_are_counted(self):
        self.put("many.csv", "code,title", "a b,A", "c d,B", "FAC7,,x")
        with mock.patch.object(report, "LISTED_REASONS", 1):
            self.done("many.csv")
        text = self.sent()[0].get_payload(decode=True).decode()
        self.assertIn("2 x code: Invalid input: … does not satisfy", text)
        self.assertIn("1 x other reasons", text)

    def test_an_undo_is_told_and_a_check_is_not(self):
        self.done(kind="check")
        run = self.done()
        self.undone(run.id)
        self.assertEqual(
            sorted(self.subjects()),
            ["WAeUP.Kofa: import of data.csv has ended", "WAeUP.Kofa: undo of data.csv has ended"],
        )

    def test_who_may_not_import_the_kind_is_not_told(self):
        def clerk(site):
            site["users"][OTHER].roles = ["waeup.ImportManager"]

        self.portal.change(clerk)
        self.put("users.csv", "name,title", "carla,Carla")
        fields = Mapping(("name", "title"))
        run = self.ask(lambda o: o.start_import("users.csv", "userprocessor", "create", fields))
        self.portal.work_off(run.id)
        self.assertEqual([m["X-Zope-To"] for m in self.sent()], ["anna@example.org"])

    def test_a_queue_that_fails_does_not_keep_a_run_from_its_end(self):
        failing = mock.patch.object(QueuedMailDelivery, "send", side_effect=OSError(28, "full"))
        with failing, self.assertLogs("waeup.kofa.notices", "ERROR"):
            run = self.done()
        self.assertEqual((run.state, run.actions), ("finished", ("undo",)))

    def test_without_a_sender_nothing_is_sent(self):
        del getGlobalSiteManager().getUtility(IDataCenterConfig)["mail_from"]
        self.assertEqual(self.done().state, "finished")
        self.assertEqual(self.sent(), [])


class Traces(MailTestCase):
    """A subscriber that mails and logs leaves no trace of what did not happen."""

    def setUp(self):
        super().setUp()
        del getGlobalSiteManager().getUtility(IDataCenterConfig)["mail_from"]
        registry = getGlobalSiteManager()
        registry.registerHandler(self.greet, (IFaculty, IObjectAddedEvent))
        self.addCleanup(registry.unregisterHandler, self.greet, (IFaculty, IObjectAddedEvent))

    @staticmethod
    def greet(faculty, event):
        """Log, and send a message, as a site may do."""
        grok.getSite().logger.info("greeting %s", faculty.code)
        message = f"Subject: Hello {faculty.code}\n\nWelcome\n"
        getUtility(IMailDelivery).send("a@example.org", ["b@example.org"], message)

    def traces(self):
        """Return who was greeted by mail, and who by the log."""
        path = os.path.join(self.portal.storage, "logs", "main.log")
        with open(path) as stream:
            lines = [
                line.split("greeting ")[1].split()[0] for line in stream if "greeting" in line
            ]
        return sorted(s.split()[1] for s in self.subjects()), sorted(lines)

    @contextmanager
    def failing(self, code):
        """Let the hook `addEntry` fail for a code, after the object was added."""

        class Failing(type(getUtility(IBatchProcessor, name="facultyprocessor"))):
            def addEntry(self, obj, row, site):
                super().addEntry(obj, row, site)
                if row["code"] == code:
                    raise ValueError("not welcome")

        with processor_of(Failing):
            yield

    def test_a_check_leaves_none(self):
        self.done(kind="check")
        self.assertEqual(self.traces(), ([], []))

    def test_an_import_leaves_each_once(self):
        self.done()
        self.assertEqual(self.traces(), (["FAC1", "FAC3"], ["FAC1", "FAC3"]))

    def test_a_row_that_fails_late_leaves_none_and_its_batch_is_not_told_twice(self):
        self.put("more.csv", "code,title", "AAA,a", "BBB,b", "CCC,c", "DDD,d")
        with self.failing("CCC"):
            run = self.done("more.csv")
        self.assertEqual((run.report.created, run.report.failed), (3, 1))
        self.assertEqual(self.traces(), (["AAA", "BBB", "DDD"], ["AAA", "BBB", "DDD"]))

    def test_a_batch_that_stops_leaves_none(self):
        id = self.order()
        failing = mock.patch(
            "waeup.kofa.importing.results.ResultFiles.sync", side_effect=OSError(28, "full")
        )
        with failing, self.assertLogs("waeup.kofa.jobs.worker", "ERROR"):
            self.portal.work_off(id)
        self.assertEqual(self.info(id).state, "stopped")
        self.assertEqual(self.traces(), ([], []))
        self.ask(lambda operations: operations.resume(id))
        self.portal.work_off(id)
        self.assertEqual(self.traces(), (["FAC1", "FAC3"], ["FAC1", "FAC3"]))
