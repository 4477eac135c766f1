"""The mark below which somebody wants to hear that little is left.

It stands on the wallet's own row, which every movement reads under its lock: who listens to balances that change
needs no query to know whom it concerns.
"""

from uuid import UUID

from transactions.prepared import run


def set_low_mark(*, wallet_id: UUID, below: int | None) -> None:
    """Have `LockedWallet.is_low` tell when less than `below` minor units are available; None takes the mark away."""
    run(
        "UPDATE wallets_wallet SET low_mark = %s WHERE id = %s AND low_mark IS DISTINCT FROM %s",
        (below, wallet_id, below),
    )
