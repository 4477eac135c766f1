"""Merchant sessions over HTTP: for the owner of a payment session that can still pay, new each time."""

import json
from datetime import timedelta
from typing import Any

import time_machine

from events.clock import now
from payments.sessions import cancel_session
from tests.payments.conftest import Caller
from tests.payments.customers import Customer
from tests.payments.phones import new_session
from tests.payments.schemes.apple_gateway import SESSION, Gateway


def ask(caller: Caller, session_id: Any, url: str, *, key: str = "") -> Any:
    return caller.post(f"/payment/session/{session_id}/merchant-session", {"validation_url": url}, key=key)


def refused(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_when_the_owner_asks_then_apples_answer_is_handed_on_and_asked_for_anew_each_time(
    customer: Customer, as_customer: Caller, apple_gateway: Gateway
) -> None:
    session = new_session(customer)
    before = customer.books()

    answers = [ask(as_customer, session.id, apple_gateway.url()) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json() for answer in answers] == [SESSION, SESSION]
    assert {answer["Cache-Control"] for answer in answers} == {"no-store"}
    assert len(apple_gateway.received) == 2
    assert customer.books() == before


def test_when_a_key_is_repeated_then_the_first_answer_is_and_apple_is_asked_once(
    customer: Customer, as_customer: Caller, apple_gateway: Gateway
) -> None:
    session = new_session(customer)
    first = ask(as_customer, session.id, apple_gateway.url(), key="page-1")

    again = ask(as_customer, session.id, apple_gateway.url(), key="page-1")
    other = ask(as_customer, session.id, apple_gateway.url("/paymentservices/startSession"), key="page-1")

    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert refused(other) == (422, "idempotency_key_reused")
    assert len(apple_gateway.received) == 1


def test_when_apple_gives_none_then_the_key_is_free_for_another_attempt(
    customer: Customer, as_customer: Caller, apple_gateway: Gateway
) -> None:
    session = new_session(customer)
    apple_gateway.status = 500
    failed = ask(as_customer, session.id, apple_gateway.url(), key="page-1")
    apple_gateway.status = 200

    again = ask(as_customer, session.id, apple_gateway.url(), key="page-1")

    assert refused(failed) == (502, "provider_error")
    assert (again.status_code, again.json()) == (200, SESSION)


def test_when_somebody_else_asks_or_the_session_is_googles_then_it_is_not_found(
    customer: Customer, as_customer: Caller, apple_gateway: Gateway
) -> None:
    stranger = Caller(user=Customer.with_wallet("USD").user)

    theirs = ask(stranger, new_session(customer).id, apple_gateway.url())
    googles = ask(as_customer, new_session(customer, "google_pay").id, apple_gateway.url())

    assert refused(theirs) == (404, "not_found")
    assert refused(googles) == (404, "not_found")
    assert apple_gateway.received == []


def test_when_the_session_can_not_pay_any_more_then_apple_is_not_asked(
    customer: Customer, as_customer: Caller, apple_gateway: Gateway
) -> None:
    cancelled, late = new_session(customer), new_session(customer)
    cancel_session(
        session_id=cancelled.id, owner_id=customer.user.id, actor=customer.actor, call=customer.call("")
    )
    consumed = refused(ask(as_customer, cancelled.id, apple_gateway.url()))
    with time_machine.travel(now() + timedelta(minutes=14, seconds=59), tick=False):
        in_time = ask(Caller(user=customer.user), late.id, apple_gateway.url())
    with time_machine.travel(late.expires_at, tick=False):
        expired = refused(ask(Caller(user=customer.user), late.id, apple_gateway.url()))

    assert consumed == (409, "session_consumed")
    assert in_time.status_code == 200
    assert expired == (410, "session_expired")
    assert len(apple_gateway.received) == 1


def test_when_the_url_is_not_apples_then_the_field_is_named_and_nobody_is_called(
    customer: Customer, as_customer: Caller, apple_gateway: Gateway
) -> None:
    session = new_session(customer)

    for url in ("https://evil.example/paymentservices/startSession", "file:///etc/passwd", "x" * 301, ""):
        response = ask(as_customer, session.id, url)
        assert refused(response) == (400, "validation_error")
        assert [error["field"] for error in response.json()["errors"]] == ["validation_url"]

    assert apple_gateway.received == []


def test_when_pages_are_not_set_up_then_it_says_so(customer: Customer, as_customer: Caller) -> None:
    session = new_session(customer)

    response = ask(
        as_customer, session.id, "https://apple-pay-gateway.apple.com/paymentservices/startSession"
    )

    assert refused(response) == (422, "scheme_unavailable")
    assert "apple" not in json.dumps(response.json()["errors"])
