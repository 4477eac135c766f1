"""The sweep that belongs to the gateway."""

from celery import shared_task

from config.gateway.rate_counters import purge_expired_counters


@shared_task(name="config.purge_expired_counters")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_counters() -> int:
    """Delete the counters of calls whose window is over; tells how many."""
    return purge_expired_counters()
