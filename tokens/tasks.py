"""The doorbell of the vault's sweep."""

from celery import shared_task

from tokens.sweeping import sweep_vault


@shared_task(name="tokens.sweep_vault")
def sweep_vault_items() -> int:
    """Destroy what should no longer be in the vault; tells how many items."""
    return sweep_vault()
