"""Reading tokens: the one place where a question is narrowed to its owner."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from tokens.models import DELETED, PaymentToken
from tokens.refusals import TokenDeleted
from transactions.refusals import NotFound


def tokens_within(*, owner_id: UUID | None) -> QuerySet[PaymentToken]:
    """Give the tokens within reach: those of the owner, or everybody's when there is none; deleted ones too."""
    tokens = PaymentToken.objects.all()
    return tokens if owner_id is None else tokens.filter(user_id=owner_id)


def saved_tokens(*, owner_id: UUID | None) -> QuerySet[PaymentToken]:
    """Give the tokens within reach that aren't deleted."""
    return tokens_within(owner_id=owner_id).exclude(status=DELETED)


def token_within(*, token_id: UUID, owner_id: UUID | None, lock: bool = False) -> PaymentToken:
    """Give one token, locked until the transaction ends if asked.

    Refuses with NotFound what doesn't exist or is somebody else's, and with TokenDeleted what was deleted.
    """
    tokens = tokens_within(owner_id=owner_id).filter(id=token_id)
    token = (tokens.select_for_update() if lock else tokens).first()
    if token is None:
        raise NotFound("There is no such token.")
    if token.status == DELETED:
        raise TokenDeleted
    return token


def shown(token: PaymentToken, *, at: datetime) -> dict[str, Any]:
    """Tell all that may be shown of a token, as it reads at a moment: the API's fields in their order."""
    return {
        "id": token.id,
        "type": token.type,
        "brand": token.brand,
        "last4": token.last4,
        "exp_month": token.exp_month,
        "exp_year": token.exp_year,
        "fingerprint": token.fingerprint,
        "status": token.status_at(at),
        "provider": token.provider,
        "created_at": token.created_at,
    }
