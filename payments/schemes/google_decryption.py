"""The card inside Google's payment token: ECIES on P-256, HMAC before AES-CTR, then what the message itself promises."""

import hmac
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from payments.refusals import (
    PaymentTokenExpired,
    PaymentTokenInvalid,
    PaymentTokenKeyUnknown,
    PaymentTokenMismatch,
)
from payments.schemes.cards import card_number_in, month_in, year_in
from payments.schemes.encodings import base64_in, json_object, object_in, text_in
from payments.schemes.google_signatures import SENDER
from payments.schemes.google_tokens import LARGEST_SIGNED, moment_in
from tokens.vaults.contract import DeviceCard

POINT_BYTES = 65
LONGEST_MESSAGE_ID = 512


def decrypt(
    signed_message: bytes, *, keys: Sequence[ec.EllipticCurvePrivateKey], now: datetime
) -> dict[str, Any]:
    """Decrypt a message whose signature has been verified, with whichever of our keys it is for.

    Refuses with PaymentTokenKeyUnknown where it is for none of them (the token doesn't name its key),
    PaymentTokenExpired where the message's time is over, PaymentTokenInvalid where it is malformed.
    """
    parts = json_object(signed_message, at_most=LARGEST_SIGNED, check="signed_message")
    ciphertext = base64_in(parts.get("encryptedMessage"), at_most=LARGEST_SIGNED, check="encrypted_message")
    point = base64_in(parts.get("ephemeralPublicKey"), at_most=128, check="ephemeral_public_key")
    tag = base64_in(parts.get("tag"), at_most=64, check="tag")
    if len(point) != POINT_BYTES:
        raise PaymentTokenInvalid("ephemeral_public_key")
    try:
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise PaymentTokenInvalid("ephemeral_public_key") from None
    for key in keys:
        encryption_key, mac_key = derived_keys(point, key.exchange(ec.ECDH(), ephemeral))
        if hmac.compare_digest(tag, hmac.digest(mac_key, ciphertext, sha256)):
            break
    else:
        raise PaymentTokenKeyUnknown("tag")
    opener = Cipher(AES256(encryption_key), CTR(bytes(16))).decryptor()
    content = json_object(
        opener.update(ciphertext) + opener.finalize(), at_most=LARGEST_SIGNED, check="plaintext"
    )
    if moment_in(content.get("messageExpiration"), check="message_expiration") <= now:
        raise PaymentTokenExpired("message_expiration")
    return content


def derived_keys(point: bytes, shared: bytes) -> tuple[bytes, bytes]:
    """Derive the AES-256 key and the HMAC key from the ephemeral point (65 bytes) and the ECDH secret."""
    derived = HKDF(algorithm=SHA256(), length=64, salt=bytes(32), info=SENDER).derive(point + shared)
    return derived[:32], derived[32:]


def message_id_in(content: dict[str, Any]) -> str:
    """Take the id that makes a message unique. Refuses with PaymentTokenInvalid."""
    message_id = text_in(content.get("messageId"), at_most=LONGEST_MESSAGE_ID, check="message_id")
    if not (message_id.isascii() and message_id.isprintable()):
        raise PaymentTokenInvalid("message_id")
    return message_id


def check_gateway_merchant(content: dict[str, Any], *, gateway_merchant_id: str) -> None:
    """Compare for whom the gateway is to charge. Refuses with PaymentTokenMismatch any merchant but ours."""
    if not gateway_merchant_id or content.get("gatewayMerchantId") != gateway_merchant_id:
        raise PaymentTokenMismatch("gateway_merchant_id")


def card_in(content: dict[str, Any]) -> DeviceCard:
    """Read the card out of a decrypted message: a device's with a cryptogram, or a plain number on file at Google.

    Refuses with PaymentTokenInvalid what is no card.
    """
    if content.get("paymentMethod") != "CARD":
        raise PaymentTokenInvalid("payment_method")
    details = object_in(content.get("paymentMethodDetails"), check="payment_method_details")
    cryptogram = eci = ""
    if details.get("authMethod") == "CRYPTOGRAM_3DS":
        cryptogram = text_in(details.get("cryptogram"), at_most=256, check="cryptogram")
        indicator = details.get("eciIndicator") or ""
        eci = text_in(indicator, at_most=2, check="eci") if indicator else ""
    elif details.get("authMethod") != "PAN_ONLY":
        raise PaymentTokenInvalid("auth_method")
    return DeviceCard(
        number=card_number_in(details.get("pan")),
        exp_month=month_in(details.get("expirationMonth")),
        exp_year=year_in(details.get("expirationYear")),
        cryptogram=cryptogram,
        eci=eci,
    )
