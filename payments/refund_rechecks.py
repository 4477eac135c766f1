"""Asking again about refunds that have succeeded: a bank may send the money back weeks later, and webhooks get lost."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from events.clock import now
from payments.due_rows import each_due
from payments.models import Refund, RefundStatus
from payments.processors import calls
from payments.processors.contract import NotFound, RefundOutcome
from payments.processors.registry import processor_of
from payments.refund_execution import settle_refund
from payments.steps import Step, reached

ACTOR = "system:reconciliation"
LEASE_S = 300
SENT = (RefundStatus.PROCESSING, RefundStatus.COMPLETED)

logger = structlog.get_logger()


def recheck_due_refunds(
    *, wallet_id: UUID | None = None, limit: int = 100, at: datetime | None = None
) -> int:
    """Ask about succeeded refunds whose recheck is due, of one wallet or all, at most `limit`; tells how many.

    One that can't be asked about is due again after its lease, and holds up no other.
    """
    at = at or now()
    rechecked = 0
    for refund_id in each_due(lambda had: _claim(wallet_id, had=had, at=at), limit=limit):
        reached(Step.RECHECK_CLAIMED)
        try:
            refresh_refund(refund_id=refund_id)
        except Exception:
            logger.exception("refund_not_rechecked", refund_id=str(refund_id))
        rechecked += 1
    return rechecked


def refresh_refund(*, refund_id: UUID, reference: str = "") -> RefundOutcome | NotFound | None:
    """Ask the processor how a refund stands, and bring our books to that; tell what it said. Idempotent.

    `reference` is the processor's id of the refund where it is known. None for a refund that it can't have.
    """
    refund = Refund.objects.select_related("payment").get(id=refund_id)
    if refund.payment is None or refund.status not in SENT:
        return None
    processor = processor_of(refund.payment.processor)
    outcome = calls.find_refund(
        processor,
        key=refund.processor_key,
        reference=reference or refund.processor_reference,
        charge_reference=refund.payment.processor_reference,
    )
    reached(Step.RECHECK_ANSWERED)
    if not isinstance(outcome, NotFound):
        settle_refund(refund_id=refund_id, outcome=outcome, actor=ACTOR)
    elif refund.status == RefundStatus.COMPLETED:
        logger.error("refund_unknown_to_its_processor", refund_id=str(refund_id))
    reached(Step.RECHECKED)
    return outcome


def _claim(wallet_id: UUID | None, *, had: Collection[UUID], at: datetime) -> UUID | None:
    with transaction.atomic():
        due = Refund.objects.filter(recheck_at__lte=at).exclude(id__in=had).order_by("recheck_at")
        due = due if wallet_id is None else due.filter(wallet_id=wallet_id)
        refund = due.select_for_update(skip_locked=True).first()
        if refund is None:
            return None
        refund.recheck_at = at + timedelta(seconds=LEASE_S)
        refund.save(update_fields=["recheck_at"])
    return refund.id
