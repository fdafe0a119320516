"""Step 3 of an import: texts of choices that are no allowed value, and what they stand for."""

from unittest import mock
from urllib.parse import urlencode

from waeup.kofa.browser.imports import mappingvalues
from waeup.kofa.tests.browser.test_mapping import STUDENTS, MappingTestCase


class ValuesTest(MappingTestCase):
    """Texts that are no allowed value of a choice."""

    def test_they_are_counted_and_the_closest_value_is_proposed(self) -> None:
        self.look()
        row = self.row("femal")
        self.assertRegex(row, r'class="number"[^>]*>2</td>')
        self.assertIn('<option value="f" selected="selected">f (female)</option>', row)
        self.assertIn(">Likely</span>", row)
        row = self.row("?")
        self.assertNotIn("selected", row)
        self.assertIn("leave as it is: these rows will fail", row)
        self.assertIn(">Will fail</span>", row)
        self.assertNotIn('<th scope="row" id="text-value-1-3"', self.page)

    def test_what_they_stand_for_is_imported_and_remembered(self) -> None:
        self.look()
        self.set("value-1-2", "m")
        self.press("proceed")
        self.assertEqual(self.draft().values, (("sex", (("?", "m"), ("femal", "f"))),))
        self.perform()
        self.assertIn("Successfully processed 4 rows.", self.page)
        self.assertEqual(self.site["students"]["A3"].sex, "f")
        self.assertEqual(self.site["students"]["A4"].sex, "m")
        self.look(STUDENTS.replace("A", "B"))
        self.assertIn('<option value="m" selected="selected">', self.row("?"))
        self.assertIn("So it was in the last import.", self.row("?"))

    def test_a_text_that_is_left_alone_stays_so(self) -> None:
        self.look()
        self.set("value-1-1", "")
        self.press("update")
        self.assertNotIn("selected", self.row("femal"))
        self.assertEqual(self.draft().values, ())
        self.assertEqual(self.draft().left_alone, (("sex", "?"), ("sex", "femal")))
        self.set("value-1-1", "f")
        self.press("update")
        self.assertEqual(self.draft().left_alone, (("sex", "?"),))
        self.press("proceed")
        self.assertIn("import4", self.browser.url)
        self.perform()
        self.assertIn("Processing of 1 rows failed.", self.page)

    def test_texts_that_nobody_has_seen_keep_the_officer_here_once(self) -> None:
        self.look(STUDENTS.replace("Gender", "What"))
        self.choose(4, "sex")
        self.press("proceed")
        self.assertEqual(self.status, 400)
        self.assertIn('<a href="#values">Some texts are no allowed values.', self.summary)
        self.assertIn('<option value="f" selected="selected">', self.row("femal"))
        self.press("proceed")
        self.assertIn("import4", self.browser.url)
        self.assertEqual(self.draft().values, (("sex", (("femal", "f"),)),))

    def test_another_field_takes_its_texts_along(self) -> None:
        self.look()
        self.press("update")
        self.assertTrue(self.draft().values)
        self.choose(4, "nationality")
        self.press("update")
        self.assertEqual((self.draft().values, self.draft().left_alone), ((), ()))
        self.assertNotIn("stands for", self.page)

    def test_what_is_no_value_is_refused_in_its_place(self) -> None:
        self.look()
        form = self.browser.getForm(id="mapping-form")._form
        sent = [
            (name, "robot" if name == "value" and value == "f" else value)
            for name, value in form.submit_fields()
        ]
        self.browser.post(self.browser.url, urlencode([*sent, ("proceed", "1")]))
        self.assertEqual(self.status, 400)
        self.assertIn('<a href="#values">Replacements do not fit their fields', self.summary)
        self.assertIn('<option value="robot" selected="selected">robot</option>', self.page)

    def test_a_key_that_the_page_has_not_made_is_refused(self) -> None:
        self.look()
        for key in ("x", "1", "[]", '"', "[" * 100_000):
            form = self.browser.getForm(id="mapping-form")._form
            sent = [
                (name, key if name == "valuetext" else value)
                for name, value in form.submit_fields()
            ]
            self.browser.post(self.browser.url, urlencode([*sent, ("update", "1")]))
            self.assertEqual(self.status, 400)
            self.assertIn("is no text of the table", self.page)
            self.browser.goBack()

    def test_texts_of_any_form_are_carried_through(self) -> None:
        texts = ['a "b"', "two\nlines", "<b>", "ü\u2028x", "' x"]
        cells = ['"' + text.replace('"', '""') + '"' for text in texts]
        rows = "".join(f"S{at},Ada,Ade,{cell}\n" for at, cell in enumerate(cells))
        self.look("student_id,firstname,lastname,sex\n" + rows)
        for at in range(1, len(texts) + 1):
            self.set(f"value-1-{at}", "f")
        self.press("proceed")
        ((_field, pairs),) = self.draft().values
        self.assertEqual(sorted(text for text, _token in pairs), sorted(texts))
        self.perform()
        self.assertIn("Successfully processed 5 rows.", self.page)

    def test_where_there_is_too_much_to_choose_from_a_value_is_typed(self) -> None:
        with mock.patch.object(mappingvalues, "MOST_OPTIONS", 1):
            self.look()
            self.assertIn('<datalist id="tokens-1"><option value="m">', self.page)
            self.assertIn('value="f"', self.row("femal"))
            self.set("value-1-2", "Male")
            self.press("proceed")
            self.perform()
        self.assertEqual(self.site["students"]["A4"].sex, "m")

    def test_yes_and_no_are_choices(self) -> None:
        table = "student_id,suspended\nA1,aye\nA2,0\nA3,nein\n"
        self.look(table, "update")
        self.assertIn('<option value="1">1 (yes)</option>', self.row("aye"))
        self.assertIn('<option value="0" selected="selected">0 (no)</option>', self.row("nein"))
        self.assertNotIn('<th scope="row" id="text-value-1-3"', self.page)
