"""What processors report of their own books, row by row, and what doesn't agree with ours."""

from django.db import models
from django.db.models import F, Q
from uuid_utils.compat import uuid7

from wallets.models import Adjustment


class ReportFormat(models.TextChoices):
    """How a report is written."""

    OPEN_WALLET = "open_wallet"
    STRIPE = "stripe"


class RowType(models.TextChoices):
    """What a row of a report tells of; `unknown` is whatever we have no word for."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"
    DISPUTE_REVERSAL = "dispute_reversal"
    FEE = "fee"
    PAYOUT = "payout"
    UNKNOWN = "unknown"


OF_BOOK = (
    RowType.CHARGE.value,
    RowType.REFUND.value,
    RowType.REFUND_FAILURE.value,
    RowType.DISPUTE.value,
    RowType.DISPUTE_REVERSAL.value,
)
"""The types that have a line of our book behind them. Fees and payouts are between the processor and the company."""


class SettlementImport(models.Model):
    """One report as it was imported; `digest` is of the file and what was said of it, so that it has one effect.

    It covers `covers_from` (inclusive) to `covers_until` (exclusive) in `currency`, or in all where that is empty.
    `rows` were new, `repeated` stood in an earlier report already.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    processor = models.CharField(max_length=64)
    format = models.CharField(max_length=16, choices=ReportFormat)
    currency = models.CharField(max_length=3, blank=True, default="")
    file_name = models.CharField(max_length=200, blank=True, default="")
    digest = models.CharField(max_length=64, unique=True)
    covers_from = models.DateTimeField()
    covers_until = models.DateTimeField()
    rows = models.IntegerField()
    repeated = models.IntegerField()
    imported_by = models.UUIDField()
    request_id = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="settlement_import_covers_time", condition=Q(covers_from__lt=F("covers_until"))
            ),
        ]
        indexes = [models.Index(name="settlement_import_by_processor", fields=["processor", "-id"])]

    def __str__(self) -> str:
        return f"settlement report {self.id}"


class SettlementRow(models.Model):
    """One row of a report, in minor units, positive towards us. `line_id` is our book's line of the same movement.

    `row_reference` is the processor's id of the row, `reference` its id (or our key) of the charge, refund or dispute.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    report = models.ForeignKey(SettlementImport, models.PROTECT, related_name="lines", db_index=False)
    number = models.IntegerField()
    processor = models.CharField(max_length=64)
    row_reference = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    type = models.CharField(max_length=20, choices=RowType)
    told_type = models.CharField(max_length=64)
    gross = models.BigIntegerField()
    fee = models.BigIntegerField()
    net = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=255, blank=True, default="")
    payout_reference = models.CharField(max_length=255, blank=True, default="")
    occurred_at = models.DateTimeField()
    line_id = models.UUIDField(null=True)
    line_amount = models.BigIntegerField(null=True)
    matched_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="settlement_row_net", condition=Q(net=F("gross") - F("fee"))),
            models.CheckConstraint(name="settlement_row_type_is_known", condition=Q(type__in=RowType.values)),
            models.CheckConstraint(
                name="settlement_row_matched_whole",
                condition=Q(line_id__isnull=True, line_amount__isnull=True, matched_at__isnull=True)
                | Q(
                    line_id__isnull=False,
                    line_amount__isnull=False,
                    matched_at__isnull=False,
                    type__in=OF_BOOK,
                ),
            ),
            models.UniqueConstraint(
                name="settlement_row_once", fields=["processor", "row_reference", "fingerprint"]
            ),
            models.UniqueConstraint(name="settlement_row_by_number", fields=["report", "number"]),
            models.UniqueConstraint(
                name="settlement_row_by_line", fields=["line_id"], condition=Q(line_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.row_reference}"


class BreakKind(models.TextChoices):
    """What doesn't agree."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT_DIFFERS = "amount_differs"
    DUPLICATED = "duplicated"
    UNKNOWN_TYPE = "unknown_type"


class BreakStatus(models.TextChoices):
    """Where a break stands; `cleared` is one whose counterpart was found later."""

    OPEN = "open"
    PROPOSED = "proposed"
    RESOLVED = "resolved"
    CLEARED = "cleared"


class Resolution(models.TextChoices):
    """Why a break needn't worry anybody any more."""

    EXPLAINED = "explained"
    ADJUSTED = "adjusted"
    PROVIDER_ERROR = "provider_error"


class SettlementBreak(models.Model):
    """One disagreement, in minor units, positive towards us: what our book expects and what the report says.

    One person proposes how it is resolved, another one resolves it. `cleared_at` says that it no longer counts, since
    its counterpart was found; one that had been resolved keeps its status.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    report = models.ForeignKey(SettlementImport, models.PROTECT, related_name="breaks", db_index=False)
    row = models.ForeignKey(SettlementRow, models.PROTECT, null=True, related_name="breaks", db_index=False)
    line_id = models.UUIDField(null=True)
    processor = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=16, choices=BreakKind)
    expected = models.BigIntegerField()
    reported = models.BigIntegerField()
    status = models.CharField(max_length=16, choices=BreakStatus, default=BreakStatus.OPEN)
    resolution = models.CharField(max_length=16, choices=Resolution, blank=True, default="")
    adjustment = models.ForeignKey(Adjustment, models.PROTECT, null=True, related_name="+", db_index=False)
    proposed_by = models.UUIDField(null=True)
    proposed_at = models.DateTimeField(null=True)
    proposal_reason = models.CharField(max_length=500, blank=True, default="")
    resolved_by = models.UUIDField(null=True)
    resolved_at = models.DateTimeField(null=True)
    cleared_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="settlement_break_kind_is_known", condition=Q(kind__in=BreakKind.values)
            ),
            models.CheckConstraint(
                name="settlement_break_about_something",
                condition=Q(kind="missing_there", row__isnull=True, line_id__isnull=False, reported=0)
                | Q(kind="amount_differs", row__isnull=False, line_id__isnull=False)
                | Q(
                    kind__in=["missing_here", "duplicated", "unknown_type"],
                    row__isnull=False,
                    line_id__isnull=True,
                    expected=0,
                ),
            ),
            models.CheckConstraint(
                name="settlement_break_resolved_by_another",
                condition=Q(resolved_by__isnull=True)
                | (Q(proposed_by__isnull=False) & ~Q(resolved_by=F("proposed_by"))),
            ),
            models.CheckConstraint(
                name="settlement_break_state",
                condition=Q(status="open", proposed_by__isnull=True, resolved_by__isnull=True, resolution="")
                | Q(
                    status="proposed",
                    proposed_by__isnull=False,
                    proposed_at__isnull=False,
                    resolved_by__isnull=True,
                    resolution__in=Resolution.values,
                )
                | Q(
                    status="resolved",
                    proposed_by__isnull=False,
                    proposed_at__isnull=False,
                    resolved_by__isnull=False,
                    resolved_at__isnull=False,
                    resolution__in=Resolution.values,
                )
                | Q(status="cleared", cleared_at__isnull=False, resolved_by__isnull=True),
            ),
            models.CheckConstraint(
                name="settlement_break_adjusted_by_one",
                condition=Q(resolution="adjusted", adjustment__isnull=False)
                | (~Q(resolution="adjusted") & Q(adjustment__isnull=True)),
            ),
            models.CheckConstraint(
                name="settlement_break_cleared_counts_no_more",
                condition=Q(status__in=["open", "proposed"], cleared_at__isnull=True)
                | Q(status__in=["resolved", "cleared"]),
            ),
            models.UniqueConstraint(name="settlement_break_by_row", fields=["row", "kind"]),
            models.UniqueConstraint(
                name="settlement_break_by_line", fields=["line_id"], condition=Q(kind="missing_there")
            ),
        ]
        indexes = [
            models.Index(name="settlement_break_by_status", fields=["status", "-id"]),
            models.Index(name="settlement_break_by_report", fields=["report", "-id"]),
        ]

    def __str__(self) -> str:
        return f"break {self.id}"

    @property
    def difference(self) -> int:
        """What our book expects more than the report says."""
        return self.expected - self.reported
