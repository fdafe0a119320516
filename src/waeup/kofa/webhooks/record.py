"""What the database knows of webhooks: subscriptions, and their messages.

A message waits from the transaction on that it belongs to.  Who is to send it *claims* it: in a
transaction of its own it gets a new token, and a time at which it is due again in case that
nothing more is heard of this attempt.  What becomes of the attempt is recorded only under that
token.  So a message is sent at least once, whoever is killed at whatever moment, and of two
processes that have the duty at once each sends other messages.  An attempt counts from its claim
on: a message that ends each process that sends it comes to its end, too.

All of it is bounded: subscriptions, messages that wait, and those that are over.  The module path
is a database format.
"""

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from BTrees.Length import Length
from BTrees.OOBTree import OOBTree
from persistent import Persistent

from waeup.kofa.errors import NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number, english
from waeup.kofa.webhooks.signing import new_secret

#: Types of messages.  `PING` is one that a person asks for.
RUN, EXPORT_READY, FILE, PING = "run.finished", "export.ready", "file.arrived", "ping"
EVENTS = (RUN, EXPORT_READY, FILE)
#: States of a subscription; a `BROKEN` one was turned off by itself.
ON, OFF, BROKEN = "on", "off", "broken"
#: States of a message.
WAITING, DELIVERED, FAILED, DROPPED = "waiting", "delivered", "failed", "dropped"

#: Seconds after an attempt until the next one; after the last of them the message is given up.
PAUSES = (10, 60, 300, 1800, 7200, 18000, 36000)
#: Attempts at most.
MOST_TRIES = len(PAUSES) + 1
#: Seconds after which a message is due again of whose attempt nothing was heard.
CLAIM = 60.0
#: How much a receiver can put off the next attempt at most, in seconds.
LONGEST_WAIT = 86400.0
#: A subscription to which nothing arrives for so long is turned off.
PATIENCE = timedelta(days=3)
#: For how long a secret that was replaced signs as well.
OVERLAP = timedelta(hours=24)
#: Subscriptions of a portal, messages of one that wait, and those that are over, at most.
MOST_WEBHOOKS, MOST_WAITING, MOST_OVER = 100, 10_000, 200
#: For how long messages that are over are kept.
KEPT = timedelta(days=30)

# A BTree that is empty before or after a change cannot be merged with the change of somebody
# else: one key that comes behind all others stays in it.
_LAST = (math.inf, "")
_LAST_ID = "~"


@dataclass(frozen=True)
class WebhookInfo:
    """A subscription as it is shown to people.

    `events` are types of messages; of runs only those of `kinds` and with `outcomes` are told
    (none: all).  `owner` is whose rights count.  `made_by` is who has made it, and `made_with` the
    title of the token by which that was done, '' for none; neither is known of those of before.
    `reason` says why one that is ``broken`` was turned off.  `failing_since` is the first attempt
    that failed since the last that did not; `delivered` the time of the last message that arrived,
    `waiting` how many are to be sent.
    `former_until` is until when a secret that was replaced signs as well.  Times are in UTC.
    """

    id: str
    title: str
    address: str
    events: tuple[str, ...]
    kinds: tuple[str, ...]
    outcomes: tuple[str, ...]
    owner: str
    made_by: str
    made_with: str
    state: str
    reason: str
    created: datetime
    failing_since: datetime | None
    delivered: datetime | None
    waiting: int
    former_until: datetime | None
    version: str


@dataclass(frozen=True)
class WebhookSecret:
    """The secret of the subscription `id`; it is told once."""

    id: str
    secret: str


@dataclass(frozen=True)
class DeliveryInfo:
    """A message as it is shown to people.

    `state` is ``waiting``, ``delivered``, ``failed`` (given up) or ``dropped`` (not told, since
    the owner may not see what it is about).  `tries` were made, the last one at `tried`; `status`
    is what the receiver has answered with, `answer` the beginning of that, `error` what was wrong
    otherwise.  `due` is the time of the next attempt of one that waits.
    """

    id: str
    webhook: str
    type: str
    state: str
    created: datetime
    tries: int
    tried: datetime | None
    due: datetime | None
    status: int | None
    answer: str
    error: str
    run: str
    body: str


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(timezone.utc)


class Delivery(Persistent):
    """A message to one subscriber; see `DeliveryInfo`.

    `body` is the very text that is sent.  `run` is the id of the run that it tells of, or ''.
    `token` is raised by each claim.
    """

    state = WAITING
    tries = 0
    token = 0
    tried: datetime | None = None
    status: int | None = None
    answer = ""
    error = ""

    def __init__(self, id: str, event: str, body: str, created: datetime, run: str = "") -> None:
        self.id = id
        self.type = event
        self.body = body
        self.created = created
        self.due = created
        self.run = run

    def info(self, webhook: str) -> DeliveryInfo:
        """Return it as it is shown."""
        return DeliveryInfo(
            self.id,
            webhook,
            self.type,
            self.state,
            self.created,
            self.tries,
            self.tried,
            self.due if self.state == WAITING else None,
            self.status,
            self.answer,
            self.error,
            self.run,
            self.body,
        )


class Webhook(Persistent):
    """A subscription; see `WebhookInfo`.

    `secret` signs what is sent, thus it is kept as it is.  `former_secret` signs as well until
    `former_until`.
    """

    state = ON
    reason = ""
    failing_since: datetime | None = None
    delivered: datetime | None = None
    former_secret = ""
    former_until: datetime | None = None
    #: Databases of before have neither.
    made_by = made_with = ""
    #: Id -> message that waits.  Databases of before have none.
    _by_id: OOBTree | None = None

    def __init__(
        self,
        title: str,
        address: str,
        events: tuple[str, ...],
        kinds: tuple[str, ...],
        outcomes: tuple[str, ...],
        owner: str,
        now: datetime,
        made_with: str = "",
    ) -> None:
        self.id = secrets.token_hex(8)
        self.title, self.address = title, address
        self.events, self.kinds, self.outcomes = events, kinds, outcomes
        self.owner = self.made_by = owner
        self.made_with = made_with
        self.created = now
        self.secret = new_secret()
        #: (time at which it is due, id) -> message that waits.
        self._waiting = OOBTree({_LAST: None})
        self._by_id = OOBTree({_LAST_ID: None})
        # Changes of two at the same time are no conflict.
        self._number = Length()
        #: Id, which begins with the time -> message that is over.
        self._over = OOBTree({_LAST_ID: None})

    # -- what is subscribed to -----------------------------------------------------------

    def wants(self, event: str, kind: str = "", outcome: str = "") -> bool:
        """Tell whether a message of a type is wanted, of a run with its kind and outcome."""
        if self.state != ON or event not in self.events:
            return False
        if event != RUN:
            return True
        return kind in (self.kinds or (kind,)) and outcome in (self.outcomes or (outcome,))

    def secrets(self, now: datetime) -> list[str]:
        """Return the secrets that sign at a time, the present one first."""
        is_former = self.former_until is not None and now < self.former_until
        return [self.secret, self.former_secret] if is_former else [self.secret]

    def renew_secret(self, now: datetime) -> str:
        """Have a new secret, and return it."""
        self.former_secret, self.former_until = self.secret, now + OVERLAP
        self.secret = new_secret()
        return self.secret

    def forget_former(self, now: datetime) -> None:
        """Forget a secret that signs no more."""
        if self.former_until is not None and now >= self.former_until:
            self.former_secret, self.former_until = "", None

    def turn_on(self) -> None:
        """Let messages be queued and sent again."""
        self.state, self.reason, self.failing_since = ON, "", None

    def turn_off(self) -> None:
        """Let none be queued or sent; what waits waits on."""
        self.state, self.reason = OFF, ""

    def break_off(self, reason: str) -> None:
        """Turn it off for a reason that no person has decided."""
        self.state, self.reason = BROKEN, reason

    # -- messages ------------------------------------------------------------------------

    def queue(self, delivery: Delivery) -> bool:
        """Let a message wait; where too many do, turn the subscription off, and tell so.

        What has no room is lost, thus it must be seen that it is.
        """
        if self._number() >= MOST_WAITING:
            self.break_off(
                english(
                    _(
                        "${n} messages wait already, and no more are kept. Let the receiver "
                        "answer faster, then turn the webhook on again.",
                        mapping={"n": Number(MOST_WAITING)},
                    )
                )
            )
            return False
        self._wait(delivery)
        self._number.change(1)
        return True

    def _wait(self, delivery: Delivery) -> None:
        self._waiting[delivery.due.timestamp(), delivery.id] = delivery
        self._find_by_id()[delivery.id] = delivery

    def _find_by_id(self) -> OOBTree:
        """Return what finds messages that wait, for a change; it is made where there is none."""
        if self._by_id is None:
            found = {key[1]: each for key, each in self._waiting.items() if each is not None}
            self._by_id = OOBTree({_LAST_ID: None, **found})
        return self._by_id

    def next_due(self, now: datetime) -> Delivery | None:
        """Return a message that is to be sent by now, the one that is due for longest."""
        key = self._waiting.minKey()
        return self._waiting[key] if key[0] <= now.timestamp() else None

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        return max(int(self._number()), 0)

    def claim(self, delivery: Delivery, now: datetime) -> int:
        """Begin an attempt, which counts; return the token of its outcome (see the module)."""
        del self._waiting[delivery.due.timestamp(), delivery.id]
        delivery.token += 1
        delivery.tries += 1
        delivery.tried = now
        delivery.due = now + timedelta(seconds=CLAIM)
        self._wait(delivery)
        self.forget_former(now)
        return delivery.token

    def put_off(self, delivery: Delivery, due: datetime) -> None:
        """Let a message wait until another time."""
        del self._waiting[delivery.due.timestamp(), delivery.id]
        delivery.due = due
        self._wait(delivery)

    def end(self, delivery: Delivery, state: str, now: datetime) -> None:
        """Let a message be over; where too many are, the oldest go."""
        del self._waiting[delivery.due.timestamp(), delivery.id]
        del self._find_by_id()[delivery.id]
        self._number.change(-1)
        delivery.state = state
        # Who sends it at this moment has nothing more to say of it.
        delivery.token += 1
        self._over[delivery.id] = delivery
        self.forget_old(now)

    def forget_old(self, now: datetime) -> None:
        """Forget messages that are over for long, or of which there are too many."""
        ids = [id for id in self._over if id != _LAST_ID]
        for at, id in enumerate(ids):
            is_surplus = at < len(ids) - MOST_OVER
            if not is_surplus and self._over[id].created > now - KEPT:
                return
            del self._over[id]

    def send_again(self, delivery: Delivery, now: datetime) -> None:
        """Let a message be due now, with all its attempts before it."""
        if delivery.state == WAITING:
            self.put_off(delivery, now)
        else:
            del self._over[delivery.id]
            delivery.state, delivery.due = WAITING, now
            self._wait(delivery)
            self._number.change(1)
        delivery.tries = 0
        delivery.token += 1

    def find(self, id: str) -> Delivery | None:
        """Return a message, or None."""
        found: Delivery | None = self._over.get(id)
        if found is None and self._by_id is not None:
            found = self._by_id.get(id)
        elif found is None:
            key = next((key for key in self._waiting if key[1] == id), _LAST)
            found = self._waiting.get(key)
        return found

    def deliveries(self) -> Iterator[Delivery]:
        """Generate the messages that wait, the next one first, and those over, newest first."""
        yield from (each for each in self._waiting.values() if each is not None)
        yield from (each for each in reversed(list(self._over.values())) if each is not None)


class Webhooks(Persistent):
    """The subscriptions of a portal."""

    def __init__(self) -> None:
        self._webhooks = OOBTree({"": None})

    def __iter__(self) -> Iterator[Webhook]:
        """Generate them, the oldest first."""
        found = [each for each in self._webhooks.values() if each is not None]
        return iter(sorted(found, key=lambda each: (each.created, each.id)))

    def __len__(self) -> int:
        return len(self._webhooks) - 1

    def add(self, webhook: Webhook) -> None:
        """Keep a new one."""
        self._webhooks[webhook.id] = webhook

    def find(self, id: str) -> Webhook | None:
        """Return one, or None."""
        found: Webhook | None = self._webhooks.get(id)
        return found

    def get(self, id: str) -> Webhook:
        """Return one; raises `NoSuchItem`."""
        found = self.find(id)
        if found is None:
            raise NoSuchItem(
                _(
                    "There is no webhook ${id} (any more). Look at the list of webhooks.",
                    mapping={"id": repr(id)},
                )
            )
        return found

    def remove(self, webhook: Webhook) -> None:
        """Forget one with all its messages; who sends one at the same time has a conflict."""
        webhook._p_changed = True
        del self._webhooks[webhook.id]

    def with_delivery(self, id: str) -> tuple[Webhook, Delivery]:
        """Return a message and its subscription; raises `NoSuchItem`."""
        for webhook in self:
            delivery = webhook.find(id)
            if delivery is not None:
                return webhook, delivery
        raise NoSuchItem(
            _(
                "There is no message ${id} (any more). Look at the list of messages.",
                mapping={"id": repr(id)},
            )
        )


def webhooks_of(datacenter: Any) -> Webhooks | None:
    """Return the subscriptions of a data center; None as long as nobody has made one."""
    found: Webhooks | None = datacenter.webhooks
    return found


def ensure_webhooks(datacenter: Any) -> Webhooks:
    """Return the subscriptions of a data center to be changed."""
    if datacenter.webhooks is None:
        datacenter.webhooks = Webhooks()
    found: Webhooks = datacenter.webhooks
    return found


def new_id(now: datetime) -> str:
    """Return an id for a message; later ones are greater."""
    return f"msg_{int(now.timestamp() * 1000):012x}{secrets.token_hex(8)}"
