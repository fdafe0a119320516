"""``kofactl tokens``, alone and beside a portal that programs use at the same time."""

import json
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from waeup.kofa.tests.cli.shell import PortalLayer, kofactl, process, running
from waeup.kofa.tokens import SHAPE


class TokensCase(unittest.TestCase):
    layer = PortalLayer

    def add(self, *arguments: str) -> str:
        """Make a token; return its text."""
        answer = kofactl("tokens", "add", "nightly", *arguments)
        self.assertEqual(answer.code, 0, answer)
        return answer.out.rstrip("\n")

    def listed(self, *arguments: str) -> list[dict[str, object]]:
        """Return what is listed."""
        found = json.loads(kofactl("tokens", "list", "--json", *arguments).out)
        assert isinstance(found, list)
        return found


class TokensTests(TokensCase):
    def test_the_token_is_all_that_a_program_reads(self) -> None:
        answer = kofactl("tokens", "add", "nightly", "--scope", "read", "--days", "30")
        self.assertRegex(answer.out, rf"\A{SHAPE.pattern}\n\Z")
        self.assertIn("It is shown only now.", answer.err)
        secret = SHAPE.fullmatch(answer.out.strip())
        assert secret is not None
        self.assertNotIn(secret["secret"], answer.err)
        (token,) = self.listed()
        self.assertEqual(
            (token["id"], token["user"], token["scopes"], token["state"]),
            (secret["id"], "admin", ["read"], "valid"),
        )
        self.assertEqual((token["last_use"], token["revoked"]), (None, None))

    def test_of_others(self) -> None:
        kofactl("users", "add", "bola", "--title", "Bola", "--generate")
        id = self.add("--scope", "read", "--user", "bola")[5:17]
        self.assertEqual(self.listed(), [])
        self.assertEqual([token["id"] for token in self.listed("--of", "bola")], [id])
        answer = kofactl("tokens", "list", "--of", "admin", "--user", "bola")
        self.assertEqual(answer.code, 2)
        self.assertEqual(
            kofactl("tokens", "revoke", id, "--json").out, f'{{\n  "id": "{id}"\n}}\n'
        )
        (token,) = self.listed("--of", "bola")
        self.assertEqual((token["state"], token["revoked_by"]), ("revoked", "admin"))

    def test_what_is_refused(self) -> None:
        for arguments, words in (
            (("add", "x"), "--scope"),
            (("add", "x", "--scope", "all"), "no scope 'all'"),
            (("add", " ", "--scope", "read"), "needs a title"),
            (("add", "x", "--scope", "read", "--days", "0"), "1 to 366 days"),
            (("add", "x", "--scope", "read", "--days", "x"), "--days"),
            (("revoke", "0123456789ab"), "no token 0123456789ab"),
            (("list", "--of", "nobody"), "no user 'nobody'"),
        ):
            with self.subTest(arguments):
                answer = kofactl("tokens", *arguments)
                self.assertEqual((answer.code, answer.out), (2, ""))
                self.assertIn(words, answer.err)
        self.assertEqual(self.listed(), [])


class BesideTests(TokensCase):
    """A portal runs, programs use it, and others revoke what they use."""

    def status(self, address: str, token: str) -> int:
        """Return the status of an answer to a program."""
        request = Request(address, headers={"Authorization": f"Bearer {token}"})
        try:
            with urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except HTTPError as error:
            error.close()
            return error.code

    def test_used_and_revoked_at_once_by_several_processes(self) -> None:
        token = self.add("--scope", "read")
        found = SHAPE.fullmatch(token)
        assert found is not None
        with running() as portal, ThreadPoolExecutor(4) as pool:
            address = f"{portal.url}api/v1/tokens/this"
            self.assertEqual(self.status(address, token), 200)
            (listed,) = self.listed()
            self.assertEqual(listed["address"], "127.0.0.1")
            self.assertIsNotNone(listed["last_use"])
            revoked = threading.Event()

            def use() -> set[int]:
                seen: set[int] = set()
                # Few enough for the limits of the API.
                for _number in range(40):
                    if revoked.wait(0.05) or 401 in seen:
                        break
                    seen.add(self.status(address, token))
                return seen

            uses = [pool.submit(use) for _number in range(2)]
            try:
                ends = [
                    pool.submit(process, "tokens", "revoke", found["id"]) for _number in range(2)
                ]
                self.assertEqual([end.result().code for end in ends], [0, 0])
            finally:
                revoked.set()
            for each in uses:
                self.assertLessEqual(each.result(), {200, 401})
            self.assertEqual(self.status(address, token), 401)
        log = Path("var/datacenter/logs/main.log").read_text(encoding="utf-8")
        self.assertEqual(log.count(f"Token revoked: {found['id']}"), 1)
        secret = found["secret"]
        for path in Path("var").rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                self.assertNotIn(secret.encode(), content, path)
                self.assertNotIn(bytes.fromhex(secret), content, path)
