"""Messages to people about what has ended or has come, where the operator has set mail up.

A message joins the transaction: it is sent when what it tells is true.  Each person gets it in
the own language.
"""

import logging
import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email import message_from_binary_file, policy
from email.message import EmailMessage
from typing import Any

from zope.component import getUtility, queryUtility
from zope.sendmail.interfaces import IMailDelivery

from waeup.kofa.configuration import zone_of_portal
from waeup.kofa.errors import InvalidSettings, NoSuchItem, Refused
from waeup.kofa.i18n import LANGUAGES, Kept, Listing, Number
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IBatchProcessor, IDataCenterConfig
from waeup.kofa.jobs.record import IMPORT, UNDO, Run
from waeup.kofa.letters import (
    ENDED,
    ENDING,
    TEST,
    UPLOADED,
    USUAL_LANGUAGE,
    Letter,
    one_line,
    texts_of,
    write,
)
from waeup.kofa.permissions import get_role_titles_for, roles_with
from waeup.kofa.rights import IMPORT_DATA
from waeup.kofa.tokens import ending

log = logging.getLogger(__name__)

#: What an import does with the rows; a site may have modes of its own.
_MODES = {
    "create": _("create"),
    "update": _("update"),
    "upsert": _("create or update"),
    "remove": _("remove"),
}
#: Messages that are listed, and how their files begin while, and after, they are tried.
MOST_LISTED = 100
_SENDING, _REJECTED = ".sending-", ".rejected-"


@dataclass(frozen=True)
class QueuedMessage:
    """A message that waits: for whom it is, since when (UTC), and whether a server refused it."""

    id: str
    to: str
    subject: str
    date: datetime
    refused: bool


@dataclass(frozen=True)
class MailQueue:
    """How mail is set up, and what waits.

    `is_sent` says that the operator has set mail up; `sender` is whom messages come from.
    `waiting` and `refused` are numbers, `messages` the oldest of both.
    """

    is_sent: bool
    sender: str | None
    waiting: int
    refused: int
    messages: tuple[QueuedMessage, ...]


def tell_end_of_run(site: Any, run: Run) -> None:
    """Tell the import managers that an import, or an undo, has ended.

    Those who lack a permission that the kind of objects asks for are not told.  Without mail,
    or without anybody who has an address, nothing is sent.
    """
    if run.order.kind not in (IMPORT, UNDO) or not _is_wanted("tell_ends", True):
        return
    permission = getUtility(IBatchProcessor, name=run.order.processor).permission
    try:
        recipients = _recipients(site, {IMPORT_DATA, permission, *run.needs})
        _send(site, ENDED, recipients, _words_of_run(run))
    except Exception:
        # That nobody can be told must not keep the run from its end.
        log.exception("The end of the %s could not be told by mail.", run.title)


def wants_uploads() -> bool:
    """Tell whether somebody is told of uploads, thus whether a look at them is worth it."""
    return _is_wanted("tell_uploads", False)


def tell_upload(
    site: Any,
    user: str,
    original: str,
    name: str,
    rows: int | None,
    columns: Iterable[tuple[str, list[str]]],
    needs: Collection[str],
) -> None:
    """Tell the import managers of a file that has come.

    `columns` are names and the first values; `needs` are the permissions that the file needs.
    """
    try:
        words = {
            "original": original,
            "file": name,
            "user": user,
            "rows": "?" if rows is None else Number(rows),
            "columns": [
                f"{column}: {'; '.join(values)} ..." if values else column
                for column, values in columns
            ],
        }
        _send(site, UPLOADED, _recipients(site, {IMPORT_DATA, *needs}), words)
    except Exception:
        # The file has come, whether anybody is told or not.
        log.exception("The upload of %s could not be told by mail.", name)


def send_test(site: Any, account: Any) -> str:
    """Send a message to a person, and return the address.

    Raises `Refused` where nothing can be sent.
    """
    if not account.email:
        raise Refused(
            _(
                "The account ${user} has no e-mail address. Enter one, then try again.",
                mapping={"user": account.name},
            )
        )
    if queryUtility(IMailDelivery) is None or _sender() is None:
        raise Refused(
            _(
                "Mail is not set up: the operator of the server names a mail server and a sender "
                "with `kofactl run --smtp HOST --mail-from ADDRESS`."
            )
        )
    address: str = account.email
    _send(site, TEST, {_language_of(account): [address]}, {"user": account.name})
    return address


def tell_ending_tokens(site: Any, now: datetime) -> int:
    """Tell people of their tokens that end soon, of each once; return of how many.

    Nobody is told without mail, or without an address; that is made up for once there is one.
    """
    if queryUtility(IMailDelivery) is None or _sender() is None:
        return 0
    told = 0
    for token in ending(site, now):
        account = site["users"].get(token.user)
        if account is None or account.suspended or not account.email:
            continue
        end = token.expires.astimezone(zone_of_portal())
        words = {
            "user": token.user,
            "title": token.title,
            "id": token.id,
            "end": end.strftime("%Y-%m-%d %H:%M"),
        }
        _send(site, ENDING, {_language_of(account): [account.email]}, words)
        token.told = True
        told += 1
    return told


def queue() -> MailQueue:
    """Return how mail is set up, and what waits."""
    delivery = queryUtility(IMailDelivery)
    path = getattr(delivery, "queuePath", None)
    found = _files(path) if path else []
    refused = sum(name.startswith(_REJECTED) for _time, name, _path in found)
    messages = [message for each in found[:MOST_LISTED] if (message := _queued(*each))]
    return MailQueue(
        delivery is not None, _sender(), len(found) - refused, refused, tuple(messages)
    )


def refused_message(id: str) -> str:
    """Return the path of a message that a mail server has refused; raises `NoSuchItem`."""
    path = getattr(queryUtility(IMailDelivery), "queuePath", None)
    for _time, name, found in _files(path) if path else []:
        if name == _REJECTED + id:
            return found
    raise NoSuchItem(
        _("There is no refused message ${id} (any more). Look at the list.", mapping={"id": id})
    )


def send_again(id: str) -> None:
    """Let a refused message be sent once more."""
    path = refused_message(id)
    os.replace(path, os.path.join(os.path.dirname(path), id))


def discard(id: str) -> None:
    """Remove a refused message."""
    os.unlink(refused_message(id))


def check_address(address: str) -> None:
    """Raise `InvalidSettings` for what is no single e-mail address."""
    local, at, domain = address.rpartition("@")
    is_plain = all(33 <= ord(c) < 127 and c not in '<>()[]\\,;:"' for c in address)
    if not (is_plain and at and local and "@" not in local and all(domain.split("."))):
        raise InvalidSettings(
            _(
                "${text} is no e-mail address, such as portal@example.org.",
                mapping={"text": one_line(address)},
            )
        )


def _files(path: str) -> list[tuple[float, str, str]]:
    """Return time, name and path of what waits in a maildir, the oldest first."""
    found = []
    for folder in ("new", "cur"):
        with suppress(OSError), os.scandir(os.path.join(path, folder)) as entries:
            for entry in entries:
                # What is being sent has a second name meanwhile.
                if entry.name.startswith(_SENDING):
                    continue
                with suppress(FileNotFoundError):
                    found.append((_moment(entry), entry.name, entry.path))
    return sorted(found)


def _moment(entry: os.DirEntry[str]) -> float:
    """Return when a message was written: its name says it, its file is touched by attempts."""
    seconds = entry.name.removeprefix(_REJECTED).partition(".")[0]
    return float(seconds) if seconds.isdecimal() else entry.stat().st_mtime


def _queued(moment: float, name: str, path: str) -> QueuedMessage | None:
    """Return what a file says, or None when it has just been sent."""
    try:
        with open(path, "rb") as stream:
            message = message_from_binary_file(stream, policy=policy.default)
    except FileNotFoundError:
        return None
    return QueuedMessage(
        name.removeprefix(_REJECTED),
        one_line(str(message["X-Zope-To"] or message["To"] or "")),
        one_line(str(message["Subject"] or "")),
        datetime.fromtimestamp(moment, timezone.utc),
        name.startswith(_REJECTED),
    )


def _is_wanted(name: str, usually: bool) -> bool:
    """Tell whether messages of a sort are wanted, and can be sent."""
    config = queryUtility(IDataCenterConfig, default={})
    is_set_up = queryUtility(IMailDelivery) is not None and _sender() is not None
    return is_set_up and bool(config.get(name, usually))


def _sender() -> str | None:
    sender: str | None = queryUtility(IDataCenterConfig, default={}).get("mail_from")
    return sender


def _send(
    site: Any, letter: Letter, recipients: dict[str, list[str]], words: dict[str, Any]
) -> None:
    """Send a message, once in each language."""
    delivery, sender = getUtility(IMailDelivery), _sender()
    roles = ", ".join(get_role_titles_for(IMPORT_DATA))
    for language, addresses in sorted(recipients.items()):
        texts = texts_of(site, letter, language)
        all_words = {
            "portal": site.title,
            "acronym": site.acronym,
            "roles": roles,
            **words,
        }
        written = write(texts, all_words, language)
        message = EmailMessage()
        message["From"], message["To"] = sender, ", ".join(addresses)
        message["Subject"] = written.subject
        message.set_content(written.text)
        message["Content-Language"] = language
        delivery.send(sender, addresses, message.as_bytes())


def _recipients(site: Any, permissions: set[str]) -> dict[str, list[str]]:
    """Return the addresses of the accounts that have all these permissions, by language."""
    found: dict[str, set[str]] = {}
    known: set[str] = set()
    for account in site["users"].values():
        may = all(roles_with(permission) & set(account.roles) for permission in permissions)
        if may and account.email and not account.suspended and account.email not in known:
            known.add(account.email)
            found.setdefault(_language_of(account), set()).add(account.email)
    return {language: sorted(addresses) for language, addresses in found.items()}


def _language_of(account: Any) -> str:
    language = getattr(account, "language", None)
    return language if language in LANGUAGES else USUAL_LANGUAGE


def _words_of_run(run: Run) -> dict[str, Any]:
    report, order = run.totals(), run.order
    is_undo = order.kind == UNDO
    numbers = (
        (report.created, _("Brought back: ${n}") if is_undo else _("Created: ${n}")),
        (report.updated, _("Changed back: ${n}") if is_undo else _("Updated: ${n}")),
        (report.unchanged, _("Unchanged: ${n}")),
        (report.removed, _("Removed: ${n}")),
        (report.failed, _("Left alone: ${n}") if is_undo else _("Failed: ${n}")),
    )
    files = []
    if report.finished:
        files.append(_("Finished rows: ${file}", mapping={"file": report.finished}))
    if report.pending:
        text = _("Pending rows, each with its reason: ${file}", mapping={"file": report.pending})
        files.append(text)
    reasons = [Listing((Number(number), Kept(reason)), " x ") for reason, number in report.reasons]
    if reasons and report.unexplained:
        reasons.append(Listing((Number(report.unexplained), _("other reasons")), " x "))
    what = _("undo of ${file}") if is_undo else _("import of ${file}")
    return {
        "file": order.file,
        "run": _(what, mapping={"file": order.file}),
        "user": order.user,
        "mode": _MODES.get(order.mode, order.mode),
        "rows": Number(report.total),
        "failed": Number(report.failed),
        "numbers": [_(text, mapping={"n": Number(n)}) for n, text in numbers if n],
        "reasons": [_("Why rows failed:"), *reasons] if reasons else "",
        "files": files,
    }
