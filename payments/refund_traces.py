"""What each change of a refund leaves behind: audit entries of the refund and of its line, and an event."""

from collections.abc import Mapping
from uuid import UUID

from events import audit, outbox
from payments.models import Refund, RefundStatus
from payments.refund_queries import shown
from transactions.models import PostingStatus

ACTIONS: Mapping[str, str] = {
    RefundStatus.PENDING: "refund.requested",
    RefundStatus.APPROVED: "refund.approved",
    RefundStatus.PROCESSING: "refund.status_changed",
    RefundStatus.COMPLETED: "refund.status_changed",
    RefundStatus.FAILED: "refund.status_changed",
    RefundStatus.REJECTED: "refund.rejected",
    RefundStatus.CANCELLED: "refund.cancelled",
}
EVENTS: Mapping[str, str] = {
    RefundStatus.PENDING: "refund.created",
    RefundStatus.APPROVED: "refund.approved",
    RefundStatus.COMPLETED: "refund.completed",
    RefundStatus.FAILED: "refund.failed",
    RefundStatus.REJECTED: "refund.rejected",
}


def record_change(refund: Refund, *, before: str, actor: str, reason: str = "") -> None:
    """Write down that a refund has gone from `before` ("" for a new one) to its status, in the transaction under way."""
    audit.record(
        actor=actor,
        action=ACTIONS[refund.status],
        object_type="refund",
        object_id=refund.id,
        from_state=before,
        to_state=refund.status,
        reason=reason,
    )
    if refund.status in EVENTS:
        owner_id = refund.wallet.user_id
        outbox.record(EVENTS[refund.status], {**shown(refund), "user_id": owner_id})


def record_line(line_id: UUID, *, to: PostingStatus, actor: str, reason: str = "") -> None:
    """Write down that a pending line of a wallet has ended, for the line's own history."""
    audit.record(
        actor=actor,
        action="transaction.status_changed",
        object_type="transaction",
        object_id=line_id,
        from_state=PostingStatus.PENDING,
        to_state=to,
        reason=reason,
    )
