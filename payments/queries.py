"""Reading payments, always within what a principal may see."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, QuerySet, Sum

from payments.models import UNDER_WAY, Payment, PaymentKind, PaymentStatus
from payments.processors.declines import shown_code
from transactions.refusals import NotFound


def payments_within(*, owner_id: UUID | None) -> QuerySet[Payment]:
    """Give the payments within reach: those of the owner, or everybody's when there is none."""
    payments = Payment.objects.all()
    return payments if owner_id is None else payments.filter(user_id=owner_id)


def payment_within(*, payment_id: UUID, owner_id: UUID | None) -> Payment:
    """Give one payment. Refuses with NotFound what doesn't exist or is somebody else's."""
    payment = payments_within(owner_id=owner_id).filter(id=payment_id).first()
    if payment is None:
        raise NotFound("There is no such payment.")
    return payment


def is_first_charge(payment: Payment) -> bool:
    """Whether the payment's card hasn't been charged before, nor may have been; an attempt that never was is none."""
    if payment.token_id is None:
        return True
    earlier = Payment.objects.filter(token_id=payment.token_id, id__lt=payment.id)
    return not earlier.exclude(status=PaymentStatus.FAILED, decline_code="").exists()


def amount_under_way(*, wallet_id: UUID) -> int:
    """Sum what charges under way may still add to a wallet, in minor units."""
    payments = Payment.objects.filter(wallet_id=wallet_id, status__in=UNDER_WAY)
    return payments.aggregate(total=Sum("amount"))["total"] or 0


def shown(payment: Payment) -> dict[str, Any]:
    """Tell all that may be shown of a payment: the API's fields in their order."""
    return {
        "id": payment.id,
        "wallet_id": payment.wallet_id,
        "transaction_id": payment.transaction_id,
        "amount": payment.amount,
        "currency": payment.currency,
        "method": payment.method,
        "token_id": payment.token_id,
        "status": payment.status,
        "decline_code": shown_code(payment.decline_code) or None,
        "refunded_amount": payment.refunded_amount,
        "next_action": payment.next_action,
        "created_at": payment.created_at,
        "completed_at": payment.completed_at,
    }


class ToppedUp(NamedTuple):
    """What rules have charged for a wallet, or are charging: how often, and how much in minor units."""

    times: int
    amount: int


def topped_up_since(*, wallet_id: UUID, since: datetime) -> ToppedUp:
    """Sum up the top-ups of a wallet that were begun since a moment and haven't failed."""
    payments = Payment.objects.filter(wallet_id=wallet_id, kind=PaymentKind.TOP_UP, created_at__gte=since)
    found = payments.exclude(status=PaymentStatus.FAILED).aggregate(count=Count("id"), amount=Sum("amount"))
    return ToppedUp(times=found["count"], amount=found["amount"] or 0)
