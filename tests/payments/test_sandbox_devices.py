"""The sandbox's phones over HTTP: they pay for a session as real ones do, in the sandbox alone."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
from uuid_utils.compat import uuid7

from config.checks import served_routes
from events.clock import now
from payments.models import PaymentSession, UsedPaymentToken
from payments.schemes.contract import SessionFacts
from payments.schemes.registry import scheme_of
from tests.payments.customers import Customer
from tests.payments.schemes import apple_forge
from transactions.money import Money

ROOT = Path(__file__).resolve().parents[2]
PATHS = {"apple_pay": "/sandbox/devices/apple-pay", "google_pay": "/sandbox/devices/google-pay"}
SCHEMES = pytest.mark.parametrize("scheme", ["apple_pay", "google_pay"])


def open_session(customer: Customer, scheme: str) -> PaymentSession:
    at = now()
    return PaymentSession.objects.create(
        wallet_id=customer.wallet_id,
        user=customer.user,
        scheme=scheme,
        amount=2500,
        currency=customer.currency,
        nonce=uuid7().hex,
        actor=customer.actor,
        created_at=at,
        expires_at=at,
    )


def hold_phone(scheme: str, **body: Any) -> Any:
    return Client().post(PATHS[scheme], json.dumps(body), content_type="application/json")


def facts_of(session: PaymentSession) -> SessionFacts:
    return SessionFacts(id=session.id, amount=Money(session.amount, session.currency), nonce=session.nonce)


@SCHEMES
@pytest.mark.parametrize("number", ["4242424242424242", "4000000000000002", "378282246310005"])
def test_when_a_phone_is_held_to_a_session_then_what_it_gives_pays_that_session(
    customer: Customer, scheme: str, number: str
) -> None:
    session = open_session(customer, scheme)
    before = customer.books()

    response = hold_phone(scheme, session_id=str(session.id), card_number=number)

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    given = response.json()["payment_data"]
    verified = scheme_of(scheme).verify(given, session=facts_of(session), now=now(), decrypt=True)
    assert verified.device_card is not None
    assert verified.device_card.number == number
    assert customer.books() == before
    assert not UsedPaymentToken.objects.filter(used_for=session.id).exists()


@SCHEMES
def test_when_no_card_is_named_then_the_phone_has_one_that_succeeds(customer: Customer, scheme: str) -> None:
    session = open_session(customer, scheme)

    given = hold_phone(scheme, session_id=str(session.id)).json()["payment_data"]

    verified = scheme_of(scheme).verify(given, session=facts_of(session), now=now(), decrypt=True)
    assert verified.device_card is not None
    assert verified.device_card.number == "4242424242424242"


@SCHEMES
def test_when_a_phone_pays_twice_then_it_gives_two_tokens(customer: Customer, scheme: str) -> None:
    session = open_session(customer, scheme)

    keys = {
        scheme_of(scheme)
        .verify(
            hold_phone(scheme, session_id=str(session.id)).json()["payment_data"],
            session=facts_of(session),
            now=now(),
            decrypt=True,
        )
        .replay_key
        for _ in range(2)
    }

    assert len(keys) == 2


@SCHEMES
def test_when_there_is_no_such_session_or_one_of_the_other_scheme_then_it_is_not_found(
    customer: Customer, scheme: str
) -> None:
    other = open_session(customer, "google_pay" if scheme == "apple_pay" else "apple_pay")

    for session_id in (uuid7(), other.id):
        response = hold_phone(scheme, session_id=str(session_id))
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


@SCHEMES
@pytest.mark.parametrize("number", ["4242424242424241", "42", "", "4242 4242 4242 4242"])
def test_when_the_card_is_none_then_the_field_is_named(customer: Customer, scheme: str, number: str) -> None:
    session = open_session(customer, scheme)

    response = hold_phone(scheme, session_id=str(session.id), card_number=number)

    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert [error["field"] for error in response.json()["errors"]] == ["card_number"]


def test_when_a_real_root_is_configured_then_the_phones_say_that_they_are_strangers(
    customer: Customer, settings: Settings, tmp_path: Path
) -> None:
    root = tmp_path / "root.pem"
    root.write_bytes(apple_forge.CHAIN.root.public_bytes(apple_forge.Encoding.PEM))
    settings.APPLE_PAY_ROOT_CA = str(root)
    settings.GOOGLE_PAY_ROOT_KEYS = "https://keys.example.com/keys.json"

    for scheme in PATHS:
        response = hold_phone(scheme, session_id=str(open_session(customer, scheme).id))
        assert (response.status_code, response.json()["code"]) == (422, "scheme_unavailable")


def test_when_it_is_no_sandbox_then_there_are_no_such_paths(settings: Settings) -> None:
    settings.SANDBOX = True
    in_sandbox = {"/" + path for path, _ in served_routes(urls())}
    settings.SANDBOX = False
    in_production = {"/" + path for path, _ in served_routes(urls())}

    assert set(PATHS.values()) <= in_sandbox
    assert not {path for path in in_production if path.startswith("/sandbox")}
    assert in_production < in_sandbox


def urls() -> list[Any]:
    """The table of paths as a process reads it when it starts."""
    found: list[Any] = runpy.run_path(str(ROOT / "config" / "urls.py"))["urlpatterns"]
    return found
