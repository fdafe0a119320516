"""Commands while a portal runs: it carries them out, and tells what they ask for."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import unittest
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from unittest import mock

from waeup.kofa.api import sockets, wire
from waeup.kofa.api.local import LocalServer
from waeup.kofa.cli import session
from waeup.kofa.cli.instance import Instance
from waeup.kofa.errors import NotUnderstood
from waeup.kofa.tests.cli.client import Client
from waeup.kofa.tests.cli.far import Far, new_token, served
from waeup.kofa.tests.cli.shell import (
    KOFACTL,
    Answer,
    PortalLayer,
    environment,
    kofactl,
    process,
    running,
)
from waeup.kofa.tests.waiting import begun, joined

FACULTIES = "code,title\nSCI,Science\nART,Arts\n"
KIND = ("-p", "facultyprocessor", "-m", "create")


def told(answer: Answer) -> tuple[int, str, str]:
    """Return what an answer says, but for times, ids, and the directory of the test."""

    def same(text: str) -> str:
        text = re.sub(r"in \d+\.\d s", "in 0.0 s", text)
        text = re.sub(r'"(seconds|rate)": [\d.]+', r'"\1": 0.0', text)
        text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?", "2000-01-01", text)
        text = re.sub(r"\b[0-9a-f]{16}\b", "0123456789abcdef", text)
        text = re.sub(r"\b(kofa_)?[0-9a-f]{12}(_[0-9a-f]{64})?\b", r"\g<1>0123456789ab", text)
        return text.replace(os.getcwd(), "/test")

    return answer.code, same(answer.out), same(answer.err)


class BesideCase(unittest.TestCase):
    layer = PortalLayer

    def setUp(self) -> None:
        Path("f.csv").write_text(FACULTIES)

    def ask(self, *arguments: str) -> object:
        """Return what a command says to programs."""
        answer = kofactl(*arguments, "--json")
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        return json.loads(answer.out)

    def names(self) -> list[str]:
        found = json.loads(kofactl("ls", "--json").out)
        return [item["name"] for item in found]


class CommandTests(BesideCase):
    def commands(self) -> Iterator[Answer]:
        """Generate the answers of commands of every kind, good ones and refused ones."""
        yield kofactl("put", "f.csv", "f.csv")
        yield kofactl("put", "f.csv", "nosuch.csv", "--json")
        yield kofactl("import", "f_admin.csv", *KIND)
        yield kofactl("import", "./f.csv", *KIND)
        yield kofactl("import", "f_admin-2.csv", *KIND, "--map", "nosuch=code")
        yield kofactl("import", "./f.csv", *KIND, "--ignore", "title")
        yield kofactl("import", "f_admin-2.csv", "-p", "userprocessor", "-m", "create")
        yield kofactl(
            *("import", "f_admin-2.csv", "-p", "userprocessor", "-m", "create"),
            *("--set", "password=Secret-1"),
        )
        yield kofactl(
            *("users", "add", "bola", "--title", "B", "--role", "waeup.DataCenterManager"),
            stdin="a long password\n",
        )
        yield kofactl("users", "password", "bola", stdin="short\n")
        yield kofactl("users", "password", "bola", "--json", stdin="another password\n")
        yield kofactl("users", "roles", "bola", "waeup.ImportManager")
        yield kofactl("users", "change", "bola", "--title", "Bola Ade", "--language", "de")
        yield kofactl("users", "change", "bola", "--language", "xx")
        yield kofactl("users", "suspend", "bola")
        yield kofactl("users", "suspend", "admin")
        yield kofactl("users", "resume", "bola")
        yield kofactl("users", "logout", "bola")
        yield kofactl("users", "show", "bola", "--json")
        yield kofactl("tokens", "add", "x", "--scope", "import", "--user", "bola", "--json")
        yield kofactl("tokens", "list", "--of", "bola")
        yield kofactl("tokens", "add", "x", "--scope", "all")
        yield kofactl("tokens", "revoke", "0123456789ab")
        yield kofactl("uploads", "--json")
        yield kofactl("uploads", "drop", "0" * 32)
        yield kofactl("users", "roles", "bola", "--none", "--user", "bola")
        yield kofactl("put", "f.csv", "--user", "nobody")
        yield kofactl("users", "remove", "bola")
        os.mkdir("new")
        yield kofactl("storage", "nowhere")
        yield kofactl("storage", "var/filestorage")
        yield kofactl("storage", "new")
        yield kofactl("storage", "var/datacenter")
        yield kofactl("storage", "new", "--move", "--json")
        yield kofactl("ls")
        Path("new").rename("away")
        yield kofactl("put", "f.csv")
        Path("away").rename("new")

    def run_commands(self) -> Iterator[Answer]:
        """Generate the answers of commands that are about runs."""

        def newest() -> str:
            return str(json.loads(kofactl("runs", "--json").out)[0]["id"])

        yield kofactl("runs")
        yield kofactl("check", "./f.csv", *KIND, "--rows", "1")
        yield kofactl("import", "f_admin.csv", *KIND, "--check", newest())
        id = newest()
        yield kofactl("runs", id)
        yield kofactl("undo", id, "--check")
        yield kofactl("undo", id, "--check", "--json")
        Path("g.csv").write_text("code,title\nART,Changed\nNEW,New\n")
        yield kofactl("import", "./g.csv", "-p", "facultyprocessor", "-m", "update")
        yield kofactl("undo", id)
        yield kofactl("undo", id)
        yield kofactl("runs", id)
        yield kofactl("resume", id)
        yield kofactl("cancel", id)
        yield kofactl("cancel", "nosuch")
        rows = "".join(f"F{number},Faculty {number}\n" for number in range(30))
        Path("h.csv").write_text("code,title\n" + rows)
        yield kofactl("import", "./h.csv", "-p", "facultyprocessor", "-m", "upsert")
        yield kofactl(
            *("import", "./h.csv", "-p", "facultyprocessor", "-m", "upsert"),
            *("--skip-unchanged", "--json"),
        )
        remove = ("-p", "facultyprocessor", "-m", "remove")
        yield kofactl("check", "./h.csv", *remove, "--json")
        yield kofactl("import", "./h.csv", *remove)
        yield kofactl("import", "./h.csv", *remove, "--yes-remove", "30")
        yield kofactl("recover")
        Path("var/datacenter/h_admin.csv").write_text("code,title\nXX,Somebody\n")
        yield kofactl("recover", "--verify")
        yield kofactl("recover", "--json")
        yield kofactl("runs")
        yield kofactl("runs", "--json", "--limit", "3")
        yield kofactl("runs", "nosuch")
        yield kofactl("runs", id, "--rows")

    def looks(self) -> Iterator[Answer]:
        """Generate the answers of commands that only read."""
        kofactl("put", "f.csv", "f.csv")
        kofactl("import", "f_admin.csv", *KIND)
        kofactl("check", "f_admin-2.csv", *KIND, "--save-mapping", "mine")
        for form in ((), ("--json",)):
            yield kofactl("ls", *form)
            yield kofactl("ls", "--lines", *form)
            yield kofactl("ls", "finished", *form)
            yield kofactl("ls", "finished", "--lines", *form)
            yield kofactl("ls", "deleted", *form)
            yield kofactl("users", "list", *form)
            yield kofactl("users", "show", "admin", *form)
            yield kofactl("users", "roles", *form)
            yield kofactl("tokens", "list", *form)
            yield kofactl("uploads", *form)
            yield kofactl("tokens", "list", "--of", "admin", *form)
            yield kofactl("mappings", "facultyprocessor", *form)
            yield kofactl("mappings", "facultyprocessor", "mine", *form)
            yield kofactl("figures", *form)
            yield kofactl("history", "facultyprocessor", "ART", *form)
            yield kofactl("processors", *form)
            yield kofactl("processors", "studentprocessor", *form)
            yield kofactl("template", "studentprocessor", *form)
            yield kofactl("exporters", *form)
            yield kofactl("exporters", "students", *form)
        yield kofactl("history", "facultyprocessor", "NONE")
        yield kofactl("mappings", "facultyprocessor", "nosuch")
        yield kofactl("processors", "nosuch")
        yield kofactl("exporters", "nosuch")
        yield kofactl("users", "show", "nobody")
        yield kofactl("ls", "--user", "nobody")
        os.rename("var/datacenter", "away")
        yield kofactl("ls")
        os.rename("away", "var/datacenter")

    def test_commands_say_the_same_beside_a_portal_elsewhere_and_alone(self) -> None:
        self.compare(self.commands)

    def test_commands_about_runs_say_the_same_beside_a_portal_elsewhere_and_alone(self) -> None:
        self.compare(self.run_commands)

    def test_commands_that_read_say_the_same_beside_a_portal_elsewhere_and_alone(self) -> None:
        self.compare(self.looks, codes={0, 2})

    def compare(
        self, commands: Callable[[], Iterator[Answer]], codes: Collection[int] = (0, 1, 2)
    ) -> None:
        with running() as portal:
            beside = [told(answer) for answer in commands()]
            self.assertEqual(portal.stop(signal.SIGTERM), (0, "The portal was stopped.\n"))
        self.begin_anew("far")
        with served() as portal:
            far = Far(portal.url, new_token(), Path.cwd())
            with mock.patch.dict(globals(), kofactl=far.mixed):
                elsewhere = [answer and told(answer) for answer in commands()]
            self.assertEqual(portal.stop(signal.SIGTERM)[0], 0)
        self.begin_anew("../alone")
        kofactl("run", "--setup-only")
        alone = [told(answer) for answer in commands()]
        self.assertEqual({code for code, _, _ in alone}, {*codes})
        for number, (one, two, other) in enumerate(zip(beside, elsewhere, alone, strict=True)):
            with self.subTest(number=number, other=other):
                self.assertEqual(one, other)
                if two is not None:
                    self.assertEqual(two, other)

    def begin_anew(self, folder: str) -> None:
        """Go to a new folder in which there is no portal."""
        os.mkdir(folder)
        os.chdir(folder)
        self.setUp()

    def test_what_a_command_did_is_seen_at_once(self) -> None:
        with running() as portal:
            self.assertEqual(process("put", "f.csv").code, 0)
            self.assertEqual(self.names(), ["f_admin.csv"])
            self.assertEqual(process("import", "f_admin.csv", *KIND).code, 0)
            self.assertEqual(self.names(), [])
            told = process("users", "password", "admin", "--generate").out
            password = re.findall(r"The password is (\S+)", told)[0]
            client = Client(portal.url)
            self.assertEqual(client.log_in("admin", password).status, 200)
            self.assertIn(
                "f_admin.create.finished.csv", client.get("/kofa/datacenter/processed").text
            )

    def test_several_commands_at_once(self) -> None:
        with running():
            commands = []
            for number in range(5):
                Path(f"g{number}.csv").write_text(FACULTIES)
                commands.append(
                    subprocess.Popen(
                        [*KOFACTL, "put", f"g{number}.csv", "f.csv"],
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        text=True,
                        env=environment(),
                    )
                )
            for command in commands:
                out, _ = command.communicate(timeout=120)
                self.assertEqual(command.returncode, 0, out)
            self.assertEqual(len(self.names()), 10)

    def test_limits_are_those_of_the_portal(self) -> None:
        with running("--max-rows", "1"):
            answer = kofactl("put", "f.csv")
            self.assertEqual((answer.code, answer.out), (2, ""), answer)
        self.assertEqual(self.names(), [])

    def test_a_deep_instance_directory(self) -> None:
        var = os.path.join("d" * 90, "e" * 90, "var")
        with running("--var", var):
            self.assertEqual(process("put", "f.csv", "--var", var).code, 0)
            self.assertTrue(Path(var, "portal.sock").is_socket())


class SilentTests(BesideCase):
    """What can be read needs no portal that answers."""

    @contextmanager
    def portal(self, answer: bytes | None) -> Iterator[None]:
        """Have somebody at the socket who gives this answer to all; None: who keeps silent."""
        waiting = []
        with sockets.listen(Path("var/portal.sock")) as listener:

            def attend() -> None:
                with suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        if answer is None:
                            waiting.append(connection)
                            continue
                        with connection, suppress(OSError):
                            if sockets.receive(connection) and answer:
                                sockets.send(connection, answer)

            thread = begun(attend)
            try:
                yield
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                joined(thread)
                for connection in waiting:
                    connection.close()
        os.unlink("var/portal.sock")

    def check(self) -> None:
        """Commands say what they say without a portal, those of several questions, too."""
        self.assertEqual(self.names(), ["f_admin.csv"])
        for command in (("ls", "finished"), ("figures",), ("users", "show", "nobody")):
            with self.subTest(command):
                self.assertEqual(kofactl(*command), self.alone[command])

    def setUp(self) -> None:
        super().setUp()
        for _time in range(2):
            kofactl("put", "f.csv")
        kofactl("import", "f_admin-2.csv", *KIND)
        self.alone = {
            command: kofactl(*command)
            for command in (("ls", "finished"), ("figures",), ("users", "show", "nobody"))
        }

    def test_a_portal_that_ends(self) -> None:
        with self.portal(b""):
            self.check()

    def test_a_portal_that_hangs(self) -> None:
        with self.portal(None), mock.patch.object(session, "READING_PATIENCE", 0.2):
            self.check()

    def test_a_portal_that_hangs_and_has_many_waiting(self) -> None:
        path = Path("var/portal.sock")
        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(session, "READING_PATIENCE", 0.2))
            with mock.patch.object(sockets, "BACKLOG", 0):
                stack.enter_context(sockets.listen(path))
            stack.enter_context(sockets.connect(path))
            self.check()
        path.unlink()

    def test_a_portal_of_another_release(self) -> None:
        for answer in (
            wire.encode_error(NotUnderstood("There is no such operation.")),
            wire.encode_error(TypeError("It takes no such argument.")),
            b'{"value": {"operations.values.StoredFile": {"name": "f.csv"}}}',
            b"Hello",
        ):
            with self.subTest(answer=answer), self.portal(answer):
                self.check()

    def test_an_answer_that_is_too_large(self) -> None:
        instance = Instance(Path("var"))
        with (
            instance.database(write=True) as database,
            LocalServer(database, "/kofa", instance.socket),
            mock.patch.object(sockets, "LIMIT", 200),
        ):
            self.check()


class WaitTests(BesideCase):
    """Who holds the database takes no commands, or not yet."""

    def put_when(self, change: Callable[[], object]) -> Answer:
        """Put a file; a moment later something changes."""
        later = threading.Timer(0.4, change)
        later.start()
        with mock.patch.object(session, "PATIENCE", 60):
            answer = kofactl("put", "f.csv")
        joined(later)
        return answer

    def test_a_portal_that_is_being_started_is_waited_for(self) -> None:
        instance = Instance(Path("var"))
        with ExitStack() as stack:
            database = stack.enter_context(instance.database(write=True))
            answer = self.put_when(
                lambda: stack.enter_context(LocalServer(database, "/kofa", instance.socket))
            )
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertEqual(self.names(), ["f_admin.csv"])

    def test_a_process_that_ends_soon_is_waited_for(self) -> None:
        with ExitStack() as stack:
            stack.enter_context(Instance(Path("var")).database(write=True))
            answer = self.put_when(stack.close)
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertEqual(self.names(), ["f_admin.csv"])

    def test_others_are_not_waited_for_long(self) -> None:
        with (
            mock.patch.object(session, "PATIENCE", 0.3),
            Instance(Path("var")).database(write=True),
        ):
            answer = kofactl("put", "f.csv")
            self.assertEqual((answer.code, answer.out), (2, ""))
            self.assertRegex(answer.err, "held by process .* and repeat the command")

    def test_where_no_socket_can_be_made_the_portal_runs_all_the_same(self) -> None:
        Path("var/portal.sock").write_text("a letter")
        with running() as portal:
            self.assertIn("portal.sock cannot be made", "\n".join(portal.said))
            self.assertEqual(Client(portal.url).get("/kofa/login").status, 200)
            answer = process("put", "f.csv")
            self.assertEqual((answer.code, answer.out), (2, ""))
            self.assertIn(f"held by process {portal.server.pid} (kofactl run) since", answer.err)
            self.assertEqual(portal.stop(signal.SIGTERM)[0], 0)
        self.assertEqual(Path("var/portal.sock").read_text(), "a letter")
