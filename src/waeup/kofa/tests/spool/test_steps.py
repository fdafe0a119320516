"""Steps that are done again, and files that somebody else has changed meanwhile."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import unittest
from typing import Any
from unittest import mock

from waeup.kofa.errors import StorageFault
from waeup.kofa.spool import (
    Append,
    Place,
    Prune,
    Remove,
    Rename,
    Replace,
    WorkFolder,
    perform,
    read_intents,
    redo,
    step_as_dict,
    step_from_dict,
    tail_of,
    write_intent,
)
from waeup.kofa.tests.spool.faultydisk import FAST, tree_of, write


def sha(text: str) -> str:
    """Return the sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


class StepTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.storage = tempfile.mkdtemp(dir=FAST)
        self.addCleanup(shutil.rmtree, self.storage)

    def put(self, name: str, text: str) -> str:
        return write(os.path.join(self.storage, name), text)

    def check(self, step, before: dict[str, str], after: dict[str, str]) -> None:
        """Perform a step with these files, twice."""
        for name in os.listdir(self.storage):
            os.unlink(os.path.join(self.storage, name))
        for name, text in before.items():
            self.put(name, text)
        expected = {name: text.encode() for name, text in after.items()}
        for _time in range(2):
            perform(self.storage, (step,))
            self.assertEqual(tree_of(self.storage), expected)

    def refused(self, step, before: dict[str, str]) -> None:
        """Perform a step that fails, and changes nothing."""
        for name in os.listdir(self.storage):
            os.unlink(os.path.join(self.storage, name))
        for name, text in before.items():
            self.put(name, text)
        with self.assertRaises(StorageFault) as caught:
            perform(self.storage, (step,))
        self.assertIn(os.path.join(self.storage, "target"), str(caught.exception))
        expected = {name: text.encode() for name, text in before.items()}
        self.assertEqual(tree_of(self.storage), expected)


class PlaceTests(StepTestCase):
    step = Place("source", "target", sha("hello"))

    def test_states_of_the_target(self) -> None:
        both = {"source": "hello", "target": "hello"}
        for title, before in (
            ("not begun", {"source": "hello"}),
            ("name claimed", {"source": "hello", "target": ""}),
            ("torn", {"source": "hello", "target": "hel"}),
            ("blocks missing", {"source": "hello", "target": "\0\0l"}),
            ("copied, perhaps not forced out", both),
        ):
            with self.subTest(title):
                self.check(self.step, before, both)

    def test_done_by_a_rename(self) -> None:
        self.check(self.step, {"target": "hello"}, {"target": "hello"})

    def test_changed_by_somebody(self) -> None:
        self.refused(self.step, {"source": "hello", "target": "help!"})
        self.refused(self.step, {"source": "hello", "target": "hello and more"})
        self.refused(self.step, {"target": "help!"})

    def test_content_is_gone(self) -> None:
        self.refused(self.step, {})

    def test_without_links_on_another_file_system(self) -> None:
        """Neither a link nor a rename is possible: the content is copied, with its time."""
        error = OSError(errno.EXDEV, "Invalid cross-device link")
        with mock.patch("os.link", side_effect=error), mock.patch("os.replace", side_effect=error):
            path = self.put("source", "hello")
            os.utime(path, (1, 2))
            perform(self.storage, (self.step,))
        self.assertEqual(tree_of(self.storage), {"source": b"hello", "target": b"hello"})
        self.assertEqual(os.path.getmtime(os.path.join(self.storage, "target")), 2)

    def test_link_that_was_made_although_an_error_came_back(self) -> None:
        """NFS repeats a request whose answer was lost, and then finds the name taken."""
        link = os.link

        def twice(source: str, target: str) -> None:
            link(source, target)
            link(source, target)

        with mock.patch("os.link", twice):
            self.check(self.step, {"source": "hello"}, {"source": "hello", "target": "hello"})


class PlaceOfLargeFileTests(PlaceTests):
    """What is known by its end, for nobody wants to read all of it."""

    step = Place("source", "target", length=5, tail=sha("hello"))


class AppendTests(StepTestCase):
    step = Append("source", 2, "target", 3, sha("old"), "\r\n", sha("new rows"))
    source = "k\nnew rows"

    def both(self, target: str) -> dict[str, str]:
        return {"source": self.source, "target": target}

    def test_states_of_the_target(self) -> None:
        for title, target in (
            ("not begun", "old"),
            ("torn in the line end", "old\r"),
            ("torn", "old\r\nnew"),
            ("blocks missing", "old\r\n\0\0\0 ro"),
            ("length only", "old" + "\0" * 10),
            ("done", "old\r\nnew rows"),
        ):
            with self.subTest(title):
                self.check(self.step, self.both(target), self.both("old\r\nnew rows"))

    def test_done_and_appended_to_since(self) -> None:
        later = self.both("old\r\nnew rows\r\nlater")
        self.check(self.step, later, later)

    def test_done_and_source_gone(self) -> None:
        self.check(self.step, {"target": "old\r\nnew rows"}, {"target": "old\r\nnew rows"})

    def test_changed_by_somebody(self) -> None:
        for target in ("ol", "odd", "old\r\nmine", "old\r\nnew rowz", "old\r\nnew rowz and more"):
            with self.subTest(target):
                self.refused(self.step, self.both(target))

    def test_target_or_source_is_gone(self) -> None:
        self.refused(self.step, {"source": self.source})
        self.refused(self.step, {"target": "old"})

    def test_former_state_is_known_by_its_last_64_kib(self) -> None:
        path = self.put("target", "a" * 65536)
        tail = tail_of(path, 65536)
        self.assertEqual(tail_of(self.put("target", "b" + "a" * 65536), 65537), tail)
        self.assertNotEqual(tail_of(self.put("target", "a" * 65535 + "b"), 65536), tail)


class ReplaceTests(StepTestCase):
    step = Replace("source", "target", 3, sha("old"), sha("new rows"))

    def test_not_begun_and_done(self) -> None:
        self.check(self.step, {"source": "new rows", "target": "old"}, {"target": "new rows"})

    def test_changed_by_somebody(self) -> None:
        self.refused(self.step, {"source": "new rows", "target": "odd"})
        self.refused(self.step, {"source": "new rows", "target": "older"})
        self.refused(self.step, {"source": "new rows"})
        self.refused(self.step, {"target": "old"})
        self.refused(self.step, {})


class RemovalTests(StepTestCase):
    def remove(self, path: str) -> Remove:
        status = os.stat(path)
        return Remove(os.path.basename(path), status.st_ino, status.st_size)

    def test_removed_once(self) -> None:
        step = self.remove(self.put("a", "x"))
        for _time in range(2):
            perform(self.storage, (step,))
            self.assertEqual(tree_of(self.storage), {})

    def test_another_file_of_that_name(self) -> None:
        step = self.remove(self.put("a", "x"))
        os.replace(self.put("b", "y"), os.path.join(self.storage, "a"))
        perform(self.storage, (step,))
        self.assertEqual(tree_of(self.storage), {"a": b"y"})

    def test_result_file_that_may_not_be_removed(self) -> None:
        """It lies outside of the storage: leaving it there does no harm."""
        path = self.put("a", "x")
        step = Remove(path, os.stat(path).st_ino, 1)
        with mock.patch("os.unlink", side_effect=OSError(errno.EACCES, "Permission denied")):
            perform(self.storage, (step,))
            with self.assertRaises(PermissionError):
                perform(self.storage, (self.remove(path),))

    def test_folder_with_something_in_it(self) -> None:
        os.mkdir(os.path.join(self.storage, "full"))
        self.put("full/a", "x")
        os.mkdir(os.path.join(self.storage, "empty"))
        perform(self.storage, (Prune("full"), Prune("empty"), Prune("gone")))
        self.assertEqual(tree_of(self.storage), {"full": None, "full/a": b"x"})


class IntentTests(StepTestCase):
    def test_plain_data_and_back(self) -> None:
        for step in (
            Place("a", "b", "c"),
            Place("a", "b", length=1, tail="c"),
            Append("a", 1, "b", 2, "c", "", "d"),
            Replace("a", "b", 1, "c", "d"),
            Rename("a", "b"),
            Remove("a", 1, 2),
            Prune("a"),
        ):
            with self.subTest(step):
                data = json.loads(json.dumps(step_as_dict(step)))
                self.assertEqual(step_from_dict(data), step)

    def test_data_of_a_former_release(self) -> None:
        data: dict[str, Any] = {"kind": "place", "source": "a", "target": "b", "digest": "c"}
        self.assertEqual(step_from_dict(data), Place("a", "b", "c"))

    def test_other_data(self) -> None:
        descriptions: tuple[dict[str, Any], ...] = (
            {},
            {"kind": "place"},
            {"kind": "x"},
            {"kind": "prune", "path": "a", "b": 1},
        )
        for data in descriptions:
            with self.subTest(data), self.assertRaises(ValueError):
                step_from_dict(data)

    def test_intent_is_redone_and_gone(self) -> None:
        work = WorkFolder(self.storage)
        write(os.path.join(work.path, "a"), "x")
        steps = (Place(f".work/{work.id}/a", "a", sha("x")),)
        intent = write_intent(work, "placing a", steps, {"for": "ü"})
        work.close()
        self.assertEqual(read_intents(self.storage), [intent])
        self.assertEqual(redo(self.storage), [intent])
        self.assertEqual(tree_of(self.storage), {"a": b"x"})
        self.assertEqual(redo(self.storage), [])

    def test_abandoned_work_folder_with_an_intent_stays(self) -> None:
        """It holds what a process that died had promised."""
        work = WorkFolder(self.storage, "run")
        write_intent(work, "nothing", ())
        work.close()
        self.assertEqual(WorkFolder.stale(self.storage), [])
        self.assertEqual(len(redo(self.storage)), 1)
        self.assertEqual(tree_of(self.storage), {})

    def test_damaged_intent(self) -> None:
        with WorkFolder(self.storage) as work:
            for text in ("", "{}", '{"steps": [{}]}', "[]"):
                path = write(os.path.join(work.path, "intent.json"), text)
                with (
                    self.subTest(text),
                    self.assertRaisesRegex(StorageFault, f"{path} is damaged"),
                ):
                    read_intents(self.storage)
