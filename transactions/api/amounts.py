"""Money as it crosses the API: an integer of minor units, always beside its currency."""

from typing import Any

from rest_framework import serializers

from transactions.money import EXPONENTS, MAXIMUM_AMOUNT


class AmountField(serializers.IntegerField):
    """A JSON integer of minor units, positive unless `min_value` says otherwise; no float, string or boolean."""

    default_error_messages = {"not_integer": "An amount is an integer of minor units."}

    def __init__(self, **options: Any) -> None:
        options.setdefault("min_value", 1)
        options.setdefault("max_value", MAXIMUM_AMOUNT)
        options.setdefault("help_text", "An amount in the currency's minor unit.")
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        """Read the amount. Refuses everything but JSON integers."""
        if type(data) is not int:
            self.fail("not_integer")
        return data


class CurrencyField(serializers.CharField):
    """An ISO 4217 code in capitals, of a currency that has a minor unit."""

    default_error_messages = {"unknown": "This is no currency of ISO 4217 with a minor unit."}

    def __init__(self, **options: Any) -> None:
        options.setdefault("help_text", "ISO 4217, such as USD.")
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        """Read the code. Refuses unknown ones."""
        if not isinstance(data, str) or data not in EXPONENTS:
            self.fail("unknown")
        return data


class MetadataField(serializers.JSONField):
    """The client's own pairs: up to 50 strings of up to 500 characters under keys of up to 40."""

    default_error_messages = {
        "not_pairs": "Metadata is an object of at most 50 strings of up to 500 characters, under keys of up to 40."
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Read the pairs. Refuses what isn't a flat object of strings."""
        if not isinstance(data, dict) or len(data) > 50:
            self.fail("not_pairs")
        for name, value in data.items():
            if not isinstance(value, str) or not 1 <= len(name) <= 40 or len(value) > 500:
                self.fail("not_pairs")
        return data
