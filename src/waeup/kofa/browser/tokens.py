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
#: Name of the header in which a script sends it; no other site can make a browser send one.
TOKEN_HEADER = "X-Form-Token"  # noqa: S105  (the name of a header)


def token_for(request: Any) -> str:
    """Return the token for the forms of this request's session; makes the session if need be."""
    return getUtility(IClientIdManager).form_token(request)


def is_valid(request: Any) -> bool:
    """Tell whether the form of this request carries the token of its session."""
    return _is_of_session(request, request.form.get(TOKEN_FIELD))


def is_valid_in_header(request: Any) -> bool:
    """Tell the same of a request that a script has made, by its header."""
    return _is_of_session(request, request.getHeader(TOKEN_HEADER))


def _is_of_session(request: Any, sent: Any) -> bool:
    """Tell whether `sent` is the token; that takes the same time whatever it is."""
    if getUtility(IClientIdManager).getRequestId(request) is None:
        return False
    return isinstance(sent, str) and hmac.compare_digest(
        sent.encode("utf-8", "replace"), token_for(request).encode()
    )
