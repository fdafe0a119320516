"""The HTTP API: what is asked for is done, and what is refused is a problem."""

import json
import logging
import shutil
from unittest import mock

import grok
import transaction
from transaction.interfaces import TransientError

from waeup.kofa.api import answers, asking, http
from waeup.kofa.api.http import Api, refused_by_server
from waeup.kofa.api.routes import ROUTES
from waeup.kofa.errors import Refused, StorageFault
from waeup.kofa.interfaces import IExportBegunEvent, IExportDoneEvent
from waeup.kofa.jobs.outages import is_away
from waeup.kofa.jobs.record import RUNNING, STOPPED
from waeup.kofa.operations import Operations
from waeup.kofa.tests.api.portal import FACULTIES, ApiCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.test_declared import fail_after, heard


class Calls(ApiCase):
    """Operations by their addresses."""

    def test_an_operation_answers_with_plain_json(self):
        (user,) = [user for user in self.get("/users") if user["name"] == "boss"]
        self.assertEqual(user["roles"], ["waeup.PortalManager"])

    def test_a_file_comes_in_and_goes_out(self):
        stored = self.upload()
        self.assertEqual((stored["name"], stored["size"]), ("f_boss.csv", len(FACULTIES)))
        answer = self.ask("GET", "/files/f_boss.csv/content")
        self.assertEqual(answer.data, FACULTIES)
        self.assertIn("f_boss.csv", answer.headers["Content-Disposition"])

    def test_an_import_from_the_file_to_the_objects(self):
        self.upload()
        where = "/files/f_boss.csv/mapping?processor=facultyprocessor&mode=create"
        mapping = self.get(where)
        answer = self.ask(
            "POST",
            "/imports",
            body={
                "name": "f_boss.csv",
                "processor": "facultyprocessor",
                "mode": "create",
                "mapping": mapping,
            },
        )
        self.assertEqual(answer.status_code, 202, answer.text)
        self.work_off(answer.json["id"])
        address = answer.headers["Location"].removeprefix("/api/v1")
        self.assertEqual(self.get(address)["report"]["created"], 2)

    def test_without_a_token_nothing_is_told(self):
        for token in (None, "kofa_" + "0" * 12 + "_" + "0" * 64, "x"):
            answer = self.ask("GET", "/users", token=token)
            self.problem(answer, 401, "no-token")
            self.assertIn("Bearer", answer.headers["WWW-Authenticate"])

    def test_no_token_stands_in_an_address(self):
        for path in (f"/runs?token={self.token}", f"/runs/{self.token}", f"/{self.token}/runs"):
            found = self.problem(self.ask("GET", path), 400, "bad-request")
            self.assertIn("Revoke it", found["detail"])

    def test_a_token_that_reads_changes_nothing(self):
        FunctionalLayer.add_user("bola", "waeup.DataCenterManager")
        token = self.new_token("bola", "read")
        self.assertEqual(self.get("/files", token=token), [])
        answer = self.ask("POST", "/files?filename=f.csv", token=token, data=FACULTIES)
        self.problem(answer, 403, "not-allowed")
        self.assertEqual(self.get("/files"), [])

    def test_what_is_sent_is_checked(self):
        answer = self.ask("GET", "/runs?limit=0&x=1")
        found = self.problem(answer, 400, "invalid-input")["errors"]
        self.assertEqual(sorted(each["parameter"] for each in found), ["limit", "x"])
        answer = self.ask("POST", "/drafts", body={"filename": 5, "y": 1})
        found = self.problem(answer, 400, "invalid-input")["errors"]
        self.assertEqual(sorted(each["pointer"] for each in found), ["/filename", "/y"])

    def test_unknown_addresses_and_methods(self):
        self.problem(self.ask("GET", "/nothing"), 404, "no-such-address")
        answer = self.ask("PUT", "/files")
        self.problem(answer, 405, "method-not-allowed")
        self.assertEqual(answer.headers["Allow"], "DELETE, GET, HEAD, POST")


class Pages(ApiCase):
    """What everybody may read."""

    def test_the_description(self):
        answer = self.ask("GET", "/openapi.json", token=None)
        self.assertEqual((answer.status_code, answer.json["openapi"]), (200, "3.1.0"))
        tag = answer.headers["ETag"]
        answer = self.ask("GET", "/openapi.json", token=None, headers=[("If-None-Match", tag)])
        self.assertEqual((answer.status_code, answer.data), (304, b""))

    def test_the_page_and_its_style_sheet(self):
        answer = self.ask("GET", "/", token=None)
        self.assertEqual((answer.status_code, answer.mimetype), (200, "text/html"))
        self.assertIn("Store a table that came from outside", answer.text)
        self.assertNotIn("<script", answer.text)
        self.assertEqual(self.ask("GET", "/style.css", token=None).mimetype, "text/css")
        answer = self.ask("GET", "", token=None)
        self.assertEqual(answer.headers["Location"], "/api/v1/")

    def test_each_problem_is_explained(self):
        problem = self.problem(self.ask("GET", "/runs/x"), 404, "no-such-item")
        address = problem["type"].removeprefix("http://localhost/api/v1")
        answer = self.ask("GET", address, token=None)
        self.assertIn("There is no item of that name", answer.text)
        self.problem(self.ask("GET", "/problems/x", token=None), 404, "no-such-address")


class Files(ApiCase):
    """Files as bodies."""

    def test_parts_of_a_file_and_its_tag(self):
        self.upload()
        where = "/files/f_boss.csv/content"
        whole = self.ask("GET", where)
        self.assertEqual(whole.mimetype, "text/csv")
        self.assertEqual(whole.headers["Accept-Ranges"], "bytes")
        tag = whole.headers["ETag"]
        part = self.ask("GET", where, headers=[("Range", "bytes=5-9"), ("If-Range", tag)])
        self.assertEqual((part.status_code, part.data), (206, FACULTIES[5:10]))
        self.assertEqual(part.headers["Content-Range"], f"bytes 5-9/{len(FACULTIES)}")
        other = self.ask("GET", where, headers=[("Range", "bytes=5-9"), ("If-Range", '"x"')])
        self.assertEqual((other.status_code, other.data), (200, FACULTIES))
        answer = self.ask("GET", where, headers=[("Range", "bytes=1000-")])
        self.problem(answer, 416, "range-not-satisfiable")
        self.assertEqual(answer.headers["Content-Range"], f"bytes */{len(FACULTIES)}")
        answer = self.ask("GET", where, headers=[("If-None-Match", tag)])
        self.assertEqual((answer.status_code, answer.data), (304, b""))
        head = self.ask("HEAD", where)
        self.assertEqual((head.status_code, head.data), (200, b""))
        self.assertEqual(head.headers["Content-Length"], str(len(FACULTIES)))

    def test_a_template_has_its_name_and_type(self):
        answer = self.ask("GET", "/processors/facultyprocessor/template?format=xlsx")
        self.assertEqual(answer.status_code, 200)
        self.assertIn("spreadsheetml", answer.mimetype)
        self.assertIn("facultyimport_000.xlsx", answer.headers["Content-Disposition"])
        again = self.ask("GET", "/processors/facultyprocessor/template")
        tag = again.headers["ETag"]
        answer = self.ask(
            "GET", "/processors/facultyprocessor/template", headers=[("If-None-Match", tag)]
        )
        self.assertEqual(answer.status_code, 304)

    def test_an_export_at_once_is_a_file_and_says_what_it_has(self):
        body = {"exporter": "faculties", "keys": ["SCI", "nobody"]}
        answer = self.ask("POST", "/exports/now", body=body)
        self.assertEqual((answer.status_code, answer.mimetype), (200, "text/csv"), answer.text)
        self.assertIn("faculties.csv", answer.headers["Content-Disposition"])
        outcome = json.loads(answer.headers["Kofa-Outcome"])
        self.assertEqual((outcome["rows"], outcome["unknown"]), (0, ["SCI", "nobody"]))
        headers = [("If-None-Match", "*"), ("Range", "bytes=0-1")]
        again = self.ask("POST", "/exports/now", body=body, headers=headers)
        self.assertEqual((again.status_code, again.data), (200, answer.data))
        answer = self.ask("POST", "/exports/now", body={"exporter": "x"})
        self.problem(answer, 404, "no-such-item")

    def test_exports_at_once_are_counted_among_the_streams(self):
        def ask():
            return self.ask("POST", "/exports/now", body={"exporter": "faculties"})

        for streams in (0, 1):
            self.api = Api(FunctionalLayer.database(), "/app", streams=streams)
            told = []
            with heard(IExportBegunEvent, lambda event, told=told: told.append(ask())):
                self.assertEqual(ask().status_code, 200)
            (other,) = told
            self.problem(other, 503, "too-many-streams")
            self.assertIn("order it as a run", other.json["detail"])
            self.assertIn("Retry-After", other.headers)
            # Also after a refusal the place is given back.
            with heard(IExportBegunEvent, fail_after(0, Refused)):
                self.assertEqual(ask().status_code, 422)
            self.assertEqual(ask().status_code, 200)
            self.api.streams.enter(least=1)
            self.problem(ask(), 503, "too-many-streams")

    def test_what_subscribers_of_an_export_at_once_change_is_kept(self):
        told = []

        def hear(event):
            told.append(getattr(grok.getSite(), "told", 0))
            grok.getSite().told = told[-1] + 1

        with heard(IExportBegunEvent, hear), heard(IExportDoneEvent, hear):
            for _turn in range(2):
                answer = self.ask("POST", "/exports/now", body={"exporter": "faculties"})
                self.assertEqual(answer.status_code, 200)
        self.assertEqual(told, [0, 1, 2, 3])
        with heard(IExportBegunEvent, fail_after(0, Refused)):
            answer = self.ask("POST", "/exports/now", body={"exporter": "faculties"})
        self.assertEqual((answer.status_code, answer.json["detail"]), (422, "That is enough."))

    def test_an_export_in_the_background(self):
        answer = self.ask("POST", "/exports", body={"exporter": "faculties"})
        self.assertEqual(answer.status_code, 202, answer.text)
        self.assertEqual(answer.headers["Location"], f"/api/v1/runs/{answer.json['id']}")
        id = answer.json["id"]
        self.problem(self.ask("GET", f"/exports/{id}/content"), 404, "no-such-item")
        self.work_off(id)
        self.assertIn(b"code", self.ask("GET", f"/exports/{id}/content").data)
        self.assertEqual(self.ask("DELETE", f"/exports/{id}").status_code, 204)

    def test_keys_of_a_table(self):
        answer = self.ask("POST", "/exporters/faculties/keys?name=k.csv", data=b"code\nA\nB\n")
        self.assertEqual((answer.status_code, answer.json), (200, ["A", "B"]), answer.text)

    def test_a_table_of_any_of_its_types_is_taken_and_nothing_else(self):
        answer = self.ask("POST", "/files?filename=a.csv", data=FACULTIES, content_type="text/csv")
        self.assertEqual(answer.status_code, 201)
        for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
            answer = self.ask("POST", "/files?filename=b.csv", data=FACULTIES, content_type=kind)
            self.problem(answer, 415, "unsupported-media-type")
            self.assertIn("application/octet-stream", answer.headers["Accept-Post"])

    def test_where_a_file_is_on_the_disk_is_not_told(self):
        self.assertNotIn("path", self.upload())


class Lists(ApiCase):
    """Long lists come in parts."""

    def pages(self, path):
        """Return the names of all parts, following the links."""
        found = []
        while path:
            answer = self.ask("GET", path)
            self.assertEqual(answer.status_code, 200, answer.text)
            found.append([each["name"] for each in answer.json])
            link = answer.headers.get("Link", "")
            path = link.partition(">")[0].removeprefix("</api/v1")
        return found

    def test_a_list_is_cut_and_goes_on_behind_its_last_item(self):
        for name in "abcde":
            self.store(f"{name}.csv")
        self.assertEqual(
            self.pages("/files?limit=2"), [["a.csv", "b.csv"], ["c.csv", "d.csv"], ["e.csv"]]
        )
        answer = self.ask("GET", "/files?limit=2&sort=name")
        link = answer.headers["Link"].partition(">")[0].removeprefix("</api/v1")
        self.assertIn("sort=name", link)
        # What has come and gone meanwhile does not matter.
        self.store("aa.csv")
        self.assertEqual([each["name"] for each in self.get(link)], ["c.csv", "d.csv"])
        (self.storage / "b.csv").unlink()
        (self.storage / "aa.csv").unlink()
        self.assertEqual([each["name"] for each in self.get(link)], ["d.csv", "e.csv"])

    def test_a_list_of_an_operation_with_a_limit(self):
        for _ in range(5):
            self.ask("POST", "/exports", body={"exporter": "faculties"})
        ids = [each["id"] for each in self.get("/runs")]
        answer = self.ask("GET", "/runs?limit=2")
        self.assertEqual([each["id"] for each in answer.json], ids[:2])
        link = answer.headers["Link"].partition(">")[0].removeprefix("</api/v1")
        # A new one in front.
        self.ask("POST", "/exports", body={"exporter": "faculties"})
        self.assertEqual([each["id"] for each in self.get(link)], ids[2:4])

    def test_what_is_no_part(self):
        for query in ("limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "after=x"):
            self.problem(self.ask("GET", f"/files?{query}"), 400, "invalid-input")
        self.assertEqual(self.get("/files?after=999999~x"), [])


class Tags(ApiCase):
    """What the client has already is not sent again."""

    def test_an_answer_that_is_the_same_is_not_sent(self):
        answer = self.ask("GET", "/users")
        self.assertEqual(answer.headers["Cache-Control"], "private, no-cache")
        tag = answer.headers["ETag"]
        for text in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            answer = self.ask("GET", "/users", headers=[("If-None-Match", text)])
            self.assertEqual((answer.status_code, answer.data), (304, b""), text)
            self.assertEqual(answer.headers["ETag"], tag)
        body = {"name": "bola", "title": "Bola", "password": "correct horse battery"}
        self.assertEqual(self.ask("POST", "/users", body=body).status_code, 201)
        answer = self.ask("GET", "/users", headers=[("If-None-Match", tag)])
        self.assertEqual(answer.status_code, 200)


class Refusals(ApiCase):
    """What goes wrong."""

    def setUp(self):
        super().setUp()
        self.records = []
        handler = logging.Handler()
        handler.emit = self.records.append
        for logger in (logging.getLogger("SiteError"), answers.log):
            logger.addHandler(handler)
            self.addCleanup(logger.removeHandler, handler)

    def test_a_token_in_the_address_is_refused(self):
        hidden = self.token.replace("_", "%5F")
        for query in (f"access_token={self.token}", f"filename={self.token}", f"x={hidden}"):
            answer = self.ask("GET", f"/files?{query}")
            problem = self.problem(answer, 400, "bad-request")
            self.assertNotIn(self.token, json.dumps(problem))

    def test_two_tokens_and_other_kinds_of_authorization(self):
        for headers in (
            [("Authorization", f"Bearer {self.token}")] * 2,
            [("Authorization", f"Basic {self.token}")],
            [("Authorization", self.token)],
            [("Cookie", f"token={self.token}")],
        ):
            self.problem(self.ask("GET", "/files", token=None, headers=headers), 401, "no-token")

    def test_a_damaged_host(self):
        answer = self.ask("GET", "/files", headers=[("Host", "a b")])
        self.problem(answer, 400, "bad-request")

    def test_bodies_that_are_none(self):
        answer = self.ask("POST", "/drafts", data=b"{", content_type="application/json")
        self.problem(answer, 400, "invalid-input")
        answer = self.ask("POST", "/drafts", data=b"{}", content_type="text/plain")
        self.problem(answer, 415, "unsupported-media-type")
        self.problem(self.ask("GET", "/files", body={}), 400, "bad-request")
        body = b'{"filename": "' + b"x" * asking.MOST_JSON + b'"}'
        answer = self.ask("POST", "/drafts", data=body, content_type="application/json")
        self.problem(answer, 413, "too-large")

    def test_a_large_share_needs_its_number(self):
        self.upload(content=b"code,title\n" + b"".join(b"F%d,T\n" % n for n in range(30)))
        order = {
            "name": "f_boss.csv",
            "processor": "facultyprocessor",
            "mode": "remove",
            "mapping": {"columns": ["code", None]},
        }
        problem = self.problem(
            self.ask("POST", "/imports", body=order), 409, "confirmation-needed"
        )
        self.assertEqual((problem["removed"], problem["changed"]), (30, 0))
        answer = self.ask("POST", "/imports", body={**order, "yes_remove": 30})
        self.assertEqual(answer.status_code, 202, answer.text)
        answer = self.ask("POST", "/imports", body={**order, "yes_remove": 30})
        self.problem(answer, 409, "wrong-state")

    def test_settings_that_cannot_be(self):
        answer = self.ask("PATCH", "/settings/retention", body={"values": {"finished_days": 0}})
        problem = self.problem(answer, 422, "invalid-settings")
        self.assertEqual(list(problem["wrong"]), ["finished_days"])
        version = self.get("/settings/retention")["version"]
        body = {"values": {"finished_days": 5}, "version": version}
        self.assertEqual(self.ask("PATCH", "/settings/retention", body=body).status_code, 200)
        self.problem(self.ask("PATCH", "/settings/retention", body=body), 409, "outdated")

    def test_numbers_of_settings_need_no_point(self):
        body = {"values": {"remove_percent": 20}}
        answer = self.ask("PATCH", "/settings/limits", body=body)
        self.assertEqual((answer.status_code, answer.json), (200, ["remove_percent"]), answer.text)

    def test_a_closed_portal(self):
        self.ask("PUT", "/maintenance", body={"text": "Back at noon."})
        FunctionalLayer.add_user("bola", "waeup.DataCenterManager")
        answer = self.ask("GET", "/files", token=self.new_token("bola"))
        self.assertIn("Back at noon.", self.problem(answer, 503, "under-maintenance")["detail"])
        self.assertIn("Retry-After", answer.headers)
        self.assertEqual(self.get("/files"), [])

    def test_files_that_cannot_be_reached(self):
        transaction.abort()
        storage = self.storage
        shutil.rmtree(storage)
        self.addCleanup(storage.mkdir)
        answer = self.ask("GET", "/files")
        problem = self.problem(answer, 500, "storage-fault")
        self.assertNotIn(str(storage), json.dumps(problem))
        self.get("/users")

    def test_a_fault_has_a_reference_and_no_words(self):
        with mock.patch.object(Operations, "users", side_effect=ValueError("secret")):
            answer = self.ask("GET", "/users")
        problem = self.problem(answer, 500, "fault")
        self.assertNotIn("secret", json.dumps(problem))
        self.assertEqual(answer.headers["X-Error-Reference"], problem["reference"])
        (record,) = self.records
        self.assertIn(problem["reference"], record.getMessage())
        self.assertRegex(record.getMessage(), " by boss$")
        self.assertIsNotNone(record.exc_info)

    def test_a_database_that_is_away(self):
        def away(error):
            return isinstance(error, ConnectionError)

        self.assertFalse(is_away(ConnectionError()))
        with (
            mock.patch.object(answers, "is_away", away),
            mock.patch.object(Operations, "users", side_effect=ConnectionError("x")),
        ):
            answer = self.ask("GET", "/users")
        self.problem(answer, 503, "database-away")
        self.assertIn("Retry-After", answer.headers)

    def test_a_conflict_is_tried_again_and_not_for_ever(self):
        users, calls = Operations.users, []

        def busy(operations):
            calls.append(1)
            if len(calls) < 3:
                raise TransientError
            return users(operations)

        with mock.patch.object(http, "PAUSE", 0), mock.patch.object(Operations, "users", busy):
            self.get("/users")
            self.assertEqual(len(calls), 3)
            with mock.patch.object(Operations, "users", side_effect=TransientError):
                self.problem(self.ask("GET", "/users"), 409, "item-busy")

    def test_a_file_is_read_again_after_a_conflict(self):
        upload, calls = Operations.upload, []

        def busy(operations, *args, **kw):
            result = upload(operations, *args, **kw)
            calls.append(1)
            if len(calls) == 1:
                raise TransientError
            return result

        with mock.patch.object(http, "PAUSE", 0), mock.patch.object(Operations, "upload", busy):
            self.assertEqual(self.upload()["size"], len(FACULTIES))
        self.assertEqual(len(calls), 2)

    def test_folders_of_the_server_are_in_its_log_alone(self):
        text = "The storage /srv/kofa/secret is gone, or empty."
        with (
            mock.patch.object(Operations, "pending_files", side_effect=StorageFault(text)),
            self.assertLogs("SiteError") as logged,
        ):
            found = self.problem(self.ask("GET", "/files"), 500, "storage-fault")
        self.assertEqual(found["detail"], "The storage secret is gone, or empty.")
        self.assertNotIn("/srv", json.dumps(found))
        self.assertIn(found["reference"], logged.output[0])
        self.assertIn("/srv/kofa/secret", logged.output[0])

    def test_why_a_run_stopped_is_told_with_folders_to_operators_alone(self):
        FunctionalLayer.add_user("ida", "waeup.ImportManager")
        self.upload()
        order = {
            "name": "f_boss.csv",
            "processor": "facultyprocessor",
            "mode": "create",
            "mapping": {"columns": ["code", "title"]},
        }
        id = self.ask("POST", "/imports", body=order).json["id"]
        transaction.abort()
        run = self.site["datacenter"].runs.get(id)
        run.move(RUNNING)
        run.move(STOPPED)
        run.fault = "The storage /srv/kofa/secret is gone."
        transaction.commit()
        self.assertEqual(self.get(f"/runs/{id}")["fault"], run.fault)
        ida = self.new_token("ida")
        told = self.get(f"/runs/{id}", token=ida)["fault"]
        self.assertEqual(told, "The storage secret is gone.")

    def test_what_the_server_refuses_is_a_problem(self):
        for status, code in ((413, "too-large"), (400, "bad-request"), (431, "bad-request")):
            line, headers, body = refused_by_server(status, "x", "POST", "/api/v1/files")
            self.assertEqual(json.loads(body)["code"], code)
            self.assertEqual(line[:3], "413" if status == 413 else "400")
            self.assertIn(("Content-Type", "application/problem+json"), headers)


class Reading(ApiCase):
    """GET changes nothing."""

    def test_no_object_is_written(self):
        self.upload()
        draft = self.ask("POST", "/drafts", body={"filename": "f_boss.csv"}).json["id"]
        # The first request of a minute notes that the token was used.
        self.get("/files")
        transaction.abort()
        database = FunctionalLayer.database()
        before = database.lastTransaction()
        values = {
            "name": "f_boss.csv",
            "id": draft,
            "draft": draft,
            "processor": "facultyprocessor",
            "section": "portal",
            "language": "en",
            "folder": "finished",
            "permission": "waeup.importData",
            "user": "boss",
        }
        queries = {
            "figures": "since=2026-01-01&until=2026-02-01",
            "propose_mapping": "processor=facultyprocessor&mode=create",
            "history": "key=x",
        }
        answered = 0
        with mock.patch("waeup.kofa.api.http.touch"):
            for route in ROUTES:
                if route.method == "GET":
                    path = route.path
                    for name in route.in_path:
                        path = path.replace(f"{{{name}}}", values.get(name, "x"))
                    query = queries.get(route.operation, "")
                    answered += self.ask("GET", f"{path}?{query}").status_code == 200
        self.assertGreater(answered, 40)
        self.assertEqual(database.lastTransaction(), before)


class Looks(ApiCase):
    """The application by itself."""

    def test_answers_are_for_who_has_the_token(self):
        answer = self.ask("GET", "/files")
        self.assertEqual(answer.headers["Vary"], "Authorization")
        self.assertNotIn("Set-Cookie", answer.headers)
        self.assertFalse(any("Access-Control" in name for name, _ in answer.headers))
