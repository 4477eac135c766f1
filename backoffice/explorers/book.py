"""The explorers of the book: movements of money, and each account's line of them."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from backoffice.explorers.narrowing import (
    AmountNarrowing,
    Explorer,
    Narrowing,
    choice,
    key,
    moment_cell,
    text,
)
from transactions.models import LineType, PostingStatus, Transaction, Transfer, TransferKind
from transactions.money import Money
from users.api.csv_files import text_cell


class TransactionNarrowing(AmountNarrowing):
    """What the list of lines can be narrowed to."""

    equal: ClassVar = {
        "status": "status",
        "type": "type",
        "wallet_id": "account_id",
        "transfer_id": "transfer_id",
        "reference": "transfer__reference",
    }
    currency_lookup = "account__currency"

    status = choice(_("State"), PostingStatus.choices)
    reference = text(_("Reference"))
    type = choice(_("Type"), LineType.choices)
    wallet_id = key(_("Wallet"))
    transfer_id = key(_("Transfer"))


class TransferNarrowing(Narrowing):
    """What the list of movements can be narrowed to."""

    equal: ClassVar = {
        "status": "status",
        "reference": "reference",
        "kind": "kind",
        "actor": "actor",
        "payment_id": "payment_id",
    }

    status = choice(_("State"), PostingStatus.choices)
    reference = text(_("Reference"))
    kind = choice(_("Kind"), TransferKind.choices)
    actor = text(_("By"), 80)
    payment_id = key(_("Payment"))


def _lines() -> QuerySet[Transaction]:
    return Transaction.objects.filter(account__rolled_up=False).select_related("account", "transfer")


def _line_cells(line: Transaction) -> Sequence[Any]:
    currency = line.account.currency
    after = "" if line.balance_after is None else Money(line.balance_after, currency).major
    return (
        moment_cell(line.created_at),
        line.id,
        line.transfer_id,
        line.account_id,
        line.seq or "",
        line.type,
        line.status,
        Money(line.amount, currency).major,
        currency,
        after,
        text_cell(line.transfer.description),
        text_cell(line.transfer.reference),
        moment_cell(line.completed_at),
    )


def _transfer_cells(transfer: Transfer) -> Sequence[Any]:
    return (
        moment_cell(transfer.created_at),
        transfer.id,
        transfer.kind,
        transfer.status,
        transfer.actor,
        text_cell(transfer.description),
        text_cell(transfer.reference),
        transfer.payment_id or "",
        transfer.refund_of or "",
        transfer.reverses or "",
        transfer.failure_code,
        moment_cell(transfer.completed_at),
    )


TRANSACTIONS: Final = Explorer(
    name="transactions",
    title=_("Transactions"),
    lead=_("Each account’s line of each movement."),
    permission="transaction:read",
    form=TransactionNarrowing,
    rows=_lines,
    columns=(
        "created_at",
        "id",
        "transfer_id",
        "wallet_id",
        "seq",
        "type",
        "status",
        "amount",
        "currency",
        "balance_after",
        "description",
        "reference",
        "completed_at",
    ),
    cells=_line_cells,
)
TRANSFERS: Final = Explorer(
    name="transfers",
    title=_("Transfers"),
    lead=_("Balanced movements of money."),
    permission="transaction:read",
    form=TransferNarrowing,
    rows=lambda: Transfer.objects.prefetch_related("lines__account"),
    columns=(
        "created_at",
        "id",
        "kind",
        "status",
        "actor",
        "description",
        "reference",
        "payment_id",
        "refund_of",
        "reverses",
        "failure_code",
        "completed_at",
    ),
    cells=_transfer_cells,
)
