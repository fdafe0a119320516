"""The token in each form that tells our own forms from those that other sites planted.

It belongs to the browser's session (see `ClientIdManager.form_token`) and
changes with it, so after a log-in or log-out older forms are out of date.
"""

import hmac
from typing import Any

from zope.component import getUtility
from zope.session.interfaces import IClientIdManager

#: Name of the hidden field.
TOKEN_FIELD = "form_token"  # noqa: S105  (the name of a field, not a secret)


def token_for(request: Any) -> str:
    """Return the token for the forms of this request's session; makes the session if need be."""
    return getUtility(IClientIdManager).form_token(request)


def is_valid(request: Any) -> bool:
    """Tell whether the form of this request carries the token of its session.

    The comparison takes the same time whatever was sent.
    """
    if getUtility(IClientIdManager).getRequestId(request) is None:
        return False
    sent = request.form.get(TOKEN_FIELD)
    return isinstance(sent, str) and hmac.compare_digest(
        sent.encode("utf-8", "replace"), token_for(request).encode()
    )
