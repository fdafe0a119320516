"""The settings of the portal, section by section, and the queue of its messages."""

from functools import cached_property
from typing import Any

import grok

from waeup.kofa.browser.administration.tasks import PORTAL, AdministrationPage
from waeup.kofa.browser.forms import FormField, SchemaFormPage
from waeup.kofa.configuration import SECTIONS
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.notices import MailQueue
from waeup.kofa.operations.settings import Forgotten, Section, Setting

SECTION_TITLES = {
    "portal": _("Portal"),
    "limits": _("Limits"),
    "retention": _("Retention"),
    "mail": _("Mail"),
}
_SECTION_HELP = {
    "portal": _("What the portal is called, and where it is."),
    "limits": _(
        "How much is accepted. Where a field is empty, that counts which the server was started "
        "with."
    ),
    "retention": _("How long things are kept. What is older is deleted for good."),
    "mail": _("Who is told of what, and by whom the messages seem to come."),
}
_FORGOTTEN = {
    "finished_days": _("Finished files: ${n}"),
    "unfinished_days": _("Originals of unfinished files: ${n}"),
    "deleted_days": _("Deleted files: ${n}"),
    "deleted_rows": _("Tables of removed objects that lose old rows: ${n}"),
    "undo_days": _("Imports that could be taken back, and then cannot any more: ${n}"),
    "run_days": _("Runs, which then are not listed any more: ${n}"),
    "export_hours": _("Results of exports: ${n}"),
}


class Settings(AdministrationPage, SchemaFormPage):
    """The settings of a section (``section=``)."""

    grok.name("settings")
    grok.require(PORTAL)

    buttons = {
        "save": "save",
        "confirm": "confirm",
        "test": "send_test",
        "again": "send_again",
        "discard": "discard",
    }
    label = _("Settings")

    @cached_property
    def name(self) -> str:
        """The section that is shown; raises `NoSuchItem`."""
        name = self.field("section") or "portal"
        self.operations.settings(name)
        return name

    @cached_property
    def present(self) -> Section:
        """What is set."""
        return self.operations.settings(self.name)

    #: What would be deleted next by what is to be saved, for which a confirmation is needed.
    to_confirm: tuple[Forgotten, ...] = ()

    @property
    def here(self) -> str:
        """The address of this form."""
        return self.link("settings", section=self.name)

    @property
    def sections(self) -> list[tuple[str, Any, str | None]]:
        """Address and title of each section, and what ``aria-current`` says of it."""
        return [
            (self.link("settings", section=name), title, "page" if name == self.name else None)
            for name, title in SECTION_TITLES.items()
        ]

    @property
    def section_title(self) -> Any:
        """What the section is called."""
        return SECTION_TITLES[self.name]

    @property
    def section_help(self) -> Any:
        """What the section is about."""
        return _SECTION_HELP[self.name]

    @property
    def version(self) -> str:
        """Tells a later change what it was made for."""
        return self.present.version

    def prepare(self) -> None:
        """Gather the fields."""
        self.notes = {setting.name: self._note(setting) for setting in self.present.settings}
        iface = SECTIONS[self.name]
        self.shown: list[FormField] = self.form_fields(iface, self.present.values())
        self.forgotten: list[Forgotten] = []
        if self.name == "retention" and not self.to_confirm:
            self.forgotten = self.operations.forgotten_next()
        self.queue: MailQueue | None = None
        if self.name == "mail":
            self.queue = self.operations.mail_queue()

    @property
    def was_sent(self) -> bool:
        """See `SchemaFormPage`; buttons for messages send no fields."""
        others = any(name in self.request.form for name in ("test", "again", "discard"))
        return not others and super().was_sent

    def save(self) -> None:
        """Save what was entered; where that lets things be deleted, ask before."""
        values = self.entered(SECTIONS[self.name])
        if self.say_errors():
            return
        if self.name == "retention" and "confirm" not in self.request.form:
            present = {each.name: each.number for each in self.operations.forgotten_next()}
            self.to_confirm = tuple(
                each
                for each in self.operations.forgotten_next(values)
                if each.number > present.get(each.name, 0)
            )
            if self.to_confirm:
                return
        # What is there now is shown beside what was entered.
        changed = self.tried(
            lambda: self.operations.change_settings(self.name, values, self.field("version"))
        )
        if changed is None:
            return
        self.flash(_("The settings were saved.") if changed else _("Nothing was changed."))
        self.redirect(self.here)

    def confirm(self) -> None:
        """Save what was entered, whatever that lets be deleted."""
        self.save()

    def send_test(self) -> None:
        """Send a message to the person who asks."""
        address = self.operations.send_test_message()
        self.flash(_("A message to ${address} is on its way.", mapping={"address": address}))
        self.redirect(self.here)

    def send_again(self) -> None:
        """Let a refused message be sent once more."""
        self.operations.send_message_again(self.field("again"))
        self.flash(_("The message is on its way again."))
        self.redirect(self.here)

    def discard(self) -> None:
        """Remove a refused message."""
        self.operations.discard_message(self.field("discard"))
        self.flash(_("The message was discarded."))
        self.redirect(self.here)

    def forgotten_text(self, each: Forgotten) -> str:
        """Say how many items would be deleted."""
        return self.words(_(_FORGOTTEN[each.name], mapping={"n": self.number(each.number)}))

    def queue_texts(self) -> list[Any]:
        """Say how many messages wait."""
        assert self.queue is not None
        found = []
        if self.queue.waiting:
            number = self.number(self.queue.waiting)
            found.append(_("Messages that wait to be sent: ${n}", mapping={"n": number}))
        if self.queue.refused:
            number = self.number(self.queue.refused)
            text = _("Messages that the mail server has refused: ${n}", mapping={"n": number})
            found.append(text)
        return found or [_("No message waits.")]

    def changed_text(self) -> Any:
        """Say who has changed the section last, '' when nobody has."""
        if self.present.user is None or self.present.date is None:
            return ""
        mapping = {"user": self.present.user, "date": self.time(self.present.date)}
        return _("Changed last by ${user}, ${date}.", mapping=mapping)

    def _note(self, setting: Setting) -> Any:
        """Say what is in force, and why."""
        if setting.name in ("title", "acronym"):
            return ""
        if isinstance(setting.in_force, bool):
            return _("Set here.") if setting.source == "here" else _("As usual.")
        if setting.is_cut:
            mapping = {"value": self._value(setting.in_force)}
            return _(
                "In force: ${value}. More than that the start of the server does not allow.",
                mapping=mapping,
            )
        mapping = {"value": self._value(setting.in_force)}
        if was_entered(self, setting):
            return _("Set now: ${value}.", mapping={"value": self._value(setting.value)})
        if setting.source == "here" and setting.otherwise is None:
            return _("Set here.")
        if setting.source == "here":
            return _(
                "Set here. If the field is empty, ${value} is in force.",
                mapping={"value": self._value(setting.otherwise)},
            )
        if setting.in_force is None:
            return _("In force: kept for good.") if self.name == "retention" else ""
        if setting.source == "start":
            return _("In force: ${value}, by the start of the server.", mapping=mapping)
        return _("In force: ${value}, as usual.", mapping=mapping)

    def _value(self, value: Any) -> Any:
        if value is None:
            return self.words(_("none"))
        if isinstance(value, int | float):
            return self.number(value, 0 if float(value).is_integer() else 2)
        return value


def was_entered(page: SchemaFormPage, setting: Setting) -> bool:
    """Tell whether something else was entered than is set."""
    if not page.was_sent:
        return False
    entered = page.field(setting.name).strip()
    return entered != ("" if setting.value is None else str(setting.value))
