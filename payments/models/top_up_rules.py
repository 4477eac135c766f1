"""Top-up rules: when a wallet is charged for by itself."""

from django.db import models
from django.db.models import Q

from tokens.models import PaymentToken
from wallets.models import Wallet


class AutoTopUp(models.Model):
    """The rule by which a wallet is topped up: below a threshold, by the calendar, or both. Amounts in minor units.

    `occasion` and `attempt` name what is being charged for, from before the charge until its outcome is written
    down; together they make the key of the charge. `due_at` is when the rule is to be looked at, and, while an
    attempt runs, its lease. `next_run_on` is the next day of the schedule in the owner's calendar, `next_run_at`
    the moment at which it begins. A rule that was removed keeps its row, and with it the customer's consent.
    """

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
    next_run_on = models.DateField(null=True)
    occasion = models.CharField(max_length=64, blank=True, default="", db_default="")
    attempt = models.IntegerField(default=0, db_default=0)
    failures = models.IntegerField(default=0)
    cooldown_until = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=64, blank=True, default="")
    consent_text = models.TextField(blank=True, default="")
    consent_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

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
            models.CheckConstraint(
                name="auto_top_up_occasion_is_due",
                condition=Q(occasion="", attempt=0)
                | Q(attempt__gt=0, due_at__isnull=False) & ~Q(occasion=""),
            ),
            models.CheckConstraint(
                name="auto_top_up_removed_is_off", condition=Q(removed_at__isnull=True) | Q(is_enabled=False)
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

    @property
    def is_live(self) -> bool:
        """Whether it may charge anything."""
        return self.is_enabled and not self.is_paused
