"""Finding out what became of charges that nobody saw the end of: the sweep over due payments.

It asks the processor by the key that was stored before the call, and never charges again. A charge that the
processor doesn't know, and that can't reach it any more, has not happened: the payment is given up.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F

from events.clock import now
from events.failed_work import note_failure, note_success
from payments.due_rows import each_due
from payments.models import Payment, PaymentStatus
from payments.processors import calls
from payments.processors.contract import ChargeOutcome, NotFound, RequiresAction, Unknown
from payments.processors.registry import processor_of
from payments.refusals import ProcessorTimeout
from payments.steps import Step, reached
from payments.topups import abandon_payment, may_still_appear, settle_payment

ACTOR = "system:reconciliation"
KIND = "payments.payment"
"""What failures are noted under."""

LEASE_S = 60
"""How long one sweep keeps a payment from the others, in seconds."""

ACTION_LASTS_S = 3600
"""How long a customer has for what the bank wants to be done before the charge is given up, in seconds."""

logger = structlog.get_logger()


def sweep_due_payments(*, wallet_id: UUID | None = None, limit: int = 100, at: datetime | None = None) -> int:
    """Reconcile payments that are due, of one wallet or all, at most `limit`; tells how many.

    `at` is the moment to go by, now by default.

    A payment that can't be reconciled is logged and due again after its lease; it holds up no other.
    """
    at = at or now()
    swept = 0
    for payment_id in each_due(lambda had: _claim(wallet_id, had=had, at=at), limit=limit):
        reached(Step.CLAIMED)
        try:
            reconcile_payment(payment_id=payment_id, at=at)
        except Exception as failure:
            logger.exception("payment_not_reconciled", payment_id=str(payment_id))
            note_failure(kind=KIND, object_id=payment_id, error=repr(failure))
        swept += 1
    return swept


def reconcile_payment(*, payment_id: UUID, at: datetime | None = None) -> None:
    """Ask the processor what became of one payment, and settle it or give it up. Idempotent."""
    payment = Payment.objects.get(id=payment_id)
    if payment.is_under_way:
        _reconcile(payment, reference=payment.processor_reference, at=at or now())
    if payment.checks > 1:
        note_success(kind=KIND, object_id=payment_id)


def make_due(payment_id: str) -> int:
    """Let the next sweep take a payment under way at once; tells how many that were."""
    return Payment.objects.filter(id=payment_id, due_at__isnull=False).update(due_at=now())


def refresh_payment(*, payment_id: UUID, reference: str = "") -> ChargeOutcome | NotFound | None:
    """Ask the processor about a payment that it has told us of, also one that was given up; tell what it said.

    `reference` is the processor's id of the charge where it is known. None for a payment whose end can't change.
    """
    payment = Payment.objects.get(id=payment_id)
    if not payment.is_under_way and payment.status != PaymentStatus.FAILED:
        return None
    return _reconcile(payment, reference=reference or payment.processor_reference, at=now())


def _reconcile(payment: Payment, *, reference: str, at: datetime) -> ChargeOutcome | NotFound:
    processor, payment_id = processor_of(payment.processor), payment.id
    outcome = calls.find_charge(processor, key=payment.processor_key, reference=reference)
    if isinstance(outcome, RequiresAction) and at >= payment.created_at + timedelta(seconds=ACTION_LASTS_S):
        reached(Step.ACTION_OVERDUE)
        outcome = calls.cancel_charge(processor, key=payment.processor_key, reference=outcome.reference)
    reached(Step.OUTCOME_FOUND)
    if not isinstance(outcome, NotFound):
        settle_payment(payment_id=payment_id, outcome=outcome, actor=ACTOR)
    elif may_still_appear(payment, at=at):
        settle_payment(payment_id=payment_id, outcome=Unknown(reason="not_found_yet"), actor=ACTOR)
    else:
        abandon_payment(payment_id=payment_id, failure=ProcessorTimeout(), actor=ACTOR)
    reached(Step.RECONCILED)
    return outcome


def _claim(wallet_id: UUID | None, *, had: Collection[UUID], at: datetime) -> UUID | None:
    """Take a due payment that no other sweep has, in one committed step, before anybody is asked about it."""
    with transaction.atomic():
        due = Payment.objects.filter(due_at__lte=at).exclude(id__in=had).order_by("due_at")
        due = due if wallet_id is None else due.filter(wallet_id=wallet_id)
        payment = due.select_for_update(skip_locked=True).only("id").first()
        if payment is None:
            return None
        Payment.objects.filter(id=payment.id).update(
            due_at=at + timedelta(seconds=LEASE_S), checks=F("checks") + 1, checked_at=at
        )
    return payment.id
