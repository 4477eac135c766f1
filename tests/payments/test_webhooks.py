"""Webhooks of providers: kept once, acknowledged, worked off in any order, and never believed."""

import json
import os
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from config.gateway.rate_limits import Rate
from config.schedule import BEAT
from events.clock import now
from payments.models import Payment, ProviderEvent
from payments.processors.contract import NotFound, Succeeded, Unknown
from payments.processors.sandbox import SandboxProcessor
from payments.tasks import handle_provider_event, sweep_provider_events
from payments.webhooks import LARGEST_BYTES, MOST_ATTEMPTS, sweep_due_events
from tests.payments.customers import REFUND_FAILS, TIMES_OUT, Customer
from tests.payments.killing import in_child
from tests.payments.refunding import deposit_of, money_of, now_of, refunded
from tests.payments.webhook_senders import STRIPE_SECRET, stripe_event, stripe_signed


@pytest.fixture(autouse=True)
def secrets(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = (STRIPE_SECRET,)
    settings.STRIPE_API_KEY = "sk_test_1"


@pytest.fixture
def stripes_payment(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> Payment:
    """A payment whose outcome isn't known, of a processor that Stripe's webhooks tell of."""
    monkeypatch.setattr(SandboxProcessor, "name", "stripe")
    monkeypatch.setattr("payments.processors.registry._load", lambda _name: SandboxProcessor())
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    return customer.payments[0]


def sent(raw: bytes, headers: dict[str, str], *, provider: str = "stripe") -> Any:
    return Client(enforce_csrf_checks=True).post(
        f"/api/v1/payment/webhooks/{provider}", data=raw, content_type="application/json", headers=headers
    )


def about(payment: Payment, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"pi_{payment.id}",
        "object": "payment_intent",
        "status": "succeeded",
        "client_secret": "pi_1_secret_2",
        "metadata": {"open_wallet_key": payment.processor_key},
        **changes,
    }


def kept(event: dict[str, Any]) -> ProviderEvent:
    return ProviderEvent.objects.get(provider="stripe", event_id=event["id"])


def work_off(event: dict[str, Any]) -> ProviderEvent:
    handle_provider_event(str(kept(event).id))
    return kept(event)


def test_when_a_signed_event_comes_then_it_is_kept_without_its_secrets_and_acknowledged(stripes_payment):
    event = stripe_event("payment_intent.succeeded", about(stripes_payment))

    answer = sent(*stripe_signed(event))

    assert (answer.status_code, answer.json()) == (200, {"received": True})
    row = kept(event)
    assert (row.type, row.status, row.attempts) == ("payment_intent.succeeded", "received", 0)
    assert "secret_2" not in json.dumps(row.body)


def test_when_it_tells_of_a_success_then_the_charge_is_read_and_the_wallet_credited(
    customer, stripes_payment
):
    event = stripe_event("payment_intent.succeeded", about(stripes_payment))
    sent(*stripe_signed(event))

    row = work_off(event)

    assert (row.status, row.due_at) == ("handled", None)
    assert (customer.balance, customer.payments[0].status) == (2500, "succeeded")


def test_when_a_sweep_ends_early_then_it_keeps_no_other_event_from_the_next_one(stripes_payment, monkeypatch):
    sweep_due_events(limit=10_000)  # what other tests have left behind
    events = [stripe_event("payment_intent.created", about(stripes_payment)) for _ in range(3)]
    for event in events:
        sent(*stripe_signed(event))
    at = now()

    with monkeypatch.context() as ended:
        ended.setattr("payments.webhooks.sender_of", lambda _provider: os._exit(9))
        code = in_child(lambda: sweep_due_events(at=at))

    assert code == 9
    assert sorted(kept(event).due_at <= at for event in events) == [False, True, True]
    assert sorted(kept(event).attempts for event in events) == [0, 0, 1]


def test_when_it_lies_then_the_provider_is_believed_instead(customer, stripes_payment, monkeypatch):
    monkeypatch.setattr(SandboxProcessor, "find_charge", lambda _self, key, reference: NotFound())
    event = stripe_event("payment_intent.succeeded", about(stripes_payment, amount_received=999_999))
    sent(*stripe_signed(event))

    row = work_off(event)

    assert row.status == "handled"
    assert (customer.balance, customer.payments[0].status) == (0, "pending")


def test_when_events_come_twice_and_in_any_order_then_the_wallet_is_credited_once(customer, stripes_payment):
    kinds = ("payment_intent.succeeded", "payment_intent.created", "payment_intent.processing")
    events = [stripe_event(kind, about(stripes_payment)) for kind in kinds]

    answers = [sent(*stripe_signed(event)) for event in (*events, *reversed(events))]
    sweep_due_events(limit=10_000)
    sweep_due_events(limit=10_000)

    assert {answer.status_code for answer in answers} == {200}
    assert [kept(event).status for event in events] == ["handled"] * 3
    assert (customer.balance, [payment.status for payment in customer.payments]) == (2500, ["succeeded"])


def test_when_the_payment_had_been_given_up_then_a_success_is_credited_all_the_same(
    customer, stripes_payment, monkeypatch
):
    with monkeypatch.context() as lost:
        lost.setattr(SandboxProcessor, "find_charge", lambda _self, key, reference: NotFound())
        from payments.reconciliation import reconcile_payment

        reconcile_payment(payment_id=stripes_payment.id, at=now() + timedelta(hours=1))
    given_up = customer.payments[0].status
    event = stripe_event("payment_intent.succeeded", about(stripes_payment))
    sent(*stripe_signed(event))

    work_off(event)

    assert given_up == "failed"
    assert (customer.balance, customer.payments[0].status) == (2500, "succeeded")


def test_when_the_processor_knows_it_by_another_reference_then_that_is_asked_for(
    customer, stripes_payment, monkeypatch
):
    asked = []

    def found(_self: Any, *, key: str, reference: str) -> Succeeded:
        asked.append((key, reference))
        from transactions.money import Money

        return Succeeded(reference=reference, amount=Money(2500, "USD"))

    monkeypatch.setattr(SandboxProcessor, "find_charge", found)
    event = stripe_event("payment_intent.succeeded", about(stripes_payment))
    sent(*stripe_signed(event))

    work_off(event)

    assert asked == [(stripes_payment.processor_key, f"pi_{stripes_payment.id}")]
    assert customer.payments[0].processor_reference == f"pi_{stripes_payment.id}"


def test_when_its_type_is_unknown_then_it_is_kept_and_acknowledged(committed):
    event = stripe_event("moon.phase.changed", {"id": "moon_1", "object": "moon"})

    answer = sent(*stripe_signed(event))
    row = work_off(event)

    assert answer.status_code == 200
    assert (row.status, row.type) == ("ignored", "moon.phase.changed")


def test_when_it_comes_before_our_own_commit_then_it_comes_back_until_the_payment_is_there(
    customer, stripes_payment
):
    event = stripe_event(
        "payment_intent.succeeded",
        about(stripes_payment, id="pi_1", metadata={"open_wallet_key": "payment-unknown"}),
    )
    sent(*stripe_signed(event))

    first = work_off(event)
    Payment.objects.filter(id=stripes_payment.id).update(processor_reference="pi_1")
    sweep_due_events(limit=10_000, at=now() + timedelta(minutes=1))

    assert (first.status, first.failure, first.attempts) == ("received", "no such payment", 1)
    assert first.due_at > now()
    assert (kept(event).status, customer.balance) == ("handled", 2500)


def test_when_nothing_of_ours_is_found_by_the_last_attempt_then_it_is_somebody_elses(committed):
    event = stripe_event("payment_intent.succeeded", {"id": "pi_theirs", "object": "payment_intent"})
    sent(*stripe_signed(event))
    for attempt in range(MOST_ATTEMPTS):
        assert kept(event).status == "received", attempt
        sweep_due_events(limit=10_000, at=now() + timedelta(hours=2))

    assert (kept(event).status, kept(event).attempts) == ("ignored", MOST_ATTEMPTS)


def test_when_the_provider_can_not_be_asked_then_it_comes_back_and_fails_in_the_end(
    customer, stripes_payment, monkeypatch
):
    monkeypatch.setattr(
        SandboxProcessor, "find_charge", lambda _self, key, reference: Unknown(reason="http_500")
    )
    event = stripe_event("payment_intent.succeeded", about(stripes_payment))
    sent(*stripe_signed(event))
    for _ in range(MOST_ATTEMPTS):
        sweep_due_events(limit=10_000, at=now() + timedelta(hours=2))

    assert (kept(event).status, kept(event).failure) == ("failed", "the provider can't be asked")
    assert (customer.balance, customer.payments[0].status) == (0, "pending")


def test_when_the_handler_breaks_then_the_event_comes_back(customer, stripes_payment, monkeypatch):
    event = stripe_event("payment_intent.succeeded", about(stripes_payment))
    sent(*stripe_signed(event))
    with monkeypatch.context() as broken:
        broken.setattr("payments.webhooks.refresh_payment", lambda **_: 1 / 0)
        first = work_off(event)
    sweep_due_events(limit=10_000, at=now() + timedelta(minutes=1))

    assert (first.status, first.failure) == ("received", "ZeroDivisionError")
    assert (kept(event).status, customer.balance) == ("handled", 2500)


def test_when_an_event_is_being_worked_off_then_nobody_else_takes_it(committed):
    event = stripe_event("moon.phase.changed", {"id": "moon_1"})
    sent(*stripe_signed(event))
    ProviderEvent.objects.filter(id=kept(event).id).update(due_at=now() + timedelta(seconds=30))

    row = work_off(event)

    assert (row.status, row.attempts) == ("received", 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"object": "v2.core.event"}, "validation_error"),
        ({"id": ""}, "validation_error"),
        ({"type": "x" * 101}, "validation_error"),
        ({"livemode": True}, "invalid_signature"),
    ],
    ids=["thin", "without id", "endless type", "other mode"],
)
def test_when_it_is_no_event_of_ours_then_it_is_refused_and_not_kept(committed, changes, code):
    event = stripe_event("payment_intent.succeeded", {"id": "pi_1"}, **changes)
    before = ProviderEvent.objects.count()

    answer = sent(*stripe_signed(event))

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert ProviderEvent.objects.count() == before


def test_when_the_signature_is_forged_then_it_is_refused_and_not_kept(committed):
    event = stripe_event("payment_intent.succeeded", {"id": "pi_1"})
    before = ProviderEvent.objects.count()

    answer = sent(*stripe_signed(event, secret="whsec_guessed"))

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_signature")
    assert ProviderEvent.objects.count() == before


def test_when_the_body_is_altered_by_a_blank_then_it_is_refused(committed):
    raw, headers = stripe_signed(stripe_event("payment_intent.succeeded", {"id": "pi_1"}))

    assert sent(raw + b" ", headers).status_code == 400


def test_when_the_signed_body_is_no_json_then_it_is_refused(committed):
    from payments.senders.timed_signatures import sign

    answer = sent(b"[1]", {"Stripe-Signature": sign(raw=b"[1]", secret=STRIPE_SECRET, at=now())})

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


def test_when_the_body_is_too_large_then_it_is_refused_before_it_is_read(committed):
    answer = sent(b"x" * (LARGEST_BYTES + 1), {"Stripe-Signature": "t=1,v1=0"})

    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("provider", ["nobody", "basis_theory", "contract"])
def test_when_no_such_provider_is_set_up_then_there_is_no_such_path(committed, provider):
    answer = sent(b"{}", {}, provider=provider)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_when_stripe_is_not_set_up_then_there_is_no_such_path(committed, settings):
    settings.STRIPE_WEBHOOK_SECRETS = ()

    assert sent(*stripe_signed(stripe_event("x.y", {}))).status_code == 404


def test_when_it_is_no_sandbox_then_its_provider_has_no_path(committed, settings):
    settings.SANDBOX = False

    assert sent(b"{}", {}, provider="sandbox").status_code == 404


def test_when_many_webhooks_come_then_no_quota_holds_them_back(committed, settings):
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, Rate(1, 900))

    answers = [sent(*stripe_signed(stripe_event("x.y", {}))) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 5


def test_when_the_body_claims_to_be_text_then_its_bytes_are_read_all_the_same(committed):
    raw, headers = stripe_signed(stripe_event("x.y", {}))

    answer = Client().post(
        "/api/v1/payment/webhooks/stripe", data=raw, content_type="text/plain", headers=headers
    )

    assert answer.status_code == 200


def test_when_the_beat_table_is_read_then_webhooks_are_swept_every_15_seconds():
    entries = [entry for entry in BEAT.values() if entry["task"] == sweep_provider_events.name]

    assert [entry["schedule"] for entry in entries] == [15.0]


def test_when_a_refund_is_told_to_have_come_back_then_it_is_read_and_reversed_in_the_books(
    customer, monkeypatch
):
    monkeypatch.setattr(SandboxProcessor, "name", "stripe")
    monkeypatch.setattr("payments.processors.registry._load", lambda _name: SandboxProcessor())
    payment = deposit_of(customer, 2500, REFUND_FAILS)
    refund = refunded(customer, payment.transaction_id, 1000)
    event = stripe_event(
        "refund.failed",
        {
            "id": refund.processor_reference,
            "object": "refund",
            "charge": "ch_1",
            "metadata": {"open_wallet_key": refund.processor_key},
        },
    )
    sent(*stripe_signed(event))

    row = work_off(event)

    assert (refund.status, row.status) == ("completed", "handled")
    assert (now_of(refund).status, money_of(customer)) == ("failed", (2500, 0))


def test_when_a_refund_of_nobody_s_is_told_then_it_is_left_alone(customer):
    event = stripe_event("refund.updated", {"id": "re_1", "object": "refund", "metadata": {}})
    sent(*stripe_signed(event))

    row = work_off(event)

    assert (row.status, row.failure) == ("received", "no such refund")
