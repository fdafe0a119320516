"""``kofactl tokens``: access for programs."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.screen import complain, say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, acting_options, common_options, pass_settings

if TYPE_CHECKING:
    from waeup.kofa.operations import TokenInfo


@click.group(invoke_without_command=True, short_help="List, make and revoke tokens of programs.")
@common_options
@click.pass_context
def tokens(context: click.Context) -> None:
    """List the tokens by which programs act for an account; make and revoke one.

    \b
    kofactl tokens --user bola
    kofactl tokens add 'registry nightly push' --scope import --user bola
    kofactl tokens revoke 0123456789ab
    """
    if context.invoked_subcommand is None:
        context.invoke(list_tokens)


@tokens.command("list", short_help="List the tokens of an account.")
@click.option("--of", "owner", metavar="NAME", help="The account (default: the one that acts).")
@common_options
@pass_settings
def list_tokens(settings: Settings, owner: str | None = None) -> None:
    """List the tokens of the account that acts, or of another one; ended ones are among them.

    \b
    kofactl tokens list --of bola
    """
    with session(settings, asks=True) as operations:
        found = operations.tokens() if owner is None else operations.tokens_of(owner)
    if settings.json:
        say_json([_as_json(token) for token in found])
        return
    show_table(
        ("Id", "What for", "Allows", "Valid until", "Last use", "State"),
        (
            (
                token.id,
                token.title,
                ", ".join(token.scopes),
                _moment(token.expires),
                " ".join(filter(None, (_moment(token.used), token.address))),
                f"revoked by {token.revoked_by}" if token.revoked else token.state,
            )
            for token in found
        ),
    )


@tokens.command(short_help="Make a token, and show it once.")
@click.argument("title")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    metavar="SCOPE",
    help="What it allows: read, files, import, export, users or portal. May be repeated.",
)
@click.option("--days", type=int, metavar="N", help="Days for which it is valid (default: 90).")
@acting_options
@pass_settings
def add(settings: Settings, title: str, scopes: Sequence[str], days: int | None) -> None:
    """Make a token of the account that acts; TITLE says what it is for.

    The token is the only line on the standard output, and cannot be shown again.

    \b
    kofactl tokens add 'registry nightly push' --scope read --scope import --user bola
    kofactl tokens add monitoring --scope read --days 30 --user bola > token
    """
    with session(settings, write=True) as operations:
        made = operations.new_token(title, tuple(scopes), days)
    if settings.json:
        say_json({**_as_json(made.info), "token": made.text})
        return
    click.echo(made.text)
    complain(
        f"The token {made.info.id} of {made.info.user} is valid until "
        f"{_moment(made.info.expires)}. It is shown only now."
    )


@tokens.command(short_help="Let a token be of no use any more.")
@click.argument("id")
@acting_options
@pass_settings
def revoke(settings: Settings, id: str) -> None:
    """Revoke a token: programs that use it are refused at once.

    \b
    kofactl tokens revoke 0123456789ab
    """
    with session(settings, write=True) as operations:
        operations.revoke_token(id)
    if settings.json:
        say_json({"id": id})
        return
    say(f"The token {id} is revoked.")


def _as_json(token: "TokenInfo") -> dict[str, Any]:
    """Return what is known of a token."""
    return {
        "id": token.id,
        "user": token.user,
        "title": token.title,
        "scopes": list(token.scopes),
        "state": token.state,
        "made": _iso(token.made),
        "expires": _iso(token.expires),
        "last_use": _iso(token.used),
        "address": token.address or None,
        "revoked": _iso(token.revoked),
        "revoked_by": token.revoked_by or None,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _moment(moment: datetime | None) -> str:
    """Return a time as tables show it, '' for none."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")
