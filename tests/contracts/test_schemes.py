"""What every scheme does, one suite for all: each is given tokens by its phone and refuses all that isn't one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings

from payments.refusals import PaymentTokenExpired, PaymentTokenInvalid, SchemeUnavailable
from payments.schemes import sandbox_phone
from payments.schemes.contract import Scheme, SessionFacts
from payments.schemes.registry import SCHEMES, scheme_of
from transactions.money import Money

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
SESSION = SessionFacts(
    id=UUID("01900000-0000-7000-8000-000000000001"), amount=Money(2500, "USD"), nonce="a" * 43
)
CARD = sandbox_phone.card_in_phone("4242424242424242", at=NOW)
GARBAGE: list[Any] = [
    {},
    {"paymentData": []},
    {"paymentData": {"version": "EC_v1"}, "transactionIdentifier": 5},
    {"paymentMethodData": {"tokenizationData": {"token": "{"}}},
    {"paymentMethodData": {"tokenizationData": {"token": "[" * 30_000}}},
    {"paymentMethodData": {"tokenizationData": {"token": '{"protocolVersion": "ECv2"}'}}},
    {"paymentMethodData": None, "paymentData": None},
]


def by_iphone(at: datetime) -> dict[str, Any]:
    return sandbox_phone.apple_payment_data(session=SESSION, card=CARD, at=at)


def by_android(at: datetime) -> dict[str, Any]:
    return sandbox_phone.google_payment_data(card=CARD, at=at)


PHONES: dict[str, Callable[[datetime], dict[str, Any]]] = {"apple_pay": by_iphone, "google_pay": by_android}


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return scheme_of(request.param)


@pytest.fixture
def in_production(settings: Any) -> None:
    settings.SANDBOX = False
    settings.GOOGLE_PAY_ENVIRONMENT = "PRODUCTION"


def token_for(scheme: Scheme, at: datetime = NOW) -> dict[str, Any]:
    return PHONES[scheme.name](at)


def test_when_the_registry_is_asked_then_the_scheme_answers_to_its_name(scheme: Scheme) -> None:
    assert scheme_of(scheme.name).name == scheme.name


def test_when_a_phone_pays_then_its_card_and_a_cryptogram_for_one_charge_come_out(scheme: Scheme) -> None:
    verified = scheme.verify(token_for(scheme), session=SESSION, now=NOW, decrypt=True)

    card = verified.device_card
    assert card is not None
    assert (card.number, card.exp_month, card.exp_year) == ("4242424242424242", 12, 2029)
    assert len(card.cryptogram) == 28
    assert (verified.scheme, verified.brand, verified.last4) == (scheme.name, "visa", "4242")


def test_when_the_vault_decrypts_then_the_token_is_verified_and_stays_closed(scheme: Scheme) -> None:
    verified = scheme.verify(token_for(scheme), session=SESSION, now=NOW, decrypt=False)

    assert verified.device_card is None
    assert 1 <= len(verified.replay_key) <= 512


def test_when_a_device_is_saved_without_a_payment_then_no_session_is_asked_for(scheme: Scheme) -> None:
    verified = scheme.verify(token_for(scheme), session=None, now=NOW, decrypt=True)

    assert verified.device_card is not None


@pytest.mark.parametrize("decrypt", [True, False], ids=["decrypted here", "decrypted by the vault"])
def test_when_one_token_is_verified_twice_then_its_replay_key_is_one_and_another_s_is_another(
    scheme: Scheme, decrypt: bool
) -> None:
    token, another = token_for(scheme), token_for(scheme)

    keys = [
        scheme.verify(given, session=SESSION, now=NOW, decrypt=decrypt).replay_key
        for given in (token, token, another)
    ]

    assert keys[0] == keys[1] != keys[2]


def test_when_a_token_is_of_yesterday_then_it_has_expired(scheme: Scheme) -> None:
    token = token_for(scheme, NOW - timedelta(days=1))

    with pytest.raises(PaymentTokenExpired):
        scheme.verify(token, session=SESSION, now=NOW, decrypt=True)


def test_when_a_verified_payment_is_printed_then_neither_card_nor_token_is_seen(scheme: Scheme) -> None:
    verified = scheme.verify(token_for(scheme), session=SESSION, now=NOW, decrypt=True)

    assert verified.device_card is not None
    for secret in ("4242424242424242", verified.device_card.cryptogram):
        assert secret not in repr(verified)


@pytest.mark.parametrize("given", GARBAGE, ids=range(len(GARBAGE)))
def test_when_it_is_no_token_then_it_is_refused_by_code(scheme: Scheme, given: Any) -> None:
    with pytest.raises(PaymentTokenInvalid):
        scheme.verify(given, session=SESSION, now=NOW, decrypt=True)


def test_when_a_token_has_no_business_here_then_the_vault_gets_only_what_was_verified(scheme: Scheme) -> None:
    token = {**token_for(scheme), "shippingContact": {"familyName": "Doe"}, "email": "a@example.com"}

    verified = scheme.verify(token, session=SESSION, now=NOW, decrypt=False)

    assert "Doe" not in str(verified.payload.payment_data)
    assert "a@example.com" not in str(verified.payload.payment_data)


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize("decrypt", [True, False])
def test_when_nothing_is_set_up_in_production_then_the_scheme_is_not_there(
    scheme: Scheme, decrypt: bool
) -> None:
    token = token_for(scheme)

    assert scheme.is_available(decrypt=decrypt) is False
    with pytest.raises(SchemeUnavailable):
        scheme.verify(token, session=SESSION, now=NOW, decrypt=decrypt)


def test_when_the_secret_of_the_installation_is_another_then_its_phones_are_strangers(
    scheme: Scheme, settings: Any
) -> None:
    settings.SECRET_KEY = "another " + django_settings.SECRET_KEY
    foreign = token_for(scheme)
    settings.SECRET_KEY = django_settings.SECRET_KEY.removeprefix("another ")

    with pytest.raises(PaymentTokenInvalid) as refused:
        scheme.verify(foreign, session=SESSION, now=NOW, decrypt=True)

    assert refused.value.check in ("intermediate_issuer", "intermediate_signature")
