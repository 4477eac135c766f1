"""What clients send and see of payments by phone and of a wallet's payment methods."""

from typing import Any

from rest_framework import serializers

from payments.models import PaymentMethod, SessionStatus
from tokens.models import PaymentToken
from transactions.api.amounts import AmountField, CurrencyField
from users.api.bodies import FlagField, StrictBody, TextField
from users.api.pages import PageQuery

PHONES = [PaymentMethod.APPLE_PAY.value, PaymentMethod.GOOGLE_PAY.value]


class ReloadBody(StrictBody):
    """An automatic top-up that the customer agrees to with the payment."""

    threshold = AmountField(min_value=0, help_text="Below this balance, in the currency's minor unit.")
    amount = AmountField(help_text="What is added each time, in the currency's minor unit.")


class OpenSessionBody(StrictBody):
    """What the customer is about to pay with the phone."""

    wallet_id = serializers.UUIDField()
    amount = AmountField()
    currency = CurrencyField()
    automatic_reload = ReloadBody(
        required=False,
        help_text="The automatic top-up to agree to; the wallet's own, where it has one, when absent.",
    )


class ProcessBody(StrictBody):
    """What the phone gave for a session."""

    session_id = serializers.UUIDField()
    payment_data = serializers.DictField(
        help_text="Apple's whole payment token (`paymentData`, `paymentMethod`, `transactionIdentifier`), or Google's"
        " `PaymentData` object, unchanged."
    )
    save = FlagField(  # type: ignore[assignment]  # the contract's name; a body is read and never saved
        required=False, default=False, help_text="Keep the card as a payment method of the wallet."
    )


class PhoneTokenBody(StrictBody):
    """What the phone gave, to save its card without a payment."""

    payment_data = serializers.DictField(help_text="As for a payment, unchanged.")
    user_id = serializers.UUIDField(
        required=False, help_text="The customer; required of service clients, and theirs alone."
    )


class MethodBody(StrictBody):
    """A saved card that the wallet is to be paid from."""

    token_id = serializers.UUIDField(help_text="A saved card of the wallet's owner.")
    consent_text = TextField(
        max_length=2000,
        required=False,
        help_text="The words that the customer agreed to, where they are not our own.",
    )


class MethodsQuery(PageQuery):
    """Which of a wallet's payment methods to list."""


class OpenedAppleSession(serializers.Serializer[Any]):
    """A session, and what to ask the phone."""

    session_id = serializers.UUIDField()
    expires_at = serializers.DateTimeField()
    payment_request = serializers.DictField(
        help_text="An `ApplePayPaymentRequest`, for `ApplePaySession` and, member by member, `PKPaymentRequest`."
    )


class OpenedGoogleSession(serializers.Serializer[Any]):
    """A session, and what to ask the phone."""

    session_id = serializers.UUIDField()
    expires_at = serializers.DateTimeField()
    payment_data_request = serializers.DictField(
        help_text="A `PaymentDataRequest` for Google Pay's JavaScript and Android clients."
    )


class SessionView(serializers.Serializer[Any]):
    """One payment session."""

    id = serializers.UUIDField()
    wallet_id = serializers.UUIDField()
    method = serializers.ChoiceField(choices=PHONES)
    amount = serializers.IntegerField(help_text="In the currency's minor unit.")
    currency = serializers.CharField()
    status = serializers.ChoiceField(choices=SessionStatus.choices)
    payment_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class MethodView(serializers.Serializer[Any]):
    """A saved card as a wallet's payment method."""

    token_id = serializers.UUIDField()
    type = serializers.ChoiceField(choices=PaymentToken.Type.choices)
    brand = serializers.CharField()
    last4 = serializers.CharField(help_text="The last four digits.")
    exp_month = serializers.IntegerField()
    exp_year = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["active", "expired"])
    is_default = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class MethodPage(serializers.Serializer[Any]):
    """One page of payment methods, newest first."""

    results = MethodView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
