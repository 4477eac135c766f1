"""Sealed columns: AES-256-GCM under a ring of keys, each text bound to its table, column and row.

A sealed text reads `version.key-id.nonce.ciphertext`; nonce and ciphertext are base64url without padding. The
first key of `ENCRYPTION_KEYS` seals, every key of the ring opens.
"""

import base64
import binascii
import hmac
import os
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

VERSION = "v1"
NONCE_BYTES = 12


class SealBroken(Exception):
    """The sealed text was changed, moved to another row or column, or sealed under a key that isn't in the ring.

    Never a refusal: no client can cause it, so it's an alarm. Its message holds neither text nor key.
    """


def seal(plaintext: bytes, *, table: str, column: str, row_id: UUID) -> str:
    """Seal `plaintext` under the first key of the ring, for this one place in the database."""
    key_id, key = settings.ENCRYPTION_KEYS[0]
    nonce = os.urandom(NONCE_BYTES)
    ciphertext = AESGCM(key).encrypt(nonce, plaintext, _place(key_id, table, column, row_id))
    return ".".join((VERSION, key_id, _encode(nonce), _encode(ciphertext)))


def open_sealed(text: str, *, table: str, column: str, row_id: UUID) -> bytes:
    """Open a text that was sealed for this very place.

    Refuses with SealBroken another version, an unknown key, and whatever was altered or moved.
    """
    parts = text.split(".")
    if len(parts) != 4 or parts[0] != VERSION:
        raise SealBroken("The sealed text is not of a known version.")
    _, key_id, encoded_nonce, encoded_ciphertext = parts
    key = dict(settings.ENCRYPTION_KEYS).get(key_id)
    if key is None:
        raise SealBroken("The sealed text names a key that is not in the ring.")
    nonce, ciphertext = _decode(encoded_nonce), _decode(encoded_ciphertext)
    if len(nonce) != NONCE_BYTES:
        raise SealBroken("The sealed text has no nonce.")
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, _place(key_id, table, column, row_id))
    except InvalidTag:
        raise SealBroken("The sealed text was altered, or belongs elsewhere.") from None


def current_prefix() -> str:
    """Tell how each text starts that is sealed under the first key of the ring."""
    return f"{VERSION}.{settings.ENCRYPTION_KEYS[0][0]}."


def needs_resealing(text: str) -> bool:
    """Whether the text is sealed under another key than the first of the ring."""
    return not text.startswith(current_prefix())


def keyed_digest(key: bytes, purpose: str, value: str) -> str:
    """HMAC-SHA-256 of `value` for one purpose, cut to 128 bits, as 32 hexadecimal digits."""
    return hmac.new(key, f"{purpose}\0{value}".encode(), sha256).hexdigest()[:32]


def _place(key_id: str, table: str, column: str, row_id: UUID) -> bytes:
    """The associated data: no part can hold the NUL that separates them."""
    return "\0".join((VERSION, key_id, table, column, str(row_id))).encode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(encoded: str) -> bytes:
    """Decode canonical base64url without padding; any other spelling counts as altered."""
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SealBroken("The sealed text is not base64url.") from None
    if _encode(raw) != encoded:
        raise SealBroken("The sealed text is not canonical base64url.")
    return raw
