"""What all pages of the data center have in common."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

import grok

from waeup.kofa.browser.page import Crumb, Page
from waeup.kofa.browser.paging import PAGES
from waeup.kofa.browser.words import FORMAT_TITLES, PACKING_TITLES, holding_text
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import NoSuchItem, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import DELETION_MARKER, IDataCenter
from waeup.kofa.operations import ExporterInfo, FormerImport, RunInfo, StoredFile
from waeup.kofa.spool.names import TEXT_EXTENSIONS
from waeup.kofa.transactional import refusable

#: Bytes of files whose lines are counted for a list: hundredths of a second.
COUNTED = 16 * 1024 * 1024
#: How many times as large the table in a workbook or a packed file may well be.
UNPACKED = 16


class Held(NamedTuple):
    """What a run does with the file that it has for itself; `link` leads to who may see it."""

    text: Any
    link: str | None


class DataCenterPage(Page):
    """A page of the data center."""

    grok.baseclass()
    grok.context(IDataCenter)

    tab = "datacenter"
    show_pages = PAGES
    #: Bytes that can be counted still.
    countable = COUNTED

    @property
    def crumbs(self) -> list[Crumb]:
        """Home, and the data center unless this is its index."""
        home = Crumb(_("Home"), self.url(self.site))
        center = Crumb(_("Data Center"), self.url(self.context))
        return [home] if self.__name__ == "index" else [home, center]

    def link(self, view: str, **data: str) -> str:
        """Return the address of a page of the data center."""
        address = self.url(self.context, view)
        return f"{address}?{urlencode(data)}" if data else address

    def holders_of(self, files: Iterable[StoredFile]) -> dict[str, Held]:
        """Return what is being done with those pending files that belong to runs, by name."""
        runs = self.operations.runs_of(file.name for file in files)
        return {
            name: Held(holding_text(run), self.link("run", id=run.id) if run.id else None)
            for name, run in runs.items()
        }

    def datasets(self, file: StoredFile) -> str:
        """Return the number of rows of a file, if that costs little, those before included."""
        is_packed = not file.name.lower().endswith(TEXT_EXTENSIONS)
        size = file.size * UNPACKED if is_packed else file.size
        if size > self.countable:
            return ""
        self.countable -= size
        return file.datasets

    def former_text(self, former: FormerImport) -> str:
        """Say that a content was imported before, when, and by whom."""
        mapping = {"date": self.time(former.date), "user": former.user}
        text = _("This is the file that was imported on ${date} by ${user}.", mapping=mapping)
        return self.words(text)

    def former_link(self, former: FormerImport) -> str | None:
        """Return the address of the run of a former import, for who may see it."""
        return self.link("run", id=former.run) if former.run else None

    def known_run(self, id: str | None) -> RunInfo | None:
        """Return a run, or None when there is none, or it is not known any more."""
        try:
            return None if id is None else self.operations.run(id)
        except NoSuchItem:
            return None

    # -- runs --------------------------------------------------------------------

    @cached_property
    def known(self) -> dict[str, str]:
        """The titles of the processors that this person may use, by name."""
        return {info.name: info.title for info in self.operations.processors()}

    def processor_title(self, name: str) -> str:
        """Return what people call a processor."""
        return self.known.get(name, name)

    def subject(self, run: RunInfo) -> str:
        """Return what people call what a run imports or exports."""
        if run.kind == "export":
            return self.exporter_title(run.processor)
        if run.kind == "move":
            return run.target
        return self.processor_title(run.processor)

    def kind_link(self, kind: str, column: str = "") -> str:
        """Return the address of what is said of a kind of data, or of one of its columns."""
        return self.link("processors", name=kind) + (f"#{kind}-{column}" if column else "")

    def run_link(self, run: RunInfo) -> str:
        """Return the address of the page of a run."""
        # A move is shown where it is ordered.
        return self.link("manage") if run.kind == "move" else self.link("run", id=run.id)

    # -- exports -----------------------------------------------------------------

    @cached_property
    def known_exporters(self) -> dict[str, ExporterInfo]:
        """What this person may export, by name."""
        if not self.may("waeup.exportData"):
            return {}
        return {info.name: info for info in self.operations.exporters()}

    def exporter_title(self, name: str) -> str:
        """Return what people call an exporter."""
        info = self.known_exporters.get(name)
        return name if info is None else info.title

    def chosen_texts(self, run: RunInfo) -> list[str]:
        """Say which objects an export takes; nothing for all of them."""
        wish = run.wish
        if wish is None:
            return []
        info = self.known_exporters.get(wish.exporter)
        titles = {} if info is None else {each.name: each.title for each in info.filters}
        none = self.words(_("no value"))
        texts = [
            self.labelled(titles.get(name, name), none if text == DELETION_MARKER else text)
            for name, text in wish.filters
        ]
        if run.listed is not None:
            number = self.number(run.listed)
            texts.append(self.words(_("Listed keys: ${n}", mapping={"n": number})))
        return texts

    def form_texts(self, run: RunInfo) -> list[str]:
        """Say what kind of file an export gives."""
        wish = run.wish
        if wish is None:
            return []
        texts = [FORMAT_TITLES.get(wish.format, wish.format)]
        if wish.packing:
            texts.append(PACKING_TITLES.get(wish.packing, wish.packing))
        if wish.secrets:
            texts.append(_("with passwords"))
        if not wish.safe:
            texts.append(_("cells not safe"))
        return [self.words(text) for text in texts]

    def discard_export(self, id: str) -> None:
        """Forget an export and what it gave, and show the others."""
        self.operations.discard_export(id)
        self.flash(_("Discarded export ${id}", mapping={"id": id}))
        self.redirect(self.link("export"))

    def leave(self) -> None:
        """Go back to the data center's index."""
        self.redirect(self.url(self.context))

    def begin_mending(self, name: str, mode: str | None = None) -> None:
        """Check a file with rows that came back, and lead to where they are mended.

        What they are is known from the import that has left them, and so is the mode, if none is
        named; where it is not, the officer is asked for it as for any file.
        """
        operations = self.operations
        draft = operations.new_draft(name)
        if mode is not None:
            operations.save_draft(draft.id, mode=mode)
        operations.require_content(name)
        step, place = 2, {}
        if draft.processor and draft.mode and draft.columns is not None:
            mapping = Mapping(draft.columns, draft.constants, draft.values)
            try:
                with refusable():
                    check = operations.start_check(
                        name,
                        draft.processor,
                        draft.mode,
                        mapping,
                        digest=draft.digest,
                        draft=draft.id,
                    )
            except Refused:
                # Nothing was ordered; the step that can help says why.
                step = 3
            else:
                operations.save_draft(draft.id, check=check.id)
                step, place = 4, {"group": "all"}
        self.redirect(self.link(f"import{step}", draft=draft.id, **place))

    def begin_import(self) -> None:
        """Make a draft for the file whose button was pressed.

        Where it is not clear how the file is to be read, step 2 lets the officer say it.
        """
        draft = self.operations.new_draft(self.field("select"))
        self.operations.require_content(draft.filename)
        self.redirect(self.link("import2", draft=draft.id))
