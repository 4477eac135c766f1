"""Whether Google signed a payment token for us: from a root key over an intermediate key to the message.

Signed is each part with its length in front (four bytes, little-endian), so that none can run into the next.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from payments.refusals import PaymentTokenExpired, PaymentTokenInvalid
from payments.schemes.encodings import base64_in, json_object
from payments.schemes.google_tokens import PROTOCOL, GoogleToken, moment_in

SENDER = b"Google"


def verify_signatures(
    token: GoogleToken, *, roots: Sequence[ec.EllipticCurvePublicKey], recipient: str, now: datetime
) -> None:
    """Verify both signatures of a token for this recipient (`merchant:…` or `gateway:…`).

    `roots` are the root keys that have not expired. Refuses with PaymentTokenInvalid, and with PaymentTokenExpired
    where the intermediate key's time is over.
    """
    signed_by_root = framed(SENDER, PROTOCOL.encode(), token.signed_key)
    if not any(
        verifies(root, signature, signed_by_root) for root in roots for signature in token.key_signatures
    ):
        raise PaymentTokenInvalid("intermediate_signature")
    described = json_object(token.signed_key, at_most=1024, check="signed_key")
    if moment_in(described.get("keyExpiration"), check="key_expiration") <= now:
        raise PaymentTokenExpired("key_expiration")
    key = p256_key(base64_in(described.get("keyValue"), at_most=256, check="key_value"))
    signed_by_key = framed(SENDER, recipient.encode(), PROTOCOL.encode(), token.signed_message)
    if key is None or not verifies(key, token.signature, signed_by_key):
        raise PaymentTokenInvalid("message_signature")


def framed(*parts: bytes) -> bytes:
    """Join parts, each with its length in front."""
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def p256_key(encoded: bytes) -> ec.EllipticCurvePublicKey | None:
    """Read a P-256 public key (SubjectPublicKeyInfo in DER); none where it is something else."""
    try:
        key = load_der_public_key(encoded)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    return None


def verifies(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    """Whether the signature (ECDSA with SHA-256, in DER) is the key's over these bytes."""
    try:
        key.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
