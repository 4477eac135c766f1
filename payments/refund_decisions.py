"""Deciding on refunds: by another person than the one who asked, within what that person may approve in a day."""

from uuid import UUID

from events.clock import now
from payments.models import PaymentStatus, Refund, RefundStatus
from payments.refund_limits import require_room_for
from payments.refund_locks import lock_pending
from payments.refund_movements import release
from payments.refund_traces import record_change
from payments.refusals import PaymentDisputed
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.models import PostingStatus
from transactions.refusals import SelfApproval
from users.models import User
from users.principals import Principal
from users.standing import staff_member

MAY_DECIDE = "refund:decide"


def approve_refund(*, refund_id: UUID, principal: Principal, call: KeyedCall) -> Answer:
    """Let a refund that somebody else has asked for be executed; `call.render` is given the Refund.

    Refuses with PermissionDenied, NotFound, RefundNotPending, PaymentDisputed, SelfApproval and LimitExceeded, in
    that order, and as `idempotency.once` does.
    """

    def effect() -> Answer:
        person = staff_member(principal=principal, permission=MAY_DECIDE)
        refund = lock_pending(refund_id)
        _require_undisputed(refund)
        _require_another(refund, person)
        require_room_for(person, refund)
        refund.due_at = now()
        return _decided(refund, RefundStatus.APPROVED, person, principal=principal, reason="", call=call)

    return once(call, effect)


def reject_refund(*, refund_id: UUID, reason: str, principal: Principal, call: KeyedCall) -> Answer:
    """Refuse a refund that somebody else has asked for; what waited on the wallet is available again.

    `call.render` is given the Refund. Refuses with PermissionDenied, NotFound, RefundNotPending and SelfApproval,
    in that order, and as `idempotency.once` does.
    """

    def effect() -> Answer:
        person = staff_member(principal=principal, permission=MAY_DECIDE)
        refund = lock_pending(refund_id)
        _require_another(refund, person)
        release(refund, status=PostingStatus.CANCELLED, actor=principal.name)
        return _decided(refund, RefundStatus.REJECTED, person, principal=principal, reason=reason, call=call)

    return once(call, effect)


def _require_undisputed(refund: Refund) -> None:
    if refund.payment is not None and refund.payment.status == PaymentStatus.DISPUTED:
        raise PaymentDisputed


def _require_another(refund: Refund, person: User) -> None:
    if refund.requested_by == person.id:
        raise SelfApproval


def _decided(
    refund: Refund,
    status: RefundStatus,
    person: User,
    *,
    principal: Principal,
    reason: str,
    call: KeyedCall,
) -> Answer:
    refund.status = status
    refund.decided_by, refund.decided_at = person.id, now()
    refund.decision_reason = reason
    refund.save(update_fields=["status", "decided_by", "decided_at", "decision_reason", "due_at"])
    record_change(refund, before=RefundStatus.PENDING, actor=principal.name, reason=reason)
    return store(call, refund)
