"""Google's payment token as it comes from the phone: sized and taken apart, not yet believed.

The signed parts stay the very strings that they came as. Parsed and written again they would no longer be what was
signed: Google writes `=` as an escape.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from payments.refusals import PaymentTokenInvalid
from payments.schemes.encodings import base64_in, json_object, object_in, shown_text, text_in

PROTOCOL = "ECv2"
LARGEST_TOKEN = 32768
LARGEST_SIGNED = 16384
MOST_SIGNATURES = 8
LATEST_MS = 253402300799000
"""The last second of the year 9999."""


@dataclass(frozen=True, slots=True, repr=False)
class GoogleToken:
    """One ECv2 envelope: who signed it by which key, and what was signed."""

    signature: bytes
    signed_key: bytes
    key_signatures: tuple[bytes, ...]
    signed_message: bytes


@dataclass(frozen=True, slots=True, repr=False)
class GooglePaymentData:
    """Google's PaymentData: the token as the string that it is, and what may be shown of the card."""

    token: str
    network: str
    last4: str
    description: str


def read_payment_data(payment_data: dict[str, Any]) -> GooglePaymentData:
    """Read Google's PaymentData object. Refuses with PaymentTokenInvalid one without a token, or with a large one."""
    method = object_in(payment_data.get("paymentMethodData"), check="payment_method_data")
    tokenization = object_in(method.get("tokenizationData"), check="tokenization_data")
    info = method.get("info")
    described = info if isinstance(info, dict) else {}
    return GooglePaymentData(
        token=text_in(tokenization.get("token"), at_most=LARGEST_TOKEN, check="token"),
        network=shown_text(described.get("cardNetwork")),
        last4=shown_text(described.get("cardDetails"), at_most=4),
        description=shown_text(method.get("description")),
    )


def read_google_token(token: str) -> GoogleToken:
    """Take an ECv2 envelope apart. Refuses with PaymentTokenInvalid another protocol, and whatever is malformed.

    The old ECv1, which its root key signs itself, is no longer taken.
    """
    parts = json_object(token, at_most=LARGEST_TOKEN, check="envelope")
    if parts.get("protocolVersion") != PROTOCOL:
        raise PaymentTokenInvalid("protocol_version")
    if set(parts) != {"protocolVersion", "signature", "intermediateSigningKey", "signedMessage"}:
        raise PaymentTokenInvalid("envelope")
    signing_key = object_in(parts["intermediateSigningKey"], check="intermediate_signing_key")
    signatures = signing_key.get("signatures")
    if not isinstance(signatures, list) or not 0 < len(signatures) <= MOST_SIGNATURES:
        raise PaymentTokenInvalid("key_signatures")
    return GoogleToken(
        signature=base64_in(parts["signature"], at_most=256, check="signature_encoding"),
        signed_key=_utf8(signing_key.get("signedKey"), at_most=1024, check="signed_key"),
        key_signatures=tuple(
            base64_in(signature, at_most=256, check="key_signatures") for signature in signatures
        ),
        signed_message=_utf8(parts["signedMessage"], at_most=LARGEST_SIGNED, check="signed_message"),
    )


def moment_in(value: Any, *, check: str) -> datetime:
    """Read a time that is written as milliseconds since 1970, in a string. Refuses with PaymentTokenInvalid."""
    text = str(value) if type(value) is int else text_in(value, at_most=16, check=check)
    if not (text.isascii() and text.isdigit()) or int(text) > LATEST_MS:
        raise PaymentTokenInvalid(check)
    return datetime.fromtimestamp(int(text) / 1000, tz=UTC)


def _utf8(value: Any, *, at_most: int, check: str) -> bytes:
    try:
        return text_in(value, at_most=at_most, check=check).encode()
    except UnicodeEncodeError:
        raise PaymentTokenInvalid(check) from None
