"""``kofactl users``: the accounts of the portal."""

import sys
from collections.abc import Sequence

import click

from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import Refused

_generate = click.option(
    "--generate", is_flag=True, help="Make a password and show it, instead of asking for one."
)


@click.group(invoke_without_command=True, short_help="List, add, change and remove accounts.")
@common_options
@click.pass_context
def users(context: click.Context) -> None:
    """List the accounts; add, change and remove one.

    \b
    kofactl users
    kofactl users add bola --title 'Bola Ade' --role waeup.ImportManager
    kofactl users password admin
    """
    if context.invoked_subcommand is None:
        context.invoke(list_users)


@users.command("list", short_help="List the accounts and their roles.")
@common_options
@pass_settings
def list_users(settings: Settings) -> None:
    """List the accounts and their roles.

    \b
    kofactl users list --json
    """
    from waeup.kofa.cli.session import session

    with session(settings) as operations:
        found = operations.users()
        if settings.json:
            say_json(
                [
                    {
                        "name": user.name,
                        "title": user.title,
                        "email": user.email,
                        "roles": list(user.roles),
                        "suspended": user.suspended,
                    }
                    for user in found
                ]
            )
            return
        show_table(
            ("Name", "Title", "Email", "Roles", ""),
            (
                (
                    user.name,
                    user.title,
                    user.email or "",
                    ", ".join(user.roles),
                    "suspended" if user.suspended else "",
                )
                for user in found
            ),
        )


@users.command(short_help="Add an account.")
@click.argument("name")
@click.option("--title", required=True, help="The person's name, as it is shown.")
@click.option("--email", help="The person's address.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="May be repeated.")
@_generate
@common_options
@pass_settings
def add(
    settings: Settings,
    name: str,
    title: str,
    email: str | None,
    roles: Sequence[str],
    generate: bool,
) -> None:
    """Add an account.

    The password is asked for; where nobody is at a terminal it is the first line of the input.

    \b
    kofactl users add bola --title 'Bola Ade' --role waeup.ImportManager
    """
    from waeup.kofa.cli.session import session

    password = _password(generate)
    with session(settings, write=True) as operations:
        operations.add_user(name, title, password, roles=tuple(roles), email=email)
    _tell(settings, name, f"The account {name} was added.", password if generate else None)


@users.command("password", short_help="Set the password of an account.")
@click.argument("name")
@_generate
@common_options
@pass_settings
def set_password(settings: Settings, name: str, generate: bool) -> None:
    """Set the password of an account.

    The password is asked for; where nobody is at a terminal it is the first line of the input.

    \b
    kofactl users password admin
    kofactl users password bola --generate
    """
    from waeup.kofa.cli.session import session

    password = _password(generate)
    with session(settings, write=True) as operations:
        operations.set_password(name, password)
    _tell(settings, name, f"The password of {name} was set.", password if generate else None)


@users.command("roles", short_help="List the roles, or set those of an account.")
@click.argument("name", required=False)
@click.argument("roles", metavar="[ROLE]...", nargs=-1)
@click.option("--none", "take_all", is_flag=True, help="Take all roles from the account.")
@common_options
@pass_settings
def set_roles(settings: Settings, name: str | None, roles: Sequence[str], take_all: bool) -> None:
    """Give an account exactly these roles; without a name list the roles there are.

    \b
    kofactl users roles
    kofactl users roles bola waeup.ImportManager waeup.ExportManager
    kofactl users roles bola --none
    """
    from waeup.kofa.cli.session import session

    if name is None:
        with session(settings) as operations:
            known = operations.roles()
        if settings.json:
            say_json([{"name": role, "title": title} for role, title in known])
        else:
            show_table(("Role", "Title"), known)
        return
    if bool(roles) == take_all:
        raise click.UsageError("Name the roles to give, or take all of them with --none.")
    with session(settings, write=True) as operations:
        operations.set_roles(name, tuple(roles))
    _tell(settings, name, f"The roles of {name}: {', '.join(roles) or 'none'}.")


@users.command("remove", short_help="Remove an account.")
@click.argument("name")
@common_options
@pass_settings
def remove(settings: Settings, name: str) -> None:
    """Remove an account.

    \b
    kofactl users remove bola
    """
    from waeup.kofa.cli.session import session

    with session(settings, write=True) as operations:
        operations.remove_user(name)
    _tell(settings, name, f"The account {name} was removed.")


def _password(generate: bool) -> str:
    """Return a new password, the one that is typed twice, or the first line of the input.

    It is never an argument: other users of the machine can read those.
    """
    if generate:
        from waeup.kofa.cli.session import new_password

        return new_password()
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Refused("There is no password in the input. Write it as first line, or --generate.")
    return password


def _tell(settings: Settings, name: str, text: str, password: str | None = None) -> None:
    """Confirm a change, and show a password that was made."""
    if settings.json:
        say_json({"name": name, **({"password": password} if password else {})})
        return
    say(text)
    if password:
        say(f"The password is {password} (shown only now).")
