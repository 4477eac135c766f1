"""The whole way over HTTP: a session, the sandbox's phone held to it, the wallet credited, and the token used up."""

import json
from typing import Any

import pytest
from django.test import Client
from uuid_utils.compat import uuid7

from tests.payments.conftest import Caller
from tests.payments.customers import Customer


@pytest.mark.parametrize("scheme", ["apple-pay", "google-pay"])
def test_when_nothing_is_configured_then_a_phone_of_the_sandbox_funds_a_wallet_once(
    customer: Customer, as_customer: Caller, scheme: str
) -> None:
    wanted = {"wallet_id": str(customer.wallet_id), "amount": 2500, "currency": "USD"}
    first, second = (
        as_customer.post(f"/payment/{scheme}/init", wanted).json()["session_id"] for _ in range(2)
    )
    given = held_to(scheme, first)

    paid = process(as_customer, scheme, first, given)
    replayed = process(as_customer, scheme, second, given)

    assert (paid.status_code, paid.json()["status"], paid.json()["new_balance"]) == (201, "succeeded", 2500)
    assert (replayed.status_code, replayed.json()["code"]) == (
        (400, "payment_token_mismatch") if scheme == "apple-pay" else (409, "payment_token_used")
    )
    assert (customer.balance, customer.charged) == (2500, 2500)


def held_to(scheme: str, session_id: str) -> Any:
    body = json.dumps({"session_id": session_id})
    answer = Client().post(f"/sandbox/devices/{scheme}", body, content_type="application/json")
    return answer.json()["payment_data"]


def process(caller: Caller, scheme: str, session_id: str, payment_data: Any) -> Any:
    body = {"session_id": session_id, "payment_data": payment_data}
    return caller.post(f"/payment/{scheme}/process", body, key=str(uuid7()))
