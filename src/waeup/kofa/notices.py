"""Messages to people about what has ended, where the operator has set mail up.

A message joins the transaction: it is sent when what it tells is true.
"""

import logging
from email.message import EmailMessage
from typing import Any

from zope.component import getUtility, queryUtility
from zope.sendmail.interfaces import IMailDelivery

from waeup.kofa.interfaces import IBatchProcessor, IDataCenterConfig
from waeup.kofa.jobs.record import CHECK, EXPORT, UNDO, Run
from waeup.kofa.permissions import get_role_titles_for, roles_with

log = logging.getLogger(__name__)

#: The permission of an import manager.
IMPORT = "waeup.importData"


def tell_end_of_run(site: Any, run: Run) -> None:
    """Tell the import managers that an import, or an undo, has ended.

    Those who lack a permission that the kind of objects asks for are not told.  Without mail,
    or without anybody who has an address, nothing is sent.
    """
    delivery = queryUtility(IMailDelivery)
    config = queryUtility(IDataCenterConfig, default={})
    sender = config.get("mail_from") if config.get("tell_ends", True) else None
    if run.order.kind in (CHECK, EXPORT) or delivery is None or sender is None:
        return
    permission = getUtility(IBatchProcessor, name=run.order.processor).permission
    recipients = _addresses(site, {IMPORT, permission, *run.needs})
    if not recipients:
        return
    try:
        message = EmailMessage()
        message["From"], message["To"] = sender, ", ".join(recipients)
        message["Subject"] = f"{site.title}: {run.title} has ended"
        message.set_content(_text(run))
        delivery.send(sender, recipients, message.as_bytes())
    except Exception:
        # That nobody can be told must not keep the run from its end.
        log.exception("The end of the %s could not be told by mail.", run.title)


def _addresses(site: Any, permissions: set[str]) -> list[str]:
    """Return the addresses of the accounts that have all these permissions."""
    found = set()
    for account in site["users"].values():
        may = all(roles_with(permission) & set(account.roles) for permission in permissions)
        if may and account.email and not account.suspended:
            found.add(account.email)
    return sorted(found)


def _text(run: Run) -> str:
    report, order = run.totals(), run.order
    is_undo = order.kind == UNDO
    lines = [
        f"The {run.title} has ended. {order.user} had ordered it.",
        "",
        f"Mode: {order.mode}",
        f"Rows: {report.total:,}",
    ]
    for number, word in (
        (report.created, "Brought back" if is_undo else "Created"),
        (report.updated, "Changed back" if is_undo else "Updated"),
        (report.unchanged, "Unchanged"),
        (report.removed, "Removed"),
        (report.failed, "Left alone" if is_undo else "Failed"),
    ):
        if number:
            lines.append(f"{word}: {number:,}")
    if report.reasons:
        lines += ["", "Why rows failed:"]
        lines += [f"  {number:,} x {reason}" for reason, number in report.reasons]
    if report.finished:
        lines += ["", f"Finished rows: {report.finished}"]
    if report.pending:
        lines.append(f"Pending rows, each with its reason: {report.pending}")
    titles = ", ".join(get_role_titles_for(IMPORT))
    lines += ["", f"You get this message as one of: {titles}."]
    return "\n".join(lines) + "\n"
