"""What helps rows that failed for the mode of their import: another mode, if the kind has it."""

from functools import cached_property
from typing import Any, NamedTuple

import grok
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.runs.runparts import RunPart
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.actions import NO_ENTRY, THERE_ALREADY


class Advice(NamedTuple):
    """A mode in which such rows do not fail, and why they do not."""

    mode: str
    text: Any


#: Why rows fail whose objects belong to others that are not there.
_NO_PARENTS = english(_("Not all parents do exist yet."))
#: By mode: why rows fail, and what helps, the best first.
_HELP = {
    "create": (
        THERE_ALREADY,
        (
            Advice(
                "upsert",
                _(
                    "Objects of some rows are there already. The mode “Create or update” changes "
                    "these, and makes the others."
                ),
            ),
            Advice(
                "update",
                _("Objects of some rows are there already. The mode “Update” changes these."),
            ),
        ),
    ),
    "update": (
        NO_ENTRY,
        (
            Advice(
                "upsert",
                _(
                    "Objects of some rows are not there. The mode “Create or update” makes these, "
                    "and changes the others."
                ),
            ),
            Advice(
                "create", _("Objects of some rows are not there. The mode “Create” makes these.")
            ),
        ),
    ),
}


class AdvisedPart(RunPart):
    """A page that shows a run, and what helps rows that failed in it."""

    grok.baseclass()

    #: The advice, with a button that follows it.
    show_advice = ViewPageTemplateFile("advice.pt")

    @property
    def can_follow(self) -> bool:
        """Whether the advice can be followed from here."""
        raise NotImplementedError

    @property
    def lacks_parents(self) -> bool:
        """Whether rows have failed since what they belong to is not there."""
        run = self.shown
        reasons = () if run is None else run.report.reasons
        return any(reason.startswith(_NO_PARENTS) for reason, _number in reasons)

    @cached_property
    def advice(self) -> Advice | None:
        """What helps; None where no row has failed for the mode, or no other one helps."""
        run = self.shown
        is_over = run is not None and run.state == "finished" and run.undoes is None
        if not is_over or run.kind not in ("import", "check") or run.mode not in _HELP:
            return None
        reason, helping = _HELP[run.mode]
        if reason not in dict(run.report.reasons):
            return None
        modes = {info.name: info.modes for info in self.operations.processors()}
        known = modes.get(run.processor, ())
        return next((advice for advice in helping if advice.mode in known), None)
