"""The plugins of the authentication, without a browser; permissions and roles."""

from base64 import urlsafe_b64encode
from hashlib import sha1
from typing import Any
from unittest import mock

from zope.authentication.interfaces import IAuthentication, PrincipalLookupError
from zope.component import getUtility
from zope.interface.verify import verifyObject
from zope.pluggableauth.interfaces import IAuthenticatorPlugin, ICredentialsPlugin
from zope.publisher.browser import TestRequest
from zope.session.http import ICookieClientIdManager
from zope.session.interfaces import IClientIdManager, ISession

from waeup.kofa.authentication import SESSION_KEY, SessionCredentials, log_in, log_out
from waeup.kofa.conversion.secret import hash_password
from waeup.kofa.permissions import (
    get_all_roles,
    get_role_titles_for,
    get_waeup_role_names,
    get_waeup_roles,
    roles_beyond,
)
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase


class PluginsTest(FunctionalTestCase):
    """Requests without a publisher."""

    def setUp(self) -> None:
        FunctionalLayer.add_user("ann", "waeup.ImportManager")
        self.authentication = getUtility(IAuthentication)

    def next_request(self, request: Any) -> TestRequest:
        """Return a request of the browser that got the response to `request`."""
        following = TestRequest()
        for name, cookie in request.response._cookies.items():
            following._cookies = {name: cookie["value"]}
        return following

    def test_they_keep_their_contracts(self) -> None:
        verifyObject(ICredentialsPlugin, getUtility(ICredentialsPlugin, "kofa session"))
        verifyObject(IAuthenticatorPlugin, getUtility(IAuthenticatorPlugin, "kofa users"))
        verifyObject(ICookieClientIdManager, getUtility(IClientIdManager))

    def test_after_a_log_in_the_next_request_has_its_principal(self) -> None:
        request = TestRequest()
        self.assertTrue(log_in(request, "ann", "pw of ann"))
        principal = self.authentication.authenticate(self.next_request(request))
        self.assertEqual((principal.id, principal.title), ("ann", "Ann"))
        self.assertIn("zope.Authenticated", principal.groups)

    def test_the_session_holds_no_password(self) -> None:
        request = TestRequest()
        log_in(request, "ann", "pw of ann")
        login = ISession(request)[SESSION_KEY]
        self.assertEqual(sorted(login), ["login_time", "principal_id", "stamp"])
        account = self.site["users"]["ann"]
        for value in login.values():
            self.assertNotIn(str(value), ("pw of ann", account.password))

    def test_a_new_password_ends_all_sessions(self) -> None:
        request = TestRequest()
        log_in(request, "ann", "pw of ann")
        following = self.next_request(request)
        self.assertIsNotNone(self.authentication.authenticate(following))
        self.site["users"]["ann"].password = hash_password("pw of ann", rounds=4)
        self.assertIsNone(self.authentication.authenticate(following))

    def test_another_account_of_the_same_name_has_no_part_in_it(self) -> None:
        request = TestRequest()
        log_in(request, "ann", "pw of ann")
        del self.site["users"]["ann"]
        FunctionalLayer.add_user("ann", "waeup.PortalManager")
        self.assertIsNone(self.authentication.authenticate(self.next_request(request)))

    def test_hashes_of_1_9_cost_as_much_and_are_renewed(self) -> None:
        account = self.site["users"]["ann"]
        salt = b"salt"
        digest = sha1(b"pw of ann" + salt).digest()
        account.password = "{SSHA}" + urlsafe_b64encode(digest + salt).decode()
        with mock.patch("bcrypt.checkpw", return_value=False) as compared:
            self.assertFalse(log_in(TestRequest(), "ann", "no"))
        self.assertEqual(compared.call_count, 1)
        self.assertTrue(log_in(TestRequest(), "ann", "pw of ann"))
        self.assertTrue(account.password.startswith("$2b$"))
        self.assertTrue(log_in(TestRequest(), "ann", "pw of ann"))

    def test_after_a_log_out_there_is_none(self) -> None:
        request = TestRequest()
        log_in(request, "ann", "pw of ann")
        former = self.next_request(request)
        log_out(former)
        for later in (self.next_request(request), self.next_request(former)):
            self.assertIsNone(self.authentication.authenticate(later))

    def test_strangers_get_no_session_by_being_looked_at(self) -> None:
        request = TestRequest()
        self.assertIsNone(self.authentication.authenticate(request))
        self.assertEqual(request.response._cookies, {})

    def test_principals_are_found_by_the_name_of_the_account(self) -> None:
        self.assertEqual(self.authentication.getPrincipal("ann").title, "Ann")
        self.assertEqual(self.authentication.getPrincipal("zope.mgr").title, "Manager")
        with self.assertRaises(PrincipalLookupError):
            self.authentication.getPrincipal("nobody")

    def test_odd_credentials_are_nobodys(self) -> None:
        plugin = getUtility(IAuthenticatorPlugin, "kofa users")
        for odd in (None, "ann", {}, {"principal_id": None}, {"principal_id": ["ann"]}):
            self.assertIsNone(plugin.authenticateCredentials(odd))

    def test_other_requests_than_those_by_http_have_no_session(self) -> None:
        self.assertIsNone(SessionCredentials().extractCredentials(object()))


class RolesTest(FunctionalTestCase):
    """Who has which role."""

    def test_the_roles_of_the_portal_are_those_of_kofa(self) -> None:
        self.assertEqual(
            get_waeup_role_names(),
            [
                "waeup.DataCenterManager",
                "waeup.ExportManager",
                "waeup.ImportManager",
                "waeup.PortalManager",
                "waeup.UsersManager",
            ],
        )
        self.assertEqual([role.id for role in get_waeup_roles()], get_waeup_role_names())
        self.assertIn("zope.Manager", dict(get_all_roles()))

    def test_a_permission_names_the_roles_that_have_it(self) -> None:
        self.assertEqual(
            get_role_titles_for("waeup.importData"), ["Import Manager", "Portal Manager"]
        )
        self.assertEqual(get_role_titles_for("waeup.nothing"), [])

    def test_roles_with_more_rights_are_told(self) -> None:
        mine = {"waeup.manageDataCenter", "waeup.importData"}
        roles = ["waeup.ImportManager", "waeup.PortalManager", "waeup.UsersManager"]
        self.assertEqual(roles_beyond(mine.__contains__, roles), roles[1:])
