"""Operations on webhooks: what other programs are told, and what became of the messages.

Who manages the portal cares for all of them; who imports or exports for his own.  A subscription
tells what its owner may see: so whoever changes where it goes, or what it tells, is its owner from
then on.
"""

import hashlib
from collections.abc import Iterable
from itertools import islice
from typing import Any

from zope.component import queryUtility

from waeup.kofa.errors import InvalidSettings, Outdated, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.interfaces import IDataCenterConfig
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
from waeup.kofa.letters import one_line
from waeup.kofa.operations.acting import Acting
from waeup.kofa.rights import EXPORT_DATA, IMPORT_DATA, MANAGE_PORTAL
from waeup.kofa.webhooks.addresses import Allowed, place_of
from waeup.kofa.webhooks.outbox import queue_ping
from waeup.kofa.webhooks.record import (
    EVENTS,
    MOST_WEBHOOKS,
    OFF,
    ON,
    Delivery,
    DeliveryInfo,
    Webhook,
    WebhookInfo,
    Webhooks,
    WebhookSecret,
    ensure_webhooks,
    utc_now,
    webhooks_of,
)

#: Who has this permission cares for the webhooks of all.
ALL_WEBHOOKS = MANAGE_PORTAL
#: Who has one of these has webhooks of his own.
OWN_WEBHOOKS = (IMPORT_DATA, EXPORT_DATA)
#: Webhooks of one owner at most, so that others can have some, too.
MOST_OWN = 20
#: Characters of a title at most.
MAX_TITLE = 80
#: What can be chosen of runs.
KINDS = (IMPORT, CHECK, UNDO, EXPORT, MOVE)
OUTCOMES = (FINISHED, STOPPED, CANCELLED)


class WebhookOperations(Acting):
    """See `waeup.kofa.operations.Operations`."""

    def webhooks(self) -> list[WebhookInfo]:
        """List the webhooks: all of them, or the own ones; the oldest first."""
        self._require_webhooks()
        return [_info(each) for each in self._webhooks() if self._cares_for(each)]

    def webhook(self, id: str) -> WebhookInfo:
        """Return a webhook; raises `NoSuchItem`."""
        return _info(self._webhook(id))

    def new_webhook(
        self,
        address: str,
        title: str = "",
        events: Iterable[str] = EVENTS,
        *,
        kinds: Iterable[str] = (),
        outcomes: Iterable[str] = (),
    ) -> WebhookSecret:
        """Let messages go to an address; return the secret that signs them, which is told once.

        `events` are ``run.finished``, ``export.ready`` and ``file.arrived``.  Of runs only those
        of `kinds` (``import``, ``check``, ``undo``, ``export``, ``move``) and with `outcomes`
        (``finished``, ``stopped``, ``cancelled``) are told; without any, all are.  A token has to
        allow to see all that its account may see.  Raises `InvalidSettings` for what cannot be
        one, and `Refused` when there are too many.
        """
        self._require_webhooks()
        values = self._checked(address, title, events, kinds, outcomes)
        own = sum(each.owner == self.principal.id for each in self._webhooks())
        number = own if own >= MOST_OWN else len(self._webhooks())
        if own >= MOST_OWN or number >= MOST_WEBHOOKS:
            raise Refused(
                _(
                    "There are ${n} webhooks, and no more are possible. Remove one that nobody "
                    "needs.",
                    mapping={"n": Number(number)},
                )
            )
        webhook = Webhook(
            values["title"],
            values["address"],
            values["events"],
            values["kinds"],
            values["outcomes"],
            self.principal.id,
            utc_now(),
            "" if self.grant is None else self.grant.title,
        )
        ensure_webhooks(self.datacenter).add(webhook)
        self._log_webhook("webhook made: %s, to %s", webhook)
        return WebhookSecret(webhook.id, webhook.secret)

    def change_webhook(
        self,
        id: str,
        *,
        address: str | None = None,
        title: str | None = None,
        events: Iterable[str] | None = None,
        kinds: Iterable[str] | None = None,
        outcomes: Iterable[str] | None = None,
        is_on: bool | None = None,
        version: str | None = None,
    ) -> WebhookInfo:
        """Change a webhook; what is None stays.  `is_on` turns it on or off.

        While it is off nothing is queued and nothing sent; what waits is sent when it is on again.
        Who changes address, events, kinds or outcomes owns it from then on.  `version` is that of
        the `WebhookInfo` which the change was made for: raises `Outdated` when it is another one
        by now, otherwise what `new_webhook` raises.
        """
        webhook = self._webhook(id)
        if version not in (None, _version(webhook)):
            raise Outdated(
                _(
                    "Somebody has changed this webhook meanwhile. Nothing was changed: look at "
                    "it, and repeat your change if it is right."
                )
            )
        wanted: dict[str, Any] = {"title": title, "address": address, "events": events}
        wanted |= {"kinds": kinds, "outcomes": outcomes}
        present = {name: getattr(webhook, name) for name in wanted}
        wanted = {name: present[name] if v is None else v for name, v in wanted.items()}
        # What stays may be what is not allowed any more: it is still not sent.
        values = self._checked(**wanted, is_known=address in (None, webhook.address))
        changed = [name for name, value in values.items() if value != present[name]]
        for name in changed:
            setattr(webhook, name, values[name])
        if set(changed) - {"title"}:
            webhook.owner = self.principal.id
        if is_on is not None and is_on != (webhook.state == ON):
            webhook.turn_on() if is_on else webhook.turn_off()
            changed.append("state")
        elif is_on is False and webhook.state != OFF:
            webhook.turn_off()
        if changed:
            self._log_webhook(f"webhook changed: %s, to %s: {', '.join(changed)}", webhook)
        return _info(webhook)

    def renew_webhook_secret(self, id: str) -> WebhookSecret:
        """Give a webhook a new secret, which is told once.

        For 24 hours messages are signed by both, so that the receiver has time to change it.
        """
        webhook = self._webhook(id)
        secret = webhook.renew_secret(utc_now())
        self._log_webhook("webhook has a new secret: %s, to %s", webhook)
        return WebhookSecret(webhook.id, secret)

    def remove_webhook(self, id: str) -> None:
        """Remove a webhook, with the messages that wait and the log of the others."""
        webhook = self._webhook(id)
        self._webhooks().remove(webhook)
        self._log_webhook("webhook removed: %s, to %s", webhook)

    def test_webhook(self, id: str) -> DeliveryInfo:
        """Queue a message of the type ``ping``; raises `Refused` while the webhook is off."""
        webhook = self._webhook(id)
        self._require_on(webhook)
        ping = queue_ping(webhook)
        self._log_webhook("webhook tested: %s, to %s", webhook)
        return ping.info(webhook.id)

    def deliveries(self, id: str, limit: int = 100) -> list[DeliveryInfo]:
        """List messages of a webhook: those that wait, then those that are over, the newest first.

        Those that are over are kept for 30 days, the last 200 of each webhook.
        """
        webhook = self._webhook(id)
        return [each.info(webhook.id) for each in islice(webhook.deliveries(), limit)]

    def delivery(self, id: str) -> DeliveryInfo:
        """Return a message; raises `NoSuchItem`."""
        webhook, delivery = self._delivery(id)
        return delivery.info(webhook.id)

    def deliver_again(self, delivery: str) -> DeliveryInfo:
        """Send a message once more, now, with the same id; raises `Refused` while it is off."""
        webhook, found = self._delivery(delivery)
        self._require_on(webhook)
        webhook.send_again(found, utc_now())
        self._log_webhook(f"webhook message sent again: {found.id}, %s, to %s", webhook)
        return found.info(webhook.id)

    # -- helpers ----------------------------------------------------------------------

    def _require_webhooks(self) -> None:
        # Messages tell what the owner may see, and go on when the token has ended.
        self._require_all_rights(reading=True)
        if not any(map(self.may, (ALL_WEBHOOKS, *OWN_WEBHOOKS))):
            self._require(OWN_WEBHOOKS[0])

    def _webhooks(self) -> Webhooks:
        found = webhooks_of(self.datacenter)
        return Webhooks() if found is None else found

    def _cares_for(self, webhook: Webhook) -> bool:
        return webhook.owner == self.principal.id or self.may(ALL_WEBHOOKS)

    def _webhook(self, id: str) -> Webhook:
        """Return a webhook that the person cares for; those of others are none to him."""
        self._require_webhooks()
        webhook = self._webhooks().get(id)
        if not self._cares_for(webhook):
            return Webhooks().get(id)
        return webhook

    def _delivery(self, id: str) -> tuple[Webhook, Delivery]:
        self._require_webhooks()
        webhook, delivery = self._webhooks().with_delivery(id)
        if not self._cares_for(webhook):
            return Webhooks().with_delivery(id)
        return webhook, delivery

    def _require_on(self, webhook: Webhook) -> None:
        if webhook.state != ON:
            raise Refused(
                _(
                    "The webhook ${title} is off: turn it on before.",
                    mapping={"title": webhook.title},
                )
            )

    def _checked(
        self,
        address: str,
        title: str,
        events: Iterable[str],
        kinds: Iterable[str],
        outcomes: Iterable[str],
        is_known: bool = False,
    ) -> dict[str, Any]:
        """Return the values of a webhook; raises `InvalidSettings`."""
        wrong: dict[str, Any] = {}
        address, title = address.strip(), one_line(title)
        host = ""
        try:
            host = place_of(address, _allowed()).host
        except InvalidSettings as error:
            if not is_known:
                wrong |= error.wrong
        if len(title) > MAX_TITLE:
            wrong["title"] = _(
                "The text has ${n} characters; at most ${most} are possible.",
                mapping={"n": Number(len(title)), "most": Number(MAX_TITLE)},
            )
        found: dict[str, tuple[str, ...]] = {}
        for name, given, known in (
            ("events", events, EVENTS),
            ("kinds", kinds, KINDS),
            ("outcomes", outcomes, OUTCOMES),
        ):
            chosen = set(given)
            found[name] = tuple(each for each in known if each in chosen)
            for unknown in sorted(chosen - set(known))[:1]:
                wrong[name] = _(
                    "There is no ${name}. There are: ${names}.",
                    mapping={"name": repr(unknown), "names": ", ".join(known)},
                )
        if not found["events"] and "events" not in wrong:
            wrong["events"] = _("Choose at least one of them.")
        if wrong:
            raise InvalidSettings(next(iter(wrong.values())), wrong)
        return {"address": address, "title": title or host, **found}

    def _log_webhook(self, message: str, webhook: Webhook) -> None:
        """Log what is done: with the host alone, since an address may hold what is secret."""
        host = webhook.address.partition("://")[2].partition("/")[0].partition("?")[0]
        self._log(message, webhook.id, host)


def _allowed() -> Allowed:
    return Allowed.of(queryUtility(IDataCenterConfig, default={}).get("webhook_allow", ()))


def _version(webhook: Webhook) -> str:
    values = (
        webhook.title,
        webhook.address,
        webhook.events,
        webhook.kinds,
        webhook.outcomes,
        webhook.state,
    )
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def _info(webhook: Webhook) -> WebhookInfo:
    is_former = webhook.former_until is not None and utc_now() < webhook.former_until
    return WebhookInfo(
        webhook.id,
        webhook.title,
        webhook.address,
        webhook.events,
        webhook.kinds,
        webhook.outcomes,
        webhook.owner,
        webhook.made_by,
        webhook.made_with,
        webhook.state,
        webhook.reason,
        webhook.created,
        webhook.failing_since,
        webhook.delivered,
        webhook.waiting,
        webhook.former_until if is_former else None,
        _version(webhook),
    )
