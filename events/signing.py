"""Signatures of webhooks as Standard Webhooks 1.0.0 has them: HMAC-SHA-256 under an endpoint's own secret.

The signed text is `id.timestamp.body`; the key is the decoded secret, unlike Stripe's, where it is the text itself.
"""

import base64
import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> bytes:
    """Make the key of an endpoint: 32 random bytes, of the 24 to 64 that the specification allows."""
    return secrets.token_bytes(SECRET_BYTES)


def shown_secret(key: bytes) -> str:
    """Write a key as its owner is shown it: `whsec_` and its base64."""
    return PREFIX + base64.b64encode(key).decode()


def signed_headers(
    *, message_id: str, timestamp_s: int, body: bytes, keys: Sequence[bytes]
) -> dict[str, str]:
    """Give the three headers of one attempt; during a rotation each of `keys` signs, and one that matches is enough."""
    text = f"{message_id}.{timestamp_s}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, text, sha256)).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
