"""A new portal is complete, and each has secrets of its own."""

import transaction
from grokcore.site.util import create_application
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility
from zope.component.hooks import site
from zope.interface.verify import verifyClass, verifyObject
from zope.session.interfaces import IClientIdManager, ISessionDataContainer

from waeup.kofa.app import University
from waeup.kofa.authentication import SESSION_TIMEOUT
from waeup.kofa.interfaces import IDataCenter, IUniversity
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase


class UniversityTest(FunctionalTestCase):
    """The portal of the layer, and a second one beside it."""

    def test_it_keeps_its_contract(self) -> None:
        verifyClass(IUniversity, University)
        verifyObject(IUniversity, self.site)

    def test_its_containers_are_there(self) -> None:
        names = ["configuration", "datacenter", "faculties", "students", "users"]
        self.assertEqual(sorted(self.site), names)

    def test_the_data_center_is_found_by_name_and_as_utility(self) -> None:
        with site(self.site):
            self.assertIs(getUtility(IDataCenter), self.site["datacenter"])

    def test_log_in_and_sessions_are_its_own(self) -> None:
        root = FunctionalLayer.getRootFolder()
        other = create_application(University, root, "other")
        for iface in (IAuthentication, IClientIdManager, ISessionDataContainer):
            utilities = [
                portal.getSiteManager().getUtility(iface) for portal in (self.site, other)
            ]
            self.assertIsNot(*utilities)

    def test_sessions_are_forgotten_after_some_hours(self) -> None:
        sessions = self.site.getSiteManager().getUtility(ISessionDataContainer)
        self.assertEqual(sessions.timeout, SESSION_TIMEOUT)

    def test_a_portal_that_is_only_put_into_the_root_is_complete_too(self) -> None:
        root = FunctionalLayer.getRootFolder()
        root["plain"] = University()
        transaction.commit()
        self.assertEqual(sorted(root["plain"]), sorted(self.site))
        browser = FunctionalLayer.browser("http://localhost/plain")
        self.assertEqual(browser.url, "http://localhost/plain/login")

    def test_its_first_log_line_tells_of_itself(self) -> None:
        log = (self.storage / "logs" / "main.log").read_text(encoding="utf-8")
        self.assertIn(" - INFO - system - University `app` added.", log)

    def test_where_there_are_several_portals_the_root_lets_choose(self) -> None:
        root = FunctionalLayer.getRootFolder()
        create_application(University, root, "other")
        transaction.commit()
        browser = FunctionalLayer.browser("http://localhost/")
        browser.getLink("other").click()
        self.assertEqual(browser.url, "http://localhost/other/login")
