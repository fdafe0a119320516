"""Files that come by themselves, from a folder that is watched."""

import errno
import os
import shutil
import tempfile
import unittest
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from unittest import mock

from ZODB.POSException import ConflictError
from zope.component import createObject
from zope.event import notify
from zope.lifecycleevent import ObjectModifiedEvent

from waeup.kofa.deployment import incoming, watches, watching
from waeup.kofa.deployment.watches import Watch
from waeup.kofa.deployment.watching import Watcher
from waeup.kofa.errors import Fault
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.ledger import Arrival
from waeup.kofa.maintenance import close_portal, open_portal
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Town
from waeup.kofa.tests.jobs.portal import SITE, USER
from waeup.kofa.tests.jobs.test_crashes import Counter, Error, Errors, Killed, Late, Unplugged
from waeup.kofa.tests.spool.faultydisk import FAST, Off, killed_at, tree_of, write

FACULTIES = "code,title\r\nNEW1,One\r\nNEW2,Two\r\n"


class Clock:
    """A clock that stands still until somebody turns it."""

    now = 1000.0

    def __call__(self):
        return self.now


class WatchingTestCase(unittest.TestCase):
    """A portal, and a folder `folder` that is watched."""

    layer = FunctionalLayer

    def setUp(self):
        self.town = Town()
        self.addCleanup(self.town.close)
        self.folder = tempfile.mkdtemp(dir=FAST)
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock = Clock()
        self.watcher = self.new_watcher()

    def watch(self, **changes):
        said = {
            "name": "faculties",
            "folder": self.folder,
            "processor": "facultyprocessor",
            "mode": "create",
            "user": USER,
        }
        return Watch(**(said | changes))

    def new_watcher(self, **changes):
        return Watcher([self.watch(**changes)], self.clock)

    def put(self, name="new.csv", text=FACULTIES):
        return write(os.path.join(self.folder, name), text)

    def look(self, seconds=0.0, watcher=None, db=None):
        """Look after so many seconds; return what was told."""
        self.clock.now += seconds
        watcher = watcher or self.watcher
        if db is not None:
            return in_own_thread(lambda: watcher.look(db, SITE))
        with closing(self.town.open()) as opened:
            return in_own_thread(lambda: watcher.look(opened, SITE))

    def look_twice(self, watcher=None):
        """Look before and after the time in which files must not change."""
        return [*self.look(watcher=watcher), *self.look(31, watcher)]

    def files(self):
        """Return the files of the folder, their dates replaced."""
        found = {}
        for name, content in tree_of(self.folder).items():
            if content is not None:
                parts = [
                    "DATE" if part[:1] == "2" and part[-1:] == "Z" else part
                    for part in name.split(".")
                ]
                found[".".join(parts)] = content.decode()
        return found

    def runs(self, kind="import"):
        """Return the runs of a kind, the oldest first."""
        return [run for run in self.town.operations(lambda o: o.runs())[::-1] if run.kind == kind]

    def logged(self):
        """Return the lines of the data center's log about the watch."""
        path = os.path.join(self.town.storage, "logs", "datacenter.log")
        with open(path, encoding="utf-8") as stream:
            return [line.strip() for line in stream if "watch faculties" in line]

    def work(self):
        for run in self.town.operations(lambda o: o.active_runs()):
            self.town.work_off(run.id)


class Taking(WatchingTestCase):
    """Files that can be imported."""

    def test_a_file_that_does_not_change_is_imported_once(self):
        self.put()
        self.assertEqual(self.look(), [])
        self.assertEqual(self.look(29), [])
        self.assertEqual(self.runs(), [])
        (line,) = self.look(2)
        (run,) = self.runs()
        self.assertEqual(
            line,
            f"watch faculties: 'new.csv' is new_{USER}.csv, and imported: run {run.id}.",
        )
        self.assertEqual((run.file, run.owner, run.mode), (f"new_{USER}.csv", USER, "create"))
        self.assertEqual(self.files(), {"done/new.DATE.csv": FACULTIES})
        self.assertIn(line, self.logged()[0])
        self.work()
        self.assertEqual(self.runs()[0].report.created, 2)
        self.assertEqual(self.look_twice(), [])
        self.assertEqual(len(self.runs()), 1)

    def test_a_file_that_changes_waits(self):
        path = self.put()
        self.look()
        with open(path, "a", encoding="utf-8") as stream:
            stream.write("NEW3,Three\r\n")
        self.assertEqual(self.look(31), [])
        self.assertEqual(self.runs(), [])
        self.assertEqual(len(self.look(31)), 1)

    def test_a_file_that_is_written_to_waits(self):
        path = self.put()
        self.look()
        with open(path, "a", encoding="utf-8"):
            self.assertEqual(self.look(31), [])
        self.assertEqual(self.runs(), [])
        self.assertEqual(len(self.look(1)), 1)

    def test_the_same_content_next_week_is_imported_again_and_that_is_told(self):
        self.put()
        self.look_twice()
        self.work()
        self.put()
        (line,) = self.look_twice()
        self.assertIn("Its content was imported before, on 2", line)
        first, second = self.runs()
        self.assertEqual((first.file, second.file), (f"new_{USER}.csv", f"new_{USER}-2.csv"))

    def test_names_of_what_is_not_complete_and_other_things_are_left_alone(self):
        for name in (".new.csv", "new.csv.part", "new.TMP", "new.filepart", "new.csv~", "n.pdf"):
            self.put(name)
        os.mkdir(os.path.join(self.folder, "folder.csv"))
        os.symlink(self.put("target"), os.path.join(self.folder, "link.csv"))
        os.mkfifo(os.path.join(self.folder, "pipe.csv"))
        before = sorted(os.listdir(self.folder))
        for pattern in ("*.csv", "new*"):
            watcher = self.new_watcher(pattern=pattern)
            self.assertEqual(self.look_twice(watcher), [])
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_case_does_not_count_in_a_pattern(self):
        self.put("NEW.CSV")
        self.assertEqual(len(self.look_twice()), 1)

    def test_several_files_each_become_a_run(self):
        for number in range(3):
            self.put(f"{number}.csv", f"code,title\r\nX{number},Title\r\n")
        self.assertEqual(len(self.look_twice()), 3)
        self.assertEqual([run.file for run in self.runs()], [f"{n}_{USER}.csv" for n in range(3)])

    def test_it_ends_between_files_when_the_process_is_to_end(self):
        for number in range(3):
            self.put(f"{number}.csv", f"code,title\r\nX{number},Title\r\n")
        self.look()
        self.clock.now += 31
        asked = []

        def is_stopping():
            asked.append(1)
            return len(asked) > 2

        with closing(self.town.open()) as db:
            told = in_own_thread(lambda: self.watcher.look(db, SITE, is_stopping))
        self.assertEqual(len(told), 1)

    def test_a_saved_mapping_says_what_the_columns_are(self):
        self.town.operations(
            lambda o: o.save_mapping(
                "ministry",
                "facultyprocessor",
                [("Kennung", "code"), ("Name", "title"), ("Remark", None)],
                constants=[("title_prefix", "school")],
            )
        )
        watcher = self.new_watcher(mapping="ministry")
        self.put("a.csv", "Name,Kennung,Remark\r\nOne,NEW1,x\r\n")
        self.put("b.csv", "Name,Remark\r\nOne,x\r\n")
        self.put("c.csv", "Name,Kennung,Other\r\nTwo,NEW2,x\r\n")
        told = self.look_twice(watcher)
        self.assertIn("run", told[0])
        self.assertIn("needs columns that are not there: 'Kennung'", told[1])
        self.assertIn("No field fits the columns 'Other'", told[2])
        self.work()
        faculty = self.town.change(lambda site: site["faculties"]["NEW1"].title_prefix)
        self.assertEqual(faculty, "school")

    def test_unknown_columns_are_left_out_where_that_is_said(self):
        self.put(text="code,title,ratio\r\nNEW1,One,3\r\n")
        self.look_twice(self.new_watcher(ignore_rest=True))
        self.work()
        self.assertEqual(self.runs()[0].report.created, 1)

    def test_what_a_person_mapped_before_is_not_guessed_to_be_meant_again(self):
        self.town.put("x.csv", "Kennung,title", "NEW9,Nine")

        def order(operations):
            mapping = operations.make_mapping(
                "x.csv", "facultyprocessor", "create", assign={"Kennung": "code"}
            )
            operations.start_import("x.csv", "facultyprocessor", "create", mapping)

        self.town.operations(order)
        self.put(text="Kennung,title\r\nNEW1,One\r\n")
        (line,) = self.look_twice()
        self.assertIn("is refused: No field fits the columns 'Kennung'", line)


class Refusing(WatchingTestCase):
    """Files that cannot be imported."""

    def refused(self, name, text, watcher=None):
        """Put a file, and return what is said about its refusal, in the log and beside it."""
        self.put(name, text)
        (line,) = self.look_twice(watcher)
        found = self.files()
        stem, end = name.rsplit(".", 1)
        self.assertEqual(found.pop(f"refused/{stem}.DATE.{end}"), text)
        letter = found.pop(f"refused/{stem}.DATE.{end}.txt")
        self.assertEqual(found, {})
        self.assertIn(line, self.logged()[-1])
        self.assertEqual(self.runs(), [])
        self.assertEqual(self.look_twice(watcher), [])
        return line, letter

    def test_a_column_without_field(self):
        line, letter = self.refused("new.csv", "code,titel,ratio\r\nNEW1,One,3\r\n")
        self.assertIn("'new.csv' is refused: No field fits the columns 'titel', 'ratio'", line)
        self.assertEqual(letter.splitlines()[0], "new.csv was not imported.")
        self.assertIn("Name a field for each or ignore it.", letter)
        self.assertIn(f"Then put it into {self.folder} again.", letter)
        self.assertEqual(
            [name for name in self.town.tree() if name.endswith(".csv")], [], "it is not stored"
        )

    def test_an_empty_file(self):
        self.assertIn("empty", self.refused("new.csv", "")[0])

    def test_what_is_no_table(self):
        watcher = self.new_watcher(pattern="*")
        self.assertIn("Only csv files", self.refused("new.pdf", "%PDF-1.4", watcher)[0])

    def test_a_missing_column(self):
        self.assertIn("Need at least columns", self.refused("new.csv", "title\r\nOne\r\n")[0])

    def test_a_file_that_is_too_large(self):
        with mock.patch.object(watching.Operations, "upload_limit", lambda self: 10):
            self.assertIn("has more than 10 bytes", self.refused("new.csv", FACULTIES)[0])

    def test_the_name_of_a_pending_file_that_is_there(self):
        self.town.put("new.create.pending.csv", "code,title", "A,B")
        self.assertIn(
            "There is a pending file", self.refused("new.create.pending.csv", FACULTIES)[0]
        )

    def test_long_and_strange_names(self):
        watcher = self.new_watcher(pattern="*")
        for name in ("x" * 251 + ".csv", "a." + "x" * 250, "new\n.csv"):
            with self.subTest(name[:10]):
                self.put(name)
                (line,) = self.look_twice(watcher)
                self.assertIn("is refused", line)
                self.assertNotIn("\n", line)
        with open(os.path.join(os.fsencode(self.folder), b"\xff.csv"), "wb") as stream:
            stream.write(b"code,title\n")
        (line,) = self.look_twice(watcher)
        self.assertIn("bytes that are no text", line)
        found = os.listdir(os.path.join(self.folder, "refused"))
        self.assertEqual(len(found), 8)
        self.assertLessEqual(max(len(os.fsencode(name)) for name in found), 255)

    def test_two_of_one_name_in_one_second_are_both_kept(self):
        moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
        with mock.patch.object(incoming, "datetime", SimpleNamespace(now=lambda zone: moment)):
            self.put(text="a,b\r\n1,2\r\n")
            self.look_twice()
            self.put(text="a,b\r\n3,4\r\n")
            self.look_twice()
        self.assertEqual(
            sorted(os.listdir(os.path.join(self.folder, "refused"))),
            [
                "new.20260304T050607Z-2.csv",
                "new.20260304T050607Z-2.csv.txt",
                "new.20260304T050607Z.csv",
                "new.20260304T050607Z.csv.txt",
            ],
        )


class Confirming(WatchingTestCase):
    """Many objects are changed or removed only when a person says so."""

    TEXT = "code,title\r\n" + "".join(f"F{n},Other {n}\r\n" for n in range(20))

    def setUp(self):
        super().setUp()

        def populate(site):
            for number in range(20):
                site["faculties"].addFaculty(
                    createObject("waeup.Faculty", f"F{number}", f"Faculty {number}")
                )

        self.town.change(populate)
        self.watcher = self.new_watcher(mode="update", skip_unchanged=True)

    def test_what_changes_few_is_imported_when_it_was_checked(self):
        few = self.TEXT.replace("Other", "Faculty").replace("Faculty 7", "Seven")
        self.put(text=few)
        (line,) = self.look_twice()
        (check,) = self.runs("check")
        self.assertIn(f"and checked first: run {check.id}.", line)
        self.assertEqual(self.look(60), [], "the check is not over")
        self.assertEqual(next(iter(self.files())).split("/")[0], "working")
        self.work()
        self.assertIn(f"is new_{USER}.csv, and imported: run", *self.look(60))
        self.assertEqual(self.files(), {"done/new.DATE.csv": few})
        self.work()
        (run,) = self.runs()
        self.assertEqual((run.report.updated, run.check), (1, check.id))

    def test_what_changes_many_waits_for_a_person(self):
        self.put(text=self.TEXT)
        self.look_twice()
        self.work()
        (line,) = self.look(60)
        self.assertIn("would change 20 of 24 objects", line)
        self.assertEqual(self.runs(), [])
        self.assertEqual(self.files()["refused/new.DATE.csv"], self.TEXT)
        letter = self.files()["refused/new.DATE.csv.txt"]
        self.assertIn(f"It waits in the data center as new_{USER}.csv", letter)
        self.assertNotIn("again", letter)
        self.assertIn(f"new_{USER}.csv", os.listdir(self.town.storage))
        self.assertEqual(self.look_twice(), [])

    def test_a_person_who_was_faster(self):
        self.put(text=self.TEXT)
        self.look_twice()
        self.work()
        self.town.operations(lambda o: o.delete([f"new_{USER}.csv"]))
        (line,) = self.look(60)
        self.assertIn("There is no file", line)
        self.assertEqual(self.runs(), [])

    def test_a_check_that_was_cancelled(self):
        self.put(text=self.TEXT)
        self.look_twice()
        (check,) = self.runs("check")
        self.town.operations(lambda o: o.cancel(check.id))
        (line,) = self.look(60)
        self.assertIn("The check of new_anna.csv is cancelled.", line)


class Telling(WatchingTestCase):
    """What is wrong with a watch, or for now, is told once, and files wait."""

    def told(self, watcher=None):
        """Look several times; return the one thing that is told."""
        with self.assertLogs("waeup.kofa.deployment.watching", "WARNING") as logs:
            self.look_twice(watcher)
            self.look_twice(watcher)
        self.assertEqual(len(logs.output), 1, logs.output)
        self.assertEqual(self.runs(), [])
        text = logs.records[0].getMessage()
        self.assertTrue(text.startswith("watch faculties: "), text)
        return text

    def test_a_folder_that_is_not_there(self):
        folder = os.path.join(self.folder, "gone")
        text = self.told(self.new_watcher(folder=folder))
        self.assertIn(f"files wait: {folder}: No such file or directory. Create or mount", text)
        self.assertIn(text, self.logged()[0])

    def test_it_is_told_again_when_it_was_right_meanwhile(self):
        moved = self.folder + ".moved"
        os.rename(self.folder, moved)
        self.told()
        os.rename(moved, self.folder)
        self.look()
        os.rename(self.folder, moved)
        self.told()
        os.rename(moved, self.folder)
        self.put()
        self.assertEqual(len(self.look_twice()), 1)

    def test_what_is_wrong_with_the_account_the_kind_or_the_mode(self):
        def suspend(site):
            site["users"]["carl"].suspended = True

        self.town.change(suspend)
        self.put()
        for changes, expected in (
            ({"user": "nobody"}, "There is no account 'nobody'"),
            ({"user": "carl"}, "The account 'carl' is suspended"),
            ({"processor": "other"}, "There is no processor 'other'"),
            ({"processor": "userprocessor", "user": "dora"}, "lack the permission"),
            ({"mapping": "other"}, "There is no saved mapping 'other'"),
            ({"folder": self.town.storage}, "lie in each other"),
            ({"folder": self.town.home}, "lie in each other"),
        ):
            with self.subTest(expected):
                self.assertIn(expected, self.told(self.new_watcher(**changes)))
        self.assertEqual(self.files(), {"new.csv": FACULTIES})

    def test_an_account_that_may_not_import(self):
        def change(*roles):
            def act(site):
                site["users"]["emma"].roles = list(roles)
                notify(ObjectModifiedEvent(site["users"]["emma"]))

            self.town.change(act)

        self.put()
        change("waeup.DataCenterManager")
        text = self.told(self.new_watcher(user="emma"))
        self.assertIn("You (emma) lack the permission waeup.importData", text)
        change("waeup.DataCenterManager", "waeup.UsersManager")
        text = self.told(self.new_watcher(user="emma", processor="userprocessor"))
        self.assertIn("The account 'emma' lacks the permission waeup.importData", text)
        self.assertEqual(self.files(), {"new.csv": FACULTIES})

    def test_a_mode_that_the_kind_does_not_have(self):
        processor = SimpleNamespace(modes=("create",))
        with mock.patch.object(watching.Operations, "processor", lambda self, name: processor):
            self.assertIn("has no mode 'remove'", self.told(self.new_watcher(mode="remove")))

    def test_a_storage_that_is_not_mounted(self):
        self.put()
        self.look()
        os.rename(self.town.storage, self.town.storage + ".away")
        try:
            with self.assertLogs("waeup.kofa.deployment.watching", "WARNING") as logs:
                self.look_twice()
        finally:
            shutil.rmtree(self.town.storage, ignore_errors=True)
            os.rename(self.town.storage + ".away", self.town.storage)
        self.assertIn("there is no such folder. Mount or restore it.", logs.output[0])
        self.assertEqual(len(self.look(31)), 1)

    def test_maintenance(self):
        self.town.change(lambda site: close_portal(site, "boss", ""))
        watcher = self.new_watcher(user="carl")
        self.put()
        self.assertIn("maintenance mode", self.told(watcher))
        self.town.change(open_portal)
        self.assertEqual(len(self.look(31, watcher)), 1)

    def test_a_file_that_cannot_be_read(self):
        path, real = self.put(), os.open

        def refuse(name, *args, **kw):
            if name == path:
                raise PermissionError(errno.EACCES, "Permission denied", path)
            return real(name, *args, **kw)

        with mock.patch.object(os, "open", refuse):
            self.assertIn(f"'new.csv' waits: {path}: Permission denied", self.told())
        self.assertEqual(len(self.look()), 1)

    def test_a_link_in_place_of_a_folder_of_ours(self):
        other = tempfile.mkdtemp(dir=FAST)
        self.addCleanup(shutil.rmtree, other)
        for name in ("working", "done"):
            with self.subTest(name):
                path = os.path.join(self.folder, name)
                with suppress(FileNotFoundError):
                    os.rmdir(path)
                os.symlink(other, path)
                if name == "working":
                    self.put()
                    self.assertIn(f"{path} is no folder. Remove it", self.told())
                    os.unlink(path)
                    continue
                with self.assertLogs("waeup.kofa.deployment.watching", "WARNING") as logs:
                    self.assertEqual(len(self.look_twice()), 1)
                    self.look_twice()
                self.assertEqual(len(logs.output), 1)
                os.unlink(path)
                # It is not imported a second time.
                self.assertEqual(self.look_twice(), [])
                self.assertEqual(self.files(), {"done/new.DATE.csv": FACULTIES})
        self.assertEqual(len(self.runs()), 1)
        self.assertEqual(os.listdir(other), [])

    def test_what_others_have_put_into_working(self):
        self.put()
        self.look_twice()
        home = os.path.join(self.folder, "working", "faculties.20260101T000000Z.00000000")
        os.makedirs(home)
        write(os.path.join(home, "a.csv"), "x")
        write(os.path.join(home, "b.csv"), "x")
        with self.assertLogs("waeup.kofa.deployment.watching", "WARNING") as logs:
            self.look_twice()
        self.assertIn("anything else than one file", logs.output[0])

    def test_an_error_of_one_watch_is_none_of_the_others(self):
        other = tempfile.mkdtemp(dir=FAST)
        self.addCleanup(shutil.rmtree, other)
        self.put()
        watcher = Watcher(
            [self.watch(name="gone", folder=other + "/gone"), self.watch()], self.clock
        )
        with self.assertLogs("waeup.kofa.deployment.watching", "WARNING"):
            self.assertEqual(len(self.look_twice(watcher)), 1)

    def test_what_nobody_has_foreseen_is_logged_once(self):
        self.put()
        with (
            mock.patch.object(watching, "_next", side_effect=KeyError("x")),
            self.assertLogs("waeup.kofa.deployment.watching", "WARNING") as logs,
        ):
            self.look_twice()
            self.look_twice()
        self.assertEqual(len(logs.output), 2, "with the traceback, and in words")
        self.assertEqual(len(self.look_twice()), 1)


class Together(WatchingTestCase):
    """Several processes look at one folder."""

    def test_both_see_a_file_and_one_takes_it(self):
        other = self.new_watcher()
        self.put()
        with closing(self.town.open()) as db:
            self.look(db=db)
            self.look(watcher=other, db=db)
            self.clock.now += 31
            real, told = os.mkdir, []

            def mkdir(path, mode=0o777):
                real(path, mode)
                if "working/" in path and not told:
                    # Just before the first one takes it.
                    told.append(None)
                    told.extend(self.look(watcher=other, db=db))

            with mock.patch.object(os, "mkdir", mkdir):
                told += self.look(db=db)
        self.assertEqual(len(told), 2)
        self.assertEqual(len(self.runs()), 1)
        self.assertEqual(self.files(), {"done/new.DATE.csv": FACULTIES})

    def test_both_decide_and_one_has_a_conflict(self):
        """As on two machines, whose file system keeps no locks."""
        self.put()
        other = self.new_watcher()
        with closing(self.town.open()) as db:
            self.look(db=db)
            with mock.patch.object(watching, "_step", return_value=(None, "")):
                self.look(31, db=db)  # it is taken, and a kill comes
            self.look(watcher=other, db=db)
            self.look(watcher=self.watcher, db=db)
            self.clock.now += 31
            real, told = watching._mapping, []

            def mapping(*args):
                if not told:
                    told.append(None)
                    told.extend(self.look(watcher=other, db=db))
                return real(*args)

            def lock(path, flags):
                raise OSError(errno.ENOLCK, "No locks available", path)

            with (
                mock.patch.object(watching, "_mapping", mapping),
                mock.patch.object(incoming, "lock", lock),
            ):
                told += self.look(db=db)
        self.assertEqual(len(told), 2, told)
        self.assertEqual(len(self.runs()), 1)
        self.assertEqual(self.files(), {"done/new.DATE.csv": FACULTIES})
        self.assertEqual(
            [name for name in self.town.tree() if name.endswith(".csv")], [self.runs()[0].file]
        )

    def test_a_conflict_with_others_is_tried_again(self):
        self.put()
        real, failures = watching._next, [ConflictError(), ConflictError()]

        def step(*args):
            if failures:
                raise failures.pop()
            return real(*args)

        with mock.patch.object(watching, "_next", step):
            self.assertEqual(len(self.look_twice()), 1)

    def test_a_person_uses_a_stored_file_before_its_import_is_ordered(self):
        def stored():
            return next(name for name in os.listdir(self.town.storage) if name.endswith(".csv"))

        def delete(operations):
            operations.delete([stored()])

        def order(operations):
            mapping = operations.make_mapping(stored(), "facultyprocessor", "create")
            operations.start_import(stored(), "facultyprocessor", "create", mapping)

        for use, number, expected in (
            (delete, 0, "was deleted in the data center meanwhile."),
            (order, 1, "belongs to the import that anna has ordered"),
            (lambda operations: (order(operations), self.later.append(1)), 2, "was imported in"),
        ):
            with self.subTest(expected):
                self.later = []
                self.put()
                with mock.patch.object(watching, "_ordered", side_effect=OSError("a kill")):
                    self.look_twice()
                self.town.operations(use)
                if self.later:
                    self.work()
                (line,) = self.look(31)
                self.assertIn(expected, line)
                self.assertEqual(len(self.runs()), number)
                self.work()

    def test_decisions_are_forgotten_when_the_file_is_put_away_since_a_day(self):
        self.put()
        self.look_twice()

        def arrivals():
            return self.town.change(lambda site: list(site["datacenter"].ledger.arrivals()))

        (id,) = arrivals()
        self.look()
        self.assertEqual(arrivals(), [id])
        old = datetime.now(timezone.utc) - timedelta(days=2)
        self.town.change(lambda site: site["datacenter"].ledger.arrive(id, Arrival(old, run="1")))
        working = os.path.join(self.folder, "working")
        os.rename(working, working + "2")
        self.look()
        self.assertEqual(arrivals(), [id], "the folder is not mounted")
        os.rename(working + "2", working)
        self.look()
        self.assertEqual(arrivals(), [])


class Crashes(WatchingTestCase):
    """Something happens at durable operations; the file is imported once all the same."""

    def begin(self):
        self.town.set_up()
        shutil.rmtree(self.folder)
        os.mkdir(self.folder)
        self.put()
        self.watcher = self.new_watcher()

    def live(self):
        with closing(self.town.open()) as db:
            self.look(db=db)
            self.look(31, db=db)

    def go_on(self, where):
        """Let others come after the crash, and look at what is there in the end."""
        self.town.recover()
        self.watcher = self.new_watcher()
        self.live()
        self.live()
        self.assertEqual(self.files(), self.expected, where)
        runs = self.runs()
        self.assertEqual(len(runs), self.number, where)
        for run in runs:
            self.town.work_off(run.id)
            ended = self.town.operations(lambda o, id=run.id: o.run(id))
            self.assertEqual((ended.state, ended.report.created), ("finished", 2), where)
        self.assertEqual(os.listdir(os.path.join(self.folder, "working")), [], where)
        self.town.recover()
        self.assertEqual(self.town.recover(), [], where)

    def each(self, stop, step=1):
        """Stop every `step`-th operation of a file that is imported, and of one that is not."""
        for text, place, number in ((FACULTIES, "done", 1), ("code,x\r\nA,B\r\n", "refused", 0)):
            self.text, self.number = text, number
            self.put = lambda text=text: write(os.path.join(self.folder, "new.csv"), text)
            self.begin()
            with Counter() as counter:
                self.live()
            self.expected = self.files()
            self.assertEqual({name.split("/")[0] for name in self.expected}, {place})
            for at in range(0, counter.count, step):
                self.begin()
                with self.subTest(place, operation=at, name=counter.names[at]):
                    stop(at)

    def test_kill(self):
        def kill(at):
            self.assertTrue(killed_at(at, self.live, Killed))
            self.go_on(f"killed at {at}")

        self.each(kill)

    def test_errors(self):
        for shim in (Error, Errors, Late):

            def fail(at, shim=shim):
                with shim(at), suppress(Fault, OSError):
                    self.live()
                self.go_on(f"{shim.__name__} at {at}")

            self.each(fail, 3)

    def test_power_cut(self):
        def cut(at):
            shim = Unplugged(at, [self.town.storage, self.folder])
            try:
                with shim, suppress(Off):
                    self.live()
                self.town.keep_database()
                for state in shim.states():
                    self.town.bring_database_back()
                    self.go_on(state)
            finally:
                shim.close()

        self.each(cut, 4)


class Saying(unittest.TestCase):
    """What can be said of a watch."""

    SAID = {
        "name": "students",
        "folder": "/srv/incoming",
        "processor": "studentprocessor",
        "mode": "update",
        "user": "registry",
    }

    def test_sensible_values(self):
        watch = Watch(**self.SAID)
        self.assertEqual((watch.pattern, watch.settle), ("*.csv", 30.0))

    def test_others_are_refused_in_words(self):
        for changes, expected in (
            ({"name": "Über"}, "cannot be the name of a watch"),
            ({"name": "a.b"}, "cannot be the name of a watch"),
            ({"folder": "incoming"}, "Name its whole path"),
            ({"mode": "delete"}, "It can be one of: create, update, remove, upsert."),
            ({"settle": 0}, "It has to be 1 or more"),
            ({"settle": float("nan")}, "It has to be 1 or more"),
            ({"pattern": "a/*.csv"}, "It is one of names"),
            ({"pattern": ""}, "It is one of names"),
        ):
            with self.subTest(expected), self.assertRaises(ValueError) as caught:
                Watch(**(self.SAID | changes))
            self.assertIn(expected, str(caught.exception))

    def test_a_section(self):
        section = SimpleNamespace(
            getSectionName=lambda: "students",
            folder="/srv/incoming",
            processor="studentprocessor",
            mode="update",
            user="registry",
            pattern="*.csv",
            settle=30,
            mapping=None,
            ignore_rest=False,
            skip_unchanged=True,
        )
        self.assertEqual(watches.watch(section), Watch(**self.SAID, skip_unchanged=True))
