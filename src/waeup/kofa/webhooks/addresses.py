"""Where messages may go: to the public Internet by https, and to what the operator allows.

Who makes a subscription chooses an address, and the portal's own machine would go there: to the
services of its network, to the metadata of its cloud.  So a name is resolved here, every address
that it has must be a public one, and the connection goes to just that address (`sending`): a name
that means something else a moment later gains nothing.

The operator allows networks (``10.1.0.0/16``), single addresses, and hosts by name: these may be
anything, and be reached by http, too.
"""

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import NamedTuple
from urllib.parse import urlsplit

from waeup.kofa.errors import InvalidSettings, Refused
from waeup.kofa.i18n import MessageFactory as _

Address = IPv4Address | IPv6Address
#: Gives the addresses, as text, of a host name and a port.
Resolve = Callable[[str, int], list[str]]

#: Characters of an address at most.
LONGEST = 1000
#: Ports by scheme.
PORTS = {"https": 443, "http": 80}
#: Public addresses are reached at 443 and from this port on: what is below belongs to services
#: that have no business with us.
FIRST_PORT = 1024

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_PLAIN = re.compile(r"[!#$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]+")
#: Networks whose addresses have one of version 4 at their end.
_WITH_V4 = (ip_network("::ffff:0:0/96"), ip_network("64:ff9b::/96"))
#: What is no destination though its numbers look public, at least to older releases of Python:
#: assignments of protocols, where clouds have metadata, too, relays of 6to4, Teredo,
#: documentation, 6to4, local NAT64, segment routing.
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",
            "192.88.99.0/24",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "3fff::/20",
            "5f00::/16",
            "64:ff9b:1::/48",
            "fec0::/10",
        ),
    )
)


class Place(NamedTuple):
    """An address in its parts; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def netloc(self) -> str:
        """What a Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class Allowed:
    """What the operator allows besides the public Internet."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Allowed":
        """Return what texts allow; raises ValueError for what is no network, address or host."""
        networks, hosts = [], set()
        for text in texts:
            try:
                networks.append(ip_network(text.strip("[]")))
                continue
            except ValueError:
                pass
            if not _HOST.fullmatch(text) or _is_number(text):
                raise ValueError(
                    f"{text!r} is no network such as 10.1.0.0/16, no address and no name of a host"
                )
            hosts.add(text.lower())
        return cls(tuple(networks), frozenset(hosts))

    def has_host(self, host: str) -> bool:
        """Tell whether a host may be anything."""
        return host in self.hosts

    def has(self, address: Address) -> bool:
        """Tell whether an address is in an allowed network."""
        return any(
            each.version == network.version and each in network
            for each in (address, *_inside(address))
            for network in self.networks
        )


def place_of(text: str, allowed: Allowed) -> Place:
    """Return the parts of an address; raises `InvalidSettings` when nothing may be sent there.

    That of a host that is a number is judged at once, a name only when it is resolved.
    """
    wrong = _wrong(text, allowed)
    if wrong is not None:
        raise InvalidSettings(wrong, {"address": wrong})
    return _parts(text)


def _parts(text: str) -> Place:
    parts = urlsplit(text)
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    host = (parts.hostname or "").lower()
    return Place(parts.scheme, host, parts.port or PORTS[parts.scheme], target)


def _wrong(text: str, allowed: Allowed) -> str | None:
    """Return what is wrong with an address, or None."""
    if len(text) > LONGEST or not _PLAIN.fullmatch(text):
        return _(
            "An address has at most ${n} characters, and no blanks or letters with accents: "
            "write those as %20 and the like.",
            mapping={"n": LONGEST},
        )
    try:
        parts = urlsplit(text)
        port, host = parts.port, (parts.hostname or "").lower()
    except ValueError:
        parts, port, host = None, None, ""
    is_host = ":" in host if parts and "[" in parts.netloc else _HOST.fullmatch(host)
    if parts is None or parts.scheme not in PORTS or not is_host:
        return _("This is no address such as https://example.org/kofa.")
    if "@" in parts.netloc:
        return _("An address has no user and no password: the signature says who sends.")
    if "#" in text:
        return _("An address has no part behind #, which is never sent.")
    number = _address(host)
    if ":" in host and number is None:
        return _("This is no address such as https://example.org/kofa.")
    is_allowed = allowed.has_host(host) or (number is not None and allowed.has(number))
    if is_allowed:
        return None
    if number is not None and not is_public(number):
        return _not_public(host)
    if number is None and allowed.networks:
        # Where that is will be seen when it is resolved.
        return None
    if parts.scheme != "https":
        return _(
            "Messages go by https. The operator of the server can allow http for single hosts "
            "(<webhooks> in kofa.conf)."
        )
    return _wrong_port(port or PORTS["https"])


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host name; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def destinations(place: Place, allowed: Allowed, resolve: Resolve = resolved) -> list[str]:
    """Return the addresses, as numbers, at which a place may be reached now.

    Raises `Refused` when any of its addresses is none that messages may go to, and OSError.
    """
    number = _address(place.host)
    texts = [place.host] if number is not None else resolve(place.host, place.port)
    if allowed.has_host(place.host):
        return texts
    for text in texts:
        address = _address(text)
        if address is not None and allowed.has(address):
            continue
        if address is None or not is_public(address):
            raise Refused(_not_public(place.host))
        if place.scheme != "https":
            raise Refused(
                _(
                    "Messages go by https, and ${host} is at no address for which the operator of "
                    "the server allows http.",
                    mapping={"host": place.host},
                )
            )
        wrong = _wrong_port(place.port)
        if wrong is not None:
            raise Refused(wrong)
    if not texts:
        raise OSError("no address")
    return texts


def is_public(address: Address) -> bool:
    """Tell whether an address, and one that is inside it, is of the public Internet."""
    special = (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or address.is_link_local
        or address.is_loopback
        or address.is_unspecified
    )
    inside = _inside(address)
    if inside:
        return all(map(is_public, inside))
    is_odd = any(address.version == each.version and address in each for each in _NOT_PUBLIC)
    return not special and not is_odd


def _inside(address: Address) -> list[IPv4Address]:
    """Return the address of version 4 that one of version 6 stands for."""
    return [
        IPv4Address(int(address) & 0xFFFFFFFF)
        for network in _WITH_V4
        if address.version == network.version and address in network
    ]


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_number(text: str) -> bool:
    """Tell whether a text is a number as the system would read it, such as 127.1 or 0x7f000001."""
    return re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)", text.lower().rpartition(".")[2]) is not None


def _not_public(host: str) -> str:
    return _(
        "${host} is not on the public Internet. The operator of the server can allow it "
        "(<webhooks> in kofa.conf).",
        mapping={"host": host},
    )


def _wrong_port(port: int) -> str | None:
    if port == PORTS["https"] or port >= FIRST_PORT:
        return None
    return _(
        "Port ${port} is not for webhooks: take 443, or one from ${first} on.",
        mapping={"port": port, "first": FIRST_PORT},
    )
