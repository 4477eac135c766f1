"""What no log line may hold: card numbers, passwords, tokens, keys.

A card number is a run of 12 to 19 digits, alone or in groups parted by single spaces or dashes, that starts
like a card of a known network and passes the Luhn check. Ids stay readable: UUIDs and trace ids are skipped.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

CARD_MASK: Final = "[card]"
MASK: Final = "[redacted]"

# Visa 4, Mastercard 51-55 and 2221-2720, American Express 34 and 37, Diners 300-305, 36, 38 and 39, JCB
# 3528-3589, Discover and UnionPay 6, Maestro 50 and 56-58, Mir 2200-2204, UnionPay and RuPay 81 and 82.
_NETWORK_PREFIX = re.compile(
    r"4|5[0-8]|6|22(?:0[0-4]|2[1-9]|[3-9])|2[3-6]|27(?:[01]|20)|3[4678]|39|30[0-5]|35(?:2[89]|[3-8])|8[12]"
)
_ID = (
    r"(?<![0-9a-fA-F])"
    r"(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|(?=[0-9]*[a-f])[0-9a-f]{32})"
    r"(?![0-9a-fA-F])"
)
_IDS_AND_DIGITS = re.compile(rf"(?P<id>{_ID})|(?<![0-9])[0-9](?:[ -]?[0-9]){{11,}}")
_IDS = re.compile(_ID.encode())
_DIGIT_GROUPS = re.compile(r"[0-9]+")
_SECRETS_IN_TEXT: Final = (
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)?"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',;]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"(://[^/\s:@\"']*):[^/\s@\"']+@"), rf"\1:{MASK}@"),
    (
        re.compile(
            r"(?i)(\b[\w-]*(?:password|passwd|secret|token|authorization|cookie|api[_-]?key|cvc|cvv|cryptogram)"
            r"[\"']?\s*[=:]\s*)(?!\[redacted\])(?:\"[^\"]*\"|'[^']*'|[^\s\"',;&}]+)"
        ),
        rf"\1{MASK}",
    ),
)
# One of these stands in every text that a pattern above would change, in whatever case.
_SECRET_MARKS: Final = re.compile(
    rb"eyj|bearer|basic|://|passw|secret|token|authorization|cookie|api[_-]?key|cvc|cvv|cryptogram"
)
_LONG_DIGITS = re.compile(rb"[0-9][0-9 -]{11}")
_SECRET_KEY_ENDINGS: Final = (
    "password", "passwd", "secret", "token", "authorization", "cookie", "cvc", "cvv", "api_key", "secret_key",
    "private_key", "cryptogram", "card_number", "client_assertion",
)  # fmt: skip
_SECRET_KEYS: Final = frozenset(
    {"access", "refresh", "number", "pan", "payment_data", "paymentdata", "signed_message", "signature",
     "applicationprimaryaccountnumber", "onlinepaymentcryptogram", "emvdata", "bt_api_key", "dsn"}
)  # fmt: skip


@lru_cache(maxsize=1024)
def is_secret_key(key: str) -> bool:
    """Whether what stands under this name is secret."""
    plain = key.lower().replace("-", "_")
    return plain in _SECRET_KEYS or plain.endswith(_SECRET_KEY_ENDINGS)


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (place % 2 + 1)
        total += doubled if doubled < 10 else doubled - 9
    return total % 10 == 0


def is_card_number(digits: str) -> bool:
    """Whether a run of digits has a card's prefix, length and check digit."""
    return 12 <= len(digits) <= 19 and _NETWORK_PREFIX.match(digits) is not None and passes_luhn(digits)


def _without_cards(match: re.Match[str]) -> str:
    """Mask each sequence of whole groups that is a card number: an expiry date may follow the number's groups."""
    text = match[0]
    if match["id"]:
        return text
    groups = [(found.start(), found.end()) for found in _DIGIT_GROUPS.finditer(text)]
    kept, position, first = [], 0, 0
    while first < len(groups):
        for last in range(len(groups) - 1, first - 1, -1):
            start, end = groups[first][0], groups[last][1]
            if is_card_number(text[start:end].replace(" ", "").replace("-", "")):
                kept.append(text[position:start] + CARD_MASK)
                position, first = end, last
                break
        first += 1
    return "".join(kept) + text[position:]


def holds_card_number(text: str) -> bool:
    """Whether a card number stands in a text, by the rules by which it would be masked."""
    return any(_without_cards(found) != found[0] for found in _IDS_AND_DIGITS.finditer(text))


def redacted_text(text: str) -> str:
    """Mask card numbers and secrets within a text."""
    text = _IDS_AND_DIGITS.sub(_without_cards, text)
    for pattern, replacement in _SECRETS_IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def redacted(value: Any) -> Any:
    """Mask card numbers and secrets anywhere within a value; what is no text, number or container stays."""
    if isinstance(value, str):
        return redacted_text(value) if may_hold_secrets(value.encode(errors="replace")) else value
    if isinstance(value, Mapping):
        return {
            redacted(str(key)): MASK if is_secret_key(str(key)) and item else redacted(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return CARD_MASK if is_card_number(str(value)) else value
    return value


def may_hold_card_number(raw: bytes) -> bool:
    """Whether bytes need a closer look for card numbers; quick, and never false where one stands."""
    return _LONG_DIGITS.search(raw) is not None


def may_hold_secrets(line: bytes) -> bool:
    """Whether a text needs the slow look; quick, and never false for what `redacted_text` would mask."""
    # Ids alone look like long digits in half of all lines, and are none.
    if _LONG_DIGITS.search(line) is not None and _LONG_DIGITS.search(_IDS.sub(b"x", line)) is not None:
        return True
    return _SECRET_MARKS.search(line.lower()) is not None
