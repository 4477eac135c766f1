"""Payment sessions: what a customer is about to pay with a mobile wallet, and the tokens that were used up."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7

from payments.models.charges import Payment
from wallets.models import Wallet


class SessionStatus(models.TextChoices):
    """Where a payment session stands; an open one past `expires_at` counts as expired."""

    OPEN = "open"
    CONSUMED = "consumed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class PaymentSession(models.Model):
    """What a customer is about to pay by Apple Pay or Google Pay, for 15 minutes, once.

    `reload_threshold` and `reload_amount`, in minor units, are there where the customer agrees to automatic
    top-ups with the payment.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="payment_sessions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    scheme = models.CharField(max_length=16)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reload_threshold = models.BigIntegerField(null=True)
    reload_amount = models.BigIntegerField(null=True)
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
                name="session_reload_is_whole",
                condition=Q(reload_threshold__isnull=True, reload_amount__isnull=True)
                | Q(
                    reload_threshold__isnull=False,
                    reload_amount__isnull=False,
                    reload_threshold__gte=0,
                    reload_amount__gt=0,
                ),
            ),
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

    def status_at(self, at: datetime) -> str:
        """The status as it reads at a moment: an open one whose time is over has expired, swept or not."""
        if self.status == SessionStatus.OPEN and at >= self.expires_at:
            return SessionStatus.EXPIRED
        return self.status


class UsedPaymentToken(models.Model):
    """A mobile wallet's payment token that has been used: none is, twice.

    `replay_key` is what is unique in the scheme's token, `used_for` the session, or the saved token, that used it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    scheme = models.CharField(max_length=16)
    replay_key = models.CharField(max_length=512)
    used_for = models.UUIDField()
    used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="used_payment_token_once", fields=["scheme", "replay_key"]),
            models.CheckConstraint(
                name="used_payment_token_has_a_key", condition=~Q(replay_key="") & ~Q(scheme="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scheme} token used for {self.used_for}"
