"""Sends the messages of webhooks: a task that one process at a time has (see `duties`).

::

    claim     a transaction: the message gets a token, and is due again in a minute
      send    no transaction is open
    record    a transaction: done, put off, or given up; nothing if the token is another's

Whoever is killed in between leaves a message that is due again, with the same id.  That attempt
has counted, so that a message which ends whoever sends it is given up like others.  Each
subscription has a thread of its own for the time of a look, so that a slow receiver holds up its
own messages only, and runs and pages not at all.
"""

import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import transaction
from transaction.interfaces import TransientError
from zope.component import queryUtility

from waeup.kofa import meters
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.transactional import give_way
from waeup.kofa.webhooks import record, signing
from waeup.kofa.webhooks.addresses import Allowed
from waeup.kofa.webhooks.outbox import may_be_told
from waeup.kofa.webhooks.record import Delivery, Webhook, webhooks_of
from waeup.kofa.webhooks.sending import Answer, send

log = logging.getLogger(__name__)

#: Subscriptions that are served at the same time.
THREADS = 4
#: Messages of one subscription at one look, and seconds after which none is begun any more.
MOST, BUDGET = 50, 10.0
#: How often a record is tried that is in conflict with others, and seconds before the second time;
#: each further one waits longer.
ATTEMPTS, PAUSE = 8, 0.005
#: The answer of a receiver that wants nothing any more.
GONE = 410

_OWNER = _("The owner of the webhook may not see this (any more).")

IsStopping = Callable[[], bool]
#: Sends a message; see `waeup.kofa.webhooks.sending.send`.
Send = Callable[..., Answer]


class Claim(NamedTuple):
    """A message in the hands of who sends it: all that is needed for that."""

    webhook: str
    delivery: str
    token: int
    address: str
    body: bytes
    secrets: tuple[str, ...]


class Deliverer:
    """Sends messages that are due, for one process; `clock` tells the time.

    `spread` gives a factor near 1 for each pause, so that not all messages come back at once.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = record.utc_now,
        send: Send = send,
        spread: Callable[[], float] = lambda: random.uniform(0.9, 1.1),  # noqa: S311  (no secret)
    ) -> None:
        self._clock = clock
        self._send = send
        self._spread = spread

    def look(self, db: Any, site_path: str, is_stopping: IsStopping = lambda: False) -> None:
        """Send what is due.

        To be called now and then, by one thread at a time.  Other processes may do the same.
        """
        ids = self._due(db, site_path)
        serve = partial(self._serve, db, site_path, is_stopping)
        if len(ids) == 1:
            serve(ids[0])
        elif ids:
            with ThreadPoolExecutor(min(THREADS, len(ids)), "kofa webhooks") as pool:
                list(pool.map(serve, ids))

    def tidy(self, db: Any, site_path: str) -> None:
        """Forget messages that are over for long, and secrets that sign no more."""
        now = self._clock()
        with open_portal(db, site_path) as site:
            transaction.begin()
            for webhook in webhooks_of(site["datacenter"]) or ():
                webhook.forget_old(now)
                webhook.forget_former(now)
            transaction.get().note("old messages of webhooks")
            transaction.commit()

    def _due(self, db: Any, site_path: str) -> list[str]:
        """Return the ids of the subscriptions that have messages to be sent now."""
        now = self._clock()
        with open_portal(db, site_path) as site:
            transaction.begin()
            return [
                webhook.id
                for webhook in webhooks_of(site["datacenter"]) or ()
                if webhook.state == record.ON and webhook.next_due(now) is not None
            ]

    def _serve(self, db: Any, site_path: str, is_stopping: IsStopping, id: str) -> None:
        """Send the messages of one subscription, until one does not arrive."""
        until = time.monotonic() + BUDGET
        for _number in range(MOST):
            if is_stopping() or time.monotonic() >= until:
                return
            try:
                claimed = self._claim(db, site_path, id)
            except TransientError as error:
                # Another process was quicker, or a person changes something: the next look.
                log.info("webhook %s: others were in the way: %s", id, error)
                return
            if claimed is None:
                return
            answer = self._sent(claimed)
            self._record(db, site_path, claimed, answer)
            if not answer.is_good:
                return

    def _claim(self, db: Any, site_path: str, id: str) -> Claim | None:
        """Take the next message of a subscription; None when there is none.

        Those that the owner may not see are dropped, those that had all their attempts given up.
        """
        now = self._clock()
        with open_portal(db, site_path) as site:
            transaction.begin()
            webhook = (webhooks_of(site["datacenter"]) or record.Webhooks()).find(id)
            if webhook is None:
                return None
            over: list[tuple[str, str]] = []
            claimed = self._next(site, webhook, now, over)
            if over or claimed is not None:
                transaction.get().note(f"webhook {id}: claim")
                transaction.commit()
        for delivery, state in over:
            meters.webhook_message(state)
            if state == record.FAILED:
                log.warning("webhook %s: message %s: %s", id, delivery, _unheard())
        return claimed

    def _next(
        self, site: Any, webhook: Webhook, now: datetime, over: list[tuple[str, str]]
    ) -> Claim | None:
        """Claim the next message to be sent; ids and states of those that end go to `over`."""
        for _number in range(MOST):
            delivery = webhook.next_due(now)
            if delivery is None or webhook.state != record.ON:
                break
            if not _may_be_sent(site, webhook, delivery):
                delivery.error = english(_OWNER)
                webhook.end(delivery, record.DROPPED, now)
            elif delivery.tries >= record.MOST_TRIES:
                delivery.status, delivery.answer, delivery.error = None, "", _unheard()
                self._give_up(webhook, delivery, now)
            else:
                token = webhook.claim(delivery, now)
                body = delivery.body.encode("utf-8")
                secrets = tuple(webhook.secrets(now))
                return Claim(webhook.id, delivery.id, token, webhook.address, body, secrets)
            over.append((delivery.id, delivery.state))
        return None

    def _sent(self, claimed: Claim) -> Answer:
        now = self._clock()
        said = queryUtility(IDataCenterConfig, default={}).get("webhook_allow", ())
        headers = signing.headers(claimed.secrets, claimed.delivery, now, claimed.body)
        # Also without what stands before them: whsec_ and v1.
        signed = headers["webhook-signature"].split()
        hidden = [text[len(signing.PREFIX) :] for text in claimed.secrets]
        hidden += [text.partition(",")[2] for text in signed]
        try:
            return self._send(
                claimed.address,
                claimed.body,
                headers,
                allowed=Allowed.of(said),
                secrets=hidden,
                now=now,
            )
        except Exception:
            # A message that cannot be sent must come to its end, too.
            log.exception("The message %s could not be sent.", claimed.delivery)
            return Answer(error=english(_("The portal has failed; its log has more.")))

    def _record(self, db: Any, site_path: str, claimed: Claim, answer: Answer) -> None:
        """Record what came of an attempt, unless the message is in other hands by now.

        Where that cannot be done the message is due again in a while.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with open_portal(db, site_path) as site:
                    transaction.begin()
                    outcome = self._recorded(site, claimed, answer)
                    if outcome is not None:
                        transaction.get().note(f"webhook {claimed.webhook}: {outcome}")
                        transaction.commit()
                        meters.webhook_message(outcome)
                    return
            except TransientError as error:
                log.info("webhook %s: attempt %d: %s", claimed.webhook, attempt, error)
            give_way(attempt, PAUSE)

    def _recorded(self, site: Any, claimed: Claim, answer: Answer) -> str | None:
        """Write down what came of an attempt; return the outcome, None for one of nobody."""
        now = self._clock()
        webhook = (webhooks_of(site["datacenter"]) or record.Webhooks()).find(claimed.webhook)
        delivery = None if webhook is None else webhook.find(claimed.delivery)
        if webhook is None or delivery is None or delivery.token != claimed.token:
            return None
        delivery.status, delivery.answer = answer.status, answer.text
        delivery.error = answer.error
        if answer.is_good:
            webhook.failing_since, webhook.delivered = None, now
            webhook.end(delivery, record.DELIVERED, now)
            return record.DELIVERED
        webhook.failing_since = webhook.failing_since or now
        if answer.status == GONE:
            webhook.end(delivery, record.FAILED, now)
            self._break_off(webhook, _("The receiver has answered that it is gone (410)."))
            return record.FAILED
        if delivery.tries < record.MOST_TRIES:
            pause = record.PAUSES[delivery.tries - 1] * self._spread()
            wait = min(answer.wait or 0.0, record.LONGEST_WAIT)
            webhook.put_off(delivery, now + timedelta(seconds=max(pause, wait)))
            return "retried"
        self._give_up(webhook, delivery, now)
        return record.FAILED

    def _give_up(self, webhook: Webhook, delivery: Delivery, now: datetime) -> None:
        """Let a message be over that did not arrive; the webhook, too, if none did for long."""
        webhook.failing_since = webhook.failing_since or now
        webhook.end(delivery, record.FAILED, now)
        if now - webhook.failing_since >= record.PATIENCE:
            self._break_off(webhook, _("Nothing has arrived for three days."))

    def _break_off(self, webhook: Webhook, reason: str) -> None:
        webhook.break_off(english(reason))
        log.warning("The webhook %s was turned off: %s", webhook.id, webhook.reason)


def _unheard() -> str:
    """Return why a message is given up of whose last attempt nothing was heard."""
    return english(
        _(
            "Given up after ${n} attempts: the process that made the last one has ended while it "
            "sent the message, or could not record what came of it.",
            mapping={"n": record.MOST_TRIES},
        )
    )


def _may_be_sent(site: Any, webhook: Webhook, delivery: Delivery) -> bool:
    """Tell whether the owner may see what a message tells of, at this moment."""
    if not delivery.run:
        return may_be_told(site, webhook)
    run = site["datacenter"].runs.find(delivery.run)
    # Of one that was forgotten nobody knows any more who may see it.
    return run is not None and may_be_told(site, webhook, run)
