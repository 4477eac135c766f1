"""What the pages are filled with: a day at a small shop, made over the API alone."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import uuid4

import requests

GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000341"
UNKNOWN_CARD = "4000000000000119"
DISPUTED_CARD = "4000000000000259"
NAMES = ("nora", "jonas", "amara", "luca", "mei", "sofia")


class Caller:
    """Somebody who calls the API."""

    def __init__(self, base_url: str, email: str, password: str) -> None:
        self.api = f"{base_url}/api/v1"
        self.session = requests.Session()
        answer = self.session.post(
            f"{self.api}/auth/token", json={"email": email, "password": password}, timeout=20
        )
        answer.raise_for_status()
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access']}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Make one call with a key of its own; give its JSON, and say what was refused."""
        answer = self.session.request(
            method,
            f"{self.api}{path}",
            json=body,
            headers={"Idempotency-Key": str(uuid4())},
            timeout=30,
        )
        if answer.status_code >= 400 and answer.status_code != 402:
            raise RuntimeError(f"{method} {path} was refused: {answer.text}")
        return answer.json() if answer.content else None

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """POST, with a key of its own."""
        return self.call("POST", path, body or {})


@dataclass(frozen=True)
class Scene:
    """The ids that paths are filled with, and what the journeys go by."""

    customer_email: str
    reference: str
    ids: dict[str, str]

    def path(self, template: str) -> str:
        """Fill `{wallet}` and the like into a path."""
        return template.format_map(self.ids)


def customer(base_url: str, name: str) -> tuple[Caller, str, str]:
    """Register somebody with a wallet in euros; give the caller, the address and the wallet's id."""
    email, password = f"{name}-{uuid4().hex[:6]}@example.com", "correct horse battery"
    requests.post(
        f"{base_url}/api/v1/auth/register", json={"email": email, "password": password}, timeout=20
    ).raise_for_status()
    caller = Caller(base_url, email, password)
    wallet = caller.post("/wallet", {"currency": "EUR", "label": "Household"})
    return caller, email, wallet["id"]


def saved_card(caller: Caller, number: str) -> str:
    """Save a card of the sandbox; give its token's id."""
    card = {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": "123"}
    return str(caller.post("/tokens/card", card)["id"])


def fund(caller: Caller, wallet_id: str, token_id: str, amount: int) -> Any:
    """Charge a saved card."""
    return caller.post(
        f"/wallet/{wallet_id}/fund", {"amount": amount, "currency": "EUR", "token_id": token_id}
    )


def make_scene(base_url: str, *, password: str) -> Scene:
    """Let customers fund, pay, hold and be refused, and staff ask for refunds and corrections."""
    support = Caller(base_url, "support@example.com", password)
    people = [customer(base_url, name) for name in NAMES]
    cards = [saved_card(caller, GOOD_CARD) for caller, _, _ in people]
    funded = [
        fund(caller, wallet_id, card, 12_500 + 4_310 * number)
        for number, ((caller, _, wallet_id), card) in enumerate(zip(people, cards, strict=True))
    ]
    reference = f"order-{uuid4().hex[:8]}"
    first, email, wallet_id = people[0]
    for number, (caller, _, own_wallet) in enumerate(people):
        caller.post(
            f"/wallet/{own_wallet}/pay",
            {
                "amount": 1_290 + 375 * number,
                "currency": "EUR",
                "description": "Coffee beans, 1 kg",
                "reference": reference if number == 0 else f"order-{uuid4().hex[:8]}",
            },
        )
    for (caller, _, source), (_, _, target) in pairwise(people):
        dinner = {"from_wallet_id": source, "to_wallet_id": target, "amount": 1_850, "currency": "EUR"}
        caller.post("/wallet/transfer", {**dinner, "description": "Dinner on Friday"})
    first.post(f"/wallet/{wallet_id}/holds", {"amount": 2_000, "currency": "EUR", "description": "Bicycle"})
    fund(people[1][0], people[1][2], saved_card(people[1][0], DECLINED_CARD), 5_000)
    unknown = fund(people[2][0], people[2][2], saved_card(people[2][0], UNKNOWN_CARD), 3_300)
    fund(people[3][0], people[3][2], saved_card(people[3][0], DISPUTED_CARD), 2_600)
    rule = {"enabled": True, "threshold": 2_000, "amount": 5_000, "token_id": cards[0]}
    first.call("PUT", f"/wallet/{wallet_id}/auto-top-up", rule)
    refunds = [
        (support if number else first).post(
            "/refunds",
            {
                "transaction_id": done["transaction_id"],
                "amount": 2_500 + 500 * number,
                "reason": "customer_request",
                "notes": "Ordered twice by mistake.",
            },
        )["id"]
        for number, done in enumerate(funded[:4])
    ]
    correction = {"amount": 750, "currency": "EUR", "reason": "The voucher of the autumn sale was forgotten"}
    adjustment = support.post(f"/admin/wallets/{wallet_id}/adjustments", correction)
    support.post(f"/wallet/{people[5][2]}/suspend", {"reason": "Card reported as stolen"})
    line = first.call("GET", f"/transactions/{funded[0]['transaction_id']}")
    return Scene(
        customer_email=email,
        reference=reference,
        ids={
            "customer": first.call("GET", "/auth/me")["id"],
            "email": email,
            "wallet": wallet_id,
            "payment": funded[0]["payment_id"],
            "unknown_payment": unknown["payment_id"],
            "transaction": line["id"],
            "transfer": line["transfer_id"],
            "token": cards[0],
            "refund": refunds[0],
            "adjustment": adjustment["id"],
        },
    )
