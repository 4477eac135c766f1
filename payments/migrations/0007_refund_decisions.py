"""Every decision on a refund has somebody who took it, or says that a setting did; succeeded ones are asked about again."""

from django.db import migrations, models

GUARD = """
DROP TRIGGER guard_refund ON payments_refund;
CREATE TRIGGER guard_refund BEFORE UPDATE ON payments_refund FOR EACH ROW
    WHEN ((NEW.id, NEW.wallet_id, NEW.payment_id, NEW.transaction_id, NEW.amount, NEW.currency, NEW.reason,
           NEW.requested_by, {more_new}NEW.processor_key, NEW.created_at)
             IS DISTINCT FROM
          (OLD.id, OLD.wallet_id, OLD.payment_id, OLD.transaction_id, OLD.amount, OLD.currency, OLD.reason,
           OLD.requested_by, {more_old}OLD.processor_key, OLD.created_at)
          OR (OLD.status IN ('rejected', 'cancelled', 'failed') AND NEW.status <> OLD.status)
          OR (OLD.status = 'completed' AND NEW.status NOT IN ('completed', 'failed'))
          OR (OLD.decided_at IS NOT NULL
              AND (NEW.decided_by, NEW.decided_at) IS DISTINCT FROM (OLD.decided_by, OLD.decided_at)))
    EXECUTE FUNCTION payments_refuse_update('a refund keeps what it is about, is decided once and ends once');
"""
GUARD_WITH_SETTING = GUARD.format(more_new="NEW.is_auto_approved, ", more_old="OLD.is_auto_approved, ")
GUARD_BEFORE = GUARD.format(more_new="", more_old="")


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0006_sessions_and_methods"),
        ("wallets", "0002_guards"),
    ]

    operations = [
        migrations.AddField(
            model_name="refund",
            name="is_auto_approved",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="refund",
            name="recheck_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("recheck_at__isnull", False)),
                fields=["recheck_at"],
                name="refund_recheck",
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("decided_by__isnull", False)),
                fields=["decided_by", "decided_at"],
                name="refund_by_decider",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at__isnull", True), ("decided_by__isnull", True)),
                    models.Q(
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        ("is_auto_approved", False),
                    ),
                    models.Q(
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", True),
                        ("is_auto_approved", True),
                    ),
                    _connector="OR",
                ),
                name="refund_decided_by_somebody",
            ),
        ),
        migrations.RunSQL(GUARD_WITH_SETTING, GUARD_BEFORE),
    ]
