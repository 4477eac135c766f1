"""Whose address a request comes from, when some proxies are trusted to say so and nobody else is."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

IPV6_SITE_BITS = 64


@lru_cache(maxsize=4096)
def plain_address(text: str) -> str:
    """Read `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`; empty when it is no address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def client_address(meta: Mapping[str, Any], trusted_proxies: int) -> str:
    """Tell the client's address: the connection's, or the one that the outermost trusted proxy saw.

    Each trusted proxy appends one address to X-Forwarded-For, so the client's is the Nth from the right; what
    stands further left was written by the client. A header with fewer entries did not pass all the proxies.
    """
    if trusted_proxies:
        seen = str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",")
        if len(seen) >= trusted_proxies:
            address = plain_address(seen[-trusted_proxies])
            if address:
                return address
    return plain_address(meta.get("REMOTE_ADDR", ""))


@lru_cache(maxsize=4096)
def counted_address(address: str) -> str:
    """Tell what one client counts as: an IPv4 address, or the /64 that an IPv6 client may choose from freely."""
    if ":" not in address:
        return address
    return str(ip_network(f"{address}/{IPV6_SITE_BITS}", strict=False).network_address)
