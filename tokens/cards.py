"""The rules that a card's number, expiry and security code obey. No message ever quotes what was given."""

import re
from dataclasses import dataclass
from datetime import datetime

from transactions.refusals import InvalidInput

# First and last prefix of each range, which are equally long; the longest matching prefix wins. Named as
# Stripe names them.
BRAND_PREFIXES = (
    ("4", "4", "visa"),
    ("51", "55", "mastercard"),
    ("2221", "2720", "mastercard"),
    ("34", "34", "amex"),
    ("37", "37", "amex"),
    ("6011", "6011", "discover"),
    ("644", "649", "discover"),
    ("65", "65", "discover"),
    ("300", "305", "diners"),
    ("3095", "3095", "diners"),
    ("36", "36", "diners"),
    ("38", "39", "diners"),
    ("3528", "3589", "jcb"),
    ("62", "62", "unionpay"),
    ("81", "81", "unionpay"),
    ("50", "50", "maestro"),
    ("56", "58", "maestro"),
    ("6304", "6304", "maestro"),
    ("6759", "6759", "maestro"),
    ("676770", "676770", "maestro"),
    ("676774", "676774", "maestro"),
    ("2200", "2204", "mir"),
    ("636297", "636297", "elo"),
    ("506699", "506778", "elo"),
    ("606282", "606282", "hipercard"),
)
LONGEST_VALIDITY_YEARS = 50
LONGEST_HOLDER = 100


@dataclass(frozen=True, slots=True, repr=False)
class Card:
    """A card whose number passed the rules. Its repr, and so every log and traceback, hides the number."""

    number: str
    exp_month: int
    exp_year: int
    holder: str

    @property
    def last4(self) -> str:
        """The part of the number that may be shown."""
        return self.number[-4:]

    @property
    def brand(self) -> str:
        """The network, by the number's prefix; `unknown` when no range holds it."""
        return brand_of(self.number)

    def __repr__(self) -> str:
        return f"Card({self.brand} ending in {self.last4})"


def checked_card(*, number: str, exp_month: int, exp_year: int, cvc: str, holder: str, now: datetime) -> Card:
    """Check a card as it was typed in. The security code is looked at here and goes no further.

    Refuses with `validation_error`, naming the field: a number that isn't 12 to 19 digits with a right check
    digit, a month that doesn't exist, a card that has expired, a code that isn't 3 or 4 digits.
    """
    if not re.fullmatch(r"[1-9][0-9]{11,18}", number):
        raise InvalidInput("The number must have 12 to 19 digits and nothing else.", field="number")
    if not passes_luhn(number):
        raise InvalidInput("The number is not a card number: its check digit is wrong.", field="number")
    if not 1 <= exp_month <= 12:
        raise InvalidInput("The month must be from 1 to 12.", field="exp_month")
    if not 1000 <= exp_year <= now.year + LONGEST_VALIDITY_YEARS:
        raise InvalidInput(
            "The year must have four digits and be one that cards are issued for.", field="exp_year"
        )
    if has_expired(exp_month=exp_month, exp_year=exp_year, now=now):
        raise InvalidInput("The card has expired.", field="exp_year" if exp_year < now.year else "exp_month")
    if not re.fullmatch(r"[0-9]{3,4}", cvc):
        raise InvalidInput("The security code must have 3 or 4 digits.", field="cvc")
    if len(holder) > LONGEST_HOLDER or not holder.isprintable():
        raise InvalidInput(
            f"The holder must have at most {LONGEST_HOLDER} printable characters.", field="holder"
        )
    return Card(number=number, exp_month=exp_month, exp_year=exp_year, holder=holder)


def has_expired(*, exp_month: int, exp_year: int, now: datetime) -> bool:
    """Whether the last day of the card's month is over, in UTC."""
    return (exp_year, exp_month) < (now.year, now.month)


def brand_of(number: str) -> str:
    """The network by the longest prefix that matches, or `unknown`."""
    matching = [
        (len(first), brand) for first, last, brand in BRAND_PREFIXES if first <= number[: len(first)] <= last
    ]
    return max(matching)[1] if matching else "unknown"


def passes_luhn(number: str) -> bool:
    """Whether the last digit is the right check digit (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
