# The saved cards and what the local vault keeps of them.

import django.db.models.deletion
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FingerprintKey",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("sealed", models.TextField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", "00000000-0000-0000-0000-000000000001")),
                        name="fingerprint_key_is_one_row",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sealed__regex", "^v[0-9]+\\.")), name="fingerprint_key_is_sealed"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VaultedCard",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("sealed", models.TextField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="vaulted_card_by_age")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("sealed__regex", "^v[0-9]+\\.")), name="vaulted_card_is_sealed"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PaymentToken",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "type",
                    models.CharField(
                        choices=[("card", "Card"), ("apple_pay", "Apple Pay"), ("google_pay", "Google Pay")],
                        max_length=16,
                    ),
                ),
                ("brand", models.CharField(max_length=32)),
                ("last4", models.CharField(max_length=4)),
                ("exp_month", models.SmallIntegerField()),
                ("exp_year", models.SmallIntegerField()),
                ("fingerprint", models.CharField(max_length=32)),
                ("status", models.CharField(default="active", max_length=16)),
                ("provider", models.CharField(max_length=64)),
                ("provider_ref", models.TextField()),
                ("provider_ref_hmac", models.CharField(max_length=32)),
                ("consent_text", models.TextField(blank=True, null=True)),
                ("consent_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                ("destroyed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payment_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "deleted"), _negated=True),
                        fields=["user", "-id"],
                        name="token_by_user",
                    ),
                    models.Index(fields=["provider", "provider_ref_hmac"], name="token_by_provider_ref"),
                    models.Index(fields=["fingerprint"], name="token_by_fingerprint"),
                    models.Index(
                        condition=models.Q(("destroyed_at__isnull", True), ("status", "deleted")),
                        fields=["id"],
                        name="token_to_destroy",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("type__in", ["card", "apple_pay", "google_pay"])),
                        name="token_type_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["active", "expired", "deleted"])),
                        name="token_status_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last4__regex", "^[0-9]{4}$")), name="token_last4_is_4_digits"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("exp_month__gte", 1), ("exp_month__lte", 12)),
                        name="token_exp_month_exists",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("exp_year__gte", 1000), ("exp_year__lte", 9999)),
                        name="token_exp_year_has_4_digits",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("fingerprint", ""), _negated=True), name="token_has_fingerprint"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("provider_ref__regex", "^v[0-9]+\\.")), name="token_ref_is_sealed"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deleted_at__isnull", False), ("status", "deleted")),
                            models.Q(
                                models.Q(("status", "deleted"), _negated=True),
                                ("deleted_at__isnull", True),
                                ("destroyed_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="token_deleted_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("consent_at__isnull", True), ("consent_text__isnull", True)),
                            models.Q(("consent_at__isnull", False), ("consent_text__isnull", False)),
                            _connector="OR",
                        ),
                        name="token_consent_has_a_time",
                    ),
                ],
            },
        ),
    ]
