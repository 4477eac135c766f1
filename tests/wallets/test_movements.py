"""Pay, transfer and reverse over HTTP: every field of the answers, and every refusal in its order."""

from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from tests.factories.books import books, nothing_moves
from tests.factories.calls import ACTOR, ApiClient, unkeyed
from tests.factories.money import balance_of, fund, new_wallet, set_limits
from tests.factories.people import CustomerFactory, someone
from transactions.models import Transaction, Transfer
from users.models import User
from wallets.lifecycle import close_wallet, suspend_wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> User:
    return CustomerFactory.create()


@pytest.fixture
def client(customer) -> ApiClient:
    return ApiClient(customer)


@pytest.fixture
def source(customer) -> str:
    return str(new_wallet(10_000, owner=customer))


@pytest.fixture
def target() -> str:
    return str(new_wallet())


def suspend(wallet_id: str) -> None:
    suspend_wallet(wallet_id=UUID(wallet_id), actor=ACTOR, reason="fraud", call=unkeyed())


def close(wallet_id: str) -> None:
    close_wallet(wallet_id=UUID(wallet_id), owner_id=None, actor=ACTOR, reason="done", call=unkeyed())


def limit(wallet_id: str, **limits: int) -> None:
    set_limits(UUID(wallet_id), **limits)


def problem(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"].endswith(f"/docs/errors/{body['code']}")
    assert body["request_id"] == answer["X-Request-ID"]
    return answer.status_code, body["code"]


def moving(source: str, target: str, **changed: Any) -> dict[str, Any]:
    return {"from_wallet_id": source, "to_wallet_id": target, "amount": 2_500, "currency": "USD", **changed}


def test_when_a_customer_transfers_then_the_answer_has_every_field_and_both_histories_show_it(
    client, source, target
):
    answer = client.post("/wallet/transfer", moving(source, target, description="Rent", metadata={"a": "b"}))

    body = answer.json()
    debit = Transaction.objects.get(account_id=source, type="transfer_out")
    credit = Transaction.objects.get(account_id=target, type="transfer_in")
    assert answer.status_code == 201
    assert body == {
        "transfer_id": str(debit.transfer_id),
        "status": "completed",
        "from_wallet_id": source,
        "to_wallet_id": target,
        "amount": 2_500,
        "currency": "USD",
        "debit_transaction_id": str(debit.id),
        "credit_transaction_id": str(credit.id),
        "description": "Rent",
        "metadata": {"a": "b"},
        "created_at": debit.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert (balance_of(source), balance_of(target)) == (7_500, 2_500)
    assert (debit.amount, debit.balance_after, credit.amount, credit.balance_after) == (
        -2_500,
        7_500,
        2_500,
        2_500,
    )


def test_when_a_customer_pays_then_the_answer_is_the_transaction_with_every_field(client, source):
    answer = client.post(
        f"/wallet/{source}/pay",
        {"amount": 300, "currency": "USD", "description": "Tea", "reference": "o-7", "metadata": {"a": "b"}},
    )

    line = Transaction.objects.get(account_id=source, type="payment")
    assert answer.status_code == 201
    assert answer.json() == {
        "id": str(line.id),
        "wallet_id": source,
        "seq": 2,
        "type": "payment",
        "status": "completed",
        "amount": -300,
        "currency": "USD",
        "balance_after": 9_700,
        "description": "Tea",
        "reference": "o-7",
        "transfer_id": str(line.transfer_id),
        "refund_of": None,
        "payment_id": None,
        "failure_code": None,
        "metadata": {"a": "b"},
        "effective_at": line.created_at.isoformat().replace("+00:00", "Z"),
        "created_at": line.created_at.isoformat().replace("+00:00", "Z"),
        "completed_at": line.completed_at.isoformat().replace("+00:00", "Z"),
    }
    assert client.get(f"/transactions/{line.id}").content == answer.content
    assert Transfer.objects.get(id=line.transfer_id).actor == f"user:{line.account.owner_id}"


@pytest.mark.parametrize("path", ["/wallet/transfer", "/wallet/{source}/pay"])
def test_when_a_movement_is_repeated_then_the_answer_is_the_same_byte_for_byte(client, source, target, path):
    path = path.format(source=source)
    body = moving(source, target) if "transfer" in path else {"amount": 2_500, "currency": "USD"}
    first = client.post(path, body, key="one")

    with nothing_moves():
        again = client.post(path, body, key='"one"')
        other = client.post(path, {**body, "amount": 2_501}, key="one")

    assert (again.status_code, again.content) == (201, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert problem(other) == (422, "idempotency_key_reused")
    assert balance_of(source) == 7_500


@pytest.mark.parametrize("path", ["/wallet/transfer", "/wallet/{source}/pay"])
def test_when_a_movement_has_no_key_then_it_is_refused(client, source, target, path):
    with nothing_moves():
        answer = client.post(path.format(source=source), moving(source, target), key=None)

    assert problem(answer) == (400, "idempotency_key_required")


@pytest.mark.parametrize("amount", [1.0, 1.5, "1", True, 0, -1, None, 2**53, 10**30, [1]])
def test_when_an_amount_is_no_positive_integer_then_the_field_is_named(client, source, target, amount):
    with nothing_moves():
        transferred = client.post("/wallet/transfer", moving(source, target, amount=amount))
        paid = client.post(f"/wallet/{source}/pay", {"amount": amount, "currency": "USD"})

    for answer in (transferred, paid):
        assert problem(answer) == (400, "validation_error")
        assert [error["field"] for error in answer.json()["errors"]] == ["amount"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currency", "usd"),
        ("currency", "XAU"),
        ("currency", 840),
        ("from_wallet_id", "nonsense"),
        ("to_wallet_id", None),
        ("description", "x" * 501),
        ("description", 7),
        ("metadata", {"a": 1}),
        ("metadata", []),
    ],
)
def test_when_a_field_of_a_transfer_is_wrong_then_it_is_named(client, source, target, field, value):
    with nothing_moves():
        answer = client.post("/wallet/transfer", moving(source, target, **{field: value}))

    assert problem(answer) == (400, "validation_error")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def full(wallet_id: str) -> None:
    limit(wallet_id, maximum_balance=2_499)


@pytest.mark.parametrize("change", [suspend, close, full], ids=["suspended", "closed", "full"])
def test_when_the_target_can_not_receive_then_it_is_unavailable(client, source, target, change):
    change(target)

    with nothing_moves():
        answer = client.post("/wallet/transfer", moving(source, target))

    assert problem(answer) == (422, "target_unavailable")


def test_when_the_target_has_another_currency_then_it_is_unavailable(client, source):
    euros = str(new_wallet(currency="EUR"))

    with nothing_moves():
        answer = client.post("/wallet/transfer", moving(source, euros))

    assert problem(answer) == (422, "target_unavailable")


def test_when_the_target_has_just_enough_room_then_it_receives(client, source, target):
    limit(target, maximum_balance=2_500)

    assert client.post("/wallet/transfer", moving(source, target)).status_code == 201
    with nothing_moves():
        assert problem(client.post("/wallet/transfer", moving(source, target, amount=1))) == (
            422,
            "target_unavailable",
        )


# Each step of the ladder takes away the reason that comes first, so that the next one shows.
LADDER = [
    (404, "not_found"),
    (409, "wallet_suspended"),
    (422, "same_wallet"),
    (422, "currency_mismatch"),
    (422, "target_unavailable"),
    (422, "limit_exceeded"),
    (422, "insufficient_funds"),
]


def test_when_several_refusals_apply_to_a_transfer_then_they_come_in_the_order_of_the_contract(
    customer, client
):
    source, target = str(new_wallet(100, owner=customer)), str(new_wallet(currency="EUR"))
    good = str(new_wallet())
    limit(source, per_transaction=50)
    suspend(source)
    body = moving(source, source, currency="JPY")

    def refused() -> tuple[int, str]:
        with nothing_moves():
            return problem(client.post("/wallet/transfer", body))

    found = []
    body["to_wallet_id"] = str(uuid7())
    found.append(refused())
    body["to_wallet_id"] = source
    found.append(refused())
    staff = ApiClient(someone("service"))
    assert staff.post(f"/wallet/{source}/reactivate", {"reason": "ok"}).status_code == 200
    found.append(refused())
    body["to_wallet_id"] = target
    found.append(refused())
    body["currency"] = "USD"
    found.append(refused())
    body["to_wallet_id"] = good
    found.append(refused())
    limit(source)
    found.append(refused())
    fund(UUID(source), 2_400)

    assert found == LADDER
    assert client.post("/wallet/transfer", body).status_code == 201


def test_when_several_refusals_apply_to_a_payment_then_they_come_in_the_order_of_the_contract(
    customer, client
):
    source = str(new_wallet(100, owner=customer))
    limit(source, per_transaction=50)
    suspend(source)
    body = {"amount": 101, "currency": "EUR"}

    def refused() -> tuple[int, str]:
        with nothing_moves():
            return problem(client.post(f"/wallet/{source}/pay", body))

    found = [refused()]
    staff = ApiClient(someone("support"))
    assert staff.post(f"/wallet/{source}/reactivate", {"reason": "ok"}).status_code == 200
    found.append(refused())
    body["currency"] = "USD"
    found.append(refused())
    limit(source)
    found.append(refused())

    assert found == [LADDER[1], LADDER[3], LADDER[5], LADDER[6]]


def test_when_a_limit_is_exceeded_then_the_problem_names_it(client, source):
    limit(source, per_transaction=50)

    with nothing_moves():
        answer = client.post(f"/wallet/{source}/pay", {"amount": 51, "currency": "USD"})

    assert problem(answer) == (422, "limit_exceeded")
    assert answer.json()["limit"] == "per_transaction"


def reversing(line_id: object, client: ApiClient | None = None, **headers: Any) -> Any:
    return (client or ApiClient(someone("service"))).post(
        f"/transactions/{line_id}/reverse", {"reason": "mistake"}, **headers
    )


def test_when_a_transfer_is_reversed_by_either_line_then_the_money_is_back_and_the_line_named_is_shown(
    client, source, target
):
    made = client.post("/wallet/transfer", moving(source, target)).json()

    answer = reversing(made["credit_transaction_id"])

    body = answer.json()
    assert answer.status_code == 201
    assert (body["type"], body["amount"], body["wallet_id"]) == ("reversal", -2_500, target)
    assert (body["description"], body["balance_after"]) == ("mistake", 0)
    assert (balance_of(source), balance_of(target)) == (10_000, 0)
    assert str(Transfer.objects.get(id=body["transfer_id"]).reverses) == made["transfer_id"]


def test_when_a_payment_is_reversed_twice_then_the_second_is_refused_and_the_first_key_replays(
    client, source
):
    paid = client.post(f"/wallet/{source}/pay", {"amount": 300, "currency": "USD"}).json()
    finance = ApiClient(someone("finance"))
    first = reversing(paid["id"], finance, key="back")

    with nothing_moves():
        again = reversing(paid["id"], finance, key="back")
        second = reversing(paid["id"], finance)

    assert (again.status_code, again.content) == (201, first.content)
    assert problem(second) == (409, "already_reversed")
    assert balance_of(source) == 10_000


def test_when_the_wallet_is_suspended_then_a_payment_can_still_be_taken_back(client, source):
    paid = client.post(f"/wallet/{source}/pay", {"amount": 300, "currency": "USD"}).json()
    suspend(source)

    assert reversing(paid["id"]).status_code == 201
    assert balance_of(source) == 10_000


def test_when_what_came_in_is_spent_then_the_transfer_is_not_reversed(client, source, target):
    made = client.post("/wallet/transfer", moving(source, target)).json()
    owner = ApiClient(User.objects.get(wallets=target))
    assert owner.post(f"/wallet/{target}/pay", {"amount": 1, "currency": "USD"}).status_code == 201

    with nothing_moves():
        answer = reversing(made["debit_transaction_id"])

    assert problem(answer) == (422, "insufficient_funds")


def test_when_the_wallet_is_closed_then_nothing_of_it_is_reversed(client, source):
    funded = Transaction.objects.get(account_id=source)
    paid = client.post(f"/wallet/{source}/pay", {"amount": 10_000, "currency": "USD"}).json()
    close(source)

    with nothing_moves():
        answers = [reversing(paid["id"]), reversing(funded.id)]

    assert [problem(answer) for answer in answers] == [(409, "wallet_closed")] * 2


def test_when_a_movement_is_not_of_a_kind_to_be_reversed_then_it_is_refused(client, source):
    funded = Transaction.objects.get(account_id=source)
    paid = client.post(f"/wallet/{source}/pay", {"amount": 300, "currency": "USD"}).json()
    reversal = reversing(paid["id"]).json()

    with nothing_moves():
        answers = [reversing(funded.id), reversing(reversal["id"]), reversing(uuid7())]

    assert [problem(answer) for answer in answers] == [
        (422, "not_reversible"),
        (422, "not_reversible"),
        (404, "not_found"),
    ]


def test_when_a_refused_call_is_compared_then_the_books_would_show_a_movement(client, source):
    """The counterpart of every `nothing_moves` above."""
    before = books()

    client.post(f"/wallet/{source}/pay", {"amount": 1, "currency": "USD"})

    assert books() != before
