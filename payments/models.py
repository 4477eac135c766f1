"""Money that comes from or goes outside: charges, sessions, refunds, top-up rules, and what providers tell us.

The rows are the queue: whatever is under way has a `due_at`, and the sweep looks at it then.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from uuid_utils.compat import uuid7

from tokens.models import PaymentToken
from wallets.models import Wallet


class PaymentKind(models.TextChoices):
    """Who asked for the charge: the customer, or a top-up rule."""

    FUNDING = "funding"
    TOP_UP = "top_up"


class PaymentMethod(models.TextChoices):
    """What was charged."""

    CARD = "card"
    APPLE_PAY = "apple_pay"
    GOOGLE_PAY = "google_pay"


class PaymentStatus(models.TextChoices):
    """Where a charge stands; `pending` and `requires_action` are under way."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


UNDER_WAY = (PaymentStatus.PENDING.value, PaymentStatus.REQUIRES_ACTION.value)
_IS_UNDER_WAY = Q(status__in=UNDER_WAY)


class Payment(models.Model):
    """One attempt to charge, in minor units. Committed before the processor is called, with the key for it.

    `transaction_id` is the wallet's line in the book, `transfer_id` the movement. `due_at` is when the sweep may
    next ask the processor about it. `request_path` is the call that an answer given later belongs to.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="payments", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    token = models.ForeignKey(PaymentToken, models.PROTECT, null=True, related_name="payments")
    kind = models.CharField(max_length=16, choices=PaymentKind)
    method = models.CharField(max_length=16, choices=PaymentMethod)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    refunded_amount = models.BigIntegerField(default=0)
    status = models.CharField(max_length=24, choices=PaymentStatus, default=PaymentStatus.PENDING)
    decline_code = models.CharField(max_length=64, blank=True, default="")
    decline_class = models.CharField(max_length=16, blank=True, default="")
    failure_code = models.CharField(max_length=64, blank=True, default="")
    next_action = models.JSONField(null=True)
    processor = models.CharField(max_length=64)
    processor_key = models.CharField(max_length=64, unique=True)
    processor_reference = models.CharField(max_length=255, blank=True, default="")
    transaction_id = models.UUIDField(unique=True)
    transfer_id = models.UUIDField(unique=True)
    actor = models.CharField(max_length=80)
    request_id = models.CharField(max_length=128, blank=True, default="")
    request_path = models.CharField(max_length=200, blank=True, default="")
    due_at = models.DateTimeField(null=True)
    checks = models.IntegerField(default=0)
    checked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="payment_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="payment_never_overrefunded",
                condition=Q(refunded_amount__gte=0) & Q(refunded_amount__lte=F("amount")),
            ),
            models.CheckConstraint(
                name="payment_status_fits_refunds",
                condition=Q(status__in=[*UNDER_WAY, "failed", "succeeded"], refunded_amount=0)
                | Q(status="partially_refunded", refunded_amount__gt=0, refunded_amount__lt=F("amount"))
                | Q(status="refunded", refunded_amount=F("amount"))
                | Q(status="disputed"),
            ),
            models.CheckConstraint(name="payment_kind_is_known", condition=Q(kind__in=PaymentKind.values)),
            models.CheckConstraint(
                name="payment_method_is_known", condition=Q(method__in=PaymentMethod.values)
            ),
            models.CheckConstraint(
                name="payment_under_way_is_due",
                condition=Q(_IS_UNDER_WAY, due_at__isnull=False, completed_at__isnull=True)
                | Q(~_IS_UNDER_WAY, due_at__isnull=True, completed_at__isnull=False),
            ),
            models.UniqueConstraint(
                name="payment_one_open_top_up_by_wallet",
                fields=["wallet"],
                condition=Q(_IS_UNDER_WAY, kind="top_up"),
            ),
            models.UniqueConstraint(
                name="payment_by_processor_reference",
                fields=["processor", "processor_reference"],
                condition=~Q(processor_reference=""),
            ),
        ]
        indexes = [
            models.Index(name="payment_by_wallet", fields=["wallet", "-id"]),
            models.Index(name="payment_by_user", fields=["user", "-id"]),
            models.Index(name="payment_by_status_created", fields=["status", "created_at"]),
            models.Index(name="payment_under_way_by_wallet", fields=["wallet"], condition=_IS_UNDER_WAY),
            models.Index(name="payment_due", fields=["due_at"], condition=Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_under_way(self) -> bool:
        """Whether the outcome is still to come."""
        return self.status in UNDER_WAY


class SessionStatus(models.TextChoices):
    """Where a payment session stands; an open one past `expires_at` counts as expired."""

    OPEN = "open"
    CONSUMED = "consumed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class PaymentSession(models.Model):
    """What a customer is about to pay by Apple Pay or Google Pay, for 15 minutes, once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="payment_sessions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    scheme = models.CharField(max_length=16)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    nonce = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=16, choices=SessionStatus, default=SessionStatus.OPEN)
    payment = models.OneToOneField(Payment, models.PROTECT, null=True, related_name="session")
    actor = models.CharField(max_length=80)
    request_id = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="session_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="session_scheme_is_known", condition=Q(scheme__in=["apple_pay", "google_pay"])
            ),
            models.CheckConstraint(
                name="session_consumed_by_a_payment",
                condition=Q(status="consumed", payment__isnull=False, closed_at__isnull=False)
                | Q(status__in=["expired", "cancelled"], payment__isnull=True, closed_at__isnull=False)
                | Q(status="open", payment__isnull=True, closed_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(name="session_open_by_expiry", fields=["expires_at"], condition=Q(status="open"))
        ]

    def __str__(self) -> str:
        return f"{self.scheme} session {self.id}"


class RefundReason(models.TextChoices):
    """Why money goes back."""

    CUSTOMER_REQUEST = "customer_request"
    DUPLICATE_CHARGE = "duplicate_charge"
    FRAUDULENT = "fraudulent"
    SERVICE_ISSUE = "service_issue"
    OTHER = "other"


class RefundStatus(models.TextChoices):
    """Where a refund stands; `rejected`, `cancelled`, `completed` and `failed` are ends."""

    PENDING = "pending"
    APPROVED = "approved"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class Refund(models.Model):
    """Money that goes back: of a deposit to its card, or of a payment to the wallet. Asked for by one, decided by another.

    `transaction_id` is the wallet's line that is refunded, `payment` the charge behind it where there is one.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="refunds", db_index=False)
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="refunds")
    transaction_id = models.UUIDField()
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=24, choices=RefundReason)
    notes = models.CharField(max_length=500, blank=True, default="")
    status = models.CharField(max_length=16, choices=RefundStatus, default=RefundStatus.PENDING)
    requested_by = models.UUIDField()
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True, default="")
    failure_code = models.CharField(max_length=64, blank=True, default="")
    processor_key = models.CharField(max_length=64, unique=True)
    processor_reference = models.CharField(max_length=255, blank=True, default="")
    transfer_id = models.UUIDField(null=True, unique=True)
    request_id = models.CharField(max_length=128, blank=True, default="")
    due_at = models.DateTimeField(null=True)
    checks = models.IntegerField(default=0)
    checked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="refund_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="refund_reason_is_known", condition=Q(reason__in=RefundReason.values)
            ),
            models.CheckConstraint(
                name="refund_decided_by_another",
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="refund_decided_has_time",
                condition=Q(status__in=["pending", "cancelled"], decided_at__isnull=True)
                | Q(
                    status__in=["approved", "processing", "completed", "failed", "rejected"],
                    decided_at__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="refund_under_way_is_due",
                condition=Q(status__in=["approved", "processing"], due_at__isnull=False)
                | (~Q(status__in=["approved", "processing"]) & Q(due_at__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(name="refund_by_wallet", fields=["wallet", "-id"]),
            models.Index(name="refund_by_status", fields=["status", "created_at"]),
            models.Index(name="refund_by_transaction", fields=["transaction_id"]),
            models.Index(name="refund_due", fields=["due_at"], condition=Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"refund {self.id}"


class AutoTopUp(models.Model):
    """The rule by which a wallet is topped up: below a threshold, by the calendar, or both. Amounts in minor units."""

    wallet = models.OneToOneField(Wallet, models.PROTECT, primary_key=True, related_name="auto_top_up")
    token = models.ForeignKey(PaymentToken, models.PROTECT, related_name="auto_top_ups")
    is_enabled = models.BooleanField(default=True)
    is_paused = models.BooleanField(default=False)
    threshold = models.BigIntegerField(null=True)
    amount = models.BigIntegerField()
    monthly_limit = models.BigIntegerField(null=True)
    schedule = models.JSONField(null=True)
    next_run_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)
    cooldown_until = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=64, blank=True, default="")
    consent_text = models.TextField(blank=True, default="")
    consent_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="auto_top_up_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="auto_top_up_threshold_not_negative",
                condition=Q(threshold__isnull=True) | Q(threshold__gte=0),
            ),
            models.CheckConstraint(
                name="auto_top_up_limit_is_positive",
                condition=Q(monthly_limit__isnull=True) | Q(monthly_limit__gt=0),
            ),
            models.CheckConstraint(
                name="auto_top_up_has_an_occasion",
                condition=Q(threshold__isnull=False) | Q(schedule__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="auto_top_up_due", fields=["due_at"], condition=Q(due_at__isnull=False)),
            models.Index(
                name="auto_top_up_scheduled", fields=["next_run_at"], condition=Q(next_run_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"auto top-up of {self.pk}"


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
            models.Index(name="provider_event_due", fields=["due_at"], condition=Q(due_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"


class SandboxCharge(models.Model):
    """A charge in the sandbox processor's own books: the world outside, which no code but that adapter reads."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=64, unique=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16)
    decline_code = models.CharField(max_length=64, blank=True, default="")
    behaviour = models.CharField(max_length=24)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="sandbox_charge_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="sandbox_charge_status_is_known",
                condition=Q(status="succeeded", decline_code="")
                | (Q(status="declined") & ~Q(decline_code="")),
            ),
        ]

    def __str__(self) -> str:
        return f"sandbox charge {self.id}"


class SandboxRefund(models.Model):
    """A refund in the sandbox processor's own books."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=64, unique=True)
    charge = models.ForeignKey(SandboxCharge, models.PROTECT, related_name="refunds")
    amount = models.BigIntegerField()
    status = models.CharField(max_length=16)
    failure_code = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="sandbox_refund_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="sandbox_refund_status_is_known",
                condition=Q(status="succeeded", failure_code="") | (Q(status="failed") & ~Q(failure_code="")),
            ),
        ]

    def __str__(self) -> str:
        return f"sandbox refund {self.id}"
