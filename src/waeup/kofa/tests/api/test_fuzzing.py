"""What the description promises holds for whatever is sent: schemathesis tries it.

``KOFA_API_EXAMPLES`` is the number of examples for each operation (`make fuzz`): with more than a
few, values at all bounds are tried, too, and sequences of requests.
"""

import os
import warnings
from unittest import mock

import schemathesis
from hypothesis.errors import HypothesisWarning
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from schemathesis.transport.wsgi import WSGITransport

from waeup.kofa.api.route import ROOT
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.tests.api.portal import ApiCase
from waeup.kofa.tests.functional import FunctionalLayer

EXAMPLES = int(os.environ.get("KOFA_API_EXAMPLES", "1"))
#: From so many examples on it takes minutes.
MANY = 5

#: What a request that fits the description can be refused with: words may be wrong that are right
#: by their form.
POSITIVE = ["2xx", 304, 401, 403, 404, 409, 412, 413, 422]
OF_TUS = [*POSITIVE, 400, 405, 415]
#: What one that does not fit can be refused with; 412 is that of another version of tus.
NEGATIVE = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422]

# The library takes tuples with parts of several kinds for a mistake, in the answers of some
# operations; `ApiCase.get` looks at these.
_OF_LIBRARY = "Invalid Schema Object in response definition"
_SEND = WSGITransport.send

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


def send(transport, case, **kw):
    """Send a request without what only a network knows, and the library hands on."""
    for name in ("max_redirects", "verify", "cert", "proxies"):
        kw.pop(name, None)
    return _SEND(transport, case, **kw)


class Fuzzing(ApiCase):
    """The whole description."""

    def setUp(self):
        super().setUp()
        usual = dict(FunctionalLayer._config)
        self.addCleanup(FunctionalLayer._config.update, usual)
        self.addCleanup(FunctionalLayer._config.clear)
        FunctionalLayer._config.update(api_requests=0, api_wrong_tokens=0)
        self.upload()

    def config(self):
        """Return how it is tried."""
        return SchemathesisConfig.from_dict(
            {
                **({"seed": 1} if EXAMPLES < MANY else {}),
                "headers": {"Authorization": f"Bearer {self.token}"},
                "generation": {
                    "max-examples": EXAMPLES,
                    "mode": "all",
                    "deterministic": EXAMPLES < MANY,
                    "database": "none",
                },
                "checks": {
                    "positive_data_acceptance": {"expected-statuses": POSITIVE},
                    "negative_data_rejection": {"expected-statuses": NEGATIVE},
                    "missing_required_header": {"expected-statuses": NEGATIVE},
                },
                # Metadata of tus are texts with rules of their own.
                "operations": [
                    {
                        "include-tag": "Uploads",
                        "checks": {"positive_data_acceptance": {"expected-statuses": OF_TUS}},
                    }
                ],
                "phases": {
                    "coverage": {"enabled": EXAMPLES >= MANY},
                    "stateful": {"enabled": EXAMPLES >= MANY},
                },
            }
        )

    def found(self):
        """Return what is wrong: operation, check, words, and the request."""
        warnings.simplefilter("ignore", HypothesisWarning)
        config = self.config()
        schema = schemathesis.openapi.from_wsgi(f"{ROOT}/openapi.json", self.api, config=config)
        found, count = [], 0
        for event in from_schema(schema).execute():
            if isinstance(event, FatalError):
                raise event.exception
            if isinstance(event, NonFatalError) and _OF_LIBRARY not in str(event.value):
                found.append((event.label, str(event.value)))
            if isinstance(event, ScenarioFinished):
                recorder = event.recorder
                count += len(recorder.interactions)
                for id, checks in recorder.checks.items():
                    command = recorder.cases[id].value.as_curl_command()
                    found += [
                        (recorder.label, check.name, str(check.failure_info.failure), command)
                        for check in checks
                        if check.failure_info is not None
                    ]
        return found, count

    def test_the_description_is_true(self):
        with mock.patch.object(WSGITransport, "send", send), warnings.catch_warnings():
            found, count = in_own_thread(self.found)
        told = "\n\n".join("\n".join(each) for each in found[:20])
        self.assertEqual(found, [], told)
        self.assertGreater(count, 200)
