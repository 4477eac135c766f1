"""Reading what a stranger sent: sized before it is decoded, and refused, never guessed at.

`check` names what is read; it goes into the log with the refusal and not into the answer.
"""

import base64
import binascii
import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from payments.refusals import PaymentTokenInvalid


def object_in(value: Any, *, check: str) -> dict[str, Any]:
    """Take a JSON object that has been parsed. Refuses with PaymentTokenInvalid what is none."""
    if not isinstance(value, dict):
        raise PaymentTokenInvalid(check)
    return value


def text_in(value: Any, *, at_most: int, check: str) -> str:
    """Take a string of 1 to `at_most` characters. Refuses with PaymentTokenInvalid."""
    if not isinstance(value, str) or not 0 < len(value) <= at_most:
        raise PaymentTokenInvalid(check)
    return value


def shown_text(value: Any, *, at_most: int = 64) -> str:
    """Take a text that is only for showing: empty where it is none, or too long."""
    return value if isinstance(value, str) and len(value) <= at_most and value.isprintable() else ""


def base64_in(value: Any, *, at_most: int, check: str) -> bytes:
    """Decode standard base64 of 1 to `at_most` characters. Refuses with PaymentTokenInvalid any other character."""
    text = text_in(value, at_most=at_most, check=check)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise PaymentTokenInvalid(check) from None


def hexadecimal_in(value: Any, *, length: int, check: str) -> bytes:
    """Decode exactly `length` bytes of hexadecimal digits. Refuses with PaymentTokenInvalid."""
    text = text_in(value, at_most=2 * length, check=check)
    if len(text) != 2 * length or not re.fullmatch(r"[0-9A-Fa-f]+", text):
        raise PaymentTokenInvalid(check)
    return bytes.fromhex(text)


def json_object(text: str | bytes, *, at_most: int, check: str) -> dict[str, Any]:
    """Parse one JSON object of at most `at_most` characters or bytes; numbers with a fraction become Decimal.

    Refuses with PaymentTokenInvalid what is no JSON object, has a member twice, NaN or an infinity, or nests too
    deeply.
    """
    if len(text) > at_most:
        raise PaymentTokenInvalid(check)
    try:
        parsed = json.loads(
            text, object_pairs_hook=_once_each, parse_float=Decimal, parse_constant=_no_number
        )
    except (ValueError, ArithmeticError, RecursionError):
        raise PaymentTokenInvalid(check) from None
    return object_in(parsed, check=check)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
