"""Holds as they stand in the book: money set aside on an account until it is captured, voided or expires."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError

from events.clock import now, now_of
from transactions.idempotency import LOCK_NOT_AVAILABLE, sqlstate
from transactions.models import HoldStatus
from transactions.prepared import run
from transactions.refusals import InvalidInput, Unavailable


@dataclass(slots=True, kw_only=True)
class HeldAmount:
    """One hold, in minor units of `currency`; `transaction_ids` are the lines of its captures, oldest first."""

    id: UUID
    account_id: UUID
    currency: str
    amount: int
    captured: int
    stored_status: str
    description: str
    reference: str
    actor: str
    expires_at: datetime
    created_at: datetime
    stored_closed_at: datetime | None
    transaction_ids: list[UUID] = field(default_factory=list)

    @property
    def is_due(self) -> bool:
        """Whether its time is over although nobody has written that down."""
        return self.stored_status == HoldStatus.OPEN and self.expires_at <= now_of(self.account_id)

    @property
    def status(self) -> str:
        """The state as of now: a hold whose time is over has expired, whether or not a sweep has run."""
        return HoldStatus.EXPIRED.value if self.is_due else self.stored_status

    @property
    def closed_at(self) -> datetime | None:
        """Since when it is not open any more; an expired one since its expiry."""
        return self.expires_at if self.is_due else self.stored_closed_at

    @property
    def unused(self) -> int:
        """What is set aside for it on the account: nothing once it is closed."""
        return self.amount - self.captured if self.stored_status == HoldStatus.OPEN else 0


def as_shown(hold: HeldAmount) -> dict[str, Any]:
    """Give the hold's fields as the API names them; amounts in minor units."""
    status = hold.status
    return {
        "id": hold.id,
        "wallet_id": hold.account_id,
        "amount": hold.amount,
        "captured": hold.captured,
        "remaining": hold.amount - hold.captured if status == HoldStatus.OPEN else 0,
        "currency": hold.currency,
        "status": status,
        "description": hold.description,
        "reference": hold.reference,
        "transaction_ids": hold.transaction_ids,
        "expires_at": hold.expires_at,
        "created_at": hold.created_at,
        "closed_at": hold.closed_at,
    }


_COLUMNS = (
    "SELECT h.id, h.account_id, a.currency, h.amount, h.captured, h.status, h.description, h.reference, h.actor,"
    " h.expires_at, h.created_at, h.closed_at"
)
_FROM = " FROM transactions_hold AS h JOIN transactions_ledgeraccount AS a ON a.id = h.account_id"
_CAPTURES = (
    "ARRAY(SELECT l.id FROM transactions_transfer AS t JOIN transactions_transaction AS l"
    " ON l.transfer_id = t.id AND l.account_id = h.account_id WHERE t.hold_id = h.id ORDER BY l.seq)"
)
_SELECT = f"{_COLUMNS}, {_CAPTURES}{_FROM}"
_FIELDS = (
    "id",
    "account_id",
    "currency",
    "amount",
    "captured",
    "stored_status",
    "description",
    "reference",
    "actor",
    "expires_at",
    "created_at",
    "stored_closed_at",
    "transaction_ids",
)


def _of_row(row: tuple[Any, ...]) -> HeldAmount:
    return HeldAmount(**dict(zip(_FIELDS, row, strict=False)))


def hold_by_id(hold_id: UUID, *, account_id: UUID | None = None) -> HeldAmount | None:
    """Read a hold without locking it, on one account or any: for showing, never for deciding."""
    rows = run(
        f"{_SELECT} WHERE h.id = %s AND (%s::uuid IS NULL OR h.account_id = %s)",
        (hold_id, account_id, account_id),
    )
    return _of_row(rows[0]) if rows else None


def lock_hold(hold_id: UUID, *, account_id: UUID) -> HeldAmount | None:
    """Lock a hold of an account, before the account: whoever comes second sees what the first one did.

    Refuses with Unavailable when the lock can't be had within the lock timeout.
    """
    hold = _locked("h.id = %s AND h.account_id = %s", (hold_id, account_id))
    if hold is not None and hold.captured:
        # A statement of its own: one that waits for the lock reads everything else as it was before it waited.
        ((hold.transaction_ids,),) = run(
            f"SELECT {_CAPTURES} FROM transactions_hold AS h WHERE h.id = %s", (hold_id,)
        )
    return hold


def lock_due_hold(hold_id: UUID) -> HeldAmount | None:
    """Lock a hold whose time is over, as `lock_hold` does; None where it has been closed."""
    return _locked("h.id = %s AND h.status = 'open' AND h.expires_at <= %s", (hold_id, now()))


def _locked(condition: str, parameters: tuple[Any, ...]) -> HeldAmount | None:
    try:
        rows = run(f"{_COLUMNS}{_FROM} WHERE {condition} FOR UPDATE OF h", parameters)
    except OperationalError as error:
        if sqlstate(error) == LOCK_NOT_AVAILABLE:
            raise Unavailable from error
        raise
    return _of_row(rows[0]) if rows else None


def due_hold_ids(*, account_id: UUID | None, limit: int) -> list[UUID]:
    """List open holds whose time is over, the longest overdue first, on one account or on all."""
    narrowed, parameters = ("", ()) if account_id is None else (" AND account_id = %s", (account_id,))
    rows = run(
        f"SELECT id FROM transactions_hold WHERE status = 'open' AND expires_at <= %s{narrowed}"
        " ORDER BY expires_at LIMIT %s",
        (now(), *parameters, limit),
    )
    return [hold_id for (hold_id,) in rows]


def hold_key(hold: HeldAmount) -> tuple[Any, ...]:
    """Name a hold within a list."""
    return (hold.created_at, str(hold.id))


def list_holds(
    account_id: UUID,
    *,
    status: str | None,
    key: Sequence[Any] | None,
    is_backwards: bool,
    count: int,
) -> list[HeldAmount]:
    """List an account's holds beyond `key`, nearest first, those of one status as of now or all.

    Refuses with InvalidInput when the key isn't one of `hold_key`.
    """
    sign, direction = (">", "ASC") if is_backwards else ("<", "DESC")
    conditions: list[str] = ["h.account_id = %s"]
    parameters: list[Any] = [account_id]
    is_due = "(h.status = 'open' AND h.expires_at <= %s)"
    if status == HoldStatus.OPEN:
        conditions.append("h.status = 'open' AND h.expires_at > %s")
        parameters.append(now())
    elif status == HoldStatus.EXPIRED:
        conditions.append(f"(h.status = 'expired' OR {is_due})")
        parameters.append(now())
    elif status is not None:
        conditions.append("h.status = %s")
        parameters.append(status)
    if key is not None:
        try:
            moment, hold_id = key
            parameters += [datetime.fromisoformat(moment), UUID(hold_id)]
        except (TypeError, ValueError):
            raise InvalidInput("The cursor is not one of this list.", field="cursor") from None
        conditions.append(f"(h.created_at, h.id) {sign} (%s, %s)")
    rows = run(
        f"{_SELECT} WHERE {' AND '.join(conditions)}"
        f" ORDER BY h.created_at {direction}, h.id {direction} LIMIT %s",
        (*parameters, count),
    )
    return [_of_row(row) for row in rows]
