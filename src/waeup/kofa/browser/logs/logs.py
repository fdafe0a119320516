"""Logs: the list of them, and the lines that fit what is looked for.

Lines are sent while they are found, a page at most and for some seconds at most; a link goes on
where that ended.  All that was entered is in the address.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from html import escape
from typing import Any, NamedTuple
from urllib.parse import urlencode

import grok
from zope.browserpage import ViewPageTemplateFile
from zope.i18n import translate

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.logs.loglines import LineWriter, linker
from waeup.kofa.browser.page import Crumb, status_of
from waeup.kofa.browser.streaming import StreamedPage
from waeup.kofa.configuration import zone_of_portal
from waeup.kofa.errors import InvalidExpression, KofaError, NotAllowed, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.journal import Expression, FoundLine, Look
from waeup.kofa.locales.catalogs import preferred_tag
from waeup.kofa.operations.logs import FindMentions

#: Lines of a page, and seconds of a search at most.
LINES, SECONDS = 200, 10
#: While so many searches are under way, others have so many seconds: pages need threads, too.
MANY_SEARCHES, FEW_SECONDS = 2, 2
#: So many lines, or those of so many seconds, are sent at once; the first ones come sooner.
BATCH, PATIENCE, FIRST_PATIENCE = 50, 0.25, 0.05

#: Fields of the form, in the order in which they stand in an address.
TEXT_FIELDS = (
    "query",
    "ignore_case",
    "officer",
    "contains",
    "level",
    "since",
    "since_time",
    "until",
    "until_time",
    "order",
)
#: Levels that can be asked for: the least of those that are wanted.
LEVELS = {
    "": _("all"),
    "WARNING": _("warnings and errors"),
    "ERROR": _("errors only"),
}
_NONE = _("No search results found.")
_ANY_CASE = _("Search without regard to capital letters")
_NO_MORE = _("No more lines were found.")
_ALL = _("These are all lines.")
_LATE = _("This search takes long. In ${n} seconds all lines as far as ${time} were read.")
_LATE_SOMEWHERE = _("This search takes long, and was stopped after ${n} seconds.")


class Searches:
    """Counts the searches that are under way in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a search while it is under way."""
        with self._lock:
            self._number += 1
        try:
            yield
        finally:
            with self._lock:
                self._number -= 1

    @property
    def seconds(self) -> int:
        """How long another search may take."""
        return FEW_SECONDS if self._number >= MANY_SEARCHES else SECONDS


searches = Searches()


class Day(NamedTuple):
    """A field for a day, and how it is shown: a text that is no day stays to be seen."""

    name: str
    label: Any
    time_label: Any
    day: str
    time: str
    type: str
    time_type: str


class Address(NamedTuple):
    """The address of a search, which can be used when the request is over."""

    base: str
    logname: str
    asked: dict[str, str]

    def of(self, **changes: str) -> str:
        """Return it with some fields changed; those without a text are left out."""
        kept = {name: text for name, text in {**self.asked, **changes}.items() if text}
        return f"{self.base}?{urlencode({'logname': self.logname, **kept})}"

    def of_officer(self, user: str) -> str:
        """Return that of the same search for the lines of one user."""
        return self.of(officer=user)


class LogSearch(DataCenterPage):
    """A page with the form that searches logs."""

    grok.baseclass()

    tab = "logs"
    section = _("Logs")
    levels = LEVELS
    #: Where the message about the expression is, for the form.
    expression_error = ""
    show_form = ViewPageTemplateFile("logform.pt")

    def look_up_logs(self) -> None:
        """Get the logs that there are."""
        self.logs = self.operations.logs()

    @property
    def ignores_case(self) -> bool:
        """Whether capital letters do not matter."""
        return bool(self.field("ignore_case"))

    @property
    def has_conditions(self) -> bool:
        """Whether something is asked for by what is folded away otherwise."""
        return any(
            self.field(name)
            for name in ("officer", "contains", "level", "since", "until", "ignore_case")
        )

    @property
    def days(self) -> list[Day]:
        """The fields for the first and for the last time."""
        found = []
        for name, label, time_label in (
            ("since", _("From"), _("From, time of day")),
            ("until", _("Up to"), _("Up to, time of day")),
        ):
            day, moment = self.field(name).strip(), self.field(f"{name}_time").strip()
            is_day = not day or (len(day) == 10 and day.replace("-", "").isdecimal())
            is_time = not moment or (len(moment) in (5, 8) and moment.replace(":", "").isdecimal())
            types = "date" if is_day else "text", "time" if is_time else "text"
            found.append(Day(name, label, time_label, day, moment, *types))
        return found

    @property
    def address(self) -> "Address":
        """The address of this search."""
        asked = {name: self.field(name) for name in TEXT_FIELDS}
        return Address(self.url(self.context, "show"), self.field("logname"), asked)

    def filter_link(self, **changes: str) -> str:
        """Return the address of this search with some fields changed; '' leaves one out."""
        return self.address.of(**changes)


class Logs(LogSearch):
    """The logs, and the form to search one or all of them."""

    grok.name("logs")
    grok.require("waeup.manageDataCenter")

    label = _("Show logfiles")

    def update(self) -> None:
        """List the logs."""
        self.look_up_logs()


class Show(LogSearch, StreamedPage):
    """The lines of a log (``logname=``, empty for all) that fit what is looked for."""

    grok.name("show")
    grok.require("waeup.manageDataCenter")

    look: Look | None = None
    seconds = 0

    @property
    def label(self) -> Any:
        """What is searched."""
        name = self.field("logname")
        return _("Logfile ${name}", mapping={"name": name}) if name else _("All logs")

    @property
    def crumbs(self) -> list[Crumb]:
        """See `Page`; the list of logs is on the way."""
        return [*super().crumbs, Crumb(_("Logs"), self.link("logs"))]

    @property
    def is_newest_first(self) -> bool:
        """Whether the newest lines come first."""
        return self.field("order") != "oldest"

    @property
    def other_zone(self) -> str:
        """The time zone of the portal where the server has another one, else ''."""
        zone = zone_of_portal()
        now = datetime.now(timezone.utc)
        is_same = zone is None or now.astimezone(zone).utcoffset() == now.astimezone().utcoffset()
        return "" if is_same else str(zone)

    def update(self) -> None:
        """Begin to look; what cannot be looked for is said beside the form."""
        if "logname" not in self.request.form or "back" in self.request.form:
            self.redirect(self.link("logs"))
            return
        self.look_up_logs()
        self.seconds = searches.seconds
        names = [log.name for log in self.logs]
        # Without its log there is nothing to search; it may be one that is not shown.
        is_there = not self.field("logname") or self.field("logname") in names
        try:
            self.look = self.operations.look_through_logs(
                self.field("logname"),
                self.field("query"),
                ignore_case=self.ignores_case,
                officer=self.field("officer").strip(),
                contains=self.field("contains").strip(),
                level=self.field("level"),
                since=self._moment("since"),
                until=self._moment("until"),
                newest=self.is_newest_first,
                place=self.field("place"),
                limit=LINES,
                seconds=self.seconds,
            )
        except InvalidExpression as refusal:
            self.expression_error = self.words(refusal.explanation or refusal)
            self._tell(refusal, _("Invalid search expression."))
        except NotAllowed:
            raise
        except Refused as refusal:
            if not is_there:
                raise
            self._tell(refusal, refusal.message)

    def parts(self) -> Iterator[str] | None:
        """See `StreamedPage`; all that belongs to the request is looked up here."""
        if self.look is None:
            return None
        # Which language is known by then; the request tells it no more.
        say = partial(translate, target_language=preferred_tag(self.request))
        query = self.field("query")
        contains = self.field("contains").strip()
        writer = LineWriter(
            zone=zone_of_portal(),
            expression=Expression(query, ignore_case=self.ignores_case) if query else None,
            contains=contains,
            names_logs=not self.field("logname"),
            link=linker(self.url(self.context)),
            officer_link=self.address.of_officer,
            say=say,
        )
        sender = _Sender(
            look=self.look,
            writer=writer,
            find_mentions=self.operations.mentions_later(),
            say=say,
            address=self.address,
            seconds=self.seconds,
            is_first=not self.field("place"),
            is_newest_first=self.is_newest_first,
            may_be_case=not self.ignores_case and query.upper() != query.lower(),
        )
        return sender.parts()

    def _moment(self, name: str) -> str:
        """Return the day, and perhaps the time, that was entered."""
        return f"{self.field(name).strip()} {self.field(f'{name}_time').strip()}".strip()

    def _tell(self, refusal: Refused, text: Any) -> None:
        self.response.setStatus(status_of(refusal))
        self.say(text, "danger")


@dataclass(frozen=True)
class _Sender:
    """Sends the lines that a look finds; the request is over by then."""

    look: Look
    writer: LineWriter
    find_mentions: FindMentions
    say: Callable[[Any], str]
    address: Address
    seconds: int
    is_first: bool
    is_newest_first: bool
    #: Whether there could be lines with the same letters as capitals, or as small ones.
    may_be_case: bool

    def parts(self) -> Iterator[str]:
        """Generate the list of lines, and what follows it."""
        number = 0
        try:
            with searches.one_more():
                for batch in self._batches():
                    yield ("" if number else '<ol class="log-lines">\n') + self._lines(batch)
                    number += len(batch)
        except KofaError as error:
            # The page has begun: its status cannot change any more.
            yield self._closed(number) + self._alert(error.message)
        else:
            yield self._closed(number) + self._end(number)

    def _batches(self) -> Iterator[list[FoundLine]]:
        """Generate some lines at a time, so that nobody waits long for those that are found."""
        batch: list[FoundLine] = []
        sent, patience = time.monotonic(), FIRST_PATIENCE
        try:
            for line in self.look.steps():
                if line is not None:
                    batch.append(line)
                if batch and (len(batch) == BATCH or time.monotonic() - sent > patience):
                    yield batch
                    batch, sent, patience = [], time.monotonic(), PATIENCE
        except KofaError:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    def _lines(self, batch: list[FoundLine]) -> str:
        mentions = self.find_mentions([line.text for line in batch])
        return "".join(map(self.writer.html, batch, mentions))

    def _closed(self, number: int) -> str:
        return "</ol>\n" if number else ""

    def _end(self, number: int) -> str:
        """Say how the look ended, and where it goes on."""
        if self.look.is_late:
            moment = self.writer.time_text(self.look.reached)[:16]
            text = _(
                _LATE if moment else _LATE_SOMEWHERE, mapping={"n": self.seconds, "time": moment}
            )
            return self._alert(text, "warning") + self._way(_("Go on from there"))
        if self.look.is_full:
            return self._way(_("Older lines") if self.is_newest_first else _("Newer lines"))
        text = _ALL if number else _NONE if self.is_first else _NO_MORE
        said = f'<p class="{"note" if number else "empty"}">{escape(self.say(text))}</p>\n'
        if text is _NONE and self.may_be_case:
            said += self._button(self.address.of(ignore_case="yes", place=""), _ANY_CASE)
        return said if self.is_newest_first else said + self._way(_("Look for newer lines"))

    def _way(self, title: Any) -> str:
        """Return the link that goes on where the look has ended."""
        if not self.look.place:
            return ""
        return self._button(self.address.of(place=self.look.place), title, ' rel="next"')

    def _button(self, address: str, title: Any, more: str = "") -> str:
        link = f'<a class="button"{more} href="{escape(address)}">{escape(self.say(title))}</a>'
        return f'<p class="actions">{link}</p>\n'

    def _alert(self, text: Any, kind: str = "danger") -> str:
        return (
            f'<div class="alert alert-{kind}" role="alert"><p>{escape(self.say(text))}</p></div>\n'
        )
