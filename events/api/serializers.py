"""What clients send and see of events and webhook endpoints."""

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from events.endpoints import LONGEST_OVERLAP_S, USUAL_OVERLAP_S
from events.event_types import ALL, EVENT_TYPES
from events.models import DeliveryStatus, EndpointStatus
from users.api.bodies import StrictBody, TextField
from users.api.pages import PageQuery


class EventTypesField(serializers.ListField):
    """Types of events, each once, or `*` for all of them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            child=serializers.ChoiceField(choices=[ALL, *EVENT_TYPES]),
            min_length=1,
            max_length=len(EVENT_TYPES) + 1,
            help_text="Types of events, or `*` for all, later ones too.",
            **options,
        )

    def to_internal_value(self, data: Any) -> list[str]:
        """Read the list, without repetitions."""
        return list(dict.fromkeys(super().to_internal_value(data)))


class NamedTypes(StrictBody):
    """Bodies that name types, under either of two names."""

    event_types = EventTypesField(required=False)
    enabled_events = EventTypesField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Take `enabled_events`, as Stripe calls them, for `event_types`; refuse both at once."""
        if "enabled_events" in attrs:
            if "event_types" in attrs:
                raise serializers.ValidationError({"enabled_events": ["Give event_types alone."]})
            attrs["event_types"] = attrs.pop("enabled_events")
        return attrs


class EndpointBody(NamedTypes):
    """A webhook endpoint to be made."""

    url = TextField(max_length=2000, help_text="https, on the public internet.")
    description = TextField(max_length=200, required=False, allow_blank=True, default="")
    user_id = serializers.UUIDField(required=False, help_text="Only this customer's events.")


class EndpointChanges(NamedTypes):
    """What may be changed of a webhook endpoint."""

    url = TextField(max_length=2000, required=False)
    description = TextField(max_length=200, required=False, allow_blank=True)
    status = serializers.ChoiceField(
        choices=[EndpointStatus.ENABLED.value, EndpointStatus.DISABLED.value], required=False
    )


class SecondsField(serializers.IntegerField):
    """A JSON integer of seconds; strings, floats and booleans don't pass for one."""

    def to_internal_value(self, data: Any) -> int:
        """Read the number."""
        if type(data) is not int:
            self.fail("invalid")
        return data


class RotationBody(StrictBody):
    """How long the secret before goes on signing beside the new one."""

    overlap_s = SecondsField(
        min_value=0, max_value=LONGEST_OVERLAP_S, required=False, default=USUAL_OVERLAP_S
    )


class EmptyBody(StrictBody):
    """A call that takes no fields."""


class EventsQuery(PageQuery):
    """Which events to list."""

    wallet_id = serializers.UUIDField(required=False)
    type = serializers.ChoiceField(choices=EVENT_TYPES, required=False)


class DeliveriesQuery(PageQuery):
    """Which deliveries to list."""

    status = serializers.ChoiceField(choices=DeliveryStatus.choices, required=False)


# `data` is a word of DRF's own, which a class can't have as a field.
_EVENT: dict[str, Any] = {
    "id": serializers.UUIDField(),
    "type": serializers.ChoiceField(choices=EVENT_TYPES),
    "position": serializers.IntegerField(help_text="Gapless over all events."),
    "wallet_id": serializers.UUIDField(allow_null=True),
    "seq": serializers.IntegerField(
        allow_null=True, help_text="The number of the wallet's last completed line."
    ),
    "user_id": serializers.UUIDField(allow_null=True),
    "request_id": serializers.CharField(allow_blank=True),
    "data": serializers.DictField(help_text="The object as it was then."),
    "created_at": serializers.DateTimeField(),
}
EventResource = inline_serializer(name="EventResource", fields=_EVENT)
_EventResources = inline_serializer(name="EventResource", fields=_EVENT, many=True)


class EventPage(serializers.Serializer[Any]):
    """One page of events, newest first."""

    results = _EventResources
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class EndpointResource(serializers.Serializer[Any]):
    """A webhook endpoint."""

    id = serializers.UUIDField()
    url = serializers.URLField()
    description = serializers.CharField(allow_blank=True)
    event_types = serializers.ListField(child=serializers.CharField())
    user_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=["enabled", "disabled"])
    disabled_reason = serializers.CharField(allow_null=True)
    previous_secret_until = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class EndpointWithSecret(EndpointResource):
    """A webhook endpoint and its secret, which is shown here alone."""

    secret = serializers.CharField(help_text="`whsec_` and base64: the key of Standard Webhooks' signatures.")


class EndpointPage(serializers.Serializer[Any]):
    """One page of webhook endpoints, newest first."""

    results = EndpointResource(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class AttemptView(serializers.Serializer[Any]):
    """One attempt to deliver; bodies are cut off after 4,000 characters."""

    at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()
    status = serializers.IntegerField(
        allow_null=True, help_text="HTTP status; null when there was no answer."
    )
    error = serializers.CharField(allow_null=True, help_text="Why there was none.")
    request_body = serializers.CharField()
    response_body = serializers.CharField(allow_blank=True)


class DeliveryResource(serializers.Serializer[Any]):
    """One event on its way to one endpoint."""

    id = serializers.UUIDField()
    endpoint_id = serializers.UUIDField()
    event_id = serializers.UUIDField()
    event_type = serializers.CharField(allow_null=True)
    position = serializers.IntegerField()
    wallet_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=DeliveryStatus.choices)
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    log = AttemptView(many=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class DeliveryPage(serializers.Serializer[Any]):
    """One page of deliveries, newest first."""

    results = DeliveryResource(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
