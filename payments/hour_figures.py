"""The dashboard's figures, rolled up hour by hour behind the book, so that half a year adds up in milliseconds.

An hour is closed once nobody can write into it any more; what changes in it afterwards (a charge that is settled late) is
told by the audit trail, and the hour is counted anew as a whole. Whoever reads adds what stands beyond the closed hours.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from events.clock import now

HOURS_AT_ONCE: Final = 24
HOURS_IN_RUN: Final = 24 * 14
"""What one run closes at most: half a year is caught up with in a quarter of an hour."""

WINDOWS_DAYS: Final = (1, 7, 30, 90)

# Clocks of servers differ, and an id is made some time before its row is written.
SLACK: Final = timedelta(seconds=60)

# Whoever began before this moment may still write a line of that time.
_OLDEST_WRITER: Final = (
    "SELECT now() - least(now(), min(xact_start)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_FIRST_MOMENT: Final = (
    "SELECT least((SELECT min(created_at) FROM transactions_ledgeraccount),"
    " (SELECT created_at FROM transactions_transaction ORDER BY id LIMIT 1))"
)
# What moved counts once: a transfer between wallets where it leaves.
_COUNT_VOLUME: Final = (
    "INSERT INTO payments_hourvolume (hour, currency, amount, count)"
    " SELECT date_trunc('hour', l.created_at, 'UTC'), a.currency, sum(abs(l.amount)), count(*)"
    " FROM transactions_transaction AS l JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
    " WHERE l.id >= %s AND l.id < %s AND l.created_at >= %s AND l.created_at < %s AND l.status = 'completed'"
    "   AND NOT a.rolled_up AND l.type <> 'transfer_in' GROUP BY 1, 2"
    " ON CONFLICT (hour, currency) DO UPDATE SET amount = EXCLUDED.amount, count = EXCLUDED.count"
)
_COUNT_REST: Final = (
    "INSERT INTO payments_hourfigures (hour, wallets_created, succeeded, failed, failed_top_ups)"
    " SELECT h.hour, coalesce(w.created, 0), coalesce(c.succeeded, 0), coalesce(c.failed, 0),"
    "   coalesce(c.failed_top_ups, 0)"
    " FROM generate_series(%s::timestamptz, %s::timestamptz - interval '1 hour', interval '1 hour') AS h (hour)"
    " LEFT JOIN (SELECT date_trunc('hour', created_at, 'UTC') AS hour, count(*) AS created FROM wallets_wallet"
    "   WHERE status IN ('active', 'suspended', 'closed') AND created_at >= %s AND created_at < %s GROUP BY 1) AS w"
    "   ON w.hour = h.hour"
    " LEFT JOIN (SELECT date_trunc('hour', created_at, 'UTC') AS hour,"
    "   count(*) FILTER (WHERE status <> 'failed') AS succeeded, count(*) FILTER (WHERE status = 'failed') AS failed,"
    "   count(*) FILTER (WHERE status = 'failed' AND kind = 'top_up') AS failed_top_ups FROM payments_payment"
    "   WHERE status IN ('succeeded', 'failed', 'partially_refunded', 'refunded', 'disputed')"
    "   AND created_at >= %s AND created_at < %s GROUP BY 1) AS c ON c.hour = h.hour"
    " ON CONFLICT (hour) DO UPDATE SET wallets_created = EXCLUDED.wallets_created,"
    "   succeeded = EXCLUDED.succeeded, failed = EXCLUDED.failed, failed_top_ups = EXCLUDED.failed_top_ups"
)
_NOTE_ACTIVE: Final = (
    "INSERT INTO payments_customeractivity (user_id, last_hour)"
    " SELECT DISTINCT a.owner_id, %s::timestamptz"
    " FROM transactions_transaction AS l JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
    " WHERE l.id >= %s AND l.id < %s AND l.created_at >= %s AND l.created_at < %s AND a.owner_id IS NOT NULL"
    " ON CONFLICT (user_id) DO UPDATE SET last_hour = greatest(payments_customeractivity.last_hour,"
    "   EXCLUDED.last_hour)"
)
_BUSY_HOURS: Final = (
    "SELECT DISTINCT date_trunc('hour', created_at, 'UTC') FROM transactions_transaction"
    " WHERE id >= %s AND id < %s AND created_at >= %s AND created_at < %s"
)
# Nobody has been noted beyond this hour yet, so that a window needs a beginning alone.
_CLOSE: Final = (
    "UPDATE payments_hourfigures AS h SET active_1d = a.d1, active_7d = a.d7, active_30d = a.d30, active_90d = a.d90"
    " FROM (SELECT count(*) FILTER (WHERE last_hour >= %s) AS d1, count(*) FILTER (WHERE last_hour >= %s) AS d7,"
    "   count(*) FILTER (WHERE last_hour >= %s) AS d30, count(*) AS d90 FROM payments_customeractivity"
    "   WHERE last_hour >= %s) AS a WHERE h.hour = %s"
)
_CHANGED: Final = (
    "WITH told AS (SELECT object_type, object_id::uuid AS id FROM events_auditentry WHERE id > %s"
    "   AND action IN ('transaction.status_changed', 'payment.status_changed'))"
    " SELECT date_trunc('hour', l.created_at, 'UTC') FROM told AS t JOIN transactions_transaction AS l ON l.id = t.id"
    "   WHERE t.object_type = 'transaction' AND l.created_at < %s"
    " UNION SELECT date_trunc('hour', p.created_at, 'UTC') FROM told AS t JOIN payments_payment AS p ON p.id = t.id"
    "   WHERE t.object_type = 'payment' AND p.created_at < %s"
)
_HOUR: Final = timedelta(hours=1)


def roll_up_figures(*, at: datetime | None = None) -> int:
    """Close the hours that are over, and count those anew in which something changed; tells how many of both.

    `at` is the moment to go by, now by default.
    """
    done = 0
    at = at or now()
    for _ in range(HOURS_IN_RUN // HOURS_AT_ONCE):
        with transaction.atomic():
            closed, has_more = _roll_up_some(at)
        done += closed
        if not has_more:
            break
    return done


def ask(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement that is planned anew for its values, and read its rows.

    How much stands in a span of time decides how it is read; a plan for any span reads the whole book.
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def id_bounds(since: datetime, until: datetime) -> tuple[UUID, UUID]:
    """Give ids around all that were made in between: they begin with the machine's time (RFC 9562, UUIDv7).

    A sandbox's clock may run ahead of the machine's, and single wallets' by more: there all ids are between them.
    """
    if settings.SANDBOX:
        return UUID(int=0), UUID(int=2**128 - 1)
    # A line's moment may come from a clock that is somewhat ahead, its id from one that is behind.
    return _id_at(since - SLACK), _id_at(until + SLACK)


def hour_of(moment: datetime) -> datetime:
    """Give the beginning of a moment's hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _roll_up_some(at: datetime) -> tuple[int, bool]:
    place = ask(
        "SELECT next_hour, audit_to FROM payments_figuresplace WHERE id = 1 FOR UPDATE SKIP LOCKED", ()
    )
    if not place:
        return 0, _begin(at)
    next_hour, audit_to = place[0]
    seen_to = _id_at(datetime.now(UTC) - commit_lag())
    changed = [hour for (hour,) in ask(_CHANGED, (audit_to, next_hour, next_hour))]
    for hour in changed:
        _count(hour, hour + _HOUR)
    last = min(hour_of(at - commit_lag()), next_hour + HOURS_AT_ONCE * _HOUR)
    hours = max(0, int((last - next_hour) / _HOUR))
    if hours:
        _count(next_hour, last)
        _close(next_hour, last)
    ask(
        "UPDATE payments_figuresplace SET next_hour = %s, audit_to = %s WHERE id = 1",
        (max(next_hour, last), max(audit_to, seen_to)),
    )
    return len(changed) + hours, hours == HOURS_AT_ONCE


def _begin(at: datetime) -> bool:
    """Start with the hour of the first account or line; tell whether there is anything to count."""
    first = ask(_FIRST_MOMENT, ())[0][0]
    if first is None or ask("SELECT 1 FROM payments_figuresplace WHERE id = 1", ()):
        return False
    ask(
        "INSERT INTO payments_figuresplace (id, next_hour, audit_to) VALUES (1, %s, %s) ON CONFLICT DO NOTHING",
        (hour_of(min(first, at)), _id_at(datetime.now(UTC) - commit_lag())),
    )
    return True


def _count(since: datetime, until: datetime) -> None:
    ask(_COUNT_VOLUME, (*id_bounds(since, until), since, until))
    ask(_COUNT_REST, (since, until) * 3)


def _close(since: datetime, until: datetime) -> None:
    """Note, hour by hour, who has moved money, and how many had within the days before."""
    busy = {hour for (hour,) in ask(_BUSY_HOURS, (*id_bounds(since, until), since, until))}
    while since < until:
        end = since + _HOUR
        if since in busy:
            ask(_NOTE_ACTIVE, (since, *id_bounds(since, end), since, end))
        ask(_CLOSE, (*(end - timedelta(days=days) for days in WINDOWS_DAYS), since))
        since = end


def commit_lag() -> timedelta:
    """Tell how far behind now everything has been committed."""
    oldest = ask(_OLDEST_WRITER, ())[0][0]
    return SLACK + (oldest or timedelta())


def _id_at(moment: datetime) -> UUID:
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)
