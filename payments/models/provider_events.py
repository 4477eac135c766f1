"""What providers tell us by webhook."""

from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7


class ProviderEvent(models.Model):
    """What a provider told us by webhook, once each; the handler reads the object again rather than believing it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=64)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100)
    body = models.JSONField()
    status = models.CharField(max_length=16, default="received")
    attempts = models.IntegerField(default=0)
    failure = models.CharField(max_length=200, blank=True, default="")
    request_id = models.CharField(max_length=128, blank=True, default="")
    due_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="provider_event_once", fields=["provider", "event_id"]),
            models.CheckConstraint(
                name="provider_event_status_is_known",
                condition=Q(status__in=["received", "handled", "ignored", "failed"]),
            ),
        ]
        indexes = [
            models.Index(name="provider_event_due", fields=["due_at"], condition=Q(due_at__isnull=False)),
            models.Index(name="provider_event_by_event", fields=["event_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"
