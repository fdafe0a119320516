"""Accounts, their names and passwords, and the roles that come with them."""

from zope.annotation.attribute import AttributeAnnotations
from zope.component import createObject, getGlobalSiteManager
from zope.event import notify
from zope.interface.verify import verifyClass, verifyObject
from zope.lifecycleevent import ObjectModifiedEvent
from zope.schema import getFields
from zope.securitypolicy.interfaces import IPrincipalRoleManager
from zope.securitypolicy.principalrole import AnnotationPrincipalRoleManager

from waeup.kofa.conversion.secret import hash_password
from waeup.kofa.errors import InvalidName, NameTaken, Refused
from waeup.kofa.tests.university.portal import PortalTestCase
from waeup.kofa.users.account import UserAccount
from waeup.kofa.users.container import UsersContainer
from waeup.kofa.users.interfaces import IUserAccount, IUsersContainer, is_email, is_user_name


class AccountTests(PortalTestCase):
    """One account."""

    def test_classes_and_objects_fit_their_interfaces(self):
        for cls, iface in ((UserAccount, IUserAccount), (UsersContainer, IUsersContainer)):
            verifyClass(iface, cls)
            verifyObject(iface, cls())

    def test_new_account_has_the_defaults_of_the_schema_and_no_role(self):
        account = createObject("waeup.UserAccount")
        for name, field in getFields(IUserAccount).items():
            expected = [] if name == "roles" else field.default
            self.assertEqual(getattr(account, name), expected, name)

    def test_only_the_password_opens_the_account(self):
        account = UserAccount("bob", "Bob")
        self.assertFalse(account.checkPassword(""))
        account.password = hash_password("sesame", 4)
        self.assertTrue(account.checkPassword("sesame"))
        self.assertFalse(account.checkPassword("Sesame"))
        account.suspended = True
        self.assertFalse(account.checkPassword("sesame"))

    def test_password_is_kept_as_hash(self):
        account = UserAccount("bob", "Bob")
        account.setPassword("sesame")
        self.assertNotIn("sesame", repr(account.__dict__))
        self.assertTrue(account.checkPassword("sesame"))
        with self.assertRaises(Refused):
            account.setPassword("")

    def test_roles_are_a_list_of_their_own_without_doubles(self):
        account = UserAccount("bob", "Bob", roles=["a", "b", "a"])
        account.roles.append("c")
        self.assertEqual(account.roles, ["a", "b"])
        account.roles = None
        self.assertEqual(account.roles, [])

    def test_names_that_stand_for_others_are_no_names(self):
        for name in ("admin", "a.b-c_d@example.org", "007"):
            self.assertTrue(is_user_name(name), name)
        for name in ("", ".a", "a b", "a/b", "zope.anybody", "Zope.Everybody", "a\n", "a" * 65):
            self.assertFalse(is_user_name(name), name)

    def test_email_is_one_address(self):
        self.assertTrue(is_email("ann.obi@mail.example.org"))
        for text in ("ann", "ann@example", "a@b.c, d@e.f", "a b@c.d", "<a@b.c>", "a@b@c.d"):
            self.assertFalse(is_email(text), text)


class ContainerTests(PortalTestCase):
    """All accounts of a portal."""

    def setUp(self):
        super().setUp()
        self.users = self.site["users"]

    def test_account_lies_under_its_name(self):
        account = UserAccount("bob", "Bob")
        self.users.addUser(account)
        self.assertIs(self.users["bob"], account)

    def test_bad_accounts_are_refused(self):
        self.users.addUser(UserAccount("bob"))
        with self.assertRaises(NameTaken):
            self.users.addUser(UserAccount("bob"))
        for name in ("zope.anybody", "a/b"):
            with self.assertRaises(InvalidName):
                self.users.addUser(UserAccount(name))
        with self.assertRaises(ValueError):
            self.users["ann"] = UserAccount("bob")
        with self.assertRaises(TypeError):
            self.users["ann"] = UsersContainer()
        self.assertEqual(list(self.users), ["bob"])


class RoleTests(PortalTestCase):
    """The site's role manager follows the accounts."""

    def setUp(self):
        super().setUp()
        registry = getGlobalSiteManager()
        for factory, required, provided in (
            (AttributeAnnotations, None, None),
            (AnnotationPrincipalRoleManager, (UsersContainer.__mro__[-1],), IPrincipalRoleManager),
        ):
            registry.registerAdapter(factory, required, provided)
            self.addCleanup(registry.unregisterAdapter, factory, required, provided)
        self.users = self.site["users"]

    def roles_of(self, name):
        settings = IPrincipalRoleManager(self.site).getRolesForPrincipal(name)
        return sorted((role, setting.getName()) for role, setting in settings)

    def test_roles_follow_the_account(self):
        account = UserAccount("bob", roles=["waeup.A", "waeup.B"])
        self.users.addUser(account)
        self.assertEqual(self.roles_of("bob"), [("waeup.A", "Allow"), ("waeup.B", "Allow")])
        account.roles = ["waeup.B", "waeup.C"]
        notify(ObjectModifiedEvent(account))
        self.assertEqual(self.roles_of("bob"), [("waeup.B", "Allow"), ("waeup.C", "Allow")])
        del self.users["bob"]
        self.assertEqual(self.roles_of("bob"), [])

    def test_role_that_was_denied_is_given_again(self):
        account = UserAccount("bob", roles=["waeup.A"])
        self.users.addUser(account)
        IPrincipalRoleManager(self.site).removeRoleFromPrincipal("waeup.A", "bob")
        self.assertEqual(self.roles_of("bob"), [("waeup.A", "Deny")])
        notify(ObjectModifiedEvent(account))
        self.assertEqual(self.roles_of("bob"), [("waeup.A", "Allow")])

    def test_other_accounts_keep_their_roles(self):
        self.users.addUser(UserAccount("ann", roles=["waeup.A"]))
        self.users.addUser(UserAccount("bob", roles=["waeup.A"]))
        del self.users["bob"]
        self.assertEqual(self.roles_of("ann"), [("waeup.A", "Allow")])

    def test_account_outside_a_portal_changes_nothing(self):
        notify(ObjectModifiedEvent(UserAccount("bob", roles=["waeup.A"])))
        self.assertEqual(self.roles_of("bob"), [])
