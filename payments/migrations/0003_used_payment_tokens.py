"""The tokens of mobile wallets that have been used: unique, and never forgotten, so that none is used twice."""

import uuid_utils.compat
from django.db import migrations, models

TABLE = "payments_usedpaymenttoken"
KEEP = f"""
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {TABLE}
    FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change();
"""
REVERSE = f"DROP TRIGGER refuse_change ON {TABLE};\nDROP TRIGGER refuse_truncate ON {TABLE};\n"


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_guards")]

    operations = [
        migrations.CreateModel(
            name="UsedPaymentToken",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("scheme", models.CharField(max_length=16)),
                ("replay_key", models.CharField(max_length=512)),
                ("used_for", models.UUIDField()),
                ("used_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("scheme", "replay_key"), name="used_payment_token_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("replay_key", ""), _negated=True),
                            models.Q(("scheme", ""), _negated=True),
                        ),
                        name="used_payment_token_has_a_key",
                    ),
                ],
            },
        ),
        migrations.RunSQL(KEEP, REVERSE),
    ]
