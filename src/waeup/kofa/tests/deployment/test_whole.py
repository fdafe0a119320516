"""Backups that are made at any moment of a run are whole: it goes on from each of them.

The life of an import (`waeup.kofa.tests.jobs.lives`) goes on while a backup is made: between each
two steps of that are some durable operations of the life.  Then the backup is brought back, and
the life is led to its end; objects, files, ledger and report must be those of a life that nobody
has disturbed, thus each row is there once.
"""

import io
import os
import random
import shutil
import unittest
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from waeup.kofa.deployment import backups, moments, restoring
from waeup.kofa.spool import locks
from waeup.kofa.tests.databases import PLACES
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Life, Town
from waeup.kofa.tests.jobs.test_crashes import Counter, Witness, lives

#: Operations of a life between two steps of a backup, at most.
FAR = 12
#: Steps of a backup.
ALL = 4


class Saving(Counter):
    """Makes a backup while a life is led; `moments` are the operations at which its steps come.

    When the life needs the lock of the storage, the backup comes to its end first.
    """

    def __init__(self, town: Town, place: Path, moments: tuple[int, int, int, int]) -> None:
        super().__init__()
        self._town = town
        self._place = place
        self._moments = moments
        self._number = 0
        self._is_saving = False
        self._held: locks.Held | None = None
        self._undo = ExitStack()
        self._making: backups.Making | None = None
        self._steps = [self._prepare, self._settle, self._fix, self._add]
        self.is_done = False

    def __enter__(self) -> "Saving":
        super().__enter__()
        place = self._place
        shutil.rmtree(place, ignore_errors=True)
        (place / backups.FILES).mkdir(parents=True)
        former = locks.FlockExclusion.take

        def take(exclusion: Any, path: str, flags: int = 0) -> Any:
            if path == self._town.storage and not self._is_saving and self._held is not None:
                self._go_on(ALL)
            return former(exclusion, path, flags)

        self._undo.enter_context(mock.patch.object(locks.FlockExclusion, "take", take))
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            if self._held is not None:
                self._go_on(ALL)
        finally:
            self._undo.close()
            super().__exit__(*exc_info)

    def before(self, name: str, args: tuple[Any, ...]) -> None:
        if self._is_saving:
            return
        due = sum(moment <= self._number for moment in self._moments)
        self._number += 1
        self._go_on(due)

    def _go_on(self, due: int) -> None:
        """Do the steps that are due."""
        self._is_saving = True
        try:
            while len(self._steps) > ALL - due:
                if not self._steps[0]():
                    return  # somebody has the lock
                del self._steps[0]
        finally:
            self._is_saving = False

    def _prepare(self) -> bool:
        moment = self._undo.enter_context(moments.moment_of(self._town.place.there))
        self._making = backups.Making(self._place, moment, self._town.storage)
        self._making.prepare()
        return True

    def _settle(self) -> bool:
        self._held = locks.exclusion().take(self._town.storage, os.O_DIRECTORY)
        if self._held is None:
            return False
        assert self._making is not None
        self._making.settle()
        return True

    def _fix(self) -> bool:
        assert self._making is not None
        self._making.fix()
        return True

    def _add(self) -> bool:
        assert self._making is not None and self._held is not None
        self._making.add()
        self._held.release()
        self._held = None
        self._making.complete("", "")
        self.is_done = True
        return True


class Pieces(unittest.TestCase):
    """An upload that comes in pieces goes on where it was when the backup was made."""

    layer = FunctionalLayer

    def test_it_goes_on(self) -> None:
        town = Town(kind="filestorage")
        self.addCleanup(town.close)
        folder = Path(town.home + ".backup")
        folder.mkdir()
        self.addCleanup(shutil.rmtree, folder)
        id = town.operations(lambda o: o.begin_upload("data.csv", 12)).id

        def send(offset: int, data: bytes) -> None:
            town.operations(lambda o: o.continue_upload(id, offset, io.BytesIO(data)))

        send(0, b"code\n")
        place, _made = backups.make_backup(
            folder, town.place.there, town.storage, "admin", tell, lambda file: None
        )
        send(5, b"A\nB\n")
        bring_back(town, place)
        self.assertEqual([each.code for each in town.recover()], [])
        self.assertEqual(town.operations(lambda o: o.upload_state(id).offset), 5)
        send(5, b"C\nD\nE\nF")
        stored = town.operations(lambda o: o.finish_upload(id))
        self.assertEqual(Path(stored.path).read_bytes(), b"code\nC\nD\nE\nF")


def bring_back(town: Town, source: Path) -> None:
    """Bring a backup back in place of all that there is."""
    town.place.clear()
    shutil.rmtree(town.storage)
    place = Path(town.storage)
    backup, files = backups.check_backup(source, tell)
    inodes = restoring.restore_files(source, files, backup.storage, place, tell)
    beside = Path(town.home, "new.fs")
    with restoring.prepared(source, beside, place, backup, inodes, "kofa", tell) as path:
        restoring.put_database(path, town.place.there, "former", tell, replaces=False)
    restoring.end(place)


def tell(words: str, share: float) -> None:
    """Tell nobody."""


class Whole(unittest.TestCase):
    """Samples of all moments; ``make soak`` is for more."""

    layer = FunctionalLayer

    def town(self, kind: str) -> Town:
        town = Town(kind=kind)
        self.addCleanup(town.close)
        self.addCleanup(shutil.rmtree, self.backup_of(town), ignore_errors=True)
        return town

    def backup_of(self, town: Town) -> Path:
        """Return the folder of the backup."""
        return Path(town.home + ".backup")

    def save_at(self, witness: Witness, moments: tuple[int, int, int, int]) -> bool:
        """Lead a life while a backup is made; tell whether it was."""
        town = witness.portal
        witness.lives.begin()
        with Saving(town, self.backup_of(town), moments) as saving:
            witness.lives.live()
        return saving.is_done

    def each(self, kind: str, step: int, life: Life, chance: random.Random) -> int:
        """Make backups at some moments of a life; return how many."""
        town, made = self.town(kind), 0
        witness = Witness(self, town, life)
        for number in range(chance.randrange(step), witness.operations, step):
            far = [chance.choice((0, 0, 1, 2, chance.randrange(FAR))) for _ in range(3)]
            moments = (
                max(0, number - far[0]),
                number,
                number + far[1],
                number + far[1] + far[2],
            )
            where = f"{kind}, {life.title}: {moments} of {witness.operations}"
            with self.subTest(where):
                if not self.save_at(witness, moments):
                    continue  # the life had the lock until its end
                bring_back(town, self.backup_of(town))
                witness.go_on(where)
                made += 1
        return made

    def test_a_file(self) -> None:
        made = 0
        for number, life in enumerate(lives()):
            made += self.each("filestorage", 5 if not number else 17, life, random.Random(number))
        self.assertGreater(made, 40)

    def test_servers(self) -> None:
        for kind in set(PLACES) - {"filestorage"}:
            life = lives()[0]
            self.assertGreater(self.each(kind, 20, life, random.Random(kind)), 3)
