"""The SQL of a movement: its parts, and how they become one statement.

PostgreSQL runs the parts of a `WITH` in one snapshot and one round trip; the last part is the last lock.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from transactions.accounts import Account
from transactions.movements import Line, Movement


class Part(NamedTuple):
    """`before`, then `row` for each row with commas between, then `after`."""

    before: str
    row: str
    after: str


class Change(NamedTuple):
    """Rows of one part under a name of their own, on their way into a statement."""

    name: str
    part: Part
    rows: Sequence[Sequence[Any]]


UPDATE_ACCOUNTS = Part(
    "UPDATE transactions_ledgeraccount AS a SET balance = v.balance, held = v.held, version = a.version + 1,"
    " last_seq = v.last_seq, posted_at = v.posted_at, total_in = v.total_in, total_out = v.total_out,"
    " outflow_day = v.outflow_day, outflow_day_amount = v.outflow_day_amount,"
    " outflow_month = v.outflow_month, outflow_month_amount = v.outflow_month_amount FROM (VALUES ",
    "(%s::uuid, %s::bigint, %s::bigint, %s::bigint, %s::bigint, %s::timestamptz, %s::bigint, %s::bigint,"
    " %s::date, %s::bigint, %s::date, %s::bigint)",
    ") AS v (id, version, balance, held, last_seq, posted_at, total_in, total_out, outflow_day,"
    " outflow_day_amount, outflow_month, outflow_month_amount)"
    " WHERE a.id = v.id AND a.version = v.version RETURNING 1",
)

INSERT_TRANSFER = Part(
    "INSERT INTO transactions_transfer (id, kind, status, actor, request_id, description, reference, metadata,"
    " payment_id, hold_id, refund_of, reverses, failure_code, effective_at, created_at, completed_at) VALUES ",
    "(%s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s, '', %s, %s, %s)",
    " RETURNING 1",
)

INSERT_LINES = Part(
    "INSERT INTO transactions_transaction"
    " (id, transfer_id, account_id, type, amount, status, seq, balance_after, created_at, completed_at) VALUES ",
    "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
    " RETURNING 1",
)

SETTLE_TRANSFER = Part(
    "UPDATE transactions_transfer AS t SET status = v.status, failure_code = v.failure_code,"
    " completed_at = v.completed_at FROM (VALUES ",
    "(%s::uuid, %s, %s, %s::timestamptz)",
    ") AS v (id, status, failure_code, completed_at) WHERE t.id = v.id AND t.status = 'pending' RETURNING 1",
)

SETTLE_LINES = Part(
    "UPDATE transactions_transaction AS l SET status = v.status, seq = v.seq, balance_after = v.balance_after,"
    " completed_at = v.completed_at FROM (VALUES ",
    "(%s::uuid, %s, %s::bigint, %s::bigint, %s::timestamptz)",
    ") AS v (id, status, seq, balance_after, completed_at)"
    " WHERE l.id = v.id AND l.status = 'pending' RETURNING 1",
)

INSERT_DELTAS = Part(
    "INSERT INTO transactions_delta (account_id, amount) VALUES ", "(%s, %s)", " RETURNING 1"
)

INSERT_OUTBOX = Part(
    "INSERT INTO events_outbox (id, kind, payload, request_id, traceparent, created_at) VALUES ",
    "(%s, %s, %s::jsonb, %s, %s, %s)",
    " RETURNING 1",
)

INSERT_KEY = Part(
    "INSERT INTO transactions_idempotencykey"
    " (principal, key, fingerprint, status, body, resource, request_id, created_at) VALUES ",
    "(%s, %s, %s, %s, %s, %s, %s, %s)",
    " RETURNING 1",
)


class Statement:
    """Parts with their rows, on their way to becoming one `WITH` statement."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._counts: list[str] = []
        self.parameters: list[Any] = []
        self.expected: list[int] = []

    def add(self, name: str, part: Part, rows: Sequence[Sequence[Any]]) -> None:
        """Add one part; it must touch exactly as many rows as it is given. No rows, no part."""
        if not rows:
            return
        values = ", ".join([part.row] * len(rows))
        self._parts.append(f"{name} AS ({part.before}{values}{part.after})")
        self._counts.append(f"(SELECT count(*) FROM {name})")
        self.expected.append(len(rows))
        for row in rows:
            self.parameters.extend(row)

    def text(self) -> str:
        """Give the whole statement; it returns one row with the count of rows that each part touched."""
        return f"WITH {', '.join(self._parts)} SELECT {', '.join(self._counts)}"


def account_row(account: Account) -> tuple[Any, ...]:
    """Give one row of `UPDATE_ACCOUNTS`: the account as it shall be, and the version that it still has."""
    return (
        account.id,
        account.version,
        account.balance,
        account.held,
        account.last_seq,
        account.posted_at,
        account.total_in,
        account.total_out,
        account.outflow_day,
        account.outflow_day_amount,
        account.outflow_month,
        account.outflow_month_amount,
    )


def transfer_row(movement: Movement, *, request_id: str) -> tuple[Any, ...]:
    """Give the row of `INSERT_TRANSFER`."""
    return (
        movement.id,
        movement.kind.value,
        movement.status.value,
        movement.actor,
        request_id,
        movement.description,
        movement.reference,
        orjson.dumps(movement.metadata).decode() if movement.metadata else "{}",
        movement.payment_id,
        movement.hold_id,
        movement.refund_of,
        movement.reverses,
        movement.effective_at,
        movement.created_at,
        movement.completed_at,
    )


def line_rows(movement: Movement) -> list[tuple[Any, ...]]:
    """Give the rows of `INSERT_LINES`."""
    return [
        (
            line.id,
            movement.id,
            line.account_id,
            line.type,
            line.amount,
            movement.status.value,
            line.seq,
            line.balance_after,
            line.created_at,
            line.completed_at,
        )
        for line in movement.lines
    ]


def outbox_line(line: Line) -> tuple[Any, ...]:
    """Give a wallet's line as an outbox entry has it; `events.expansion` reads it."""
    return (
        line.id,
        line.account_id,
        line.type,
        line.amount,
        line.currency,
        line.seq,
        line.balance_after,
        line.completed_at,
    )


def outbox_account(account: Account) -> tuple[Any, ...]:
    """Give a changed account as an outbox entry has it: amounts in minor units."""
    return (account.id, account.currency, account.balance, account.held)
