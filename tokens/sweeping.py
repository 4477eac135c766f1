"""Puts the vaults in order behind calls that failed or died half-way."""

from datetime import timedelta

from django.db.models import F

from events.clock import now
from tokens.models import DELETED, PaymentToken
from tokens.vault_items import destroy_vault_item
from tokens.vaults.registry import vault_in_use

ABANDONED_AFTER = timedelta(hours=1)


def sweep_vault(*, limit: int = 100) -> int:
    """Destroy items of deleted tokens that are still in their vault, and items that no token was written for.

    At most `limit` deleted tokens in one go; tells how many items are gone. What fails again waits for the next.
    """
    due = PaymentToken.objects.filter(status=DELETED, destroyed_at=None).order_by("id")
    # A token for one payment is deleted from the start, while its item may be on its way to the charge.
    due = due.exclude(deleted_at=F("created_at"), created_at__gt=now() - ABANDONED_AFTER)
    destroyed = sum(destroy_vault_item(token=token) for token in due[:limit])
    return destroyed + vault_in_use().discard_abandoned(created_before=now() - ABANDONED_AFTER)
