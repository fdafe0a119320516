"""Webhooks from the command line, and by a portal that runs."""

import json
import signal
import socket
import unittest
from pathlib import Path
from queue import Queue
from typing import Any

from standardwebhooks.webhooks import Webhook

from waeup.kofa.tests.cli.shell import PortalLayer, kofactl, running
from waeup.kofa.tests.webhooks.receiver import Receiver, Request, answer

ADDRESS = "https://receiver.example/hook"
#: Seconds after which a test gives up.
PATIENCE = 60


class WebhooksCase(unittest.TestCase):
    layer = PortalLayer

    def json(self, *arguments: str) -> Any:
        answer = kofactl("webhooks", *arguments, "--json")
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        return json.loads(answer.out)

    def add(self, *arguments: str) -> tuple[str, str]:
        """Add a webhook; return id and secret."""
        made = self.json("add", *arguments)
        return str(made["id"]), str(made["secret"])


class Commands(WebhooksCase):
    def test_the_secret_alone_is_on_the_standard_output(self) -> None:
        answer = kofactl("webhooks", "add", ADDRESS)
        self.assertRegex(answer.out, r"^whsec_[A-Za-z0-9+/]{43}=\n$")
        self.assertRegex(answer.err, "^The webhook [0-9a-f]{16} was added. .* only now.\n$")
        (found,) = self.json()
        answer = kofactl("webhooks", "secret", found["id"])
        self.assertRegex(answer.out, r"^whsec_[A-Za-z0-9+/]{43}=\n$")
        self.assertRegex(answer.err, "has a new secret")
        self.assertNotIn("whsec_", kofactl("webhooks", "show", found["id"]).out)

    def test_changes(self) -> None:
        id, _secret = self.add(ADDRESS, "--kind", "import", "--outcome", "stopped")
        (found,) = self.json()
        self.assertEqual((found["kinds"], found["outcomes"]), (["import"], ["stopped"]))
        changed = self.json("change", id, "--event", "file.arrived", "--all-runs", "--off")
        self.assertEqual(
            (changed["events"], changed["kinds"], changed["outcomes"], changed["state"]),
            (["file.arrived"], [], [], "off"),
        )
        self.assertEqual(self.json("show", id), changed)
        self.assertEqual(kofactl("webhooks", "change", id, "--title", "New", "--on").code, 0)
        self.assertIn("New", kofactl("webhooks").out)
        self.assertEqual(kofactl("webhooks", "remove", id).code, 0)
        self.assertEqual(self.json(), [])

    def test_messages(self) -> None:
        id, _secret = self.add(ADDRESS)
        sent = self.json("test", id)
        self.assertEqual(self.json("messages", id), [sent])
        self.assertEqual(kofactl("webhooks", "again", sent["id"]).code, 0)
        self.assertIn(sent["id"], kofactl("webhooks", "messages", id).out)

    def test_who_has_made_it(self) -> None:
        id, _secret = self.add(ADDRESS)
        (found,) = self.json()
        self.assertEqual((found["made_by"], found["made_with"]), (found["owner"], ""))
        self.assertIn("Made by", kofactl("webhooks").out)
        self.assertIn("Made by", kofactl("webhooks", "show", id).out)

    def test_what_is_not_there(self) -> None:
        for words in (["show", "x"], ["messages", "x"], ["again", "x"], ["add", "x"]):
            answer = kofactl("webhooks", *words)
            self.assertEqual((answer.code, answer.out), (2, ""))
            self.assertIn("Error: ", answer.err)


class Portals(WebhooksCase):
    """A portal that runs tells a receiver."""

    def test_an_import_is_told_and_tried_again(self) -> None:
        came: Queue[int] = Queue()

        def fail(sock: socket.socket) -> None:
            answer("500 Broken", b"not now")(sock)
            came.put(500)

        def succeed(sock: socket.socket) -> None:
            answer()(sock)
            came.put(200)

        Path("var", "kofa.conf").write_text("<webhooks>\n  allow 127.0.0.0/8\n</webhooks>\n")
        Path("f.csv").write_text("code,title\nSCI,Science\n")
        with (
            Receiver(fail, succeed, is_https=False) as receiver,
            running() as portal,
        ):
            id, secret = self.add(receiver.url(host="127.0.0.1"), "--event", "run.finished")
            done = kofactl("import", "f.csv", "-p", "facultyprocessor", "-m", "create", "--json")
            self.assertEqual(done.code, 0, done)
            self.assertEqual(came.get(timeout=PATIENCE), 500)
            (message,) = self.json("messages", id)
            # Nobody wants to wait for ten seconds.
            self.json("again", message["id"])
            self.assertEqual(came.get(timeout=PATIENCE), 200)
            first, second = receiver.requests
            told = self.told(first, secret)
            self.assertEqual(self.told(second, secret), told)
            self.assertEqual(
                (told["type"], told["data"]["kind"], told["data"]["state"]),
                ("run.finished", "import", "finished"),
            )
            self.assertEqual(told["id"], message["id"])
            self.assertEqual(portal.stop(signal.SIGTERM)[0], 0)
        (message,) = self.json("messages", id)
        self.assertEqual(
            (message["state"], message["status"], message["answer"]), ("delivered", 200, "thanks")
        )
        for path in Path("var").rglob("*.log"):
            self.assertNotIn(secret.removeprefix("whsec_"), path.read_text())

    def told(self, request: Request, secret: str) -> dict[str, dict[str, str]]:
        """Return a message whose signature is right."""
        found: dict[str, dict[str, str]] = Webhook(secret).verify(request.body, request.headers)
        return found
