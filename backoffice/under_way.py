"""What isn't over yet on some wallets: open holds and refunds, charges whose end is to come, and how top-ups go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from events.clock import now
from payments.models import UNDER_WAY, AutoTopUp, Payment, Refund, RefundStatus
from transactions.models import Hold, HoldStatus
from users.staff_screens import screen_url

MOST_SHOWN: Final = 20
"""How many of each kind are shown."""

OPEN_REFUNDS: Final = (RefundStatus.PENDING, RefundStatus.APPROVED, RefundStatus.PROCESSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """One thing that isn't over; `amount` in minor units, of a hold what it still keeps."""

    what: str | Promise
    id: UUID
    url: str
    status: str
    amount: int
    currency: str
    since: datetime


def under_way(wallet_ids: Sequence[UUID]) -> list[Open]:
    """List what isn't over on these wallets: holds, refunds, charges, each newest first."""
    holds = Hold.objects.filter(account_id__in=wallet_ids, status=HoldStatus.OPEN).select_related("account")
    refunds = Refund.objects.filter(wallet_id__in=wallet_ids, status__in=OPEN_REFUNDS)
    charges = Payment.objects.filter(wallet_id__in=wallet_ids, status__in=UNDER_WAY)
    return [
        *(
            Open(
                what=_("Hold"),
                id=hold.id,
                url=screen_url("transactions.hold", hold.id),
                status=hold.status_at(now()),
                amount=hold.amount - hold.captured,
                currency=hold.account.currency,
                since=hold.created_at,
            )
            for hold in holds.order_by("-created_at", "-id")[:MOST_SHOWN]
        ),
        *(
            Open(
                what=_("Refund"),
                id=refund.id,
                url=screen_url("payments.refund", refund.id),
                status=refund.status,
                amount=refund.amount,
                currency=refund.currency,
                since=refund.created_at,
            )
            for refund in refunds.order_by("-id")[:MOST_SHOWN]
        ),
        *(
            Open(
                what=_("Top-up") if payment.kind == "top_up" else _("Funding"),
                id=payment.id,
                url=screen_url("payments.payment", payment.id),
                status=payment.status,
                amount=payment.amount,
                currency=payment.currency,
                since=payment.created_at,
            )
            for payment in charges.order_by("-id")[:MOST_SHOWN]
        ),
    ]


def rules_of(wallet_ids: Sequence[UUID]) -> list[AutoTopUp]:
    """Read the automatic top-ups of these wallets, but for those that were removed."""
    rules = AutoTopUp.objects.filter(wallet_id__in=wallet_ids, removed_at=None)
    return list(rules.select_related("token", "wallet").order_by("-pk"))
