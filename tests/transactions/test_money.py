"""Money: every currency's exponent, no mixing, no floats."""

import pytest

from transactions.money import EXPONENTS, MAXIMUM_AMOUNT, Money

ZERO_DIGITS = (
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905 - a table
)
THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND".split()  # noqa: SIM905 - a table
FOUR_DIGITS = "CLF UYW".split()  # noqa: SIM905 - a table


def test_when_the_currencies_are_counted_then_there_are_165_and_each_has_its_exponent():
    odd = {
        **dict.fromkeys(ZERO_DIGITS, 0),
        **dict.fromkeys(THREE_DIGITS, 3),
        **dict.fromkeys(FOUR_DIGITS, 4),
    }

    assert len(EXPONENTS) == 165
    assert {code: exponent for code, exponent in EXPONENTS.items() if exponent != 2} == odd
    assert (len(ZERO_DIGITS), len(THREE_DIGITS), len(FOUR_DIGITS)) == (17, 7, 2)


@pytest.mark.parametrize("code", ["XAU", "XXX", "XTS", "XDR", "HRK", "usd", "", "US", "USDX"])
def test_when_a_code_is_no_currency_with_a_minor_unit_then_there_is_no_money_in_it(code):
    assert code not in EXPONENTS
    with pytest.raises(ValueError, match="no currency"):
        Money(1, code)


@pytest.mark.parametrize("amount", [1.0, "1", True, None, 1.5])
def test_when_an_amount_is_no_integer_then_it_is_no_money(amount):
    with pytest.raises(ValueError, match="integer of minor units"):
        Money(amount, "USD")


def test_when_money_of_one_currency_meets_then_it_is_added_subtracted_and_compared_exactly():
    assert Money(MAXIMUM_AMOUNT, "USD") + Money(1, "USD") == Money(2**53, "USD")
    assert Money(5, "JPY") - Money(7, "JPY") == Money(-2, "JPY")
    assert -Money(5, "JPY") == Money(-5, "JPY")
    assert Money(5, "JPY") < Money(6, "JPY")
    assert Money(5, "JPY") <= Money(5, "JPY")
    assert (Money(6, "JPY") < Money(6, "JPY")) is False


@pytest.mark.parametrize(
    "mix",
    [
        lambda: Money(1, "USD") + Money(1, "EUR"),
        lambda: Money(1, "USD") - Money(1, "EUR"),
        lambda: Money(1, "USD") < Money(1, "EUR"),
        lambda: Money(1, "USD") <= Money(1, "EUR"),
    ],
)
def test_when_two_currencies_meet_then_they_do_not_mix(mix):
    with pytest.raises(ValueError, match="USD does not mix with EUR"):
        mix()


@pytest.mark.parametrize(
    ("minor", "currency", "major"),
    [
        (2500, "USD", "25.00"),
        (2500, "JPY", "2500"),
        (-5, "KWD", "-0.005"),
        (1, "CLF", "0.0001"),
        (9007199254740991, "USD", "90071992547409.91"),
    ],
)
def test_when_money_is_written_in_major_units_then_it_reads_back_the_same(minor, currency, major):
    money = Money(minor, currency)

    assert money.major == major
    assert str(money) == f"{major} {currency}"
    assert Money.from_major(major, currency) == money


@pytest.mark.parametrize(
    ("major", "currency"),
    [
        ("1.001", "USD"),
        ("0.5", "JPY"),
        ("1e2", "USD"),
        ("1,00", "USD"),
        ("", "USD"),
        ("NaN", "USD"),
        ("1", "XAU"),
    ],
)
def test_when_a_text_is_no_exact_amount_then_it_is_refused(major, currency):
    with pytest.raises(ValueError):
        Money.from_major(major, currency)
