"""Stripe's signature of webhooks: a moment and HMACs over it and the raw body, `t=<unix>,v1=<hex>[,v1=<hex>…]`.

The key is the whole text of the secret, `whsec_` included. Any v1 may match, so that two secrets can be in use while
one replaces the other; schemes other than v1 prove nothing. Source: stripe-python's `WebhookSignature`.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from payments.refusals import SignatureInvalid

TOLERANCE_S = 300
"""How old a signature may be, in seconds."""

LONGEST_HEADER = 2000


def sign(*, raw: bytes, secret: str, at: datetime) -> str:
    """Write the header for a body."""
    moment = str(int(at.timestamp()))
    return f"t={moment},v1={_digest(raw, secret, moment)}"


def require_signed(header: str, *, raw: bytes, secrets: Sequence[str], at: datetime) -> None:
    """Refuse with SignatureInvalid a body that none of the secrets signed, or none within the tolerance."""
    parts = [part.partition("=") for part in header[:LONGEST_HEADER].split(",")]
    moments = [value for name, _, value in parts if name.strip() == "t"]
    shown = [value for name, _, value in parts if name.strip() == "v1"]
    if not moments or not moments[0].isascii() or not moments[0].isdigit() or len(moments[0]) > 12:
        raise SignatureInvalid
    # No early end: how far the comparison came is nobody's business.
    matches = [
        hmac.compare_digest(_digest(raw, secret, moments[0]).encode(), signature.encode())
        for secret in secrets
        for signature in shown
    ]
    if not any(matches):
        raise SignatureInvalid
    if int(moments[0]) < at.timestamp() - TOLERANCE_S:
        raise SignatureInvalid("The signature is too old.")


def _digest(raw: bytes, secret: str, moment: str) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
