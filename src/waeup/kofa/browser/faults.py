"""What nobody expected, written to the portal's log under a reference that its page shows."""

import logging
from urllib.parse import quote

from waeup.kofa import journal

#: Header of the answer, for scripts and for proxies that keep a log.
REFERENCE_HEADER = "X-Error-Reference"

log = logging.getLogger("SiteError")


def log_fault(error: BaseException, method: str, address: str, user: str = "") -> str:
    """Log an error with its traceback; return the reference of the entry.

    Of a request there are only method, path and user: a query, a form and cookies may hold what
    is nobody's business.
    """
    reference = journal.new_reference()
    log.error(
        "%s %s %s by %s",
        journal.marked(reference),
        journal.escape_message(method),
        quote(address.partition("?")[0], safe="/:@+%[]", errors="replace"),
        journal.escape_message(user) or "nobody known",
        exc_info=(type(error), error, error.__traceback__),
    )
    return reference
