"""The chain of seals. Its tables are only ever appended to, by the one task that seals."""

import django.db.models.deletion
from django.db import migrations, models

TABLES = ("transactions_checkpoint", "transactions_seal")

GUARDS = "".join(
    f"""
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change();
"""
    for table in TABLES
)

REVERSE = "".join(
    f"DROP TRIGGER refuse_change ON {table}; DROP TRIGGER refuse_truncate ON {table};" for table in TABLES
)


class Migration(migrations.Migration):
    dependencies = [
        ("transactions", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("previous", models.BinaryField()),
                ("contents", models.BinaryField()),
                ("digest", models.BinaryField()),
                ("key_id", models.CharField(max_length=32)),
                ("signature", models.BinaryField()),
                ("lines", models.IntegerField()),
                ("scanned_to", models.UUIDField()),
                ("audit_after", models.UUIDField()),
                ("audit_to", models.UUIDField()),
                ("audit_digest", models.BinaryField()),
                ("audit_marks", models.BinaryField()),
                ("sealed_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Seal",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id", "to_seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("account_id", models.UUIDField()),
                ("from_seq", models.BigIntegerField()),
                ("to_seq", models.BigIntegerField()),
                ("digest", models.BinaryField()),
                ("marks", models.BinaryField()),
                (
                    "checkpoint",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="seals",
                        to="transactions.checkpoint",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["checkpoint", "account_id"], name="seal_by_checkpoint")],
            },
        ),
        migrations.RunSQL(GUARDS, REVERSE),
    ]
