"""Refunds over HTTP: the contract's fields, codes and order, for customers and for staff."""

import csv
from io import StringIO
from typing import Any

import pytest

from payments.models import Payment, Refund
from payments.refund_execution import execute_due_refunds
from tests.factories.books import nothing_moves
from tests.factories.calls import ApiClient
from tests.factories.people import someone
from tests.payments.customers import Customer
from tests.payments.refunding import deposit_of, money_of, purchase_of

FIELDS = [
    "id",
    "transaction_id",
    "wallet_id",
    "amount",
    "currency",
    "reason",
    "notes",
    "status",
    "requested_by",
    "decided_by",
    "decided_at",
    "failure_code",
    "created_at",
    "completed_at",
]


@pytest.fixture
def owner(customer: Customer) -> ApiClient:
    return ApiClient(customer.user)


@pytest.fixture
def finance(committed: None) -> ApiClient:
    return ApiClient(someone("finance"))


@pytest.fixture
def payment(customer: Customer) -> Payment:
    return deposit_of(customer, 2500)


def body_for(payment: Payment, **changes: Any) -> dict[str, Any]:
    return {"transaction_id": str(payment.transaction_id), "reason": "customer_request", **changes}


@pytest.fixture
def asked(owner: ApiClient, payment: Payment) -> dict[str, Any]:
    return owner.post("/refunds", body_for(payment, amount=1000, notes="too bright")).json()


def test_when_a_customer_asks_then_it_is_created_pending_with_all_its_fields(customer, owner, payment):
    answer = owner.post("/refunds", body_for(payment, amount=1000, notes="too bright"))

    body = answer.json()
    assert (answer.status_code, list(body)) == (201, FIELDS)
    assert {name: body[name] for name in FIELDS if name not in ("id", "created_at")} == {
        "transaction_id": str(payment.transaction_id),
        "wallet_id": str(customer.wallet_id),
        "amount": 1000,
        "currency": "USD",
        "reason": "customer_request",
        "notes": "too bright",
        "status": "pending",
        "requested_by": str(customer.user.id),
        "decided_by": None,
        "decided_at": None,
        "failure_code": None,
        "completed_at": None,
    }
    assert owner.get(f"/refunds/{body['id']}").json() == body


def test_when_it_is_approved_and_executed_then_payment_refund_and_line_say_so(
    customer, owner, finance, payment, asked
):
    approved = finance.post(f"/admin/refunds/{asked['id']}/approve")
    execute_due_refunds(refund_id=Refund.objects.get(id=asked["id"]).id)

    done = owner.get(f"/refunds/{asked['id']}").json()
    assert (approved.status_code, approved.json()["status"]) == (200, "approved")
    assert approved.json()["decided_by"] is not None
    assert (done["status"], done["completed_at"] is None) == ("completed", False)
    shown = owner.get(f"/payment/{payment.id}").json()
    assert (shown["status"], shown["refunded_amount"]) == ("partially_refunded", 1000)
    lines = owner.get(f"/wallet/{customer.wallet_id}/transactions?type=refund").json()["results"]
    assert [(line["amount"], line["status"], line["refund_of"]) for line in lines] == [
        (-1000, "completed", str(payment.transaction_id))
    ]
    assert (lines[0]["payment_id"], money_of(customer)) == (str(payment.id), (1500, 0))


def test_when_it_is_rejected_then_it_says_by_whom_and_the_money_is_free(customer, owner, finance, asked):
    answer = finance.post(f"/admin/refunds/{asked['id']}/reject", {"reason": "used"})

    assert (answer.status_code, answer.json()["status"]) == (200, "rejected")
    assert owner.get(f"/refunds/{asked['id']}").json()["decided_by"] is not None
    assert money_of(customer) == (2500, 0)


def test_when_it_is_taken_back_then_it_is_cancelled(customer, owner, asked):
    answer = owner.post(f"/refunds/{asked['id']}/cancel")

    assert (answer.status_code, answer.json()["status"], money_of(customer)) == (200, "cancelled", (2500, 0))


def test_when_the_key_is_missing_then_nothing_moves(owner, payment):
    with nothing_moves():
        answer = owner.post("/refunds", body_for(payment), key=None)

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")


def test_when_the_request_is_repeated_then_the_bytes_are_the_same(owner, payment):
    first, second = (owner.post("/refunds", body_for(payment), key="refund-1") for _ in range(2))

    assert (second.status_code, second.content) == (201, first.content)
    assert second["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": "whim"}, "reason"),
        ({"reason": None}, "reason"),
        ({"amount": 0}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"amount": None}, "amount"),
        ({"transaction_id": "x"}, "transaction_id"),
        ({"notes": "x" * 501}, "notes"),
        ({"ammount": 1}, "ammount"),
    ],
)
def test_when_the_body_is_wrong_then_the_field_is_named_and_nothing_moves(owner, payment, changes, field):
    with nothing_moves():
        answer = owner.post("/refunds", body_for(payment, **changes))

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_when_it_can_not_be_refunded_then_the_code_says_why_and_nothing_moves(
    customer, owner, finance, payment, asked
):
    deposit_of(customer, 9000)
    refund_line = owner.get(f"/wallet/{customer.wallet_id}/transactions?type=refund").json()["results"][0]
    disputed = deposit_of(customer, 100)
    Payment.objects.filter(id=disputed.id).update(status="disputed")
    whole = deposit_of(customer, 100)
    owner.post("/refunds", body_for(whole))

    with nothing_moves():
        answers = {
            "more": owner.post("/refunds", body_for(payment, amount=1501)),
            "a refund": owner.post("/refunds", body_for(payment, transaction_id=refund_line["id"])),
            "disputed": owner.post("/refunds", body_for(disputed)),
            "again": owner.post("/refunds", body_for(whole)),
            "nothing": owner.post("/refunds", body_for(payment, transaction_id=str(payment.id))),
        }

    assert {name: refused(answer) for name, answer in answers.items()} == {
        "more": (422, "amount_exceeds_remaining"),
        "a refund": (422, "not_refundable"),
        "disputed": (409, "payment_disputed"),
        "again": (409, "already_refunded"),
        "nothing": (404, "not_found"),
    }
    assert answers["more"].json()["remaining"] == 1500


def test_when_the_deposit_was_spent_then_the_funds_are_insufficient(customer, owner, payment):
    purchase_of(customer, 2400)

    with nothing_moves():
        answer = owner.post("/refunds", body_for(payment))

    assert refused(answer) == (422, "insufficient_funds")


def test_when_staff_approve_their_own_request_then_it_is_self_approval(finance, payment):
    asked = finance.post("/refunds", body_for(payment)).json()

    with nothing_moves():
        answer = finance.post(f"/admin/refunds/{asked['id']}/approve")

    assert refused(answer) == (422, "self_approval")


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_when_it_is_decided_already_then_it_is_not_pending(owner, finance, asked, decision):
    finance.post(f"/admin/refunds/{asked['id']}/approve")
    body = {"reason": "x"} if decision == "reject" else {}

    with nothing_moves():
        answers = [finance.post(f"/admin/refunds/{asked['id']}/{decision}", body)]
        answers.append(owner.post(f"/refunds/{asked['id']}/cancel"))

    assert [refused(answer) for answer in answers] == [(409, "refund_not_pending")] * 2


def test_when_a_rejection_has_no_reason_then_nothing_moves(finance, asked):
    with nothing_moves():
        answer = finance.post(f"/admin/refunds/{asked['id']}/reject", {})

    assert refused(answer) == (400, "validation_error")


def test_when_support_decides_then_it_may_not(asked):
    support = ApiClient(someone("support"))

    with nothing_moves():
        answer = support.post(f"/admin/refunds/{asked['id']}/approve")

    assert refused(answer) == (403, "permission_denied")


def test_when_refunds_are_listed_then_each_sees_their_own_narrowed_as_asked(customer, owner, payment, asked):
    other = Customer.with_wallet("USD")
    theirs = deposit_of(other, 100)
    ApiClient(other.user).post("/refunds", body_for(theirs))
    second = owner.post("/refunds", body_for(payment, amount=1)).json()
    owner.post(f"/refunds/{second['id']}/cancel")

    def ids(query: str) -> list[str]:
        return [refund["id"] for refund in owner.get(f"/refunds{query}").json()["results"]]

    assert ids("") == [second["id"], asked["id"]]
    assert ids("?status=pending") == [asked["id"]]
    assert ids(f"?wallet_id={customer.wallet_id}&limit=1") == [second["id"]]
    assert ids(f"?transaction_id={payment.transaction_id}") == [second["id"], asked["id"]]
    assert refused(owner.get(f"/refunds?transaction_id={theirs.transaction_id}")) == (404, "not_found")


def test_when_staff_list_the_queue_then_it_is_everybody_s_page_by_page(customer, finance, asked):
    page = finance.get(f"/admin/refunds?status=pending&wallet_id={customer.wallet_id}").json()

    assert ([refund["id"] for refund in page["results"]], page["next"]) == ([asked["id"]], None)


def test_when_staff_export_the_queue_then_a_spreadsheet_reads_it_and_runs_nothing(
    customer, owner, finance, payment
):
    for amount, notes in ((1000, "=1+1"), (250, "too bright")):
        owner.post("/refunds", body_for(payment, amount=amount, notes=notes))

    answer = finance.get(f"/admin/refunds?format=csv&wallet_id={customer.wallet_id}")

    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(StringIO(text)))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert [(row["amount"], row["currency"], row["notes"], row["status"]) for row in rows] == [
        ("2.50", "USD", "too bright", "pending"),
        ("10.00", "USD", "'=1+1", "pending"),
    ]


def test_when_the_export_is_longer_than_a_page_then_all_of_it_comes(
    customer, owner, finance, payment, monkeypatch
):
    monkeypatch.setattr("payments.api.refunds.CSV_PAGE", 2)
    for _ in range(5):
        owner.post("/refunds", body_for(payment, amount=10))

    answer = finance.get(f"/admin/refunds?format=csv&wallet_id={customer.wallet_id}")

    assert b"".join(answer.streaming_content).count(b"\r\n") == 6
