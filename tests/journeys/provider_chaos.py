"""Top-ups in a storm: a Stripe on this machine that times out after charging, breaks, and tells of it in any order.

Many customers fund their wallets at once, as patient clients do: what was refused is tried again under the same key.
Meanwhile events come out of order, some of them twice. Then the storm is over, and one sweep has to do.
"""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from events.clock import now
from payments.models import UNDER_WAY, Payment, PaymentKind, ProviderEvent
from payments.processors import circuit_breaker, stripe
from payments.reconciliation import sweep_due_payments
from payments.refusals import ProcessorFailed
from payments.topups import top_up
from payments.webhooks import sweep_due_events
from tests.contracts import fake_stripe
from tests.contracts.fake_stripe_charges import FakeStripeCharges
from tests.contracts.provider_server import ProviderServer
from tests.payments.customers import SUCCEEDS, Customer
from tests.payments.webhook_senders import STRIPE_SECRET, stripe_event, stripe_signed
from tokens.models import PaymentToken
from tokens.providers.calls import Limits
from transactions.idempotency import Answer, KeyedCall
from transactions.models import LedgerAccount
from transactions.money import Money

CLIENTS = 8
CUSTOMERS = 20
MOST_SWEEPS = 200
MOST_TRIES = 20
TIMEOUTS, ERRORS, DUPLICATES = 0.20, 0.10, 0.30


class StormyStripe(FakeStripeCharges):
    """Fails by chance while the storm lasts: a fifth of all requests time out after their effect."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice
        self.is_stormy = True
        self.told = Counter[str]()

    def taken_failure(self) -> str:
        with self.lock:
            thrown = self.dice.random() if self.is_stormy else 1.0
            failure = ""
            if thrown < TIMEOUTS:
                failure = "timeout_after"
            elif thrown < TIMEOUTS + ERRORS:
                failure = self.dice.choice(["error_before", "error_after"])
            self.told[failure] += 1
        return failure

    def taken_events(self) -> list[tuple[str, dict[str, Any]]]:
        """Take what there is to tell, in any order."""
        with self.lock:
            events, self.events = self.events, []
            self.dice.shuffle(events)
        return events


@dataclass
class Outcome:
    """What all books say when the storm is over; amounts in minor units."""

    charged: Counter[str] = field(default_factory=Counter)
    credited: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    under_way: int = 0
    open_events: int = 0
    charges_of_a_key: int = 0
    duplicates: int = 0
    failures: Counter[str] = field(default_factory=Counter)


def survive(*, top_ups: int, seed: int, settings: Any, patch: pytest.MonkeyPatch) -> Outcome:
    """Make that many top-ups in the storm, sweep once after it, and tell what the books say."""
    dice = random.Random(seed)
    api = StormyStripe(random.Random(seed + 1))
    server = ProviderServer(api)
    settings.PAYMENT_PROCESSOR = "stripe"
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = fake_stripe.KEY, server.url
    settings.STRIPE_WEBHOOK_SECRETS = (STRIPE_SECRET,)
    quick = Limits(connect_s=1.0, read_s=0.5, total_s=5.0, attempts=2)
    patch.setattr(stripe, "SENDING", quick)
    patch.setattr(stripe, "READING", quick)
    patch.setattr(circuit_breaker, "OPEN_FOR_S", 0.2)
    patch.setattr("tokens.providers.calls._back_off_s", lambda _attempt: 0.01)
    customers = [Customer.with_wallet("USD") for _ in range(CUSTOMERS)]
    cards = {customer.wallet_id: customer.card(SUCCEEDS) for customer in customers}
    orders = [(dice.choice(customers), dice.randint(100, 99_999), f"order-{n}") for n in range(top_ups)]
    outcome, is_over = Outcome(), threading.Event()
    postman = threading.Thread(target=_deliver, args=(api, outcome, is_over))
    postman.start()
    try:
        with ThreadPoolExecutor(CLIENTS) as clients:
            answered = list(clients.map(lambda order: _funded(order, cards), orders))
    finally:
        is_over.set()
        postman.join()
    outcome.answers.update(answered)
    api.is_stormy = False
    _deliver_once(api, outcome)
    later = now() + timedelta(hours=1)
    for sweep in (sweep_due_payments, sweep_due_events):
        # A sweep ends when its time is up, whatever is left.
        for _ in range(MOST_SWEEPS):
            if not sweep(at=later):
                break
    server.stop()
    return _read(outcome, api, customers)


def _funded(order: tuple[Customer, int, str], cards: dict[Any, PaymentToken]) -> int:
    """Fund as a patient client does; gives the last status, 503 when the provider never could be reached."""
    customer, amount, key = order
    call = KeyedCall(
        principal=customer.actor, key=key, fingerprint=b"the same request", render=lambda _: Answer(201, b"")
    )
    try:
        for _ in range(MOST_TRIES):
            try:
                answer = top_up(
                    wallet_id=customer.wallet_id,
                    owner_id=customer.user.id,
                    amount=Money(amount, "USD"),
                    token_id=cards[customer.wallet_id].id,
                    kind=PaymentKind.FUNDING,
                    actor=customer.actor,
                    call=call,
                )
            except ProcessorFailed:
                time.sleep(0.1)
            else:
                return answer.status
        return 503
    finally:
        connections.close_all()


def _deliver(api: StormyStripe, outcome: Outcome, is_over: threading.Event) -> None:
    """Bring the events as they come, and work them off meanwhile."""
    try:
        while not is_over.wait(0.05):
            _deliver_once(api, outcome)
            sweep_due_events(limit=10)
    finally:
        connections.close_all()


def _deliver_once(api: StormyStripe, outcome: Outcome) -> None:
    sent = [stripe_event(kind, about) for kind, about in api.taken_events()]
    again = [event for event in sent if api.dice.random() < DUPLICATES]
    outcome.duplicates += len(again)
    post = Client().post
    for event in [*sent, *reversed(again)]:
        raw, headers = stripe_signed(event)
        answer = post(
            "/api/v1/payment/webhooks/stripe", data=raw, content_type="application/json", headers=headers
        )
        assert answer.status_code == 200


def _read(outcome: Outcome, api: StormyStripe, customers: list[Customer]) -> Outcome:
    ids = [customer.wallet_id for customer in customers]
    payments = list(Payment.objects.filter(wallet_id__in=ids))
    wallet_of = {payment.processor_key: str(payment.wallet_id) for payment in payments}
    by_key = Counter[str]()
    for known in api.objects.values():
        if known["object"] == "payment_intent" and known["status"] == "succeeded":
            key = known["metadata"]["open_wallet_key"]
            outcome.charged[wallet_of[key]] += known["amount_received"]
            by_key[key] += 1
    for account_id, balance in LedgerAccount.objects.filter(id__in=ids).values_list("id", "balance"):
        if balance:
            outcome.credited[str(account_id)] = balance
    outcome.charges_of_a_key = max(by_key.values())
    outcome.under_way = sum(1 for payment in payments if payment.status in UNDER_WAY)
    outcome.open_events = ProviderEvent.objects.filter(
        provider="stripe", status__in=["received", "failed"], body__object__key__in=list(wallet_of)
    ).count()
    outcome.failures = api.told
    return outcome


def require_to_the_cent(outcome: Outcome, *, top_ups: int) -> None:
    """Assert that what was charged is what was credited, wallet by wallet, and that nothing is unknown."""
    assert outcome.failures["timeout_after"] > top_ups * TIMEOUTS / 2, "there was no storm"
    assert outcome.duplicates > top_ups * DUPLICATES / 2, "nothing was told twice"
    assert outcome.charged == outcome.credited
    assert outcome.charges_of_a_key == 1
    assert (outcome.under_way, outcome.open_events) == (0, 0)
    assert sum(outcome.answers.values()) == top_ups
    assert set(outcome.answers) <= {201, 202}
