"""Operations on logs: which there are, looking for lines, and what lines are about."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

from zope.authentication.interfaces import IAuthentication, PrincipalLookupError
from zope.component import getUtility
from zope.traversing.api import getPath

from waeup.kofa import journal
from waeup.kofa.configuration import zone_of_portal
from waeup.kofa.datacenter import PENDING_SUFFIXES
from waeup.kofa.errors import NoSuchItem, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.logger import RUN_MARK
from waeup.kofa.operations.acting import MANAGE, TOKEN_MARK
from waeup.kofa.operations.files import OPEN_FOLDERS
from waeup.kofa.operations.runs import RunOperations
from waeup.kofa.operations.values import LogInfo, LogPage, Mention

#: Names in one batch of lines that are looked for among the files.
MOST_NAMES = 500

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)

#: At the end of a line, where no cell of a table can stand, its run.
_RUN = re.compile(rf"(?:{RUN_MARK}|[:,] job_id=)(?P<id>[0-9a-f]{{16}})(?:{TOKEN_MARK}[0-9a-f]+)?$")
#: What stands between the parts of a line, one of which may be the name of a file.
_BETWEEN = re.compile(r": | - |, | of |/|$")

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?P<time>[ T]\d{2}:\d{2}(?P<seconds>:\d{2})?)?", re.ASCII)

#: Finds what lines are about; see `LogOperations.mentions`.
FindMentions = Callable[[Sequence[str]], list[tuple[Mention, ...]]]


class LogOperations(RunOperations):
    """See `waeup.kofa.operations.Operations`."""

    def logs(self) -> list[LogInfo]:
        """List the logs, sorted by name, each with its backups."""
        self._require(MANAGE)
        found = []
        for name, files in self._series().items():
            paths = [os.path.join(self._logs, file) for file in files]
            states = []
            for path in paths:
                with suppress(FileNotFoundError):
                    states.append(os.stat(path))
            if states:
                changed = max(state.st_mtime for state in states)
                size = sum(state.st_size for state in states)
                date = datetime.fromtimestamp(changed, timezone.utc).astimezone()
                found.append(LogInfo(name, size, date, len(states) - 1))
        return found

    def look_through_logs(
        self,
        name: str = "",
        expression: str = "",
        *,
        ignore_case: bool = False,
        officer: str = "",
        contains: str = "",
        level: str = "",
        since: str = "",
        until: str = "",
        newest: bool = True,
        place: str = "",
        limit: int = 0,
        seconds: float | None = None,
    ) -> journal.Look:
        """Look for lines of the log `name`, or of all logs, that fit all of what is given.

        `expression` is one in RE2's syntax, `officer` the user of the line, `contains` a text,
        such as the name of a file, that occurs as it is, `level` the least level.  `since` and
        `until` are days (``2026-01-31``), or times (``2026-01-31 10:00``), of the portal; both
        belong to what is looked for.  The rest is said by `waeup.kofa.journal.Look`, which needs
        no database any more.
        """
        self._require(MANAGE)
        wanted = journal.Wanted(
            expression,
            ignore_case,
            officer,
            contains,
            level,
            self._moment(since, is_end=False),
            self._moment(until, is_end=True),
        )
        names = [name] if name else list(self._series())
        if name and not journal.logfile_series(self._logs, name):
            raise NoSuchItem(
                _(
                    "There is no log ${name}. There are: ${names}.",
                    mapping={
                        "name": repr(name),
                        "names": ", ".join(self._series()) or _("none yet"),
                    },
                )
            )
        return journal.Look(
            self._logs,
            names,
            wanted,
            newest=newest,
            place=place,
            limit=limit,
            seconds=seconds,
        )

    def log_page(
        self,
        name: str = "",
        expression: str = "",
        *,
        limit: int = 200,
        seconds: float = 5,
        **options: Any,
    ) -> LogPage:
        """Return what `look_through_logs` finds, as one value; `options` are those of it."""
        look = self.look_through_logs(name, expression, limit=limit, seconds=seconds, **options)
        return LogPage(tuple(look), look.place, look.is_full or look.is_late)

    def mentions(self, lines: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Return for each line the run and the files that it is about, and the person may see."""
        self._require(MANAGE)
        runs = {found["id"] for line in lines if (found := _RUN.search(line))}
        known = self.known_runs(runs)
        files: dict[tuple[str, str], str | None] = {}
        return [self._mentions_of(line, known.keys(), files) for line in lines]

    def mentions_later(self) -> FindMentions:
        """Return what `mentions` does, for when the transaction of this call is over.

        Each call has a connection of its own; none must be under way in its thread.
        """
        self._require(MANAGE)
        database, path, user = self.site._p_jar.db(), getPath(self.site), self.principal.id
        grant = self.grant

        def find(lines: Sequence[str]) -> list[tuple[Mention, ...]]:
            nothing: list[tuple[Mention, ...]] = [() for _line in lines]
            if not any(_RUN.search(line) or any(_names_in(line)) for line in lines):
                return nothing
            try:
                with open_portal(database, path, user) as site:
                    principal = getUtility(IAuthentication).getPrincipal(user)
                    return type(self)(site, principal, grant).mentions(lines)
            except PrincipalLookupError:
                return nothing  # the account was removed in this moment

        return find

    # -- helpers ----------------------------------------------------------------------

    @property
    def _logs(self) -> str:
        return self.datacenter.folder("logs")

    def _series(self) -> dict[str, list[str]]:
        """Return the names of the logs that there are, and of their files."""
        names = {
            journal.log_of(name)
            for name in journal.log_names(self._logs, False)
            if not name.endswith(journal.PACKED)
        }
        return {name: journal.logfile_series(self._logs, name) for name in sorted(names)}

    def _moment(self, text: str, is_end: bool) -> str:
        """Return a time of the portal as that of the server; the end of it is beyond it."""
        text = text.strip()
        if not text:
            return ""
        found = _MOMENT.fullmatch(text)
        try:
            if found is None:
                raise ValueError
            moment = datetime.fromisoformat(text)
            if is_end:
                unit = (
                    "days" if not found["time"] else "seconds" if found["seconds"] else "minutes"
                )
                moment += timedelta(**{unit: 1})
            zone = zone_of_portal()
            moment = moment.replace(tzinfo=zone) if zone else moment
            return moment.astimezone().strftime(journal.TIME_FORMAT).zfill(19)
        except (ValueError, OverflowError):
            raise Refused(
                _(
                    "${text} is no time. Give a day such as 2026-01-31, or a day and a time such "
                    "as 2026-01-31 10:00.",
                    mapping={"text": repr(journal.escape_message(text[:40]))},
                )
            ) from None

    def _mentions_of(
        self, line: str, runs: AbstractSet[str], files: dict[tuple[str, str], str | None]
    ) -> tuple[Mention, ...]:
        found = []
        for start, end, before in _names_in(line):
            name = line[start:end]
            if (before, name) not in files:
                is_over = len(files) >= MOST_NAMES
                files[before, name] = None if is_over else self._place_of(name, before)
            place = files[before, name]
            if place is not None:
                found.append(Mention(start, end, "file", place))
        run = _RUN.search(line)
        if run is not None and run["id"] in runs:
            found.append(Mention(*run.span("id"), "run", run["id"]))
        return tuple(found)

    def _place_of(self, name: str, before: str) -> str | None:
        """Return folder and name of a file, or None when there is none for the person."""
        for folder in sorted(OPEN_FOLDERS, key=lambda folder: folder != before):
            with suppress(Refused, OSError):
                self._existing(name, folder)
                return os.path.join(folder, name)
        return None


def _names_in(line: str) -> Iterator[tuple[int, int, str]]:
    """Generate where names of files may stand in a line, with what stands before each."""
    start, before = 0, ""
    for between in _BETWEEN.finditer(line):
        part = line[start : between.start()]
        if part.endswith(PENDING_SUFFIXES):
            yield start, between.start(), before
        # Only a folder stands before the name in it.
        before = part if between[0] == "/" else ""
        start = between.end()
