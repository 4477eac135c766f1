"""What both schemes' decrypted cards have in common: digits, and a month that exists."""

import re
from typing import Any

from payments.refusals import PaymentTokenInvalid


def card_number_in(value: Any) -> str:
    """Take a card's or a device's number, 12 to 19 digits. Refuses with PaymentTokenInvalid."""
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{11,18}", value):
        raise PaymentTokenInvalid("card_number")
    return value


def month_in(value: Any) -> int:
    """Take a month, 1 to 12. Refuses with PaymentTokenInvalid."""
    if type(value) is not int or not 1 <= value <= 12:
        raise PaymentTokenInvalid("expiry")
    return value


def year_in(value: Any) -> int:
    """Take a year of four digits. Refuses with PaymentTokenInvalid."""
    if type(value) is not int or not 2000 <= value <= 2999:
        raise PaymentTokenInvalid("expiry")
    return value
