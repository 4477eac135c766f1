"""Upkeep of the event tables."""

from pathlib import Path

from celery import shared_task
from django.conf import settings

from events import archives, notices, notifications, partitions, relay, webhooks
from events.doorbells import ring


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
    if relay.publish_waiting().deliveries:
        ring("events.send_due_webhooks")


@shared_task(name="events.tell_people")  # type: ignore[untyped-decorator]
def tell_people(_notification_id: str = "") -> None:
    """Turn new events into notices, and send the notices that are due, those among them that somebody rings for."""
    notices.raise_notices()
    while notifications.send_due():
        pass


@shared_task(name="events.forget_old_notices")  # type: ignore[untyped-decorator]
def forget_old_notices() -> None:
    """Delete notices that were finished long ago."""
    notifications.forget_old()


@shared_task(name="events.send_due_webhooks")  # type: ignore[untyped-decorator]
def send_due_webhooks() -> None:
    """Send to webhook endpoints what is due; those that another worker is sending to are left to it."""
    webhooks.send_due()
