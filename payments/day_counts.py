"""A span of days, counted from the book: what it says each processor took and gave back, beside the payments and refunds behind it.

A line belongs to the day (UTC) on which it was completed, however long it waited before; so does what stands behind it. A
charge that ended well without a line belongs to the day on which it ended.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from payments.hour_figures import ask

# Lines of system accounts have no number, which `check_books` proves: they alone are in the index by completion.
_COUNT: Final = (
    "WITH lines AS (SELECT (l.completed_at AT TIME ZONE 'UTC')::date AS day, split_part(a.code, ':', 2) AS processor,"
    "   a.currency, l.transfer_id, -l.amount AS amount"
    "   FROM transactions_ledgeraccount AS a JOIN transactions_transaction AS l ON l.account_id = a.id"
    "   WHERE starts_with(a.code, 'settlement:') AND l.status = 'completed' AND l.seq IS NULL"
    "   AND l.completed_at >= %s AND l.completed_at < %s),"
    # A refund that was taken back is looked for only where nothing else stands behind the line.
    " posted AS (SELECT s.day, s.processor, s.currency, s.amount,"
    "   coalesce(p.amount, -r.amount, v.amount, 0) AS document, coalesce(p.id, r.id, v.id) IS NULL AS is_unmatched"
    "   FROM lines AS s"
    "   LEFT JOIN payments_payment AS p ON p.transfer_id = s.transfer_id AND p.processor = s.processor"
    "     AND p.currency = s.currency AND p.status NOT IN ('pending', 'requires_action', 'failed')"
    "   LEFT JOIN payments_refund AS r ON r.transfer_id = s.transfer_id AND r.currency = s.currency"
    "   LEFT JOIN LATERAL (SELECT f.id, f.amount FROM transactions_transfer AS t"
    "     JOIN payments_refund AS f ON f.transfer_id = t.reverses AND f.currency = s.currency"
    "     WHERE t.id = s.transfer_id AND p.id IS NULL AND r.id IS NULL LIMIT 1) AS v ON true),"
    # The span's own lines first: the book is asked for the few whose line is of another day, or missing.
    " without AS MATERIALIZED (SELECT p.completed_at, p.processor, p.currency, p.amount, p.transfer_id"
    "   FROM payments_payment AS p"
    "   WHERE p.status IN ('succeeded', 'partially_refunded', 'refunded', 'disputed')"
    "   AND p.completed_at >= %s AND p.completed_at < %s"
    "   AND NOT EXISTS (SELECT FROM lines AS s WHERE s.transfer_id = p.transfer_id)),"
    " unposted AS (SELECT (w.completed_at AT TIME ZONE 'UTC')::date, w.processor, w.currency, 0::bigint, w.amount, true"
    "   FROM without AS w WHERE (SELECT true FROM transactions_transaction AS l"
    "     WHERE l.transfer_id = w.transfer_id AND l.status = 'completed' LIMIT 1) IS NULL),"
    " both_sides AS (SELECT * FROM posted UNION ALL SELECT * FROM unposted)"
    " SELECT day, processor, currency, coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::bigint,"
    "   coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::bigint, sum(document)::bigint,"
    "   count(*), count(*) FILTER (WHERE is_unmatched OR amount <> document)"
    " FROM both_sides GROUP BY day, processor, currency ORDER BY day DESC, processor, currency"
)
_FIRST_MOMENT: Final = (
    "SELECT least((SELECT min(f.completed_at) FROM transactions_ledgeraccount AS a CROSS JOIN LATERAL"
    "   (SELECT l.completed_at FROM transactions_transaction AS l WHERE l.account_id = a.id AND l.seq IS NULL"
    "     AND l.completed_at IS NOT NULL ORDER BY l.completed_at LIMIT 1) AS f WHERE starts_with(a.code, 'settlement:')),"
    " (SELECT completed_at FROM payments_payment WHERE completed_at IS NOT NULL ORDER BY completed_at LIMIT 1))"
)


@dataclass(frozen=True, slots=True, order=True)
class DayCount:
    """One day of one processor in one currency; amounts in minor units, positive towards us.

    `came_in` and `went_out` are the book's lines; `documents` is what the payments and refunds behind them say.
    `breaks` counts the movements that differ or have no counterpart, even where the sums agree.
    """

    day: date
    processor: str
    currency: str
    came_in: int
    went_out: int
    documents: int
    movements: int
    breaks: int

    @property
    def ledger(self) -> int:
        """What the book's lines sum to."""
        return self.came_in - self.went_out


def count_days(first: date, last: date) -> list[DayCount]:
    """Count the days from `first` to `last`, both among them, newest first; those without movement are left out."""
    return count_between(beginning_of(first), end_of(last))


def count_between(since: datetime, until: datetime) -> list[DayCount]:
    """Count what was completed from `since` on and before `until`, by day, newest first."""
    return [DayCount(*row) for row in ask(_COUNT, (since, until) * 2)]


def first_day() -> date | None:
    """Tell the day of the first movement at any processor; None where there was none yet."""
    moment: datetime | None = ask(_FIRST_MOMENT, ())[0][0]
    return None if moment is None else day_of(moment)


def day_of(moment: datetime) -> date:
    """Give a moment's day, in UTC."""
    return moment.astimezone(UTC).date()


def beginning_of(day: date) -> datetime:
    """Give the moment at which a day (UTC) begins."""
    return datetime.combine(day, time(), UTC)


def end_of(day: date) -> datetime:
    """Give the moment at which a day (UTC) is over."""
    return beginning_of(date.fromordinal(day.toordinal() + 1))
