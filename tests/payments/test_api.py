"""Funding and payments over HTTP, as the API promises them."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from celery import current_app
from django.db import connection
from uuid_utils.compat import uuid7

from payments.models import Payment
from tests.payments.conftest import Caller
from tests.payments.customers import DECLINED, TIMES_OUT, Customer, sweep_later, unkeyed
from transactions.models import IdempotencyKey, Transaction
from wallets.lifecycle import suspend_wallet

PAYMENT_FIELDS = [
    "id",
    "wallet_id",
    "transaction_id",
    "amount",
    "currency",
    "method",
    "token_id",
    "status",
    "decline_code",
    "refunded_amount",
    "next_action",
    "created_at",
    "completed_at",
]


def fund_body(saved_id, **changes):
    return {"amount": 2500, "currency": "USD", "token_id": str(saved_id), **changes}


def fund_path(customer: Customer) -> str:
    return f"/wallet/{customer.wallet_id}/fund"


def test_when_a_wallet_is_funded_then_201_shows_the_payment_and_the_new_balance(customer, as_customer):
    token = customer.card()

    response = as_customer.post(fund_path(customer), fund_body(token.id), key="fund-1")

    payment = Payment.objects.get(wallet_id=customer.wallet_id)
    assert response.status_code == 201
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert response.json() == {
        "payment_id": str(payment.id),
        "transaction_id": str(payment.transaction_id),
        "wallet_id": str(customer.wallet_id),
        "status": "succeeded",
        "amount": 2500,
        "currency": "USD",
        "token_id": str(token.id),
        "new_balance": 2500,
        "next_action": None,
    }
    assert payment.actor == customer.actor
    assert payment.request_id == response["X-Request-ID"]


def test_when_it_is_declined_then_402_is_a_problem_and_is_replayed_byte_for_byte(customer, as_customer):
    token = customer.card(DECLINED)

    first = as_customer.post(fund_path(customer), fund_body(token.id), key="fund-1")
    again = as_customer.post(fund_path(customer), fund_body(token.id), key="fund-1")

    problem = first.json()
    assert first.status_code == again.status_code == 402
    assert first["Content-Type"] == again["Content-Type"] == "application/problem+json"
    assert again.content == first.content
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert problem["type"].endswith("/docs/errors/payment_declined")
    assert (problem["code"], problem["decline_code"], problem["advice"]) == (
        "payment_declined",
        "generic_decline",
        "ask_customer",
    )
    assert problem["instance"] == f"/api/v1{fund_path(customer)}"
    assert problem["request_id"] == first["X-Request-ID"] != again["X-Request-ID"]
    assert customer.balance == 0


def test_when_the_outcome_is_unknown_then_202_is_pending_and_the_payment_shows_the_end(customer, as_customer):
    token = customer.card(TIMES_OUT)

    response = as_customer.post(fund_path(customer), fund_body(token.id), key="fund-1")

    assert (response.status_code, response.json()["status"]) == (202, "pending")
    path = f"/payment/{response.json()['payment_id']}"
    pending = as_customer.get(path).json()
    assert (pending["status"], pending["completed_at"]) == ("pending", None)
    sweep_later(6)
    found = as_customer.get(path).json()
    assert (found["status"], found["transaction_id"]) == ("succeeded", response.json()["transaction_id"])
    assert found["completed_at"].endswith("Z")
    assert customer.balance == 2500


def test_when_the_first_answers_bytes_are_kept_no_longer_then_the_payment_is_shown_as_it_is(
    customer, as_customer
):
    token = customer.card(TIMES_OUT)
    as_customer.post(fund_path(customer), fund_body(token.id), key="fund-1")
    sweep_later(6)
    IdempotencyKey.objects.filter(principal=customer.actor).update(body=None)

    again = as_customer.post(fund_path(customer), fund_body(token.id), key="fund-1")

    assert (again.status_code, again.json()["status"], again.json()["new_balance"]) == (
        202,
        "succeeded",
        2500,
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 25.5}, "amount"),
        ({"amount": "2500"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": 2**53}, "amount"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "XAU"}, "currency"),
        ({"token_id": "card"}, "token_id"),
        ({"ammount": 1}, "ammount"),
        ({"description": "x" * 501}, "description"),
    ],
)
def test_when_the_body_is_wrong_then_400_names_the_field_and_nothing_moves(
    customer, as_customer, changes, field
):
    token = customer.card()
    before = customer.books()

    response = as_customer.post(fund_path(customer), fund_body(token.id, **changes), key="fund-1")

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert customer.books() == before


def test_when_there_is_no_key_then_400_and_nothing_moves(customer, as_customer):
    token = customer.card()
    before = customer.books()

    response = as_customer.post(fund_path(customer), fund_body(token.id))

    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")
    assert customer.books() == before


def test_when_the_key_was_another_requests_then_422_and_nothing_moves(customer, as_customer):
    token = customer.card()
    as_customer.post(fund_path(customer), fund_body(token.id), key="fund-1")
    before = customer.books()

    response = as_customer.post(fund_path(customer), fund_body(token.id, amount=2600), key="fund-1")

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert customer.books() == before


def test_when_the_wallet_is_suspended_then_409_and_the_key_is_not_remembered(customer, as_customer):
    token = customer.card()
    suspend_wallet(wallet_id=customer.wallet_id, actor="support:test", reason="looked at", call=unkeyed())
    before = customer.books()

    response = as_customer.post(fund_path(customer), fund_body(token.id), key="fund-1")

    assert (response.status_code, response.json()["code"]) == (409, "wallet_suspended")
    assert customer.books() == before


@pytest.mark.parametrize("role", ["support", "finance", "auditor"])
def test_when_staff_without_the_permission_fund_then_403_and_nothing_moves(customer, role):
    token = customer.card()
    before = customer.books()

    response = Caller(role=role).post(fund_path(customer), fund_body(token.id), key="fund-1")

    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert customer.books() == before


def test_when_a_service_client_funds_a_customers_wallet_then_it_may(customer):
    service = Caller(role="service")

    response = service.post(fund_path(customer), fund_body(customer.card().id), key=str(uuid7()))

    assert (response.status_code, customer.balance) == (201, 2500)


def test_when_it_is_somebody_elses_then_404_has_the_same_body_as_for_what_does_not_exist(
    customer, as_customer
):
    other = Customer.with_wallet("USD")
    other.top_up(other.card().id, 100)
    theirs = other.payments[0]
    before = other.books()
    token = customer.card()

    answers = [
        as_customer.post(f"/wallet/{wallet_id}/fund", fund_body(token.id), key="fund-1").json()
        for wallet_id in (other.wallet_id, uuid7())
    ]
    reads = [as_customer.get(f"/payment/{payment_id}").json() for payment_id in (theirs.id, uuid7())]
    lists = [as_customer.get(f"/payment?wallet_id={named}").json() for named in (other.wallet_id, uuid7())]

    for one, another in (answers, reads, lists):
        ours = ("instance", "request_id")
        assert one["code"] == "not_found"
        assert {k: v for k, v in one.items() if k not in ours} == {
            k: v for k, v in another.items() if k not in ours
        }
    assert other.books() == before


def test_when_a_token_of_somebody_else_is_named_then_404_and_nothing_moves(customer, as_customer):
    other = Customer.with_wallet("USD")
    before = customer.books()

    response = as_customer.post(fund_path(customer), fund_body(other.card().id), key="fund-1")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert customer.books() == before


def test_when_a_payment_is_read_then_it_has_the_promised_fields_and_an_etag(customer, as_customer):
    customer.top_up(customer.card().id, 2500)
    payment = customer.payments[0]

    response = as_customer.get(f"/payment/{payment.id}")
    unchanged = as_customer.get(f"/payment/{payment.id}", **{"If-None-Match": response["ETag"]})

    assert list(response.json()) == PAYMENT_FIELDS
    assert response.json()["method"] == "card"
    assert response.json()["refunded_amount"] == 0
    assert response.json()["decline_code"] is None
    assert unchanged.status_code == 304


def test_when_payments_are_listed_then_pages_go_newest_first_and_keep_the_wallet(customer, as_customer):
    token = customer.card()
    for amount in (100, 200, 300):
        customer.top_up(token.id, amount)
    other = Customer.with_wallet("USD")
    other.top_up(other.card().id, 400)

    first = as_customer.get(f"/payment?wallet_id={customer.wallet_id}&limit=2").json()
    path = first["next"].partition("/api/v1")[2]
    second = as_customer.get(path).json()
    everything = as_customer.get("/payment").json()

    assert [payment["amount"] for payment in first["results"]] == [300, 200]
    assert [payment["amount"] for payment in second["results"]] == [100]
    assert (first["previous"], second["next"]) == (None, None)
    assert [payment["amount"] for payment in everything["results"]] == [300, 200, 100]


def test_when_an_unknown_parameter_is_given_then_400_names_it(as_customer):
    response = as_customer.get("/payment?walet_id=1")

    assert (response.status_code, response.json()["code"]) == (400, "unknown_parameter")


def test_when_eight_requests_race_with_one_key_then_one_charge_is_made_and_the_bytes_are_one(customer):
    token = customer.card()
    start = Barrier(8)

    def race(_racer: int) -> tuple[int, bytes]:
        try:
            caller = Caller(user=customer.user)
            start.wait(timeout=10)
            response = caller.post(fund_path(customer), fund_body(token.id), key="fund-1")
            return response.status_code, response.content
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as racers:
        answers = set(racers.map(race, range(8)))

    assert len(answers) == 1
    status, body = answers.pop()
    assert (status, json.loads(body)["new_balance"]) == (201, 2500)
    assert (customer.balance, customer.charged) == (2500, 2500)
    assert Transaction.objects.filter(account_id=customer.wallet_id).count() == 1


def test_when_the_transactions_history_is_asked_then_it_tells_pending_and_completed(customer, as_customer):
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    payment = customer.payments[0]
    sweep_later(6)

    trail = as_customer.get(f"/transactions/{payment.transaction_id}/audit").json()

    changes = [(change["from"], change["to"], change["by"]) for change in trail["results"]]
    assert sorted(changes, key=lambda change: change[0] is not None) == [
        (None, "pending", customer.actor),
        ("pending", "completed", "system:reconciliation"),
    ]


def test_when_the_outcome_is_unknown_then_a_bell_is_rung_for_it_once(
    customer, as_customer, settings, monkeypatch
):
    settings.REDIS_URL = "redis://broker.invalid"
    rung = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args, **_options: rung.append((name, args)))
    path, known = f"/wallet/{customer.wallet_id}/fund", customer.card().id
    body = {"amount": 2500, "currency": "USD", "token_id": str(customer.card(TIMES_OUT).id)}

    as_customer.post(path, {**body, "token_id": str(known)}, key="known")
    unknown = [as_customer.post(path, body, key="unknown").json() for _ in range(2)]

    assert rung == [("payments.reconcile_payment", (unknown[0]["payment_id"],))]
