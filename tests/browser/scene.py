"""What the pages are filled with: a fortnight at a small shop, made over the API alone."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import uuid4

import requests

GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000341"
UNKNOWN_CARD = "4000000000000119"
DISPUTED_CARD = "4000000000000259"
NAMES = ("Nora Lindqvist", "Jonas Weber", "Amara Okafor", "Luca Ferrari", "Mei Tanaka", "Sofia Marin")
WARES = ("Coffee beans, 1 kg", "Two cappuccinos", "Breakfast for two", "Grinder, repaired", "Tea, 250 g")
# So many days of business come before the day that the pages are looked at on.
DAYS = 13
# Each process goes by a clock that was moved within this time (`events.clock.AGREED_WITHIN_S`, and some more).
CLOCK_AGREED_S = 0.7


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


def let_days_pass(base_url: str, days: int) -> None:
    """Move the sandbox's clock, and wait until every process goes by it."""
    requests.post(
        f"{base_url}/sandbox/clock", json={"advance_s": days * 86_400}, timeout=60
    ).raise_for_status()
    time.sleep(CLOCK_AGREED_S)


def live_through_a_day(day: int, people: Sequence[tuple[Caller, str, str]], cards: Sequence[str]) -> None:
    """Let some customers fund and pay, each day others and another amount."""
    for number, ((caller, _, wallet_id), card) in enumerate(zip(people, cards, strict=True)):
        if (day + number) % 3:
            continue
        fund(caller, wallet_id, card, 2_500 + 650 * ((5 * day + 3 * number) % 11))
        coffee = {"amount": 890 + 210 * ((7 * day + number) % 9), "currency": "EUR"}
        caller.post(
            f"/wallet/{wallet_id}/pay",
            {
                **coffee,
                "description": WARES[(day + number) % len(WARES)],
                "reference": f"order-{uuid4().hex[:8]}",
            },
        )


def ask_for_refund(asker: Caller, done: Any, amount: int) -> str:
    """Ask for some of a charge back."""
    wish = {"amount": amount, "reason": "customer_request", "notes": "Ordered twice by mistake."}
    return str(asker.post("/refunds", {"transaction_id": done["transaction_id"], **wish})["id"])


def settlement_report(finance: Caller, today: str) -> tuple[str, str]:
    """Import a report of a day that tells of one charge more and of none of ours; give it and its newest break."""
    columns = "id,type,gross,fee,net,currency,reference,created,payout_id"
    name = uuid4().hex[:8]
    rows = (
        f"txn_{name},charge,48.00,1.20,46.80,EUR,pi_{name},{today}T00:00:00Z,po_{name}",
        f"fee_{name},fee,-3.50,0.00,-3.50,EUR,,{today}T00:00:00Z,po_{name}",
    )
    body = {
        "processor": "sandbox",
        "format": "open_wallet",
        "first_day": today,
        "last_day": today,
        "file_name": f"settlement-{today}.csv",
        "content": "\r\n".join([columns, *rows]),
    }
    report = finance.post("/admin/reconciliation/imports", body)["id"]
    breaks = finance.call("GET", f"/admin/reconciliation/breaks?import_id={report}")["results"]
    return str(report), str(breaks[0]["id"])


def make_scene(base_url: str, *, password: str) -> Scene:
    """Let customers fund, pay, hold and be refused over some days, and staff ask for refunds and corrections."""
    support = Caller(base_url, "support@example.com", password)
    people = [customer(base_url, name.partition(" ")[0].lower()) for name in NAMES]
    for (caller, _, _), name in zip(people, NAMES, strict=True):
        about = caller.call("GET", "/auth/me")
        support.call(
            "PATCH", f"/admin/customers/{about['id']}", {"name": name, "reason": "Told on the phone"}
        )
    cards = [saved_card(caller, GOOD_CARD) for caller, _, _ in people]
    first, email, wallet_id = people[0]
    funded = [
        fund(caller, wallet_id, card, 12_500 + 4_310 * number)
        for number, ((caller, _, wallet_id), card) in enumerate(zip(people, cards, strict=True))
    ]
    for day in range(DAYS):
        live_through_a_day(day, people, cards)
        if day == DAYS - 2:
            refunds = [ask_for_refund(first, funded[0], 2_500), ask_for_refund(support, funded[1], 3_000)]
        let_days_pass(base_url, 1)
    reference = f"order-{uuid4().hex[:8]}"
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
    hold = first.post(
        f"/wallet/{wallet_id}/holds", {"amount": 2_000, "currency": "EUR", "description": "Bicycle"}
    )
    fund(people[1][0], people[1][2], saved_card(people[1][0], DECLINED_CARD), 5_000)
    fund(people[2][0], people[2][2], saved_card(people[2][0], UNKNOWN_CARD), 3_300)
    disputed = fund(people[3][0], people[3][2], saved_card(people[3][0], DISPUTED_CARD), 2_600)
    rule = {"enabled": True, "threshold": 2_000, "amount": 5_000, "token_id": cards[0]}
    first.call("PUT", f"/wallet/{wallet_id}/auto-top-up", rule)
    late, _, late_wallet = people[4]
    monthly = {"every": "month", "day": 28}
    declined = {
        **rule,
        "threshold": 900_000,
        "token_id": saved_card(late, DECLINED_CARD),
        "schedule": monthly,
    }
    late.call("PUT", f"/wallet/{late_wallet}/auto-top-up", declined)
    refunds += [
        ask_for_refund(support, done, 3_500 + 500 * number) for number, done in enumerate(funded[2:4])
    ]
    correction = {"amount": 750, "currency": "EUR", "reason": "The voucher of the autumn sale was forgotten"}
    adjustment = support.post(f"/admin/wallets/{wallet_id}/adjustments", correction)
    support.post(f"/wallet/{people[5][2]}/suspend", {"reason": "Card reported as stolen"})
    line = first.call("GET", f"/transactions/{funded[0]['transaction_id']}")
    report, found = settlement_report(
        Caller(base_url, "finance@example.com", password), adjustment["created_at"][:10]
    )
    return Scene(
        customer_email=email,
        reference=reference,
        ids={
            "customer": first.call("GET", "/auth/me")["id"],
            "email": email,
            "staff": support.call("GET", "/auth/me")["id"],
            "wallet": wallet_id,
            "payment": funded[0]["payment_id"],
            "hold": hold["id"],
            "topped_up": late_wallet,
            "disputed_payment": disputed["payment_id"],
            "transaction": line["id"],
            "transfer": line["transfer_id"],
            "token": cards[0],
            "refund": refunds[0],
            "adjustment": adjustment["id"],
            "settlement_import": report,
            "settlement_break": found,
        },
    )
