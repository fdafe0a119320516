"""A portal whose HTTP API is called in the process: what tests of it have in common."""

import json
from contextlib import closing
from functools import cache

import transaction
from jsonschema import Draft202012Validator
from werkzeug.test import Client

from waeup.kofa import tokens
from waeup.kofa.api.addresses import HANDLERS
from waeup.kofa.api.http import Api
from waeup.kofa.api.matching import Table
from waeup.kofa.api.openapi import description
from waeup.kofa.api.route import ROOT
from waeup.kofa.api.routes import ROUTES
from waeup.kofa.jobs import new_holder, work_off
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase

FACULTIES = b"code,title\nSCI,Science\nART,Arts\n"
ALL_SCOPES = tuple(tokens.SCOPES)


@cache
def answers_of(path, method, status="200"):
    """Return what checks the answers of an operation."""
    found = description(HANDLERS)
    answer = found["paths"][path][method]["responses"][status]
    schema = {**answer["content"]["application/json"]["schema"], "components": found["components"]}
    return Draft202012Validator(schema)


class ApiCase(FunctionalTestCase):
    """Has `boss`, who may do everything, a token of theirs, and the API."""

    def setUp(self):
        FunctionalLayer.add_user("boss", "waeup.PortalManager")
        self.token = self.new_token("boss")
        self.api = Api(FunctionalLayer.database(), "/app")

    def new_token(self, user, *scopes):
        """Return the text of a new token."""
        _token, text = tokens.make_token(self.site, user, "Test", scopes or ALL_SCOPES, 1)
        transaction.commit()
        return text

    def ask(self, method, path, *, token="", body=None, data=None, headers=(), **more):
        """Return the answer to a request, in a thread of its own as at a server.

        `path` is below `ROOT`, `body` is sent as JSON, `data` as bytes.  Without a `token` it is
        that of `boss`, with None there is none.
        """
        transaction.abort()
        sent = list(headers)
        if token is not None:
            sent.append(("Authorization", f"Bearer {token or self.token}"))
        if body is not None:
            data, more["content_type"] = json.dumps(body), "application/json"
        elif data is not None:
            more.setdefault("content_type", "application/octet-stream")

        def work():
            client = Client(self.api, use_cookies=False)
            with closing(
                client.open(ROOT + path, method=method, data=data, headers=sent, **more)
            ) as answer:
                answer.get_data()
                return answer

        return in_own_thread(work)

    def get(self, path, **more):
        """Return what GET answers, which is to be a success, and as the description says."""
        answer = self.ask("GET", path, **more)
        self.assertEqual(answer.status_code, 200, answer.text)
        names = path.partition("?")[0].split("/")[1:]
        found, _variables = Table(ROUTES).find("GET", names)
        answers_of(found.path, "get").validate(answer.json)
        return answer.json

    def problem(self, answer, status, code):
        """Return the members of a problem, which is to have a status and a code."""
        self.assertEqual(
            (answer.status_code, answer.json.get("code")), (status, code), answer.text
        )
        self.assertEqual(answer.mimetype, "application/problem+json")
        return answer.json

    def upload(self, name="f.csv", content=FACULTIES):
        """Send a small file; return what was stored."""
        answer = self.ask("POST", f"/files?filename={name}", data=content)
        self.assertEqual(answer.status_code, 201, answer.text)
        return answer.json

    def work_off(self, run):
        """Bring a run to its end, as a worker of the portal does."""
        database = FunctionalLayer.database()
        in_own_thread(lambda: work_off(database, "/app", run, new_holder()))
