"""``kofactl backup``, ``restore-backup``, ``migrate`` and ``pack``."""

import json
import os
import signal
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from waeup.kofa.deployment import backups
from waeup.kofa.deployment.databases import Database, PostgresDatabase, ZeoDatabase
from waeup.kofa.tests.cli.shell import kofactl, running
from waeup.kofa.tests.cli.test_commands import PortalCase
from waeup.kofa.tests.databases import new_place
from waeup.kofa.tests.spool.faultydisk import OneError, killed_at

KINDS = ("filestorage", "zeo", "postgresql")


class Full(NamedTuple):
    """What a file system without room says."""

    f_bavail: int
    f_frsize: int


def section(database: Database) -> str:
    """Return what a configuration says of a database."""
    if isinstance(database, PostgresDatabase):
        return f"<postgresql>\n  dsn {database.dsn}\n</postgresql>\n"
    if isinstance(database, ZeoDatabase):
        ((host, port),) = database.servers
        return f"<zeo>\n  server {host}:{port}\n  storage {database.storage_name}\n</zeo>\n"
    return "<filestorage>\n  path filestorage/Data.fs\n</filestorage>\n"


class BackupCase(PortalCase):
    """A portal with two faculties, and a file that waits."""

    def setUp(self) -> None:
        super().setUp()
        self.assertEqual(self.import_faculties(), 0)
        kofactl("put", self.file("more.csv", "code,title\nLAW,Law\n"))

    def save(self, *more: str) -> str:
        """Make a backup; return its path."""
        return str(self.ask("backup", "backups", *more)["path"])

    def config(self, kind: str, folder: str) -> str:
        """Return a configuration of an empty database of a kind, in a folder of its own."""
        place = new_place(kind)
        self.addCleanup(place.close)
        os.mkdir(folder)
        path = Path(folder, "kofa.conf")
        path.write_text(f"instance .\n{section(place.there)}")
        return str(path)

    def codes(self, *more: str) -> list[str]:
        """Return the codes of all faculties."""
        out = kofactl("export", "faculties", "-o", "-", *more).out
        return [line.split(",")[0].strip('"') for line in out.splitlines()[1:]]


class Saving(BackupCase):
    def test_beside_a_portal_that_runs(self) -> None:
        with running() as portal:
            place = self.save()
            portal.stop(signal.SIGTERM)
        made = backups.read_backup(Path(place))
        self.assertEqual((made.database_kind, made.user), ("filestorage", "admin"))
        self.assertEqual(os.stat(place).st_mode & 0o777, 0o700)
        self.assertIn(place, self.ask("system")["backup"]["note"])

    def test_who_does_not_manage_the_portal_is_refused(self) -> None:
        kofactl(
            "users", "add", "ann", "--title", "Ann", "--role", "waeup.ImportManager", "--generate"
        )
        self.assert_refused("waeup.managePortal", "backup", "backups", "--user", "ann")
        self.assertFalse(os.path.exists("backups"))

    def test_it_does_not_lie_in_the_storage(self) -> None:
        self.assert_refused("lies in the storage", "backup", "var/datacenter/x")

    def test_old_ones_go(self) -> None:
        places = [self.save() for _ in range(2)]
        self.assertEqual(self.ask("backup", "backups", "--keep", "2")["removed"], places[:1])
        self.assertEqual(len(os.listdir("backups")), 2)
        self.assert_refused("Name the folder", "backup", "--keep", "2")

    def test_one_that_was_broken_off_is_told_and_refused(self) -> None:
        broken = os.path.abspath("backups/20200101T000000Z")
        os.makedirs(f"{broken}/files")
        self.assertEqual(self.ask("backup", "backups")["incomplete"], [broken])
        self.assert_refused("is not complete", "restore-backup", broken, "--var", "new")
        self.assert_refused("is no backup", "restore-backup", "backups", "--var", "new")

    def test_a_full_disk(self) -> None:
        with mock.patch("os.statvfs", return_value=Full(10, 4096)):
            self.assert_refused("not enough room", "backup", "backups")
        self.assertEqual(os.listdir("backups"), [])

    def test_a_disk_that_fails_leaves_nothing(self) -> None:
        with OneError(8):
            self.assertEqual(kofactl("backup", "backups").code, 3)
        self.assertEqual(os.listdir("backups"), [])
        self.assertFalse(os.path.exists("var/last-backup"))


class Restoring(BackupCase):
    def test_into_each_kind_and_back_from_it(self) -> None:
        place = self.save()
        for kind in KINDS:
            with self.subTest(kind):
                config = self.config(kind, kind)
                found = self.ask("restore-backup", place, "--config", config)
                self.assertEqual(found["findings"], [])
                self.assertEqual(found["storage"], os.path.abspath(f"{kind}/datacenter"))
                self.assertEqual(self.codes("--config", config), ["ART", "SCI"])
                again = self.ask("backup", "again", "--config", config)
                self.assertEqual(again["database_kind"], kind)
                back = self.ask("restore-backup", again["path"], "--var", f"from-{kind}")
                self.assertEqual(back["findings"], [])
                self.assertEqual(self.codes("--var", f"from-{kind}"), ["ART", "SCI"])
                run = self.ask("runs", "--var", f"from-{kind}")[0]["id"]
                undone = kofactl("undo", run, "--var", f"from-{kind}")
                self.assertEqual(undone.code, 0, undone)
                self.assertEqual(self.codes("--var", f"from-{kind}"), [])

    def test_what_was_damaged_is_refused(self) -> None:
        place = self.save()
        for name in ("Data.fs", "files.jsonl", "files/more_admin.csv", "backup.json"):
            path = Path(place, name)
            data = path.read_bytes()
            path.write_bytes(data[:-1] + b"#")
            with self.subTest(name):
                self.assert_refused(
                    "damaged|cannot be read", "restore-backup", place, "--var", "new"
                )
                self.assertFalse(os.path.exists("new/filestorage/Data.fs"))
            path.write_bytes(data)
        Path(place, "files/more_admin.csv").unlink()
        self.assert_refused("cannot be read", "restore-backup", place, "--var", "new")

    def test_a_later_form_is_refused(self) -> None:
        place = self.save()
        told = Path(place, backups.TOLD)
        told.write_text(json.dumps({**json.loads(told.read_text()), "form": 9}))
        self.assert_refused("has the form 9", "restore-backup", place, "--var", "new")

    def test_a_portal_is_given_up_only_when_that_was_said(self) -> None:
        place = self.save()
        kofactl("put", self.file("late.csv", "code,title\nMED,Med\n"))
        self.assert_refused("--replace", "restore-backup", place)
        self.assert_refused("--yes", "restore-backup", place, "--replace")
        self.assertEqual(self.names(), ["late_admin.csv", "more_admin.csv"])
        found = self.ask("restore-backup", place, "--replace", "--yes")
        self.assertEqual(self.names(), ["more_admin.csv"])
        self.assertEqual(found["former_storage"], os.path.abspath("var/datacenter"))
        self.assertTrue(os.path.exists("var/datacenter/late_admin.csv"))
        self.assertTrue(os.path.exists(found["former_database"]))

    def test_a_portal_that_runs_is_in_the_way(self) -> None:
        place = self.save()
        with running() as portal:
            answer = kofactl("restore-backup", place, "--replace", "--yes")
            self.assertEqual(answer.code, 2, answer)
            self.assertRegex(answer.err, "held by")
            self.assertEqual(kofactl("ls").code, 0)
            portal.stop(signal.SIGTERM)

    def test_a_full_disk(self) -> None:
        place = self.save()
        with mock.patch("os.statvfs", return_value=Full(10, 4096)):
            self.assert_refused("not enough room", "restore-backup", place, "--var", "new")
        self.assertEqual(kofactl("restore-backup", place, "--var", "new").code, 0)

    def test_killed_at_any_operation_it_is_the_former_or_the_new_one(self) -> None:
        place = self.save()
        kofactl("put", self.file("late.csv", "code,title\nMED,Med\n"))
        arguments = ("restore-backup", place, "--replace", "--yes")
        kept = os.getcwd()
        former, new = ["late_admin.csv", "more_admin.csv"], ["more_admin.csv"]
        seen: set[str] = set()
        for number in range(0, 200, 9):
            os.chdir(kept)
            os.system(f"cp -a {kept}/var {kept}/copy{number}")
            # The copy is a portal of its own.
            var = f"copy{number}"
            self.assertEqual(kofactl("storage", f"{kept}/{var}/datacenter", "--var", var).code, 0)

            def work() -> None:
                kofactl(*arguments, "--var", var)  # noqa: B023

            is_killed = killed_at(number, work)
            names = [each["name"] for each in self.ask("ls", "--var", var)]
            self.assertIn(names, (former, new), number)
            seen.add(str(names))
            self.assertEqual(kofactl(*arguments, "--var", var).code, 0, number)
            self.assertEqual([each["name"] for each in self.ask("ls", "--var", var)], new)
            self.assertEqual(self.codes("--var", var), ["ART", "SCI"])
            if not is_killed:
                break
        else:
            self.fail("it does not end")
        self.assertEqual(len(seen), 2)


class Migrating(BackupCase):
    def migrate(self, *arguments: str) -> Any:
        return self.ask("migrate", *arguments)

    def test_from_each_kind_to_each(self) -> None:
        former: tuple[str, ...] = ()
        for number, kind in enumerate(("postgresql", "zeo", "postgresql", "filestorage")):
            config = self.config(kind, f"{number}-{kind}")
            found = self.migrate("--to", config, *former)
            self.assertEqual(found["storage"], os.path.abspath("var/datacenter"))
            former = ("--config", config)
            self.assertEqual(self.codes(*former), ["ART", "SCI"])
        run = self.ask("runs", *former)[0]["id"]
        undone = kofactl("undo", run, *former)
        self.assertEqual(undone.code, 0, undone)
        self.assertEqual(self.codes(*former), [])
        self.assertEqual(self.codes(), ["ART", "SCI"])

    def test_what_is_refused(self) -> None:
        config = self.config("postgresql", "new")
        own = self.file("own.conf", "instance var\n")
        self.assert_refused("the same database", "migrate", "--to", own)
        self.assert_refused("There is no configuration", "migrate", "--to", "none.conf")
        self.assertEqual(kofactl("migrate", "--to", config).code, 0)
        self.assert_refused("--replace", "migrate", "--to", config)
        self.assert_refused("--yes", "migrate", "--to", config, "--replace")
        self.assertEqual(kofactl("migrate", "--to", config, "--replace", "--yes").code, 0)
        with running() as portal:
            self.assert_refused("held by", "migrate", "--to", config, "--replace", "--yes")
            portal.stop(signal.SIGTERM)


class Packing(BackupCase):
    def test_with_a_portal_that_runs_and_without(self) -> None:
        for _ in range(3):
            kofactl("maintenance", "on")
            kofactl("maintenance", "off")
        with running() as portal:
            # What somebody may read still stays.
            kept = self.ask("pack", "--days", "0")
            portal.stop(signal.SIGTERM)
        packed = self.ask("pack", "--days", "0")
        self.assertLess(packed["bytes_after"], kept["bytes_after"])
        self.assertLess(kept["to"], packed["to"])
        self.assertEqual(self.codes(), ["ART", "SCI"])

    def test_servers(self) -> None:
        for kind in ("zeo", "postgresql"):
            with self.subTest(kind):
                config = self.config(kind, kind)
                self.assertEqual(kofactl("migrate", "--to", config).code, 0)
                answer = kofactl("pack", "--config", config)
                self.assertEqual(answer.code, 0, answer)
                self.assertEqual(self.codes("--config", config), ["ART", "SCI"])

    def test_others_are_refused(self) -> None:
        kofactl(
            "users", "add", "ann", "--title", "Ann", "--role", "waeup.ImportManager", "--generate"
        )
        self.assert_refused("waeup.managePortal", "pack", "--user", "ann")
