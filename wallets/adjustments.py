"""Corrections of a balance by two people: one asks and gives the reason, another one decides.

A correction binds no limit of the customer, and finds a suspended wallet as well as an active one: it puts right
what the book should have said.
"""

from typing import Any
from uuid import UUID

from events import audit, context
from events.clock import now
from transactions import chart, ledger
from transactions.accounts import Account
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.models import LineType, PostingStatus, TransferKind
from transactions.money import Money
from transactions.movements import Entry, Movement
from transactions.queries import load_movement
from transactions.refusals import CurrencyMismatch, NotFound, SelfApproval
from users.models import User
from users.principals import Principal
from users.standing import staff_member
from wallets.freed_holds import spend
from wallets.locks import lock_wallet
from wallets.models import Adjustment, AdjustmentStatus, WalletStatus
from wallets.refusals import AdjustmentNotPending, WalletClosed

MAY_ASK = "adjustment:request"
MAY_DECIDE = "adjustment:decide"


def as_shown(adjustment: Adjustment) -> dict[str, Any]:
    """Give the adjustment's fields as the API names them; the amount in minor units, signed as the wallet's owner sees it."""
    return {
        "id": adjustment.id,
        "wallet_id": adjustment.wallet_id,
        "amount": adjustment.amount,
        "currency": adjustment.currency,
        "reason": adjustment.reason,
        "status": adjustment.status,
        "requested_by": adjustment.requested_by,
        "decided_by": adjustment.decided_by,
        "decided_at": adjustment.decided_at,
        "decision_reason": adjustment.decision_reason,
        "transaction_id": adjustment.transaction_id,
        "created_at": adjustment.created_at,
    }


def request_adjustment(
    *, wallet_id: UUID, amount: Money, reason: str, principal: Principal, call: KeyedCall
) -> Answer:
    """Ask for a correction; its movement waits, pending, and a debit's money is held meanwhile.

    `amount` is signed minor units in the wallet's currency, negative takes money out. `call.render` is given the
    Adjustment.

    Refuses with PermissionDenied, NotFound, WalletClosed, CurrencyMismatch and InsufficientFunds, in that order,
    and as `idempotency.once` does.
    """

    def effect() -> Answer:
        person = staff_member(principal=principal, permission=MAY_ASK)
        wallet = lock_wallet(wallet_id, owner_id=None)
        if wallet.status == WalletStatus.CLOSED:
            raise WalletClosed
        if amount.currency != wallet.currency:
            raise CurrencyMismatch
        movement = ledger.reserve(
            Movement(kind=TransferKind.ADJUSTMENT, actor=principal.name),
            [
                Entry(wallet, amount.amount, LineType.ADJUSTMENT),
                Entry(chart.adjustments(currency=amount.currency), -amount.amount, LineType.ADJUSTMENT),
            ],
        )
        adjustment = Adjustment(
            wallet_id=wallet.id,
            amount=amount.amount,
            currency=amount.currency,
            reason=reason,
            requested_by=person.id,
            transfer_id=movement.id,
            transaction_id=movement.line_of(wallet.id).id,
            request_id=context.current().request_id,
            created_at=now(),
        )
        adjustment.save(force_insert=True)
        audit.record(
            actor=principal.name,
            action="adjustment.requested",
            object_type="adjustment",
            object_id=adjustment.id,
            to_state=AdjustmentStatus.PENDING,
            reason=reason,
        )
        return store(call, adjustment)

    return spend(call, effect, wallet_id=wallet_id)


def approve_adjustment(*, adjustment_id: UUID, principal: Principal, call: KeyedCall) -> Answer:
    """Post a correction that somebody else has asked for; `call.render` is given the Adjustment.

    Refuses with PermissionDenied, NotFound, AdjustmentNotPending and SelfApproval, in that order, and as
    `idempotency.once` does.
    """
    return _decide(adjustment_id, AdjustmentStatus.COMPLETED, principal=principal, reason="", call=call)


def reject_adjustment(*, adjustment_id: UUID, reason: str, principal: Principal, call: KeyedCall) -> Answer:
    """Cancel a correction that somebody else has asked for; what a debit held is available again.

    `call.render` is given the Adjustment. Refuses as `approve_adjustment` does.
    """
    return _decide(adjustment_id, AdjustmentStatus.REJECTED, principal=principal, reason=reason, call=call)


def _decide(
    adjustment_id: UUID, status: AdjustmentStatus, *, principal: Principal, reason: str, call: KeyedCall
) -> Answer:
    def effect() -> Answer:
        person = staff_member(principal=principal, permission=MAY_DECIDE)
        adjustment = _locked_pending(adjustment_id, person)
        wallet = lock_wallet(adjustment.wallet_id, owner_id=None)
        movement = load_movement(adjustment.transfer_id)
        if movement is None:
            raise AssertionError(f"adjustment {adjustment.id} has no movement")
        accounts: dict[UUID, Account] = {wallet.id: wallet}
        if status is AdjustmentStatus.COMPLETED:
            ledger.settle(movement, accounts)
        else:
            ledger.release(movement, accounts, status=PostingStatus.CANCELLED)
        adjustment.status = status
        adjustment.decided_by = person.id
        adjustment.decided_at = now()
        adjustment.decision_reason = reason
        adjustment.save(update_fields=["status", "decided_by", "decided_at", "decision_reason"])
        _record(adjustment, movement, actor=principal.name)
        return store(call, adjustment)

    return once(call, effect)


def _locked_pending(adjustment_id: UUID, person: User) -> Adjustment:
    adjustment = Adjustment.objects.select_for_update().filter(id=adjustment_id).first()
    if adjustment is None:
        raise NotFound
    if adjustment.status != AdjustmentStatus.PENDING:
        raise AdjustmentNotPending
    if adjustment.requested_by == person.id:
        raise SelfApproval
    return adjustment


def _record(adjustment: Adjustment, movement: Movement, *, actor: str) -> None:
    audit.record(
        actor=actor,
        action="adjustment.approved"
        if adjustment.status == AdjustmentStatus.COMPLETED
        else "adjustment.rejected",
        object_type="adjustment",
        object_id=adjustment.id,
        from_state=AdjustmentStatus.PENDING,
        to_state=adjustment.status,
        reason=adjustment.decision_reason,
    )
    audit.record(
        actor=actor,
        action="transaction.status_changed",
        object_type="transaction",
        object_id=adjustment.transaction_id,
        from_state=PostingStatus.PENDING,
        to_state=movement.status,
        reason=adjustment.decision_reason,
    )
