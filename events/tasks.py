"""Upkeep of the event tables."""

from pathlib import Path

from celery import shared_task
from django.conf import settings

from events import archives, partitions, relay


@shared_task(name="events.make_partitions")  # type: ignore[untyped-decorator]
def make_partitions() -> None:
    """Make the partitions of the coming months."""
    partitions.make_ahead()


# Acknowledged at once: it runs for longer than the broker waits before it hands a task out again.
@shared_task(  # type: ignore[untyped-decorator]
    name="events.archive_partitions", acks_late=False, time_limit=6 * 3600, soft_time_limit=6 * 3600 - 60
)
def archive_partitions() -> None:
    """Archive the months that are kept no longer, where the settings name a directory for them."""
    if settings.ARCHIVE_DIRECTORY:
        directory = Path(settings.ARCHIVE_DIRECTORY)
        for _archived in archives.archive_old(directory=directory, months_kept=settings.RETENTION_MONTHS):
            pass


@shared_task(name="events.publish")  # type: ignore[untyped-decorator]
def publish() -> None:
    """Publish what waits in the outbox; whoever comes while another worker does so has nothing to do."""
    relay.publish_waiting()
