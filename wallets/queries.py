"""Reading wallets, always within what a principal may see."""

from uuid import UUID

from django.db.models import QuerySet

from transactions.prepared import run
from wallets.models import Wallet


def wallets_of(owner_id: UUID | None) -> QuerySet[Wallet]:
    """Select the wallets of one customer, or everybody's when `owner_id` is None."""
    wallets = Wallet.objects.select_related("account")
    return wallets if owner_id is None else wallets.filter(user_id=owner_id)


def may_see(wallet_id: UUID, *, owner_id: UUID | None) -> bool:
    """Tell whether the wallet exists and is the owner's; None may see everybody's."""
    rows = run("SELECT user_id FROM wallets_wallet WHERE id = %s", (wallet_id,))
    return bool(rows) and owner_id in (None, rows[0][0])


def has_unfinished(wallet_id: UUID) -> bool:
    """Tell whether anything is still under way on the wallet: a pending line or an open hold."""
    rows = run(
        "SELECT EXISTS (SELECT FROM transactions_transaction WHERE account_id = %s AND status = 'pending')"
        " OR EXISTS (SELECT FROM transactions_hold WHERE account_id = %s AND status = 'open')"
        " OR EXISTS (SELECT FROM wallets_adjustment WHERE wallet_id = %s AND status = 'pending')",
        (wallet_id, wallet_id, wallet_id),
    )
    return bool(rows[0][0])
