"""What no log line may hold."""

import logging
import random
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from uuid_utils.compat import uuid7

from config.logs import JSONFormatter, rendered
from config.redaction import may_hold_secrets, passes_luhn, redacted, redacted_text

CARDS = [
    "4242424242424242",
    "4000000000000002",
    "4222222222222",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "3056930009020004",
    "36227206271667",
    "3566002020360505",
    "6200000000000005",
    "6759649826438453",
    "2200000000000004",
]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("between", ["", " ", "-"], ids=["plain", "spaces", "dashes"])
@pytest.mark.parametrize("frame", ["{}", "card={};", '"{}"', "/pay/{}/now", "x{}y", "{} 12/30", "1 {}"])
def test_when_a_text_holds_a_card_number_then_it_is_masked(card: str, between: str, frame: str) -> None:
    written = between.join(card[start : start + 4] for start in range(0, len(card), 4))

    masked = redacted_text(frame.format(written))

    assert "[card]" in masked
    assert written not in masked
    assert card[-4:] not in masked


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",
        "1234567890123",
        "1763823600123456",
        "42424242424",
        "42424242424242424242424242424242424242424242",
        "2026-11-22T15:30:37.123456Z",
        "9007199254740991",
        "balance 100000000000",
    ],
)
def test_when_digits_are_no_card_number_then_they_stay(text: str) -> None:
    assert redacted_text(text) == text


@pytest.mark.parametrize("make", [uuid4, uuid7], ids=["random", "by time"])
def test_when_ids_are_logged_then_they_stay_readable(make: Any) -> None:
    ids = [str(make()) for _ in range(20_000)]
    within = [f"/api/v1/wallet/{name}/pay" for name in ids] + [UUID(name).hex for name in ids]

    masked = sum(redacted_text(text) != text for text in [*ids, *within])

    assert masked <= len(ids) * 3 * 0.0001


def test_when_an_id_has_digits_alone_then_it_stays_readable() -> None:
    numeric = "42424242-4242-4242-4242-424242424242"

    assert redacted_text(numeric) == numeric


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: [redacted] [redacted]"),
        ("sent bearer abcdef123456 twice", "sent bearer [redacted] twice"),
        ("got eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln here", "got [redacted] here"),
        ("postgres://app:hunter22@db/wallet", "postgres://app:[redacted]@db/wallet"),
        ("password=hunter22&x=1", "password=[redacted]&x=1"),
        ('{"client_secret": "s3cr3t", "a": 1}', '{"client_secret": [redacted], "a": 1}'),
        ("cvc: 123", "cvc: [redacted]"),
        ("api_key=sk_live_1", "api_key=[redacted]"),
        ("the token has expired", "the token has expired"),
    ],
)
def test_when_a_text_holds_a_secret_then_it_is_masked(text: str, expected: str) -> None:
    assert redacted_text(text) == expected


@pytest.mark.parametrize(
    "key",
    [
        "password", "new_password", "secret", "client_secret", "client-secret", "Authorization", "access_token",
        "refresh", "cvc", "Cookie", "Set-Cookie", "api_key", "BT-API-KEY", "number", "pan", "cryptogram", "payment_data",
    ],
)  # fmt: skip
def test_when_a_key_is_secret_then_its_value_is_masked_at_any_depth(key: str) -> None:
    assert redacted({"outer": [{key: "plain words"}]}) == {"outer": [{key: "[redacted]"}]}


@pytest.mark.parametrize(
    "key", ["token_id", "idempotency_key", "number_of_calls", "tokens", "path", "status"]
)
def test_when_a_key_is_not_secret_then_its_value_stays(key: str) -> None:
    assert redacted({key: "plain words"}) == {key: "plain words"}


def test_when_a_number_is_a_card_number_then_it_is_masked() -> None:
    assert redacted({"value": 4242424242424242, "amount": 1050, "is_open": True}) == {
        "value": "[card]",
        "amount": 1050,
        "is_open": True,
    }


def test_when_a_line_is_rendered_then_nothing_secret_is_left_in_it() -> None:
    event = {
        "event": "card 4242 4242 4242 4242 refused",
        "password": "hunter22",
        "nested": {"cvc": "123", "note": ["5555-5555-5555-4444"]},
        "amount": 4242424242424242,
        "object": ValueError("4000000000000002"),
    }

    line = orjson.loads(rendered(None, "info", event))

    assert line == {
        "event": "card [card] refused",
        "password": "[redacted]",
        "nested": {"cvc": "[redacted]", "note": ["[card]"]},
        "amount": "[card]",
        "object": "ValueError('[card]')",
    }


def test_when_a_library_logs_an_exception_then_its_text_is_masked() -> None:
    try:
        raise ValueError("card 4242424242424242 of postgres://app:hunter22@db/wallet")
    except ValueError as failure:
        record = logging.LogRecord(
            "some.library", logging.ERROR, __file__, 1, "failed for %s", ("378282246310005",),
            (ValueError, failure, failure.__traceback__),
        )  # fmt: skip

    line = orjson.loads(JSONFormatter().format(record))

    assert line["event"] == "failed for [card]"
    assert line["level"] == "error"
    assert line["logger"] == "some.library"
    assert "ValueError: card [card] of postgres://app:[redacted]@db/wallet" in line["exception"]
    assert "hunter22" not in line["exception"].replace('raise ValueError("card', "")


def test_when_the_quick_look_passes_a_text_then_the_slow_look_masks_nothing_in_it() -> None:
    chance = random.Random(4711)
    pieces = ["4242", "42424242", "424242424242", " ", "-", "a", "password", "=", "token", "Bearer ", "eyJ", "://u:p@h",
              "cvc", '"', ".", "SECRET", "Secret", "x"]  # fmt: skip
    for _ in range(20_000):
        text = "".join(chance.choices(pieces, k=chance.randint(1, 8)))
        if not may_hold_secrets(text.encode()):
            assert redacted_text(text) == text


@pytest.mark.parametrize(
    ("digits", "passes"), [("0", True), ("18", True), ("79927398713", True), ("79927398710", False)]
)
def test_when_digits_are_checked_then_luhn_decides(digits: str, passes: bool) -> None:
    assert passes_luhn(digits) is passes
