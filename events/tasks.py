"""Upkeep of the event tables."""

from celery import shared_task

from events import partitions


@shared_task(name="events.make_partitions")  # type: ignore[untyped-decorator]
def make_partitions() -> None:
    """Make the partitions of the coming months."""
    partitions.make_ahead()
