"""Webhooks over HTTP: programs subscribe by themselves."""

from waeup.kofa.tests.api.portal import ApiCase
from waeup.kofa.tests.functional import FunctionalLayer

ADDRESS = "https://receiver.example/hook"


class Webhooks(ApiCase):
    """What a program with a token can do."""

    def test_one_is_made_changed_tested_and_removed(self):
        made = self.ask("POST", "/webhooks", body={"address": ADDRESS, "kinds": ["import"]})
        self.assertEqual(made.status_code, 201)
        id, secret = made.json["id"], made.json["secret"]
        self.assertTrue(secret.startswith("whsec_"))
        self.assertTrue(made.headers["Location"].endswith(f"/webhooks/{id}"))
        shown = self.ask("GET", f"/webhooks/{id}")
        self.assertEqual((shown.json["kinds"], shown.json["state"]), (["import"], "on"))
        self.assertNotIn(secret.removeprefix("whsec_"), shown.text)
        changed = self.ask("PATCH", f"/webhooks/{id}", body={"title": "Registry"})
        self.assertEqual((changed.json["title"], changed.json["kinds"]), ("Registry", ["import"]))
        sent = self.ask("POST", f"/webhooks/{id}/test")
        self.assertEqual((sent.status_code, sent.json["type"]), (202, "ping"))
        listed = self.ask("GET", f"/webhooks/{id}/deliveries").json
        self.assertEqual([each["id"] for each in listed], [sent.json["id"]])
        again = self.ask("POST", f"/deliveries/{sent.json['id']}/again")
        self.assertEqual(again.status_code, 202)
        renewed = self.ask("POST", f"/webhooks/{id}/secret")
        self.assertNotEqual(renewed.json["secret"], secret)
        self.assertEqual(self.ask("DELETE", f"/webhooks/{id}").status_code, 204)
        self.assertEqual(self.ask("GET", f"/webhooks/{id}").status_code, 404)

    def test_it_is_shown_by_which_token_one_was_made(self):
        FunctionalLayer.add_user("ann", "waeup.ImportManager")
        token = self.new_token("ann")
        made = self.ask("POST", "/webhooks", body={"address": ADDRESS}, token=token)
        shown = self.ask("GET", f"/webhooks/{made.json['id']}", token=token)
        title = "Test"
        self.assertEqual((shown.json["made_by"], shown.json["made_with"]), ("ann", title))
        self.assertNotIn(token, shown.text)
        # Whoever is the owner later, and whatever becomes of the token.
        self.ask("PATCH", f"/webhooks/{made.json['id']}", body={"kinds": ["check"]})
        shown = self.ask("GET", f"/webhooks/{made.json['id']}").json
        self.assertEqual(
            (shown["owner"], shown["made_by"], shown["made_with"]), ("boss", "ann", title)
        )

    def test_what_is_wrong_is_said_where(self):
        answer = self.ask("POST", "/webhooks", body={"address": "http://10.0.0.1/"})
        self.assertEqual(answer.status_code, 422)
        self.assertIn("not on the public Internet", answer.text)

    def test_a_token_needs_all_rights_of_its_account(self):
        # Messages tell what the account may see, and go on when the token has ended.
        FunctionalLayer.add_user("ann", "waeup.ImportManager")
        for user, scope, status in (
            ("boss", "import", 403),
            ("ann", "files", 403),
            ("ann", "import", 201),
        ):
            token = self.new_token(user, scope)
            answer = self.ask("POST", "/webhooks", body={"address": ADDRESS}, token=token)
            self.assertEqual(answer.status_code, status, answer.text)

    def test_those_of_others_are_not_there(self):
        made = self.ask("POST", "/webhooks", body={"address": ADDRESS})
        FunctionalLayer.add_user("ann", "waeup.ImportManager")
        token = self.new_token("ann")
        path = f"/webhooks/{made.json['id']}"
        self.assertEqual(self.ask("GET", path, token=token).status_code, 404)
        self.assertEqual(self.ask("GET", "/webhooks", token=token).json, [])
