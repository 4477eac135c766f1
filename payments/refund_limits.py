"""How much may be approved: by one person within 24 hours, and by nobody at all for small amounts.

Both sums are read under a lock, the approver's or the wallet's: two at the same time can't both find room for the
last one.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Sum

from events.clock import now
from payments.models import Refund, RefundStatus
from transactions.refusals import LimitExceeded
from users.models import User

DAY = timedelta(hours=24)


def require_room_for(person: User, refund: Refund) -> None:
    """Refuse with LimitExceeded what would pass the person's limit of approvals within the last 24 hours."""
    limit = _amount_for(settings.REFUND_APPROVAL_LIMIT, refund.currency)
    if limit is None:
        return
    User.objects.select_for_update(no_key=True).get(id=person.id)
    remaining = limit - _approved_by(person.id, refund.currency)
    if refund.amount > remaining:
        raise LimitExceeded(
            "What you may approve within 24 hours is used up.",
            extra={"limit": "refund_approval", "remaining": max(remaining, 0)},
        )


def room_left(person_id: UUID, currency: str) -> int | None:
    """Tell how much more a person may approve at the moment, in minor units; None where there is no limit."""
    limit = _amount_for(settings.REFUND_APPROVAL_LIMIT, currency)
    return None if limit is None else max(limit - _approved_by(person_id, currency), 0)


def is_approved_by_setting(refund: Refund) -> bool:
    """Whether nobody has to decide: all that the setting has approved for the locked wallet within 24 hours, with the
    new refund, stays below its amount."""
    below = _amount_for(settings.REFUND_AUTO_APPROVAL_BELOW, refund.currency)
    if below is None:
        return False
    approved = Refund.objects.filter(
        wallet_id=refund.wallet_id, is_auto_approved=True, decided_at__gt=refund.created_at - DAY
    ).aggregate(total=Sum("amount"))["total"]
    return refund.amount + (approved or 0) < below


def _approved_by(person_id: UUID, currency: str) -> int:
    approved = Refund.objects.filter(
        decided_by=person_id, decided_at__gt=now() - DAY, currency=currency
    ).exclude(status=RefundStatus.REJECTED)
    return approved.aggregate(total=Sum("amount"))["total"] or 0


def _amount_for(amounts: Mapping[str, int], currency: str) -> int | None:
    return amounts.get(currency, amounts.get("*"))
