"""Components with a log file, and log lines that join a transaction."""

import contextlib
import io
import logging
import os
import sys
import tempfile
import threading
import time
import unittest
from collections import UserDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import transaction
from hypothesis import given
from hypothesis import strategies as st
from transaction.interfaces import IDataManagerSavepoint, ISavepointDataManager
from zope.component import getGlobalSiteManager
from zope.component.hooks import setSite
from zope.interface import implementer
from zope.interface.verify import verifyClass, verifyObject
from zope.security.interfaces import IParticipation
from zope.security.management import endInteraction, newInteraction, system_user

from waeup.kofa.interfaces import ILogger
from waeup.kofa.journal.deferral import DeferredLines, dropped_lines
from waeup.kofa.logger import Logger, current_user, deferred_lines, in_run
from waeup.kofa.tests.waiting import PATIENCE, begun, joined

#: A moment in the middle of a second.
NOON = 1_700_000_000.5
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"


class DataCenterWithStorage:
    def __init__(self, storage: str) -> None:
        self.storage = storage


class Site(dict):
    def __init__(self, name: str | None, storage: str | None) -> None:
        super().__init__()
        self.__name__ = name
        if storage is not None:
            self["datacenter"] = DataCenterWithStorage(storage)

    def getSiteManager(self) -> Any:
        return getGlobalSiteManager()


class Principal:
    def __init__(self, userid: str) -> None:
        self.id = userid


@implementer(IParticipation)
class Participation:
    interaction = None

    def __init__(self, principal: Any) -> None:
        self.principal = principal


class Students(Logger):
    logger_name = "waeup.kofa.${sitename}.students"
    logger_filename = "students.log"


class SiteTests(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)
        self.addCleanup(setSite)
        self.addCleanup(endInteraction)
        self.addCleanup(self.forget_loggers)
        self.site = self.make_site("uni")
        setSite(self.site)

    def make_site(self, name: str | None, folder: str = "storage") -> Site:
        storage = self.folder / folder
        storage.mkdir(exist_ok=True)
        return Site(name, str(storage))

    def forget_loggers(self) -> None:
        for name, logger in list(logging.Logger.manager.loggerDict.items()):
            if name.startswith("waeup.kofa.") and isinstance(logger, logging.Logger):
                for handler in list(logger.handlers):
                    logger.removeHandler(handler)
                    handler.close()
                logger.propagate = True
                logger.setLevel(logging.NOTSET)

    def content(self, filename: str = "main.log", folder: str = "storage") -> str:
        path = self.folder / folder / "logs" / filename
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def messages(self, filename: str = "main.log", folder: str = "storage") -> list[str]:
        lines = self.content(filename, folder).splitlines()
        return [line.split(" - ", 3)[3] for line in lines]


class ContractTests(unittest.TestCase):
    def test_mixin_provides_its_interface(self) -> None:
        self.assertTrue(verifyClass(ILogger, Logger))
        self.assertTrue(verifyObject(ILogger, Logger()))

    def test_deferred_lines_are_a_data_manager(self) -> None:
        self.assertTrue(verifyClass(ISavepointDataManager, DeferredLines))
        self.assertTrue(verifyObject(IDataManagerSavepoint, DeferredLines().savepoint()))


class LineTests(SiteTests):
    def test_line_has_the_form_of_1_9(self) -> None:
        Logger().logger.info("Ọmọ %s", 1)
        self.assertRegex(self.content(), rf"^{TIME} - INFO - system - Ọmọ 1\n$")

    def test_user_is_the_current_principal(self) -> None:
        newInteraction(Participation(Principal("bob")))
        self.assertEqual(current_user(), "bob")
        Logger().logger.warning("x")
        self.assertRegex(self.content(), rf"^{TIME} - WARNING - bob - x\n$")

    def test_system_itself_and_participations_without_principal_are_the_system(self) -> None:
        newInteraction(Participation(None), Participation(system_user))
        self.assertEqual(current_user(), "system")

    def test_user_can_be_named(self) -> None:
        Logger().logger.info("x", extra={"user": "worker"})
        self.assertIn(" - INFO - worker - x\n", self.content())

    def test_level_is_info(self) -> None:
        Logger().logger.debug("x")
        self.assertEqual(self.content(), "")

    def test_cells_and_principals_cannot_forge_lines(self) -> None:
        newInteraction(Participation(Principal("eve\nroot")))
        Logger().logger.info("name=%s", "Bob\r\n2026-01-01 00:00:00,000 - INFO - admin - removed")
        self.assertEqual(len(self.content().splitlines()), 1)
        self.assertIn(r" - eve\nroot - name=Bob\r\n2026", self.content())

    def test_traceback_is_part_of_its_line(self) -> None:
        try:
            raise ValueError("first\nsecond")
        except ValueError:
            Logger().logger.exception("failed")
        self.assertEqual(len(self.content().splitlines()), 1)
        self.assertRegex(
            self.content(), r" - failed\\nTraceback .*\\nValueError: first\\nsecond\n"
        )

    def test_component_can_have_a_form_of_its_own(self) -> None:
        class Short(Logger):
            logger_format_str = "%(user)s: %(message)s"

        Short().logger.info("x")
        self.assertEqual(self.content(), "system: x\n")

    def test_bad_record_is_reported_and_does_not_stop_the_work(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            Logger().logger.info("%d", "no number")
        self.assertIn("no number", stderr.getvalue())
        self.assertEqual(self.content(), "")


class PlaceTests(SiteTests):
    def test_each_component_has_its_file(self) -> None:
        Logger().logger.info("a")
        Students().logger.info("b")
        self.assertEqual(self.messages(), ["a"])
        self.assertEqual(self.messages("students.log"), ["b"])

    def test_python_logger_is_named_after_the_site(self) -> None:
        logger = Students().logger
        self.assertEqual(logger.name, "waeup.kofa.uni.students")
        self.assertFalse(logger.propagate)
        self.assertEqual(len(logger.handlers), 1)
        self.assertIs(Students().logger, logger)

    def test_any_other_number_of_handlers_is_put_right(self) -> None:
        logger = Students().logger
        logger.addHandler(logging.NullHandler())
        Students().logger.info("once")
        self.assertEqual(len(logger.handlers), 1)
        logger.handlers.clear()
        Students().logger.info("again")
        self.assertEqual(self.messages("students.log"), ["once", "again"])

    def test_threads_that_come_at_once_set_up_one_handler(self) -> None:
        barrier = threading.Barrier(8, timeout=PATIENCE)
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)

        def log() -> None:
            setSite(self.site)
            barrier.wait()
            Students().logger.info("x")

        joined(*(begun(log) for _ in range(8)))
        self.assertEqual(self.messages("students.log"), ["x"] * 8)

    def test_paths_are_told_and_the_folder_is_made(self) -> None:
        component = Students()
        logs = self.folder / "storage" / "logs"
        self.assertEqual(component.logger_get_logdir(), str(logs))
        self.assertTrue(logs.is_dir())
        self.assertEqual(component.logger_get_logfile_path(), str(logs / "students.log"))

    def test_logs_go_on_where_the_storage_is(self) -> None:
        logger = Students().logger
        logger.info("before")
        (self.folder / "new").mkdir()
        self.site["datacenter"].storage = str(self.folder / "new")
        logger.info("after")
        self.assertEqual(self.messages("students.log"), ["before"])
        self.assertEqual(self.messages("students.log", "new"), ["after"])

    def test_rotated_log_goes_on_in_a_new_file(self) -> None:
        logger = Logger().logger
        logger.info("old")
        path = self.folder / "storage" / "logs" / "main.log"
        path.rename(path.with_suffix(".log.1"))
        logger.info("new")
        self.assertEqual(self.messages(), ["new"])

    def test_sites_of_one_process_do_not_mix(self) -> None:
        other = self.make_site("other", "elsewhere")
        Logger().logger.info("uni")
        setSite(other)
        Logger().logger.info("other")
        self.assertEqual(self.messages(), ["uni"])
        self.assertEqual(self.messages(folder="elsewhere"), ["other"])

    def test_sites_with_the_same_name_do_not_mix(self) -> None:
        logger = Logger().logger
        setSite(self.make_site("uni", "elsewhere"))
        logger.info("other database")
        self.assertEqual(self.messages(), [])
        self.assertEqual(self.messages(folder="elsewhere"), ["other database"])

    def test_1_9_calls_leave_one_working_handler(self) -> None:
        component = Students()
        component.logger_logfile_changed()
        component.logger.info("a")
        component.logger_shutdown()
        self.assertEqual(logging.getLogger("waeup.kofa.uni.students").handlers, [])
        component.logger.info("b")
        self.assertEqual(self.messages("students.log"), ["a", "b"])

    def test_storage_that_is_gone_stops_nothing_and_is_told(self) -> None:
        os.rmdir(self.folder / "storage")
        with self.assertLogs("waeup.kofa", "ERROR") as told:
            Logger().logger.info("lost")
        self.assertRegex(told.output[0], "Cannot write to the log file .*main.log: No such file")


class WithoutSiteTests(SiteTests):
    """Who logs before there is a site, or outside of one, gets no error."""

    def assert_quiet(self, name: str) -> None:
        component = Students()
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            component.logger.info("x")
        self.assertEqual(component.logger.handlers, [])
        self.assertEqual(component.logger.name, name)
        self.assertIsNone(component.logger_get_logdir())
        self.assertIsNone(component.logger_get_logfile_path())
        self.assertIsNone(component.logger_setup(component.logger))
        self.assertEqual(stderr.getvalue(), "")

    def test_no_site(self) -> None:
        setSite()
        self.assert_quiet("waeup.kofa.students")

    def test_site_without_name(self) -> None:
        setSite(Site(None, None))
        self.assert_quiet("waeup.kofa.students")

    def test_site_without_data_center(self) -> None:
        setSite(Site("uni", None))
        self.assert_quiet("waeup.kofa.uni.students")

    def test_unnamed_site_with_data_center_writes_no_file(self) -> None:
        setSite(self.make_site(None))
        Logger().logger.info("x")
        self.assertEqual(self.content(), "")

    def test_record_outside_of_the_site_goes_to_the_console(self) -> None:
        logger = Logger().logger
        setSite()
        with self.assertLogs("waeup.kofa", "INFO") as told:
            logger.info("x")
        self.assertEqual(told.output, ["INFO:waeup.kofa.uni:x"])
        self.assertEqual(self.content(), "")


class Unspeakable:
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


PLACEHOLDERS = ("%s", "%d", "%r", "%5.1f", "%%", "%", "%(a)s", "%(b)d", "%c", "\n", " - ")
TEXTS = st.text(st.characters())
MESSAGES = (
    st.lists(st.one_of(st.sampled_from(PLACEHOLDERS), TEXTS), max_size=4).map("".join)
    | st.integers()
    | st.dictionaries(TEXTS, TEXTS, max_size=1)
    | st.none()
    | st.builds(Unspeakable)
)
FORMS = st.lists(
    st.sampled_from(("%(user)s", "%(asctime)s", "%(levelname)s", "%(user).3s", "%(message)s"))
    | st.sampled_from(("%%", "%", "%s", "%a", " - ", "{}", "$x"))
    | TEXTS
).map("".join)
VALUES = (
    TEXTS
    | st.integers()
    | st.floats()
    | st.none()
    | st.binary()
    | st.tuples(TEXTS, TEXTS)
    | st.dictionaries(st.sampled_from("ab"), st.integers() | TEXTS)
    | st.dictionaries(st.sampled_from("ab"), st.integers()).map(UserDict)
    | st.builds(Unspeakable)
)


class Seeing(logging.Handler):
    """A handler of others."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


class ShortWayTests(SiteTests):
    """A plain line goes a short way, which writes what `logging` would have written."""

    def setUp(self) -> None:
        super().setUp()
        self.logger = Logger().logger

    @contextlib.contextmanager
    def at(self, moment: float) -> Iterator[None]:
        """Stop the clock."""
        with (
            mock.patch("time.time", return_value=moment),
            mock.patch("time.time_ns", return_value=int(moment * 10**9)),
        ):
            yield

    def ordinary(self, *args: Any) -> None:
        """Log as `logging` does without us."""
        logging.Logger.info(self.logger, *args)

    def outcome(self, log: Callable[..., None], *args: Any) -> tuple[str, str]:
        """Return what is written, and what is told on stderr behind the traceback."""
        (self.folder / "storage" / "logs" / "main.log").unlink(missing_ok=True)
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            log(*args)
        told = stderr.getvalue()
        return self.content(), told[told.find("Message: ") :] if told else ""

    def assert_same(self, *args: Any, moment: float = NOON) -> None:
        with self.at(moment):
            expected = self.outcome(self.ordinary, *args)
            self.assertEqual(self.outcome(self.logger.info, *args), expected)

    def is_short(self, *args: Any, **kwargs: Any) -> bool:
        """Log a line; tell whether no record was needed."""
        handler = self.logger.handlers[0]
        with mock.patch.object(handler, "emit", wraps=handler.emit) as emit:
            self.logger.info(*args, **kwargs)
        return not emit.called

    # -- the same lines --------------------------------------------------------

    def test_plain_line_needs_no_record(self) -> None:
        self.assertTrue(self.is_short("%s - %s", "a", 1))
        self.assertEqual(self.messages(), ["a - 1"])

    @given(MESSAGES, st.lists(VALUES, max_size=3))
    def test_any_message(self, message: Any, args: list[Any]) -> None:
        self.assert_same(message, *args)

    @given(TEXTS)
    def test_any_user(self, userid: str) -> None:
        endInteraction()
        newInteraction(Participation(Principal(userid)))
        self.assert_same("%s", "x")

    @given(st.lists(st.integers(-3_000, 3_000), min_size=2, max_size=8))
    def test_any_order_of_moments(self, steps: list[int]) -> None:
        # Microseconds, around the ends of milliseconds and of a second.
        for step in steps:
            self.assert_same("x", moment=NOON + 0.5 + step / 1_000_000)

    @given(FORMS, FORMS)
    def test_any_form(self, before: str, after: str) -> None:
        class Formed(Logger):
            logger_format_str = f"{before}%(message)s{after}"

        try:
            self.logger = Formed().logger
        except ValueError:
            return  # no form for `logging` either
        with contextlib.redirect_stderr(io.StringIO()):
            short = self.is_short("x")
        if short:
            self.assert_same("x %s", "%(user)s")

    def test_some_forms_need_a_record(self) -> None:
        for form, short in (
            ("100 %% %(message)s", True),
            ("%(user)s/%(asctime)s/%(levelname)s: %(message)s (%(user)s)", True),
            ("%(lineno)d %(message)s", False),
            ("%(message)5s", False),
            ("%(message)s %(message)s", False),
            ("%a %(message)s", False),
        ):

            class Formed(Logger):
                logger_format_str = form

            self.logger = Formed().logger
            self.assertEqual(self.is_short("x"), short, form)

    def test_message_whose_text_changes_is_made_once(self) -> None:
        texts = iter("ab")

        class Changing:
            def __str__(self) -> str:
                return next(texts)

        self.logger.info(Changing())
        self.assertEqual(self.messages(), ["a"])

    def test_text_of_a_message_is_its_text_however_it_is_formatted(self) -> None:
        class Text(str):
            __slots__ = ()

            def __format__(self, form: str) -> str:
                return "formatted"

        class Message:
            def __str__(self) -> str:
                return Text("told")

        self.assert_same(Message())
        self.assertEqual(self.messages(), ["told"])

    def test_message_that_logs_itself(self) -> None:
        logger = self.logger

        class Talking:
            def __str__(self) -> str:
                logger.info("inner")
                return "outer"

        self.logger.info("%s", Talking())
        self.assertEqual(self.messages(), ["inner", "outer"])

    # -- what changes between two lines ----------------------------------------

    def test_user_changes(self) -> None:
        participation = Participation(Principal("a"))
        newInteraction(participation)
        with self.at(NOON):
            self.logger.info("x")
            participation.principal = Principal("b")
            self.logger.info("x")
            endInteraction()
            self.logger.info("x")
        users = [line.split(" - ")[2] for line in self.content().splitlines()]
        self.assertEqual(users, ["a", "b", "system"])

    def test_run_changes(self) -> None:
        with self.at(NOON), in_run("1"):
            self.logger.info("x")
            with in_run("2"):
                self.logger.info("x")
            with in_run(""):
                self.logger.info("x")
        self.assertEqual(self.messages(), ["x - run=1", "x - run=2", "x"])

    def test_storage_and_site_change(self) -> None:
        other = self.make_site("uni", "elsewhere")
        (self.folder / "new").mkdir()
        for folder in ("storage", "new", "storage"):
            self.site["datacenter"].storage = str(self.folder / folder)
            setSite(self.site)
            self.assertTrue(self.is_short(folder))
            setSite(other)
            self.assertTrue(self.is_short("other"))
        self.assertEqual(self.messages(), ["storage", "storage"])
        self.assertEqual(self.messages(folder="new"), ["new"])
        self.assertEqual(self.messages(folder="elsewhere"), ["other"] * 3)

    def test_zone_changes(self) -> None:
        def set_zone(zone: str) -> None:
            with mock.patch.dict(os.environ, TZ=zone):
                time.tzset()

        self.addCleanup(time.tzset)
        for zone in ("ZON+1", "ZON+2", "UTC"):  # the first two have the same names
            set_zone(zone)
            self.assert_same("x")

    def test_form_of_times_changes(self) -> None:
        formatter = self.logger.handlers[0].formatter
        assert formatter is not None
        self.assert_same("x")
        for owner, name, value in (
            (logging.Formatter, "converter", time.gmtime),
            (logging.Formatter, "converter", lambda _self, _moment: time.gmtime(0)),
            (logging.Formatter, "default_msec_format", "%s.%03d"),
            (logging.Formatter, "default_msec_format", None),
            (logging.Formatter, "default_time_format", "%H"),
            (formatter, "converter", lambda _moment: time.gmtime(0)),
            (formatter, "datefmt", "%d.%m.%Y"),
        ):
            with mock.patch.object(owner, name, value):
                self.assert_same("x")
            self.assert_same("x")

    def test_name_of_the_level_changes(self) -> None:
        self.assert_same("x")
        self.addCleanup(logging.addLevelName, logging.INFO, "INFO")
        logging.addLevelName(logging.INFO, "NOTE")
        self.assert_same("x")
        self.assertIn(" - NOTE - ", self.content())

    def test_levels_are_respected(self) -> None:
        self.addCleanup(logging.disable, logging.NOTSET)
        logging.disable(logging.INFO)
        self.logger.info("disabled for all")
        logging.disable(logging.NOTSET)
        self.logger.setLevel(logging.WARNING)
        self.logger.info("below the level of the logger")
        self.logger.setLevel(logging.INFO)
        self.logger.handlers[0].setLevel(logging.WARNING)
        self.logger.info("below the level of the handler")
        self.logger.handlers[0].setLevel(logging.INFO)
        self.logger.disabled = True
        self.logger.info("disabled")
        self.logger.disabled = False
        self.logger.info("written")
        self.assertEqual(self.messages(), ["written"])

    def test_threads_keep_their_users_sites_and_runs(self) -> None:
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)

        def log(name: str) -> None:
            setSite(self.make_site("uni", name))
            newInteraction(Participation(Principal(name)))
            with in_run(name):
                for _ in range(300):
                    self.logger.info("by %s", name)

        names = ["a", "b", "c", "d"]
        joined(*(begun(log, name) for name in names))
        for name in names:
            lines = self.content(folder=name).splitlines()
            expected = [f"INFO - {name} - by {name} - run={name}"] * 300
            self.assertEqual([line.split(" - ", 1)[1] for line in lines], expected)

    # -- what asks for more ------------------------------------------------------

    def test_what_asks_for_more_goes_the_ordinary_way(self) -> None:
        self.assertFalse(self.is_short("x", extra={"user": "worker"}))
        self.assertFalse(self.is_short("x", exc_info=ValueError("y")))
        self.assertFalse(self.is_short("x", stack_info=True))
        lines = self.content().splitlines()
        self.assertIn(" - worker - x", lines[0])
        self.assertRegex(lines[1], r" - x\\n(Traceback .*\\n)?ValueError: y")
        self.assertIn(r"x\nStack (most recent call last):", lines[2])

    def test_record_tells_who_called(self) -> None:
        class Detailed(Logger):
            logger_format_str = "%(funcName)s %(message)s"

        def called_by_another(logger: logging.Logger) -> None:
            logger.info("deeper", stacklevel=2)

        logger = Detailed().logger
        logger.info("x")
        called_by_another(logger)
        name = "test_record_tells_who_called"
        self.assertEqual(self.content(), f"{name} x\n{name} deeper\n")

    def test_filters_see_records(self) -> None:
        for owner in (self.logger, self.logger.handlers[0]):
            owner.addFilter(lambda record: record.getMessage() != "secret")
            self.logger.info("secret")
            self.logger.info("open")
            owner.filters.clear()
        self.assertEqual(self.messages(), ["open", "open"])

    def test_other_handlers_see_records(self) -> None:
        handler = Seeing()
        self.logger.addHandler(handler)
        self.logger.info("a")
        self.logger.removeHandler(handler)
        self.logger.info("b")
        above = logging.getLogger("waeup.kofa")
        above.addHandler(handler)
        self.addCleanup(above.removeHandler, handler)
        self.logger.propagate = True
        self.logger.info("c")
        with self.assertLogs(self.logger) as told:
            self.logger.info("d")
        self.assertEqual(handler.seen, ["a", "c"])
        self.assertEqual(told.output, ["INFO:waeup.kofa.uni:d"])
        self.assertEqual(self.messages(), ["a", "b", "c"])

    def test_another_formatter_is_asked(self) -> None:
        self.logger.handlers[0].setFormatter(logging.Formatter("<%(message)s>"))
        self.logger.info("x")
        self.assertEqual(self.content(), "<x>\n")

    def test_records_of_another_factory_are_written(self) -> None:
        def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = logging.LogRecord(*args, **kwargs)
            record.user = "factory"
            return record

        self.addCleanup(logging.setLogRecordFactory, logging.getLogRecordFactory())
        logging.setLogRecordFactory(make)
        self.logger.info("x")
        self.assertIn(" - factory - x", self.content())

    def test_programs_that_put_their_own_into_logging_see_lines(self) -> None:
        for owner, name in (
            (logging.Logger, "info"),
            (logging.Logger, "_log"),
            (logging.Logger, "makeRecord"),
            (logging.Logger, "handle"),
            (logging.Logger, "callHandlers"),
            (logging.LogRecord, "getMessage"),
            (logging.Formatter, "format"),
            (logging.Formatter, "formatTime"),
        ):
            ordinary = getattr(owner, name)
            with (
                self.subTest(name=name),
                mock.patch.object(owner, name, autospec=True, side_effect=ordinary) as own,
            ):
                self.logger.info("%s", name)
                own.assert_called()
                self.assertEqual(self.messages()[-1], name)

    # -- loggers -------------------------------------------------------------------

    def test_logger_is_that_of_logging(self) -> None:
        name = "waeup.kofa.uni.students"
        before = logging.getLogger(name)
        self.assertIs(Students().logger, before)
        del logging.Logger.manager.loggerDict[name]
        after = Students().logger
        self.assertIs(after, logging.getLogger(name))
        self.assertIsNot(after, before)

    def test_logger_of_another_class_keeps_its_ways(self) -> None:
        said: list[str] = []

        class Telling(logging.Logger):
            def info(self, msg: object, *args: object, **asked: Any) -> None:
                said.append(str(msg))
                super().info(msg, *args, **asked)

        logger = Telling("waeup.kofa.uni.telling")
        logging.Logger.manager.loggerDict[logger.name] = logger
        self.addCleanup(logging.Logger.manager.loggerDict.pop, logger.name)

        class Component(Logger):
            logger_name = "waeup.kofa.${sitename}.telling"

        self.assertIs(Component().logger, logger)
        Component().logger.info("x")
        self.assertEqual(said, ["x"])
        self.assertEqual(self.messages(), ["x"])

    def test_nothing_of_ours_stays_on_a_logger_that_is_shut_down(self) -> None:
        Logger().logger_shutdown()
        self.assertNotIn("info", vars(self.logger))
        self.assertTrue(Logger().logger is self.logger and self.is_short("x"))

    def test_without_site_the_ordinary_way_finds_the_console(self) -> None:
        setSite()
        with self.assertLogs("waeup.kofa", "INFO") as told:
            self.assertFalse(self.is_short("x"))
        self.assertEqual(told.output, ["INFO:waeup.kofa.uni:x"])


class FailingDataManager:
    """Votes no."""

    transaction_manager = None

    def tpc_vote(self, _transaction: Any) -> None:
        raise RuntimeError("no")

    def sortKey(self) -> str:
        return "failing"

    def nothing(self, _transaction: Any) -> None:
        pass

    abort = commit = tpc_begin = tpc_finish = tpc_abort = nothing


class DeferredTests(SiteTests):
    def setUp(self) -> None:
        super().setUp()
        self.manager = transaction.TransactionManager()
        self.logger = Logger().logger

    def test_lines_appear_in_order_when_the_transaction_commits(self) -> None:
        with deferred_lines(self.manager):
            self.logger.info("a")
            Students().logger.info("b")
            self.logger.info("c")
            self.assertEqual(self.messages(), [])
        self.assertEqual(self.messages(), [])
        self.manager.commit()
        self.assertEqual(self.messages(), ["a", "c"])
        self.assertEqual(self.messages("students.log"), ["b"])

    def test_lines_that_nobody_wants_do_not_wait(self) -> None:
        with deferred_lines(self.manager), dropped_lines():
            self.logger.info("a")
            self.logger.warning("b")
            with self.assertRaises(KeyError):
                self.manager.get().data(DeferredLines)
        self.manager.commit()
        self.logger.info("c")
        self.assertEqual(self.messages(), ["c"])

    def test_lines_that_nobody_wants_are_records_for_others(self) -> None:
        handler = Seeing()
        above = logging.getLogger("waeup.kofa")
        above.addHandler(handler)
        self.addCleanup(above.removeHandler, handler)
        self.logger.propagate = True
        with dropped_lines():
            self.logger.info("a")
            self.logger.warning("b")
        self.assertEqual(handler.seen, ["a", "b"])
        self.assertEqual(self.messages(), [])

    def test_one_transaction_can_be_named(self) -> None:
        with deferred_lines(self.manager.get()):
            self.logger.info("a")
        self.assertEqual(self.messages(), [])
        self.manager.commit()
        self.assertEqual(self.messages(), ["a"])

    def test_the_module_transaction_can_be_named(self) -> None:
        self.addCleanup(transaction.abort)
        with deferred_lines(transaction):
            self.logger.info("a")
        transaction.abort()
        self.assertEqual(self.messages(), [])

    def test_abort_drops_lines(self) -> None:
        with deferred_lines(self.manager):
            self.logger.info("a")
            self.manager.abort()
            self.logger.info("b")
            self.manager.commit()
        self.assertEqual(self.messages(), ["b"])

    def test_each_transaction_has_its_lines(self) -> None:
        with deferred_lines(self.manager):
            for message in ("a", "b"):
                self.logger.info(message)
                self.manager.commit()
                self.assertEqual(self.messages()[-1], message)
        self.assertEqual(self.messages(), ["a", "b"])

    def test_several_contexts_of_one_transaction_write_once_and_in_order(self) -> None:
        for message in ("a", "b"):
            with deferred_lines(self.manager):
                self.logger.info(message)
        self.assertEqual(len(self.manager.get()._resources), 1)
        self.manager.commit()
        self.assertEqual(self.messages(), ["a", "b"])

    def test_failed_commit_drops_lines(self) -> None:
        with deferred_lines(self.manager):
            self.logger.info("a")
            self.manager.get().join(FailingDataManager())
            with self.assertRaisesRegex(RuntimeError, "no"):
                self.manager.commit()
            self.logger.info("the commit failed")
            self.manager.abort()
        self.assertEqual(self.messages(), ["the commit failed"])

    def test_savepoint_takes_back_what_came_after_it(self) -> None:
        with deferred_lines(self.manager):
            self.logger.info("a")
            savepoint = self.manager.savepoint()
            self.logger.info("b")
            savepoint.rollback()
            self.logger.info("c")
            savepoint.rollback()
            self.logger.info("d")
            self.manager.commit()
        self.assertEqual(self.messages(), ["a", "d"])

    def test_savepoint_takes_back_lines_of_each_file(self) -> None:
        with deferred_lines(self.manager):
            self.logger.info("a")
            savepoint = self.manager.savepoint()
            Students().logger.info("b")
            self.logger.info("c")
            savepoint.rollback()
            self.manager.savepoint()
            self.logger.info("d")
            self.manager.commit()
        self.assertEqual(self.messages(), ["a", "d"])
        self.assertFalse((self.folder / "storage" / "logs" / "students.log").exists())

    def test_savepoint_older_than_the_first_line(self) -> None:
        with deferred_lines(self.manager):
            savepoint = self.manager.savepoint()
            self.logger.info("a")
            savepoint.rollback()
            self.logger.info("b")
            self.manager.commit()
        self.assertEqual(self.messages(), ["b"])

    def test_line_goes_where_the_storage_was_when_it_was_logged(self) -> None:
        (self.folder / "new").mkdir()
        with deferred_lines(self.manager):
            self.logger.info("a")
            self.site["datacenter"].storage = str(self.folder / "new")
            self.logger.info("b")
            self.manager.commit()
        self.assertEqual(self.messages(), ["a"])
        self.assertEqual(self.messages(folder="new"), ["b"])

    def test_commit_survives_a_log_that_cannot_be_written(self) -> None:
        with deferred_lines(self.manager):
            self.logger.info("a")
            self.logger.info("b")
        self.site["datacenter"].storage = "/nowhere"
        os.rmdir(self.folder / "storage")
        with self.assertLogs("waeup.kofa", "ERROR") as told:
            self.manager.commit()
        self.assertIn("2 line(s) are lost", told.output[0])

    def test_without_transaction_lines_are_written_at_once(self) -> None:
        manager = transaction.TransactionManager(explicit=True)
        with deferred_lines(manager):
            self.logger.info("a")
            self.assertEqual(self.messages(), ["a"])

    def test_lines_of_other_threads_and_of_the_time_after_do_not_wait(self) -> None:
        def log() -> None:
            setSite(self.site)
            self.logger.info("thread")

        with deferred_lines(self.manager):
            joined(begun(log))
            self.logger.info("deferred")
        self.logger.info("after")
        self.assertEqual(self.messages(), ["thread", "after"])


if __name__ == "__main__":
    unittest.main()
