"""How many objects an import may touch before somebody has to confirm the number.

The portal says which shares of all objects of a kind go without saying; a kind may say otherwise
(`most_removed`, `remove_share`, ...), and may have a check of its own (`checkNumbers`).
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from waeup.kofa.importing.hooks import overridden
from waeup.kofa.usual import CHANGE_SHARE, REMOVE_SHARE

#: So many objects need no confirmation, however few there are, unless the kind says so.
FEW = 10


class Numbers(NamedTuple):
    """How many objects an import is about.

    `total` objects of the kind are there, None where nobody knows.  If the numbers are `exact`, a
    check has found them; otherwise there are no more than these.
    """

    created: int = 0
    changed: int = 0
    removed: int = 0
    total: int | None = None
    exact: bool = False


class Needed(NamedTuple):
    """What has to be confirmed: numbers, 0 where none is needed, and a kind's own words for it."""

    removed: int = 0
    changed: int = 0
    words: str | None = None


def confirmation_for(
    processor: Any,
    numbers: Numbers,
    config: Mapping[str, Any],
    site: Any,
    yes_remove: int = 0,
    yes_change: int = 0,
) -> Needed | None:
    """Return what has to be confirmed before an import begins, or None.

    `config` are the figures of the portal, `yes_remove` and `yes_change` what was confirmed.
    """
    removed = _over(
        numbers.removed,
        numbers.total,
        getattr(processor, "most_removed", None),
        _share(processor, "remove_share", config, REMOVE_SHARE),
        yes_remove,
    )
    changed = _over(
        numbers.changed,
        numbers.total,
        getattr(processor, "most_changed", None),
        _share(processor, "change_share", config, CHANGE_SHARE),
        yes_change,
    )
    if removed or changed:
        return Needed(removed, changed)
    given = numbers.created + numbers.changed
    if has_own_check(processor) and (numbers.removed > yes_remove or given > yes_change):
        words = processor.checkNumbers(numbers, site)
        if words:
            is_open = numbers.removed > yes_remove
            return Needed(numbers.removed if is_open else 0, given * (given > yes_change), words)
    return None


def has_own_check(processor: Any) -> bool:
    """Tell whether a kind looks at the numbers itself."""
    return hasattr(processor, "checkNumbers") and overridden(processor, "checkNumbers")


def _share(processor: Any, name: str, config: Mapping[str, Any], usual: float) -> float:
    own = getattr(processor, name, None)
    share: float = config.get(name, usual) if own is None else own
    return share


def _over(number: int, total: int | None, most: int | None, share: float, confirmed: int) -> int:
    """Return a number that has to be confirmed, else 0."""
    if number <= confirmed:
        return 0
    if most is not None and number > most:
        return number
    # Where nobody can say how many there are, any number is a large one.
    allowed = 0 if total is None else math.floor(share * total)
    return number if number > max(FEW, allowed) else 0
