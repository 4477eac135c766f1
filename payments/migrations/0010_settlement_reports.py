"""Reports of processors, kept row by row, and their breaks: a row is matched once, a break resolved once and by two."""

import django.db.models.deletion
import django.db.models.expressions
import uuid_utils.compat
from django.db import migrations, models

GUARDS = """
CREATE TRIGGER refuse_update BEFORE UPDATE ON payments_settlementimport
    FOR EACH ROW EXECUTE FUNCTION payments_refuse_update('a report stays as it was imported');

CREATE TRIGGER guard_settlement_row BEFORE UPDATE ON payments_settlementrow FOR EACH ROW
    WHEN (OLD.line_id IS NOT NULL
          OR (NEW.id, NEW.report_id, NEW.number, NEW.processor, NEW.row_reference, NEW.fingerprint, NEW.type,
              NEW.told_type, NEW.gross, NEW.fee, NEW.net, NEW.currency, NEW.reference, NEW.payout_reference,
              NEW.occurred_at)
             IS DISTINCT FROM
             (OLD.id, OLD.report_id, OLD.number, OLD.processor, OLD.row_reference, OLD.fingerprint, OLD.type,
              OLD.told_type, OLD.gross, OLD.fee, OLD.net, OLD.currency, OLD.reference, OLD.payout_reference,
              OLD.occurred_at))
    EXECUTE FUNCTION payments_refuse_update('a row of a report stays as it was told, and is matched once');

CREATE TRIGGER guard_settlement_break BEFORE UPDATE ON payments_settlementbreak FOR EACH ROW
    WHEN ((NEW.id, NEW.report_id, NEW.row_id, NEW.line_id, NEW.processor, NEW.currency, NEW.kind, NEW.expected,
           NEW.reported, NEW.created_at)
             IS DISTINCT FROM
          (OLD.id, OLD.report_id, OLD.row_id, OLD.line_id, OLD.processor, OLD.currency, OLD.kind, OLD.expected,
           OLD.reported, OLD.created_at)
          OR OLD.cleared_at IS NOT NULL
          OR (OLD.status = 'open' AND NEW.status = 'resolved')
          OR (OLD.status IN ('proposed', 'resolved') AND NEW.status = 'resolved'
              AND (NEW.resolution, NEW.adjustment_id, NEW.proposed_by, NEW.proposed_at, NEW.proposal_reason)
                 IS DISTINCT FROM
                 (OLD.resolution, OLD.adjustment_id, OLD.proposed_by, OLD.proposed_at, OLD.proposal_reason))
          OR (OLD.status = 'resolved'
              AND (NEW.status, NEW.resolved_by, NEW.resolved_at)
                 IS DISTINCT FROM (OLD.status, OLD.resolved_by, OLD.resolved_at)))
    EXECUTE FUNCTION payments_refuse_update('a break keeps what it is about and is resolved once, as proposed');
"""
KEPT = ("payments_settlementimport", "payments_settlementrow", "payments_settlementbreak")
KEEP = "".join(
    f"""
CREATE TRIGGER refuse_delete BEFORE DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change();
"""
    for table in KEPT
)
# The tables go, and their triggers with them.
REVERSE = "SELECT 1;"


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0009_events_of_wallets"),
        ("wallets", "0003_low_mark"),
    ]

    operations = [
        migrations.CreateModel(
            name="SettlementImport",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("processor", models.CharField(max_length=64)),
                (
                    "format",
                    models.CharField(
                        choices=[("open_wallet", "Open Wallet"), ("stripe", "Stripe")], max_length=16
                    ),
                ),
                ("currency", models.CharField(blank=True, default="", max_length=3)),
                ("file_name", models.CharField(blank=True, default="", max_length=200)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("covers_from", models.DateTimeField()),
                ("covers_until", models.DateTimeField()),
                ("rows", models.IntegerField()),
                ("repeated", models.IntegerField()),
                ("imported_by", models.UUIDField()),
                ("request_id", models.CharField(blank=True, default="", max_length=128)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["processor", "-id"], name="settlement_import_by_processor")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("covers_from__lt", models.F("covers_until"))),
                        name="settlement_import_covers_time",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SettlementRow",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.IntegerField()),
                ("processor", models.CharField(max_length=64)),
                ("row_reference", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("charge", "Charge"),
                            ("refund", "Refund"),
                            ("refund_failure", "Refund Failure"),
                            ("dispute", "Dispute"),
                            ("dispute_reversal", "Dispute Reversal"),
                            ("fee", "Fee"),
                            ("payout", "Payout"),
                            ("unknown", "Unknown"),
                        ],
                        max_length=20,
                    ),
                ),
                ("told_type", models.CharField(max_length=64)),
                ("gross", models.BigIntegerField()),
                ("fee", models.BigIntegerField()),
                ("net", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("reference", models.CharField(blank=True, default="", max_length=255)),
                ("payout_reference", models.CharField(blank=True, default="", max_length=255)),
                ("occurred_at", models.DateTimeField()),
                ("line_id", models.UUIDField(null=True)),
                ("line_amount", models.BigIntegerField(null=True)),
                ("matched_at", models.DateTimeField(null=True)),
                (
                    "report",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="payments.settlementimport",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SettlementBreak",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("line_id", models.UUIDField(null=True)),
                ("processor", models.CharField(max_length=64)),
                ("currency", models.CharField(max_length=3)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("missing_here", "Missing Here"),
                            ("missing_there", "Missing There"),
                            ("amount_differs", "Amount Differs"),
                            ("duplicated", "Duplicated"),
                            ("unknown_type", "Unknown Type"),
                        ],
                        max_length=16,
                    ),
                ),
                ("expected", models.BigIntegerField()),
                ("reported", models.BigIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("proposed", "Proposed"),
                            ("resolved", "Resolved"),
                            ("cleared", "Cleared"),
                        ],
                        default="open",
                        max_length=16,
                    ),
                ),
                (
                    "resolution",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("explained", "Explained"),
                            ("adjusted", "Adjusted"),
                            ("provider_error", "Provider Error"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("proposed_by", models.UUIDField(null=True)),
                ("proposed_at", models.DateTimeField(null=True)),
                ("proposal_reason", models.CharField(blank=True, default="", max_length=500)),
                ("resolved_by", models.UUIDField(null=True)),
                ("resolved_at", models.DateTimeField(null=True)),
                ("cleared_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                (
                    "adjustment",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="wallets.adjustment",
                    ),
                ),
                (
                    "report",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="breaks",
                        to="payments.settlementimport",
                    ),
                ),
                (
                    "row",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="breaks",
                        to="payments.settlementrow",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="settlementrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "net",
                        django.db.models.expressions.CombinedExpression(
                            models.F("gross"), "-", models.F("fee")
                        ),
                    )
                ),
                name="settlement_row_net",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "type__in",
                        [
                            "charge",
                            "refund",
                            "refund_failure",
                            "dispute",
                            "dispute_reversal",
                            "fee",
                            "payout",
                            "unknown",
                        ],
                    )
                ),
                name="settlement_row_type_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("line_amount__isnull", True), ("line_id__isnull", True), ("matched_at__isnull", True)
                    ),
                    models.Q(
                        ("line_amount__isnull", False),
                        ("line_id__isnull", False),
                        ("matched_at__isnull", False),
                        ("type__in", ("charge", "refund", "refund_failure", "dispute", "dispute_reversal")),
                    ),
                    _connector="OR",
                ),
                name="settlement_row_matched_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementrow",
            constraint=models.UniqueConstraint(
                fields=("processor", "row_reference", "fingerprint"), name="settlement_row_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementrow",
            constraint=models.UniqueConstraint(fields=("report", "number"), name="settlement_row_by_number"),
        ),
        migrations.AddConstraint(
            model_name="settlementrow",
            constraint=models.UniqueConstraint(
                condition=models.Q(("line_id__isnull", False)),
                fields=("line_id",),
                name="settlement_row_by_line",
            ),
        ),
        migrations.AddIndex(
            model_name="settlementbreak",
            index=models.Index(fields=["status", "-id"], name="settlement_break_by_status"),
        ),
        migrations.AddIndex(
            model_name="settlementbreak",
            index=models.Index(fields=["report", "-id"], name="settlement_break_by_report"),
        ),
        migrations.AddConstraint(
            model_name="settlementbreak",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        ["missing_here", "missing_there", "amount_differs", "duplicated", "unknown_type"],
                    )
                ),
                name="settlement_break_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementbreak",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind", "missing_there"),
                        ("line_id__isnull", False),
                        ("reported", 0),
                        ("row__isnull", True),
                    ),
                    models.Q(("kind", "amount_differs"), ("line_id__isnull", False), ("row__isnull", False)),
                    models.Q(
                        ("expected", 0),
                        ("kind__in", ["missing_here", "duplicated", "unknown_type"]),
                        ("line_id__isnull", True),
                        ("row__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="settlement_break_about_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementbreak",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("resolved_by__isnull", True),
                    models.Q(
                        ("proposed_by__isnull", False),
                        models.Q(("resolved_by", models.F("proposed_by")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="settlement_break_resolved_by_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementbreak",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("proposed_by__isnull", True),
                        ("resolution", ""),
                        ("resolved_by__isnull", True),
                        ("status", "open"),
                    ),
                    models.Q(
                        ("proposed_at__isnull", False),
                        ("proposed_by__isnull", False),
                        ("resolution__in", ["explained", "adjusted", "provider_error"]),
                        ("resolved_by__isnull", True),
                        ("status", "proposed"),
                    ),
                    models.Q(
                        ("proposed_at__isnull", False),
                        ("proposed_by__isnull", False),
                        ("resolution__in", ["explained", "adjusted", "provider_error"]),
                        ("resolved_at__isnull", False),
                        ("resolved_by__isnull", False),
                        ("status", "resolved"),
                    ),
                    models.Q(
                        ("cleared_at__isnull", False), ("resolved_by__isnull", True), ("status", "cleared")
                    ),
                    _connector="OR",
                ),
                name="settlement_break_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementbreak",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("adjustment__isnull", False), ("resolution", "adjusted")),
                    models.Q(
                        models.Q(("resolution", "adjusted"), _negated=True), ("adjustment__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="settlement_break_adjusted_by_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementbreak",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cleared_at__isnull", True), ("status__in", ["open", "proposed"])),
                    ("status__in", ["resolved", "cleared"]),
                    _connector="OR",
                ),
                name="settlement_break_cleared_counts_no_more",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementbreak",
            constraint=models.UniqueConstraint(fields=("row", "kind"), name="settlement_break_by_row"),
        ),
        migrations.AddConstraint(
            model_name="settlementbreak",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "missing_there")),
                fields=("line_id",),
                name="settlement_break_by_line",
            ),
        ),
        migrations.RunSQL(GUARDS + KEEP, REVERSE),
    ]
