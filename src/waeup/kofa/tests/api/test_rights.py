"""What a token does not allow, though its account may do it: no way around leads there."""

from unittest import mock
from urllib.parse import quote, urlencode

import transaction

from waeup.kofa.api.routes import ROUTES
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.jobs.record import RUNNING, STOPPED
from waeup.kofa.operations import Operations
from waeup.kofa.tests.api.portal import ApiCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tokens import revoke_all

ACCOUNTS = b"name,title,roles,password\neve,Eve,['waeup.PortalManager'],Long s3cret phrase\n"
STUDENTS = b"firstname,lastname,email,password\nAda,Lovelace,ada@example.org,s3cret\n"
ADDRESS = "https://receiver.example/hook"
#: What requests for operations say, whatever it is about.
SAID = {
    "changes": {},
    "columns": [["code", "code"]],
    "days": 1,
    "folder": "deleted",
    "group": 0,
    "language": "en",
    "mapping": {"columns": ["code", "title"]},
    "mode": "create",
    "name": "f_boss.csv",
    "names": ["f_boss.csv"],
    "number": 1,
    "position": 0,
    "processor": "facultyprocessor",
    "roles": [],
    "section": "portal",
    "texts": {"0": "x"},
    "values": {},
}


class Reading(ApiCase):
    """The scope for reading, asked for everything that changes anything."""

    def test_it_changes_nothing(self):
        self.upload()
        draft = self.ask("POST", "/drafts", body={"filename": "f_boss.csv"}).json["id"]
        token = self.new_token("boss", "read")
        self.api.throttle.count_request = lambda token: None
        for route in ROUTES:
            if route.is_reading:
                continue
            said = SAID | {"draft": draft, "user": "boss"}
            if route.path.startswith("/drafts"):
                said["id"] = draft
            path, query, body, data = route.path, [], None, None
            for parameter in route.parameters:
                name = parameter.name
                value = said.get(name, "x")
                if parameter.place == "path":
                    path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
                elif parameter.place == "query" and parameter.is_required:
                    query.append((name, value))
                elif parameter.place == "stream":
                    data = b"code\nX\n"
                elif parameter.place == "whole":
                    body = {"exporter": "faculties"}
                elif parameter.place == "body":
                    body = (body or {}) | ({name: value} if parameter.is_required else {})
            path += f"?{urlencode(query, doseq=True)}"
            with self.subTest(route.operation):
                answer = self.ask(route.method, path, token=token, body=body, data=data)
                self.problem(answer, 403, "not-allowed")


class Imports(ApiCase):
    """Accounts get their rights by files as well, and runs know nothing of tokens."""

    def order(self, token):
        """Order a check and an import of accounts; return the answers."""
        mapping = self.get("/files/f_boss.csv/mapping?processor=userprocessor&mode=create")
        body = {"name": "f_boss.csv", "processor": "userprocessor", "mode": "create"}
        return [
            self.ask("POST", address, token=token, body=body | {"mapping": mapping})
            for address in ("/checks", "/imports")
        ]

    def test_a_file_gives_no_right_that_the_token_lacks(self):
        self.upload(content=ACCOUNTS)
        for answer in self.order(self.new_token("boss", "import", "users", "export")):
            found = self.problem(answer, 403, "not-allowed")
            self.assertIn("lacks the scope portal", found["detail"])
        self.assertEqual(self.get("/runs"), [])

    def test_what_others_have_stopped_does_not_go_on_by_it_either(self):
        self.upload(content=ACCOUNTS)
        _checked, ordered = self.order(self.token)
        self.assertEqual(ordered.status_code, 202, ordered.text)
        run = f"/runs/{ordered.json['id']}"
        token = self.new_token("boss", "import", "users", "export")
        stopped = self.site["datacenter"].runs.get(ordered.json["id"])
        stopped.move(RUNNING)
        stopped.move(STOPPED)
        transaction.commit()
        self.problem(self.ask("POST", f"{run}/resume", token=token), 403, "not-allowed")
        self.assertEqual(self.ask("POST", f"{run}/resume").status_code, 200)
        self.work_off(ordered.json["id"])
        self.problem(self.ask("POST", f"{run}/undo", token=token), 403, "not-allowed")

    def test_others_need_no_more_than_before(self):
        FunctionalLayer.add_user("uma", "waeup.UsersManager", "waeup.ImportManager")
        self.upload(content=b"name,title\neve,Eve\n")
        for answer in self.order(self.new_token("uma", "import", "users")):
            self.assertEqual(answer.status_code, 202, answer.text)


class Webhooks(ApiCase):
    """Messages tell what the account may see, and go on when the token has ended."""

    def test_they_are_for_who_sees_all_that_they_tell(self):
        body = {"address": ADDRESS}
        token = self.new_token("boss", "export", "portal")
        for method, path in (("GET", "/webhooks"), ("POST", "/webhooks")):
            answer = self.ask(method, path, token=token, body=body if method == "POST" else None)
            found = self.problem(answer, 403, "not-allowed")
            self.assertIn("scope read", found["detail"])
        token = self.new_token("boss", "export", "read")
        answer = self.ask("POST", "/webhooks", token=token, body=body)
        self.assertEqual(answer.status_code, 201, answer.text)
        self.assertEqual(len(self.get("/webhooks", token=self.new_token("boss", "read"))), 1)


class Secrets(ApiCase):
    """Hashes of passwords are not among what a program sees that only reads."""

    def test_hashes_are_for_who_manages_accounts(self):
        body = {"exporter": "users", "secrets": True}
        reads = self.new_token("boss", "read", "export")
        writes = self.new_token("boss", "users", "export")
        for path, status in (("/exports/now", 200), ("/exports", 202)):
            answer = self.ask("POST", path, token=reads, body=body)
            self.assertIn("scope users", self.problem(answer, 403, "not-allowed")["detail"])
            answer = self.ask("POST", path, token=writes, body=body)
            self.assertEqual(answer.status_code, status, answer.text)
        run = answer.json["id"]
        self.work_off(run)
        path = f"/exports/{run}/content"
        self.problem(self.ask("GET", path, token=reads), 403, "not-allowed")
        self.assertIn(b"$2b$", self.ask("GET", path, token=writes).data)
        for token, secrets in ((reads, []), (writes, ["password"])):
            (users,) = [e for e in self.get("/exporters", token=token) if e["name"] == "users"]
            self.assertEqual(users["secrets"], secrets)

    def test_files_of_others_with_passwords_are_for_who_manages_accounts(self):
        FunctionalLayer.add_user("bola", "waeup.PortalManager")
        of_bola = self.new_token("bola")
        answer = self.ask("POST", "/files?filename=f.csv", token=of_bola, data=ACCOUNTS)
        path = f"/files/{answer.json['name']}/content"
        reads = self.new_token("boss", "read", "files")
        found = self.problem(self.ask("GET", path, token=reads), 403, "not-allowed")
        self.assertIn("scope users", found["detail"])
        self.assertEqual(self.ask("GET", path).data, ACCOUNTS)

    def test_so_are_those_of_the_own_account(self):
        answer = self.ask("POST", "/files?filename=f.csv", data=ACCOUNTS)
        path = f"/files/{answer.json['name']}"
        for scopes in (["read"], ["files"], ["read", "files", "import"]):
            reads = self.new_token("boss", *scopes)
            found = self.problem(
                self.ask("GET", f"{path}/content", token=reads), 403, "not-allowed"
            )
            self.assertIn("scope users", found["detail"])
        writes = self.new_token("boss", "files", "users")
        self.assertEqual(self.ask("GET", f"{path}/content", token=writes).data, ACCOUNTS)
        answer = self.ask("POST", "/files?filename=s.csv", data=STUDENTS)
        student_file = f"/files/{answer.json['name']}/content"
        self.problem(self.ask("GET", student_file, token=reads), 403, "not-allowed")
        # Who has brought it can still take it away.
        name = answer.json["name"]
        self.assertEqual(self.ask("DELETE", f"/files?names={name}", token=reads).json, [name])


class Revoked(ApiCase):
    """A token that is revoked changes nothing from then on."""

    def test_what_it_has_begun_to_change_is_not_stored(self):
        close = Operations.start_maintenance

        def revoke():
            with open_portal(FunctionalLayer.database(), "/app") as site:
                transaction.begin()
                revoke_all(site["users"], "boss", "admin")
                transaction.commit()

        def slow(operations, text):
            closed = close(operations, text)
            in_own_thread(revoke)
            return closed

        with mock.patch.object(Operations, "start_maintenance", slow):
            answer = self.ask("PUT", "/maintenance", body={"text": "Soon"})
        self.problem(answer, 401, "no-token")
        transaction.abort()
        self.token = self.new_token("boss")
        self.assertIsNone(self.get("/maintenance"))
