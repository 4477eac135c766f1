"""Letting a web page open Apple's sheet: Apple's merchant session for a payment session that can still pay."""

from typing import Any
from uuid import UUID

from payments.schemes import merchant_sessions
from payments.schemes.registry import APPLE_PAY
from payments.sessions import require_usable, session_within
from transactions.idempotency import Answer, KeyedCall, once, replay, store


def validate_merchant(
    *, session_id: UUID, owner_id: UUID | None, validation_url: str, call: KeyedCall
) -> Answer:
    """Fetch a new merchant session for a payment session; `call.render` is given what Apple said, unchanged.

    It is good for 5 minutes and one payment, so that only a repeated key is ever given one a second time. Not to be
    called inside a database transaction. Refuses with InvalidInput (field `validation_url`), NotFound,
    SessionConsumed, SessionExpired, and the refusals of `merchant_sessions.fetch` and of keys.
    """
    merchant_sessions.gateway_in(validation_url)
    first = replay(call)
    if first is not None:
        return first
    require_usable(session_within(session_id=session_id, owner_id=owner_id, scheme=APPLE_PAY))
    given: dict[str, Any] = merchant_sessions.fetch(validation_url=validation_url)
    return once(call, lambda: store(call, given))
