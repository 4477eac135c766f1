"""What providers send in tests: bodies, and the signatures over them."""

import json
from typing import Any

from uuid_utils.compat import uuid7

from events.clock import now
from payments.senders.timed_signatures import sign

STRIPE_SECRET = "whsec_tests_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"


def stripe_event(kind: str, about: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Make an event of Stripe's API v1."""
    return {
        "id": f"evt_{uuid7().hex}",
        "object": "event",
        "type": kind,
        "created": int(now().timestamp()),
        "livemode": False,
        "data": {"object": about},
        **changes,
    }


def stripe_signed(event: dict[str, Any], *, secret: str = STRIPE_SECRET) -> tuple[bytes, dict[str, str]]:
    """Write an event and sign it; gives the raw body and its headers."""
    raw = json.dumps(event).encode()
    return raw, {"Stripe-Signature": sign(raw=raw, secret=secret, at=now())}
