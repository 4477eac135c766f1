"""Wallets as lists show them."""

from collections.abc import Sequence
from uuid import UUID

from wallets.models import Wallet

MOST_WALLETS = 200
"""A customer has one open wallet for each currency, and those that were closed."""


def wallets_of(user_id: UUID) -> Sequence[Wallet]:
    """Read a customer's wallets with their accounts, newest first."""
    return list(
        Wallet.objects.filter(user_id=user_id)
        .select_related("account")
        .order_by("-created_at")[:MOST_WALLETS]
    )
