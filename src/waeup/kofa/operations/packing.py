"""Operations on the database as a whole: former states of objects go, and what nothing refers to.

Whoever reads the database as it was at his beginning needs the states of then.  So it is packed
to a moment before all that is under way.  PostgreSQL keeps such states itself.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from waeup.kofa.jobs.record import utc_now
from waeup.kofa.operations.acting import Acting
from waeup.kofa.rights import MANAGE_PORTAL

#: Answers that are sent while they are made may have begun so long ago, but not longer.
LONGEST_ANSWER = timedelta(hours=1)


class Packed(NamedTuple):
    """What packing has done: to which `moment` (UTC), and the bytes `before` and `after`."""

    moment: datetime
    before: int
    after: int


class PackingOperations(Acting):
    """See `waeup.kofa.operations.Operations`."""

    def pack(self, days: float, *, alone: bool = False) -> Packed:
        """Give up the states that objects had before the last `days`.

        States of the last hour stay, unless the caller is `alone` with the database, and so do
        those since the beginning of a run that is under way.
        """
        self._require(MANAGE_PORTAL)
        now = utc_now()
        moments = [now - timedelta(days=days)]
        if not alone:
            moments.append(now - LONGEST_ANSWER)
        moments += [
            run.started
            for run in self.datacenter.runs.active()
            if run.started is not None and not alone
        ]
        moment = min(moments)
        database = self.site._p_jar.db()
        before = database.getSize()
        database.pack(moment.timestamp())
        packed = Packed(moment, before, database.getSize())
        self._log("database packed: to %s", moment.isoformat(timespec="seconds"))
        return packed
