"""The worker may die of anything; the portal gets one of the documented errors, and no debris."""

import gzip
import os
import random
from contextlib import suppress
from pathlib import Path
from unittest import mock

from waeup.kofa.errors import Fault, ItemBusy, Refused, StorageFault, TableError, TooLarge
from waeup.kofa.tabular.unpacking import Limits, kind_of, unpack
from waeup.kofa.tests.tabular.containers import (
    TABLE,
    UnpackingTestCase,
    cell,
    ods,
    xls,
    xlsx_of,
    zipped,
)
from waeup.kofa.tests.waiting import begun, joined

PACKED = gzip.compress(TABLE)


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))


def children():
    """Return the processes that this one has begun, and those that nobody has waited for."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # The name of the program may hold blanks and brackets.
            _state, parent, *_ = path.read_text().rpartition(")")[2].split()
            if int(parent) == os.getpid():
                found.add(path.parent.name)
    return found


class Workers(UnpackingTestCase):
    def working(self, code):
        """Let workers run `code` instead of their own."""
        return mock.patch("waeup.kofa.tabular.unpacking.process._START", code)

    def refused(self, code, error, **limits):
        before = descriptors(), children()
        with self.working(code):
            message = self.refusal(PACKED, "t.gz", error, limits=Limits(**limits))
        self.assertEqual((descriptors(), children()), before)
        return message

    def test_a_crash(self):
        for name in ("SIGSEGV", "SIGABRT", "SIGBUS"):
            with self.subTest(name=name):
                self.assertEqual(
                    self.refused(
                        f"import os, signal; os.kill(os.getpid(), signal.{name})", TableError
                    ),
                    f"t.gz broke the program that reads it ({name}); it is most likely damaged."
                    ' Save the table as "CSV UTF-8" and upload that.',
                )

    def test_no_memory(self):
        for code in (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "raise MemoryError",
            "import os; os.write(2, b'memory allocation of 9 bytes failed\\n'); os.abort()",
        ):
            with self.subTest(code=code):
                self.assertIn("needs more than 2,048 MB of memory", self.refused(code, TooLarge))

    def test_no_end(self):
        for code in (
            "import time; time.sleep(60)",
            "import os, time; os.close(1); os.close(2); time.sleep(60)",
            "while True: print('x' * 9999, flush=True)",
            "import os, time\nif os.fork(): os._exit(0)\ntime.sleep(60)",
        ):
            with self.subTest(code=code):
                message = self.refused(code, TooLarge, seconds=1)
                self.assertIn("takes more than 1 second", message)

    def test_who_waits_gives_it_up(self):
        answers = iter((False, False, True))
        before = descriptors(), children()
        with self.working("import time; time.sleep(60)"):
            message = self.refusal(PACKED, "t.gz", ItemBusy, is_over=lambda: next(answers))
        self.assertEqual(
            message,
            "t.gz takes long to unpack, and so do others at this moment. Try again in a minute.",
        )
        self.assertEqual((descriptors(), children()), before)

    def test_who_waits_gets_what_comes_in_time(self):
        _found, content = self.unpack(PACKED, is_over=lambda: False)
        self.assertEqual(content, TABLE)

    def test_nonsense(self):
        for code in ("", "print('nonsense')", "print('[]')", "import sys; sys.exit(3)", "import"):
            with self.subTest(code=code):
                self.assertIn("t.gz could not be unpacked", self.refused(code, Fault))

    def test_a_long_complaint_before_the_answer(self):
        answer = '{"refused": "TableError", "message": "No."}'
        code = f"print('x' * 9_999_999); print({answer!r})"
        self.assertEqual(self.refused(code, TableError), "No.")

    def test_a_disk_that_refuses(self):
        self.assertEqual(self.refused('print(\'{"fault": "No."}\')', StorageFault), "No.")

    def test_the_worker_knows_nothing_of_its_surroundings(self):
        code = (
            "import json, os, resource, sys; print(json.dumps({'kind': sys.stdin.read(),"
            " 'member': sorted(os.environ), 'sheet': os.getcwd(), 'sheets': sys.path}))"
        )
        with self.working(code), mock.patch.dict(os.environ, {"SECRET": "x"}):
            found, _ = self.unpack(PACKED)
        self.assertEqual((found.kind, found.sheet), ("", "/"))
        self.assertNotIn("SECRET", found.member)

    def test_side_by_side(self):
        outcomes = []

        def work(number):
            target = self.path(f"out{number}")
            unpack(path, target)
            outcomes.append(self.content(target))

        path = self.file(PACKED)
        joined(*(begun(work, number) for number in range(6)))
        self.assertEqual(outcomes, [TABLE] * 6)


class AnyBytes(UnpackingTestCase):
    def test_damaged_containers_raise_nothing_but_refusals(self):
        source = random.Random(11)
        seeds = [
            PACKED,
            zipped(("t.csv", TABLE * 99)),
            xlsx_of([["a", "b"], [1, "x"]]),
            ods([cell("string", "a"), cell("float", "1", value="1")]),
            xls(lambda book: book.add_sheet("A").write(0, 0, "x")),
        ]
        for number in range(30):
            data = bytearray(seeds[number % len(seeds)])
            change = source.randrange(3)
            if change == 0:
                del data[source.randrange(len(data)) :]
            elif change == 1:
                for _ in range(source.randrange(1, 20)):
                    data[source.randrange(len(data))] ^= 1 << source.randrange(8)
            else:
                del data[source.choice((4, 8, 64)) :]
                data += source.randbytes(source.randrange(2000))
            path, target = self.file(bytes(data)), self.path("unpacked")
            with self.subTest(number=number):
                for attempt in (lambda: kind_of(path), lambda: unpack(path, target)):  # noqa: B023
                    try:
                        attempt()
                    except Refused as error:
                        self.assertTrue(str(error).isprintable())
            self.assertLessEqual(set(os.listdir(self.folder)), {"table.csv", "unpacked"})
