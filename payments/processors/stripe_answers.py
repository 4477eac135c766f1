"""Reading Stripe's answers: what a PaymentIntent, a refund, a dispute and an error mean for our books.

Only a 2xx and a 402 are an outcome. Everything else is either a refusal that promises that nothing happened, or
unknown; and after an attempt that nobody answered, a refusal of the next one promises nothing. Source: Stripe's
API reference and stripe-python.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import structlog

from payments.processors.contract import (
    ChargeOutcome,
    Declined,
    DisputeFacts,
    DisputeStage,
    RefundOutcome,
    RequiresAction,
    RetryClass,
    Succeeded,
    Unknown,
)
from payments.processors.declines import GENERIC, declined, retry_class
from payments.processors.stripe_amounts import from_wire
from payments.refusals import ProcessorFailed, ProcessorUnavailable
from tokens.providers.calls import Garbled, ProviderAnswer
from tokens.providers.stripe import StripeError, error_of
from transactions.money import Money

# A bank's advice counts for more than what is guessed from the code.
ADVICE = {
    "try_again_later": RetryClass.LATER,
    "do_not_try_again": RetryClass.NEVER,
    "confirm_card_data": RetryClass.ASK_CUSTOMER,
}
CARD_IS_GONE = frozenset({"payment_method", "customer", "payment_method_data[card][token]"})
REFUND_REFUSED = frozenset(
    {
        "amount_too_large",
        "charge_already_refunded",
        "charge_disputed",
        "charge_not_refundable",
        "refund_disputed_payment",
    }
)
STAGES = {
    "warning_needs_response": DisputeStage.INQUIRY,
    "warning_under_review": DisputeStage.INQUIRY,
    "warning_closed": DisputeStage.INQUIRY,
    "needs_response": DisputeStage.OPEN,
    "under_review": DisputeStage.OPEN,
    "won": DisputeStage.WON,
    "prevented": DisputeStage.WON,
    "lost": DisputeStage.LOST,
}

logger = structlog.get_logger()

Outcome = TypeVar("Outcome")


def charge_outcome(answer: ProviderAnswer) -> ChargeOutcome:
    """Tell what came of a charge. Refuses with ProcessorFailed and its kinds where nothing can have been charged."""
    if answer.is_success:
        return read_or_unknown(answer, intent_outcome)
    error = error_of(answer)
    if answer.status == 402:
        return _declined(error)
    require_in_doubt_or_refuse(answer)
    if answer.status in (400, 404) and not answer.follows_silence:
        if error.code in ("amount_too_small", "amount_too_large"):
            return declined("invalid_amount")
        if error.code == "payment_method_unexpected_state" or (
            error.code == "resource_missing" and error.param in CARD_IS_GONE
        ):
            return declined("invalid_account")
        raise refused(answer)
    return Unknown(reason=f"http_{answer.status}")


def refund_outcome(answer: ProviderAnswer) -> RefundOutcome:
    """Tell what came of a refund. Refuses with ProcessorFailed and its kinds where nothing can have moved."""
    if answer.is_success:
        return read_or_unknown(answer, refund_state)
    error = error_of(answer)
    require_in_doubt_or_refuse(answer)
    if answer.status in (400, 402, 404) and not answer.follows_silence:
        if error.code in REFUND_REFUSED or answer.status == 402:
            return declined(error.code or GENERIC)
        raise refused(answer)
    return Unknown(reason=f"http_{answer.status}")


def require_in_doubt_or_refuse(answer: ProviderAnswer) -> None:
    """Refuse with the kinds of ProcessorFailed what says that nothing was done, unless silence came before it."""
    if answer.follows_silence:
        return
    if answer.status == 429 or (answer.status == 400 and error_of(answer).code == "rate_limit"):
        raise ProcessorUnavailable
    if answer.status in (401, 403):
        raise refused(answer)


def refused(answer: ProviderAnswer) -> ProcessorFailed:
    """Make the refusal of a request that the provider won't have, and tell the operator: it is ours to mend."""
    error = error_of(answer)
    logger.error(
        "provider_refuses_requests", status=answer.status, type=error.type, code=error.code, param=error.param
    )
    return ProcessorFailed()


def read_or_unknown(answer: ProviderAnswer, read: Callable[[dict[str, Any]], Outcome]) -> Outcome | Unknown:
    """Read a success; what isn't in Stripe's words is Unknown."""
    try:
        return read(answer.document())
    except (Garbled, KeyError, TypeError, ValueError) as failure:
        logger.error("provider_answer_garbled", status=answer.status, reason=type(failure).__name__)
        return Unknown(reason="garbled")


def intent_outcome(intent: dict[str, Any]) -> ChargeOutcome:
    """Tell what a PaymentIntent's state means. Raises KeyError and ValueError for what is none."""
    status, reference = intent["status"], text(intent, "id")
    if not reference:
        raise ValueError("no id")
    if status == "succeeded":
        return Succeeded(reference=reference, amount=from_wire(intent["amount_received"], intent["currency"]))
    if status in ("requires_action", "requires_confirmation"):
        return RequiresAction(reference=reference, next_action=_next_action(intent))
    if status == "canceled":
        return declined("authentication_not_handled", reference=reference)
    if status == "requires_payment_method" and intent.get("last_payment_error"):
        error = intent["last_payment_error"]
        code = text(error, "decline_code") or text(error, "code") or GENERIC
        return _with_advice(code, text(error, "advice_code"), reference)
    return Unknown(reason=f"intent_{status}"[:60], is_answered=True)


def refund_state(refund: dict[str, Any]) -> RefundOutcome:
    """Tell what a refund's state means; a bank may still send back one that has succeeded."""
    status, reference = refund["status"], text(refund, "id")
    if not reference:
        raise ValueError("no id")
    if status == "succeeded":
        return Succeeded(reference=reference, amount=from_wire(refund["amount"], refund["currency"]))
    if status in ("failed", "canceled"):
        return declined(text(refund, "failure_reason") or status, reference=reference)
    return Unknown(reason=f"refund_{status}"[:60], is_answered=True)


def dispute_facts(dispute: dict[str, Any], *, charge_reference: str) -> DisputeFacts:
    """Read a dispute. Its money moves by balance transactions: withdrawn, and perhaps reinstated afterwards.

    They are in the currency that Stripe settles in; in the charge's own they say how much, otherwise only whether.
    """
    amount = from_wire(dispute["amount"], dispute["currency"])
    moves = dispute.get("balance_transactions") or []
    net = sum(move["amount"] for move in moves)
    stage = STAGES[dispute["status"]]
    withdrawn = Money(0, amount.currency)
    if net < 0 and stage is not DisputeStage.INQUIRY:
        same = all(move.get("currency") == dispute["currency"] for move in moves)
        withdrawn = min(amount, from_wire(-net, dispute["currency"])) if same else amount
    return DisputeFacts(
        reference=dispute["id"],
        charge_reference=charge_reference,
        amount=amount,
        withdrawn=withdrawn,
        stage=stage,
        reason=text(dispute, "reason")[:64],
    )


def text(document: dict[str, Any], name: str) -> str:
    """Give a text within a document; an expanded object stands for its id, and anything else for nothing."""
    found = document.get(name)
    if isinstance(found, dict):
        found = found.get("id")
    return found if isinstance(found, str) else ""


def _declined(error: StripeError) -> Declined:
    return _with_advice(error.decline_code or error.code or GENERIC, error.advice_code, error.object_id)


def _with_advice(code: str, advice: str, reference: str) -> Declined:
    retry = ADVICE.get(advice) or retry_class(code)
    is_intent = reference.startswith("pi_")
    return Declined(decline_code=code[:64], retry=retry, reference=reference if is_intent else "")


def _next_action(intent: dict[str, Any]) -> dict[str, Any]:
    """Give what the client needs: where to send the customer, or the secret that Stripe's library confirms with."""
    wanted = intent.get("next_action") or {}
    action = {
        "type": text(wanted, "type") or "use_stripe_sdk",
        "client_secret": text(intent, "client_secret"),
    }
    redirect = wanted.get("redirect_to_url")
    if isinstance(redirect, dict):
        action["url"] = text(redirect, "url")
    return action
