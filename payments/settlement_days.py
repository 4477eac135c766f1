"""The daily proof: what the book says each processor took and gave back, against the payments and refunds behind it.

Days that are closed are read as they were counted, each with the moment at which it was last proved; all others are counted
from the book while somebody waits, so that a roll-up which is late costs time and never truth.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from events.clock import now
from payments.day_counts import DayCount, beginning_of, count_between, count_days, day_of
from payments.hour_figures import ask

MOST_DAYS: Final = 92

LATE_AFTER: Final = timedelta(days=1)
"""Each closed day is proved again within hours: what is older than this hasn't been looked at for too long."""

_DAY: Final = timedelta(days=1)
_CLOSED: Final = (
    # By the database's clock alone: servers' clocks differ, and a sandbox's runs ahead.
    "SELECT greatest(statement_timestamp() - d.proved_at, interval '0'),"
    "   f.day, f.processor, f.currency, f.came_in, f.went_out, f.documents, f.movements, f.breaks, d.closed_at,"
    "   CASE WHEN (f.came_in, f.went_out, f.documents, f.movements, f.breaks) IS DISTINCT FROM"
    "     (o.came_in, o.went_out, o.documents, o.movements, o.breaks) THEN d.changed_at END,"
    "   coalesce(o.came_in - o.went_out, 0), coalesce(o.documents, 0)"
    " FROM payments_closedday AS d JOIN payments_closeddayfigure AS f ON f.day = d.day AND f.version = d.version"
    " LEFT JOIN payments_closeddayfigure AS o ON o.day = d.day AND o.version = 1 AND o.processor = f.processor"
    "   AND o.currency = f.currency"
    " WHERE d.day >= %s AND d.day < %s ORDER BY f.day DESC, f.processor, f.currency"
)


@dataclass(frozen=True, slots=True)
class SettlementDay:
    """One day (UTC) of one processor in one currency; amounts in minor units, positive towards us.

    `came_in` and `went_out` are the book's lines, `ledger` their sum; `documents` is what the payments and refunds
    behind them say. `breaks` counts the movements that differ or have no counterpart, even where the sums agree.
    `proved_at` is when the book was last read for it. `closed_at` is None until the day is over and counted;
    `changed_at` is when the book was found to say something else than at its closing, `…_at_closing` what it said then.
    """

    date: date
    processor: str
    currency: str
    came_in: int
    went_out: int
    documents: int
    movements: int
    breaks: int
    proved_at: datetime
    closed_at: datetime | None = None
    changed_at: datetime | None = None
    ledger_at_closing: int | None = None
    documents_at_closing: int | None = None

    @property
    def ledger(self) -> int:
        """What the book's lines sum to."""
        return self.came_in - self.went_out

    @property
    def difference(self) -> int:
        """What the book says more than the documents."""
        return self.ledger - self.documents


def settlement_days(*, days: int, at: datetime | None = None) -> list[SettlementDay]:
    """Compare the last `days` days up to `at`, today among them, newest first; days without movement are left out."""
    until = at or now()
    today = day_of(until)
    first = today - (days - 1) * _DAY
    begun, closed = ask("SELECT min(day), max(day) FROM payments_closedday", ())[0]
    if closed is None:
        return [_counted(row, until) for row in count_between(beginning_of(first), until)]
    # A day that goes on is counted now, whatever was closed by a clock that ran ahead.
    first_closed, first_open = max(first, begun), max(first, min(closed + _DAY, today))
    found = [_counted(row, until) for row in count_between(beginning_of(first_open), until)]
    if first_closed < first_open:
        found += [_kept(row, until) for row in ask(_CLOSED, (first_closed, first_open))]
    if first < begun:
        earlier = count_days(first, min(begun, first_open) - _DAY)
        found += [_counted(row, until) for row in earlier]
    return found


def late_since(rows: list[SettlementDay], *, at: datetime | None = None) -> datetime | None:
    """Tell since when the day that was proved longest ago hasn't been; None where each was proved lately."""
    oldest = min((row.proved_at for row in rows), default=None)
    return oldest if oldest is not None and (at or now()) - oldest > LATE_AFTER else None


def _counted(row: DayCount, at: datetime) -> SettlementDay:
    return SettlementDay(
        row.day,
        row.processor,
        row.currency,
        row.came_in,
        row.went_out,
        row.documents,
        row.movements,
        row.breaks,
        proved_at=at,
    )


def _kept(row: tuple[Any, ...], at: datetime) -> SettlementDay:
    closed_at, changed_at, ledger, documents = row[9:]
    return replace(
        _counted(DayCount(*row[1:9]), at - row[0]),
        closed_at=closed_at,
        changed_at=changed_at,
        ledger_at_closing=ledger,
        documents_at_closing=documents,
    )
