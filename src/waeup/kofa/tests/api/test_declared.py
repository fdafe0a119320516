"""What operations take and return is read from their source as their class has it."""

import subprocess
import sys
import unittest

from waeup.kofa.api.declared import Named, of_class, of_source
from waeup.kofa.api.routes import ROUTES
from waeup.kofa.tests.cli.shell import environment
from waeup.kofa.tests.waiting import PATIENCE


class Declarations(unittest.TestCase):
    def test_the_source_says_what_the_class_says(self) -> None:
        for route in ROUTES:
            with self.subTest(route.operation):
                read, asked = of_source(route.operation), of_class(route.operation)
                assert read is not None
                self.assertEqual(read.hints, asked.hints)
                self.assertEqual(
                    {
                        name: (known.kind, _value(known.default))
                        for name, known in read.signature.parameters.items()
                    },
                    {
                        name: (known.kind, known.default)
                        for name, known in asked.signature.parameters.items()
                    },
                )

    def test_what_is_no_operation_is_not_found(self) -> None:
        self.assertIsNone(of_source("no_such_operation"))

    def test_the_table_of_addresses_loads_no_portal(self) -> None:
        script = (
            "import sys; from waeup.kofa.api import passing, problems, routes;"
            "route = routes.by_operation()['pending_files']; route.parameters; route.returns;"
            "print(sorted({'ZODB', 'grok', 'zope.schema', 'zope.component'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=PATIENCE,
        )
        self.assertEqual(done.stdout, "[]\n", done.stderr)


def _value(default: object) -> object:
    return default.value if isinstance(default, Named) else default
