"""Code of sites that misbehaves in a run: it is stopped in time, and named in the message."""

import gc
import os
import sys
import tempfile
import unittest
from contextlib import contextmanager, suppress
from unittest import mock

import grok
import transaction
from transaction.interfaces import TransientError

from waeup.kofa.errors import CodeFault
from waeup.kofa.exporting import Wish
from waeup.kofa.exporting.driver import find_exporter
from waeup.kofa.importing.atfault import code_at_fault, is_of_site
from waeup.kofa.importing.filerules import FileRule
from waeup.kofa.interfaces import (
    IBatchDoneEvent,
    IRowDoneEvent,
    IRunBegunEvent,
    IRunEndedEvent,
    IRunOverEvent,
)
from waeup.kofa.jobs import events
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.sitecode import Hold
from waeup.kofa.journal import read_reference
from waeup.kofa.spool.disk import disk
from waeup.kofa.tests.databases import kind_of_tests
from waeup.kofa.tests.jobs.lives import few_rows
from waeup.kofa.tests.jobs.test_declared import DeclaredTestCase, heard
from waeup.kofa.tests.jobs.test_runs import FACULTIES, processor_of
from waeup.kofa.university.processors import FacultyProcessor

HERE = __name__
GOOD = ("code,title", "FAC1,One", "FAC2,Two", "FAC3,Three")
#: For tests on a machine without temporary files.
WITHOUT_FILES = unittest.skipIf(
    kind_of_tests() == "zeo", "a client of ZEO needs a temporary directory"
)


def commits(event=None):
    """End the transaction of somebody else."""
    transaction.commit()


def aborts(event=None):
    """End the transaction of somebody else."""
    transaction.abort()


def begins(event=None):
    """End the transaction of somebody else."""
    transaction.begin()


def syncs(event=None):
    """End the transaction of somebody else."""
    grok.getSite()._p_jar.sync()


def dooms(event=None):
    """Spoil the transaction of somebody else."""
    transaction.get().doom()


def commits_silently(event=None):
    """End the transaction of somebody else, whatever comes of that."""
    for act in (commits, aborts, commits):
        with suppress(Exception):
            act()


class Unsaved:
    """Takes part in a transaction, and knows no savepoints."""

    transaction_manager = transaction.manager

    def abort(self, txn):
        """Do nothing."""

    tpc_begin = commit = tpc_vote = tpc_finish = tpc_abort = abort

    def sortKey(self):
        """Come last."""
        return "~unsaved"


def spoils_silently(event=None):
    """Let a savepoint fail, and go on as if it had not."""
    transaction.get().join(Unsaved())
    with suppress(TypeError):
        transaction.savepoint()


def breaks(event=None):
    """Fail as nobody has expected."""
    raise ValueError("no such herd")


def calls_nobody(event=None):
    """Fail as a network does."""
    raise ConnectionRefusedError(111, "Connection refused")


def failing(self, *args, **kw):
    """Be a hook that fails."""
    raise ValueError("no such herd")


ENDS = {
    commits: "commit",
    aborts: "abort",
    begins: "begin",
    syncs: "sync",
    dooms: "doom",
}


class Committing(FacultyProcessor):
    """Has a hook that ends the transaction."""

    grok.baseclass()

    def updateEntry(self, obj, row, site, filename):
        """Store at once."""
        commits()
        return super().updateEntry(obj, row, site, filename)


class SiteCodeTestCase(DeclaredTestCase):
    """Has a good file."""

    def setUp(self):
        super().setUp()
        self.put("good.csv", *GOOD)

    @contextmanager
    def logged(self, name="waeup.kofa.jobs.worker"):
        """Expect errors in the log."""
        with self.assertLogs(name, "ERROR") as logs:
            yield logs

    def begun(self, **kw):
        """Have the first row of the file done; return the id of the run, which has stopped."""
        id = self.order("good.csv", **kw)
        done = []

        def once(event):
            done.append(event)
            if len(done) > 1:
                raise RuntimeError("not yet")

        with few_rows(1), heard(IBatchDoneEvent, once), self.logged():
            self.portal.work_off(id)
        self.assertEqual(self.titles(), {"FAC1": "One"})
        return id

    def go_on(self, id):
        """Let a run go on; return it."""
        self.ask(lambda o: o.resume(id) and None)
        self.portal.work_off(id)
        return self.info(id)


class Endings(SiteCodeTestCase):
    """Nobody but the run ends its transactions."""

    def assertNamed(self, run, code, call):
        said = (
            f"The code {HERE}.{code} has called {call} of the transaction. What is called in a "
            "run must not do that: what it changes is stored with the rest, or not at all. Nothing"
        )
        self.assertEqual(run.state, "stopped")
        self.assertTrue(run.fault.startswith(said), run.fault)

    def test_a_subscriber_of_rows_stores_nothing_and_takes_nothing_back(self):
        for subscriber, call in ENDS.items():
            with self.subTest(call):
                id = self.begun()
                self.ask(lambda o, id=id: o.resume(id) and None)
                with heard(IRowDoneEvent, subscriber), self.logged():
                    self.portal.work_off(id)
                self.assertNamed(self.info(id), subscriber.__name__, call)
                self.assertEqual(self.titles(), {"FAC1": "One"})
                run = self.go_on(id)
                self.assertEqual((run.state, run.report.created), ("finished", 3))
                self.undone(id)
                self.put("good.csv", *GOOD)

    def test_who_passes_over_that_is_found_at_the_end_of_the_batch(self):
        id = self.order("good.csv")
        with heard(IRowDoneEvent, commits_silently), self.logged():
            self.portal.work_off(id)
        self.assertNamed(self.info(id), "commits", "commit")
        self.assertEqual(self.titles(), {})
        self.assertEqual(self.go_on(id).report.created, 3)

    def test_the_last_moment_before_the_commit(self):
        def adds(hook):
            return lambda event: transaction.get().addBeforeCommitHook(hook)

        for event in (IRunBegunEvent, IRowDoneEvent, IBatchDoneEvent, IRunEndedEvent):
            for hook in (commits, aborts, begins, commits_silently):
                with self.subTest(event.__name__, hook=hook.__name__):
                    self.put("good.csv", *GOOD)
                    id = self.order("good.csv")
                    with heard(event, adds(hook)), self.logged():
                        self.portal.work_off(id)
                    name = "commits" if hook is commits_silently else hook.__name__
                    self.assertNamed(self.info(id), name, name.removesuffix("s"))
                    self.assertEqual(self.go_on(id).report.created, 3)
                    self.undone(id)

    def test_who_passes_over_a_savepoint_that_failed(self):
        for event in (IRunBegunEvent, IRowDoneEvent, IBatchDoneEvent, IRunEndedEvent):
            with self.subTest(event.__name__):
                self.put("good.csv", *GOOD)
                id = self.order("good.csv")
                with heard(event, spoils_silently), self.logged():
                    self.portal.work_off(id)
                run = self.info(id)
                self.assertEqual(run.state, "stopped")
                said = (
                    "Code that was called has gone on although a savepoint of the transaction had"
                )
                self.assertTrue(run.fault.startswith(said), run.fault)
                self.assertEqual(self.go_on(id).report.created, 3)
                self.undone(id)

    def test_savepoints_of_others_are_as_ever(self):
        def tries(event):
            savepoint = transaction.savepoint()
            grok.getSite().spoilt = True
            savepoint.rollback()
            transaction.savepoint(optimistic=True)
            transaction.get().addBeforeCommitHook(hooked.append, (event,))

        events = (IRunBegunEvent, IRowDoneEvent, IBatchDoneEvent, IRunEndedEvent, IRunOverEvent)
        for event in events:
            hooked = []
            self.put("good.csv", *GOOD)
            with self.subTest(event.__name__), heard(event, tries):
                id = self.done("good.csv").id
                self.assertEqual(self.info(id).report.created, 3)
                self.assertFalse(self.portal.change(lambda site: hasattr(site, "spoilt")))
                self.assertTrue(hooked)
            self.undone(id)

    def test_a_hook(self):
        id = self.order("good.csv")
        with processor_of(Committing), self.logged():
            self.portal.work_off(id)
        self.assertNamed(self.info(id), "commits", "commit")
        self.assertEqual(self.titles(), {})
        # A row that fails first is taken back by a new beginning, which is allowed.
        self.assertEqual(self.go_on(id).report.created, 3)

    def test_batches_of_an_undo(self):
        id = self.done("good.csv").id
        undo = self.ask(lambda o: o.start_undo(id)).id
        with heard(IBatchDoneEvent, commits), self.logged():
            self.portal.work_off(undo)
        self.assertNamed(self.info(undo), "commits", "commit")
        self.assertIn("then let the run go on.", self.info(undo).fault)
        self.assertEqual(len(self.titles()), 3)
        self.assertEqual(self.go_on(undo).state, "finished")
        self.assertEqual(self.titles(), {})

    def test_a_check_stores_nothing(self):
        id = self.order("good.csv", kind="check")
        with heard(IRowDoneEvent, commits), self.logged():
            self.portal.work_off(id)
        self.assertNamed(self.info(id), "commits", "commit")
        self.assertEqual(self.titles(), {})
        self.assertEqual(self.go_on(id).report.created, 3)

    def test_the_check_of_an_undo_stores_nothing(self):
        id = self.done("good.csv").id
        check = self.ask(lambda o: o.start_undo(id, check=True)).id
        with (
            mock.patch.object(FacultyProcessor, "checkUndo", lambda *args: aborts()),
            self.logged(),
        ):
            self.portal.work_off(check)
        self.assertNamed(self.info(check), "aborts", "abort")
        self.assertEqual(len(self.titles()), 3)

    def test_the_first_and_the_last_step(self):
        for event in (IRunBegunEvent, IRunEndedEvent):
            with self.subTest(event.__name__):
                self.put("good.csv", *GOOD)
                id = self.order("good.csv")
                with heard(event, aborts), self.logged():
                    self.portal.work_off(id)
                self.assertNamed(self.info(id), "aborts", "abort")
                run = self.go_on(id)
                self.assertEqual((run.state, run.report.created), ("finished", 3))
                self.undone(id)

    def test_a_rule_of_a_file(self):
        class Ending(FileRule):
            def end(self):
                aborts()
                return ()

        class Ruled(FacultyProcessor):
            grok.baseclass()
            file_rules = (Ending(),)

        for kind in ("check", "import"):
            id = self.order("good.csv", kind=kind)
            with processor_of(Ruled), self.logged():
                self.portal.work_off(id)
            self.assertNamed(self.info(id), "aborts", "abort")

    def test_an_import_by_a_processor_of_its_own(self):
        class Own(FacultyProcessor):
            grok.baseclass()

            def doImport(self, *args, **kw):
                result = super().doImport(*args, **kw)
                commits()
                return result

        id = self.order("good.csv")
        with processor_of(Own), self.logged():
            self.portal.work_off(id)
        self.assertNamed(self.info(id), "commits", "commit")
        self.assertEqual(self.titles(), {})

    def test_an_export(self):
        self.done("good.csv")
        id = self.ask(lambda o: o.start_export(Wish("faculties")).id)
        cls = type(find_exporter("faculties"))

        def objects(exporter, site):
            for faculty in site["faculties"].values():
                faculty.title = "Spoilt"
                yield faculty
            commits()

        with mock.patch.object(cls, "objects", objects), self.logged():
            self.portal.work_off(id)
        self.assertNamed(self.info(id), "commits", "commit")
        self.assertNotIn("Spoilt", self.titles().values())
        self.assertEqual(self.go_on(id).rows, 3)

    def test_a_row_that_is_tried(self):
        draft = self.ask(lambda o: o.new_draft("data.csv").id)
        chosen = {"processor": "facultyprocessor", "mode": "create", "columns": FACULTIES.columns}
        self.ask(lambda o: o.save_draft(draft, **chosen) and None)
        check = self.done(kind="check").id
        self.ask(lambda o: o.save_draft(draft, check=check) and None)
        with heard(IRowDoneEvent, commits), self.assertRaisesRegex(CodeFault, "called commit"):
            self.ask(lambda o: o.check_row(draft, 2, {0: "FAC2"}))
        self.assertEqual(self.titles(), {})
        # One that fails is taken back by a new beginning, which is allowed.
        with heard(IRowDoneEvent, breaks):
            verdict = self.ask(lambda o: o.check_row(draft, 2, {0: "FAC2"}))
        self.assertEqual((verdict.outcome, verdict.messages), ("failed", ("no such herd",)))

    def test_rows_that_fail_are_taken_back_as_ever(self):
        def handler(event):
            if event.object.code == "FAC2":
                raise ValueError("not this one")

        for kind in ("check", "import"):
            with heard(IRowDoneEvent, handler):
                run = self.done("good.csv", kind=kind)
            self.assertEqual((run.report.created, run.report.failed), (2, 1))
        self.assertEqual(sorted(self.titles()), ["FAC1", "FAC3"])


class Holds(unittest.TestCase):
    """A transaction that is held."""

    def test_one_within_another_one(self):
        with Hold() as outer:
            with self.assertRaises(CodeFault), Hold():
                commits()
            self.assertIsNone(outer.fault)
            with suppress(CodeFault):
                aborts()
            self.assertIsNotNone(outer.fault)
            outer.fault = None
        transaction.abort()

    def test_it_can_be_ended_in_a_pause_and_is_another_one_then(self):
        with self.assertRaises(CodeFault), Hold() as hold:
            first = transaction.get()
            with hold.paused():
                transaction.abort()
            self.assertIsNot(transaction.get(), first)
            transaction.get().commit()
        transaction.commit()

    def test_other_threads_and_other_managers_have_transactions_of_their_own(self):
        with Hold() as hold:
            for act in (begins, commits, aborts):
                in_own_thread(act)
            own = transaction.TransactionManager()
            own.begin()
            own.commit()
        self.assertIsNone(hold.fault)
        transaction.abort()

    def test_a_commit_that_fails_lets_the_transaction_go(self):
        with self.assertRaises(TransientError), Hold() as hold:
            transaction.get().addBeforeCommitHook(mock.Mock(side_effect=TransientError("others")))
            hold.commit()
        transaction.abort()
        with Hold() as hold:
            hold.commit()
            # It is over: this is another one.
            transaction.commit()

    def test_an_error_that_came_of_it_does_not_hide_it(self):
        with self.assertRaises(CodeFault) as caught, Hold():
            with suppress(CodeFault):
                commits()
            raise ValueError("and therefore")
        self.assertIsInstance(caught.exception.__cause__, ValueError)
        with self.assertRaises(KeyboardInterrupt), Hold():
            with suppress(CodeFault):
                commits()
            raise KeyboardInterrupt

    def test_the_log_tells_where_a_savepoint_has_failed(self):
        with self.assertRaises(CodeFault) as caught, Hold():
            spoils_silently()
        self.assertIn("in spoils_silently", str(caught.exception.__cause__))
        transaction.abort()

    def test_whose_error_it_is(self):
        def caught(function):
            try:
                function()
            except Exception as error:
                return error
            raise AssertionError("it should have failed")

        found = caught(breaks)
        self.assertTrue(is_of_site(found))
        self.assertTrue(code_at_fault(found).startswith(f"{HERE}."))
        # What a site has called of the portal is not the site's.
        disk_error = caught(lambda: disk.mkdir("/nowhere/at/all"))
        self.assertFalse(is_of_site(disk_error))
        self.assertEqual(code_at_fault(ValueError("never raised")), "ValueError")


class Ends(SiteCodeTestCase):
    """Subscribers keep no run from its end."""

    def ended(self, subscriber, kind="check", say=None):
        """Have a run done whose end `subscriber` is told; return the lines that were logged."""
        id = self.order("good.csv", kind=kind)
        with heard(IRunOverEvent, subscriber), self.logged("waeup.kofa.jobs.events") as logs:
            self.portal.work_off(id)
        run = self.info(id)
        self.assertEqual((run.state, run.is_active), ("finished", False))
        self.assertFalse(self.portal.change(lambda site: hasattr(site, "spoilt")))
        self.assertEqual((events._repeats, events._without_savepoint), ({}, set()))
        return logs.output

    def spoiling(self, act):
        """Return a subscriber that changes something first."""
        told = []

        def handler(event):
            grok.getSite().spoilt = True
            told.append(event)
            act()

        return handler, told

    def test_one_that_ends_the_transaction(self):
        for act, call in ENDS.items():
            for kind in ("check", "import"):
                with self.subTest(call, kind=kind):
                    self.put("good.csv", *GOOD)
                    handler, told = self.spoiling(act)
                    lines = self.ended(handler, kind)
                    self.assertEqual(len(told), 1)
                    self.assertIn("It is", lines[0])
                    self.assertIn(f"{HERE}.{act.__name__} has called {call}", lines[0])
            self.assertEqual(len(self.titles()), 3)
            self.undone(self.ask(lambda o: o.runs(kinds=["import"]))[0].id)

    def test_one_that_passes_over_that(self):
        handler, _told = self.spoiling(commits_silently)
        self.assertIn("has called commit", self.ended(handler)[0])

    def test_one_that_passes_over_a_savepoint_that_failed(self):
        for kind in ("check", "import"):
            self.put("good.csv", *GOOD)
            handler, told = self.spoiling(spoils_silently)
            lines = self.ended(handler, kind)
            self.assertIn("although a savepoint of the transaction had failed", lines[0])
            self.assertEqual(len(told), 1)

    def test_one_for_which_others_are_in_the_way_for_ever(self):
        def in_the_way():
            raise TransientError("always")

        for kind in ("check", "import"):
            handler, told = self.spoiling(in_the_way)
            self.assertIn("TransientError: always", self.ended(handler, kind)[0])
            self.assertEqual(len(told), events.REPEATS + 1)

    def test_one_whose_hook_before_the_commit_ends_the_transaction(self):
        for act in (commits, aborts, begins, commits_silently, breaks):
            for kind in ("check", "import"):
                with self.subTest(act.__name__, kind=kind):
                    self.put("good.csv", *GOOD)
                    handler, told = self.spoiling(
                        lambda act=act: transaction.get().addBeforeCommitHook(act)
                    )
                    lines = self.ended(handler, kind)
                    self.assertEqual(len(told), 1)
                    self.assertIn(f"It is {HERE}.", lines[0])
                    self.assertIn("Nobody is told that the run", lines[-1])
            self.assertEqual(len(self.titles()), 3)
            self.undone(self.ask(lambda o: o.runs(kinds=["import"]))[0].id)

    def test_one_whose_hook_adds_a_hook(self):
        def adds():
            transaction.get().addBeforeCommitHook(aborts)

        handler, told = self.spoiling(lambda: transaction.get().addBeforeCommitHook(adds))
        self.assertIn(f"{HERE}.aborts has called abort", self.ended(handler)[0])
        self.assertEqual(len(told), 1)

    def test_one_in_whose_hook_others_are_in_the_way_for_ever(self):
        hook = mock.Mock(side_effect=TransientError("always"))
        handler, told = self.spoiling(lambda: transaction.get().addBeforeCommitHook(hook))
        self.assertIn("TransientError: always", self.ended(handler)[0])
        self.assertEqual((len(told), hook.call_count), (events.REPEATS + 1,) * 2)

    def test_hooks_get_what_was_given_with_them(self):
        seen = []

        def hook(*args, **kws):
            seen.append((args, kws))
            grok.getSite().counted = 1

        def handler(event):
            transaction.get().addBeforeCommitHook(hook, (1, 2), {"three": 3})
            transaction.get().addBeforeCommitHook(hook)

        with heard(IRunOverEvent, handler):
            self.done("good.csv")
        self.assertEqual(seen, [((1, 2), {"three": 3}), ((), {})])

    def test_one_that_wants_to_end_the_process(self):
        for kind in ("check", "import"):
            handler, told = self.spoiling(lambda: sys.exit("enough"))
            self.assertIn("SystemExit: enough", self.ended(handler, kind)[0])
            self.assertEqual(len(told), 1)

    def test_one_for_which_others_are_in_the_way_once(self):
        seen = []

        def once(event):
            seen.append(event)
            grok.getSite().counted = getattr(grok.getSite(), "counted", 0) + 1
            if len(seen) == 1:
                raise TransientError("once")

        with heard(IRunOverEvent, once):
            self.assertEqual(self.done("good.csv").state, "finished")
        self.assertEqual(self.portal.change(lambda site: site.counted), 1)
        self.assertEqual(events._repeats, {})

    def test_a_run_that_has_stopped(self):
        def in_the_way(event):
            raise TransientError("always")

        id = self.order("good.csv")
        with (
            heard(IRunOverEvent, in_the_way),
            heard(IBatchDoneEvent, breaks),
            self.logged("waeup.kofa.jobs"),
        ):
            self.portal.work_off(id)
        self.assertEqual(self.info(id).state, "stopped")
        self.assertIn(f"{HERE}.breaks failed", self.info(id).fault)

    def test_changes_that_cannot_be_taken_back(self):
        handler, told = self.spoiling(breaks)
        with mock.patch.object(events.transaction, "savepoint") as savepoint:
            savepoint.return_value.rollback.side_effect = TypeError("Savepoints unsupported")
            lines = self.ended(handler)
        self.assertEqual(len(told), 1)
        self.assertIn("cannot be taken back", "".join(lines))
        self.assertIn("Nobody is told that the run", lines[-1])

    @WITHOUT_FILES
    def test_a_machine_without_room_for_temporary_files(self):
        def nowhere(*args, **kw):
            raise FileNotFoundError(2, "No usable temporary directory found")

        told = []

        def count(event):
            grok.getSite().counted = len(told) + 1
            told.append(event)

        for kind in ("check", "import"):
            told.clear()
            with mock.patch.object(tempfile, "TemporaryFile", nowhere):
                lines = self.ended(count, kind)
            self.assertIn("No usable temporary directory", lines[0])
            self.assertEqual(len(told), 1)
            self.assertEqual(self.portal.change(lambda site: site.counted), 1)

    @WITHOUT_FILES
    def test_a_subscriber_that_fails_on_such_a_machine(self):
        handler, told = self.spoiling(breaks)
        with mock.patch.object(tempfile, "TemporaryFile", side_effect=OSError(28, "no room")):
            lines = self.ended(handler)
        self.assertEqual(len(told), 1)
        self.assertIn("Nobody is told that the run", lines[-1])


class Rule(FileRule):
    """Cannot be asked."""

    def see(self, number, row):
        """Fail."""
        breaks()


class Words(SiteCodeTestCase):
    """A run that has stopped says whose fault it was."""

    def stopped(self, **kw):
        """Have the import stopped; return what it says."""
        id = self.order("good.csv", **kw)
        with self.logged() as logs:
            self.portal.work_off(id)
        run = self.info(id)
        self.assertEqual(run.state, "stopped")
        self.logs = "\n".join(logs.output)
        return run.fault

    def assertWords(self, fault, code, text="ValueError: no such herd"):
        reference = fault.partition(", at ")[2].partition(";")[0]
        self.assertEqual(read_reference(reference), reference)
        self.assertEqual(
            fault,
            f"The code {HERE}.{code} failed: {text}. Nothing of what was under way was stored; "
            "what was done before stays. Tell its developer, who finds more in the log of the "
            f"portal, at {reference}; then let the run go on, or take back what it has done.",
        )
        self.assertIn(f"[{reference}] The run ", self.logs)

    def test_a_subscriber(self):
        for event in (IRunBegunEvent, IBatchDoneEvent):
            with heard(event, breaks):
                self.assertWords(self.stopped(), "breaks")
            self.ask(lambda o: o.cancel(o.runs()[0].id) and None)

    def test_a_rule_of_a_file(self):
        class Ruled(FacultyProcessor):
            grok.baseclass()
            file_rules = (Rule(),)

        with processor_of(Ruled), mock.patch.object(sys, "unraisablehook") as unraised:
            self.assertWords(self.stopped(), "Rule.see")
            self.assertEqual(self.titles(), {})
            gc.collect()
        self.assertEqual(unraised.mock_calls, [])

    def test_hooks(self):
        for hook in ("prepareSite", "createLogfile"):
            cls = type("Hooked", (FacultyProcessor,), {hook: failing, "__module__": HERE})
            with self.subTest(hook), processor_of(cls):
                self.assertWords(self.stopped(), "Hooked.failing")
            id = self.ask(lambda o: o.runs()[0].id)
            self.assertEqual(self.go_on(id).report.created, 3)
            self.undone(id)
            self.put("good.csv", *GOOD)

    def test_what_cannot_be_stored_is_named(self):
        def gives(event):
            event.object.lock = breaks if event.number == 2 else lambda: 1
            event.object.parts = [event.object]

        for kind in ("check", "import"):
            with self.subTest(kind), heard(IRowDoneEvent, gives):
                self.assertIn(
                    "An object of waeup.kofa.university.faculty.Faculty (lock) cannot be stored: ",
                    self.stopped(kind=kind),
                )
        self.assertEqual(self.titles(), {})

    def test_a_network_that_only_a_subscriber_uses(self):
        text = "ConnectionRefusedError: [Errno 111] Connection refused"
        with heard(IBatchDoneEvent, calls_nobody):
            self.assertWords(self.stopped(), "calls_nobody", text)

    def test_the_disk_of_the_portal_is_the_machine_whoever_has_called(self):
        def full(event):
            disk.mkdir(os.path.join(self.portal.storage, "no", "such", "place"))

        with heard(IBatchDoneEvent, full):
            self.assertIn("Look at free space and rights of the disk.", self.stopped())

    def test_an_exception_that_cannot_say_what_it_is(self):
        class Mute(Exception):
            def __str__(self):
                raise ValueError("mute")

        def fail(event):
            raise Mute

        with heard(IBatchDoneEvent, fail):
            self.assertIn("failed: Mute. Nothing", self.stopped())
