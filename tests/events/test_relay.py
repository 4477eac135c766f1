"""What the relay publishes: every type of the API with what the API shows, in gapless positions and wallet order."""

import multiprocessing
import time
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache
from django.db import connection, connections, transaction
from uuid_utils.compat import uuid7

from events import outbox, relay
from events.context import RequestContext, request_context
from events.event_types import EVENT_TYPES
from events.models import Event, EventPosition, OutboxEntry
from tests.factories import holds
from tests.factories.calls import ACTOR, ApiClient, unkeyed
from tests.factories.money import fund, funding_entries, locked, new_wallet
from tests.factories.people import CustomerFactory, someone
from tests.factories.schema import fetched
from tests.races.processes import race
from transactions import chart, ledger
from transactions.idempotency import Answer
from transactions.models import LineType, PostingStatus, TransferKind
from transactions.money import Money
from transactions.movements import Entry, Movement
from transactions.queries import load_movement
from wallets import transfers


def published() -> list[Event]:
    """Publish all that waits, and give it in its order."""
    before = EventPosition.objects.get().last
    relay.publish_waiting()
    return list(Event.objects.filter(position__gt=before).order_by("position"))


def types_and_seqs(events: list[Event], wallet_id: UUID) -> list[tuple[str, int | None]]:
    return [(event.type, event.wallet_seq) for event in events if event.wallet_id == wallet_id]


@pytest.fixture
def owner(db):
    return CustomerFactory.create()


@pytest.fixture
def client(owner):
    return ApiClient(owner)


@pytest.fixture
def wallet_id(owner):
    """A wallet with 10,000 minor units, whose past is published."""
    wallet_id = new_wallet(10_000, owner=owner)
    published()
    return wallet_id


def shown(client: ApiClient, path: str) -> Any:
    return client.get(path).json()


def test_when_a_wallet_pays_then_its_line_is_created_and_completed_and_its_balance_changes(
    client, owner, wallet_id
):
    with request_context(RequestContext("request-1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")):
        line = client.post(
            f"/wallet/{wallet_id}/pay",
            {
                "amount": 250,
                "currency": "USD",
                "description": 'Lunch\t"à la carte"\n\\',
                "metadata": {"order": "7"},
            },
        ).json()
    events = published()

    assert types_and_seqs(events, wallet_id) == [
        ("transaction.created", 2),
        ("transaction.completed", 2),
        ("wallet.balance_changed", 2),
    ]
    assert events[0].data == events[1].data == shown(client, f"/transactions/{line['id']}")
    assert events[2].data == {
        "wallet_id": str(wallet_id),
        "currency": "USD",
        "balance": 9_750,
        "held": 0,
        "available": 9_750,
    }
    assert {event.user_id for event in events} == {owner.id}
    assert len({event.request_id for event in events} - {""}) == 1
    assert len({event.traceparent for event in events} - {""}) == 1


@pytest.mark.parametrize("is_batch", [False, True], ids=["single", "batch"])
def test_when_money_is_transferred_then_both_wallets_and_the_sender_hear_of_it(
    client, owner, wallet_id, is_batch
):
    other = someone("user")
    target = new_wallet(owner=other)
    published()
    row = {
        "from_wallet_id": str(wallet_id),
        "to_wallet_id": str(target),
        "amount": 300,
        "currency": "USD",
        "description": "Rent\\",
        "metadata": {"month": "May"},
    }

    if is_batch:
        client.post("/wallet/transfer/batch", {"transfers": [row], "atomic": True})
    else:
        made = client.post("/wallet/transfer", row).json()
    events = published()

    assert types_and_seqs(events, wallet_id) == [
        ("transaction.created", 2),
        ("transaction.completed", 2),
        ("transfer.completed", 2),
        ("wallet.balance_changed", 2),
    ]
    assert types_and_seqs(events, target) == [
        ("transaction.created", 1),
        ("transaction.completed", 1),
        ("wallet.balance_changed", 1),
    ]
    of_transfer = next(event for event in events if event.type == "transfer.completed")
    assert of_transfer.user_id == owner.id
    if not is_batch:
        assert of_transfer.data == made
    for reader, side in ((client, "debit"), (ApiClient(other), "credit")):
        line_id = of_transfer.data[f"{side}_transaction_id"]
        [completed] = [
            event for event in events if event.type == "transaction.completed" and event.data["id"] == line_id
        ]
        assert completed.data == shown(reader, f"/transactions/{line_id}")
    balances = {str(e.wallet_id): e.data["balance"] for e in events if e.type == "wallet.balance_changed"}
    assert balances == {str(wallet_id): 9_700, str(target): 300}


def pending(wallet_id: UUID, amount: int) -> Movement:
    """Reserve money that comes in, or a refund that goes out."""
    with transaction.atomic():
        wallet = locked(wallet_id)
        if amount > 0:
            return ledger.reserve(
                Movement(kind=TransferKind.FUNDING, actor=ACTOR), funding_entries(wallet, amount)
            )
        outside = chart.settlement(processor="sandbox", currency="USD")
        entries = [Entry(wallet, amount, LineType.REFUND), Entry(outside, -amount, LineType.REFUND)]
        return ledger.reserve(Movement(kind=TransferKind.REFUND, actor=ACTOR), entries)


def reloaded(movement: Movement) -> Movement:
    found = load_movement(movement.id)
    assert found is not None
    return found


def test_when_a_charge_waits_and_succeeds_then_it_is_created_and_later_completed(client, wallet_id):
    movement = pending(wallet_id, 700)
    created = published()
    with transaction.atomic():
        ledger.settle(reloaded(movement), {wallet_id: locked(wallet_id)})
    settled = published()

    assert types_and_seqs(created, wallet_id) == [("transaction.created", 1)]
    assert (created[0].data["status"], created[0].data["seq"]) == ("pending", None)
    assert types_and_seqs(settled, wallet_id) == [("transaction.completed", 2), ("wallet.balance_changed", 2)]
    assert settled[0].data == shown(client, f"/transactions/{movement.line_of(wallet_id).id}")
    assert settled[1].data["balance"] == 10_700


@pytest.mark.parametrize("status", [PostingStatus.FAILED, PostingStatus.CANCELLED])
def test_when_a_pending_debit_ends_without_moving_then_it_fails_and_what_it_held_is_free(
    client, wallet_id, status
):
    movement = pending(wallet_id, -400)
    created = published()
    with transaction.atomic():
        accounts = {wallet_id: locked(wallet_id)}
        ledger.release(reloaded(movement), accounts, status=status, failure_code="expired_card")
    ended = published()

    assert types_and_seqs(created, wallet_id) == [("transaction.created", 1), ("wallet.balance_changed", 1)]
    assert (created[1].data["held"], created[1].data["available"]) == (400, 9_600)
    assert types_and_seqs(ended, wallet_id) == [("transaction.failed", 1), ("wallet.balance_changed", 1)]
    assert ended[0].data == shown(client, f"/transactions/{movement.line_of(wallet_id).id}")
    assert (ended[0].data["status"], ended[0].data["failure_code"]) == (status.value, "expired_card")
    assert (ended[1].data["held"], ended[1].data["available"]) == (0, 10_000)


def test_when_a_hold_is_made_captured_and_voided_then_each_step_is_told(client, wallet_id):
    hold_id = holds.new_hold(wallet_id, 500)
    made = published()
    holds.capture(wallet_id, hold_id, 200)
    captured = published()
    holds.void(wallet_id, hold_id)
    voided = published()

    assert types_and_seqs(made, wallet_id) == [("hold.created", 1), ("wallet.balance_changed", 1)]
    assert sorted(types_and_seqs(captured, wallet_id)) == [
        ("hold.captured", 2),
        ("transaction.completed", 2),
        ("transaction.created", 2),
        ("wallet.balance_changed", 2),
    ]
    assert types_and_seqs(voided, wallet_id) == [("hold.voided", 2), ("wallet.balance_changed", 2)]
    assert voided[0].data == shown(client, f"/wallet/{wallet_id}/holds/{hold_id}")
    assert [event.data["available"] for event in (made[1], voided[1])] == [9_500, 9_800]


def test_when_a_wallet_s_state_changes_then_the_wallet_is_told_as_it_is_shown(client, owner):
    staff = ApiClient(someone("support"))
    wallet_id = client.post("/wallet", {"currency": "JPY"}).json()["id"]
    opened = shown(client, f"/wallet/{wallet_id}")
    client.patch(f"/wallet/{wallet_id}", {"label": "Trips"})
    staff.put(f"/wallet/{wallet_id}/limits", {"per_transaction": 5_000})
    staff.post(f"/wallet/{wallet_id}/suspend", {"reason": "lost phone"})
    staff.post(f"/wallet/{wallet_id}/reactivate", {"reason": "found"})
    client.post(f"/wallet/{wallet_id}/close", {"reason": "moving"})
    events = published()

    assert [(event.type, event.wallet_seq, event.user_id) for event in events] == [
        (f"wallet.{name}", 0, owner.id)
        for name in ("created", "updated", "updated", "suspended", "reactivated", "closed")
    ]
    assert {name: events[0].data[name] for name in opened} == opened
    assert (events[1].data["label"], events[2].data["limits"]["per_transaction"]) == ("Trips", 5_000)
    cache.clear()  # the test's transaction is never committed, so that nobody has told the cache
    closed = shown(client, f"/wallet/{wallet_id}")
    assert {name: events[5].data[name] for name in closed} == closed


def test_when_an_entry_is_no_wallet_s_then_its_event_is_the_customer_s(client, owner):
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
    token = client.post("/tokens/card", card).json()
    client.call("DELETE", f"/tokens/{token['id']}")

    events = published()

    assert [(event.type, event.wallet_id, event.wallet_seq, event.user_id) for event in events] == [
        ("token.created", None, None, owner.id),
        ("token.deleted", None, None, owner.id),
    ]
    assert events[0].data == token


def test_when_a_charge_is_decided_then_the_payment_is_told_as_it_is_shown(committed):
    customer = CustomerFactory.create()
    client, wallet_id = ApiClient(customer), new_wallet(owner=customer)
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
    good = client.post("/tokens/card", card).json()["id"]
    bad = client.post("/tokens/card", {**card, "number": "4000000000000341"}).json()["id"]
    for token_id in (good, bad):
        client.post(f"/wallet/{wallet_id}/fund", {"amount": 900, "currency": "USD", "token_id": token_id})

    events = [
        event for event in published() if event.type.startswith("payment.") and event.wallet_id == wallet_id
    ]

    assert [event.type for event in events] == ["payment.succeeded", "payment.failed"]
    for event in events:
        assert event.data == shown(client, f"/payment/{event.data['id']}")
        assert event.wallet_id == wallet_id


def test_when_a_type_is_not_the_api_s_then_recording_it_is_a_bug():
    with pytest.raises(ValueError, match=r"wallet\.ceated"):
        outbox.record("wallet.ceated", {"id": str(uuid7())})


def test_the_types_are_those_of_the_contract():
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES) == 28


def test_when_positions_are_given_then_they_have_no_gap_however_small_the_batches(client, wallet_id):
    for amount in (1, 2, 3):
        fund(wallet_id, amount)
    before = EventPosition.objects.get().last

    done = relay.publish_waiting(entries_in_batch=2)

    positions = [
        p for (p,) in fetched("SELECT position FROM events_event WHERE position > %s ORDER BY 1", before)
    ]
    assert positions == list(range(before + 1, before + 10))
    assert done == relay.Published(entries=3, events=9, deliveries=0)
    assert EventPosition.objects.get().last == before + 9
    assert not OutboxEntry.objects.exists()
    assert relay.publish_waiting() == relay.Published()


def test_when_an_entry_can_not_be_read_then_it_is_set_aside_and_the_others_are_published(client, wallet_id):
    OutboxEntry.objects.create(
        kind="transfer.completed", payload={"what": "is this"}, number=0, created_at=uuid_time()
    )
    fund(wallet_id, 5)

    events = published()

    assert len(events) == 3
    [left] = OutboxEntry.objects.all()
    assert left.payload == {"what": "is this"}
    assert relay.publish_waiting() == relay.Published()


def uuid_time() -> Any:
    return fetched("SELECT now()")[0][0]


def test_when_a_batch_is_published_then_those_who_listen_hear_the_last_position(committed):
    import psycopg

    parameters = connection.get_connection_params()
    listener = psycopg.connect(**{k: parameters[k] for k in ("host", "port", "user", "password", "dbname")})
    with listener:
        listener.autocommit = True
        listener.execute(f"LISTEN {relay.CHANNEL}")
        new_wallet()
        relay.publish_waiting()
        heard = [int(notify.payload) for notify in listener.notifies(timeout=5, stop_after=1)]

    assert heard
    assert heard[-1] <= EventPosition.objects.get().last


def gaps() -> list[tuple[int, int]]:
    """Find where positions leave something out or stand twice, over all that was ever published."""
    positions = [position for (position,) in fetched("SELECT position FROM events_event ORDER BY position")]
    return [pair for pair in pairwise([0, *positions]) if pair[1] != pair[0] + 1]


def test_when_many_move_the_same_wallets_then_each_wallet_s_events_follow_its_lines(committed):
    wallets = [new_wallet(100_000) for _ in range(3)]

    def move(source: UUID, target: UUID) -> Answer:
        return transfers.transfer(
            source_id=source,
            target_id=target,
            amount=Money(1, "USD"),
            owner_id=None,
            actor=ACTOR,
            call=unkeyed(),
        )

    def publish() -> Answer:
        relay.publish_waiting(entries_in_batch=7)
        return Answer(200, b"")

    first, second, third = wallets
    routes = [(first, second), (second, first), (second, third), (third, first)]
    race([[lambda route=route: move(*route)] * 40 for route in routes] + [[publish] * 40] * 2)
    relay.publish_waiting()

    assert gaps() == []
    for wallet_id in wallets:
        seqs = list(
            Event.objects.filter(wallet_id=wallet_id)
            .order_by("position")
            .values_list("wallet_seq", flat=True)
        )
        lines = list(
            Event.objects.filter(wallet_id=wallet_id, type="transaction.completed")
            .order_by("position")
            .values_list("wallet_seq", flat=True)
        )
        assert seqs == sorted(seqs)
        assert lines == list(range(1, len(lines) + 1))
    assert len(lines) == 1 + 40 * 2


FORK = multiprocessing.get_context("fork")


def relay_for_ever() -> None:
    while True:
        relay.publish_waiting(entries_in_batch=3)


def started_relay() -> Any:
    """Start a relay in a process of its own."""
    for opened in connections.all(initialized_only=True):
        opened.close()
    process = FORK.Process(target=relay_for_ever, daemon=True)
    process.start()
    return process


def kill(process: Any) -> None:
    """Kill a relay wherever it stands."""
    process.kill()
    process.join()
    process.close()


def test_when_relays_are_killed_in_the_middle_then_nothing_is_lost_doubled_or_left_out(committed):
    wallet_id = new_wallet()
    relays = [started_relay(), started_relay()]

    try:
        for round_number in range(12):
            for _ in range(10):
                fund(wallet_id, 1)
            time.sleep(0.004 * round_number)
            kill(relays.pop(0))
            relays.append(started_relay())
        deadline_s = time.monotonic() + 20
        while OutboxEntry.objects.exists() and time.monotonic() < deadline_s:
            time.sleep(0.01)
    finally:
        for process in relays:
            kill(process)

    assert gaps() == []
    counts = dict(
        fetched("SELECT type::text, count(*) FROM events_event WHERE wallet_id = %s GROUP BY 1", wallet_id)
    )
    assert counts == {
        "wallet.created": 1,
        "transaction.created": 120,
        "transaction.completed": 120,
        "wallet.balance_changed": 120,
    }
