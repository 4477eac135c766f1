"""The shapes of what the authentication calls take and give."""

import re
from typing import Any

from rest_framework import serializers

from users.api.bodies import FlagField, StrictBody, TextField
from users.roles import PERMISSIONS, ROLES

LONGEST_TEXT = 4096


class RegisterBody(StrictBody):
    """What a new customer gives."""

    email = TextField(max_length=254, help_text="The address to log in with; case doesn't matter.")
    password = TextField(
        trim_whitespace=False,
        help_text="At least 10 characters, not a common one, not only digits, not the address.",
    )


class PasswordLoginBody(StrictBody):
    """How a person logs in."""

    email = TextField(max_length=254)
    password = TextField(trim_whitespace=False, max_length=LONGEST_TEXT)
    one_time_code = TextField(
        max_length=40,
        required=False,
        help_text="Staff with a second factor: what the authenticator shows, or a recovery code.",
    )


class ClientLoginBody(StrictBody):
    """How a service client logs in."""

    client_id = TextField(max_length=64)
    client_secret = TextField(trim_whitespace=False, max_length=LONGEST_TEXT)


class RefreshBody(StrictBody):
    """A refresh token."""

    refresh = TextField(max_length=LONGEST_TEXT)


class EmailNoticesBody(StrictBody):
    """Which notices come by e-mail."""

    low_balance = FlagField(help_text="The balance fell below the low-balance mark.")
    top_up_failed = FlagField(help_text="An automatic top-up failed.")
    refund_decided = FlagField(help_text="A refund was approved or rejected.")
    wallet_suspended = FlagField(help_text="A wallet was suspended.")
    large_debit = FlagField(help_text="An unusually large amount left a wallet.")


class MarkField(serializers.IntegerField):
    """A JSON integer in minor units; text and booleans don't pass for one."""

    def to_internal_value(self, data: Any) -> int:
        """Read the amount. Refuses everything but whole numbers."""
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class MarksField(serializers.DictField):
    """Amounts in minor units by currency: `{"USD": 500}`."""

    child = MarkField(min_value=0, max_value=2**53 - 1)

    def to_internal_value(self, data: Any) -> dict[str, int]:
        """Read the amounts. Refuses what isn't a currency's code."""
        marks: dict[str, int] = super().to_internal_value(data)
        for currency in marks:
            if not re.fullmatch("[A-Z]{3}", currency):
                raise serializers.ValidationError(
                    {currency: "Give the code of a currency, such as USD."}, code="invalid"
                )
        return marks


class ThresholdsBody(StrictBody):
    """From which amounts on notices are given, by currency; others go by the installation's."""

    low_balance = MarksField(required=False, help_text="The mark that the balance falls below.")
    large_debit = MarksField(required=False, help_text="The least amount that counts as large.")


class NoticesBody(StrictBody):
    """Which notices the customer wants, by channel; a PUT names every one."""

    email = EmailNoticesBody()
    thresholds = ThresholdsBody(required=False)


class CustomerAnswer(serializers.Serializer[None]):
    """A customer who has just registered."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    role = serializers.ChoiceField(["user"])
    created_at = serializers.DateTimeField()


class TokensAnswer(serializers.Serializer[None]):
    """The tokens of a session."""

    access = serializers.CharField(help_text="Send it as `Authorization: Bearer …`.")
    refresh = serializers.CharField(help_text="Exchange it once, at `/auth/token/refresh`.")
    token_type = serializers.ChoiceField(["Bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds until the access token ends.")


class BearerAnswer(serializers.Serializer[None]):
    """Who a token speaks for: a person has an `email`, a service client a `client_id`."""

    id = serializers.UUIDField()
    email = serializers.EmailField(allow_null=True)
    client_id = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    role = serializers.ChoiceField(sorted(ROLES))
    permissions = serializers.ListField(child=serializers.ChoiceField(sorted(PERMISSIONS)))
    time_zone = serializers.CharField(allow_null=True)
    locale = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class PublicKeyAnswer(serializers.Serializer[None]):
    """One public key, as a JWK of RFC 8037."""

    kty = serializers.ChoiceField(["OKP"])
    crv = serializers.ChoiceField(["Ed25519"])
    kid = serializers.CharField()
    use = serializers.ChoiceField(["sig"])
    alg = serializers.ChoiceField(["EdDSA"])
    x = serializers.CharField()


class PublicKeysAnswer(serializers.Serializer[None]):
    """The keys that verify access tokens: the one that signs first, then the retiring ones."""

    keys = PublicKeyAnswer(many=True)
