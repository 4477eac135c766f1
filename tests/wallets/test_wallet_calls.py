"""Wallets over HTTP as the contract has them: opened, listed, described, limited, read."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import time_machine
from uuid_utils.compat import uuid7

from tests.factories.books import nothing_moves
from tests.factories.calls import ApiClient
from tests.factories.money import balance_of, new_wallet, set_limits
from tests.factories.people import CustomerFactory, someone
from transactions.idempotency import drop_old_answers
from transactions.models import LedgerAccount, Transaction
from users.models import User

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 10, 31, 12, 0, 0, 123456, tzinfo=UTC)
NONE = dict.fromkeys(("maximum_balance", "per_transaction", "daily_outflow", "monthly_outflow", "credit"))


@pytest.fixture
def customer() -> User:
    return CustomerFactory.create()


@pytest.fixture
def client(customer) -> ApiClient:
    return ApiClient(customer)


def code(answer) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def at(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_when_a_customer_opens_a_wallet_then_the_answer_has_every_field(customer):
    with time_machine.travel(NOON, tick=False):
        client = ApiClient(customer)
        answer = client.post(
            "/wallet", {"currency": "KWD", "label": "Trips", "metadata": {"a": "b"}}, key=None
        )

    body = answer.json()
    assert answer.status_code == 201
    assert body == {
        "id": body["id"],
        "user_id": str(customer.id),
        "currency": "KWD",
        "balance": 0,
        "held": 0,
        "available": 0,
        "status": "active",
        "label": "Trips",
        "metadata": {"a": "b"},
        "created_at": "2026-10-31T12:00:00.123456Z",
        "updated_at": "2026-10-31T12:00:00.123456Z",
    }
    assert LedgerAccount.objects.get(id=body["id"]).owner_id == customer.id


def test_when_a_wallet_is_opened_twice_then_the_second_is_refused_and_its_key_is_free_again(customer, client):
    client.post("/wallet", {"currency": "USD"})

    with nothing_moves():
        answer = client.post("/wallet", {"currency": "USD"}, key="second")
    other = client.post("/wallet", {"currency": "EUR"}, key="second")

    assert code(answer) == (409, "wallet_exists")
    assert other.status_code == 201


def test_when_a_program_opens_a_wallet_then_it_names_the_customer(customer):
    program = ApiClient(someone("service"))

    with nothing_moves():
        unnamed = program.post("/wallet", {"currency": "USD"})
        unknown = program.post("/wallet", {"currency": "USD", "user_id": str(uuid7())})
    opened = program.post("/wallet", {"currency": "USD", "user_id": str(customer.id)})

    for answer in (unnamed, unknown):
        assert code(answer) == (400, "validation_error")
        assert [error["field"] for error in answer.json()["errors"]] == ["user_id"]
    assert (opened.status_code, opened.json()["user_id"]) == (201, str(customer.id))


def walked(client: ApiClient, path: str) -> list[list[str]]:
    """Follow `next` to the end and `previous` back; both ways show the same pages."""
    forwards, links = [], [path]
    while links[-1]:
        page = client.get(links[-1]).json()
        assert list(page) == ["results", "next", "previous"]
        forwards.append([row["id"] for row in page["results"]])
        links.append(below_api(page["next"]))
        previous = below_api(page["previous"])
    backwards = [forwards[-1]]
    while previous:
        page = client.get(previous).json()
        backwards.insert(0, [row["id"] for row in page["results"]])
        previous = below_api(page["previous"])
    assert backwards == forwards
    return forwards


def below_api(link: str | None) -> str | None:
    if link is None:
        return None
    parts = urlsplit(link)
    return f"{parts.path.removeprefix('/api/v1')}?{parts.query}"


def test_when_a_history_is_walked_by_its_links_then_every_line_comes_once_in_both_directions(
    customer, client
):
    wallet_id = new_wallet(10_000, owner=customer)
    for amount in range(1, 8):
        client.post(f"/wallet/{wallet_id}/pay", {"amount": amount, "currency": "USD"})
    lines = Transaction.objects.filter(account_id=wallet_id).order_by("-seq")
    ids = [str(line.id) for line in lines]

    assert walked(client, f"/wallet/{wallet_id}/transactions?limit=3") == [ids[:3], ids[3:6], ids[6:]]
    assert walked(client, "/transactions?limit=3") == [ids[:3], ids[3:6], ids[6:]]
    assert walked(client, "/transactions?limit=4&type=payment") == [ids[:4], ids[4:7]]


def test_when_wallets_are_listed_then_a_customer_sees_its_own_newest_first(customer, client):
    wallets = [str(new_wallet(currency=currency, owner=customer)) for currency in ("USD", "EUR", "JPY")]
    new_wallet()

    assert walked(client, "/wallet?limit=2") == [[wallets[2], wallets[1]], [wallets[0]]]
    assert walked(client, "/wallet?currency=EUR") == [[wallets[1]]]
    assert walked(client, "/wallet?status=closed") == [[]]
    program = ApiClient(someone("service"))
    assert walked(program, f"/wallet?user_id={customer.id}") == [wallets[::-1]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", "validation_error"),
        ("limit=101", "validation_error"),
        ("limit=x", "validation_error"),
        ("status=lost", "validation_error"),
        ("status=pending&status=failed", "validation_error"),
        ("created_from=yesterday", "validation_error"),
        ("sataus=completed", "unknown_parameter"),
        ("cursor=abc", "invalid_cursor"),
    ],
)
def test_when_a_list_is_asked_for_wrongly_then_it_is_refused(customer, client, query, expected):
    wallet_id = new_wallet(owner=customer)

    assert code(client.get(f"/wallet/{wallet_id}/transactions?{query}")) == (400, expected)


def test_when_a_balance_is_asked_for_then_it_is_told_for_now_and_for_then(customer, client):
    wallet_id = new_wallet(1_000, owner=customer)
    funded_at = Transaction.objects.get(account_id=wallet_id).completed_at
    client.post(f"/wallet/{wallet_id}/pay", {"amount": 300, "currency": "USD"})

    now = client.get(f"/wallet/{wallet_id}/balance").json()
    then = client.get(f"/wallet/{wallet_id}/balance?at={at(funded_at)}").json()
    before = client.get(f"/wallet/{wallet_id}/balance?at={at(funded_at - timedelta(microseconds=1))}").json()

    assert {**now, "at": None} == {
        "wallet_id": str(wallet_id),
        "currency": "USD",
        "balance": 700,
        "held": 0,
        "available": 700,
        "at": None,
    }
    assert then == {
        "wallet_id": str(wallet_id),
        "currency": "USD",
        "balance": 1_000,
        "held": None,
        "available": None,
        "at": at(funded_at),
    }
    assert before["balance"] == 0


def test_when_the_stats_of_a_wallet_are_asked_for_then_they_have_every_field(customer, client):
    wallet_id = new_wallet(1_000, owner=customer)
    paid = client.post(f"/wallet/{wallet_id}/pay", {"amount": 300, "currency": "USD"}).json()

    assert client.get(f"/wallet/{wallet_id}/stats").json() == {
        "balance": 700,
        "total_in": 1_000,
        "total_out": 300,
        "transaction_count": 2,
        "average_amount": 650,
        "last_transaction_at": paid["completed_at"],
    }


def test_when_a_transaction_is_read_then_its_audit_tells_who_made_it_and_in_which_request(customer, client):
    wallet_id = new_wallet(1_000, owner=customer)
    paid = client.post(
        f"/wallet/{wallet_id}/pay", {"amount": 300, "currency": "USD"}, **{"x-request-id": "request-1"}
    ).json()

    assert client.get(f"/transactions/{paid['id']}/audit").json() == {
        "results": [
            {
                "at": paid["created_at"],
                "by": f"user:{customer.id}",
                "from": None,
                "to": "completed",
                "request_id": "request-1",
            }
        ]
    }


def test_when_staff_suspend_limit_and_reactivate_a_wallet_then_each_answer_shows_it(customer, client):
    wallet_id, staff = new_wallet(1_000, owner=customer), ApiClient(someone("support"))

    suspended = staff.post(f"/wallet/{wallet_id}/suspend", {"reason": "fraud"})
    with nothing_moves():
        refused = client.post(f"/wallet/{wallet_id}/pay", {"amount": 1, "currency": "USD"})
    limited = staff.put(f"/wallet/{wallet_id}/limits", {"per_transaction": 5, "credit": 10})
    reactivated = staff.post(f"/wallet/{wallet_id}/reactivate", {"reason": "cleared"})

    assert (suspended.status_code, suspended.json()["status"]) == (200, "suspended")
    assert code(refused) == (409, "wallet_suspended")
    assert (limited.status_code, limited.json()) == (200, {**NONE, "per_transaction": 5, "credit": 10})
    assert client.get(f"/wallet/{wallet_id}/limits").json() == {**NONE, "per_transaction": 5, "credit": 10}
    assert (reactivated.status_code, reactivated.json()["status"]) == (200, "active")


def test_when_a_customer_closes_its_wallet_then_it_must_be_empty_and_its_history_stays(customer, client):
    wallet_id = new_wallet(300, owner=customer)
    with nothing_moves():
        refused = client.post(f"/wallet/{wallet_id}/close", {"reason": "moving"})
    client.post(f"/wallet/{wallet_id}/pay", {"amount": 300, "currency": "USD"})

    closed = client.post(f"/wallet/{wallet_id}/close", {"reason": "moving"})

    assert code(refused) == (409, "wallet_not_empty")
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    assert len(client.get(f"/wallet/{wallet_id}/transactions").json()["results"]) == 2


@pytest.mark.parametrize("path", ["/wallet/transfer", "/wallet/{wallet}/pay", "/wallet"])
def test_when_an_answer_s_bytes_are_gone_then_the_resource_is_shown_as_it_is(customer, path):
    wallet_id, target_id = new_wallet(1_000, owner=customer), new_wallet()
    money = {"amount": 100, "currency": "USD"}
    body = {
        "/wallet/transfer": {"from_wallet_id": str(wallet_id), "to_wallet_id": str(target_id), **money},
        "/wallet": {"currency": "EUR"},
    }.get(path, money)
    url = path.format(wallet=wallet_id)
    with time_machine.travel(datetime.now(UTC) - timedelta(days=31)):
        first = ApiClient(customer).post(url, body, key="old")
    assert drop_old_answers() == 1

    with nothing_moves():
        again = ApiClient(customer).post(url, body, key="old")

    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert balance_of(wallet_id) == (1_000 if path == "/wallet" else 900)


def test_when_the_wallet_s_limits_answer_is_gone_then_its_repetition_shows_the_limits(customer):
    wallet_id = new_wallet(owner=customer)
    staff = someone("support")
    with time_machine.travel(datetime.now(UTC) - timedelta(days=31)):
        ApiClient(staff).put(f"/wallet/{wallet_id}/limits", {"per_transaction": 5}, key="old")
    set_limits(wallet_id, per_transaction=7)
    assert drop_old_answers() == 1

    with nothing_moves():
        again = ApiClient(staff).put(f"/wallet/{wallet_id}/limits", {"per_transaction": 5}, key="old")

    assert again.status_code == 200
    assert again.json() == {**NONE, "per_transaction": 7}
