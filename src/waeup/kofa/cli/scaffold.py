"""``kofactl scaffold``: a package for the kinds of objects of a site."""

from pathlib import Path

import click

from waeup.kofa.cli.paths import Named
from waeup.kofa.cli.screen import say, say_json
from waeup.kofa.cli.settings import Settings, answer_options, pass_settings


@click.command(short_help="Write a package for kinds of your own.")
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=Named(path_type=Path),
    default=Path("."),
    help="Where the folder of the package is made (usual: here).",
)
@click.option(
    "--kind",
    "kinds",
    metavar="KIND",
    multiple=True,
    help="What one object is called; as often as wanted (usual: as the package).",
)
@answer_options
@pass_settings
def scaffold(settings: Settings, name: str, folder: Path, kinds: tuple[str, ...]) -> None:
    """Write a Python package with kinds of objects: schema, processor, tests that pass.

    What is written is yours: change it. A portal need not be there. Nothing that exists is
    overwritten.

    \b
    kofactl scaffold mammoths
    kofactl scaffold zoo --dir ~/src --kind mammoth --kind keeper
    """
    from waeup.kofa.deployment import scaffolding

    path, files = scaffolding.scaffold(name, folder, kinds)
    if settings.json:
        say_json({"package": name, "path": str(path), "files": files})
        return
    say(f"The package was written: {path}")
    say(
        f"Install and test it: pip install -e {path} && python -m unittest {name}.tests.test_kinds"
    )
    say(f"Let the portal load it, by this line in kofa.conf: package {name}")
