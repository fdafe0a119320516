"""Operations on accounts: who may do what, and what two people do at the same time."""

import csv
import io
import threading
import unittest
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import transaction
from hypothesis import given
from hypothesis import strategies as st
from ZODB.POSException import ConflictError
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility
from zope.component.hooks import site as site_set

from waeup.kofa.api.acting import acting
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import InvalidSettings, NoSuchItem, NotAllowed, Outdated, Refused
from waeup.kofa.exporting.wish import Wish
from waeup.kofa.jobs.connection import connected
from waeup.kofa.operations import Operations
from waeup.kofa.operations.passwords import new_password, weakness
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, import_file
from waeup.kofa.tests.waiting import PATIENCE, begun, joined
from waeup.kofa.users.account import LogIns, UserAccount

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=timezone.utc)
MOMENTS = st.datetimes(timezones=st.just(timezone.utc))


class PeopleTestCase(FunctionalTestCase):
    """Has the operations of an administrator, ``boss``."""

    def setUp(self) -> None:
        self.boss = self.of("boss", "waeup.PortalManager")

    def of(self, name: str, *roles: str) -> Operations:
        """Return the operations of a new account."""
        FunctionalLayer.add_user(name, *roles)
        return Operations(self.site, getUtility(IAuthentication).getPrincipal(name))

    def undo(self, operations: Operations, id: str) -> Any:
        """Let somebody take an import back; return the report."""
        undo = operations.start_undo(id).id
        transaction.commit()
        FunctionalLayer.work_off_runs()
        return self.boss.run(undo).report

    def at_once(self, *calls: tuple[str, Callable[[Operations], Any]]) -> list[Any]:
        """Let people do something, each beginning before any other has committed.

        Returns what became of it: None, or the error.
        """
        database = FunctionalLayer.database()
        barrier = threading.Barrier(len(calls), timeout=PATIENCE)
        outcomes: list[Any] = [None] * len(calls)

        def work(number: int, user: str, call: Callable[[Operations], Any]) -> None:
            try:
                with connected(database, "/app") as site, site_set(site):
                    with acting(site, user) as operations:
                        call(operations)
                    barrier.wait()
                    transaction.commit()
            except Exception as error:
                outcomes[number] = error
                barrier.abort()

        joined(*(begun(work, number, *call) for number, call in enumerate(calls)))
        transaction.begin()
        return outcomes


class RuleTests(PeopleTestCase):
    """What is refused."""

    def test_without_the_right_to_manage_users_nothing_is_done(self) -> None:
        nobody = self.of("nobody")
        for call in (
            nobody.users,
            nobody.roles,
            lambda: nobody.user("boss"),
            lambda: nobody.change_user("nobody", {"title": "King"}),
            lambda: nobody.suspend_user("boss"),
            lambda: nobody.resume_user("nobody"),
            lambda: nobody.end_sessions("boss"),
            lambda: nobody.runs_under_way("boss"),
        ):
            with self.assertRaises(NotAllowed):
                call()
        self.assertFalse(nobody.own_account().may_change)
        self.assertTrue(self.boss.user("nobody").may_change)

    def test_an_account_with_more_rights_is_not_changed(self) -> None:
        mary = self.of("mary", "waeup.UsersManager")
        self.assertFalse(mary.user("boss").may_change)
        for call in (
            lambda: mary.change_user("boss", {"title": "X"}),
            lambda: mary.suspend_user("boss"),
            lambda: mary.resume_user("boss"),
            lambda: mary.end_sessions("boss"),
            lambda: mary.remove_user("boss"),
            lambda: mary.change_user("mary", {}, ["waeup.UsersManager", "waeup.ImportManager"]),
        ):
            with self.assertRaises(NotAllowed):
                call()
        given = {role.name for role in mary.roles() if role.may_give}
        self.assertEqual(given, {"waeup.UsersManager"})

    def test_only_the_named_fields_are_changed(self) -> None:
        ann = self.of("ann")
        for call in (
            lambda: self.boss.change_user("ann", {"password": "x"}),
            lambda: self.boss.change_user("ann", {"language": "xx"}),
            lambda: self.boss.change_user("ann", {"title": None}),
            lambda: ann.change_own_account({"email": "nonsense"}),
        ):
            with self.assertRaises(InvalidSettings) as caught:
                call()
            self.assertEqual(len(caught.exception.wrong), 1)
        for name in ("title", "roles", "suspended", "description"):
            with self.assertRaises(NotAllowed):
                ann.change_own_account({name: "x"})

    def test_the_own_password_takes_the_present_one(self) -> None:
        ann = self.of("ann")
        with self.assertRaisesRegex(NotAllowed, "present password is wrong"):
            ann.set_own_password("guessed", "quiet river lantern")
        with self.assertRaisesRegex(Refused, "know about you"):
            ann.set_own_password("pw of ann", "Ann-12345")
        ann.set_own_password("pw of ann", "quiet river lantern")
        self.assertTrue(self.site["users"]["ann"].checkPassword("quiet river lantern"))

    def test_who_has_no_account_is_told(self) -> None:
        stranger = Operations(self.site, getUtility(IAuthentication).getPrincipal("zope.mgr"))
        for call in (stranger.own_account, stranger.end_own_sessions, stranger.own_roles):
            with self.assertRaises(NoSuchItem):
                call()

    def test_a_change_for_another_state_is_not_made(self) -> None:
        self.of("ann")
        version = self.boss.user("ann").version
        self.assertEqual(self.boss.change_user("ann", {"title": "A"}, version=version), ["title"])
        for call in (
            lambda: self.boss.change_user("ann", {"title": "B"}, version=version),
            lambda: self.boss.suspend_user("ann", version),
            lambda: self.boss.remove_user("ann", version),
        ):
            with self.assertRaises(Outdated):
                call()
        self.assertEqual(self.site["users"]["ann"].title, "A")

    def test_a_new_account_is_checked_as_a_change_is(self) -> None:
        for title, email, wrong in (
            ("Ann", "ann@example.org\nBcc: eve@example.org", "email"),
            ("Ann", "no address", "email"),
            ("Ann\nObi", None, "title"),
        ):
            with self.subTest(title=title, email=email):
                with self.assertRaises(InvalidSettings) as caught:
                    self.boss.add_user("ann", title, new_password(), email=email)
                self.assertEqual(list(caught.exception.wrong), [wrong])
                self.assertNotIn("ann", self.site["users"])

    def test_an_undo_gives_nobody_more_than_a_change_would(self) -> None:
        """Neither is an account with more rights changed by it, nor the own one shut."""
        manager = self.of("mia", "waeup.UsersManager", "waeup.ImportManager")
        FunctionalLayer.add_user("eve", "waeup.PortalManager")
        former = self.site["users"]["eve"].password
        self.store("u.csv", "name,password\neve,a new pass phrase 77\n")
        run = import_file(
            self.boss, "u.csv", "userprocessor", "update", Mapping(("name", "password"))
        )
        self.assertEqual(self.undo(manager, run.id).failed, 1)
        self.assertNotEqual(self.site["users"]["eve"].password, former)

    def test_an_undo_removes_no_account_with_more_rights_nor_the_own_one(self) -> None:
        self.store("u.csv", "name,title,roles\neve,Eve,['waeup.PortalManager']\n")
        fields = Mapping(("name", "title", "roles"))
        run = import_file(self.boss, "u.csv", "userprocessor", "create", fields)
        manager = self.of("mia", "waeup.UsersManager", "waeup.ImportManager")
        self.assertEqual(self.undo(manager, run.id).failed, 1)
        self.assertIn("eve", self.site["users"])

    def test_sessions_of_who_is_suspended_by_a_file_do_not_live_again(self) -> None:
        account = FunctionalLayer.add_user("ann", "waeup.ImportManager")
        before = account.ended_sessions
        for text in ("name,suspended\nann,1\n", "name,suspended\nann,0\n"):
            self.store("u.csv", text)
            fields = Mapping(("name", "suspended"))
            run = import_file(self.boss, "u.csv", "userprocessor", "update", fields)
            self.assertEqual(run.report.failed, 0)
        self.assertFalse(account.suspended)
        self.assertGreater(account.ended_sessions, before)

    def test_hashes_of_accounts_with_more_rights_are_not_exported(self) -> None:
        manager = self.of("mia", "waeup.UsersManager", "waeup.ExportManager")
        for operations, known in ((manager, {"mia"}), (self.boss, {"mia", "boss"})):
            id = operations.start_export(Wish("users", secrets=True)).id
            transaction.commit()
            FunctionalLayer.work_off_runs()
            with operations.open_export(id)[1] as stream:
                rows = list(csv.DictReader(io.StringIO(stream.read().decode("utf-8-sig"))))
            self.assertEqual({row["name"] for row in rows}, {"mia", "boss"})
            self.assertEqual({row["name"] for row in rows if row["password"]}, known)

    def test_roles_of_other_packages_stay(self) -> None:
        self.of("ann", "waeup.ImportManager", "other.Role")
        self.boss.change_user("ann", {}, ["waeup.ExportManager"])
        self.assertEqual(self.boss.user("ann").roles, ("other.Role", "waeup.ExportManager"))


class LastAdministratorTests(PeopleTestCase):
    """One who can log in is always left."""

    def setUp(self) -> None:
        super().setUp()
        # Who cannot log in does not count.
        self.site["users"]["boss"].password = None
        transaction.commit()
        FunctionalLayer.add_user("last", "waeup.PortalManager")

    def test_the_last_one_is_neither_removed_nor_suspended_nor_stripped(self) -> None:
        for call in (
            lambda: self.boss.remove_user("last"),
            lambda: self.boss.suspend_user("last"),
            lambda: self.boss.set_roles("last", ["waeup.ImportManager"]),
            lambda: self.boss.change_user("last", {}, []),
        ):
            with self.assertRaisesRegex(Refused, "last is the last Portal Manager"):
                call()
        self.assertIn("last", self.site["users"])

    def test_another_one_may_go(self) -> None:
        FunctionalLayer.add_user("more", "waeup.PortalManager")
        self.boss.suspend_user("last")
        with self.assertRaises(Refused):
            self.boss.suspend_user("more")
        self.boss.resume_user("last")
        self.boss.remove_user("more")

    def test_a_file_takes_the_last_one_neither(self) -> None:
        for text, fields, mode in (
            ("name,suspended\nlast,1\n", ("name", "suspended"), "update"),
            ("name,roles\nlast,XXX\n", ("name", "roles"), "update"),
            ("name,roles\nlast,['waeup.UsersManager']\n", ("name", "roles"), "update"),
            ("name,password\nlast,XXX\n", ("name", "password"), "update"),
            ("name\nlast\n", ("name",), "remove"),
        ):
            self.store("u.csv", text)
            with self.subTest(text):
                report = import_file(
                    self.boss, "u.csv", "userprocessor", mode, Mapping(fields)
                ).report
                self.assertEqual((report.failed, report.total), (1, 1))
                self.assertIn("last Portal Manager", report.reasons[0][0])

    def test_a_file_takes_nobody_the_own_password(self) -> None:
        manager = self.of("mia", "waeup.UsersManager", "waeup.ImportManager")
        self.store("u.csv", "name,password\nmia,XXX\n")
        fields = Mapping(("name", "password"))
        report = import_file(manager, "u.csv", "userprocessor", "update", fields).report
        self.assertIn("from your own account", report.reasons[0][0])
        self.assertIsNotNone(self.site["users"]["mia"].password)

    def test_two_do_not_remove_each_other(self) -> None:
        for first, second in (
            (lambda who: lambda o: o.remove_user(who),) * 2,
            (lambda who: lambda o: o.suspend_user(who),) * 2,
            (
                lambda who: lambda o: o.remove_user(who),
                lambda who: lambda o: o.set_roles(who, []),
            ),
        ):
            for name in ("ann", "bob"):
                if name in self.site["users"]:
                    del self.site["users"][name]
                FunctionalLayer.add_user(name, "waeup.PortalManager")
            self.site["users"]["last"].suspended = True
            transaction.commit()
            outcomes = self.at_once(("ann", first("bob")), ("bob", second("ann")))
            conflicts = [each for each in outcomes if isinstance(each, ConflictError)]
            self.assertEqual((len(conflicts), outcomes.count(None)), (1, 1), outcomes)


class TogetherTests(PeopleTestCase):
    """Log-ins are in nobody's way."""

    def test_a_log_in_and_a_change_at_the_same_time(self) -> None:
        self.of("ann")
        outcomes = self.at_once(
            ("boss", lambda operations: operations.change_user("ann", {"title": "Ann Obi"})),
            ("boss", lambda operations: operations.site["users"]["ann"].logged_in(NOW)),
            (
                "boss",
                lambda operations: operations.site["users"]["ann"].logged_in(
                    NOW + timedelta(seconds=1)
                ),
            ),
        )
        self.assertEqual(outcomes, [None, None, None])
        user = self.boss.user("ann")
        self.assertEqual(user.title, "Ann Obi")
        self.assertEqual(user.log_ins, (NOW + timedelta(seconds=1), NOW))

    def test_accounts_of_before_have_no_log_ins_and_get_some(self) -> None:
        account = UserAccount("old", "Old")
        del account._log_ins
        self.assertEqual(account.log_ins, ())
        account.logged_in(NOW)
        self.assertEqual(account.log_ins, (NOW,))

    @given(st.lists(MOMENTS), st.lists(MOMENTS), st.lists(MOMENTS))
    def test_the_two_newest_of_all_log_ins_are_kept(
        self, before: list[datetime], one: list[datetime], other: list[datetime]
    ) -> None:
        def after(*moments: datetime) -> dict[str, Any]:
            log_ins = LogIns()
            for moment in moments:
                log_ins.add(moment)
            return dict(log_ins.__getstate__())

        resolved = LogIns()._p_resolveConflict(
            after(*before), after(*before, *one), after(*before, *other)
        )
        self.assertEqual(resolved, after(*before, *one, *other))

    def test_changes_are_logged_without_secrets(self) -> None:
        ann = self.of("ann")
        self.boss.change_user("ann", {"email": "ann@example.org"}, ["waeup.ImportManager"])
        self.boss.set_password("ann", "quiet river lantern")
        self.boss.suspend_user("ann")
        self.boss.resume_user("ann")
        self.boss.end_sessions("ann")
        ann.set_own_password("quiet river lantern", "another quiet river")
        ann.change_own_account({"language": "de"})
        ann.end_own_sessions()
        transaction.commit()
        text = (self.storage / "logs" / "main.log").read_text()
        for line in (
            "User changed: ann, email=ann@example.org",
            "Roles set: ann, roles=waeup.ImportManager",
            "Password set: ann",
            "User suspended: ann",
            "User resumed: ann",
            "Sessions ended: ann",
            "Own password set: ann",
            "User changed: ann, language=de",
            "Own sessions ended: ann",
        ):
            self.assertIn(line, text)
        self.assertNotIn("river", text)
        self.assertNotIn("$2b$", text)

    def test_no_name_puts_a_line_of_the_log_to_a_run_or_a_token(self) -> None:
        ann = self.of("ann")
        for mark in (" - run=", " - token=", ", job_id="):
            with self.subTest(mark):
                ann.change_own_account({"public_name": f"Ann{mark}0123456789abcdef"})
                transaction.commit()
                line = (self.storage / "logs" / "main.log").read_text().splitlines()[-1]
                self.assertRegex(line, r"public_name=Ann.*: 0123456789abcdef$")


class PasswordTests(unittest.TestCase):
    """Which passwords are easy to guess."""

    ABOUT = ("bola", "Bola Adébáyò", "b.ade@example.org", "+234-803-5551234", "WAeUP.Kofa")

    def test_what_is_tried_first_is_refused(self) -> None:
        for password, text in (
            ("short", "has 5 characters"),
            ("aaaaaaaaaa", "repeats"),
            ("12345678", "only figures"),
            ("2003-05-17", "only figures"),
            ("abcdefgh", "row of keys"),
            ("qwertyuiop", "row of keys"),
            ("poiuytrewq", "row of keys"),
            ("Bola2026!", "know about you"),
            ("adebayo1", "know about you"),
            ("BolaAdebayo", "know about you"),
            ("waeup.kofa", "know about you"),
            ("password1!", "many people take"),
            ("Welcome123", "many people take"),
            ("letmein-admin", "many people take"),
        ):
            self.assertIn(text.split()[0], str(weakness(password, self.ABOUT)), password)
            self.assertIsNotNone(weakness(password, self.ABOUT), password)

    def test_what_is_hard_to_guess_is_taken(self) -> None:
        for password in ("quiet river lantern", "xK9#mQ2v", "Ọjọ́ dára púpọ̀", "a good secret"):
            self.assertIsNone(weakness(password, self.ABOUT), password)

    @given(st.integers(0, 10**6))
    def test_made_ones_are_good(self, _number: int) -> None:
        self.assertIsNone(weakness(new_password(), self.ABOUT))

    @given(st.text(max_size=80), st.lists(st.none() | st.text(max_size=30), max_size=4))
    def test_any_text_gets_an_answer(self, password: str, about: list[str | None]) -> None:
        weakness(password, about)

    @given(st.text("0123456789!?.-_", max_size=12), st.sampled_from(("bola", "adebayo", "ade")))
    def test_figures_and_signs_around_a_name_help_nothing(self, more: str, name: str) -> None:
        self.assertIsNotNone(weakness(name + more, self.ABOUT))
        self.assertIsNotNone(weakness(more + name, self.ABOUT))
