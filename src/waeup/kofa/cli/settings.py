"""What every command is told: the instance, the user, and the form of the answer."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from waeup.kofa.cli.paths import Named
from waeup.kofa.errors import Refused

if TYPE_CHECKING:
    from waeup.kofa.cli.instance import Instance

#: What the names of common options begin with among those of a command.
_PREFIX = "common_"

#: Variables of the environment that name paths, by the option that stands above each.
_PATHS = {"var": "KOFA_VAR", "config": "KOFA_CONFIG", "ca_file": "KOFA_CA_FILE"}

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Settings:
    """The common options; they may stand before or behind the name of a command.

    `config` is the configuration that is named (or the environment's KOFA_CONFIG), `var` the
    instance directory (or KOFA_VAR); see `instance`.  `user` is the account that acts, `json`
    says that programs read the answer.

    `url` is the address of a portal elsewhere (or KOFA_URL), and `token`, or the first line of
    `token_file`, says who acts there (or KOFA_TOKEN).  `ca_file` has the certificates that are
    trusted (or KOFA_CA_FILE); see `waeup.kofa.cli.elsewhere`.  `given` are the names of the
    options that stand on the command line.
    """

    var: Path | None = field(default_factory=lambda: _path_of("var"))
    config: Path | None = field(default_factory=lambda: _path_of("config"))
    user: str = "admin"
    json: bool = False
    url: str = field(default_factory=lambda: os.environ.get("KOFA_URL", ""))
    token: str = field(default_factory=lambda: os.environ.get("KOFA_TOKEN", ""), repr=False)
    token_file: Path | None = None
    ca_file: Path | None = field(default_factory=lambda: _path_of("ca_file"))
    insecure_http: bool = False
    given: set[str] = field(default_factory=set)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the command is for a portal elsewhere.

        What stands on the command line counts more than the environment.
        """
        return bool(self.url) and ("url" in self.given or not self.given & {"var", "config"})

    @property
    def folder(self) -> Path:
        """The instance directory, as far as it can be told without reading anything."""
        if self.var is not None:
            return self.var
        return Path("var") if self.config is None else self.config.parent

    def is_attended(self) -> bool:
        """Tell whether there is a process that works on runs; a portal elsewhere has one."""
        return self.is_elsewhere or self.instance().is_attended()

    def is_running(self) -> bool:
        """Tell whether a portal answers."""
        from waeup.kofa.api.remote import answers

        return self.is_elsewhere or answers(self.instance().socket)

    def require_named(self) -> None:
        """Raise `Refused` for a variable of the environment that should name a path, and is empty.

        A script leaves that of a variable which is not set, and does not mean the usual place.
        """
        for option in ("ca_file",) if self.is_elsewhere else ("var", "config"):
            variable = _PATHS[option]
            if option not in self.given and os.environ.get(variable) == "":
                raise Refused(
                    f"{variable} is empty. Name a path by it, or by "
                    f"--{option.replace('_', '-')}; for the usual one, unset {variable}."
                )

    def instance(self) -> "Instance":
        """Return what the command works on.

        That is the instance directory of the configuration that is named, else ``var``.  Raises
        `NoSuchItem` or `Refused` when the configuration cannot be had.
        """
        from waeup.kofa.cli.instance import Instance

        return Instance(self.folder if self.config is None else self.var, self.config)


def _path_of(option: str) -> Path | None:
    """Return what the variable of the environment for an option names, or None."""
    text = os.environ.get(_PATHS[option])
    return Path(text) if text else None


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep the value of a common option, if it was given here."""
    if value is not None and value is not False:
        settings = context.ensure_object(Settings)
        name = str(parameter.name).removeprefix(_PREFIX)
        setattr(settings, name, value)
        settings.given.add(name)


def _option(name: str, **attributes: Any) -> Callable[[Command], Command]:
    # A command may have an argument of its own that is called like one of these.
    own = _PREFIX + name.removeprefix("--").replace("-", "_")
    return click.option(name, own, expose_value=False, callback=_keep, **attributes)


def server_options(command: Command) -> Command:
    """Add ``--var`` and ``--config`` to a command that serves; it refuses ``--url`` with words."""
    return _var_options(_url_option(hidden=True)(command))


def machine_options(command: Command) -> Command:
    """Likewise to a command of this machine as whom nobody acts; it answers in JSON, too."""
    return server_options(_json_option(command))


def acting_options(command: Command) -> Command:
    """Likewise to a command of this machine that somebody does."""
    return machine_options(_user_option(command))


def answer_options(command: Command) -> Command:
    """Add ``--json`` to a command that needs no portal; it refuses ``--url`` with words."""
    return _url_option(hidden=True)(_json_option(command))


def _json_option(command: Command) -> Command:
    return _option("--json", is_flag=True, help="Answer in JSON, for programs.")(command)


def _user_option(command: Command) -> Command:
    return _option("--user", metavar="NAME", help="The account that acts (default: admin).")(
        command
    )


def _var_options(command: Command) -> Command:
    return _option(
        "--var",
        type=Named(path_type=Path),
        metavar="DIR",
        help="Instance directory (default: $KOFA_VAR, else var).",
    )(
        _option(
            "--config",
            type=Named(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Configuration (default: $KOFA_CONFIG, else kofa.conf in --var).",
        )(command)
    )


def _url_option(*, hidden: bool = False) -> Callable[[Command], Command]:
    return _option(
        "--url",
        metavar="URL",
        hidden=hidden,
        help="Address of a portal elsewhere, such as https://kofa.example.org (default: "
        "$KOFA_URL, else a portal of this machine).",
    )


def common_options(command: Command) -> Command:
    """Add the options of `Settings` to a command that works on an instance."""
    for option in (
        _option(
            "--insecure-http",
            is_flag=True,
            help="Let --url be without https: everybody on the way can read the token.",
        ),
        _option(
            "--ca-file",
            type=Named(path_type=Path),
            metavar="FILE",
            help="Certificates that are trusted with --url (default: $KOFA_CA_FILE, else those of "
            "the system).",
        ),
        _option(
            "--token",
            metavar="TEXT",
            help="The token itself. Others on the machine can see it: better use --token-file.",
        ),
        _option(
            "--token-file",
            type=Named(path_type=Path),
            metavar="FILE",
            help="File whose first line is the token for --url; without it $KOFA_TOKEN is the "
            "token itself.",
        ),
        _url_option(),
        _json_option,
        _user_option,
    ):
        command = option(command)
    return _var_options(command)


def pass_settings(command: Command) -> Command:
    """Give a command its `Settings`; refuse one that cannot work on a portal elsewhere."""

    @wraps(command)
    def checked(*args: Any, **values: Any) -> Any:
        context = click.get_current_context()
        settings = context.ensure_object(Settings)
        settings.require_named()
        if settings.is_elsewhere or settings.given & {"token", "token_file", "insecure_http"}:
            from waeup.kofa.cli.elsewhere import require_fitting

            require_fitting(settings, context.command_path.partition(" ")[2])
        return context.invoke(command, settings, *args, **values)

    wrapped: Any = checked
    return wrapped  # type: ignore[no-any-return]
