"""Who may see a run: asked by lists of runs, and before anybody is told of one."""

from collections.abc import Callable, Iterable
from functools import cache

from zope.component import queryUtility

from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.job import MOVE_PERMISSION
from waeup.kofa.jobs.record import EXPORT, MOVE, Run
from waeup.kofa.rights import EXPORT_DATA, MANAGE_PORTAL

#: Who has this permission sees the exports of all.
ALL_EXPORTS = MANAGE_PORTAL


def may_see(
    may: Callable[[str], bool], kind: str, processor: str, needs: Iterable[str], is_own: bool
) -> bool:
    """Tell whether a person may see a run of a `kind`, and the rows that it is about.

    `may` tells whether the person has a permission, `processor` names that of the run, `needs` are
    the permissions that its file or its export needs, `is_own` says that the person ordered it.
    """
    if kind == EXPORT:
        general = () if is_own else (ALL_EXPORTS,)
        return all(map(may, {EXPORT_DATA, *needs, *general}))
    if kind == MOVE:
        return may(MOVE_PERMISSION)
    found = queryUtility(IBatchProcessor, name=processor)
    return found is not None and all(map(may, {found.permission, *(() if is_own else needs)}))


def sight_of_person(user: str, may: Callable[[str], bool]) -> Callable[[Run], bool]:
    """Return what tells of runs whether a person may see them; each right is asked once.

    `user` is the id of the person, `may` tells whether it has a permission.
    """
    may = cache(may)

    def may_see_run(run: Run) -> bool:
        order = run.order
        return may_see(may, order.kind, order.processor, run.needs, order.user == user)

    return may_see_run
