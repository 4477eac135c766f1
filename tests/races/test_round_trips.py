"""How often a movement of money goes to the database and back: counted on the wire."""

from functools import partial

import pytest

from tests.factories.calls import ACTOR, ApiClient, keyed
from tests.factories.money import balance_of, new_wallet
from tests.factories.people import CustomerFactory
from tests.races.wire import wire_to_database
from transactions.money import Money
from transactions.refusals import InsufficientFunds
from wallets.transfers import pay, transfer


@pytest.fixture
def wallets(committed):
    return [new_wallet(10_000), new_wallet(10_000)]


@pytest.fixture(params=["pay", "transfer"])
def move(request, wallets):
    """One movement of 100 minor units under a key."""

    def call(key: str):
        facts = {"amount": Money(100, "USD"), "owner_id": None, "actor": ACTOR, "call": keyed(key)}
        if request.param == "pay":
            return pay(wallet_id=wallets[0], **facts)
        return transfer(source_id=wallets[0], target_id=wallets[1], **facts)

    return call


def test_when_money_moves_then_it_takes_at_most_4_round_trips_and_a_replay_5(wallets, move):
    key = str(wallets[0])
    with wire_to_database() as wire:
        for _ in ("first", "replay"):
            move(f"warm-{key}")
        wire.reset()

        first = move(f"first-{key}")
        for_first = wire.round_trips
        wire.reset()
        again = move(f"first-{key}")
        for_replay = wire.round_trips

    assert (for_first, first.replayed) == (4, False)
    assert (for_replay, again.replayed) == (5, True)
    assert balance_of(wallets[0]) == 9_800


def test_when_a_call_is_refused_then_the_next_one_finds_its_statements_prepared(wallets, move):
    key = str(wallets[0])
    with wire_to_database() as wire:
        for _ in ("first", "replay"):
            move(f"warm-{key}")
        spend_too_much = partial(
            pay, wallet_id=wallets[0], amount=Money(10**9, "USD"), owner_id=None, actor=ACTOR, call=keyed("")
        )
        with pytest.raises(InsufficientFunds):
            spend_too_much()
        wire.reset()

        move(f"after-{key}")
        statements, round_trips = wire.statements, wire.round_trips

    # What is prepared is sent by its name.
    assert statements == ["BEGIN", "COMMIT"]
    assert round_trips == 4


def test_when_money_moves_then_it_locks_in_id_order_then_writes_all_in_one_statement_then_commits(
    wallets, move
):
    move(f"open-{wallets[0]}")  # the merchant's account is there from now on
    with wire_to_database() as wire:
        balance_of(wallets[0])  # connected
        wire.reset()
        move(f"order-{wallets[0]}")
        statements = wire.statements

    begin, lock, write, commit = statements
    assert begin.startswith("BEGIN")
    assert lock.endswith("ORDER BY w.id FOR UPDATE OF w, a")
    assert write.startswith("WITH accounts AS (UPDATE transactions_ledgeraccount")
    assert [
        table
        for table in (
            "transactions_transfer",
            "transactions_transaction",
            "events_outbox",
            "transactions_idempotencykey",
        )
        if f"INSERT INTO {table}" not in write
    ] == []
    # The key is the last lock.
    assert write.index("key AS (INSERT") > write.index("outbox AS (INSERT")
    assert commit == "COMMIT"


def test_when_a_customer_transfers_over_http_then_the_whole_call_takes_4_round_trips(committed):
    customer = CustomerFactory.create()
    source, target = new_wallet(10_000, owner=customer), new_wallet()
    client = ApiClient(customer)
    body = {"from_wallet_id": str(source), "to_wallet_id": str(target), "amount": 100, "currency": "USD"}
    with wire_to_database() as wire:
        statuses = [client.post("/wallet/transfer", body).status_code]
        wire.reset()

        statuses.append(client.post("/wallet/transfer", body).status_code)
        round_trips = wire.round_trips

    assert statuses == [201, 201]
    assert round_trips == 4
    assert balance_of(target) == 200
