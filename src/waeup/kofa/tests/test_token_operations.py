"""Operations on tokens, and what a program may that acts by one; what two do at the same time."""

import threading
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from unittest import mock

import transaction
from hypothesis import given
from hypothesis import strategies as st
from ZODB.POSException import ConflictError
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility
from zope.component.hooks import site as site_set

from waeup.kofa import tokens
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import NoSuchItem, NotAllowed, Refused
from waeup.kofa.exporting.wish import Wish
from waeup.kofa.jobs.connection import connected
from waeup.kofa.operations import NewToken, Operations
from waeup.kofa.operations.passwords import new_password
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, import_file
from waeup.kofa.tests.test_people import PeopleTestCase
from waeup.kofa.tests.waiting import PATIENCE, begun, joined
from waeup.kofa.tokens import (
    MAX_DAYS,
    MOST,
    SCOPES,
    SHAPE,
    USUAL_DAYS,
    Use,
    authenticate,
    get_token,
    make_token,
    touch,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
DAY = timedelta(days=1)
PASSWORDS = Mapping(("name", "password"))
TITLES = Mapping(("name", "title"))
FACULTIES = Mapping(("code", "title"))


class TokenOperationsTestCase(PeopleTestCase):
    """Has the operations of ``ann``, who brings files, and of an administrator, ``boss``."""

    def setUp(self) -> None:
        super().setUp()
        self.ann = self.of("ann", "waeup.ImportManager")

    def new(self, operations: Operations, *scopes: str, title: str = "nightly") -> NewToken:
        """Make a token of a person."""
        return operations.new_token(title, scopes or ("read",))

    def by_token(self, user: Operations, *scopes: str, reading: bool = False) -> Operations:
        """Return what a program may that acts for a person by a new token."""
        grant = authenticate(self.site, self.new(user, *scopes).text)
        assert grant is not None
        return Operations(self.site, user.principal, grant.for_reading() if reading else grant)

    def log(self) -> str:
        """Return the portal's log after what was done is committed."""
        transaction.commit()
        return (self.storage / "logs" / "main.log").read_text(encoding="utf-8")


class OwnTokensTest(TokenOperationsTestCase):
    """What people do with their own."""

    def test_made_listed_and_revoked(self):
        made = self.new(self.ann, "read", "import", title="registry nightly push")
        info = made.info
        self.assertEqual(self.ann.tokens(), [info])
        self.assertEqual(
            (info.user, info.title, info.scopes, info.state, info.used, info.address),
            ("ann", "registry nightly push", ("read", "import"), "valid", None, ""),
        )
        self.assertEqual(info.expires - info.made, USUAL_DAYS * DAY)
        self.assertTrue(info.is_valid)
        grant = authenticate(self.site, made.text)
        self.assertEqual((grant.id, grant.user), (info.id, "ann"))
        self.ann.revoke_token(info.id)
        self.assertIsNone(authenticate(self.site, made.text))
        [revoked] = self.ann.tokens()
        self.assertEqual((revoked.state, revoked.revoked_by), ("revoked", "ann"))
        log = self.log()
        self.assertIn(f"Token made: {info.id}, title=registry nightly push, scopes=read imp", log)
        self.assertIn(f"Token revoked: {info.id} of ann", log)

    def test_one_that_has_ended_is_left_as_it_is(self):
        made = self.new(self.ann)
        self.ann.revoke_token(made.info.id)
        before = self.ann.tokens()
        self.boss.revoke_token(made.info.id)
        self.assertEqual(self.ann.tokens(), before)
        self.assertEqual(self.log().count("Token revoked"), 1)

    def test_an_expired_one_says_so(self):
        token, _text = make_token(self.site, "ann", "old", ["read"], 30, NOW)
        [info] = self.ann.tokens()
        self.assertEqual((info.state, info.is_valid), ("expired", False))
        self.ann.revoke_token(token.id)
        self.assertEqual(self.ann.tokens(), [info])

    def test_who_has_no_account_has_no_tokens(self):
        stranger = Operations(self.site, SimpleNamespace(id="zope.mgr", groups=()))
        for call in (stranger.tokens, lambda: stranger.new_token("x", ["read"])):
            with self.assertRaises(NoSuchItem):
                call()

    def test_the_portal_may_say_how_long_they_are_valid(self):
        self.assertEqual(self.ann.longest_token(), MAX_DAYS)
        self.boss.change_settings("limits", {"token_days": 14})
        self.assertEqual(self.ann.longest_token(), 14)
        info = self.new(self.ann).info
        self.assertEqual(info.expires - info.made, 14 * DAY)
        with self.assertRaisesRegex(Refused, "1 to 14 days"):
            self.ann.new_token("x", ["read"], 15)
        self.assertEqual(self.ann.new_token("x", ["read"], 3).info.state, "valid")

    def test_a_new_token_does_not_show_its_text(self):
        made = self.new(self.ann)
        self.assertNotIn(made.text, repr(made))


class OthersTokensTest(TokenOperationsTestCase):
    """What administrators do with those of others, and what ends them."""

    def test_administrators_list_and_revoke(self):
        made = self.new(self.ann)
        self.assertEqual(self.boss.tokens_of("ann"), [made.info])
        self.boss.revoke_token(made.info.id)
        self.assertEqual(self.ann.tokens()[0].revoked_by, "boss")
        with self.assertRaises(NoSuchItem):
            self.boss.tokens_of("nobody")

    def test_others_do_not(self):
        bob = self.of("bob", "waeup.ImportManager")
        made = self.new(self.ann)
        with self.assertRaises(NotAllowed):
            bob.tokens_of("ann")
        for id in (made.info.id, "0" * 12, "", "x"):
            with self.assertRaisesRegex(NoSuchItem, "There is no token"):
                bob.revoke_token(id)
        self.assertTrue(self.ann.tokens()[0].is_valid)

    def test_nobody_revokes_those_of_an_account_with_more_rights(self):
        keeper = self.of("keeper", "waeup.UsersManager")
        made = self.new(self.boss)
        with self.assertRaisesRegex(NotAllowed, "rights that you lack"):
            keeper.revoke_token(made.info.id)
        self.assertIsNotNone(authenticate(self.site, made.text))

    def test_a_password_by_somebody_else_revokes_all(self):
        texts = [self.new(self.ann).text for _ in range(2)]
        other = self.new(self.boss).text
        self.boss.set_password("ann", new_password())
        self.assertEqual([authenticate(self.site, text) for text in texts], [None, None])
        self.assertIsNotNone(authenticate(self.site, other))
        self.assertEqual({info.revoked_by for info in self.ann.tokens()}, {"boss"})
        self.assertEqual(self.log().count("Token revoked"), 2)

    def test_the_own_password_leaves_them_unless_one_asks(self):
        made = self.new(self.boss)
        first, second = new_password(), new_password()
        self.boss.set_password("boss", first)
        self.boss.set_own_password(first, second)
        self.assertIsNotNone(authenticate(self.site, made.text))
        self.boss.set_own_password(second, first, revoke_tokens=True)
        self.assertIsNone(authenticate(self.site, made.text))

    def test_a_suspended_account(self):
        made = self.new(self.ann)
        self.boss.suspend_user("ann")
        self.assertIsNone(authenticate(self.site, made.text))
        self.assertTrue(self.boss.tokens_of("ann")[0].is_valid)
        self.boss.resume_user("ann")
        self.assertIsNotNone(authenticate(self.site, made.text))

    def test_a_removed_account_loses_them_for_good(self):
        made = self.new(self.ann)
        transaction.commit()
        self.boss.remove_user("ann")
        self.of("ann", "waeup.PortalManager")
        self.assertIsNone(authenticate(self.site, made.text))
        self.assertEqual(self.boss.tokens_of("ann"), [])

    def test_a_file_of_passwords_revokes_and_its_undo_brings_nothing_back(self):
        made, own = self.new(self.ann), self.new(self.boss)
        mine = new_password()
        self.store("users.csv", f"name,password\nann,{new_password()}\nboss,{mine}\n")
        columns = PASSWORDS
        run = import_file(self.boss, "users.csv", "userprocessor", "update", columns)
        self.assertEqual(run.report.updated, 2)
        self.assertIsNone(authenticate(self.site, made.text))
        self.assertIsNotNone(authenticate(self.site, own.text))
        self.assertEqual(self.boss.tokens_of("ann")[0].revoked_by, "boss")
        self.assertEqual(self.undo(self.boss, run.id).updated, 2)
        self.assertIsNone(authenticate(self.site, made.text))

    def test_a_file_without_passwords_revokes_nothing(self):
        made = self.new(self.ann)
        self.store("users.csv", "name,title\nann,Ann O.\n")
        run = import_file(self.boss, "users.csv", "userprocessor", "update", TITLES)
        self.assertEqual(run.report.updated, 1)
        self.assertIsNotNone(authenticate(self.site, made.text))

    def test_an_account_that_a_file_removes_and_an_undo_brings_back(self):
        made = self.new(self.ann)
        self.store("users.csv", "name\nann\n")
        run = import_file(self.boss, "users.csv", "userprocessor", "remove", Mapping(("name",)))
        self.assertEqual(self.undo(self.boss, run.id).created, 1)
        self.assertIn("ann", self.site["users"])
        self.assertIsNone(authenticate(self.site, made.text))


class ByTokenTest(TokenOperationsTestCase):
    """What a program may."""

    def test_right_and_scope_are_needed(self):
        self.assertTrue(self.by_token(self.ann, "files").may("waeup.manageDataCenter"))
        self.assertFalse(self.by_token(self.ann, "files").may("waeup.importData"))
        self.assertFalse(self.by_token(self.ann, "export").may("waeup.exportData"))

    def test_reading_changes_nothing(self):
        self.store("a.csv")
        reading = self.by_token(self.ann, "read", reading=True)
        self.assertEqual([file.name for file in reading.pending_files()], ["a.csv"])
        changing = self.by_token(self.ann, "read")
        with self.assertRaisesRegex(NotAllowed, "lacks the scope files or import"):
            changing.delete(["a.csv"])

    def test_a_missing_right_is_that_of_the_person(self):
        with self.assertRaisesRegex(NotAllowed, r"You \(ann\) lack"):
            self.by_token(self.ann, "users").users()

    def test_the_log_names_the_token(self):
        program = self.by_token(self.ann, "files")
        self.store("a.csv")
        program.delete(["a.csv"])
        transaction.commit()
        log = (self.storage / "logs" / "datacenter.log").read_text(encoding="utf-8")
        self.assertRegex(log, rf"deleted: a\.csv - token={program.grant.id}\n")

    def test_lines_with_a_token_lead_to_files_and_runs_all_the_same(self):
        program = self.by_token(self.ann, "import")
        self.store("a.csv")
        mark = f" - token={program.grant.id}"
        found = program.mentions([f"uploaded: a.csv{mark}", f"no: job_id={'0' * 16}{mark}"])
        self.assertEqual([len(each) for each in found], [1, 0])
        self.assertEqual(program.mentions_later()([f"uploaded: a.csv{mark}"])[0], found[0])

    def test_tokens_passwords_and_sessions_are_for_people(self):
        program = self.by_token(self.boss, *SCOPES)
        for call in (
            lambda: program.new_token("x", ["read"]),
            lambda: program.revoke_token(program.grant.id),
            lambda: program.set_password("ann", new_password()),
            lambda: program.set_own_password("x", new_password()),
            lambda: program.end_sessions("ann"),
            lambda: program.end_own_sessions(),
        ):
            with self.assertRaisesRegex(NotAllowed, "for people"):
                call()

    def test_a_program_knows_its_token(self):
        program = self.by_token(self.ann, "export")
        self.assertEqual(program.this_token(), self.ann.tokens()[0])
        with self.assertRaises(NoSuchItem):
            self.ann.this_token()

    def test_the_own_account(self):
        with self.assertRaisesRegex(NotAllowed, "lacks the scope users"):
            self.by_token(self.ann, "files").own_account()
        reading = self.by_token(self.ann, "read", reading=True)
        self.assertEqual(reading.own_account().name, "ann")
        self.assertEqual(len(reading.tokens()), 2)
        self.assertEqual([role.name for role in reading.own_roles()], ["waeup.ImportManager"])
        with self.assertRaises(NotAllowed):
            self.by_token(self.ann, "read").change_own_account({"phone": None})
        program = self.by_token(self.ann, "users")
        program.change_own_account({"phone": "+49-30-123456"})
        with self.assertRaisesRegex(NotAllowed, "lacks the scope read or"):
            program.change_own_account({"email": "ann@example.org"})
        program = self.by_token(self.ann, "users", "read")
        program.change_own_account({"email": "ann@example.org"})
        self.assertEqual(self.ann.own_account().email, "ann@example.org")

    def test_nobody_gives_by_a_token_what_it_lacks(self):
        program = self.by_token(self.boss, "users")
        with self.assertRaisesRegex(NotAllowed, "token .* lacks rights of the role waeup.Import"):
            program.add_user("eve", "Eve", new_password(), ["waeup.ImportManager"])
        with self.assertRaisesRegex(NotAllowed, "lacks rights of the role waeup.ImportManager"):
            program.suspend_user("ann")
        program.add_user("eve", "Eve", new_password(), ["waeup.UsersManager"])
        more = self.by_token(self.boss, "users", "import")
        more.suspend_user("ann")
        with self.assertRaisesRegex(NotAllowed, "lacks rights of the role waeup.PortalManager"):
            more.set_roles("eve", ["waeup.PortalManager"])

    def test_no_password_is_changed_by_a_file(self):
        program = self.by_token(self.boss, "import", "users")
        self.store("users.csv", f"name,password\nann,{new_password()}\n")
        columns = PASSWORDS
        with self.assertRaisesRegex(NotAllowed, "Leave out password"):
            program.start_import("users.csv", "userprocessor", "update", columns)
        run = import_file(self.boss, "users.csv", "userprocessor", "update", columns)
        program = self.by_token(self.boss, "import", "users")
        with self.assertRaisesRegex(NotAllowed, "Leave out password"):
            program.start_undo(run.id)

    def test_a_program_imports_and_the_run_acts_as_the_officer(self):
        program = self.by_token(self.ann, "import")
        self.store("faculties.csv")
        run = import_file(program, "faculties.csv", "facultyprocessor", "create", FACULTIES)
        self.assertEqual((run.user, run.report.created), ("ann", 1), run)
        self.assertIn("A1", self.site["faculties"])

    def test_what_is_said_to_be_possible_is_so_with_the_token(self):
        reading = self.by_token(self.boss, "read", reading=True)
        self.assertEqual({kind.may for kind in reading.kinds()}, {False})
        self.assertEqual({user.may_change for user in reading.users()}, {False})
        self.assertEqual({role.may_give for role in reading.roles()}, {False})
        more = self.by_token(self.boss, "read", "import", "users", reading=True)
        may = {kind.name: kind.may for kind in more.kinds()}
        self.assertEqual((may["facultyprocessor"], may["userprocessor"]), (True, False))
        self.assertEqual(
            {user.name: user.may_change for user in more.users()}, {"ann": True, "boss": False}
        )

    def test_exports_need_no_other_scope(self):
        FunctionalLayer.add_user("eve", "waeup.ExportManager")
        eve = Operations(self.site, getUtility(IAuthentication).getPrincipal("eve"))
        id = self.by_token(eve, "export").start_export(Wish("faculties")).id
        transaction.commit()
        FunctionalLayer.work_off_runs()
        program = self.by_token(eve, "export", reading=True)
        self.assertEqual([run.id for run in program.exports()], [id])
        self.assertEqual(program.run(id).state, "finished")
        program.open_export(id)[1].close()
        with self.assertRaises(NotAllowed):
            program.pending_files()

    def test_kinds_with_rights_of_their_own(self):
        program = self.by_token(self.boss, "import")
        names = {processor.name for processor in program.processors()}
        self.assertIn("facultyprocessor", names)
        self.assertNotIn("userprocessor", names)


class TogetherTest(TokenOperationsTestCase):
    """What several do at the same time."""

    def test_using_and_revoking_are_never_in_each_others_way(self):
        made = self.new(self.ann)
        transaction.commit()

        def use(operations: Operations) -> None:
            touch(operations.site, made.info.id, NOW, "192.0.2.1")

        outcomes = self.at_once(
            ("ann", use), ("ann", lambda ann: ann.revoke_token(made.info.id)), ("boss", use)
        )
        self.assertEqual(outcomes, [None, None, None])
        with connected(FunctionalLayer.database(), "/app") as site:
            token = get_token(site, made.info.id)
            self.assertEqual((token.use.address, token.revoked_by), ("192.0.2.1", "ann"))

    def test_two_people_make_tokens(self):
        self.new(self.ann)
        self.new(self.boss)
        transaction.commit()
        outcomes = self.at_once(
            ("ann", lambda ann: ann.new_token("x", ["read"])),
            ("boss", lambda boss: boss.new_token("x", ["read"])),
        )
        self.assertEqual(outcomes, [None, None])

    def test_the_last_one_that_is_possible_is_made_once(self):
        for _number in range(MOST - 1):
            self.new(self.ann)
        transaction.commit()
        make = lambda ann: ann.new_token("x", ["read"])  # noqa: E731
        self.assert_one_of_two(("ann", make), ("ann", make))

    def test_a_token_and_the_removal_of_its_account(self):
        self.new(self.boss)
        transaction.commit()
        self.assert_one_of_two(
            ("ann", lambda ann: ann.new_token("x", ["read"])),
            ("boss", lambda boss: boss.remove_user("ann")),
        )

    def test_a_token_and_a_password_by_somebody_else(self):
        self.new(self.boss)
        transaction.commit()
        self.assert_one_of_two(
            ("ann", lambda ann: ann.new_token("x", ["read"])),
            ("boss", lambda boss: boss.set_password("ann", new_password())),
        )

    def assert_one_of_two(self, *calls: Any) -> None:
        outcomes = self.at_once(*calls)
        self.assertEqual(outcomes.count(None), 1, outcomes)
        self.assertTrue(any(isinstance(each, ConflictError) for each in outcomes), outcomes)


class UseTest(FunctionalTestCase):
    """The last use, which is in nobody's way."""

    def setUp(self) -> None:
        FunctionalLayer.add_user("ann")
        token, _text = make_token(self.site, "ann", "x", ["read"], 90, NOW)
        transaction.commit()
        self.token = token.id

    def use(self) -> Use:
        """Return what is known of the last use."""
        transaction.begin()
        token = get_token(self.site, self.token)
        assert token is not None
        return token.use

    def test_it_is_noted_to_the_minute_once_a_minute(self):
        with mock.patch.object(tokens, "committed", wraps=tokens.committed) as written:
            touch(self.site, self.token, NOW, "192.0.2.1")
            use = self.use()
            self.assertEqual((use.at, use.address), (NOW.replace(second=0), "192.0.2.1"))
            touch(self.site, self.token, NOW + timedelta(seconds=52), "192.0.2.2")
            self.assertEqual(self.use().address, "192.0.2.1")
            self.assertEqual(written.call_count, 1)
            touch(self.site, self.token, NOW + timedelta(seconds=53), "192.0.2.2")
            self.assertEqual(written.call_count, 2)
        self.assertEqual(self.use().address, "192.0.2.2")

    def test_it_is_no_part_of_what_the_caller_does(self):
        transaction.begin()
        touch(self.site, self.token, NOW)
        self.assertFalse(self.site._p_jar._registered_objects)
        transaction.abort()
        self.assertIsNotNone(self.use().at)

    def test_a_database_that_does_not_take_it(self):
        with (
            mock.patch.object(tokens, "committed", side_effect=ConflictError),
            self.assertLogs("waeup.kofa.tokens") as logged,
        ):
            touch(self.site, self.token, NOW)
        self.assertIn(self.token, logged.output[0])
        self.assertIsNone(self.use().at)

    def test_one_that_is_just_made_and_one_that_is_not_there(self):
        token, _text = make_token(self.site, "ann", "x", ["read"], 90, NOW)
        touch(self.site, token.id, NOW, "::1")
        self.assertEqual(token.use.address, "::1")
        touch(self.site, "0" * 12, NOW)
        transaction.abort()

    def test_an_address_is_bounded(self):
        touch(self.site, self.token, NOW, "x" * 1000)
        self.assertEqual(len(self.use().address), 64)

    @given(st.lists(st.tuples(st.datetimes(timezones=st.just(timezone.utc)), st.text())))
    def test_the_latest_counts_in_any_order(self, uses):
        saved, new = Use(), Use()
        for number, (at, address) in enumerate(uses):
            (saved, new)[number % 2].note(at, address)
        if saved.at and new.at:
            merged = Use()._p_resolveConflict({}, saved.__getstate__(), new.__getstate__())
            self.assertEqual(merged["at"], max(at for at, _address in uses))

    def test_two_uses_in_two_minutes_at_once(self) -> None:
        outcomes: list[Any] = []

        def use(minute: int) -> None:
            with connected(FunctionalLayer.database(), "/app") as site, site_set(site):
                token = get_token(site, self.token)
                assert token is not None
                token.use.note(NOW + minute * timedelta(minutes=1), f"{minute}")
                barrier.wait()
                outcomes.append(transaction.commit())

        barrier = threading.Barrier(2, timeout=PATIENCE)
        joined(*(begun(use, minute) for minute in (1, 2)))
        self.assertEqual(outcomes, [None, None])
        self.assertEqual(self.use().address, "2")


class SecretTest(TokenOperationsTestCase):
    """The secret is nowhere but in the answer."""

    def test_no_record_of_the_database_and_no_log_holds_it(self):
        made = self.new(self.ann)
        secret = SHAPE.fullmatch(made.text)["secret"]
        with self.assertLogs(level="DEBUG") as logged:
            authenticate(self.site, made.text)
            authenticate(self.site, made.text + "0")
            touch(self.site, made.info.id)
            self.log()
            tokens.log.debug("There is a line.")
        needles = [secret.encode(), secret.upper().encode(), bytes.fromhex(secret)]
        records = 0
        for each in FunctionalLayer.database().storage.iterator():
            for record in each:
                records += 1
                for needle in needles:
                    self.assertNotIn(needle, record.data or b"")
        self.assertGreater(records, 10)
        for path in self.storage.rglob("*"):
            if path.is_file():
                self.assertNotIn(secret.encode(), path.read_bytes())
        self.assertNotIn(secret, "".join(logged.output))
