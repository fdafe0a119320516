"""Import path of Kofa 1.9 for components with a log file.

Site components import `Logger` and `ILogger` from here; both live in
`waeup.kofa.logger` and `waeup.kofa.interfaces`.  Kofa 1.9 had the components
registered that were to be told that the storage had moved.  That works still, and is no
use: a logger looks for the current storage with each line that it writes.
"""

from typing import Any

import grok
from zope.interface import implementer

from waeup.kofa.interfaces import ILogger, ILoggerCollector
from waeup.kofa.logger import Logger

__all__ = ["ILogger", "ILoggerCollector", "Logger", "LoggerCollector"]


@implementer(ILoggerCollector)
class LoggerCollector(dict[str, list[Any]], grok.GlobalUtility):
    """See `ILoggerCollector`: a dict of the names of sites and their components."""

    grok.provides(ILoggerCollector)

    def getLoggers(self, site: Any) -> list[Any]:
        """See `ILoggerCollector`."""
        return list(self.get(_name_of(site), ()))

    def registerLogger(self, site: Any, logging_component: Any) -> None:
        """See `ILoggerCollector`."""
        name = _name_of(site)
        if name and logging_component not in self.get(name, ()):
            self.setdefault(name, []).append(logging_component)

    def unregisterLogger(self, site: Any, logging_component: Any) -> None:
        """See `ILoggerCollector`."""
        components = self.get(_name_of(site), [])
        if logging_component in components:
            components.remove(logging_component)


def _name_of(site: Any) -> str:
    return getattr(site, "__name__", None) or ""
