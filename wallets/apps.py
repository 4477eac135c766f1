from typing import Any

from django.apps import AppConfig

from events.signals import wallet_balance_changed


class WalletsConfig(AppConfig):
    name = "wallets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have the read cache hear of every balance that changes."""
        wallet_balance_changed.connect(replace_in_cache, dispatch_uid="wallets.cached_reads")


def replace_in_cache(*, accounts: list[Any], **_signal: Any) -> None:
    """Show the new balances; the accounts that the ledger locked are whole wallets."""
    from wallets import cached_reads
    from wallets.locks import LockedWallet

    cached_reads.replace([account for account in accounts if isinstance(account, LockedWallet)])
