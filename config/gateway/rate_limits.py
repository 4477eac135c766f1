"""The quotas of the API: for each client address, each user, each user's payments, each service client.

DRF authenticates inside the view, so that a quota by user can only be a throttle, never a middleware.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django_ratelimit import ALL
from django_ratelimit.core import _get_window, _make_cache_key
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from config.gateway.client_addresses import counted_address
from config.gateway.rate_counters import count
from config.value_forms import Rate
from events.context import current
from users.principals import Principal
from users.roles import SERVICE

if TYPE_CHECKING:
    from rest_framework.views import APIView

API = "/api/v1/"
WEBHOOKS = "/api/v1/payment/webhooks/"
PAYMENTS = ("/api/v1/payment/", "/api/v1/tokens/")
WALLETS = "/api/v1/wallet/"


@dataclass(frozen=True, slots=True)
class Usage:
    """How far one quota is used: `used` calls of `rate.limit`, until it is whole again in `left_s` seconds."""

    name: str
    rate: Rate
    used: int
    left_s: int

    @property
    def is_exceeded(self) -> bool:
        """Whether this call was one too many."""
        return self.used > self.rate.limit

    @property
    def remaining(self) -> int:
        """How many calls are left in this window."""
        return max(0, self.rate.limit - self.used)


def is_payment_call(method: str | None, path: str) -> bool:
    """Whether the call counts as a payment: POST to payment endpoints, funding and tokenization."""
    if method != "POST":
        return False
    return path.startswith(PAYMENTS) or (path.startswith(WALLETS) and path.endswith("/fund"))


def quotas_of(request: Request) -> list[tuple[str, Rate, str]]:
    """List the quotas that a call counts against: name, rate and who it is counted for."""
    path = request.path_info
    if path.startswith(WEBHOOKS):
        return []
    rates: dict[str, Rate | None] = settings.RATE_LIMITS
    principal = getattr(request, "user", None) if hasattr(request, "_user") else None
    named: list[tuple[str, str]]
    if isinstance(principal, Principal) and principal.role == SERVICE:
        named = [("service", str(principal.id))]
    else:
        named = [("global", counted_address(current().address))]
        if isinstance(principal, Principal):
            user_id = str(principal.id)
            named.append(("user", user_id))
            if is_payment_call(request.method, path):
                named.append(("payment", user_id))
    return [(name, rate, value) for name, value in named if (rate := rates[name]) is not None]


@lru_cache(maxsize=8192)
def counter_key(name: str, window: int, rate: Rate, value: str) -> str:
    """Name the counter of one quota, one caller and one window."""
    return str(_make_cache_key(name, window, (rate.limit, rate.window_s), value, ALL))


def use_quotas(request: Request) -> list[Usage]:
    """Count one call against each of its quotas, in one round trip."""
    quotas = quotas_of(request)
    if not quotas:
        return []
    now_s = int(time.time())
    left_s = {
        counter_key(name, window, rate, value): max(1, window - now_s)
        for name, rate, value in quotas
        if (window := _get_window(value, rate.window_s))
    }
    counts = count(left_s)
    return [
        Usage(name=name, rate=rate, used=counts[key], left_s=left_s[key])
        for (name, rate, _), key in zip(quotas, left_s, strict=True)
    ]


@lru_cache(maxsize=64)
def policy_header(quotas: tuple[tuple[str, Rate], ...]) -> str:
    """Render RateLimit-Policy: what the quotas are."""
    return ", ".join(f'"{name}";q={rate.limit};w={rate.window_s}' for name, rate in quotas)


def usage_header(usages: list[Usage]) -> str:
    """Render RateLimit: what remains of them."""
    return ", ".join(f'"{used.name}";r={used.remaining};t={used.left_s}' for used in usages)


class RateLimits(BaseThrottle):
    """Count a call, tell its quotas in the answer's headers, and refuse it when one of them is used up."""

    wait_s: int | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Whether no quota is exceeded."""
        usages = use_quotas(request)
        if not usages:
            return True
        view.headers["RateLimit-Policy"] = policy_header(tuple((used.name, used.rate) for used in usages))
        view.headers["RateLimit"] = usage_header(usages)
        self.wait_s = max((used.left_s for used in usages if used.is_exceeded), default=None)
        return self.wait_s is None

    def wait(self) -> float | None:
        """Tell after how many seconds the call would be let through."""
        return self.wait_s


def count_refused_call(request: Request, view: "APIView") -> None:
    """Count a call that was refused before the throttle: guessing tokens uses up the quota too."""
    if "RateLimit" not in view.headers:
        RateLimits().allow_request(request, view)
