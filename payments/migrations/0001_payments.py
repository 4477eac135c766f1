import django.db.models.deletion
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tokens", "0001_saved_cards"),
        ("wallets", "0001_wallets"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Payment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=[("funding", "Funding"), ("top_up", "Top Up")], max_length=16),
                ),
                (
                    "method",
                    models.CharField(
                        choices=[("card", "Card"), ("apple_pay", "Apple Pay"), ("google_pay", "Google Pay")],
                        max_length=16,
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("refunded_amount", models.BigIntegerField(default=0)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("requires_action", "Requires Action"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("partially_refunded", "Partially Refunded"),
                            ("refunded", "Refunded"),
                            ("disputed", "Disputed"),
                        ],
                        default="pending",
                        max_length=24,
                    ),
                ),
                ("decline_code", models.CharField(blank=True, default="", max_length=64)),
                ("decline_class", models.CharField(blank=True, default="", max_length=16)),
                ("failure_code", models.CharField(blank=True, default="", max_length=64)),
                ("next_action", models.JSONField(null=True)),
                ("processor", models.CharField(max_length=64)),
                ("processor_key", models.CharField(max_length=64, unique=True)),
                ("processor_reference", models.CharField(blank=True, default="", max_length=255)),
                ("transaction_id", models.UUIDField(unique=True)),
                ("transfer_id", models.UUIDField(unique=True)),
                ("actor", models.CharField(max_length=80)),
                ("request_id", models.CharField(blank=True, default="", max_length=128)),
                ("request_path", models.CharField(blank=True, default="", max_length=200)),
                ("due_at", models.DateTimeField(null=True)),
                ("checks", models.IntegerField(default=0)),
                ("checked_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("completed_at", models.DateTimeField(null=True)),
                (
                    "token",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="tokens.paymenttoken",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="wallets.wallet",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PaymentSession",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("scheme", models.CharField(max_length=16)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("nonce", models.CharField(max_length=64, unique=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("consumed", "Consumed"),
                            ("expired", "Expired"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("actor", models.CharField(max_length=80)),
                ("request_id", models.CharField(blank=True, default="", max_length=128)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "payment",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="session",
                        to="payments.payment",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payment_sessions",
                        to="wallets.wallet",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ProviderEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider", models.CharField(max_length=64)),
                ("event_id", models.CharField(max_length=255)),
                ("type", models.CharField(max_length=100)),
                ("body", models.JSONField()),
                ("status", models.CharField(default="received", max_length=16)),
                ("attempts", models.IntegerField(default=0)),
                ("failure", models.CharField(blank=True, default="", max_length=200)),
                ("request_id", models.CharField(blank=True, default="", max_length=128)),
                ("due_at", models.DateTimeField(null=True)),
                ("received_at", models.DateTimeField()),
                ("handled_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)),
                        fields=["due_at"],
                        name="provider_event_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("provider", "event_id"), name="provider_event_once"),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["received", "handled", "ignored", "failed"])),
                        name="provider_event_status_is_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("transaction_id", models.UUIDField()),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("customer_request", "Customer Request"),
                            ("duplicate_charge", "Duplicate Charge"),
                            ("fraudulent", "Fraudulent"),
                            ("service_issue", "Service Issue"),
                            ("other", "Other"),
                        ],
                        max_length=24,
                    ),
                ),
                ("notes", models.CharField(blank=True, default="", max_length=500)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("approved", "Approved"),
                            ("processing", "Processing"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                            ("rejected", "Rejected"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("requested_by", models.UUIDField()),
                ("decided_by", models.UUIDField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision_reason", models.CharField(blank=True, default="", max_length=500)),
                ("failure_code", models.CharField(blank=True, default="", max_length=64)),
                ("processor_key", models.CharField(max_length=64, unique=True)),
                ("processor_reference", models.CharField(blank=True, default="", max_length=255)),
                ("transfer_id", models.UUIDField(null=True, unique=True)),
                ("request_id", models.CharField(blank=True, default="", max_length=128)),
                ("due_at", models.DateTimeField(null=True)),
                ("checks", models.IntegerField(default=0)),
                ("checked_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("completed_at", models.DateTimeField(null=True)),
                (
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="payments.payment",
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="wallets.wallet",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SandboxCharge",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.CharField(max_length=64, unique=True)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("status", models.CharField(max_length=16)),
                ("decline_code", models.CharField(blank=True, default="", max_length=64)),
                ("behaviour", models.CharField(max_length=24)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="sandbox_charge_amount_is_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decline_code", ""), ("status", "succeeded")),
                            models.Q(("status", "declined"), models.Q(("decline_code", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="sandbox_charge_status_is_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SandboxRefund",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.CharField(max_length=64, unique=True)),
                ("amount", models.BigIntegerField()),
                ("status", models.CharField(max_length=16)),
                ("failure_code", models.CharField(blank=True, default="", max_length=64)),
                ("created_at", models.DateTimeField()),
                (
                    "charge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="payments.sandboxcharge",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AutoTopUp",
            fields=[
                (
                    "wallet",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="auto_top_up",
                        serialize=False,
                        to="wallets.wallet",
                    ),
                ),
                ("is_enabled", models.BooleanField(default=True)),
                ("is_paused", models.BooleanField(default=False)),
                ("threshold", models.BigIntegerField(null=True)),
                ("amount", models.BigIntegerField()),
                ("monthly_limit", models.BigIntegerField(null=True)),
                ("schedule", models.JSONField(null=True)),
                ("next_run_at", models.DateTimeField(null=True)),
                ("due_at", models.DateTimeField(null=True)),
                ("failures", models.IntegerField(default=0)),
                ("cooldown_until", models.DateTimeField(null=True)),
                ("disabled_reason", models.CharField(blank=True, default="", max_length=64)),
                ("consent_text", models.TextField(blank=True, default="")),
                ("consent_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "token",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="auto_top_ups",
                        to="tokens.paymenttoken",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)),
                        fields=["due_at"],
                        name="auto_top_up_due",
                    ),
                    models.Index(
                        condition=models.Q(("next_run_at__isnull", False)),
                        fields=["next_run_at"],
                        name="auto_top_up_scheduled",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="auto_top_up_amount_is_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("threshold__isnull", True), ("threshold__gte", 0), _connector="OR"
                        ),
                        name="auto_top_up_threshold_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("monthly_limit__isnull", True), ("monthly_limit__gt", 0), _connector="OR"
                        ),
                        name="auto_top_up_limit_is_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("threshold__isnull", False), ("schedule__isnull", False), _connector="OR"
                        ),
                        name="auto_top_up_has_an_occasion",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["wallet", "-id"], name="payment_by_wallet"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["user", "-id"], name="payment_by_user"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["status", "created_at"], name="payment_by_status_created"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("status__in", ("pending", "requires_action"))),
                fields=["wallet"],
                name="payment_under_way_by_wallet",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="payment_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="payment_amount_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("refunded_amount__gte", 0), ("refunded_amount__lte", models.F("amount"))),
                name="payment_never_overrefunded",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("refunded_amount", 0),
                        ("status__in", ["pending", "requires_action", "failed", "succeeded"]),
                    ),
                    models.Q(
                        ("refunded_amount__gt", 0),
                        ("refunded_amount__lt", models.F("amount")),
                        ("status", "partially_refunded"),
                    ),
                    models.Q(("refunded_amount", models.F("amount")), ("status", "refunded")),
                    ("status", "disputed"),
                    _connector="OR",
                ),
                name="payment_status_fits_refunds",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["funding", "top_up"])), name="payment_kind_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("method__in", ["card", "apple_pay", "google_pay"])),
                name="payment_method_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        models.Q(("status__in", ("pending", "requires_action"))),
                        ("completed_at__isnull", True),
                        ("due_at__isnull", False),
                    ),
                    models.Q(
                        models.Q(("status__in", ("pending", "requires_action")), _negated=True),
                        ("completed_at__isnull", False),
                        ("due_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="payment_under_way_is_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("status__in", ("pending", "requires_action"))), ("kind", "top_up")
                ),
                fields=("wallet",),
                name="payment_one_open_top_up_by_wallet",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("processor_reference", ""), _negated=True),
                fields=("processor", "processor_reference"),
                name="payment_by_processor_reference",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentsession",
            index=models.Index(
                condition=models.Q(("status", "open")), fields=["expires_at"], name="session_open_by_expiry"
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentsession",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="session_amount_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentsession",
            constraint=models.CheckConstraint(
                condition=models.Q(("scheme__in", ["apple_pay", "google_pay"])),
                name="session_scheme_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentsession",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("closed_at__isnull", False), ("payment__isnull", False), ("status", "consumed")
                    ),
                    models.Q(
                        ("closed_at__isnull", False),
                        ("payment__isnull", True),
                        ("status__in", ["expired", "cancelled"]),
                    ),
                    models.Q(("closed_at__isnull", True), ("payment__isnull", True), ("status", "open")),
                    _connector="OR",
                ),
                name="session_consumed_by_a_payment",
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["wallet", "-id"], name="refund_by_wallet"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["status", "created_at"], name="refund_by_status"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["transaction_id"], name="refund_by_transaction"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="refund_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="refund_amount_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "reason__in",
                        ["customer_request", "duplicate_charge", "fraudulent", "service_issue", "other"],
                    )
                ),
                name="refund_reason_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("decided_by__isnull", True),
                    models.Q(("decided_by", models.F("requested_by")), _negated=True),
                    _connector="OR",
                ),
                name="refund_decided_by_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at__isnull", True), ("status__in", ["pending", "cancelled"])),
                    models.Q(
                        ("decided_at__isnull", False),
                        ("status__in", ["approved", "processing", "completed", "failed", "rejected"]),
                    ),
                    _connector="OR",
                ),
                name="refund_decided_has_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("due_at__isnull", False), ("status__in", ["approved", "processing"])),
                    models.Q(
                        models.Q(("status__in", ["approved", "processing"]), _negated=True),
                        ("due_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="refund_under_way_is_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="sandboxrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="sandbox_refund_amount_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="sandboxrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("failure_code", ""), ("status", "succeeded")),
                    models.Q(("status", "failed"), models.Q(("failure_code", ""), _negated=True)),
                    _connector="OR",
                ),
                name="sandbox_refund_status_is_known",
            ),
        ),
    ]
