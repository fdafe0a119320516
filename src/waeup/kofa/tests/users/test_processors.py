"""Importing accounts from small tables."""

from zope.component import getUtility
from zope.security.management import endInteraction, newInteraction
from zope.security.testing import Participation, Principal

from waeup.kofa.conversion.secret import hash_password, is_hash
from waeup.kofa.errors import FatalCSVError
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.tests.university.portal import PortalTestCase


class UserTests(PortalTestCase):
    """The user processor."""

    def setUp(self):
        super().setUp()
        self.users = self.site["users"]

    def test_processor_has_the_columns_of_kofa_and_asks_for_its_own_permission(self):
        processor = getUtility(IBatchProcessor, name="userprocessor")
        self.assertEqual(processor.name, "User Processor")
        self.assertEqual(processor.permission, "waeup.manageUsers")
        self.assertEqual(
            processor.get_csv_skeleton(),
            "description,email,language,name,password,phone,public_name,roles,suspended,title\r\n",
        )

    def test_create_update_remove(self):
        _, reasons = self.import_rows(
            "userprocessor",
            "name,title,email,roles\n"
            "ann,Ann Obi,ann@example.org,\"['waeup.ImportManager', 'waeup.UsersManager']\"\n"
            "bob,Bob Eke,,[]\n",
        )
        self.assertEqual(reasons, [])
        ann = self.users["ann"]
        self.assertEqual(ann.roles, ["waeup.ImportManager", "waeup.UsersManager"])
        self.assertEqual((ann.title, ann.email), ("Ann Obi", "ann@example.org"))
        self.assertEqual(self.users["bob"].roles, [])
        self.import_rows("userprocessor", "name,roles,suspended\nann,XXX,1\n", "update")
        self.assertEqual((ann.roles, ann.suspended), ([], True))
        self.import_rows("userprocessor", "name\nann\n", "remove")
        self.assertEqual(list(self.users), ["bob"])

    def test_roles_must_be_registered_ones_of_the_portal(self):
        _, reasons = self.import_rows(
            "userprocessor",
            "name,title,roles\nann,A,['waeup.Nobody']\nbob,B,['zope.Manager']\n",
        )
        self.assertEqual(len(reasons), 2)
        self.assertTrue(reasons[0].startswith("roles: invalid role: waeup.Nobody."), reasons[0])
        self.assertIn("waeup.ImportManager", reasons[0])
        self.assertTrue(reasons[1].startswith("roles: invalid role: zope.Manager."), reasons[1])
        self.assertEqual(list(self.users), [])

    def test_roles_are_never_evaluated(self):
        _, (reason,) = self.import_rows(
            "userprocessor", "name,title,roles\nann,A,\"[__import__('os').getcwd()]\"\n"
        )
        self.assertTrue(reason.startswith("roles: "), reason)

    def test_language_is_one_of_those_that_there_are(self):
        _, (reason,) = self.import_rows(
            "userprocessor", "name,title,language\nann,A,de\nbob,B,\neve,E,xx\n"
        )
        self.assertTrue(reason.startswith("language: "), reason)
        self.assertEqual((self.users["ann"].language, self.users["bob"].language), ("de", None))
        self.import_rows("userprocessor", "name,language\nann,Français\nbob,XXX\n", "update")
        self.assertEqual((self.users["ann"].language, self.users["bob"].language), ("fr", None))

    def test_passwords_are_kept_and_given_back_as_hashes_only(self):
        hashed = hash_password("sesame", 4)
        done, _ = self.import_rows(
            "userprocessor", f"name,title,password\nann,A,{hashed}\nbob,B,secret\n"
        )
        self.assertTrue(self.users["ann"].checkPassword("sesame"))
        self.assertTrue(self.users["bob"].checkPassword("secret"))
        self.assertTrue(is_hash(done[1]["password"]))

    def test_name_that_stands_for_others_is_refused(self):
        _, (reason,) = self.import_rows("userprocessor", "name,title\nzope.anybody,All\n")
        self.assertTrue(reason.startswith("name: Invalid input"), reason)

    def test_new_accounts_need_name_and_title(self):
        with self.assertRaises(FatalCSVError) as caught:
            self.import_rows("userprocessor", "name\nann\n")
        self.assertEqual(
            str(caught.exception), "Need at least columns 'name', 'title' for import!"
        )

    def test_own_account_is_not_removed(self):
        self.import_rows("userprocessor", "name,title\nann,Ann\nbob,Bob\n")
        newInteraction(Participation(Principal("ann")))
        self.addCleanup(endInteraction)
        _, (reason,) = self.import_rows("userprocessor", "name\nann\nbob\n", "remove")
        self.assertTrue(reason.startswith("You cannot remove your own account."), reason)
        self.assertEqual(list(self.users), ["ann"])

    def test_changes_are_logged_without_hashes(self):
        self.keep_logs()
        hashed = hash_password("sesame", 4)
        self.import_rows("userprocessor", f"name,title,password\nann,Ann,{hashed}\n")
        self.import_rows("userprocessor", "name\nann\n", "remove")
        self.assertEqual(
            self.read_log("main.log"),
            [
                "User Processor - rows - ann - updated: name=ann, title=Ann, password=***",
                "User Processor - ann - User removed",
            ],
        )
