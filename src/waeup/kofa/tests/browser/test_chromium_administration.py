"""What administrators see in a browser: settings, messages, and a move that is watched."""

import os
import shutil
import tempfile
import threading
from typing import Any
from unittest import mock

import transaction
from zope.component import getGlobalSiteManager, provideUtility
from zope.sendmail.delivery import QueuedMailDelivery
from zope.sendmail.interfaces import IMailDelivery

from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.spool import StorageMove
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase, engine_at_work
from waeup.kofa.tests.functional import FunctionalLayer


class AdministrationInChromium(ChromiumTestCase):
    """An administrator with a root for storages, and with mail."""

    def setUp(self) -> None:
        super().setUp()
        account = FunctionalLayer.add_user("ann", "waeup.PortalManager")
        account.email = "ann@example.org"
        transaction.commit()
        self.root = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.target = os.path.join(self.root, "center")
        process: Any = getGlobalSiteManager().getUtility(IDataCenterConfig)
        for name, value in (
            ("storage_roots", (self.root,)),
            ("mail_from", "portal@example.org"),
        ):
            process[name] = value
            self.addCleanup(process.pop, name, None)
        delivery = QueuedMailDelivery(os.path.join(self.root, "queue"))
        provideUtility(delivery, IMailDelivery)
        self.addCleanup(getGlobalSiteManager().unregisterUtility, delivery, IMailDelivery)
        self.store("a.csv")
        path = self.storage / "finished" / "old.create.finished.csv"
        path.write_text("code\nA\n")
        os.utime(path, (1, 1))
        self.log_in_as("ann")

    def show(self, view: str) -> None:
        """Show a page of the portal."""
        self.window.get(f"{self.address}/app/{view}")

    def test_pages_bar_nobody(self) -> None:
        for view in (
            "administration",
            "settings",
            "settings?section=limits",
            "settings?section=retention",
            "settings?section=mail",
            "mailtemplates",
            "mailtemplate?name=ended&language=en",
            "datacenter/manage",
        ):
            self.show(view)
            self.look(view)
        self.show("settings?section=mail")
        self.press("test")
        self.look("mail, a message waits")
        folder = os.path.join(self.root, "queue", "new")
        for name in os.listdir(folder):
            os.rename(os.path.join(folder, name), os.path.join(folder, f".rejected-{name}"))
        self.show("settings?section=mail")
        self.look("mail, a message was refused")
        self.show("settings?section=limits")
        self.find("#upload_megabytes").send_keys("0")
        self.find("#rows").send_keys("0")
        self.window.execute_script(
            "document.querySelectorAll('input').forEach(i => i.removeAttribute('min'))"
        )
        self.press("save")
        self.look("limits, wrong")
        self.show("settings?section=retention")
        self.find("#finished_days").send_keys("30")
        self.press("save")
        self.assertIn("Nothing was saved yet.", self.text)
        self.look("retention, question")
        self.show("mailtemplate?name=ended&language=en")
        self.find("#subject").send_keys("${nothing}")
        self.press("save")
        self.look("message, wrong")
        self.assertEqual(self.complaints_of_script(), [])

    def complaints_of_script(self) -> list[str]:
        """Return what the browser did not like, but for answers that say what is wrong."""
        return [text for text in self.complaints() if "status of 400" not in text]

    def test_a_move_is_watched_to_its_end(self) -> None:
        gate, real = threading.Event(), StorageMove.place
        self.more.callback(gate.set)

        def place(move: StorageMove) -> list[str]:
            gate.wait(30)
            return real(move)

        self.more.enter_context(mock.patch.object(StorageMove, "place", place))
        self.show("datacenter/manage")
        self.find("#newpath").send_keys(self.target)
        self.press("save")
        self.assertIn("Waits to begin.", self.text)
        self.look("move, waiting")
        self.more.enter_context(engine_at_work())
        self.wait_for("Running")
        self.look("move, running")
        gate.set()
        self.wait_for("New storage path successfully set")
        self.look("move, done")
        self.assertIn("a.csv", os.listdir(self.target))
        self.press("ask_remove")
        self.look("former storage, question")
        self.press("remove")
        self.assertIn("was removed", self.text)
        self.assertEqual(self.complaints_of_script(), [])
