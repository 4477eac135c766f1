"""The proofs: that the book says the same thing everywhere, and nothing impossible.

Each proof is one query that streams through its tables in order and stops at the first rows that break it, so
that it works at millions of rows. `check_books` runs them all in one snapshot.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

MOST_BREACHES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Breach:
    """One row that breaks an invariant."""

    proof: str
    row: str


@dataclass(frozen=True, slots=True)
class Proof:
    """An invariant's name, what it says, and the query whose every row breaks it."""

    name: str
    says: str
    query: str


# What breaks a proof that looks at one account alone; reports that read all accounts anyway look at these, too.
BREAKS_FLOOR: Final = "balance - held < floor"
BREAKS_CREDIT_LINE: Final = "receivable < 0 OR (receivable > 0 AND (floor IS NULL OR floor > -receivable))"

PROOFS = (
    Proof(
        "transfers_balance",
        "The lines of each completed transfer sum to zero in each currency.",
        "SELECT 'transfer ' || l.transfer_id || ' sums to ' || sum(l.amount) || ' ' || a.currency"
        " FROM transactions_transaction AS l JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
        " WHERE l.status = 'completed' GROUP BY l.transfer_id, a.currency HAVING sum(l.amount) <> 0"
        " ORDER BY l.transfer_id",
    ),
    Proof(
        "transfers_have_lines",
        "Each transfer has at least two lines, each line a transfer and an account, all of one status.",
        "SELECT 'transfer ' || coalesce(t.id, l.transfer_id) || ' has ' || count(l.id) || ' lines'"
        " FROM transactions_transfer AS t FULL JOIN transactions_transaction AS l ON l.transfer_id = t.id"
        " LEFT JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
        " GROUP BY coalesce(t.id, l.transfer_id)"
        " HAVING count(l.id) < 2 OR count(t.id) <> count(*) OR count(a.id) <> count(*)"
        "   OR bool_or(l.status IS DISTINCT FROM t.status)"
        " ORDER BY coalesce(t.id, l.transfer_id)",
    ),
    Proof(
        "balances_are_sums",
        "Each balance is the sum of the account's completed lines, less what waits to be rolled up.",
        "SELECT 'account ' || a.id || ' says ' || a.balance || ', its lines ' || coalesce(l.total, 0)"
        "   || ', waiting ' || coalesce(d.waiting, 0)"
        " FROM transactions_ledgeraccount AS a"
        " LEFT JOIN (SELECT account_id, sum(amount) AS total FROM transactions_transaction"
        "   WHERE status = 'completed' GROUP BY account_id) AS l ON l.account_id = a.id"
        " LEFT JOIN (SELECT account_id, sum(amount) AS waiting FROM transactions_delta GROUP BY account_id) AS d"
        "   ON d.account_id = a.id"
        " WHERE a.balance + coalesce(d.waiting, 0) <> coalesce(l.total, 0) ORDER BY a.id",
    ),
    Proof(
        "held_is_sum",
        "Each `held` is the sum of the account's open holds and pending debits.",
        "SELECT 'account ' || a.id || ' holds ' || a.held || ', should hold '"
        "   || coalesce(h.total, 0) + coalesce(p.total, 0)"
        " FROM transactions_ledgeraccount AS a"
        " LEFT JOIN (SELECT account_id, sum(amount - captured) AS total FROM transactions_hold"
        "   WHERE status = 'open' GROUP BY account_id) AS h ON h.account_id = a.id"
        " LEFT JOIN (SELECT account_id, sum(-amount) AS total FROM transactions_transaction"
        "   WHERE status = 'pending' AND amount < 0 GROUP BY account_id) AS p ON p.account_id = a.id"
        " WHERE NOT a.rolled_up AND a.held <> coalesce(h.total, 0) + coalesce(p.total, 0) ORDER BY a.id",
    ),
    Proof(
        "captures_are_payments",
        "What each hold says was captured is what its payments took.",
        "SELECT 'hold ' || h.id || ' says ' || h.captured || ' captured, its payments ' || coalesce(p.total, 0)"
        " FROM transactions_hold AS h LEFT JOIN (SELECT t.hold_id, l.account_id, sum(-l.amount) AS total"
        "   FROM transactions_transfer AS t JOIN transactions_transaction AS l ON l.transfer_id = t.id"
        "   WHERE t.hold_id IS NOT NULL AND t.status = 'completed' GROUP BY t.hold_id, l.account_id) AS p"
        "   ON p.hold_id = h.id AND p.account_id = h.account_id"
        " WHERE h.captured <> coalesce(p.total, 0) ORDER BY h.id",
    ),
    Proof(
        "lines_follow_each_other",
        "Each account's completed lines are numbered without gaps, in the order of time, each balance the one"
        " before plus the amount.",
        "SELECT 'line ' || id || ' (seq ' || seq || ') of account ' || account_id FROM ("
        "  SELECT id, account_id, seq, amount, balance_after, completed_at,"
        "    lag(seq, 1, 0::bigint) OVER w AS seq_before, lag(balance_after, 1, 0::bigint) OVER w AS balance_before,"
        "    lag(completed_at) OVER w AS time_before"
        "  FROM transactions_transaction WHERE seq IS NOT NULL WINDOW w AS (PARTITION BY account_id ORDER BY seq)"
        " ) AS l WHERE seq <> seq_before + 1 OR balance_after <> balance_before + amount"
        "   OR completed_at <= time_before",
    ),
    Proof(
        "last_line_is_the_balance",
        "Each wallet's account stands where its last line left it.",
        "SELECT 'account ' || a.id || ' is at seq ' || a.last_seq || ' with ' || a.balance"
        " FROM transactions_ledgeraccount AS a LEFT JOIN transactions_transaction AS l"
        "   ON l.account_id = a.id AND l.seq = a.last_seq"
        " WHERE NOT a.rolled_up AND (a.balance <> coalesce(l.balance_after, 0)"
        "   OR (a.last_seq = 0) <> (l.id IS NULL)"
        "   OR EXISTS (SELECT FROM transactions_transaction AS n WHERE n.account_id = a.id AND n.seq > a.last_seq))"
        " ORDER BY a.id",
    ),
    Proof(
        "completed_lines_are_numbered",
        "Every completed line of a wallet has its number; no line of a system account has one.",
        "SELECT 'line ' || l.id || ' of account ' || l.account_id FROM transactions_transaction AS l"
        " JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
        " WHERE l.status = 'completed' AND a.rolled_up <> (l.seq IS NULL)",
    ),
    Proof(
        "floors_hold",
        "No account is below its floor.",
        "SELECT 'account ' || id || ' has ' || balance || ' less ' || held || ' held, floor ' || floor"  # noqa: S608 - constants
        f" FROM transactions_ledgeraccount WHERE {BREAKS_FLOOR} ORDER BY id",
    ),
    Proof(
        "debts_are_below_the_credit_line",
        "What an account owes is what its floor was lowered by for it, and no system account owes anything.",
        "SELECT 'account ' || id || ' owes ' || receivable || ', floor ' || coalesce(floor::text, 'none')"  # noqa: S608 - constants
        f" FROM transactions_ledgeraccount WHERE {BREAKS_CREDIT_LINE} ORDER BY id",
    ),
    Proof(
        "reversed_once",
        "No transfer is reversed twice.",
        "SELECT 'transfer ' || reverses || ' is reversed ' || count(*) || ' times' FROM transactions_transfer"
        " WHERE reverses IS NOT NULL AND status IN ('pending', 'completed')"
        " GROUP BY reverses HAVING count(*) > 1 ORDER BY reverses",
    ),
    Proof(
        "refunds_within_what_was_moved",
        "No line is refunded by more than its amount, in its own direction, or without being in the book.",
        "SELECT 'line ' || t.refund_of || ' of ' || coalesce(o.amount, 0) || ' is refunded by ' || sum(r.amount)"
        " FROM transactions_transfer AS t"
        " JOIN transactions_transaction AS r ON r.transfer_id = t.id"
        " JOIN transactions_ledgeraccount AS a ON a.id = r.account_id AND NOT a.rolled_up"
        " LEFT JOIN transactions_transaction AS o ON o.id = t.refund_of AND o.account_id = r.account_id"
        "   AND o.status = 'completed'"
        " WHERE t.refund_of IS NOT NULL AND t.status IN ('pending', 'completed')"
        "   AND NOT EXISTS (SELECT FROM transactions_transfer AS v WHERE v.reverses = t.id"
        "     AND v.status = 'completed')"
        " GROUP BY t.refund_of, o.amount"
        " HAVING o.amount IS NULL OR abs(sum(r.amount)) > abs(o.amount) OR bool_or(sign(r.amount) = sign(o.amount))"
        " ORDER BY t.refund_of",
    ),
    Proof(
        "keys_have_one_effect",
        "No two keys claim one transfer or line, and what an answered key names is in the book.",
        "SELECT 'key ' || k.key || ' of ' || k.principal || ' claims ' || k.resource"
        " FROM (SELECT *, count(*) OVER (PARTITION BY resource) AS claims FROM transactions_idempotencykey"
        "   WHERE resource LIKE 'transfer:%' OR resource LIKE 'transaction:%') AS k"
        " LEFT JOIN transactions_transfer AS t"
        "   ON t.id = CASE WHEN k.resource LIKE 'transfer:%' THEN substr(k.resource, 10)::uuid END"
        " LEFT JOIN transactions_transaction AS l"
        "   ON l.id = CASE WHEN k.resource LIKE 'transaction:%' THEN substr(k.resource, 13)::uuid END"
        " WHERE k.claims > 1 OR coalesce(t.id, l.id) IS NULL",
    ),
)


def prove(proof: Proof, *, most: int = MOST_BREACHES_SHOWN) -> list[Breach]:
    """Run one proof; return the first rows that break it, at most `most`."""
    with connection.cursor() as cursor:
        cursor.execute(f"{proof.query} LIMIT {int(most)}")
        return [Breach(proof=proof.name, row=row) for (row,) in cursor.fetchall()]


def check_books(*, most: int = MOST_BREACHES_SHOWN) -> Iterator[tuple[Proof, list[Breach]]]:
    """Run all proofs in one snapshot of the book, and give each with the first rows that break it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = 0")
        for proof in PROOFS:
            yield proof, prove(proof, most=most)
