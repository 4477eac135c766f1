"""Every event of the API, from the calls that cause it to a shop's server: signed, complete, in each wallet's order."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client
from django.utils.module_loading import autodiscover_modules
from standardwebhooks.webhooks import Webhook

from config.celery import app
from config.schedule import BEAT
from events import clock, relay
from events.event_types import EVENT_TYPES
from events.models import WebhookEndpoint
from tests.events.receivers import Receiver, receiver
from tests.factories.calls import ApiClient
from tests.factories.people import CustomerFactory, someone

SUCCEEDS, DECLINES_LATER, DISPUTED, REFUND_FAILS = (
    "4242424242424242",
    "4000000000000341",
    "4000000000000259",
    "4000000000005126",
)
DAY_S = 86_400


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for processes that aren't there."""
    monkeypatch.setattr(clock, "AGREED_WITHIN_S", 0)
    monkeypatch.setattr(clock, "_read_at_s", float("inf"))


@pytest.fixture
def shop(committed: None) -> Iterator[Receiver]:
    relay.publish_waiting()
    with receiver() as server:
        yield server
    WebhookEndpoint.objects.update(status="deleted")


class Customer:
    """Somebody with a client of the API, a wallet and cards."""

    def __init__(self) -> None:
        self.person = CustomerFactory.create()
        self.api = ApiClient(self.person)
        self.wallet = self.opened("USD")

    def opened(self, currency: str) -> str:
        return str(self.done("/wallet", currency=currency)["id"])

    def done(self, path: str, *, expected: tuple[int, ...] = (200, 201), by: Any = None, **body: Any) -> Any:
        answer = (by or self.api).post(path, body)
        assert answer.status_code in expected, answer.content
        return answer.json()

    def money(self, path: str, amount: int, *, expected: tuple[int, ...] = (201,), **body: Any) -> Any:
        return self.done(path, amount=amount, currency="USD", expected=expected, **body)

    def card(self, number: str) -> str:
        body = {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
        return str(self.done("/tokens/card", **body)["id"])

    def funded(self, amount: int, number: str = SUCCEEDS, *, expected: int = 201) -> Any:
        path = f"/wallet/{self.wallet}/fund"
        return self.money(path, amount, token_id=self.card(number), expected=(expected,))

    def time_passes(self, seconds: int) -> None:
        body = {"wallet_id": self.wallet, "advance_s": seconds}
        answer = Client().post("/sandbox/clock", body, content_type="application/json")
        assert answer.status_code == 200, answer.content
        every_sweep_runs()


def every_sweep_runs() -> None:
    """Run what beat would have run; each twice, since one may make work for another."""
    autodiscover_modules("tasks")
    for _ in range(2):
        for entry in BEAT.values():
            if entry["schedule"] <= 60:
                app.tasks[entry["task"]].run()


def live_through_everything() -> None:
    """Cause each event of the API by the calls of customers and staff, and by time."""
    alice, bob, carol = Customer(), Customer(), Customer()
    support, finance = ApiClient(someone("support")), ApiClient(someone("finance"))
    wallet = f"/wallet/{alice.wallet}"

    alice.api.patch(wallet, {"label": "Everyday"})
    alice.done(f"{wallet}/suspend", by=support, reason="a lost phone")
    alice.done(f"{wallet}/reactivate", by=support, reason="found")
    alice.done(f"/wallet/{alice.opened('EUR')}/close", reason="not needed")

    deposit = alice.funded(10_000)
    alice.funded(500, DECLINES_LATER, expected=402)
    purchase = alice.money(f"{wallet}/pay", 1_000)
    alice.money("/wallet/transfer", 700, from_wallet_id=alice.wallet, to_wallet_id=bob.wallet)

    hold = alice.money(f"{wallet}/holds", 300)["id"]
    alice.done(f"{wallet}/holds/{hold}/capture")
    voided = alice.money(f"{wallet}/holds", 300)["id"]
    alice.done(f"{wallet}/holds/{voided}/void")
    alice.money(f"{wallet}/holds", 300, expires_in=3_600)

    refunds = [
        alice.done("/refunds", transaction_id=line, amount=100, reason="other")["id"]
        for line in (deposit["transaction_id"], purchase["id"])
    ]
    alice.done(f"/admin/refunds/{refunds[0]}/approve", by=finance)
    alice.done(f"/admin/refunds/{refunds[1]}/reject", by=finance, reason="not this one")
    unlucky = bob.funded(2_000, REFUND_FAILS)
    asked = bob.done("/refunds", transaction_id=unlucky["transaction_id"], amount=50, reason="other")["id"]
    bob.done(f"/admin/refunds/{asked}/approve", by=finance)
    every_sweep_runs()
    alice.time_passes(2 * 3_600)
    bob.time_passes(2 * DAY_S)

    carol.funded(5_000, DISPUTED)
    notices = carol.api.get("/auth/me/notifications").json()
    carol.api.put("/auth/me/notifications", {**notices, "thresholds": {"low_balance": {"USD": 2_000}}})
    carol.funded(4_000)
    every_sweep_runs()

    rule = {"enabled": True, "threshold": 3_000, "amount": 1_500}
    dave = Customer()
    dave.funded(4_000)
    dave_s_notices = dave.api.get("/auth/me/notifications").json()
    dave.api.put("/auth/me/notifications", {**dave_s_notices, "thresholds": {"low_balance": {"USD": 2_000}}})
    good, bad = dave.card(SUCCEEDS), dave.card(DECLINES_LATER)
    auto_top_up = f"/wallet/{dave.wallet}/auto-top-up"
    assert dave.api.put(auto_top_up, {**rule, "token_id": good}).status_code == 200
    dave.money(f"/wallet/{dave.wallet}/pay", 2_500)
    every_sweep_runs()
    assert dave.api.put(auto_top_up, {**rule, "token_id": bad}).status_code == 200
    dave.time_passes(DAY_S)
    dave.money(f"/wallet/{dave.wallet}/pay", 2_500)
    every_sweep_runs()
    assert dave.api.call("DELETE", f"/tokens/{bad}").status_code == 204
    every_sweep_runs()
    dave.time_passes(DAY_S)


def test_when_everything_happens_then_a_shop_hears_of_each_of_it_signed_and_in_its_wallet_s_order(shop):
    program = ApiClient(someone("service"))
    endpoint = program.post("/webhook-endpoints", {"url": shop.url}).json()

    live_through_everything()
    every_sweep_runs()

    messages = [hook.message for hook in shop.hooks]
    assert {message["type"] for message in messages} == set(EVENT_TYPES)
    verify = Webhook(endpoint["secret"]).verify
    assert all(verify(hook.body, hook.headers)["id"] == hook.headers["webhook-id"] for hook in shop.hooks)
    assert len({message["id"] for message in messages}) == len(messages)
    for positions in shop.positions_by_wallet().values():
        assert positions == sorted(positions)
    lines: dict[str, list[int]] = {}
    for message in messages:
        if message["type"] == "transaction.completed":
            lines.setdefault(message["wallet_id"], []).append(message["data"]["seq"])
    for seqs in lines.values():
        assert seqs == list(range(1, len(seqs) + 1))
    by_position = sorted(messages, key=lambda message: message["position"])
    assert all(later["position"] == former["position"] + 1 for former, later in pairwise(by_position))
