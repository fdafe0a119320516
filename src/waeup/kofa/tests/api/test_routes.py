"""The table of addresses: complete, without contradictions, and the same for both ends."""

import inspect
import string
import unittest
from collections import Counter
from datetime import date, datetime, timezone

from waeup.kofa.api import passing, plain
from waeup.kofa.api.addresses import HANDLERS, is_own, may_be_large, path_of
from waeup.kofa.api.matching import Table
from waeup.kofa.api.passing import NOTHING, asked, received
from waeup.kofa.api.plain import NotPlain
from waeup.kofa.api.problems import Refusal
from waeup.kofa.api.route import REQUIRED
from waeup.kofa.api.routes import ROUTES, TAGS, UNROUTED, by_operation
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import MappingError
from waeup.kofa.exporting import Wish
from waeup.kofa.operations import Operations
from waeup.kofa.scopes import READ
from waeup.kofa.tabular.options import ReadOptions

OPERATIONS = {
    name
    for name, _function in inspect.getmembers(Operations, inspect.isfunction)
    if not name.startswith("_")
}
TOKEN = f"kofa_{'0' * 12}_{'0' * 64}"


class Complete(unittest.TestCase):
    """Each operation, once."""

    def test_each_operation_has_a_route_or_a_reason(self):
        routed = Counter(route.operation for route in ROUTES)
        self.assertEqual([name for name, count in routed.items() if count > 1], [])
        self.assertEqual(routed.keys() & UNROUTED.keys(), set())
        self.assertEqual(
            routed.keys() | UNROUTED.keys(),
            OPERATIONS,
            "A new operation needs a Route in waeup.kofa.api.routes, or a reason in UNROUTED.",
        )

    def test_reasons_are_sentences(self):
        for reason in UNROUTED.values():
            self.assertTrue(reason.endswith("."), reason)

    def test_addresses_are_alike(self):
        allowed = set(string.ascii_lowercase + "-/{}_")
        for route in ROUTES:
            self.assertLessEqual(set(route.path), allowed, route.path)
            self.assertTrue(route.path.startswith("/") and not route.path.endswith("/"))
            self.assertIn(route.tag, TAGS)
            names = inspect.signature(route.function).parameters
            self.assertLessEqual(set(route.in_path), set(names), route.path)

    def test_each_argument_can_be_sent(self):
        own = {"self", "tell", "alone"}
        for route in ROUTES:
            names = {
                name
                for name, known in inspect.signature(route.function).parameters.items()
                if known.kind is not known.VAR_KEYWORD and name not in own | {route.written}
            }
            sent = {parameter.argument for parameter in route.parameters}
            self.assertLessEqual(names, sent, route.operation)
            for parameter in route.parameters:
                if parameter.place != "stream":
                    plain.codec(parameter.annotation)
            if not route.gives_file:
                plain.codec(route.returns)

    def test_names_in_queries_are_unique(self):
        for route in ROUTES:
            count = Counter((each.name, each.place) for each in route.parameters)
            self.assertEqual([name for name, number in count.items() if number > 1], [])

    def test_get_reads_and_all_that_changes_does_not(self):
        for route in ROUTES:
            self.assertEqual((READ,) in route.scopes, route.is_reading, route.operation)
            self.assertTrue(route.scopes, route.operation)
            if route.method in ("PUT", "PATCH", "DELETE"):
                self.assertFalse(route.is_reading, route.operation)


class Found(unittest.TestCase):
    """From an address to what answers it."""

    def test_each_address_leads_to_its_entry(self):
        table = Table((*ROUTES, *HANDLERS))
        for entry in (*ROUTES, *HANDLERS):
            names = [part.replace("{", "<") for part in entry.path.split("/")[1:]]
            found, variables = table.find(entry.method, names)
            self.assertIs(found, entry)
            self.assertEqual(len(variables), entry.path.count("{"))

    def test_two_entries_of_one_address_are_a_mistake(self):
        self.assertRaises(ValueError, Table, (ROUTES[0], ROUTES[0]))

    def test_what_there_is_not(self):
        table = Table(ROUTES)
        for names in (["x"], ["files", "", "content"], ["files", "a", "content", "b"], []):
            with self.assertRaises(Refusal) as caught:
                table.find("GET", names)
            self.assertEqual(caught.exception.problem.status, 404)

    def test_names_may_have_slashes_where_the_server_tells(self):
        path = "/api/v1/processors/x/mappings/a/b/fitted"
        self.assertEqual(
            path_of({"PATH_INFO": path, "REQUEST_URI": path.replace("a/b", "a%2Fb") + "?x=/"}),
            ["processors", "x", "mappings", "a/b", "fitted"],
        )
        self.assertEqual(len(path_of({"PATH_INFO": path})), 6)
        hidden = {"PATH_INFO": "/api/v1/x/y/users", "REQUEST_URI": "/api%2Fv1%2Fx/y/users"}
        self.assertEqual(path_of(hidden), ["x", "y", "users"])
        # What a proxy has changed is believed as it is in the path.
        other = {"PATH_INFO": path, "REQUEST_URI": "/portal" + path}
        self.assertEqual(len(path_of(other)), 6)
        with self.assertRaises(Refusal):
            path_of({"PATH_INFO": "/api/v1/files/\xff"})

    def test_what_is_for_the_api(self):
        self.assertTrue(is_own("/api/v1") and is_own("/api/v1/files"))
        self.assertFalse(is_own("/api/v10") or is_own("/api") or is_own("/kofa/api/v1"))

    def test_only_files_with_a_token_may_be_large(self):
        bearer = f"Bearer {TOKEN}"
        for method, path in (
            ("POST", "/files"),
            ("POST", "/exporters/x/keys"),
            ("PATCH", "/uploads/x"),
        ):
            self.assertTrue(may_be_large(method, f"/api/v1{path}", bearer))
            self.assertFalse(may_be_large(method, f"/api/v1{path}", "Bearer x"))
            self.assertFalse(may_be_large(method, f"/api/v1{path}", ""))
        for method, path in (("POST", "/imports"), ("PUT", "/files"), ("POST", "/x")):
            self.assertFalse(may_be_large(method, f"/api/v1{path}", bearer))
        self.assertFalse(may_be_large("POST", "/api/v1/\xff", bearer))


class Passed(unittest.TestCase):
    """Arguments go out and come in again."""

    def passed(self, operation, *args, **kw):
        """Return the arguments of a call as the portal gets them."""
        route = by_operation()[operation]
        request = asked(route, args, kw)
        names = request.path.split("/")[3:]
        found, variables = Table(ROUTES).find(request.method, names)
        self.assertIs(found, route)
        body = request.body
        if body is not NOTHING:
            body = plain.from_text(plain.to_text(body))
        return received(route, variables, request.query, body, request.stream)

    def test_calls_of_each_kind(self):
        now = datetime(2026, 1, 31, tzinfo=timezone.utc)
        mapping = Mapping(("code", None), (("a", "b"),), (("code", (("x", "y"),)),))
        options = ReadOptions(delimiter=";", header_line=3)
        for operation, args, kw in (
            ("users", (), {}),
            ("user", ("bola",), {}),
            ("remove_user", ("bola", "v"), {}),
            ("runs", (5,), {"kinds": ["import", "undo"], "since": now, "is_over": True}),
            ("figures", (date(2026, 1, 1), date(2026, 2, 1)), {"unit": "week"}),
            ("preview", ("a.csv",), {"rows": 5, "options": options}),
            ("delete", (["a.csv", "b&c.csv"],), {}),
            ("start_import", ("a.csv", "p", "create", mapping), {"options": options}),
            ("start_export", (Wish("students", (("a", "b"),), ("1", "2")),), {}),
            ("check_rows", ("1f",), {"outcome": "failed", "notable": True, "start": 3}),
            ("correct", ("1f", 7, {0: "x", 12: ""}), {}),
            ("log_page", ("", "a|b"), {"limit": 3, "newest": False, "level": "INFO"}),
            ("save_draft", ("1f",), {"reading": {"sheet": "A"}, "columns": ("a", None)}),
            ("pack", (0.5,), {}),
        ):
            known = inspect.signature(getattr(Operations, operation))
            bound = known.bind(None, *args, **kw).arguments
            bound.update(bound.pop("options", {}) if operation == "log_page" else {})
            bound.update(bound.pop("changes", {}))
            del bound["self"]
            self.assertEqual(self.passed(operation, *args, **kw), bound, operation)

    def test_a_call_that_cannot_be(self):
        route = by_operation()["user"]
        self.assertRaises(TypeError, asked, route, (), {})
        self.assertRaises(TypeError, asked, route, (5,), {})

    def wrong(self, operation, query=(), body=NOTHING, **variables):
        """Return where something is wrong."""
        with self.assertRaises(NotPlain) as caught:
            received(by_operation()[operation], variables, query, body)
        return {error.parameter or error.pointer for error in caught.exception.errors}

    def test_what_is_wrong_is_told_by_place(self):
        self.assertEqual(self.wrong("runs", [("limit", "x"), ("y", "1")]), {"limit", "y"})
        self.assertEqual(self.wrong("runs", [("limit", "1"), ("limit", "2")]), {"limit"})
        self.assertEqual(self.wrong("runs", [("is_over", "yes")]), {"is_over"})
        self.assertEqual(self.wrong("figures"), {"since", "until"})
        self.assertEqual(self.wrong("failing_row", draft="1", number="0"), {"number"})
        self.assertEqual(self.wrong("new_draft", body={}), {"/filename"})
        self.assertEqual(self.wrong("new_draft"), {"/filename"})
        self.assertEqual(self.wrong("new_draft", body=[1]), {"", "/filename"})
        self.assertEqual(self.wrong("start_export"), {""})
        self.assertEqual(self.wrong("start_export", body={"exporter": 1}), {"/exporter"})

    def test_what_a_class_refuses_is_raised(self):
        body = {"name": "a", "processor": "p", "mode": "m", "mapping": {"columns": ["a", "a"]}}
        with self.assertRaises(MappingError):
            received(by_operation()["start_import"], {}, [], body)

    def test_what_is_not_said_is_left_to_the_operation(self):
        self.assertEqual(received(by_operation()["runs"], {}, []), {})
        for route in ROUTES:
            for parameter in route.parameters:
                if parameter.place == "query" and parameter.default is not REQUIRED:
                    passing.is_list(plain.codec(parameter.annotation))
