"""A Stripe on this machine: keys, versions, idempotency as Stripe keeps it, tokens, cards and customers.

Other files add what they need by a subclass with more routes: a method `on_<verb>` found through `routes`.
"""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from tests.contracts.provider_server import ProviderApi, Received, Reply

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
VERSION = "2026-06-24.dahlia"

Params = dict[str, Any]
Action = Callable[..., dict[str, Any]]

ATTACH_DECLINED = {"4000000000000002": "generic_decline", "4000000000009995": "insufficient_funds"}
NEEDS_AUTHENTICATION = frozenset({"4000002500003155", "4000002760003184"})


class StripeRefuses(Exception):
    """An error as Stripe answers it; what it says stands in its arguments."""

    def __init__(
        self, status: int, code: str = "", *, kind: str = "invalid_request_error", **said: Any
    ) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"error": {"type": kind, **({"code": code} if code else {}), **said}}


class FakeStripe(ProviderApi):
    """One account's books. `routes` are (method, pattern of the path, name of the method that acts)."""

    routes: tuple[tuple[str, str, str], ...] = (
        ("POST", r"/v1/tokens", "create_token"),
        ("POST", r"/v1/payment_methods", "create_payment_method"),
        ("GET", r"/v1/payment_methods/(\w+)", "read_payment_method"),
        ("POST", r"/v1/payment_methods/(\w+)/attach", "attach"),
        ("POST", r"/v1/payment_methods/(\w+)/detach", "detach"),
        ("POST", r"/v1/customers", "create_customer"),
        ("GET", r"/v1/customers/(\w+)", "read_customer"),
        ("DELETE", r"/v1/customers/(\w+)", "delete_customer"),
        ("POST", r"/v1/setup_intents", "create_setup_intent"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, dict[str, Any]] = {}
        self.numbers: dict[str, str] = {}
        """The card number behind a PaymentMethod or token, which no answer shows."""
        self.kept: dict[str, tuple[tuple[str, str, str], Reply]] = {}

    def answer(self, request: Received) -> Reply:
        with self.lock:
            key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
            asked = (request.method, request.path, request.body.decode())
            if key in self.kept:
                first, reply = self.kept[key]
                if first != asked:
                    return Reply(400, {"error": {"type": "idempotency_error"}})
                return Reply(reply.status, reply.document, {**reply.headers, "Idempotent-Replayed": "true"})
            reply, has_begun = self._acted(request)
            reply.headers.setdefault("Request-Id", f"req_{len(self.received)}")
            if key and has_begun:
                self.kept[key] = (asked, reply)
            return reply

    def break_down(self, request: Received, *, has_acted: bool) -> Reply:
        """Answer 500 and keep that for the key, as Stripe does."""
        broken = Reply(500, {"error": {"type": "api_error"}})
        with self.lock:
            key = request.headers.get("idempotency-key", "")
            if key in self.kept:
                return self.answer(request)
            if has_acted:
                self.answer(request)
            if key and request.method == "POST":
                self.kept[key] = ((request.method, request.path, request.body.decode()), broken)
        return broken

    def _acted(self, request: Received) -> tuple[Reply, bool]:
        """Give the reply, and whether the work had begun, from when on Stripe keeps the answer."""
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return Reply(401, {"error": {"type": "invalid_request_error"}}), False
        if request.headers.get("stripe-version") != VERSION:
            return Reply(400, {"error": {"type": "invalid_request_error"}}), False
        form = request.query if request.method == "GET" else request.body.decode()
        for method, pattern, name in self.routes:
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                action: Action = getattr(self, name)
                try:
                    # What is told changes when the books do; the reply shows what was.
                    return Reply(200, json.loads(json.dumps(action(decoded(form), *found.groups())))), True
                except StripeRefuses as refused:
                    return Reply(refused.status, refused.body), refused.status != 400
        return Reply(404, {"error": {"type": "invalid_request_error"}}), False

    def made(self, kind: str, prefix: str, **fields: Any) -> dict[str, Any]:
        """Put a new object into the books."""
        # As outside, no two accounts ever make the same id.
        new = {"id": f"{prefix}_{uuid4().hex}", "object": kind, "livemode": False, **fields}
        self.objects[new["id"]] = new
        return new

    def found(self, object_id: str, kind: str) -> dict[str, Any]:
        """Give an object of the books; StripeRefuses 404 when there is none of that kind."""
        known = self.objects.get(object_id)
        if known is None or known["object"] != kind or known.get("deleted"):
            raise StripeRefuses(404, "resource_missing", param="id")
        return known

    def create_token(self, params: Params) -> dict[str, Any]:
        if "pk_token" in params:
            payload = json.loads(params["pk_token"])
            if payload.get("version") not in ("EC_v1", "RSA_v1") or not params.get("pk_token_transaction_id"):
                raise StripeRefuses(400, "parameter_invalid", param="pk_token")
            number, wallet = "4242424242424242", "apple_pay"
        else:
            number, wallet = params["card"]["number"], None
        token = self.made("token", "tok", type="card", used=False, wallet=wallet)
        self.numbers[token["id"]] = number
        return token

    def google_pay_token(self, number: str = "4242424242424242") -> str:
        """Make the token that a phone gets for gateway `stripe`; gives its id."""
        token = self.made("token", "tok", type="card", used=False, wallet="google_pay")
        self.numbers[token["id"]] = number
        return token["id"]

    def create_payment_method(self, params: Params) -> dict[str, Any]:
        card = params["card"]
        if params.get("type") != "card":
            raise StripeRefuses(400, "parameter_missing", param="type")
        if "token" in card:
            token = self.found(card["token"], "token")
            if token["used"]:
                raise StripeRefuses(400, "token_already_used", param="card[token]")
            token["used"] = True
            number, wallet, expiry = self.numbers[token["id"]], token["wallet"], (12, 2030)
        else:
            number, wallet = card["number"], None
            expiry = (int(card["exp_month"]), int(card["exp_year"]))
            if number.endswith("4241"):
                raise StripeRefuses(402, "incorrect_number", kind="card_error", param="number")
        method = self.made(
            "payment_method",
            "pm",
            type="card",
            customer=None,
            metadata=params.get("metadata", {}),
            card={
                "brand": "amex" if number.startswith("3") else "visa",
                "last4": number[-4:],
                "exp_month": expiry[0],
                "exp_year": expiry[1],
                "funding": "credit",
                "fingerprint": f"fp{sum(map(ord, number)):016d}",
                "wallet": {"type": wallet} if wallet else None,
            },
        )
        self.numbers[method["id"]] = number
        return method

    def read_payment_method(self, _params: Params, method_id: str) -> dict[str, Any]:
        return self.found(method_id, "payment_method")

    def attach(self, params: Params, method_id: str) -> dict[str, Any]:
        method = self.found(method_id, "payment_method")
        customer = self.found(params["customer"], "customer")
        if method.get("detached"):
            raise StripeRefuses(400, "payment_method_unexpected_state")
        self._require_good(method_id)
        method["customer"] = customer["id"]
        return method

    def detach(self, _params: Params, method_id: str) -> dict[str, Any]:
        method = self.found(method_id, "payment_method")
        if method["customer"] is None:
            raise StripeRefuses(400, "payment_method_unexpected_state")
        method["customer"], method["detached"] = None, True
        return method

    def create_customer(self, params: Params) -> dict[str, Any]:
        return self.made("customer", "cus", metadata=params.get("metadata", {}))

    def read_customer(self, _params: Params, customer_id: str) -> dict[str, Any]:
        return self.found(customer_id, "customer")

    def delete_customer(self, _params: Params, customer_id: str) -> dict[str, Any]:
        customer = self.found(customer_id, "customer")
        customer["deleted"] = True
        for known in self.objects.values():
            if known["object"] == "payment_method" and known["customer"] == customer_id:
                known["customer"], known["detached"] = None, True
        return {"id": customer_id, "object": "customer", "deleted": True}

    def create_setup_intent(self, params: Params) -> dict[str, Any]:
        method = self.found(params["payment_method"], "payment_method")
        customer = self.found(params["customer"], "customer")
        if params.get("confirm") != "true" or params.get("usage") != "off_session":
            raise StripeRefuses(400, "parameter_missing", param="confirm")
        self._require_good(method["id"])
        needs_customer = self.numbers[method["id"]] in NEEDS_AUTHENTICATION
        if not needs_customer:
            method["customer"], method["is_set_up"] = customer["id"], True
        return self.made(
            "setup_intent",
            "seti",
            status="requires_action" if needs_customer else "succeeded",
            payment_method=method["id"],
            customer=customer["id"],
            usage="off_session",
            client_secret="seti_secret",
        )

    def _require_good(self, method_id: str) -> None:
        decline = ATTACH_DECLINED.get(self.numbers[method_id])
        if decline:
            raise StripeRefuses(402, "card_declined", kind="card_error", decline_code=decline)


def decoded(form: str) -> Params:
    """Read `a[b][0]=c` into nested dictionaries, whose arrays have the keys `0`, `1` and so on."""
    params: Params = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+", name)
        inner = params
        for part in [first, *rest][:-1]:
            inner = inner.setdefault(part, {})
        inner[[first, *rest][-1]] = value
    return params
