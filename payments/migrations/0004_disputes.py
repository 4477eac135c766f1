"""Disputes of charges, ours and the sandbox provider's own: never deleted, and each keeps what it is about."""

import django.db.models.deletion
import uuid_utils.compat
from django.db import migrations, models

GUARDS = """
CREATE TRIGGER guard_dispute BEFORE UPDATE ON payments_dispute FOR EACH ROW
    WHEN ((NEW.id, NEW.payment_id, NEW.processor, NEW.processor_reference, NEW.amount, NEW.currency, NEW.created_at)
             IS DISTINCT FROM
          (OLD.id, OLD.payment_id, OLD.processor, OLD.processor_reference, OLD.amount, OLD.currency, OLD.created_at))
    EXECUTE FUNCTION payments_refuse_update('a dispute keeps what it is about');
"""
KEPT = ("payments_dispute", "payments_sandboxdispute", "payments_providerevent")
KEEP = "".join(
    f"""
CREATE TRIGGER refuse_delete BEFORE DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change();
"""
    for table in KEPT
)
REVERSE = "DROP TRIGGER guard_dispute ON payments_dispute;\n" + "".join(
    f"DROP TRIGGER refuse_delete ON {table};\nDROP TRIGGER refuse_truncate ON {table};\n" for table in KEPT
)


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0003_used_payment_tokens"),
    ]

    operations = [
        migrations.CreateModel(
            name="Dispute",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("processor", models.CharField(max_length=64)),
                ("processor_reference", models.CharField(max_length=255)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("withdrawn", models.BigIntegerField(default=0)),
                ("reason", models.CharField(blank=True, default="", max_length=64)),
                (
                    "status",
                    models.CharField(
                        choices=[("inquiry", "Inquiry"), ("open", "Open"), ("won", "Won"), ("lost", "Lost")],
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["status", "created_at"], name="dispute_by_status")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("processor", "processor_reference"), name="dispute_by_processor_reference"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="dispute_amount_is_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("withdrawn__gte", 0), ("withdrawn__lte", models.F("amount"))),
                        name="dispute_withdraws_at_most_its_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["inquiry", "open", "won", "lost"])),
                        name="dispute_status_is_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SandboxDispute",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("status", models.CharField(max_length=16)),
                ("told_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                (
                    "charge",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="dispute",
                        to="payments.sandboxcharge",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("told_at__isnull", True)),
                        fields=["created_at"],
                        name="sandbox_dispute_untold",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["open", "won", "lost"])),
                        name="sandbox_dispute_status_is_known",
                    )
                ],
            },
        ),
        migrations.RunSQL(GUARDS + KEEP, REVERSE),
    ]
