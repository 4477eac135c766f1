"""Every environment variable that Open Wallet reads: its name, type, default and meaning, in one place.

`environment` is read once, when the settings are imported. A value that can't be used, or a secret that is
missing in production, stops the boot with the variable's name and what was expected.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

SANDBOX = "sandbox"
PRODUCTION = "production"


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


def variable(
    doc: str,
    parse: Callable[[str], Any],
    default: Any = MISSING,
    *,
    secret: bool = False,
    required_in_production: bool = False,
) -> Any:
    """Declare one variable; without a default it must be set in every mode."""
    metadata = {
        "doc": doc,
        "parse": parse,
        "secret": secret,
        "required": default is MISSING,
        "required_in_production": required_in_production,
    }
    if default is MISSING:
        return field(metadata=metadata)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The typed values of all environment variables; a field is named as its variable, in lower case."""

    open_wallet_mode: str = variable(
        "`sandbox` has demo data, test devices and a test clock; `production` has none of them.",
        one_of(SANDBOX, PRODUCTION),
        PRODUCTION,
    )
    port: int = variable("The port that the web server listens on.", port, 8000)
    host: str = variable("The address that the web server listens on.", text, "127.0.0.1")
    database_url: str = variable(
        "The PostgreSQL database, as the application's role.", url("postgres", "postgresql"), secret=True
    )
    database_owner_url: str = variable(
        "The same database as its owner, who migrates and makes partitions; `DATABASE_URL` when empty.",
        url("postgres", "postgresql"),
        "",
        secret=True,
    )
    replica_database_url: str = variable(
        "A streaming replica for reports and history; none when empty.",
        url("postgres", "postgresql"),
        "",
        secret=True,
    )
    redis_url: str = variable(
        "Redis or Valkey for caches, counters and the Celery broker; without it PostgreSQL counts and "
        "`manage.py work` sweeps.",
        url("redis", "rediss", "unix"),
        "",
        secret=True,
    )
    secret_key: str = variable(
        "Signs sessions and keys fingerprints; 50 characters or more.", text, secret=True
    )
    allowed_hosts: tuple[str, ...] = variable(
        "Host names that are served, separated by commas.",
        names,
        ("localhost", "127.0.0.1", "[::1]"),
        required_in_production=True,
    )
    public_url: str = variable(
        "Where clients reach this installation; the base of links in answers and the issuer of tokens.",
        url("http", "https"),
        "http://localhost:8000",
        required_in_production=True,
    )
    trusted_proxies: int = variable(
        "How many proxies in front append to X-Forwarded-For; 0 believes the connection alone.", whole, 0
    )
    cors_origins: tuple[str, ...] = variable("Web origins that may call the API.", origins, ())
    log_level: str = variable(
        "The least severe level that is logged.", one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"
    )
    sentry_dsn: str = variable(
        "Where errors are reported; nowhere when empty.", url("https", "http"), "", secret=True
    )
    jwt_signing_keys: tuple[tuple[str, bytes], ...] = variable(
        "Ed25519 seeds for access tokens: the first one signs, the others still verify.",
        key_ring,
        secret=True,
    )
    encryption_keys: tuple[tuple[str, bytes], ...] = variable(
        "AES-256 keys for sealed columns: the first one seals, the others still open.", key_ring, secret=True
    )
    access_token_lifetime_s: int = variable("How long an access token is good for, in seconds.", whole, 900)
    refresh_token_lifetime_s: int = variable(
        "How long a refresh token is good for, in seconds.", whole, 14 * 86400
    )
    registration_open: bool = variable("Whether anybody may register as a customer.", flag, True)
    rate_limit_global: Rate | None = variable("Calls for each client address.", rate, Rate(100, 900))
    rate_limit_user: Rate | None = variable(
        "Calls for each customer or member of staff.", rate, Rate(50, 900)
    )
    rate_limit_payment: Rate | None = variable(
        "POST calls to payment endpoints for each user.", rate, Rate(10, 900)
    )
    rate_limit_service: Rate | None = variable(
        "Calls for each service client, instead of the other three.", rate, Rate(10000, 900)
    )
    rate_limit_login: Rate | None = variable(
        "Failed log-ins for each account and for each address.", rate, Rate(10, 900)
    )
    token_vault: str = variable(
        "Where card data is kept: `local`, `basis_theory`, `stripe` or a dotted path.", text, "local"
    )
    payment_processor: str = variable(
        "Who charges cards: `sandbox`, `stripe`, `basis_theory_proxy` or a dotted path.", text, "sandbox"
    )
    limit_maximum_balance: dict[str, int] = variable(
        "The most that a wallet may hold, in minor units by currency.", amounts_by_currency, {}
    )
    limit_per_transaction: dict[str, int] = variable(
        "The most that one payment or transfer may take out, in minor units by currency.",
        amounts_by_currency,
        {},
    )
    limit_daily_outflow: dict[str, int] = variable(
        "The most that may leave a wallet in one UTC day, in minor units by currency.",
        amounts_by_currency,
        {},
    )
    limit_monthly_outflow: dict[str, int] = variable(
        "The most that may leave a wallet in one UTC month, in minor units by currency.",
        amounts_by_currency,
        {},
    )
    demo_password: str = variable(
        "The password and client secret of the demo accounts (sandbox only).", text, "", secret=True
    )
    web_workers: int = variable("Worker processes of the web server; 0 takes one for each core.", whole, 0)
    prometheus_multiproc_dir: str = variable(
        "A folder that the web workers share their metrics in; emptied at each start.", text, ""
    )
    web_threads: int = variable("Threads of each web worker.", whole, 8)
    archive_directory: str = variable(
        "Where old months of events, audit, API log and deliveries are archived to; without it they stay.",
        text,
        "",
    )
    retention_months_events: int = variable(
        "Whole months of published events that stay in the database; 0 keeps all.", whole, 24
    )
    retention_months_audit: int = variable(
        "Whole months of the audit trail that stay in the database; 0 keeps all.", whole, 0
    )
    retention_months_api_log: int = variable(
        "Whole months of the log of API calls that stay in the database; 0 keeps all.", whole, 13
    )
    retention_months_deliveries: int = variable(
        "Whole months of webhook deliveries that stay in the database; 0 keeps all.", whole, 6
    )

    @property
    def sandbox(self) -> bool:
        """Whether this installation plays with pretended money."""
        return self.open_wallet_mode == SANDBOX


def read_environment(values: Mapping[str, str]) -> Environment:
    """Read all variables; an empty value counts as unset.

    Refuses with ImproperlyConfigured, naming the variable and what was expected, but never its value.
    """
    mode = values.get("OPEN_WALLET_MODE") or PRODUCTION
    found: dict[str, Any] = {}
    for declared in fields(Environment):
        name = declared.name.upper()
        value = values.get(name, "")
        if value:
            try:
                found[declared.name] = declared.metadata["parse"](value)
            except ValueError as expected:
                raise ImproperlyConfigured(f"{name} can't be used: expected {expected}.") from None
        elif declared.metadata["required"] or (
            mode == PRODUCTION and declared.metadata["required_in_production"]
        ):
            raise ImproperlyConfigured(f"{name} is not set: {declared.metadata['doc']}")
    return Environment(**found)


environment = read_environment(os.environ)
