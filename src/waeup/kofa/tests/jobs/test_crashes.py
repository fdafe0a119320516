"""Something happens at each durable operation of a complete life, and it all ends well.

Durable operations are those of `waeup.kofa.spool.disk`, the forcing out of result rows, and
each commit of the database.  What happens is: an error, an end of the process, an end of the
power.  Whoever comes next recovers and goes on; in the end everything is as after a life that
nobody has disturbed, and a second recovery finds nothing.

All operations of all lives take minutes: here are samples, ``make soak`` has them all.
"""

import gzip
import os
import unittest
from collections.abc import Iterable
from contextlib import closing, suppress
from typing import Any

from waeup.kofa.errors import Fault
from waeup.kofa.tabular import TableWriter, open_table
from waeup.kofa.tests.databases import storage_class
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Life, Lives, Stage, Town
from waeup.kofa.tests.spool.faultydisk import (
    FaultyDisk,
    Kill,
    LastingError,
    Off,
    OneError,
    PowerCut,
    killed_at,
)

FACULTIES = (
    "code,title\r\nFAC1,One\r\nFAC2,Two\r\nFAC 3,Three\r\nFAC4,Four\r\nFAC5,\x00Five\r\n"
    "FAC6,Six\r\nOLD1,Seven\r\nFAC8,Eight\r\nFAC9,Nine\r\nFAC10,Ten\r\n"
)


def lives() -> list[Life]:
    """Return the lives; the first one has it all."""
    names = ("student_id", "reg_number", "firstname", "lastname", "sex")
    return [
        Life("create", FACULTIES, "facultyprocessor", "create", ("code", "title")),
        Life(
            "update",
            "student_id,reg_number,firstname\r\nS1,N1,Ann\r\nS2,R2,Ben\r\nS9,N9,Cia\r\n"
            "S3,R4,Dan\r\nS3,N3,Eve\r\nS4,N4,Fay\r\nS1,R1,Gil\r\n",
            "studentprocessor",
            "update",
            names[:3],
        ),
        Life(
            "remove",
            "student_id\r\nS1\r\nS9\r\nS2\r\nS1\r\nS3\r\nS4\r\n",
            "studentprocessor",
            "remove",
            names[:1],
            rows=2,
        ),
        Life(
            "upsert",
            "student_id,reg_number,firstname,lastname,sex\r\nS1,R1,Ann,A,f\r\nN1,,Ben,B,m\r\n"
            "N2,X2,,C,f\r\nS2,N2,Dan,D,m\r\nN1,X1,Eve,E,f\r\nS3,R3,Fay,F,x\r\nN3,X3,Gil,G,m\r\n",
            "studentprocessor",
            "upsert",
            names,
        ),
        Life(
            "all fail",
            "code,title\r\nFAC 1,One\r\nFAC 2,Two\r\nFAC 3,Three\r\n",
            "facultyprocessor",
            "create",
            ("code", "title"),
            rows=1,
            undoable=False,
        ),
        Life(
            "packed and checked",
            gzip.compress(FACULTIES.encode(), mtime=0),
            "facultyprocessor",
            "upsert",
            ("code", "title"),
            name="data.csv.gz",
            checked=True,
            rows=4,
        ),
        Life(
            "corrected",
            FACULTIES,
            "facultyprocessor",
            "create",
            ("code", "title"),
            checked=True,
            corrected={3: {0: "FAC3"}, 5: {0: "FAC5", 1: "Five"}, 7: {0: "FAC 7", 1: "Sieben"}},
        ),
        Life(
            "second round",
            "code,title,--ERRORS--\r\nFAC2,Two,was wrong\r\nFAC 3,Three,wrong\r\nFAC4,Four,x\r\n",
            "facultyprocessor",
            "create",
            ("code", "title", None),
            name="data.create.pending.csv",
            rows=2,
            files={
                "data.create.pending.csv": "code,title,--ERRORS--\r\nFAC2,Two,was wrong\r\n"
                "FAC 3,Three,wrong\r\nFAC4,Four,x\r\n",
                "unfinished/data.csv": FACULTIES,
                "finished/data.create.finished.csv": "code,title\r\nFAC1,One\r\n",
            },
        ),
        Life(
            "parts",
            "code,weight,cave_depth,cave_door,nest_warm,cub_warm\r\nB1,1,2,red,yes,no\r\n"
            "OLD1,2,3,,no,yes\r\nB2,3,12,XXX,yes,\r\nOLD2,,4,blue,yes,yes\r\nB3,x,1,,,\r\n"
            "OLD3,4,5,,,no\r\nB1,5,6,,no,yes\r\nOLD4,6,,red,,\r\nOLD1,7,8,,yes,no\r\n",
            "bears",
            "upsert",
            ("code", "weight", "cave_depth", "cave_door", "nest_warm", "cub_warm"),
        ),
        Life(
            "parts that go",
            "code\r\nOLD1\r\nOLD2\r\nOLD9\r\nOLD3\r\nOLD4\r\n",
            "bears",
            "remove",
            ("code",),
            rows=2,
        ),
        Life(
            "all at once",
            FACULTIES,
            "oneatonce",
            "create",
            ("code", "title"),
            undoable=False,
        ),
    ]


class _Durable(FaultyDisk):
    """Commits, and rows that are forced out, are operations, too.

    The databases must be opened while the shim is in place.
    """

    #: The method that stands for a commit: here it is not decided yet.
    commit = "tpc_vote"

    def __enter__(self):
        super().__enter__()
        self._class = storage_class()
        self._sync, self._commit = TableWriter.sync, getattr(self._class, self.commit)
        sync, commit = self._sync, self._commit

        def sync_rows(writer):
            writer._stream.flush()
            fd = writer._stream.fileno()
            return self._wrapped("sync", lambda _fd: sync(writer))(fd)

        def commit_all(*args):
            return self._wrapped("commit", commit)(*args)

        TableWriter.sync = sync_rows
        setattr(self._class, self.commit, commit_all)
        return self

    def __exit__(self, *exc_info):
        TableWriter.sync = self._sync
        setattr(self._class, self.commit, self._commit)
        super().__exit__(*exc_info)


class Counter(_Durable):
    """Lets everything through."""


class Error(_Durable, OneError):
    """One operation fails."""


class Errors(_Durable, LastingError):
    """From one operation on, all fail."""


class Late(_Durable, OneError):
    """One commit is stored, but says that it failed."""

    commit = "tpc_finish"

    def is_hit(self, number):
        return False

    def after(self, name, args):
        super().after(name, args)
        if name == "commit" and self.count == self.at + 1:
            self.strike(name)


class Killed(_Durable, Kill):
    """The process is killed; a commit that has been voted for is not there then."""

    commit = "tpc_finish"


class Unplugged(_Durable, PowerCut):
    """The power fails.

    Lines of logs need not be forced out, and what was unpacked is forced out by another process:
    they are taken as they were.
    """

    def states(self):
        for folder, names in self.found.items():
            if os.path.basename(folder) == "logs":
                self.names_forced[folder] = names
            for name, inode in names.items():
                if inode is not None and name.endswith((".log", "table.csv")):
                    self.bytes_forced[inode] = self.bytes_found[inode]
        return super().states()


class Witness:
    """Knows how a life is when nobody disturbs it, and compares.

    With `each_row` the files of that are looked at, too.
    """

    def __init__(
        self, test: unittest.TestCase, portal: Town, life: Life, *, each_row: bool = True
    ) -> None:
        self.test, self.portal, self.life = test, portal, life
        self.lives = Lives(portal, life)
        self.before = self._before()
        stages: list[Stage] = []
        with Counter() as counter:
            self.lives.live(stages.append)
        self.names = counter.names
        (self.imported,) = stages
        self.undone = self._undone()
        if life.undoable:
            test.assertEqual(self.undone.objects, self.before, life.title)
        if each_row and not life.files and not life.corrected:
            self._each_row_once()
        test.assertEqual(portal.recover(), [], life.title)

    @property
    def operations(self) -> int:
        """The number of durable operations of the life."""
        return len(self.names)

    def go_on(self, where: str) -> None:
        """Recover, lead the life to its end, and compare."""
        self.portal.recover()
        self.test.assertEqual(self._unrepaired(), [], where)
        self.lives.live(lambda stage: self._compare(stage, self.imported, where))
        self._compare(self._undone(), self.undone, where)
        self.test.assertEqual(self.portal.recover(), [], where)

    def _unrepaired(self) -> list[Any]:
        """Return what a second recovery finds: nothing but stopped runs."""
        return [
            finding
            for finding in self.portal.recover()
            if finding.repaired or "has stopped" not in finding.text
        ]

    def _compare(self, stage: Stage, expected: Stage, where: str) -> None:
        for name in ("objects", "files", "ledger", "report", "marks"):
            self.test.assertEqual(getattr(stage, name), getattr(expected, name), where)

    def _before(self) -> dict[str, Any]:
        self.lives.begin()
        return self.portal.objects()

    def _undone(self) -> Stage:
        with closing(self.portal.open()) as db:
            kind = "undo" if self.life.undoable else "import"
            return self.lives.stage(db, self.lives.find(db, kind))

    def _each_row_once(self) -> None:
        """Look at the files of the undisturbed life: each source row is in one of them."""
        report = self.imported.report
        found: list[str] = []
        for name in filter(None, (report["finished"], report["pending"])):
            path = os.path.join(self.portal.storage, name)
            with open_table(path, rows_required=False) as table:
                raw = table.header.index("--RAW--") if "--RAW--" in table.header else 0
                found += [row.values[raw].split(",")[0] or row.values[0] for row in table]
        data = self.life.data
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
        rows = [line.split(",")[0] for line in text.split("\r\n")[1:-1]]
        self.test.assertEqual(sorted(found), sorted(rows), self.life.title)


def kill_at(witness: Witness, number: int) -> bool:
    """Lead a life in a process that is killed at an operation; tell whether it came so far."""
    witness.lives.begin()
    return killed_at(number, witness.lives.live, Killed)


def error_at(witness: Witness, number: int, shim: type[_Durable]) -> bool:
    """Lead a life in which an operation fails; tell whether it came so far."""
    witness.lives.begin()
    with shim(number) as disturbed, suppress(Fault, OSError, AssertionError):
        witness.lives.live()
    return disturbed.count > number


def cut_at(witness: Witness, number: int) -> Iterable[str]:
    """Lead a life in which the power fails; afterwards build one state after the other."""
    witness.lives.begin()
    shim = Unplugged(number, [witness.portal.storage])
    try:
        with shim, suppress(Off):
            witness.lives.live()
        witness.portal.keep_database()
        if shim.off:
            for state in shim.states():
                witness.portal.bring_database_back()
                yield state
    finally:
        shim.close()


class Crashes(unittest.TestCase):
    """Samples of all that can happen; ``make soak`` tries each operation."""

    layer = FunctionalLayer

    def setUp(self):
        self.portal = Town()
        self.addCleanup(self.portal.close)

    def each(self, stop, *, first=2, others=29):
        """Stop every `first`-th operation of the first life, every `others`-th of the others."""
        for place, life in enumerate(lives()):
            witness = Witness(self, self.portal, life)
            step = others if place else first
            for number in range(place % step, witness.operations, step):
                name = witness.names[number]
                with self.subTest(life.title, operation=number, name=name):
                    self.assertTrue(stop(witness, number), "the operation was not reached")
                    witness.go_on(f"{life.title}: {number} of {witness.operations} ({name})")

    def test_kill(self):
        """The process is killed at an operation."""
        self.each(kill_at)

    def test_kill_of_a_kind_with_parts(self):
        """The process is killed, while rows make, change or remove several objects."""
        for life in lives():
            if life.processor != "bears":
                continue
            witness = Witness(self, self.portal, life)
            self.assertTrue(witness.imported.report["failed"], life.title)
            for number in range(4, witness.operations, 5):
                with self.subTest(life.title, operation=number, name=witness.names[number]):
                    self.assertTrue(kill_at(witness, number), "the operation was not reached")
                    witness.go_on(f"{life.title}: {number} of {witness.operations}")

    def test_kill_of_a_recovery(self):
        """The process that recovers is killed, too."""
        witness = Witness(self, self.portal, lives()[0])
        commits = [number for number, name in enumerate(witness.names) if name == "commit"]
        # In the import, while files are put into their places, and in the undo.
        for first in (commits[4] + 1, *range(commits[7] + 1, commits[8], 4), commits[-3]):
            second, stopped = 0, True
            while stopped:
                with self.subTest(first=first, second=second):
                    self.assertTrue(kill_at(witness, first))
                    stopped = killed_at(second, self.portal.recover, Killed)
                    witness.go_on(f"{first}, then {second}")
                second += 1

    def test_error(self):
        """An operation fails: whoever was at it says so, and it can go on at once."""
        self.each(lambda witness, number: error_at(witness, number, Error), first=7)

    def test_commit_of_unknown_outcome(self):
        """A commit says that it failed, but did not."""
        for place, life in enumerate(lives()):
            witness = Witness(self, self.portal, life)
            commits = [number for number, name in enumerate(witness.names) if name == "commit"]
            for number in commits[place % 4 :: 4] if place else commits:
                with self.subTest(life.title, operation=number):
                    self.assertTrue(error_at(witness, number, Late))
                    witness.go_on(f"{life.title}: {number} of {witness.operations}")

    def test_disk_that_stays_broken(self):
        """From an operation on, all fail, also those that would tidy up."""
        self.each(lambda witness, number: error_at(witness, number, Errors), first=11)

    def test_power_cut(self):
        """What was not forced out is lost, in part or as a whole."""
        for place, life in enumerate(lives()):
            witness = Witness(self, self.portal, life)
            # Only a check leaves something for later that is no result of a run.
            step = 19 if life.checked else 83
            for number in range(3 * place, witness.operations, step if place else 13):
                for count, state in enumerate(cut_at(witness, number)):
                    with self.subTest(life.title, operation=number, state=count):
                        witness.go_on(f"{life.title}: {state}")
