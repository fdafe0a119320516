"""What people see while PostgreSQL is away: a page that says so, and soon the portal again."""

import io
from contextlib import closing
from unittest import mock
from wsgiref.util import setup_testing_defaults

from waeup.kofa.browser.login import Login
from waeup.kofa.cli.serve import application
from waeup.kofa.tests.jobs.lives import TownTestCase
from waeup.kofa.tests.jobs.test_databases import forget_caches

LOGIN = "/kofa/login"
FORM = "application/x-www-form-urlencoded"
AWAY = "The portal cannot reach its database at the moment."


class Outages(TownTestCase):
    """The portal behind its gate, in a database of PostgreSQL."""

    kind = "postgresql"

    def setUp(self):
        super().setUp()
        self.application = application(self.db)
        self.server = self.town.place.server
        self.addCleanup(self.town.place.crash)

    def ask_portal(self, method="GET", path=LOGIN, language="", **more):
        """Return status, headers and text of an answer."""
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "HTTP_ACCEPT_LANGUAGE": language,
            "wsgi.input": io.BytesIO(),
            **more,
        }
        setup_testing_defaults(environ)
        told = []

        def start_response(status, headers, exc_info=None):
            told[:] = [status, dict(headers)]

        body = self.application(environ, start_response)
        try:
            text = b"".join(body).decode()
        finally:
            getattr(body, "close", lambda: None)()
        return int(told[0][:3]), told[1], text

    def assert_there(self):
        """The portal answers as always."""
        for _attempt in range(3):
            status, _headers, text = self.ask_portal()
            self.assertEqual(status, 200, text)
            self.assertIn("Log in", text)

    def assert_away(self, *args, **kw):
        """The portal says that its database is away, and when to come again; return what."""
        with self.assertLogs("SiteError", "WARNING") as logs:
            status, headers, text = self.ask_portal(*args, **kw)
        self.assertEqual(status, 503, text)
        self.assertEqual(headers["Retry-After"], "5")
        self.assertNotIn("Traceback", "".join(logs.output) + text)
        for secret in ("password", "psycopg2", str(self.server.port)):
            self.assertNotIn(secret, text)
        self.assertNotIn("password", "".join(logs.output))
        return text

    def test_as_long_as_it_is_away(self):
        self.assert_there()
        self.server.kill()
        for _attempt in range(3):
            self.assertIn(AWAY, self.assert_away())
        self.assertIn("is not known", self.assert_away("POST", CONTENT_TYPE=FORM))
        self.assertIn("Datenbank", self.assert_away(language="de"))
        self.server.start()
        self.assert_there()

    def test_a_file_is_not_taken(self):
        """The gate asks for the log-in before a large body is read."""
        self.server.kill()
        text = self.assert_away(
            "PUT",
            "/kofa/datacenter/upload",
            CONTENT_TYPE="application/octet-stream",
            CONTENT_LENGTH="5000000",
            HTTP_COOKIE="a=b",
        )
        self.assertIn(AWAY, text)

    def test_a_crash_between_requests(self):
        self.assert_there()
        self.town.place.crash()
        self.assert_there()

    def test_a_crash_within_a_request(self):
        real = Login.update

        def update(page, *args, **kw):
            self.town.place.crash()
            forget_caches(page.context._p_jar)
            page.context["datacenter"].storage  # noqa: B018  (loads it)
            return real(page, *args, **kw)

        with mock.patch.object(Login, "update", update):
            self.assertIn(AWAY, self.assert_away())
        self.assert_there()

    def test_the_database_is_closed_in_order_afterwards(self):
        with closing(self.town.open()) as db:
            self.server.kill()
            self.application = application(db)
            for _attempt in range(3):
                self.assert_away()
            self.server.start()
        self.application = application(self.db)
        self.assert_there()
