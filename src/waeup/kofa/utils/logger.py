"""Import path of Kofa 1.9 for components with a log file.

Site components import `Logger` and `ILogger` from here; both live in
`waeup.kofa.logger` and `waeup.kofa.interfaces`.  Kofa 1.9 also had an
``ILoggerCollector``, with which components were registered to be told that the
storage had moved.  There is none any more: a logger looks for the current
storage with each line that it writes.
"""

from waeup.kofa.interfaces import ILogger
from waeup.kofa.logger import Logger

__all__ = ["ILogger", "Logger"]
