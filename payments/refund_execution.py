"""Giving money back: begin, call, settle. The row is the queue, and whoever comes later goes on where it stands.

Unlike a charge, a refund that may have been lost on the way is sent again, under the same key: two people have
decided on it, and it is expected however late it comes.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from events import audit
from events.clock import now
from events.failed_work import note_failure, note_success
from payments.due_rows import each_due
from payments.models import Payment, PaymentStatus, Refund, RefundStatus
from payments.processors import calls
from payments.processors.contract import (
    Declined,
    NotFound,
    RefundOutcome,
    RefundRequest,
    Succeeded,
    Unknown,
)
from payments.processors.registry import processor_of
from payments.refund_locks import lock_charge, lock_refund
from payments.refund_movements import release, settle, take_back
from payments.refund_traces import record_change
from payments.refusals import PaymentDisputed, ProcessorFailed
from payments.steps import Step, reached
from transactions.models import PostingStatus
from transactions.money import Money

ACTOR = "system:refunds"
KIND = "payments.refund"
"""What failures are noted under."""

LEASE_S = 90
"""How long one worker keeps a refund from the others, in seconds: two calls to a processor, and the books."""

FIRST_CHECK_AFTER_S = 5
LAST_CHECK_AFTER_S = 3600

RECHECK_AFTER = tuple(
    timedelta(seconds=seconds)
    for seconds in (10, 3600, 86400, 3 * 86400, 7 * 86400, 14 * 86400, 30 * 86400, 60 * 86400, 90 * 86400)
)
"""When a refund that has succeeded is asked about once more, after its completion: its bank may send it back."""

logger = structlog.get_logger()


def execute_due_refunds(
    *,
    refund_id: UUID | None = None,
    wallet_id: UUID | None = None,
    limit: int = 100,
    at: datetime | None = None,
) -> int:
    """Execute approved refunds and go on with those under way, where they are due; tells how many.

    `refund_id` narrows it to one, `wallet_id` to one wallet's. `at` is the moment to go by, now by default. One that fails is noted, is due again later, and holds up no other.
    """
    at = at or now()
    executed = 0
    named: dict[str, Any] = {}
    if refund_id is not None:
        named["id"] = refund_id
    if wallet_id is not None:
        named["wallet_id"] = wallet_id
    for claimed_id in each_due(lambda had: _claim(named, had=had, at=at), limit=limit):
        reached(Step.REFUND_CLAIMED)
        try:
            _execute(claimed_id)
        except Exception as failure:
            logger.exception("refund_not_executed", refund_id=str(claimed_id))
            note_failure(kind=KIND, object_id=claimed_id, error=repr(failure))
        executed += 1
    return executed


def settle_refund(*, refund_id: UUID, outcome: RefundOutcome, actor: str = ACTOR) -> None:
    """Bring a refund to what the processor says of it. Idempotent, in any order.

    A refund that had succeeded and comes back from the bank is reversed in the books, and has failed then.
    """
    with transaction.atomic():
        refund = lock_refund(refund_id)
        before = refund.status
        failure = ""
        if isinstance(outcome, Succeeded):
            failure = _succeed(refund, outcome, actor=actor)
        elif isinstance(outcome, Declined):
            _fail(refund, failure_code=outcome.decline_code, reference=outcome.reference, actor=actor)
        elif refund.status == RefundStatus.PROCESSING:
            _postpone(refund)
            failure = "" if outcome.is_answered else outcome.reason
        refund.save(update_fields=_CHANGING)
        if refund.status != before:
            record_change(refund, before=before, actor=actor, reason=refund.failure_code)
        if failure:
            note_failure(kind=KIND, object_id=refund_id, error=failure)
        elif refund.status != RefundStatus.PROCESSING and refund.checks > 1:
            note_success(kind=KIND, object_id=refund_id)


def make_due(refund_id: str) -> int:
    """Let the next sweep take a refund under way at once; tells how many that were."""
    under_way = Refund.objects.filter(id=refund_id, due_at__isnull=False)
    return under_way.update(due_at=now())


def next_recheck(completed_at: datetime, *, at: datetime) -> datetime | None:
    """Tell when a refund that has succeeded is asked about next; None once nobody expects its bank to send it back."""
    return next((completed_at + after for after in RECHECK_AFTER if completed_at + after > at), None)


def _claim(named: Mapping[str, Any], *, had: Collection[UUID], at: datetime) -> UUID | None:
    """Take a due refund that nobody else has, in one committed step, before anything is done about it.

    Each try lengthens the lease: one that kills its worker is tried ever more seldom.
    """
    with transaction.atomic():
        due = Refund.objects.filter(due_at__lte=at, **named).exclude(id__in=had).order_by("due_at")
        refund = due.select_for_update(skip_locked=True).first()
        if refund is None:
            return None
        refund.checks += 1
        refund.checked_at = at
        refund.due_at = at + timedelta(seconds=LEASE_S + _wait_s(refund.checks))
        refund.save(update_fields=["checks", "checked_at", "due_at"])
    return refund.id


def _execute(refund_id: UUID) -> None:
    begun = _begin(refund_id)
    reached(Step.REFUND_BEGUN)
    if begun is None:
        return
    refund, is_first_try = begun
    outcome: RefundOutcome
    if refund.payment is None:
        # Back to the wallet: nobody outside has to be asked.
        outcome = Succeeded(reference="", amount=Money(refund.amount, refund.currency))
    else:
        outcome = _called(refund, refund.payment, is_first_try=is_first_try)
    reached(Step.REFUND_ANSWERED)
    settle_refund(refund_id=refund_id, outcome=outcome)
    reached(Step.REFUND_SETTLED)


def _begin(refund_id: UUID) -> tuple[Refund, bool] | None:
    """Commit that the processor may be called from now on; None where the refund has ended, also by that step."""
    with transaction.atomic():
        refund = lock_refund(refund_id)
        if refund.status == RefundStatus.PROCESSING:
            return refund, False
        if refund.status != RefundStatus.APPROVED:
            return None
        payment = lock_charge(refund)
        refund.status = RefundStatus.PROCESSING
        record_change(refund, before=RefundStatus.APPROVED, actor=ACTOR)
        if payment is not None and payment.status == PaymentStatus.DISPUTED:
            _fail(refund, failure_code=PaymentDisputed.code, reference="", actor=ACTOR)
            record_change(refund, before=RefundStatus.PROCESSING, actor=ACTOR, reason=refund.failure_code)
        refund.save(update_fields=_CHANGING)
    return (refund, True) if refund.status == RefundStatus.PROCESSING else None


def _called(refund: Refund, payment: Payment, *, is_first_try: bool) -> RefundOutcome:
    """Ask what became of an earlier try, and send the refund where there was none or it was lost."""
    processor = processor_of(payment.processor)
    if not is_first_try:
        found = calls.find_refund(
            processor,
            key=refund.processor_key,
            reference=refund.processor_reference,
            charge_reference=payment.processor_reference,
        )
        reached(Step.REFUND_LOOKED_UP)
        if not isinstance(found, NotFound):
            return found
    request = RefundRequest(
        key=refund.processor_key,
        charge_reference=payment.processor_reference,
        amount=Money(refund.amount, refund.currency),
        reason=refund.reason,
        metadata={"refund_id": str(refund.id), "payment_id": str(payment.id)},
    )
    try:
        return calls.refund(processor, request)
    except ProcessorFailed as failure:
        return Unknown(reason=failure.code)


def _succeed(refund: Refund, outcome: Succeeded, *, actor: str) -> str:
    """Complete a refund; tells what is wrong with the success, if anything is."""
    if outcome.amount != Money(refund.amount, refund.currency):
        logger.error("refunded_amount_differs", refund_id=str(refund.id), refunded=str(outcome.amount))
        if refund.status == RefundStatus.PROCESSING:
            _postpone(refund)
        return "another amount was refunded"
    if refund.status == RefundStatus.COMPLETED:
        refund.recheck_at = next_recheck(refund.completed_at or now(), at=now())
        return ""
    if refund.status != RefundStatus.PROCESSING:
        logger.error("refund_succeeded_after_its_end", refund_id=str(refund.id), status=refund.status)
        return f"the processor refunded what is {refund.status}"
    _count_refunded(refund, refund.amount, actor=actor)
    settle(refund, actor=actor)
    refund.status = RefundStatus.COMPLETED
    refund.processor_reference = outcome.reference
    refund.due_at = None
    refund.completed_at = now()
    if refund.payment_id is not None:
        refund.recheck_at = next_recheck(refund.completed_at, at=refund.completed_at)
    return ""


def _fail(refund: Refund, *, failure_code: str, reference: str, actor: str) -> None:
    """End a refund badly: give its movement up, or take it back where it had been completed."""
    if refund.status == RefundStatus.PROCESSING:
        release(refund, status=PostingStatus.FAILED, actor=actor, failure_code=failure_code)
        refund.completed_at = now()
    elif refund.status == RefundStatus.COMPLETED:
        _count_refunded(refund, -refund.amount, actor=actor)
        take_back(refund, actor=actor)
        logger.warning("refund_came_back", refund_id=str(refund.id), failure_code=failure_code)
    else:
        return
    refund.status = RefundStatus.FAILED
    refund.failure_code = failure_code
    refund.processor_reference = reference or refund.processor_reference
    refund.due_at = refund.recheck_at = None


def _postpone(refund: Refund) -> None:
    refund.due_at = now() + timedelta(seconds=_wait_s(refund.checks))


def _wait_s(checks: int) -> int:
    return min(FIRST_CHECK_AFTER_S << min(max(checks - 1, 0), 12), LAST_CHECK_AFTER_S)


def _count_refunded(refund: Refund, amount: int, *, actor: str) -> None:
    """Add to what a charge says was refunded, and let its status follow; a disputed one stays disputed."""
    payment = lock_charge(refund)
    if payment is None:
        return
    before = payment.status
    payment.refunded_amount += amount
    if payment.status != PaymentStatus.DISPUTED:
        payment.status = _status_of(payment)
    payment.save(update_fields=["refunded_amount", "status"])
    if payment.status != before:
        audit.record(
            actor=actor,
            action="payment.status_changed",
            object_type="payment",
            object_id=payment.id,
            from_state=before,
            to_state=payment.status,
            reason=f"refund {refund.id}",
        )


def _status_of(payment: Payment) -> PaymentStatus:
    if payment.refunded_amount == 0:
        return PaymentStatus.SUCCEEDED
    is_whole = payment.refunded_amount == payment.amount
    return PaymentStatus.REFUNDED if is_whole else PaymentStatus.PARTIALLY_REFUNDED


_CHANGING = (
    "status",
    "failure_code",
    "processor_reference",
    "due_at",
    "recheck_at",
    "completed_at",
)
