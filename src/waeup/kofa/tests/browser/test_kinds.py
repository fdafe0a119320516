"""What can be imported, in the browser: kinds, columns, values, templates, and who may what."""

import re
from typing import Any
from unittest import mock

from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase
from waeup.kofa.university.processors import FacultyProcessor

CENTER = "http://localhost/app/datacenter"
KINDS, SOURCES = f"{CENTER}/processors", f"{CENTER}/sources"
EVIL = "<img src=x onerror=alert(1)>"


class KindsTestCase(FunctionalTestCase):
    """An import manager, who may not import users."""

    def setUp(self) -> None:
        self.browser = self.log_in("waeup.ImportManager")

    @property
    def page(self) -> str:
        """What the browser shows."""
        return str(self.browser.contents)

    def plain(self, text: str | None = None) -> str:
        """Return a page without tags and needless white space."""
        return " ".join(re.sub(r"<[^>]*>", " ", text or self.page).split())

    def part(self, id: str, tag: str = "section") -> str:
        """Return the source of an element."""
        begin = re.search(rf'<{tag}[^>]* id="{id}"', self.page)
        assert begin is not None, id
        return self.page[begin.start() : self.page.index(f"</{tag}>", begin.start())]

    def open(self, address: str) -> None:
        """Look at a page."""
        self.browser.open(address)


class Kinds(KindsTestCase):
    """Each kind of data with its columns."""

    def test_what_is_said_of_a_kind(self) -> None:
        self.open(KINDS)
        text = self.plain(self.part("facultyprocessor"))
        for words in (
            "Faculty Processor You may import it",
            "The faculties of the university.",
            "Modes Create, Update, Remove, Create or update",
            "Roles that may import it Import Manager, Portal Manager",
            "Columns: 6",
        ):
            self.assertIn(words, text)
        self.assertIn('aria-current="page">Kinds of data', self.page)

    def test_what_is_said_of_a_column(self) -> None:
        self.open(f"{KINDS}?name=courseprocessor")
        code = self.plain(self.part("courseprocessor-code", "tr"))
        self.assertIn("code key Course code text in one line 2 to 11 characters", code)
        self.assertRegex(code, r"yes . ABC101$")
        needed = self.plain(self.part("courseprocessor-faculty_code", "tr"))
        self.assertIn("Faculty code text for Create", needed)
        choice = self.part("courseprocessor-semester", "tr")
        self.assertIn(f'href="{SOURCES}#semesters-and-terms"', choice)
        self.assertIn("1, 2, 3, 4 and 6 more", choice)
        self.assertIn('<details open="open">', self.page)

    def test_kinds_that_one_may_not_import_have_no_templates(self) -> None:
        self.open(KINDS)
        users = self.part("userprocessor")
        self.assertIn("You may not import it", users)
        self.assertIn("Portal Manager", self.plain(users))
        self.assertNotIn("skeleton", users)
        self.assertIn("skeleton", self.part("facultyprocessor"))
        boss = FunctionalLayer.log_in("boss", "waeup.PortalManager")
        boss.open(KINDS)
        self.assertIn("skeleton?name=userprocessor", boss.contents)
        # Who may look, but import nothing, is told so.
        clerk = FunctionalLayer.log_in("clerk", "waeup.DataCenterManager")
        clerk.open(KINDS)
        self.assertNotIn("You may import it", clerk.contents)

    def test_templates(self) -> None:
        header = ["code", "local_roles", "officer_1", "officer_2", "title", "title_prefix"]
        for place in ("http://localhost/app", CENTER):
            for ending, separator in (("csv", ","), ("tsv", "\t")):
                with self.subTest(place, ending=ending):
                    self.open(f"{place}/skeleton?name=facultyprocessor&format={ending}")
                    self.assertEqual(self.page.strip().split(separator), header)
                    disposition = self.browser.headers["Content-Disposition"]
                    self.assertIn(f"facultyimport_000.{ending}", disposition)
        self.open(KINDS)
        link = self.browser.getLink(url="skeleton?name=facultyprocessor&format=tsv")
        link.click()
        self.assertEqual(
            self.browser.headers["Content-Type"], "text/tab-separated-values; charset=utf-8"
        )

    def test_a_column_is_searched_for_in_all_kinds(self) -> None:
        self.open(KINDS)
        self.browser.getControl(name="q").value = "Matric"
        self.browser.getForm(index=1).submit()
        self.assertIn("Columns that were found: 2", self.plain())
        link = self.browser.getLink(url="name=studentprocessor#studentprocessor-matric_number")
        link.click()
        self.assertIn("Matriculation Number", self.part("studentprocessor-matric_number", "tr"))
        self.open(f"{KINDS}?q=date+birth")
        self.assertIn("date_of_birth", self.page)
        self.open(f"{KINDS}?q=nothing+like+that")
        self.assertIn("No kind of data has such a column.", self.plain())

    def test_there_is_no_such_kind(self) -> None:
        self.open(f"{KINDS}?name={EVIL}")
        self.assertEqual(self.browser.headers["Status"][:3], "404")
        self.assertIn("There is no processor", self.plain())
        self.assertNotIn("<img", self.page)

    def test_names_are_text(self) -> None:
        with mock.patch.multiple(FacultyProcessor, name=EVIL, about=EVIL):
            for address in (KINDS, f"{KINDS}?q={EVIL}", SOURCES, f"{SOURCES}?q={EVIL}"):
                self.open(address)
                self.assertNotIn("<img", self.page)
            self.open(KINDS)
            self.assertIn("&lt;img", self.page)

    def test_a_kind_that_says_nothing_is_explained_by_its_schema(self) -> None:
        with mock.patch.object(FacultyProcessor, "about", ""):
            self.open(KINDS)
        self.assertIn(
            "A faculty; contains departments under their codes.", self.part("facultyprocessor")
        )


class Values(KindsTestCase):
    """The values that are allowed, each source once."""

    def test_values_and_who_uses_them(self) -> None:
        self.open(SOURCES)
        text = self.plain(self.part("genders"))
        self.assertIn("Genders Columns with these values sex (Student Processor)", text)
        self.assertTrue(text.endswith("Value Title m male f female"), text)
        self.assertIn(f'href="{KINDS}?name=studentprocessor#studentprocessor-sex"', self.page)
        yes_no = self.plain(self.part("yes-or-no"))
        self.assertIn("former_course", yes_no)
        self.assertIn("suspended (Student Processor) suspended (User Processor)", yes_no)

    def test_each_source_is_there_once(self) -> None:
        self.open(SOURCES)
        titles = re.findall(r'<h2 id="[^"]*-title">([^<]*)', self.page)
        self.assertEqual(len(titles), len(set(titles)))
        self.assertIn("Academic sessions", titles)

    def test_links_lead_to_what_is_there(self) -> None:
        self.open(SOURCES)
        sources = set(re.findall(r'<section [^>]*?id="([^"]*)"', self.page))
        columns = re.findall(rf'href="{re.escape(KINDS)}\?name=[^#"]*#([^"]*)"', self.page)
        self.open(KINDS)
        named = set(re.findall(rf'href="{re.escape(SOURCES)}#([^"]*)"', self.page))
        self.assertEqual(named, sources)
        self.assertLessEqual(set(columns), set(re.findall(r'<tr id="([^"]*)"', self.page)))

    def test_values_are_searched_for(self) -> None:
        self.open(f"{SOURCES}?q=trimester")
        text = self.plain()
        self.assertIn("1st Trimester", text)
        self.assertNotIn("Combined", text)
        self.assertIn("Only the values that were searched for are shown: 3 of 10.", text)
        self.open(f"{SOURCES}?q=level_session")
        self.assertIn("Values: 58", self.plain().replace("Values: 59", "Values: 58"))
        self.open(f"{SOURCES}?q=nothing")
        self.assertIn("There is no such value.", self.plain())


class Links(KindsTestCase):
    """From the work to what explains it."""

    def test_the_mapping_step_and_the_upload_page_lead_here(self) -> None:
        self.open(f"{CENTER}/upload")
        self.browser.getLink("All columns of all kinds of data").click()
        self.assertEqual(self.browser.url, KINDS)
        self.store("a.csv", "code,title\nART,Arts\nX,Too short\n")
        self.open(CENTER)
        self.browser.getControl(name="select").click()
        self.browser.getControl(name="importer").value = ["facultyprocessor"]
        self.browser.getControl(name="mode").value = ["create"]
        self.browser.getControl(name="proceed").click()
        address = self.browser.url
        self.browser.getLink("What goes into each field").click()
        self.assertEqual(self.browser.url, f"{KINDS}?name=facultyprocessor")
        self.open(address)
        self.browser.getControl(name="proceed").click()
        self.browser.getControl(name="check").click()
        FunctionalLayer.work_off_runs()
        self.open(self.browser.url)
        (link,) = re.findall(
            r'href="([^"]*group=[^"]*)"[^>]*>(?:(?!</a>).)*code', self.page, re.S
        )[:1]
        self.open(link.replace("&amp;", "&"))
        self.browser.getLink("What goes into this column").click()
        self.assertEqual(self.browser.url, f"{KINDS}?name=facultyprocessor#facultyprocessor-code")


class Addresses(KindsTestCase):
    """Addresses of Kofa 1.9, and who may open them."""

    names = ("processors", "sources", "processorsoverview", "sourcesoverview")

    def test_old_addresses_lead_here(self) -> None:
        for name, place in (
            ("processors", KINDS),
            ("sources", SOURCES),
            ("processorsoverview", KINDS),
            ("sourcesoverview", SOURCES),
            ("datacenter/processorsoverview", KINDS),
            ("datacenter/sourcesoverview", SOURCES),
        ):
            with self.subTest(name):
                self.open(f"http://localhost/app/{name}")
                self.assertEqual(self.browser.url, place)
        self.open("http://localhost/app/processors?name=userprocessor")
        self.assertEqual(self.browser.url, f"{KINDS}?name=userprocessor")

    def test_nobody_else_sees_them(self) -> None:
        def status(browser: Any, address: str) -> str:
            browser.open(address)
            return str(browser.url if "login" in browser.url else browser.headers["Status"][:3])

        stranger, user = FunctionalLayer.browser(), FunctionalLayer.log_in("user")
        for place in ("http://localhost/app", CENTER):
            for name in (*self.names, "skeleton?name=facultyprocessor"):
                with self.subTest(place, name=name):
                    self.assertIn("login", status(stranger, f"{place}/{name}"))
                    self.assertEqual(status(user, f"{place}/{name}"), "403")
