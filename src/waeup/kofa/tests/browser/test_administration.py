"""The pages of administrators: settings, and messages."""

import os
import tempfile
from unittest import mock

import transaction
from zope.component import getGlobalSiteManager, provideUtility
from zope.sendmail.delivery import QueuedMailDelivery
from zope.sendmail.interfaces import IMailDelivery

from waeup.kofa.configuration import MEGABYTE
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, upload

ADDRESS = "http://localhost/app/"


class AdministrationTestCase(FunctionalTestCase):
    """Has a browser in which an administrator has logged in."""

    role = "waeup.PortalManager"

    def setUp(self):
        super().setUp()
        self.browser = self.log_in(self.role, name="ann")

    def open(self, view):
        self.browser.open(ADDRESS + view)
        return self.browser

    def control(self, name):
        return self.browser.getControl(name=name)

    def press(self, name):
        self.control(name).click()

    def said(self, **figures):
        """Let the process say something until the end of the test."""
        process = getGlobalSiteManager().getUtility(IDataCenterConfig)
        for name, value in figures.items():
            process[name] = value
            self.addCleanup(process.pop, name, None)

    def log(self):
        with open(os.path.join(self.storage, "logs", "datacenter.log")) as stream:
            return stream.read()


class HubTest(AdministrationTestCase):
    """What there is to do."""

    def test_a_portal_manager_finds_all_tasks(self):
        self.open("administration")
        for text in ("Settings", "Users", "Mail templates", "Storage", "Maintenance", "System"):
            self.assertIn(text, self.browser.contents)

    def test_who_manages_users_finds_only_that(self):
        browser = self.log_in("waeup.UsersManager", name="bola")
        browser.open(ADDRESS + "administration")
        self.assertIn("/app/users", browser.contents)
        self.assertNotIn("/app/settings", browser.contents)

    def test_who_may_do_neither_is_refused(self):
        browser = self.log_in("waeup.ImportManager", name="carl")
        for view in ("administration", "settings", "mailtemplates", "mailtemplate?name=test"):
            browser.open(ADDRESS + view)
            self.assertTrue(browser.headers["status"].startswith("403"), view)


class SettingsTest(AdministrationTestCase):
    """The forms of the settings."""

    def test_the_name_of_the_portal_is_changed(self):
        self.open("settings")
        self.control("title").value = "Uni <Lagos>"
        self.control("time_zone").value = ["Africa/Lagos"]
        self.press("save")
        self.assertIn("The settings were saved.", self.browser.contents)
        self.assertIn("Uni &lt;Lagos&gt;", self.browser.contents)
        self.assertIn("Changed last by ann", self.browser.contents)
        self.assertIn("setting changed: title: 'WAeUP.Kofa' -> ", self.log())

    def test_a_limit_says_where_it_is_from(self):
        self.said(upload_limit=10 * MEGABYTE)
        self.open("settings?section=limits")
        self.assertIn("In force: 10, by the start of the server.", self.browser.contents)
        self.assertIn("In force: 50, as usual.", self.browser.contents)
        self.control("upload_megabytes").value = "5"
        self.press("save")
        self.assertEqual(self.control("upload_megabytes").value, "5")
        text = "Set here. If the field is empty, 10 is in force."
        self.assertIn(text, self.browser.contents)
        self.assertNotIn("by the start of the server", self.browser.contents)
        self.control("upload_megabytes").value = ""
        self.press("save")
        self.assertIn("In force: 10, by the start of the server.", self.browser.contents)

    def test_a_limit_above_the_server_s_is_told(self):
        self.said(upload_limit=10 * MEGABYTE)
        self.open("settings?section=limits")
        self.control("upload_megabytes").value = "11"
        self.press("save")
        self.assertIn("The start of the server allows 10 at most", self.browser.contents)
        self.assertEqual(self.control("upload_megabytes").value, "11")
        self.assertIsNone(self.site["configuration"].upload_megabytes)

    def test_a_limit_that_the_server_has_lowered_since_is_told(self):
        self.site["configuration"].upload_megabytes = 20
        transaction.commit()
        self.said(upload_limit=10 * MEGABYTE)
        self.open("settings?section=limits")
        self.assertIn("In force: 10. More than that", self.browser.contents)
        self.control("columns").value = "50"
        self.press("save")
        self.assertIn("The settings were saved.", self.browser.contents)

    def test_what_is_no_number_is_told_at_its_field(self):
        self.open("settings?section=limits")
        self.control("rows").value = "many"
        self.control("change_percent").value = "101"
        self.press("save")
        self.assertTrue(self.browser.headers["status"].startswith("400"))
        self.assertIn('id="rows-error"', self.browser.contents)
        self.control("rows").value = ""
        self.press("save")
        self.assertIn("the biggest value is 100", self.browser.contents)

    def test_of_two_administrators_at_once_the_second_is_told(self):
        other = self.log_in("waeup.PortalManager", name="bola")
        for browser in (self.browser, other):
            browser.open(ADDRESS + "settings?section=limits")
        other.getControl(name="rows").value = "500"
        other.getControl(name="save").click()
        self.control("columns").value = "50"
        self.press("save")
        self.assertTrue(self.browser.headers["status"].startswith("409"))
        self.assertIn("bola has changed these settings meanwhile", self.browser.contents)
        self.assertIn("Set now: 500.", self.browser.contents)
        self.assertEqual(self.site["configuration"].columns, None)
        self.control("rows").value = "500"
        self.press("save")
        self.assertIn("The settings were saved.", self.browser.contents)
        transaction.begin()
        config = self.site["configuration"]
        self.assertEqual((config.rows, config.columns), (500, 50))

    def test_a_change_of_another_section_is_in_nobody_s_way(self):
        other = self.log_in("waeup.PortalManager", name="bola")
        self.open("settings?section=limits")
        other.open(ADDRESS + "settings?section=mail")
        other.getControl(name="mail_from").value = "kofa@example.org"
        other.getControl(name="save").click()
        self.control("columns").value = "50"
        self.press("save")
        self.assertIn("The settings were saved.", self.browser.contents)

    def test_a_retention_that_deletes_is_confirmed(self):
        path = self.storage / "finished" / "old.create.finished.csv"
        path.write_text("code\nA\n")
        os.utime(path, (1, 1))
        self.open("settings?section=retention")
        self.control("finished_days").value = "30"
        self.press("save")
        self.assertIn("Nothing was saved yet.", self.browser.contents)
        self.assertIn("Finished files: 1", self.browser.contents)
        self.assertIsNone(self.site["configuration"].finished_days)
        self.press("confirm")
        self.assertIn("The settings were saved.", self.browser.contents)
        self.assertIn("What is deleted next", self.browser.contents)
        transaction.begin()
        self.assertEqual(self.site["configuration"].finished_days, 30)

    def test_an_unknown_section(self):
        self.open("settings?section=../x")
        self.assertTrue(self.browser.headers["status"].startswith("404"))

    def test_an_address_that_is_none(self):
        self.open("settings?section=mail")
        for wrong in ("ann", "a@b@c.de", "a b@example.org", "<a@example.org>"):
            self.control("mail_from").value = wrong
            self.press("save")
            self.assertIn("is no e-mail address", self.browser.contents, wrong)
        self.control("mail_from").value = "kofa@example.org"
        self.press("save")
        self.assertIn("The settings were saved.", self.browser.contents)


class MailTest(AdministrationTestCase):
    """Messages: what they say, which ones wait, a test."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.queue = os.path.join(folder.name, "queue")
        delivery = QueuedMailDelivery(self.queue)
        provideUtility(delivery, IMailDelivery)
        self.addCleanup(getGlobalSiteManager().unregisterUtility, delivery, IMailDelivery)
        self.said(mail_from="portal@example.org")

    def messages(self):
        folder = os.path.join(self.queue, "new")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        found = []
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as stream:
                found.append(stream.read())
        return found

    def set_address(self, address, **more):
        self.site["users"]["ann"].email = address
        for name, value in more.items():
            setattr(self.site["users"]["ann"], name, value)
        transaction.commit()

    def test_a_test_message_waits_visibly(self):
        self.open("settings?section=mail")
        self.press("test")
        self.assertIn("has no e-mail address", self.browser.contents)
        self.set_address("ann@example.org")
        self.press("test")
        self.assertIn("A message to ann@example.org is on its way.", self.browser.contents)
        self.assertIn("Messages that wait to be sent: 1", self.browser.contents)
        self.assertIn("WAeUP.Kofa: test message", self.browser.contents)
        (message,) = self.messages()
        self.assertIn("From: portal@example.org\n", message)

    def test_a_message_that_was_refused_is_told(self):
        self.set_address("ann@example.org")
        self.open("settings?section=mail")
        self.press("test")
        (name,) = os.listdir(os.path.join(self.queue, "new"))
        folder = os.path.join(self.queue, "new")
        os.rename(os.path.join(folder, name), os.path.join(folder, f".rejected-{name}"))
        self.open("settings?section=mail")
        self.assertIn("Messages that the mail server has refused: 1", self.browser.contents)
        self.press("again")
        self.assertIn("The message is on its way again.", self.browser.contents)
        self.assertEqual(os.listdir(folder), [name])
        self.assertNotIn('name="discard"', self.browser.contents)
        os.rename(os.path.join(folder, name), os.path.join(folder, f".rejected-{name}"))
        self.open("settings?section=mail")
        self.press("discard")
        self.assertIn("The message was discarded.", self.browser.contents)
        self.assertEqual(os.listdir(folder), [])
        self.browser.goBack()
        self.press("discard")
        self.assertIn("There is no refused message", self.browser.contents)

    def test_without_mail_it_is_said(self):
        getGlobalSiteManager().unregisterUtility(provided=IMailDelivery)
        self.set_address("ann@example.org")
        self.open("settings?section=mail")
        self.assertIn("Mail is not set up", self.browser.contents)
        self.press("test")
        self.assertIn("names a mail server", self.browser.contents)

    def test_a_template_is_changed_previewed_and_reset(self):
        self.set_address("ann@example.org")
        self.open("mailtemplates")
        self.open("mailtemplate?name=test&language=en")
        self.control("subject").value = "Hello ${user}"
        self.control("text").value = "This is ${portal}.\nBye"
        self.press("preview")
        self.assertIn("<b>Hello ann</b>", self.browser.contents)
        self.assertIn("This is WAeUP.Kofa.", self.browser.contents)
        self.press("save")
        self.assertIn("The message was saved.", self.browser.contents)
        self.open("mailtemplates")
        self.assertIn("(changed)", self.browser.contents)
        self.open("settings?section=mail")
        self.press("test")
        self.assertIn("Subject: Hello ann\n", self.messages()[0])
        self.open("mailtemplate?name=test&language=en")
        self.press("reset")
        self.assertIn("The message has its usual text again.", self.browser.contents)
        transaction.begin()
        self.assertEqual(dict(self.site["configuration"].letters), {})

    def test_a_name_that_nothing_stands_for_is_told(self):
        self.open("mailtemplate?name=test&language=en")
        for text in ("${password}", "${portal.users}", "${portal", "${}"):
            self.control("text").value = text
            self.press("save")
            self.assertIn('id="text-error"', self.browser.contents, text)
        self.assertEqual(dict(self.site["configuration"].letters), {})

    def test_of_two_administrators_at_once_the_second_is_told(self):
        other = self.log_in("waeup.PortalManager", name="bola")
        for browser in (self.browser, other):
            browser.open(ADDRESS + "mailtemplate?name=test&language=en")
        for browser, text in ((other, "by bola"), (self.browser, "by ann")):
            browser.getControl(name="text").value = text
            browser.getControl(name="save").click()
        self.assertIn("Somebody has changed this message meanwhile", self.browser.contents)
        self.assertEqual(self.control("text").value.strip(), "by ann")
        transaction.begin()
        self.assertEqual(self.site["configuration"].letters["test", "en"][1], "by bola")
        self.press("save")
        self.assertIn("The message was saved.", self.browser.contents)

    def test_a_message_or_language_that_is_none(self):
        for view in ("mailtemplate?name=x&language=en", "mailtemplate?name=test&language=xx"):
            self.open(view)
            self.assertTrue(self.browser.headers["status"].startswith("404"), view)

    def test_uploads_are_told_without_secrets(self):
        self.set_address("ann@example.org")
        officer = self.log_in("waeup.DataCenterManager", name="carl")
        upload(officer, ("plain.csv", b"code,title\nA1,Arts\n"))
        self.assertEqual(self.messages(), [])
        self.open("settings?section=mail")
        self.control("tell_uploads").value = ["yes"]
        self.press("save")
        upload(officer, ("users.csv", b"name,password\nzoe,very-secret\n"))
        (message,) = self.messages()
        self.assertIn("Subject: WAeUP.Kofa: users.csv uploaded\n", message)
        self.assertIn("name: zoe ...\npassword\n", message)
        self.assertIn("File: users_carl.csv\nRows: 1\n", message)
        self.assertNotIn("very-secret", message)

    def test_a_recipient_gets_it_in_the_own_language(self):
        self.set_address("ann@example.org", language="de")
        config = self.site["configuration"]
        config.letters = {("test", "de"): ("Probe für ${user}", "Guten Tag ${user}")}
        transaction.commit()
        self.open("settings?section=mail")
        self.press("test")
        (message,) = self.messages()
        self.assertIn("Content-Language: de\n", message)
        self.assertIn("Guten Tag ann", message)

    def test_no_header_can_be_added(self):
        self.set_address("ann@example.org")
        config = self.site["configuration"]
        config.acronym = "Uni\nBcc: eve@example.org"
        transaction.commit()
        self.open("settings?section=mail")
        self.press("test")
        (message,) = self.messages()
        self.assertIn("Subject: Uni Bcc: eve@example.org: test message\n", message)

    def test_a_file_comes_in_although_it_cannot_be_told(self):
        self.set_address("ann@example.org")
        self.site["configuration"].tell_uploads = True
        transaction.commit()
        failing = mock.patch.object(QueuedMailDelivery, "send", side_effect=OSError(28, "full"))
        with failing, self.assertLogs("waeup.kofa.notices", "ERROR"):
            upload(self.browser, ("plain.csv", b"code,title\nA1,Arts\n"))
        self.assertTrue((self.storage / "plain_ann.csv").exists())


class LayerTest(AdministrationTestCase):
    """The layer has an account for each test."""

    def test_a_post_without_token_changes_nothing(self):
        browser = FunctionalLayer.browser()
        browser.addHeader("Authorization", "Basic mgr:mgrpw")
        browser.post(ADDRESS + "settings?section=limits", "save=1&rows=5")
        self.assertTrue(browser.headers["status"].startswith("403"))
