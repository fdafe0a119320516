"""``kofactl webhooks``: which programs are told of what, and what became of the messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.screen import complain, say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings

if TYPE_CHECKING:
    from waeup.kofa.webhooks.record import DeliveryInfo, WebhookInfo, WebhookSecret

_event = click.option(
    "--event",
    "events",
    multiple=True,
    metavar="EVENT",
    help="run.finished, export.ready or file.arrived. May be repeated (usual: all).",
)
_kind = click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Of runs: import, check, undo, export or move. May be repeated (usual: all).",
)
_outcome = click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    metavar="OUTCOME",
    help="Of runs: finished, stopped or cancelled. May be repeated (usual: all).",
)


@click.group(invoke_without_command=True, short_help="Tell other programs what has ended.")
@common_options
@click.pass_context
def webhooks(context: click.Context) -> None:
    """List the webhooks, by which other programs are told of runs, exports and files.

    \b
    kofactl webhooks
    kofactl webhooks add https://registry.example.org/kofa --kind import
    kofactl webhooks messages 0123456789abcdef
    """
    if context.invoked_subcommand is None:
        context.invoke(list_webhooks)


@webhooks.command("list", short_help="List the webhooks.")
@common_options
@pass_settings
def list_webhooks(settings: Settings) -> None:
    """List the webhooks that you care for: all of them, or your own.

    \b
    kofactl webhooks list --json
    """
    with session(settings, asks=True) as operations:
        found = operations.webhooks()
    if settings.json:
        say_json([_as_json(webhook) for webhook in found])
        return
    show_table(
        ("Id", "Title", "Address", "Events", "Owner", "Made by", "Waiting", "Arrived", "State"),
        (
            (
                webhook.id,
                webhook.title,
                webhook.address,
                ", ".join(webhook.events),
                webhook.owner,
                _maker(webhook),
                webhook.waiting,
                _moment(webhook.delivered),
                webhook.state,
            )
            for webhook in found
        ),
        right="Waiting",
    )


@webhooks.command(short_help="Show a webhook.")
@click.argument("id")
@common_options
@pass_settings
def show(settings: Settings, id: str) -> None:
    """Show a webhook.

    \b
    kofactl webhooks show 0123456789abcdef
    """
    with session(settings, asks=True) as operations:
        found = operations.webhook(id)
    _show(settings, found)


@webhooks.command(short_help="Tell a program from now on.")
@click.argument("address")
@click.option("--title", default="", help="What it is for (usual: the host of the address).")
@_event
@_kind
@_outcome
@common_options
@pass_settings
def add(
    settings: Settings,
    address: str,
    title: str,
    events: Sequence[str],
    kinds: Sequence[str],
    outcomes: Sequence[str],
) -> None:
    """Let messages go to an address, from now on.

    The secret that signs them is the only line on the standard output, and cannot be shown again.

    \b
    kofactl webhooks add https://registry.example.org/kofa --event run.finished --kind import
    """
    from waeup.kofa.webhooks.record import EVENTS

    with session(settings, write=True) as operations:
        made = operations.new_webhook(
            address,
            title,
            tuple(events) or EVENTS,
            kinds=tuple(kinds),
            outcomes=tuple(outcomes),
        )
    _show_secret(settings, made, "The webhook {} was added.")


@webhooks.command(short_help="Change a webhook; turn it on or off.")
@click.argument("id")
@click.option("--address", help="Where messages go.")
@click.option("--title", help="What it is for.")
@_event
@_kind
@_outcome
@click.option("--all-runs", is_flag=True, help="Tell of runs of all kinds, with any outcome.")
@click.option("--on/--off", "is_on", default=None, help="Whether messages are queued and sent.")
@common_options
@pass_settings
def change(
    settings: Settings,
    id: str,
    address: str | None,
    title: str | None,
    events: Sequence[str],
    kinds: Sequence[str],
    outcomes: Sequence[str],
    all_runs: bool,
    is_on: bool | None,
) -> None:
    """Change a webhook, or turn it on or off; what is not said stays.

    While it is off nothing is queued and nothing sent; what waits is sent when it is on again.
    Who changes where it goes, or what is told, owns it from then on.

    \b
    kofactl webhooks change 0123456789abcdef --kind import --kind undo
    kofactl webhooks change 0123456789abcdef --on
    """
    with session(settings, write=True) as operations:
        found = operations.change_webhook(
            id,
            address=address,
            title=title,
            events=tuple(events) or None,
            kinds=() if all_runs else tuple(kinds) or None,
            outcomes=() if all_runs else tuple(outcomes) or None,
            is_on=is_on,
        )
    _show(settings, found)


@webhooks.command(short_help="Make a new secret, and show it once.")
@click.argument("id")
@common_options
@pass_settings
def secret(settings: Settings, id: str) -> None:
    """Give a webhook a new secret; the former one signs as well for 24 hours.

    \b
    kofactl webhooks secret 0123456789abcdef
    """
    with session(settings, write=True) as operations:
        made = operations.renew_webhook_secret(id)
    _show_secret(settings, made, "The webhook {} has a new secret.")


@webhooks.command(short_help="Send a test message.")
@click.argument("id")
@common_options
@pass_settings
def test(settings: Settings, id: str) -> None:
    """Queue a message of the type ping; the portal sends it while it runs.

    \b
    kofactl webhooks test 0123456789abcdef
    """
    with session(settings, write=True) as operations:
        message = operations.test_webhook(id)
    if settings.json:
        say_json(_message_as_json(message))
        return
    say(f"The message {message.id} waits; `kofactl webhooks messages {id}` shows what becomes.")


@webhooks.command(short_help="List messages, and what became of them.")
@click.argument("id")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help="Messages at most.")
@common_options
@pass_settings
def messages(settings: Settings, id: str, limit: int) -> None:
    """List messages of a webhook: those that wait, and the last ones of the others.

    With --json the messages themselves are among what is told.

    \b
    kofactl webhooks messages 0123456789abcdef
    """
    with session(settings, asks=True) as operations:
        found = operations.deliveries(id, limit)
    if settings.json:
        say_json([_message_as_json(message) for message in found])
        return
    show_table(
        ("Id", "Type", "Since", "State", "Attempts", "Answer", "Next attempt"),
        (
            (
                message.id,
                message.type,
                _moment(message.created),
                message.state,
                message.tries,
                message.error or message.status or "",
                _moment(message.due),
            )
            for message in found
        ),
        right="Attempts",
    )


@webhooks.command(short_help="Send a message once more.")
@click.argument("message")
@common_options
@pass_settings
def again(settings: Settings, message: str) -> None:
    """Send a message once more, with the same id, whatever became of it.

    \b
    kofactl webhooks again msg_01a226ab1f3c0123456789abcdef
    """
    with session(settings, write=True) as operations:
        found = operations.deliver_again(message)
    if settings.json:
        say_json(_message_as_json(found))
        return
    say(f"The message {found.id} is on its way again.")


@webhooks.command(short_help="Tell a program no more.")
@click.argument("id")
@common_options
@pass_settings
def remove(settings: Settings, id: str) -> None:
    """Remove a webhook, with the messages that wait.

    \b
    kofactl webhooks remove 0123456789abcdef
    """
    with session(settings, write=True) as operations:
        operations.remove_webhook(id)
    if settings.json:
        say_json({"id": id})
        return
    say(f"The webhook {id} was removed.")


def _show_secret(settings: Settings, made: "WebhookSecret", text: str) -> None:
    if settings.json:
        say_json({"id": made.id, "secret": made.secret})
        return
    click.echo(made.secret)
    complain(f"{text.format(made.id)} Its secret is shown only now.")


def _show(settings: Settings, webhook: "WebhookInfo") -> None:
    if settings.json:
        say_json(_as_json(webhook))
        return
    show_table(
        ("What", "Value"),
        (
            ("Id", webhook.id),
            ("Title", webhook.title),
            ("Address", webhook.address),
            ("Events", ", ".join(webhook.events)),
            ("Kinds of runs", ", ".join(webhook.kinds) or "all"),
            ("Outcomes", ", ".join(webhook.outcomes) or "all"),
            ("Owner", webhook.owner),
            ("Made by", _maker(webhook)),
            ("State", " ".join(filter(None, (webhook.state, webhook.reason)))),
            ("Failing since", _moment(webhook.failing_since)),
            ("Last message that arrived", _moment(webhook.delivered)),
            ("Messages that wait", webhook.waiting),
        ),
    )


def _maker(webhook: "WebhookInfo") -> str:
    """Return who has made a webhook, and by which token."""
    by = webhook.made_by
    return f"{by} (token: {webhook.made_with})" if webhook.made_with else by


def _as_json(webhook: "WebhookInfo") -> dict[str, Any]:
    """Return what is known of a webhook."""
    return {
        "id": webhook.id,
        "title": webhook.title,
        "address": webhook.address,
        "events": list(webhook.events),
        "kinds": list(webhook.kinds),
        "outcomes": list(webhook.outcomes),
        "owner": webhook.owner,
        "made_by": webhook.made_by,
        "made_with": webhook.made_with,
        "state": webhook.state,
        "reason": webhook.reason,
        "created": _iso(webhook.created),
        "failing_since": _iso(webhook.failing_since),
        "delivered": _iso(webhook.delivered),
        "waiting": webhook.waiting,
        "former_until": _iso(webhook.former_until),
    }


def _message_as_json(message: "DeliveryInfo") -> dict[str, Any]:
    """Return what is known of a message."""
    return {
        "id": message.id,
        "webhook": message.webhook,
        "type": message.type,
        "state": message.state,
        "created": _iso(message.created),
        "attempts": message.tries,
        "tried": _iso(message.tried),
        "due": _iso(message.due),
        "status": message.status,
        "answer": message.answer,
        "error": message.error,
        "body": message.body,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _moment(moment: datetime | None) -> str:
    """Return a time as tables show it, '' for none."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")
