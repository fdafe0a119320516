"""Forms that are obeyed once, since their answer shows what is shown only once.

Such an answer cannot lead to another page, so who reloads it sends the form again.  Each form
that is shown has an id; those that were obeyed are noted in the session.
"""

import secrets
from typing import Any

from zope.session.interfaces import ISession

#: Name of the hidden field.
FIELD = "form_id"
#: Where the session has the ids, the latest last, and how many of them.
SESSION_KEY, MOST = "waeup.kofa.once", 50
_BYTES = 16


def new_id() -> str:
    """Return an id for a form that is shown."""
    return secrets.token_hex(_BYTES)


def take(request: Any) -> bool:
    """Note that the form of this request is obeyed; tell whether it was not before."""
    id = request.form.get(FIELD)
    data = ISession(request)[SESSION_KEY]
    taken = data.get("taken", ())
    if not isinstance(id, str) or len(id) != 2 * _BYTES or id in taken:
        return False
    data["taken"] = (*taken, id)[-MOST:]
    return True
