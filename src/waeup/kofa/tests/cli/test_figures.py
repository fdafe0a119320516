"""``kofactl figures``: sums by time, for people and for programs."""

from datetime import date, timedelta
from typing import Any

from waeup.kofa.tests.cli.shell import kofactl
from waeup.kofa.tests.cli.test_commands import PortalCase

ROWS = "code,title\nART,Arts\nSCI,Sciences\nX,Too short\n"
#: Tests can run over midnight.
AROUND = (
    "--since",
    str(date.today() - timedelta(days=2)),
    "--until",
    str(date.today() + timedelta(days=2)),
)


class FigureTests(PortalCase):
    def lines(self, *options: str) -> list[dict[str, Any]]:
        """Return what a program is told."""
        found: list[dict[str, Any]] = self.ask("figures", *AROUND, *options)["figures"]
        return found

    def test_nothing_has_ended(self) -> None:
        self.assertRegex(kofactl("figures").out, r"^Nothing has ended from \S+ to \S+ that")
        self.assertEqual(self.lines(), [])

    def test_rows_of_imports(self) -> None:
        self.import_faculties(ROWS)
        (line,) = self.lines()
        expected = {"run": "import", "runs": 1, "created": 2, "failed": 1, "updated": 0}
        self.assertEqual({name: line[name] for name in expected}, expected)
        self.assertEqual(line["first"], line["last"])
        out = kofactl("figures", *AROUND).out
        self.assertRegex(out, r"From +To +What +Runs +Created +Failed\n")
        self.assertRegex(out, r"import +1 +2 +1\n")

    def test_lines_for_kinds_and_officers(self) -> None:
        self.import_faculties(ROWS)
        (line,) = self.lines("--per", "kind", "--by", "month")[-1:]
        self.assertEqual(line["kind"], "facultyprocessor")
        self.assertEqual(self.lines("--per", "officer")[0]["officer"], "admin")
        self.assertRegex(kofactl("figures", *AROUND, "--per", "officer").out, r"import +admin +1")

    def test_one_kind_or_officer_alone(self) -> None:
        self.import_faculties(ROWS)
        self.assertEqual(len(self.lines("--kind", "facultyprocessor", "--officer", "admin")), 1)
        self.assertEqual(self.lines("--kind", "courseprocessor"), [])
        self.assertEqual(self.lines("--officer", "ann"), [])

    def test_usual_times(self) -> None:
        for unit, least, most in (("day", 29, 29), ("week", 77, 83), ("month", 334, 395)):
            with self.subTest(unit):
                found = self.ask("figures", "--by", unit)
                first, last = map(date.fromisoformat, (found["since"], found["until"]))
                self.assertTrue(least <= (last - first).days <= most)

    def test_a_time_that_cannot_be(self) -> None:
        words = ("figures", "--since", "2026-09-30", "--until", "2026-09-01")
        self.assert_refused("begins on 2026-09-30 and ends on 2026-09-01, which is", *words)
