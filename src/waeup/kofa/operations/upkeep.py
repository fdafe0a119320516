"""Operations of who keeps the portal running: maintenance mode, entries of its logs, its state."""

import os
import re
from contextlib import suppress

from zope.component import queryUtility

from waeup.kofa import journal, maintenance
from waeup.kofa.errors import NoSuchItem, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.maintenance import LONGEST_TEXT, Maintenance
from waeup.kofa.operations.acting import Acting
from waeup.kofa.operations.state import SystemState, state_of
from waeup.kofa.rights import MANAGE_PORTAL

#: The logs of programs: of processes beside each other, and those that were rotated.
_LOG = re.compile(r"(?:portal|worker|kofactl)(?:-[0-9]+)?\.log(?:\.[0-9]+)?")


class UpkeepOperations(Acting):
    """See `waeup.kofa.operations.Operations`."""

    # -- maintenance mode --------------------------------------------------------

    def maintenance(self) -> Maintenance | None:
        """Return by whom the portal is closed, since when, and what people are told."""
        self._require(MANAGE_PORTAL)
        return maintenance.maintenance_of(self.site)

    def start_maintenance(self, text: str = "") -> Maintenance:
        """Close the portal for everybody else; people are told `text`.

        Who has not closed it takes it over.  Raises `Refused` for a text that is too long.
        """
        self._require(MANAGE_PORTAL)
        text = "\n".join(line.rstrip() for line in text.strip().splitlines())
        if len(text) > LONGEST_TEXT:
            mapping = {"n": len(text), "limit": LONGEST_TEXT}
            raise Refused(
                _(
                    "The text has ${n} characters; the limit is ${limit}. Shorten it.",
                    mapping=mapping,
                )
            )
        maintenance.close_portal(self.site, self.principal.id, text)
        self._log("maintmode enabled", component=self.site)
        closed = maintenance.maintenance_of(self.site)
        assert closed is not None
        return closed

    def end_maintenance(self) -> bool:
        """Open the portal for everybody; tell whether it was closed."""
        self._require(MANAGE_PORTAL)
        if maintenance.maintenance_of(self.site) is None:
            return False
        maintenance.open_portal(self.site)
        self._log("maintmode disabled", component=self.site)
        return True

    # -- the system ----------------------------------------------------------------

    def log_entry(self, reference: str) -> str:
        """Return the entry of the portal's logs that has the reference of an error page.

        Raises `Refused` for what is no reference, and `NoSuchItem` when no log has it.
        """
        self._require(MANAGE_PORTAL)
        known = journal.read_reference(reference)
        if known is None:
            raise Refused(
                _(
                    "This is no reference. One has eight characters, such as ${example}; those "
                    "that look alike (0 and o, 1 and l and i) are in none.",
                    mapping={"example": "k7m2-9xqd"},
                )
            )
        folder = queryUtility(IDataCenterConfig, default={}).get("log_folder")
        entry = None if folder is None else journal.find_entry(_logs(folder), known)
        if entry is None:
            raise NoSuchItem(
                _(
                    "No log has the reference ${reference}. It may be mistyped, or too old: logs "
                    "are kept up to a size.",
                    mapping={"reference": known},
                )
            )
        return entry

    def system(self, fresh: bool = False) -> SystemState:
        """Return versions, sizes, what waits, and the last backup.

        Sizes of folders are counted once an hour, and with `fresh` at once.
        """
        self._require(MANAGE_PORTAL)
        return state_of(self.site, fresh)


def _logs(folder: str) -> list[str]:
    """Return the paths of the logs of all programs of the portal, the newest first."""
    names: list[str] = []
    with suppress(OSError):
        names = [name for name in os.listdir(folder) if _LOG.fullmatch(name)]
    # portal.log, portal.log.1, ...: a higher number is older.
    return [os.path.join(folder, name) for name in sorted(names)]
