"""How often log-ins and codes may fail: counted in PostgreSQL for each account and for each client address.

The attempt on an account is counted before the password is looked at, so that any number of guesses at the same
time gets no more than the limit; a right one clears the count. Failures of an address are counted afterwards: an
office whose people all log in at nine o'clock does not shut itself out.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from math import ceil
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from users import trail
from users.models import LoginAttempts
from users.refusals import TooManyLogins

IPV6_SITE_BITS = 64
MOST_SHOWN = 100

# One statement, so that no two attempts at once count as one; a window that is over starts anew.
COUNT_ATTEMPT = """
INSERT INTO users_loginattempts AS kept (subject, attempts, window_started_at)
VALUES (%(subject)s, 1, %(now)s)
ON CONFLICT (subject) DO UPDATE SET
    attempts = CASE WHEN kept.window_started_at <= %(cutoff)s THEN 1 ELSE kept.attempts + 1 END,
    window_started_at = CASE WHEN kept.window_started_at <= %(cutoff)s THEN %(now)s
                             ELSE kept.window_started_at END
RETURNING attempts, window_started_at
"""


def account_subject(*, kind: str, name: str) -> str:
    """Name an account's count. A digest: what people mistype, passwords among it, isn't kept in clear."""
    return f"{kind}:{hashlib.sha256(name.encode()).hexdigest()}"


def address_subject(address: str) -> str:
    """Name an address's count: IPv4 by itself, IPv6 by its /64; empty when the address isn't known."""
    try:
        version = ip_address(address).version
    except ValueError:
        return ""
    site = (
        ip_network(f"{address}/{IPV6_SITE_BITS}", strict=False).network_address if version == 6 else address
    )
    return f"address:{site}"


def admit(*, account: str, address: str) -> None:
    """Count an attempt on the account. Refuses with TooManyLogins, which says when to come back.

    The first refusal of an account is in the audit trail; it stays shut until its window is over.
    """
    rate = settings.RATE_LIMITS["login"]
    if rate is None:
        return
    window = timedelta(seconds=rate.window_s)
    now = timezone.now()
    exhausted = LoginAttempts.objects.filter(
        subject=address_subject(address), attempts__gte=rate.limit, window_started_at__gt=now - window
    ).first()
    if exhausted:
        raise _too_many(rate, exhausted.window_started_at + window - now)
    attempts, started_at = _count(account, now, window)
    if attempts > rate.limit:
        if attempts == rate.limit + 1:
            _record_lockout(account, until=started_at + window)
        raise _too_many(rate, started_at + window - now)


def count_failure(*, address: str) -> None:
    """Count a failure of the address."""
    rate = settings.RATE_LIMITS["login"]
    subject = address_subject(address)
    if rate is None or not subject:
        return
    window = timedelta(seconds=rate.window_s)
    attempts, started_at = _count(subject, timezone.now(), window)
    if attempts == rate.limit:
        _record_lockout(subject, until=started_at + window)


def shut_until(subjects: Sequence[str]) -> datetime | None:
    """Tell until when one of these subjects lets nobody try; nothing where all of them do."""
    rate = settings.RATE_LIMITS["login"]
    if rate is None:
        return None
    window = timedelta(seconds=rate.window_s)
    starts = LoginAttempts.objects.filter(
        subject__in=subjects, attempts__gte=rate.limit, window_started_at__gt=timezone.now() - window
    ).values_list("window_started_at", flat=True)
    return max(starts) + window if starts else None


def shut_addresses() -> list[tuple[str, datetime]]:
    """List the addresses from which nobody may try now, and until when; the latest ones, 100 at most."""
    rate = settings.RATE_LIMITS["login"]
    if rate is None:
        return []
    window = timedelta(seconds=rate.window_s)
    found = LoginAttempts.objects.filter(
        subject__startswith="address:",
        attempts__gte=rate.limit,
        window_started_at__gt=timezone.now() - window,
    ).order_by("-window_started_at")[:MOST_SHOWN]
    return [(one.subject.removeprefix("address:"), one.window_started_at + window) for one in found]


def forgive(*, account: str) -> None:
    """Forget the account's attempts: the last one was right."""
    LoginAttempts.objects.filter(subject=account).delete()


def forget_old_attempts(*, now: datetime) -> int:
    """Delete the counts whose window is over; tell how many."""
    rate = settings.RATE_LIMITS["login"]
    over = now - timedelta(seconds=rate.window_s if rate else 0)
    count, _ = LoginAttempts.objects.filter(window_started_at__lte=over).delete()
    return count


def _count(subject: str, now: datetime, window: timedelta) -> tuple[int, datetime]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT_ATTEMPT, {"subject": subject, "now": now, "cutoff": now - window})
        attempts, started_at = cursor.fetchone()
    return attempts, started_at


def _record_lockout(subject: str, *, until: datetime) -> None:
    kind, _, name = subject.partition(":")
    trail.record(
        actor=trail.ANYBODY,
        action="login.locked",
        object_type=f"login_{kind}",
        object_id=name,
        to_state="locked",
        after={"until": until.isoformat()},
    )


def _too_many(rate: Any, wait: timedelta) -> TooManyLogins:
    wait_s = max(1, ceil(wait.total_seconds()))
    return TooManyLogins(
        headers={
            "Retry-After": str(wait_s),
            "RateLimit-Policy": f'"login";q={rate.limit};w={rate.window_s}',
            "RateLimit": f'"login";r=0;t={wait_s}',
        }
    )
