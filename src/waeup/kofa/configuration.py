"""What the people of a portal have set: name, limits, retention, mail, maintenance.

A `Configuration` is the site's own `IDataCenterConfig`: whoever asks for a figure gets what was
set here, else what the process says.  So the rooms below need not know who has set it.  Where
the process gives a limit for the good of the machine, the portal can only set a lower one.
The dotted name of the class is a database format.
"""

from collections.abc import (
    Iterator,
    Mapping,  # noqa: F401  (in a type comment)
)
from datetime import (
    datetime,  # noqa: F401  (in a type comment)
    tzinfo,
)
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import grok
from zope import schema
from zope.component import getGlobalSiteManager, queryUtility
from zope.interface import Interface, implementer
from zope.schema.interfaces import IVocabularyTokenized
from zope.schema.vocabulary import SimpleVocabulary

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tabular import Limits
from waeup.kofa.tokens import MAX_DAYS as MAX_TOKEN_DAYS
from waeup.kofa.usual import MOST_DAYS

MEGABYTE = 1024 * 1024


@implementer(IVocabularyTokenized)
class TimeZones:
    """The names of the IANA data base; its files are read when somebody asks for the first one."""

    @cached_property
    def _terms(self) -> Any:
        return SimpleVocabulary.fromValues(sorted(available_timezones()))

    def __contains__(self, value: object) -> bool:
        return value in self._terms

    def __iter__(self) -> Iterator[Any]:
        return iter(self._terms)

    def __len__(self) -> int:
        return len(self._terms)

    def getTerm(self, value: object) -> Any:
        """See `IVocabularyTokenized`."""
        return self._terms.getTerm(value)

    def getTermByToken(self, token: str) -> Any:
        """See `IVocabularyTokenized`."""
        return self._terms.getTermByToken(token)


class IPortalSettings(Interface):
    """What the portal is called, and where it is."""

    title = schema.TextLine(
        title=_("Name of the portal"),
        description=_("Stands in the head of each page."),
        max_length=80,
    )
    acronym = schema.TextLine(
        title=_("Acronym"),
        description=_("Begins the names of files that people fetch, and the subjects of mail."),
        max_length=40,
    )
    time_zone = schema.Choice(
        title=_("Time zone"),
        description=_("Times on pages are in it. Without one, the server's own is used."),
        vocabulary=TimeZones(),
        required=False,
    )


class ILimitSettings(Interface):
    """How much is accepted; without a number here, what the start of the server says."""

    upload_megabytes = schema.Int(
        title=_("Largest upload in megabytes"), min=1, max=1024 * 1024, required=False
    )
    rows = schema.Int(title=_("Rows of a table at most"), min=1, required=False)
    columns = schema.Int(title=_("Columns of a table at most"), min=1, required=False)
    remove_percent = schema.Float(
        title=_("Objects that may be removed without a question, in percent"),
        description=_(
            "An import that removes a larger share of all objects of a kind asks for the number."
        ),
        min=0.0,
        max=100.0,
        required=False,
    )
    change_percent = schema.Float(
        title=_("Objects that may be changed without a question, in percent"),
        description=_(
            "An import that changes a larger share of all objects of a kind asks for the number."
        ),
        min=0.0,
        max=100.0,
        required=False,
    )
    token_days = schema.Int(
        title=_("Days for which a token of a program is valid at most"),
        description=_("Of those that are made from now on."),
        min=1,
        max=MAX_TOKEN_DAYS,
        required=False,
    )


class IRetentionSettings(Interface):
    """How long things are kept; files for which no days are set are kept for good."""

    finished_days = schema.Int(
        title=_("Days for which finished files are kept"),
        description=_("Counted from their last change. Empty: for good."),
        min=1,
        max=MOST_DAYS,
        required=False,
    )
    unfinished_days = schema.Int(
        title=_("Days for which the originals of unfinished files are kept"),
        description=_("Counted from their last change. Empty: for good."),
        min=1,
        max=MOST_DAYS,
        required=False,
    )
    deleted_days = schema.Int(
        title=_("Days for which deleted files are kept"),
        description=_("Counted from their deletion. Empty: for good."),
        min=1,
        max=MOST_DAYS,
        required=False,
    )
    undo_days = schema.Int(
        title=_("Days for which an import can be taken back"),
        description=_("Empty: as the start of the server says."),
        min=0,
        max=MOST_DAYS,
        required=False,
    )
    run_days = schema.Int(
        title=_("Days for which runs are listed"),
        description=_("Counted from their end. Empty: a year."),
        min=1,
        max=MOST_DAYS,
        required=False,
    )
    export_hours = schema.Float(
        title=_("Hours for which the result of an export is kept"),
        description=_("Empty: as the start of the server says."),
        min=0.0,
        max=24.0 * MOST_DAYS,
        required=False,
    )


class IMailSettings(Interface):
    """Who is told of what; it takes a mail server, which the start of the server names."""

    mail_from = schema.ASCIILine(
        title=_("Sender of messages"),
        description=_("An e-mail address. Empty: as the start of the server says."),
        max_length=254,
        required=False,
    )
    tell_uploads = schema.Bool(
        title=_("Tell import managers of uploads"), default=False, required=False
    )
    tell_ends = schema.Bool(
        title=_("Tell import managers of the end of imports"), default=True, required=False
    )


class IMaintenance(Interface):
    """Whether the portal is closed for all but who has closed it."""

    maintmode_enabled_by = schema.TextLine(
        title=_("User who has enabled maintenance mode"), required=False
    )
    maintenance_text = schema.Text(
        title=_("What people are told meanwhile"), max_length=2000, required=False
    )
    maintenance_since = schema.Datetime(title=_("Since"), required=False)


#: The sections that people change, each a form of its own.
SECTIONS = {
    "portal": IPortalSettings,
    "limits": ILimitSettings,
    "retention": IRetentionSettings,
    "mail": IMailSettings,
}


class IConfiguration(
    IPortalSettings, ILimitSettings, IRetentionSettings, IMailSettings, IMaintenance
):
    """The settings of a portal, at its ``configuration``."""


@implementer(IConfiguration, IDataCenterConfig)
class Configuration(grok.Model):
    """See `IConfiguration`; as a mapping it is an `IDataCenterConfig` of the site."""

    # Types are comments: zope.annotation would take what the class has for annotations of objects.
    title = "WAeUP.Kofa"
    acronym = "WAeUP.Kofa"
    time_zone = None  # type: str | None
    upload_megabytes = None  # type: int | None
    rows = None  # type: int | None
    columns = None  # type: int | None
    remove_percent = None  # type: float | None
    change_percent = None  # type: float | None
    token_days = None  # type: int | None
    finished_days = None  # type: int | None
    unfinished_days = None  # type: int | None
    deleted_days = None  # type: int | None
    undo_days = None  # type: int | None
    run_days = None  # type: int | None
    export_hours = None  # type: float | None
    mail_from = None  # type: str | None
    tell_uploads = False
    tell_ends = True
    maintmode_enabled_by = None  # type: str | None
    maintenance_text = None  # type: str | None
    maintenance_since = None  # type: datetime | None
    #: Who has changed a section last, and when: section -> (user, time in UTC).  This mapping
    #: and the next one are replaced as a whole.
    changed = {}  # type: Mapping[str, tuple[str, datetime]]
    #: Texts of messages: (name of the message, language) -> (subject, text).
    letters = {}  # type: Mapping[tuple[str, str], tuple[str, str]]

    def get(self, name: str, default: Any = None) -> Any:
        """Return what is set, else what the process says, else `default`."""
        process = getGlobalSiteManager().queryUtility(IDataCenterConfig, default={})
        said = process.get(name, default)
        compute = _COMPUTED.get(name)
        if compute is not None:
            return compute(self, said)
        own = getattr(self, name, None) if name in _PLAIN else None
        return said if own is None else own

    def __getitem__(self, name: str) -> Any:
        """Return the same; raises KeyError."""
        missing = object()
        found = self.get(name, missing)
        if found is missing:
            raise KeyError(name)
        return found


#: Names of `IDataCenterConfig` that are attributes here.
_PLAIN = frozenset(
    (
        "time_zone",
        "finished_days",
        "unfinished_days",
        "deleted_days",
        "undo_days",
        "run_days",
        "export_hours",
        "mail_from",
        "tell_uploads",
        "tell_ends",
    )
)


def _upload_limit(config: Configuration, said: Any) -> Any:
    own = config.upload_megabytes
    if own is None:
        return said
    return min(own * MEGABYTE, said) if isinstance(said, int) else own * MEGABYTE


def _limits(config: Configuration, said: Any) -> Any:
    if config.rows is None and config.columns is None:
        return said
    allowed = said if isinstance(said, Limits) else Limits()
    return allowed._replace(
        rows=min(config.rows or allowed.rows, allowed.rows),
        columns=min(config.columns or allowed.columns, allowed.columns),
    )


def _share(name: str) -> Any:
    def share(config: Configuration, said: Any) -> Any:
        percent = getattr(config, name)
        return said if percent is None else percent / 100

    return share


_COMPUTED = {
    "upload_limit": _upload_limit,
    "limits": _limits,
    "remove_share": _share("remove_percent"),
    "change_share": _share("change_percent"),
}


def configuration_of(site: Any) -> Configuration:
    """Return the settings of a portal; one of before has what was usual."""
    found: Configuration | None = site.get("configuration")
    return Configuration() if found is None else found


def zone_of_portal() -> tzinfo | None:
    """Return the time zone of the portal; None for that of the server."""
    name = queryUtility(IDataCenterConfig, default={}).get("time_zone")
    return ZoneInfo(name) if name else None


def ensure_configuration(site: Any) -> Configuration:
    """Return the settings of a portal to be changed; they are made if need be."""
    if "configuration" not in site:
        site["configuration"] = Configuration()
        site.getSiteManager().registerUtility(site["configuration"], IDataCenterConfig)
    found: Configuration = site["configuration"]
    return found
