"""Days that are over: counted once, kept, and proved against the book again and again.

A line is completed once and stays on its day, and a document behind it never changes its amount; so a day stays as it is
once whoever began before its end has committed. Whatever is different later, be it a line that was put there or taken away, or a
charge whose line was found, makes a new version of the day: what it said before is kept beside it, the audit trail and the log
tell of it, and the page shows both.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction

from events import audit
from events.clock import now
from payments.day_counts import DayCount, count_days, day_of, first_day
from payments.hour_figures import ask, commit_lag

DAYS_AT_ONCE: Final = 7
DAYS_IN_RUN: Final = 28
"""What one run closes at most: half a year is caught up with within seven minutes."""

DAYS_PROVED_IN_RUN: Final = 4
"""By the minute: a year of days is proved every hour and a half."""

_ADVISORY_LOCK: Final = 0xDA75
_DAY: Final = timedelta(days=1)
_LATEST: Final = (
    "SELECT f.day, f.processor, f.currency, f.came_in, f.went_out, f.documents, f.movements, f.breaks"
    " FROM payments_closedday AS d JOIN payments_closeddayfigure AS f ON f.day = d.day AND f.version = d.version"
    " WHERE d.day = %s ORDER BY f.processor, f.currency"
)
_KEEP_FIGURES: Final = (
    "INSERT INTO payments_closeddayfigure"
    " (version, day, processor, currency, came_in, went_out, documents, movements, breaks)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)

_log = structlog.get_logger()


def close_days(*, at: datetime | None = None) -> int:
    """Count the days that are over and aren't closed yet; tells how many were closed.

    `at` is the moment to go by, now by default.
    """
    at = at or now()
    closed = 0
    while closed < DAYS_IN_RUN:
        with transaction.atomic():
            some = _close_some(at)
        closed += some
        if some < DAYS_AT_ONCE:
            break
    return closed


def prove_days(*, at: datetime | None = None) -> int:
    """Count the closed days anew that were proved longest ago; tells how many of them the book doesn't agree with any more."""
    at = at or now()
    changed = 0
    with transaction.atomic():
        days = ask(
            "SELECT day, version, statement_timestamp() FROM payments_closedday ORDER BY proved_at, day LIMIT %s"
            " FOR UPDATE SKIP LOCKED",
            (DAYS_PROVED_IN_RUN,),
        )
        for day, version, proved_at in days:
            changed += _prove(day, version, proved_at, at)
    return changed


def _close_some(at: datetime) -> int:
    if not ask("SELECT pg_try_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))[0][0]:
        return 0
    last_closed = ask("SELECT max(day) FROM payments_closedday", ())[0][0]
    first = first_day() if last_closed is None else last_closed + _DAY
    over = day_of(at - commit_lag())
    if first is None or first >= over:
        return 0
    days = [first + number * _DAY for number in range(min(DAYS_AT_ONCE, (over - first).days))]
    for day in days:
        ask(
            "INSERT INTO payments_closedday (day, version, closed_at, proved_at) VALUES (%s, 1, %s, statement_timestamp())",
            (day, at),
        )
    _keep(1, count_days(days[0], days[-1]))
    return len(days)


def _prove(day: date, version: int, proved_at: datetime, at: datetime) -> bool:
    """Count one day, and make a new version of it where the book says something else than it did; tell whether it does."""
    kept = [DayCount(*row) for row in ask(_LATEST, (day,))]
    found = count_days(day, day)
    if sorted(row for row in kept if row.movements) == sorted(found):
        ask("UPDATE payments_closedday SET proved_at = %s WHERE day = %s", (proved_at, day))
        return False
    there = {(row.processor, row.currency) for row in found}
    gone = [
        DayCount(day, row.processor, row.currency, 0, 0, 0, 0, 0)
        for row in kept
        if (row.processor, row.currency) not in there
    ]
    _keep(version + 1, [*found, *gone])
    ask(
        "UPDATE payments_closedday SET version = %s, changed_at = %s, proved_at = %s WHERE day = %s",
        (version + 1, at, proved_at, day),
    )
    before, after = _told(kept), _told(found)
    audit.record(
        actor="system",
        action="settlement_day.changed",
        object_type="settlement_day",
        object_id=day.isoformat(),
        before=before,
        after=after,
    )
    _log.error("settlement_day_changed", day=day.isoformat(), before=before, after=after)
    return True


def _keep(version: int, rows: Sequence[DayCount]) -> None:
    for row in rows:
        ask(
            _KEEP_FIGURES,
            (
                version,
                row.day,
                row.processor,
                row.currency,
                row.came_in,
                row.went_out,
                row.documents,
                row.movements,
                row.breaks,
            ),
        )


def _told(rows: Sequence[DayCount]) -> dict[str, Any]:
    return {
        f"{row.processor}:{row.currency}": {
            "came_in": row.came_in,
            "went_out": row.went_out,
            "documents": row.documents,
            "movements": row.movements,
            "breaks": row.breaks,
        }
        for row in rows
    }
