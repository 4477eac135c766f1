"""Merchant sessions: only Apple's gateways are called, by TLS on both sides, and their answer goes on unchanged."""

import json
import socket
from typing import Any

import pytest

from payments.refusals import ProcessorFailed, ProcessorTimeout, ProcessorUnavailable, SchemeUnavailable
from payments.schemes import merchant_sessions
from tests.payments.schemes.apple_gateway import MERCHANT_ID, SESSION, Gateway
from tokens.providers import calls
from transactions.refusals import InvalidInput, Refusal


def test_when_a_page_asks_then_apple_is_told_who_we_are_and_its_answer_is_unchanged(
    apple_gateway: Gateway,
) -> None:
    session = apple_gateway.fetch()

    assert session == SESSION
    body = {
        "merchantIdentifier": MERCHANT_ID,
        "displayName": "Café Wallet",
        "initiative": "web",
        "initiativeContext": "wallet.example.com",
    }
    assert apple_gateway.received == [("/paymentservices/paymentSession", body, "our merchant")]


def test_when_apple_names_the_older_address_then_it_gets_the_older_body(apple_gateway: Gateway) -> None:
    apple_gateway.fetch("/paymentservices/startSession")

    body = {
        "merchantIdentifier": MERCHANT_ID,
        "displayName": "Café Wallet",
        "domainName": "wallet.example.com",
    }
    assert apple_gateway.received == [("/paymentservices/startSession", body, "our merchant")]


def test_when_a_page_asks_twice_then_so_is_apple(apple_gateway: Gateway) -> None:
    apple_gateway.fetch()
    apple_gateway.fetch()

    assert len(apple_gateway.received) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (417, b'{"statusMessage": "Payment Services Exception"}'),
        (302, b"{}"),
        (500, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
    ],
)
def test_when_apple_gives_none_then_the_provider_failed(
    apple_gateway: Gateway, status: int, body: bytes
) -> None:
    apple_gateway.status, apple_gateway.body = status, body

    with pytest.raises(ProcessorFailed) as refused:
        apple_gateway.fetch()

    assert refused.value.code == "provider_error"
    assert len(apple_gateway.received) == 1


def test_when_apple_says_too_much_or_too_late_then_it_is_a_time_out(
    apple_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    apple_gateway.body = b'{"a": "' + b"a" * 70_000 + b'"}'
    with pytest.raises(ProcessorTimeout):
        apple_gateway.fetch()

    apple_gateway.body, apple_gateway.wait_s = json.dumps(SESSION).encode(), 0.5
    monkeypatch.setattr(merchant_sessions, "_LIMITS", calls.Limits(read_s=0.1, total_s=0.2, attempts=1))
    with pytest.raises(ProcessorTimeout):
        apple_gateway.fetch()


def test_when_apple_can_not_be_reached_then_nothing_was_sent(
    apple_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"localhost:{free.getsockname()[1]}"
    monkeypatch.setattr(merchant_sessions, "HOSTS", frozenset({closed}))

    with pytest.raises(ProcessorUnavailable) as refused:
        merchant_sessions.fetch(validation_url=f"https://{closed}/paymentservices/paymentSession")

    assert refused.value.code == "unavailable"
    assert apple_gateway.received == []


@pytest.mark.parametrize(
    "missing", ["APPLE_PAY_MERCHANT_ID", "APPLE_PAY_MERCHANT_IDENTITY", "APPLE_PAY_DOMAIN"]
)
def test_when_we_are_not_registered_for_pages_then_apple_is_not_asked(
    apple_gateway: Gateway, settings: Any, missing: str
) -> None:
    setattr(settings, missing, "")

    with pytest.raises(SchemeUnavailable):
        apple_gateway.fetch()

    assert apple_gateway.received == []


@pytest.mark.parametrize("host", sorted(merchant_sessions.HOSTS))
def test_when_the_url_is_a_gateway_of_apples_then_it_is_taken(host: str) -> None:
    found = merchant_sessions.gateway_in(f"https://{host}/paymentservices/startSession")

    assert found == (f"https://{host}", "/paymentservices/startSession")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://apple-pay-gateway.apple.com/paymentservices/startSession",
        "https://apple-pay-gateway.apple.com.evil.example/x",
        "https://evil.example/?u=apple-pay-gateway.apple.com",
        "https://user@evil.example/apple-pay-gateway.apple.com",
        "https://apple-pay-gateway.apple.com:8443/x",
        "https://apple-pay-gateway.apple.com:443/x",
        "https://169.254.169.254/",
        "https://apple-pay-gateway.apple.com@evil.example/",
        "https://apple-pay-gateway.apple.com\\@evil.example/x",
        "https://evil.example\\.apple-pay-gateway.apple.com/x",
        "https://evil.example#apple-pay-gateway.apple.com/x",
        "https://APPLE-PAY-GATEWAY.APPLE.COM/x",
        "https://apple-pay-gateway.apple.com./x",
        "https://apple-pay-gateway.apple.com/x?to=evil.example",
        "https://apple-pay-gateway.apple.com/../x",
        "https://apple-pay-gateway.apple.com/x\n",
        "https://apple-pay-gateway.apple.com\t/x",
        " https://apple-pay-gateway.apple.com/x",
        "https://apple-pay-gateway.apple.com/" + "x" * 300,
        "https://xn--pple-pay-gateway-0fb.apple.com/x",
        "//apple-pay-gateway.apple.com/x",
        "file:///etc/passwd",
    ],
)
def test_when_the_url_is_anything_else_then_nobody_is_called(apple_gateway: Gateway, url: str) -> None:
    with pytest.raises(Refusal) as refused:
        merchant_sessions.fetch(validation_url=url)

    assert isinstance(refused.value, InvalidInput)
    assert refused.value.field == "validation_url"
    assert apple_gateway.received == []
