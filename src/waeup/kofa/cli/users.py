"""``kofactl users``: the accounts of the portal."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, acting_options, common_options, pass_settings
from waeup.kofa.errors import Refused

if TYPE_CHECKING:
    from waeup.kofa.operations import UserInfo

_lasting = click.option(
    "--lasting", is_flag=True, help="Do not ask the person for another password at the log-in."
)
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
    with session(settings, asks=True) as operations:
        found = operations.users()
        if settings.json:
            say_json([_as_json(user) for user in found])
            return
        show_table(
            ("Name", "Title", "Email", "Roles", "Last log-in", ""),
            (
                (
                    user.name,
                    user.title,
                    user.email or "",
                    ", ".join(user.roles),
                    _moment(user.last_log_in),
                    "suspended" if user.suspended else "",
                )
                for user in found
            ),
        )


@users.command("show", short_help="Show an account.")
@click.argument("name")
@common_options
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show what is known of an account.

    \b
    kofactl users show bola
    """
    with session(settings, asks=True) as operations:
        user = operations.user(name)
    if settings.json:
        say_json(_as_json(user))
        return
    state = "suspended" if user.suspended else "can log in"
    if not user.has_password:
        state = "has no password"
    elif user.has_foreign_password and not user.suspended:
        state = "has to choose another password at the next log-in"
    show_table(
        ("What", "Value"),
        (
            ("Name", user.name),
            ("Title", user.title),
            ("Public name", user.public_name or ""),
            ("Email", user.email or ""),
            ("Phone", user.phone or ""),
            ("Language", user.language or ""),
            ("Roles", ", ".join(user.roles)),
            ("State", state),
            ("Last log-in", _moment(user.last_log_in)),
            ("Notice", user.description or ""),
        ),
    )


@users.command(short_help="Add an account.")
@click.argument("name")
@click.option("--title", required=True, help="The person's name, as it is shown.")
@click.option("--email", help="The person's address.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="May be repeated.")
@_generate
@_lasting
@common_options
@pass_settings
def add(
    settings: Settings,
    name: str,
    title: str,
    email: str | None,
    roles: Sequence[str],
    generate: bool,
    lasting: bool,
) -> None:
    """Add an account.

    The password is asked for; where nobody is at a terminal it is the first line of the input.
    Who logs in for the first time has to choose another one.

    \b
    kofactl users add bola --title 'Bola Ade' --role waeup.ImportManager
    """
    password = _password(generate)
    with session(settings, write=True) as operations:
        operations.add_user(
            name, title, password, roles=tuple(roles), email=email, lasting=lasting
        )
    _tell(settings, name, f"The account {name} was added.", password if generate else None)


@users.command("password", short_help="Set the password of an account.")
@click.argument("name")
@_generate
@_lasting
@acting_options
@pass_settings
def set_password(settings: Settings, name: str, generate: bool, lasting: bool) -> None:
    """Set the password of an account.

    The password is asked for; where nobody is at a terminal it is the first line of the input.
    All sessions of the account end, and the person has to choose another one at the next log-in.

    \b
    kofactl users password admin
    kofactl users password bola --generate
    """
    password = _password(generate)
    with session(settings, write=True) as operations:
        operations.set_password(name, password, lasting=lasting)
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
    if name is None:
        with session(settings, asks=True) as operations:
            known = operations.roles()
        if settings.json:
            say_json(
                [
                    {
                        "name": role.name,
                        "title": role.title,
                        "permissions": list(role.permissions),
                        "users": list(role.users),
                    }
                    for role in known
                ]
            )
        else:
            show_table(
                ("Role", "Title", "Accounts"),
                ((role.name, role.title, ", ".join(role.users)) for role in known),
            )
        return
    if bool(roles) == take_all:
        raise click.UsageError("Name the roles to give, or take all of them with --none.")
    with session(settings, write=True) as operations:
        operations.set_roles(name, tuple(roles))
    _tell(settings, name, f"The roles of {name}: {', '.join(roles) or 'none'}.")


@users.command("change", short_help="Change title, addresses, phone or language.")
@click.argument("name")
@click.option("--title", help="The person's name.")
@click.option("--public-name", help="Shown instead of the title.")
@click.option("--email", help="The person's address.")
@click.option("--phone", help="The person's telephone number.")
@click.option("--language", help="Language of the pages: en, de, fr.")
@click.option("--notice", "description", help="A notice for administrators.")
@common_options
@pass_settings
def change(settings: Settings, name: str, **values: str | None) -> None:
    """Change an account; an empty text takes away what is there.

    \b
    kofactl users change bola --email bola@example.org --language fr
    """
    wanted = {field: text or None for field, text in values.items() if text is not None}
    if not wanted:
        raise click.UsageError("Say what is to be changed; --help lists what can be.")
    with session(settings, write=True) as operations:
        operations.change_user(name, wanted)
    _tell(settings, name, f"The account {name} was changed.")


@users.command("suspend", short_help="Let nobody log in with an account.")
@click.argument("name")
@common_options
@pass_settings
def suspend(settings: Settings, name: str) -> None:
    """Let nobody log in with an account; its sessions end at once.

    \b
    kofactl users suspend bola
    """
    with session(settings, write=True) as operations:
        operations.suspend_user(name)
    _tell(settings, name, f"The account {name} is suspended.")


@users.command("resume", short_help="Let people log in again with an account.")
@click.argument("name")
@common_options
@pass_settings
def resume(settings: Settings, name: str) -> None:
    """Let people log in again with an account that was suspended.

    \b
    kofactl users resume bola
    """
    with session(settings, write=True) as operations:
        operations.resume_user(name)
    _tell(settings, name, f"The account {name} can be used again.")


@users.command("logout", short_help="End all sessions of an account.")
@click.argument("name")
@acting_options
@pass_settings
def log_out(settings: Settings, name: str) -> None:
    """End all sessions of an account: who uses it has to log in again.

    \b
    kofactl users logout bola
    """
    with session(settings, write=True) as operations:
        operations.end_sessions(name)
    _tell(settings, name, f"All sessions of {name} have ended.")


@users.command("remove", short_help="Remove an account.")
@click.argument("name")
@common_options
@pass_settings
def remove(settings: Settings, name: str) -> None:
    """Remove an account.

    \b
    kofactl users remove bola
    """
    with session(settings, write=True) as operations:
        operations.remove_user(name)
    _tell(settings, name, f"The account {name} was removed.")


def _as_json(user: "UserInfo") -> dict[str, Any]:
    """Return what is known of an account."""
    seen = user.last_log_in
    return {
        "name": user.name,
        "title": user.title,
        "public_name": user.public_name,
        "email": user.email,
        "phone": user.phone,
        "language": user.language,
        "notice": user.description,
        "roles": list(user.roles),
        "suspended": user.suspended,
        "has_password": user.has_password,
        "must_change_password": user.has_foreign_password,
        "last_log_in": None if seen is None else seen.isoformat(timespec="seconds"),
    }


def _moment(moment: datetime | None) -> str:
    """Return a time as tables show it, '' for none."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _password(generate: bool) -> str:
    """Return a new password, the one that is typed twice, or the first line of the input.

    It is never an argument: other users of the machine can read those.
    """
    if generate:
        from waeup.kofa.operations.passwords import new_password

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
