"""Charges: each attempt to get money from a card."""

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
            models.Index(
                name="payment_by_reference",
                fields=["processor_reference"],
                condition=~Q(processor_reference=""),
            ),
            models.Index(name="payment_by_status_created", fields=["status", "created_at"]),
            models.Index(name="payment_under_way_by_wallet", fields=["wallet"], condition=_IS_UNDER_WAY),
            models.Index(
                name="payment_by_completion",
                fields=["completed_at"],
                condition=Q(completed_at__isnull=False),
            ),
            models.Index(name="payment_due", fields=["due_at"], condition=Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_under_way(self) -> bool:
        """Whether the outcome is still to come."""
        return self.status in UNDER_WAY
