"""What somebody needs to know who decides on refunds: what each would change, what speaks for looking twice, and
what stands in their way. All of it is for showing: `refund_decisions` decides again, under locks.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from django.conf import settings

from events.clock import now
from payments.models import Dispute, PaymentStatus, Refund, RefundStatus
from payments.refund_decisions import MAY_DECIDE
from payments.refund_limits import room_left
from payments.refund_queries import UNDONE
from transactions.models import LedgerAccount
from users.principals import Principal

DISPUTES_WITHIN = timedelta(days=90)
REFUNDS_WITHIN = timedelta(days=30)
MANY_REFUNDS = 3


class Obstacle(StrEnum):
    """Why somebody can't approve a refund; rejecting is hindered by the first three alone."""

    NOT_PENDING = "not_pending"
    ROLE = "role"
    OWN_REQUEST = "own_request"
    DISPUTED = "disputed"
    OVER_LIMIT = "over_limit"


AGAINST_ANY_DECISION = frozenset({Obstacle.NOT_PENDING, Obstacle.ROLE, Obstacle.OWN_REQUEST})


@dataclass(frozen=True, slots=True)
class Standing:
    """Money on both sides at one moment, in minor units; `refunded` of a charge, None where it isn't of one."""

    balance: int
    held: int
    refunded: int | None

    @property
    def available(self) -> int:
        """What the customer may spend."""
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class Review:
    """One refund with what speaks for looking twice, and what approving it would change (None once it has ended)."""

    refund: Refund
    is_first: bool
    recent_disputes: int
    recent_refunds: int
    before: Standing | None
    after: Standing | None
    obstacle: Obstacle | None

    @property
    def has_many_refunds(self) -> bool:
        """Whether the customer has asked for many within a short time, this one included."""
        return self.recent_refunds >= MANY_REFUNDS

    @property
    def age(self) -> timedelta:
        """How long it has waited for its decision, or waits by now."""
        return (self.refund.decided_at or now()) - self.refund.created_at

    @property
    def is_late(self) -> bool:
        """Whether it waits for longer than it should."""
        is_pending = self.refund.status == RefundStatus.PENDING
        return is_pending and self.age > timedelta(hours=settings.REFUND_TARGET_HOURS)

    @property
    def may_approve(self) -> bool:
        """Whether nothing stands in the way of approving."""
        return self.obstacle is None

    @property
    def may_reject(self) -> bool:
        """Whether nothing stands in the way of rejecting."""
        return self.obstacle not in AGAINST_ANY_DECISION


def reviews_of(refunds: Sequence[Refund], *, principal: Principal) -> list[Review]:
    """Review a page of refunds, read with `wallet` and `payment`, in a number of queries that doesn't grow with it."""
    owners = {refund.wallet.user_id for refund in refunds}
    accounts = LedgerAccount.objects.in_bulk({refund.wallet_id for refund in refunds})
    rooms = {currency: room_left(principal.id, currency) for currency in {r.currency for r in refunds}}
    had_before = set(
        Refund.objects.filter(wallet__user_id__in=owners, status=RefundStatus.COMPLETED)
        .values_list("wallet__user_id", flat=True)
        .distinct()
    )
    disputes = Counter(
        Dispute.objects.filter(
            payment__user_id__in=owners, created_at__gt=now() - DISPUTES_WITHIN
        ).values_list("payment__user_id", flat=True)
    )
    asked = Counter(
        Refund.objects.filter(wallet__user_id__in=owners, created_at__gt=now() - REFUNDS_WITHIN)
        .exclude(status__in=UNDONE)
        .values_list("wallet__user_id", flat=True)
    )

    def review(refund: Refund) -> Review:
        owner_id: UUID = refund.wallet.user_id
        before, after = _standings(refund, accounts[refund.wallet_id])
        return Review(
            refund=refund,
            is_first=owner_id not in had_before,
            recent_disputes=disputes[owner_id],
            recent_refunds=asked[owner_id],
            before=before,
            after=after,
            obstacle=_obstacle(refund, principal, rooms[refund.currency]),
        )

    return [review(refund) for refund in refunds]


def _standings(refund: Refund, account: LedgerAccount) -> tuple[Standing | None, Standing | None]:
    """Tell how money stands, and how it will once the refund is completed and nothing else happens."""
    if refund.status not in (RefundStatus.PENDING, RefundStatus.APPROVED, RefundStatus.PROCESSING):
        return None, None
    if refund.payment is None:
        before = Standing(account.balance, account.held, None)
        return before, Standing(account.balance + refund.amount, account.held, None)
    before = Standing(account.balance, account.held, refund.payment.refunded_amount)
    after = Standing(
        account.balance - refund.amount,
        account.held - refund.amount,
        refund.payment.refunded_amount + refund.amount,
    )
    return before, after


def _obstacle(refund: Refund, principal: Principal, room: int | None) -> Obstacle | None:
    if refund.status != RefundStatus.PENDING:
        return Obstacle.NOT_PENDING
    if not principal.may(MAY_DECIDE):
        return Obstacle.ROLE
    if refund.requested_by == principal.id:
        return Obstacle.OWN_REQUEST
    if refund.payment is not None and refund.payment.status == PaymentStatus.DISPUTED:
        return Obstacle.DISPUTED
    if room is not None and refund.amount > room:
        return Obstacle.OVER_LIMIT
    return None
