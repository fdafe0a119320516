"""A portal with a webhook, a clock that is turned by hand, and a receiver that is none."""

from datetime import datetime, timedelta, timezone

from zope.event import notify
from zope.lifecycleevent import ObjectModifiedEvent

from waeup.kofa.deployment.delivering import Deliverer
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.tests.jobs.portal import OTHER, SITE, USER
from waeup.kofa.tests.jobs.test_runs import RunTestCase
from waeup.kofa.webhooks.record import webhooks_of
from waeup.kofa.webhooks.sending import Answer

ADDRESS = "https://receiver.example/hook"
GOOD, BAD = Answer(204), Answer(500, "no")


class Clock:
    """A clock that stands still until somebody turns it; what is queued is due by it."""

    def __init__(self):
        self.now = datetime.now(timezone.utc) + timedelta(minutes=2)

    def __call__(self):
        return self.now

    def turn(self, **time):
        self.now += timedelta(**time)


class Line:
    """Takes messages; `answers` are given one after the other, then all is good.

    `sent` are addresses, bodies and headers, `before` is done with each before it is answered.
    """

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []
        self.before = None

    def __call__(self, address, body, headers, **kw):
        self.sent.append((address, body, headers))
        self.said = kw
        if self.before is not None:
            self.before(headers["webhook-id"])
        return self.answers.pop(0) if self.answers else GOOD

    @property
    def ids(self):
        return [headers["webhook-id"] for _address, _body, headers in self.sent]


class WebhookTestCase(RunTestCase):
    """Has a portal with a webhook `webhook`, whose owner may do everything."""

    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.line = Line()
        self.deliverer = self.new_deliverer(self.line)
        made = self.ask(lambda o: o.new_webhook(ADDRESS, "Ours"))
        self.webhook, self.secret = made.id, made.secret

    def new_deliverer(self, line):
        return Deliverer(self.clock, line, lambda: 1.0)

    def look(self, deliverer=None, db=None):
        """Let messages be sent that are due."""
        deliverer = deliverer or self.deliverer
        if db is not None:
            in_own_thread(lambda: deliverer.look(db, SITE))
            return
        opened = self.portal.open()
        try:
            in_own_thread(lambda: deliverer.look(opened, SITE))
        finally:
            opened.close()

    def look_later(self, **time):
        self.clock.turn(**time)
        self.look()

    def ping(self, webhook=None):
        """Queue a message; return its id."""
        return self.ask(lambda o: o.test_webhook(webhook or self.webhook)).id

    def state(self, id=None):
        """Return the webhook."""
        return self.ask(lambda o: o.webhook(id or self.webhook))

    def messages(self, id=None):
        """Return its messages."""
        return self.ask(lambda o: o.deliveries(id or self.webhook, 1000))

    def message(self):
        """Return its only message."""
        (found,) = self.messages()
        return found

    def change(self, **changes):
        return self.ask(lambda o: o.change_webhook(self.webhook, **changes))

    def all_of(self, site):
        return list(webhooks_of(site["datacenter"]))

    def roles(self, user, *roles):
        """Let somebody have these roles."""

        def give(site):
            account = site["users"][user]
            account.roles = list(roles)
            notify(ObjectModifiedEvent(account))

        self.portal.change(give)


__all__ = ["ADDRESS", "BAD", "GOOD", "OTHER", "USER", "Clock", "Line", "WebhookTestCase"]
