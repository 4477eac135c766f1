"""Asking for money back, and taking the request back: the first half of a refund's life.

A deposit goes back to its card, so that its money waits on the wallet from the request on; a payment comes back to
the wallet. The original is locked while what remains of it is summed up, so that racers never ask for more.
"""

from uuid import UUID

from uuid_utils.compat import uuid7

from events import context
from events.clock import now
from payments.models import Payment, PaymentStatus, Refund, RefundReason, RefundStatus
from payments.refund_limits import is_approved_by_setting
from payments.refund_locks import lock_pending
from payments.refund_movements import refund_entries, release
from payments.refund_queries import amount_taken
from payments.refund_traces import record_change
from payments.refusals import NotRefundable, PaymentDisputed
from transactions import ledger
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.models import LineType, PostingStatus, TransferKind
from transactions.movements import Movement
from transactions.prepared import run
from transactions.queries import BookLine, line_by_id
from transactions.refusals import AlreadyRefunded, AlreadyReversed, AmountExceedsRemaining, NotFound
from users.principals import Principal
from users.refusals import PermissionDenied
from users.standing import staff_member
from wallets.freed_holds import spend
from wallets.locks import LockedWallet, lock_wallet
from wallets.models import WalletStatus
from wallets.refusals import WalletClosed

MAY_ASK = "refund:request"

DEPOSITS = frozenset({LineType.FUNDING.value, LineType.TOP_UP.value})


def request_refund(
    *,
    line_id: UUID,
    amount: int | None,
    reason: RefundReason,
    notes: str,
    principal: Principal,
    call: KeyedCall,
) -> Answer:
    """Ask for a completed deposit or payment back, in part or whole; several times, never more than remains.

    `amount` is positive minor units, None for all that remains. `call.render` is given the Refund: pending, or
    approved where a setting approves so small an amount.

    Refuses with PermissionDenied, NotFound, WalletClosed, PaymentDisputed, AlreadyReversed, AlreadyRefunded,
    NotRefundable, AmountExceedsRemaining and InsufficientFunds, in that order, and as `idempotency.once` does.
    """
    line = line_by_id(line_id, owner_id=principal.owner_id)

    def effect() -> Answer:
        if principal.is_staff:
            staff_member(principal=principal, permission=MAY_ASK)
        if line is None:
            raise NotFound
        payment = _locked_payment(line)
        wallet = lock_wallet(line.account_id, owner_id=principal.owner_id)
        asked_for = _amount_allowed(line, payment, wallet, amount)
        movement = ledger.reserve(
            Movement(
                kind=TransferKind.REFUND,
                actor=principal.name,
                description=line.description,
                reference=line.reference,
                payment_id=payment.id if payment is not None else None,
                refund_of=line.id,
            ),
            refund_entries(wallet, asked_for, payment),
        )
        refund_id = uuid7()
        refund = Refund(
            id=refund_id,
            wallet_id=wallet.id,
            payment=payment,
            transaction_id=line.id,
            amount=asked_for,
            currency=line.currency,
            reason=reason,
            notes=notes,
            requested_by=principal.id,
            processor_key=f"refund-{refund_id}",
            transfer_id=movement.id,
            request_id=context.current().request_id,
            created_at=now(),
        )
        if is_approved_by_setting(refund):
            refund.status, refund.is_auto_approved = RefundStatus.APPROVED, True
            refund.decided_at = refund.due_at = refund.created_at
        _save_new(refund, actor=principal.name)
        return store(call, refund)

    return spend(call, effect, wallet_id=line.account_id) if line is not None else once(call, effect)


def cancel_refund(*, refund_id: UUID, principal: Principal, call: KeyedCall) -> Answer:
    """Take back a refund that nobody has decided on; what waited on the wallet is available again.

    A customer may take back what it has asked for itself. `call.render` is given the Refund.

    Refuses with PermissionDenied, NotFound and RefundNotPending, and as `idempotency.once` does.
    """

    def effect() -> Answer:
        if principal.is_staff:
            staff_member(principal=principal, permission=MAY_ASK)
        refund = lock_pending(refund_id, owner_id=principal.owner_id)
        if principal.is_customer and refund.requested_by != principal.id:
            raise PermissionDenied
        release(refund, status=PostingStatus.CANCELLED, actor=principal.name)
        refund.status = RefundStatus.CANCELLED
        refund.save(update_fields=["status"])
        record_change(refund, before=RefundStatus.PENDING, actor=principal.name)
        return store(call, refund)

    return once(call, effect)


def _locked_payment(line: BookLine) -> Payment | None:
    """Lock the charge behind a deposit, ahead of its wallet."""
    if line.type not in DEPOSITS:
        return None
    return Payment.objects.select_for_update().filter(transaction_id=line.id).first()


def _amount_allowed(line: BookLine, payment: Payment | None, wallet: LockedWallet, amount: int | None) -> int:
    if wallet.status == WalletStatus.CLOSED:
        raise WalletClosed
    if payment is not None and payment.status == PaymentStatus.DISPUTED:
        raise PaymentDisputed
    # Whoever reverses locks the wallet as well.
    if run(
        "SELECT 1 FROM transactions_transfer WHERE reverses = %s AND status IN ('pending', 'completed')",
        (line.transfer_id,),
    ):
        raise AlreadyReversed
    is_refundable = payment is not None or line.type == LineType.PAYMENT
    if not is_refundable or line.status != PostingStatus.COMPLETED:
        raise NotRefundable
    remaining = abs(line.amount) - amount_taken(line_id=line.id)
    if remaining <= 0:
        raise AlreadyRefunded
    if amount is not None and amount > remaining:
        raise AmountExceedsRemaining(extra={"remaining": remaining})
    return remaining if amount is None else amount


def _save_new(refund: Refund, *, actor: str) -> None:
    status = refund.status
    refund.save(force_insert=True)
    refund.status = RefundStatus.PENDING
    record_change(refund, before="", actor=actor)
    refund.status = status
    if refund.is_auto_approved:
        record_change(refund, before=RefundStatus.PENDING, actor="system:auto_approval")
