"""Errors as problems, and back again."""

import json
import unittest

from waeup.kofa import errors
from waeup.kofa.api import plain, problems
from waeup.kofa.api.plain import NotPlain, Wrong
from waeup.kofa.api.problems import CODES, DOOR, Refusal, body_of, error_of, problem_of
from waeup.kofa.errors import (
    ConfirmationNeeded,
    DuplicationError,
    Fault,
    FileRefused,
    InvalidExpression,
    InvalidSettings,
    ItemBusy,
    KofaError,
    NoSuchItem,
    NotAllowed,
    NotUnderstood,
    PortalGone,
    Refused,
    StorageFault,
    WrongState,
)
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import counted, english
from waeup.kofa.spool.disk import faults
from waeup.kofa.tabular import UnclearTable


def sent(error, **more):
    """Return an error as it comes at the other end."""
    return error_of(plain.from_text(plain.to_text(body_of(error, **more))))


class Codes(unittest.TestCase):
    """The tables."""

    def test_each_class_of_errors_has_a_code_of_its_own(self):
        classes = {
            name
            for name, item in vars(errors).items()
            if isinstance(item, type) and issubclass(item, KofaError)
        }
        self.assertEqual(classes - CODES.keys(), set())
        codes = [problem.code for problem in (*CODES.values(), *DOOR.values())]
        self.assertEqual(len(codes), len(set(codes)))
        for problem in (*CODES.values(), *DOOR.values()):
            self.assertRegex(problem.code, r"\A[a-z]+(-[a-z]+)*\Z")
            self.assertTrue(400 <= problem.status < 600 and problem.title and problem.advice)

    def test_faults_are_those_of_the_portal(self):
        for name, problem in CODES.items():
            kind = getattr(errors, name, None)
            if kind is not None and issubclass(kind, Fault):
                self.assertGreaterEqual(problem.status, 500, name)

    def test_a_class_without_one_counts_as_its_base(self):
        class Special(WrongState):
            """Of a site."""

        self.assertEqual(problem_of(Special("x")).code, "wrong-state")
        self.assertEqual(problem_of(ValueError("x")).code, "fault")


class Sent(unittest.TestCase):
    """What the other end gets."""

    def test_class_words_and_attributes_arrive(self):
        found = sent(ConfirmationNeeded("Sure?", removed=5, changed=0))
        self.assertIsInstance(found, ConfirmationNeeded)
        self.assertEqual((str(found), found.removed, found.changed), ("Sure?", 5, 0))
        found = sent(InvalidSettings("No.", {"a": _("Not ${b}.", mapping={"b": 1})}))
        self.assertEqual(found.wrong, {"a": "Not 1."})
        error = InvalidExpression("No.")
        error.explanation = "x"
        self.assertEqual(problems.body_of(error)["explanation"], "x")
        self.assertIsInstance(sent(UnclearTable("?")), UnclearTable)
        self.assertEqual(sent(FileRefused("x", ("a", "b"))).reasons, ("a", "b"))
        found = sent(NotPlain("x", [Wrong("/a", "b"), Wrong("", "c", "limit")]))
        self.assertEqual(found.errors, (Wrong("/a", "b"), Wrong("", "c", "limit")))

    def test_each_class_arrives(self):
        for name in CODES:
            kind = getattr(errors, name, None)
            if kind is not None and kind is not KofaError:
                self.assertIs(type(sent(kind("x"))), kind)

    def test_a_fault_has_its_reference_and_an_unknown_error_nothing_else(self):
        self.assertEqual(sent(Fault("x"), reference="k7m2-9xqd").reference, "k7m2-9xqd")
        body = body_of(ValueError("secret"), reference="k7m2-9xqd")
        self.assertEqual((body["status"], body["reference"]), (500, "k7m2-9xqd"))
        self.assertNotIn("secret", json.dumps(body))

    def test_faults_of_the_server_name_no_folders(self):
        with (
            self.assertRaises(StorageFault) as caught,
            faults(_("Storing ${n}", mapping={"n": 1})),
        ):
            raise OSError(28, "No space left on device", "/srv/my kofa/datacenter/a_boss.csv")
        nested = _("The ${it} failed: ${why}", mapping={"it": caught.exception.args[0], "why": ""})
        plural = counted("${n} file in ${path}", "${n} files in ${path}", 2, path="/srv/x y/z")
        for text, expected in {
            caught.exception.args[0]: "Storing 1 failed: No space left on device (a_boss.csv). "
            "Look at free space and rights of the disk.",
            nested: "The Storing 1 failed: No space left on device (a_boss.csv). "
            "Look at free space and rights of the disk. failed: ",
            plural: "2 files in z",
            "Copying /srv/kofa/data to /mnt/x/: [Errno 2] no file: '/srv/kofa/data/a.csv'.": (
                "Copying data to x: [Errno 2] no file: 'a.csv'."
            ),
            "See https://kofa.example.org/a/b, 1/2, and/or 5 / 7.": (
                "See https://kofa.example.org/a/b, 1/2, and/or 5 / 7."
            ),
            "/srv/kofa is full. Look at it.": "kofa is full. Look at it.",
        }.items():
            with self.subTest(expected):
                self.assertEqual(body_of(StorageFault(text))["detail"], expected)
                # Who may see them is told by others.
                self.assertEqual(body_of(Refused(text))["detail"], english(text))

    def test_objects_stay_here(self):
        body = body_of(DuplicationError("Two.", [object()]))
        self.assertNotIn("entries", body)
        self.assertEqual(body["detail"], "Two.")

    def test_members_of_problems_are_not_changed_by_attributes(self):
        error = NoSuchItem("x")
        error.status = 200
        self.assertEqual(body_of(error)["status"], 404)

    def test_what_the_door_refuses(self):
        for code, kind in (
            ("no-token", NotAllowed),
            ("too-many-requests", ItemBusy),
            ("database-away", PortalGone),
            ("no-such-address", Refused),
        ):
            self.assertIsInstance(sent(Refusal(code, "x")), kind)

    def test_what_is_no_problem(self):
        for body in (None, [], {}, {"code": "x"}, {"code": "refused", "detail": 5}):
            self.assertIsInstance(error_of(body), NotUnderstood)
        self.assertIsInstance(error_of({"code": "new", "detail": "x"}), Fault)
        found = error_of({"code": "invalid-input", "detail": "x", "errors": "y"})
        self.assertEqual(found.errors, ())
