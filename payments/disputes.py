"""Charges that the cardholder's bank takes back: the wallet gives what the processor has withdrawn.

What the processor says is read before and brought here under the locks of payment and wallet. A customer who has
spent the money owes it: the floor is lowered in the same transaction, and the wallet is suspended.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from events import audit, outbox
from events.clock import now
from payments.models import Dispute, DisputeStatus, Payment, PaymentStatus
from payments.processors.contract import DisputeFacts
from payments.queries import shown
from transactions import chart, ledger
from transactions.models import LineType, TransferKind
from transactions.movements import Entry, Movement
from transactions.receivables import allow_shortfall
from wallets.lifecycle import suspend_locked
from wallets.locks import LockedWallet, lock_wallet

SUSPENDED_BECAUSE = "A disputed charge was taken back after its money had been spent."

_TICK = timedelta(microseconds=1)

logger = structlog.get_logger()


class NotYet(Exception):
    """Our own books aren't so far yet, or have changed meanwhile: to be read and tried again."""


def state_of(*, processor: str, reference: str) -> datetime | None:
    """Tell when we last changed a dispute: to be taken before it is read at the processor. None when it is new."""
    disputes = Dispute.objects.filter(processor=processor, processor_reference=reference)
    return disputes.values_list("updated_at", flat=True).first()


def apply_dispute(*, payment_id: UUID, facts: DisputeFacts, seen: datetime | None, actor: str) -> None:
    """Bring a dispute, its payment and its wallet to what the processor says. Idempotent.

    `seen` is `state_of` from before the facts were read. Raises NotYet when the charge hasn't been settled, or when
    somebody else has applied other facts meanwhile, which may be newer than these; ValueError when the facts are
    of another charge.
    """
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(id=payment_id)
        _require_same_charge(payment, facts)
        dispute = Dispute.objects.filter(
            processor=payment.processor, processor_reference=facts.reference
        ).first()
        if seen != (dispute.updated_at if dispute else None):
            raise NotYet("the dispute has changed")
        before = dispute.status if dispute else ""
        dispute = dispute or _new(payment, facts)
        change = facts.withdrawn.amount - dispute.withdrawn
        if before == facts.stage.value and change == 0:
            return
        wallet = lock_wallet(payment.wallet_id, owner_id=None)
        missing = _move(payment, wallet, change, facts=facts, actor=actor) if change else 0
        dispute.withdrawn = facts.withdrawn.amount
        dispute.status = facts.stage.value
        dispute.reason = facts.reason
        dispute.updated_at = max(now(), dispute.updated_at + _TICK)
        if before:
            dispute.save(update_fields=["withdrawn", "status", "reason", "updated_at"])
        else:
            dispute.save(force_insert=True)
        _set_status(payment, actor=actor)
        _record(payment, dispute, before=before, missing=missing, actor=actor)
        if missing:
            suspend_locked(wallet, actor=actor, reason=SUSPENDED_BECAUSE)


def _require_same_charge(payment: Payment, facts: DisputeFacts) -> None:
    if payment.is_under_way or payment.status == PaymentStatus.FAILED:
        raise NotYet("the charge has not been settled")
    if (facts.charge_reference, facts.amount.currency) != (payment.processor_reference, payment.currency):
        raise ValueError(f"dispute {facts.reference} is not of payment {payment.id}")


def _new(payment: Payment, facts: DisputeFacts) -> Dispute:
    at = now()
    return Dispute(
        payment=payment,
        processor=payment.processor,
        processor_reference=facts.reference,
        amount=facts.amount.amount,
        currency=payment.currency,
        created_at=at,
        updated_at=at,
    )


def _move(payment: Payment, wallet: LockedWallet, taken: int, *, facts: DisputeFacts, actor: str) -> int:
    """Take `taken` minor units out of the wallet, or give them back when negative; tell what it couldn't cover."""
    missing = allow_shortfall(wallet, taken) if taken > 0 else 0
    ledger.post(
        Movement(
            kind=TransferKind.DISPUTE,
            actor=actor,
            description="Disputed charge" if taken > 0 else "Disputed charge given back",
            reference=facts.reference,
            payment_id=payment.id,
        ),
        [
            Entry(wallet, -taken, LineType.DISPUTE),
            Entry(
                chart.disputes(processor=payment.processor, currency=payment.currency),
                taken,
                LineType.DISPUTE,
            ),
        ],
    )
    return missing


def _set_status(payment: Payment, *, actor: str) -> None:
    """A payment is disputed while its bank's claim stands or has won; otherwise what its refunds make it."""
    standing = payment.disputes.filter(status__in=(DisputeStatus.OPEN, DisputeStatus.LOST))
    withheld = payment.disputes.filter(withdrawn__gt=0)
    before = payment.status
    if standing.exists() or withheld.exists():
        payment.status = PaymentStatus.DISPUTED
    elif payment.refunded_amount == 0:
        payment.status = PaymentStatus.SUCCEEDED
    elif payment.refunded_amount < payment.amount:
        payment.status = PaymentStatus.PARTIALLY_REFUNDED
    else:
        payment.status = PaymentStatus.REFUNDED
    if payment.status == before:
        return
    payment.save(update_fields=["status"])
    audit.record(
        actor=actor,
        action="payment.status_changed",
        object_type="payment",
        object_id=payment.id,
        from_state=before,
        to_state=payment.status,
        reason="dispute",
    )


def _record(payment: Payment, dispute: Dispute, *, before: str, missing: int, actor: str) -> None:
    told: dict[str, Any] = {
        "id": str(dispute.id),
        "status": dispute.status,
        "reason": dispute.reason,
        "amount": dispute.amount,
        "withdrawn": dispute.withdrawn,
    }
    audit.record(
        actor=actor,
        action="dispute.changed" if before else "dispute.opened",
        object_type="payment",
        object_id=payment.id,
        from_state=before,
        to_state=dispute.status,
        reason=dispute.reason,
        after={**told, "missing": missing},
    )
    outbox.record("payment.disputed", {**shown(payment), "user_id": payment.user_id, "dispute": told})
    if missing:
        logger.warning("dispute_left_debt", payment_id=str(payment.id), missing=missing)
