"""What a customer agreed to when a card was saved for charges that come later, without the customer there."""

from uuid import UUID

from events import audit
from events.clock import now
from tokens.models import PaymentToken
from tokens.queries import token_within


def record_consent(*, token_id: UUID, owner_id: UUID | None, text: str, actor: str) -> PaymentToken:
    """Write the words that were agreed to, and when, in the transaction under way; gives the locked token.

    Agreed to anew, the newest words count; the audit trail keeps all. `text` is not empty. Refuses with NotFound
    and TokenDeleted.
    """
    if not text:
        raise ValueError("Nobody consents to nothing.")
    token = token_within(token_id=token_id, owner_id=owner_id, lock=True)
    token.consent_text, token.consent_at = text, now()
    token.save(update_fields=["consent_text", "consent_at"])
    audit.record(
        actor=actor,
        action="token.consented",
        object_type="token",
        object_id=token_id,
        after={"consent_text": text, "consent_at": token.consent_at.isoformat()},
    )
    return token
