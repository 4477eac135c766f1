"""Webhooks to real receivers: signed, in each wallet's order, retried by the schedule, and never twice at once."""

import multiprocessing
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from events import deliveries, endpoints, hook_calls, relay, webhooks
from events.models import AuditEntry, Event, WebhookDelivery, WebhookEndpoint
from tests.events.receivers import endpoint_for, receiver, secret_of, slow
from tests.factories.calls import ACTOR, unkeyed
from tests.factories.money import fund, new_wallet
from tests.factories.people import CustomerFactory
from tests.factories.schema import executed
from transactions.money import Money
from users.refusals import NotFound
from wallets import transfers

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def no_endpoint_left(committed):
    """Endpoints are never really deleted: one that a test left would hear of the next one's events."""
    relay.publish_waiting()
    yield
    WebhookEndpoint.objects.update(status="deleted")


def delivered() -> int:
    relay.publish_waiting()
    return webhooks.send_due()


def deliveries_to(endpoint: WebhookEndpoint) -> list[WebhookDelivery]:
    return list(WebhookDelivery.objects.filter(endpoint_id=endpoint.id).order_by("event_position"))


def the_delivery_to(endpoint: WebhookEndpoint) -> WebhookDelivery:
    [delivery] = deliveries_to(endpoint)
    return delivery


def make_due(endpoint: WebhookEndpoint) -> None:
    """Let the time of the next attempts come."""
    WebhookDelivery.objects.filter(endpoint_id=endpoint.id, status="pending").update(
        due_at=datetime.now(UTC) - timedelta(seconds=1)
    )
    WebhookEndpoint.objects.filter(id=endpoint.id).update(resting_until=None)


def test_when_an_event_is_published_then_its_receiver_can_verify_it_with_the_specification_s_own_library():
    with receiver() as shop:
        endpoint = endpoint_for(shop.url)
        wallet_id = new_wallet(1_234)
        delivered()

    assert [hook.message["type"] for hook in shop.hooks] == [
        "wallet.created",
        "transaction.created",
        "transaction.completed",
        "wallet.balance_changed",
    ]
    for hook in shop.hooks:
        event = Event.objects.get(position=hook.message["position"])
        verified = Webhook(secret_of(endpoint)).verify(hook.body, hook.headers)
        assert verified["timestamp"] == event.created_at.isoformat().replace("+00:00", "Z")
        assert (verified["data"], verified["type"]) == (event.data, event.type)
        assert (verified["wallet_id"], verified["seq"]) == (str(wallet_id), event.wallet_seq)
        assert hook.headers["webhook-id"] == verified["id"] == str(event.id)
        assert hook.headers["content-type"] == "application/json"
        assert hook.path == "/hooks?from=wallet"


def test_when_a_message_is_altered_or_another_s_then_it_does_not_verify():
    with receiver() as shop, receiver() as other:
        endpoint, foreign = endpoint_for(shop.url), endpoint_for(other.url)
        new_wallet()
        delivered()

    [hook] = shop.hooks
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(endpoint)).verify(hook.body + b" ", hook.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(foreign)).verify(hook.body, hook.headers)


def test_when_a_secret_is_rotated_then_both_sign_until_the_overlap_is_over():
    with receiver() as shop:
        endpoint = endpoint_for(shop.url)
        former = secret_of(endpoint)
        endpoints.rotate_secret(endpoint_id=endpoint.id, owner=None, overlap_s=600, actor=ACTOR)
        new_wallet()
        delivered()
        WebhookEndpoint.objects.filter(id=endpoint.id).update(
            previous_secret_until=datetime.now(UTC) - timedelta(seconds=1)
        )
        new_wallet()
        delivered()

    during, after = shop.hooks
    assert secret_of(endpoint) != former
    for secret in (former, secret_of(endpoint)):
        Webhook(secret).verify(during.body, during.headers)
    Webhook(secret_of(endpoint)).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(former).verify(after.body, after.headers)


def test_when_an_endpoint_chooses_types_or_a_customer_then_it_hears_of_those_alone():
    customer = CustomerFactory.create()
    with receiver() as balances, receiver() as one_customer:
        endpoint_for(balances.url, event_types=["wallet.balance_changed", "token.created"])
        endpoint_for(one_customer.url, user_id=customer.id)
        fund(new_wallet(), 5)
        own = new_wallet(owner=customer)
        delivered()

    assert [hook.message["type"] for hook in balances.hooks] == ["wallet.balance_changed"]
    assert [hook.message["wallet_id"] for hook in one_customer.hooks] == [str(own)]


def test_when_wallets_move_at_once_and_some_attempts_fail_then_first_attempts_keep_each_wallet_s_order():
    failing = count()
    with receiver(lambda *_: (500, {}, b"") if next(failing) % 3 == 0 else (200, {}, b"")) as shop:
        endpoint = endpoint_for(shop.url)
        wallets = [new_wallet(1_000) for _ in range(4)]
        for source, target in zip(wallets * 5, (wallets[1:] + wallets[:1]) * 5, strict=True):
            transfers.transfer(
                source_id=source,
                target_id=target,
                amount=Money(1, "USD"),
                owner_id=None,
                actor=ACTOR,
                call=unkeyed(),
            )
        made = delivered()
        first_attempts = shop.positions_by_wallet()

    rows = deliveries_to(endpoint)
    assert made == len(rows) == len(shop.hooks)
    assert set(first_attempts) == {str(wallet) for wallet in wallets}
    for positions in first_attempts.values():
        assert positions == sorted(positions)
        assert len(positions) > 20
    assert {row.status for row in rows} == {"succeeded", "pending"}
    assert {row.attempts for row in rows} == {1}


def test_when_a_delivery_fails_then_it_is_tried_ten_times_by_the_schedule_and_has_failed_then():
    with receiver(lambda number, _: (500, {}, f"no {number}\0".encode())) as shop:
        endpoint = endpoint_for(shop.url)
        new_wallet()
        waits = []
        for _ in range(10):
            delivered()
            delivery = the_delivery_to(endpoint)
            if delivery.due_at is not None:
                made_at = datetime.fromisoformat(delivery.log[-1]["at"])
                waits.append((delivery.due_at - made_at).total_seconds())
            make_due(endpoint)
        delivered()

    assert len(shop.hooks) == delivery.attempts == 10
    assert (delivery.status, delivery.due_at) == ("failed", None)
    assert delivery.finished_at is not None
    expected = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert all(0.9 * wait <= found <= 1.1 * wait for found, wait in zip(waits, expected, strict=True))
    assert len({round(found / wait, 6) for found, wait in zip(waits, expected, strict=True)}) > 1
    assert len({hook.headers["webhook-id"] for hook in shop.hooks}) == 1
    assert [entry["response_body"] for entry in delivery.log] == [
        f"no {n}\N{REPLACEMENT CHARACTER}" for n in range(10)
    ]
    assert {entry["status"] for entry in delivery.log} == {500}
    assert {entry["request_body"].encode() for entry in delivery.log} == {shop.hooks[0].body}
    assert all(entry["duration_ms"] >= 0 for entry in delivery.log)


def test_when_nothing_is_due_yet_then_nothing_is_sent():
    with receiver(lambda *_: (500, {}, b"")) as shop:
        endpoint_for(shop.url)
        new_wallet()
        delivered()
        again = delivered()

    assert (again, len(shop.hooks)) == (0, 1)


def test_when_a_wallet_has_a_failed_attempt_then_its_next_events_do_not_wait_for_the_retry():
    with receiver(lambda number, _: (500 if number == 0 else 200, {}, b"")) as shop:
        endpoint = endpoint_for(shop.url)
        wallet_id = new_wallet()
        delivered()
        fund(wallet_id, 5)
        delivered()

    assert [hook.message["type"] for hook in shop.hooks][1:] == [
        "transaction.created",
        "transaction.completed",
        "wallet.balance_changed",
    ]
    assert [row.status for row in deliveries_to(endpoint)] == ["pending", *["succeeded"] * 3]


def test_when_an_endpoint_is_gone_then_it_is_disabled_with_an_audit_entry_and_sent_nothing_more():
    with receiver(lambda *_: (410, {}, b"")) as shop:
        endpoint = endpoint_for(shop.url)
        new_wallet(5)
        delivered()
        new_wallet(5)
        delivered()

    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.disabled_reason) == ("disabled", "410 Gone")
    assert len(shop.hooks) == 1
    assert [row.status for row in deliveries_to(endpoint)] == ["failed", *["pending"] * 3]
    entry = AuditEntry.objects.get(object_id=str(endpoint.id), action="webhook_endpoint.disabled")
    assert (entry.actor, entry.from_state, entry.to_state) == ("system", "enabled", "disabled")


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("120", 120),
        (lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True), 120),
        ("1000000", 86_400),
        ("soon", 5),
        ("-5", 5),
    ],
    ids=["seconds", "date", "too long", "no time", "negative"],
)
def test_when_an_endpoint_asks_to_retry_later_then_it_is_left_alone_until_then(header, wait_s):
    value = header if isinstance(header, str) else header()
    with receiver(lambda *_: (429, {"Retry-After": value}, b"")) as shop:
        endpoint = endpoint_for(shop.url)
        new_wallet()
        delivered()
        new_wallet()
        delivered()

    first, second = deliveries_to(endpoint)
    wait = (first.due_at - datetime.fromisoformat(first.log[0]["at"])).total_seconds()
    assert wait == pytest.approx(wait_s, abs=2 if wait_s > 5 else 0.6)
    assert (len(shop.hooks), second.attempts) == (1, 0)
    endpoint.refresh_from_db()
    rests_s = (endpoint.resting_until - datetime.now(UTC)).total_seconds()
    assert rests_s == pytest.approx(wait_s if wait_s > 5 else 1, abs=2)


def test_when_an_endpoint_is_well_again_then_its_troubles_are_forgotten():
    with receiver(lambda number, _: (503 if number == 0 else 200, {}, b"")) as shop:
        endpoint = endpoint_for(shop.url)
        new_wallet()
        delivered()
        endpoint.refresh_from_db()
        tired = (endpoint.failures_in_a_row, endpoint.resting_until is not None)
        make_due(endpoint)
        delivered()
        endpoint.refresh_from_db()

    assert tired == (1, True)
    assert (endpoint.failures_in_a_row, endpoint.resting_until) == (0, None)
    assert the_delivery_to(endpoint).status == "succeeded"


def test_when_an_endpoint_redirects_then_nobody_follows():
    with receiver() as elsewhere, receiver(lambda *_: (307, {"Location": elsewhere.url}, b"")) as shop:
        endpoint = endpoint_for(shop.url)
        new_wallet()
        delivered()

    assert (len(shop.hooks), elsewhere.connections) == (1, 0)
    [entry] = the_delivery_to(endpoint).log
    assert (entry["status"], entry["error"]) == (307, "redirect_not_followed")


def test_when_an_endpoint_never_answers_then_the_attempt_ends_in_time_and_says_so(monkeypatch):
    monkeypatch.setattr(hook_calls, "TIMEOUT_S", 0.3)
    with receiver(slow(2)) as shop:
        endpoint = endpoint_for(shop.url)
        new_wallet()
        started_s = time.monotonic()
        delivered()
        took_s = time.monotonic() - started_s

    [entry] = the_delivery_to(endpoint).log
    assert (entry["status"], entry["error"]) == (None, "timeout")
    assert 0.3 <= took_s < 1.5


def test_when_nobody_listens_then_the_attempt_has_failed_and_is_tried_again():
    with receiver() as shop:
        url = shop.url
    endpoint = endpoint_for(url)
    new_wallet()
    delivered()

    delivery = the_delivery_to(endpoint)
    assert (delivery.status, delivery.attempts, delivery.log[0]["error"]) == (
        "pending",
        1,
        "connection_failed",
    )


def test_when_one_endpoint_is_slow_then_the_others_do_not_wait_for_it():
    with receiver(slow(0.5)) as slow_shop, receiver() as quick_shop:
        endpoint_for(slow_shop.url)
        endpoint_for(quick_shop.url)
        wallet_id = new_wallet()
        for _ in range(2):
            fund(wallet_id, 1)
        started_s = time.monotonic()
        delivered()

    assert len(slow_shop.hooks) == len(quick_shop.hooks) == 7
    assert max(hook.at_s for hook in quick_shop.hooks) - started_s < 1.0
    assert max(hook.at_s for hook in slow_shop.hooks) - started_s > 2.5


def send_in_child() -> Any:
    for opened in connections.all(initialized_only=True):
        opened.close()
    process = FORK.Process(target=webhooks.send_due, daemon=True)
    process.start()
    return process


def test_when_several_workers_send_then_nothing_is_sent_twice():
    with receiver(slow(0.01)) as shop:
        endpoint_for(shop.url)
        for _ in range(8):
            new_wallet(5)
        relay.publish_waiting()
        workers = [send_in_child() for _ in range(4)]
        for worker in workers:
            worker.join(20)
            worker.close()

    sent = [hook.headers["webhook-id"] for hook in shop.hooks]
    assert len(sent) == len(set(sent)) == 32


def test_when_a_sender_is_killed_then_the_next_one_goes_on_once_its_lease_is_over():
    with receiver(slow(0.05)) as shop:
        endpoint = endpoint_for(shop.url)
        wallet_id = new_wallet()
        for _ in range(10):
            fund(wallet_id, 1)
        relay.publish_waiting()
        worker = send_in_child()
        while len(shop.hooks) < 5:
            time.sleep(0.01)
        worker.kill()
        worker.join()
        worker.close()
        held = delivered()
        executed("UPDATE events_webhookendpoint SET leased_until = now() WHERE id = %s", endpoint.id)
        delivered()

    assert held == 0
    assert {row.status for row in deliveries_to(endpoint)} == {"succeeded"}
    sent = [hook.message["position"] for hook in shop.hooks]
    assert len(set(sent)) == 31
    assert len(sent) - len(set(sent)) <= 5  # what was sent and not yet written down comes again


def test_when_somebody_asks_then_a_delivery_is_sent_again_with_its_schedule_from_the_beginning():
    with receiver(lambda number, _: (200 if number in (0, 2) else 500, {}, b"")) as shop:
        endpoint = endpoint_for(shop.url)
        new_wallet()
        delivered()
        delivery = the_delivery_to(endpoint)
        deliveries.redeliver(delivery_id=delivery.id, owner=None, actor="admin:me")
        delivered()
        failed = the_delivery_to(endpoint)
        make_due(endpoint)
        delivered()

    assert (delivery.status, failed.status, the_delivery_to(endpoint).status) == (
        "succeeded",
        "pending",
        "succeeded",
    )
    wait = (failed.due_at - datetime.fromisoformat(failed.log[-1]["at"])).total_seconds()
    assert wait == pytest.approx(5, abs=0.6)
    assert len({hook.headers["webhook-id"] for hook in shop.hooks}) == 1
    assert [entry["status"] for entry in the_delivery_to(endpoint).log] == [200, 500, 200]
    entry = AuditEntry.objects.get(object_id=str(delivery.id))
    assert (entry.action, entry.actor) == ("webhook_delivery.redelivered", "admin:me")


def test_when_an_endpoint_is_deleted_then_what_waited_has_failed_and_can_not_be_sent_again():
    with receiver() as shop:
        endpoint = endpoint_for(shop.url)
        new_wallet()
        relay.publish_waiting()
        endpoints.delete_endpoint(endpoint_id=endpoint.id, owner=None, actor=ACTOR)
        delivered()

    delivery = the_delivery_to(endpoint)
    assert (delivery.status, shop.hooks) == ("failed", [])
    with pytest.raises(NotFound):
        deliveries.redeliver(delivery_id=delivery.id, owner=None, actor=ACTOR)


def test_when_metadata_is_too_long_for_a_message_then_the_message_is_sent_without_it():
    event = Event(
        id=UUID(int=1),
        position=1,
        type="transaction.completed",
        data={"id": "x", "metadata": {f"key-{n}": "v" * 500 for n in range(50)}},
        request_id="",
        created_at=datetime.now(UTC),
    )

    body = deliveries.message_of(event)

    assert len(body) < deliveries.LONGEST_BODY_BYTES
    assert b'"data":{"id":"x"}' in body
