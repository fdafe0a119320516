"""Events of the steps that are not those of a run: files, mappings, exports at once, resumes."""

import io
import os
import sys
import time
import unittest
from datetime import datetime, timezone
from unittest import mock

import grok
import transaction
from zope.interface.verify import verifyObject

from waeup.kofa import interfaces
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import Refused
from waeup.kofa.exporting import Outcome, Wish
from waeup.kofa.interfaces import (
    IBatchDoneEvent,
    IExportBegunEvent,
    IExportDoneEvent,
    IFileArrivedEvent,
    IFileDeletedEvent,
    IFilePurgedEvent,
    IFileRestoredEvent,
    IMappingMadeEvent,
    IRunOrderedEvent,
    IRunResumedEvent,
)
from waeup.kofa.jobs import events, keeping, recovery
from waeup.kofa.ledger import FileEntry
from waeup.kofa.operations.files import FileOperations
from waeup.kofa.tests.jobs.portal import USER
from waeup.kofa.tests.jobs.test_declared import DeclaredTestCase, fail_after, heard
from waeup.kofa.tests.jobs.test_runs import FACULTIES

ALL = (
    IExportBegunEvent,
    IExportDoneEvent,
    IFileArrivedEvent,
    IFileDeletedEvent,
    IFilePurgedEvent,
    IFileRestoredEvent,
    IMappingMadeEvent,
    IRunOrderedEvent,
    IRunResumedEvent,
)


class Contracts(unittest.TestCase):
    """Each event is what it says."""

    def test_every_event(self):
        now = datetime.now(timezone.utc)
        entry = FileEntry("a.csv", USER, "a.csv", 1, "", now)
        wish, mapping = Wish("faculties"), Mapping(("code",))
        made = {
            "FileArrived": (None, entry),
            "FileDeleted": (None, entry),
            "FileRestored": (None, entry),
            "FilePurged": (None, "finished/a.csv"),
            "MappingMade": (None, "name", "x", "", "facultyprocessor", "", ("code",), mapping),
            "ExportBegun": (None, wish, USER),
            "ExportDone": (None, wish, USER, Outcome(1, (), 0.1)),
        }
        for name, args in made.items():
            event = getattr(interfaces, f"{name}Event")(*args)
            self.assertTrue(verifyObject(getattr(interfaces, f"I{name}Event"), event))
        for name, args in {"RunResumed": (None,), "BatchDone": (None, {})}.items():
            event = getattr(events, f"{name}Event")(*args)
            self.assertTrue(verifyObject(getattr(interfaces, f"I{name}Event"), event))

    def test_none_is_taken_for_another_one(self):
        kinds = {
            name: getattr(interfaces, f"{name}Event")
            for name in ("FileArrived", "FileDeleted", "FileRestored", "ExportBegun", "ExportDone")
        }
        for name, kind in kinds.items():
            for other in kinds:
                own = getattr(interfaces, f"I{other}Event").implementedBy(kind)
                with self.subTest(name, other=other):
                    self.assertEqual(own, name == other)


class StepTestCase(DeclaredTestCase):
    """Hears all events, and knows which of them the database has kept."""

    def setUp(self):
        super().setUp()
        self.told = []
        for event in ALL:
            self.enter(heard(event, self.hear))

    def hear(self, event):
        """Note an event, here and in the database."""
        site = grok.getSite()
        site.told = (*getattr(site, "told", ()), type(event).__name__.removesuffix("Event"))
        self.told.append(event)

    def kept(self):
        """Return the names of events that the database knows."""
        return self.portal.change(lambda site: getattr(site, "told", ()))

    def assertRefused(self, event, do):
        """See that a subscriber refuses something, and that nothing comes of it."""
        files, kept = self.portal.tree(), self.kept()
        with heard(event, fail_after(0, Refused)), self.assertRaisesRegex(Refused, "enough"):
            self.ask(do)
        self.assertEqual((self.portal.tree(), self.kept()), (files, kept))


class Mappings(StepTestCase):
    """A mapping that is kept."""

    def made(self):
        """Return what was told of mappings."""
        return [
            (each.kept, each.file, each.processor, each.mode, each.header, each.mapping.columns)
            for each in self.told
            if IMappingMadeEvent.providedBy(each)
        ]

    def test_of_a_draft(self):
        id = self.ask(lambda o: o.new_draft("data.csv").id)
        self.ask(lambda o: o.save_draft(id, processor="facultyprocessor", mode="create") and None)
        self.assertEqual(self.made(), [])
        columns = FACULTIES.columns
        self.ask(lambda o: o.save_draft(id, columns=columns, constants=()) and None)
        whole = ("draft", "data.csv", "facultyprocessor", "create", ("code", "title"), columns)
        self.assertEqual(self.made(), [whole])
        self.assertEqual(self.told[0].name, id)
        # Nor is what is said about something else, columns that are forgotten, or a field twice.
        self.ask(lambda o: o.save_draft(id, columns=("code", "code")) and None)
        self.ask(lambda o: o.save_draft(id, skip_unchanged=True) and None)
        self.ask(lambda o: o.save_draft(id, columns=None, constants=()) and None)
        self.assertEqual((self.made(), self.kept()), ([whole], ("MappingMade",)))

    def test_under_a_name(self):
        columns = (("code", "code"), ("Titel", "title"), ("--IGNORE--", None))

        def save(operations):
            operations.save_mapping("weekly", "facultyprocessor", columns)

        self.assertRefused(IMappingMadeEvent, save)
        self.assertEqual(self.ask(lambda o: o.saved_mappings("facultyprocessor")), [])
        self.told.clear()
        self.ask(save)
        found = ("name", "", "facultyprocessor", "", ("code", "Titel"), ("code", "title"))
        self.assertEqual((self.made(), self.told[0].name), ([found], "weekly"))

    def test_of_orders_and_of_no_undo(self):
        self.done(kind="check")
        id = self.done().id
        names = ("MappingMade", "RunOrdered")
        self.assertEqual(self.kept(), names * 2)
        self.assertEqual([each[0] for each in self.made()], ["order"] * 2)
        kinds = [each.name for each in self.told if IMappingMadeEvent.providedBy(each)]
        self.assertEqual(kinds, ["check", "import"])
        self.undone(id)
        self.assertEqual(self.kept(), (*names * 2, "RunOrdered"))

    def test_of_an_order_that_is_refused(self):
        for name in ("start_import", "start_check"):
            self.assertRefused(
                IMappingMadeEvent,
                lambda o, name=name: getattr(o, name)(
                    "data.csv", "facultyprocessor", "create", FACULTIES
                ),
            )
        self.assertEqual(self.ask(lambda o: o.runs()), [])


class Unheard(DeclaredTestCase):
    """Where nobody wants to know of mappings, no file is read for that."""

    def test_of_a_draft(self):
        id = self.ask(lambda o: o.new_draft("data.csv").id)
        with mock.patch.object(FileOperations, "_header") as header:
            self.ask(lambda o: o.save_draft(id, columns=("code", "title")) and None)
        self.assertFalse(header.called)


class Files(StepTestCase):
    """Files that go, and come back."""

    def deleted(self):
        """Delete the file; return what it is called in ``deleted``."""
        self.ask(lambda o: o.delete(["data.csv"]))
        return os.listdir(os.path.join(self.portal.storage, "deleted"))[0]

    def test_deleted_restored_and_purged(self):
        self.assertRefused(IFileDeletedEvent, lambda o: o.delete(["data.csv"]))
        self.told.clear()
        name = self.deleted()
        entry = self.told[0].file
        self.assertEqual((entry.name, entry.origin), (f"deleted/{name}", "data.csv"))
        self.assertRefused(IFileRestoredEvent, lambda o: o.restore(name))
        self.told.clear()
        self.ask(lambda o: o.restore(name) and None)
        entry = self.told[0].file
        self.assertEqual((entry.name, entry.origin), ("data.csv", f"deleted/{name}"))
        name = self.deleted()
        self.assertRefused(IFilePurgedEvent, lambda o: o.purge([name], "deleted"))
        self.told.clear()
        self.ask(lambda o: o.purge([name], "deleted"))
        self.assertEqual((self.told[0].name, self.told[0].user), (f"deleted/{name}", USER))
        self.assertEqual(self.kept(), ("FileDeleted", "FileRestored", "FileDeleted", "FilePurged"))

    def test_a_finished_file_that_is_restored_arrives(self):
        self.put("good.csv", "code,title", "FAC1,One")
        self.done("good.csv")
        self.told.clear()
        self.ask(lambda o: o.restore("good.csv", "finished") and None)
        self.assertEqual([IFileArrivedEvent.providedBy(each) for each in self.told], [True])

    def test_what_is_too_old(self):
        path = os.path.join(self.portal.storage, "finished", "old.csv")

        def write():
            with open(path, "w") as stream:
                stream.write("code\r\nFAC1\r\n")
            os.utime(path, (time.time() - 10 * 86400,) * 2)

        write()

        def forget():
            db = self.portal.open()
            try:
                return [each.text for each in recovery.recover(db, "/kofa")]
            finally:
                db.close()

        with mock.patch.object(keeping, "days_of", {"finished": 3}.get):
            self.grow_old(forget, path)
            # Whoever was killed before the file went has told of it already.
            write()
            with mock.patch.object(keeping.spool, "remove_file", side_effect=KeyboardInterrupt):
                self.assertRaises(KeyboardInterrupt, forget)
            self.assertTrue(os.path.exists(path))
            forget()
            self.assertFalse(os.path.exists(path))
            self.assertEqual([each.name for each in self.told], ["finished/old.csv"] * 3)

    def grow_old(self, forget, path):
        """Let a file go that is too old, once nobody refuses that."""
        for refusal in (
            fail_after(0),
            lambda event: transaction.commit(),
            lambda event: sys.exit("enough"),
        ):
            with (
                heard(IFilePurgedEvent, refusal),
                self.assertLogs("waeup.kofa.jobs.keeping", "ERROR") as logs,
            ):
                forget()
            self.assertIn("finished/old.csv stays", logs.output[0])
            self.assertTrue(os.path.exists(path))
        self.assertEqual(self.kept(), ())
        self.told.clear()
        self.assertIn("finished/old.csv was kept for 3 days, and is gone for good.", forget())
        self.assertEqual((self.told[0].name, self.told[0].user), ("finished/old.csv", ""))
        self.assertEqual(self.kept(), ("FilePurged",))


class Exports(StepTestCase):
    """An export that is written at once."""

    def exported(self):
        """Export faculties; return what was written."""
        stream = io.BytesIO()
        self.ask(lambda o: o.export(Wish("faculties"), stream) and None)
        return stream.getvalue().decode()

    def test_begun_and_done(self):
        self.done()
        self.told.clear()
        self.assertIn("FAC1", self.exported())
        begun, done = self.told
        self.assertTrue(IExportBegunEvent.providedBy(begun))
        self.assertTrue(IExportDoneEvent.providedBy(done))
        self.assertEqual((begun.wish, begun.user), (Wish("faculties"), USER))
        self.assertEqual((done.wish, done.user, done.outcome.rows), (begun.wish, USER, 2))

    def test_refused_before_the_first_byte(self):
        stream = io.BytesIO()
        self.assertRefused(IExportBegunEvent, lambda o: o.export(Wish("faculties"), stream))
        self.assertEqual(stream.getvalue(), b"")

    def test_what_fails_behind_the_last_byte_is_logged(self):
        with (
            heard(IExportDoneEvent, fail_after(0)),
            self.assertLogs("waeup.kofa.operations.exports", "ERROR") as logs,
        ):
            self.assertIn("code", self.exported())
        self.assertIn("A subscriber of the export faculties has failed.", logs.output[0])

    def test_one_in_the_background_is_a_run(self):
        self.ask(lambda o: o.start_export(Wish("faculties")) and None)
        self.assertEqual(self.kept(), ("RunOrdered",))


class Resumes(StepTestCase):
    """A run that goes on."""

    def test_somebody_lets_it_go_on(self):
        id = self.order()
        with heard(IBatchDoneEvent, fail_after(0)):
            self.portal.work_off(id)
        self.assertEqual(self.info(id).state, "stopped")
        self.assertRefused(IRunResumedEvent, lambda o: o.resume(id))
        self.assertEqual(self.info(id).state, "stopped")
        self.told.clear()
        self.ask(lambda o: o.resume(id) and None)
        self.assertEqual([each.run.id for each in self.told], [id])
        self.assertEqual(self.kept(), ("MappingMade", "RunOrdered", "RunResumed"))
        self.portal.work_off(id)
        self.assertEqual(self.info(id).state, "finished")

    def test_reasons_of_the_rows_of_a_batch_that_failed(self):
        failed = []
        with heard(IBatchDoneEvent, lambda event: failed.append((event.failed, event.counts))):
            id = self.done().id
            self.undone(id)
        reasons, counts = failed[0]
        self.assertEqual((list(reasons), counts), ([2], {"created": 2, "failed": 1}))
        self.assertIn("FAC 2", reasons[2])
        self.assertEqual(failed[1][0], {})
