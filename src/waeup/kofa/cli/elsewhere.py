"""A portal elsewhere, which ``--url`` names: who acts there, and what cannot be done from here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from waeup.kofa.cli.screen import bar, complain
from waeup.kofa.cli.settings import Settings
from waeup.kofa.errors import NoSuchItem, Refused

if TYPE_CHECKING:
    from waeup.kofa.api.client import Client

_MACHINE = "Log in on the machine of the portal, and give the command there."
_PEOPLE = "It is for people, not for who holds a token: log in in the browser, or"
_THERE = f"{_PEOPLE} {_MACHINE[0].lower()}{_MACHINE[1:]}"

#: Commands that work on a portal of this machine only -> why, and what to do instead.
LOCAL = {
    "run": f"It starts a portal of this machine. {_MACHINE}",
    "worker": f"It is a process of a portal of this machine. {_MACHINE}",
    "init": f"It writes a file of this machine. {_MACHINE}",
    "check-config": f"It tests a configuration of this machine. {_MACHINE}",
    "scaffold": "It writes files of this machine, and needs no portal.",
    "backup": f"It copies the files of the portal. {_MACHINE}",
    "restore-backup": f"It writes the files of a portal. {_MACHINE}",
    "migrate": f"It copies the database of the portal. {_MACHINE}",
    "users password": _THERE,
    "users logout": _THERE,
    "tokens add": _THERE,
    "tokens revoke": _THERE,
}


def require_fitting(settings: Settings, command: str) -> None:
    """Raise `Refused` when a command, or another option, does not fit ``--url``."""
    given = settings.given
    if not settings.is_elsewhere:
        raise Refused(
            "A token is for a portal elsewhere. Name its address with --url, or leave the token "
            "out."
        )
    source, way = "--url", ""
    if "url" not in given:
        source, way = "KOFA_URL", " `kofactl --url ''` is for a portal of this machine."
    if command in LOCAL:
        raise Refused(f"`kofactl {command}` cannot be used with {source}. {LOCAL[command]}{way}")
    if "user" in given:
        raise Refused(
            f"--user cannot be used with {source}: the token says who acts. Use a token of that "
            f"account.{way}"
        )
    for name in ("var", "config"):
        if name in given:
            raise Refused(
                f"--{name} names a portal of this machine, and {source} one elsewhere. Leave one "
                "of them out."
            )
        variable = f"KOFA_{name.upper()}"
        if "url" not in given and os.environ.get(variable):
            raise Refused(
                f"{variable} names a portal of this machine, and KOFA_URL one elsewhere. Unset "
                f"one of them, or say --url or --{name}."
            )
    if {"token", "token_file"} <= given:
        raise Refused("--token and --token-file both say who acts. Leave one of them out.")


@contextmanager
def connected(settings: Settings) -> Iterator["Client"]:
    """Give the operations of the portal elsewhere; raises `Refused` when they cannot be had."""
    from waeup.kofa.api.client import Client
    from waeup.kofa.api.connection import Connection, base_of

    base = base_of(settings.url, insecure_http=settings.insecure_http)
    token = _token(settings)
    with Connection(base, token, ca_file=settings.ca_file, tell=complain) as connection:
        yield Client(connection, bar)


def _token(settings: Settings) -> str:
    if settings.token_file is not None:
        try:
            with settings.token_file.open(encoding="utf-8", errors="replace") as file:
                return file.readline(2000)
        except OSError as error:
            raise NoSuchItem(
                f"The file {settings.token_file} with the token cannot be read: {error.strerror}."
            )
    if not settings.token:
        raise Refused(
            f"Who acts at {settings.url}? Give the file with a token as --token-file, or the "
            "token in the environment's KOFA_TOKEN. People make tokens on the page of their "
            "account."
        )
    return settings.token
