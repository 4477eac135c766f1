"""Payment sessions as GET shows them, kept in Redis for their 15 minutes: for showing, never for deciding.

Paying locks the row. Without Redis, or when it fails, the database answers; a change that Redis missed is shown as it
was before until the session's time is over.
"""

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction

from events.clock import now, now_of
from events.redis_link import RedisAwayError, link
from payments.models import PaymentSession, SessionStatus


class ShownSession:
    """What a client sees of a session, and whose it is."""

    __slots__ = ("fields", "user_id")

    def __init__(self, *, user_id: UUID, fields: dict[str, Any]) -> None:
        self.user_id = user_id
        self.fields = fields


def read_session(session_id: UUID) -> ShownSession | None:
    """Show a session as it was committed last, at this moment; None where there is no such session."""
    stored = _get(session_id)
    if stored is None:
        session = PaymentSession.objects.filter(id=session_id).first()
        if session is None:
            return None
        stored = _document(session)
        _keep(session, is_change=False)
    owner, fields = orjson.loads(stored)
    is_over = now_of(UUID(fields["wallet_id"])) >= datetime.fromisoformat(fields["expires_at"])
    if fields["status"] == SessionStatus.OPEN and is_over:
        fields["status"] = SessionStatus.EXPIRED.value
    return ShownSession(user_id=UUID(owner), fields=fields)


def keep_after_commit(session: PaymentSession) -> None:
    """Have Redis take the session as it stands once the transaction under way has committed."""
    transaction.on_commit(lambda: _keep(session, is_change=True), robust=True)


def _keep(session: PaymentSession, *, is_change: bool) -> None:
    """Keep a session; what was only read never replaces what somebody has written meanwhile."""
    left_s = int((session.expires_at - now()).total_seconds())
    if not settings.REDIS_URL or left_s <= 0:
        return
    condition = () if is_change and session.status != SessionStatus.OPEN else ("NX",)
    with suppress(RedisAwayError):
        link.ask("SET", _key(session.id), _document(session), *condition, "EX", left_s)


def _get(session_id: UUID) -> bytes | None:
    try:
        found = link.ask("GET", _key(session_id))
    except RedisAwayError:
        return None
    return found if isinstance(found, bytes) else None


def _key(session_id: UUID) -> str:
    return f"ow:payment_session:{session_id}"


def _document(session: PaymentSession) -> bytes:
    fields = {
        "id": session.id,
        "wallet_id": session.wallet_id,
        "method": session.scheme,
        "amount": session.amount,
        "currency": session.currency,
        "status": session.status,
        "payment_id": session.payment_id,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
    }
    return orjson.dumps((session.user_id, fields), option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)
