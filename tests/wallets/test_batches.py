"""Batches: what each item is answered, that all or none means it, and that the book stays exact."""

from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from events.models import Event, OutboxEntry
from events.relay import publish_waiting
from tests.factories.books import nothing_moves
from tests.factories.calls import ApiClient
from tests.factories.money import balance_of, new_wallet, set_limits
from tests.factories.people import CustomerFactory
from transactions.integrity import PROOFS, prove
from transactions.models import Transaction, Transfer
from users.models import User
from wallets.batches import LARGEST_BATCH

pytestmark = pytest.mark.django_db


def item(source: UUID, target: UUID, amount: int, **more: Any) -> dict[str, Any]:
    return {"from_wallet_id": source, "to_wallet_id": target, "amount": amount, "currency": "USD", **more}


@pytest.fixture
def alice() -> User:
    return CustomerFactory.create()


def post(who: User, transfers: list[Any], *, atomic: bool = False, key: str = "") -> Any:
    return ApiClient(who).post("/wallet/transfer/batch", {"transfers": transfers, "atomic": atomic}, key=key)


def test_when_every_item_can_be_made_then_each_has_its_transfer_in_order(alice: User) -> None:
    source, first, second = new_wallet(1000, owner=alice), new_wallet(), new_wallet()

    response = post(
        alice,
        [
            item(source, first, 300, description="rent\tand\\more\n", metadata={"k": "a\tb"}),
            item(source, second, 200),
        ],
    )

    assert response.status_code == 200
    body = response.json()
    assert (body["completed"], body["refused"]) == (2, 0)
    assert [(result["index"], result["status"]) for result in body["results"]] == [
        (0, "completed"),
        (1, "completed"),
    ]
    transfers = [Transfer.objects.get(id=result["transfer_id"]) for result in body["results"]]
    assert [transfer.description for transfer in transfers] == ["rent\tand\\more\n", ""]
    assert [transfer.metadata for transfer in transfers] == [{"k": "a\tb"}, {}]
    assert {transfer.actor for transfer in transfers} == {f"user:{alice.id}"}
    assert [balance_of(wallet) for wallet in (source, first, second)] == [500, 300, 200]


def test_when_a_wallet_appears_many_times_then_its_running_balance_is_exact(alice: User) -> None:
    hub, other = new_wallet(100, owner=alice), new_wallet(owner=CustomerFactory.create())
    back = new_wallet(0, owner=alice, currency="EUR")

    response = post(
        alice, [item(hub, other, 60), item(hub, other, 41), item(hub, other, 40), item(hub, back, 1)]
    )

    results = response.json()["results"]
    assert [result.get("code") for result in results] == [
        None,
        "insufficient_funds",
        None,
        "target_unavailable",
    ]
    lines = Transaction.objects.filter(account_id=hub).order_by("seq")
    assert [(line.seq, line.amount, line.balance_after) for line in lines] == [
        (1, 100, 100),
        (2, -60, 40),
        (3, -40, 0),
    ]
    assert [breach for proof in PROOFS for breach in prove(proof)] == []


def test_when_each_stands_for_itself_then_a_refused_one_counts_against_no_limit(alice: User) -> None:
    source, target = new_wallet(1000, owner=alice), new_wallet()
    set_limits(source, daily_outflow=500)

    response = post(alice, [item(source, target, 501), item(source, target, 500), item(source, target, 1)])

    assert [result.get("code") for result in response.json()["results"]] == [
        "limit_exceeded",
        None,
        "limit_exceeded",
    ]
    assert balance_of(source) == 500


def test_when_all_or_none_and_one_is_refused_then_nothing_moves_and_each_fault_is_named(alice: User) -> None:
    source, target = new_wallet(100, owner=alice), new_wallet()
    foreign = new_wallet(100)

    with nothing_moves():
        response = post(
            alice,
            [
                item(source, target, 60),
                item(source, target, 50),
                item(foreign, target, 1),
                item(source, source, 1),
            ],
            atomic=True,
        )

    assert response.status_code == 422
    body = response.json()
    assert body["code"] == "batch_refused"
    assert [(error["field"], error["code"]) for error in body["errors"]] == [
        ("transfers.1", "insufficient_funds"),
        ("transfers.2", "not_found"),
        ("transfers.3", "same_wallet"),
    ]


def test_when_the_batch_is_repeated_then_the_first_answer_comes_byte_for_byte(alice: User) -> None:
    source, target = new_wallet(100, owner=alice), new_wallet()
    transfers = [item(source, target, 60), item(source, target, 60)]
    first = post(alice, transfers, key="batch-1")

    with nothing_moves():
        second = post(alice, transfers, key="batch-1")

    assert (second.status_code, second.content) == (200, first.content)
    assert second["Idempotent-Replayed"] == "true"
    assert balance_of(target) == 60


def test_when_made_then_every_transfer_stands_in_the_outbox_some_to_an_entry_in_their_order(
    alice: User,
) -> None:
    source, target = new_wallet(100, owner=alice), new_wallet()
    OutboxEntry.objects.all().delete()
    transfers = [item(source, target, amount) for amount in (10, 20, 30, 5, 7)]

    results = post(alice, transfers).json()["results"]

    first, second = OutboxEntry.objects.order_by("id")
    assert (first.kind, second.kind) == ("transfer.batch", "transfer.batch")
    assert [one[0] for entry in (first, second) for one in entry.payload["transfers"]] == [
        result["transfer_id"] for result in results
    ]
    amounts = [[line[2] for line in one[4]] for one in first.payload["transfers"]]
    assert amounts == [[-10, 10], [-20, 20], [-30, 30], [-5, 5]]


def test_when_several_share_an_entry_then_each_is_told_with_its_own_words_numbers_and_balances(
    alice: User,
) -> None:
    source, target = new_wallet(100, owner=alice), new_wallet()
    publish_waiting()
    after = Event.objects.order_by("-position").values_list("position", flat=True).first() or 0
    rent = {**item(source, target, 60), "description": 'rent\\"\tµ', "metadata": {"a\\": "b"}}

    results = post(alice, [rent, item(source, target, 15)]).json()["results"]
    publish_waiting()

    told = Event.objects.filter(position__gt=after).order_by("position")
    completed = [event.data for event in told if event.type == "transfer.completed"]
    assert [(one["transfer_id"], one["amount"]) for one in completed] == [
        (results[0]["transfer_id"], 60),
        (results[1]["transfer_id"], 15),
    ]
    assert [(one["description"], one["metadata"]) for one in completed] == [
        ('rent\\"\tµ', {"a\\": "b"}),
        ("", {}),
    ]
    balances = [
        (event.wallet_id, event.data["balance"]) for event in told if event.type == "wallet.balance_changed"
    ]
    assert balances == [(source, 40), (target, 60), (source, 25), (target, 75)]
    lines = [event for event in told if event.type == "transaction.completed"]
    assert [(line.wallet_id, line.wallet_seq, line.data["type"]) for line in lines] == [
        (source, 2, "transfer_out"),
        (target, 1, "transfer_in"),
        (source, 3, "transfer_out"),
        (target, 2, "transfer_in"),
    ]


@pytest.mark.parametrize(
    ("broken", "field", "code"),
    [
        ({"amount": 1.0}, "transfers.1.amount", "invalid"),
        ({"amount": True}, "transfers.1.amount", "invalid"),
        ({"amount": 0}, "transfers.1.amount", "invalid"),
        ({"amount": 2**53}, "transfers.1.amount", "invalid"),
        ({"currency": "XXX"}, "transfers.1.currency", "unknown"),
        ({"to_wallet_id": "nobody"}, "transfers.1.to_wallet_id", "invalid"),
        ({"description": 5}, "transfers.1.description", "invalid"),
        ({"metadata": {"k": 1}}, "transfers.1.metadata", "not_pairs"),
        ({"ammount": 5}, "transfers.1.ammount", "unknown_field"),
    ],
)
def test_when_an_item_is_malformed_then_the_whole_call_is_refused_by_field_and_nothing_moves(
    alice: User, broken: dict[str, Any], field: str, code: str
) -> None:
    source, target = new_wallet(100, owner=alice), new_wallet()

    with nothing_moves():
        response = post(alice, [item(source, target, 1), {**item(source, target, 1), **broken}])

    assert response.status_code == 400
    assert [(error["field"], error["code"]) for error in response.json()["errors"]] == [(field, code)]


@pytest.mark.parametrize("count", [0, LARGEST_BATCH + 1])
def test_when_there_are_too_few_or_too_many_items_then_the_call_is_refused(alice: User, count: int) -> None:
    source, target = new_wallet(100, owner=alice), new_wallet()

    with nothing_moves():
        response = post(alice, [item(source, target, 1)] * count)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "transfers"


def test_when_the_batch_is_as_large_as_may_be_then_it_is_made_and_the_books_balance(alice: User) -> None:
    source = new_wallet(LARGEST_BATCH, owner=alice)
    targets = [new_wallet() for _ in range(20)]

    response = post(
        alice, [item(source, targets[index % 20], 1) for index in range(LARGEST_BATCH)], atomic=True
    )

    assert (response.status_code, response.json()["completed"]) == (200, LARGEST_BATCH)
    assert balance_of(source) == 0
    assert {balance_of(target) for target in targets} == {LARGEST_BATCH // 20}
    assert [breach for proof in PROOFS for breach in prove(proof)] == []


def test_when_a_wallet_does_not_exist_then_its_item_alone_is_not_found(alice: User) -> None:
    source, target = new_wallet(100, owner=alice), new_wallet()

    response = post(alice, [item(source, uuid7(), 1), item(source, target, 1)])

    assert [result.get("code") for result in response.json()["results"]] == ["not_found", None]
