"""Money: an amount in integer minor units together with its currency. No floats, no mixing."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

MAXIMUM_AMOUNT: Final = 2**53 - 1
"""The largest amount that crosses the API: what a JSON number carries exactly everywhere."""

# ISO 4217 list one of 2026-01-01: the digits of the minor unit. Metals, funds and test codes without one are
# no wallet currency. Babel's digits are those of display, and wrong for 13 of these.
_CODES_BY_EXPONENT: Final = {
    0: ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "),
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF "
        "CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
        "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL "
        "MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR "
        "PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP "
        "TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG "
    ),
    3: ("BHD IQD JOD KWD LYD OMR TND "),
    4: ("CLF UYW "),
}

EXPONENTS: Final[dict[str, int]] = {
    code: exponent for exponent, codes in _CODES_BY_EXPONENT.items() for code in codes.split()
}
"""Every currency that a wallet may have, with the number of digits of its minor unit."""


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """`amount` minor units of `currency`; it may be negative, and only meets money of its own currency.

    Refuses with ValueError what is no integer, no known currency, or a mix of currencies: those are bugs, as
    the API has checked its input before.
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise ValueError(f"An amount is an integer of minor units, not {self.amount!r}.")
        if self.currency not in EXPONENTS:
            raise ValueError(f"{self.currency!r} is no currency of ISO 4217 with a minor unit.")

    def __add__(self, other: Self) -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Self) -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Self) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Self) -> bool:
        return self.amount <= self._same(other)

    def _same(self, other: Self) -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} does not mix with {other.currency}.")
        return other.amount

    @property
    def major(self) -> str:
        """The amount in major units as a plain decimal string: `25.00`, `2500`, `-0.005`."""
        exponent = EXPONENTS[self.currency]
        return f"{Decimal(self.amount).scaleb(-exponent):.{exponent}f}"

    def __str__(self) -> str:
        return f"{self.major} {self.currency}"

    @classmethod
    def from_major(cls, major: str, currency: str) -> "Money":
        """Read a decimal string of major units; refuses with ValueError what isn't exact in minor units."""
        if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,4})?", major):
            raise ValueError(f"{major!r} is no decimal amount.")
        if currency not in EXPONENTS:
            raise ValueError(f"{currency!r} is no currency of ISO 4217 with a minor unit.")
        minor = Decimal(major).scaleb(EXPONENTS[currency])
        if minor != minor.to_integral_value():
            raise ValueError(f"{major} is not a whole number of minor units of {currency}.")
        return cls(int(minor), currency)
