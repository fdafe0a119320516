"""``kofactl uploads``: files that come in pieces, and are not complete yet."""

from datetime import datetime

import click

from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings


@click.group(invoke_without_command=True, short_help="List and drop uploads under way.")
@common_options
@click.pass_context
def uploads(context: click.Context) -> None:
    """List the uploads that come in pieces and are not complete; drop one.

    Who manages the portal sees, and drops, those of all.

    \b
    kofactl uploads
    kofactl uploads drop 0123456789abcdef0123456789abcdef
    """
    if context.invoked_subcommand is None:
        context.invoke(list_uploads)


@uploads.command("list", short_help="List uploads under way.")
@common_options
@pass_settings
def list_uploads(settings: Settings) -> None:
    """List the uploads that are not complete: whose they are, and how much has come.

    \b
    kofactl uploads list --json
    """
    with session(settings, asks=True) as operations:
        found = operations.uploads()
    if settings.json:
        say_json(
            [
                {
                    "id": upload.id,
                    "filename": upload.filename,
                    "user": upload.owner,
                    "size": upload.size,
                    "offset": upload.offset,
                    "began": upload.began.isoformat(timespec="seconds"),
                    "expires": upload.expires.isoformat(timespec="seconds"),
                }
                for upload in found
            ]
        )
        return
    if not found:
        say("There are no uploads under way.")
        return
    show_table(
        ("Id", "Name", "Officer", "Bytes", "Of", "Goes on"),
        (
            (
                upload.id,
                upload.filename,
                upload.owner,
                f"{upload.offset:,}",
                f"{upload.size:,}",
                _moment(upload.expires),
            )
            for upload in found
        ),
        right="Bytes Of",
    )


@uploads.command(short_help="Give up an upload under way.")
@click.argument("id")
@common_options
@pass_settings
def drop(settings: Settings, id: str) -> None:
    """Give up an upload: what has come of it goes, and its sender has to begin anew.

    \b
    kofactl uploads drop 0123456789abcdef0123456789abcdef
    """
    with session(settings, write=True) as operations:
        operations.drop_upload(id)
    if settings.json:
        say_json({"id": id})
        return
    say(f"The upload {id} is dropped.")


def _moment(moment: datetime) -> str:
    """Return a time as tables show it."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
