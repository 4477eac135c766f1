"""Holds and corrections over HTTP: the contract's fields, statuses and codes."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from uuid_utils.compat import uuid7

from tests.factories.books import books, nothing_moves
from tests.factories.calls import ApiClient
from tests.factories.holds import money_of
from tests.factories.money import new_wallet
from tests.factories.people import CustomerFactory, someone
from wallets.models import Wallet

pytestmark = pytest.mark.django_db

HOLD = {"amount": 600, "currency": "USD"}


@pytest.fixture
def customer():
    return CustomerFactory.create()


@pytest.fixture
def client(customer) -> ApiClient:
    return ApiClient(customer)


@pytest.fixture
def wallet_id(customer):
    return new_wallet(1_000, owner=customer)


@pytest.fixture
def holds(wallet_id) -> str:
    return f"/wallet/{wallet_id}/holds"


def problem(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def fields(answer) -> list[str]:
    return [error["field"] for error in answer.json()["errors"]]


def test_when_a_hold_is_made_then_it_is_shown_whole_and_the_wallet_says_what_is_available(
    client, wallet_id, holds
):
    made = client.post(holds, {**HOLD, "expires_in": 3_600, "description": "Room 7", "reference": "stay-1"})

    shown = made.json()
    wallet = client.get(f"/wallet/{wallet_id}").json()
    assert made.status_code == 201
    assert {name: shown[name] for name in shown if name not in ("id", "created_at", "expires_at")} == {
        "wallet_id": str(wallet_id),
        "amount": 600,
        "captured": 0,
        "remaining": 600,
        "currency": "USD",
        "status": "open",
        "description": "Room 7",
        "reference": "stay-1",
        "transaction_ids": [],
        "closed_at": None,
    }
    assert shown["created_at"].endswith("Z")
    assert (wallet["balance"], wallet["held"], wallet["available"]) == (1_000, 600, 400)
    assert client.get(f"{holds}/{shown['id']}").json() == shown


def test_when_a_hold_is_captured_in_parts_then_each_answer_shows_what_is_left(client, wallet_id, holds):
    hold = client.post(holds, HOLD).json()
    path = f"{holds}/{hold['id']}"

    first = client.post(f"{path}/capture", {"amount": 200})
    second = client.post(f"{path}/capture")

    lines = client.get(f"/wallet/{wallet_id}/transactions?type=payment").json()["results"]
    told = [
        (
            a.status_code,
            a.json()["captured"],
            a.json()["remaining"],
            a.json()["status"],
            a.json()["transaction_ids"],
        )
        for a in (first, second)
    ]
    assert [(line["amount"], line["balance_after"]) for line in lines] == [(-400, 400), (-200, 800)]
    assert told == [
        (200, 200, 400, "open", [lines[1]["id"]]),
        (200, 600, 0, "captured", [lines[1]["id"], lines[0]["id"]]),
    ]
    assert client.get(path).json() == second.json()


def test_when_a_hold_is_voided_then_all_is_available_again(client, wallet_id, holds):
    hold = client.post(holds, HOLD).json()

    voided = client.post(f"{holds}/{hold['id']}/void", key=None)

    assert (voided.status_code, voided.json()["status"], voided.json()["remaining"]) == (200, "voided", 0)
    assert voided.json()["closed_at"] is not None
    assert client.get(f"/wallet/{wallet_id}").json()["available"] == 1_000


@pytest.mark.parametrize(
    ("call", "body", "expected"),
    [
        ("/capture", {"amount": 601}, (422, "amount_exceeds_remaining")),
        ("/capture", {"amount": 0}, (400, "validation_error")),
        ("/capture", {"amount": 1.5}, (400, "validation_error")),
        ("/capture", {"amount": None}, (400, "validation_error")),
        ("/capture", {"ammount": 1}, (400, "unknown_field")),
        ("/void", {"reason": "x"}, (400, "unknown_field")),
        ("", {**HOLD, "amount": 401}, (422, "insufficient_funds")),
        ("", {**HOLD, "amount": -1}, (400, "validation_error")),
        ("", {**HOLD, "amount": 2**53}, (400, "validation_error")),
        ("", {**HOLD, "currency": "EUR"}, (422, "currency_mismatch")),
        ("", {**HOLD, "expires_in": 0}, (400, "validation_error")),
        ("", {**HOLD, "expires_in": 30 * 86_400 + 1}, (400, "validation_error")),
        ("", {**HOLD, "expires_in": "60"}, (400, "validation_error")),
        ("", {**HOLD, "expires_in": 60.0}, (400, "validation_error")),
        ("", {**HOLD, "expires_in": True}, (400, "validation_error")),
        ("", {"currency": "USD"}, (400, "validation_error")),
    ],
)
def test_when_a_call_is_refused_then_it_says_why_and_nothing_moves(client, holds, call, body, expected):
    hold = client.post(holds, HOLD).json()
    path = f"{holds}/{hold['id']}{call}" if call else holds

    with nothing_moves():
        answer = client.post(path, body)

    assert problem(answer) == expected


@pytest.mark.parametrize("call", ["capture", "void"])
def test_when_a_hold_is_not_open_then_it_is_409(client, holds, call):
    hold = client.post(holds, HOLD).json()
    client.post(f"{holds}/{hold['id']}/void")

    with nothing_moves():
        answer = client.post(f"{holds}/{hold['id']}/{call}")

    assert problem(answer) == (409, "hold_not_open")


def test_when_a_hold_expires_then_it_says_so_without_any_sweep(client, holds):
    hold = client.post(holds, {**HOLD, "expires_in": 60}).json()
    path = f"{holds}/{hold['id']}"

    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        shown = client.get(path).json()
        with nothing_moves():
            refused = client.post(f"{path}/capture")
        spent = client.post(holds.replace("holds", "pay"), {"amount": 1_000, "currency": "USD"})

    assert (shown["status"], shown["remaining"], shown["closed_at"]) == ("expired", 0, hold["expires_at"])
    assert problem(refused) == (409, "hold_not_open")
    assert spent.status_code == 201


@pytest.mark.parametrize("call", ["", "capture"])
def test_when_a_call_that_moves_money_has_no_key_then_nothing_moves(client, holds, call):
    hold = client.post(holds, HOLD).json()
    path = f"{holds}/{hold['id']}/{call}" if call else holds

    with nothing_moves():
        answer = client.post(path, {"amount": 1} if call else HOLD, key=None)

    assert problem(answer) == (400, "idempotency_key_required")


def test_when_each_call_is_repeated_under_its_key_then_it_is_answered_byte_for_byte(client, holds):
    made = [client.post(holds, HOLD, key="hold") for _ in range(2)]
    path = f"{holds}/{made[0].json()['id']}"
    captured = [client.post(f"{path}/capture", {"amount": 200}, key="capture") for _ in range(2)]
    voided = [client.post(f"{path}/void", key="void") for _ in range(2)]
    before = books()

    again = [
        client.post(holds, HOLD, key="hold"),
        client.post(f"{path}/capture", {"amount": 200}, key="capture"),
    ]

    for first, second in (made, captured, voided):
        assert (first.status_code, first.content) == (second.status_code, second.content)
        assert second["Idempotent-Replayed"] == "true"
    assert [answer.content for answer in again] == [made[0].content, captured[0].content]
    assert books() == before


def test_when_a_program_made_the_hold_then_the_customer_sees_it_and_may_not_touch_it(client, holds):
    hold = ApiClient(someone("service")).post(holds, HOLD).json()
    path = f"{holds}/{hold['id']}"

    seen = client.get(path)

    assert seen.json() == hold
    for call in ("capture", "void"):
        with nothing_moves():
            assert problem(client.post(f"{path}/{call}")) == (403, "permission_denied")


def test_when_support_voids_a_hold_then_it_is_voided(client, wallet_id, holds):
    hold = client.post(holds, HOLD).json()

    answer = ApiClient(someone("support")).post(f"{holds}/{hold['id']}/void")

    assert (answer.status_code, money_of(wallet_id)) == (200, (1_000, 0))


def test_when_holds_are_listed_then_they_come_newest_first_page_by_page_and_by_status(client, holds):
    made = [client.post(holds, {**HOLD, "amount": 10 + n}).json()["id"] for n in range(5)]
    client.post(f"{holds}/{made[1]}/void")
    client.post(f"{holds}/{made[3]}/capture")

    first = client.get(f"{holds}?limit=2").json()
    second = client.get(first["next"].partition("/api/v1")[2]).json()
    back = client.get(second["previous"].partition("/api/v1")[2]).json()

    def ids(page) -> list[str]:
        return [hold["id"] for hold in page["results"]]

    assert (ids(first), ids(second), ids(back)) == (made[:2:-1], made[2:0:-1], made[:2:-1])
    assert first["previous"] is None
    assert ids(client.get(f"{holds}?status=open").json()) == [made[4], made[2], made[0]]
    assert ids(client.get(f"{holds}?status=voided").json()) == [made[1]]
    assert problem(client.get(f"{holds}?status=lost")) == (400, "validation_error")
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        later = ApiClient(Wallet.objects.get(pk=first["results"][0]["wallet_id"]).user)
        assert ids(later.get(f"{holds}?status=expired").json()) == [made[4], made[2], made[0]]
        assert ids(later.get(f"{holds}?status=open").json()) == []


def test_when_a_hold_has_not_changed_then_its_etag_saves_the_body(client, holds):
    path = f"{holds}/{client.post(holds, HOLD).json()['id']}"
    tag = client.get(path)["ETag"]

    same = client.get(path, **{"if-none-match": tag})
    client.post(f"{path}/capture", {"amount": 1})
    changed = client.get(path, **{"if-none-match": tag})

    assert (same.status_code, changed.status_code) == (304, 200)


def test_when_limits_are_put_then_all_are_replaced_and_null_and_absent_mean_the_same(client, wallet_id):
    service, path = ApiClient(someone("service")), f"/wallet/{wallet_id}/limits"
    defaults = client.get(path).json()

    put = service.put(path, {"per_transaction": 500, "daily_outflow": 0, "credit": 250})
    replaced = service.put(path, {"monthly_outflow": 900, "credit": None})
    emptied = service.put(path, {})

    nothing = dict.fromkeys(defaults)
    assert defaults == {**nothing, **defaults, "credit": None}
    assert put.json() == {**defaults, "per_transaction": 500, "daily_outflow": 0, "credit": 250}
    assert replaced.json() == {**defaults, "monthly_outflow": 900}
    assert emptied.json() == defaults == client.get(path).json()


def test_when_credit_is_lowered_below_what_is_used_or_held_then_nothing_moves(client, wallet_id, holds):
    service, path = ApiClient(someone("service")), f"/wallet/{wallet_id}/limits"
    service.put(path, {"credit": 500})
    client.post(holds, {**HOLD, "amount": 1_200})

    with nothing_moves():
        refused = service.put(path, {"credit": 199})
    lowered = service.put(path, {"credit": 200})

    assert (problem(refused), fields(refused)) == ((400, "validation_error"), ["credit"])
    assert (lowered.status_code, lowered.json()["credit"]) == (200, 200)


def test_when_a_correction_is_asked_for_and_approved_then_both_answers_show_it(client, wallet_id):
    support, finance = someone("support"), someone("finance")
    body = {"amount": -300, "currency": "USD", "reason": "charged twice"}

    asked = ApiClient(support).post(f"/admin/wallets/{wallet_id}/adjustments", body)
    approved = ApiClient(finance).post(f"/admin/adjustments/{asked.json()['id']}/approve")

    shown = asked.json()
    line = client.get(f"/transactions/{shown['transaction_id']}").json()
    assert (asked.status_code, approved.status_code) == (201, 200)
    assert {n: shown[n] for n in shown if n not in ("id", "created_at", "transaction_id")} == {
        "wallet_id": str(wallet_id),
        **body,
        "status": "pending",
        "requested_by": str(support.id),
        "decided_by": None,
        "decided_at": None,
        "decision_reason": "",
    }
    assert (approved.json()["status"], approved.json()["decided_by"]) == ("completed", str(finance.id))
    assert (line["type"], line["amount"], line["status"], line["balance_after"], line["description"]) == (
        "adjustment",
        -300,
        "completed",
        700,
        "",
    )
    assert money_of(wallet_id) == (700, 0)


def test_when_a_correction_is_rejected_then_the_answer_says_why(wallet_id):
    asked = ApiClient(someone("support")).post(
        f"/admin/wallets/{wallet_id}/adjustments", {"amount": 5, "currency": "USD", "reason": "a slip"}
    )

    rejected = ApiClient(someone("finance")).post(
        f"/admin/adjustments/{asked.json()['id']}/reject", {"reason": "no such slip"}
    )

    assert (rejected.json()["status"], rejected.json()["decision_reason"]) == ("rejected", "no such slip")
    assert money_of(wallet_id) == (1_000, 0)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"amount": 0}, (400, "validation_error")),
        ({"amount": "5"}, (400, "validation_error")),
        ({"amount": 2**53}, (400, "validation_error")),
        ({"amount": -(2**53)}, (400, "validation_error")),
        ({"reason": ""}, (400, "validation_error")),
        ({"currency": "EUR"}, (422, "currency_mismatch")),
        ({"amount": -1_001}, (422, "insufficient_funds")),
        ({"note": "x"}, (400, "unknown_field")),
    ],
)
def test_when_a_correction_can_not_be_asked_for_then_nothing_moves(wallet_id, changed, expected):
    support = ApiClient(someone("support"))
    body = {"amount": 5, "currency": "USD", "reason": "a slip", **changed}

    with nothing_moves():
        answer = support.post(f"/admin/wallets/{wallet_id}/adjustments", body)

    assert problem(answer) == expected


def test_when_a_correction_can_not_be_decided_then_it_says_why_and_nothing_moves(wallet_id):
    finance, other = ApiClient(someone("finance")), ApiClient(someone("admin"))
    asked = finance.post(
        f"/admin/wallets/{wallet_id}/adjustments", {"amount": 5, "currency": "USD", "reason": "a slip"}
    )
    path = f"/admin/adjustments/{asked.json()['id']}"

    with nothing_moves():
        own = [finance.post(f"{path}/approve"), finance.post(f"{path}/reject", {"reason": "x"})]
        nobody_s = other.post(f"/admin/adjustments/{uuid7()}/approve")
    other.post(f"{path}/approve")
    with nothing_moves():
        late = [finance.post(f"{path}/approve"), other.post(f"{path}/reject", {"reason": "x"})]

    assert [problem(answer) for answer in own] == [(422, "self_approval")] * 2
    assert problem(nobody_s) == (404, "not_found")
    assert [problem(answer) for answer in late] == [(409, "adjustment_not_pending")] * 2


def test_when_corrections_are_listed_then_they_come_newest_first_and_by_status_and_wallet(wallet_id):
    support, other = ApiClient(someone("support")), new_wallet()
    made = [
        support.post(
            f"/admin/wallets/{wallet}/adjustments", {"amount": 5, "currency": "USD", "reason": "a slip"}
        ).json()["id"]
        for wallet in (wallet_id, wallet_id, other)
    ]
    ApiClient(someone("finance")).post(f"/admin/adjustments/{made[1]}/approve")
    auditor = ApiClient(someone("auditor"))

    def ids(query: str) -> list[str]:
        return [each["id"] for each in auditor.get(f"/admin/adjustments{query}").json()["results"]]

    assert ids("") == made[::-1]
    assert ids("?status=pending") == [made[2], made[0]]
    assert ids(f"?wallet_id={wallet_id}") == made[1::-1]
    page = auditor.get("/admin/adjustments?limit=2").json()
    following = auditor.get(page["next"].partition("/api/v1")[2]).json()
    assert [each["id"] for each in following["results"]] == made[:1]


def test_when_a_correction_is_repeated_under_its_key_then_it_is_one(wallet_id):
    support = ApiClient(someone("support"))
    path, body = f"/admin/wallets/{wallet_id}/adjustments", {"amount": -5, "currency": "USD", "reason": "x"}

    first, second = (support.post(path, body, key="once") for _ in range(2))

    assert (second.content, second["Idempotent-Replayed"]) == (first.content, "true")
    assert money_of(wallet_id) == (1_000, 5)
