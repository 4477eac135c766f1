"""The sandbox's processor: a world outside that lives in two tables of our own, and magic cards.

Its rows are committed by themselves, as a provider's are: what it has charged stays charged when our side dies.
"""

from typing import ClassVar

from django.conf import settings
from django.db import IntegrityError, transaction
from uuid_utils.compat import uuid7

from events.clock import now
from payments.models import SandboxCharge, SandboxDispute, SandboxRefund
from payments.processors.contract import (
    ChargeBy,
    ChargeOutcome,
    ChargeRequest,
    DisputeFacts,
    DisputeStage,
    NotFound,
    RefundOutcome,
    RefundRequest,
    Succeeded,
    Unknown,
)
from payments.processors.declines import declined
from payments.refusals import ProcessorFailed
from tokens.cards import has_expired
from tokens.outbound import CardForCharge
from transactions.money import Money

SUCCEEDS = "succeeds"
TIMES_OUT = "times_out"
IS_DISPUTED = "is_disputed"
REFUND_FAILS = "refund_fails"

DECLINES = {
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000000341": "generic_decline",
}
BEHAVIOURS = {
    "4000000000000119": TIMES_OUT,
    "4000000000000259": IS_DISPUTED,
    "4000000000005126": REFUND_FAILS,
}


class SandboxProcessor:
    """Charges nobody. Any card that isn't magic succeeds; one that has expired is declined."""

    name: ClassVar[str] = "sandbox"
    late_for_s: ClassVar[int] = 0

    def charge_by(self, *, vault: str) -> ChargeBy:
        """Ask for the number, whichever vault has it."""
        return ChargeBy.CARD

    def require_amount(self, amount: Money) -> None:
        """Take every amount: the sandbox's books are in the same minor units."""

    def charge(self, request: ChargeRequest) -> ChargeOutcome:
        """Charge as the card's number says, once for the key."""
        if not settings.SANDBOX:
            raise ProcessorFailed("The sandbox makes no money in production. Nothing was charged.")
        card = request.source
        if not isinstance(card, CardForCharge):
            raise ProcessorFailed("The sandbox charges card numbers alone. Nothing was charged.")
        code = _decline_code(card)
        made = SandboxCharge(
            id=uuid7(),
            key=request.key,
            amount=request.amount.amount,
            currency=request.amount.currency,
            status="declined" if code else "succeeded",
            decline_code=code,
            behaviour=BEHAVIOURS.get(card.number, SUCCEEDS),
            created_at=now(),
        )
        try:
            with transaction.atomic():
                made.save(force_insert=True)
                if made.behaviour == IS_DISPUTED:
                    SandboxDispute.objects.create(
                        charge=made, status=DisputeStage.OPEN, created_at=made.created_at
                    )
        except IntegrityError:
            kept = SandboxCharge.objects.get(key=request.key)
            if (kept.amount, kept.currency) != (made.amount, made.currency):
                raise ProcessorFailed("This key has charged another amount. Nothing was charged.") from None
            return _outcome(kept)
        if made.behaviour == TIMES_OUT:
            return Unknown(reason="timeout", is_answered=True)
        return _outcome(made)

    def find_charge(self, *, key: str, reference: str = "") -> ChargeOutcome | NotFound:
        """Look the charge up."""
        kept = SandboxCharge.objects.filter(key=key).first()
        return NotFound() if kept is None else _outcome(kept)

    def cancel_charge(self, *, key: str, reference: str) -> ChargeOutcome | NotFound:
        """Look the charge up: none of the sandbox's cards waits for its customer."""
        return self.find_charge(key=key, reference=reference)

    def refund(self, request: RefundRequest) -> RefundOutcome:
        """Refund at once, never more than was charged; one card's refunds are found failed afterwards."""
        kept = SandboxRefund.objects.filter(key=request.key).first()
        if kept is not None:
            if kept.amount != request.amount.amount:
                raise ProcessorFailed("This key has refunded another amount. Nothing was refunded.")
            return _refund_outcome(kept, request.amount.currency)
        with transaction.atomic():
            charge = (
                SandboxCharge.objects.select_for_update()
                .filter(id=request.charge_reference, status="succeeded")
                .first()
            )
            if charge is None:
                raise ProcessorFailed("There is no such charge. Nothing was refunded.")
            given = sum(charge.refunds.filter(status="succeeded").values_list("amount", flat=True))
            if charge.currency != request.amount.currency or given + request.amount.amount > charge.amount:
                return declined("amount_too_large")
            made, _ = SandboxRefund.objects.get_or_create(
                key=request.key,
                defaults={
                    "charge": charge,
                    "amount": request.amount.amount,
                    "status": "succeeded",
                    "created_at": now(),
                },
            )
        return _refund_outcome(made, request.amount.currency)

    def find_refund(
        self, *, key: str, reference: str = "", charge_reference: str = ""
    ) -> RefundOutcome | NotFound:
        """Look the refund up; that of the card whose refunds fail later has failed by now."""
        kept = SandboxRefund.objects.select_related("charge").filter(key=key).first()
        if kept is None:
            return NotFound()
        if kept.charge.behaviour == REFUND_FAILS and kept.status == "succeeded":
            kept.status, kept.failure_code = "failed", "expired_or_canceled_card"
            kept.save(update_fields=["status", "failure_code"])
        return _refund_outcome(kept, kept.charge.currency)

    def find_dispute(self, *, reference: str) -> DisputeFacts | NotFound:
        """Look the dispute up: the money is gone as long as it isn't won."""
        kept = SandboxDispute.objects.select_related("charge").filter(id=reference).first()
        if kept is None:
            return NotFound()
        charge = kept.charge
        return DisputeFacts(
            reference=str(kept.id),
            charge_reference=str(charge.id),
            amount=Money(charge.amount, charge.currency),
            withdrawn=Money(0 if kept.status == DisputeStage.WON else charge.amount, charge.currency),
            stage=DisputeStage(kept.status),
            reason="fraudulent",
        )


def _decline_code(card: CardForCharge) -> str:
    if has_expired(exp_month=card.exp_month, exp_year=card.exp_year, now=now()):
        return "expired_card"
    return DECLINES.get(card.number, "")


def _outcome(charge: SandboxCharge) -> ChargeOutcome:
    if charge.status == "declined":
        return declined(charge.decline_code, reference=str(charge.id))
    return Succeeded(reference=str(charge.id), amount=Money(charge.amount, charge.currency))


def _refund_outcome(refund: SandboxRefund, currency: str) -> RefundOutcome:
    if refund.status == "failed":
        return declined(refund.failure_code, reference=str(refund.id))
    return Succeeded(reference=str(refund.id), amount=Money(refund.amount, currency))


def processor() -> SandboxProcessor:
    """Make the processor that `PAYMENT_PROCESSOR=sandbox` names."""
    return SandboxProcessor()
