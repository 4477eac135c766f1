"""The sandbox processor's own books: the world outside."""

from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7


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


class SandboxDispute(models.Model):
    """A dispute in the sandbox processor's own books: opened with its charge, told of by a webhook of its own."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    charge = models.OneToOneField(SandboxCharge, models.PROTECT, related_name="dispute")
    status = models.CharField(max_length=16)
    # Null while nobody has been told of how it stands.
    told_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="sandbox_dispute_status_is_known", condition=Q(status__in=["open", "won", "lost"])
            )
        ]
        indexes = [
            models.Index(
                name="sandbox_dispute_untold", fields=["created_at"], condition=Q(told_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"sandbox dispute {self.id}"
