"""What is queued: in the transactions that make it true, for those who may know it."""

import io
import json
from contextlib import closing, suppress
from unittest import mock

from ZODB.POSException import ConflictError

from waeup.kofa.api.plain import dump
from waeup.kofa.conversion import Mapping
from waeup.kofa.exporting import Wish
from waeup.kofa.jobs import imports
from waeup.kofa.jobs.record import EDGES
from waeup.kofa.operations import RunInfo
from waeup.kofa.tests.jobs.test_crashes import Killed, Late
from waeup.kofa.tests.spool.faultydisk import killed_at
from waeup.kofa.tests.webhooks.portal import OTHER, USER, WebhookTestCase
from waeup.kofa.webhooks import outbox
from waeup.kofa.webhooks.record import Webhook, utc_now


class OutboxTestCase(WebhookTestCase):
    """Reads messages."""

    def told(self, id=None):
        """Return type and data of messages, the oldest first."""
        found = sorted(self.messages(id), key=lambda each: each.id)
        return [(each["type"], each["data"]) for each in (json.loads(m.body) for m in found)]

    def runs(self, id=None):
        """Return kind and state of the runs that were told of."""
        return [
            (data["kind"], data["state"])
            for event, data in self.told(id)
            if event == "run.finished"
        ]


class Runs(OutboxTestCase):
    """Ends of runs."""

    def test_an_import(self):
        run = self.done()
        ((event, data),) = self.told()
        self.assertEqual(event, "run.finished")
        self.assertEqual(
            (data["id"], data["kind"], data["state"], data["file"]),
            (run.id, "import", "finished", "data.csv"),
        )
        report = data["report"]
        self.assertEqual((report["total"], report["created"], report["failed"]), (3, 2, 1))
        message = self.message()
        self.assertEqual((message.run, message.state), (run.id, "waiting"))

    def test_what_is_told_is_what_the_api_shows_of_a_run(self):
        shown = dump(self.done(), RunInfo)
        ((_event, data),) = self.told()
        self.assertEqual(data, {name: shown[name] for name in data} | {"report": data["report"]})
        self.assertEqual(data["report"], {name: shown["report"][name] for name in data["report"]})

    def test_no_text_of_a_cell_is_told(self):
        self.put("bad.csv", "code,title", "cell text,other text", "FAC9,Nine")
        self.done("bad.csv")
        body = self.message().body
        for text in ("cell text", "other text", "Nine", "FAC9"):
            self.assertNotIn(text, body)
        self.assertLess(len(body), 1500)

    def test_checks_undos_exports_and_moves(self):
        self.done(kind="check")
        self.undone(self.done().id)
        export = self.ask(lambda o: o.start_export(Wish("faculties")))
        self.portal.work_off(export.id)
        self.assertEqual([event for event, _ in self.told()].count("export.ready"), 1)
        self.assertEqual(
            self.runs(),
            [(kind, "finished") for kind in ("check", "import", "undo", "export")],
        )

    def test_runs_that_were_stopped_and_go_on(self):
        with mock.patch.object(imports, "record", side_effect=OSError(28, "full")):
            run = self.done()
        self.assertEqual(run.state, "stopped")
        self.ask(lambda o: o.resume(run.id))
        self.portal.work_off(run.id)
        self.assertEqual(self.runs(), [("import", "stopped"), ("import", "finished")])

    def test_runs_that_were_cancelled(self):
        id = self.order()
        self.ask(lambda o: o.cancel(id))
        self.assertEqual(self.runs(), [("import", "cancelled")])

    def test_what_is_taken_back_is_not_told(self):
        id = self.order()

        def fail(operations):
            operations.cancel(id)
            raise ConflictError

        with self.assertRaises(ConflictError):
            self.ask(fail)
        self.assertEqual(self.told(), [])

    def test_only_what_is_wanted_is_told(self):
        self.change(kinds=["check"], outcomes=["finished"], events=["run.finished"])
        self.done()
        self.done(
            "data.create.pending.csv", kind="check", mapping=Mapping(("code", "title", None))
        )
        id = self.order(
            "data.create.pending.csv", kind="check", mapping=Mapping(("code", "title", None))
        )
        self.ask(lambda o: o.cancel(id))
        self.assertEqual(self.runs(), [("check", "finished")])

    def test_every_outcome_that_a_run_can_have_can_be_wanted(self):
        webhook = Webhook("", "", ("run.finished",), (), ("stopped",), USER, utc_now())
        found = [state for state in EDGES if webhook.wants("run.finished", "undo", state)]
        self.assertEqual(found, ["stopped"])

    def test_nothing_is_queued_while_it_is_off(self):
        self.change(is_on=False)
        self.done()
        self.assertEqual(self.told(), [])

    def test_an_outbox_that_fails_keeps_no_run_from_its_end(self):
        failing = mock.patch.object(outbox, "data_of", side_effect=ValueError("bad"))
        with failing, self.assertLogs("waeup.kofa", "ERROR"):
            self.assertEqual(self.done().state, "finished")
        self.assertEqual(self.told(), [])

    def test_two_at_once_are_no_conflict(self):
        with closing(self.portal.open()) as db:

            def both(operations):
                operations.test_webhook(self.webhook)
                self.portal.operations(lambda o: o.test_webhook(self.webhook), db=db)

            self.portal.operations(lambda o: o.test_webhook(self.webhook), db=db)
            self.portal.operations(both, db=db)
            found = self.portal.operations(lambda o: o.deliveries(self.webhook), db=db)
            state = self.portal.operations(lambda o: o.webhook(self.webhook), db=db)
        self.assertEqual((len(found), state.waiting), (3, 3))


class Files(OutboxTestCase):
    """Files that come."""

    def upload(self, user=USER):
        return self.ask(
            lambda o: o.upload("new.csv", io.BytesIO(b"code,title\r\nFAC7,Seven\r\n")), user
        )

    def test_an_upload(self):
        upload = self.upload(OTHER)
        ((event, data),) = self.told()
        self.assertEqual(event, "file.arrived")
        self.assertEqual(
            data,
            {
                "name": upload.name,
                "original": "new.csv",
                "owner": OTHER,
                "size": upload.size,
                "digest": upload.digest,
            },
        )

    def test_one_that_is_refused_or_taken_back_is_not_told(self):
        def fail(operations):
            operations.upload("new.csv", io.BytesIO(b"code,title\r\nFAC7,Seven\r\n"))
            raise ConflictError

        with self.assertRaises(ConflictError):
            self.ask(fail)
        self.assertEqual(self.told(), [])


class Rights(OutboxTestCase):
    """Who is told."""

    def setUp(self):
        super().setUp()
        self.roles(OTHER, "waeup.ImportManager")
        made = self.ask(lambda o: o.new_webhook("https://other.example/"), OTHER)
        self.others = made.id

    def test_an_import_of_what_all_may_import(self):
        self.done()
        self.assertEqual(self.runs(self.others), [("import", "finished")])

    def test_exports_of_others_and_without_the_right_are_not_told(self):
        export = self.ask(lambda o: o.start_export(Wish("faculties")))
        self.portal.work_off(export.id)
        self.assertEqual(self.told(self.others), [])
        self.assertEqual(len(self.told()), 2)

    def test_kinds_with_permissions_of_their_own(self):
        self.put("users.csv", "name,title", "carla,Carla")
        fields = Mapping(("name", "title"))
        run = self.ask(lambda o: o.start_import("users.csv", "userprocessor", "create", fields))
        self.portal.work_off(run.id)
        self.assertEqual(self.told(self.others), [])
        self.assertEqual(self.runs(), [("import", "finished")])

    def test_who_has_no_right_is_told_nothing(self):
        self.roles(OTHER)
        self.done()
        self.assertEqual(self.told(self.others), [])

    def test_who_is_suspended_is_told_nothing(self):
        def suspend(site):
            site["users"][OTHER].suspended = True

        self.portal.change(suspend)
        self.done()
        self.assertEqual(self.told(self.others), [])

    def test_who_is_gone_is_told_nothing(self):
        self.portal.change(lambda site: site["users"].__delitem__(OTHER))
        self.done()
        self.assertEqual(self.told(self.others), [])


class Crashes(OutboxTestCase):
    """The process ends at any moment of an import: each end is told once."""

    def setUp(self):
        super().setUp()
        self.id = self.order()
        self.portal.keep()

    def each(self, stop, step, may_stop):
        number = 0
        while True:
            self.portal.set_up()
            if not stop(number):
                return
            self.ask(lambda o: o.recover())
            self.portal.work_off(self.id)
            self.assertEqual(self.info(self.id).state, "finished")
            *before, last = self.runs()
            self.assertEqual(last, ("import", "finished"), number)
            # That which was stopped by an error has ended before.
            self.assertEqual(before, [("import", "stopped")] * len(before), number)
            self.assertLessEqual(len(before), may_stop, number)
            number += step

    def test_kill(self):
        self.each(lambda n: killed_at(n, lambda: self.portal.work_off(self.id), Killed), 7, 0)

    def test_a_commit_of_which_nobody_knows(self):
        def stop(number):
            with Late(number) as shim, suppress(OSError):
                self.portal.work_off(self.id)
            return shim.count > number

        self.each(stop, 5, 1)
