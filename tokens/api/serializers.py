"""What clients send and see of tokens. No message quotes what was sent: it may be a card number."""

from typing import Any

from rest_framework import serializers

from tokens.models import PaymentToken
from users.api.bodies import StrictBody, TextField
from users.api.pages import PageQuery


class CalendarField(serializers.IntegerField):
    """A month or a year as a JSON integer; strings, floats and booleans don't pass for one."""

    def to_internal_value(self, data: Any) -> int:
        """Read the number."""
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class OwnerField(serializers.UUIDField):
    """The customer that a service client acts for."""

    default_error_messages = {"invalid": "This must be the id of a customer."}


class CardBody(StrictBody):
    """A card as its holder types it in."""

    number = TextField(
        max_length=19,
        trim_whitespace=False,
        help_text="12 to 19 digits. Kept in the vault alone, never shown again.",
    )
    exp_month = CalendarField(min_value=1, max_value=12)
    exp_year = CalendarField(min_value=1000, max_value=9999, help_text="Four digits.")
    cvc = TextField(max_length=4, trim_whitespace=False, help_text="3 or 4 digits. Checked, and never kept.")
    holder = TextField(max_length=100, required=False, allow_blank=True, default="")
    user_id = OwnerField(
        required=False, help_text="The customer; required of service clients, and theirs alone."
    )


class EmptyBody(StrictBody):
    """A call that takes no fields."""


class TokensQuery(PageQuery):
    """Which tokens to list."""

    user_id = OwnerField(required=False, help_text="One customer's; for service clients and staff.")


class TokenResource(serializers.Serializer[Any]):
    """A saved card."""

    id = serializers.UUIDField()
    type = serializers.ChoiceField(choices=PaymentToken.Type.choices)
    brand = serializers.CharField(
        help_text="`visa`, `mastercard`, `amex`, `discover`, `diners`, `jcb`, … or `unknown`."
    )
    last4 = serializers.CharField(help_text="The last four digits.")
    exp_month = serializers.IntegerField()
    exp_year = serializers.IntegerField()
    fingerprint = serializers.CharField(help_text="The same for the same card number, whoever saved it.")
    status = serializers.ChoiceField(choices=["active", "expired"])
    provider = serializers.CharField(help_text="The vault that keeps the card.")
    created_at = serializers.DateTimeField()


class ValidatedToken(TokenResource):
    """A saved card, and whether it can be charged now."""

    valid = serializers.BooleanField()


class TokenPage(serializers.Serializer[Any]):
    """One page of saved cards, newest first."""

    results = TokenResource(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
