"""Saved cards as rows, for tests that charge nothing."""

from typing import Any

from events.clock import now
from tokens.models import PaymentToken
from users.models import User


def card_of(owner: User, **changes: Any) -> PaymentToken:
    """Save a Visa ending in 4242 that no vault has."""
    facts: dict[str, Any] = {
        "user": owner,
        "type": "card",
        "brand": "visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2040,
        "fingerprint": "f" * 32,
        "provider": "local",
        "provider_ref": "v1.a.b.c",
        "provider_ref_hmac": "0" * 32,
        "created_at": now(),
    }
    return PaymentToken.objects.create(**{**facts, **changes})
