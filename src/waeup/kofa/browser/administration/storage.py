"""The page that says where the files of the data center are, and moves them."""

from typing import Any

import grok

from waeup.kofa.browser.administration.tasks import PORTAL, administration_crumbs
from waeup.kofa.browser.page import Crumb
from waeup.kofa.browser.runs.runparts import RunPart
from waeup.kofa.errors import InvalidStoragePath
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import RunInfo
from waeup.kofa.operations.moving import FormerStorage, StoragePlace


class Storage(RunPart):
    """Where the storage is, a form that moves it, and how far a move is."""

    grok.name("manage")
    grok.require(PORTAL)

    label = _("Edit data center settings")
    section = _("Administration")
    tab = "administration"
    view_name = "manage"
    progress_title = _("The storage is moved")
    buttons = {
        "save": "save",
        "confirm": "confirm",
        "cancel": "leave",
        "cancelrun": "cancel_run",
        "resume": "resume",
        "ask_remove": "ask_remove",
        "remove": "remove",
    }

    #: What is at the place that was entered, when a confirmation is needed.
    to_confirm: StoragePlace | None = None
    #: The former storage whose removal is to be confirmed.
    to_remove: FormerStorage | None = None

    @property
    def crumbs(self) -> list[Crumb]:
        """Home, and the administration."""
        return administration_crumbs(self)

    @property
    def way(self) -> dict[str, str]:
        """See `RunPart`."""
        return {}

    def prepare(self) -> None:
        """Gather what there is to see."""
        operations = self.operations
        self.path = operations.storage_path()
        self.roots = operations.storage_roots()
        self.shown: RunInfo | None = operations.last_move()
        self.is_moving = self.shown is not None and self.shown.is_active
        self.former = operations.former_storages()
        # A form that was sent has both boxes.
        was_sent = "newpath" in self.request.form
        self.wants_move = bool(self.field("move")) if was_sent else True
        self.wants_overwrite = bool(self.field("overwrite"))

    def save(self) -> None:
        """Move the storage, or only name another place; asks where both have the same names."""
        path = self.field("newpath").strip()
        try:
            place = self.operations.look_at_place(path)
            if not self.field("move"):
                self.operations.use_storage(path)
                self.flash(_("New storage path successfully set."))
                self.redirect(self.address)
                return
            if place.taken and "confirm" not in self.request.form:
                self.to_confirm = place
                return
            self.operations.start_move(path, overwrite=bool(self.field("overwrite")))
        except InvalidStoragePath as error:
            text = _("Given storage path cannot be used. ${reason}", mapping=_reason(self, error))
            raise InvalidStoragePath(text) from error
        self.redirect(self.address)

    def confirm(self) -> None:
        """Move the storage, whatever is at the new place."""
        self.save()

    def leave(self) -> None:
        """Go back to the administration."""
        self.redirect(self.url(self.site, "administration"))

    def resume(self) -> None:
        """Let a move go on that has stopped."""
        self.operations.resume(self.field("run"))
        self.redirect(self.address)

    def ask_remove(self) -> None:
        """Ask whether a former storage is to be removed."""
        path = self.field("ask_remove")
        found = self.operations.former_storages()
        self.to_remove = next((each for each in found if each.path == path), None)

    def remove(self) -> None:
        """Remove a former storage."""
        path = self.field("remove")
        self.operations.remove_former_storage(path)
        self.flash(_("The former storage ${path} was removed.", mapping={"path": path}))
        self.redirect(self.address)


def _reason(page: Storage, error: InvalidStoragePath) -> dict[str, Any]:
    return {"reason": page.words(error)}
