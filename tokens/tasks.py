"""The doorbell of the vault's sweep."""

from celery import shared_task

from tokens.sweeping import sweep_vault


@shared_task(name="tokens.sweep_vault")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_vault_items() -> int:
    """Destroy what should no longer be in the vault; tells how many items."""
    return sweep_vault()
