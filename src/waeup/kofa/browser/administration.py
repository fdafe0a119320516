"""The pages of who cares for the portal: what there is to do, settings, messages."""

from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

import grok

from waeup.kofa.browser.forms import FormField, SchemaFormPage
from waeup.kofa.browser.page import Crumb, FormPage, Page
from waeup.kofa.configuration import SECTIONS
from waeup.kofa.errors import InvalidSettings, NotAllowed
from waeup.kofa.i18n import LANGUAGES
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IUniversity
from waeup.kofa.letters import (
    LETTERS,
    Letter,
    Written,
    letter_named,
    require_language,
    say_in,
)
from waeup.kofa.notices import MailQueue
from waeup.kofa.operations.settings import Forgotten, LetterTexts, Section, Setting

PORTAL, USERS = "waeup.managePortal", "waeup.manageUsers"
#: Messages of the queue that are listed.
LISTED = 20


class Task(NamedTuple):
    """Something that an administrator can do: a view of the portal, or of the data center."""

    view: str
    title: Any
    help: Any
    permission: str
    is_of_center: bool = False


TASKS = (
    Task(
        "settings",
        _("Settings"),
        _(
            "Name and time zone of the portal, how much is accepted, how long things are kept, "
            "and who is told of what."
        ),
        PORTAL,
    ),
    Task(
        "users",
        _("Users"),
        _("Who may log in, and what each person may do."),
        USERS,
    ),
    Task(
        "mailtemplates",
        _("Mail templates"),
        _("What the messages of the portal say, in each language."),
        PORTAL,
    ),
    Task(
        "webhooks",
        _("Webhooks"),
        _("Which programs are told that runs have ended, and what became of the messages."),
        PORTAL,
    ),
    Task(
        "manage",
        _("Storage"),
        _("Where the files of the data center are, and how they are moved."),
        PORTAL,
        is_of_center=True,
    ),
    Task(
        "switchmaintmode",
        _("Maintenance mode"),
        _("Close the portal for everybody else while you work on it."),
        PORTAL,
    ),
    Task(
        "system",
        _("System"),
        _("Versions, sizes, what waits, and the last backup."),
        PORTAL,
    ),
)

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


class AdministrationPage(Page):
    """A page of the administration."""

    grok.baseclass()
    grok.context(IUniversity)

    tab = "administration"
    section = _("Administration")

    @property
    def crumbs(self) -> list[Crumb]:
        """Home, and the administration."""
        return administration_crumbs(self)

    def link(self, view: str, **data: str) -> str:
        """Return the address of a page of the portal."""
        address = self.url(self.site, view)
        return f"{address}?{urlencode(data)}" if data else address


def administration_crumbs(page: Page) -> list[Crumb]:
    """Return the way to a page of the administration."""
    return [
        Crumb(_("Home"), page.url(page.site)),
        Crumb(_("Administration"), page.url(page.site, "administration")),
    ]


class Administration(AdministrationPage):
    """All tasks of administrators that the person may do."""

    grok.name("administration")
    # Either of two permissions leads here; which one it is, is asked for below.
    grok.require("waeup.Authenticated")

    label = _("Administration")
    section = ""

    @property
    def crumbs(self) -> list[Crumb]:
        """Home."""
        return administration_crumbs(self)[:1]

    def update(self) -> None:
        """Gather what the person may do; raises `NotAllowed` when that is nothing."""
        self.tasks = [task for task in TASKS if self.may(task.permission)]
        if not self.tasks:
            raise NotAllowed(
                _(
                    "You may not administer this portal. Ask its administrator for the role "
                    "Portal Manager or Users Manager."
                )
            )

    def task_link(self, task: Task) -> str:
        """Return the address of a task."""
        place = self.site["datacenter"] if task.is_of_center else self.site
        return self.url(place, task.view)


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


class MailTemplates(AdministrationPage):
    """The messages of the portal."""

    grok.name("mailtemplates")
    grok.require(PORTAL)

    label = _("Mail templates")

    def update(self) -> None:
        """List the messages."""
        self.letters = list(LETTERS.values())
        self.languages = list(LANGUAGES.items())

    def letter_link(self, letter: Letter, language: str) -> str:
        """Return the address of the form for a message."""
        return self.link("mailtemplate", name=letter.name, language=language)

    def is_own(self, letter: Letter, language: str) -> bool:
        """Tell whether the portal has a text of its own."""
        return self.operations.letter_texts(letter.name, language).is_own


class MailTemplate(AdministrationPage, FormPage):
    """A message (``name=``) in a language (``language=``): its texts, and what they give."""

    grok.name("mailtemplate")
    grok.require(PORTAL)

    buttons = {"save": "save", "preview": "preview", "reset": "reset"}

    #: What the message looks like, with examples.
    previewed: Written | None = None

    def update(self) -> None:
        """See `FormPage`; a message that there is none of is refused first."""
        self.letter: Letter = letter_named(self.field("name"))
        require_language(self.field("language"))
        self.language_shown = self.field("language")
        self.errors: dict[str, Any] = {}
        super().update()

    @property
    def label(self) -> Any:
        """The message and the language."""
        mapping = {
            "title": self.words(self.letter.title),
            "language": LANGUAGES[self.language_shown],
        }
        return _("${title} in ${language}", mapping=mapping)

    @property
    def crumbs(self) -> list[Crumb]:
        """To the list of all messages."""
        return [*super().crumbs, Crumb(_("Mail templates"), self.link("mailtemplates"))]

    @cached_property
    def present(self) -> LetterTexts:
        """The texts of the portal."""
        return self.operations.letter_texts(self.letter.name, self.language_shown)

    @property
    def here(self) -> str:
        """The address of this form."""
        return self.link("mailtemplate", name=self.letter.name, language=self.language_shown)

    def prepare(self) -> None:
        """Show what was entered, or the texts of the portal with a preview."""
        was_sent = any(name in self.request.form for name in ("save", "preview"))
        self.subject = self.field("subject") if was_sent else self.present.subject
        self.text = self.field("text") if was_sent else self.present.text
        if not was_sent:
            self.preview()

    def preview(self) -> None:
        """Show what was entered with examples."""
        texts = (
            self._entered
            if "subject" in self.request.form
            else (
                self.present.subject,
                self.present.text,
            )
        )
        try:
            self.previewed = self.operations.preview_letter(
                self.letter.name, self.language_shown, *texts
            )
        except InvalidSettings as error:
            self._say_wrong(error)

    def save(self) -> None:
        """Let the portal send what was entered."""
        try:
            self.operations.set_letter_texts(
                self.letter.name, self.language_shown, *self._entered, self.field("version")
            )
        except InvalidSettings as error:
            self._say_wrong(error)
            return
        self.flash(_("The message was saved."))
        self.redirect(self.here)

    def reset(self) -> None:
        """Let the portal send the usual texts."""
        self.operations.reset_letter_texts(
            self.letter.name, self.language_shown, self.field("version")
        )
        self.flash(_("The message has its usual text again."))
        self.redirect(self.here)

    @property
    def _entered(self) -> tuple[str, str]:
        return self.field("subject"), self.field("text")

    def _say_wrong(self, error: InvalidSettings) -> None:
        self.errors = error.wrong
        self.response.setStatus(400)
        self.say(_("Nothing was changed: see what is said at the fields."), "danger")

    def described_by(self, name: str) -> str:
        """Return the ids of what explains a field."""
        ids = ["names", *([f"{name}-error"] if self.errors.get(name) else [])]
        return " ".join(ids)

    def sign(self, name: str) -> str:
        """Return how a name is written in a text."""
        return f"${{{name}}}"

    def example(self, example: Any) -> str:
        """Return an example in the language of the message."""
        return say_in(self.language_shown, example)
