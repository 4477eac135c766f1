"""Sweeps of the wallets."""

from celery import shared_task

from wallets import lifecycle


@shared_task(name="wallets.end_due_suspensions")  # type: ignore[untyped-decorator]
def end_due_suspensions() -> None:
    """Write down suspensions that have run out."""
    while lifecycle.end_due_suspensions():
        pass
