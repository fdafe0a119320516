"""What a check has said of a row, held against what the import makes of it.

People have agreed to what the check has shown them.  The row engine asks for each row whether it
turns out so; one that does not fails, and is taken back.
"""

from collections.abc import Callable

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing import report as outcomes
from waeup.kofa.importing.effects import Change, changes_text, outcome_digest

#: Outcome and digest that a check found for the row of a number; None: it did not get there.
Expected = Callable[[int], tuple[str, bytes] | None]

#: What a check has said of a row, and what it is now, with the same outcome or another.
_THEN = {
    outcomes.CREATED: _("it would have been created"),
    outcomes.UPDATED: _("it would have been updated"),
    outcomes.UNCHANGED: _("it would have been unchanged"),
    outcomes.REMOVED: _("it would have been removed"),
    outcomes.FAILED: _("it failed"),
}
_NOW = {
    outcomes.CREATED: _("it would be created"),
    outcomes.UPDATED: _("it would be updated"),
    outcomes.UNCHANGED: _("it would be unchanged"),
    outcomes.REMOVED: _("it would be removed"),
}
_NOW_OTHERWISE = {
    outcomes.CREATED: _("it would be created with other values"),
    outcomes.UPDATED: _("it would be updated with other values"),
    outcomes.UNCHANGED: _("it would be unchanged with other values"),
    outcomes.REMOVED: _("it would be removed with other values"),
}


def unexpected_failure(expected: tuple[str, bytes] | None, reason: str) -> str:
    """Return the reason of a row that failed for `reason`; it tells whether that is news."""
    if expected is None or expected[0] == outcomes.FAILED:
        return reason
    return english(_("changed since the check: ${reason}", mapping={"reason": reason}))


def unexpected_outcome(
    expected: tuple[str, bytes] | None, outcome: str, key: str, changes: tuple[Change, ...]
) -> str:
    """Return why a row that went well fails all the same, or ''.

    `key` says which object it is, `changes` what became of it.
    """
    if expected is None or expected == (
        outcome,
        outcome_digest(outcome, key, changes_text(changes)),
    ):
        return ""
    was = expected[0]
    now = _NOW_OTHERWISE[outcome] if was == outcome else _NOW[outcome]
    changed = _(
        "changed since the check: then ${then}, now ${now}. Check the file again.",
        mapping={"then": _THEN[was], "now": now},
    )
    return english(changed)
