"""How the business stands: what staff look at first, each figure beside the same one of the period before."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.conf import settings
from django.core.cache import cache

from events.clock import now
from transactions.integrity import PROOFS, prove
from transactions.prepared import run

PERIODS: Final = {"today": 1, "7d": 7, "30d": 30, "90d": 90}
"""Days of each period, which ends now; `today` begins at midnight in UTC, and so does the day before it."""

# These read the accounts alone; `check_books` runs the others, which read each line of the book.
CHEAP_PROOFS: Final = ("floors_hold", "debts_are_below_the_credit_line")

FLOAT: Final = (
    "SELECT currency, coalesce(sum(balance) FILTER (WHERE NOT rolled_up), 0)::bigint,"
    " -(coalesce(sum(balance) FILTER (WHERE rolled_up), 0))::bigint FROM ("
    " SELECT currency, rolled_up, balance FROM transactions_ledgeraccount UNION ALL"
    " SELECT a.currency, true, d.amount FROM transactions_delta AS d"
    "   JOIN transactions_ledgeraccount AS a ON a.id = d.account_id) AS book GROUP BY currency ORDER BY currency"
)
# What moved counts once: a transfer between wallets where it leaves.
VOLUME: Final = (
    "SELECT (l.created_at AT TIME ZONE 'UTC')::date, a.currency, l.created_at >= %s, sum(abs(l.amount))::bigint,"
    " count(*) FROM transactions_transaction AS l JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
    " WHERE l.id >= %s AND l.created_at >= %s AND l.created_at < %s AND l.status = 'completed'"
    " AND NOT a.rolled_up AND l.type <> 'transfer_in' GROUP BY 1, 2, 3 ORDER BY 1, 2"
)
ACTIVE: Final = (
    "SELECT count(DISTINCT a.owner_id) FILTER (WHERE l.created_at >= %s),"
    " count(DISTINCT a.owner_id) FILTER (WHERE l.created_at < %s)"
    " FROM transactions_transaction AS l JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
    " WHERE l.id >= %s AND l.created_at >= %s AND l.created_at < %s AND l.status = 'completed'"
    " AND a.owner_id IS NOT NULL"
)
# Each status is named, so that the index by status and time is used.
CHARGES: Final = (
    "SELECT created_at >= %s, status <> 'failed', kind, count(*) FROM payments_payment"
    " WHERE status IN ('succeeded', 'failed', 'partially_refunded', 'refunded', 'disputed')"
    " AND created_at >= %s AND created_at < %s GROUP BY 1, 2, 3"
)
WALLETS: Final = (
    "SELECT count(*) FILTER (WHERE created_at >= %s), count(*) FILTER (WHERE created_at < %s) FROM wallets_wallet"
    " WHERE status IN ('active', 'suspended', 'closed') AND created_at >= %s AND created_at < %s"
)
WAITING_REFUNDS: Final = (
    "SELECT currency, count(*), sum(amount)::bigint, min(created_at) FROM payments_refund"
    " WHERE status = 'pending' GROUP BY currency ORDER BY currency"
)
UNKNOWN: Final = "SELECT count(*), min(created_at) FROM payments_payment WHERE status = 'pending'"
BACKLOG: Final = (
    "SELECT count(*), min(created_at) FROM events_webhookdelivery WHERE status = 'pending' AND attempts = 0"
    " UNION ALL"
    " SELECT count(*), min(created_at) FROM events_webhookdelivery WHERE status = 'pending' AND attempts > 0"
)


def kept_dashboard(period: str) -> dict[str, Any]:
    """Give the figures as they were at most 30 s ago, JSON's types alone; `period` is one of PERIODS."""
    key = f"response:{settings.VERSION}:dashboard:{period}"
    kept = cache.get(key)
    if not isinstance(kept, bytes):
        kept = orjson.dumps(dashboard(period), option=orjson.OPT_UTC_Z)
        cache.set(key, kept, settings.RESPONSE_CACHE_S["dashboard"])
    found: dict[str, Any] = orjson.loads(kept)
    return found


def dashboard(period: str, *, at: datetime | None = None) -> dict[str, Any]:
    """Read the figures of a period that ends at `at`; amounts in minor units, rates in 1/10000."""
    until = at or now()
    since, before = _bounds(period, until)
    # One statement reads both sides of the float, so that money under way is on either both sides or none.
    books = _float()
    active = run(ACTIVE, (since, since, _first_id(before, until), before, until))[0]
    wallets = run(WALLETS, (since, since, before, until))[0]
    charges = run(CHARGES, (since, before, until))
    volume = run(VOLUME, (since, _first_id(before, until), before, until))
    refunds = run(WAITING_REFUNDS, ())
    unknown = run(UNKNOWN, ())[0]
    backlog = run(BACKLOG, ())
    broken = [proof.name for proof in PROOFS if proof.name in CHEAP_PROOFS and prove(proof, most=1)]
    if any(row["difference"] for row in books):
        broken.insert(0, "float_is_ledger")
    return {
        "period": period,
        "since": since,
        "until": until,
        "previous_since": before,
        "float": books,
        "volume": _volume(volume),
        "volume_by_day": [
            {"date": day, "currency": currency, "amount": amount, "count": count}
            for day, currency, is_current, amount, count in volume
            if is_current
        ],
        "payments": {
            "current": _success(charges, is_current=True),
            "previous": _success(charges, is_current=False),
        },
        "wallets_created": {"current": wallets[0], "previous": wallets[1]},
        "active_users": {"current": active[0], "previous": active[1]},
        "failed_top_ups": {
            "current": _failed_top_ups(charges, is_current=True),
            "previous": _failed_top_ups(charges, is_current=False),
        },
        "pending_refunds": {
            **_waiting(sum(row[1] for row in refunds), [row[3] for row in refunds], until),
            "amounts": [{"currency": row[0], "count": row[1], "amount": row[2]} for row in refunds],
        },
        "unknown_payments": _waiting(unknown[0], [unknown[1]], until),
        "webhook_backlog": _waiting(sum(row[0] for row in backlog), [row[1] for row in backlog], until),
        "invariants": {
            "state": "broken" if broken else "holding",
            "checked": ["float_is_ledger", *CHEAP_PROOFS],
            "broken": broken,
        },
    }


def _bounds(period: str, until: datetime) -> tuple[datetime, datetime]:
    length = timedelta(days=PERIODS[period])
    if period == "today":
        midnight = until.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight, midnight - length
    return until - length, until - 2 * length


def _first_id(since: datetime, until: datetime) -> UUID:
    """Give an id that is smaller than all that were made since: ids begin with the machine's time (RFC 9562, UUIDv7).

    A sandbox's clock may run ahead of the machine's by then, and single wallets' by more: there all lines are read.
    """
    if settings.SANDBOX or until > datetime.now(UTC):
        return UUID(int=0)
    return UUID(int=max(0, int((since - timedelta(minutes=1)).timestamp() * 1000)) << 80)


def _float() -> list[dict[str, Any]]:
    return [
        {"currency": currency, "float": wallets, "ledger": others, "difference": wallets - others}
        for currency, wallets, others in run(FLOAT, ())
    ]


def _volume(rows: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for _day, currency, is_current, amount, count in rows:
        empty = {"currency": currency, "amount": 0, "count": 0, "previous_amount": 0, "previous_count": 0}
        row = found.setdefault(currency, empty)
        before = "" if is_current else "previous_"
        row[f"{before}amount"] += amount
        row[f"{before}count"] += count
    return [found[currency] for currency in sorted(found)]


def _success(rows: Sequence[tuple[Any, ...]], *, is_current: bool) -> dict[str, int | None]:
    counts = {True: 0, False: 0}
    for of_current, has_succeeded, _kind, count in rows:
        if of_current is is_current:
            counts[has_succeeded] += count
    decided = counts[True] + counts[False]
    return {
        "succeeded": counts[True],
        "failed": counts[False],
        "success_rate_bp": counts[True] * 10_000 // decided if decided else None,
    }


def _failed_top_ups(rows: Sequence[tuple[Any, ...]], *, is_current: bool) -> int:
    return sum(
        count
        for of_current, has_succeeded, kind, count in rows
        if of_current is is_current and not has_succeeded and kind == "top_up"
    )


def _waiting(count: int, oldest: Sequence[datetime | None], at: datetime) -> dict[str, Any]:
    known = [moment for moment in oldest if moment is not None]
    first = min(known, default=None)
    age_s = None if first is None else max(0, int((at - first).total_seconds()))
    return {"count": count, "oldest_at": first, "oldest_age_s": age_s}
