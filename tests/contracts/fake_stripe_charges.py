"""The charging side of the Stripe on this machine: PaymentIntents, charges, refunds, disputes, and its events.

Magic numbers act as Stripe's test cards do. What happens is told as events, which a test delivers as it likes.
"""

import time
from typing import Any

from tests.contracts.fake_stripe import FakeStripe, Params, StripeRefuses

DECLINED = {
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000000341": "generic_decline",
    "4000000000009979": "stolen_card",
}
ALWAYS_AUTHENTICATES = "4000002760003184"
AUTHENTICATES_UNLESS_SET_UP = "4000002500003155"
IS_DISPUTED = "4000000000000259"
IS_INQUIRED = "4000000000001976"
REFUND_FAILS_LATER = "4000000000005126"
REFUND_TAKES_TIME = "4000000000007726"
NEEDS_CUSTOMER = frozenset({ALWAYS_AUTHENTICATES, AUTHENTICATES_UNLESS_SET_UP, "4000000000003220"})


class FakeStripeCharges(FakeStripe):
    """One account that charges. `events` are told in the order in which things happened."""

    routes = (
        *FakeStripe.routes,
        ("POST", r"/v1/payment_intents", "create_intent"),
        ("GET", r"/v1/payment_intents", "list_intents"),
        ("GET", r"/v1/payment_intents/(\w+)", "read_intent"),
        ("POST", r"/v1/payment_intents/(\w+)/cancel", "cancel_intent"),
        ("POST", r"/v1/refunds", "create_refund"),
        ("GET", r"/v1/refunds", "list_refunds"),
        ("GET", r"/v1/refunds/(\w+)", "read_refund"),
        ("GET", r"/v1/disputes/(\w+)", "read_dispute"),
        ("GET", r"/v1/charges/(\w+)", "read_charge"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.sources: dict[str, Params] = {}
        """What each PaymentIntent was asked to charge, which no answer shows."""
        self.clock_s = time.time

    def create_intent(self, params: Params) -> dict[str, Any]:
        if params.get("confirm") != "true":
            raise StripeRefuses(400, "parameter_missing", param="confirm")
        amount = int(params["amount"])
        if amount < 50 and params["currency"] == "usd":
            raise StripeRefuses(400, "amount_too_small", param="amount")
        number = self._number_of(params)
        intent = self.made(
            "payment_intent",
            "pi",
            amount=amount,
            amount_received=0,
            currency=params["currency"],
            created=int(self.clock_s()),
            customer=params.get("customer"),
            metadata=params.get("metadata", {}),
            status="requires_payment_method",
            last_payment_error=None,
            latest_charge=None,
            next_action=None,
        )
        intent["client_secret"] = f"{intent['id']}_secret_x"
        self.numbers[intent["id"]], self.sources[intent["id"]] = number, params
        self._tell("payment_intent.created", intent)
        return self._confirmed(intent, number, params)

    def _confirmed(self, intent: dict[str, Any], number: str, params: Params) -> dict[str, Any]:
        if number in DECLINED:
            raise self._declined(intent, "card_declined", DECLINED[number])
        method = self.objects.get(params.get("payment_method", ""), {})
        is_off_session = params.get("off_session") == "true"
        is_exempt = number == AUTHENTICATES_UNLESS_SET_UP and is_off_session and method.get("is_set_up")
        if number in NEEDS_CUSTOMER and not is_exempt:
            if is_off_session:
                raise self._declined(intent, "authentication_required", "authentication_required")
            intent["status"] = "requires_action"
            url = params.get("return_url")
            intent["next_action"] = (
                {
                    "type": "redirect_to_url",
                    "redirect_to_url": {"url": "https://bank.example/3ds", "return_url": url},
                }
                if url
                else {"type": "use_stripe_sdk"}
            )
            self._tell("payment_intent.requires_action", intent)
            return intent
        if method and params.get("setup_future_usage") == "off_session":
            method["is_set_up"] = True
        self._succeed(intent)
        return intent

    def customer_confirms(self, intent_id: str, *, passes: bool = True) -> None:
        """Let the customer do what the bank wants, or fail at it."""
        with self.lock:
            intent = self.objects[intent_id]
            if passes:
                self._succeed(intent)
            else:
                self._decline(intent, "payment_intent_authentication_failure", "authentication_required")

    def _succeed(self, intent: dict[str, Any]) -> None:
        charge = self.made(
            "charge",
            "ch",
            amount=intent["amount"],
            amount_refunded=0,
            currency=intent["currency"],
            payment_intent=intent["id"],
            disputed=False,
            status="succeeded",
        )
        intent.update(
            status="succeeded",
            amount_received=intent["amount"],
            latest_charge=charge["id"],
            next_action=None,
        )
        self._tell("payment_intent.succeeded", intent)
        self._tell("charge.succeeded", charge)
        number = self.numbers[intent["id"]]
        if number in (IS_DISPUTED, IS_INQUIRED):
            self.dispute(intent["id"], is_inquiry=number == IS_INQUIRED)

    def _decline(self, intent: dict[str, Any], code: str, decline_code: str) -> None:
        intent.update(
            status="requires_payment_method",
            next_action=None,
            last_payment_error={"type": "card_error", "code": code, "decline_code": decline_code},
        )
        self._tell("payment_intent.payment_failed", intent)

    def _declined(self, intent: dict[str, Any], code: str, decline_code: str) -> StripeRefuses:
        self._decline(intent, code, decline_code)
        return StripeRefuses(
            402, code, kind="card_error", decline_code=decline_code, payment_intent=dict(intent)
        )

    def _number_of(self, params: Params) -> str:
        if "payment_method" in params:
            method = self.found(params["payment_method"], "payment_method")
            if method["customer"] != params.get("customer"):
                raise StripeRefuses(400, "payment_method_unexpected_state", param="payment_method")
            return self.numbers[method["id"]]
        card = params["payment_method_data"]["card"]
        number: str = card.get("network_token", card)["number"]
        return number

    def list_intents(self, params: Params) -> dict[str, Any]:
        return self._listed("payment_intent", params)

    def read_intent(self, _params: Params, intent_id: str) -> dict[str, Any]:
        return self.found(intent_id, "payment_intent")

    def cancel_intent(self, _params: Params, intent_id: str) -> dict[str, Any]:
        intent = self.found(intent_id, "payment_intent")
        if intent["status"] in ("succeeded", "canceled"):
            raise StripeRefuses(400, "payment_intent_unexpected_state")
        intent.update(status="canceled", next_action=None)
        self._tell("payment_intent.canceled", intent)
        return intent

    def create_refund(self, params: Params) -> dict[str, Any]:
        intent = self.found(params["payment_intent"], "payment_intent")
        if intent["status"] != "succeeded":
            raise StripeRefuses(400, "charge_not_refundable")
        charge, amount = self.objects[intent["latest_charge"]], int(params["amount"])
        if charge["disputed"]:
            raise StripeRefuses(400, "charge_disputed")
        left = charge["amount"] - charge["amount_refunded"]
        if amount > left:
            raise StripeRefuses(400, "amount_too_large" if left else "charge_already_refunded")
        charge["amount_refunded"] += amount
        takes_time = self.numbers[intent["id"]] == REFUND_TAKES_TIME
        refund = self.made(
            "refund",
            "re",
            amount=amount,
            currency=intent["currency"],
            created=int(self.clock_s()),
            payment_intent=intent["id"],
            charge=charge["id"],
            metadata=params.get("metadata", {}),
            reason=params.get("reason"),
            status="pending" if takes_time else "succeeded",
        )
        self._tell("refund.created", refund)
        return refund

    def list_refunds(self, params: Params) -> dict[str, Any]:
        self._let_banks_decide()
        return self._listed("refund", params)

    def read_refund(self, _params: Params, refund_id: str) -> dict[str, Any]:
        self._let_banks_decide()
        return self.found(refund_id, "refund")

    def _let_banks_decide(self) -> None:
        for refund in [known for known in self.objects.values() if known["object"] == "refund"]:
            number = self.numbers[refund["payment_intent"]]
            if number == REFUND_TAKES_TIME and refund["status"] == "pending":
                refund["status"] = "succeeded"
                self._tell("refund.updated", refund)
            if number == REFUND_FAILS_LATER and refund["status"] == "succeeded":
                refund.update(status="failed", failure_reason="expired_or_canceled_card")
                self._tell("refund.failed", refund)

    def dispute(self, intent_id: str, *, is_inquiry: bool = False) -> dict[str, Any]:
        """Let the cardholder's bank take a charge back, or only ask about it."""
        with self.lock:
            intent = self.objects[intent_id]
            dispute = self.made(
                "dispute",
                "dp",
                amount=intent["amount"],
                currency=intent["currency"],
                charge=intent["latest_charge"],
                payment_intent=intent_id,
                reason="fraudulent",
                status="warning_needs_response" if is_inquiry else "needs_response",
                balance_transactions=[],
            )
            self._tell("charge.dispute.created", dispute)
            if not is_inquiry:
                self.objects[intent["latest_charge"]]["disputed"] = True
                self._move(dispute, -intent["amount"])
                self._tell("charge.dispute.funds_withdrawn", dispute)
            return dispute

    def decide(self, dispute_id: str, status: str) -> None:
        """Let the bank decide a dispute: `won` gives the money back."""
        with self.lock:
            dispute = self.objects[dispute_id]
            dispute["status"] = status
            self._tell("charge.dispute.closed", dispute)
            if status == "won":
                self.objects[dispute["charge"]]["disputed"] = False
                self._move(dispute, dispute["amount"])
                self._tell("charge.dispute.funds_reinstated", dispute)

    def _move(self, dispute: dict[str, Any], amount: int) -> None:
        dispute["balance_transactions"].append(
            {"object": "balance_transaction", "amount": amount, "currency": dispute["currency"]}
        )

    def read_dispute(self, _params: Params, dispute_id: str) -> dict[str, Any]:
        return self.found(dispute_id, "dispute")

    def read_charge(self, _params: Params, charge_id: str) -> dict[str, Any]:
        return self.found(charge_id, "charge")

    def _listed(self, kind: str, params: Params) -> dict[str, Any]:
        created = params.get("created", {})
        items = [
            known
            for known in self.objects.values()
            if known["object"] == kind
            and int(created.get("gte", 0)) <= known["created"] <= int(created.get("lte", 10**12))
            and known.get("payment_intent") == params.get("payment_intent", known.get("payment_intent"))
        ]
        items.reverse()
        if "starting_after" in params:
            place = next(i for i, item in enumerate(items) if item["id"] == params["starting_after"])
            items = items[place + 1 :]
        limit = int(params.get("limit", 10))
        return {"object": "list", "data": items[:limit], "has_more": len(items) > limit}

    def _tell(self, kind: str, about: dict[str, Any]) -> None:
        self.events.append((kind, dict(about)))

    def charged(self, key: str) -> int:
        """Tell what was charged under one of our keys, in Stripe's units."""
        with self.lock:
            return sum(
                known["amount_received"]
                for known in self.objects.values()
                if known["object"] == "payment_intent" and known["metadata"].get("open_wallet_key") == key
            )

    def refunded(self, key: str) -> int:
        """Tell what was refunded under one of our keys, in Stripe's units; failed refunds count as well."""
        with self.lock:
            return sum(
                known["amount"]
                for known in self.objects.values()
                if known["object"] == "refund" and known["metadata"].get("open_wallet_key") == key
            )
