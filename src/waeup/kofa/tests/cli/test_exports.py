"""``kofactl export`` and ``exporters``: files, pipes, filters, keys, and what is refused."""

import gzip
import io
import os
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock
from zipfile import ZipFile

import grok

from waeup.kofa.cli import exports
from waeup.kofa.errors import Refused
from waeup.kofa.exporting import driver
from waeup.kofa.interfaces import IExportBegunEvent, IExportDoneEvent
from waeup.kofa.tests.cli.shell import KOFACTL, environment, kofactl, running
from waeup.kofa.tests.cli.test_commands import PortalCase
from waeup.kofa.tests.jobs.test_declared import fail_after, heard
from waeup.kofa.tests.waiting import beside

HEADER = '"code","title","title_prefix","officer_1","officer_2","local_roles"\r\n'
ARTS = '"ART","Arts","faculty","","",""\r\n'
SCIENCE = '"SCI","Science","faculty","","",""\r\n'


class ExportCase(PortalCase):
    def setUp(self) -> None:
        self.import_faculties()

    def add_officer(self, name: str, role: str) -> None:
        self.ask("users", "add", name, "--title", name.title(), "--generate", "--role", role)

    def read(self, name: str) -> str:
        return Path(name).read_bytes().decode()

    def left(self) -> list[str]:
        """The files that are there, those of the instance and of the test aside."""
        return sorted(set(os.listdir()) - {"var", "faculties.csv"})


class FileTests(ExportCase):
    def test_a_file_that_the_exporter_names(self) -> None:
        os.unlink("faculties.csv")
        answer = kofactl("export", "faculties")
        self.assertEqual(answer.code, 0, answer)
        self.assertRegex(answer.out, r"^faculties\.csv: 2 rows in \d+\.\d s\.\n$")
        self.assertEqual(self.read("faculties.csv"), HEADER + ARTS + SCIENCE)
        self.assertEqual(os.stat("faculties.csv").st_mode & 0o777, 0o600)

    def test_for_programs(self) -> None:
        self.assertEqual(
            self.ask("export", "faculties", "-o", "out.csv"),
            {
                "exporter": "faculties",
                "output": "out.csv",
                "rows": 2,
                "unknown": [],
                "seconds": mock.ANY,
            },
        )

    def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(self) -> None:
        before = self.read("faculties.csv")
        self.assert_refused("exists and is left as it is.*--replace", "export", "faculties")
        self.assertEqual(self.read("faculties.csv"), before)
        self.assertEqual(kofactl("export", "faculties", "--replace").code, 0)
        self.assertEqual(self.read("faculties.csv"), HEADER + ARTS + SCIENCE)
        self.assertEqual(self.left(), [])

    def test_a_file_that_comes_meanwhile_stays(self) -> None:
        real = driver.Export.write

        def write(*args: object) -> object:
            Path("out.csv").write_text("somebody's")
            return real(*args)  # type: ignore[arg-type]

        with mock.patch.object(driver.Export, "write", write):
            self.assert_refused("exists", "export", "faculties", "-o", "out.csv")
        self.assertEqual(self.read("out.csv"), "somebody's")
        self.assertEqual(self.left(), ["out.csv"])

    def test_the_name_says_the_format(self) -> None:
        for name, text_of in (
            ("a.tsv", lambda data: data.decode().replace("\t", ",")),
            ("a.csv.gz", lambda data: gzip.decompress(data).decode()),
            (
                "a.zip",
                lambda data: ZipFile(io.BytesIO(data)).read("faculties.csv").decode(),
            ),
        ):
            with self.subTest(name):
                self.assertEqual(kofactl("export", "faculties", "-o", name).code, 0)
                self.assertEqual(text_of(Path(name).read_bytes()), HEADER + ARTS + SCIENCE)
        self.assertEqual(kofactl("export", "faculties", "-o", "a.xlsx").code, 0)
        self.assertIn("xl/workbook.xml", ZipFile("a.xlsx").namelist())
        self.assertEqual(kofactl("export", "faculties", "--format", "tsv", "--bom").code, 0)
        self.assertTrue(self.read("faculties.tsv").startswith('\ufeff"code"\t'))

    def test_what_goes_wrong_leaves_no_file(self) -> None:
        self.assert_refused(
            "no filter 'x'", "export", "faculties", "-o", "a.csv", "--where", "x=1"
        )
        for name in ("no/a.csv", "x" * 300):
            self.assert_refused("cannot be written", "export", "faculties", "-o", name)
        self.assert_refused("exporter 'mammoths'", "export", "mammoths")
        with mock.patch.object(driver.Export, "_write_rows", side_effect=ZeroDivisionError):
            self.assertEqual(kofactl("export", "faculties", "-o", "a.csv").code, 3)
        self.assertEqual(self.left(), [])

    def test_subscribers_may_refuse_it_and_leave_nothing_in_the_database(self) -> None:
        told = []

        def hear(event: Any) -> None:
            site = grok.getSite()
            told.append((event.wish.exporter, event.user, hasattr(site, "told")))
            site.told = True

        with heard(IExportBegunEvent, hear), heard(IExportDoneEvent, hear):
            for _turn in range(2):
                answer = kofactl("export", "faculties", "-o", "a.csv", "--replace")
                self.assertEqual(answer.code, 0, answer)
        one = [("faculties", "admin", False), ("faculties", "admin", True)]
        self.assertEqual(told, one * 2)
        os.unlink("a.csv")
        with heard(IExportBegunEvent, fail_after(0, Refused)):
            self.assert_refused("That is enough", "export", "faculties", "-o", "a.csv")
        self.assertEqual(self.left(), [])

    def test_rights(self) -> None:
        self.ask(
            "users", "add", "emma", "--title", "E", "--generate", "--role", "waeup.ExportManager"
        )
        self.assertEqual(kofactl("export", "faculties", "-o", "a.csv", "--user", "emma").code, 0)
        self.assert_refused("exporter 'users'", "export", "users", "--user", "emma")
        self.assert_refused("manageUsers", "export", "students", "--passwords", "--user", "emma")
        self.ask(
            "users", "add", "ina", "--title", "I", "--generate", "--role", "waeup.ImportManager"
        )
        self.assert_refused("exportData", "export", "faculties", "-o", "b.csv", "--user", "ina")

    def test_passwords_and_unsafe_cells_only_on_demand(self) -> None:
        kofactl("export", "users", "-o", "a.csv")
        self.assertNotIn("password", self.read("a.csv"))
        kofactl("export", "users", "-o", "b.csv", "--passwords")
        self.assertRegex(self.read("b.csv"), r'"password"\r\n"admin",.*"\$2b\$')
        self.import_faculties("code,title\nFOR,=1+1\n")
        kofactl("export", "faculties", "-o", "c.csv")
        self.assertIn('"\'=1+1"', self.read("c.csv"))
        answer = kofactl("export", "faculties", "-o", "d.csv", "--unsafe-cells")
        self.assertIn("Warning: texts are not guarded", answer.err)
        self.assertIn('"=1+1"', self.read("d.csv"))


class PipeTests(ExportCase):
    def test_standard_output_is_the_table_and_nothing_else(self) -> None:
        self.assertEqual(kofactl("export", "faculties", "-o", "-").out, HEADER + ARTS + SCIENCE)
        answer = kofactl("export", "faculties", "-o", "-", "--json", "--where", "code=ART")
        self.assertEqual((answer.code, answer.out, answer.err), (0, HEADER + ARTS, ""))

    def test_a_terminal_is_not_given_a_workbook(self) -> None:
        with mock.patch.object(exports, "is_terminal", return_value=True):
            self.assert_refused(
                "cannot show", "export", "faculties", "-o", "-", "--format", "xlsx"
            )

    def test_a_reader_that_goes(self) -> None:
        command = [*KOFACTL, "export", "faculties", "-o", "-"]
        with beside(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
            self.assertEqual(process.wait(), 141)

    def test_beside_a_portal_that_runs(self) -> None:
        with running():
            answer = kofactl("export", "faculties", "-o", "-")
        self.assertEqual(answer.out, HEADER + ARTS + SCIENCE)


class ChoiceTests(ExportCase):
    def test_filters(self) -> None:
        for where, text in (
            ("title=Arts", ARTS),
            ("officer_1=XXX", ARTS + SCIENCE),
            ("title=", ARTS + SCIENCE),
            ("title_prefix=school", ""),
        ):
            with self.subTest(where):
                answer = kofactl("export", "faculties", "-o", "-", "--where", where)
                self.assertEqual(answer.out, HEADER + text)

    def test_keys(self) -> None:
        path = self.file("keys.csv", "Code,note\nSCI,x\nABC,\nSCI,\n")
        answer = kofactl("export", "faculties", "-o", "-", "--keys", path)
        self.assertEqual(answer.code, 1)
        self.assertEqual(answer.out, HEADER + SCIENCE)
        self.assertEqual(answer.err, "No object has the keys 'ABC'.\n")

    def test_bad_lists_of_keys(self) -> None:
        for content, words in (
            ("a,b\n1,2\n", "no column with keys"),
            ("code,x\n", "has a header and no rows"),
        ):
            with self.subTest(content):
                path = self.file("keys.csv", content)
                self.assert_refused(words, "export", "faculties", "-o", "-", "--keys", path)
        self.assert_refused("cannot be read", "export", "faculties", "--keys", "nowhere.csv")

    def test_what_can_be_exported(self) -> None:
        found = {info["name"]: info for info in self.ask("exporters")}
        self.assertEqual(
            sorted(found),
            ["courses", "coursetickets", "departments", "faculties", "students", "users"],
        )
        self.assertEqual(found["students"]["secrets"], ["password"])
        one = self.ask("exporters", "students")
        self.assertEqual(one, found["students"])
        (sex,) = (each for each in one["filters"] if each["name"] == "sex")
        self.assertEqual((sex["kind"], sex["choices"]), ("choice", ["m", "f"]))
        self.assertIn("date_of_birth_from", kofactl("exporters", "students").out)
        self.assertEqual(kofactl("exporters", "mammoths").code, 2)
