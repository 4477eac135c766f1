"""Reading refunds, always within what a principal may see."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum

from payments.models import Refund, RefundStatus
from transactions.refusals import NotFound

UNDONE = (RefundStatus.REJECTED.value, RefundStatus.CANCELLED.value, RefundStatus.FAILED.value)
"""The ends after which the amount may be refunded again."""


def refunds_within(*, owner_id: UUID | None) -> QuerySet[Refund]:
    """Give the refunds within reach: those of the owner's wallets, or everybody's when there is none."""
    refunds = Refund.objects.all()
    return refunds if owner_id is None else refunds.filter(wallet__user_id=owner_id)


def refund_within(*, refund_id: UUID, owner_id: UUID | None) -> Refund:
    """Give one refund. Refuses with NotFound what doesn't exist or is somebody else's."""
    refund = refunds_within(owner_id=owner_id).filter(id=refund_id).first()
    if refund is None:
        raise NotFound("There is no such refund.")
    return refund


def amount_taken(*, line_id: UUID) -> int:
    """Sum what refunds of one line have given back or may still give back, in minor units."""
    refunds = Refund.objects.filter(transaction_id=line_id).exclude(status__in=UNDONE)
    return refunds.aggregate(total=Sum("amount"))["total"] or 0


def shown(refund: Refund) -> dict[str, Any]:
    """Tell all that may be shown of a refund: the API's fields in their order; the amount in minor units."""
    return {
        "id": refund.id,
        "transaction_id": refund.transaction_id,
        "wallet_id": refund.wallet_id,
        "amount": refund.amount,
        "currency": refund.currency,
        "reason": refund.reason,
        "notes": refund.notes,
        "status": refund.status,
        "requested_by": refund.requested_by,
        "decided_by": refund.decided_by,
        "decided_at": refund.decided_at,
        "failure_code": refund.failure_code or None,
        "created_at": refund.created_at,
        "completed_at": refund.completed_at,
    }
