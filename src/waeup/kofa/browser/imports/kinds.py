"""What can be imported: each kind of data with its columns, and the values that are allowed.

Addresses of Kofa 1.9 lead here.  ``#kind-column`` and ``#source`` are places on the pages, for
links from elsewhere (`DataCenterPage.kind_link`).
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import grok
from zope.interface import Interface

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.downloads import Skeleton
from waeup.kofa.browser.page import Crumb, Door
from waeup.kofa.browser.words import mode_title
from waeup.kofa.errors import NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IDataCenter, IUniversity
from waeup.kofa.operations.kinds import KindColumn, KindInfo, SourceInfo

#: Allowed values that are shown beside a column; the rest is on the page of sources.
SHOWN_VALUES = 4
#: Values of a source that are shown at once.
AT_ONCE = 20
#: Formats of templates, the usual one first, and what people call them.
TEMPLATES = (("csv", _("CSV")), ("tsv", _("TSV")), ("xlsx", _("Workbook")))


class FoundColumn(NamedTuple):
    """A column that was searched for, and its kind."""

    kind: KindInfo
    column: KindColumn


class KindsPage(DataCenterPage):
    """A page about kinds of data; ``q`` is searched for."""

    grok.baseclass()

    tab = "kinds"
    mode_title = staticmethod(mode_title)

    @property
    def asked(self) -> str:
        """What is searched for, as it was entered."""
        return self.field("q").strip()

    def fits(self, *texts: Any) -> bool:
        """Tell whether all words that are searched for are in some texts."""
        text = " ".join(self.words(each) for each in texts).casefold()
        return all(word in text for word in self.asked.casefold().split())

    def source_link(self, name: str) -> str:
        """Return the address of a source."""
        return f"{self.link('sources')}#{name}"


class Processors(KindsPage):
    """All kinds of data, or the one that is asked for (``name=``)."""

    grok.name("processors")
    grok.require("waeup.manageDataCenter")
    grok.template("processors")

    templates = TEMPLATES

    @property
    def label(self) -> Any:
        """What is shown."""
        if self.field("name"):
            return self.words(self.shown[0].title)
        return _("Kinds of data")

    @property
    def crumbs(self) -> list[Crumb]:
        """See `Page`; a single kind is one of all."""
        if self.field("name"):
            return [*super().crumbs, Crumb(_("Kinds of data"), self.link("processors"))]
        return super().crumbs

    def update(self) -> None:
        """Gather the kinds; raises `NoSuchItem` for one that there is not."""
        kinds, name = self.operations.kinds(), self.field("name")
        self.shown = [kind for kind in kinds if name in ("", kind.name)]
        if not self.shown:
            raise NoSuchItem(
                _(
                    "There is no processor ${name}. There are: ${names}.",
                    mapping={"name": repr(name), "names": ", ".join(k.name for k in kinds)},
                )
            )

    @cached_property
    def found(self) -> list[FoundColumn]:
        """The columns of all kinds that are searched for."""
        return [
            FoundColumn(kind, column)
            for kind in self.shown
            for column in kind.columns
            if self.fits(column.name, column.title, column.description)
        ]

    def template_link(self, kind: KindInfo, format: str) -> str:  # noqa: A002
        """Return the address of an empty table."""
        data = {"name": kind.name} if format == "csv" else {"name": kind.name, "format": format}
        address: str = self.url(self.site, "skeleton", data=data)
        return address

    def roles(self, kind: KindInfo) -> str:
        """Return the titles of the roles that may import a kind."""
        return ", ".join(map(self.words, kind.roles))

    def modes(self, names: tuple[str, ...]) -> str:
        """Return what people call some modes."""
        return ", ".join(self.words(mode_title(name)) for name in names)

    def required_text(self, kind: KindInfo, column: KindColumn) -> str:
        """Say for what a column is required."""
        if not column.required and column.is_computed:
            return self.words(_("no: it is computed where it is empty"))
        if not column.required:
            return self.words(_("no"))
        if column.required == kind.modes:
            return self.words(_("yes"))
        return self.words(_("for ${modes}", mapping={"modes": self.modes(column.required)}))

    def values_text(self, column: KindColumn) -> str:
        """Return the first allowed values of a column."""
        tokens = [token or '""' for token, _title in column.choices[:SHOWN_VALUES]]
        more = len(column.choices) - len(tokens)
        text = ", ".join(tokens)
        if not more:
            return text
        mapping = {"values": text, "n": self.number(more)}
        return self.words(_("${values} and ${n} more", mapping=mapping))


class Sources(KindsPage):
    """The values that are allowed in columns: each source once."""

    grok.name("sources")
    grok.require("waeup.manageDataCenter")
    grok.template("sources")

    label = _("Allowed values")
    at_once = AT_ONCE

    @property
    def crumbs(self) -> list[Crumb]:
        """See `Page`; the kinds are on the way."""
        return [*super().crumbs, Crumb(_("Kinds of data"), self.link("processors"))]

    def update(self) -> None:
        """Gather the sources."""
        self.all_sources = self.operations.sources()
        self.titles = {kind.name: kind.title for kind in self.operations.kinds()}

    @cached_property
    def shown(self) -> list[tuple[SourceInfo, list[tuple[str, str]]]]:
        """The sources that are searched for, each with those of its values that are."""
        return list(self._shown())

    def _shown(self) -> Iterator[tuple[SourceInfo, list[tuple[str, str]]]]:
        for source in self.all_sources:
            columns = [column for _kind, column in source.used_by]
            if self.fits(source.title, *columns):
                yield source, list(source.values)
                continue
            values = [pair for pair in source.values if self.fits(*pair)]
            if values:
                yield source, values

    def kind_title(self, name: str) -> str:
        """Return what people call a kind."""
        return self.titles.get(name, name)


class Template(Skeleton):
    """The empty table of a kind, at the data center."""

    grok.context(IDataCenter)
    grok.name("skeleton")
    grok.require("waeup.manageDataCenter")


class _Elsewhere(Door):
    """An address of before; what it asks for goes with it."""

    grok.baseclass()
    view = "processors"

    def render(self) -> None:
        """Lead to where it is told now."""
        data = {"name": self.field("name")} if self.field("name") else {}
        self.redirect(self.url(self.site["datacenter"], self.view, data=data))


class OldProcessors(_Elsewhere):
    """The page of Kofa 1.9 at the portal."""

    grok.context(IUniversity)
    grok.name("processors")
    grok.require("waeup.manageDataCenter")


class OldSources(_Elsewhere):
    """The page of Kofa 1.9 at the portal."""

    grok.context(IUniversity)
    grok.name("sources")
    grok.require("waeup.manageDataCenter")
    view = "sources"


class ProcessorsOverview(_Elsewhere):
    """What was shown in a window of its own in Kofa 1.9."""

    grok.context(Interface)
    grok.name("processorsoverview")
    grok.require("waeup.manageDataCenter")


class SourcesOverview(_Elsewhere):
    """What was shown in a window of its own in Kofa 1.9."""

    grok.context(Interface)
    grok.name("sourcesoverview")
    grok.require("waeup.manageDataCenter")
    view = "sources"
