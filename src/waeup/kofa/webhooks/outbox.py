"""Queues messages, in the transaction that makes true what they tell.

Who subscribes is told only of what he may see: that is asked for here, and again when a message
is sent, since rights are taken away meanwhile.  What is told of a run is how it has ended, in
numbers: no reasons and no faults, which may cite cells.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from zope.authentication.interfaces import IAuthentication, PrincipalLookupError
from zope.component import getUtility
from zope.component.hooks import site as site_set

from waeup.kofa.errors import Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.jobs.record import EXPORT, FINISHED, Run
from waeup.kofa.jobs.sight import sight_of_person
from waeup.kofa.ledger import FileEntry
from waeup.kofa.permissions import has_permission
from waeup.kofa.rights import MANAGE_DATA_CENTER
from waeup.kofa.webhooks.record import (
    EXPORT_READY,
    FILE,
    ON,
    PING,
    RUN,
    Delivery,
    Webhook,
    new_id,
    utc_now,
    webhooks_of,
)


def tell_end_of_run(datacenter: Any, run: Run) -> None:
    """Queue messages that a run is over, and that an export is ready."""
    kind, outcome = run.order.kind, run.state
    types = [RUN, EXPORT_READY] if (kind, outcome) == (EXPORT, FINISHED) else [RUN]
    now = utc_now()
    for webhook in webhooks_of(datacenter) or ():
        wanted = [each for each in types if webhook.wants(each, kind, outcome)]
        if wanted and may_be_told(datacenter.__parent__, webhook, run):
            for each in wanted:
                webhook.queue(_delivery(each, data_of(run), now, run.id))


def tell_file(datacenter: Any, file: FileEntry) -> None:
    """Queue messages that a file has come."""
    now = utc_now()
    for webhook in webhooks_of(datacenter) or ():
        if webhook.wants(FILE) and may_be_told(datacenter.__parent__, webhook):
            data = {
                "name": file.name,
                "original": file.original,
                "owner": file.owner,
                "size": file.size,
                "digest": file.digest,
            }
            webhook.queue(_delivery(FILE, data, now))


def queue_ping(webhook: Webhook) -> Delivery:
    """Queue a message that only shows whether messages arrive; raises `Refused`."""
    data = {"webhook": webhook.id, "title": webhook.title}
    ping = _delivery(PING, data, utc_now())
    if not webhook.queue(ping):
        raise Refused(webhook.reason)
    return ping


def stop_webhooks_of(datacenter: Any, user: str) -> None:
    """Turn off the webhooks of an account that is removed.

    Another person may have its name one day: what that one may see must not go where this one
    has wanted.
    """
    for webhook in webhooks_of(datacenter) or ():
        if webhook.owner == user and webhook.state == ON:
            webhook.break_off(english(_("The account of its owner was removed.")))


def _delivery(event: str, data: Mapping[str, Any], now: datetime, run: str = "") -> Delivery:
    id = new_id(now)
    message = {"id": id, "type": event, "timestamp": _text(now), "data": data}
    return Delivery(id, event, json.dumps(message, separators=(",", ":")), now, run)


def data_of(run: Run) -> dict[str, Any]:
    """Return what is told of a run: members of what the API shows of it, under the same names."""
    order, report = run.order, run.totals()
    return {
        "id": run.id,
        "kind": order.kind,
        "state": run.state,
        "file": order.file,
        "processor": order.processor,
        "mode": order.mode,
        "owner": order.user,
        "user": run.user,
        "queued": _text(run.queued),
        "started": _text(run.started),
        "ended": _text(run.ended),
        "rows": run.progress.rows,
        "failed": run.progress.failed,
        "report": {
            "total": report.total,
            "created": report.created,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "removed": report.removed,
            "failed": report.failed,
            "finished": report.finished,
            "pending": report.pending,
        },
        "check": order.check,
        "undoes": order.undoes,
    }


def _text(moment: datetime | None) -> str | None:
    """Return a time in UTC as the API writes it."""
    return None if moment is None else moment.replace(tzinfo=None).isoformat() + "Z"


# -- rights ----------------------------------------------------------------------------------


def may_be_told(site: Any, webhook: Webhook, run: Run | None = None) -> bool:
    """Tell whether the owner of a subscription may see the data center, and a run."""
    with site_set(site):
        try:
            principal = getUtility(IAuthentication).getPrincipal(webhook.owner)
        except PrincipalLookupError:
            return False
        account = site["users"].get(webhook.owner)
        if account is not None and account.suspended:
            return False

        def may(permission: str) -> bool:
            return has_permission(principal, permission, site)

        if not may(MANAGE_DATA_CENTER):
            return False
        return run is None or sight_of_person(webhook.owner, may)(run)
