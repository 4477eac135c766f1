"""The forms that values of environment variables take: each reads one text, or tells what was expected.

A function raises ValueError with the expected form alone; a refused value may be a secret.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key


@dataclass(frozen=True, slots=True)
class Rate:
    """A quota: `limit` calls in each window of `window_s` seconds, written `100/15m`."""

    limit: int
    window_s: int

    def __str__(self) -> str:
        return f"{self.limit}/{self.window_s}s"


def text(value: str) -> str:
    """Take the value as it stands."""
    return value


def flag(value: str) -> bool:
    """Read `true` or `false`."""
    if value.lower() in ("true", "1", "yes", "on"):
        return True
    if value.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError("true or false")


def whole(value: str) -> int:
    """Read a whole number that isn't negative."""
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise ValueError("a whole number")
    return int(value)


def port(value: str) -> int:
    """Read a TCP port."""
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 0 < int(value) < 65536:
        raise ValueError("a port between 1 and 65535")
    return int(value)


def one_of(*choices: str) -> Callable[[str], str]:
    """Read one of the listed words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return value

    return parse


def public_key_file(value: str) -> bytes:
    """Read the PEM file of an RSA public key and give its content."""
    try:
        content = Path(value).read_bytes()
        is_rsa = isinstance(load_pem_public_key(content), RSAPublicKey)
    except (OSError, ValueError):
        is_rsa = False
    if not is_rsa:
        raise ValueError("a PEM file with an RSA public key")
    return content


def names(value: str) -> tuple[str, ...]:
    """Read a list separated by commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def url(*schemes: str) -> Callable[[str], str]:
    """Read a URL with one of the schemes."""

    def parse(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not (parts.netloc or parts.path):
            raise ValueError("a URL that starts with " + " or ".join(f"{scheme}:" for scheme in schemes))
        return value

    return parse


def origins(value: str) -> tuple[str, ...]:
    """Read web origins (`https://app.example.com`) separated by commas."""
    found = names(value)
    for origin in found:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise ValueError("origins such as https://app.example.com, separated by commas")
    return found


def origin(value: str) -> str:
    """Read one web origin (`https://cdn.example.com`)."""
    found = origins(value)
    if len(found) != 1:
        raise ValueError("an origin such as https://cdn.example.com")
    return found[0]


def key_ring(value: str) -> tuple[tuple[str, bytes], ...]:
    """Read `id:base64,id:base64`: keys of 32 bytes, the first one in use, the others still accepted."""
    expected = "id:base64,id:base64 with 32 bytes in each base64 and each id of 1 to 32 letters and digits"
    ring = []
    for part in names(value):
        name, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(expected) from None
        if len(key) != 32 or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", name):
            raise ValueError(expected)
        ring.append((name, key))
    if not ring or len({name for name, _ in ring}) != len(ring):
        raise ValueError(expected)
    return tuple(ring)


def rate(value: str) -> Rate | None:
    """Read a quota such as `100/15m` (s, m, h or d), or `off`."""
    if value == "off":
        return None
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{0,5})([smhd])", value)
    if match is None or match[1] == "0" or match[2] == "0":
        raise ValueError("a quota such as 100/15m, or off")
    unit_s = {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[3]]
    return Rate(limit=int(match[1]), window_s=int(match[2] or "1") * unit_s)


def amounts_by_currency(value: str) -> dict[str, int]:
    """Read `USD:100000,EUR:90000`: an amount in minor units for each currency, `*` for all others."""
    amounts = {}
    for part in names(value):
        match = re.fullmatch(r"([A-Z]{3}|\*):([0-9]{1,15})", part)
        if match is None:
            raise ValueError("amounts in minor units such as USD:100000,EUR:90000,*:50000")
        amounts[match[1]] = int(match[2])
    return amounts


def without_blanks(*prefixes: str) -> Callable[[str], str]:
    """Read a key that goes into an HTTP header; with prefixes, one that starts with any of them."""

    def parse(value: str) -> str:
        if not re.fullmatch(r"[!-~]+", value) or not value.startswith(prefixes or ("",)):
            form = "a key of printable characters without blanks"
            raise ValueError(form + (" that starts with " + " or ".join(prefixes) if prefixes else ""))
        return value

    return parse


def provider_base(value: str) -> str:
    """Read where a provider's API is: `https://host[:port]`, or `http:` with a loopback address (for the sandbox)."""
    expected = (
        "a base such as https://api.example.com without a path; http: for a loopback address in the sandbox"
    )
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(expected) from None
    plain = value == f"{parts.scheme}://{parts.netloc}" and re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", parts.netloc)
    if not host or not plain or parts.scheme not in ("http", "https"):
        raise ValueError(expected)
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(expected)
    return value


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def sheet_name(value: str) -> str:
    """Read a name for payment sheets: 1 to 64 printable characters, which Apple counts in UTF-8."""
    if not value.isprintable() or len(value.encode()) > 64:
        raise ValueError("a name of at most 64 bytes in UTF-8, printable")
    return value


def recipient(value: str) -> str:
    """Read whom Google signs tokens for: `merchant:` or `gateway:` and an id."""
    if not re.fullmatch(r"(merchant|gateway):[!-~]{1,100}", value):
        raise ValueError("merchant: or gateway: followed by an id")
    return value


def domain(value: str) -> str:
    """Read a fully qualified domain name, without scheme or port."""
    if not re.fullmatch(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", value):
        raise ValueError("a domain name such as wallet.example.com")
    return value


def country(value: str) -> str:
    """Read a country of ISO 3166-1 in two letters."""
    if not re.fullmatch(r"[A-Z]{2}", value):
        raise ValueError("two capital letters such as US")
    return value
