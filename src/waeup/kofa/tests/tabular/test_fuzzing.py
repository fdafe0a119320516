"""Whatever a file holds, it is read or refused; nothing else is raised, and reading ends."""

from hypothesis import given, settings
from hypothesis import strategies as st

from waeup.kofa.errors import Refused
from waeup.kofa.tabular import Limits, open_table
from waeup.kofa.tests.tabular.files import FileTestCase

TABLES = tuple(
    text.encode(codec)
    for text in (
        "code,title,credits\r\n" + "".join(f'B{n},"Bio, {n}",{n}\r\n' for n in range(9)),
        "sep=;\nname;say\n" + "".join(f"Zoé {n};'it''s {n}'\n" for n in range(9)),
        "Title\n\na\tb\n" + "".join(f'{n}\t"two\nlines {n}"\n' for n in range(9)),
        "x|y|z\r" + "".join(f"{n}|20{n}0-01-01|\r" for n in range(9)),
        "name, say\n" + "".join(f'Ada {n}, "say \\"{n}\\""\n' for n in range(9)),
    )
    for codec in ("utf-8", "cp1252", "utf-16", "utf-16-be")
)
ODD = b"\0\xff\xc3\xa9\xef\xbb\xbf\x81\r\n\"',;\t|\\ "
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 40),
        st.lists(st.sampled_from(ODD), max_size=3).map(bytes) | st.binary(max_size=3),
    ),
    min_size=1,
    max_size=5,
)


class AnyFile(FileTestCase):
    def check(self, data, **options):
        """Read all; a row is sound with all its cells, or has a problem and its text."""
        try:
            with open_table(self.file(data), **options) as table:
                width, line = len(table.header), table.header_line
                for number, row in enumerate(table, 1):
                    self.assertEqual(row.number, number)
                    self.assertGreater(row.line, line)
                    self.assertEqual(row.problem is None, row.raw is None)
                    self.assertTrue(row.problem is not None or len(row.values) == width, row)
                    "".join((*row.values, row.raw or "")).encode()  # it can be written
                    line = row.line
                self.assertEqual(table.bytes_read, table.size)
        except Refused as refusal:
            self.assertIn("table.csv", str(refusal))

    @settings(deadline=None, max_examples=200)
    @given(st.binary(max_size=200))
    def test_random_bytes(self, data):
        self.check(data)

    @settings(deadline=None, max_examples=200)
    @given(st.lists(st.sampled_from(b"ab1" + ODD), max_size=120).map(bytes))
    def test_random_bytes_that_mean_something(self, data):
        self.check(b"a,b\n" + data)

    @settings(deadline=None, max_examples=200)
    @given(st.sampled_from(TABLES), EDITS)
    def test_mutations_of_sound_files(self, data, edits):
        for part, removed, added in edits:
            at = int(part * len(data))
            data = data[:at] + added + data[at + removed :]
        self.check(data)

    def test_truncations_of_sound_files(self):
        for data in TABLES:
            for length in range(0, len(data), 3):
                with self.subTest(data=data, length=length):
                    self.check(data[:length])

    @settings(deadline=None, max_examples=100)
    @given(
        st.sampled_from(TABLES),
        st.sampled_from([None, "utf-8", "utf-16", "cp1252", "shift_jis", "utf-32"]),
        st.sampled_from([None, ",", ";", " ", "|", '"', "'"]),
        st.sampled_from([None, '"', "'", ",", "$"]),
        st.integers(-1, 25) | st.none(),
    )
    def test_whatever_a_person_says(self, data, encoding, delimiter, quote, header_line):
        """A refusal of what was given does not name the file."""
        options = {"encoding": encoding, "delimiter": delimiter, "quote": quote}
        try:
            with open_table(self.file(data), header_line=header_line, **options) as table:
                for row in table:
                    self.assertEqual(row.problem is None, row.raw is None)
        except Refused as refusal:
            self.assertGreater(len(str(refusal)), 20)

    @settings(deadline=None, max_examples=50)
    @given(st.sampled_from(TABLES), st.integers(1, 4), st.integers(1, 12))
    def test_any_limits(self, data, columns, rows):
        self.check(data, limits=Limits(columns=columns, rows=rows, line=1000))
