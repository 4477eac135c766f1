"""Money set aside for the merchant: authorised, captured in part or whole, voided.

Locks are taken in one order: the hold's row, the wallet with its account, the key.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from events import audit
from events.clock import now
from transactions import reservations
from transactions.held_amounts import HeldAmount, lock_hold
from transactions.idempotency import Answer, KeyedCall, once
from transactions.models import HoldStatus
from transactions.money import Money
from transactions.refusals import AmountExceedsRemaining, CurrencyMismatch, HoldNotOpen, NotFound
from users.refusals import PermissionDenied
from wallets.freed_holds import free_hold, spend
from wallets.limits import count_outflow
from wallets.locks import LockedWallet, lock_wallet

USUAL_LIFETIME_S: Final = 7 * 24 * 3600
LONGEST_LIFETIME_S: Final = 30 * 24 * 3600


def authorise_hold(
    *,
    wallet_id: UUID,
    amount: Money,
    owner_id: UUID | None,
    actor: str,
    call: KeyedCall,
    expires_in_s: int = USUAL_LIFETIME_S,
    description: str = "",
    reference: str = "",
) -> Answer:
    """Set money of a wallet aside for the merchant, once for the call's key.

    `amount` is positive minor units in the wallet's currency, and counts against its outflow limits from now on.
    `call.render` is given the HeldAmount.

    Refuses with NotFound, WalletSuspended, WalletClosed, CurrencyMismatch, LimitExceeded and InsufficientFunds,
    in that order, and as `idempotency.once` does.
    """

    def effect() -> Answer:
        wallet = lock_wallet(wallet_id, owner_id=owner_id)
        wallet.require_active()
        if amount.currency != wallet.currency:
            raise CurrencyMismatch
        at = now()
        count_outflow(wallet, amount.amount, at=at)
        hold = HeldAmount(
            id=uuid7(),
            account_id=wallet.id,
            currency=wallet.currency,
            amount=amount.amount,
            captured=0,
            stored_status=HoldStatus.OPEN.value,
            description=description,
            reference=reference,
            actor=actor,
            expires_at=at + timedelta(seconds=expires_in_s),
            created_at=at,
            stored_closed_at=None,
        )
        return reservations.set_aside(hold, wallet, call=call)

    return spend(call, effect, wallet_id=wallet_id)


def capture_hold(
    *,
    wallet_id: UUID,
    hold_id: UUID,
    owner_id: UUID | None,
    actor: str,
    call: KeyedCall,
    amount: int | None = None,
) -> Answer:
    """Pay the merchant from an open hold, in part or whole, again until its amount is used up.

    `amount` is positive minor units of the hold's currency, all that remains when it is None. Suspended wallets
    pay too, and no limit refuses: the hold has been promised. `call.render` is given the HeldAmount.

    Refuses with NotFound, PermissionDenied, HoldNotOpen and AmountExceedsRemaining, in that order, and as
    `idempotency.once` does.
    """

    def effect() -> Answer:
        hold, wallet = _lock_open(hold_id, wallet_id=wallet_id, owner_id=owner_id, actor=actor)
        taken = hold.unused if amount is None else amount
        if taken > hold.unused:
            raise AmountExceedsRemaining(extra={"remaining": hold.unused})
        if taken == hold.unused:
            audit.record(
                actor=actor,
                action="hold.captured",
                object_type="hold",
                object_id=hold.id,
                from_state=HoldStatus.OPEN,
                to_state=HoldStatus.CAPTURED,
            )
        return reservations.capture(hold, wallet, taken, actor=actor, call=call)

    return once(call, effect)


def void_hold(
    *, wallet_id: UUID, hold_id: UUID, owner_id: UUID | None, actor: str, call: KeyedCall, reason: str = ""
) -> Answer:
    """Free what an open hold still keeps, and close it; what has been captured stays so.

    `reason` is for the audit trail; `call.render` is given the HeldAmount. Refuses with NotFound, PermissionDenied
    and HoldNotOpen, in that order, and as `idempotency.once` does.
    """

    def effect() -> Answer:
        hold, wallet = _lock_open(hold_id, wallet_id=wallet_id, owner_id=owner_id, actor=actor)
        return free_hold(
            hold, wallet, status=HoldStatus.VOIDED, closed_at=now(), actor=actor, call=call, reason=reason
        )

    return once(call, effect)


def _lock_open(
    hold_id: UUID, *, wallet_id: UUID, owner_id: UUID | None, actor: str
) -> tuple[HeldAmount, LockedWallet]:
    hold = lock_hold(hold_id, account_id=wallet_id)
    if hold is None:
        raise NotFound
    wallet = lock_wallet(wallet_id, owner_id=owner_id)
    if owner_id is not None and hold.actor != actor:
        raise PermissionDenied("Only who authorised this hold can capture or void it.")
    if hold.status != HoldStatus.OPEN:
        raise HoldNotOpen
    return hold, wallet
