"""Stripe: PaymentIntents on and off session, refunds and disputes.

A saved card of Stripe's vault is charged by its PaymentMethod and Customer, one of a vault that gives numbers by its
number (Stripe must allow the account raw card data). Our key is Stripe's idempotency key, and stands in the metadata
of all that is made: after 24 hours Stripe forgets keys, and it answers a 500 again and again under the same one, so
that what is unknown is looked up and never sent again. Source: Stripe's API reference.
"""

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings

from payments.processors.contract import (
    ChargeBy,
    ChargeOutcome,
    ChargeRequest,
    DisputeFacts,
    NotFound,
    RefundOutcome,
    RefundRequest,
    Unknown,
)
from payments.processors.key_moments import begun_at
from payments.processors.stripe_amounts import to_wire
from payments.processors.stripe_answers import (
    charge_outcome,
    dispute_facts,
    intent_outcome,
    read_or_unknown,
    refund_outcome,
    refund_state,
    refused,
    text,
)
from payments.processors.stripe_sources import source_params
from payments.refusals import ProcessorFailed, ProcessorTimeout, ProcessorUnavailable
from tokens.providers import stripe
from tokens.providers.calls import Garbled, Limits, NoAnswer, NotSent, ProviderAnswer
from tokens.providers.stripe import KEY_IN_METADATA
from transactions.money import Money

SENDING = Limits(connect_s=5.0, read_s=18.0, total_s=40.0, attempts=3)
"""What a charge or refund may take, its retries included: less than a payment waits for it (`topups`)."""

READING = Limits(connect_s=3.0, read_s=8.0, total_s=20.0, attempts=2)
CLOCKS_DIFFER_S = 300
"""How far Stripe's clock and ours may be apart, in seconds, when its objects are looked for by their time."""

PAGE, MOST_PAGES = 100, 50
REASONS = {
    "customer_request": "requested_by_customer",
    "duplicate_charge": "duplicate",
    "fraudulent": "fraudulent",
}


class StripeProcessor:
    """Charges through Stripe's API v1."""

    name: ClassVar[str] = "stripe"
    late_for_s: ClassVar[int] = 300

    def charge_by(self, *, vault: str) -> ChargeBy:
        """Take Stripe's own items by reference, and numbers from every other vault that gives them."""
        return ChargeBy.REFERENCE if vault == "stripe" else ChargeBy.CARD

    def require_amount(self, amount: Money) -> None:
        """Refuse with InvalidInput what Stripe's units can't represent."""
        to_wire(amount)

    def charge(self, request: ChargeRequest) -> ChargeOutcome:
        """Make a PaymentIntent and confirm it, in one call."""
        params = {**self._intent_params(request), **source_params(request)}
        answer = self._sent("payment_intents.create", "/v1/payment_intents", params, key=request.key)
        return answer if isinstance(answer, Unknown) else charge_outcome(answer)

    def _intent_params(self, request: ChargeRequest) -> dict[str, Any]:
        params: dict[str, Any] = {
            "amount": to_wire(request.amount),
            "currency": request.amount.currency.lower(),
            "confirm": True,
            "payment_method_types": ["card"],
            "metadata": {**request.metadata, KEY_IN_METADATA: request.key},
        }
        if request.is_off_session:
            params["off_session"] = True
        elif settings.STRIPE_RETURN_URL:
            params["return_url"] = settings.STRIPE_RETURN_URL
        return params

    def find_charge(self, *, key: str, reference: str = "") -> ChargeOutcome | NotFound:
        """Read the PaymentIntent, by its id where that is known and otherwise among those of its time."""
        intent = self._by_id("/v1/payment_intents", reference) if reference.startswith("pi_") else None
        if intent is None or _key_of(intent) != key:
            since = begun_at(key)
            latest = since + timedelta(seconds=self.late_for_s + 2 * CLOCKS_DIFFER_S)
            window = {
                "created": {
                    "gte": int(since.timestamp()) - CLOCKS_DIFFER_S,
                    "lte": int(latest.timestamp()),
                }
            }
            intent = self._among("/v1/payment_intents", window, key=key)
        return NotFound() if intent is None else _understood(intent_outcome, intent)

    def cancel_charge(self, *, key: str, reference: str) -> ChargeOutcome | NotFound:
        """Cancel a PaymentIntent that waits for its customer; one that can't be is read instead."""
        answer = self._sent(
            "payment_intents.cancel",
            f"/v1/payment_intents/{reference}/cancel",
            {"cancellation_reason": "abandoned"},
            key=f"{key}-cancel",
        )
        if not isinstance(answer, Unknown) and answer.is_success:
            return read_or_unknown(answer, intent_outcome)
        return self.find_charge(key=key, reference=reference)

    def refund(self, request: RefundRequest) -> RefundOutcome:
        """Give back a part or the whole of a PaymentIntent."""
        params = {
            "payment_intent": request.charge_reference,
            "amount": to_wire(request.amount),
            "reason": REASONS.get(request.reason),
            "metadata": {**request.metadata, KEY_IN_METADATA: request.key},
        }
        answer = self._sent("refunds.create", "/v1/refunds", params, key=request.key)
        return answer if isinstance(answer, Unknown) else refund_outcome(answer)

    def find_refund(
        self, *, key: str, reference: str = "", charge_reference: str = ""
    ) -> RefundOutcome | NotFound:
        """Read the refund, by its id where that is known and otherwise among those of its charge."""
        refund = self._by_id("/v1/refunds", reference) if reference else None
        if refund is None or _key_of(refund) != key:
            window: dict[str, Any] = {"created": {"gte": int(begun_at(key).timestamp()) - CLOCKS_DIFFER_S}}
            if charge_reference:
                window = {"payment_intent": charge_reference}
            refund = self._among("/v1/refunds", window, key=key)
        return NotFound() if refund is None else _understood(refund_state, refund)

    def find_dispute(self, *, reference: str) -> DisputeFacts | NotFound:
        """Read a dispute, and the charge where it doesn't name its PaymentIntent."""
        dispute = self._by_id("/v1/disputes", reference)
        if dispute is None:
            return NotFound()
        intent = text(dispute, "payment_intent")
        if not intent:
            charge = self._by_id("/v1/charges", text(dispute, "charge"))
            intent = text(charge or {}, "payment_intent")
        return dispute_facts(dispute, charge_reference=intent)

    def _sent(self, name: str, path: str, params: dict[str, Any], *, key: str) -> ProviderAnswer | Unknown:
        """Send what has an effect. Refuses with ProcessorFailed's kinds only where it was never sent."""
        try:
            return self._post(name, path, params, key=key)
        except NotSent as silent:
            raise (
                ProcessorTimeout if silent.reason == "connect_timeout" else ProcessorUnavailable
            ) from silent
        except NoAnswer as silent:
            return Unknown(reason=silent.reason)

    def _post(self, name: str, path: str, params: dict[str, Any], *, key: str) -> ProviderAnswer:
        return stripe.send(
            name=name, method="POST", path=path, params=params, idempotency_key=key, limits=SENDING
        )

    def _by_id(self, path: str, reference: str) -> dict[str, Any] | None:
        return self._read(f"{path}/{reference}", {}) if reference else None

    def _among(self, path: str, params: dict[str, Any], *, key: str) -> dict[str, Any] | None:
        """Find the one that carries our key. Refuses with ProcessorFailed when there are too many to read."""
        page: dict[str, Any] = {}
        for _ in range(MOST_PAGES):
            listed = self._read(path, {**params, "limit": PAGE, **page}) or {}
            items = listed.get("data") or []
            found = next((item for item in items if _key_of(item) == key), None)
            if found is not None or not listed.get("has_more") or not items:
                return found
            page = {"starting_after": items[-1]["id"]}
        raise ProcessorFailed("There are too many objects to look through.")

    def _read(self, path: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """Read a document; None for a 404. Refuses with ProcessorFailed and its kinds when it can't be read."""
        try:
            answer = stripe.send(
                name=path.split("/")[2], method="GET", path=path, params=params, limits=READING
            )
            if answer.status == 404:
                return None
            if answer.is_success:
                return answer.document()
        except (NotSent, NoAnswer, Garbled) as failure:
            raise ProcessorUnavailable from failure
        if answer.status in (400, 401, 403):
            raise refused(answer)
        raise ProcessorUnavailable


def _key_of(found: dict[str, Any]) -> str:
    metadata = found.get("metadata")
    return text(metadata, KEY_IN_METADATA) if isinstance(metadata, dict) else ""


def _understood(read: Any, found: dict[str, Any]) -> Any:
    try:
        return read(found)
    except (KeyError, TypeError, ValueError):
        return Unknown(reason="garbled")


def processor() -> StripeProcessor:
    """Make the processor that `PAYMENT_PROCESSOR=stripe` names. Raises ImproperlyConfigured without a key."""
    stripe.provider()
    return StripeProcessor()
