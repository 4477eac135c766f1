"""The card inside Apple's payment token: found with our processing key, read, and compared with the session."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from payments.refusals import PaymentTokenInvalid, PaymentTokenKeyUnknown, PaymentTokenMismatch
from payments.schemes.apple_tokens import EC_V1, AppleToken
from payments.schemes.cards import card_number_in, month_in
from payments.schemes.currency_numbers import CURRENCY_NUMBERS
from payments.schemes.encodings import json_object, object_in, text_in
from payments.schemes.key_files import PrivateKey
from tokens.vaults.contract import DeviceCard
from transactions.money import EXPONENTS, Money

ZERO_IV = bytes(16)
TAG_BYTES = 16
LARGEST_PLAINTEXT = 8192
_WRAPPING = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)


def public_key_hash(key: PrivateKey) -> bytes:
    """Give what Apple names a processing key by: SHA-256 of its public half as SubjectPublicKeyInfo in DER."""
    return sha256(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def decrypt(token: AppleToken, *, keys: Sequence[PrivateKey], merchant_id: str) -> dict[str, Any]:
    """Decrypt a token whose signature has been verified, with the key that it names.

    Refuses with PaymentTokenKeyUnknown where none of `keys` is that one, PaymentTokenInvalid where it doesn't open.
    """
    key = next((key for key in keys if public_key_hash(key) == token.public_key_hash), None)
    if key is None:
        raise PaymentTokenKeyUnknown("public_key_hash")
    if len(token.data) <= TAG_BYTES:
        raise PaymentTokenInvalid("ciphertext")
    secret = _shared_key(token, key, merchant_id) if token.version == EC_V1 else _unwrapped_key(token, key)
    try:
        plaintext = AESGCM(secret).decrypt(ZERO_IV, token.data, None)
    except InvalidTag:
        raise PaymentTokenInvalid("ciphertext") from None
    return json_object(plaintext, at_most=LARGEST_PLAINTEXT, check="plaintext")


def derived_key(shared: bytes, *, merchant_id: str) -> bytes:
    """Derive the AES-256 key from an ECDH secret: one round of the NIST SP 800-56A concatenation KDF.

    Counter, secret, algorithm id with its length, Party U "Apple", Party V the merchant id's SHA-256.
    """
    merchant = sha256(merchant_id.encode()).digest()
    return sha256(b"\0\0\0\1" + shared + b"\x0did-aes256-GCM" + b"Apple" + merchant).digest()


def _shared_key(token: AppleToken, key: PrivateKey, merchant_id: str) -> bytes:
    try:
        ephemeral = load_der_public_key(token.key_material)
    except (ValueError, UnsupportedAlgorithm):
        raise PaymentTokenInvalid("ephemeral_public_key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PaymentTokenInvalid("key_type")
    if not isinstance(ephemeral, ec.EllipticCurvePublicKey) or ephemeral.curve.name != key.curve.name:
        raise PaymentTokenInvalid("ephemeral_public_key")
    return derived_key(key.exchange(ec.ECDH(), ephemeral), merchant_id=merchant_id)


def _unwrapped_key(token: AppleToken, key: PrivateKey) -> bytes:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise PaymentTokenInvalid("key_type")
    try:
        secret = key.decrypt(token.key_material, _WRAPPING)
    except ValueError:
        raise PaymentTokenInvalid("wrapped_key") from None
    if len(secret) != 16:  # RSA_v1 is AES-128
        raise PaymentTokenInvalid("wrapped_key")
    return secret


def check_amount(content: dict[str, Any], *, amount: Money) -> None:
    """Compare what the customer confirmed with what our session asks for. Refuses with PaymentTokenMismatch."""
    if str(content.get("currencyCode")).zfill(3) != CURRENCY_NUMBERS[amount.currency]:
        raise PaymentTokenMismatch("currency")
    confirmed = content.get("transactionAmount")
    if isinstance(confirmed, bool) or confirmed not in _as_apple_writes(amount):
        raise PaymentTokenMismatch("amount")


def _as_apple_writes(amount: Money) -> tuple[int, ...]:
    """Apple writes minor units. Seen for two digits only; for 0 and 3 digits it may be hundredths all the same."""
    scaled = amount.amount * 100
    unit = 10 ** EXPONENTS[amount.currency]
    return (amount.amount,) if scaled % unit else (amount.amount, scaled // unit)


def card_in(content: dict[str, Any]) -> DeviceCard:
    """Read the device's card out of a decrypted token. Refuses with PaymentTokenInvalid what has none."""
    number = card_number_in(content.get("applicationPrimaryAccountNumber"))
    expiry = text_in(content.get("applicationExpirationDate"), at_most=6, check="expiry")
    if len(expiry) != 6 or not (expiry.isascii() and expiry.isdigit()):
        raise PaymentTokenInvalid("expiry")
    if content.get("paymentDataType") == "EMV":
        # China mainland's: no processor here takes it, and without it the number alone is worth nothing.
        raise PaymentTokenInvalid("payment_data_type")
    proof = object_in(content.get("paymentData", {}), check="payment_proof")
    eci = proof.get("eciIndicator") or ""
    cryptogram = proof.get("onlinePaymentCryptogram") or ""
    return DeviceCard(
        number=number,
        exp_month=month_in(int(expiry[2:4])),
        exp_year=2000 + int(expiry[:2]),
        cryptogram=text_in(cryptogram, at_most=256, check="cryptogram") if cryptogram else "",
        eci=text_in(eci, at_most=2, check="eci") if eci else "",
    )
