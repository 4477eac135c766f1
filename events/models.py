"""What happened: the outbox, published events, the audit trail, webhooks and the log of API calls.

Events, deliveries, audit entries and API calls are range-partitioned by month on their UUIDv7 id; the
migrations make those tables, so their models are unmanaged where Django can't say it.
"""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, OrderBy, Q
from uuid_utils.compat import uuid7


class OutboxEntry(models.Model):
    """One effect, written in the statement that had it; the relay turns it into events and deletes it.

    The database numbers the entries as they are written, which for a wallet is under its lock: by `number`, and not
    by the ids that several machines make, its entries stand in the order of what happened.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.BigIntegerField(null=True, editable=False)
    kind = models.CharField(max_length=64)
    payload = models.JSONField()
    request_id = models.CharField(max_length=128, blank=True, default="")
    traceparent = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "events_outbox"
        indexes = [models.Index(OrderBy(F("number"), nulls_first=True), name="outbox_by_number")]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class ClockLead(models.Model):
    """How far a sandbox's clock runs ahead of the machine's: everybody's (the nil id), or a wallet's beyond that."""

    id = models.UUIDField(primary_key=True, editable=False)
    ahead = models.DurationField()
    moved_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="clock_runs_ahead", condition=Q(ahead__gte=timedelta()))]

    def __str__(self) -> str:
        return f"{self.ahead} ahead"


class FailedWork(models.Model):
    """Work that failed at its last try and is due again; more than a few `tries` in a row are for people to look at."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=64)
    object_id = models.CharField(max_length=80)
    tries = models.IntegerField()
    error = models.CharField(max_length=200)
    request_id = models.CharField(max_length=128, blank=True, default="")
    first_failed_at = models.DateTimeField()
    last_failed_at = models.DateTimeField()

    class Meta:
        verbose_name = "failed work"
        verbose_name_plural = "failed work"
        constraints = [models.UniqueConstraint(name="failed_work_once", fields=["kind", "object_id"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"


class EventPosition(models.Model):
    """The last position that the relay gave: one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    last = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(name="event_position_is_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return str(self.last)


class Event(models.Model):
    """A published event; `position` is gapless over all events, `wallet_seq` follows the wallet's lines."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    position = models.BigIntegerField()
    type = models.CharField(max_length=64)
    wallet_id = models.UUIDField(null=True)
    wallet_seq = models.BigIntegerField(null=True)
    user_id = models.UUIDField(null=True)
    data = models.JSONField()
    request_id = models.CharField(max_length=128)
    traceparent = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        managed = False

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class AuditEntry(models.Model):
    """One change of state or one look at something private: who, what, when, from where, why."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_id = models.CharField(max_length=64)
    from_state = models.CharField(max_length=32)
    to_state = models.CharField(max_length=32)
    reason = models.CharField(max_length=500)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    request_id = models.CharField(max_length=128)
    address = models.CharField(max_length=64)

    class Meta:
        managed = False
        db_table = "events_auditentry"
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"


class ApiCall(models.Model):
    """One call of the API as the timeline of a customer shows it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField()
    principal = models.CharField(max_length=80)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=500)
    status = models.SmallIntegerField()
    code = models.CharField(max_length=64)
    duration_us = models.IntegerField()
    wallet_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=128)
    idempotency_key = models.CharField(max_length=255)
    address = models.CharField(max_length=64)

    class Meta:
        managed = False
        db_table = "events_apicall"

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"


class EndpointStatus(models.TextChoices):
    """Whether an endpoint is sent events."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    DELETED = "deleted"


class WebhookEndpoint(models.Model):
    """Where a client wants events sent; both secrets sign while a rotation overlaps.

    Whoever sends to it holds it until `leased_until`, by the database's clock; nothing is sent to it before
    `resting_until`. `owner` is the principal that made it (`service:id`).
    """

    SEALED_COLUMNS = ("sealed_secret", "sealed_previous_secret")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.CharField(max_length=80)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True, default="")
    event_types = models.JSONField(default=list)
    sealed_secret = models.TextField()
    sealed_previous_secret = models.TextField(blank=True, default="")
    previous_secret_until = models.DateTimeField(null=True)
    status = models.CharField(max_length=16, choices=EndpointStatus, default=EndpointStatus.ENABLED)
    disabled_reason = models.CharField(max_length=200, blank=True, default="")
    leased_until = models.DateTimeField(null=True)
    resting_until = models.DateTimeField(null=True)
    failures_in_a_row = models.IntegerField(default=0, db_default=0)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="webhook_endpoint_status_is_known",
                condition=Q(status__in=["enabled", "disabled", "deleted"]),
            )
        ]
        indexes = [models.Index(name="webhook_endpoint_by_owner", fields=["owner", "id"])]

    def __str__(self) -> str:
        return self.url


class DeliveryStatus(models.TextChoices):
    """Where a delivery stands; `pending` ones have an attempt due."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint, with its attempts.

    `log` tells of the latest attempts, oldest first. `attempts_before` were made before somebody last asked to
    deliver it again: the schedule counts from there.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint_id = models.UUIDField()
    event_id = models.UUIDField()
    event_position = models.BigIntegerField()
    wallet_id = models.UUIDField(null=True)
    status = models.CharField(max_length=16, choices=DeliveryStatus)
    attempts = models.IntegerField()
    attempts_before = models.IntegerField()
    due_at = models.DateTimeField(null=True)
    log = models.JSONField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "events_webhookdelivery"
        verbose_name_plural = "webhook deliveries"

    def __str__(self) -> str:
        return f"{self.event_id} to {self.endpoint_id}"


class NoticePlace(models.Model):
    """How far the events have been read for notices: one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    position = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(name="notice_place_is_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return str(self.position)


class Notification(models.Model):
    """One notice on its way to one person, once for its event; `facts` are what the event showed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event_id = models.UUIDField()
    event_type = models.CharField(max_length=64)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    channel = models.CharField(max_length=16)
    notice = models.CharField(max_length=32)
    facts = models.JSONField()
    status = models.CharField(max_length=16, default="pending")
    attempts = models.IntegerField(default=0)
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True, default="")
    request_id = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="notification_once_for_event", fields=["event_id", "user", "channel"]
            ),
            models.CheckConstraint(
                name="notification_status_is_known",
                condition=Q(status="pending", finished_at__isnull=True)
                | Q(status__in=["sent", "failed", "cancelled"], finished_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="notification_due", fields=["due_at"], condition=Q(status="pending")),
            models.Index(name="notification_finished", fields=["finished_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.notice} to {self.user_id}"
