"""What Stripe sends: events of the account whose key we hold, signed with `STRIPE_WEBHOOK_SECRET`.

Delivered at least once and in any order, for up to three days. Source: Stripe's documentation of webhooks.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from django.conf import settings

from payments.refusals import SignatureInvalid
from payments.senders.bodies import document, part, word
from payments.senders.contract import NOTHING, Concern, Kind, Notice
from payments.senders.timed_signatures import require_signed
from tokens.providers.stripe import KEY_IN_METADATA
from transactions.refusals import InvalidInput


class StripeSender:
    """Tells of charges that went to Stripe directly, and of those that went through Basis Theory's proxy."""

    processors: ClassVar[frozenset[str]] = frozenset({"stripe", "basis_theory_proxy"})

    def is_expected(self) -> bool:
        """Whether a secret is set."""
        return bool(settings.STRIPE_WEBHOOK_SECRETS)

    def read(self, *, raw: bytes, headers: Mapping[str, str], at: datetime) -> Notice:
        """Read an event of API v1; a thin event of the other API, and one of the other mode, is refused."""
        require_signed(
            headers.get("Stripe-Signature", ""), raw=raw, secrets=settings.STRIPE_WEBHOOK_SECRETS, at=at
        )
        event = document(raw)
        event_id, kind = word(event, "id"), word(event, "type")
        if event.get("object") != "event" or not event_id or not 0 < len(kind) <= 100:
            raise InvalidInput("The body is no event of Stripe's API v1.")
        if settings.STRIPE_API_KEY and event.get("livemode") is not _is_live(settings.STRIPE_API_KEY):
            raise SignatureInvalid("The event is of Stripe's other mode.")
        about = part(part(event, "data"), "object")
        kept = {name: word(about, name) for name in ("id", "object", "status", "payment_intent", "charge")}
        kept["key"] = word(part(about, "metadata"), KEY_IN_METADATA)
        return Notice(
            event_id=event_id,
            type=kind,
            body={
                "created": event.get("created") if isinstance(event.get("created"), int) else None,
                "object": kept,
            },
        )

    def concern(self, notice: Notice) -> Concern:
        """Go by the type's family; what happened in particular is read from the object itself."""
        about = part(notice.body, "object")
        reference, key, charge = word(about, "id"), word(about, "key"), word(about, "payment_intent")
        if notice.type.startswith("payment_intent."):
            return Concern(kind=Kind.CHARGE, reference=reference, key=key)
        if notice.type.startswith("charge.dispute."):
            return Concern(kind=Kind.DISPUTE, reference=reference, charge_reference=charge)
        if notice.type.startswith(("refund.", "charge.refund.")):
            return Concern(kind=Kind.REFUND, reference=reference, key=key, charge_reference=charge)
        return NOTHING


def _is_live(key: str) -> bool:
    return key.partition("_")[2].startswith("live_")
