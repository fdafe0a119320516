"""Writes a new ``kofa.conf``, in which every key stands with its meaning and its usual value.

The texts are those of the schema: what the file explains is what is read.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from waeup.kofa.deployment.conf import SCHEMA

#: Columns of the explanations.
WIDTH = 95

Said = Mapping[str, Mapping[str, Sequence[str]]]


def text_of(database: str, said: Said) -> str:
    """Return a configuration for a kind of `database`.

    What is `said` are values by section and key; what stands before all sections has none.
    All other keys are comments with their usual values.
    """
    import ZConfig

    schema = ZConfig.loadSchema(str(SCHEMA))
    lines = [
        *_comment(
            "The configuration of a Kofa portal, for `kofactl run`, `kofactl worker` and all "
            "other commands. `kofactl check-config` tests what it says."
        ),
        *_comment(" ".join(schema.description.split())),
        "",
    ]
    for key, info in schema:
        if key is not None:
            lines += [*_comment(info.description), *_key(info, said.get("", {})), ""]
    for _key_of, info in schema:
        if not info.issection():
            continue
        section = info.sectiontype
        if section.isabstract():
            section = section.getsubtype(database)
        lines += [*_section(section, said, info.ismulti()), ""]
    return "\n".join(lines)


def _section(section: Any, said: Said, is_many: bool) -> Iterator[str]:
    chosen = said.get(section.name)
    # One in which something must be said cannot stand there without it.
    is_off = chosen is None and any(info.minOccurs for _key_of, info in section)
    off = "# " if is_off else ""
    yield from _comment(section.description)
    yield f"{off}<{section.name}{' NAME' if is_many else ''}>"
    for _key_of, info in section:
        yield from _comment(info.description, "  ")
        yield from _key(info, chosen or {}, "  ")
    yield f"{off}</{section.name}>"


def _key(info: Any, chosen: Mapping[str, Sequence[str]], indent: str = "") -> Iterator[str]:
    """Generate the lines of a key, as comments where nothing is said."""
    if info.name in chosen:
        for value in chosen[info.name]:
            # $ begins a name that stands for something else.
            yield f"{indent}{info.name} {value.replace('$', '$$')}"
        return
    usual = None if info.ismulti() else getattr(info.getdefault(), "value", None)
    yield f"{indent}# {info.name}{'' if usual is None else ' ' + usual}"


def _comment(text: str | None, indent: str = "") -> list[str]:
    begin = f"{indent}## "
    return textwrap.wrap(
        " ".join((text or "").split()), WIDTH, initial_indent=begin, subsequent_indent=begin
    )
