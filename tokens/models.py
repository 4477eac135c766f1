"""Saved cards: what may be shown of them, and, sealed, what the local vault keeps."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7

from tokens.cards import has_expired

ACTIVE = "active"
EXPIRED = "expired"
DELETED = "deleted"


class PaymentToken(models.Model):
    """A card or a mobile wallet's card that its owner saved. It stands for the item in the vault, and is no money."""

    class Type(models.TextChoices):
        """How the card came to us."""

        CARD = "card"
        APPLE_PAY = "apple_pay"
        GOOGLE_PAY = "google_pay"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="payment_tokens", db_index=False
    )
    type = models.CharField(max_length=16, choices=Type.choices)
    brand = models.CharField(max_length=32)
    last4 = models.CharField(max_length=4)
    exp_month = models.SmallIntegerField()
    exp_year = models.SmallIntegerField()
    fingerprint = models.CharField(max_length=32)
    status = models.CharField(max_length=16, default=ACTIVE)
    provider = models.CharField(max_length=64)
    provider_ref = models.TextField()
    provider_ref_hmac = models.CharField(max_length=32)
    consent_text = models.TextField(null=True, blank=True)  # noqa: DJ001  null says that nobody was asked
    consent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)
    # From here on the vault may have destroyed the item: no new token may stand for it.
    destroying_at = models.DateTimeField(null=True, blank=True)
    # Null while the vault may still have the item: what the sweep looks for once the token is deleted.
    destroyed_at = models.DateTimeField(null=True, blank=True)

    SEALED_COLUMNS: ClassVar[tuple[str, ...]] = ("provider_ref",)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(type__in=["card", "apple_pay", "google_pay"]), name="token_type_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=[ACTIVE, EXPIRED, DELETED]), name="token_status_is_known"
            ),
            models.CheckConstraint(condition=Q(last4__regex=r"^[0-9]{4}$"), name="token_last4_is_4_digits"),
            models.CheckConstraint(
                condition=Q(exp_month__gte=1, exp_month__lte=12), name="token_exp_month_exists"
            ),
            models.CheckConstraint(
                condition=Q(exp_year__gte=1000, exp_year__lte=9999), name="token_exp_year_has_4_digits"
            ),
            models.CheckConstraint(condition=~Q(fingerprint=""), name="token_has_fingerprint"),
            models.CheckConstraint(
                condition=Q(provider_ref__regex=r"^v[0-9]+\."), name="token_ref_is_sealed"
            ),
            models.CheckConstraint(
                condition=Q(status=DELETED, deleted_at__isnull=False)
                | (~Q(status=DELETED) & Q(deleted_at__isnull=True, destroyed_at__isnull=True)),
                name="token_deleted_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(consent_text__isnull=True, consent_at__isnull=True)
                | Q(consent_text__isnull=False, consent_at__isnull=False),
                name="token_consent_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="token_by_user", condition=~Q(status=DELETED)),
            models.Index(fields=["provider", "provider_ref_hmac"], name="token_by_provider_ref"),
            models.Index(fields=["fingerprint"], name="token_by_fingerprint"),
            models.Index(fields=["last4", "-id"], name="token_by_last4"),
            models.Index(
                fields=["id"],
                name="token_to_destroy",
                condition=Q(status=DELETED, destroyed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} ending in {self.last4}"

    def status_at(self, now: datetime) -> str:
        """The status as it reads at a moment: a card whose month is over is `expired` without anybody writing it."""
        if self.status == ACTIVE and has_expired(exp_month=self.exp_month, exp_year=self.exp_year, now=now):
            return EXPIRED
        return self.status


class VaultedCard(models.Model):
    """An item of the local vault: number, expiry and holder, sealed. Its id is its token's. Never the security code."""

    id = models.UUIDField(primary_key=True, editable=False)
    sealed = models.TextField()
    created_at = models.DateTimeField()

    SEALED_COLUMNS: ClassVar[tuple[str, ...]] = ("sealed",)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(sealed__regex=r"^v[0-9]+\."), name="vaulted_card_is_sealed")
        ]
        indexes = [models.Index(fields=["created_at"], name="vaulted_card_by_age")]

    def __str__(self) -> str:
        return str(self.id)


class FingerprintKey(models.Model):
    """The key of all fingerprints, sealed: one row, made once, so that fingerprints outlive the ring's keys."""

    id = models.UUIDField(primary_key=True, editable=False)
    sealed = models.TextField()
    created_at = models.DateTimeField()

    SEALED_COLUMNS: ClassVar[tuple[str, ...]] = ("sealed",)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(id="00000000-0000-0000-0000-000000000001"), name="fingerprint_key_is_one_row"
            ),
            models.CheckConstraint(
                condition=Q(sealed__regex=r"^v[0-9]+\."), name="fingerprint_key_is_sealed"
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)
