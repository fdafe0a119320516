"""What kinds declare, in a portal: rules of files, limits, and events of the flow."""

import io
import os
import signal
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from unittest import mock

import grok
import transaction
from zope.component import getGlobalSiteManager

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import ConfirmationNeeded, FileRefused, Refused
from waeup.kofa.importing import batches
from waeup.kofa.importing.declaring import computed
from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.importing.filerules import FileRule, Total, UniqueTogether
from waeup.kofa.interfaces import (
    IBatchDoneEvent,
    IFileArrivedEvent,
    IRowDoneEvent,
    IRunBegunEvent,
    IRunOrderedEvent,
    IRunOverEvent,
)
from waeup.kofa.jobs import reporter, work_on
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.tests.jobs.lives import few_rows
from waeup.kofa.tests.jobs.portal import SITE, USER
from waeup.kofa.tests.jobs.test_runs import FACULTIES, RunTestCase, processor_of
from waeup.kofa.tests.waiting import ended
from waeup.kofa.university.processors import FacultyProcessor

GOOD = ("code,title", "FAC1,One", "FAC2,Two", "FAC3,Three")
EVENTS = (
    IFileArrivedEvent,
    IRunOrderedEvent,
    IRunBegunEvent,
    IRowDoneEvent,
    IBatchDoneEvent,
    IRunOverEvent,
)


class WholeProcessor(FacultyProcessor):
    """Wants each title once."""

    grok.baseclass()

    file_rules = (UniqueTogether("title"),)


class LimitedProcessor(FacultyProcessor):
    """Lets few faculties be changed, fewer be removed, and none be made unasked."""

    grok.baseclass()

    most_removed = 0
    most_changed = 1

    def checkNumbers(self, numbers, site):
        """Ask for new faculties."""
        if numbers.created > 2:
            return f"{numbers.created} of {numbers.created + numbers.total} would be new. Yes?"
        return None


class ShareProcessor(FacultyProcessor):
    """Lets all faculties go."""

    grok.baseclass()

    remove_share = 1.0


class Plain:
    """What a database keeps only as a part of something else."""


class PlainProcessor(FacultyProcessor):
    """Makes what loses later changes."""

    grok.baseclass()

    def callFactory(self, *args, **kw):
        """Make an object that is no record of its own."""
        return Plain()


class DeclaredTestCase(RunTestCase):
    """Has contexts that last as long as a test."""

    def enter(self, context):
        """Enter a context until the end of the test."""
        context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)


class FactoryTests(DeclaredTestCase):
    """A kind whose objects could not be changed later has none."""

    def test_objects_that_are_not_persistent(self):
        self.enter(processor_of(PlainProcessor))
        self.put("good.csv", *GOOD)
        for kind in ("check", "import"):
            with self.subTest(kind):
                report = self.done("good.csv", kind=kind).report
                self.assertEqual((report.created, report.failed), (0, 3))
        text = Path(self.portal.storage, "good.create.pending.csv").read_text("utf-8")
        self.assertIn("their class Plain is not persistent", text)
        self.assertEqual(self.titles(), {})


class FileRuleTests(DeclaredTestCase):
    """A file that breaks a rule is refused as a whole."""

    def setUp(self):
        super().setUp()
        self.enter(processor_of(WholeProcessor))
        self.put("twice.csv", "code,title", "FAC1,One", "FAC2,Two", "FAC3,One")
        self.reason = "title: 'One' is there more than once. (rows 1, 3)"

    def test_an_import_is_cancelled_before_its_first_row(self):
        with few_rows(1):
            run = self.done("twice.csv")
        self.assertEqual((run.state, self.titles()), ("cancelled", {}))
        self.assertEqual(
            run.fault,
            f"twice.csv cannot be imported: {self.reason} Nothing was stored. Correct the file.",
        )
        self.assertIn("twice.csv", self.portal.tree())

    def test_a_check_tells_it_beside_its_rows_and_no_import_can_keep_to_it(self):
        check = self.done("twice.csv", kind="check")
        self.assertEqual((check.state, check.report.created), ("finished", 3))
        self.assertEqual(check.report.refused, (self.reason,))
        self.assertFalse(check.report.successful)
        with self.assertRaises(FileRefused) as caught:
            self.order("twice.csv", check=check.id)
        self.assertEqual(caught.exception.reasons, (self.reason,))

    def test_a_good_file_is_imported_and_keeps_to_its_check(self):
        self.put("good.csv", *GOOD)
        check = self.done("good.csv", kind="check")
        run = self.done("good.csv", check=check.id)
        self.assertEqual(
            (check.report.refused, run.state, len(self.titles())), ((), "finished", 3)
        )

    def test_what_rows_look_up_is_let_go(self):
        path = os.path.join(self.portal.storage, "twice.csv")

        def look(site):
            with (
                mock.patch.object(batches, "BATCH_ROWS", 1),
                mock.patch.object(site._p_jar, "cacheGC") as collected,
            ):
                engine = RowEngine(WholeProcessor(), path, FACULTIES, "create", site)
                self.assertEqual(engine.broken_rules(), (self.reason,))
                return collected.call_count

        self.assertEqual(self.portal.change(look), 3)

    def test_an_import_that_goes_on_is_not_asked_again(self):
        class Once(FacultyProcessor):
            grok.baseclass()
            file_rules = (Total("title", lambda site: len(site["faculties"])),)

        # A sum of titles cannot be had: whoever asks, fails.
        self.put("good.csv", *GOOD)
        id = self.order("good.csv")
        with few_rows(1), heard(IBatchDoneEvent, fail_after(1)):
            self.portal.work_off(id)
        self.assertEqual((self.info(id).state, len(self.titles())), ("stopped", 1))
        self.ask(lambda o: o.resume(id) and None)
        with processor_of(Once):
            self.portal.work_off(id)
        self.assertEqual((self.info(id).state, len(self.titles())), ("finished", 3))


class LookTests(DeclaredTestCase):
    """A long look at a whole file is seen, heeds whoever ends it, and begins anew."""

    rows = 4000

    def setUp(self):
        super().setUp()
        # By this clock a row takes a hundredth of the time between two words.
        clock = count(0, reporter.INTERVAL / 100)
        time = mock.Mock(monotonic=lambda: next(clock))
        self.enter(mock.patch.object(reporter, "time", time))
        self.put("long.csv", "code,title", *(f"F{n},Title {n}" for n in range(self.rows)))
        self.told = []

    def at(self, number, act, where="see"):
        """Let a kind act when its rule comes to a row, and tell what people see."""
        case = self

        class Acting(FileRule):
            def begin(self, site, mode):
                case.seen = 0

            def see(self, row, values):
                case.seen += 1
                if (where, case.seen) == ("see", number):
                    act()

            def end(self):
                if where == "end":
                    act()
                    for _number in range(200):
                        self.heed()
                return ()

        class Looking(FacultyProcessor):
            grok.baseclass()
            file_rules = (Acting(), UniqueTogether("title"))

        self.enter(processor_of(Looking))

    def look(self):
        """Note what people see of the run, elsewhere than in its transaction."""
        self.told.append(in_own_thread(lambda: self.info(self.id)))

    def work(self, **kw):
        """Work on the run in a database that stays open; return it."""
        with closing(self.portal.open()) as self.db:
            in_own_thread(lambda: work_on(self.db, SITE, self.id, "worker", **kw))
            return self.info(self.id)

    def info(self, id):
        """Return a run."""
        return self.portal.operations(lambda o: o.run(id), db=self.db)

    def cancel(self):
        """Cancel the run, elsewhere than in its transaction."""
        in_own_thread(lambda: self.portal.operations(lambda o: o.cancel(self.id), db=self.db))

    def test_progress_is_told_by_imports_and_checks(self):
        self.at(self.rows // 2, self.look)
        for kind in ("check", "import"):
            with self.subTest(kind):
                self.id = self.order("long.csv", kind=kind)
                run = self.work()
                self.assertEqual((run.state, run.is_looking), ("finished", False))
                self.assertEqual(run.report.created, 4000)
                told = self.told.pop()
                self.assertEqual((told.state, told.is_looking, told.rows), ("running", True, 0))
                self.assertGreater(told.fraction, 0.25)
                self.assertLess(told.fraction, 0.75)
                self.assertIsNone(told.remaining)

    def test_a_cancel_is_heard_soon_and_nothing_was_changed(self):
        before = self.portal.tree()
        self.at(2000, self.cancel)
        for kind in ("check", "import"):
            with self.subTest(kind):
                self.id = self.order("long.csv", kind=kind)
                run = self.work()
                self.assertEqual((run.state, run.rows, run.is_looking), ("cancelled", 0, False))
                self.assertLess(self.seen, 2200)
                self.assertEqual((self.titles(), self.portal.tree()), ({}, before))

    def test_a_cancel_is_heard_by_a_rule_that_takes_long_at_its_end(self):
        self.at(0, self.cancel, "end")
        self.id = self.order("long.csv")
        run = self.work()
        self.assertEqual((run.state, self.seen, self.titles()), ("cancelled", 4000, {}))

    def test_who_is_put_down_is_taken_up_and_looks_anew(self):
        stopping = []
        self.at(2000, lambda: stopping.append(1))
        self.id = self.order("long.csv")
        run = self.work(is_stopping=lambda: bool(stopping))
        self.assertEqual((run.state, self.titles()), ("running", {}))
        self.assertLess(self.seen, 2200)
        run = self.work()
        self.assertEqual((run.state, self.seen, len(self.titles())), ("finished", 4000, 4000))

    def test_who_is_killed_leaves_nothing_and_others_do_it_all(self):
        def die():
            os.kill(os.getpid(), signal.SIGKILL)

        self.at(2000, die)
        self.id = self.order("long.csv")
        pid = os.fork()
        if pid == 0:
            try:
                self.work()
            finally:
                os._exit(1)
        self.assertTrue(os.WIFSIGNALED(ended(pid)))
        self.assertEqual(self.titles(), {})
        self.at(0, None)
        run = self.work(is_dead=lambda holder: True)
        self.assertEqual((run.state, self.seen, len(self.titles())), ("finished", 4000, 4000))
        self.assertEqual(run.report.created, 4000)


class LimitTests(DeclaredTestCase):
    """Kinds have limits of their own, which a person confirms."""

    def setUp(self):
        super().setUp()
        self.enter(processor_of(LimitedProcessor))
        self.put("good.csv", *GOOD)

    def asked(self, *args, **kw):
        """Return the question for an order."""
        with self.assertRaises(ConfirmationNeeded) as caught:
            self.order(*args, **kw)
        error = caught.exception
        return str(error), error.removed, error.changed

    def test_an_own_check_asks_and_is_answered_by_the_number(self):
        self.assertEqual(self.asked("good.csv"), ("3 of 3 would be new. Yes?", 0, 3))
        self.assertEqual(self.asked("good.csv", yes_change=2)[2], 3)
        run = self.done("good.csv", yes_change=3)
        self.assertEqual((run.state, len(self.titles())), ("finished", 3))

    def test_numbers_of_a_kind_stand_above_the_shares_of_the_portal(self):
        self.done("good.csv", yes_change=3)
        self.put("update.csv", "code,title", "FAC1,Eins", "FAC2,Zwei")
        self.assertEqual(self.asked("update.csv", "update")[1:], (0, 2))
        self.put("one.csv", "code,title", "FAC1,Eins")
        self.assertEqual(self.done("one.csv", "update").state, "finished")
        self.put("one.csv", "code,title", "FAC1,Eins")
        self.assertEqual(self.asked("one.csv", "remove")[1:], (1, 0))
        self.assertEqual(self.done("one.csv", "remove", yes_remove=1).state, "finished")

    def test_a_share_of_a_kind_takes_the_place_of_that_of_the_portal(self):
        codes = [f"FAC{n}" for n in range(12)]
        self.put("many.csv", "code,title", *(f"{code},x" for code in codes))
        with processor_of(FacultyProcessor):
            self.done("many.csv")
            self.put("many.csv", "code,title", *(f"{code},x" for code in codes))
            self.assertEqual(self.asked("many.csv", "remove")[1:], (12, 0))
        with processor_of(ShareProcessor):
            self.assertEqual(self.done("many.csv", "remove").report.removed, 12)


@contextmanager
def heard(event, handler):
    """Let `handler` subscribe to an event."""
    registry = getGlobalSiteManager()
    registry.registerHandler(handler, (event,))
    try:
        yield
    finally:
        registry.unregisterHandler(handler, (event,))


def fail_after(number, error=ValueError):
    """Return a subscriber that fails behind so many events."""
    seen = []

    def handler(event):
        seen.append(event)
        if len(seen) > number:
            raise error("That is enough.")

    return handler


class EventTests(DeclaredTestCase):
    """The flow is told step by step, and a trace is left only by what is committed."""

    def setUp(self):
        super().setUp()
        self.told = []
        for event in EVENTS:
            self.enter(heard(event, self.hear))
        self.put("good.csv", *GOOD)

    def hear(self, event):
        """Note an event, here and in the database."""
        site = grok.getSite()
        name = type(event).__name__.removesuffix("Event")
        site.told = (*getattr(site, "told", ()), name)
        self.told.append(event)

    def kept(self):
        """Return the names of events that the database knows."""
        return self.portal.change(lambda site: getattr(site, "told", ()))

    def test_an_import_and_its_undo(self):
        with few_rows(2):
            run = self.done("good.csv")
        names = ("RunOrdered", "RunBegun", *["RowDone"] * 2, "BatchDone", "RowDone", "BatchDone")
        self.assertEqual(self.kept(), (*names, "RunOver"))
        rows = [each for each in self.told if IRowDoneEvent.providedBy(each)]
        self.assertEqual(
            [(row.outcome, row.number) for row in rows], [("created", n) for n in (1, 2, 3)]
        )
        self.assertEqual({row.run for row in rows}, {run.id})
        batches = [each.counts for each in self.told if IBatchDoneEvent.providedBy(each)]
        self.assertEqual(batches, [{"created": 2}, {"created": 1}])
        self.undone(run.id)
        undo = ("RunOrdered", "RunBegun", "BatchDone", "BatchDone", "RunOver")
        self.assertEqual(self.kept(), (*names, "RunOver", *undo))

    def test_a_check_leaves_no_trace_of_its_rows(self):
        self.done("good.csv", kind="check")
        self.assertEqual(self.kept(), ("RunOrdered", "RunBegun", "RunOver"))
        self.assertEqual(sum(IRowDoneEvent.providedBy(each) for each in self.told), 3)

    def test_a_file_that_arrives_and_one_that_is_refused(self):
        def send(operations):
            operations.upload("new.csv", io.BytesIO(b"code,title\r\nFAC1,One\r\n"))

        self.ask(send)
        self.assertEqual(self.kept(), ("FileArrived",))
        self.assertEqual(self.told[0].file.owner, USER)
        before = self.portal.tree()
        with heard(IFileArrivedEvent, fail_after(0, Refused)), self.assertRaises(Refused):
            self.ask(lambda o: o.upload("other.csv", io.BytesIO(b"code\r\nFAC1\r\n")))
        self.assertEqual((self.kept(), self.portal.tree()), (("FileArrived",), before))

    def test_an_order_that_a_subscriber_refuses_leaves_no_trace(self):
        with heard(IRunOrderedEvent, fail_after(0, Refused)), self.assertRaises(Refused):
            self.order("good.csv")
        self.assertEqual(self.kept(), ())
        self.assertEqual(self.ask(lambda o: len(o.runs())), 0)

    def test_a_run_that_a_subscriber_refuses_is_cancelled_with_its_words(self):
        with heard(IRunBegunEvent, fail_after(0, Refused)):
            run = self.done("good.csv")
        self.assertEqual((run.state, run.fault), ("cancelled", "That is enough."))
        self.assertEqual((self.kept(), self.titles()), (("RunOrdered", "RunOver"), {}))

    def test_a_row_whose_subscriber_fails_is_taken_back(self):
        with heard(IRowDoneEvent, fail_after(2)):
            run = self.done("good.csv")
        self.assertEqual((run.report.created, run.report.failed), (0, 3))
        self.assertEqual(run.report.reasons, (("That is enough.", 3),))
        self.assertNotIn("RowDone", self.kept())

    def test_what_a_subscriber_of_a_row_does_to_its_object_is_taken_back_with_it(self):
        self.done("good.csv")

        def prefix(site):
            return site["faculties"]["FAC1"].title_prefix

        def handler(event):
            event.object.title_prefix = f"{event.object.title_prefix}!"

        before = self.portal.change(prefix)
        self.put("more.csv", "code,title", "FAC1,Eins", "FAC1,Uno")
        with heard(IRowDoneEvent, handler):
            run = self.done("more.csv", "update")
        self.assertEqual(self.portal.change(prefix), f"{before}!!")
        self.undone(run.id)
        self.assertEqual((self.portal.change(prefix), self.titles()["FAC1"]), (before, "One"))

    def test_the_row_of_an_upsert_is_that_of_which_an_object_was_made(self):
        class Computing(FacultyProcessor):
            grok.baseclass()

            @computed("title")
            def from_code(self, row, site):
                return f"Faculty {row['code']}"

        self.put("codes.csv", "code", "FAC1")
        with processor_of(Computing):
            self.done("codes.csv", "upsert", mapping=Mapping(("code",)))
        row = next(each.row for each in self.told if IRowDoneEvent.providedBy(each))
        self.assertEqual(row["title"], "Faculty FAC1")

    def test_a_batch_whose_subscriber_fails_is_not_committed_and_goes_on_once(self):
        id = self.order("good.csv")
        with few_rows(2), heard(IBatchDoneEvent, fail_after(1)):
            self.portal.work_off(id)
        kept = ("RunOrdered", "RunBegun", "RowDone", "RowDone", "BatchDone", "RunOver")
        self.assertEqual((self.info(id).state, self.kept()), ("stopped", kept))
        self.ask(lambda o: o.resume(id) and None)
        self.portal.work_off(id)
        self.assertEqual(self.kept(), (*kept, "RowDone", "BatchDone", "RunOver"))
        self.assertEqual(len(self.titles()), 3)

    def test_what_fails_at_the_end_keeps_no_run_from_it(self):
        # An OSError is what the network says.
        for error in (ValueError("too late"), ConnectionRefusedError("nobody there")):

            def handler(event, error=error):
                grok.getSite().spoilt = True
                raise error

            with heard(IRunOverEvent, handler), self.assertLogs("waeup.kofa.jobs.events") as logs:
                run = self.done("good.csv", kind="check")
            self.assertEqual(run.state, "finished")
            text = f"A subscriber of the end of the run {run.id} has failed."
            self.assertIn(text, logs.output[0])
            self.assertFalse(self.portal.change(lambda site: hasattr(site, "spoilt")))

    def test_a_transaction_that_is_repeated_is_told_again_and_kept_once(self):
        def once(event, seen=[]):  # noqa: B006  (it remembers)
            seen.append(event)
            if len(seen) == 1:
                raise transaction.interfaces.TransientError("in the way")

        with heard(IBatchDoneEvent, once):
            self.done("good.csv")
        self.assertEqual(self.kept().count("RowDone"), 3)
        self.assertEqual(sum(IRowDoneEvent.providedBy(each) for each in self.told), 6)


class SilentTests(RunTestCase):
    """Where nobody listens, nothing is made."""

    def test_no_event_of_a_row_or_a_batch_is_made(self):
        self.put("good.csv", *GOOD)
        with (
            mock.patch("waeup.kofa.importing.engine.RowDoneEvent.__init__") as row,
            mock.patch("waeup.kofa.jobs.events.BatchDoneEvent.__init__") as batch,
            mock.patch("waeup.kofa.jobs.worker.RunBegunEvent.__init__") as begun,
        ):
            self.assertEqual(self.done("good.csv", mapping=FACULTIES).state, "finished")
        self.assertEqual((row.called, batch.called, begun.called), (False, False, False))
