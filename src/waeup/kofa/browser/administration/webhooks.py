"""Webhooks on pages: the list, a new one, one with its messages, and what is done with it.

Who manages the portal cares for all; officers for their own, which they find by their account.
"""

from functools import cached_property
from typing import Any, NamedTuple

import grok
from zope import schema
from zope.browserpage import ViewPageTemplateFile
from zope.interface import Interface

from waeup.kofa.browser.administration.tasks import PORTAL, AdministrationPage
from waeup.kofa.browser.forms import FormField, SchemaFormPage
from waeup.kofa.browser.page import Crumb
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.jobs.record import (
    CANCELLED,
    CHECK,
    EXPORT,
    FINISHED,
    IMPORT,
    MOVE,
    STOPPED,
    UNDO,
)
from waeup.kofa.operations.webhooks import KINDS, MAX_TITLE, OUTCOMES
from waeup.kofa.webhooks.addresses import LONGEST
from waeup.kofa.webhooks.record import (
    BROKEN,
    DELIVERED,
    DROPPED,
    EVENTS,
    EXPORT_READY,
    FAILED,
    FILE,
    ON,
    PING,
    RUN,
    WAITING,
    DeliveryInfo,
    WebhookInfo,
    WebhookSecret,
)

#: Messages that are listed.
LISTED = 50
#: What people call types of messages.
EVENT_TITLES = {
    RUN: _("A run has ended"),
    EXPORT_READY: _("An export is ready"),
    FILE: _("A file has come"),
    PING: _("Test"),
}
#: What people call kinds of runs, where several of each are meant, and how runs end.
KIND_TITLES = {
    IMPORT: _("Imports"),
    CHECK: _("Checks"),
    UNDO: _("Undos"),
    EXPORT: _("Exports"),
    MOVE: _("Moves of the storage"),
}
OUTCOME_TITLES = {
    FINISHED: _("It has finished"),
    STOPPED: _("It has stopped"),
    CANCELLED: _("It was cancelled"),
}
_STATES = {
    WAITING: (_("Waiting"), "info"),
    DELIVERED: (_("Delivered"), "good"),
    FAILED: (_("Given up"), "bad"),
    DROPPED: (_("Not told"), "warn"),
}


class IWebhookForm(Interface):
    """What is entered of a webhook."""

    address = schema.ASCIILine(
        title=_("Address"),
        description=_("Messages go there by POST, such as https://example.org/kofa."),
        max_length=LONGEST,
    )
    title = schema.TextLine(
        title=_("Title"),
        description=_("What it is for. Without one it is called by the host of the address."),
        max_length=MAX_TITLE,
        required=False,
    )


class Box(NamedTuple):
    """A box that can be checked."""

    name: str
    title: Any
    is_checked: bool


class BoxGroup(NamedTuple):
    """Boxes that belong together; `name` is that of what they fill."""

    name: str
    title: Any
    help: Any
    boxes: list[Box]
    error: Any


class WebhookPage(AdministrationPage):
    """A page about webhooks."""

    grok.baseclass()
    # Several permissions lead here; which, is known to the operations.
    grok.require("waeup.Authenticated")

    #: Boxes in groups.
    show_boxes = ViewPageTemplateFile("boxes.pt")

    @property
    def tab(self) -> str:  # type: ignore[override]
        """See `Page`."""
        return "administration" if self.may(PORTAL) else "account"

    @property
    def section(self) -> Any:  # type: ignore[override]
        """See `Page`."""
        return _("Administration") if self.may(PORTAL) else _("Your account")

    @property
    def crumbs(self) -> list[Crumb]:
        """See `Page`; officers come from their account."""
        if self.may(PORTAL):
            found = super().crumbs
        else:
            home = Crumb(_("Home"), self.url(self.site))
            found = [home, Crumb(_("Your account"), self.link("account"))]
        return [*found, Crumb(_("Webhooks"), self.link("webhooks"))]

    @property
    def back(self) -> Crumb:
        """The page that leads to webhooks."""
        return self.crumbs[1]

    def webhook_link(self, id: str) -> str:
        """Return the address of a webhook."""
        return self.link("webhook", id=id)

    def state(self, webhook: WebhookInfo) -> tuple[Any, str]:
        """Say whether messages are sent, and how that looks."""
        if webhook.state == BROKEN:
            return _("Turned off by itself"), "bad"
        if webhook.state != ON:
            return _("Off"), "info"
        if webhook.failing_since is not None:
            return _("Failing"), "warn"
        return _("On"), "good"

    def maker(self, webhook: WebhookInfo) -> str:
        """Say who has made a webhook, and by which token."""
        if not webhook.made_with:
            return webhook.made_by
        mapping = {"user": webhook.made_by, "title": webhook.made_with}
        return self.words(_("${user} (token: ${title})", mapping=mapping))

    def event_titles(self, webhook: WebhookInfo) -> str:
        """Return what is told."""
        return ", ".join(self.words(EVENT_TITLES[event]) for event in webhook.events)


class Webhooks(WebhookPage):
    """The webhooks that the person cares for."""

    grok.name("webhooks")
    grok.template("webhooks")

    label = _("Webhooks")

    @property
    def crumbs(self) -> list[Crumb]:
        """See `Page`."""
        return super().crumbs[:-1]

    def update(self) -> None:
        """Find them."""
        self.webhooks = self.operations.webhooks()


class WebhookFormPage(WebhookPage, SchemaFormPage):
    """A page with a form for a webhook."""

    grok.baseclass()

    #: What was shown or entered, by name: texts that are checked.
    def groups(self, present: WebhookInfo | None) -> list[BoxGroup]:
        """Return the boxes with what was entered, or else what is set."""

        def group(name: str, title: Any, help_: Any, titles: dict[str, Any]) -> BoxGroup:
            if self.was_sent:
                chosen = self.fields(name)
            elif present is None:
                chosen = list(titles) if name == "events" else []
            else:
                chosen = list(getattr(present, name))
            boxes = [Box(each, text, each in chosen) for each, text in titles.items()]
            return BoxGroup(name, title, help_, boxes, self.errors.get(name, ""))

        return [
            group(
                "events",
                _("What is told"),
                _("Only what the owner of the webhook may see."),
                {event: EVENT_TITLES[event] for event in EVENTS},
            ),
            group(
                "kinds",
                _("Which runs"),
                _("None checked: all of them."),
                {kind: KIND_TITLES[kind] for kind in KINDS},
            ),
            group(
                "outcomes",
                _("With which end"),
                _("None checked: any."),
                {outcome: OUTCOME_TITLES[outcome] for outcome in OUTCOMES},
            ),
        ]

    def entered_values(self) -> dict[str, Any]:
        """Return what was entered; what is wrong goes to `errors`."""
        values = self.entered(IWebhookForm)
        values["title"] = values.get("title") or ""
        return values | {name: self.fields(name) for name in ("events", "kinds", "outcomes")}


class AddWebhook(WebhookFormPage):
    """Makes a webhook."""

    grok.name("addwebhook")
    grok.template("addwebhook")

    buttons = {"add": "add"}
    label = _("Add a webhook")
    #: What was made, with its secret, which is shown once.
    made: WebhookSecret | None = None

    def prepare(self) -> None:
        """Gather the fields; raises `NotAllowed`."""
        self.operations.webhooks()
        empty = {"address": "", "title": ""}
        self.shown: list[FormField] = self.form_fields(IWebhookForm, empty)
        self.box_groups = self.groups(None)

    def add(self) -> None:
        """Make it."""
        values = self.entered_values()
        if self.say_errors():
            return
        self.require_first_time()
        self.made = self.tried(lambda: self.operations.new_webhook(**values))


class OneWebhook(WebhookFormPage):
    """A webhook (``id=``), its messages, and what can be done with it."""

    grok.name("webhook")
    grok.template("webhook")

    buttons = {
        "save": "save",
        "test": "test",
        "turnon": "turn_on",
        "turnoff": "turn_off",
        "renew": "renew",
        "again": "send_again",
        "ask": "ask",
        "remove": "remove",
    }
    #: The new secret, which is shown once.
    renewed: WebhookSecret | None = None
    is_asking = False

    @cached_property
    def id(self) -> str:
        """The id of the webhook."""
        return self.field("id")

    @property
    def label(self) -> Any:
        """What it is called."""
        return self.operations.webhook(self.id).title

    @property
    def here(self) -> str:
        """The address of this page."""
        return self.webhook_link(self.id)

    @property
    def was_sent(self) -> bool:
        """See `SchemaFormPage`; other buttons send no fields."""
        return "save" in self.request.form

    def prepare(self) -> None:
        """Gather what is shown."""
        self.present = self.operations.webhook(self.id)
        self.shown: list[FormField] = self.form_fields(IWebhookForm, self.present)
        self.box_groups = self.groups(self.present)
        self.messages_listed = self.operations.deliveries(self.id, LISTED)

    def save(self) -> None:
        """Keep what was entered."""
        values = self.entered_values()
        if self.say_errors():
            return
        version = self.field("version")
        changed = self.tried(
            lambda: self.operations.change_webhook(self.id, **values, version=version)
        )
        if changed is None:
            return
        self._done(_("The webhook was changed."))

    def test(self) -> None:
        """Queue a message."""
        self.operations.test_webhook(self.id)
        self._done(_("A test message is on its way. Look again in a moment."))

    def turn_on(self) -> None:
        """Let messages be sent again."""
        self.operations.change_webhook(self.id, is_on=True)
        self._done(_("The webhook is on. What waits is sent now."))

    def turn_off(self) -> None:
        """Let no message be sent."""
        self.operations.change_webhook(self.id, is_on=False)
        self._done(_("The webhook is off. Nothing is sent."))

    def renew(self) -> None:
        """Give it another secret, and show that once."""
        self.require_first_time()
        self.renewed = self.operations.renew_webhook_secret(self.id)

    def send_again(self) -> None:
        """Send a message of this webhook once more."""
        self.operations.deliver_again(self.field("again"))
        self._done(_("The message is on its way again."))

    def ask(self) -> None:
        """Ask whether it is to be removed."""
        self.is_asking = True

    def remove(self) -> None:
        """Remove it."""
        title = self.operations.webhook(self.id).title
        self.operations.remove_webhook(self.id)
        self.flash(_("The webhook ${title} was removed.", mapping={"title": title}))
        self.redirect(self.link("webhooks"))

    def _done(self, text: Any) -> None:
        self.flash(text)
        self.redirect(self.here)

    # -- words ------------------------------------------------------------------------

    def message_title(self, message: DeliveryInfo) -> Any:
        """Return what a message is about."""
        return EVENT_TITLES[message.type]

    def message_state(self, message: DeliveryInfo) -> tuple[Any, str]:
        """Say what has become of a message, and how that looks."""
        if message.state == WAITING and message.tries:
            return _("Failed, is tried again"), "warn"
        return _STATES[message.state]

    def outcome(self, message: DeliveryInfo) -> str:
        """Say what the receiver has answered, or what was wrong."""
        if message.error:
            return self.recognized(message.error)
        if message.status is not None:
            return self.phrase("Status ${status}", status=message.status)
        return ""

    def reason(self) -> str:
        """Say why the webhook was turned off."""
        return self.recognized(self.present.reason)

    def tries(self, message: DeliveryInfo) -> str:
        """Return the number of attempts."""
        return self.number(message.tries)
