"""The scopes that the description names for each address are enough, and no fewer are."""

from functools import partial
from typing import Any
from unittest import mock

from waeup.kofa.api.addresses import HANDLERS
from waeup.kofa.api.events import Streams
from waeup.kofa.api.openapi import description
from waeup.kofa.api.routes import ROUTES
from waeup.kofa.scopes import SCOPES
from waeup.kofa.tests.api.portal import ApiCase
from waeup.kofa.tests.functional import FunctionalLayer

MAPPING = {"columns": ["code", "title"]}
ORDER = {
    "name": "f_boss.csv",
    "processor": "facultyprocessor",
    "mode": "create",
    "mapping": MAPPING,
}
PREVIEW = {
    "name": "f.csv",
    "header": ["code"],
    "samples": [],
    "sample_lines": [],
    "encoding": "utf-8",
    "confidence": 1,
    "delimiter": ",",
    "quote": '"',
    "escape": None,
    "line_end": "\n",
    "header_line": 1,
    "above": [],
    "kind": "",
    "member": None,
    "sheet": None,
    "sheets": [],
    "lines": 1,
    "rows": 0,
    "sound": 0,
    "problems": [],
    "suggested_mode": None,
}
#: Operation -> query and body of a request that has all it needs.
REQUESTS: dict[str, Any] = {
    "change_own_account": ("", {"values": {}}),
    "upload": ("filename=a.csv", None),
    "is_there": ("file=a.csv", None),
    "propose_mapping": ("processor=facultyprocessor&mode=create", None),
    "make_mapping": ("", {"processor": "facultyprocessor", "mode": "create"}),
    "check": ("", {name: ORDER[name] for name in ("processor", "mode", "mapping")}),
    "new_draft": ("", {"filename": "f_boss.csv"}),
    "correct": ("", {"texts": {}}),
    "check_row": ("", {"texts": {}}),
    "correct_like": ("", {"check": "x", "group": 1, "position": 0, "old": "", "new": ""}),
    "start_import": ("", ORDER),
    "start_check": ("", ORDER),
    "start_export": ("", {"exporter": "faculties"}),
    "export": ("", {"exporter": "faculties"}),
    "export_keys": ("name=k.csv", None),
    "propose_columns": ("", {"preview": PREVIEW, "mode": "create"}),
    "save_mapping": ("", {"columns": []}),
    "use_mapping": ("file=f_boss.csv", None),
    "history": ("key=x", None),
    "mentions": ("", {"lines": []}),
    "figures": ("since=2026-01-01&until=2026-01-02", None),
    "new_webhook": ("", {"address": "https://example.org/"}),
    "add_user": ("", {"name": "x", "title": "X", "password": "correct horse battery"}),
    "change_user": ("", {"values": {}}),
    "set_roles": ("", {"roles": []}),
    "change_settings": ("", {"values": {}}),
    "set_letter_texts": ("", {"subject": "", "text": ""}),
    "preview_letter": ("", {"subject": "", "text": ""}),
    "use_storage": ("", {"path": "/x"}),
    "look_at_place": ("path=/x", None),
    "start_move": ("", {"path": "/x"}),
    "remove_former_storage": ("path=/x", None),
    "pack": ("", {"days": 1}),
}
#: The same of addresses that are no single operations: bytes, and headers.
OTHERS: dict[str, Any] = {
    "run_events": (None, {}),
    "tus_create": (None, {"Upload-Length": "5", "Upload-Metadata": "filename YS5jc3Y="}),
    "tus_look": (None, {}),
    "tus_go_on": (b"code", {"Upload-Offset": "0"}),
    "tus_drop": (None, {}),
    "tus_override": (b"code", {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}),
}
VALUES = {
    "processor": "facultyprocessor",
    "section": "portal",
    "folder": "finished",
    "number": "1",
    "row": "1",
    "group": "1",
}


class Scopes(ApiCase):
    """Each address, with tokens of some scopes, of somebody who may do everything."""

    def setUp(self):
        super().setUp()
        usual = dict(FunctionalLayer._config)
        self.addCleanup(FunctionalLayer._config.update, usual)
        self.addCleanup(FunctionalLayer._config.clear)
        FunctionalLayer._config.update(api_requests=0)
        self.upload()
        self.tokens = {}
        self.ids = {
            "draft": self.made("/drafts", {"filename": "f_boss.csv"}),
            "check": self.made("/checks", ORDER),
            "export": self.made("/exports", {"exporter": "faculties"}),
            "webhook": self.made("/webhooks", {"address": "https://receiver.example/"}),
            "upload": self.begun(),
        }
        for id in (self.ids["check"], self.ids["export"]):
            self.work_off(id)
        chosen = {name: ORDER[name] for name in ("processor", "mode")}
        chosen |= {"columns": MAPPING["columns"], "check": self.ids["check"]}
        answer = self.ask("PATCH", f"/drafts/{self.ids['draft']}", body=chosen)
        self.assertEqual(answer.status_code, 200, answer.text)
        patched = mock.patch.object(Streams, "wait", lambda streams, seconds: True)
        patched.start()
        self.addCleanup(patched.stop)

    def made(self, path, body):
        """Return the id of what was made."""
        answer = self.ask("POST", path, body=body)
        self.assertIn(answer.status_code, (201, 202), answer.text)
        return answer.json["id"]

    def begun(self):
        """Return the id of an upload in pieces."""
        sent = [("Tus-Resumable", "1.0.0"), *OTHERS["tus_create"][1].items()]
        answer = self.ask("POST", "/uploads", headers=sent)
        return answer.headers["Location"].rpartition("/")[2]

    def token_for(self, scopes):
        """Return the text of a token with these scopes."""
        if scopes not in self.tokens:
            self.tokens[scopes] = self.new_token("boss", *scopes)
        return self.tokens[scopes]

    def value(self, entry, name, scopes):
        """Return what stands for a name in an address."""
        kind = entry.path.split("/")[1]
        if name in ("id", "run", "check", "draft") and kind in ("drafts", "checks", "uploads"):
            return self.ids[kind.removesuffix("s")]
        if name in ("id", "run") and kind in ("runs", "exports"):
            is_either = kind == "runs" and len(entry.permission) == 2
            is_export = kind == "exports" or (is_either and scopes == ("export",))
            return self.ids["export" if is_export else "check"]
        if name == "id" and kind == "webhooks":
            return self.ids["webhook"]
        return "f_boss.csv" if kind == "files" else VALUES.get(name, "x")

    def address(self, entry, scopes):
        """Return the address of an entry, with names of what there is."""
        path = entry.path
        for part in entry.path.split("/"):
            if part.startswith("{"):
                path = path.replace(part, self.value(entry, part[1:-1], scopes))
        return path

    def ask_route(self, route, scopes):
        """Return the answer to a request for a route."""
        query, body = REQUESTS.get(route.operation, ("", None))
        if route.operation == "correct_like":
            body = {**body, "check": self.ids["check"]}
        more = {"body": body} if body is not None else {}
        if route.sent:
            more = {"data": b"code\nA\n"}
        path, token = self.address(route, scopes), self.token_for(scopes)
        return self.ask(route.method, f"{path}?{query}", token=token, **more)

    def ask_handler(self, handler, scopes):
        """Return the answer to a request for an address that is no single operation."""
        data, headers = OTHERS[handler.name]
        more = {"headers": [("Tus-Resumable", "1.0.0"), *headers.items()]}
        if data is not None:
            more |= {"data": data, "content_type": "application/offset+octet-stream"}
        path, token = self.address(handler, scopes), self.token_for(scopes)
        return self.ask(handler.method, path, token=token, **more)

    def test_scopes_are_as_they_are_described(self):
        wrong = []
        cases = list(self.cases())
        for _name, _ask, scopes, _enough in cases:
            self.token_for(scopes)
        # Nothing is changed by who may.
        with mock.patch("waeup.kofa.api.http.transaction.commit"):
            for name, ask, scopes, enough in cases:
                answer = ask(scopes)
                told = (name, scopes, answer.status_code, answer.text[-200:])
                self.assertNotIn(answer.status_code, (400, 401, 429), told)
                is_described = any(each <= set(scopes) for each in enough)
                if (answer.status_code == 403) == is_described:
                    wrong.append(told)
        self.assertEqual(wrong, [], "\n".join(map(str, wrong)))

    def cases(self):
        """Generate names of addresses, what asks for them, scopes to try, and those enough."""
        entries = [(route.operation, route, self.ask_route) for route in ROUTES]
        entries += [(each.name, each, self.ask_handler) for each in HANDLERS]
        for name, entry, ask in entries:
            security = description(HANDLERS)["paths"][entry.path][entry.method.lower()]["security"]
            enough = [frozenset(each["token"]) for each in security]
            self.assertEqual(bool(enough), getattr(entry, "needs_token", True), name)
            for scopes in tried(enough) if enough else ():
                yield name, partial(ask, entry), scopes, enough

    def test_webhooks_need_all_that_the_account_may(self):
        operation = description(HANDLERS)["paths"]["/webhooks"]["post"]
        self.assertEqual(
            [each["token"] for each in operation["security"]],
            [
                ["read", "import"],
                ["read", "export"],
                ["read", "portal"],
                ["import", "export", "users", "portal"],
            ],
        )
        self.assertIn(
            "`read` with `import`, or `read` with `export`, or", operation["description"]
        )
        answer = self.ask("GET", "/webhooks", token=self.token_for(("import",)))
        self.problem(answer, 403, "not-allowed")


def tried(enough):
    """Return sets of scopes to be tried: single ones, those that are enough, and all but one."""
    found = {(scope,) for scope in SCOPES} | {tuple(sorted(each)) for each in enough}
    for each in enough:
        found |= {tuple(sorted(each - {scope})) for scope in each if len(each) > 1}
    return sorted(found)
