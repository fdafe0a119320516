"""``kofactl --url``: commands on a portal elsewhere, and lines to it that break."""

import gzip
import hashlib
import json
import os
import signal
import socket
import subprocess
import time
import unittest
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

from waeup.kofa.api import client, connection, followed, sending
from waeup.kofa.cli.elsewhere import LOCAL
from waeup.kofa.cli.program import kofactl as program
from waeup.kofa.cli.settings import Settings
from waeup.kofa.tests.cli.far import (
    CERTIFICATE,
    Far,
    FarLayer,
    Line,
    Said,
    new_token,
    playing,
    served,
)
from waeup.kofa.tests.cli.shell import (
    KOFACTL,
    Answer,
    CommandLayer,
    PortalLayer,
    environment,
    kofactl,
)
from waeup.kofa.tests.cli.slow import SLOW, SLOWER
from waeup.kofa.tests.cli.test_help import commands
from waeup.kofa.tests.cli.test_start import loaded
from waeup.kofa.tests.waiting import PATIENCE, beside

#: Commands that work on a portal elsewhere; all others are in `LOCAL`, with the reason.
REMOTE = {
    *("put", "ls", "rm", "restore", "purge", "uploads", "uploads list", "uploads drop"),
    *("preview", "check", "import", "runs", "cancel", "resume", "undo", "history"),
    *("export", "exporters", "processors", "template", "mappings"),
    *("logs", "figures", "settings", "maintenance", "system", "storage", "recover", "pack"),
    *("users", "users list", "users show", "users add", "users change", "users roles"),
    *("users suspend", "users resume", "users remove"),
    *("tokens", "tokens list"),
    *("webhooks", "webhooks list", "webhooks show", "webhooks add", "webhooks change"),
    *(
        "webhooks secret",
        "webhooks test",
        "webhooks messages",
        "webhooks again",
        "webhooks remove",
    ),
}
KIND = ("-p", "facultyprocessor", "-m", "create")
TOKEN = "kofa_" + "0" * 12 + "_" + "0" * 64


class TableTests(unittest.TestCase):
    """Each command works on a portal elsewhere, or says why not."""

    layer = CommandLayer

    def test_each_command_is_of_one_kind(self) -> None:
        known = {words.partition(" ")[2] for words, _ in commands(program)}
        self.assertEqual(known - REMOTE - set(LOCAL), set())
        self.assertEqual((REMOTE | set(LOCAL)) - known, set())
        self.assertEqual(REMOTE & set(LOCAL), set())

    def test_commands_of_this_machine_refuse_and_say_why(self) -> None:
        needed = {
            "scaffold": ["x"],
            "migrate": ["--to", "x.conf"],
            "restore-backup": ["x"],
            "users password": ["x"],
            "users logout": ["x"],
            "tokens add": ["x", "--scope", "read"],
            "tokens revoke": ["x"],
        }
        for command, reason in LOCAL.items():
            with self.subTest(command):
                answer = kofactl(
                    *command.split(), *needed.get(command, []), "--url", "https://kofa.example"
                )
                self.assertEqual((answer.code, answer.out), (2, ""))
                self.assertEqual(
                    answer.err,
                    f"Error: `kofactl {command}` cannot be used with --url. {reason}\n",
                )

    def test_lines_of_files_elsewhere_are_not_counted(self) -> None:
        answer = kofactl("ls", "--lines", "--url", "https://kofa.example", "--token", TOKEN)
        self.assertEqual(answer.code, 2)
        self.assertIn("--lines reads the files, which are not here", answer.err)


class OptionTests(unittest.TestCase):
    layer = CommandLayer

    def refused(self, words: str, *arguments: str, **variables: str) -> None:
        with mock.patch.dict(os.environ, variables):
            answer = kofactl("ls", *arguments)
        self.assertEqual((answer.code, answer.out), (2, ""), answer)
        self.assertRegex(answer.err, words)
        self.assertNotIn(TOKEN, answer.err)

    def test_options_that_do_not_fit_are_refused(self) -> None:
        url = ("--url", "https://kofa.example")
        self.refused("--user cannot be used with --url: the token says who", *url, "--user", "x")
        self.refused("--var names a portal of this machine", *url, "--var", "x")
        self.refused("--config names a portal of this machine", *url, "--config", "x")
        self.refused("both say who acts", *url, "--token", TOKEN, "--token-file", "x")
        self.refused("A token is for a portal elsewhere", "--token", TOKEN)
        self.refused(
            "--user cannot be used with KOFA_URL.*`kofactl --url ''`",
            *("--user", "x"),
            KOFA_URL=url[1],
        )
        self.refused("KOFA_VAR names .* and KOFA_URL one elsewhere", KOFA_URL=url[1], KOFA_VAR="x")

    def test_the_command_line_counts_more_than_the_environment(self) -> None:
        url = "https://kofa.example"
        self.refused("no portal in .*nowhere", "--var", "nowhere", KOFA_URL=url)
        self.refused("no portal in .*var", "--url", "", KOFA_URL=url)
        self.refused("Who acts at https://kofa.example", "--url", url, KOFA_VAR="x")

    def test_who_acts_has_to_be_said_by_a_token(self) -> None:
        url = ("--url", "https://kofa.example")
        self.refused("Who acts at https://kofa.example.*--token-file", *url)
        self.refused("nowhere with the token cannot be read", *url, "--token-file", "nowhere")
        for text in ("secret", "kofa_1 2", "kofa_\x07", "kofa_\u00e4"):
            with self.subTest(text):
                self.refused("What was given as the token is none", *url, "--token", text)
                self.refused("What was given as the token is none", *url, KOFA_TOKEN=text)

    def test_addresses_that_are_none_or_tell_the_token(self) -> None:
        token = ("--token", TOKEN)
        for url in ("kofa.example", "ftp://kofa.example", "https://", "http://[", "https://a b"):
            with self.subTest(url):
                self.refused("is no address of a portal", "--url", url, *token)
        for url in ("https://me@kofa.example", "https://kofa.example?x=1"):
            with self.subTest(url):
                self.refused("neither a user nor a query", "--url", url, *token)
        self.refused("is not encrypted.*--insecure-http", "--url", "http://kofa.example", *token)
        self.refused("no file x with certificates", *token, "--url", "https://x", "--ca-file", "x")

    def test_addresses_that_are_right(self) -> None:
        for url, base in {
            "https://kofa.example/": "https://kofa.example",
            "https://kofa.example/portal": "https://kofa.example/portal",
            "https://kofa.example/api/v1/": "https://kofa.example",
            "http://127.0.0.1:8080": "http://127.0.0.1:8080",
            "http://[::1]:8080/": "http://[::1]:8080",
            "http://localhost": "http://localhost",
        }.items():
            with self.subTest(url):
                self.assertEqual(connection.base_of(url), base)
        self.assertEqual(connection.base_of("http://x", insecure_http=True), "http://x")

    def test_a_token_is_not_in_what_settings_look_like(self) -> None:
        self.assertNotIn(TOKEN, repr(Settings(token=TOKEN)))


class FarCase(unittest.TestCase):
    layer = FarLayer

    def setUp(self) -> None:
        self.far = FarLayer.far
        for name, seconds in {
            "PAUSE": 0.01,
            "LONGEST_PAUSE": 0.1,
            "FIRST_PATIENCE": 0.01,
            "PATIENCE": 5,
        }.items():
            patched = mock.patch.object(connection, name, seconds)
            patched.start()
            self.addCleanup(patched.stop)
        Path("f.csv").write_text("code,title\nSCI,Science\nART,Arts\n")

    def ask(self, *arguments: str) -> Any:
        """Return what a command says to programs."""
        answer = self.far(*arguments, "--json")
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        return json.loads(answer.out)

    def through(self, line: Line) -> Far:
        """Return commands that go through a line."""
        return Far(line.url, self.far.token, Path.cwd())

    def with_token(self, token: str, url: str = "") -> Far:
        return Far(url or self.far.url, token, Path.cwd())

    def assert_says(self, answer: Answer, code: int, words: str) -> None:
        self.assertEqual((answer.code, answer.out), (code, ""), answer)
        self.assertRegex(answer.err, words)
        self.assertNotIn(self.far.token, answer.err)

    def files(self, name: str) -> list[str]:
        return [item["name"] for item in self.ask("ls") if item["name"].startswith(name)]


class WaysTests(FarCase):
    """Options, tokens and rights."""

    def test_the_token_from_anywhere(self) -> None:
        url = ("--url", self.far.url)
        expected = self.far("ls", "finished")
        self.assertEqual(expected.code, 0)
        self.assertEqual(kofactl("ls", "finished", *url, "--token", self.far.token), expected)
        self.assertEqual(kofactl(*self.far.options, "ls", "finished"), expected)
        with mock.patch.dict(os.environ, KOFA_URL=self.far.url, KOFA_TOKEN=self.far.token):
            self.assertEqual(kofactl("ls", "finished"), expected)
        self.assertFalse(Path("var").exists())

    def test_a_wrong_token(self) -> None:
        self.assert_says(
            self.with_token(TOKEN)("ls"), 2, "does not take the token: it is mistyped, revoked"
        )

    def test_a_token_without_the_scope(self) -> None:
        with self.at_home():
            token = new_token("read")
        reader = self.with_token(token)
        self.assertEqual(reader("ls").code, 0)
        self.assert_says(reader("put", "f.csv"), 2, "^Error: .*token")
        self.assertEqual(self.files("f_"), [])
        # What it may read is exported, too.
        self.assertEqual(reader("export", "users", "-o", "users.csv").code, 0)

    def test_what_the_portal_refuses_is_told_as_it_is_here(self) -> None:
        self.assert_says(self.far("runs", "nosuch"), 2, "^Error: There is no run 'nosuch'")
        self.assert_says(self.far("users", "show", "nobody"), 2, "nobody")
        Path("empty.csv").write_text("")
        self.assert_says(self.far("put", "empty.csv"), 2, "empty")
        self.assert_says(
            self.far("settings", "--set", "upload_megabytes=500"), 2, "allows 200 at most"
        )

    def test_commands_that_are_nowhere_else_compared(self) -> None:
        self.assertEqual(self.ask("maintenance"), None)
        found = self.ask("system")
        self.assertEqual(found["database_kind"], "FileStorage")
        self.assertEqual(found["workers"]["alive"], 2)
        self.assertEqual(self.ask("storage")["path"], str(Path(FarLayer.home, "var/datacenter")))
        self.assert_says(self.far("storage", "/tmp"), 2, "^Error: ")
        self.assertEqual(set(self.ask("pack")), {"to", "bytes_before", "bytes_after"})
        self.assertEqual([each["user"] for each in self.ask("tokens")][:1], ["admin"])
        added = self.ask("webhooks", "add", "https://example.org/kofa", "--event", "run.finished")
        (webhook,) = self.ask("webhooks")
        self.assertEqual(webhook["address"], "https://example.org/kofa")
        self.assertEqual((webhook["made_by"], webhook["made_with"]), ("admin", "Test"))
        self.assertIn("admin (token: Test)", self.far("webhooks", "show", added["id"]).out)
        self.ask("webhooks", "remove", added["id"])
        lines = self.ask("logs", "datacenter.log", "token")
        self.assertTrue(lines)

    def test_tables_that_come_out(self) -> None:
        answer = self.far("export", "users", "-o", "users.csv")
        self.assertRegex(answer.out, r"^users.csv: 1 rows in \d+\.\d s\.\n$")
        text = Path("users.csv").read_bytes().decode()
        self.assertIn('"admin"', text)
        self.assertEqual(self.far("export", "users", "-o", "-").out, text)
        self.assert_says(self.far("export", "users", "-o", "users.csv"), 2, "is left as it is")
        self.assertEqual(self.far("export", "users", "-o", "users.csv.gz").code, 0)
        self.assertEqual(gzip.decompress(Path("users.csv.gz").read_bytes()).decode(), text)
        Path("keys.csv").write_text("name\nadmin\nnobody\n")
        answer = self.far("export", "users", "-o", "some.csv", "--keys", "keys.csv", "--json")
        self.assertEqual((answer.code, json.loads(answer.out)["unknown"]), (1, ["nobody"]))
        self.assertEqual(Path("some.csv").read_bytes().decode(), text)
        answer = self.far("template", "facultyprocessor", "-o", "t.xlsx")
        self.assertEqual(answer.out, "t.xlsx was written.\n")
        self.assertEqual(Path("t.xlsx").read_bytes()[:2], b"PK")

    def test_no_portal_is_loaded(self) -> None:
        """Whoever asks a portal elsewhere shall not wait for one here."""
        heavy = "BTrees ZODB grok zope.component zope.schema"
        for arguments in (
            ("ls",),
            ("users", "list"),
            ("exporters",),
            ("put", "f.csv"),
            ("rm", "f_admin.csv"),
        ):
            with self.subTest(arguments):
                self.assertEqual(loaded(heavy, *arguments, *self.far.options), [])

    def test_long_lists_come_in_parts(self) -> None:
        with mock.patch.object(client, "LONGEST_PAGE", 2):
            for number in range(3):
                Path(f"part{number}.csv").write_text(f"code,title\nP{number},Part\n")
            self.far("put", *(f"part{number}.csv" for number in range(3)))
            self.assertEqual(len(self.files("part")), 3)
            answer = self.far("check", "part0_admin.csv", *KIND, "--rows", "0")
            self.assertEqual(answer.code, 0, answer)
            found = self.ask("runs", "--limit", "3")
            self.assertLessEqual(1, len(found))
        self.far("rm", *self.files("part"))

    def at_home(self) -> Any:
        """Work for a while where the portal is."""
        return _in_folder(FarLayer.home)


class _in_folder:
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        self._former = os.getcwd()
        os.chdir(self._folder)

    def __exit__(self, *error: object) -> None:
        os.chdir(self._former)


class BrokenTests(FarCase):
    """Lines that break, and what is no portal."""

    def test_nobody_answers(self) -> None:
        with playing(Said(200)) as (url, _):
            pass
        answer = self.with_token(TOKEN, url)("ls")
        self.assert_says(answer, 3, f"^Fault: The portal at {url} does not answer: Connection re")
        self.assertNotIn("reference", answer.err)
        with mock.patch("socket.getaddrinfo", side_effect=socket.gaierror):
            answer = self.with_token(TOKEN, "https://kofa.invalid")("ls")
        self.assert_says(answer, 3, "the name of the host is not known")

    def test_what_is_no_portal(self) -> None:
        for said in (
            Said(404, b"<html>", "text/html"),
            Said(200, b"<html>", "text/html"),
            Said(500, b'{"error": "x"}'),
            Said(404, b"[" * 100_000),
            Said(200, b"[" * 100_000),
        ):
            with self.subTest(said.body[:9]), playing(said) as (url, _):
                answer = self.with_token(TOKEN, url)("ls")
                self.assert_says(answer, 3, "is no portal with an HTTP API|not understand")

    def test_a_portal_of_another_release(self) -> None:
        for body in (b'[{"name": 5}]', b'{"x": 1}', b"[1", b'[{"name": "f.csv"}]'):
            with self.subTest(body), playing(Said(200, body)) as (url, _):
                answer = self.with_token(TOKEN, url)("ls")
                self.assert_says(answer, 3, "does not understand what the portal answers.*release")

    def test_redirections_are_not_followed(self) -> None:
        with playing(Said(200, b"[]")) as (other, requests):
            said = Said(302, headers=(("Location", f"{other}/api/v1/files"),))
            with playing(said) as (url, _):
                answer = self.with_token(TOKEN, url)("ls")
            self.assert_says(answer, 2, f"leads to '{other}/api/v1/files'")
            self.assertEqual(requests, [])

    def test_the_next_part_of_a_list_is_nowhere_else(self) -> None:
        item = b'{"name":"f","folder":"","size":1,"date":"2026-01-31T10:00:00Z","owner":""}'
        with playing(Said(200, b"[]")) as (other, requests):
            for path in ("x", "api/v1/files?limit=1000"):
                link = ("Link", f'<{other}/{path}>; rel="next"')
                said = Said(200, b"[" + item + b"]", headers=(link,))
                with self.subTest(path), playing(said) as (url, _):
                    answer = self.with_token(TOKEN, url)("ls")
                    self.assert_says(answer, 3, "names no part of a list as the next one")
            self.assertEqual(requests, [])

    def test_a_portal_below_an_address(self) -> None:
        """What stands before it takes a part of the path away; the portal does not know that."""
        item = b'{"name":"NAME","folder":"","size":1,"date":"2026-01-31T10:00:00Z","owner":""}'
        link = ("Link", '</api/v1/files?after=1~f&limit=1000>; rel="next"')
        first = Said(200, b"[" + item.replace(b"NAME", b"f") + b"]", headers=(link,))
        second = Said(200, b"[" + item.replace(b"NAME", b"g") + b"]")
        with playing(first, second) as (url, requests):
            answer = self.with_token(TOKEN, f"{url}/portal/")("ls")
        self.assertEqual(answer.code, 0, answer)
        self.assertEqual(
            [path for _, path, _ in requests],
            [f"/portal/api/v1/files?{query}" for query in ("limit=1000", "after=1~f&limit=1000")],
        )

    def test_certificates_are_checked(self) -> None:
        with playing(Said(200, b"[]"), encrypted=True) as (url, requests):
            far = self.with_token(TOKEN, url)
            answer = far("ls")
            self.assert_says(answer, 2, "cannot be trusted: .*self.signed certificate.*--ca-file")
            self.assertEqual(requests, [])
            told = "There are no pending files.\n"
            self.assertEqual(far("ls", "--ca-file", str(CERTIFICATE)).out, told)
            with mock.patch.dict(os.environ, KOFA_CA_FILE=str(CERTIFICATE)):
                self.assertEqual(far("ls").out, told)
            local = url.replace("127.0.0.1", "kofa.localhost")
            with mock.patch("socket.getaddrinfo", _here):
                answer = self.with_token(TOKEN, local)("ls", "--ca-file", str(CERTIFICATE))
            self.assert_says(answer, 2, "cannot be trusted: .*not valid for 'kofa.localhost'")

    def test_who_asks_too_often_waits(self) -> None:
        limited = Said(
            429,
            b'{"code": "too-many-requests", "detail": "Wait."}',
            "application/problem+json",
            (("Retry-After", "1"),),
        )
        with playing(limited, Said(200, b"[]")) as (url, requests):
            self.assertEqual(self.patient(url, "ls").code, 0)
        self.assertEqual(len(requests), 2)
        with playing(limited) as (url, requests):
            answer = self.with_token(TOKEN, url)("ls")
        self.assert_says(answer, 2, "^Error: Wait.")
        self.assertEqual(len(requests), 1)

    def test_a_portal_under_maintenance_is_not_waited_for(self) -> None:
        closed = Said(
            503,
            b'{"code": "under-maintenance", "detail": "Closed."}',
            "application/problem+json",
            (("Retry-After", "60"),),
        )
        with playing(closed) as (url, requests):
            self.assert_says(self.patient(url, "ls"), 2, "^Error: Closed.")
        self.assertEqual(len(requests), 1)

    def test_a_proxy_in_front_of_a_portal_that_starts(self) -> None:
        with playing(Said(502, b"<html>", "text/html"), Said(200, b"[]")) as (url, requests):
            self.assertEqual(self.patient(url, "ls").code, 0)
        self.assertEqual(len(requests), 2)
        with playing(Said(502, b"<html>", "text/html")) as (url, _):
            answer = self.with_token(TOKEN, url)("ls")
        self.assert_says(answer, 3, "what stands before it says 502")

    def test_a_fault_there_is_found_by_its_reference(self) -> None:
        said = Said(500, b'{"code":"fault","detail":"It failed.","reference":"k7m2-9xqd"}')
        with playing(said) as (url, _):
            answer = self.with_token(TOKEN, url)("ls")
        self.assert_says(answer, 3, "^Fault: It failed. `kofactl system --reference k7m2-9xqd`")

    def test_what_is_read_is_read_again(self) -> None:
        with Line(self.far.url) as line:
            line.cuts = [("down", 0), ("down", 100)]
            self.assertEqual(self.patient(line.url, "users", "list").code, 0)
            self.assertEqual(line.connections, 3)

    def test_what_changes_something_is_done_once(self) -> None:
        """The answers to the first requests are lost; with its key each is known again."""
        with Line(self.far.url) as line:
            line.cuts = [("down", 0), ("down", 0)]
            answer = self.patient(line.url, "put", "f.csv")
            self.assertEqual((answer.code, answer.err), (0, ""))
            self.assertEqual(self.files("f_"), ["f_admin.csv"])
            before = {run["id"] for run in self.ask("runs")}
            with mock.patch.object(client, "secrets", _Cutting(line)):
                answer = self.patient(line.url, "check", "f_admin.csv", *KIND)
            self.assertEqual((answer.code, answer.err), (0, ""), answer)
            self.assertEqual(len({run["id"] for run in self.ask("runs")} - before), 1)
            self.assertGreaterEqual(line.connections, 5)
        self.far("rm", "f_admin.csv")

    def test_a_line_that_stays_cut(self) -> None:
        with Line(self.far.url) as line:
            line.cuts = [("down", 0)] * 50
            answer = self.through(line)("put", "f.csv")
            self.assert_says(answer, 3, "^Fault: The connection .* was lost: .*`kofactl ls`")
        self.far("rm", *self.files("f_"))

    def test_a_table_whose_transfer_breaks_is_fetched_again(self) -> None:
        with Line(self.far.url) as line:
            line.cuts = [("", 0)]
            whole = self.far("export", "users", "-o", "-").out
            # The second connection is that of the table; its answer has longer headers than 400.
            with mock.patch.object(line, "cuts", [("down", 3_000), ("down", 900)]):
                answer = self.patient(line.url, "export", "users", "-o", "u.csv")
            self.assertEqual(answer.code, 0, answer)
            self.assertEqual(Path("u.csv").read_bytes().decode(), whole)
        self.assertEqual(sorted(os.listdir(".")), ["f.csv", "token", "u.csv"])

    def patient(self, url: str, *arguments: str) -> Answer:
        """Run a command that tries again for long."""
        with mock.patch.object(connection, "FIRST_PATIENCE", 30):
            return self.with_token(self.far.token, url)(*arguments)


def _here(*arguments: Any, **more: Any) -> Any:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", arguments[1]))]


class _Cutting:
    """Makes keys, and with each lets the next connection be cut before the answer."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def token_hex(self, size: int) -> str:
        self._line.cuts = [("down", 0)]
        self._line.cut_all()
        return os.urandom(size).hex()


class LargeTests(FarCase):
    """Files that come in pieces."""

    def setUp(self) -> None:
        super().setUp()
        for module, name, value in (
            (sending, "AT_ONCE", 1000),
            (sending, "PIECE", 40_000),
            (sending, "SMALLEST_PIECE", 1000),
            (sending, "PAUSE", 0.01),
        ):
            patched = mock.patch.object(module, name, value)
            patched.start()
            self.addCleanup(patched.stop)
        rows = "".join(f"L{number:05},Faculty {number}\n" for number in range(10_000))
        self.content = f"code,title\n{rows}".encode()
        Path("large.csv").write_bytes(self.content)
        self.addCleanup(lambda: self.far("rm", *self.files("large")))

    def assert_stored(self, answer: Answer) -> None:
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        (stored,) = json.loads(answer.out)
        self.assertEqual(stored["digest"], hashlib.sha256(self.content).hexdigest())
        path = Path(FarLayer.home, "var/datacenter", stored["name"])
        self.assertEqual(path.read_bytes(), self.content)
        self.assertEqual(self.files("large"), ["large_admin.csv"])
        self.assertEqual(self.ask("uploads"), [])

    def test_a_large_file(self) -> None:
        self.assert_stored(self.far("put", "large.csv", "--json"))

    def test_a_line_that_is_cut_again_and_again(self) -> None:
        with Line(self.far.url) as line:
            line.cuts = [("up", 60_000), ("down", 0), ("up", 100), ("up", 90_000), ("down", 1)]
            self.assert_stored(self.through(line)("put", "large.csv", "--json"))
            self.assertGreaterEqual(line.connections, 6)

    def test_a_line_that_stays_cut(self) -> None:
        with Line(self.far.url) as line, mock.patch.object(sending, "PATIENCE", 0.1):
            line.cuts = [("up", 60_000), *[("up", 0)] * 99]
            answer = self.through(line)("put", "large.csv")
        self.assert_says(answer, 3, "large.csv was not sent: 40,000 of its 198,901 bytes")
        (left,) = self.ask("uploads")
        self.assertEqual(left["offset"], 40_000)
        self.ask("uploads", "drop", left["id"])
        self.assertEqual(self.ask("uploads"), [])

    def test_a_large_file_that_is_refused(self) -> None:
        Path("large.csv").write_bytes(b"\0" * 5000)
        self.assert_says(self.far("put", "large.csv"), 2, "^Error: ")
        self.assertEqual((self.files("large"), self.ask("uploads")), ([], []))

    def test_a_proxy_that_lets_small_requests_pass_only(self) -> None:
        real = sending._send_piece

        def send(*arguments: Any) -> int:
            if arguments[4] > 10_000:
                raise connection.TooLarge("The proxy does not like it.")
            return real(*arguments)

        with mock.patch.object(sending, "_send_piece", send):
            self.assert_stored(self.far("put", "large.csv", "--json"))

    def test_a_pipe(self) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"code,title\nPIP,Pipe\n" + b"X,Y\n" * 1000)
        os.close(writer)
        with open(reader, "rb") as stream, sending.measured(stream) as (file, size):
            self.assertEqual(size, len(file.read()))


class FollowingTests(FarCase):
    """A run is heard of by its stream of events, and asked for where there is none."""

    def setUp(self) -> None:
        super().setUp()
        self.called: list[str] = []
        call = client.Client._call

        def noted(caller: Any, operation: str, *args: Any, **kwargs: Any) -> Any:
            self.called.append(operation)
            return call(caller, operation, *args, **kwargs)

        patched = mock.patch.object(client.Client, "_call", noted)
        patched.start()
        self.addCleanup(patched.stop)
        self.far("put", "f.csv")
        self.addCleanup(lambda: self.far("rm", *self.files("f_")))

    def check(self) -> None:
        self.called.clear()
        answer = self.far("check", "f_admin.csv", *KIND)
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        self.assertIn("2 would be created", answer.out)
        self.assertIn("start_check", self.called)

    def test_the_portal_tells_it(self) -> None:
        with mock.patch.object(followed, "BEGINNING", 60):
            self.check()
        self.assertNotIn("run", self.called)

    def test_there_is_no_room_for_a_stream(self) -> None:
        full = mock.patch.object(
            connection.Connection, "listening", side_effect=connection.Later(60)
        )
        with full as listening:
            self.check()
        self.assertIn("run", self.called)
        listening.assert_called_once()

    def test_what_stands_between_keeps_streams_back(self) -> None:
        with mock.patch.object(followed, "BEGINNING", 0.0):
            self.check()
        self.assertIn("run", self.called)


class RunTests(unittest.TestCase):
    """Runs of a portal elsewhere are followed, and cancelled by Ctrl-C."""

    layer = PortalLayer

    def wait_for_rows(self, number: int, command: "subprocess.Popen[str]") -> None:
        """Wait until the run of a command has done so many rows."""
        until = time.monotonic() + PATIENCE
        while _rows() < number:
            self.assertIsNone(command.poll())
            self.assertLess(time.monotonic(), until, "it does not go on")

    def test_ctrl_c_cancels_the_run_in_the_portal(self) -> None:
        rows = "".join(f"F{number:04},Faculty\n" for number in range(1500))
        Path("many.csv").write_text(f"code,title\n{rows}")
        with served(program=SLOW) as portal:
            far = Far(portal.url, new_token(), Path.cwd())
            with _importing(far) as command:
                self.wait_for_rows(1, command)
                command.send_signal(signal.SIGINT)
                out, err = command.communicate(timeout=60)
            self.assertEqual((command.returncode, out), (130, ""), err)
            self.assertRegex(err, r"^Cancelling the import .*\n.*was cancelled after \d+ rows\. ")
            (run,) = json.loads(kofactl("runs", "--json").out)
            self.assertEqual(run["state"], "cancelled")
            answer = far("resume", run["id"])
            self.assertEqual(answer.code, 0, answer)
            self.assertRegex(answer.out, "1,500 created")
            portal.stop(signal.SIGTERM)

    def test_the_line_breaks_while_the_run_goes_on(self) -> None:
        rows = "".join(f"F{number:03},Faculty\n" for number in range(500))
        Path("many.csv").write_text(f"code,title\n{rows}")
        with served(program=SLOW) as portal, Line(portal.url) as line:
            far = Far(line.url, new_token(), Path.cwd())
            with _importing(far) as command:
                for share in (0, 200):
                    self.wait_for_rows(share + 1, command)
                    line.cut_all()
                out, err = command.communicate(timeout=60)
            self.assertEqual((command.returncode, err), (0, ""), out)
            self.assertRegex(out, "500 created")
            portal.stop(signal.SIGTERM)

    def test_the_portal_ends_meanwhile(self) -> None:
        rows = "".join(f"F{number:03},Faculty\n" for number in range(500))
        Path("many.csv").write_text(f"code,title\n{rows}")
        with served(program=SLOWER) as portal:
            far = Far(portal.url, new_token(), Path.cwd())
            script = (
                "import sys; from waeup.kofa.api import connection; from waeup.kofa.cli import "
                "main; connection.PATIENCE = 1; sys.exit(main())"
            )
            with beside(
                [KOFACTL[0], "-c", script, "import", "./many.csv", *KIND, *far.options],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
            ) as command:
                self.wait_for_rows(1, command)
                portal.server.kill()
                out, err = command.communicate(timeout=60)
        self.assertEqual((command.returncode, out), (3, ""), err)
        self.assertRegex(err, "does not answer.*The import of many_admin.csv goes on there: ")


def _importing(far: Far) -> "AbstractContextManager[subprocess.Popen[str]]":
    """Give the import of ``many.csv``, in a process of its own."""
    return beside(
        [*KOFACTL, "import", "./many.csv", *KIND, *far.options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def _rows() -> int:
    """Return how many rows the newest run has done."""
    found = json.loads(kofactl("runs", "--json").out)
    return found[0]["rows"] if found else 0
