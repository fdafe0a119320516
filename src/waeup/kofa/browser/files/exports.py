"""Exports: what there is and what was ordered, the form of an order, and fetching what it gave."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from functools import cached_property
from io import SEEK_END
from typing import Any, NamedTuple

import grok

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.downloads import disposition
from waeup.kofa.browser.page import Crumb, Door, FormPage
from waeup.kofa.browser.ranges import FilePart, Part, Unsatisfiable, part_of
from waeup.kofa.browser.runs.runparts import live_texts
from waeup.kofa.browser.tokens import TOKEN_FIELD
from waeup.kofa.browser.words import FORMAT_TITLES, PACKING_TITLES, state_title
from waeup.kofa.errors import NoSuchItem, Refused
from waeup.kofa.exporting import Wish
from waeup.kofa.exporting.filters import FROM, TO
from waeup.kofa.exporting.formats import Form
from waeup.kofa.exporting.keys import keys_of_text
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import DELETION_MARKER, IDataCenter
from waeup.kofa.operations import ExporterInfo, FilterInfo, RunInfo

#: Exports that the list shows.
LISTED = 100
#: So many filters, or columns, are folded away.
MANY = 20
#: Bytes of a file with keys: the other fields of the form need room, too.
KEYS_LIMIT = 900_000


class Asked(NamedTuple):
    """A filter as the form shows it.

    `text` is what was entered.  `type` is that of an input: a text that is no day stays to be
    seen.  A day that can be missing `has_none`: a box beside it, which may be checked.
    """

    info: FilterInfo
    text: str
    type: str
    has_none: bool
    is_none: bool


class Exports(DataCenterPage, FormPage):
    """What the person may export, and what was ordered, each with its next step."""

    grok.name("export")
    grok.require("waeup.exportData")

    label = _("Download portal data as CSV file or workbook")
    section = _("Exports")
    tab = "exports"
    limit = LISTED
    buttons = {"cancelrun": "cancel", "resume": "resume", "discard": "discard"}

    def live_texts(self, run: RunInfo) -> dict[str, str]:
        """Return what changes while a run is worked on."""
        return {name: self.words(text) for name, text in live_texts(run).items()}

    def prepare(self) -> None:
        """List both."""
        self.exporters = list(self.known_exporters.values())
        self.ordered = self.operations.exports(LISTED)

    def status_text(self, run: RunInfo) -> str:
        """Say how an export is; of one that is under way, what it is doing."""
        if run.is_active:
            return self.words(live_texts(run)["said"])
        if run.state == "finished" and run.size is None:
            return self.words(_("The file is not there any more. Order the export again."))
        return self.words(state_title(run))

    def cancel(self) -> None:
        """Let an export end."""
        self.operations.cancel(self.field("cancelrun"))
        self.redirect(self.link("export"))

    def resume(self) -> None:
        """Let an export go on; a second click finds that it does already."""
        if not self.operations.run(self.field("resume")).is_active:
            self.operations.resume(self.field("resume"))
        self.redirect(self.link("export"))

    def discard(self) -> None:
        """Forget an export and what it gave."""
        self.discard_export(self.field("discard"))


class ExportConfig(DataCenterPage, FormPage):
    """The order of an export (``exporter=``): which objects, and which kind of file.

    With ``again=`` it is filled with what that export was ordered with.
    """

    grok.name("exportconfig")
    grok.require("waeup.exportData")

    section = _("Exports")
    tab = "exports"
    buttons = {"start": "start"}
    none = DELETION_MARKER
    keys_limit = KEYS_LIMIT
    formats = FORMAT_TITLES
    packings = PACKING_TITLES
    #: Whether a file with keys was sent for nothing.
    has_lost_keys = False

    def update(self) -> None:
        """Find out what is to be exported; who has not chosen yet is led to the choice."""
        if self.field("exporter") or self.field("again"):
            super().update()
        else:
            self.redirect(self.link("export"))

    @cached_property
    def former(self) -> Wish | None:
        """What the export was ordered with whose choices fill the form, until that is sent.

        Raises `NoSuchItem`.
        """
        id = self.field("again")
        return self.operations.export_wish(id) if id and not self.is_sent else None

    @property
    def is_sent(self) -> bool:
        """Whether the fields of the form were sent."""
        return TOKEN_FIELD in self.request.form

    @cached_property
    def exporter(self) -> ExporterInfo:
        """What is to be exported; raises `NoSuchItem`."""
        name = self.field("exporter") if self.former is None else self.former.exporter
        found = self.known_exporters.get(name)
        if found is None:
            raise NoSuchItem(
                _(
                    "There is no exporter ${name} that you may use. Choose one from the page "
                    "with the exports, or ask the administrator of the portal for a role "
                    "that may.",
                    mapping={"name": repr(name)},
                )
            )
        return found

    @property
    def label(self) -> Any:
        """What is exported."""
        return _("Export: ${title}", mapping={"title": self.exporter.title})

    @property
    def crumbs(self) -> list[Crumb]:
        """See `Page`; the exports are on the way."""
        return [*super().crumbs, Crumb(_("Exports"), self.link("export"))]

    @property
    def address(self) -> str:
        """The address of the form; who reloads it sees the same exporter."""
        return self.link("exportconfig", exporter=self.exporter.name)

    def prepare(self) -> None:
        """Show the filters with what was entered, or ordered before."""
        if self.former is not None:
            self._tell_of(self.former)
        names = {info.name for info in self.exporter.filters}
        self.filters = [self._asked(info, names) for info in self.exporter.filters]
        is_any = any(asked.text or asked.is_none for asked in self.filters)
        self.is_open = is_any or len(self.filters) < MANY
        self.is_short = len(self.exporter.columns) < MANY
        self.format = self.entered("format") or "csv"
        self.packing = self.entered("packing")
        if self.has_lost_keys:
            self.say(_("Choose the file with keys again: a browser does not keep it."), "warning")

    def entered(self, name: str) -> str:
        """Return the text of a field of the form: as it was sent, else as it was ordered."""
        return self.field(name) if self.former is None else self._ordered.get(name, "")

    def is_on(self, name: str, default: bool) -> bool:
        """Tell whether a box is checked: as it was sent, else as it was ordered before."""
        if self.is_sent:
            return self.field(name) == "yes"
        return default if self.former is None else bool(getattr(self.former, name))

    def start(self) -> None:
        """Order the export."""
        try:
            run = self.operations.start_export(self._wish())
        except Refused:
            self.has_lost_keys = bool(self._keys_files)
            raise
        self.flash(_("Export ${id} is ordered.", mapping={"id": run.id}))
        self.redirect(self.link("export"))

    @cached_property
    def _ordered(self) -> dict[str, str]:
        """The texts of fields for what was ordered before, as far as they can hold it."""
        if self.former is None:
            return {}
        texts = {f"filter_{name}": text for name, text in self.former.filters}
        typed = "\r\n".join(self.former.keys or ())
        if len(typed.encode()) <= KEYS_LIMIT and keys_of_text(typed) == (self.former.keys or ()):
            texts["keys"] = typed
        return {**texts, "format": self.former.format, "packing": self.former.packing}

    def _tell_of(self, wish: Wish) -> None:
        """Say whose choices the form has, and which it cannot have."""
        mapping = {"id": self.field("again")}
        self.say(_("The choices are those of the export ${id}.", mapping=mapping))
        known = {info.name: info for info in self.exporter.filters}
        for name, text in wish.filters:
            info = known.get(name)
            if info is None or not _can_have(info, text):
                filter_text = self.labelled(info.title if info else name, text)
                self.say(
                    _(
                        "Not filled in: ${filter}. There is no such filter or value (any more), "
                        "and without it the export has more objects.",
                        mapping={"filter": filter_text},
                    ),
                    "warning",
                )
        if wish.keys is not None and "keys" not in self._ordered:
            self.say(
                _(
                    "Not filled in: the keys, ${n} of them. Choose the table that lists them; "
                    "without it the export has more objects.",
                    mapping={"n": self.number(len(wish.keys))},
                ),
                "warning",
            )
        if wish.secrets and not self.exporter.secrets:
            self.say(
                _("Not filled in: with passwords. Your account may not export them."), "warning"
            )

    def _wish(self) -> Wish:
        """Return what the form asks for; raises `Refused`."""
        return Wish(
            self.exporter.name,
            filters=tuple(self._wanted()),
            keys=self._keys(),
            format=self.field("format") or "csv",
            packing=self.field("packing"),
            mark=self.is_on("mark", False),
            safe=self.is_on("safe", True),
            secrets=self.is_on("secrets", False),
        )

    def _wanted(self) -> Iterator[tuple[str, str]]:
        """Generate names and texts of the filters that are filled."""
        for info in self.exporter.filters:
            text = self.field(f"filter_{info.name}").strip()
            if self.field(f"none_{info.name}"):
                if text:
                    raise Refused(
                        _(
                            "${title}: a day is chosen, and also that there is none. Choose one "
                            "of both.",
                            mapping={"title": info.title},
                        )
                    )
                text = self.none
            if text:
                yield info.name, text

    def _keys(self) -> tuple[str, ...] | None:
        """Return the keys that were typed or sent, or None when all objects are wanted."""
        typed, files = self.field("keys"), self._keys_files
        if self.field("keysfile"):
            # Without it all objects would be exported.
            raise Refused(_("The table with the keys did not arrive as a file. Choose it again."))
        if not files and not typed.strip():
            return None
        keys = dict.fromkeys(keys_of_text(typed))
        for file in files:
            name = file.filename
            keys.update(dict.fromkeys(self.operations.export_keys(self.exporter.name, name, file)))
        return tuple(keys)

    @property
    def _keys_files(self) -> list[Any]:
        """The files with keys; a browser sends one at most."""
        sent = self.request.form.get("keysfile", [])
        sent = sent if isinstance(sent, list | tuple) else [sent]
        return [file for file in sent if getattr(file, "filename", "")]

    def _asked(self, info: FilterInfo, names: set[str]) -> Asked:
        """Return how a filter is shown; `names` are those of all."""
        text = self.entered(f"filter_{info.name}")
        is_none = bool(self.field(f"none_{info.name}"))
        is_day = info.kind == "date"
        is_edge = any(
            info.name.endswith(end) and info.name.removesuffix(end) in names for end in (FROM, TO)
        )
        has_none = is_day and not is_edge
        if has_none and text == self.none:
            text, is_none = "", True
        is_input_of_day = is_day and (not text or _is_day(text))
        return Asked(info, text, "date" if is_input_of_day else "text", has_none, is_none)


class DownloadExport(Door):
    """Sends what an export (``id=``) gave, or the part of it that is asked for."""

    grok.context(IDataCenter)
    grok.name("download_export")
    grok.require("waeup.exportData")

    def render(self) -> Any:
        """Stream the file."""
        run = self.operations.run(self.field("id"))
        name, file = self.operations.open_export(run.id)
        size = file.seek(0, SEEK_END)
        # Nothing is written to a result that is there, so that these two say which one it is.
        etag = f'"{run.id}-{size}"'
        self.set_security_headers()
        headers = {"Accept-Ranges": "bytes", "Cache-Control": "no-store", "ETag": etag}
        try:
            part = part_of(
                size, self.request.getHeader("Range"), self.request.getHeader("If-Range"), etag
            )
        except Unsatisfiable:
            file.close()
            self._set({**headers, "Content-Range": f"bytes */{size}"}, status=416)
            self.response.setHeader("Content-Type", "text/plain; charset=utf-8")
            return f"The file has {size:,} bytes, and nothing behind them. Fetch it anew.\n"
        wish = run.wish or Wish(run.processor)
        headers["Content-Type"] = Form.of(wish.format, wish.packing).content_type
        headers["Content-Disposition"] = disposition(name)
        if part is None:
            part = Part(0, size)
            self._set(headers, status=200)
        else:
            self._set({**headers, "Content-Range": part.content_range(size)}, status=206)
        self.response.setHeader("Content-Length", str(part.length))
        return FilePart(file, part)

    def _set(self, headers: dict[str, str], status: int) -> None:
        self.response.setStatus(status)
        for name, value in headers.items():
            self.response.setHeader(name, value)


def _can_have(info: FilterInfo, text: str) -> bool:
    """Tell whether the form can show a text of a filter."""
    return info.kind != "choice" or text == DELETION_MARKER or text in dict(info.choices)


def _is_day(text: str) -> bool:
    """Tell whether an input for a day can show a text: one like 2026-01-31."""
    with suppress(ValueError):
        return date.fromisoformat(text).isoformat() == text
    return False
