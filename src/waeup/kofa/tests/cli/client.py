"""A person with a browser, for tests of a portal that runs in another process."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from email.message import Message
from typing import NamedTuple
from urllib.parse import urlencode

TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
BOUNDARY = "boundary-of-a-test"


class Page(NamedTuple):
    """What the portal answered, after redirections."""

    status: int
    url: str
    headers: Message
    text: str


class Client:
    """Keeps cookies, follows redirections, and fills tokens into forms."""

    def __init__(self, portal: str) -> None:
        self.portal = portal.rstrip("/")
        self.headers: dict[str, str] = {}
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        self._token = ""

    def get(self, path: str) -> Page:
        """Open a page."""
        return self._send(urllib.request.Request(self.portal + path, headers=self.headers))

    def post(self, path: str, fields: Sequence[tuple[str, str]]) -> Page:
        """Send a form, with the token of the page that was seen last."""
        data = urlencode([("form_token", self._token), *fields]).encode()
        return self._send(urllib.request.Request(self.portal + path, data, self.headers))

    def upload(self, path: str, name: str, content: bytes) -> Page:
        """Send a file as the upload page does."""
        body = b""
        for field, value in (("form_token", self._token), ("SUBMIT", "1")):
            body += (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n'.encode()
            )
            body += f"{value}\r\n".encode()
        file = f'Content-Disposition: form-data; name="uploadfile"; filename="{name}"\r\n\r\n'
        body += f"--{BOUNDARY}\r\n{file}".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self._send(
            urllib.request.Request(self.portal + path, body, {**self.headers, **kind})
        )

    def put(self, path: str, content: bytes | Iterable[bytes], **fields: str) -> Page:
        """Send a file as the script of the upload page does; a sequence of bytes as chunks."""
        kind = {"Content-Type": "application/octet-stream", "X-Form-Token": self._token}
        address = f"{self.portal}{path}?{urlencode(fields)}"
        headers = {**self.headers, **kind}
        return self._send(urllib.request.Request(address, content, headers, method="PUT"))  # type: ignore[arg-type]

    def log_in(self, name: str, password: str) -> Page:
        """Fill in the log-in page."""
        self.get("/kofa/login")
        return self.post("/kofa/login", [("login", name), ("password", password), ("SUBMIT", "1")])

    def _send(self, request: urllib.request.Request) -> Page:
        try:
            answer = self._opener.open(request, timeout=120)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            page = Page(answer.status, answer.url, answer.headers, answer.read().decode())
        found = TOKEN.search(page.text)
        self._token = found[1] if found else self._token
        return page
