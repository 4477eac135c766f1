"""Where webhooks may go: to the internet, never to the machines beside us.

A name is looked up here, judged here, and the connection is opened to the very address that was judged: a name that
answers otherwise a moment later changes nothing. What isn't known to be public is refused.
"""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from django.conf import settings

from users.refusals import InvalidInput

LONGEST_URL = 2000
LOOK_UP_WITHIN_S = 3.0

# IANA's special-purpose registry, and one platform's metadata server that stands on a public address.
_CLOSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
# Global unicast alone: mapped, translated, unique local and link-local addresses are all outside of it.
_OPEN_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]{2,45}")
_VISIBLE = re.compile(r"[!-\[\]-~]+")  # visible ASCII without the backslash

_look_ups = ThreadPoolExecutor(max_workers=4, thread_name_prefix="look-up")


class AddressRefused(Exception):
    """The host's address isn't one that webhooks may go to; nothing was sent there."""


class HostUnknown(Exception):
    """The host's name has no address, or nobody tells it in time."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart once, so that what was judged and what is called can't differ."""

    host: str
    port: int
    path: str
    is_encrypted: bool
    is_loopback: bool

    @property
    def host_header(self) -> str:
        """The Host header: with the port where it isn't the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_encrypted else 80) else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Take a URL apart: https without user and fragment; in a sandbox also http to this very machine by its usual names.

    Refuses with InvalidInput, naming `url`.
    """
    if len(url) > LONGEST_URL or not _VISIBLE.fullmatch(url):
        raise _invalid(
            "The URL must be at most 2,000 visible ASCII characters; write other hosts in punycode."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _invalid("This is no URL.") from None
    host = (parts.hostname or "").lower()
    if not _HOST.fullmatch(host) or parts.username is not None or parts.password is not None:
        raise _invalid("The URL must name a host, and no user.")
    if parts.fragment or url.endswith("#"):
        raise _invalid("The URL must not have a fragment.")
    is_loopback = settings.SANDBOX and _is_loopback_by_name(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback):
        raise _invalid("The URL must start with https://.")
    if port == 0:
        raise _invalid("The URL must name a port between 1 and 65535.")
    is_encrypted = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(host, port or (443 if is_encrypted else 80), path, is_encrypted, is_loopback)


def reachable_addresses(target: Target) -> list[str]:
    """Look the host up and give its addresses, all of which webhooks may go to.

    Raises AddressRefused when one of them isn't public (loopback in a sandbox, for a target that says so by its
    name), and HostUnknown when there are none.
    """
    found = [ip_address(address) for address in look_up(target.host, target.port)]
    if not found:
        raise HostUnknown
    if not all(address.is_loopback if target.is_loopback else is_public(address) for address in found):
        raise AddressRefused
    return [str(address) for address in found]


def require_reachable(url: str) -> None:
    """Refuse with InvalidInput a URL that no webhook would ever be sent to.

    A name that nobody knows yet passes: it is looked up again, and judged, at every attempt.
    """
    target = target_of(url)
    try:
        _look_ups.submit(reachable_addresses, target).result(timeout=LOOK_UP_WITHIN_S)
    except AddressRefused:
        raise _invalid("The URL's host is not on the public internet.") from None
    except (HostUnknown, TimeoutError):
        return


def look_up(host: str, port: int) -> list[str]:
    """Ask the resolver for all addresses of a host, in its order. Raises HostUnknown."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise HostUnknown from None
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the public internet and to no network, machine or service of its own."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)


def _is_loopback_by_name(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _invalid(detail: str) -> InvalidInput:
    return InvalidInput(detail, field="url")
