"""How holds end without being used up: voided by a call, expired by the clock."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from events import audit
from transactions import reservations
from transactions.held_amounts import HeldAmount, due_hold_ids, lock_due_hold
from transactions.idempotency import Answer, KeyedCall, once
from transactions.models import HoldStatus
from transactions.refusals import InsufficientFunds, LimitExceeded, Unavailable
from wallets.limits import give_back_outflow
from wallets.locks import LockedWallet, lock_wallet

_BY_CLOCK = KeyedCall(principal="system", key="", fingerprint=b"", render=lambda _hold: Answer(200, b""))

_log = structlog.get_logger()


def free_hold(
    hold: HeldAmount,
    wallet: LockedWallet,
    *,
    status: HoldStatus,
    closed_at: datetime,
    actor: str,
    call: KeyedCall,
    reason: str = "",
) -> Answer:
    """Close a locked, open hold of a locked wallet as `voided` or `expired`, and free what it still keeps.

    The wallet may spend it again, also within the limits of the day and month in which it was authorised.
    `call.render` is given the HeldAmount.
    """
    give_back_outflow(wallet, hold.unused, counted_at=hold.created_at)
    audit.record(
        actor=actor,
        action=f"hold.{status.value}",
        object_type="hold",
        object_id=hold.id,
        from_state=HoldStatus.OPEN,
        to_state=status,
        reason=reason,
    )
    return reservations.free(hold, wallet, status=status, closed_at=closed_at, call=call)


def expire_due_holds(*, wallet_id: UUID | None = None, limit: int = 100) -> int:
    """Free the holds whose time is over, on one wallet or on all, at most `limit`; tell how many.

    Nobody who asks for a hold waits for it: one whose time is over counts as expired at once. A hold or wallet whose
    lock can't be had in time is left to the next sweep.
    """
    freed = 0
    for hold_id in due_hold_ids(account_id=wallet_id, limit=limit):
        try:
            with transaction.atomic():
                hold = lock_due_hold(hold_id)
                if hold is not None:
                    wallet = lock_wallet(hold.account_id, owner_id=None)
                    free_hold(
                        hold,
                        wallet,
                        status=HoldStatus.EXPIRED,
                        closed_at=hold.expires_at,
                        actor=_BY_CLOCK.principal,
                        call=_BY_CLOCK,
                    )
                    freed += 1
        except Unavailable:
            _log.warning("hold_not_expired", hold_id=str(hold_id))
    return freed


def spend(call: KeyedCall, effect: Callable[[], Answer], *, wallet_id: UUID) -> Answer:
    """Run an effect that spends from a wallet, as `idempotency.once` does.

    Where it lacks money or room that only expired holds still keep, those are freed and it is run once more: before
    it locks the wallet, since holds are locked before wallets.
    """
    try:
        return once(call, effect)
    except (InsufficientFunds, LimitExceeded):
        if not due_hold_ids(account_id=wallet_id, limit=1):
            raise
        expire_due_holds(wallet_id=wallet_id)
    return once(call, effect)
