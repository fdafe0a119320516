"""Importing students and course tickets from small tables."""

from datetime import date
from unittest import mock

from zope.component import getUtility

from waeup.kofa.conversion.secret import hash_password, is_hash
from waeup.kofa.errors import FatalCSVError
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.tests.university.portal import PortalTestCase
from waeup.kofa.university.course import Course
from waeup.kofa.university.department import Department
from waeup.kofa.university.faculty import Faculty

NEED_LOCATOR = "Need at least columns student_id or reg_number or matric_number for import!"


class StudentTests(PortalTestCase):
    """The student processor."""

    def setUp(self):
        super().setUp()
        self.students = self.site["students"]

    def test_template_has_the_person_columns_of_kofa(self):
        processor = getUtility(IBatchProcessor, name="studentprocessor")
        self.assertEqual(processor.name, "Student Processor")
        self.assertEqual(
            processor.get_csv_skeleton(),
            "adm_code,clr_code,date_of_birth,email,employer,firstname,flash_notice,lastname,"
            "matric_number,middlename,nationality,officer_comment,parents_email,password,"
            "perm_address,personal_updated,phone,reg_number,sex,student_id,suspended,"
            "suspended_comment\r\n",
        )

    def test_create_with_id_of_digits(self):
        _, reasons = self.import_rows(
            "studentprocessor",
            "student_id,firstname,lastname,sex,date_of_birth,phone,email,suspended\n"
            "11391,Ann,Obi,F,1990-02-01#,+234-803-1234,ann@example.org,yes\n",
        )
        self.assertEqual(reasons, [])
        student = self.students["11391"]
        self.assertEqual((student.firstname, student.lastname), ("Ann", "Obi"))
        self.assertEqual((student.sex, student.suspended), ("f", True))
        self.assertEqual(student.date_of_birth, date(1990, 2, 1))
        self.assertEqual(student.phone, "+234-803-1234")
        self.assertEqual(student.email, "ann@example.org")

    def test_create_without_id_gives_the_next_one(self):
        _, reasons = self.import_rows(
            "studentprocessor",
            "student_id,reg_number,firstname,lastname,sex\n,R1,Ann,Obi,f\nXXX,R2,Bob,Eke,m\n",
        )
        self.assertEqual(reasons, [])
        self.assertEqual(list(self.students), ["K1000000", "K1000001"])
        self.assertEqual(self.students["K1000001"].student_id, "K1000001")

    def test_failed_row_uses_up_no_id(self):
        _, reasons = self.import_rows(
            "studentprocessor",
            "reg_number,firstname,lastname,sex\nR1,Ann,Obi,x\nR2,,Obi,m\nR3,Bob,Eke,m\n",
        )
        self.assertEqual(len(reasons), 2)
        self.assertTrue(reasons[0].startswith("sex: Invalid value"), reasons[0])
        self.assertEqual(reasons[1], "firstname: Required value is missing.")
        self.assertEqual(list(self.students), ["K1000000"])

    def test_required_fields_cannot_be_cleared(self):
        self.import_rows(
            "studentprocessor", "student_id,reg_number,firstname,lastname,sex\nA1,R1,A,B,f\n"
        )
        table = "student_id,firstname,sex\nA1,XXX,f\nA1,A,XXX\n"
        _, reasons = self.import_rows("studentprocessor", table, "update")
        self.assertEqual(reasons, ["RequiredMissing: firstname", "RequiredMissing: sex"])
        self.assertEqual(self.students["A1"].firstname, "A")

    def test_table_needs_a_column_to_find_students_by(self):
        for mode in ("create", "update", "remove"):
            with self.subTest(mode), self.assertRaises(FatalCSVError) as caught:
                self.import_rows("studentprocessor", "firstname,lastname,sex\nA,B,m\n", mode)
            self.assertEqual(str(caught.exception), NEED_LOCATOR)

    def test_new_students_need_names_and_sex(self):
        with self.assertRaises(FatalCSVError) as caught:
            self.import_rows("studentprocessor", "student_id,firstname\nA1,Ann\n")
        self.assertEqual(
            str(caught.exception),
            "Need at least columns 'firstname', 'lastname', 'sex' for import!",
        )

    def test_row_without_any_number_is_refused(self):
        _, (reason,) = self.import_rows(
            "studentprocessor", "reg_number,firstname,lastname,sex\n,Ann,Obi,f\n"
        )
        self.assertTrue(reason.startswith("None of student_id, reg_number and"), reason)

    def test_numbers_of_other_students_are_refused(self):
        _, reasons = self.import_rows(
            "studentprocessor",
            "student_id,reg_number,matric_number,firstname,lastname,sex\n"
            "A1,R1,M1,Ann,Obi,f\n"
            "A1,R2,M2,Ann,Obi,f\n"
            "A2,R1,M2,Bob,Eke,m\n"
            "A2,R2,M1,Bob,Eke,m\n"
            "A2,R2,M2,Bob,Eke,m\n",
        )
        self.assertEqual(
            reasons,
            [
                "This object already exists.",
                "reg_number: 'R1' belongs to student A1 already.",
                "matric_number: 'M1' belongs to student A1 already.",
            ],
        )
        _, reasons = self.import_rows(
            "studentprocessor", "student_id,reg_number\nA2,R1\nA2,R2\n", "update"
        )
        self.assertEqual(reasons, ["reg_number: 'R1' belongs to student A1 already."])

    def test_update_and_remove_find_students_by_any_number(self):
        self.import_rows(
            "studentprocessor",
            "student_id,reg_number,matric_number,firstname,lastname,sex\n"
            "A1,R1,M1,Ann,Obi,f\nA2,R2,M2,Bob,Eke,m\nA3,R3,M3,Cid,Ude,m\n",
        )
        _, reasons = self.import_rows(
            "studentprocessor",
            "student_id,reg_number,matric_number,lastname\n"
            "A1,,,One\n,R2,,Two\n,,M3,Three\n,R9,M3,Four\n",
            "update",
        )
        self.assertEqual(
            [student.lastname for student in self.students.values()], ["One", "Two", "Three"]
        )
        self.assertEqual(reasons, ["Cannot update: no such entry"])
        self.import_rows("studentprocessor", "reg_number,lastname\nR9,Nine\nR1,One\n", "remove")
        self.assertEqual(list(self.students), ["A2", "A3"])

    def test_update_changes_numbers_and_their_look_up(self):
        self.import_rows(
            "studentprocessor", "student_id,reg_number,firstname,lastname,sex\nA1,R1,A,B,f\n"
        )
        self.import_rows(
            "studentprocessor", "student_id,reg_number,matric_number\nA1,XXX,M1\n", "update"
        )
        self.assertIsNone(self.students.find(reg_number="R1"))
        self.assertIs(self.students.find(matric_number="M1"), self.students["A1"])

    def test_id_cannot_be_removed(self):
        self.import_rows(
            "studentprocessor", "student_id,reg_number,firstname,lastname,sex\nA1,R1,A,B,f\n"
        )
        _, reasons = self.import_rows(
            "studentprocessor", "student_id,reg_number,lastname\nXXX,R1,C\n", "update"
        )
        self.assertEqual(reasons, ["student_id: The id of a student cannot be removed."])

    def test_password_is_kept_and_given_back_as_hash_only(self):
        hashed = hash_password("sesame", 4)
        done, _ = self.import_rows(
            "studentprocessor",
            f"student_id,firstname,lastname,sex,password\nA1,A,B,f,{hashed}\nA2,A,B,f,secret\n",
        )
        self.assertEqual(self.students["A1"].password, hashed)
        self.assertTrue(is_hash(self.students["A2"].password))
        self.assertNotIn("secret", [row["password"] for row in done])

    def test_changes_are_logged_without_hashes(self):
        self.keep_logs()
        hashed = hash_password("sesame", 4)
        self.import_rows(
            "studentprocessor",
            f"student_id,firstname,lastname,sex,password\nA1,Ann,Obi,f,{hashed}\n",
        )
        self.import_rows("studentprocessor", "student_id,lastname\nA1,Eke\n", "update")
        self.import_rows("studentprocessor", "student_id\nA1\n", "remove")
        self.assertEqual(
            self.read_log("students.log"),
            [
                (
                    "Student Processor - rows - A1 - updated: "
                    "student_id=A1, firstname=Ann, lastname=Obi, sex=f, password=***"
                ),
                "Student Processor - rows - A1 - updated: lastname=Eke",
                "A1 - Student record removed",
                "A1 - Student removed",
            ],
        )


class CourseTicketTests(PortalTestCase):
    """The course ticket processor."""

    def setUp(self):
        super().setUp()
        faculties = self.site["faculties"]
        faculties.addFaculty(Faculty("FA"))
        faculties["FA"].addDepartment(Department("D1"))
        self.course = Course("MAT101", "Sets")
        self.course.credits, self.course.passmark, self.course.semester = 3, 45, 2
        faculties["FA"]["D1"].courses.addCourse(self.course)
        self.import_rows(
            "studentprocessor",
            "student_id,reg_number,matric_number,firstname,lastname,sex\n"
            "A1,R1,M1,Ann,Obi,f\nA2,R2,M2,Bob,Eke,m\n",
        )
        self.student = self.site["students"]["A1"]

    def test_ticket_takes_over_the_data_of_its_course(self):
        _, reasons = self.import_rows(
            "courseticketprocessor",
            "student_id,level,level_session,code,score\nA1,100,2013,MAT101,78\n",
        )
        self.assertEqual(reasons, [])
        ticket = self.student["100_MAT101"]
        self.assertEqual((ticket.title, ticket.credits, ticket.passmark), ("Sets", 3, 45))
        self.assertEqual((ticket.semester, ticket.fcode, ticket.dcode), (2, "FA", "D1"))
        self.assertEqual((ticket.level, ticket.level_session), (100, 2013))
        self.assertEqual((ticket.code, ticket.score), ("MAT101", 78))
        self.course.title = "Set Theory"
        self.assertEqual(ticket.title, "Sets")

    def test_cells_win_over_the_data_of_the_course(self):
        self.import_rows(
            "courseticketprocessor",
            "student_id,level,code,credits,title\nA1,100,MAT101,4,\n",
        )
        ticket = self.student["100_MAT101"]
        self.assertEqual((ticket.credits, ticket.title), (4, "Sets"))

    def test_ticket_without_score_has_none(self):
        self.import_rows("courseticketprocessor", "student_id,level,code,score\nA1,100,MAT101,\n")
        self.assertIsNone(self.student["100_MAT101"].score)

    def test_same_course_at_two_levels_makes_two_tickets(self):
        _, reasons = self.import_rows(
            "courseticketprocessor",
            "student_id,level,code\nA1,100,MAT101\nA1,200,MAT101\nA1,100,MAT101\n",
        )
        self.assertEqual(reasons, ["This object already exists."])
        self.assertEqual(list(self.student), ["100_MAT101", "200_MAT101"])

    def test_student_is_found_by_any_number(self):
        table = "reg_number,matric_number,level,code\nR1,,100,MAT101\n,M2,100,MAT101\n"
        self.assertEqual(self.import_rows("courseticketprocessor", table)[1], [])
        self.assertEqual(list(self.student), ["100_MAT101"])
        self.assertEqual(list(self.site["students"]["A2"]), ["100_MAT101"])

    def test_update_and_remove(self):
        self.import_rows("courseticketprocessor", "student_id,level,code\nA1,100,MAT101\n")
        _, reasons = self.import_rows(
            "courseticketprocessor",
            "reg_number,level,code,score\nR1,100,MAT101,50\nR1,200,MAT101,50\nR9,100,MAT101,5\n",
            "update",
        )
        self.assertEqual(reasons, ["Cannot update: no such entry"] * 2)
        self.assertEqual(self.student["100_MAT101"].score, 50)
        _, reasons = self.import_rows(
            "courseticketprocessor",
            "student_id,level,code\nA1,100,MAT101\nA1,100,MAT101\n",
            "remove",
        )
        self.assertEqual(reasons, ["Cannot remove: no such entry"])
        self.assertEqual(list(self.student), [])

    def test_score_that_exists_is_locked(self):
        self.import_rows(
            "courseticketprocessor", "student_id,level,code,score\nA1,100,MAT101,50\n"
        )
        ticket = self.student["100_MAT101"]
        locked = "Score attribute is locked."
        for score, unlock, reasons, left in (
            ("99", "", [locked], 50),
            ("99", "0", [locked], 50),
            ("XXX", "", [locked], 50),
            ("50", "", [], 50),
            ("", "", [], 50),
            ("99", "1", [], 99),
            ("XXX", "yes", [], None),
            ("7", "", [], 7),
        ):
            with self.subTest(score=score, unlock=unlock):
                table = f"student_id,level,code,score,unlock_score\nA1,100,MAT101,{score},{unlock}"
                found = self.import_rows("courseticketprocessor", table, "update")[1]
                self.assertEqual((found, ticket.score), (reasons, left))
        self.assertFalse(hasattr(ticket, "unlock_score"))

    def test_student_and_course_are_looked_up_once_a_row(self):
        students, faculties = self.site["students"], self.site["faculties"]
        with (
            mock.patch.object(students, "find", wraps=students.find) as find,
            mock.patch.object(
                faculties, "find_course", wraps=faculties.find_course
            ) as find_course,
        ):
            self.import_rows("courseticketprocessor", "student_id,level,code\nA1,100,MAT101\n")
        self.assertEqual((find.call_count, find_course.call_count), (1, 1))

    def test_student_must_exist(self):
        done, (reason,) = self.import_rows(
            "courseticketprocessor", "student_id,level,code\nA9,100,MAT101\n"
        )
        self.assertEqual(done, [])
        self.assertEqual(
            reason,
            "Not all parents do exist yet. There is no student with the student_id 'A9': import "
            "the student first, or correct student_id.",
        )

    def test_course_must_exist(self):
        self.assertEqual(
            self.import_rows("courseticketprocessor", "student_id,level,code\nA1,100,MAT999\n"),
            ([], ["code: non-existent"]),
        )
        self.assertEqual(list(self.student), [])

    def test_scores_go_from_0_to_100(self):
        _, reasons = self.import_rows(
            "courseticketprocessor",
            "student_id,level,code,score\nA1,100,MAT101,101\nA1,100,MAT101,7x\n",
        )
        self.assertTrue(reasons[0].startswith("score: Invalid input"), reasons[0])
        self.assertTrue(reasons[1].startswith("score: Invalid integer data"), reasons[1])

    def test_table_needs_columns_for_student_level_and_code(self):
        for header, message in (
            ("level,code", NEED_LOCATOR),
            ("student_id,code", "Need level for import!"),
            ("reg_number,level", "Need code for import!"),
        ):
            with self.subTest(header), self.assertRaises(FatalCSVError) as caught:
                self.import_rows("courseticketprocessor", f"{header}\n1,2,3\n")
            self.assertEqual(str(caught.exception), message)

    def test_changes_are_logged_with_student_and_level(self):
        self.keep_logs()
        self.import_rows("courseticketprocessor", "reg_number,level,code\nR1,100,MAT101\n")
        self.import_rows(
            "courseticketprocessor", "reg_number,level,code,score\nR1,100,MAT101,9\n", "update"
        )
        self.import_rows(
            "courseticketprocessor", "reg_number,level,code\nR1,100,MAT101\n", "remove"
        )
        self.assertEqual(
            self.read_log("students.log"),
            [
                "CourseTicket Processor - rows - A1 - 100 - updated: level=100, code=MAT101",
                "CourseTicket Processor - rows - A1 - 100 - updated: score=9",
                "A1 - Course ticket in 100 removed: MAT101",
            ],
        )
