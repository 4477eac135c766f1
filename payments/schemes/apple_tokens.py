"""Apple's payment token as it comes from the phone: sized and decoded, not yet believed.

Real tokens have 3 to 6 KB. What Apple signs is a plain concatenation, so that every part but the ciphertext must
have exactly its own length: otherwise bytes could be moved from one part to the next under the same signature.
"""

from dataclasses import dataclass
from typing import Any

from payments.refusals import PaymentTokenInvalid, PaymentTokenSimulated
from payments.schemes.encodings import base64_in, hexadecimal_in, object_in, shown_text

EC_V1 = "EC_v1"
RSA_V1 = "RSA_v1"
SIMULATED = "Simulated Identifier"
"""The transactionIdentifier that Apple's simulator gives, beside empty paymentData."""

LARGEST_DATA = 8192
LARGEST_SIGNATURE = 16384
P256_KEY_BYTES = 91
"""A P-256 key as X.509 SubjectPublicKeyInfo with an uncompressed point."""
RSA_BLOCK_BYTES = 256


@dataclass(frozen=True, slots=True, repr=False)
class AppleToken:
    """One token, decoded. `key_material` is the ephemeral public key (EC_v1) or the wrapped key (RSA_v1).

    `network`, `display_name` and `card_type` are not signed: for showing alone, and empty where they can't be shown.
    """

    version: str
    data: bytes
    signature: bytes
    key_material: bytes
    public_key_hash: bytes
    transaction_id: bytes
    application_data: bytes | None
    network: str
    display_name: str
    card_type: str

    @property
    def signed_content(self) -> bytes:
        """What the signature is over."""
        return self.key_material + self.data + self.transaction_id + (self.application_data or b"")


def read_apple_token(payment_data: dict[str, Any]) -> AppleToken:
    """Read `{paymentData, paymentMethod, transactionIdentifier}`.

    Refuses with PaymentTokenInvalid what is malformed or too large, PaymentTokenSimulated a simulator's.
    """
    identifier = payment_data.get("transactionIdentifier")
    if identifier == SIMULATED or payment_data.get("paymentData") in ({}, "", None):
        raise PaymentTokenSimulated("simulator")
    parts = object_in(payment_data.get("paymentData"), check="payment_data")
    header = object_in(parts.get("header"), check="header")
    version = parts.get("version")
    if version == EC_V1:
        key_material = base64_in(header.get("ephemeralPublicKey"), at_most=256, check="ephemeral_public_key")
        key_bytes = P256_KEY_BYTES
    elif version == RSA_V1:
        key_material = base64_in(header.get("wrappedKey"), at_most=512, check="wrapped_key")
        key_bytes = RSA_BLOCK_BYTES
    else:
        raise PaymentTokenInvalid("version")
    if len(key_material) != key_bytes:
        raise PaymentTokenInvalid("key_length")
    public_key_hash = base64_in(header.get("publicKeyHash"), at_most=64, check="public_key_hash")
    if len(public_key_hash) != 32:
        raise PaymentTokenInvalid("public_key_hash")
    transaction_id = hexadecimal_in(header.get("transactionId"), length=32, check="transaction_id")
    if identifier is not None and str(identifier).lower() != transaction_id.hex():
        # Only the header's is signed; the other one comes in capitals at times.
        raise PaymentTokenInvalid("transaction_identifier")
    application_data = header.get("applicationData")
    method = payment_data.get("paymentMethod")
    described = method if isinstance(method, dict) else {}
    return AppleToken(
        version=version,
        data=base64_in(parts.get("data"), at_most=LARGEST_DATA, check="data"),
        signature=base64_in(parts.get("signature"), at_most=LARGEST_SIGNATURE, check="signature_encoding"),
        key_material=key_material,
        public_key_hash=public_key_hash,
        transaction_id=transaction_id,
        application_data=None
        if application_data is None
        else hexadecimal_in(application_data, length=32, check="application_data"),
        network=shown_text(described.get("network")),
        display_name=shown_text(described.get("displayName")),
        card_type=shown_text(described.get("type")),
    )
