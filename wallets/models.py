"""A customer's wallets: who owns them, their state, their limits, and adjustments asked for by staff."""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from uuid_utils.compat import uuid7

from transactions.models import LedgerAccount


class WalletStatus(models.TextChoices):
    """What a wallet may do: a suspended one only takes what was under way."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Wallet(models.Model):
    """One customer's money in one currency; its ledger account shares its id.

    The four limits are in minor units and overrule the installation's defaults where they aren't null. A
    suspension with `suspended_until` is over once that moment has passed, whether or not a sweep has run.
    Below `low_mark` somebody wants to hear that little is left.
    """

    account = models.OneToOneField(
        LedgerAccount, models.PROTECT, primary_key=True, db_column="id", related_name="wallet"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="wallets", db_index=False)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16, choices=WalletStatus, default=WalletStatus.ACTIVE)
    status_reason = models.CharField(max_length=500, blank=True, default="")
    suspended_until = models.DateTimeField(null=True, blank=True)
    label = models.CharField(max_length=100, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True)
    maximum_balance = models.BigIntegerField(null=True, blank=True)
    per_transaction = models.BigIntegerField(null=True, blank=True)
    daily_outflow = models.BigIntegerField(null=True, blank=True)
    monthly_outflow = models.BigIntegerField(null=True, blank=True)
    low_mark = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="wallet_status_is_known", condition=Q(status__in=WalletStatus.values)
            ),
            models.UniqueConstraint(
                name="wallet_open_once_by_currency",
                fields=["user", "currency"],
                condition=~Q(status="closed"),
            ),
            models.CheckConstraint(
                name="wallet_limits_not_negative",
                condition=(Q(maximum_balance__isnull=True) | Q(maximum_balance__gte=0))
                & (Q(per_transaction__isnull=True) | Q(per_transaction__gte=0))
                & (Q(daily_outflow__isnull=True) | Q(daily_outflow__gte=0))
                & (Q(monthly_outflow__isnull=True) | Q(monthly_outflow__gte=0)),
            ),
        ]
        indexes = [
            models.Index(name="wallet_by_user_created", fields=["user", "created_at", "account"]),
            models.Index(name="wallet_by_status_created", fields=["status", "created_at"]),
            models.Index(
                name="wallet_suspended_until",
                fields=["suspended_until"],
                condition=Q(status="suspended", suspended_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} wallet {self.pk}"

    @property
    def id(self) -> UUID:
        """The id that the wallet shares with its ledger account."""
        return self.account_id


class AdjustmentStatus(models.TextChoices):
    """Where a correction by staff stands."""

    PENDING = "pending"
    COMPLETED = "completed"
    REJECTED = "rejected"


class Adjustment(models.Model):
    """A correction of a balance that one member of staff asks for and another decides on; `amount` is signed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="adjustments")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=16, choices=AdjustmentStatus, default=AdjustmentStatus.PENDING)
    requested_by = models.UUIDField()
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True, default="")
    transfer_id = models.UUIDField()
    transaction_id = models.UUIDField()
    request_id = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="adjustment_moves_something", condition=~Q(amount=0)),
            models.CheckConstraint(
                name="adjustment_decided_by_another",
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="adjustment_decided_has_decider",
                condition=Q(status="pending", decided_by__isnull=True)
                | Q(status__in=["completed", "rejected"], decided_by__isnull=False, decided_at__isnull=False),
            ),
        ]
        indexes = [models.Index(name="adjustment_by_status_created", fields=["status", "created_at"])]

    def __str__(self) -> str:
        return f"adjustment {self.id}"
