"""A distribution is stopped at every operation in turn: afterwards each row is there once."""

import os
import shutil
import tempfile
import unittest
from collections.abc import Callable, Sequence

from waeup.kofa.errors import ItemBusy, NoSuchItem, StorageFault
from waeup.kofa.importing.distribution import distribute, recover
from waeup.kofa.spool import remove_file
from waeup.kofa.spool.disk import disk
from waeup.kofa.tests.spool.faultydisk import (
    FAST,
    FaultyDisk,
    LastingError,
    Off,
    OneError,
    PowerCut,
    Tree,
    killed_at,
    tree_of,
    write,
)
from waeup.kofa.tests.waiting import ended

ROWS = "id,name\r\n1,Ada\r\n2,Ben\r\n3,Cia\r\n"


class Scene:
    """A storage in which an import has just been done: before and after its distribution.

    `stored` are the files of the storage; `finished` and `pending` the texts of the
    result files; `expected` the files that must be there in the end.
    """

    def __init__(
        self,
        source: str,
        stored: dict[str, str],
        finished: str,
        pending: str | None,
        expected: dict[str, str],
    ) -> None:
        self.stored, self.texts = stored, (finished, pending)
        self.home = tempfile.mkdtemp(dir=FAST)
        self.storage = os.path.join(self.home, "storage")
        self.results = os.path.join(self.home, "results")
        self.call = (
            self.storage,
            pending is None,
            os.path.join(self.storage, source),
            os.path.join(self.results, "some.finished.csv"),
            None if pending is None else os.path.join(self.results, "some.pending.csv"),
            "create",
        )
        folders: Tree = dict.fromkeys(("deleted", "finished", "logs", "unfinished"))
        self.before = folders | {name: text.encode() for name, text in stored.items()}
        self.after = folders | {name: text.encode() for name, text in expected.items()}

    def set_up(self) -> None:
        """Make everything new, as it is before the distribution."""
        for name in os.listdir(self.home):
            shutil.rmtree(os.path.join(self.home, name))
        os.mkdir(self.storage)
        for folder in ("deleted", "finished", "logs", "unfinished"):
            os.mkdir(os.path.join(self.storage, folder))
        for name, text in self.stored.items():
            write(os.path.join(self.storage, name), text)
        self.make_results()

    def make_results(self) -> None:
        """Make the result files of the import."""
        if not os.path.isdir(self.results):
            os.mkdir(self.results)
        for path, text in zip(self.call[3:5], self.texts, strict=True):
            if isinstance(path, str) and text is not None:
                write(path, text)

    def distribute(self) -> None:
        distribute(*self.call)

    def recover(self) -> None:
        recover(self.storage)

    def close(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)


def scenes() -> dict[str, Scene]:
    """Return the scenes that differ in what is done to which file."""
    finished, pending = "finished/data.create.finished.csv", "data.create.pending.csv"
    first = "id,name\r\n1,Ada\r\n"
    errors = "id,name,--ERRORS--\r\n2,Ben,wrong\r\n3,Cia,wrong\r\n"
    again = {finished: first, pending: errors, "unfinished/data.csv": ROWS}
    fewer = "id,name,--ERRORS--\r\n3,Cia,still wrong\r\n"
    second = "id,name\r\n2,Ben\r\n"
    rest = "id,name\r\n2,Ben\r\n3,Cia\r\n"
    return {
        "first success": Scene(
            "data.csv", {"data.csv": ROWS}, ROWS, None, {finished: ROWS, "finished/data.csv": ROWS}
        ),
        "first failure": Scene(
            "data.csv",
            {"data.csv": ROWS},
            first,
            errors,
            {finished: first, pending: errors, "unfinished/data.csv": ROWS},
        ),
        "pending round": Scene(
            pending,
            again,
            second,
            fewer,
            again | {finished: first + "2,Ben\r\n", pending: fewer},
        ),
        "pending success": Scene(
            pending, again, rest, None, {finished: ROWS, "finished/data.csv": ROWS}
        ),
        "append behind an unterminated line": Scene(
            pending,
            again | {finished: first[:-2]},
            rest,
            None,
            {finished: ROWS, "finished/data.csv": ROWS},
        ),
        "merge of other columns": Scene(
            pending,
            again,
            "name,id,level\r\nBen,2,100\r\n",
            fewer,
            again | {finished: "id,name,level\r\n1,Ada,\r\n2,Ben,100\r\n", pending: fewer},
        ),
        "append of columns in another order": Scene(
            pending,
            again,
            "name,id\r\nBen,2\r\n",
            fewer,
            again | {finished: first + "2,Ben\r\n", pending: fewer},
        ),
        "original with the name of a former one": Scene(
            "data.csv",
            {"data.csv": ROWS, "finished/data.csv": "week 1", finished: first},
            first,
            errors,
            {
                "finished/data.csv": "week 1",
                finished: first,
                "finished/data-2.create.finished.csv": first,
                "data-2.create.pending.csv": errors,
                "unfinished/data-2.csv": ROWS,
            },
        ),
    }


class CrashTests(unittest.TestCase):
    """At operation N something happens, for each N until the distribution is through."""

    def setUp(self) -> None:
        self.scenes = scenes()
        for scene in self.scenes.values():
            self.addCleanup(scene.close)

    def each(self, stop: Callable[[Scene, int], bool]) -> None:
        for title, scene in self.scenes.items():
            scene.set_up()
            with FaultyDisk() as counter:
                scene.distribute()
            self.assertEqual(tree_of(scene.storage), scene.after, title)
            self.assertFalse(os.path.exists(scene.results), title)
            number = 0
            stopped = True
            while stopped:
                with self.subTest(title, operation=number):
                    scene.set_up()
                    stopped = stop(scene, number)
                    self.check_recovery(scene)
                number += 1
            self.assertGreaterEqual(number, counter.count, title)

    def check_recovery(self, scene: Scene, where: str = "") -> None:
        """Recover; nothing or everything was done, and both go on from there."""
        recover(scene.storage)
        tree = tree_of(scene.storage)
        self.assertIn(tree, (scene.before, scene.after), where)
        self.assertEqual(recover(scene.storage), [], where)
        self.assertEqual(tree_of(scene.storage), tree, where)
        if tree == scene.before:
            scene.make_results()
            scene.distribute()
            self.assertEqual(tree_of(scene.storage), scene.after, where)
        if where and os.path.exists(scene.results):
            os.rmdir(scene.results)  # an empty folder may come back when the power was cut
        self.assertFalse(os.path.exists(scene.results), where)

    def test_one_error(self) -> None:
        """An operation fails: the call says so, and can be repeated at once."""

        def stop(scene: Scene, number: int) -> bool:
            with OneError(number) as shim:
                try:
                    scene.distribute()
                except StorageFault as error:
                    self.assertIn("failed", str(error))
            return shim.count > number

        self.each(stop)

    def test_repeated_call_after_an_error(self) -> None:
        """After an error the same call brings it to an end, or says that it has come to one."""
        for title, scene in self.scenes.items():
            number, failed = 0, True
            while failed:
                with self.subTest(title, operation=number):
                    scene.set_up()
                    failed = False
                    with LastingError(number):
                        try:
                            scene.distribute()
                        except StorageFault:
                            failed = True
                    if failed:
                        try:
                            scene.distribute()
                        except NoSuchItem:
                            pass  # all was done but the last fsync, of the intent's removal
                    else:
                        recover(scene.storage)  # `.work` could not be removed, which is no error
                    self.assertEqual(tree_of(scene.storage), scene.after)
                    self.assertFalse(os.path.exists(scene.results))
                number += 1

    def test_disk_that_stays_broken(self) -> None:
        """From an operation on, all fail, also those that would tidy up."""

        def stop(scene: Scene, number: int) -> bool:
            with LastingError(number) as shim:
                try:
                    scene.distribute()
                except StorageFault:
                    pass
            return shim.count > number

        self.each(stop)

    def test_kill(self) -> None:
        """The process is killed."""
        self.each(lambda scene, number: killed_at(number, scene.distribute))

    def test_kill_of_a_recovery(self) -> None:
        """The process that recovers is killed, too."""
        for title in ("first failure", "pending success", "merge of other columns"):
            scene = self.scenes[title]
            scene.set_up()
            with FaultyDisk() as counter:
                scene.distribute()
            intent = counter.names.index("replace") + 2
            for first in range(intent, counter.count, 4):
                second, stopped = 0, True
                while stopped:
                    with self.subTest(title, first=first, second=second):
                        scene.set_up()
                        self.assertTrue(killed_at(first, scene.distribute))
                        stopped = killed_at(second, scene.recover)
                        self.check_recovery(scene)
                    second += 1

    def cut(
        self, scene: Scene, number: int, action: Callable[[], object], unforced: Sequence[str] = ()
    ) -> bool:
        shim = PowerCut(number, [scene.storage, scene.results], unforced)
        try:
            with shim:
                try:
                    action()
                except Off:
                    pass
            if shim.off:
                for state in shim.states():
                    self.check_recovery(scene, state)
            return shim.off
        finally:
            shim.close()

    def test_power_cut(self) -> None:
        """What was not forced out is lost, in part or as a whole."""

        def stop(scene: Scene, number: int) -> bool:
            unforced = [path for path in scene.call[3:5] if path]
            return self.cut(scene, number, scene.distribute, unforced)

        self.each(stop)

    def test_power_cut_in_the_next_round(self) -> None:
        """What was done in one round does not come back in the next one."""
        one, two = self.scenes["pending round"], self.scenes["pending success"]
        two.close()
        two.stored, two.home, two.storage, two.results = {}, one.home, one.storage, one.results
        two.call = (*one.call[:1], True, *one.call[2:4], None, one.call[5])
        finished = "finished/data.create.finished.csv"
        last = dict(one.after)
        del last["data.create.pending.csv"], last["unfinished/data.csv"]
        rows = ROWS.encode()
        last |= {"finished/data.csv": rows, finished: rows}
        two.texts = ("id,name\r\n3,Cia\r\n", None)

        def both() -> None:
            one.distribute()
            two.make_results()
            two.distribute()

        one.set_up()
        with FaultyDisk() as first:
            one.distribute()
        one.set_up()
        with FaultyDisk() as counter:
            both()
        self.assertEqual(tree_of(one.storage), last)
        for number in range(first.count, counter.count):
            one.set_up()
            shim = PowerCut(number, [one.storage, one.results])
            self.addCleanup(shim.close)
            with shim, self.assertRaises(Off):
                both()
            for state in shim.states():
                recover(one.storage)
                self.assertIn(tree_of(one.storage), (one.after, last), state)

    def test_power_cut_after_a_file_was_deleted(self) -> None:
        """What is done is forgotten for good: nothing looks for its files any more."""
        scene = self.scenes["pending round"]

        def act() -> None:
            scene.distribute()
            remove_file(os.path.join(scene.storage, "data.create.pending.csv"))

        scene.set_up()
        with FaultyDisk() as counter:
            act()
        scene.set_up()
        shim = PowerCut(counter.count, [scene.storage, scene.results])
        with shim, self.assertRaises(Off):
            act()
            disk.sync_folder(scene.storage)
        for state in shim.states():
            self.assertEqual(recover(scene.storage), [], state)
        shim.close()

    def test_power_cut_in_a_recovery(self) -> None:
        """The power fails again while an append is being repeated."""
        scene = self.scenes["pending success"]
        number, stopped = 0, True
        scene.set_up()
        with FaultyDisk() as counter:
            scene.distribute()
        append = len(counter.names) - 1 - counter.names[::-1].index("write")
        while stopped:
            with self.subTest(operation=number):
                scene.set_up()
                self.assertTrue(killed_at(append, scene.distribute))
                stopped = self.cut(scene, number, scene.recover)
                if not stopped:
                    self.check_recovery(scene)
            number += 1


class RaceTests(unittest.TestCase):
    """Two processes distribute the same source at the same time."""

    def race(self, scene: Scene) -> list[int]:
        scene.set_up()
        start, go = os.pipe()
        children = []
        for _number in range(2):
            pid = os.fork()
            if pid == 0:
                status = 9
                try:
                    os.read(start, 1)
                    scene.distribute()
                    status = 0
                except (NoSuchItem, ItemBusy):
                    status = 1
                finally:
                    os._exit(status)
            children.append(pid)
        os.write(go, b"12")
        codes = [os.waitstatus_to_exitcode(ended(pid)) for pid in children]
        os.close(start)
        os.close(go)
        return sorted(codes)

    def test_one_does_it_and_the_other_is_told(self) -> None:
        """Nothing is done twice, and nobody gets a wrong answer."""
        every = scenes()
        for scene in every.values():
            self.addCleanup(scene.close)
        for title in ("first success", "first failure", "pending success"):
            scene = every[title]
            for _round in range(30):
                with self.subTest(title):
                    self.assertEqual(self.race(scene), [0, 1])
                    self.assertEqual(tree_of(scene.storage), scene.after)
