"""Who may see a run: asked by lists of runs, and before anybody is told of one."""

from collections.abc import Callable
from functools import cache

from zope.component import queryUtility

from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.job import EXPORT_PERMISSION, MOVE_PERMISSION
from waeup.kofa.jobs.record import EXPORT, MOVE, Run

#: Who has this permission sees the exports of all.
ALL_EXPORTS = "waeup.managePortal"


def sight_of_person(user: str, may: Callable[[str], bool]) -> Callable[[Run], bool]:
    """Return what tells of runs whether a person may see them; each right is asked once.

    `user` is the id of the person, `may` tells whether it has a permission.
    """
    may = cache(may)

    def may_see(run: Run) -> bool:
        is_own = run.order.user == user
        if run.order.kind == EXPORT:
            general = () if is_own else (ALL_EXPORTS,)
            return all(map(may, {EXPORT_PERMISSION, *run.needs, *general}))
        if run.order.kind == MOVE:
            return may(MOVE_PERMISSION)
        processor = queryUtility(IBatchProcessor, name=run.order.processor)
        needs = () if is_own else run.needs
        return processor is not None and all(map(may, {processor.permission, *needs}))

    return may_see
