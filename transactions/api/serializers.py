"""Lines of the book as the API shows them, and what its lists can be narrowed to."""

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from transactions.history import HistoryFilter
from transactions.models import LineType, PostingStatus
from transactions.queries import BookLine
from users.api.pages import PageQuery


class TransactionView(serializers.Serializer[Any]):
    """One line of a wallet: money in is positive, money out negative."""

    id = serializers.UUIDField()
    wallet_id = serializers.UUIDField()
    seq = serializers.IntegerField(allow_null=True)
    type = serializers.ChoiceField(choices=LineType.choices)
    status = serializers.ChoiceField(choices=PostingStatus.choices)
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    balance_after = serializers.IntegerField(allow_null=True)
    description = serializers.CharField(allow_blank=True)
    reference = serializers.CharField(allow_blank=True)
    transfer_id = serializers.UUIDField()
    refund_of = serializers.UUIDField(allow_null=True)
    payment_id = serializers.UUIDField(allow_null=True)
    failure_code = serializers.CharField(allow_null=True)
    metadata = serializers.DictField(child=serializers.CharField())
    effective_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)


class TransactionPage(serializers.Serializer[Any]):
    """A page of lines, newest first."""

    results = TransactionView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


# `from` is a word of Python's own, which a class can't have as a field.
StateChange = inline_serializer(
    name="StateChange",
    fields={
        "at": serializers.DateTimeField(),
        "by": serializers.CharField(),
        "from": serializers.CharField(allow_null=True),
        "to": serializers.CharField(),
        "request_id": serializers.CharField(allow_blank=True),
    },
    many=True,
)


class StateChanges(serializers.Serializer[Any]):
    """Every change of a transaction's state, oldest first."""

    results = StateChange


class WalletHistoryQuery(PageQuery):
    """What a wallet's history can be narrowed to."""

    type = serializers.ChoiceField(choices=LineType.choices, required=False)
    status = serializers.ChoiceField(choices=PostingStatus.choices, required=False)
    created_from = serializers.DateTimeField(required=False)
    created_to = serializers.DateTimeField(required=False)


class TransactionQuery(WalletHistoryQuery):
    """What the list of all transactions can be narrowed to."""

    wallet_id = serializers.UUIDField(required=False)
    transfer_id = serializers.UUIDField(required=False)
    q = serializers.CharField(max_length=200, required=False)


def narrowed_to(query: dict[str, Any]) -> HistoryFilter:
    """Make the filter of a history query that has been read."""
    return HistoryFilter(
        type=query.get("type"),
        status=query.get("status"),
        transfer_id=query.get("transfer_id"),
        created_from=query.get("created_from"),
        created_to=query.get("created_to"),
        text=query.get("q"),
    )


def shown_line(line: BookLine) -> dict[str, Any]:
    """Show a line with the API's field names; amounts in minor units of its currency."""
    return {
        "id": line.id,
        "wallet_id": line.account_id,
        "seq": line.seq,
        "type": line.type,
        "status": line.status,
        "amount": line.amount,
        "currency": line.currency,
        "balance_after": line.balance_after,
        "description": line.description,
        "reference": line.reference,
        "transfer_id": line.transfer_id,
        "refund_of": line.refund_of,
        "payment_id": line.payment_id,
        "failure_code": line.failure_code or None,
        "metadata": line.metadata,
        "effective_at": line.effective_at,
        "created_at": line.created_at,
        "completed_at": line.completed_at,
    }
