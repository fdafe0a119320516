"""What a person can do, what not, and what an abort takes back."""

import gzip
import io
import os
import shutil
import tempfile
from unittest import mock

import transaction
from zope.authentication.interfaces import IAuthentication
from zope.component import getGlobalSiteManager, getUtility

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import (
    FatalCSVError,
    InvalidExpression,
    InvalidName,
    InvalidStoragePath,
    MappingError,
    NameTaken,
    NoSuchItem,
    NotAllowed,
    Refused,
    StorageFault,
    TableError,
    TooLarge,
    WrongState,
)
from waeup.kofa.exporting import Wish
from waeup.kofa.i18n import english
from waeup.kofa.importing.looking import Look
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs import distributing, work_off
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.operations import Operations
from waeup.kofa.tabular import Limits
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, import_file

TABLE = b"code,title\r\nA1,Arts\r\n"


class OperationsTestCase(FunctionalTestCase):
    """Has `operations` of a person with all rights."""

    def setUp(self):
        self.operations = self.of("boss", "waeup.PortalManager")

    def of(self, name, *roles):
        """Return the operations of a new account with `roles`."""
        FunctionalLayer.add_user(name, *roles)
        return Operations(self.site, getUtility(IAuthentication).getPrincipal(name))

    def names(self):
        """Return the names in the storage."""
        return sorted(os.listdir(self.storage))

    def upload(self, name="data.csv", content=TABLE, **kw):
        """Upload a table as the boss."""
        return self.operations.upload(name, io.BytesIO(content), **kw)


FOLDERS = ["deleted", "finished", "logs", "unfinished"]


class Uploads(OperationsTestCase):
    """Files come in."""

    def test_a_file_that_goes_while_the_list_is_shown_has_no_number_of_lines(self):
        self.upload()
        (stored,) = self.operations.pending_files()
        os.remove(os.path.join(self.operations.storage_path(), stored.name))
        self.assertIsNone(stored.lines)
        self.assertEqual(stored.datasets, "")

    def test_an_upload_is_a_pending_file_with_an_owner(self):
        upload = self.upload()
        transaction.commit()
        self.assertEqual(upload.name, "data_boss.csv")
        (stored,) = self.operations.pending_files()
        self.assertEqual((stored.name, stored.owner, stored.size), ("data_boss.csv", "boss", 21))
        self.assertEqual((stored.lines, stored.size_text), (2, "21 bytes"))
        self.assertEqual(stored._replace(size=1_048_576).size_text, "1,048,576 bytes")
        self.assertEqual(self.names(), sorted([*FOLDERS, "data_boss.csv"]))

    def test_an_abort_takes_the_file_back(self):
        self.upload()
        transaction.abort()
        self.assertEqual(self.names(), FOLDERS)
        self.assertEqual(self.operations.pending_files(), [])

    def test_an_abort_brings_back_what_was_replaced(self):
        self.store("data.create.pending.csv", "code,title\nOLD,Old\n")
        with self.assertRaises(NameTaken):
            self.upload("data.create.pending.csv")
        self.upload("data.create.pending.csv", replace=True)
        path = self.storage / "data.create.pending.csv"
        self.assertEqual(path.read_bytes(), TABLE)
        transaction.abort()
        self.assertEqual(path.read_text(), "code,title\nOLD,Old\n")
        self.assertEqual(self.names(), sorted([*FOLDERS, path.name]))

    def test_a_commit_keeps_the_replacement_alone(self):
        self.store("data.create.pending.csv", "code,title\nOLD,Old\n")
        self.upload("data.create.pending.csv", replace=True)
        transaction.commit()
        self.assertEqual((self.storage / "data.create.pending.csv").read_bytes(), TABLE)
        self.assertEqual(self.names(), sorted([*FOLDERS, "data.create.pending.csv"]))

    def test_bad_tables_are_refused_and_nothing_is_stored(self):
        cases = {
            "empty": (b"", "is empty"),
            "header only": (b"code,title\r\n", "has a header and no rows"),
            "double": (b"code,code\r\nA,B\r\n", "Double headers"),
            "blank": (b"code,,x\r\nA,B,C\r\n", "columns without a name: 2"),
            "binary": (bytes(range(256)) * 10, "is a binary file, not a table"),
            "picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "is a PNG image"),
            "packed": (gzip.compress(TABLE), r"is no text, but a packed file.*table\.csv\.gz"),
        }
        for title, (content, message) in cases.items():
            with self.subTest(title), self.assertRaisesRegex(TableError, message):
                self.upload(content=content)
            self.assertEqual(self.names(), FOLDERS)

    def test_the_limit_is_the_configured_one(self):
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["upload_limit"] = 20
        self.addCleanup(config.pop, "upload_limit")
        with self.assertRaises(TooLarge):
            self.upload()
        config["upload_limit"] = 21
        self.upload()

    def test_rows_of_a_long_table_are_counted_as_long_as_somebody_waits(self):
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["limits"] = Limits(rows=60_000)
        self.addCleanup(config.pop, "limits")
        two_lines = b"code,title\r\n" + b'A,"x\ny"\r\n' * 50_000
        for content, is_over, notice in (
            (two_lines, False, ""),
            (two_lines, True, "has 100,001 lines, and 60,000 rows are allowed"),
            (b"code,title\r\n" + b"A,x\r\n" * 59_998, True, ""),
        ):
            with mock.patch.object(Look, "is_over", return_value=is_over):
                found = self.upload("list.csv", content).notice
            self.assertIn(notice, found)
            self.assertEqual(bool(found), bool(notice))
        with self.assertRaisesRegex(TooLarge, "more than 60,000 rows"):
            self.upload(content=b"code,title\r\n" + b"A,x\r\n" * 60_001)

    def test_names_are_item_names(self):
        for name in ("../x.csv", "/etc/passwd", ".hidden.csv", "a/b.csv", "", "x\0.csv"):
            with self.subTest(name), self.assertRaises(Refused):
                self.upload(name)
        self.assertEqual(self.names(), FOLDERS)


class Files(OperationsTestCase):
    """Files are seen and go."""

    def test_names_from_outside_lead_nowhere(self):
        for name in ("../x.csv", "/etc/passwd", ".hidden.csv", "finished/a.csv", "logs", "\0"):
            for call in (
                self.operations.preview,
                self.operations.new_draft,
                self.operations.open_file,
                lambda name: self.operations.delete([name]),
            ):
                with self.subTest(name), self.assertRaises((InvalidName, NoSuchItem)):
                    call(name)
        for folder in ("logs", "media", "..", "/etc", ".work"):
            with self.subTest(folder), self.assertRaises(InvalidName):
                self.operations.open_file("a.csv", folder)

    def test_files_go_when_the_transaction_commits(self):
        self.upload()
        transaction.commit()
        self.operations.delete(["data_boss.csv"])
        self.assertIn("data_boss.csv", self.names())
        transaction.abort()
        self.assertIn("data_boss.csv", self.names())
        self.operations.delete(["data_boss.csv"])
        transaction.commit()
        self.assertEqual(self.names(), FOLDERS)
        self.assertIsNone(self.site["datacenter"].ledger.entry("data_boss.csv"))

    def test_all_files_are_deleted_or_none(self):
        self.upload()
        transaction.commit()
        with self.assertRaises(NoSuchItem):
            self.operations.delete(["data_boss.csv", "gone.csv"])
        transaction.commit()
        self.assertIn("data_boss.csv", self.names())
        with self.assertRaisesRegex(Refused, "No item selected."):
            self.operations.delete([])

    def test_a_preview_shows_what_was_found(self):
        self.store("data.update.pending.csv", "code;title\nA1;Arts\nB2;Law\n")
        preview = self.operations.preview("data.update.pending.csv", rows=1)
        self.assertEqual(preview.header, ("code", "title"))
        self.assertEqual(preview.samples, (("A1", "Arts"),))
        self.assertEqual((preview.delimiter, preview.suggested_mode), (";", "update"))

    def test_logs_tell_who_did_what_when_it_has_happened(self):
        self.upload()
        log = self.storage / "logs" / "datacenter.log"
        self.assertFalse(log.exists())
        transaction.commit()
        self.assertIn("uploaded: data_boss.csv", log.read_text())
        (line,) = self.operations.log_page("datacenter.log", "uploaded: .*boss").lines
        self.assertIn("data_boss.csv", line.text)
        with self.assertRaises(InvalidExpression):
            self.operations.log_page("datacenter.log", "(")
        for name in ("../datacenter.log", "/etc/passwd"):
            with self.assertRaises(InvalidName):
                self.operations.log_page(name, "root")


class Imports(OperationsTestCase):
    """Rows become objects."""

    def setUp(self):
        super().setUp()
        self.upload("data.csv", b"code,Title,junk\r\nA1,Arts,x\r\nB 2,Law,y\r\n")
        transaction.commit()

    def test_a_mapping_is_proposed_checked_and_used(self):
        args = ("data_boss.csv", "facultyprocessor", "create")
        mapping = self.operations.propose_mapping(*args)
        self.assertEqual(mapping.columns, ("code", "title", None))
        self.operations.check(*args, mapping)
        report = import_file(self.operations, *args, mapping).report
        self.assertEqual((report.created, report.failed), (1, 1))
        self.assertEqual(sorted(self.site["faculties"]), ["A1"])
        (pending,) = self.operations.pending_files()
        self.assertEqual((pending.name, pending.owner), ("data_boss.create.pending.csv", "boss"))
        (finished,) = self.operations.files_in("finished")
        self.assertEqual(finished.name, "data_boss.create.finished.csv")
        (original,) = self.operations.files_in("unfinished")
        self.assertEqual(original.name, "data_boss.csv")

    def test_mappings_that_do_not_fit_are_refused(self):
        args = ("data_boss.csv", "facultyprocessor")
        cases = [
            ("create", Mapping(("code",)), MappingError, "3 columns"),
            ("create", Mapping(("code", "nosuch", None)), MappingError, "no field 'nosuch'"),
            ("create", Mapping((None, "title", None)), FatalCSVError, "Need at least columns"),
            ("merge", Mapping(("code", "title", None)), MappingError, "no mode 'merge'"),
        ]
        for mode, mapping, error, message in cases:
            with self.subTest(message), self.assertRaisesRegex(error, message):
                self.operations.start_import(*args, mode, mapping)
        with self.assertRaisesRegex(NoSuchItem, "There are: courseprocessor"):
            self.operations.check("data_boss.csv", "nosuch", "create", Mapping(()))
        self.assertIn("data_boss.csv", self.names())

    def test_a_name_that_is_too_long_for_its_results_is_refused_before(self):
        name = "x" * 240 + ".csv"
        shutil.copy(os.path.join(self.storage, "data_boss.csv"), os.path.join(self.storage, name))
        mapping = Mapping(("code", "title", None))
        with self.assertRaisesRegex(InvalidName, "longer than 255 bytes"):
            self.operations.start_import(name, "facultyprocessor", "create", mapping)

    def test_a_mapping_is_made_from_names(self):
        args = ("data_boss.csv", "facultyprocessor", "create")
        mapping = self.operations.make_mapping(
            *args, assign={"junk": "officer_1"}, constants={"officer_2": "Eve"}
        )
        self.assertEqual(mapping.columns, ("code", "title", "officer_1"))
        self.assertEqual(mapping.constants, (("officer_2", "Eve"),))
        with self.assertRaisesRegex(MappingError, "junk"):
            self.operations.make_mapping(*args)

    def test_a_draft_has_runs_of_its_file_alone(self):
        self.upload("other.csv", b"code,title\nA,B\n")
        mapping = Mapping(("code", "title", None))
        ask = self.operations
        order = ("facultyprocessor", "create")
        check = ask.start_check("data_boss.csv", *order, mapping).id
        other = ask.start_check("other_boss.csv", *order, Mapping(("code", "title"))).id
        draft = ask.new_draft("data_boss.csv").id
        run = ask.start_import("data_boss.csv", *order, mapping).id
        export = ask.start_export(Wish("faculties")).id
        self.assertEqual(ask.save_draft(draft, check=check, run=run).check, check)
        for wrong, words in (
            ({"check": other}, f"The run {other} is no check of data_boss.csv"),
            ({"check": run}, f"The run {run} is no check of data_boss.csv"),
            ({"check": export}, f"The run {export} is no check of data_boss.csv"),
            ({"run": check}, f"The run {check} is no import of data_boss.csv"),
        ):
            with self.subTest(wrong), self.assertRaises(Refused) as caught:
                ask.save_draft(draft, mode="update", **wrong)
            self.assertIn(words, english(caught.exception.args[0]))
        with self.assertRaises(NoSuchItem):
            ask.save_draft(draft, check="0" * 16)
        found = ask.draft(draft)
        self.assertEqual((found.check, found.run, found.mode), (check, run, None))
        # Who lost a right keeps what is there, and can take it back.
        self.assertIsNone(ask.save_draft(draft, check=None, run=run).check)

    def test_a_draft_has_no_runs_that_the_person_cannot_see(self):
        users = Mapping(("name", "title"))
        self.upload("users.csv", b"name,title\neve,Eve\n")
        check = self.operations.start_check("users_boss.csv", "userprocessor", "create", users).id
        ida = self.of("ida", "waeup.ImportManager")
        draft = ida.new_draft("users_boss.csv").id
        with self.assertRaises(NotAllowed):
            ida.save_draft(draft, check=check)

    def test_drafts_belong_to_who_began_them(self):
        draft = self.operations.new_draft("data_boss.csv")
        self.operations.save_draft(draft.id, mode="create")
        self.assertEqual(self.operations.draft(draft.id).mode, "create")
        with self.assertRaises(TypeError):
            self.operations.save_draft(draft.id, owner="eve")
        with self.assertRaises(NotAllowed):
            self.of("eve", "waeup.ImportManager").draft(draft.id)
        self.operations.drop_draft(draft.id)
        with self.assertRaises(NoSuchItem):
            self.operations.draft(draft.id)

    def test_a_deleted_file_takes_its_drafts_along(self):
        draft = self.operations.new_draft("data_boss.csv")
        self.operations.delete(["data_boss.csv"])
        with self.assertRaises(NoSuchItem):
            self.operations.draft(draft.id)


class Rights(OperationsTestCase):
    """Each operation asks for its permission."""

    def test_who_has_no_role_may_do_nothing(self):
        self.store("data.csv")
        nobody = self.of("nobody")
        for call in (
            nobody.pending_files,
            nobody.folder_sizes,
            lambda: nobody.files_in("unfinished"),
            lambda: nobody.purge(["data.csv"], "finished"),
            lambda: nobody.restore("data.csv", "finished"),
            lambda: nobody.upload("a.csv", io.BytesIO(TABLE)),
            lambda: nobody.delete(["data.csv"]),
            lambda: nobody.open_file("data.csv"),
            lambda: nobody.preview("data.csv"),
            nobody.processors,
            lambda: nobody.template("facultyprocessor"),
            lambda: nobody.propose_mapping("data.csv", "facultyprocessor", "create"),
            lambda: nobody.make_mapping("data.csv", "facultyprocessor", "create"),
            lambda: nobody.check("data.csv", "facultyprocessor", "create", Mapping(())),
            lambda: nobody.start_import("data.csv", "facultyprocessor", "create", Mapping(())),
            lambda: nobody.start_check("data.csv", "facultyprocessor", "create", Mapping(())),
            lambda: nobody.start_undo("x"),
            lambda: nobody.cancel("x"),
            lambda: nobody.resume("x"),
            lambda: nobody.give_up("x"),
            lambda: nobody.run("x"),
            nobody.runs,
            lambda: nobody.run_of("data.csv"),
            lambda: nobody.check_rows("x"),
            nobody.recover,
            lambda: nobody.new_draft("data.csv"),
            lambda: nobody.draft("x"),
            nobody.logs,
            lambda: nobody.look_through_logs("main.log", "x"),
            lambda: nobody.log_page("main.log", "x"),
            lambda: nobody.mentions([]),
            nobody.mentions_later,
            nobody.storage_path,
            lambda: nobody.set_storage_path("/tmp"),
            nobody.users,
            nobody.roles,
            lambda: nobody.add_user("x", "X", "a good secret"),
            lambda: nobody.set_password("boss", "a good secret"),
            lambda: nobody.set_roles("nobody", ["waeup.PortalManager"]),
            lambda: nobody.remove_user("boss"),
        ):
            with self.assertRaises(NotAllowed):
                call()
        self.assertIn("data.csv", self.names())

    def test_a_message_names_the_roles(self):
        clerk = self.of("clerk", "waeup.DataCenterManager")
        self.store("data.csv")
        with self.assertRaisesRegex(NotAllowed, "Import Manager or Portal Manager"):
            clerk.start_import(
                "data.csv", "facultyprocessor", "create", Mapping(("code", "title"))
            )

    def test_accounts_cannot_be_imported_by_import_managers(self):
        clerk = self.of("clerk", "waeup.ImportManager")
        self.store("users.csv", "name,title\nx,X\n")
        self.assertNotIn("userprocessor", [info.name for info in clerk.processors()])
        with self.assertRaises(NotAllowed):
            clerk.start_import("users.csv", "userprocessor", "create", Mapping(("name", "title")))
        with self.assertRaises(NotAllowed):
            clerk.template("userprocessor")


class Templates(OperationsTestCase):
    """Empty tables come in two formats."""

    def test_names_and_contents(self):
        clerk = self.of("clerk", "waeup.ImportManager")
        name, content = clerk.template("facultyprocessor")
        self.assertEqual(name, "facultyimport_000.csv")
        self.assertTrue(content.startswith(b"code,local_roles,"))
        name, content = clerk.template("facultyprocessor", "xlsx")
        self.assertEqual(name, "facultyimport_000.xlsx")
        self.assertTrue(content.startswith(b"PK"))
        with self.assertRaisesRegex(Refused, "no format 'pdf' for templates"):
            clerk.template("facultyprocessor", "pdf")


class Secrets(OperationsTestCase):
    """Passwords are seen by those whose business they are."""

    ACCOUNTS = b"name,title,password\r\nx,X,open sesame\r\ny y,Y,open sesame\r\n"

    def setUp(self):
        super().setUp()
        self.clerk = self.of("clerk", "waeup.ImportManager")

    def refused(self, *args):
        """Assert that the clerk cannot open a file."""
        with self.assertRaises(NotAllowed):
            self.clerk.open_file(*args)

    def test_a_table_of_accounts_is_for_managers_of_accounts(self):
        self.upload("users.csv", self.ACCOUNTS)
        transaction.commit()
        self.refused("users_boss.csv")
        for call in (self.clerk.preview, self.clerk.new_draft):
            with self.assertRaises(NotAllowed):
                call("users_boss.csv")
        self.operations.open_file("users_boss.csv").close()
        import_file(
            self.operations,
            "users_boss.csv",
            "userprocessor",
            "create",
            Mapping(("name", "title", "password")),
        )
        transaction.abort()
        self.refused("users_boss.csv", "unfinished")
        self.refused("users_boss.create.finished.csv", "finished")
        self.refused("users_boss.create.pending.csv")

    def test_runs_of_it_are_told_to_those_who_may_see_it(self):
        anna = self.of("anna", "waeup.ImportManager")
        table = b"name,title,password\r\nxx1,X,open sesame\r\nyy2,Y,open sesame\r\n"
        name = anna.upload("y.csv", io.BytesIO(table)).name
        transaction.commit()
        # By mistake passwords become titles.
        mapping = Mapping(("code", None, "title"))
        check = anna.start_check(name, "facultyprocessor", "create", mapping).id
        transaction.commit()
        FunctionalLayer.work_off_runs()
        transaction.begin()
        self.assertIn("open sesame", str(anna.check_rows(check)))
        run = anna.start_import(name, "facultyprocessor", "create", mapping).id
        transaction.commit()
        for call in (self.clerk.run, self.clerk.check_rows, self.clerk.cancel):
            for id in (check, run):
                with self.subTest(call.__name__), self.assertRaises(NotAllowed):
                    call(id)
        self.assertEqual(self.clerk.runs(), [])
        self.assertEqual(self.clerk.run_of(name).report.reasons, ())
        self.assertEqual((self.clerk.run_of(name).id, anna.run_of(name).id), ("", run))
        FunctionalLayer.work_off_runs()
        transaction.begin()
        for folder, name in (("finished", "y_anna.create.finished.csv"),):
            self.refused(name, folder)
        undo = anna.start_undo(run).id
        transaction.commit()
        FunctionalLayer.work_off_runs()
        transaction.begin()
        self.assertEqual(anna.run(undo).state, "finished")
        self.refused("y_anna.create.undone.csv", "finished")
        self.assertEqual(len(self.operations.runs()), 3)

    def test_another_round_does_not_uncover_the_original(self):
        self.upload("users.csv", self.ACCOUNTS)
        transaction.commit()
        fields = Mapping(("name", "title", "password"))
        import_file(self.operations, "users_boss.csv", "userprocessor", "create", fields)
        transaction.abort()
        pending = "users_boss.create.pending.csv"
        faculties = io.BytesIO(b"code,title\r\nFZ,Zed\r\n")
        with self.assertRaises(NotAllowed):
            self.clerk.upload(pending, faculties, replace=True)
        transaction.abort()
        os.unlink(self.storage / pending)
        faculties.seek(0)
        self.clerk.upload(pending, faculties)
        transaction.commit()
        import_file(self.clerk, pending, "facultyprocessor", "create", Mapping(("code", "title")))
        transaction.abort()
        self.refused("users_boss.csv", "finished")
        entry = self.site["datacenter"].ledger.entry("finished/users_boss.csv")
        self.assertEqual((entry.owner, entry.size), ("boss", len(self.ACCOUNTS)))
        self.assertIsNone(self.site["datacenter"].ledger.entry("unfinished/users_boss.csv"))

    def test_a_table_put_there_by_other_means_is_judged_by_its_header(self):
        self.store("users.csv", self.ACCOUNTS.decode())
        self.refused("users.csv")
        self.store("f.csv")
        self.clerk.open_file("f.csv").close()
        transaction.commit()
        # That the portal gets to know it makes no difference.
        self.assertEqual([found.code for found in self.operations.recover()], ["orphan"] * 2)
        transaction.begin()
        self.refused("users.csv")
        self.clerk.open_file("f.csv").close()

    def test_an_entry_of_another_storage_is_not_believed(self):
        self.upload("users.csv", self.ACCOUNTS)
        transaction.commit()
        former, place = str(self.storage), tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, place)
        self.operations.set_storage_path(place)
        self.upload("users.csv", b"name,title\r\nx,X\r\n")
        transaction.commit()
        self.operations.set_storage_path(former)
        self.refused("users_boss.csv")

    def test_who_has_brought_a_table_may_see_it(self):
        self.clerk.upload("users.csv", io.BytesIO(self.ACCOUNTS))
        transaction.commit()
        self.clerk.open_file("users_clerk.csv").close()

    def test_passwords_of_students_are_for_those_who_import_them(self):
        self.upload(
            "s.csv", b"student_id,firstname,lastname,sex,Password\r\nA1,Ann,Obi,f,open sesame\r\n"
        )
        transaction.commit()
        viewer = self.of("viewer", "waeup.DataCenterManager")
        with self.assertRaises(NotAllowed):
            viewer.open_file("s_boss.csv")
        self.clerk.open_file("s_boss.csv").close()

    def test_no_preview_shows_a_password(self):
        self.upload("users.csv", self.ACCOUNTS)
        preview = self.operations.preview("users_boss.csv")
        self.assertEqual(preview.samples[0], ("x", "X", "***"))

    def test_no_draft_keeps_a_password(self):
        self.upload("users.csv", b"name,title\r\nx,X\r\n")
        transaction.commit()
        draft = self.operations.new_draft("users_boss.csv")
        self.operations.save_draft(draft.id, processor="userprocessor", mode="create")
        with self.assertRaisesRegex(MappingError, "cannot be the same for all rows"):
            self.operations.save_draft(draft.id, constants=(("password", "open sesame"),))


class People(OperationsTestCase):
    """Nobody gives a right that he does not have."""

    def test_a_manager_of_accounts_is_no_administrator(self):
        manager = self.of("manager", "waeup.UsersManager")
        manager.add_user("helper", "Helper", "a good secret", ["waeup.UsersManager"])
        manager.set_password("helper", "another secret")
        for call in (
            lambda: manager.add_user("eve", "Eve", "a good secret", ["waeup.PortalManager"]),
            lambda: manager.set_roles("manager", ["waeup.PortalManager"]),
            lambda: manager.set_roles("helper", ["waeup.ImportManager"]),
            lambda: manager.set_roles("boss", []),
            lambda: manager.set_password("boss", "another secret"),
            lambda: manager.remove_user("boss"),
        ):
            with self.assertRaises(NotAllowed):
                call()
        self.assertEqual(self.site["users"]["boss"].roles, ["waeup.PortalManager"])

    def test_a_file_gives_no_more_rights_than_its_importer_has(self):
        manager = self.of("manager", "waeup.UsersManager", "waeup.ImportManager")
        table = (
            b"name,title,roles,password\r\n"
            b"eve,Eve,['waeup.PortalManager'],a good secret\r\n"
            b"bob,Bob,['waeup.ImportManager'],a good secret\r\n"
        )
        fields = Mapping(("name", "title", "roles", "password"))
        manager.upload("a.csv", io.BytesIO(table))
        manager.upload(
            "b.csv", io.BytesIO(b"name,password\r\nboss,another secret\r\nbob,another secret\r\n")
        )
        transaction.commit()
        report = import_file(manager, "a_manager.csv", "userprocessor", "create", fields).report
        self.assertEqual((report.created, report.failed), (1, 1))
        self.assertIn("You lack rights of waeup.PortalManager", report.reasons[0][0])
        report = import_file(
            manager, "b_manager.csv", "userprocessor", "update", Mapping(("name", "password"))
        ).report
        self.assertEqual((report.updated, report.failed), (1, 1))
        transaction.abort()
        self.assertNotIn("eve", self.site["users"])
        self.assertFalse(self.site["users"]["boss"].checkPassword("another secret"))

    def test_nobody_shuts_himself_out(self):
        with self.assertRaises(Refused):
            self.operations.set_roles("boss", ["waeup.ImportManager"])
        for text, fields in (
            (b"name,suspended\r\nboss,1\r\n", ("name", "suspended")),
            (b"name,roles\r\nboss,['waeup.ImportManager']\r\n", ("name", "roles")),
        ):
            upload = self.upload("u.csv", text)
            transaction.commit()
            report = import_file(
                self.operations, upload.name, "userprocessor", "update", Mapping(fields)
            ).report
            transaction.abort()
            self.assertEqual((report.updated, report.failed), (0, 1))
            self.assertIn("your own account", report.reasons[0][0])

    def test_changes_of_accounts_are_logged(self):
        self.operations.add_user("ann", "Ann", "a good secret", ["waeup.ImportManager"])
        self.operations.set_password("ann", "another secret")
        self.operations.set_roles("ann", [])
        self.operations.remove_user("ann")
        transaction.commit()
        text = (self.storage / "logs" / "main.log").read_text()
        for line in (
            "boss - User added: ann, roles=waeup.ImportManager",
            "boss - Password set: ann",
            "boss - Roles set: ann, roles=",
            "boss - User removed: ann",
        ):
            self.assertIn(line.partition(" - ")[2], text)
        self.assertNotIn("secret", text)


class Lost(OperationsTestCase):
    """What could not be completed."""

    def fail_to_place(self):
        """Import, and let the disk fail after the rows were stored; return the run."""
        self.upload("f.csv", b"code,title\r\nA1,Arts\r\n")
        transaction.commit()

        def full(distribution):
            raise StorageFault("the disk is full")

        args = ("f_boss.csv", "facultyprocessor", "create", Mapping(("code", "title")))
        with (
            mock.patch.object(distributing.results, "perform", full),
            self.assertLogs("waeup.kofa.jobs.worker", "ERROR"),
        ):
            run = import_file(self.operations, *args)
        self.assertEqual((run.state, run.fault), ("stopped", "the disk is full"))
        return run

    def test_a_file_of_it_is_not_deleted(self):
        run = self.fail_to_place()
        with self.assertRaisesRegex(WrongState, "which is stopped. Let it go on"):
            self.operations.delete(["f_boss.csv"])
        transaction.abort()
        self.operations.resume(run.id)
        transaction.commit()
        database = FunctionalLayer.database()
        in_own_thread(lambda: work_off(database, "/app", run.id, "another"))
        transaction.begin()
        self.assertEqual(self.operations.run(run.id).state, "finished")
        self.assertEqual(self.names(), FOLDERS)
        self.assertEqual([f.name for f in self.operations.files_in("finished")][-1], "f_boss.csv")

    def test_the_next_start_completes_it(self):
        run = self.fail_to_place()
        self.assertEqual([each.code for each in self.operations.recover()], ["completed"])
        self.assertEqual(self.operations.recover(), [])
        transaction.begin()
        self.assertEqual(self.operations.run(run.id).state, "finished")
        self.assertEqual(self.names(), FOLDERS)

    def test_a_lost_storage_can_be_given_up(self):
        self.fail_to_place()
        place = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, place)
        shutil.rmtree(self.storage)
        self.operations.set_storage_path(place)
        transaction.commit()
        self.assertEqual(list(self.site["datacenter"].ledger.intended()), [])


class Settings(OperationsTestCase):
    """The storage path, and accounts."""

    def setUp(self):
        super().setUp()
        self.place = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.place)
        self.former = str(self.storage)

    def test_a_move_takes_files_and_logs_along(self):
        self.upload()
        transaction.commit()
        self.assertEqual(self.site["datacenter"].setStoragePath(self.place, move=True), [])
        transaction.commit()
        self.assertEqual(self.operations.storage_path(), self.place)
        self.assertEqual(self.names(), sorted([*FOLDERS, "data_boss.csv"]))
        with open(os.path.join(self.place, "logs", "datacenter.log")) as stream:
            self.assertIn("storage path set", stream.read())

    def test_an_aborted_move_moves_nothing(self):
        self.upload()
        transaction.commit()
        with open(os.path.join(self.place, "data_boss.csv"), "w") as stream:
            stream.write("of somebody else")
        self.site["datacenter"].setStoragePath(self.place, move=True, overwrite=True)
        transaction.abort()
        self.assertEqual(self.operations.storage_path(), self.former)
        self.assertEqual(os.listdir(self.place), ["data_boss.csv"])
        with open(os.path.join(self.place, "data_boss.csv")) as stream:
            self.assertEqual(stream.read(), "of somebody else")
        self.site["datacenter"].logger.info("still here")
        with open(os.path.join(self.former, "logs", "datacenter.log")) as stream:
            self.assertIn("still here", stream.read())

    def test_unusable_places_are_refused(self):
        for path in (os.path.join(self.place, "nowhere"), "/proc"):
            with self.subTest(path), self.assertRaises(InvalidStoragePath):
                self.operations.set_storage_path(path)
            self.assertEqual(self.operations.storage_path(), self.former)

    def test_accounts_are_made_changed_and_removed(self):
        self.operations.add_user("ann", "Ann", "a good secret", ["waeup.ImportManager"])
        with self.assertRaises(NameTaken):
            self.operations.add_user("ann", "Ann", "a good secret")
        with self.assertRaises(NoSuchItem):
            self.operations.set_roles("ann", ["waeup.Nonsense"])
        with self.assertRaises(NoSuchItem):
            self.operations.set_password("bob", "a good secret")
        ann = Operations(self.site, getUtility(IAuthentication).getPrincipal("ann"))
        self.assertTrue(ann.may("waeup.importData"))
        self.operations.set_roles("ann", ["waeup.ExportManager"])
        transaction.commit()
        self.assertFalse(ann.may("waeup.importData"))
        self.operations.set_password("ann", "another secret")
        self.assertTrue(self.site["users"]["ann"].checkPassword("another secret"))
        self.operations.remove_user("ann")
        self.assertNotIn("ann", [user.name for user in self.operations.users()])
        with self.assertRaises(Refused):
            self.operations.remove_user("boss")
