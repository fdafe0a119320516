"""What ``kofa.conf`` says, and what is refused; the file that is written says what is usual."""

import dataclasses
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from waeup.kofa.deployment import conf, writing
from waeup.kofa.deployment.databases import (
    FileDatabase,
    PostgresDatabase,
    ZeoDatabase,
    shown,
)
from waeup.kofa.deployment.figures import Figures
from waeup.kofa.errors import NoSuchItem, Refused

PATH = Path("/srv/kofa/kofa.conf")


def read(text: str) -> conf.Configuration:
    return conf.read(text, PATH)


class Reading(unittest.TestCase):
    def test_an_empty_file_is_as_none(self) -> None:
        usual = conf.Configuration.usual(PATH.parent)
        self.assertEqual(read(""), dataclasses.replace(usual, path=PATH))

    def test_what_is_written_without_a_wish_is_as_an_empty_file(self) -> None:
        self.assertEqual(read(writing.text_of("filestorage", {})), read(""))

    def test_paths_are_below_the_folder_of_the_file(self) -> None:
        found = read("instance ../var\n<files>\npath files\nroot more\n</files>\n")
        self.assertEqual(found.var, Path("/srv/var"))
        self.assertEqual(found.storage, Path("/srv/kofa/files"))
        self.assertEqual(found.figures.storage_roots, ("/srv/kofa/more",))
        self.assertEqual(found.database, FileDatabase(Path("/srv/var/filestorage/Data.fs")))

    def test_an_instance_that_is_named_elsewhere_counts(self) -> None:
        found = conf.read("instance x\n", PATH, Path("/var/kofa"))
        self.assertEqual(found.var, Path("/var/kofa"))
        self.assertEqual(found.storage, Path("/var/kofa/datacenter"))

    def test_three_kinds_of_databases(self) -> None:
        for text, database in (
            ("<filestorage>\npath /x/Data.fs\n</filestorage>", FileDatabase(Path("/x/Data.fs"))),
            (
                "<zeo>\nserver a:1\nserver b:2\nstorage main\nwait 5s\n</zeo>",
                ZeoDatabase((("a", 1), ("b", 2)), "main", wait=5.0),
            ),
            (
                "<postgresql>\ndsn dbname=kofa\ncache-size 8MB\n</postgresql>",
                PostgresDatabase("dbname=kofa", 8 << 20),
            ),
        ):
            with self.subTest(text):
                self.assertEqual(read(text).database, database)

    def test_who_works_on_runs(self) -> None:
        self.assertEqual(read("").workers, conf.Workers(2, True))
        shared = "<postgresql>\ndsn dbname=kofa\n</postgresql>\n"
        self.assertEqual(read(shared).workers, conf.Workers(2, False))
        more = "<workers>\nthreads 5\nin-web yes\n</workers>"
        self.assertEqual(read(shared + more).workers, conf.Workers(5, True))

    def test_everything_else(self) -> None:
        found = read(
            "<server>\nhost ::1\nport 81\nthreads 3\ntrusted-proxy 0:0::1\nupload-limit 1MB\n"
            "</server>\n<limits>\nrows 5\ncolumns 6\nunpacked 1GB\nmemory 1GB\nundo-days 7\n"
            "export-hours 1.5\nremove-share 20\nchange-share 0\napi-requests 9\n"
            "api-wrong-tokens 0\n</limits>\n"
            "<mail>\nserver m:26\nfrom a@example.org\n</mail>\n"
            "<webhooks>\nallow 10.1.0.0/16\nallow Host.example.org\nallow ::1\n</webhooks>\n"
            "<monitoring>\naddress :9100\n</monitoring>\n"
            "<logging>\nformat json\nto stderr\nrequests yes\n</logging>\n"
        )
        self.assertEqual(found.server, conf.Server("::1", 81, 3, "::1"))
        gigabyte = 1 << 30
        self.assertEqual(
            found.figures,
            Figures(
                1 << 20,
                5,
                6,
                gigabyte,
                gigabyte,
                7,
                0.2,
                0.0,
                "a@example.org",
                1.5,
                webhook_allow=("10.1.0.0/16", "Host.example.org", "::1"),
                api_requests=9,
                api_wrong_tokens=0,
            ),
        )
        self.assertEqual(found.mail, ("m", 26))
        self.assertEqual(found.monitoring, ("127.0.0.1", 9100))
        self.assertEqual(found.logging, conf.Logging("json", "stderr", True))

    def test_what_cannot_be_is_refused_where_it_stands(self) -> None:
        for text, message in (
            ("<server>\nport 1\nprt 2\n</server>", "line 3: 'prt' is not a known key"),
            ("<server>\nport x\n</server>", "line 2: port x cannot be: .* from 0 to 65535 "),
            ("<server>\nport 65536\n</server>", "from 0 to 65535"),
            ("<server>\nupload-limit -1MB\n</server>", "upload-limit -1MB cannot be: a size"),
            (f"<server>\nupload-limit {10**30}MB\n</server>", "from 1KB to 1024GB"),
            ("<server>\nupload-limit much\n</server>", "upload-limit much .* such as 512MB"),
            (f"<server>\nthreads {'9' * 5000}\n</server>", r"threads 9{60}\.\.\. cannot be"),
            ("<workers>\nthreads 100000\n</workers>", "threads 100000 .* from 1 to 16"),
            ("<zeo>\nserver a:1\ncache-size 2000GB\n</zeo>", "cache-size 2000GB .* to 1024GB"),
            ("<zeo>\nserver a:1\nwait 25h\n</zeo>", "wait 25h cannot be: .* to 24h"),
            ("<postgresql>\ndsn a\ncommit-timeout x\n</postgresql>", "30s or 5m is meant"),
            ("<server>\nthreads 17\n</server>", "line 2: threads 17 cannot be: .* from 1 to 16 "),
            ("<server>\ntrusted-proxy host\n</server>", "line 2: .*'host'"),
            ("<postgresql>\n</postgresql>", "No values for 'dsn'"),
            ("<zeo>\nserver a\n</zeo>", "<zeo> needs HOST:PORT"),
            ("<nothing>\n</nothing>", "line 1: Unknown type"),
            ("<server>", "line 1: "),
            ("<limits>\nmemory 1MB\n</limits>", "memory 1MB cannot be: .* from 256MB to 1024GB"),
            ("<limits>\nmemory 2TB\n</limits>", "memory 2TB .* from 256MB"),
            ("<limits>\nunpacked 1025GB\n</limits>", "unpacked 1025GB .* to 1024GB"),
            ("<filestorage>\n</filestorage>\n<zeo>\nserver a:1\n</zeo>", "Too many"),
            ("<workers>\nin-web no\n</workers>", "no other process can work on runs"),
            ("<monitoring>\naddress x\n</monitoring>", "HOST:PORT"),
            ("<logging>\nformat xml\n</logging>", "format xml cannot be: text or json"),
            ("<logging>\nto syslog\n</logging>", "to syslog cannot be: file or stderr"),
            ("<mail>\nserver a:b\nfrom x\n</mail>", "HOST or HOST:PORT"),
            ("<webhooks>\nallow 10.1.0.0/99\n</webhooks>", "line 2: .* no network"),
            ("<webhooks>\nallow https://x.org\n</webhooks>", "line 2: .* no name of a host"),
            ("<limits>\nundo-days -1\n</limits>", "from 0 to 36525"),
            ("<limits>\nundo-days 36526\n</limits>", "from 0 to 36525"),
            ("<limits>\nexport-hours inf\n</limits>", "from 0 to 876600"),
            ("<limits>\nexport-hours nan\n</limits>", "from 0 to 876600"),
            ("<limits>\nremove-share nan\n</limits>", "from 0 to 100"),
            ("<limits>\napi-requests -1\n</limits>", "from 0 to 1000000000"),
            ("<limits>\nrows 0\n</limits>", "rows 0 .* from 1 to 1000000000"),
            ("<limits>\nrows 1000000001\n</limits>", "rows .* to 1000000000"),
            ("<mail>\nserver a:70000\nfrom x\n</mail>", "server a:70000 .* from 1 to 65535"),
            ("<limits>\nremove-share 101\n</limits>", "from 0 to 100"),
        ):
            with self.subTest(text), self.assertRaisesRegex(Refused, message):
                read(text)

    def test_variables_of_the_environment(self) -> None:
        text = (
            "%define HOST db\n<postgresql>\ndsn host=$HOST dbname=$(KOFA_NO_SUCH)\n</postgresql>"
        )
        with self.assertRaisesRegex(Refused, "KOFA_NO_SUCH"):
            read(text)
        found = read(text.replace("$(KOFA_NO_SUCH)", "$$kofa")).database
        self.assertEqual(found, PostgresDatabase("host=db dbname=$kofa"))


class Loading(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory()))

    def enterContext(self, manager):  # Python 3.10 has none
        self.addCleanup(manager.__exit__, None, None, None)
        return manager.__enter__()

    def test_without_a_file_all_is_as_usual(self) -> None:
        self.assertEqual(conf.load(self.folder), conf.Configuration.usual(self.folder))

    def test_that_of_the_instance(self) -> None:
        (self.folder / "kofa.conf").write_text("<server>\nport 9\n</server>")
        self.assertEqual(conf.load(self.folder).server.port, 9)

    def test_one_that_is_named_must_be_there(self) -> None:
        with self.assertRaisesRegex(NoSuchItem, "kofactl init"):
            conf.load(None, self.folder / "no.conf")

    def test_one_that_cannot_be_read(self) -> None:
        path = self.folder / "kofa.conf"
        path.write_bytes(b"# \xff")
        with self.assertRaisesRegex(Refused, "not UTF-8"):
            conf.load(None, path)
        with self.assertRaisesRegex(Refused, "directory"):
            conf.load(None, self.folder)


class Writing(unittest.TestCase):
    def test_every_key_is_there_with_its_meaning(self) -> None:
        import ZConfig

        schema = ZConfig.loadSchema(str(conf.SCHEMA))
        text = writing.text_of("zeo", {"zeo": {"server": ["a:1"]}})
        for _key, info in schema:
            self.assertTrue(info.description or info.sectiontype.description, info.name)
            if info.issection() and not info.sectiontype.isabstract():
                for name, key in info.sectiontype:
                    self.assertTrue(key.description, name)
                    self.assertRegex(text, rf"(?m)^  # {name}( |$)")
        self.assertRegex(text, "(?m)^  server a:1$")

    def test_what_is_written_is_read(self) -> None:
        said = {
            "": {"instance": ["/var/kofa"]},
            "postgresql": {"dsn": ["dbname=kofa password=a$b"]},
            "files": {"root": ["/a", "/b"]},
            "mail": {"server": ["m"], "from": ["a@b"]},
        }
        found = read(writing.text_of("postgresql", said))
        self.assertEqual(found.database, PostgresDatabase("dbname=kofa password=a$b"))
        self.assertEqual(found.figures.storage_roots, ("/a", "/b"))
        self.assertEqual((found.var, found.mail), (Path("/var/kofa"), ("m", 25)))


class Titles(unittest.TestCase):
    def test_a_password_is_never_shown(self) -> None:
        for dsn in (
            "host=db dbname=kofa user=k password=geheim",
            "postgresql://k:geheim@db/kofa",
            "password=geheim nonsense",
        ):
            self.assertNotIn("geheim", shown(dsn))
            self.assertNotIn("geheim", PostgresDatabase(dsn).title)
        self.assertEqual(shown("postgresql://k:geheim@db/kofa"), "host=db dbname=kofa user=k")


class Kept(unittest.TestCase):
    def test_figures_are_kept_and_those_of_a_former_release_understood(self) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder, "figures.json")
            self.assertIsNone(Figures.kept(path))
            figures = Figures(rows=7, storage_roots=("/x",), webhook_allow=("::1",))
            figures.keep(path)
            self.assertEqual(Figures.kept(path), figures)
            path.write_text(
                '{"upload_limit": 1, "limits": {"columns": 2, "rows": 3, "cell": 4, "line": 5, '
                '"unpacked": 6, "memory": 7, "seconds": 8}, "undo_days": 9, "remove_share": 0.1, '
                '"change_share": 0.2, "mail_from": null, "export_hours": 1, "storage_roots": []}'
            )
            found = Figures.kept(path)
            assert found is not None
            self.assertEqual((found.rows, found.columns, found.memory), (3, 2, 7))
            self.assertEqual(found.webhook_allow, ())
