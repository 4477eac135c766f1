"""What providers tell us by webhook."""

from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7


class ProviderEvent(models.Model):
    """What a provider told us by webhook, once each; the handler reads the object again rather than believing it.

    `wallet_id`, `payment_id` and `refund_id` say what it was found to be about: null until then, and for good where
    it is about nothing of ours. No foreign keys: it was so when it was handled.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=64)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100)
    body = models.JSONField()
    status = models.CharField(max_length=16, default="received")
    attempts = models.IntegerField(default=0)
    failure = models.CharField(max_length=200, blank=True, default="")
    request_id = models.CharField(max_length=128, blank=True, default="")
    wallet_id = models.UUIDField(null=True)
    payment_id = models.UUIDField(null=True)
    refund_id = models.UUIDField(null=True)
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
            models.Index(
                name="provider_event_by_wallet",
                fields=["wallet_id", "-id"],
                condition=Q(wallet_id__isnull=False),
            ),
            models.Index(
                name="provider_event_by_payment",
                fields=["payment_id", "-id"],
                condition=Q(payment_id__isnull=False),
            ),
            models.Index(
                name="provider_event_unhandled",
                fields=["status", "-id"],
                condition=Q(status__in=["received", "failed"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"
