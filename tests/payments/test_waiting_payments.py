"""Charges that wait for their customer, through the books and a Stripe on this machine: resumed, given up, once."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest

from events.clock import now
from payments.models import Payment, ProviderEvent, Refund
from payments.processors import calls
from payments.processors.registry import processor_of
from payments.reconciliation import ACTION_LASTS_S
from payments.refund_execution import execute_due_refunds
from payments.steps import ACTION_STEPS, TOP_UP_STEPS
from payments.webhooks import receive, sweep_due_events
from tests.contracts.fake_stripe_charges import ALWAYS_AUTHENTICATES, IS_DISPUTED, REFUND_FAILS_LATER
from tests.contracts.processor_worlds import World, stripe_by_number
from tests.payments.customers import SUCCEEDS, Customer, sweep_later
from tests.payments.killing import killed_at
from tests.payments.refunding import deposit_of, now_of, refunded
from tests.payments.webhook_senders import STRIPE_SECRET, stripe_event, stripe_signed
from transactions.refusals import InvalidInput


@pytest.fixture
def world(committed, settings, monkeypatch) -> Iterator[World]:
    """Stripe takes the charges, the local vault has the cards."""
    settings.PAYMENT_PROCESSOR = "stripe"
    settings.STRIPE_WEBHOOK_SECRETS = (STRIPE_SECRET,)
    yield from stripe_by_number(settings, monkeypatch)


def body_of(answer: Any) -> dict[str, Any]:
    return orjson.loads(answer.body)


def deliver(world: World) -> None:
    """Send all that Stripe has to tell, newest first, each twice."""
    for kind, about in reversed(world.stripe.events):
        event = stripe_event(kind, about)
        for _ in range(2):
            raw, headers = stripe_signed(event)
            receive(provider="stripe", raw=raw, headers=headers)
    world.stripe.events.clear()
    sweep_due_events(limit=10_000)


def waiting(customer: Customer, key: str = "fund-1") -> Payment:
    customer.top_up(customer.card(ALWAYS_AUTHENTICATES).id, 2500, key=key)
    return customer.payments[0]


def paid(world: World) -> int:
    return sum(
        known["amount_received"]
        for known in world.stripe.objects.values()
        if known["object"] == "payment_intent"
    )


def test_when_the_bank_wants_the_customer_then_the_client_is_told_how_and_nothing_is_credited(
    customer, world
):
    answer = customer.top_up(customer.card(ALWAYS_AUTHENTICATES).id, 2500, key="fund-1")

    body = body_of(answer)
    assert (answer.status, body["status"], body["new_balance"]) == (201, "requires_action", 0)
    assert body["next_action"]["client_secret"].startswith("pi_")
    assert (customer.balance, customer.payments[0].status) == (0, "requires_action")


def test_when_the_customer_has_confirmed_then_the_webhook_credits_once(customer, world):
    payment = waiting(customer)
    world.stripe.customer_confirms(payment.processor_reference)

    deliver(world)
    deliver(world)

    assert (customer.balance, customer.payments[0].status) == (2500, "succeeded")
    assert customer.payments[0].next_action is None
    assert paid(world) == 2500


def test_when_the_webhook_is_lost_then_the_sweep_credits_once(customer, world):
    payment = waiting(customer)
    world.stripe.customer_confirms(payment.processor_reference)

    sweep_later(1000)
    sweep_later(2000)

    assert (customer.balance, customer.payments[0].status) == (2500, "succeeded")


def test_when_the_customer_fails_at_the_bank_then_the_payment_fails(customer, world):
    payment = waiting(customer)
    world.stripe.customer_confirms(payment.processor_reference, passes=False)

    deliver(world)

    assert (customer.balance, customer.payments[0].status) == (0, "failed")
    assert customer.payments[0].decline_code == "authentication_required"


def test_when_the_customer_takes_too_long_then_the_charge_is_cancelled_at_stripe_too(customer, world):
    payment = waiting(customer)

    sweep_later(1000)
    still = customer.payments[0].status
    sweep_later(ACTION_LASTS_S + 1000)

    assert still == "requires_action"
    assert (customer.balance, customer.payments[0].status) == (0, "failed")
    assert customer.payments[0].decline_code == "authentication_not_handled"
    assert world.stripe.objects[payment.processor_reference]["status"] == "canceled"


def test_when_the_customer_confirms_just_before_it_is_cancelled_then_it_is_credited(
    customer, world, monkeypatch
):
    payment = waiting(customer)
    cancel = world.stripe.cancel_intent

    def confirmed_first(params: Any, intent_id: str) -> Any:
        world.stripe.customer_confirms(intent_id)
        return cancel(params, intent_id)

    monkeypatch.setattr(world.stripe, "cancel_intent", confirmed_first)

    sweep_later(ACTION_LASTS_S + 1000)

    assert payment.status == "requires_action"
    assert (customer.balance, customer.payments[0].status, paid(world)) == (2500, "succeeded", 2500)


@pytest.mark.parametrize("step", TOP_UP_STEPS)
def test_when_killed_while_the_charge_comes_to_wait_then_it_is_resumed_once(customer, world, step):
    token = customer.card(ALWAYS_AUTHENTICATES)
    killed_at(step, lambda: customer.top_up(token.id, 2500, key="fund-1"))
    intents = [known for known in world.stripe.objects.values() if known["object"] == "payment_intent"]
    for intent in intents:
        world.stripe.customer_confirms(intent["id"])

    deliver(world)
    sweep_later(1000)
    customer.top_up(token.id, 2500, key="fund-1")

    assert customer.balance == paid(world) == (2500 if intents else 0)
    assert {payment.status for payment in customer.payments} <= {"succeeded", "failed", "requires_action"}


@pytest.mark.parametrize("step", ACTION_STEPS)
@pytest.mark.parametrize("confirmed", [False, True], ids=["forgotten", "confirmed"])
def test_when_killed_while_giving_it_up_then_the_next_sweep_ends_it_once(customer, world, step, confirmed):
    payment = waiting(customer)
    killed_at(step, lambda: sweep_later(ACTION_LASTS_S + 1000))
    if confirmed and world.stripe.objects[payment.processor_reference]["status"] == "requires_action":
        world.stripe.customer_confirms(payment.processor_reference)

    deliver(world)
    sweep_later(ACTION_LASTS_S + 2000)

    assert customer.payments[0].status in ("succeeded", "failed")
    assert customer.balance == paid(world)


def test_when_stripe_disputes_a_charge_then_the_wallet_follows_in_whatever_order_it_is_told(customer, world):
    customer.top_up(customer.card(IS_DISPUTED).id, 2500)
    deliver(world)
    taken = (customer.balance, customer.payments[0].status)
    dispute_id = next(k["id"] for k in world.stripe.objects.values() if k["object"] == "dispute")

    world.stripe.decide(dispute_id, "won")
    deliver(world)

    assert taken == (0, "disputed")
    assert (customer.balance, customer.payments[0].status) == (2500, "succeeded")


def test_when_the_webhook_comes_while_the_charge_is_still_being_answered_then_it_is_credited_once(
    customer, world, listeners
):
    def deliver_meanwhile(step: Any) -> None:
        if step == "charge_answered":
            listeners.clear()
            deliver(world)

    listeners.append(deliver_meanwhile)

    answer = customer.top_up(customer.card(SUCCEEDS).id, 2500, key="fund-1")

    assert (answer.status, body_of(answer)["new_balance"]) == (201, 2500)
    assert (customer.balance, paid(world)) == (2500, 2500)


def test_when_a_refund_through_stripe_comes_back_weeks_later_then_its_webhook_takes_it_back(customer, world):
    payment = deposit_of(customer, 2500, REFUND_FAILS_LATER)
    refund = refunded(customer, payment.transaction_id, 1000)
    after = customer.balance
    world.stripe.events.clear()
    calls.find_refund(
        processor_of("stripe"), key=refund.processor_key, charge_reference=payment.processor_reference
    )

    deliver(world)

    assert (now_of(refund).status, after) == ("failed", 1500)
    assert now_of(refund).failure_code == "expired_or_canceled_card"
    assert (customer.balance, customer.payments[0].refunded_amount) == (2500, 0)


def test_when_nobody_hears_of_a_refund_through_stripe_then_it_is_found_among_those_of_its_charge(
    customer, world
):
    payment = deposit_of(customer, 2500)
    world.stripe.fail_next("timeout_after")

    refund = refunded(customer, payment.transaction_id, 1000)
    Refund.objects.filter(id=refund.id).update(due_at=now())
    execute_due_refunds(refund_id=refund.id)

    assert (refund.status, now_of(refund).status) == ("processing", "completed")
    assert world.refunded(refund.processor_key) == 1000
    assert customer.balance == 1500


def test_when_an_amount_can_not_be_represented_then_it_is_refused_before_anything(committed, world):
    customer = Customer.with_wallet("KWD")
    token = customer.card(SUCCEEDS)
    before = customer.books()

    with pytest.raises(InvalidInput):
        customer.top_up(token.id, 1234)

    assert customer.books() == before
    assert world.stripe.asked("POST", "/v1/payment_intents") == []


def test_when_the_event_is_of_another_installation_then_it_comes_back_and_is_let_go(customer, world):
    stranger = {"id": "pi_1", "object": "payment_intent", "metadata": {"open_wallet_key": "payment-else"}}
    raw, headers = stripe_signed(stripe_event("payment_intent.succeeded", stranger))
    event_id = receive(provider="stripe", raw=raw, headers=headers)

    for hours in range(13):
        sweep_due_events(limit=10_000, at=now() + timedelta(hours=2 * hours))

    assert ProviderEvent.objects.get(id=event_id).status == "ignored"
