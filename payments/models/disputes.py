"""Charges that the cardholder's bank takes back."""

from django.db import models
from django.db.models import F, Q
from uuid_utils.compat import uuid7

from payments.models.charges import Payment


class DisputeStatus(models.TextChoices):
    """Where a dispute stands; an inquiry moves no money, a won one has given it back."""

    INQUIRY = "inquiry"
    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Dispute(models.Model):
    """One dispute of a charge, in minor units. `withdrawn` is what it keeps back of the wallet's money at the moment."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes")
    processor = models.CharField(max_length=64)
    processor_reference = models.CharField(max_length=255)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    withdrawn = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=64, blank=True, default="")
    status = models.CharField(max_length=16, choices=DisputeStatus)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="dispute_by_processor_reference", fields=["processor", "processor_reference"]
            ),
            models.CheckConstraint(name="dispute_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="dispute_withdraws_at_most_its_amount",
                condition=Q(withdrawn__gte=0) & Q(withdrawn__lte=F("amount")),
            ),
            models.CheckConstraint(
                name="dispute_status_is_known", condition=Q(status__in=DisputeStatus.values)
            ),
        ]
        indexes = [
            models.Index(name="dispute_by_status", fields=["status", "created_at"]),
            models.Index(name="dispute_by_reference", fields=["processor_reference"]),
        ]

    def __str__(self) -> str:
        return f"dispute {self.id}"
