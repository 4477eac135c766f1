"""Refunds: money that goes back."""

from django.db import models
from django.db.models import F, Q
from uuid_utils.compat import uuid7

from payments.models.charges import Payment
from wallets.models import Wallet


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

    `transaction_id` is the wallet's line that is refunded, `payment` the charge behind it where there is one, and
    `transfer_id` the movement back. `due_at` is when a sweep may next work on it, `recheck_at` when it asks again about
    one that has succeeded, since a bank may still send it back. `is_auto_approved` says that a setting decided.
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
    is_auto_approved = models.BooleanField(default=False, db_default=False)
    failure_code = models.CharField(max_length=64, blank=True, default="")
    processor_key = models.CharField(max_length=64, unique=True)
    processor_reference = models.CharField(max_length=255, blank=True, default="")
    transfer_id = models.UUIDField(null=True, unique=True)
    request_id = models.CharField(max_length=128, blank=True, default="")
    due_at = models.DateTimeField(null=True)
    checks = models.IntegerField(default=0)
    checked_at = models.DateTimeField(null=True)
    recheck_at = models.DateTimeField(null=True)
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
                name="refund_decided_by_somebody",
                condition=Q(decided_at__isnull=True, decided_by__isnull=True)
                | Q(decided_at__isnull=False, decided_by__isnull=False, is_auto_approved=False)
                | Q(decided_at__isnull=False, decided_by__isnull=True, is_auto_approved=True),
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
            models.Index(
                name="refund_by_reference",
                fields=["processor_reference"],
                condition=~Q(processor_reference=""),
            ),
            models.Index(name="refund_due", fields=["due_at"], condition=Q(due_at__isnull=False)),
            models.Index(name="refund_recheck", fields=["recheck_at"], condition=Q(recheck_at__isnull=False)),
            models.Index(
                name="refund_by_decider",
                fields=["decided_by", "decided_at"],
                condition=Q(decided_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"refund {self.id}"
