"""What every command is told: the instance, the user, and the form of the answer."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Settings:
    """The common options; they may stand before or behind the name of a command.

    `var` is the instance directory (default: the environment's KOFA_VAR, else ``var``), `user`
    the account that acts, `json` says that programs read the answer.
    """

    var: Path = field(default_factory=lambda: Path(os.environ.get("KOFA_VAR") or "var"))
    user: str = "admin"
    json: bool = False


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep the value of a common option, if it was given here."""
    if value is not None and value is not False:
        setattr(context.ensure_object(Settings), str(parameter.name), value)


def _option(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    return click.option(*names, expose_value=False, callback=_keep, **attributes)


def var_option(command: Command) -> Command:
    """Add ``--var`` to a command."""
    return _option(
        "--var",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Instance directory (default: $KOFA_VAR, else var).",
    )(command)


def common_options(command: Command) -> Command:
    """Add ``--var``, ``--user`` and ``--json`` to a command that works on an instance."""
    json = _option("--json", is_flag=True, help="Answer in JSON, for programs.")
    user = _option("--user", metavar="NAME", help="The account that acts (default: admin).")
    return var_option(user(json(command)))


pass_settings = click.make_pass_decorator(Settings, ensure=True)
