"""Amounts as Stripe counts them, which is not always as ISO 4217 and our books do.

Its smallest units differ for MGA (whole ariary, ISO has two digits) and ISK (hundredths, ISO has none); currencies
of three digits must end in 0. Currencies whose unit at Stripe isn't certain are refused: being wrong there would
charge a hundred times too much. Source: Stripe's documentation of currencies.
"""

from typing import Final

from transactions.money import EXPONENTS, Money
from transactions.refusals import InvalidInput

_ZERO_DECIMAL: Final = [
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "JPY",
    "KMF",
    "KRW",
    "MGA",
    "PYG",
    "RWF",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
]
_THREE_DECIMAL: Final = ["BHD", "JOD", "KWD", "OMR", "TND"]
_NOT_CERTAIN: Final = ["CLF", "IQD", "LYD", "UGX", "UYI", "UYW"]

LARGEST: Final = 99_999_999
"""The most that one charge may be, in Stripe's units: eight digits."""


def exponent_of(currency: str) -> int:
    """Tell the digits of a currency's smallest unit at Stripe. Raises LookupError where that isn't certain."""
    if currency in _NOT_CERTAIN:
        raise LookupError(currency)
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2


def to_wire(amount: Money) -> int:
    """Give the integer that Stripe takes for an amount.

    Refuses with InvalidInput, naming the field, what it can't represent exactly or doesn't take.
    """
    try:
        theirs = _units(exponent_of(amount.currency))
    except LookupError:
        raise InvalidInput(
            "The payment provider can not charge in this currency.", field="currency"
        ) from None
    wire, left = divmod(amount.amount * theirs, _units(EXPONENTS[amount.currency]))
    if left or (amount.currency in _THREE_DECIMAL and wire % 10):
        raise InvalidInput("The payment provider can not charge so small a part of the unit.", field="amount")
    if not 0 < wire <= LARGEST:
        raise InvalidInput("The payment provider can not charge so much at once.", field="amount")
    return wire


def from_wire(wire: int, currency: str) -> Money:
    """Read an amount of Stripe's, whose currency codes are in lower case.

    Raises ValueError for what isn't whole in our minor units, or in a currency whose unit isn't certain.
    """
    code = currency.upper()
    if type(wire) is not int or code not in EXPONENTS or code in _NOT_CERTAIN:
        raise ValueError("The amount can't be read.")
    ours, left = divmod(wire * _units(EXPONENTS[code]), _units(exponent_of(code)))
    if left:
        raise ValueError("The amount isn't whole in minor units.")
    return Money(ours, code)


def _units(exponent: int) -> int:
    units: int = 10**exponent
    return units
