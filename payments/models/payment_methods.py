"""Which saved cards a wallet is paid from, and which of them is meant when none is named."""

from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7

from tokens.models import PaymentToken
from wallets.models import Wallet


class SavedMethod(models.Model):
    """A saved card as a wallet's payment method. A wallet that has any has exactly one default (a trigger).

    The row stays where the card itself was deleted, until the wallet's methods are next written; such a row is
    shown to nobody.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="payment_methods", db_index=False)
    token = models.ForeignKey(PaymentToken, models.PROTECT, related_name="wallets")
    is_default = models.BooleanField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="saved_method_once", fields=["wallet", "token"]),
            models.UniqueConstraint(
                name="saved_method_one_default", fields=["wallet"], condition=Q(is_default=True)
            ),
        ]
        indexes = [models.Index(name="saved_method_by_wallet", fields=["wallet", "-id"])]

    def __str__(self) -> str:
        return f"{self.token_id} of {self.wallet_id}"
