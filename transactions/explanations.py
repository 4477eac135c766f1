"""Why an account stands where it does: the sums of its lines by type, and the proof that they make the balance."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from transactions.models import LineType
from transactions.prepared import PRIMARY, run
from transactions.queries import seq_at

_PLACES = {line_type: place for place, line_type in enumerate(LineType.values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeSum:
    """The completed lines of one type: how many, and their signed sum in minor units."""

    type: str
    count: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceProof:
    """That the lines `first_seq` to `last_seq` are all there and make the closing balance."""

    lines: int
    first_seq: int | None
    last_seq: int | None
    sum: int
    balance_after_of_last: int | None
    agrees: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceExplanation:
    """A balance in minor units, from its account's first line on."""

    opening: int
    sums: list[TypeSum]
    closing: int
    proof: BalanceProof

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as plain values."""
        return asdict(self)


def explain_balance(
    account_id: UUID, *, at: datetime | None = None, using: str = PRIMARY
) -> BalanceExplanation:
    """Explain a wallet's balance as it stands, or as it stood at a moment.

    `agrees` holds when no number is missing between the first line and the last, their sum is the closing
    balance, and the last line says so too; for the present the account's own row must say the same.
    """
    # One statement, so that the account and its lines are of one snapshot.
    rows = run(
        "WITH standing AS (SELECT balance, CASE WHEN %s::bigint IS NULL THEN last_seq ELSE %s END AS last_seq"
        "   FROM transactions_ledgeraccount WHERE id = %s),"
        " made AS (SELECT type, count(*) AS lines, sum(amount)::bigint AS amount, min(seq) AS first, max(seq) AS last"
        "   FROM transactions_transaction WHERE account_id = %s AND seq <= (SELECT last_seq FROM standing)"
        "   GROUP BY type)"
        " SELECT s.balance, (SELECT balance_after FROM transactions_transaction"
        "   WHERE account_id = %s AND seq = s.last_seq), m.type, m.lines, m.amount, m.first, m.last"
        " FROM standing AS s LEFT JOIN made AS m ON true",
        _parameters(account_id, None if at is None else seq_at(account_id, at, using=using)),
        using=using,
    )
    balance, after_last = (rows[0][0], rows[0][1]) if rows else (0, None)
    made = [row[2:] for row in rows if row[2] is not None]
    sums = [TypeSum(type=kind, count=lines, amount=amount) for kind, lines, amount, _first, _last in made]
    lines, total = sum(one.count for one in sums), sum(one.amount for one in sums)
    first = min((row[3] for row in made), default=None)
    last = max((row[4] for row in made), default=None)
    closing = (after_last or 0) if at is not None else balance
    proof = BalanceProof(
        lines=lines,
        first_seq=first,
        last_seq=last,
        sum=total,
        balance_after_of_last=after_last,
        agrees=lines == (last or 0) and total == (after_last or 0) == closing,
    )
    sums.sort(key=lambda one: _PLACES[one.type])
    return BalanceExplanation(opening=0, sums=sums, closing=closing, proof=proof)


def _parameters(account_id: UUID, last_seq: int | None) -> tuple[Any, ...]:
    return (last_seq, last_seq, account_id, account_id, account_id)
