"""Sweeps of the wallets."""

from celery import shared_task

from events.clock import times
from wallets import freed_holds, lifecycle


@shared_task(name="wallets.end_due_suspensions")  # type: ignore[untyped-decorator]
def end_due_suspensions() -> None:
    """Write down suspensions that have run out."""
    for wallet_id in times():
        while lifecycle.end_due_suspensions(wallet_id=wallet_id):
            pass


@shared_task(name="wallets.expire_due_holds")  # type: ignore[untyped-decorator]
def expire_due_holds() -> None:
    """Free what holds keep whose time is over."""
    for wallet_id in times():
        while freed_holds.expire_due_holds(wallet_id=wallet_id):
            pass
