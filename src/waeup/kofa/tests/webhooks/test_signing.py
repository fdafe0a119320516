"""Signatures, as the library of the standard checks them."""

import base64
import json
import unittest
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from waeup.kofa.webhooks.signing import PREFIX, headers, new_secret

IDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=40)


def now():
    """Return the time, which the library compares with its own clock."""
    return datetime.now(timezone.utc)


class Signatures(unittest.TestCase):
    """What is signed here is believed there."""

    def test_a_secret_is_one_of_the_standard_and_always_another(self):
        secret = new_secret()
        self.assertTrue(secret.startswith(PREFIX))
        self.assertIn(
            len(base64.b64decode(secret.removeprefix(PREFIX), validate=True)), range(24, 65)
        )
        self.assertNotEqual(secret, new_secret())

    @given(IDS, st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
    def test_the_library_believes_it(self, id, data):
        secret, body = new_secret(), json.dumps(data).encode()
        found = Webhook(secret).verify(body, headers([secret], id, now(), body))
        self.assertEqual(found, data)

    def test_each_of_several_secrets_is_enough(self):
        keys = [new_secret(), new_secret()]
        sent = headers(keys, "msg_1", now(), b"{}")
        for key in keys:
            self.assertEqual(Webhook(key).verify(b"{}", sent), {})

    def test_anything_else_is_not_believed(self):
        secret = new_secret()
        sent = headers([secret], "msg_1", now(), b"{}")
        late = headers([secret], "msg_1", now() - timedelta(minutes=6), b"{}")
        for key, body, given_ in (
            (new_secret(), b"{}", sent),
            (secret, b"[]", sent),
            (secret, b"{}", {**sent, "webhook-id": "msg_2"}),
            (secret, b"{}", {**sent, "webhook-timestamp": str(int(now().timestamp()) - 60)}),
            (secret, b"{}", late),
        ):
            with self.assertRaises(WebhookVerificationError):
                Webhook(key).verify(body, given_)
