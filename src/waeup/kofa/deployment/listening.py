"""Addresses on which this machine answers."""

import socket
from collections.abc import Callable

from waeup.kofa.errors import Refused


def listen(host: str, port: int, refusal: Callable[[str], str]) -> socket.socket:
    """Take an address, and return the socket that listens there.

    Port 0 stands for any free one.  Raises `Refused`, with what `refusal` makes of the reason,
    when the address cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # socket.create_server repeats the address in brackets.
        raise Refused(refusal((error.strerror or str(error)).partition(" (")[0]))
