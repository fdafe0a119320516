"""A look at a whole table."""

import tracemalloc
from unittest import mock

from waeup.kofa.errors import TooLarge
from waeup.kofa.tabular import Limits, open_table
from waeup.kofa.tabular.survey import SHOWN, survey
from waeup.kofa.tests.tabular.files import FileTestCase


class SurveyTests(FileTestCase):
    def survey(self, content, **options):
        with open_table(self.file(content), **options) as table:
            return survey(table)

    def test_sound_rows_are_counted_and_the_first_are_kept(self):
        found = self.survey("code,size\n" + "".join(f"c{n},{n}\n" for n in range(500)))
        self.assertEqual((found.rows, found.sound, found.damaged), (500, 500, 0))
        self.assertEqual(found.problems, ())
        self.assertEqual([row.values for row in found.samples], [(f"c{n}", str(n)) for n in "012"])

    def test_problems_are_counted_by_code_with_the_first_rows(self):
        rows = ["a,1", *["b"] * 5, "c,2", 'd"x,3', *["e,4"] * 9]
        found = self.survey("\n".join(["code,size", *rows, ""]))
        self.assertEqual((found.rows, found.damaged), (17, 6))
        few, bare = found.problems
        self.assertEqual((few.code, few.rows), ("too-few-cells", 5))
        self.assertEqual([e.line for e in few.examples], [3, 4, 5])
        self.assertEqual((bare.code, bare.rows), ("bare-quote", 1))
        (example,) = bare.examples
        self.assertEqual((example.number, example.line, example.raw), (8, 9, 'd"x,3'))
        self.assertIn("line 9", example.message)

    def test_samples_are_rows_that_have_all_their_cells(self):
        found = self.survey("code,size\na\nb,2\nc,3\nd,4\n")
        self.assertEqual([row.line for row in found.samples], [3, 4, 5])

    def test_a_look_that_takes_too_long_ends_within_the_table(self):
        content = "code,size\n" + "".join(f"c{n},{n}\n" for n in range(2500))
        for answers, rows in (([False, False, True], 1500), ([False] * 5, 2500)):
            with open_table(self.file(content)) as table:
                found = survey(table, is_over=mock.Mock(side_effect=answers))
            self.assertEqual((found.rows, found.is_whole), (rows, rows == 2500))

    def test_it_ends_also_where_there_are_no_rows(self):
        for behind in ("\n", "x", '"', "y,", "\0"):
            content = "code,size\n" + "a,1\n" * 99_999 + behind * 2_000_000
            with self.subTest(behind), open_table(self.file(content)) as table:
                # The table asks before it reads on, the look at its rows now and then.
                until = table.size - 500_000
                found = survey(table, is_over=lambda table=table, at=until: table.bytes_read > at)
                self.assertFalse(found.is_whole)
                self.assertLessEqual(found.rows, 100_000)
                self.assertLess(table.bytes_read, table.size - 400_000)

    def test_long_damage_is_cut(self):
        found = self.survey("code,size\na,1\n" + "x" * 5000 + "\nb,2\nc,3\n")
        (example,) = found.problems[0].examples
        self.assertEqual(len(example.raw), SHOWN + 3)

    def test_a_limit_is_a_limit(self):
        with self.assertRaises(TooLarge):
            self.survey("code,size\n" + "a,1\n" * 50, limits=Limits(rows=10))

    def test_memory_does_not_grow_with_the_table(self):
        peaks = []
        block = "".join(f"{'a' * 40},{n}\n" for n in range(500)) + "b\n"
        for blocks in (20, 80):
            path = self.file("code,size\n" + block * blocks)
            tracemalloc.start()
            try:
                with open_table(path) as table:
                    survey(table)
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
        self.assertLess(peaks[1], peaks[0] * 2)
