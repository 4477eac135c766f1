"""How the business stands: what staff look at first, each figure beside the same one of the period before."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from django.conf import settings
from django.core.cache import cache

from events.clock import now
from payments.floats import CHEAP_PROOFS, Floats, known_floats
from payments.hour_figures import ask, hour_of, id_bounds

PERIODS: Final = {"today": 1, "7d": 7, "30d": 30, "90d": 90}
"""Days of each period, which ends now and begins at a full hour; `today` begins at midnight in UTC, and so does the day
before it."""

# Closed hours are rolled up; what stands beyond them is read from the book. What moved counts once: a transfer between
# wallets where it leaves.
VOLUME: Final = (
    "SELECT day, currency, is_current, sum(amount)::bigint, sum(count)::bigint FROM ("
    " SELECT (hour AT TIME ZONE 'UTC')::date AS day, currency, hour >= %s AS is_current, amount, count"
    "   FROM payments_hourvolume WHERE hour >= %s AND hour < %s UNION ALL"
    " SELECT (l.created_at AT TIME ZONE 'UTC')::date, a.currency, l.created_at >= %s, abs(l.amount), 1"
    "   FROM transactions_transaction AS l JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
    "   WHERE l.id >= %s AND l.created_at >= %s AND l.created_at < %s AND l.status = 'completed'"
    "   AND NOT a.rolled_up AND l.type <> 'transfer_in') AS moved GROUP BY 1, 2, 3 ORDER BY 1, 2"
)
ACTIVE: Final = (
    "WITH tail AS (SELECT DISTINCT a.owner_id"
    "   FROM transactions_transaction AS l JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
    "   WHERE l.id >= %s AND l.created_at >= %s AND l.created_at < %s AND a.owner_id IS NOT NULL)"
    " SELECT (SELECT count(*) FROM payments_customeractivity WHERE last_hour >= %s)"
    "   + (SELECT count(*) FROM tail AS t WHERE NOT EXISTS (SELECT FROM payments_customeractivity AS c"
    "     WHERE c.user_id = t.owner_id AND c.last_hour >= %s))"
)
# The days before ended with this hour; an installation that began later had nobody in them.
ACTIVE_BEFORE: Final = (
    "SELECT CASE WHEN p.next_hour < %s THEN NULL ELSE coalesce((SELECT CASE %s WHEN 1 THEN h.active_1d"
    "   WHEN 7 THEN h.active_7d WHEN 30 THEN h.active_30d WHEN 90 THEN h.active_90d END"
    "   FROM payments_hourfigures AS h WHERE h.hour = %s), 0) END FROM payments_figuresplace AS p WHERE p.id = 1"
)
# Each status is named, so that the index by status and time is used.
CHARGES: Final = (
    "SELECT day, is_current, sum(succeeded)::bigint, sum(failed)::bigint, sum(failed_top_ups)::bigint FROM ("
    " SELECT (hour AT TIME ZONE 'UTC')::date AS day, hour >= %s AS is_current, succeeded, failed, failed_top_ups"
    "   FROM payments_hourfigures WHERE hour >= %s AND hour < %s UNION ALL"
    " SELECT (created_at AT TIME ZONE 'UTC')::date, created_at >= %s, (status <> 'failed')::int,"
    "   (status = 'failed')::int, (status = 'failed' AND kind = 'top_up')::int FROM payments_payment"
    "   WHERE status IN ('succeeded', 'failed', 'partially_refunded', 'refunded', 'disputed')"
    "   AND created_at >= %s AND created_at < %s) AS decided GROUP BY day, is_current"
    " HAVING sum(succeeded + failed) > 0 ORDER BY day"
)
WALLETS: Final = (
    "SELECT coalesce(sum(created) FILTER (WHERE is_current), 0)::bigint,"
    "   coalesce(sum(created) FILTER (WHERE NOT is_current), 0)::bigint FROM ("
    " SELECT hour >= %s AS is_current, wallets_created AS created FROM payments_hourfigures"
    "   WHERE hour >= %s AND hour < %s UNION ALL"
    " SELECT created_at >= %s, 1 FROM wallets_wallet"
    "   WHERE status IN ('active', 'suspended', 'closed') AND created_at >= %s AND created_at < %s) AS opened"
)
WAITING_REFUNDS: Final = (
    "SELECT currency, count(*), sum(amount)::bigint, min(created_at) FROM payments_refund"
    " WHERE status = 'pending' GROUP BY currency ORDER BY currency"
)
BREAKS: Final = (
    "SELECT count(*), min(created_at), (SELECT max(created_at) FROM payments_settlementimport)"
    " FROM payments_settlementbreak WHERE status IN ('open', 'proposed')"
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
    """Read the figures of a period that ends at `at`, now by default; amounts in minor units, rates in 1/10000.

    What waits is what waits now, and `at` is no earlier than the hours that are closed. The float and its proofs are
    those of `float_at`, which the roll-up's last pass over the accounts was; "late" is the proofs' state when that is
    too long ago to say that they hold.
    """
    until = at or now()
    since, before = _bounds(period, until)
    # Hours before this one are rolled up.
    closed = max(before, min(_closed_to(), hour_of(until)))
    floats = known_floats()
    counted_at = until - floats.age
    sides = (since, before, closed, since)
    first_id, _ = id_bounds(closed, until)
    wallets = ask(WALLETS, (*sides, closed, until))[0]
    charges = ask(CHARGES, (*sides, closed, until))
    volume = ask(VOLUME, (*sides, first_id, closed, until))
    recent = max(closed, since)
    active = ask(ACTIVE, (id_bounds(recent, until)[0], recent, until, since, since))[0][0]
    active_before = ask(ACTIVE_BEFORE, (since, PERIODS[period], since - timedelta(hours=1)))
    refunds = ask(WAITING_REFUNDS, ())
    unknown = ask(UNKNOWN, ())[0]
    backlog = ask(BACKLOG, ())
    breaks = ask(BREAKS, ())[0]
    return {
        "period": period,
        "since": since,
        "until": until,
        "previous_since": before,
        "float": [
            {
                "currency": each.currency,
                "float": each.wallets,
                "ledger": each.ledger,
                "difference": each.difference,
            }
            for each in floats.currencies
        ],
        "float_at": counted_at,
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
        "payments_by_day": [
            {"date": day, "succeeded": succeeded, "failed": failed}
            for day, is_current, succeeded, failed, _failed_top_ups in charges
            if is_current
        ],
        "wallets_created": {"current": wallets[0], "previous": wallets[1]},
        "active_users": {"current": active, "previous": active_before[0][0] if active_before else None},
        "failed_top_ups": {
            "current": sum(row[4] for row in charges if row[1]),
            "previous": sum(row[4] for row in charges if not row[1]),
        },
        "pending_refunds": {
            **_waiting(sum(row[1] for row in refunds), [row[3] for row in refunds], until),
            "amounts": [{"currency": row[0], "count": row[1], "amount": row[2]} for row in refunds],
        },
        "unknown_payments": _waiting(unknown[0], [unknown[1]], until),
        "webhook_backlog": _waiting(sum(row[0] for row in backlog), [row[1] for row in backlog], until),
        "reconciliation": {**_waiting(breaks[0], [breaks[1]], until), "last_report_at": breaks[2]},
        "invariants": {
            "state": _state(floats),
            "checked": list(CHEAP_PROOFS),
            "broken": floats.broken,
            "proved_at": counted_at,
        },
    }


def _bounds(period: str, until: datetime) -> tuple[datetime, datetime]:
    """Give the beginnings of the period and of the one before, each at a full hour."""
    length = timedelta(days=PERIODS[period])
    if period == "today":
        midnight = hour_of(until).replace(hour=0)
        return midnight, midnight - length
    since = hour_of(until) - length
    return since, since - length


def _closed_to() -> datetime:
    rows = ask("SELECT next_hour FROM payments_figuresplace WHERE id = 1", ())
    moment: datetime = rows[0][0] if rows else datetime.min.replace(tzinfo=UTC)
    return moment


def _state(floats: Floats) -> str:
    if floats.broken:
        return "broken"
    return "late" if floats.is_late else "holding"


def _volume(rows: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for _day, currency, is_current, amount, count in rows:
        empty = {"currency": currency, "amount": 0, "count": 0, "previous_amount": 0, "previous_count": 0}
        row = found.setdefault(currency, empty)
        before = "" if is_current else "previous_"
        row[f"{before}amount"] += amount
        row[f"{before}count"] += count
    return [found[currency] for currency in sorted(found)]


def _success(charges: Sequence[tuple[Any, ...]], *, is_current: bool) -> dict[str, int | None]:
    of_period = [row for row in charges if row[1] is is_current]
    succeeded, failed = (sum(row[place] for row in of_period) for place in (2, 3))
    decided = succeeded + failed
    return {
        "succeeded": succeeded,
        "failed": failed,
        "success_rate_bp": succeeded * 10_000 // decided if decided else None,
    }


def _waiting(count: int, oldest: Sequence[datetime | None], at: datetime) -> dict[str, Any]:
    known = [moment for moment in oldest if moment is not None]
    first = min(known, default=None)
    age_s = None if first is None else max(0, int((at - first).total_seconds()))
    return {"count": count, "oldest_at": first, "oldest_age_s": age_s}
