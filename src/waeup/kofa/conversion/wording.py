"""How the messages of this room show what they found, and what there is.

Cells come from outside and lists may be long: both are cut before they are shown.
"""

from collections.abc import Iterable

from waeup.kofa.i18n import MessageFactory as _

#: Characters of a cell that a message shows.
SHOWN_LENGTH = 40
#: Names that a message lists.
LISTED = 12


def shown(text: str) -> str:
    """Return `text` in quotes, control characters escaped, cut to a readable length."""
    return repr(text) if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]!r}..."


def listing(names: Iterable[str], limit: int = LISTED) -> str:
    """Return `names` in quotes, separated by commas; beyond `limit` only their number."""
    names = list(names)
    text = ", ".join(shown(name) for name in names[:limit])
    more = len(names) - limit
    if more <= 0:
        return text
    return _("${names} and ${n} more", mapping={"names": text, "n": more})
