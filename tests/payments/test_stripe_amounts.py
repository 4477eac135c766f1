"""Amounts as Stripe counts them: exact, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.processors.stripe_amounts import LARGEST, exponent_of, from_wire, to_wire
from transactions.money import EXPONENTS, Money
from transactions.refusals import InvalidInput


@pytest.mark.parametrize(
    ("amount", "currency", "wire"),
    [
        (1050, "USD", 1050),
        (500, "JPY", 500),
        (500, "KRW", 500),
        (1230, "KWD", 1230),
        (5, "ISK", 500),
        (1200, "MGA", 12),
        (LARGEST, "EUR", LARGEST),
    ],
)
def test_when_an_amount_can_be_represented_then_it_is_the_same_money_in_stripes_units(amount, currency, wire):
    assert to_wire(Money(amount, currency)) == wire
    assert from_wire(wire, currency.lower()) == Money(amount, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "field"),
    [
        (1234, "KWD", "amount"),
        (1, "BHD", "amount"),
        (1250, "MGA", "amount"),
        (LARGEST + 1, "USD", "amount"),
        (LARGEST // 100 + 1, "ISK", "amount"),
        (100, "UGX", "currency"),
        (1000, "IQD", "currency"),
        (1000, "LYD", "currency"),
        (10000, "CLF", "currency"),
        (10000, "UYW", "currency"),
        (100, "UYI", "currency"),
    ],
)
def test_when_an_amount_can_not_be_represented_for_certain_then_it_is_refused(amount, currency, field):
    with pytest.raises(InvalidInput) as refusal:
        to_wire(Money(amount, currency))

    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("wire", "currency"),
    [(501, "isk"), (100, "ugx"), (100, "xau"), (1.5, "usd"), (True, "usd"), ("1", "usd")],
)
def test_when_an_amount_of_stripes_can_not_be_read_then_it_is_no_money(wire, currency):
    with pytest.raises(ValueError, match="amount"):
        from_wire(wire, currency)


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(1, LARGEST * 100))
def test_when_any_amount_is_taken_then_reading_it_gives_it_back(currency, amount):
    money = Money(amount, currency)
    try:
        wire = to_wire(money)
    except InvalidInput:
        return

    assert from_wire(wire, currency.lower()) == money
    assert wire * 10 ** EXPONENTS[currency] == amount * 10 ** exponent_of(currency)
