"""What passes the gate before the portal, what does not, and what every answer carries."""

import http.client
import io
import json
import socket
import unittest
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from waeup.kofa.browser.page import SECURITY_HEADERS
from waeup.kofa.cli.gate import SMALL_REQUEST, Gate
from waeup.kofa.tests.cli.client import Client
from waeup.kofa.tests.cli.shell import CommandLayer, running
from waeup.kofa.tests.cli.test_run import PASSWORD

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
FILE = "application/octet-stream"
UPLOAD = "/kofa/datacenter/upload"


class Portal:
    """A WSGI application that remembers what it got; with `error` it fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.answer: tuple[str, list[tuple[str, str]]] | None = None
        self.seen: dict[str, Any] | None = None
        self.body = io.BytesIO(b"a page")

    def __call__(self, environment: dict[str, Any], start_response: Any) -> Any:
        self.seen = environment
        if self.error is not None:
            raise self.error
        if self.answer is not None:
            start_response(*self.answer)
            return self.body
        start_response("200 OK", [("X-Powered-By", "Zope"), ("X-Frame-Options", "SAMEORIGIN")])
        return self.body


class GateTestCase(unittest.TestCase):
    """A gate before an application that remembers what it got."""

    def setUp(self) -> None:
        self.portal = Portal()
        self.logged_in = False

    def ask(self, path: str = "/kofa", method: str = "GET", **environment: Any) -> str:
        """Return the status of an answer; its headers and body are kept."""

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            self.status, self.headers = status, dict(headers)
            self.assertEqual(len(self.headers), len(headers), "a header is there twice")

        gate = Gate(self.portal, lambda environment: self.logged_in)
        self.body = b"".join(
            gate({"REQUEST_METHOD": method, "PATH_INFO": path, **environment}, start)
        )
        return self.status[:3]

    def cleaned(self, **environment: Any) -> dict[str, Any]:
        """Return what the portal gets to see of an environment."""
        self.assertEqual(self.ask(**environment), "200")
        assert self.portal.seen is not None
        return self.portal.seen


class WayTests(GateTestCase):
    """Addresses."""

    def test_pages_and_static_files_pass(self) -> None:
        for path in (
            "",
            "/",
            "/kofa/datacenter/@@download",
            "/kofa/@@/waeup.kofa.browser/kofa.css",
            "/kofa/++resource++waeup.kofa.browser/kofa.css",
            "/kofa/students/Caf\u00e9+".encode().decode("latin-1"),
        ):
            self.assertEqual(self.ask(path), "200", path)

    def test_namespaces_and_views_for_programs_do_not(self) -> None:
        for path in (
            "/kofa/++vh++http:evil.org:80/++/login",
            "/++etc++site",
            "/kofa/++etc++site/ClientIdManager/secret",
            "/kofa/++attribute++users",
            "/kofa/++lang++de",
            "/++skin++Debug",
            "/kofa/++view++absolute_url",
            "/kofa/++",
            "/kofa/++resource++",
            "/kofa/++resource++x/++etc++site",
            "/kofa/@@absolute_url",
            "/kofa/datacenter/absolute_url/x",
            "/kofa/datacenter/@@",
            "/@@",
            "/kofa/\0",
        ):
            self.assertEqual(self.ask(path), "404", path)
        self.assertIsNone(self.portal.seen)

    def test_bytes_that_are_no_text_are_a_bad_request(self) -> None:
        self.assertEqual(self.ask("/kofa/\xff"), "400")

    def test_a_host_is_a_name_or_an_address_with_a_port(self) -> None:
        for host in ("kofa.example.org", "127.0.0.1:8080", "[::1]:80", "[::1]", "x:", ""):
            self.assertEqual(self.ask(HTTP_HOST=host), "200", host)
        for host in (
            'a"b',
            "a b",
            "a/b",
            "a@b",
            "a:b",
            "\xe9.org",
            "[::::]",
            "[]",
            "[1.2.3.4]:80",
        ):
            self.assertEqual(self.ask(HTTP_HOST=host), "400", host)


class MethodTests(GateTestCase):
    """Methods and types of content."""

    def test_other_methods_are_told_which_there_are(self) -> None:
        for method in ("PUT", "DELETE", "OPTIONS", "PROPFIND", "TRACE", "get", ""):
            self.assertEqual(self.ask(method=method), "405", method)
            self.assertEqual(self.headers["Allow"], "GET, HEAD, POST")
            self.assertNotIn("WWW-Authenticate", self.headers)

    def test_only_forms_are_posted(self) -> None:
        for kind in (FORM, MULTIPART, "Multipart/Form-Data;boundary=x", f"{FORM}; charset=UTF-8"):
            self.assertEqual(self.ask(method="POST", CONTENT_TYPE=kind), "200", kind)
        for kind in ("text/xml", "application/json", "multipart/mixed", "", "text/x;" + FORM):
            self.assertEqual(self.ask(method="POST", CONTENT_TYPE=kind), "415", kind)

    def test_a_file_is_put_on_the_upload_page_by_who_has_logged_in(self) -> None:
        self.assertEqual(self.ask(UPLOAD, "PUT", CONTENT_TYPE=FILE), "403")
        self.logged_in = True
        for kind in (FILE, "Application/Octet-Stream", f"{FILE}; x=y"):
            self.assertEqual(self.ask(UPLOAD, "PUT", CONTENT_TYPE=kind), "200", kind)
            assert self.portal.seen is not None
            self.assertEqual(self.portal.seen["CONTENT_TYPE"], FILE)
        for kind in ("", FORM, MULTIPART, "text/csv", "application/octet-streams"):
            self.assertEqual(self.ask(UPLOAD, "PUT", CONTENT_TYPE=kind), "415", kind)
        self.assertNotIn("Accept-Post", self.headers)
        for path in ("/kofa", "/kofa/datacenter", f"{UPLOAD}/x", "/kofa/login"):
            self.assertEqual(self.ask(path, "PUT", CONTENT_TYPE=FILE), "405", path)
        for path in ("/++etc++site/datacenter/upload", "/kofa/\0/datacenter/upload"):
            self.assertEqual(self.ask(path, "PUT", CONTENT_TYPE=FILE), "404", path)

    def test_a_file_is_no_form(self) -> None:
        self.logged_in = True
        self.assertEqual(self.ask(UPLOAD, "POST", CONTENT_TYPE=FILE), "415")

    def test_head_is_get_without_a_body(self) -> None:
        self.assertEqual(self.ask(method="HEAD"), "200")
        assert self.portal.seen is not None
        self.assertEqual(self.portal.seen["REQUEST_METHOD"], "GET")
        self.assertEqual(self.body, b"")
        self.assertTrue(self.portal.body.closed)
        self.assertEqual((self.ask("/++x", method="HEAD"), self.body), ("404", b""))

    def test_only_get_knows_parts(self) -> None:
        self.assertIn("HTTP_RANGE", self.cleaned(HTTP_RANGE="bytes=1-"))
        self.assertNotIn("HTTP_RANGE", self.cleaned(method="HEAD", HTTP_RANGE="bytes=1-"))


class SizeTests(GateTestCase):
    """Requests that are larger than a form."""

    def send(self, size: int, path: str = UPLOAD, **environment: str) -> str:
        """Return the status of the answer to a request of `size` bytes."""
        given = {"CONTENT_TYPE": MULTIPART, "CONTENT_LENGTH": str(size), **environment}
        return self.ask(path, **{"method": "POST", **given})

    def test_a_form_has_a_megabyte(self) -> None:
        self.assertEqual(self.send(SMALL_REQUEST, "/kofa/login", CONTENT_TYPE=FORM), "200")
        self.assertEqual(self.send(SMALL_REQUEST + 1, "/kofa/login", CONTENT_TYPE=FORM), "413")

    def test_an_upload_of_a_person_who_has_logged_in_may_be_larger(self) -> None:
        self.assertEqual(self.send(SMALL_REQUEST + 1), "413")
        self.logged_in = True
        self.assertEqual(self.send(SMALL_REQUEST + 1), "200")

    def test_so_may_a_file(self) -> None:
        self.assertEqual(self.send(SMALL_REQUEST + 1, method="PUT", CONTENT_TYPE=FILE), "403")
        self.logged_in = True
        self.assertEqual(self.send(SMALL_REQUEST + 1, method="PUT", CONTENT_TYPE=FILE), "200")

    def test_only_an_upload_may_be_larger(self) -> None:
        self.logged_in = True
        for other in (
            {"path": "/kofa/login"},
            {"path": f"{UPLOAD}/x"},
            {"CONTENT_TYPE": FORM},
            {"method": "GET"},
            {"CONTENT_TYPE": FILE},
        ):
            self.assertEqual(self.send(SMALL_REQUEST + 1, **other), "413", other)

    def test_nobody_is_asked_about_small_requests(self) -> None:
        def nobody(environment: dict[str, Any]) -> bool:
            raise AssertionError("asked")

        gate = Gate(self.portal, nobody)
        gate({"REQUEST_METHOD": "GET", "PATH_INFO": UPLOAD}, lambda *arguments: None)
        self.assertIsNotNone(self.portal.seen)


class HeaderTests(GateTestCase):
    """Headers in both directions."""

    def test_every_answer_has_the_safe_headers(self) -> None:
        for path in ("/kofa/++etc++site", "/kofa/\xff"):
            self.ask(path)
            for name, value in SECURITY_HEADERS.items():
                self.assertEqual(self.headers[name], value, path)

    def test_what_a_page_says_counts_and_the_software_is_not_named(self) -> None:
        self.ask()
        self.assertEqual(self.headers["X-Frame-Options"], "SAMEORIGIN")
        self.assertEqual(self.headers["X-Content-Type-Options"], "nosniff")
        self.assertNotIn("X-Powered-By", self.headers)

    def test_there_is_no_basic_authentication(self) -> None:
        seen = self.cleaned(HTTP_AUTHORIZATION="Basic !!!", HTTP_CGI_AUTHORIZATION="Basic !!!")
        self.assertEqual([name for name in seen if "AUTH" in name], [])

    def test_strange_languages_and_character_sets_are_not_heard(self) -> None:
        seen = self.cleaned(HTTP_ACCEPT_LANGUAGE="/etc/x;q=1", HTTP_ACCEPT_CHARSET="base64")
        self.assertEqual([name for name in seen if "ACCEPT" in name], [])
        seen = self.cleaned(HTTP_ACCEPT_LANGUAGE="de-DE,en;q=0.5,*;q=0.1")
        self.assertEqual(seen["HTTP_ACCEPT_LANGUAGE"], "de-DE,en;q=0.5,*;q=0.1")

    def test_cookies_that_cannot_be_read_leave_the_others(self) -> None:
        seen = self.cleaned(HTTP_COOKIE='a="\\377"; kofa_1=x.y-z; b=\xff')
        self.assertEqual(seen["HTTP_COOKIE"].strip(), "kofa_1=x.y-z")

    def test_the_publisher_is_told_of_https(self) -> None:
        self.assertEqual(self.cleaned(**{"wsgi.url_scheme": "https"})["HTTPS"], "on")
        self.assertNotIn("HTTPS", self.cleaned(**{"wsgi.url_scheme": "http"}))

    def test_a_failure_before_any_page_is_answered_and_logged(self) -> None:
        self.portal.error = ZeroDivisionError("secret")
        with self.assertLogs("SiteError", "ERROR") as logged:
            self.assertEqual(self.ask("/kofa"), "500")
        self.assertIn("ZeroDivisionError", logged.output[0])
        self.assertNotIn(b"secret", self.body)
        self.assertIn("Content-Security-Policy", self.headers)
        reference = self.headers["X-Error-Reference"]
        self.assertIn(reference, self.body.decode())
        self.assertIn(f"[{reference}] GET /kofa by nobody known", logged.output[0])

    def test_of_an_address_only_the_path_is_logged_and_on_one_line(self) -> None:
        self.portal.error = ZeroDivisionError()
        with self.assertLogs("SiteError", "ERROR") as logged:
            self.ask("/kofa/a\nb\x1b", QUERY_STRING="password=secret", HTTP_COOKIE="c=secret")
        self.assertIn(" GET /kofa/a%0Ab%1B by ", logged.records[0].getMessage())
        self.assertNotIn("secret", "".join(logged.output))

    def test_the_last_word_of_the_publisher_gets_a_reference(self) -> None:
        self.portal.answer = "500 Internal Server Error", [("Content-Type", "text/html")]
        with self.assertLogs("SiteError", "ERROR"):
            self.assertEqual(self.ask("/kofa"), "500")
        self.assertIn("X-Error-Reference", self.headers)
        self.portal.answer = "500 Internal Server Error", [("X-Error-Reference", "k7m2-9xqd")]
        with self.assertNoLogs("SiteError", "ERROR"):
            self.ask("/kofa")
        self.assertEqual((self.headers["X-Error-Reference"], self.body), ("k7m2-9xqd", b"a page"))


class ApiTests(GateTestCase):
    """What is for the HTTP API."""

    def test_it_gets_its_requests_as_they_are(self) -> None:
        api = Portal()
        gate = Gate(self.portal, lambda environment: False, api)
        asked = {
            "REQUEST_METHOD": "PATCH",
            "PATH_INFO": "/api/v1/users/++etc++site",
            "HTTP_AUTHORIZATION": "Bearer x",
        }
        started: list[Any] = []
        body = gate(asked, lambda *arguments: started.append(arguments))
        self.assertEqual((b"".join(body), api.seen), (b"a page", asked))
        self.assertIn(("X-Content-Type-Options", "nosniff"), started[0][1])
        self.assertIsNone(self.portal.seen)
        gate({**asked, "REQUEST_METHOD": "HEAD", "PATH_INFO": "/api/v10"}, lambda *arguments: None)
        self.assertIsNotNone(self.portal.seen)

    def test_without_one_its_addresses_are_those_of_the_portal(self) -> None:
        self.assertEqual(self.ask("/api/v1/users", method="PATCH"), "405")


class RunningTests(unittest.TestCase):
    """The gate and the publisher behind it, in a portal that runs."""

    layer = CommandLayer

    def test_nonsense_is_refused_and_leaves_no_traceback(self) -> None:
        with running() as portal:
            client = Client(portal.url)
            for path, status in (
                ("/kofa/++vh++http:evil.org:80/++/login", 404),
                ("/++etc++site", 404),
                ("/kofa/datacenter/@@/", 404),
                ("/kofa/users/nobody/@@index", 404),
                ("/nothing", 404),
                ("/kofa/%ff", 400),
                ("/kofa/login?x:int=a", 400),
                ("/kofa/login?++vh++http:evil.org:80:method=1", 400),
                ("/kofa/login?:action=absolute_url", 400),
                ("/kofa/login?a=1&a.b:record=2", 400),
                ("/kofa/login?x=%ff", 200),
                ("/kofa/@@/waeup.kofa.browser/kofa.css", 200),
            ):
                with self.subTest(path):
                    page = client.get(path)
                    self.assertEqual(page.status, status)
                    for name, value in SECURITY_HEADERS.items():
                        self.assertEqual(page.headers[name], value)
                    self.assertNotIn("X-Powered-By", page.headers)
                    self.assertNotIn("evil.org", page.text)
            client.headers = {"Authorization": "Basic !!!", "Accept-Charset": "base64"}
            self.assertEqual(client.get("/kofa/login").status, 200)
        log = Path("var/log/portal.log")
        self.assertNotIn("Traceback", log.read_text() if log.exists() else "")

    def test_large_requests_are_refused_when_their_headers_have_come(self) -> None:
        with running() as portal:
            password = PASSWORD.search("\n".join(portal.said))
            assert password is not None
            address = urlsplit(portal.url).netloc
            for method, path, kind in (
                ("POST", "/kofa/login", MULTIPART),
                ("POST", UPLOAD, FORM),
                ("POST", UPLOAD, FILE),
                ("PUT", "/kofa/login", FILE),
                ("PUT", UPLOAD, MULTIPART),
            ):
                # Announced, and never sent: the answer comes all the same.
                with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
                    connection.putrequest(method, path)
                    connection.putheader("Content-Length", str(2 * SMALL_REQUEST))
                    connection.putheader("Content-Type", kind)
                    connection.endheaders()
                    with connection.getresponse() as answer:
                        self.assertEqual(answer.status, 413, path)
                        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
                        self.assertIn(b"A form can have 1 MB.", answer.read())
            content = b"code,title\n" + b"".join(b"F%06d,Faculty\n" % n for n in range(120_000))
            self.assertGreater(len(content), SMALL_REQUEST)
            client = Client(portal.url)
            client.get("/kofa/login")
            self.assertEqual(client.upload(UPLOAD, "many.csv", content).status, 413)
            client.log_in("admin", password[1])
            client.get(UPLOAD)
            page = client.upload(UPLOAD, "many.csv", content)
            self.assertEqual((page.status, page.url), (200, f"{client.portal}/kofa/datacenter"))
            self.assertIn("many_admin.csv", page.text)

    def test_a_file_is_put_up_to_the_limit(self) -> None:
        def table(size: int) -> bytes:
            return b"code,title\n" + b"F,%s\n" % (b"x" * 1000) * (size // 1003)

        with running("--max-upload", "2") as portal:
            password = PASSWORD.search("\n".join(portal.said))
            assert password is not None
            client = Client(portal.url)
            client.get("/kofa/login")
            fields = {"name": "many.csv", "token": "a-token-of-a-test"}
            page = client.put(UPLOAD, b"code,title\nA,B\n", **fields)
            self.assertEqual(page.status, 403)
            self.assertIn("log in again", page.text)
            client.log_in("admin", password[1])
            client.get(UPLOAD)
            large, too_large = table(3 * SMALL_REQUEST // 2), table(3 * SMALL_REQUEST)
            page = client.put(UPLOAD, large, **fields)
            self.assertEqual(page.status, 200, page.text)
            self.assertEqual(json.loads(page.text)["name"], "many_admin.csv")
            # In chunks, and known by its token.
            page = client.put(UPLOAD, iter([large[:1000], large[1000:]]), **fields)
            self.assertEqual(json.loads(page.text)["size"], len(large))
            fields["token"] += "-2"
            for content in (too_large, iter([too_large[:1000], too_large[1000:]])):
                page = client.put(UPLOAD, content, **fields)
                self.assertEqual(page.status, 413, page.text)
                self.assertIn("the limit of this data center", json.loads(page.text)["error"])
        self.assertEqual(
            sorted(path.name for path in Path("var/datacenter").glob("*.csv")), ["many_admin.csv"]
        )

    def test_what_is_no_request_gets_safe_headers_too(self) -> None:
        with running() as portal:
            host, port = urlsplit(portal.url).netloc.split(":")
            with closing(socket.create_connection((host, int(port)), timeout=60)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n")
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 ") or b" 400 " in answer[:16])
            self.assertIn(b"X-Content-Type-Options: nosniff", answer)
