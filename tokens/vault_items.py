"""The items that tokens stand for: found by the sealed reference, destroyed with the last token that has it.

Where a vault recognises cards, one item may be given to a new token while it's being destroyed with an old one. Who
writes and who destroys therefore take turns by the reference, and an item whose end has begun takes no new token.
"""

import structlog
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from events.clock import now
from tokens.models import DELETED, PaymentToken
from tokens.refusals import VaultFailed, VaultUnavailable
from tokens.vaults.registry import vault_of
from users.sealing import open_sealed

logger = structlog.get_logger()


def reference_of(token: PaymentToken) -> str:
    """Open the token's sealed reference into its vault."""
    table = PaymentToken._meta.db_table
    return open_sealed(token.provider_ref, table=table, column="provider_ref", row_id=token.id).decode()


def claim_item(token: PaymentToken) -> None:
    """Make sure, until the transaction under way ends, that nobody destroys the item of a token to be written.

    `token.created_at` is before the vault was called. Refuses with VaultUnavailable when somebody has begun to.
    """
    _take_turn(token)
    ended = Q(destroyed_at=None) | Q(destroyed_at__gte=token.created_at)
    if _sharing(token).filter(ended, destroying_at__isnull=False).exists():
        raise VaultUnavailable("The same card is being deleted. Try again with the same key.")


def destroy_vault_item(*, token: PaymentToken) -> bool:
    """Destroy the vault's item of a deleted token; whether nothing is left to do.

    An item that another token still refers to stays; the last of them to be deleted takes it along. Not to be
    called inside a database transaction.
    """
    if not _begins_to_end(token):
        return True
    try:
        vault_of(token.provider).destroy(ref=reference_of(token))
    except VaultFailed as failure:
        logger.warning("vault_item_not_destroyed", token_id=str(token.id), reason=failure.code)
        return False
    PaymentToken.objects.filter(id=token.id).update(destroyed_at=now())
    return True


def discard_item(token: PaymentToken) -> None:
    """Destroy the item of a token that was not written, unless an older token has the same reference."""
    if _sharing(token).exclude(status=DELETED).exists():
        return
    try:
        vault_of(token.provider).destroy(ref=reference_of(token))
    except VaultFailed as failure:
        logger.warning("vault_item_abandoned", token_id=str(token.id), reason=failure.code)


def _begins_to_end(token: PaymentToken) -> bool:
    """Commit that the item is about to be destroyed; False when it isn't to be, or is already."""
    with transaction.atomic():
        _take_turn(token)
        deleted = PaymentToken.objects.filter(id=token.id, status=DELETED, destroyed_at=None)
        if _sharing(token).exclude(status=DELETED).exists():
            deleted.update(destroyed_at=now())
            return False
        return deleted.update(destroying_at=now()) == 1


def _sharing(token: PaymentToken) -> QuerySet[PaymentToken]:
    return PaymentToken.objects.filter(provider=token.provider, provider_ref_hmac=token.provider_ref_hmac)


def _take_turn(token: PaymentToken) -> None:
    """Wait for whoever writes or destroys with the same reference; held until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(token.provider_ref_hmac[:15], 16)])
