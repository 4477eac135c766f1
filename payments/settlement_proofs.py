"""The proof of a processor's accounts against its reports: what is expected less what was reported is what is unresolved."""

from dataclasses import dataclass
from typing import Final

from payments.models import SettlementImport
from payments.settlement_matching import covered_spans
from transactions.prepared import run

# Lines that the reports tell of, or have to: matched ones, and those that began and ended within what is covered.
_EXPECTED: Final = (
    "WITH spans AS (SELECT * FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS s (since, until))"
    " SELECT coalesce(-sum(l.amount), 0)::bigint FROM transactions_ledgeraccount AS a"
    " JOIN transactions_transaction AS l ON l.account_id = a.id"
    " WHERE a.code IN (%s, %s) AND l.status = 'completed'"
    "   AND (EXISTS (SELECT FROM spans AS s WHERE l.created_at >= s.since AND l.completed_at < s.until)"
    "     OR EXISTS (SELECT FROM payments_settlementrow AS r WHERE r.line_id = l.id))"
)
_LEDGER: Final = (
    "SELECT coalesce(-sum(amount), 0)::bigint FROM ("
    " SELECT a.balance AS amount FROM transactions_ledgeraccount AS a WHERE a.code IN (%s, %s) UNION ALL"
    " SELECT d.amount FROM transactions_delta AS d JOIN transactions_ledgeraccount AS a ON a.id = d.account_id"
    "   WHERE a.code IN (%s, %s)) AS book"
)
_REPORTED: Final = (
    "SELECT currency, coalesce(sum(gross) FILTER (WHERE type NOT IN ('fee', 'payout')), 0)::bigint,"
    "   (coalesce(sum(fee), 0) - coalesce(sum(gross) FILTER (WHERE type = 'fee'), 0))::bigint,"
    "   coalesce(-sum(gross) FILTER (WHERE type = 'payout'), 0)::bigint, sum(net)::bigint"
    " FROM payments_settlementrow WHERE processor = %s GROUP BY currency"
)
_BREAKS: Final = (
    "SELECT currency, count(*) FILTER (WHERE status <> 'resolved'),"
    "   coalesce(sum(expected - reported) FILTER (WHERE status <> 'resolved'), 0)::bigint,"
    "   coalesce(sum(expected - reported) FILTER (WHERE status = 'resolved'), 0)::bigint"
    " FROM payments_settlementbreak WHERE processor = %s AND cleared_at IS NULL GROUP BY currency"
)
_CURRENCIES: Final = (
    "SELECT DISTINCT currency FROM transactions_ledgeraccount WHERE starts_with(code, %s) ORDER BY currency"
)


@dataclass(frozen=True, slots=True)
class SettlementProof:
    """One processor in one currency, over all of its reports; amounts in minor units, positive towards us.

    `ledger` is what our book says that it owes us, `expected` the part of it that the reports have to tell of,
    `reported` what they tell before fees. `open_amount` and `resolved_amount` are the differences of the breaks.
    `fees` it has kept, `payouts` it has paid out, `remaining` is what is left with it by its own account.
    """

    processor: str
    currency: str
    ledger: int
    expected: int
    reported: int
    open_breaks: int
    open_amount: int
    resolved_amount: int
    fees: int
    payouts: int
    remaining: int

    @property
    def difference(self) -> int:
        """What the book expects more than the reports tell."""
        return self.expected - self.reported

    @property
    def unproved(self) -> int:
        """What no break accounts for: 0, or the matching is wrong."""
        return self.difference - self.open_amount - self.resolved_amount

    @property
    def not_covered(self) -> int:
        """What the book says of times that no report covers."""
        return self.ledger - self.expected


def settlement_proofs() -> list[SettlementProof]:
    """Prove every processor that has reported, by name and currency."""
    names = SettlementImport.objects.order_by("processor").values_list("processor", flat=True).distinct()
    return [proof for name in names for proof in _proofs_of(name)]


def _proofs_of(processor: str) -> list[SettlementProof]:
    reported = {row[0]: row[1:] for row in run(_REPORTED, (processor,))}
    breaks = {row[0]: row[1:] for row in run(_BREAKS, (processor,))}
    ours = {currency for (currency,) in run(_CURRENCIES, (f"settlement:{processor}:",))}
    proofs = []
    for currency in sorted(ours | reported.keys()):
        codes = (f"settlement:{processor}:{currency}", f"disputes:{processor}:{currency}")
        spans = covered_spans(processor, currency)
        expected = run(_EXPECTED, ([span[0] for span in spans], [span[1] for span in spans], *codes))[0][0]
        ledger = run(_LEDGER, (*codes, *codes))[0][0]
        gross, fees, payouts, remaining = reported.get(currency, (0, 0, 0, 0))
        count, open_amount, resolved_amount = breaks.get(currency, (0, 0, 0))
        proofs.append(
            SettlementProof(
                processor,
                currency,
                ledger,
                expected,
                gross,
                count,
                open_amount,
                resolved_amount,
                fees,
                payouts,
                remaining,
            )
        )
    return proofs
