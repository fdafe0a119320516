"""The description: valid, complete, and its examples are true."""

import json
import unittest
from urllib.parse import quote

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from waeup.kofa.api import plain
from waeup.kofa.api.addresses import HANDLERS
from waeup.kofa.api.examples import EXAMPLES
from waeup.kofa.api.openapi import description
from waeup.kofa.api.problems import all_problems
from waeup.kofa.api.routes import ROUTES, by_operation
from waeup.kofa.scopes import SCOPES


class Description(unittest.TestCase):
    """See the module."""

    def setUp(self):
        self.found = json.loads(plain.to_text(dict(description(HANDLERS))))

    def operations(self):
        """Generate all operations."""
        for path, methods in self.found["paths"].items():
            for method, operation in methods.items():
                yield path, method, operation

    def test_it_is_valid(self):
        validate(self.found)

    def test_each_address_is_in_it(self):
        found = {(method.upper(), path) for path, method, _ in self.operations()}
        wanted = {(entry.method, entry.path) for entry in (*ROUTES, *HANDLERS)}
        self.assertEqual(found, wanted)
        names = [operation["operationId"] for _, _, operation in self.operations()]
        self.assertEqual(len(names), len(set(names)))

    def test_each_has_words_and_no_signs_of_docstrings(self):
        for path, method, operation in self.operations():
            self.assertTrue(operation["summary"], (method, path))
            text = f"{operation['summary']} {operation['description']}"
            self.assertNotIn("``", text)
            self.assertNotIn("waeup.kofa.", text.replace("`waeup.kofa.", ""), path)

    def test_scopes_are_told(self):
        for _path, _method, operation in self.operations():
            for each in operation["security"]:
                self.assertLessEqual(set(each["token"]), SCOPES.keys())

    def test_each_problem_is_described(self):
        text = json.dumps(self.found["components"]["responses"])
        for code in all_problems():
            self.assertIn(f"`{code}`", text)

    def test_what_the_server_answers_by_itself_is_told_of_each(self):
        for path in self.found["paths"].values():
            for operation in path.values():
                self.assertIn("431", operation["responses"])

    def test_errors_are_told_by_their_codes(self):
        operation = self.found["paths"]["/imports"]["post"]
        self.assertIn("Raises `confirmation-needed` when", operation["description"])
        self.assertNotIn("ConfirmationNeeded", operation["description"])

    def test_what_is_referred_to_is_there(self):
        text = json.dumps(self.found)
        for part in text.split('"$ref": "#/')[1:]:
            place = self.found
            for name in part.partition('"')[0].split("/"):
                place = place[name]

    def test_examples_fit(self):
        ours = by_operation()
        parts = {"components": self.found["components"]}
        for name, kinds in EXAMPLES.items():
            route = ours[name]
            operation = self.found["paths"][route.path][route.method.lower()]
            for kind, example in kinds.items():
                content = (
                    operation["requestBody"]
                    if kind == "request"
                    else operation["responses"][str(route.status)]
                )["content"]["application/json"]
                self.assertEqual(content["example"], example)
                schema = {**content["schema"], **parts}
                Draft202012Validator(schema).validate(example)

    def test_addresses_need_no_quotes(self):
        for path in self.found["paths"]:
            self.assertEqual(quote(path, safe="/{}._-"), path)
