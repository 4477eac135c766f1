"""An account's statement: what it opened with, the lines of a span of time, what it closed with.

The lines are those completed in the span, found by bisection over `seq`, which time follows. Completed lines
never change: a statement of the past says the same whenever it is asked for, however many reads it takes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from transactions.prepared import PRIMARY, run
from transactions.queries import BookLine, lines_where, seq_at
from transactions.replicas import read_from

LINES_AT_ONCE = 500

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatement:
    """The figures of a span `starts <= time < ends`, in minor units; its lines are `first_seq` to `last_seq`.

    `total_out` is positive: opening + total_in - total_out = closing. Without lines `last_seq` is `first_seq` - 1.
    """

    account_id: UUID
    starts: datetime
    ends: datetime
    first_seq: int
    last_seq: int
    opening_balance: int
    closing_balance: int
    total_in: int
    total_out: int

    @property
    def line_count(self) -> int:
        """How many lines the statement has."""
        return self.last_seq - self.first_seq + 1


def account_statement(
    account_id: UUID, *, starts: datetime, ends: datetime, using: str = PRIMARY
) -> AccountStatement:
    """Sum up the account's completed lines of `starts <= time < ends`."""
    before = seq_at(account_id, starts - _TICK, using=using)
    last = max(before, seq_at(account_id, ends - _TICK, using=using))
    rows = run(
        "SELECT coalesce((SELECT balance_after FROM transactions_transaction WHERE account_id = %s AND seq = %s), 0),"
        " coalesce(sum(greatest(amount, 0)), 0)::bigint, coalesce(sum(-least(amount, 0)), 0)::bigint"
        " FROM transactions_transaction WHERE account_id = %s AND seq > %s AND seq <= %s",
        (account_id, before, account_id, before, last),
        using=using,
    )
    opening, total_in, total_out = rows[0]
    closing = run(
        "SELECT balance_after FROM transactions_transaction WHERE account_id = %s AND seq = %s",
        (account_id, last),
        using=using,
    )
    return AccountStatement(
        account_id=account_id,
        starts=starts,
        ends=ends,
        first_seq=before + 1,
        last_seq=last,
        opening_balance=opening,
        closing_balance=closing[0][0] if closing else 0,
        total_in=total_in,
        total_out=total_out,
    )


def statement_lines(statement: AccountStatement, *, using: str = PRIMARY) -> Iterator[BookLine]:
    """Read the statement's lines, oldest first, some hundreds at a time."""
    after = statement.first_seq - 1
    while after < statement.last_seq:
        found = read_from(using, partial(_lines_after, statement, after))
        yield from found
        after += len(found)
        if not found:
            raise LookupError(f"account {statement.account_id} has no line {after + 1}")


def _lines_after(statement: AccountStatement, after: int, using: str) -> list[BookLine]:
    return lines_where(
        ["l.account_id = %s", "l.seq > %s", "l.seq <= %s"],
        [statement.account_id, after, statement.last_seq],
        order="l.seq",
        count=LINES_AT_ONCE,
        using=using,
    )
