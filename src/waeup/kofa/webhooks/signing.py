"""Signatures as Standard Webhooks has them (https://www.standardwebhooks.com).

A secret is ``whsec_`` and the base64 of random bytes.  What is signed are id, time and body of a
message, joined by dots, by HMAC-SHA256; of several secrets each gives a signature.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

PREFIX = "whsec_"
#: Bytes of a secret; the standard wants 24 to 64.
SECRET_BYTES = 32


def new_secret() -> str:
    """Return a secret that nobody else has."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")


def signature(secret: str, id: str, seconds: int, body: bytes) -> str:
    """Return the signature of a message that is sent at a time (seconds since the epoch)."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b".".join((id.encode("ascii"), b"%d" % seconds, body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def headers(keys: Iterable[str], id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that go with a message, signed by each of the secrets `keys`."""
    seconds = int(now.timestamp())
    return {
        "webhook-id": id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signature(key, id, seconds, body) for key in keys),
    }
