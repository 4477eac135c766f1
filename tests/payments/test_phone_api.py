"""Payments by phone and payment methods over HTTP, as the API promises them."""

import json
from typing import Any

import pytest

from events.models import AuditEntry
from payments.models import Payment, PaymentSession, SavedMethod
from tests.payments.conftest import Caller
from tests.payments.customers import DECLINED, TIMES_OUT, Customer
from tests.payments.phones import given_by_phone
from tokens.models import PaymentToken
from transactions.models import IdempotencyKey

PATHS = ("apple-pay", "google-pay")
REQUESTS = {"apple-pay": "payment_request", "google-pay": "payment_data_request"}
METHOD_FIELDS = [
    "token_id",
    "type",
    "brand",
    "last4",
    "exp_month",
    "exp_year",
    "status",
    "is_default",
    "created_at",
]


def init(caller: Caller, customer: Customer, path: str = "apple-pay", **changes: Any) -> Any:
    body = {"wallet_id": str(customer.wallet_id), "amount": 2500, "currency": "USD", **changes}
    return caller.post(f"/payment/{path}/init", body)


def opened(caller: Caller, customer: Customer, path: str = "apple-pay") -> PaymentSession:
    return PaymentSession.objects.get(id=init(caller, customer, path).json()["session_id"])


def process(
    caller: Caller, session: PaymentSession, *, key: str = "pay-1", number: str = "", **changes: Any
) -> Any:
    path = session.scheme.replace("_", "-")
    given = given_by_phone(session, number) if number else given_by_phone(session)
    body = {"session_id": str(session.id), "payment_data": given, **changes}
    return caller.post(f"/payment/{path}/process", body, key=key)


def methods_path(customer: Customer) -> str:
    return f"/wallet/{customer.wallet_id}/payment-methods"


@pytest.mark.parametrize("path", PATHS)
def test_when_a_session_is_opened_then_201_has_what_the_phone_is_to_be_asked(customer, as_customer, path):
    response = init(as_customer, customer, path)

    session = PaymentSession.objects.get(user=customer.user)
    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    assert list(response.json()) == ["session_id", "expires_at", REQUESTS[path]]
    assert response.json()["session_id"] == str(session.id)
    assert response.json()["expires_at"].endswith("Z")
    assert session.request_id == response["X-Request-ID"]


def test_when_the_opening_is_repeated_with_its_key_then_there_is_one_session(customer, as_customer):
    body = {"wallet_id": str(customer.wallet_id), "amount": 2500, "currency": "USD"}

    first = as_customer.post("/payment/apple-pay/init", body, key="init-1")
    again = as_customer.post("/payment/apple-pay/init", body, key="init-1")

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert PaymentSession.objects.filter(user=customer.user).count() == 1


def test_when_the_stored_bytes_are_gone_then_a_repeated_opening_is_shown_anew(customer, as_customer):
    body = {"wallet_id": str(customer.wallet_id), "amount": 2500, "currency": "USD"}
    first = as_customer.post("/payment/google-pay/init", body, key="init-1")
    IdempotencyKey.objects.filter(principal=customer.actor).update(body=None)

    again = as_customer.post("/payment/google-pay/init", body, key="init-1")

    assert (again.status_code, again.json()) == (201, first.json())


def test_when_an_automatic_top_up_is_asked_for_then_the_phone_is_asked_for_that(customer, as_customer):
    reload = {"threshold": 500, "amount": 2000}

    apples = init(as_customer, customer, automatic_reload=reload).json()["payment_request"]
    googles = init(as_customer, customer, "google-pay", automatic_reload=reload).json()[
        "payment_data_request"
    ]

    billing = apples["automaticReloadPaymentRequest"]["automaticReloadBilling"]
    assert (billing["amount"], billing["automaticReloadPaymentThresholdAmount"]) == ("20.00", "5.00")
    assert googles["automaticReloadTransactionInfo"]["reloadAmount"] == "20.00"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": 2.5}, "amount"),
        ({"amount": "25"}, "amount"),
        ({"currency": "usd"}, "currency"),
        ({"wallet_id": "mine"}, "wallet_id"),
        ({"automatic_reload": {"threshold": -1, "amount": 5}}, "automatic_reload.threshold"),
        ({"automatic_reload": {"threshold": 5}}, "automatic_reload.amount"),
    ],
)
def test_when_the_opening_is_malformed_then_the_field_is_named(customer, as_customer, changes, field):
    response = init(as_customer, customer, **changes)

    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert not PaymentSession.objects.filter(user=customer.user).exists()


@pytest.mark.parametrize("path", PATHS)
def test_when_the_phone_pays_then_201_shows_the_payment_and_the_new_balance(customer, as_customer, path):
    session = opened(as_customer, customer, path)

    response = process(as_customer, session, save=True)

    payment = Payment.objects.get(wallet_id=customer.wallet_id)
    assert response.status_code == 201
    assert response.json() == {
        "payment_id": str(payment.id),
        "transaction_id": str(payment.transaction_id),
        "wallet_id": str(customer.wallet_id),
        "status": "succeeded",
        "amount": 2500,
        "currency": "USD",
        "token_id": str(payment.token_id),
        "new_balance": 2500,
        "next_action": None,
    }
    assert as_customer.get(f"/payment/{payment.id}").json()["method"] == path.replace("-", "_")
    assert as_customer.get(f"/tokens/{payment.token_id}").json()["last4"] == "4242"


def test_when_the_card_wasn_t_to_be_saved_then_its_token_is_gone(customer, as_customer):
    token_id = process(as_customer, opened(as_customer, customer)).json()["token_id"]

    response = as_customer.get(f"/tokens/{token_id}")

    assert (response.status_code, response.json()["code"]) == (410, "token_deleted")
    assert as_customer.get("/tokens").json()["results"] == []


def test_when_the_bank_says_no_or_nothing_then_402_or_202(customer, as_customer):
    declined = process(as_customer, opened(as_customer, customer), number=DECLINED, key="pay-1")
    unknown = process(as_customer, opened(as_customer, customer), number=TIMES_OUT, key="pay-2")

    assert (declined.status_code, declined.json()["code"]) == (402, "payment_declined")
    assert declined.json()["instance"] == "/api/v1/payment/apple-pay/process"
    assert (unknown.status_code, unknown.json()["status"]) == (202, "pending")


def test_when_there_is_no_key_then_nothing_is_charged(customer, as_customer):
    session = opened(as_customer, customer)
    before = customer.books()

    response = process(as_customer, session, key="")

    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")
    assert customer.books() == before


def test_when_the_call_is_repeated_then_it_is_answered_byte_for_byte(customer, as_customer):
    session = opened(as_customer, customer)
    body = {"session_id": str(session.id), "payment_data": given_by_phone(session)}

    first = as_customer.post("/payment/apple-pay/process", body, key="pay-1")
    again = as_customer.post("/payment/apple-pay/process", body, key="pay-1")

    assert (again.status_code, again.content) == (201, first.content)
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")


def test_when_the_request_names_an_amount_then_it_is_refused(customer, as_customer):
    session = opened(as_customer, customer)

    response = process(as_customer, session, amount=1)

    assert (response.status_code, response.json()["code"]) == (400, "unknown_field")
    assert customer.balance == 0


@pytest.mark.parametrize(
    "given", [{}, {"paymentData": {}}, {"paymentMethodData": {"tokenizationData": {"token": "x"}}}]
)
@pytest.mark.parametrize("path", PATHS)
def test_when_the_token_is_not_one_then_400_and_the_session_stays_open(customer, as_customer, path, given):
    session = opened(as_customer, customer, path)

    response = process(as_customer, session, payment_data=given)

    assert response.status_code == 400
    assert response.json()["code"].startswith("payment_token_")
    assert as_customer.get(f"/payment/session/{session.id}").json()["status"] == "open"
    assert customer.payments == []


def test_when_a_session_is_read_then_it_shows_where_it_stands(customer, as_customer):
    session = opened(as_customer, customer)
    path = f"/payment/session/{session.id}"
    before = as_customer.get(path)
    unchanged = as_customer.get(path, **{"If-None-Match": before["ETag"]})
    payment_id = process(as_customer, session).json()["payment_id"]

    after = as_customer.get(path, **{"If-None-Match": before["ETag"]})

    assert before.json() == {
        "id": str(session.id),
        "wallet_id": str(customer.wallet_id),
        "method": "apple_pay",
        "amount": 2500,
        "currency": "USD",
        "status": "open",
        "payment_id": None,
        "created_at": before.json()["created_at"],
        "expires_at": before.json()["expires_at"],
    }
    assert (unchanged.status_code, after.status_code) == (304, 200)
    assert (after.json()["status"], after.json()["payment_id"]) == ("consumed", payment_id)


def test_when_a_session_is_cancelled_then_204_and_it_pays_no_more(customer, as_customer):
    session = opened(as_customer, customer)

    cancelled = as_customer.client.delete(
        f"/api/v1/payment/session/{session.id}", headers=as_customer.headers
    )

    assert cancelled.status_code == 204
    assert as_customer.get(f"/payment/session/{session.id}").json()["status"] == "cancelled"
    refused = process(as_customer, session)
    assert (refused.status_code, refused.json()["code"]) == (409, "session_consumed")


def test_when_a_service_client_pays_for_a_customer_then_it_may(customer):
    service = Caller(role="service")
    session = opened(service, customer)

    response = process(service, session)

    assert (response.status_code, customer.balance) == (201, 2500)
    assert Payment.objects.get(wallet_id=customer.wallet_id).actor.startswith("service:")


@pytest.mark.parametrize("path", PATHS)
def test_when_a_phone_s_card_is_saved_without_a_payment_then_it_is_a_token_and_its_proof_is_used_up(
    customer, as_customer, path
):
    given = given_by_phone(opened(as_customer, customer, path))

    first = as_customer.post(f"/tokens/{path}", {"payment_data": given})
    again = as_customer.post(f"/tokens/{path}", {"payment_data": given})

    token = PaymentToken.objects.get(user=customer.user)
    assert (first.status_code, first.json()["id"], first.json()["type"]) == (
        201,
        str(token.id),
        path.replace("-", "_"),
    )
    assert (again.status_code, again.json()["code"]) == (409, "payment_token_used")
    assert customer.top_up(token.id, 100).status == 201


def test_when_a_service_client_names_no_customer_then_it_saves_no_card(customer, as_customer):
    given = given_by_phone(opened(as_customer, customer))

    response = Caller(role="service").post("/tokens/apple-pay", {"payment_data": given})

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "user_id")
    assert not PaymentToken.objects.filter(user=customer.user).exists()


def test_when_methods_are_added_chosen_and_removed_then_the_list_shows_it(customer, as_customer):
    first, second = customer.card(), customer.card()
    path = methods_path(customer)

    added = [as_customer.post(path, {"token_id": str(card.id)}) for card in (first, second)]
    chosen = as_customer.post(f"{path}/{second.id}/default", {})
    listed = as_customer.get(path).json()
    removed = as_customer.client.delete(f"/api/v1{path}/{second.id}", headers=as_customer.headers)
    left = as_customer.get(path).json()["results"]

    assert [(answer.status_code, answer.json()["is_default"]) for answer in added] == [
        (201, True),
        (201, False),
    ]
    assert list(added[0].json()) == METHOD_FIELDS
    assert (chosen.status_code, chosen.json()["is_default"]) == (200, True)
    assert [(method["token_id"], method["is_default"]) for method in listed["results"]] == [
        (str(second.id), True),
        (str(first.id), False),
    ]
    assert (listed["next"], listed["previous"], removed.status_code) == (None, None, 204)
    assert [(method["token_id"], method["is_default"]) for method in left] == [(str(first.id), True)]


def test_when_there_are_many_methods_then_they_come_in_pages_and_the_default_is_known_on_each(
    customer, as_customer
):
    for card in [customer.card() for _ in range(3)]:
        as_customer.post(methods_path(customer), {"token_id": str(card.id)})

    first = as_customer.get(f"{methods_path(customer)}?limit=2").json()
    second = as_customer.get(first["next"].partition("/api/v1")[2]).json()

    assert [method["is_default"] for method in first["results"]] == [False, False]
    assert [method["is_default"] for method in second["results"]] == [True]


def test_when_a_method_is_removed_twice_then_there_is_none_the_second_time(customer, as_customer):
    card = customer.card()
    as_customer.post(methods_path(customer), {"token_id": str(card.id)})
    path = f"/api/v1{methods_path(customer)}/{card.id}"

    statuses = [as_customer.client.delete(path, headers=as_customer.headers).status_code for _ in range(2)]

    assert statuses == [204, 404]
    assert SavedMethod.objects.filter(wallet_id=customer.wallet_id).count() == 0


def test_when_payments_are_made_then_no_book_but_the_vault_has_seen_the_number(customer, as_customer):
    process(as_customer, opened(as_customer, customer), save=True)

    trail = json.dumps(list(AuditEntry.objects.filter(actor=customer.actor).values()), default=str)
    assert "4242424242424242" not in trail
