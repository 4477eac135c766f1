"""The rules of a card, with exact edges; no refusal quotes what was typed."""

from datetime import UTC, datetime

import pytest

from tokens.cards import brand_of, checked_card, has_expired, passes_luhn
from transactions.refusals import InvalidInput

NOW = datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)
TYPED = {
    "number": "4242424242424242",
    "exp_month": 12,
    "exp_year": 2030,
    "cvc": "123",
    "holder": "Alice Doe",
}


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("4242424242424242", "visa"),
        ("4222222222222", "visa"),
        ("5555555555554444", "mastercard"),
        ("2221000000000009", "mastercard"),
        ("2720990000000007", "mastercard"),
        ("378282246310005", "amex"),
        ("6011111111111117", "discover"),
        ("30569309025904", "diners"),
        ("36227206271667", "diners"),
        ("3566002020360505", "jcb"),
        ("6200000000000005", "unionpay"),
        ("9999999999999995", "unknown"),
    ],
)
def test_when_a_number_is_known_then_its_brand_and_last4_are_told(number, brand):
    card = checked_card(**{**TYPED, "number": number}, now=NOW)

    assert (card.number, card.brand, card.last4) == (number, brand, number[-4:])


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("2220999999999999", "unknown"),
        ("2721000000000000", "unknown"),
        ("5066990000000000", "elo"),
        ("5066980000000000", "maestro"),
        ("3527000000000000", "unknown"),
        ("3528000000000000", "jcb"),
        ("3589000000000000", "jcb"),
        ("3590000000000000", "unknown"),
    ],
)
def test_when_a_number_lies_at_the_edge_of_a_range_then_the_longest_prefix_decides(number, brand):
    assert brand_of(number) == brand


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", "4242424242424241"),
        ("number", "4242 4242 4242 4242"),
        ("number", "42424242424"),
        ("number", "42424242424242424242"),
        ("number", "0000000000000000"),
        ("number", "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"),
        ("number", ""),
        ("number", "4242424242424242\n"),
        ("exp_month", 0),
        ("exp_month", 13),
        ("exp_month", -1),
        ("exp_year", 26),
        ("exp_year", 2025),
        ("exp_year", 2077),
        ("cvc", "12"),
        ("cvc", "12345"),
        ("cvc", "12a"),
        ("cvc", ""),
        ("holder", "x" * 101),
        ("holder", "Alice\x00"),
    ],
)
def test_when_a_field_breaks_a_rule_then_it_is_named_and_not_quoted(field, value):
    with pytest.raises(InvalidInput) as refused:
        checked_card(**{**TYPED, field: value}, now=NOW)

    assert (refused.value.code, refused.value.field) == ("validation_error", field)
    assert not value or len(str(value)) < 4 or str(value) not in str(refused.value)


def test_when_the_month_is_the_present_one_then_the_card_is_good_until_its_end():
    assert checked_card(**{**TYPED, "exp_month": 10, "exp_year": 2026}, now=NOW).exp_month == 10
    assert has_expired(exp_month=10, exp_year=2026, now=NOW) is False
    assert has_expired(exp_month=10, exp_year=2026, now=datetime(2026, 11, 1, tzinfo=UTC)) is True


def test_when_the_month_is_over_then_the_card_is_refused_by_its_month():
    with pytest.raises(InvalidInput) as refused:
        checked_card(**{**TYPED, "exp_month": 9, "exp_year": 2026}, now=NOW)

    assert (refused.value.field, refused.value.detail) == ("exp_month", "The card has expired.")


def test_when_one_digit_of_a_number_changes_then_the_check_digit_tells():
    number = "4242424242424242"

    for index in range(16):
        changed = number[:index] + str((int(number[index]) + 1) % 10) + number[index + 1 :]
        assert passes_luhn(changed) is False


def test_when_a_card_is_printed_then_number_and_holder_are_hidden():
    card = checked_card(**TYPED, now=NOW)

    assert f"{card} {card!r} {[card]}" == " ".join(
        ["Card(visa ending in 4242)"] * 2 + ["[Card(visa ending in 4242)]"]
    )
