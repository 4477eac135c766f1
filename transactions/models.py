"""The book of record: accounts, transfers, their lines, holds, and one row for each idempotency key.

Only `transactions.ledger` and `transactions.bulk` write balances and lines, in raw statements. The database
refuses the rest: checks and triggers stand in the migrations beside these models.
"""

from datetime import datetime

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from uuid_utils.compat import uuid7


class TransferKind(models.TextChoices):
    """What moved money."""

    FUNDING = "funding"
    TOP_UP = "top_up"
    PAYMENT = "payment"
    TRANSFER = "transfer"
    REFUND = "refund"
    ADJUSTMENT = "adjustment"
    FEE = "fee"
    REVERSAL = "reversal"
    DISPUTE = "dispute"


class LineType(models.TextChoices):
    """A transfer's kind as its account's owner sees it."""

    FUNDING = "funding"
    TOP_UP = "top_up"
    PAYMENT = "payment"
    TRANSFER_IN = "transfer_in"
    TRANSFER_OUT = "transfer_out"
    REFUND = "refund"
    ADJUSTMENT = "adjustment"
    FEE = "fee"
    REVERSAL = "reversal"
    DISPUTE = "dispute"


class PostingStatus(models.TextChoices):
    """Where a movement stands; only `pending` ever changes."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class LedgerAccount(models.Model):
    """What one wallet, or one side of the world outside, holds in one currency, in minor units.

    A wallet's account shares the wallet's id. A system account (`code` set, `rolled_up`) has no floor and is
    summed up behind its lines, so that busy deposits don't wait for each other. `owner_id` is the customer whose
    money it is. `receivable` is what a taken-back charge left the customer owing: the floor is lower by it, and a
    trigger raises both again as money comes in.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(max_length=80, null=True, unique=True)  # noqa: DJ001 - NULL keeps wallets out of the unique index
    owner_id = models.UUIDField(null=True)
    currency = models.CharField(max_length=3)
    rolled_up = models.BooleanField(default=False)
    balance = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    floor = models.BigIntegerField(null=True, default=0)
    version = models.BigIntegerField(default=0)
    last_seq = models.BigIntegerField(default=0)
    posted_at = models.DateTimeField(null=True)
    total_in = models.BigIntegerField(default=0)
    total_out = models.BigIntegerField(default=0)
    outflow_day = models.DateField(null=True)
    outflow_day_amount = models.BigIntegerField(default=0)
    outflow_month = models.DateField(null=True)
    outflow_month_amount = models.BigIntegerField(default=0)
    receivable = models.BigIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="account_never_below_its_floor",
                condition=Q(floor__isnull=True) | Q(balance__gte=F("floor") + F("held")),
            ),
            models.CheckConstraint(name="account_holds_nothing_negative", condition=Q(held__gte=0)),
            models.CheckConstraint(
                name="account_floor_covers_receivable",
                condition=Q(receivable=0) | Q(receivable__gt=0, floor__lte=-F("receivable")),
            ),
            models.CheckConstraint(
                name="account_balance_is_in_minus_out", condition=Q(balance=F("total_in") - F("total_out"))
            ),
            models.CheckConstraint(
                name="account_of_system_has_code",
                condition=Q(rolled_up=True, code__isnull=False, floor__isnull=True, owner_id__isnull=True)
                | Q(rolled_up=False, code__isnull=True, floor__isnull=False, owner_id__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="account_by_owner", fields=["owner_id"], condition=Q(owner_id__isnull=False))
        ]

    def __str__(self) -> str:
        return self.code or str(self.id)


class RollUpDelta(models.Model):
    """What a system account's lines added since its balance was last summed up; consumed by the roll-up."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.UUIDField()
    amount = models.BigIntegerField()

    class Meta:
        db_table = "transactions_delta"

    def __str__(self) -> str:
        return f"{self.account_id} {self.amount:+d}"


class Transfer(models.Model):
    """One balanced movement of money; its id is the API's `transfer_id`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=16, choices=TransferKind)
    status = models.CharField(max_length=16, choices=PostingStatus)
    actor = models.CharField(max_length=80)
    request_id = models.CharField(max_length=128, blank=True, default="")
    description = models.CharField(max_length=500, blank=True, default="")
    reference = models.CharField(max_length=200, blank=True, default="")
    metadata = models.JSONField(default=dict)
    payment_id = models.UUIDField(null=True)
    hold_id = models.UUIDField(null=True)
    refund_of = models.UUIDField(null=True)
    reverses = models.UUIDField(null=True)
    failure_code = models.CharField(max_length=64, blank=True, default="")
    effective_at = models.DateTimeField()
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="transfer_kind_is_known", condition=Q(kind__in=TransferKind.values)),
            models.CheckConstraint(
                name="transfer_status_is_known", condition=Q(status__in=PostingStatus.values)
            ),
            models.CheckConstraint(
                name="transfer_completed_has_time",
                condition=Q(status="completed", completed_at__isnull=False)
                | (~Q(status="completed") & Q(completed_at__isnull=True)),
            ),
            models.UniqueConstraint(
                name="transfer_reversed_once",
                fields=["reverses"],
                condition=Q(reverses__isnull=False, status__in=["pending", "completed"]),
            ),
        ]
        indexes = [
            models.Index(name="transfer_by_reference", fields=["reference"], condition=~Q(reference="")),
            models.Index(
                name="transfer_by_payment", fields=["payment_id"], condition=Q(payment_id__isnull=False)
            ),
            models.Index(
                name="transfer_by_refund", fields=["refund_of"], condition=Q(refund_of__isnull=False)
            ),
            models.Index(name="transfer_by_hold", fields=["hold_id"], condition=Q(hold_id__isnull=False)),
            models.Index(name="transfer_unfinished", fields=["created_at"], condition=Q(status="pending")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Transaction(models.Model):
    """One account's line of a transfer: a signed amount in minor units, from the account's point of view.

    `seq` numbers the completed lines of an account without gaps; it, `balance_after` and `completed_at` are
    set at completion under the account's lock (a rolled-up account's lines keep `seq` and `balance_after` null).
    No foreign keys: the ledger is the only writer and `check_books` proves the references, while the
    constraint triggers cost each posting a third more.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    transfer = models.ForeignKey(
        Transfer, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="lines"
    )
    account = models.ForeignKey(
        LedgerAccount, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="lines"
    )
    type = models.CharField(max_length=16, choices=LineType)
    amount = models.BigIntegerField()
    status = models.CharField(max_length=16, choices=PostingStatus)
    seq = models.BigIntegerField(null=True)
    balance_after = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="transaction_seq_once", fields=["account", "seq"]),
            models.CheckConstraint(name="transaction_moves_something", condition=~Q(amount=0)),
            models.CheckConstraint(name="transaction_type_is_known", condition=Q(type__in=LineType.values)),
            models.CheckConstraint(
                name="transaction_completed_has_time",
                condition=Q(status="completed", completed_at__isnull=False)
                | Q(
                    status__in=["pending", "failed", "cancelled"], completed_at__isnull=True, seq__isnull=True
                ),
            ),
            models.CheckConstraint(
                name="transaction_seq_with_balance",
                condition=Q(seq__isnull=True, balance_after__isnull=True)
                | Q(seq__isnull=False, balance_after__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="transaction_by_account_created", fields=["account", "created_at", "id"]),
            models.Index(name="transaction_by_transfer", fields=["transfer"]),
            models.Index(
                name="transaction_by_status",
                fields=["status", "account", "created_at"],
                condition=~Q(status="completed"),
            ),
            # Lines of system accounts have no number; a day of theirs is the day on which they were completed.
            models.Index(
                name="transaction_of_system_by_day",
                fields=["account", "completed_at"],
                condition=Q(seq__isnull=True, completed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class HoldStatus(models.TextChoices):
    """Where an authorisation stands."""

    OPEN = "open"
    CAPTURED = "captured"
    VOIDED = "voided"
    EXPIRED = "expired"


class Hold(models.Model):
    """Money set aside on an account until it is captured, voided or expires; each capture is a transfer."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="holds")
    amount = models.BigIntegerField()
    captured = models.BigIntegerField(default=0)
    status = models.CharField(max_length=16, choices=HoldStatus, default=HoldStatus.OPEN)
    description = models.CharField(max_length=500, blank=True, default="")
    reference = models.CharField(max_length=200, blank=True, default="")
    metadata = models.JSONField(default=dict)
    actor = models.CharField(max_length=80)
    request_id = models.CharField(max_length=128, blank=True, default="")
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="hold_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="hold_never_overcaptured", condition=Q(captured__gte=0) & Q(captured__lte=F("amount"))
            ),
            models.CheckConstraint(name="hold_status_is_known", condition=Q(status__in=HoldStatus.values)),
            models.CheckConstraint(
                name="hold_used_up_is_captured",
                condition=Q(status="captured", captured=F("amount"))
                | (~Q(status="captured") & ~Q(captured=F("amount"))),
            ),
        ]
        indexes = [
            models.Index(name="hold_by_account_created", fields=["account", "created_at", "id"]),
            models.Index(name="hold_open_by_expiry", fields=["expires_at"], condition=Q(status="open")),
            models.Index(name="hold_by_reference", fields=["reference"], condition=~Q(reference="")),
        ]

    def __str__(self) -> str:
        return f"hold {self.id}"

    def status_at(self, at: datetime) -> str:
        """The status as it reads at a moment: an open one whose time is over has expired, swept or not."""
        is_over = self.status == HoldStatus.OPEN and self.expires_at <= at
        return HoldStatus.EXPIRED.value if is_over else self.status


class IdempotencyKey(models.Model):
    """One key of one principal has one effect, for ever; `status` and `body` are its first answer.

    `status` is null while the outcome isn't known; `body` is dropped after 30 days, the row never.
    """

    # The key first, so that staff find it by what a customer quotes, without a second index.
    pk = models.CompositePrimaryKey("key", "principal")
    principal = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField()
    status = models.SmallIntegerField(null=True)
    body = models.BinaryField(null=True)
    resource = models.CharField(max_length=80, blank=True, default="")
    request_id = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            BrinIndex(name="idempotency_key_by_age", fields=["created_at"]),
            models.Index(
                name="idempotency_key_unanswered", fields=["resource"], condition=Q(status__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.principal} {self.key}"


class Checkpoint(models.Model):
    """One link of the chain of seals, signed: it holds the digest of the one before and of all that it seals.

    The audit entries of `audit_after < id <= audit_to` are sealed here, the lines in the checkpoint's seals.
    `marks` are the first 16 bytes of each entry's digest: they find what was changed, the digests prove it.
    """

    number = models.BigIntegerField(primary_key=True)
    previous = models.BinaryField()
    contents = models.BinaryField()
    digest = models.BinaryField()
    key_id = models.CharField(max_length=32)
    signature = models.BinaryField()
    lines = models.IntegerField()
    scanned_to = models.UUIDField()
    audit_after = models.UUIDField()
    audit_to = models.UUIDField()
    audit_digest = models.BinaryField()
    audit_marks = models.BinaryField()
    sealed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"checkpoint {self.number}"


class Seal(models.Model):
    """An account's lines `from_seq` to `to_seq` as they were sealed, with the first 16 bytes of each one's digest."""

    pk = models.CompositePrimaryKey("account_id", "to_seq")
    account_id = models.UUIDField()
    from_seq = models.BigIntegerField()
    to_seq = models.BigIntegerField()
    checkpoint = models.ForeignKey(
        Checkpoint, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="seals"
    )
    digest = models.BinaryField()
    marks = models.BinaryField()

    class Meta:
        indexes = [models.Index(name="seal_by_checkpoint", fields=["checkpoint", "account_id"])]

    def __str__(self) -> str:
        return f"{self.account_id} {self.from_seq} to {self.to_seq}"
