"""The bell for charges whose outcome isn't known."""

from events.doorbells import ring
from transactions.idempotency import Answer, resource_id


def ring_for_unknown(charged: Answer) -> None:
    """Have such a charge looked at right away, rather than at the next sweep."""
    if charged.status == 202 and not charged.replayed:
        ring("payments.reconcile_payment", str(resource_id(charged.resource)))
