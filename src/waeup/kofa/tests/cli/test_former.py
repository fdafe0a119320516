"""Commands on what a former release has left, before anybody has started the portal anew."""

import json
import unittest
from pathlib import Path

import transaction

from waeup.kofa.cli.instance import Instance
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tests.cli.shell import PortalLayer, kofactl

#: Commands that only read, and whose answer has something of runs or settings in it.
READING = (
    ("ls",),
    ("ls", "finished"),
    ("runs",),
    ("history", "facultyprocessor", "SCI"),
    ("figures",),
    ("settings",),
    ("system",),
)


class FormerDatabase(unittest.TestCase):
    """There were no runs, no settings, and nobody kept from which import a file had come."""

    layer = PortalLayer

    def setUp(self) -> None:
        Path("f.csv").write_text("code,title\nSCI,Science\n")
        self.assertEqual(
            kofactl("import", "./f.csv", "-p", "facultyprocessor", "-m", "create")[0], 0
        )
        self.instance = Instance(Path("var"))
        with self.instance.database(write=True) as database:
            connection = database.open()
            site = connection.root()["Application"]["kofa"]
            del site["datacenter"].runs
            del site["datacenter"].ledger._sources
            registry = site.getSiteManager()
            registry.unregisterUtility(site["configuration"], IDataCenterConfig)
            del site["configuration"]
            transaction.commit()
            connection.close()

    def content(self) -> bytes:
        return self.instance.database_path.read_bytes()

    def test_is_read_as_it_will_be_and_stays_as_it_is(self) -> None:
        former = self.content()
        for command in READING:
            with self.subTest(command):
                answer = kofactl(*command)
                self.assertEqual((answer.code, answer.err), (0, ""), answer)
        self.assertEqual(self.content(), former)

    def test_is_changed_by_commands_as_by_a_start(self) -> None:
        Path("g.csv").write_text("code,title\nART,Arts\n")
        answer = kofactl("import", "./g.csv", "-p", "facultyprocessor", "-m", "create")
        self.assertEqual(answer.code, 0, answer)
        (run,) = json.loads(kofactl("runs", "--json").out)
        answer = kofactl("undo", run["id"])
        self.assertEqual(answer.code, 0, answer)


class FormerFigures(unittest.TestCase):
    """The limits of the last start are of a release that knew fewer of them."""

    layer = PortalLayer

    def test_those_that_it_did_not_know_are_the_usual_ones(self) -> None:
        Path("var/figures.json").write_text(
            '{"upload_limit": 1, "limits": {"columns": 1000, "rows": 3, "cell": 1, "line": 2, '
            '"unpacked": 4, "memory": 5, "seconds": 6}, "undo_days": 30, "remove_share": 0.1, '
            '"change_share": 0.5, "mail_from": null}'
        )
        answer = kofactl("ls")
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
