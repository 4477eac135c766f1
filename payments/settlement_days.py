"""The daily proof: what the book says each processor took and gave back, against the payments and refunds behind it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from events.clock import now
from transactions.prepared import run

MOST_DAYS: Final = 92

# A line may wait this long before it is completed: a refund that is decided and executed late.
SLACK: Final = timedelta(days=90)

QUERY: Final = (
    "WITH lines AS (SELECT (l.completed_at AT TIME ZONE 'UTC')::date AS day, split_part(a.code, ':', 2) AS processor,"
    "   a.currency, l.transfer_id, -l.amount AS amount"
    "   FROM transactions_ledgeraccount AS a JOIN transactions_transaction AS l ON l.account_id = a.id"
    "   WHERE starts_with(a.code, 'settlement:') AND l.status = 'completed' AND l.created_at >= %s"
    "   AND l.completed_at >= %s AND l.completed_at < %s),"
    " posted AS (SELECT s.day, s.processor, s.currency, s.amount,"
    "   coalesce(p.amount, -r.amount, v.amount, 0) AS document, coalesce(p.id, r.id, v.id) IS NULL AS is_unmatched"
    "   FROM lines AS s JOIN transactions_transfer AS t ON t.id = s.transfer_id"
    "   LEFT JOIN payments_payment AS p ON p.transfer_id = s.transfer_id AND p.processor = s.processor"
    "     AND p.currency = s.currency AND p.status NOT IN ('pending', 'requires_action', 'failed')"
    "   LEFT JOIN payments_refund AS r ON r.transfer_id = s.transfer_id AND r.currency = s.currency"
    "   LEFT JOIN payments_refund AS v ON v.transfer_id = t.reverses AND v.currency = s.currency),"
    " unposted AS (SELECT (p.completed_at AT TIME ZONE 'UTC')::date, p.processor, p.currency, 0::bigint, p.amount, true"
    "   FROM payments_payment AS p"
    "   WHERE p.status IN ('succeeded', 'partially_refunded', 'refunded', 'disputed') AND p.created_at >= %s"
    "   AND p.completed_at >= %s AND p.completed_at < %s AND NOT EXISTS (SELECT FROM transactions_transaction AS l"
    "     WHERE l.transfer_id = p.transfer_id AND l.status = 'completed')),"
    " both_sides AS (SELECT * FROM posted UNION ALL SELECT * FROM unposted)"
    " SELECT day, processor, currency, coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::bigint,"
    "   coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::bigint, sum(amount)::bigint, sum(document)::bigint,"
    "   count(*), count(*) FILTER (WHERE is_unmatched OR amount <> document)"
    " FROM both_sides GROUP BY day, processor, currency ORDER BY day DESC, processor, currency"
)


@dataclass(frozen=True, slots=True)
class SettlementDay:
    """One day (UTC) of one processor in one currency; amounts in minor units, positive towards us.

    `came_in` and `went_out` are the book's lines, `ledger` their sum; `documents` is what the payments and refunds
    behind them say. `breaks` counts the movements that differ or have no counterpart, even where the sums agree.
    """

    date: date
    processor: str
    currency: str
    came_in: int
    went_out: int
    ledger: int
    documents: int
    movements: int
    breaks: int

    @property
    def difference(self) -> int:
        """What the book says more than the documents."""
        return self.ledger - self.documents


def settlement_days(*, days: int, at: datetime | None = None) -> list[SettlementDay]:
    """Compare the last `days` days up to `at`, today among them, newest first; days without movement are left out."""
    until = at or now()
    first = until.astimezone(UTC).date() - timedelta(days=days - 1)
    since = datetime.combine(first, time(), UTC)
    bounds = (since - SLACK, since, until)
    return [SettlementDay(*row) for row in run(QUERY, (*bounds, *bounds))]
