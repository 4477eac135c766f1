"""After cards were saved, charged, refused, lost and deleted, nothing that is kept or shown holds a card's data."""

import json
import logging
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from django.test import Client

from config.logs import JSONFormatter, rendered
from tests.contracts import vault_worlds
from tests.contracts.vault_worlds import World
from tests.leaks import TEST_NUMBERS, database_dump, numbers_in, redis_dump, security_code_in
from tests.payments.customers import DECLINED, TIMES_OUT, Customer, sweep_later
from tokens.cards import passes_luhn
from tokens.outbound import device_card_for_charge
from tokens.providers import calls
from tokens.tokenization import keep_mobile, write_kept
from tokens.vaults import provider_answers
from tokens.vaults.contract import DeviceCard, MobilePayload
from tokens.vaults.local import LocalVault
from users.credentials import sign_access
from users.roles import ROLES

CRYPTOGRAM = "AgAAAAAABk4DWZ4C28yUQAAAAAA="


def number_of_nobody() -> str:
    """Make a card number that nothing else has."""
    body = "4539" + "".join(secrets.choice("0123456789") for _ in range(11))
    return next(f"{body}{digit}" for digit in range(10) if passes_luhn(f"{body}{digit}"))


def code_in_no(text: str) -> str:
    """Make a security code that isn't in a text by chance."""
    codes = (f"{secrets.randbelow(10_000):04d}" for _ in range(1000))
    return next(code for code in codes if not security_code_in(text, code))


class Leaks:
    """What has been written and shown, the numbers that must not be in it, and whoever sends them."""

    def __init__(self, customer: Customer, log: pytest.LogCaptureFixture, lines: list[str]) -> None:
        token = sign_access(bearer_id=customer.user.id, role="user", permissions=ROLES["user"])
        self.headers = {"Authorization": f"Bearer {token}"}
        self.client = Client(raise_request_exception=False)
        self.customer, self.log, self.lines = customer, log, lines
        self.numbers = list(TEST_NUMBERS)
        self.code = code_in_no(database_dump() + redis_dump())
        self.shown: list[str] = []

    def call(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        response = self.client.generic(method, f"/api/v1{path}", **content, headers=headers)
        self.shown.append(f"{response.content.decode()} {response.headers}")
        return response

    def save(self, number: str | int = "", *, key: str = "", **changes: Any) -> Any:
        number = number or number_of_nobody()
        self.numbers.append(str(number))
        card = {
            "number": number,
            "exp_month": 12,
            "exp_year": 2040,
            "cvc": self.code,
            "holder": "Zacharias Quux",
        }
        return self.call("POST", "/tokens/card", {**card, **changes}, key=key)

    def fund(self, token_id: str, *, key: str) -> Any:
        body = {"amount": 2500, "currency": "USD", "token_id": token_id}
        return self.call("POST", f"/wallet/{self.customer.wallet_id}/fund", body, key=key)

    def everything(self) -> dict[str, str]:
        return {
            "database": database_dump(),
            "redis": redis_dump(),
            "log": "\n".join(self.lines) + self.log.text,
            "metrics": self.client.get("/metrics").content.decode(),
            "answers": "\n".join(self.shown),
        }


@pytest.fixture
def leaks(committed, monkeypatch, caplog) -> Iterator[Leaks]:
    """Keep each log line as it would be written, of structlog and of the standard library, at every level."""
    monkeypatch.setattr(calls, "_back_off_s", lambda attempt: 0.0)
    monkeypatch.setattr(provider_answers, "READ_S", 0.2)
    caplog.handler.setFormatter(JSONFormatter())
    caplog.set_level(logging.DEBUG)
    lines: list[str] = []

    def keep(logger: Any, method: str, event: structlog.typing.EventDict) -> bytes:
        lines.append(rendered(logger, method, event).decode())
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    original = processors[-1]
    processors[-1] = keep
    yield Leaks(Customer.with_wallet("USD"), caplog, lines)
    processors[-1] = original


def assert_nothing_leaked(leaks: Leaks) -> None:
    everything = leaks.everything()
    assert {place: numbers_in(text, leaks.numbers) for place, text in everything.items()} == {
        place: [] for place in everything
    }
    assert [place for place, text in everything.items() if security_code_in(text, leaks.code)] == []
    assert [place for place, text in everything.items() if CRYPTOGRAM in text] == []


def test_when_cards_are_saved_charged_refused_and_deleted_then_nothing_holds_their_data(leaks, monkeypatch):
    token_id = leaks.save(key="card-1").json()["id"]
    leaks.save(leaks.numbers[-1], key="card-1")
    leaks.save(number_of_nobody(), key="card-1")
    leaks.fund(token_id, key="fund-1")
    leaks.call("POST", f"/tokens/{token_id}/validate")
    for number in (DECLINED, TIMES_OUT):
        leaks.fund(leaks.save(number).json()["id"], key=f"fund-{number[-4:]}")
    for changes in ({"exp_year": 2020}, {"holder": "\n"}, {"pin": "1"}, {"number": int(number_of_nobody())}):
        leaks.save(**changes)
    leaks.call("GET", f"/tokens/{leaks.numbers[-1]}")
    leaks.call("GET", f"/tokens?q={leaks.numbers[-1]}")
    sweep_later()
    leaks.call("DELETE", f"/tokens/{token_id}")

    assert leaks.customer.balance == 5000
    assert_nothing_leaked(leaks)


def test_when_the_vault_breaks_with_the_card_in_its_hands_then_nothing_holds_its_data(leaks, monkeypatch):
    def broken(self, *, token_id, card, now):
        raise RuntimeError(f"no place for {card!r}, which is {card.number}")

    monkeypatch.setattr(LocalVault, "store_card", broken)

    response = leaks.save(key="card-1")

    assert response.status_code == 500
    assert "no place for" in "\n".join(leaks.lines) + leaks.log.text
    assert_nothing_leaked(leaks)


def test_when_a_phones_card_is_kept_and_charged_then_nothing_holds_its_number_or_its_proof(leaks):
    card = DeviceCard(number=number_of_nobody(), exp_month=12, exp_year=2040, cryptogram=CRYPTOGRAM, eci="07")
    leaks.numbers.append(card.number)
    payload = MobilePayload("apple_pay", {"paymentData": {"version": "EC_v1"}}, card)
    token = keep_mobile(owner_id=leaks.customer.user.id, payload=payload)
    write_kept(token, actor=leaks.customer.actor)

    source = device_card_for_charge(token=token, card=card, actor="system", reason="payment 1")
    leaks.fund(str(token.id), key="fund-1")

    assert (source.number, source.cryptogram) == (card.number, CRYPTOGRAM)
    assert leaks.customer.balance == 2500
    assert_nothing_leaked(leaks)


@pytest.mark.parametrize(
    "make", [vault_worlds.basis_theory, vault_worlds.stripe], ids=lambda make: make.__name__
)
def test_when_cards_are_kept_at_a_provider_which_fails_too_then_nothing_holds_their_data(
    leaks, settings, make: Callable[..., Iterator[World]]
):
    for world in make(settings):
        settings.TOKEN_VAULT = world.vault.name
        token_id = leaks.save(key="card-1").json()["id"]
        for number, failure in enumerate(("timeout_after", "error_before", "garbage", "busy", "reset_after")):
            world.api.fail_next(*[failure] * 3)
            leaks.save(key=f"card-{failure}-{number}")
            world.api.heal()
        leaks.call("POST", f"/tokens/{token_id}/validate")
        leaks.call("DELETE", f"/tokens/{token_id}")

        assert any(leaks.numbers[-6] in request.body.decode() for request in world.api.received)

    assert_nothing_leaked(leaks)


@pytest.mark.parametrize(
    "text",
    [
        "card 4242424242424242.",
        "card 4242 4242 4242 4242.",
        '{"a": "4242-4242-4242-4242"}',
        "\\x7b34323432343234323432343234323432",
        "eyJhIjogIjQyNDI0MjQyNDI0MjQyNDIifQ==",
    ],
)
def test_when_a_number_stands_there_in_any_form_then_it_is_found(text):
    assert numbers_in(text, TEST_NUMBERS) == ["4242424242424242"]


@pytest.mark.parametrize(
    ("text", "is_there"), [('{"cvc": "987"}', True), ("01-987-a", False), ("0.987", False)]
)
def test_when_a_security_code_stands_by_itself_then_it_is_found(text, is_there):
    assert security_code_in(text, "987") is is_there
