"""Every view, found by itself: who reaches it, and that nothing is changed by what is no order."""

import os
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

import transaction

from waeup.kofa.browser.page import SECURITY_HEADERS
from waeup.kofa.jobs import Order, Run
from waeup.kofa.tests.browser.views import PLACES, ROLES, VIEWS, FoundView, Row, found_views
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase
from waeup.kofa.webhooks.record import EVENTS, Webhook, ensure_webhooks

HOST = "http://localhost"
LOGIN = f"{HOST}/app/login"


class ViewsTestCase(FunctionalTestCase):
    """A portal with a pending file, a run, and an account for each role."""

    def setUp(self) -> None:
        self.views = found_views()
        self.store("list.csv")
        self.store("finished.finished.csv")
        folder = self.storage / "finished"
        (self.storage / "finished.finished.csv").rename(folder / "finished.finished.csv")
        runs = self.site["datacenter"].runs
        order = Order("import", "list.csv", "", "facultyprocessor", "create", "nobody")
        self.run_id = runs.add(Run(order, "academic")).id
        transaction.commit()
        FunctionalLayer.add_user("other")

    def path(self, view: FoundView) -> str:
        """Return the path of a view; a view of something new needs a line in `PLACES`."""
        self.assertIn(
            view.context,
            PLACES,
            f"The view {view.name!r} ({view.factory.__module__}) is for {view.context}. Say in "
            "PLACES of waeup.kofa.tests.browser.views at which address such an object is.",
        )
        return f"{PLACES[view.context]}/{view.name}"

    def row(self, view: FoundView) -> Row:
        """Return what is known of a view; a new one needs a line in `VIEWS`."""
        path = self.path(view)
        if path not in VIEWS:
            self.fail(
                f"The view {path!r} ({view.factory.__module__}) is new. Say in VIEWS of "
                "waeup.kofa.tests.browser.views what it answers to each role, as in\n"
                f'    "{path}": Row("302 403 200 200 200 403 200"),\n'
                f"for {', '.join(ROLES)}; and which fields it needs."
            )
        return VIEWS[path]

    def fields(self, row: Row, user: str) -> dict[str, str]:
        """Return the fields that a view needs when `user` asks."""
        there = {"draft": "", "webhook": "", "run": self.run_id}
        if "{draft}" in row.fields.values():
            there["draft"] = self.draft(user)
        if "{webhook}" in row.fields.values():
            there["webhook"] = self.webhook(user)
        return {name: value.format(**there) for name, value in row.fields.items()}

    def draft(self, owner: str) -> str:
        """Return the id of a draft that has done all steps."""
        ledger = self.site["datacenter"].ledger
        draft = ledger.new_draft("list.csv", "0" * 64, owner, datetime.now(timezone.utc))
        draft.processor, draft.mode = "facultyprocessor", "create"
        draft.columns = ("code", "title")
        transaction.commit()
        return draft.id

    def webhook(self, owner: str) -> str:
        """Return the id of a webhook."""
        address, now = "https://receiver.example/", datetime.now(timezone.utc)
        webhook = Webhook("Ours", address, EVENTS, (), (), owner, now)
        ensure_webhooks(self.site["datacenter"]).add(webhook)
        transaction.commit()
        return webhook.id

    def browser_of(self, role: str) -> tuple[Any, str]:
        """Return the browser of somebody with a role, and the name of the account."""
        if role == "stranger":
            return FunctionalLayer.browser(LOGIN), ""
        name = role.rpartition(".")[2].lower()
        roles = () if role == "none" else (role,)
        return self.log_in(*roles, name=name), name

    def status(self, browser: Any) -> int:
        """Return the status of the last answer; 302 for the way to the log-in page."""
        led_to_login = browser.url.startswith(LOGIN) and "camefrom" in browser.url
        return 302 if led_to_login else int(browser.headers["Status"][:3])

    def everything(self) -> tuple[Any, list[tuple[str, int, int]]]:
        """Return the last transaction and the state of all files but logs, where readers stand."""
        files = [
            (entry.path, entry.stat().st_size, entry.stat().st_mtime_ns)
            for folder, _folders, _names in os.walk(self.storage)
            for entry in os.scandir(folder)
            if entry.is_file() and not folder.endswith("logs")
        ]
        return FunctionalLayer.database().lastTransaction(), sorted(files)


class ReachTest(ViewsTestCase):
    """Who reaches which view."""

    def test_the_table_names_no_view_that_is_gone(self) -> None:
        self.assertEqual(set(VIEWS) - {self.path(view) for view in self.views}, set())

    def test_each_role_reaches_what_it_may_do(self) -> None:
        for number, role in enumerate(ROLES):
            browser, user = self.browser_of(role)
            for view in self.views:
                row = self.row(view)
                with self.subTest(self.path(view), role=role):
                    fields = self.fields(row, user)
                    browser.open(f"{HOST}{self.path(view)}?{urlencode(fields)}")
                    self.assertEqual(str(self.status(browser)), row.answers.split()[number])
                    for name, value in SECURITY_HEADERS.items():
                        self.assertEqual(browser.headers[name], value)
                    if role != "stranger":
                        self.assertIn("no-store", browser.headers["Cache-Control"])


class ChangeTest(ViewsTestCase):
    """Nothing is changed but by a button of our own form."""

    def buttons(self) -> list[tuple[str, dict[str, str], str]]:
        """Return address, fields and name of each button; '' where a view has none."""
        return [
            (f"{HOST}{self.path(view)}", self.fields(self.row(view), "portalmanager"), button)
            for view in self.views
            for button in getattr(view.factory, "buttons", None) or ("",)
        ]

    def refused(self, browser: Any, statuses: tuple[int, ...], is_post: bool, token: str) -> None:
        """Press all buttons, and fail if one is obeyed."""
        for address, fields, button in self.buttons():
            if button or is_post:
                with self.subTest(address=address, button=button, token=token):
                    sent = {**fields, "form_token": token} if token else dict(fields)
                    if button:
                        sent[button] = "1"
                    before = self.everything()
                    if is_post:
                        browser.post(address, urlencode(sent))
                    else:
                        browser.open(f"{address}?{urlencode(sent)}")
                    self.assertEqual(self.everything(), before)
                    if button:
                        self.assertIn(self.status(browser), statuses)

    def test_no_button_works_by_a_link(self) -> None:
        browser, _name = self.browser_of("waeup.PortalManager")
        browser.open(f"{HOST}/app/datacenter")
        token = browser.getControl(name="form_token", index=0).value
        self.refused(browser, (405,), is_post=False, token=token)

    def test_no_button_works_without_the_token_of_the_session(self) -> None:
        browser, _name = self.browser_of("waeup.PortalManager")
        other = self.log_in("waeup.PortalManager", name="somebody")
        other.open(f"{HOST}/app/account")
        of_other = other.getControl(name="form_token", index=0).value
        browser.open(f"{HOST}/app/datacenter")
        good = browser.getControl(name="form_token", index=0).value
        for token in ("", "wrong", good[:-1] + "ü", good + "0", of_other):
            self.refused(browser, (403,), is_post=True, token=token)

    def test_no_button_works_without_the_permission(self) -> None:
        for number, role in enumerate(ROLES):
            browser, _name = self.browser_of(role)
            browser.open(LOGIN if role == "stranger" else f"{HOST}/app/account")
            token = browser.getControl(name="form_token", index=0).value
            for view in self.views:
                row = self.row(view)
                if row.answers.split()[number] not in ("302", "403"):
                    continue
                address = f"{HOST}{self.path(view)}"
                for button in getattr(view.factory, "buttons", None) or ("",):
                    fields = self.fields(row, "portalmanager")
                    with self.subTest(address, role=role, button=button):
                        before = self.everything()
                        sent = {**fields, button or "x": "1", "form_token": token}
                        browser.post(address, urlencode(sent))
                        self.assertEqual(self.everything(), before)
                        self.assertIn(self.status(browser), (302, 403))


class MarkupTest(ViewsTestCase):
    """What holds for the text of all pages."""

    def pages(self) -> Iterator[tuple[str, Any]]:
        """Generate path and browser of all pages that an administrator can see."""
        browser, user = self.browser_of("waeup.PortalManager")
        for view in self.views:
            row = self.row(view)
            browser.open(f"{HOST}{self.path(view)}?{urlencode(self.fields(row, user))}")
            if browser.headers["Content-Type"].startswith("text/html"):
                with self.subTest(self.path(view)):
                    yield self.path(view), browser

    def test_no_page_has_inline_script_or_style(self) -> None:
        number = 0
        for _path, browser in self.pages():
            number += 1
            self.assertNotRegex(browser.contents, r"<style|\sstyle=|\son[a-z]+=|javascript:")
            self.assertNotRegex(browser.contents, r"<script(?![^>]* src=)")
            self.assertEqual(browser.contents.count("<h1"), 1)
        self.assertGreater(number, 30)

    def test_every_control_has_a_label(self) -> None:
        for _path, browser in self.pages():
            for control in re.findall(r"<(?:input|select|textarea)[^>]*>", browser.contents):
                if re.search(r'type="hidden"|aria-label=|aria-labelledby=|aria-hidden=', control):
                    continue
                name = re.search(r' id="([^"]*)"', control)
                self.assertIsNotNone(name, control)
                assert name is not None
                self.assertIn(f'for="{name[1]}"', browser.contents)

    def test_every_form_that_is_posted_has_a_token_and_goes_to_the_portal(self) -> None:
        number = 0
        for _path, browser in self.pages():
            for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", browser.contents, re.S):
                number += 1
                self.assertIn('name="form_token"', form)
                self.assertRegex(form, r'^<form[^>]* action="http://localhost/app')
        self.assertGreater(number, 30)

    def test_no_page_is_kept_by_caches_or_refers_to_other_hosts(self) -> None:
        for _path, browser in self.pages():
            self.assertEqual(browser.headers["Cache-Control"], "no-store")
            sources = re.findall(r'(?:src|href|action)="(https?://[^"]*)', browser.contents)
            self.assertEqual([url for url in sources if not url.startswith(f"{HOST}/app")], [])

    def test_fields_of_unexpected_kinds_do_no_harm(self) -> None:
        browser, _user = self.browser_of("waeup.PortalManager")
        names = (
            "draft:list=a",
            "draft:record.x=a",
            "id=%ff",
            "name:list=a",
            "uploadfile=x",
            "a:b=c",
        )
        for view in self.views:
            for query in names:
                with self.subTest(self.path(view), query=query):
                    browser.open(f"{HOST}{self.path(view)}?{query}")
                    self.assertLess(self.status(browser), 500)
