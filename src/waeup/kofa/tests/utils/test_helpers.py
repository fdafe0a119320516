"""Kofa 1.9's helper functions, by their documented cases."""

import io
import os
import tempfile
import unittest
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import grok
from zope import schema
from zope.component.interfaces import IFactory
from zope.interface import Attribute, Interface, implementedBy, implementer
from zope.interface.verify import verifyObject
from zope.schema.interfaces import WrongType
from zope.security.management import endInteraction, newInteraction
from zope.security.testing import Participation, Principal

from waeup.kofa.tests.university.portal import PortalTestCase
from waeup.kofa.users.account import UserAccount
from waeup.kofa.utils import helpers

LAGOS = timezone(timedelta(hours=1))


class FolderTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="helpers-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def file(self, *names, content="x"):
        os.makedirs(os.path.dirname(self.path(*names)), exist_ok=True)
        with open(self.path(*names), "w", newline="") as stream:
            stream.write(content)
        return self.path(*names)

    def content(self, *names):
        with open(self.path(*names), newline="") as stream:
            return stream.read()


class RemoveFileOrDirectory(FolderTestCase):
    def test_a_missing_path_is_silently_passed(self):
        helpers.remove_file_or_directory(self.path("none"))

    def test_a_file(self):
        helpers.remove_file_or_directory(self.file("a.csv"))
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_folder_goes_with_all_it_contains(self):
        self.file("sub", "deep", "a.csv")
        helpers.remove_file_or_directory(self.path("sub"))
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_link_goes_and_its_target_stays(self):
        self.file("sub", "a.csv")
        os.symlink(self.path("sub"), self.path("link"))
        helpers.remove_file_or_directory(self.path("link"))
        self.assertEqual(os.listdir(self.folder), ["sub"])
        self.assertEqual(os.listdir(self.path("sub")), ["a.csv"])

    def test_a_broken_link_counts_as_missing(self):
        os.symlink(self.path("none"), self.path("link"))
        helpers.remove_file_or_directory(self.path("link"))
        self.assertEqual(os.listdir(self.folder), ["link"])


class CopyFilesystemTree(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.file("src", "a.csv", content="new")
        self.file("src", "sub", "b.csv", content="new")
        self.file("src", ".hidden")
        os.mkdir(self.path("dst"))

    def copy(self, **options):
        return helpers.copy_filesystem_tree(self.path("src"), self.path("dst"), **options)

    def test_files_and_folders_without_hidden_ones(self):
        self.assertEqual(self.copy(), [])
        self.assertEqual(sorted(os.listdir(self.path("dst"))), ["a.csv", "sub"])
        self.assertEqual(self.content("dst", "sub", "b.csv"), "new")
        self.assertEqual(sorted(os.listdir(self.path("src"))), [".hidden", "a.csv", "sub"])

    def test_existing_entries_are_named_and_left_alone(self):
        self.file("dst", "a.csv", content="old")
        self.file("dst", "sub", "c.csv")
        self.assertEqual(sorted(self.copy()), ["a.csv", "sub"])
        self.assertEqual(self.content("dst", "a.csv"), "old")
        self.assertEqual(os.listdir(self.path("dst", "sub")), ["c.csv"])

    def test_overwrite_replaces_whole_entries(self):
        self.file("dst", "a.csv", content="old")
        self.file("dst", "sub", "c.csv")
        self.assertEqual(self.copy(overwrite=True), [])
        self.assertEqual(self.content("dst", "a.csv"), "new")
        self.assertEqual(os.listdir(self.path("dst", "sub")), ["b.csv"])

    def test_del_old_removes_what_was_copied_and_nothing_else(self):
        self.file("dst", "a.csv", content="old")
        self.assertEqual(self.copy(del_old=True), ["a.csv"])
        self.assertEqual(sorted(os.listdir(self.path("src"))), [".hidden", "a.csv"])

    def test_folders_must_exist_and_be_folders(self):
        self.file("file")
        for source, target, message in (
            ("none", "dst", "source path does not exist: "),
            ("src", "none", "destination path does not exist: "),
            ("file", "dst", "source path is not a directory: "),
            ("src", "file", "destination path is not a directory: "),
        ):
            with self.subTest(message=message), self.assertRaisesRegex(ValueError, message):
                helpers.copy_filesystem_tree(self.path(source), self.path(target))


class MergeCsvFiles(FolderTestCase):
    def merge(self, first, second):
        path = helpers.merge_csv_files(
            self.file("1.csv", content=first), self.file("2.csv", content=second)
        )
        self.addCleanup(os.unlink, path)
        with open(path, newline="") as stream:
            return stream.read()

    def test_columns_are_the_sorted_union(self):
        self.assertEqual(self.merge("b,a\r\n1,2\r\n", "c,a\r\n3,4"), "a,b,c\r\n2,1,\r\n4,,3\r\n")

    def test_one_file_is_a_lone_line_end(self):
        self.assertEqual(self.merge("a,b\r\n1,2\r\n", "\n"), "a,b\r\n1,2\r\n")

    def test_both_files_are_a_lone_line_end(self):
        self.assertEqual(self.merge("\n", "\n"), "\r\n")

    def test_a_failure_leaves_no_file_behind(self):
        before = sorted(os.listdir(tempfile.gettempdir()))
        with self.assertRaises(ValueError):
            self.merge("a\n1,2\n", "a\n1\n")
        after = set(os.listdir(tempfile.gettempdir())) - set(before)
        self.assertEqual([name for name in after if name.endswith(".csv")], [])


class CheckCsvCharset(unittest.TestCase):
    def test_umlauts_in_utf_8_are_fine(self):
        self.assertIsNone(helpers.check_csv_charset([b"a,b\n", "ä,ö\n".encode()]))

    def test_an_undecodable_byte(self):
        self.assertEqual(helpers.check_csv_charset([b"a,\x92\n"]), 1)
        self.assertEqual(helpers.check_csv_charset([b"a,b\n", b"\x92,c\n"]), 2)


class Sizes(FolderTestCase):
    def test_the_size_of_a_file_and_of_a_file_like_object(self):
        with open(self.file("a", content="1234"), "rb") as stream:
            self.assertEqual(helpers.file_size(stream), 4)
        self.assertEqual(helpers.file_size(io.BytesIO(b"12345")), 5)

    def test_texts(self):
        for number, text in (
            (0, "0 byte(s)"),
            (1, "1 byte(s)"),
            (1023, "1023 byte(s)"),
            (1024, "1 KB"),
            (2047, "1 KB"),
            (1024**2, "1.00 MB"),
            (1024**2 * 3 // 2, "1.50 MB"),
            (1024**3, "1.00 GB"),
            (1024**3 * 5 // 4, "1.25 GB"),
        ):
            with self.subTest(number=number):
                self.assertEqual(helpers.string_from_bytes(number), text)


class CmpFiles(unittest.TestCase):
    def test_both_files_are_rewound(self):
        first, second = io.BytesIO(b"same"), io.BytesIO(b"same")
        first.read()
        self.assertTrue(helpers.cmp_files(first, second))

    def test_differences_in_content_and_length(self):
        long = b"x" * 100_000
        for other in (b"", long[:-1], long + b"x", long[:-1] + b"y"):
            with self.subTest(length=len(other)):
                self.assertFalse(helpers.cmp_files(io.BytesIO(long), io.BytesIO(other)))


class CurrentPrincipal(unittest.TestCase):
    def setUp(self):
        endInteraction()
        self.addCleanup(endInteraction)

    def test_none_without_interaction(self):
        self.assertIsNone(helpers.get_current_principal())

    def test_none_without_participation(self):
        newInteraction()
        self.assertIsNone(helpers.get_current_principal())

    def test_the_principal_of_the_first_participation(self):
        first, second = Principal("ada"), Principal("bob")
        newInteraction(Participation(first), Participation(second))
        self.assertIs(helpers.get_current_principal(), first)


class IBase(Interface):
    code = schema.TextLine(title="Code")


class ICave(IBase):
    title = schema.TextLine(title="Title", default="A cave")
    walls = Attribute("No field.")

    def enter():  # type: ignore[misc]  # methods of an interface have no self
        """Go in."""


class CaveFactory(helpers.FactoryBase):
    grok.baseclass()
    factory = dict


class Factories(unittest.TestCase):
    def test_an_object_of_the_class_is_made(self):
        factory = CaveFactory()
        self.assertTrue(verifyObject(IFactory, factory))
        self.assertEqual(factory(code="C1"), {"code": "C1"})
        self.assertEqual(list(factory.getInterfaces()), list(implementedBy(dict)))


class Accounts(PortalTestCase):
    def test_the_account_of_a_request(self):
        account = UserAccount("ann", "Ann")
        self.site["users"].addUser(account)
        for name, expected in (("ann", account), ("ben", None)):
            request = SimpleNamespace(principal=Principal(name))
            self.assertIs(helpers.get_user_account(request), expected)
        self.assertIsNone(helpers.get_user_account(SimpleNamespace(principal=None)))


class Schemas(unittest.TestCase):
    def test_names_of_fields_include_those_of_bases(self):
        self.assertEqual(helpers.iface_names(ICave), ["code", "title"])

    def test_omitted_names(self):
        self.assertEqual(helpers.iface_names(ICave, omit=["code"]), ["title"])

    def test_attributes_and_methods_on_demand(self):
        self.assertEqual(
            helpers.iface_names(ICave, exclude_attribs=False), ["code", "title", "walls"]
        )
        self.assertEqual(
            helpers.iface_names(ICave, exclude_methods=False), ["code", "title", "enter"]
        )

    def cave(self, **options):
        @implementer(ICave)
        class Cave:
            pass

        self.assertIs(helpers.attrs_to_fields(Cave, **options), Cave)
        return Cave()

    def test_fields_become_checked_attributes(self):
        cave = self.cave()
        self.assertEqual(cave.title, "A cave")
        cave.code = "C1"
        self.assertEqual(cave.code, "C1")
        with self.assertRaises(WrongType):
            cave.code = 1

    def test_omitted_fields_are_left_alone(self):
        cave = self.cave(omit=["title"])
        self.assertFalse(hasattr(cave, "title"))
        self.assertTrue(hasattr(type(cave), "code"))


class Times(unittest.TestCase):
    def test_now_is_aware(self):
        self.assertEqual(helpers.now().utcoffset(), timedelta(0))
        self.assertEqual(helpers.now(LAGOS).utcoffset(), timedelta(hours=1))
        self.assertLess(abs(datetime.now(timezone.utc) - helpers.now(LAGOS)), timedelta(minutes=1))

    def test_a_naive_time_counts_as_utc(self):
        moved = helpers.to_timezone(datetime(2026, 1, 1, 12), LAGOS)
        self.assertEqual(moved.isoformat(), "2026-01-01T13:00:00+01:00")

    def test_an_aware_time_is_moved(self):
        moved = helpers.to_timezone(datetime(2026, 1, 1, 12, tzinfo=LAGOS))
        self.assertEqual(moved.isoformat(), "2026-01-01T11:00:00+00:00")

    def test_anything_else_is_returned_as_it_is(self):
        self.assertEqual(helpers.to_timezone("2026-01-01", LAGOS), "2026-01-01")


class Numbers(unittest.TestCase):
    def test_product(self):
        self.assertEqual(helpers.product([2, 3, 4]), 24)
        self.assertEqual(helpers.product([], start=5), 5)
