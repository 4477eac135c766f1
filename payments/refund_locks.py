"""Locking refunds: the refund first, then the charge behind it, then the wallet."""

from uuid import UUID

from payments.models import Payment, Refund, RefundStatus
from payments.refusals import RefundNotPending
from transactions.refusals import NotFound


def lock_refund(refund_id: UUID, *, owner_id: UUID | None = None) -> Refund:
    """Lock one refund. Refuses with NotFound where it is missing or somebody else's; None reaches everybody's."""
    refunds = Refund.objects.select_for_update(of=("self",)).select_related("wallet")
    refund = refunds.filter(id=refund_id).first()
    if refund is None or owner_id not in (None, refund.wallet.user_id):
        raise NotFound("There is no such refund.")
    return refund


def lock_pending(refund_id: UUID, *, owner_id: UUID | None = None) -> Refund:
    """Lock a refund that nobody has decided on. Refuses with NotFound and RefundNotPending."""
    refund = lock_refund(refund_id, owner_id=owner_id)
    if refund.status != RefundStatus.PENDING:
        raise RefundNotPending
    return refund


def lock_charge(refund: Refund) -> Payment | None:
    """Lock the charge behind a locked refund; None where it is of a payment to the merchant."""
    if refund.payment_id is None:
        return None
    return Payment.objects.select_for_update().get(id=refund.payment_id)
