"""What clients send and see of payments."""

from typing import Any

from rest_framework import serializers

from payments.models import PaymentMethod, PaymentStatus
from transactions.api.amounts import AmountField, CurrencyField
from users.api.bodies import StrictBody, TextField
from users.api.pages import PageQuery


class FundBody(StrictBody):
    """Money to charge to a saved card and to put into the wallet."""

    amount = AmountField()
    currency = CurrencyField()
    token_id = serializers.UUIDField(help_text="A saved card of the wallet's owner.")
    description = TextField(max_length=500, required=False, allow_blank=True, default="")


class PaymentsQuery(PageQuery):
    """Which payments to list."""

    wallet_id = serializers.UUIDField(required=False, help_text="One wallet's.")


class ChargeAnswer(serializers.Serializer[Any]):
    """What a charge has come to."""

    payment_id = serializers.UUIDField()
    transaction_id = serializers.UUIDField()
    wallet_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=["pending", "requires_action", "succeeded"])
    amount = serializers.IntegerField(help_text="In the currency's minor unit.")
    currency = serializers.CharField()
    token_id = serializers.UUIDField(allow_null=True)
    new_balance = serializers.IntegerField(help_text="The wallet's balance, in the currency's minor unit.")
    next_action = serializers.DictField(
        allow_null=True, help_text="What the client has to do where `status` is `requires_action`."
    )


class PaymentView(serializers.Serializer[Any]):
    """One charge."""

    id = serializers.UUIDField()
    wallet_id = serializers.UUIDField()
    transaction_id = serializers.UUIDField()
    amount = serializers.IntegerField(help_text="In the currency's minor unit.")
    currency = serializers.CharField()
    method = serializers.ChoiceField(choices=PaymentMethod.choices)
    token_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=PaymentStatus.choices)
    decline_code = serializers.CharField(allow_null=True)
    refunded_amount = serializers.IntegerField()
    next_action = serializers.DictField(allow_null=True)
    created_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)


class PaymentPage(serializers.Serializer[Any]):
    """One page of payments, newest first."""

    results = PaymentView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
