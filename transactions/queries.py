"""Reading the book: lines with their transfers, pages of them, balances at a moment, movements to go on with."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from transactions.models import PostingStatus, TransferKind
from transactions.movements import Line, Movement
from transactions.prepared import PRIMARY, run

SELECT_LINES = (
    "SELECT l.id, l.account_id, l.seq, l.type, l.status, l.amount, a.currency, l.balance_after, t.description,"
    " t.reference, l.transfer_id, t.refund_of, t.payment_id, t.failure_code, t.metadata, t.effective_at,"
    " l.created_at, l.completed_at FROM transactions_transaction AS l"
    " JOIN transactions_transfer AS t ON t.id = l.transfer_id"
    " JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
)


@dataclass(frozen=True, slots=True)
class BookLine:
    """One line of the book together with what its transfer says; amounts in minor units of `currency`."""

    id: UUID
    account_id: UUID
    seq: int | None
    type: str
    status: str
    amount: int
    currency: str
    balance_after: int | None
    description: str
    reference: str
    transfer_id: UUID
    refund_of: UUID | None
    payment_id: UUID | None
    failure_code: str
    metadata_json: str
    effective_at: datetime
    created_at: datetime
    completed_at: datetime | None

    @property
    def metadata(self) -> dict[str, Any]:
        """The client's own key-value pairs."""
        found: dict[str, Any] = orjson.loads(self.metadata_json)
        return found


def line_by_id(line_id: UUID, *, owner_id: UUID | None) -> BookLine | None:
    """Find a wallet's line; with `owner_id` only on that customer's accounts."""
    rows = run(
        SELECT_LINES + " WHERE l.id = %s AND NOT a.rolled_up AND (%s::uuid IS NULL OR a.owner_id = %s)",
        (line_id, owner_id, owner_id),
    )
    return BookLine(*rows[0]) if rows else None


def account_ids_of(owner_id: UUID) -> list[UUID]:
    """List the accounts of a customer."""
    rows = run("SELECT id FROM transactions_ledgeraccount WHERE owner_id = %s", (owner_id,))
    return [account_id for (account_id,) in rows]


def owners_of(account_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Tell whose accounts these are; the system's and unknown ones are left out. Named by the setting WALLET_OWNERS."""
    rows = run(
        "SELECT id, owner_id FROM transactions_ledgeraccount WHERE id = ANY(%s::uuid[]) AND owner_id IS NOT NULL",
        (list(account_ids),),
    )
    return dict(rows)


def may_see(*, account_id: UUID | None, transfer_id: UUID | None, owner_id: UUID | None) -> bool:
    """Tell whether each of the two that is named exists and is the owner's; None may see everybody's.

    A transfer is its owner's when one of its lines is.
    """
    is_theirs = "NOT a.rolled_up AND (%s::uuid IS NULL OR a.owner_id = %s)"
    rows = run(
        f"SELECT (%s::uuid IS NULL OR EXISTS (SELECT FROM transactions_ledgeraccount AS a"
        f"   WHERE a.id = %s AND {is_theirs}))"
        f" AND (%s::uuid IS NULL OR EXISTS (SELECT FROM transactions_transaction AS l"
        f"   JOIN transactions_ledgeraccount AS a ON a.id = l.account_id WHERE l.transfer_id = %s AND {is_theirs}))",
        (account_id, account_id, owner_id, owner_id, transfer_id, transfer_id, owner_id, owner_id),
    )
    return bool(rows[0][0])


def line_of_movement(movement: Movement, line: Line) -> BookLine:
    """Show a line that the ledger has just written, without reading it again."""
    effective_at, created_at = movement.effective_at, movement.created_at
    if effective_at is None or created_at is None:
        raise ValueError("The ledger hasn't written this movement.")
    return BookLine(
        id=line.id,
        account_id=line.account_id,
        seq=line.seq,
        type=line.type,
        status=movement.status.value,
        amount=line.amount,
        currency=line.currency,
        balance_after=line.balance_after,
        description=movement.description,
        reference=movement.reference,
        transfer_id=movement.id,
        refund_of=movement.refund_of,
        payment_id=movement.payment_id,
        failure_code=movement.failure_code,
        metadata_json=orjson.dumps(movement.metadata).decode(),
        effective_at=effective_at,
        created_at=created_at,
        completed_at=line.completed_at,
    )


def load_movement(transfer_id: UUID) -> Movement | None:
    """Load a transfer and all its lines, in the order in which they were written."""
    rows = run(
        "SELECT kind, status, actor, description, reference, metadata, payment_id, hold_id, refund_of, reverses,"
        " effective_at, failure_code, created_at, completed_at FROM transactions_transfer WHERE id = %s",
        (transfer_id,),
    )
    if not rows:
        return None
    (kind, status, actor, description, reference, metadata, payment_id, hold_id, refund_of, reverses) = rows[
        0
    ][:10]
    effective_at, failure_code, created_at, completed_at = rows[0][10:]
    lines = run(
        "SELECT l.id, l.account_id, a.rolled_up, l.type, l.amount, a.currency, l.seq, l.balance_after,"
        " l.created_at, l.completed_at FROM transactions_transaction AS l"
        " JOIN transactions_ledgeraccount AS a ON a.id = l.account_id WHERE l.transfer_id = %s ORDER BY l.id",
        (transfer_id,),
    )
    return Movement(
        id=transfer_id,
        kind=TransferKind(kind),
        status=PostingStatus(status),
        actor=actor,
        description=description,
        reference=reference,
        metadata=orjson.loads(metadata),
        payment_id=payment_id,
        hold_id=hold_id,
        refund_of=refund_of,
        reverses=reverses,
        effective_at=effective_at,
        failure_code=failure_code,
        created_at=created_at,
        completed_at=completed_at,
        lines=[
            Line(
                id=line_id,
                account_id=account_id,
                rolled_up=rolled_up,
                type=line_type,
                amount=amount,
                currency=currency,
                seq=seq,
                balance_after=balance_after,
                created_at=line_created_at,
                completed_at=line_completed_at,
            )
            for (
                line_id,
                account_id,
                rolled_up,
                line_type,
                amount,
                currency,
                seq,
                balance_after,
                line_created_at,
                line_completed_at,
            ) in lines
        ],
    )


def seq_at(account_id: UUID, at: datetime, *, using: str = PRIMARY) -> int:
    """Tell the number of the account's last line completed by `at`; 0 when there was none.

    Time follows `seq`, so this is a bisection: one probe of the unique index for each halving.
    """
    rows = run(
        "WITH RECURSIVE search (low, high) AS ("
        " SELECT 0::bigint, last_seq FROM transactions_ledgeraccount WHERE id = %s"
        " UNION ALL"
        " SELECT CASE WHEN l.completed_at <= %s THEN l.seq ELSE s.low END,"
        "        CASE WHEN l.completed_at <= %s THEN s.high ELSE l.seq - 1 END"
        " FROM search AS s JOIN transactions_transaction AS l"
        "   ON l.account_id = %s AND l.seq = (s.low + s.high + 1) / 2"
        " WHERE s.low < s.high)"
        " SELECT low FROM search WHERE low = high",
        (account_id, at, at, account_id),
        using=using,
    )
    return int(rows[0][0]) if rows else 0


def balance_at(account_id: UUID, at: datetime, *, using: str = PRIMARY) -> int:
    """Tell the account's balance as it stood at a moment, in minor units, by the lines completed until then."""
    rows = run(
        "SELECT balance_after FROM transactions_transaction WHERE account_id = %s AND seq = %s",
        (account_id, seq_at(account_id, at, using=using)),
        using=using,
    )
    return int(rows[0][0]) if rows else 0


def account_figures(account_id: UUID) -> dict[str, Any] | None:
    """Tell what came in, went out and when last, from counters on the account's row; minor units."""
    rows = run(
        "SELECT balance, total_in, total_out, last_seq, posted_at FROM transactions_ledgeraccount WHERE id = %s",
        (account_id,),
    )
    if not rows:
        return None
    balance, total_in, total_out, count, posted_at = rows[0]
    return {
        "balance": balance,
        "total_in": total_in,
        "total_out": total_out,
        "transaction_count": count,
        "average_amount": (total_in + total_out + count // 2) // count if count else 0,
        "last_transaction_at": posted_at,
    }


def lines_where(
    conditions: Sequence[str], parameters: Sequence[Any], *, order: str, count: int, using: str = PRIMARY
) -> list[BookLine]:
    """Select lines by SQL conditions over l (line), t (transfer) and a (account), at most `count`."""
    where = " AND ".join(conditions) or "true"
    rows = run(f"{SELECT_LINES} WHERE {where} ORDER BY {order} LIMIT %s", (*parameters, count), using=using)
    return [BookLine(*row) for row in rows]


def state_changes(line_id: UUID, *, owner_id: UUID | None) -> list[dict[str, Any]] | None:
    """Tell when a line changed its state, by whom and in which request, oldest first; None if it isn't theirs.

    The first change is read off the transfer, which never changes and names its maker; later ones off the audit
    trail, where settling and releasing write them.
    """
    rows = run(
        "SELECT l.created_at, t.actor, t.request_id, l.status, l.completed_at FROM transactions_transaction AS l"
        " JOIN transactions_transfer AS t ON t.id = l.transfer_id"
        " JOIN transactions_ledgeraccount AS a ON a.id = l.account_id"
        " WHERE l.id = %s AND NOT a.rolled_up AND (%s::uuid IS NULL OR a.owner_id = %s)",
        (line_id, owner_id, owner_id),
    )
    if not rows:
        return None
    created_at, actor, request_id, status, _completed_at = rows[0]
    later = run(
        "SELECT at, actor, from_state, to_state, request_id FROM events_auditentry"
        " WHERE object_type = 'transaction' AND object_id = %s AND from_state <> '' ORDER BY id",
        (str(line_id),),
    )
    born = later[0][2] if later else status
    first = {"at": created_at, "by": actor, "from": None, "to": born, "request_id": request_id}
    return [
        first,
        *(
            {"at": at, "by": by, "from": from_state, "to": to_state, "request_id": request}
            for at, by, from_state, to_state, request in later
        ),
    ]
