"""Charges and providers' events in the back office: found, told step by step, and looked at again."""

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from uuid_utils.compat import uuid7

from backoffice.timelines import Subject, timeline
from events import relay
from events.clock import now
from events.models import AuditEntry, Event, WebhookDelivery
from payments.models import Payment, PaymentSession, ProviderEvent
from payments.sandbox_provider import deliver_sandbox_webhooks
from payments.webhooks import sweep_due_events
from tests.factories.people import someone
from tests.payments.customers import DECLINED, IS_DISPUTED, SUCCEEDS, TIMES_OUT, Customer, sweep_later


@pytest.fixture
def customer(committed: None) -> Customer:
    return Customer.with_wallet("USD")


def browser_of(role: str) -> Client:
    client = Client()
    client.force_login(someone(role))
    return client


def page_of(client: Client, payment: Payment) -> Any:
    return client.get(f"/admin/payments/{payment.id}/")


def charged(customer: Customer, number: str, amount: int = 2_500) -> Payment:
    customer.top_up(customer.card(number).id, amount)
    return customer.payments[-1]


def disputed(customer: Customer) -> tuple[Payment, ProviderEvent]:
    payment = charged(customer, IS_DISPUTED)
    deliver_sandbox_webhooks()
    return payment, ProviderEvent.objects.latest("id")


def listed(client: Client, path: str, **query: object) -> list[object]:
    return [row.pk for row in client.get(path, query).context["page"].rows]


def filed(client: Client, path: str, **query: object) -> list[dict[str, str]]:
    answer = client.get(path, query)
    return list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))


def trail_of(object_id: object) -> list[tuple[str, str, str]]:
    """List what was decided about an object: by whom, what, and the state that it led to."""
    entries = AuditEntry.objects.filter(object_id=str(object_id)).exclude(action__endswith=".viewed")
    return list(entries.order_by("id").values_list("actor", "action", "to_state"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "failed"}, ["declined"]),
        ({"status": "pending"}, ["unknown"]),
        ({"decline_code": "generic_decline"}, ["declined"]),
        ({"currency": "usd", "amount_from": "30"}, ["declined"]),
        ({"kind": "top_up"}, []),
        ({"method": "card"}, ["declined", "unknown"]),
        ({"processor": "stripe"}, []),
    ],
)
def test_when_payments_are_narrowed_then_the_list_and_the_file_hold_the_same_rows(customer, query, found):
    made = {
        "unknown": charged(customer, TIMES_OUT).id,
        "declined": charged(customer, DECLINED, 3_000).id,
    }
    client, asked = browser_of("finance"), {"wallet_id": customer.wallet_id, **query}

    rows = listed(client, "/admin/payments/", **asked)
    in_file = filed(client, "/admin/payments/file/", **asked)

    assert rows == [made[name] for name in found]
    assert [row["id"] for row in in_file] == [str(made[name]) for name in found]


def test_when_a_charge_is_exported_then_its_row_says_all_of_it(customer):
    payment = charged(customer, DECLINED, 123_456)

    (row,) = filed(browser_of("auditor"), "/admin/payments/file/", user_id=customer.user.id)

    assert (row["id"], row["status"], row["decline_code"]) == (str(payment.id), "failed", "generic_decline")
    assert (row["amount"], row["refunded_amount"], row["currency"]) == ("1234.56", "0.00", "USD")
    assert (row["processor"], row["method"], row["kind"]) == ("sandbox", "card", "funding")


def test_when_a_charge_has_succeeded_then_its_page_tells_each_step_and_both_lines(customer):
    payment = charged(customer, SUCCEEDS)

    page = page_of(browser_of("support"), payment)

    story = page.context["story"]
    assert [(step.title, step.amount) for step in story.steps] == [
        ("Charge begun, its key kept", None),
        ("Posted to the wallet: Funding", 2_500),
        ("Payment status changed", None),
    ]
    assert sorted(line.amount for line in story.lines) == [-2_500, 2_500]
    html = page.content.decode()
    assert payment.processor_reference in html
    assert f"/admin/wallets/{customer.wallet_id}/" in html
    assert customer.user.email not in html
    assert "known since" not in html
    assert "Ask the provider now" not in html


def test_when_nobody_knows_what_became_of_a_charge_then_its_page_says_since_when(customer):
    payment = charged(customer, TIMES_OUT)

    page = page_of(browser_of("support"), payment)

    html = page.content.decode()
    assert page.context["unknown_since"] == payment.created_at
    assert "What became of this charge isn’t known since" in html
    assert "Nothing is credited and nothing is charged anew meanwhile." in html
    assert "Ask the provider now" in html


def test_when_a_charge_waits_for_its_customer_then_staff_see_for_what_and_not_the_secret(customer):
    payment = charged(customer, TIMES_OUT)
    waits = {"type": "use_stripe_sdk", "client_secret": "pi_1_secret_2"}
    Payment.objects.filter(id=payment.id).update(status="requires_action", next_action=waits)

    page = page_of(browser_of("support"), payment)

    html = page.content.decode()
    assert (page.context["awaited"], page.context["unknown_since"]) == ("use_stripe_sdk", None)
    assert "use_stripe_sdk" in html
    assert "secret_2" not in html


def test_when_a_charge_is_disputed_then_its_page_tells_how_the_dispute_stands(customer):
    payment, _event = disputed(customer)
    sweep_due_events(limit=10_000)

    page = page_of(browser_of("auditor"), payment)

    (dispute,) = page.context["story"].disputes
    assert (dispute.status, dispute.amount, dispute.withdrawn) == ("open", 2_500, 2_500)
    assert dispute.processor_reference in page.content.decode()


def test_when_support_asks_the_provider_then_the_charge_is_due_and_the_next_look_settles_it(customer):
    payment = charged(customer, TIMES_OUT)
    Payment.objects.filter(id=payment.id).update(due_at=now() + timedelta(hours=1))
    client = browser_of("support")
    form = {"key": page_of(client, payment).context["key"]}

    answers = [client.post(f"/admin/payments/{payment.id}/ask/", form) for _ in range(2)]
    asked_now, balance = Payment.objects.get(id=payment.id), customer.balance
    sweep_later()

    assert [(answer.status_code, answer["Location"]) for answer in answers] == [
        (302, f"/admin/payments/{payment.id}/")
    ] * 2
    assert asked_now.due_at <= now()
    assert (asked_now.status, balance) == ("pending", 0)
    assert (customer.balance, customer.payments[0].status) == (2_500, "succeeded")
    asked = [action for _actor, action, _state in trail_of(payment.id) if action == "payment.asked_about"]
    assert asked == ["payment.asked_about"]


def test_when_the_end_of_a_charge_is_known_then_asking_is_refused(customer):
    payment = charged(customer, SUCCEEDS)

    answer = browser_of("admin").post(f"/admin/payments/{payment.id}/ask/", follow=True)

    assert "What became of this charge is known." in answer.content.decode()
    assert "payment.asked_about" not in [action for _actor, action, _state in trail_of(payment.id)]


def test_when_an_auditor_looks_then_there_is_nothing_to_press(customer):
    payment = charged(customer, TIMES_OUT)
    client = browser_of("auditor")

    html = page_of(client, payment).content.decode()
    answer = client.post(f"/admin/payments/{payment.id}/ask/")

    assert "Ask the provider now" not in html
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["payments", "provider-events"])
def test_when_there_is_no_such_thing_then_its_page_is_missing(customer, path):
    client = browser_of("admin")

    assert client.get(f"/admin/{path}/{uuid7()}/").status_code == 404


def test_when_an_event_is_matched_then_it_knows_its_payment_and_wallet_and_its_page_links_them(customer):
    payment, event = disputed(customer)
    before = (event.wallet_id, event.payment_id)

    sweep_due_events(limit=10_000)

    event.refresh_from_db()
    assert before == (None, None)
    assert (event.wallet_id, event.payment_id, event.refund_id) == (customer.wallet_id, payment.id, None)
    html = browser_of("support").get(f"/admin/provider-events/{event.id}/").content.decode()
    assert f"/admin/payments/{payment.id}/" in html
    assert f"/admin/wallets/{customer.wallet_id}/" in html
    assert "dispute.open" in html
    assert '<span class="state state-verified">verified</span>' in html


def test_when_an_event_is_matched_then_it_stands_in_the_story_and_on_the_timeline(customer):
    payment, event = disputed(customer)
    ProviderEvent.objects.filter(id=event.id).update(request_id="request-of-the-provider")

    sweep_due_events(limit=10_000)

    story = page_of(browser_of("finance"), payment).context["story"]
    assert [one.id for one in story.provider_events] == [event.id]
    assert "The provider tells of it: dispute.open" in [step.title for step in story.steps]
    subject = {"user_id": customer.user.id, "wallet_ids": [customer.wallet_id], "is_one_wallet": True}
    (shown,) = timeline(Subject(**subject), kind="provider").happenings
    assert (shown.id, shown.title, shown.status) == (event.id, "dispute.open", "handled")
    caused = timeline(Subject(**subject, request_id="request-of-the-provider")).happenings
    assert {one.kind for one in caused} >= {"provider", "money"}


def test_when_clients_were_told_then_the_charges_page_leads_to_the_events_and_their_deliveries(customer):
    payment, event = disputed(customer)
    ProviderEvent.objects.filter(id=event.id).update(request_id=f"dispute-of-{payment.id}")
    sweep_due_events(limit=10_000)
    relay.publish_waiting()
    told = Event.objects.get(request_id=f"dispute-of-{payment.id}", type="payment.disputed")
    delivery = WebhookDelivery.objects.create(
        endpoint_id=uuid7(),
        event_id=told.id,
        event_position=told.position,
        wallet_id=customer.wallet_id,
        status="failed",
        attempts=10,
        attempts_before=0,
        log=[],
        created_at=now(),
        finished_at=now(),
    )

    html = page_of(browser_of("support"), payment).content.decode()

    assert f"/admin/events/event/{told.id}/change/" in html
    assert f"/admin/events/webhookdelivery/{delivery.id}/change/" in html


def test_when_events_are_narrowed_then_the_list_and_the_file_hold_the_same_rows(customer):
    payment, event = disputed(customer)
    sweep_due_events(limit=10_000)
    client = browser_of("finance")

    for query in (
        {"payment_id": payment.id},
        {"wallet_id": customer.wallet_id, "status": "handled"},
        {"provider": "sandbox", "type": "dispute.open", "payment_id": payment.id},
    ):
        assert listed(client, "/admin/provider-events/", **query) == [event.id]
        (row,) = filed(client, "/admin/provider-events/file/", **query)
        assert (row["id"], row["status"], row["payment_id"]) == (str(event.id), "handled", str(payment.id))
    assert listed(client, "/admin/provider-events/", wallet_id=customer.wallet_id, status="failed") == []


def test_when_a_failed_event_is_retried_then_it_is_worked_off_once_more(customer):
    _payment, event = disputed(customer)
    failed = {"status": "failed", "due_at": None, "attempts": 12, "failure": "no such dispute"}
    ProviderEvent.objects.filter(id=event.id).update(**failed)
    client = browser_of("finance")
    page = client.get(f"/admin/provider-events/{event.id}/")

    answer = client.post(f"/admin/provider-events/{event.id}/retry/", {"key": page.context["key"]})
    sweep_due_events(limit=10_000)

    assert "Given up after 12 tries: no such dispute." in page.content.decode()
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/provider-events/{event.id}/")
    event.refresh_from_db()
    assert (event.status, event.attempts, event.failure) == ("handled", 1, "")
    ((actor, action, state),) = trail_of(event.id)
    assert (actor.partition(":")[0], action, state) == ("finance", "provider_event.retried", "received")


def test_when_a_command_names_a_failed_event_then_it_is_worked_off_once_more(customer, capsys):
    _payment, event = disputed(customer)
    ProviderEvent.objects.filter(id=event.id).update(status="failed", due_at=None, attempts=12)

    call_command("retry_provider_event", str(event.id))
    sweep_due_events(limit=10_000)

    event.refresh_from_db()
    assert (event.status, capsys.readouterr().out) == ("handled", f"{event.id} is due now.\n")
    assert trail_of(event.id) == [("command", "provider_event.retried", "received")]
    with pytest.raises(CommandError, match="has been worked off"):
        call_command("retry_provider_event", str(event.id))


def test_when_an_event_has_been_worked_off_then_retrying_is_refused(customer):
    _payment, event = disputed(customer)
    sweep_due_events(limit=10_000)
    client = browser_of("admin")

    answer = client.post(f"/admin/provider-events/{event.id}/retry/", follow=True)

    assert "This event has been worked off." in answer.content.decode()
    assert trail_of(event.id) == []
    assert "Work it off again now" not in answer.content.decode()


def test_when_a_sessions_time_is_over_then_the_list_calls_it_expired_swept_or_not(customer):
    session = PaymentSession.objects.create(
        wallet_id=customer.wallet_id,
        user=customer.user,
        scheme="apple_pay",
        amount=1_990,
        currency="USD",
        nonce=str(uuid7()),
        actor=customer.actor,
        created_at=now() - timedelta(minutes=20),
        expires_at=now() - timedelta(minutes=5),
    )
    client, asked = browser_of("finance"), {"user_id": customer.user.id}

    (row,) = filed(client, "/admin/payment-sessions/file/", **asked)

    assert listed(client, "/admin/payment-sessions/", status="expired", **asked) == [session.id]
    assert listed(client, "/admin/payment-sessions/", status="open", **asked) == []
    assert (row["status"], row["amount"], row["scheme"]) == ("expired", "19.90", "apple_pay")
