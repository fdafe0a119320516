"""Mappings on the command line: proposals, saved ones, and texts that stand for others."""

import json
from pathlib import Path

from waeup.kofa.cli.demand import _Choice
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import MappingError, Refused
from waeup.kofa.tests.cli.shell import kofactl
from waeup.kofa.tests.cli.test_commands import PortalCase
from waeup.kofa.tests.conversion.test_saved import saved

STUDENTS = "Matr,First Name,Surname,Sex,Note\nA1,Ann,Obi,W,x\nB2,Ben,Eke,m,y\n"
AS_STUDENTS = ("-p", "studentprocessor", "-m", "create")
MAPPED = ("--map", "Matr=student_id", "--map", "Surname=lastname", "--ignore", "Note")


class MappingCase(PortalCase):
    def setUp(self) -> None:
        self.path = self.file("s.csv", STUDENTS)


class ProposalTests(MappingCase):
    def test_what_is_proposed_is_shown_with_its_confidence(self) -> None:
        answer = kofactl("preview", self.path, "-p", "studentprocessor")
        self.assertEqual((answer.code, answer.err), (0, ""))
        lines = [" ".join(line.split()) for line in answer.out.splitlines()]
        for line in (
            "Column Field Certain Why",
            "Matr (none)",
            "First Name firstname 98% same name but for case and blanks",
            "Surname lastname 92% title of the field",
            "Sex sex 98% same name but for case and blanks",
            "If that is right, say so to `import`: --map Surname=lastname",
        ):
            self.assertIn(line, lines)
        path = self.file("f.csv", "title,colour\nA,red\n")
        answer = kofactl("preview", path, "-p", "facultyprocessor")
        self.assertIn("Nothing fills yet what must be filled: code.\n", answer.out)
        self.assertNotIn("If that is right", answer.out)

    def test_what_is_shown_can_be_given_to_import(self) -> None:
        kofactl("import", self.path, *AS_STUDENTS, *MAPPED, "--value", "sex:W=f")
        answer = kofactl("preview", self.path, "-p", "studentprocessor", "-m", "update")
        lines = [" ".join(line.split()) for line in answer.out.splitlines()]
        self.assertIn("Matr student_id 95% as in the last import", lines)
        self.assertIn("Note (left out) 95% as in the last import", lines)
        words = "--map Matr=student_id --map Surname=lastname --ignore Note"
        self.assertIn(f"If that is right, say so to `import`: {words}", answer.out)
        self.assertNotIn("Nothing fills yet", answer.out)

    def test_programs_get_all_of_it(self) -> None:
        answer = kofactl("preview", self.path, "-p", "studentprocessor", "--json", "--rows", "1")
        proposals = json.loads(answer.out)["proposals"]
        self.assertEqual(
            proposals[2],
            {
                "column": "Surname",
                "field": "lastname",
                "confidence": 0.92,
                "reason": "title",
                "samples": ["Obi"],
                "kind": "text in one line",
            },
        )
        self.assertNotIn("proposals", json.loads(kofactl("preview", self.path, "--json").out))

    def test_a_stored_file_too(self) -> None:
        kofactl("put", self.path)
        answer = kofactl("preview", "s_admin.csv", "--processor", "studentprocessor")
        self.assertIn("title of the field", answer.out)

    def test_what_is_not_there_is_refused(self) -> None:
        self.assert_refused("no processor 'nix'", "preview", self.path, "-p", "nix")
        Path("elsewhere").mkdir()
        self.assert_refused(
            "portal", "preview", self.path, "-p", "studentprocessor", "--var", "elsewhere"
        )


class ValueTests(MappingCase):
    def test_texts_are_replaced_in_objects_and_files(self) -> None:
        options = (*AS_STUDENTS, *MAPPED)
        answer = kofactl("check", self.path, *options, "--value", "sex:W=f")
        self.assertEqual(answer.code, 0, answer)
        self.assertIn("--value sex:W=f", answer.out)
        answer = kofactl("import", "s_admin.csv", *options, "--value", "sex: W =f")
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        finished = Path("var/datacenter/finished/s_admin.create.finished.csv").read_text()
        self.assertIn("A1,Ann,Obi,f", finished)
        other = Path("var/datacenter/finished/s_admin.csv").read_text()
        self.assertEqual(other, STUDENTS)

    def test_a_check_holds_for_the_same_replacements_only(self) -> None:
        options = (*AS_STUDENTS, *MAPPED)
        kofactl("check", self.path, *options, "--value", "sex:W=f")
        run = self.ask("runs")[0]["id"]
        self.assert_refused(
            "has changed",
            *("import", "s_admin.csv", *options, "--check", run, "--value", "sex:W=m"),
        )
        again = (*options, "--check", run, "--value", "sex:W=f")
        self.assertEqual(kofactl("import", "s_admin.csv", *again).code, 0)

    def test_what_makes_no_sense_is_refused(self) -> None:
        for value, words in (
            ("sex:W=w", "sex: 'w': Invalid value"),
            ("nix:W=f", "no field 'nix'"),
            ("email:a=b", "no column fills"),
            ("sex:=f", "not of the form FIELD:TEXT=TOKEN"),
            ("sex:W", "not of the form FIELD:TEXT=TOKEN"),
            ("W=f", "not of the form FIELD:TEXT=TOKEN"),
            ("sex:XXX=f", "has a meaning of its own"),
        ):
            with self.subTest(value):
                answer = kofactl("import", self.path, *AS_STUDENTS, *MAPPED, "--value", value)
                self.assertEqual((answer.code, answer.out), (2, ""), answer)
                self.assertIn(words, answer.err)
        self.assertEqual(self.names(), [])

    def test_the_last_equals_sign_divides(self) -> None:
        choice = _Choice({}, set(), {}, [("a", "x=y", "z")])
        self.assertEqual(choice.values, (("a", (("x=y", "z"),)),))
        with self.assertRaisesRegex(Refused, "--value names 'x' of a twice"):
            _Choice({}, set(), {}, [("a", "x", "1"), ("a", "x ", "2")])


class SavedTests(MappingCase):
    def save(self) -> None:
        """Save the mapping of the table as `weekly`."""
        answer = kofactl(
            *("check", self.path, *AS_STUDENTS, *MAPPED),
            *("--value", "sex:W=f", "--set", "email=x@example.org"),
            *("--save-mapping", "weekly"),
        )
        self.assertEqual(answer.code, 0, answer)

    def test_a_saved_mapping_says_all(self) -> None:
        self.save()
        path = self.file("t.csv", "Note,Sex,Surname,First Name,Matr\nx,W,Obi,Ann,C3\n")
        answer = kofactl("import", path, *AS_STUDENTS, "--mapping", "weekly")
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        finished = Path("var/datacenter/finished/t_admin.create.finished.csv").read_text()
        self.assertIn("f,Obi,Ann,C3,x@example.org", finished)

    def test_columns_that_are_missing_or_new_are_told(self) -> None:
        self.save()
        path = self.file("t.csv", "Sex,Surname,Matr\nW,Obi,C3\n")
        self.assert_refused(
            "needs columns that are not there: 'First Name'",
            *("import", path, *AS_STUDENTS, "--mapping", "weekly"),
        )
        path = self.file("u.csv", STUDENTS.replace("Note", "Colour"))
        self.assert_refused(
            "No field fits the columns 'Colour'",
            *("import", path, *AS_STUDENTS, "--mapping", "weekly"),
        )
        self.assert_refused(
            "no mapping 'nix' of studentprocessor",
            *("import", path, *AS_STUDENTS, "--mapping", "nix"),
        )

    def test_options_come_before_it(self) -> None:
        values = (("sex", (("W", "f"), ("M", "m"))),)
        mapping = saved(
            *(("Id", "code"), ("S", "sex"), ("T", "title"), ("N", None)),
            constants=(("size", "1"), ("owner", "x")),
            values=values,
        )
        choice = _Choice({"N": "title"}, set(), {"owner": "y"}, [("sex", "W", "m")])
        choice.complete(mapping.fit(["Id", "S", "T", "N", "New"]))
        self.assertEqual(choice.assign, {"N": "title", "Id": "code", "S": "sex"})
        self.assertEqual(choice.ignore, {"T"})
        self.assertEqual(choice.constants, {"owner": "y", "size": "1"})
        self.assertEqual(
            Mapping(("sex",), (), choice.values).values, (("sex", (("M", "m"), ("W", "m"))),)
        )
        with self.assertRaisesRegex(MappingError, "not there: 'Id'"):
            _Choice({}, set(), {"sex": "m"}, []).complete(mapping.fit(["T"]))

    def test_the_command_that_check_proposes_names_it(self) -> None:
        self.save()
        answer = kofactl("check", "s_admin.csv", *AS_STUDENTS, "--mapping", "weekly")
        self.assertIn("--mapping weekly", answer.out)

    def test_mappings_are_listed_shown_and_dropped(self) -> None:
        self.save()
        answer = kofactl("mappings", "studentprocessor")
        self.assertRegex(answer.out, r"weekly +5 +\d{4}-\d\d-\d\d +admin")
        answer = kofactl("mappings", "studentprocessor", "weekly")
        lines = [" ".join(line.split()) for line in answer.out.splitlines()]
        self.assertLessEqual({"Matr student_id", "Note (left out)"}, set(lines))
        self.assertIn("sex: 'W' stands for 'f'", answer.out)
        self.assertIn("email is 'x@example.org' in all rows", answer.out)
        found = self.ask("mappings", "studentprocessor", "weekly")
        self.assertEqual(found["values"], {"sex": {"W": "f"}})
        self.assertEqual(found["columns"]["Note"], None)
        self.assertEqual(self.ask("mappings", "studentprocessor"), [found])
        self.assert_refused("There are: weekly", "mappings", "studentprocessor", "nix")
        self.assert_refused("Name the mapping", "mappings", "studentprocessor", "--drop")
        answer = kofactl("mappings", "studentprocessor", "weekly", "--drop")
        self.assertEqual(answer.out, "The mapping weekly of studentprocessor was forgotten.\n")
        self.assertEqual(self.ask("mappings", "studentprocessor"), [])
        self.assert_refused("no mapping", "mappings", "studentprocessor", "weekly", "--drop")

    def test_a_name_is_saved_once(self) -> None:
        self.save()
        for name, words in (
            ("weekly", "'weekly' of studentprocessor already"),
            ("a\nb", "control"),
        ):
            self.assert_refused(
                words,
                *("check", "s_admin.csv", *AS_STUDENTS, *MAPPED, "--value", "sex:W=f"),
                *("--save-mapping", name),
            )
