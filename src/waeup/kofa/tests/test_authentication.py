"""The plugins of the authentication, without a browser; permissions and roles."""

from typing import Any

from zope.authentication.interfaces import IAuthentication, PrincipalLookupError
from zope.component import getUtility
from zope.interface.verify import verifyObject
from zope.pluggableauth.interfaces import IAuthenticatorPlugin, ICredentialsPlugin
from zope.publisher.browser import TestRequest
from zope.securitypolicy.interfaces import IPrincipalRoleManager
from zope.session.http import ICookieClientIdManager
from zope.session.interfaces import IClientIdManager, ISession

from waeup.kofa.authentication import SESSION_KEY, SessionCredentials, log_in, log_out
from waeup.kofa.permissions import (
    get_all_roles,
    get_role_titles_for,
    get_users_with_local_roles,
    get_users_with_role,
    get_waeup_role_names,
    get_waeup_roles,
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

    def test_the_session_holds_id_and_time_only(self) -> None:
        request = TestRequest()
        log_in(request, "ann", "pw of ann")
        self.assertEqual(sorted(ISession(request)[SESSION_KEY]), ["login_time", "principal_id"])

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

    def test_users_are_found_by_their_role(self) -> None:
        account = FunctionalLayer.add_user("ann", "waeup.ImportManager")
        account.email = "ann@example.org"
        FunctionalLayer.add_user("bob", "waeup.ExportManager")
        self.assertEqual(
            list(get_users_with_role("waeup.ImportManager", self.site)),
            [
                {
                    "user_name": "ann",
                    "user_title": "Ann",
                    "user_email": "ann@example.org",
                    "setting": "Allow",
                }
            ],
        )

    def test_roles_at_an_object_are_listed_with_their_titles(self) -> None:
        FunctionalLayer.add_user("ann")
        manager = IPrincipalRoleManager(self.site["datacenter"])
        manager.assignRoleToPrincipal("waeup.ImportManager", "ann")
        manager.assignRoleToPrincipal("waeup.ImportManager", "gone")
        self.assertEqual(
            list(get_users_with_local_roles(self.site["datacenter"])),
            [
                {
                    "user_name": "ann",
                    "user_title": "Ann",
                    "local_role": "waeup.ImportManager",
                    "local_role_title": "Import Manager",
                    "setting": "Allow",
                }
            ],
        )
