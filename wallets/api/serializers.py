"""What clients send about wallets, and how wallets and movements are shown."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from transactions.api.amounts import AmountField, CurrencyField, MetadataField
from transactions.money import MAXIMUM_AMOUNT
from transactions.movements import Movement
from users.api.bodies import StrictBody, StrictQuery, TextField
from users.api.pages import PageQuery
from wallets.models import WalletStatus


class OpenWalletBody(StrictBody):
    """A wallet to be opened; only a service client names the customer."""

    currency = CurrencyField()
    label = TextField(max_length=100, required=False, allow_blank=True, default="")  # type: ignore[assignment]  # DRF fields have a `label` of their own
    metadata = MetadataField(required=False, default=dict)
    user_id = serializers.UUIDField(required=False)


class DescribeWalletBody(StrictBody):
    """What may be changed about a wallet by its owner."""

    label = TextField(max_length=100, required=False, allow_blank=True)  # type: ignore[assignment]  # DRF fields have a `label` of their own
    metadata = MetadataField(required=False)


class ReasonBody(StrictBody):
    """Why."""

    reason = TextField(max_length=500)


class SuspendBody(ReasonBody):
    """Why a wallet is suspended, and until when at the most."""

    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class LimitsBody(StrictBody):
    """All limits of a wallet, in minor units; null falls back to the installation's default."""

    maximum_balance = AmountField(min_value=0, required=False, allow_null=True, default=None)
    per_transaction = AmountField(min_value=0, required=False, allow_null=True, default=None)
    daily_outflow = AmountField(min_value=0, required=False, allow_null=True, default=None)
    monthly_outflow = AmountField(min_value=0, required=False, allow_null=True, default=None)
    credit = AmountField(min_value=0, required=False, allow_null=True, default=None)


class PayBody(StrictBody):
    """A payment from the wallet to the merchant."""

    amount = AmountField()
    currency = CurrencyField()
    description = TextField(max_length=500, required=False, allow_blank=True, default="")
    reference = TextField(max_length=200, required=False, allow_blank=True, default="")
    metadata = MetadataField(required=False, default=dict)


class TransferBody(StrictBody):
    """A transfer to another wallet, which may be anybody's."""

    from_wallet_id = serializers.UUIDField()
    to_wallet_id = serializers.UUIDField()
    amount = AmountField()
    currency = CurrencyField()
    description = TextField(max_length=500, required=False, allow_blank=True, default="")
    metadata = MetadataField(required=False, default=dict)


class WalletQuery(PageQuery):
    """What the list of wallets can be narrowed to."""

    user_id = serializers.UUIDField(required=False)
    currency = CurrencyField(required=False)
    status = serializers.ChoiceField(choices=WalletStatus.choices, required=False)


class BalanceQuery(StrictQuery):
    """The moment at which a balance is asked for; now when it is left out."""

    at = serializers.DateTimeField(required=False)


class WalletView(serializers.Serializer[Any]):
    """A wallet; amounts in minor units of its currency."""

    id = serializers.UUIDField()
    user_id = serializers.UUIDField()
    currency = serializers.CharField()
    balance = serializers.IntegerField()
    held = serializers.IntegerField()
    available = serializers.IntegerField()
    status = serializers.ChoiceField(choices=WalletStatus.choices)
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # DRF fields have a `label` of their own
    metadata = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class WalletPage(serializers.Serializer[Any]):
    """A page of wallets, newest first."""

    results = WalletView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class LimitsView(serializers.Serializer[Any]):
    """The limits that hold for a wallet, in minor units, or null."""

    maximum_balance = serializers.IntegerField(allow_null=True, max_value=MAXIMUM_AMOUNT)
    per_transaction = serializers.IntegerField(allow_null=True)
    daily_outflow = serializers.IntegerField(allow_null=True)
    monthly_outflow = serializers.IntegerField(allow_null=True)
    credit = serializers.IntegerField(allow_null=True)


class TransferView(serializers.Serializer[Any]):
    """A completed transfer between two wallets."""

    transfer_id = serializers.UUIDField()
    status = serializers.CharField()
    from_wallet_id = serializers.UUIDField()
    to_wallet_id = serializers.UUIDField()
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    debit_transaction_id = serializers.UUIDField()
    credit_transaction_id = serializers.UUIDField()
    description = serializers.CharField(allow_blank=True)
    metadata = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()


BalanceView = inline_serializer(
    name="Balance",
    fields={
        "wallet_id": serializers.UUIDField(),
        "currency": serializers.CharField(),
        "balance": serializers.IntegerField(),
        "held": serializers.IntegerField(allow_null=True),
        "available": serializers.IntegerField(allow_null=True),
        "at": serializers.DateTimeField(),
    },
)

StatsView = inline_serializer(
    name="WalletStats",
    fields={
        "balance": serializers.IntegerField(),
        "total_in": serializers.IntegerField(),
        "total_out": serializers.IntegerField(),
        "transaction_count": serializers.IntegerField(),
        "average_amount": serializers.IntegerField(),
        "last_transaction_at": serializers.DateTimeField(allow_null=True),
    },
)


def shown_transfer(movement: Movement, *, source_id: UUID) -> dict[str, Any]:
    """Show a transfer between two wallets as the API names its fields."""
    debit = movement.line_of(source_id)
    credit = next(line for line in movement.lines if line is not debit)
    return {
        "transfer_id": movement.id,
        "status": movement.status.value,
        "from_wallet_id": debit.account_id,
        "to_wallet_id": credit.account_id,
        "amount": credit.amount,
        "currency": credit.currency,
        "debit_transaction_id": debit.id,
        "credit_transaction_id": credit.id,
        "description": movement.description,
        "metadata": movement.metadata,
        "created_at": movement.created_at,
    }
