"""Mappings that are proposed, remembered and saved; texts that stand for others."""

import unittest
from dataclasses import replace
from datetime import datetime, timezone

import transaction

from waeup.kofa import mappings
from waeup.kofa.conversion import Mapping, SavedMapping
from waeup.kofa.errors import (
    InvalidName,
    MappingError,
    NameTaken,
    NoSuchItem,
    NotAllowed,
    Refused,
)
from waeup.kofa.importing.corrections import CorrectedCell, Correction
from waeup.kofa.ledger import Ledger
from waeup.kofa.tests.functional import import_file
from waeup.kofa.tests.test_operations import OperationsTestCase

VALUES = (("sex", (("W", "f"),)),)
STUDENTS = b"Matr,Given name,Surname,Sex,Note\r\nA1,Ann,Obi,W,x\r\nB2,Ben,Eke,Mal,y\r\n"
COLUMNS = ("student_id", "firstname", "lastname", "sex", None)


class MemoryTests(unittest.TestCase):
    """What is remembered is bounded."""

    def setUp(self):
        self.memory = mappings.Memory()

    def test_the_last_ones_win(self):
        self.memory.remember([("First Name", "firstname"), ("Note", None)], VALUES)
        self.memory.remember([("FIRST_NAME", "lastname")], (("sex", (("w", "m"), ("X", "f"))),))
        self.assertEqual(self.memory.columns, {"note": None, "firstname": "lastname"})
        self.assertEqual(self.memory.values, {("sex", "w"): "m", ("sex", "x"): "f"})

    def test_the_oldest_ones_go(self):
        most = mappings.MOST_REMEMBERED
        self.memory.remember([(f"c{number}", None) for number in range(most)], ())
        self.memory.remember([("c0", "a"), ("new", "b")], ())
        self.assertEqual(len(self.memory.columns), most)
        self.assertEqual(list(self.memory.columns)[-2:], ["c0", "new"])
        self.assertNotIn("c1", self.memory.columns)

    def test_what_is_too_long_is_not_remembered(self):
        long = "x" * (mappings.LONGEST + 1)
        self.memory.remember([(long, "a")], (("sex", ((long, "m"), ("y", long))),))
        self.assertEqual((self.memory.columns, self.memory.values), ({}, {}))

    def test_nothing_new_changes_nothing(self):
        self.memory.remember([("a", "x")], VALUES)
        before = self.memory.columns, self.memory.values
        self.memory.remember([("A", "x")], VALUES)
        self.assertIs(self.memory.columns, before[0])
        self.assertIs(self.memory.values, before[1])


class StoreTests(unittest.TestCase):
    """The place of mappings in the ledger."""

    def saved(self, name, processor="p"):
        return SavedMapping(name, processor, (), (), (), "ann", datetime.now(timezone.utc))

    def test_saved_mappings_are_those_of_their_processor(self):
        store = mappings.Mappings()
        for name, processor in (("b", "p"), ("a", "p"), ("a", "q")):
            store.save(self.saved(name, processor))
        self.assertEqual([one.name for one in store.saved("p")], ["a", "b"])
        with self.assertRaisesRegex(NameTaken, "'a' of p already"):
            store.save(self.saved("a"))
        store.save(self.saved("a"), replace=True)
        store.drop("p", "a")
        with self.assertRaisesRegex(NoSuchItem, r"no mapping 'a' of p \(any more\).* are: 'b'\."):
            store.find("p", "a")
        self.assertEqual(store.find("q", "a").processor, "q")
        with self.assertRaisesRegex(NoSuchItem, "There are: none"):
            store.drop("", "")

    def test_there_is_a_limit(self):
        store = mappings.Mappings()
        for number in range(mappings.MOST_SAVED):
            store.save(self.saved(str(number)))
        with self.assertRaisesRegex(Refused, "may not be more"):
            store.save(self.saved("more"))
        store.save(self.saved("1"), replace=True)
        store.save(self.saved("1", "q"))

    def test_a_ledger_of_before_gets_one(self):
        ledger = Ledger()
        ledger._mappings = None
        self.assertEqual(ledger.mappings.saved("p"), [])
        self.assertIsNone(ledger._mappings)
        ledger.mappings_to_change().save(self.saved("a"))
        self.assertEqual(len(ledger.mappings.saved("p")), 1)


class StudentsCase(OperationsTestCase):
    """Has a table of students."""

    def setUp(self):
        super().setUp()
        self.clerk = self.of("clerk", "waeup.ImportManager")
        self.upload("s.csv", STUDENTS)
        transaction.commit()

    def proposed(self, file="s_boss.csv", operations=None):
        """Return pairs of field and reason."""
        operations = operations or self.operations
        seen = operations.preview(file)
        found = operations.propose_columns(seen, "studentprocessor", "create")
        return [(column.field, column.reason) for column in found]

    def draft(self, file="s_boss.csv", **changes):
        """Return a draft that maps the columns."""
        draft = self.operations.new_draft(file)
        given = {
            "processor": "studentprocessor",
            "mode": "create",
            "columns": COLUMNS,
            **changes,
        }
        return self.operations.save_draft(draft.id, **given)


class Proposals(StudentsCase):
    """What columns may mean."""

    def test_a_column_is_proposed_with_all_that_explains_it(self):
        seen = self.operations.preview("s_boss.csv", rows=1)
        found = self.operations.propose_columns(seen, "studentprocessor", "create")
        sex = found[3]
        self.assertEqual((sex.column, sex.field, sex.reason), ("Sex", "sex", "loose"))
        self.assertEqual((sex.samples, sex.kind), (("W",), "one of the allowed values"))
        self.assertEqual((found[0].field, found[0].reason, found[0].kind), (None, "", ""))
        self.assertEqual(self.proposed()[2], ("lastname", "title"))

    def test_titles_and_texts_of_another_language_are_understood(self):
        table = "Vorname;Nachname;Geschlecht;Date de naissance\nAda;Eze;weiblich;1999-05-17\n"
        self.upload("german.csv", table.encode())
        self.assertEqual(
            self.proposed("german_boss.csv"),
            [
                ("firstname", "title"),
                ("lastname", "title"),
                ("sex", "title"),
                ("date_of_birth", "title"),
            ],
        )
        columns = ("firstname", "lastname", "sex", None)
        (sex,) = self.operations.choice_values(self.draft("german_boss.csv", columns=columns).id)
        self.assertEqual([(text.text, text.proposed) for text in sex.texts], [("weiblich", "f")])

    def test_the_kind_is_proposed_that_most_columns_fit(self):
        cases = (
            ("Student ID,First name,Surname,Gender", ("studentprocessor", "create", 4)),
            ("student_id,e-mail", ("studentprocessor", "update", 2)),
            ("Fakultätscode,Titel,Schuhgröße", ("facultyprocessor", "create", 1)),
            ("code,title,faculty_code", ("departmentprocessor", "create", 3)),
            ("Matrikel,Vorname,Nachname,Geschlecht,Foto", ("studentprocessor", "create", 3)),
            ("Vorname,Nachname,Geschlecht,Foto,Schuhgröße,Hut", None),  # half is not enough
            ("level,score", None),  # nothing can be done with these alone
            ("Kürzel,Bezeichnung", None),
        )
        for number, (header, kind) in enumerate(cases):
            with self.subTest(header):
                row = ",".join("x" for _name in header.split(","))
                self.upload(f"k{number}.csv", f"{header}\n{row}\n".encode())
                seen = self.operations.preview(f"k{number}_boss.csv")
                found = self.operations.propose_kind(seen)
                self.assertEqual(found and (found.name, found.mode, found.columns), kind)
                many = replace(seen, header=(*seen.header, *map(str, range(200))))
                self.assertIsNone(self.operations.propose_kind(many))
        self.upload("users.csv", b"name,title\nada,Ada\n")
        seen = self.operations.preview("users_boss.csv")
        self.assertEqual(self.operations.propose_kind(seen).name, "userprocessor")
        self.assertIsNone(self.clerk.propose_kind(seen))

    def test_what_is_proposed_for_a_password_shows_none(self):
        self.upload("p.csv", b"Student Id,Pasword\r\nA1,open sesame\r\n")
        seen = self.operations.preview("p_boss.csv")
        found = self.operations.propose_columns(seen, "studentprocessor", "create")
        self.assertEqual((found[1].field, found[1].samples), ("password", ("***",)))

    def test_samples_that_do_not_belong_to_the_header_are_refused(self):
        seen = self.operations.preview("s_boss.csv")
        for row in ((), (*seen.samples[0], "more")):
            with self.assertRaisesRegex(MappingError, "Send it as it was given"):
                self.operations.propose_columns(
                    replace(seen, samples=(row,)), "studentprocessor", "create"
                )

    def test_a_guess_is_never_imported_by_itself(self):
        mapping = self.operations.propose_mapping("s_boss.csv", "studentprocessor", "create")
        self.assertEqual(mapping.columns, (None, None, None, "sex", None))

    def test_an_import_is_remembered_when_it_was_ordered(self):
        self.assertEqual(self.proposed()[:2], [(None, ""), (None, "")])
        mapping = Mapping(COLUMNS, (), VALUES)
        args = ("s_boss.csv", "studentprocessor", "create", mapping)
        self.operations.start_check(*args)
        self.assertEqual(self.proposed()[0], (None, ""))
        transaction.abort()
        run = import_file(self.operations, *args)
        self.assertEqual((run.report.created, run.report.failed), (1, 1))
        self.upload("t.csv", STUDENTS)
        self.assertEqual(
            self.proposed("t_boss.csv"),
            [
                ("student_id", "remembered"),
                ("firstname", "remembered"),
                ("lastname", "remembered"),
                ("sex", "loose"),
                (None, "remembered"),
            ],
        )
        (first, *_) = self.proposed("t_boss.csv", self.clerk)
        self.assertEqual(first, ("student_id", "remembered"))
        seen = self.operations.preview("t_boss.csv")
        others = self.operations.propose_columns(seen, "facultyprocessor", "create")
        self.assertEqual({column.reason for column in others}, {""})

    def test_a_removal_does_not_remember_what_it_leaves_out(self):
        mapping = Mapping(("student_id", None, None, None, None))
        self.operations.start_import("s_boss.csv", "studentprocessor", "remove", mapping)
        self.assertEqual(self.proposed()[:2], [("student_id", "remembered"), (None, "")])

    def test_a_refused_import_is_not_remembered(self):
        with self.assertRaises(Refused):
            self.operations.start_import(
                "s_boss.csv",
                "studentprocessor",
                "create",
                Mapping((None, None, None, "sex", None)),
            )
        memory = self.operations.datacenter.ledger.mappings.memory("studentprocessor")
        self.assertEqual(memory.columns, {})

    def test_a_field_is_explained_where_one_kind_was_asked_for(self):
        info = self.operations.processor("studentprocessor")
        sex = next(field for field in info.fields if field.name == "sex")
        self.assertEqual(sex.kind, "one of the allowed values")
        self.assertEqual((sex.choices, sex.more_choices), ((("m", "male"), ("f", "female")), 0))
        self.assertIn(sex.example, ("m", "f"))
        listed = next(i for i in self.operations.processors() if i.name == info.name)
        self.assertEqual([f.name for f in listed.fields], [f.name for f in info.fields])
        self.assertEqual({f.kind for f in listed.fields}, {""})


class Choices(StudentsCase):
    """What texts may mean."""

    def test_texts_that_are_not_allowed_are_told_with_the_closest_value(self):
        (column,) = self.operations.choice_values(self.draft().id)
        self.assertEqual((column.column, column.field), ("Sex", "sex"))
        self.assertEqual((column.rows, column.is_whole, column.has_more), (2, True, False))
        self.assertEqual(column.choices, (("m", "male"), ("f", "female")))
        found = {text.text: (text.count, text.token, text.proposed) for text in column.texts}
        self.assertEqual(found, {"W": (1, None, None), "Mal": (1, None, "m")})

    def test_what_was_decided_is_kept_and_proposed_the_next_time(self):
        draft = self.draft(values=VALUES)
        (column,) = self.operations.choice_values(draft.id)
        self.assertEqual({t.text: t.token for t in column.texts}, {"W": "f", "Mal": None})
        import_file(
            self.operations,
            "s_boss.csv",
            draft.processor,
            draft.mode,
            Mapping(draft.columns, draft.constants, draft.values),
        )
        self.assertEqual(self.site["students"]["A1"].sex, "f")
        self.upload("t.csv", STUDENTS.replace(b",W,", b",w,"))
        (column,) = self.operations.choice_values(self.draft("t_boss.csv").id)
        (text,) = (text for text in column.texts if text.text == "w")
        self.assertEqual((text.token, text.proposed, text.reason), (None, "f", "remembered"))

    def test_what_is_not_allowed_any_more_is_not_proposed(self):
        store = self.site["datacenter"].ledger.mappings_to_change()
        store.remember("studentprocessor", (), (("sex", (("W", "x"), ("Mal", "x"))),))
        (column,) = self.operations.choice_values(self.draft().id)
        found = {text.text: (text.proposed, text.reason) for text in column.texts}
        self.assertEqual(found, {"W": (None, ""), "Mal": ("m", "similar")})

    def test_a_draft_keeps_values_in_their_one_form(self):
        draft = self.draft(values=(("sex", ((" W ", "f"), ("M", "m"))), ("level", ())))
        self.assertEqual(draft.values, (("sex", (("M", "m"), ("W", "f"))),))
        with self.assertRaisesRegex(MappingError, "say only one of both"):
            self.draft(values=(("sex", (("W", "f"), ("W", "m"))),))

    def test_no_text_of_a_column_of_passwords_is_told(self):
        self.upload("p.csv", STUDENTS.replace(b"Sex", b"Password"))
        self.assertEqual(self.operations.choice_values(self.draft("p_boss.csv").id), ())

    def test_corrected_cells_are_read(self):
        draft = self.draft()
        cell = CorrectedCell(3, "W", "w")
        draft.corrections_to_change().keep(1, Correction((cell,)), ())
        (column,) = self.operations.choice_values(draft.id)
        self.assertEqual({text.text for text in column.texts}, {"w", "Mal"})

    def test_the_check_of_other_values_is_one_of_another_import(self):
        args = ("s_boss.csv", "studentprocessor", "create")
        run = import_file(self.operations, *args, Mapping(COLUMNS, (), VALUES))
        order = self.operations._run(run.id).order
        self.assertEqual(order.mapping, Mapping(COLUMNS, (), VALUES))
        self.assertTrue(order.is_same_import(replace(order, user="other")))
        self.assertFalse(order.is_same_import(replace(order, values=())))

    def test_values_that_do_not_fit_are_refused_when_they_are_ordered(self):
        mapping = Mapping(COLUMNS, (), (("sex", (("W", "w"),)),))
        for start in (self.operations.start_check, self.operations.start_import):
            with self.assertRaisesRegex(MappingError, "sex: 'w': Invalid value"):
                start("s_boss.csv", "studentprocessor", "create", mapping)

    def test_no_draft_keeps_what_stands_for_a_password(self):
        with self.assertRaisesRegex(MappingError, "Texts of password cannot stand"):
            self.draft(values=(("password", (("a", "open sesame"),)),))

    def test_without_columns_there_is_nothing_to_look_for(self):
        with self.assertRaisesRegex(MappingError, "no column has one yet"):
            self.operations.choice_values(self.draft(columns=None).id)
        self.assertEqual(self.operations.choice_values(self.draft(columns=(None,) * 5).id), ())


class Saved(StudentsCase):
    """Mappings with a name."""

    def save(self, name="Weekly", operations=None, **kw):
        columns = zip(("Matr", "Given name", "Surname", "Sex", "Note"), COLUMNS, strict=True)
        return (operations or self.operations).save_mapping(
            name, "studentprocessor", columns, **kw
        )

    def test_a_mapping_is_saved_listed_used_and_dropped(self):
        self.save(constants=(("email", "x@example.org"),), values=VALUES)
        (saved,) = self.clerk.saved_mappings("studentprocessor")
        self.assertEqual((saved.name, saved.user), ("Weekly", "boss"))
        self.assertEqual(self.operations.saved_mappings("facultyprocessor"), [])
        self.upload("t.csv", b"Sex,Surname,Matr,Colour\r\nW,Obi,A1,red\r\n")
        fitted = self.clerk.use_mapping("Weekly", "studentprocessor", "t_boss.csv")
        self.assertEqual(fitted.mapping.columns, ("sex", "lastname", "student_id", None))
        self.assertEqual(fitted.mapping.constants, (("email", "x@example.org"),))
        self.assertEqual(fitted.mapping.values, VALUES)
        self.assertEqual(fitted.missing, (("Given name", "firstname"),))
        self.assertEqual(fitted.new, ("Colour",))
        self.clerk.drop_mapping("Weekly", "studentprocessor")
        with self.assertRaises(NoSuchItem):
            self.operations.use_mapping("Weekly", "studentprocessor", "t_boss.csv")

    def test_a_name_that_is_taken_is_replaced_on_demand_only(self):
        self.save()
        with self.assertRaises(NameTaken):
            self.save(operations=self.clerk)
        self.save(operations=self.clerk, replace=True)
        (saved,) = self.operations.saved_mappings("studentprocessor")
        self.assertEqual(saved.user, "clerk")

    def test_what_cannot_be_used_is_not_saved(self):
        for call, error in (
            (lambda: self.save("a\nb"), InvalidName),
            (lambda: self.save(constants=(("nix", "x"),)), MappingError),
            (lambda: self.save(constants=(("password", "open sesame"),)), MappingError),
            (lambda: self.save(values=(("password", (("a", "b"),)),)), MappingError),
            (lambda: self.save(values=(("nix", (("a", "b"),)),)), MappingError),
            (lambda: self.save(constants=(("sex", "m"),)), MappingError),
        ):
            with self.assertRaises(error):
                call()
        self.assertEqual(self.operations.saved_mappings("studentprocessor"), [])

    def test_they_are_for_those_who_may_import_the_kind(self):
        self.save()
        seen = self.operations.preview("s_boss.csv")
        viewer = self.of("viewer", "waeup.DataCenterManager")
        for call in (
            lambda: self.save(operations=viewer, replace=True),
            lambda: viewer.saved_mappings("studentprocessor"),
            lambda: viewer.use_mapping("Weekly", "studentprocessor", "s_boss.csv"),
            lambda: viewer.drop_mapping("Weekly", "studentprocessor"),
            lambda: viewer.propose_columns(seen, "studentprocessor", "create"),
            lambda: viewer.processor("studentprocessor"),
            lambda: viewer.choice_values(self.draft().id),
            lambda: self.clerk.saved_mappings("userprocessor"),
            lambda: self.clerk.save_mapping("x", "userprocessor", []),
            lambda: self.of("nobody").saved_mappings("studentprocessor"),
        ):
            with self.assertRaises(NotAllowed):
                call()
        self.assertEqual(len(self.operations.saved_mappings("studentprocessor")), 1)

    def test_it_is_logged(self):
        self.save()
        self.operations.drop_mapping("Weekly", "studentprocessor")
        transaction.commit()
        text = (self.storage / "logs" / "datacenter.log").read_text()
        self.assertIn("saved: mapping Weekly of studentprocessor", text)
        self.assertIn("deleted: mapping Weekly of studentprocessor", text)
