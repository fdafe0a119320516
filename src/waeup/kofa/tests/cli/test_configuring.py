"""``kofactl init`` and ``check-config``: a configuration is written, and tested."""

import json
import os
import socket
import stat
import unittest
from contextlib import closing
from pathlib import Path

from waeup.kofa.deployment import checking, conf
from waeup.kofa.deployment.databases import PostgresDatabase, ZeoDatabase
from waeup.kofa.errors import NoSuchItem
from waeup.kofa.tests import servers
from waeup.kofa.tests.cli.shell import CommandLayer, kofactl
from waeup.kofa.tests.databases import new_place


def verdicts(*arguments: str) -> dict[str, tuple[str, str]]:
    """Run ``check-config``; return verdict and text of what was tested."""
    answer = kofactl("check-config", "--json", *arguments)
    found = json.loads(answer.out)
    is_bad = any(each["verdict"] == checking.BAD for each in found)
    assert answer.code == (2 if is_bad else 0), answer
    return {each["what"]: (each["verdict"], each["text"]) for each in found}


class Init(unittest.TestCase):
    layer = CommandLayer

    def test_the_usual_one_is_for_its_owner_only(self) -> None:
        answer = kofactl("init")
        self.assertEqual(answer.code, 0, answer)
        path = Path("var/kofa.conf")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(conf.load(Path("var")).database.kind, "filestorage")
        self.assertIn(f"kofactl check-config --config {path.absolute()}", answer.out)
        self.assertEqual(os.listdir("var"), ["kofa.conf"])

    def test_one_that_is_there_stays_unless_it_shall_be_replaced(self) -> None:
        kofactl("init", "--port", "81")
        answer = kofactl("init", "--port", "82")
        self.assertEqual(answer.code, 2)
        self.assertIn("--replace", answer.err)
        self.assertEqual(conf.load(Path("var")).server.port, 81)
        self.assertEqual(kofactl("init", "--port", "82", "--replace").code, 0)
        self.assertEqual(conf.load(Path("var")).server.port, 82)
        self.assertEqual(os.listdir("var"), ["kofa.conf"])

    def test_options_decide_the_kind(self) -> None:
        kofactl("init", "--dsn", "dbname=kofa", "--files", "x", "--config", "pg/kofa.conf")
        found = conf.load(None, Path("pg/kofa.conf"))
        self.assertEqual(found.database.title, "PostgreSQL dbname=kofa")
        self.assertEqual(found.storage, Path("x").absolute())
        self.assertEqual(found.var, Path("pg").absolute())
        kofactl("init", "--zeo", "h:1", "--config", "zeo/kofa.conf", "--var", "elsewhere")
        found = conf.load(None, Path("zeo/kofa.conf"))
        self.assertEqual(found.database.title, "ZEO at h:1")
        self.assertEqual(found.var, Path("elsewhere").absolute())

    def test_what_does_not_go_together_is_refused(self) -> None:
        for options, message in (
            (("--database", "postgresql"), "postgresql needs --dsn"),
            (("--dsn", "dbname=a", "--zeo", "h:1"), "has no use for --zeo"),
            (("--dsn", "dbname=a password = x"), "A password on a command line"),
            (("--zeo", "h"), "<zeo> needs HOST:PORT"),
        ):
            with self.subTest(options):
                answer = kofactl("init", *options)
                self.assertEqual((answer.code, answer.out), (2, ""))
                self.assertIn(message, answer.err)
                self.assertFalse(Path("var/kofa.conf").exists())


class CheckConfig(unittest.TestCase):
    layer = CommandLayer

    def test_before_the_first_start_and_after_it(self) -> None:
        found = verdicts()
        self.assertEqual({verdict for verdict, _text in found.values()}, {checking.GOOD})
        self.assertIn("none", found["configuration"][1])
        self.assertIn("which the first start makes", found["database"][1])
        self.assertFalse(Path("var").exists())
        kofactl("run", "--setup-only")
        before = sorted(Path("var").rglob("*"))
        found = verdicts()
        self.assertIn("objects", found["database"][1])
        self.assertIn(str(Path("var/datacenter").absolute()), found["files"][1])
        self.assertEqual(found["files: hard links"][0], checking.GOOD)
        self.assertEqual(found["files: a folder beside"], (checking.GOOD, "can be made"))
        # But for the log of kofactl, which stays empty, nothing has come.
        self.assertEqual(sorted(Path("var").rglob("*")), before)

    def test_a_storage_that_is_not_mounted(self) -> None:
        kofactl("run", "--setup-only")
        Path("var/datacenter").rename("var/away")
        verdict, text = verdicts()["files"]
        self.assertEqual(verdict, checking.BAD)
        self.assertIn("Mount it", text)

    def test_a_damaged_database(self) -> None:
        kofactl("run", "--setup-only")
        Path("var/filestorage/Data.fs").write_bytes(b"x" * 100)
        verdict, text = verdicts()["database"]
        self.assertEqual(verdict, checking.BAD)
        self.assertIn("backup", text)

    def test_servers_that_do_not_answer(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            kofactl(
                "init", "--dsn", f"host=127.0.0.1 port={port} dbname=kofa", "--port", str(port)
            )
            with Path("var/kofa.conf").open("a") as stream:
                stream.write(f"\n<mail>\nserver 127.0.0.1:{port}\nfrom a@b\n</mail>\n")
                stream.write("<monitoring>\naddress 127.0.0.1:0\n</monitoring>\n")
            found = verdicts()
        self.assertEqual(found["database"][0], checking.BAD)
        self.assertIn("Start the server", found["database"][1])
        self.assertEqual(found["mail server"][0], checking.BAD)
        self.assertEqual(found["web server"][0], checking.DOUBTFUL)
        self.assertEqual(found["monitoring"][0], checking.GOOD)

    def test_others_who_can_read_it(self) -> None:
        kofactl("init")
        Path("var/kofa.conf").chmod(0o644)
        self.assertIn("chmod 6", verdicts()["rights"][1])
        for owner, mode, better in (
            (0, 0o640, 0),
            (0, 0o644, 0o640),
            (0, 0o660, 0o640),
            (7, 0o640, 0o600),
            (7, 0o600, 0),
        ):
            with self.subTest(owner=owner, mode=mode):
                found = os.stat_result((mode, 0, 0, 1, owner, 9, 0, 0, 0, 0))
                self.assertEqual(checking.mode_to_set(found), better)

    def test_one_that_cannot_be_understood(self) -> None:
        Path("kofa.conf").write_text("<server>\n")
        answer = kofactl("check-config", "--config", "kofa.conf")
        self.assertEqual(answer.code, 2)
        self.assertIn("kofa.conf, line 1", answer.err)

    def test_on_postgresql(self) -> None:
        Path("kofa.conf").write_text(
            f"<postgresql>\ndsn {servers.postgresql().database()}\n</postgresql>\n"
        )
        found = verdicts("--config", "kofa.conf")
        self.assertIn("PostgreSQL", found["database"][1])
        self.assertNotIn("password", found["database"][1])
        for what in ("clock", "connections", "rights in the database", "doorbell of runs"):
            self.assertEqual(found[what][0], checking.GOOD, found[what])
        self.assertIn("which the first start makes", found["files"][1])

    def test_on_postgresql_without_the_database(self) -> None:
        dsn = servers.postgresql().database()
        wrong = " ".join(
            "dbname=nowhere" if part.startswith("dbname") else part for part in dsn.split()
        )
        self.assertNotEqual(dsn, wrong)
        Path("kofa.conf").write_text(f"<postgresql>\ndsn {wrong}\n</postgresql>\n")
        verdict, text = verdicts("--config", "kofa.conf")["database"]
        self.assertEqual(verdict, checking.BAD)
        self.assertIn("CREATE DATABASE", text)

    def test_on_zeo(self) -> None:
        (host, port), name = servers.zeo().place()
        Path("kofa.conf").write_text(
            f"<zeo>\nserver {host}:{port}\nstorage {name}\nwait 5s\n</zeo>\n"
        )
        self.assertIn("objects", verdicts("--config", "kofa.conf")["database"][1])

    def test_what_is_mounted_itself_has_nothing_beside_it(self) -> None:
        found = checking._beside(Path("/proc"))
        self.assertEqual(found.verdict, checking.DOUBTFUL)
        self.assertIn("--files", found.text)

    def test_options_of_mounts(self) -> None:
        for options, words in (
            ("rw,soft,lookupcache=pos", "Mount it hard"),
            ("rw,hard", "lookupcache=positive"),
            ("rw,noac", ""),
            ("rw,hard,lookupcache=none", ""),
        ):
            self.assertIn(words or "", checking._missing_options(options))
            self.assertEqual(bool(words), bool(checking._missing_options(options)))


class EmptyDatabases(unittest.TestCase):
    """Nobody has started the portal yet."""

    layer = CommandLayer

    def test_commands_say_so_and_leave_them_empty(self) -> None:
        for kind in ("zeo", "postgresql"):
            with self.subTest(kind), closing(new_place(kind)) as place:
                there = place.there
                if isinstance(there, PostgresDatabase):
                    section = f"dsn {there.dsn}\n"
                else:
                    assert isinstance(there, ZeoDatabase)
                    ((host, port),) = there.servers
                    section = f"server {host}:{port}\nstorage {there.storage_name}\n"
                Path("kofa.conf").write_text(f"<{kind}>\n{section}</{kind}>\n")
                for command in (["ls"], ["users", "suspend", "ada"], ["rm", "a.csv"]):
                    answer = kofactl("--config", "kofa.conf", *command)
                    self.assertEqual((answer.code, answer.out), (2, ""), answer)
                    self.assertRegex(answer.err, f"^Error: There is no portal in {there.title}")
                with self.assertRaises(NoSuchItem), there.open(write=False):
                    self.fail("there is something")
