"""A Basis Theory on this machine: permissions, idempotency as it keeps it, tokens, intents, phones' tokens.

It answers 403 to whatever our application key isn't meant to need, so that asking for more is found out here.
"""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.contracts.provider_server import ProviderApi, Received, Reply

KEY = "key_us_test_4VqbjeQK1tT8L9gBZt2E3F"
LEAST_PERMISSIONS = frozenset(
    {
        *("token:create", "token:read", "token:delete", "token-intent:create", "token-intent:read"),
        *("apple-pay:create", "apple-pay:read", "apple-pay:delete"),
        *("google-pay:create", "google-pay:read", "google-pay:delete"),
    }
)
PAN_ONLY = "PAN_ONLY"
"""As a Google token's `signedMessage`: the phone gave a plain card number."""

Document = dict[str, Any]


class BasisTheoryRefuses(Exception):
    def __init__(self, status: int, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = {"title": "Refused", "status": status, "errors": errors or {}}


class FakeBasisTheory(ProviderApi):
    """One tenant's vault. `recognises_cards` is its setting to answer with an item that it has already."""

    routes: tuple[tuple[str, str, str, str], ...] = (
        ("POST", r"/tokens", "token:create", "create_token"),
        ("GET", r"/tokens/([\w-]+)", "token:read", "read_token"),
        ("DELETE", r"/tokens/([\w-]+)", "token:delete", "delete"),
        ("POST", r"/apple-pay", "apple-pay:create", "create_apple_pay"),
        ("GET", r"/apple-pay/([\w-]+)", "apple-pay:read", "read_item"),
        ("DELETE", r"/apple-pay/([\w-]+)", "apple-pay:delete", "delete"),
        ("POST", r"/google-pay", "google-pay:create", "create_google_pay"),
        ("GET", r"/google-pay/([\w-]+)", "google-pay:read", "read_item"),
        ("DELETE", r"/google-pay/([\w-]+)", "google-pay:delete", "delete"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, Document] = {}
        self.intents: dict[str, Document] = {}
        self.numbers: dict[str, str] = {}
        self.kept: dict[str, tuple[tuple[str, bytes], Reply]] = {}
        self.permissions = set(LEAST_PERMISSIONS)
        self.recognises_cards = False
        self.says_little = False
        """Whether answers leave out what a tenant may leave out: card data, where it was seen before."""
        self.reveals_numbers = False

    def answer(self, request: Received) -> Reply:
        with self.lock:
            if request.headers.get("bt-api-key") != KEY:
                return Reply(401, {"title": "Unauthorized", "status": 401})
            key = request.headers.get("bt-idempotency-key", "") if request.method == "POST" else ""
            asked = (request.path, request.body)
            if key in self.kept:
                first, reply = self.kept[key]
                return reply if first == asked else Reply(409, {"title": "Conflict", "status": 409})
            try:
                reply = self._acted(request)
            except BasisTheoryRefuses as refused:
                return Reply(refused.status, refused.body)
            if key:
                self.kept[key] = (asked, reply)
            return reply

    def _acted(self, request: Received) -> Reply:
        for method, pattern, permission, name in self.routes:
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                if permission not in self.permissions:
                    raise BasisTheoryRefuses(403)
                action: Callable[..., Document | None] = getattr(self, name)
                said = action(json.loads(request.body) if request.body else {}, *found.groups())
                status = {"POST": 201, "GET": 200, "DELETE": 204}[method]
                return Reply(status, json.loads(json.dumps(said)) if said is not None else None)
        raise BasisTheoryRefuses(404)

    def create_token(self, asked: Document) -> Document:
        if "token_intent_id" in asked:
            intent = self.intents.pop(asked["token_intent_id"], None)
            if intent is None:
                raise BasisTheoryRefuses(404)
            return self._token(self.numbers[intent["id"]], 12, 2030, asked)
        data = asked["data"]
        if not data["number"].isdigit() or data["number"].endswith("4241"):
            raise BasisTheoryRefuses(400, {"data.number": [f"{data['number']} is not valid."]})
        return self._token(data["number"], data["expiration_month"], data["expiration_year"], asked)

    def _token(self, number: str, month: int, year: int, asked: Document) -> Document:
        known = next((i for i in self.items.values() if self.numbers[i["id"]] == number), None)
        if self.recognises_cards and known is not None:
            little = {name: known[name] for name in ("id", "type", "tenant_id", "fingerprint", "containers")}
            return {**little, "_extras": {"deduplicated": True, "deduplication_behavior": "read_existing"}}
        made = {
            "id": str(uuid4()),
            "type": "card",
            "tenant_id": "tenant",
            "data": {
                "number": f"XXXXXXXXXXXX{number[-4:]}",
                "expiration_month": month,
                "expiration_year": year,
            },
            "card": {**card_of(number), "expiration_month": month, "expiration_year": year},
            "containers": ["/pci/high/"],
            "metadata": asked.get("metadata", {}),
            "fingerprint": fingerprint_of(number),
            "_extras": {"deduplicated": False},
        }
        self.items[made["id"]], self.numbers[made["id"]] = made, number
        return {name: made[name] for name in ("id", "type", "fingerprint")} if self.says_little else made

    def read_token(self, asked: Document, item_id: str) -> Document:
        item = self.read_item(asked, item_id)
        if self.reveals_numbers:
            return {**item, "data": {**item["data"], "number": self.numbers[item_id]}}
        return item

    def read_item(self, _asked: Document, item_id: str) -> Document:
        if item_id not in self.items:
            raise BasisTheoryRefuses(404)
        return self.items[item_id]

    def delete(self, _asked: Document, item_id: str) -> None:
        if self.items.pop(item_id, None) is None:
            raise BasisTheoryRefuses(404)

    def create_apple_pay(self, asked: Document) -> Document:
        data = asked["apple_payment_data"].get("paymentData") or {}
        if data.get("version") not in ("EC_v1", "RSA_v1"):
            raise BasisTheoryRefuses(422)
        made = self._phone("4242424242424242", type="dpan", expires_at="2030-12-15T00:00:00+00:00")
        return {"apple_pay": made}

    def create_google_pay(self, asked: Document) -> Document:
        token = asked["google_payment_data"]
        if token.get("protocolVersion") != "ECv2":
            raise BasisTheoryRefuses(400, {"google_payment_data": ["can't be decrypted"]})
        number = "4242424242424242"
        if token["signedMessage"] != PAN_ONLY:
            made = self._phone(number, details={"auth_method": "CRYPTOGRAM_3DS"})
            made["card"] |= {"expiration_month": 12, "expiration_year": 2030}
            return {"google_pay": made}
        intent = {
            "id": str(uuid4()),
            "type": "card",
            "fingerprint": fingerprint_of(number),
            "expires_at": "2026-11-01T12:00:00+00:00",
            "card": {"bin": number[:6], "last4": number[-4:], "brand": "visa"},
        }
        self.intents[intent["id"]], self.numbers[intent["id"]] = intent, number
        return {"token_intent": intent}

    def _phone(self, number: str, **fields: Any) -> Document:
        made = {"id": str(uuid4()), "status": "active", "card": card_of(number), **fields}
        self.items[made["id"]], self.numbers[made["id"]] = made, number
        return made


def card_of(number: str) -> Document:
    brand = "american-express" if number.startswith("3") else "visa"
    return {"bin": number[:8], "last4": number[-4:], "brand": brand, "funding": "credit"}


def fingerprint_of(number: str) -> str:
    return f"FP{sum(map(ord, number)):040d}"
